//! From samples to features: what stands between a sensor and a network. `no_std`, no heap, no panics.
//!
//! [`micro`] is the micro audio front end that wake-word and keyword models of TensorFlow Lite Micro are trained with, bit for bit:
//! window, FFT, mel filter bank, noise reduction, gain control, logarithm. Samples are pushed in blocks of any size, as a
//! microphone's DMA gives them; the features do not depend on how the sound is cut.
//!
//! ```
//! use smolnn_signal::micro::MicroFrontend;
//!
//! let mut frontend = MicroFrontend::default(); // 16 kHz, windows of 30 ms every 10 ms, 40 channels
//! let second_of_silence = [0_i16; 16_000];
//! let mut frames = 0;
//! for block in second_of_silence.chunks(256) {
//!     frontend.push(block, |_features: &[u16; 40]| frames += 1);
//! }
//! assert_eq!(frames, 98);
//! ```
//!
//! [`mel`] gives mel spectrograms and MFCC with the conventions of librosa and of torchaudio, in f32 and in 16-bit integers.
//!
//! For other sensors: [`filter`] has biquads, FIR filters and decimation, [`delta`] differences over time, [`running`] mean and variance, and
//! [`statistics`] what models of accelerometers take of a window.
//!
//! The stages are functions of their own in [`fft`], [`fft_f32`] and [`micro`], for those who want one of them.
#![no_std]

pub mod delta;
pub mod fft;
pub mod fft_f32;
pub mod filter;
pub mod frames;
pub mod mel;
pub mod micro;
pub mod operators;
mod real;
pub mod running;
pub mod statistics;
mod window;
