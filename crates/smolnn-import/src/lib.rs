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
//! let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/digits/digits.tflite"))?;
//! let program = model.compile(Backend::CURRENT)?;
//! # #[cfg(feature = "cli")]
//! println!("{}", program.table());
//! assert!(program.arena_bytes() < 2048);
//!
//! let mut runner = program.runner()?;
//! runner.set_input(0, &[0; 64])?; // an 8×8 image, one byte per pixel
//! runner.run()?;
//! let scores = runner.output(0)?;
//! assert_eq!(scores.len(), 10);
//! # Ok::<(), smolnn_import::Error>(())
//! ```
//!
//! The way of a model through the crate:
//!
//! 1. [`Graph::read`] verifies the flatbuffer and checks tensors: shapes, sizes, quantisation, the order of operators. Nothing that a file
//!    says is trusted; damaged files give [`Error::Malformed`].
//! 2. Computations on shapes are folded and unused operators dropped (`simplify`).
//! 3. Each operator is checked by its family (`operators`, one file each) and its weights are packed for the [`Backend`]. What is not
//!    supported is listed in full by [`Error::Unsupported`], with operator, tensor, what was found and what would work.
//! 4. The memory plan (`plan`) orders the operators and places the tensors in one arena; outputs overlap dying inputs where the kernel runs row by row.
//! 5. [`Program::source`] writes Rust, [`Program::runner`] runs the plan here, `Program::table` shows it.
//!
//! The feature `cli` is the command and the table, on by default so that `cargo install smolnn-import` gives `smolnn`; a build script
//! needs neither.
//!
//! The reader's accessors (`schema`) hold the crate's only `unsafe` code, behind the flatbuffers verifier.

mod emit;
mod error;
mod graph;
mod memory;
mod model;
mod operators;
mod plan;
mod program;
pub mod recurrent;
mod run;
mod schema;
mod simplify;
#[cfg(feature = "cli")]
mod table;

pub use error::{Error, Problem, Result};
pub use graph::{Code, Constant, Element, Graph, Operator, Quantisation, Tensor, TensorId};
pub use model::{Model, compile};
pub use program::Program;
pub use run::Runner;
pub use smolnn_fixed::Backend;
