//! Random cases for every kernel: run by the host's tests and by the `conformance` firmware, the same ones.
//!
//! A case draws a shape and values, computes the output with the naive [`oracle`](crate::oracle), and compares element by
//! element: the portable layout, the layout of the build's backend, and the latter with input and output overlapping in one
//! buffer by as much as the shape allows. Shapes are drawn anew until they fit the memory given, so that a board of
//! 16 KiB runs small shapes and the host large ones.

mod memory;
mod weighted;

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
    run: fn(&mut Random, Memory<'_>) -> Result<(), Failure>,
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
    pub(crate) fn refused(what: &'static str) -> impl Fn(ShapeError) -> Self {
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

/// Runs `rounds` cases of one kernel.
pub fn run_one(kernel: &Kernel, memory: &mut [u32], rounds: u32) -> Outcome {
    let mut outcome = Outcome::default();
    let mut seed = 1;
    // A shape that does not fit is no case; the bound ends a search that would never find one.
    while outcome.cases < rounds && seed < 64 * u64::from(rounds) + 1000 {
        match (kernel.run)(&mut Random::new(seed), Memory::new(memory)) {
            Err(Failure::TooSmall) => {}
            Ok(()) => outcome.cases += 1,
            Err(failure) => {
                outcome.cases += 1;
                outcome.failed += 1;
                outcome.first = outcome.first.or(Some((seed, failure)));
            }
        }
        seed += 1;
    }
    outcome
}

/// An output range: mostly all of int8, sometimes a clamp.
pub(crate) fn output_range(random: &mut Random) -> OutputRange {
    let zero_point = random.int8().into();
    if random.one_in(3) {
        let (a, b) = (random.int8().into(), random.int8().into());
        OutputRange { zero_point, minimum: i32::min(a, b), maximum: i32::max(a, b) }
    } else {
        OutputRange::int8(zero_point)
    }
}

/// Compares outputs with the oracle's, element by element.
pub(crate) fn compare<T: Copy + Into<i32>>(
    what: &'static str,
    found: &[T],
    expected: impl Fn(usize) -> T,
) -> Result<(), Failure> {
    for (index, &found) in found.iter().enumerate() {
        let (found, expected) = (found.into(), expected(index).into());
        if found != expected {
            return Err(Failure::Wrong { what, index, expected, found });
        }
    }
    Ok(())
}
