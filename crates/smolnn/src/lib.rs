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
//! let digit = model.infer(&image).argmax(); // no Result: nothing is left to go wrong
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

mod argmax;
#[cfg(feature = "embedded-hal")]
pub mod sensor;
pub mod stream;

pub use argmax::Argmax;
pub use smolnn_core::*;
pub use smolnn_fixed::arena::{Arena, largest_arena};
pub use {smolnn_fixed as fixed, smolnn_float as float, smolnn_signal as signal};

/// Includes the model that a build script emitted with `smolnn_import::Model::emit`, as a module of its name.
///
/// Keep the model in a static (`ConstStaticCell` of the crate `static_cell`): the linker then finds the place of its memory, and says so when the RAM is
/// too small. A local takes the whole arena from the stack, several times in a debug build; that is for programs on a computer.
///
/// ```text
/// smolnn::include_model!(digits);
///
/// static MODEL: ConstStaticCell<digits::Model> = ConstStaticCell::new(digits::Model::new());
///
/// let model = MODEL.take();
/// let digit = model.infer(&image).argmax();
/// ```
///
/// `include_model!(pub digits)` makes the module public. In it:
///
/// | item | what it is |
/// |---|---|
/// | `Model::new` | the model with memory of its own, a constant |
/// | `Model::in_arena` | the model in an arena that it shares with others, see below |
/// | `infer` | copies the inputs, runs, gives the outputs |
/// | `infer_slice` | the same for slices, such as DMA buffers and `heapless::Vec`; an error where a length differs |
/// | `input_mut`, `run`, `output` | the same in three steps, without the copy |
/// | `set_input` | writes real numbers to the input, as integers of its scale; then `run` |
/// | `run_step`, `STEPS` | a run layer by layer, so that others get the core between the layers |
/// | `dequantised` | an element of the output as a real number |
/// | `reset`, `save`, `restore` | of the states that the model keeps between runs |
/// | `Input`, `Output`, `INPUT_SHAPE`, `INPUT_SCALE`, `INPUT_ZERO_POINT`, … | types, shapes and quantisation |
/// | `OUTPUT_LABELS` | the names of the output's classes, where the file has them |
/// | `ARENA_BYTES`, `ARENA_WORDS`, `STATE_BYTES`, `CONSTANT_BYTES`, `MACS` | what the model takes |
///
/// Where the build script asks for rows, `push_row` takes a `Row` of the input (`Model::input_by_rows`), and the rows of the output go to a closure
/// (`Model::output_by_rows`), which `infer`, `infer_slice`, `run`, `run_step` and `push_row` then take as their last argument: `|index, row: &OutputRow| …`. Where it asks for
/// inputs in place (`Model::input_in_place`), `infer` copies nothing, `run(&image)` and `run_step(step, &image)` take the inputs too, and there is no `input_mut`.
///
/// With several inputs or outputs their items are numbered: `Input0`, `input_1_mut`, `OUTPUT_1_SCALE`. [`Argmax`](crate::Argmax) has `argmax`.
///
/// When the compiler says ``couldn't read `…/digits.rs` ``, no `emit` in `build.rs` made a model of that name: it is the file's name, or the one that
/// `Model::named` gives.
///
/// # Several models in one arena
///
/// An arena is needed only while a model runs, so that models that run in turn take the largest of their arenas, not the sum:
///
/// ```text
/// const WORDS: usize = smolnn::largest_arena(&[wake::ARENA_WORDS, gesture::ARENA_WORDS]);
/// static ARENA: ConstStaticCell<smolnn::Arena<WORDS>> = ConstStaticCell::new(smolnn::Arena::new());
/// static STATE: ConstStaticCell<wake::State> = ConstStaticCell::new(wake::State::new());
///
/// let (arena, state) = (ARENA.take(), STATE.take());
/// let gesture = gesture::Model::in_arena(arena).infer(&window).argmax();
/// let heard = wake::Model::in_arena(arena, state).infer(&features)[0] > 200;
/// ```
///
/// `State` and the second argument are there for models that keep states between runs. An arena that is too small does not compile.
///
/// # A run in pieces
///
/// A large model keeps an executor busy for its whole run. Steps of one layer each leave room for other tasks between them:
///
/// ```text
/// *model.input_mut() = image;
/// for step in 0..digits::STEPS {
///     model.run_step(step);
///     embassy_futures::yield_now().await;
/// }
/// let digit = model.output().argmax();
/// ```
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
    pub use smolnn_fixed::arena::{
        Arena, Lent, Memory, Own, array, array_mut, part, prove_apart, regions, relocate, view, whole,
    };
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
