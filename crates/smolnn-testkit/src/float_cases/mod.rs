//! The recorded float cases, outputs and gradients, against the f32 kernels: the same runner on the host and on firmware.
//!
//! The recordings are computed in f64 and stored as f32, in PyTorch's layouts (NCHW, OIHW, IOHW); the runner permutes them.
//! A case's difference is the largest |Δ| over its outputs and gradients, relative to the larger of 1 and the largest
//! expected element of the tensor: a gradient of 40 may be off by 40 times what one of 1 may.
//!
//! ```
//! let manifest = "case layer linear w=OI\nt layer x 1,2 0 2\nt layer w 1,2 2 2\nt layer y 1,1 4 1\nt layer gy 1,1 5 1\n\
//!                 t layer d_x 1,2 6 2\nt layer d_w 1,2 8 2\n";
//! let blob: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 11.0, 1.0, 3.0, 4.0, 1.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
//! let mut run = 0;
//! smolnn_testkit::float_cases::run(manifest, |_| Some(blob.as_slice()), &mut [0.0; 64], &mut |recording, outcome| {
//!     assert!(outcome.passed(), "{}: {outcome:?}", recording.name);
//!     run += 1;
//! });
//! assert_eq!(run, 1);
//! ```

mod activation;
mod conv;
mod dense;
mod loss;
mod norm;
mod passes;
mod pool;
mod record;
mod recurrent;
mod training;

use smolnn_core::ShapeError;

pub use passes::{Portable, compare_passes};
use record::{Bench, Stop};
pub use record::{Recording, Tensor};
pub use training::learn_xor;

/// A row of the registry: the operators whose recordings it runs, and the kernels that these recordings hold.
pub struct Case {
    /// Operators of the recordings, by the names that the manifest has for them.
    pub operators: &'static [&'static str],
    /// Public functions of `smolnn-float` that are run and compared, as `FILE::FUNCTION`: `conv/conv2d.rs::forward`.
    pub kernels: &'static [&'static str],
    /// What the largest difference may be.
    pub tolerance: f32,
    run: fn(&mut Bench<'_, '_>) -> Result<(), Stop>,
}

/// The tolerance of sums of some hundred products in f32.
const SUMS: f32 = 5e-7;

/// The tolerance of ten steps of an optimiser, and of up to 64 steps of a recurrent cell with the default tier's tanh and
/// sigmoid.
const MANY_STEPS: f32 = 1e-6;

/// The registry, a list for each family of operators. A test of the host compares its kernels with the crate's source.
static FAMILIES: &[&[Case]] = &[
    dense::CASES,
    conv::CASES,
    pool::CASES,
    norm::CASES,
    activation::CASES,
    loss::CASES,
    training::CASES,
    recurrent::CASES,
];

/// All rows of the registry.
pub fn all() -> impl Iterator<Item = &'static Case> {
    FAMILIES.iter().copied().flatten()
}

/// How a recording went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// All tensors were compared.
    Compared {
        /// Largest difference, in the measure above.
        worst: f32,
        /// What it may be.
        tolerance: f32,
        /// Elements compared.
        elements: usize,
    },
    /// No kernel of this operator is run here.
    NotHere,
    /// The kernel refused the shape.
    Refused(ShapeError),
    /// The case lacks a tensor, or the memory does not suffice.
    Incomplete,
}

impl Outcome {
    /// Whether the case is one of ours and within its tolerance.
    pub fn passed(&self) -> bool {
        matches!(self, Self::Compared { worst, tolerance, elements } if worst <= tolerance && *elements > 0)
    }
}

/// Runs every case of the manifest whose blob is there. `memory` holds a case's tensors: 16 Ki elements suffice.
pub fn run<'a>(
    manifest: &'a str,
    blob: impl Fn(&str) -> Option<&'a [u8]>,
    memory: &mut [f32],
    report: &mut dyn FnMut(&Recording<'a>, Outcome),
) {
    let mut rest = manifest;
    while let Some(start) = rest.find("case ") {
        let at_line = start == 0 || rest.as_bytes().get(start - 1) == Some(&b'\n');
        let from = rest.get(start + 5..).unwrap_or_default();
        let (header, below) = from.split_once('\n').unwrap_or((from, ""));
        rest = below;
        if !at_line {
            continue;
        }
        let end = below.find("\ncase ").map_or(below.len(), |end| end + 1);
        let mut fields = header.splitn(3, ' ');
        let (Some(name), Some(op)) = (fields.next(), fields.next()) else { continue };
        let Some(blob) = blob(name) else { continue };
        let options = fields.next().unwrap_or_default();
        let recording = Recording { name, op, options, lines: below.get(..end).unwrap_or_default(), blob };
        let outcome = run_one(&recording, memory);
        report(&recording, outcome);
    }
}

/// Runs one recording.
pub fn run_one(recording: &Recording<'_>, memory: &mut [f32]) -> Outcome {
    let Some(case) = all().find(|case| case.operators.contains(&recording.op)) else { return Outcome::NotHere };
    let mut bench = Bench { recording, memory, worst: 0.0, elements: 0 };
    match (case.run)(&mut bench) {
        Ok(()) => Outcome::Compared { worst: bench.worst, tolerance: case.tolerance, elements: bench.elements },
        Err(Stop::Refused(error)) => Outcome::Refused(error),
        Err(Stop::Incomplete) => Outcome::Incomplete,
    }
}
