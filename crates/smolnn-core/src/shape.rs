//! Shapes of the operators: images, kernels, and what slides one over the other.

use crate::{ShapeError, Window};

/// One image: rows × columns × channels, channels innermost (HWC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels, adjacent in memory.
    pub channels: usize,
}

impl Image {
    /// An image of the given height, width and channels.
    pub const fn hwc(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Elements of the image. Exact for images of checked shapes; of others the product may wrap.
    pub const fn len(&self) -> usize {
        self.height.wrapping_mul(self.width).wrapping_mul(self.channels)
    }

    /// Whether the image has no element.
    pub const fn is_empty(&self) -> bool {
        self.height == 0 || self.width == 0 || self.channels == 0
    }

    /// A sequence of `length` vectors, time-major: an image of one row. A 1-D operator is the 2-D one over this, with
    /// [`WindowSize::taps`].
    pub const fn sequence(length: usize, channels: usize) -> Self {
        Self::hwc(1, length, channels)
    }

    /// Elements of one row of pixels, exact as [`Image::len`].
    pub const fn row(&self) -> usize {
        self.width.wrapping_mul(self.channels)
    }

    const fn check(&self) -> Result<(), ShapeError> {
        if self.height == 0 || self.width == 0 || self.channels == 0 {
            return Err(ShapeError::Zero("a dimension of the image"));
        }
        if fits(&[self.height, self.width, self.channels]) { Ok(()) } else { Err(ShapeError::TooLarge) }
    }
}

/// Whether the product of lengths is one that [`ShapeError::check_product`] lets through.
const fn fits(lengths: &[usize]) -> bool {
    ShapeError::check_product(lengths).is_ok()
}

/// Height and width of a kernel, stride or dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl WindowSize {
    /// A kernel of the given height and width.
    pub const fn hw(height: usize, width: usize) -> Self {
        Self { height, width }
    }

    /// A kernel of `taps` steps along a [`sequence`](Image::sequence).
    pub const fn taps(taps: usize) -> Self {
        Self::hw(1, taps)
    }
}

#[derive(Clone, Copy)]
enum Padding {
    Valid,
    Same,
    Full,
    Causal,
    Explicit { top: usize, bottom: usize, left: usize, right: usize },
}

/// Says how a window slides over an image; [`conv`](Self::conv), [`depthwise`](Self::depthwise) and
/// [`pool`](Self::pool) check it and give the operator's shape. Without further words: stride 1, dilation 1,
/// no padding, one image.
#[derive(Clone, Copy)]
#[must_use]
pub struct Window2d {
    batch: usize,
    input: Image,
    kernel: WindowSize,
    stride: WindowSize,
    dilation: WindowSize,
    padding: Padding,
    groups: usize,
}

impl Window2d {
    /// A window of the kernel's size over the image.
    pub const fn over(input: Image, kernel: WindowSize) -> Self {
        let one = WindowSize::hw(1, 1);
        Self { batch: 1, input, kernel, stride: one, dilation: one, padding: Padding::Valid, groups: 1 }
    }

    /// Over `batch` images, one behind the other in memory.
    pub const fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Pads so that there are ceil(input / stride) outputs, the odd padding behind (TensorFlow's SAME).
    pub const fn same(mut self) -> Self {
        self.padding = Padding::Same;
        self
    }

    /// Pads with dilation·(kernel − 1) on every side: the wide convolution, with an output wherever a tap sees input.
    pub const fn full(mut self) -> Self {
        self.padding = Padding::Full;
        self
    }

    /// Pads with dilation·(kernel − 1) before and nothing behind: no output sees what comes after it.
    pub const fn causal(mut self) -> Self {
        self.padding = Padding::Causal;
        self
    }

    /// Pads with the given rows and columns of zeros.
    pub const fn padding(mut self, top: usize, bottom: usize, left: usize, right: usize) -> Self {
        self.padding = Padding::Explicit { top, bottom, left, right };
        self
    }

    /// Rows and columns from one output to the next.
    pub const fn stride(mut self, rows: usize, columns: usize) -> Self {
        self.stride = WindowSize::hw(rows, columns);
        self
    }

    /// Rows and columns from one tap to the next.
    pub const fn dilation(mut self, rows: usize, columns: usize) -> Self {
        self.dilation = WindowSize::hw(rows, columns);
        self
    }

    /// Splits the channels of a convolution into groups that do not see one another. [`conv`](Self::conv) alone looks
    /// at it.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// A convolution to `channels` output channels, every input channel of a group to every output channel of it.
    ///
    /// # Errors
    /// [`ShapeError`] when a dimension is zero or too large, or the kernel larger than the padded input.
    pub const fn conv(self, channels: usize) -> Result<Conv2dShape, ShapeError> {
        match self.check(channels) {
            Ok((batch, input, output, rows, columns)) => {
                if self.groups == 0 {
                    return Err(ShapeError::Zero("the groups"));
                }
                if !input.channels.is_multiple_of(self.groups) || !channels.is_multiple_of(self.groups) {
                    return Err(ShapeError::Range("the channels cannot be split into the groups"));
                }
                if !fits(&[rows.kernel(), columns.kernel(), input.channels, channels]) {
                    return Err(ShapeError::TooLarge);
                }
                Ok(Conv2dShape { batch, input, output, rows, columns, groups: self.groups })
            }
            Err(error) => Err(error),
        }
    }

    /// A convolution of every channel by itself, to `multiplier` output channels each.
    ///
    /// # Errors
    /// [`ShapeError`] when a dimension is zero or too large, or the kernel larger than the padded input.
    pub const fn depthwise(self, multiplier: usize) -> Result<DepthwiseConv2dShape, ShapeError> {
        let Some(channels) = self.input.channels.checked_mul(multiplier) else { return Err(ShapeError::TooLarge) };
        match self.check(channels) {
            Ok((batch, input, output, rows, columns)) => {
                if !fits(&[rows.kernel(), columns.kernel(), channels]) {
                    return Err(ShapeError::TooLarge);
                }
                Ok(DepthwiseConv2dShape { batch, input, output, rows, columns, multiplier })
            }
            Err(error) => Err(error),
        }
    }

    /// A pooling of every channel by itself.
    ///
    /// # Errors
    /// [`ShapeError`] when a dimension is zero or too large, or the kernel larger than the padded input.
    pub const fn pool(self) -> Result<Pool2dShape, ShapeError> {
        match self.check(self.input.channels) {
            Ok((batch, input, output, rows, columns)) => {
                if !fits(&[rows.kernel(), columns.kernel()]) {
                    return Err(ShapeError::TooLarge);
                }
                Ok(Pool2dShape { batch, input, output, rows, columns })
            }
            Err(error) => Err(error),
        }
    }

    const fn check(&self, channels: usize) -> Result<(usize, Image, Image, Window, Window), ShapeError> {
        if self.batch == 0 {
            return Err(ShapeError::Zero("the batch"));
        }
        if let Err(error) = self.input.check() {
            return Err(error);
        }
        let (rows, columns) = match self.padding {
            Padding::Valid => (self.axis_rows(0, 0), self.axis_columns(0, 0)),
            Padding::Same => (
                Window::same(self.input.height, self.kernel.height, self.stride.height, self.dilation.height),
                Window::same(self.input.width, self.kernel.width, self.stride.width, self.dilation.width),
            ),
            Padding::Full => match self.reach() {
                Ok((rows, columns)) => (self.axis_rows(rows, rows), self.axis_columns(columns, columns)),
                Err(error) => return Err(error),
            },
            Padding::Causal => match self.reach() {
                Ok((rows, columns)) => (self.axis_rows(rows, 0), self.axis_columns(columns, 0)),
                Err(error) => return Err(error),
            },
            Padding::Explicit { top, bottom, left, right } => {
                (self.axis_rows(top, bottom), self.axis_columns(left, right))
            }
        };
        let (rows, columns) = match (rows, columns) {
            (Ok(rows), Ok(columns)) => (rows, columns),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let output = Image::hwc(rows.output(), columns.output(), channels);
        if let Err(error) = output.check() {
            return Err(error);
        }
        if !fits(&[self.batch, self.input.len()]) || !fits(&[self.batch, output.len()]) {
            return Err(ShapeError::TooLarge);
        }
        Ok((self.batch, self.input, output, rows, columns))
    }

    /// dilation·(kernel − 1) of both axes.
    const fn reach(&self) -> Result<(usize, usize), ShapeError> {
        if self.kernel.height == 0 || self.kernel.width == 0 {
            return Err(ShapeError::Zero("the kernel"));
        }
        match (
            self.dilation.height.checked_mul(self.kernel.height - 1),
            self.dilation.width.checked_mul(self.kernel.width - 1),
        ) {
            (Some(rows), Some(columns)) => Ok((rows, columns)),
            _ => Err(ShapeError::TooLarge),
        }
    }

    const fn axis_rows(&self, before: usize, after: usize) -> Result<Window, ShapeError> {
        Window::new(self.input.height, self.kernel.height, self.stride.height, self.dilation.height, before, after)
    }

    const fn axis_columns(&self, before: usize, after: usize) -> Result<Window, ShapeError> {
        Window::new(self.input.width, self.kernel.width, self.stride.width, self.dilation.width, before, after)
    }
}

/// What the operators with a sliding window share.
macro_rules! sliding {
    ($name:ident) => {
        impl $name {
            /// Images.
            #[inline(always)]
            pub const fn batch(&self) -> usize {
                self.batch
            }

            /// One input image.
            #[inline(always)]
            pub const fn input(&self) -> Image {
                self.input
            }

            /// One output image.
            #[inline(always)]
            pub const fn output(&self) -> Image {
                self.output
            }

            /// The window along the rows.
            #[inline(always)]
            pub const fn rows(&self) -> Window {
                self.rows
            }

            /// The window along the columns.
            #[inline(always)]
            pub const fn columns(&self) -> Window {
                self.columns
            }

            /// Elements of the input, all images.
            pub const fn input_len(&self) -> usize {
                self.batch * self.input.len()
            }

            /// Elements of the output, all images.
            pub const fn output_len(&self) -> usize {
                self.batch * self.output.len()
            }

            /// The least (input offset − output offset) at which the output may be written row by row into the buffer
            /// that holds the input: row r is written while the input rows which rows ≥ r need are still intact.
            pub const fn overlap_gap(&self) -> usize {
                let mut gap = 0;
                let mut image = 0;
                while image < self.batch {
                    let mut row = 0;
                    while row < self.output.height {
                        let written = image * self.output.len() + (row + 1) * self.output.row();
                        let needed = image * self.input.len() + self.rows.first_needed(row) * self.input.row();
                        if written > needed && written - needed > gap {
                            gap = written - needed;
                        }
                        row += 1;
                    }
                    image += 1;
                }
                gap
            }
        }
    };
}

/// Shape of a 2-D convolution, checked. Made by [`Window2d::conv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dShape {
    batch: usize,
    input: Image,
    output: Image,
    rows: Window,
    columns: Window,
    groups: usize,
}

sliding!(Conv2dShape);

impl Conv2dShape {
    /// Groups of channels: output channels of one group see the input channels of that group alone.
    #[inline(always)]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Input channels that one output channel sees.
    pub const fn group_inputs(&self) -> usize {
        // `conv` let no 0 through; dividing without a panic keeps the symbol out of the firmware.
        match self.input.channels.checked_div(self.groups) {
            Some(channels) => channels,
            None => 0,
        }
    }

    /// Output channels of one group.
    pub const fn group_outputs(&self) -> usize {
        match self.output.channels.checked_div(self.groups) {
            Some(channels) => channels,
            None => 0,
        }
    }

    /// Products that make one output: kernel rows × kernel columns × input channels of a group.
    pub const fn depth(&self) -> usize {
        self.rows.kernel() * self.columns.kernel() * self.group_inputs()
    }

    /// Weights: output channels × [`depth`](Self::depth), stored OHWI.
    pub const fn weights(&self) -> usize {
        self.output.channels * self.depth()
    }

    /// Multiply-accumulates of one call, padding counted as the field does.
    pub const fn macs(&self) -> u64 {
        self.output_len() as u64 * self.depth() as u64
    }

    /// Whether every output pixel sees just the input pixel at its own place: a 1×1 kernel, stride 1, no padding.
    pub const fn is_pointwise(&self) -> bool {
        self.rows.kernel() == 1
            && self.columns.kernel() == 1
            && self.rows.stride() == 1
            && self.columns.stride() == 1
            && self.input.height == self.output.height
            && self.input.width == self.output.width
    }
}

/// Shape of a depthwise 2-D convolution, checked. Made by [`Window2d::depthwise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthwiseConv2dShape {
    batch: usize,
    input: Image,
    output: Image,
    rows: Window,
    columns: Window,
    multiplier: usize,
}

sliding!(DepthwiseConv2dShape);

impl DepthwiseConv2dShape {
    /// Output channels per input channel: output channel o comes from input channel o / multiplier.
    #[inline(always)]
    pub const fn multiplier(&self) -> usize {
        self.multiplier
    }

    /// Products that make one output: kernel rows × kernel columns.
    pub const fn depth(&self) -> usize {
        self.rows.kernel() * self.columns.kernel()
    }

    /// The same as a convolution whose groups are the input channels.
    pub const fn as_conv2d(&self) -> Conv2dShape {
        let Self { batch, input, output, rows, columns, multiplier: _ } = *self;
        Conv2dShape { batch, input, output, rows, columns, groups: input.channels }
    }

    /// Weights: kernel rows × kernel columns × output channels, stored 1HWC.
    pub const fn weights(&self) -> usize {
        self.depth() * self.output.channels
    }

    /// Multiply-accumulates of one call, padding counted as the field does.
    pub const fn macs(&self) -> u64 {
        self.output_len() as u64 * self.depth() as u64
    }
}

/// Shape of a 2-D pooling, checked. Made by [`Window2d::pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dShape {
    batch: usize,
    input: Image,
    output: Image,
    rows: Window,
    columns: Window,
}

sliding!(Pool2dShape);

/// Shape of a dense (fully connected) layer, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseShape {
    batch: usize,
    inputs: usize,
    outputs: usize,
}

impl DenseShape {
    /// Vectors that are multiplied by the same weights.
    #[inline(always)]
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// Length of an input vector.
    #[inline(always)]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of an output vector.
    #[inline(always)]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// A layer from `inputs` to `outputs` elements, for `batch` vectors.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(batch: usize, inputs: usize, outputs: usize) -> Result<Self, ShapeError> {
        if batch == 0 || inputs == 0 || outputs == 0 {
            return Err(ShapeError::Zero("a dimension of the dense layer"));
        }
        const LARGEST: usize = 1 << 24;
        if batch > LARGEST || inputs > LARGEST || outputs > LARGEST {
            return Err(ShapeError::TooLarge);
        }
        if !fits(&[inputs, outputs]) || !fits(&[batch, inputs]) || !fits(&[batch, outputs]) {
            return Err(ShapeError::TooLarge);
        }
        Ok(Self { batch, inputs, outputs })
    }

    /// The same as a pointwise convolution: the vectors are the pixels of an image of one row.
    pub const fn as_conv2d(&self) -> Conv2dShape {
        let (input, output) = (Image::hwc(1, self.batch, self.inputs), Image::hwc(1, self.batch, self.outputs));
        let (rows, columns) = (Window::pointwise(1), Window::pointwise(self.batch));
        Conv2dShape { batch: 1, input, output, rows, columns, groups: 1 }
    }

    /// Elements of the input, all vectors.
    pub const fn input_len(&self) -> usize {
        self.batch * self.inputs
    }

    /// Elements of the output, all vectors.
    pub const fn output_len(&self) -> usize {
        self.batch * self.outputs
    }

    /// Weights: outputs × inputs, row-major.
    pub const fn weights(&self) -> usize {
        self.outputs * self.inputs
    }

    /// Multiply-accumulates of one call.
    pub const fn macs(&self) -> u64 {
        self.batch as u64 * self.weights() as u64
    }

    /// As [`Conv2dShape::overlap_gap`], with a vector of the batch for a row.
    pub const fn overlap_gap(&self) -> usize {
        // Vector b is written to (b + 1)·outputs while b·inputs on are needed: linear in b, so the ends decide.
        let first = self.outputs;
        let last = (self.batch * self.outputs).saturating_sub((self.batch - 1) * self.inputs);
        if first > last { first } else { last }
    }
}
