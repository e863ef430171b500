//! Differences of features over time: deltas by regression, and simple differences.
//!
//! A delta is the slope, or the curvature, of the polynomial that fits `WIDTH` frames best: the first order is
//! Σ n x\[t + n\] / Σ n², |n| ≤ `WIDTH`/2, which HTK, Kaldi, `torchaudio.functional.compute_deltas` and `librosa.feature.delta` share; the second
//! is twice the square term of a parabola, `librosa.feature.delta(order=2)`. Kaldi takes the delta of the deltas instead: two
//! [`Deltas`] one behind the other. At its ends a stream is continued by its first and last frame (`mode="nearest"`, `"replicate"`).

use smolnn_core::ShapeError;

/// Deltas of frames of `CHANNELS` features over `WIDTH` of them, an odd number. A frame's delta comes when the `WIDTH`/2 frames behind it have come.
#[derive(Clone, Debug, PartialEq)]
pub struct Deltas<const CHANNELS: usize, const WIDTH: usize> {
    factors: [f32; WIDTH],
    state: DeltaState<CHANNELS, WIDTH>,
}

/// The state of [`Deltas`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeltaState<const CHANNELS: usize, const WIDTH: usize> {
    /// Oldest first.
    frames: [[f32; CHANNELS]; WIDTH],
    /// Frames that have come, as long as they are fewer than the width.
    filled: usize,
}

impl<const CHANNELS: usize, const WIDTH: usize> DeltaState<CHANNELS, WIDTH> {
    const START: Self = Self { frames: [[0.0; CHANNELS]; WIDTH], filled: 0 };
}

impl<const CHANNELS: usize, const WIDTH: usize> Deltas<CHANNELS, WIDTH> {
    /// The slope per frame.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless the width is odd and from 3 to 255.
    pub const fn first() -> Result<Self, ShapeError> {
        Self::new(1)
    }

    /// The curvature per frame and frame.
    ///
    /// # Errors
    /// As [`first`](Self::first).
    pub const fn second() -> Result<Self, ShapeError> {
        Self::new(2)
    }

    const fn new(order: u32) -> Result<Self, ShapeError> {
        if WIDTH < 3 || WIDTH > 255 || WIDTH.is_multiple_of(2) {
            return Err(ShapeError::Range("deltas are over an odd number of frames, from 3 to 255"));
        }
        // The sums of n² and n⁴.
        let (half, mut squares, mut fourths, mut n) = ((WIDTH / 2) as i64, 0.0, 0.0, 1);
        while n <= half {
            let square = (n * n) as f64;
            (squares, fourths, n) = (squares + 2.0 * square, fourths + 2.0 * square * square, n + 1);
        }
        let (mut factors, mut index) = ([0.0; WIDTH], 0);
        while index < WIDTH {
            let n = (index as i64 - half) as f64;
            let mean = squares / WIDTH as f64;
            let factor = if order == 1 { n / squares } else { 2.0 * (n * n - mean) / (fourths - squares * mean) };
            factors[index] = factor as f32;
            index += 1;
        }
        Ok(Self { factors, state: DeltaState::START })
    }

    /// Takes a frame and calls `on_delta` with the delta that it completes: of the frame `WIDTH`/2 before it.
    pub fn push(&mut self, frame: &[f32; CHANNELS], mut on_delta: impl FnMut(&[f32; CHANNELS])) {
        if self.state.filled == 0 {
            // The stream before its first frame.
            self.state.frames = [*frame; WIDTH];
            self.state.filled = WIDTH / 2;
        } else {
            self.shift(frame);
        }
        self.state.filled += 1;
        if self.state.filled >= WIDTH {
            self.state.filled = WIDTH;
            on_delta(&self.delta());
        }
    }

    /// Ends the stream: calls `on_delta` for the last frames, whose deltas ask for frames that will not come. Afterwards a new stream begins.
    pub fn finish(&mut self, mut on_delta: impl FnMut(&[f32; CHANNELS])) {
        if let Some(&last) = self.state.frames.last()
            && self.state.filled > 0
        {
            for _ in 0..WIDTH / 2 {
                self.push(&last, &mut on_delta);
            }
        }
        self.reset();
    }

    fn shift(&mut self, frame: &[f32; CHANNELS]) {
        crate::frames::drop_front(&mut self.state.frames, 1);
        if let Some(last) = self.state.frames.last_mut() {
            *last = *frame;
        }
    }

    fn delta(&self) -> [f32; CHANNELS] {
        let mut delta = [0.0; CHANNELS];
        for (frame, &factor) in self.state.frames.iter().zip(&self.factors) {
            delta.iter_mut().zip(frame).for_each(|(sum, value)| *sum += factor * value);
        }
        delta
    }

    /// Forgets all frames.
    pub const fn reset(&mut self) {
        self.state = DeltaState::START;
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub fn save(&self) -> DeltaState<CHANNELS, WIDTH> {
        self.state.clone()
    }

    /// Goes on from a state that was saved.
    pub fn restore(&mut self, state: &DeltaState<CHANNELS, WIDTH>) {
        self.state = state.clone();
    }
}

/// Simple differences: each frame less the one before. Two of them one behind the other give second differences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences<const CHANNELS: usize> {
    before: Option<[f32; CHANNELS]>,
}

impl<const CHANNELS: usize> Differences<CHANNELS> {
    /// Differences of a stream that has not begun.
    pub const fn new() -> Self {
        Self { before: None }
    }

    /// The difference to the frame before; none for the first frame.
    pub fn push(&mut self, frame: &[f32; CHANNELS]) -> Option<[f32; CHANNELS]> {
        let before = self.before.replace(*frame)?;
        let mut difference = *frame;
        difference.iter_mut().zip(before).for_each(|(value, before)| *value -= before);
        Some(difference)
    }

    /// Forgets the frame before.
    pub const fn reset(&mut self) {
        self.before = None;
    }

    /// The frame before, to be given back by [`restore`](Self::restore).
    pub const fn save(&self) -> Option<[f32; CHANNELS]> {
        self.before
    }

    /// Goes on from a frame that was saved.
    pub const fn restore(&mut self, state: &Option<[f32; CHANNELS]>) {
        self.before = *state;
    }
}
