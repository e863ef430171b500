//! Recorded speech through trained recurrent networks, f32: GRU, LSTM and simple RNN of tests/data/japanese_vowels, frame by
//! frame, against the states and logits that f64 gives. The same on the host and on firmware.
//!
//! ```
//! let mut memory = [0.0; 4096];
//! let mut networks = 0;
//! smolnn_testkit::sequences::run(3, &mut memory, &mut |name, outcome| {
//!     assert!(outcome.is_some_and(|outcome| outcome.passed()), "{name}: {outcome:?}");
//!     networks += 1;
//! });
//! assert_eq!(networks, 3);
//! ```

use smolnn_core::{DenseShape, ShapeError};
use smolnn_float::dense;
use smolnn_float::rnn::convert::{self, Format, Tensors};
use smolnn_float::rnn::{Cell, Gru, Lstm, ResetAfter, SimpleRnn, Tanh};

/// Coefficients of a frame.
pub const FEATURES: usize = 12;
/// Units of each network.
pub const UNITS: usize = 16;
/// Speakers.
pub const SPEAKERS: usize = 9;

/// Utterances whose states are recorded.
const WITH_STATES: usize = 10;

macro_rules! data {
    ($file:expr) => {
        include_bytes!(concat!("../../../tests/data/japanese_vowels/", $file))
    };
}

/// A part of the recordings: coefficients of all frames, frames of each utterance, who speaks.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    frames: &'static [u8],
    lengths: &'static [u8],
    labels: &'static [u8],
}

/// What the networks were trained on.
pub static TRAIN: Split =
    Split { frames: data!("train_frames.bin"), lengths: data!("train_lengths.bin"), labels: data!("train_labels.bin") };

/// What they have not seen.
pub static TEST: Split =
    Split { frames: data!("test_frames.bin"), lengths: data!("test_lengths.bin"), labels: data!("test_labels.bin") };

impl Split {
    /// Each utterance: who speaks, and the frames, of [`FEATURES`] coefficients in Q3.12 each as bytes.
    pub fn utterances(&self) -> impl Iterator<Item = (usize, &'static [u8])> {
        let mut frames = self.frames;
        self.lengths.iter().zip(self.labels).map(move |(&length, &label)| {
            let (utterance, rest) = frames.split_at_checked(usize::from(length) * 2 * FEATURES).unwrap_or_default();
            frames = rest;
            (usize::from(label), utterance)
        })
    }
}

/// The coefficients of a frame, or of several, from [`Split::utterances`].
pub fn coefficients(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<2>().0.iter().map(|&bytes| f32::from(i16::from_le_bytes(bytes)) * (1.0 / 4096.0))
}

/// How a network did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Largest difference of a state.
    pub worst_state: f32,
    /// Largest difference of a logit, relative to the larger of 1 and the largest logit of the utterance.
    pub worst_logit: f32,
    /// Frames whose states were compared.
    pub frames: usize,
    /// Utterances whose logits were compared.
    pub utterances: usize,
    /// Utterances whose speaker was recognised.
    pub right: usize,
}

impl Outcome {
    /// What a state and a logit may differ.
    pub const TOLERANCE: f32 = 2e-6;

    /// Whether all differences are within it, and there were any.
    pub fn passed(&self) -> bool {
        self.worst_state <= Self::TOLERANCE && self.worst_logit <= Self::TOLERANCE && self.utterances > 0
    }
}

/// Runs the networks over the first utterances of the test. `memory` has at least 4 Ki elements; `None` where it has not.
pub fn run(utterances: usize, memory: &mut [f32], report: &mut dyn FnMut(&'static str, Option<Outcome>)) {
    macro_rules! recorded {
        ($name:literal) => {
            Recorded {
                weights: data!(concat!($name, ".bin")),
                states: data!(concat!($name, "_states.bin")),
                logits: data!(concat!($name, "_logits.bin")),
            }
        };
    }
    let gru = Gru::<ResetAfter>::new(FEATURES, UNITS).and_then(|cell| {
        let load = |tensors: &Tensors<'_, f32>, to: &mut [f32]| convert::gru(&cell, Format::Keras, tensors, to);
        network(&cell, 3, load, &recorded!("gru"), utterances, memory)
    });
    report("gru", gru.ok());
    let lstm = Lstm::new(FEATURES, UNITS).and_then(|cell| {
        let load = |tensors: &Tensors<'_, f32>, to: &mut [f32]| convert::lstm(&cell, Format::Keras, tensors, to);
        network(&cell, 4, load, &recorded!("lstm"), utterances, memory)
    });
    report("lstm", lstm.ok());
    let simple = SimpleRnn::<Tanh>::new(FEATURES, UNITS).and_then(|cell| {
        let load = |tensors: &Tensors<'_, f32>, to: &mut [f32]| convert::simple(&cell, Format::Keras, tensors, to);
        network(&cell, 1, load, &recorded!("rnn"), utterances, memory)
    });
    report("rnn", simple.ok());
}

struct Recorded {
    weights: &'static [u8],
    states: &'static [u8],
    logits: &'static [u8],
}

/// Takes pieces of the memory.
struct Memory<'a>(&'a mut [f32]);

impl<'a> Memory<'a> {
    fn take(&mut self, length: usize) -> Result<&'a mut [f32], ShapeError> {
        let found = self.0.len();
        match core::mem::take(&mut self.0).split_at_mut_checked(length) {
            Some((taken, rest)) => {
                self.0 = rest;
                taken.fill(0.0);
                Ok(taken)
            }
            None => Err(ShapeError::Length { what: "the memory", expected: length, found }),
        }
    }

    /// Takes the floats at the front of `bytes`.
    fn floats(&mut self, bytes: &mut &[u8], length: usize) -> Result<&'a mut [f32], ShapeError> {
        let taken = self.take(length)?;
        let (now, rest) = bytes.split_at_checked(4 * length).unwrap_or_default();
        *bytes = rest;
        for (value, bytes) in taken.iter_mut().zip(now.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        Ok(taken)
    }
}

fn network<C: Cell<f32>>(
    cell: &C,
    gates: usize,
    load: impl Fn(&Tensors<'_, f32>, &mut [f32]) -> Result<(), ShapeError>,
    recorded: &Recorded,
    utterances: usize,
    memory: &mut [f32],
) -> Result<Outcome, ShapeError> {
    let sizes = cell.sizes();
    let mut memory = Memory(memory);
    let parameters = memory.take(sizes.parameters())?;
    let (head, head_bias) = (memory.take(UNITS * SPEAKERS)?, memory.take(SPEAKERS)?);
    {
        // Keras's tensors are needed until they are converted.
        let mut memory = Memory(&mut *memory.0);
        let mut bytes = recorded.weights;
        let input = memory.floats(&mut bytes, FEATURES * gates * UNITS)?;
        let recurrent = memory.floats(&mut bytes, UNITS * gates * UNITS)?;
        let bias = memory.floats(&mut bytes, gates * UNITS)?;
        let recurrent_bias = if gates == 3 { Some(&*memory.floats(&mut bytes, gates * UNITS)?) } else { None };
        let dense = memory.floats(&mut bytes, UNITS * SPEAKERS)?;
        let dense_bias = memory.floats(&mut bytes, SPEAKERS)?;
        load(&Tensors { bias: Some(bias), recurrent_bias, ..Tensors::new(input, recurrent) }, parameters)?;
        for (index, value) in head.iter_mut().enumerate() {
            *value = dense.get(index % UNITS * SPEAKERS + index / UNITS).copied().unwrap_or_default();
        }
        for (to, from) in head_bias.iter_mut().zip(dense_bias) {
            *to = *from;
        }
    }
    let shape = DenseShape::new(1, UNITS, SPEAKERS)?;
    let (state, scratch) = (memory.take(sizes.state())?, memory.take(sizes.step_scratch())?);
    let (x, logits) = (memory.take(FEATURES)?, memory.take(SPEAKERS)?);
    let (expected, mut states, mut recorded_logits) =
        (memory.take(UNITS.max(SPEAKERS))?, recorded.states, recorded.logits);
    let mut outcome = Outcome::default();
    for (index, (label, frames)) in TEST.utterances().take(utterances).enumerate() {
        state.fill(0.0);
        for frame in frames.as_chunks::<{ 2 * FEATURES }>().0 {
            for (x, value) in x.iter_mut().zip(coefficients(frame)) {
                *x = value;
            }
            cell.step(parameters, state, x, scratch)?;
            if index < WITH_STATES {
                let expected = Memory(&mut *expected).floats(&mut states, UNITS)?;
                outcome.worst_state = outcome.worst_state.max(difference(&state[..UNITS], expected));
                outcome.frames += 1;
            }
        }
        dense::forward(&shape, head, Some(head_bias), &state[..UNITS], logits)?;
        let expected = Memory(&mut *expected).floats(&mut recorded_logits, SPEAKERS)?;
        let scale = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
        outcome.worst_logit = outcome.worst_logit.max(difference(logits, expected) / scale);
        outcome.utterances += 1;
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class);
        outcome.right += usize::from(best == Some(label));
    }
    Ok(outcome)
}

/// Largest difference; infinite for a NaN.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    let differences = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    differences.fold(0.0, |most, difference| if difference.is_nan() { f32::INFINITY } else { most.max(difference) })
}
