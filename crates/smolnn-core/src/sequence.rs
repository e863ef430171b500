//! The order of the vectors of a batch of sequences, for recurrent layers.

/// How a batch of sequences lies in memory, and from which end a recurrent layer reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceOrder {
    /// The vectors of one step lie together, `[steps][batch][..]`; otherwise those of one sequence, `[batch][steps][..]`.
    pub time_first: bool,
    /// The layer reads from the last step to the first. Its outputs lie where the inputs of the same step lie.
    pub reversed: bool,
}

impl SequenceOrder {
    /// `[batch][steps][..]`, read from the first step on.
    pub const BATCH_FIRST: Self = Self { time_first: false, reversed: false };
    /// `[steps][batch][..]`, read from the first step on.
    pub const TIME_FIRST: Self = Self { time_first: true, reversed: false };

    /// The index of the vector that the layer reads as number `step` of `steps` in sequence `sequence` of `batch`.
    #[inline(always)]
    pub const fn position(self, step: usize, steps: usize, sequence: usize, batch: usize) -> usize {
        let step = if self.reversed { steps.saturating_sub(step + 1) } else { step };
        if self.time_first { step * batch + sequence } else { sequence * steps + step }
    }
}
