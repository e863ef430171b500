//! Compiles `.tflite` models to Rust source for smolnn: on the host, in a build script or by the command `smolnn`.
//!
//! In a build script, one line per model; the generated module is then included by `smolnn::include_model!(digits)`:
//!
//! ```no_run
//! fn main() -> smolnn_import::Result<()> {
//!     smolnn_import::Model::open("models/digits.tflite")?.emit()
//! }
//! ```
//!
//! The same program can be looked at and run on the host, with the kernels that the firmware uses:
//!
//! ```
//! use smolnn_import::{Backend, Model};
//!
//! # #[cfg(all(feature = "cli", feature = "quantise"))] {
//! let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/models/digits.tflite"))?;
//! let program = model.compile(Backend::CURRENT)?;
//! println!("{}", program.report().table(None));
//! assert!(program.arena_bytes() < 2048);
//!
//! let mut runner = program.runner()?;
//! runner.set_input(0, &[0; 64])?; // an 8×8 image, one byte per pixel
//! runner.run()?;
//! let scores = runner.output(0)?;
//! assert_eq!(scores.len(), 10);
//! # }
//! # Ok::<(), smolnn_import::Error>(())
//! ```
//!
//! The way of a model through the crate, room by room. A room uses those above it and none below:
//!
//! 1. `net`: tensors and nodes with typed operators, which know neither a file format nor a kernel; inference of shapes.
//! 2. `read`: a file becomes a [`Net`], or a list of all that is wrong with it. Nothing that a file says is trusted; damaged files give
//!    [`Error::Malformed`].
//! 3. `rewrite`: small passes from net to net, such as folding computations on shapes.
//! 4. `quantise`, `calibrate`: a net of real numbers becomes one of integers, by data that look like its input, with a report of what that costs.
//! 5. `lower`: each node becomes one or several calls of kernels, its weights packed for the [`Backend`]. What is not supported is listed in full by
//!    [`Error::Unsupported`], with operator, tensor, what was found and what would work.
//! 6. `plan`: orders the calls and places the tensors in one arena; outputs overlap dying inputs where the kernel runs row by row.
//! 7. `write`, `run`, `report`: [`Program::source`] writes Rust, [`Program::runner`] runs the plan here, `Program::report` says what it takes.
//!
//! # Features
//!
//! Both are on by default, so that `cargo install smolnn-import` gives the whole command `smolnn`:
//!
//! - `cli`: the command, and the report of a program.
//! - `quantise`: what runs networks on this machine, [`Runner`] and [`Model::calibrate`], and the command's `run` and `quantise`.
//!
//! A build script that opens a model and emits it needs neither (`default-features = false`): without the kernels it is compiled in a fraction of
//! the time. One that calibrates takes `features = ["quantise"]`.
//!
//! The accessors of the flatbuffer (`read::tflite::schema`) hold the crate's only `unsafe` code, behind the flatbuffers verifier.

// What the command and the quantiser share with the rest has fewer users without them.
#![cfg_attr(not(feature = "quantise"), allow(dead_code, unused_imports, unused_macros))]

#[cfg(feature = "quantise")]
mod calibrate;
mod error;
#[cfg(feature = "cli")]
mod fold;
#[cfg(feature = "quantise")]
mod labels;
mod lower;
mod manifest;
mod model;
mod net;
#[cfg(feature = "quantise")]
#[doc(hidden)] // For the command.
pub mod npy;
mod plan;
#[cfg(feature = "quantise")]
mod quantise;
mod read;
#[cfg(feature = "cli")]
mod report;
mod rewrite;
#[cfg(feature = "quantise")]
mod run;
mod streaming;
mod write;

pub use error::{Error, Problem, Result};
#[cfg(feature = "quantise")]
pub use labels::Labels;
#[cfg(feature = "quantise")]
pub use lower::CustomTensors;
pub use manifest::Manifest;
#[cfg(feature = "quantise")]
pub use model::Calibrated;
pub use model::{Model, compile};
pub use net::{
    Activation, BinaryKind, Comparison, Constant, Element, Net, Node, Operator, Padding, PoolKind, Quantisation,
    RecurrentCell, ReduceKind, RemovedChannels, Reset, SignalKind, SlidingWindow, Tensor, TensorId, UnaryKind,
};
#[cfg(feature = "graphs")]
#[doc(hidden)] // For tests on boards.
pub use plan::random::RandomNet;
pub use plan::{Core, Estimate, Program, Unit};
#[cfg(feature = "quantise")]
pub use quantise::{QuantisationReport, QuantisedLayer, RangeMethod, Trial, Variant, layers, recurrent};
#[cfg(feature = "cli")]
pub use report::{Layer, Memory, Overlap, Report, ReportedTensor};
#[cfg(feature = "quantise")]
pub use run::Runner;
pub use smolnn_core::{CustomOperator, CustomTensor};
pub use smolnn_fixed::Backend;
