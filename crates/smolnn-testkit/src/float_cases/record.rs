//! Recordings as the manifest lists them, and the bench that runs one and compares.

use smolnn_core::ShapeError;

/// One recorded case: an operator with its options, its tensors and their gradients.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// Name, unique.
    pub name: &'a str,
    /// Operator.
    pub op: &'a str,
    /// `key=value` pairs, separated by spaces.
    pub(super) options: &'a str,
    /// The manifest's lines of its tensors.
    pub(super) lines: &'a str,
    pub(super) blob: &'a [u8],
}

/// One recorded tensor: up to four lengths, and its elements as bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Lengths, outermost first; 1 for those that are not there.
    pub shape: [usize; 4],
    bytes: &'a [u8],
}

impl Tensor<'_> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn get(&self, index: usize) -> f32 {
        let bytes = self.bytes.get(index * 4..).and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes))
    }
}

impl<'a> Recording<'a> {
    /// The tensor of a role: `x`, `w`, `y`, `gy`, `d_x`, ….
    pub fn tensor(&self, role: &str) -> Option<Tensor<'a>> {
        for line in self.lines.lines() {
            let mut fields = line.split(' ').skip(2);
            if fields.next() == Some(role) {
                let mut shape = [1; 4];
                for (length, text) in shape.iter_mut().zip(fields.next()?.split(',')) {
                    *length = if text == "-" { 1 } else { text.parse().ok()? };
                }
                let start: usize = fields.next()?.parse().ok()?;
                let length: usize = fields.next()?.parse().ok()?;
                return Some(Tensor { shape, bytes: self.blob.get(start * 4..(start + length) * 4)? });
            }
        }
        None
    }

    /// The value of an option.
    pub fn option(&self, key: &str) -> Option<&'a str> {
        self.options.split(' ').find_map(|option| option.strip_prefix(key)?.strip_prefix('='))
    }

    /// An option of one number for both axes, `2`, or of one for each, `(2,1)`; `default` where it is absent.
    pub(super) fn pair(&self, key: &str, default: usize) -> (usize, usize) {
        let Some(text) = self.option(key) else { return (default, default) };
        let mut numbers = text.trim_matches(['(', ')']).split(',').map(|number| number.parse().unwrap_or(default));
        let first = numbers.next().unwrap_or(default);
        (first, numbers.next().unwrap_or(first))
    }

    pub(super) fn real(&self, key: &str) -> Option<f32> {
        self.option(key)?.parse().ok()
    }
}

/// Why a recording did not run to its end.
pub(super) enum Stop {
    Refused(ShapeError),
    Incomplete,
}

impl From<ShapeError> for Stop {
    fn from(error: ShapeError) -> Self {
        Self::Refused(error)
    }
}

/// A recording, memory for its tensors, and what was found so far.
pub(super) struct Bench<'c, 'm> {
    pub(super) recording: &'c Recording<'c>,
    pub(super) memory: &'m mut [f32],
    pub(super) worst: f32,
    pub(super) elements: usize,
}

impl<'m> Bench<'_, 'm> {
    /// Takes `length` zeros from the memory.
    pub(super) fn zeros(&mut self, length: usize) -> Result<&'m mut [f32], Stop> {
        let (taken, rest) = core::mem::take(&mut self.memory).split_at_mut_checked(length).ok_or(Stop::Incomplete)?;
        self.memory = rest;
        taken.fill(0.0);
        Ok(taken)
    }

    pub(super) fn tensor(&self, role: &str) -> Result<Tensor<'_>, Stop> {
        self.recording.tensor(role).ok_or(Stop::Incomplete)
    }

    /// A tensor as it is recorded.
    pub(super) fn read(&mut self, role: &str) -> Result<&'m [f32], Stop> {
        let length = self.tensor(role)?.len();
        let values = self.zeros(length)?;
        let tensor = self.tensor(role)?;
        for (index, value) in values.iter_mut().enumerate() {
            *value = tensor.get(index);
        }
        Ok(values)
    }

    /// A tensor that may not be there.
    pub(super) fn read_optional(&mut self, role: &str) -> Result<Option<&'m [f32]>, Stop> {
        if self.recording.tensor(role).is_some() { self.read(role).map(Some) } else { Ok(None) }
    }

    /// A tensor with its channels, the second dimension, moved to the end: NCHW to NHWC, OIHW to OHWI.
    pub(super) fn read_channels_last(&mut self, role: &str) -> Result<&'m [f32], Stop> {
        let Tensor { shape: [outer, channels, height, width], .. } = self.tensor(role)?;
        let values = self.zeros(outer * channels * height * width)?;
        let tensor = self.tensor(role)?;
        let pixels = height * width;
        for (index, value) in values.iter_mut().enumerate() {
            let (channel, pixel, outer) = (index % channels, index / channels % pixels, index / channels / pixels);
            *value = tensor.get((outer * channels + channel) * pixels + pixel);
        }
        Ok(values)
    }

    /// Compares with what was recorded.
    pub(super) fn compare(&mut self, computed: &[f32], expected: &[f32]) {
        if computed.len() != expected.len() {
            self.worst = f32::INFINITY;
        }
        let scale = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
        for (computed, expected) in computed.iter().zip(expected) {
            let difference = (computed - expected).abs() / scale;
            // A NaN is as wrong as can be, unless it is expected.
            let difference = if difference.is_nan() && !expected.is_nan() { f32::INFINITY } else { difference };
            self.worst = self.worst.max(difference);
        }
        self.elements += expected.len();
    }

    /// Compares with a tensor as it is recorded.
    pub(super) fn expect(&mut self, role: &str, computed: &[f32]) -> Result<(), Stop> {
        let expected = self.read(role)?;
        self.compare(computed, expected);
        Ok(())
    }

    /// Compares with a tensor recorded with channels second.
    pub(super) fn expect_channels_last(&mut self, role: &str, computed: &[f32]) -> Result<(), Stop> {
        let expected = self.read_channels_last(role)?;
        self.compare(computed, expected);
        Ok(())
    }
}
