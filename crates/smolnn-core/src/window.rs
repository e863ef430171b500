//! A window sliding along one axis: which input positions an output position sees.

use crate::ShapeError;

/// Zero padding (before, after) with which `input` positions give `ceil(input / stride)` outputs, TensorFlow's SAME:
/// total = max(0, (outputs − 1)·stride + dilation·(kernel − 1) + 1 − input), the odd one after.
///
/// For stride 1 this is dilation·(kernel − 1) in all, asymmetric when that is odd. What a number does not hold saturates, so
/// that [`Window::new`] refuses it.
pub const fn same_padding(input: usize, kernel: usize, dilation: usize, stride: usize) -> (usize, usize) {
    if input == 0 || kernel == 0 || stride == 0 {
        return (0, 0);
    }
    // The last output starts below `input`.
    let outputs = input.div_ceil(stride);
    let covered = ((outputs - 1) * stride).saturating_add(dilation.saturating_mul(kernel - 1)).saturating_add(1);
    let total = covered.saturating_sub(input);
    (total / 2, total - total / 2)
}

/// ceil(distance / step), without a panic for the stride or dilation 0 that [`Window::new`] lets not pass.
const fn steps_across(distance: usize, step: usize) -> usize {
    match distance.wrapping_add(step).wrapping_sub(1).checked_div(step) {
        Some(steps) => steps,
        None => 0,
    }
}

/// One axis of a convolution or pooling: output position `o` sees, at tap `k`, input position
/// `o·stride + k·dilation − before`; positions outside of the input are padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

impl Window {
    /// Input positions.
    #[inline(always)]
    pub const fn input(&self) -> usize {
        self.input
    }

    /// Output positions.
    #[inline(always)]
    pub const fn output(&self) -> usize {
        self.output
    }

    /// Taps of the kernel.
    #[inline(always)]
    pub const fn kernel(&self) -> usize {
        self.kernel
    }

    /// Input positions from one output to the next.
    #[inline(always)]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Input positions from one tap to the next.
    #[inline(always)]
    pub const fn dilation(&self) -> usize {
        self.dilation
    }

    /// Padding before the first input position. What lies behind the last is padding as well.
    #[inline(always)]
    pub const fn before(&self) -> usize {
        self.before
    }

    /// A window with `before` and `after` positions of padding.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::KernelTooLarge`], [`ShapeError::TooLarge`].
    pub const fn new(
        input: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
        before: usize,
        after: usize,
    ) -> Result<Self, ShapeError> {
        if input == 0 {
            return Err(ShapeError::Zero("the input"));
        }
        if kernel == 0 {
            return Err(ShapeError::Zero("the kernel"));
        }
        if stride == 0 {
            return Err(ShapeError::Zero("the stride"));
        }
        if dilation == 0 {
            return Err(ShapeError::Zero("the dilation"));
        }
        const LARGEST: usize = 1 << 24;
        if input > LARGEST
            || kernel > LARGEST
            || stride > LARGEST
            || dilation > LARGEST
            || before > LARGEST
            || after > LARGEST
        {
            return Err(ShapeError::TooLarge);
        }
        let Some(span) = (kernel - 1).checked_mul(dilation) else { return Err(ShapeError::TooLarge) };
        if span > LARGEST {
            return Err(ShapeError::TooLarge);
        }
        let padded = input + before + after;
        if span + 1 > padded {
            return Err(ShapeError::KernelTooLarge { kernel: span + 1, input: padded });
        }
        let output = (padded - span - 1) / stride + 1;
        Ok(Self { input, output, kernel, stride, dilation, before })
    }

    /// A window of one tap over `positions` positions, one or more: every output sees the input at its own place.
    pub const fn pointwise(positions: usize) -> Self {
        Self { input: positions, output: positions, kernel: 1, stride: 1, dilation: 1, before: 0 }
    }

    /// Without padding.
    ///
    /// # Errors
    /// As [`Window::new`].
    pub const fn valid(input: usize, kernel: usize, stride: usize, dilation: usize) -> Result<Self, ShapeError> {
        Self::new(input, kernel, stride, dilation, 0, 0)
    }

    /// With the padding of [`same_padding`]: `ceil(input / stride)` outputs.
    ///
    /// # Errors
    /// As [`Window::new`].
    pub const fn same(input: usize, kernel: usize, stride: usize, dilation: usize) -> Result<Self, ShapeError> {
        const LARGEST: usize = 1 << 12;
        if kernel > LARGEST || dilation > LARGEST || stride > (1 << 24) || input > (1 << 24) {
            return Err(ShapeError::TooLarge);
        }
        let (before, after) = same_padding(input, kernel, dilation, stride);
        Self::new(input, kernel, stride, dilation, before, after)
    }

    // The arithmetic below is exact for the window's own outputs and taps: `new` keeps every product below 2^26. It wraps, and
    // does not panic, for others.

    /// The first and one past the last tap of output position `output` that see input and not padding. The range is
    /// empty where a window sees only padding.
    #[inline]
    pub const fn taps(&self, output: usize) -> (usize, usize) {
        let start = output.wrapping_mul(self.stride);
        // Common case without divisions: a window that lies inside.
        let first = if start >= self.before { 0 } else { steps_across(self.before - start, self.dilation) };
        // Tap k sees input while start + k·dilation < input + before.
        let end = self.input + self.before;
        let last = if start.wrapping_add((self.kernel - 1) * self.dilation) < end {
            self.kernel
        } else if start >= end {
            0
        } else {
            steps_across(end - start, self.dilation)
        };
        if first < last { (first, last) } else { (0, 0) }
    }

    /// The first and one past the last output position that see input and not padding at tap `tap`, [`Window::taps`] the
    /// other way round. The range is empty where a tap sees only padding.
    #[inline]
    pub const fn outputs(&self, tap: usize) -> (usize, usize) {
        let offset = tap.wrapping_mul(self.dilation);
        // Output o sees input while before <= o·stride + offset < end. Common case without divisions: all outputs do.
        let first = if offset >= self.before { 0 } else { steps_across(self.before - offset, self.stride) };
        let end = self.input + self.before;
        let last = if self.output.wrapping_sub(1).wrapping_mul(self.stride).wrapping_add(offset) < end {
            self.output
        } else {
            steps_across(end.saturating_sub(offset), self.stride)
        };
        if first < last { (first, last) } else { (0, 0) }
    }

    /// The input position that output position `output` sees at tap `tap`, which must be one of [`Window::taps`].
    #[inline]
    pub const fn position(&self, output: usize, tap: usize) -> usize {
        output.wrapping_mul(self.stride).wrapping_add(tap.wrapping_mul(self.dilation)).wrapping_sub(self.before)
    }

    /// The first input position that outputs from `output` on still need.
    #[inline]
    pub const fn first_needed(&self, output: usize) -> usize {
        let start = output.wrapping_mul(self.stride).saturating_sub(self.before);
        if start < self.input { start } else { self.input }
    }

    /// Whether every output sees input at every tap, so that no padding is ever touched.
    pub const fn is_unpadded(&self) -> bool {
        let last = self.output.wrapping_sub(1).wrapping_mul(self.stride);
        self.before == 0 && last.wrapping_add((self.kernel - 1) * self.dilation) < self.input
    }

    /// Multiplications along this axis, summed over the outputs, that touch input and not padding.
    pub const fn touched_taps(&self) -> u64 {
        let mut sum = 0;
        let mut output = 0;
        while output < self.output {
            let (first, last) = self.taps(output);
            sum += (last - first) as u64;
            output += 1;
        }
        sum
    }
}
