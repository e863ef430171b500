//! Frames of a stream: samples come in blocks of any size, and windows of a fixed length go out, one every hop.
//!
//! A frame has 2 · `HALF` samples, which it holds in pairs because a real FFT reads them so. The frames do not depend on how the
//! stream is cut into blocks.

use smolnn_core::ShapeError;

/// What stands before the first and behind the last sample of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Padding {
    /// Nothing: the first frame begins with the first sample, and the last one ends before the stream does (`center=False`).
    None,
    /// Half a frame of zeros on both sides, so that frames lie around their time (`center=True, pad_mode="constant"`).
    Zeros,
    /// Half a frame that mirrors the stream around its first and its last sample (`center=True, pad_mode="reflect"`).
    Reflect,
}

/// Distance and ends of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    hop: usize,
    padding: Padding,
}

impl Framing {
    /// Frames of `length` samples every `hop` samples.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless the hop is at least 1 and at most the length.
    pub const fn new(length: usize, hop: usize, padding: Padding) -> Result<Self, ShapeError> {
        if hop == 0 || hop > length {
            return Err(ShapeError::Range("the hop is at least one sample and at most the frame"));
        }
        Ok(Self { hop, padding })
    }

    /// Samples from one frame's start to the next's.
    pub const fn hop(&self) -> usize {
        self.hop
    }
}

/// What frames remember between blocks: the samples that the next frame shares.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T, const HALF: usize> {
    samples: [[T; 2]; HALF],
    /// Samples that are there, those of the padding in front included.
    filled: usize,
    /// The sample before them, which a mirrored end can ask for.
    before: T,
    /// Whether a frame was given: the mirrored start is made with the first one.
    started: bool,
}

impl<T: Copy + Default, const HALF: usize> State<T, HALF> {
    /// The state before the first sample, `zero` being silence.
    pub(crate) const fn new(framing: Framing, zero: T) -> Self {
        let filled = if matches!(framing.padding, Padding::None) { 0 } else { HALF };
        Self { samples: [[zero; 2]; HALF], filled, before: zero, started: false }
    }

    /// Takes a block of samples, each through `convert`, and calls `on_frame` for each frame that it completes.
    pub(crate) fn push<S: Copy>(
        &mut self,
        framing: Framing,
        mut block: &[S],
        convert: impl Fn(S) -> T,
        mut on_frame: impl FnMut(&[[T; 2]; HALF]),
    ) {
        while let Some(&next) = block.first() {
            if let Some(places) = self.samples.as_flattened_mut().get_mut(self.filled..)
                && !places.is_empty()
            {
                let count = places.len().min(block.len());
                places.iter_mut().zip(block).for_each(|(place, &sample)| *place = convert(sample));
                block = block.get(count..).unwrap_or_default();
                self.filled += count;
            } else {
                // Only a mirrored start waits with a full frame: for the sample behind it.
                self.mirror_start(convert(next));
            }
            if self.filled == 2 * HALF && (self.started || framing.padding != Padding::Reflect) {
                self.started = true;
                on_frame(&self.samples);
                self.advance(framing.hop);
            }
        }
    }

    /// Fills the half in front of the first sample: `next`, which follows the frame, is the first of them.
    fn mirror_start(&mut self, next: T) {
        self.started = true;
        if let Some((padding, samples)) = self.samples.as_flattened_mut().split_at_mut_checked(HALF) {
            let mirrored = samples.iter().skip(1).rev();
            padding.iter_mut().zip([next].iter().chain(mirrored)).for_each(|(place, &sample)| *place = sample);
        }
    }

    /// Drops the samples that the next frame does not see.
    fn advance(&mut self, hop: usize) {
        let samples = self.samples.as_flattened_mut();
        if let Some(&last) = hop.checked_sub(1).and_then(|last| samples.get(last)) {
            self.before = last;
        }
        drop_front(samples, hop);
        self.filled = (2 * HALF).saturating_sub(hop);
    }

    /// The frames whose right half lies behind the last sample. Afterwards the state is that before the first sample.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the stream is to be mirrored and is not longer than half a frame.
    pub(crate) fn finish(
        &mut self,
        framing: Framing,
        mut on_frame: impl FnMut(Tail<'_, T, HALF>),
    ) -> Result<(), ShapeError> {
        let short = framing.padding == Padding::Reflect && !self.started;
        if !short && framing.padding != Padding::None {
            let mut offset = 0;
            while offset + HALF <= self.filled {
                on_frame(Tail { state: self, mirrored: framing.padding == Padding::Reflect, offset });
                offset += framing.hop;
            }
        }
        *self = Self::new(framing, T::default());
        if short {
            return Err(ShapeError::Range("a mirrored stream is longer than half a frame"));
        }
        Ok(())
    }
}

/// A frame that reaches over the end of the stream.
#[derive(Debug)]
pub(crate) struct Tail<'a, T, const HALF: usize> {
    state: &'a State<T, HALF>,
    mirrored: bool,
    offset: usize,
}

impl<T: Copy + Default, const HALF: usize> Tail<'_, T, HALF> {
    /// Two neighbours of the frame.
    pub(crate) fn pair(&self, index: usize) -> [T; 2] {
        [self.sample(2 * index), self.sample(2 * index + 1)]
    }

    /// A sample of the frame.
    pub(crate) fn sample(&self, index: usize) -> T {
        let (samples, filled) = (self.state.samples.as_flattened(), self.state.filled);
        let mut index = self.offset + index;
        if index >= filled {
            if !self.mirrored {
                return T::default();
            }
            // The last sample, at `filled` − 1, is the mirror.
            let Some(mirrored) = (2 * filled).checked_sub(2 + index) else { return self.state.before };
            index = mirrored;
        }
        let sample = samples.get(index);
        debug_assert!(sample.is_some(), "a frame is mirrored by half its length at most");
        sample.copied().unwrap_or_default()
    }
}

/// Drops the first `count` samples: the rest moves to the front, a piece at a time.
pub(crate) fn drop_front<T: Copy>(mut samples: &mut [T], count: usize) {
    while let Some((gone, rest)) = samples.split_at_mut_checked(count)
        && !rest.is_empty()
        && !gone.is_empty()
    {
        gone.iter_mut().zip(&*rest).for_each(|(place, &sample)| *place = sample);
        samples = rest;
    }
}

/// Windows of 2 · `HALF` values of a stream, one every hop: for statistics of an accelerometer, and for features of one's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames<T, const HALF: usize> {
    framing: Framing,
    state: State<T, HALF>,
}

impl<T: Copy + Default, const HALF: usize> Frames<T, HALF> {
    /// Windows every `hop` values; the first one begins with the first value.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless the hop is at least 1 and at most a window.
    pub fn new(hop: usize) -> Result<Self, ShapeError> {
        let framing = Framing::new(2 * HALF, hop, Padding::None)?;
        Ok(Self { framing, state: State::new(framing, T::default()) })
    }

    /// Takes a block of any length and calls `on_frame` for each window that it completes, in order.
    pub fn push(&mut self, block: &[T], mut on_frame: impl FnMut(&[T])) {
        self.state.push(self.framing, block, |sample| sample, |frame| on_frame(frame.as_flattened()));
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.state = State::new(self.framing, T::default());
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub fn save(&self) -> State<T, HALF> {
        self.state.clone()
    }

    /// Goes on from a state that was saved with the same hop.
    pub fn restore(&mut self, state: &State<T, HALF>) {
        self.state = state.clone();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Frames, Framing, Padding, State};
    use std::vec::Vec;

    /// The frames by their definition: the stream padded as a whole.
    fn naive(stream: &[i32], length: usize, hop: usize, padding: Padding) -> Vec<Vec<i32>> {
        let last = stream.len() as isize - 1;
        let at = |index: isize| match padding {
            Padding::Reflect if index < 0 => stream[-index as usize],
            Padding::Reflect if index > last => stream[(2 * last - index) as usize],
            _ => usize::try_from(index).ok().and_then(|index| stream.get(index)).copied().unwrap_or(0),
        };
        let shift = if padding == Padding::None { 0 } else { length as isize / 2 };
        let padded = stream.len() + 2 * shift as usize;
        (0..)
            .map(|frame| frame * hop)
            .take_while(|start| start + length <= padded)
            .map(|start| (0..length).map(|index| at((start + index) as isize - shift)).collect())
            .collect()
    }

    #[test]
    fn frames_are_those_of_the_whole_stream_however_it_is_cut() {
        let mut compared = 0;
        for padding in [Padding::None, Padding::Zeros, Padding::Reflect] {
            for hop in 1..=16 {
                for length in 0..70 {
                    let stream: Vec<i32> = (1..=length).collect();
                    for block in [1, 3, 7, 16, 100] {
                        let framing = Framing::new(16, hop, padding).unwrap();
                        let mut state = State::<i32, 8>::new(framing, 0);
                        let mut found = Vec::new();
                        for block in stream.chunks(block) {
                            state.push(framing, block, |x| x, |frame| found.push(frame.as_flattened().to_vec()));
                            state = state.clone();
                        }
                        let end = state.finish(framing, |tail| {
                            found.push((0..8).flat_map(|index| tail.pair(index)).collect());
                        });
                        assert_eq!(state, State::new(framing, 0), "the end is a start");
                        if padding == Padding::Reflect && length <= 8 {
                            assert!(end.is_err() && found.is_empty());
                            continue;
                        }
                        end.unwrap();
                        assert_eq!(found, naive(&stream, 16, hop, padding), "{padding:?} {hop} {length} {block}");
                        compared += found.len();
                    }
                }
            }
        }
        assert!(compared > 10_000, "{compared} frames");
    }

    #[test]
    fn hops_are_checked() {
        assert!(Frames::<f32, 8>::new(0).is_err() && Frames::<f32, 8>::new(17).is_err());
        let mut frames = Frames::<f32, 8>::new(16).unwrap();
        frames.push(&[1.0; 15], |_| panic!("not full"));
        let state = frames.save();
        frames.reset();
        frames.restore(&state);
        let mut count = 0;
        frames.push(&[1.0], |_| count += 1);
        assert_eq!(count, 1);
    }
}
