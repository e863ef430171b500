//! From samples to decisions: a sensor's samples in blocks of any size, features, a model with state, a decision.
//!
//! Every part is a value of the caller's: nothing is global, nothing blocks, no executor is needed. [`WakeWord`] joins the micro front
//! end, a streaming model and a [`Detector`]; whoever has a microphone pushes what it gives:
//!
//! ```
//! use smolnn::signal::micro::MicroFrontend;
//! use smolnn::stream::{Detector, FromFn, WakeWord};
//!
//! // In firmware a generated model stands here. This one calls everything the word.
//! let model = FromFn::<_, 120>::new(|_features: &[i8; 120]| 255);
//! let mut ears = WakeWord::new(MicroFrontend::default(), model, Detector::new(0.97, 5)?);
//!
//! let two_seconds = [0_i16; 32_000];
//! for block in two_seconds.chunks(256) {
//!     if let Some(heard) = ears.push(block) {
//!         // After the first second, in which a model's state and the noise estimate settle.
//!         assert_eq!(heard.milliseconds(16_000), 1040);
//!     }
//! }
//! # Ok::<(), smolnn::ShapeError>(())
//! ```
//!
//! A model that `smolnn-import` compiled implements [`StreamingModel`] when it takes int8 features and gives one probability. The manifest
//! of a published wake word becomes the constant `DETECTOR` of the generated module.
//!
//! Where samples arrive in an interrupt and are heard in the main loop, a [`SampleRing`] stands between the two. It says when sound was
//! lost, how much, and where.
//!
//! With the features `embedded-io` and `embedded-io-async`, `Samples` reads them from a stream of bytes, and `WakeWord::wait` and
//! `WakeWord::wait_async` end when the word is heard.
//!
//! Decisions from other models: [`Majority`] over the last classes, [`Hysteresis`] between two levels.

mod detector;
mod ring;
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
mod samples;
mod vote;
mod wake_word;

pub use detector::{Detector, MOST_PROBABILITIES, REFRACTORY_FRAMES};
pub use ring::{Overrun, SampleReader, SampleRing, SampleWriter};
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
pub use samples::{ReadError, Samples};
pub use vote::{Hysteresis, Majority};
pub use wake_word::{Detection, Event, FromFn, StreamingModel, WakeWord};
