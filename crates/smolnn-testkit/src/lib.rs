//! What smolnn's tests share: the registry of kernels, naive oracles, generators, and the reader of golden data.
//!
//! - [`cases`] is `no_std`: random shapes from a small deterministic generator, run on the backend of the build and
//!   compared with the portable one and with an [`oracle`]. The host's tests and the `conformance` firmware call the same
//!   function, so that a target is held to what the host is held to.
//! - [`float_cases`] is `no_std` too: the recorded float cases, outputs and gradients, against the f32 kernels.
//! - [`signal`] too: the micro audio front end over a sound made here.
//! - [`sequences`] too: recorded speech through trained recurrent networks, state by state.
//! - [`model`] is what firmware knows of a compiled model and its recorded runs.
//! - `golden` (feature `std`) reads the recorded outputs of the reference interpreter.
//!
//! ```
//! let mut memory = vec![0; 4096];
//! let mut cases = 0;
//! smolnn_testkit::cases::run(&mut memory, 3, &mut |case, outcome| {
//!     assert!(outcome.passed(), "{}: {outcome:?}", case.kernel);
//!     cases += 1;
//! });
//! assert_eq!(cases, smolnn_testkit::cases::all().count());
//! ```
#![no_std]

#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "kernels")]
pub mod cases;
#[cfg(feature = "kernels")]
pub mod float_cases;
#[cfg(feature = "std")]
pub mod golden;
pub mod model;
#[cfg(feature = "kernels")]
pub mod oracle;
mod random;
#[cfg(feature = "std")]
pub mod search;
#[cfg(feature = "kernels")]
pub mod sequences;
pub mod signal;
#[cfg(feature = "std")]
pub mod vowels;

pub use random::Random;
