//! Random cases for every kernel: run by the host's tests and by the `conformance` firmware, the same ones.
//!
//! A case draws a shape and values, computes the output with the naive [`oracle`](crate::oracle), and compares element by
//! element: the portable layout, the layout of the build's backend, and the latter with input and output overlapping in one
//! buffer by as much as the shape allows. Shapes are drawn anew until they fit the memory given, so that a board of
//! 16 KiB runs small shapes and the host large ones.

mod act;
mod elementwise;
mod memory;
mod plain;
mod recurrent;
mod weighted;
mod wide;

use smolnn_core::ShapeError;
use smolnn_fixed::quantise::OutputRange;

use crate::Random;
pub use memory::Memory;

/// A kernel of the registry.
pub struct Kernel {
    /// Module and function, as in the crate: `conv::conv2d`.
    pub name: &'static str,
    /// The inputs that the cases are drawn from.
    pub domain: &'static str,
    /// Largest difference from the oracle, in units of the last place of the output; 0: the same bits.
    pub tolerance: u32,
    run: fn(Case<'_>) -> Result<(), Failure>,
}

/// What a case is made of.
struct Case<'a> {
    random: &'a mut Random,
    memory: Memory<'a>,
    /// The kernel's.
    tolerance: u32,
}

/// Every public kernel of `smolnn-fixed`. A test of the host compares this list with the crate's source.
pub static KERNELS: &[Kernel] = &[
    Kernel {
        name: "conv::conv2d",
        domain: "kernels 1..=5, strides 1..=4, dilations 1..=3, SAME, VALID and explicit padding, batches, any channels",
        tolerance: 0,
        run: weighted::conv2d,
    },
    Kernel {
        name: "conv::depthwise_conv2d",
        domain: "as conv2d, depth multipliers 1..=3",
        tolerance: 0,
        run: weighted::depthwise_conv2d,
    },
    Kernel { name: "dense::dense", domain: "vectors of 1..=300, batches", tolerance: 0, run: weighted::dense },
    Kernel { name: "conv::conv2d_int16", domain: "windows as conv2d", tolerance: 0, run: wide::conv2d_int16 },
    Kernel {
        name: "conv::depthwise_conv2d_int16",
        domain: "windows as conv2d, depth multipliers 1..=3",
        tolerance: 0,
        run: wide::depthwise_conv2d_int16,
    },
    Kernel { name: "dense_int16::dense_int16", domain: "vectors of 1..=700", tolerance: 0, run: wide::dense_int16 },
    Kernel {
        name: "dense::dense_to_int16",
        domain: "vectors of 1..=300, multipliers up to 2^7",
        tolerance: 0,
        run: recurrent::dense_to_int16,
    },
    Kernel {
        name: "rnn::lstm",
        domain: "int8 and int16 activations, 1..=20 inputs, 1..=10 units, cells of every scale, with and without clip",
        tolerance: 0,
        run: recurrent::lstm,
    },
    Kernel {
        name: "conv::transpose_conv2d",
        domain: "adjoints of conv2d's windows without dilation",
        tolerance: 0,
        run: wide::transpose_conv2d,
    },
    Kernel {
        name: "conv::transpose_conv2d_int16",
        domain: "adjoints of conv2d's windows without dilation",
        tolerance: 0,
        run: wide::transpose_conv2d_int16,
    },
    Kernel {
        name: "pool::max_pool2d",
        domain: "int8 and int16; windows as conv2d",
        tolerance: 0,
        run: plain::max_pool2d,
    },
    Kernel {
        name: "pool::average_pool2d",
        domain: "int8 and int16; windows as conv2d",
        tolerance: 0,
        run: plain::average_pool2d,
    },
    // The oracle divides real numbers; the goldens hold the bits.
    Kernel { name: "reduce::mean", domain: "int8 and int16, 1..=400 elements", tolerance: 1, run: plain::mean },
    Kernel { name: "reduce::reduce_max", domain: "int8 and int16", tolerance: 0, run: plain::reduce_max },
    Kernel { name: "reduce::reduce_sum", domain: "int8 and int16", tolerance: 0, run: plain::reduce_sum },
    // The oracle takes real square roots; the golden holds the bits.
    Kernel { name: "l2_norm::l2_norm", domain: "rows of 1..=60", tolerance: 1, run: plain::l2_norm },
    Kernel { name: "matmul::matmul", domain: "depths of 1..=40, transposed or not", tolerance: 0, run: plain::matmul },
    Kernel { name: "pad::pad", domain: "int8 and int16, 0..=3 elements at each side", tolerance: 0, run: plain::pad },
    // The oracle takes real exponentials; the goldens hold the bits.
    Kernel { name: "softmax::softmax", domain: "rows of 1..=60, scales 2^-9..1", tolerance: 1, run: plain::softmax },
    Kernel {
        name: "softmax::softmax_to_int16",
        domain: "rows of 1..=60, scales 2^-9..1",
        tolerance: 2,
        run: plain::softmax_to_int16,
    },
    // The oracles of the next two take real functions; the goldens hold the bits. Differences saturate at -10 in int16, so
    // that each of 60 elements may count e^-10 too much, up to 2 LSB after rounding.
    Kernel {
        name: "softmax_int16::softmax_int16",
        domain: "rows of 1..=60, scales 2^-16..2^-8",
        tolerance: 120,
        run: plain::softmax_int16,
    },
    Kernel {
        name: "log_softmax::log_softmax",
        domain: "rows of 1..=60, scales 2^-9..1",
        tolerance: 2,
        run: plain::log_softmax,
    },
    Kernel {
        name: "convert::quantise",
        domain: "int8 and int16, every kind of f32",
        tolerance: 0,
        run: plain::quantise,
    },
    Kernel { name: "convert::dequantise", domain: "int8 and int16", tolerance: 0, run: plain::dequantise },
    Kernel { name: "convert::requantise", domain: "int8, int16 to int8, int16", tolerance: 0, run: plain::requantise },
    Kernel { name: "act::lookup", domain: "random tables", tolerance: 0, run: act::lookup },
    // The oracles of the next two take real functions; the goldens hold the bits.
    Kernel {
        name: "act::logistic_int16",
        domain: "all of int16, scales 2^-15..2^-3",
        tolerance: 2,
        run: act::logistic_int16,
    },
    Kernel { name: "act::tanh_int16", domain: "all of int16, scales 2^-15..2^-3", tolerance: 3, run: act::tanh_int16 },
    Kernel { name: "act::sigmoid_q15", domain: "all of Q3.12", tolerance: 0, run: act::sigmoid_q15 },
    Kernel { name: "act::tanh_q15", domain: "all of Q3.12", tolerance: 0, run: act::tanh_q15 },
    Kernel { name: "act::sigmoid_q15_small", domain: "all of Q3.12", tolerance: 0, run: act::sigmoid_q15_small },
    Kernel { name: "act::tanh_q15_small", domain: "all of Q3.12", tolerance: 0, run: act::tanh_q15_small },
    Kernel { name: "act::leaky_relu_int16", domain: "slopes ±2^-8..1", tolerance: 0, run: act::leaky_relu_int16 },
    Kernel { name: "act::prelu", domain: "slopes per channel, in place", tolerance: 0, run: act::prelu },
    Kernel {
        name: "elementwise::add",
        domain: "sum and difference, scales 2^-10..1, broadcast, in place",
        tolerance: 0,
        run: elementwise::add,
    },
    Kernel {
        name: "elementwise::squared_difference",
        domain: "scales 2^-8..1, broadcast, in place",
        tolerance: 0,
        run: elementwise::squared_difference,
    },
    Kernel {
        name: "elementwise::add_int16",
        domain: "sum and difference, scales 2^-15..2^-5, broadcast, in place",
        tolerance: 0,
        run: elementwise::add_int16,
    },
];

/// Why a case failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The memory is too small for the shape: the case is drawn anew.
    TooSmall,
    /// The kernel or its packing refused what the case drew.
    Refused {
        /// What was run.
        what: &'static str,
        /// The error.
        error: ShapeError,
    },
    /// A wrong output.
    Wrong {
        /// What was run.
        what: &'static str,
        /// Index in the output.
        index: usize,
        /// The oracle's value.
        expected: i32,
        /// The kernel's value.
        found: i32,
    },
}

impl Failure {
    /// Makes a refusal of the error.
    fn refused(what: &'static str) -> impl Fn(ShapeError) -> Self {
        move |error| Self::Refused { what, error }
    }
}

/// What became of a kernel's cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Cases run.
    pub cases: u32,
    /// Cases that failed.
    pub failed: u32,
    /// Seed and failure of the first case that failed.
    pub first: Option<(u64, Failure)>,
}

impl Outcome {
    /// Whether cases ran and none failed.
    pub const fn passed(&self) -> bool {
        self.cases > 0 && self.failed == 0
    }
}

/// Runs `rounds` cases of each kernel in `memory` and reports each kernel's outcome. 1024 words suffice for small
/// shapes of every kernel.
pub fn run(memory: &mut [u32], rounds: u32, report: &mut dyn FnMut(&'static Kernel, Outcome)) {
    for kernel in KERNELS {
        report(kernel, run_one(kernel, memory, rounds));
    }
}

/// Runs the case of a kernel that a seed makes; `None` when its shape does not fit the memory.
pub fn run_seed(kernel: &Kernel, memory: &mut [u32], seed: u64) -> Option<Result<(), Failure>> {
    let random = &mut Random::new(seed);
    match (kernel.run)(Case { random, memory: Memory::new(memory), tolerance: kernel.tolerance }) {
        Err(Failure::TooSmall) => None,
        outcome => Some(outcome),
    }
}

/// Runs `rounds` cases of one kernel.
pub fn run_one(kernel: &Kernel, memory: &mut [u32], rounds: u32) -> Outcome {
    let mut outcome = Outcome::default();
    let mut seed = 1;
    // A shape that does not fit is no case; the bound ends a search that would never find one.
    while outcome.cases < rounds && seed < 64 * u64::from(rounds) + 1000 {
        if let Some(result) = run_seed(kernel, memory, seed) {
            outcome.cases += 1;
            if let Err(failure) = result {
                outcome.failed += 1;
                outcome.first = outcome.first.or(Some((seed, failure)));
            }
        }
        seed += 1;
    }
    outcome
}

/// An output range: mostly all of int8, sometimes a clamp.
fn output_range(random: &mut Random) -> OutputRange {
    let zero_point = random.int8().into();
    if random.one_in(3) {
        let (a, b) = (random.int8().into(), random.int8().into());
        OutputRange { zero_point, minimum: i32::min(a, b), maximum: i32::max(a, b) }
    } else {
        OutputRange::int8(zero_point)
    }
}

/// Compares outputs with the oracle's, element by element.
fn compare<T: Copy + Into<i32>>(
    what: &'static str,
    tolerance: u32,
    found: &[T],
    expected: impl Fn(usize) -> T,
) -> Result<(), Failure> {
    for (index, &found) in found.iter().enumerate() {
        let (found, expected) = (found.into(), expected(index).into());
        if found.abs_diff(expected) > tolerance {
            return Err(Failure::Wrong { what, index, expected, found });
        }
    }
    Ok(())
}
