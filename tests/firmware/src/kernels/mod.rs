//! Every kernel with the shapes that are measured. To measure another kernel or shape, add it to the file of its domain:
//! `bench` counts its instructions, `nopanic` links it and looks for panics, nothing else is to be done.
//!
//! Nothing here formats or panics: code of the harness must not hide what the kernels do.

mod activation;
pub mod elements;
mod elementwise;
pub mod float;
mod float_inference;
mod float_recurrent;
pub mod int8;
mod others;
mod recurrent;
mod signal;
mod signal_operators;

use core::hint::black_box;

use smolnn_core::ShapeError;

/// Why a kernel is left out.
pub const TOO_LARGE: &str = "needs more memory than this board has";
/// Why a kernel is left out, which is a defect: it returned an error.
pub const REFUSED: &str = "the kernel refused its shape";

/// What one call of a kernel does, for figures per unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Multiply-accumulates.
    Macs(u64),
    /// Elements.
    Elements(usize),
}

/// Takes the kernels one after the other.
pub trait Meter {
    /// False when this kernel is not wanted: its set-up is skipped.
    fn wants(&self, name: &str) -> bool;
    /// A kernel of the given name and shape, ready to be called.
    fn kernel(&mut self, name: &'static str, shape: &'static str, work: Work, call: &mut dyn FnMut());
    /// A kernel that does not run here, with the reason.
    fn skip(&mut self, name: &'static str, shape: &'static str, reason: &'static str);
}

/// A kernel, its shape hidden from the compiler.
fn one<L>(
    meter: &mut dyn Meter,
    name: &'static str,
    shape: &'static str,
    work: Work,
    layer: &L,
    mut call: impl FnMut(&L) -> Result<(), ShapeError>,
) {
    if meter.wants(name) {
        meter.kernel(name, shape, work, &mut || {
            let _ = call(black_box(layer));
        });
    }
}

/// Shows all kernels to `meter`.
#[inline(never)]
pub fn all(meter: &mut dyn Meter) {
    // All kernels together outgrew the flash of a small board, which runs whole models: `m0` measures the same code.
    if cfg!(smolnn_small_board) {
        return;
    }
    int8::all(meter);
    elements::all(meter);
    float::all(meter);
    float_recurrent::all(meter);
    float_inference::all(meter);
    recurrent::all(meter);
    activation::all(meter);
    others::all(meter);
    elementwise::all(meter);
    signal::all(meter);
    signal_operators::all(meter);
}

/// Deterministic values without a pattern that a kernel could profit from.
#[derive(Clone, Debug)]
pub struct Random(u32);

impl Random {
    /// A generator; the seed is not 0.
    pub fn new() -> Self {
        Self(black_box(0x2545_F491))
    }

    /// 32 bits (xorshift).
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Fills with −127..=127, what TensorFlow Lite's weights are.
    pub fn weights(&mut self, values: &mut [i8]) {
        for value in values {
            *value = ((self.bits() >> 8) % 255) as i8;
            *value = if *value == -128 { 0 } else { *value };
        }
    }

    /// Fills with −128..=127.
    pub fn bytes(&mut self, values: &mut [i8]) {
        for value in values {
            *value = (self.bits() >> 8) as i8;
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
