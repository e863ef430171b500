//! Neural-network kernels for microcontrollers: no heap, no panics, no interpreter, bit-exact with TensorFlow Lite.
//!
//! This is the crate that firmware depends on. A trained model takes a line of build script and three of firmware:
//!
//! ```text
//! // build.rs, with smolnn-import among the build-dependencies
//! fn main() -> smolnn_import::Result<()> {
//!     smolnn_import::Model::open("models/digits.tflite")?.emit()
//! }
//! ```
//! ```text
//! // main.rs
//! smolnn::include_model!(digits);
//!
//! static MODEL: ConstStaticCell<digits::Model> = ConstStaticCell::new(digits::Model::new()); // its RAM is a constant
//!
//! let model = MODEL.take();
//! let scores: &[i8; 10] = model.infer(&image); // no Result: nothing is left to go wrong
//! ```
//!
//! By hand, the kernels take shapes that are checked where they are made, and slices:
//!
//! ```
//! use smolnn::fixed::dense::{Dense, dense};
//! use smolnn::fixed::quantise::OutputRange;
//! use smolnn::fixed::{Channel, Separate, pack::Layout};
//! use smolnn::{DenseShape, shape};
//!
//! static WEIGHTS: [u32; 1] = [0x04_03_02_01];
//! static CHANNELS: [Channel; 1] = [Channel { bias: 10, multiplier: 1 << 30, shift: 0 }]; // half
//! const LAYER: Dense<'static> =
//!     shape!(Dense::new(shape!(DenseShape::new(1, 4, 1)), &WEIGHTS, &CHANNELS, Layout::Portable, OutputRange::int8(0)));
//!
//! let mut output = [0; 1];
//! dense(&LAYER, Separate { input: &[1, 1, 1, 1], output: &mut output }, &mut [])?;
//! assert_eq!(output, [10]); // (1 + 2 + 3 + 4 + 10) / 2
//! # Ok::<(), smolnn::ShapeError>(())
//! ```
//!
//! The feature `defmt` gives the errors `defmt::Format`.
//!
//! A stream of samples becomes decisions in [`stream`]: front end, model with state, detector.
//!
//! The layers below: [`fixed`], the integer kernels; [`float`], the same in floating point with every gradient; [`signal`], from
//! samples to features;
//! shapes and errors, which both share, stand here at the top.
#![no_std]

#[cfg(feature = "embedded-hal")]
pub mod sensor;
pub mod stream;

pub use smolnn_core::*;
pub use {smolnn_fixed as fixed, smolnn_float as float, smolnn_signal as signal};

/// Includes the model that a build script emitted with `smolnn_import::Model::emit`, as a module of its name.
///
/// `include_model!(digits)` gives `digits::Model` with `new`, `infer`, `input_mut`, `run`, `output` and `reset`, the
/// types `digits::Input` and `digits::Output`, their shapes, scales and zero points, and `digits::ARENA_BYTES`. With several
/// inputs or outputs these are numbered: `Input0`, `input_1_mut`, `OUTPUT_1_SCALE`.
///
/// `include_model!(pub digits)` makes the module public.
///
/// The model holds its arena. Keep it in a static (`ConstStaticCell` of the crate `static_cell`): the linker then finds its place, and says so
/// when the RAM is too small. A local takes the whole arena from the stack, several times in a debug build.
#[macro_export]
macro_rules! include_model {
    ($visibility:vis $name:ident) => {
        #[doc = concat!("The model `", stringify!($name), "`, compiled by smolnn-import.")]
        #[allow(non_snake_case, dead_code, clippy::all)]
        $visibility mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
        }
    };
}

/// What generated code uses. Not part of the interface.
#[doc(hidden)]
pub mod generated {
    pub use smolnn_core::*;
    pub use smolnn_fixed::act::*;
    pub use smolnn_fixed::arena::{Arena, prove_apart, regions, view};
    pub use smolnn_fixed::axis::*;
    pub use smolnn_fixed::conv::*;
    pub use smolnn_fixed::convert::*;
    pub use smolnn_fixed::dense::*;
    pub use smolnn_fixed::dense_int16::*;
    pub use smolnn_fixed::elementwise::*;
    pub use smolnn_fixed::gather::*;
    pub use smolnn_fixed::l2_norm::*;
    pub use smolnn_fixed::log_softmax::*;
    pub use smolnn_fixed::matmul::*;
    pub use smolnn_fixed::movement::*;
    pub use smolnn_fixed::pack::{Channel, Layout, Weights};
    pub use smolnn_fixed::pad::*;
    pub use smolnn_fixed::pool::*;
    pub use smolnn_fixed::quantise::*;
    pub use smolnn_fixed::reduce::*;
    pub use smolnn_fixed::resize::*;
    pub use smolnn_fixed::rnn;
    pub use smolnn_fixed::softmax::*;
    pub use smolnn_fixed::softmax_int16::*;
    pub use smolnn_fixed::space_to_batch::*;
    pub use smolnn_fixed::state::*;
    pub use smolnn_fixed::update_slice::*;
    pub use smolnn_fixed::{Overlapping, Separate, SeparatePair, WithRight};
    pub use {smolnn_float as float, smolnn_signal as signal};

    /// Ends a run whose kernel refused its memory. The importer lays the memory out by the layers' own lengths, so that no run gets here; were it wrong,
    /// nothing that was not computed is given out: a build with debug assertions panics with the error, another one stands still.
    #[inline(always)]
    pub fn refused(error: ShapeError) -> ! {
        if cfg!(debug_assertions) {
            error.fail()
        }
        loop {
            core::hint::spin_loop();
        }
    }
}
