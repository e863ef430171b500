//! Random cases for every kernel: run by the host's tests and by the `conformance` firmware, the same ones.
//!
//! A case draws a shape and values, computes the output with the naive [`oracle`](crate::oracle), and compares element by
//! element: the portable layout, the layout of the build's backend, and the latter with input and output overlapping in one
//! buffer by as much as the shape allows. Shapes are drawn anew until they fit the memory given, so that a board of
//! 16 KiB runs small shapes and the host large ones.

mod act;
mod arrange;
mod elementwise;
pub mod hostile;
mod memory;
mod plain;
mod recurrent;
mod reduce;
mod weighted;
mod wide;

use smolnn_core::ShapeError;
use smolnn_fixed::quantise::OutputRange;

use crate::Random;
pub use elementwise::every_pair;
pub use memory::Memory;

/// A row of the registry: a kernel, and how random inputs of it are drawn and compared.
pub struct Case {
    /// File and function, as in the crate: `conv/conv2d.rs::conv2d`.
    pub kernel: &'static str,
    /// The inputs that the cases are drawn from.
    pub domain: &'static str,
    /// Largest difference from the oracle, in units of the last place of the output; 0: the same bits.
    pub tolerance: u32,
    run: fn(Trial<'_>) -> Result<(), Failure>,
}

/// What one run of a case is made of.
struct Trial<'a> {
    random: &'a mut Random,
    memory: Memory<'a>,
    /// The case's.
    tolerance: u32,
}

/// The registry, a list for each family of kernels. A test of the host compares it with the crate's source.
static FAMILIES: &[&[Case]] = &[
    weighted::CASES,
    wide::CASES,
    recurrent::CASES,
    plain::CASES,
    arrange::CASES,
    reduce::CASES,
    act::CASES,
    elementwise::CASES,
];

/// All rows of the registry.
pub fn all() -> impl Iterator<Item = &'static Case> {
    FAMILIES.iter().copied().flatten()
}

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
pub fn run(memory: &mut [u32], rounds: u32, report: &mut dyn FnMut(&'static Case, Outcome)) {
    for case in all() {
        report(case, run_one(case, memory, rounds));
    }
}

/// Runs the case of a kernel that a seed makes; `None` when its shape does not fit the memory.
pub fn run_seed(case: &Case, memory: &mut [u32], seed: u64) -> Option<Result<(), Failure>> {
    let random = &mut Random::new(seed);
    match (case.run)(Trial { random, memory: Memory::new(memory), tolerance: case.tolerance }) {
        Err(Failure::TooSmall) => None,
        outcome => Some(outcome),
    }
}

/// Runs `rounds` cases of one kernel.
pub fn run_one(case: &Case, memory: &mut [u32], rounds: u32) -> Outcome {
    let mut outcome = Outcome::default();
    let mut seed = 1;
    // A shape that does not fit is no case; the bound ends a search that would never find one.
    while outcome.cases < rounds && seed < 64 * u64::from(rounds) + 1000 {
        if let Some(result) = run_seed(case, memory, seed) {
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
