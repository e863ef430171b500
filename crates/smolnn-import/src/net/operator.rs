//! The operators of a net: one enum, with the attributes of each named.
//!
//! A variant's documentation lists its operands in order. Operands that say how (axes, sizes, a permutation) are integer tensors like any other,
//! since models compute them; they have to be constant once the passes ran, except where inference can do without them.

use std::ops::RangeInclusive;
use std::sync::Arc;

pub use smolnn_core::{Comparison, Reset};

use super::graph::Net;
use super::tensor::TensorId;

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// Image, weights `[outputs, height, width, inputs]`, bias (may be left out). Weights for a part of the input channels
    /// make groups.
    Conv2d {
        /// How the kernel slides.
        window: SlidingWindow,
        /// Applied to the sums.
        activation: Activation,
        /// Without a bias, sums of int16 activations have 32 bits, as if it were one of int32.
        narrow_sums: bool,
    },
    /// Image, weights `[1, height, width, inputs · multiplier]`, bias (may be left out).
    DepthwiseConv2d {
        /// How the kernel slides.
        window: SlidingWindow,
        /// Applied to the sums.
        activation: Activation,
    },
    /// Shape of the output, weights `[outputs, height, width, inputs]`, image, bias (may be left out).
    TransposeConv2d {
        /// How the kernel of the convolution slides of which this is the adjoint.
        window: SlidingWindow,
        /// Applied to the sums.
        activation: Activation,
    },
    /// Image.
    Pool2d {
        /// What becomes of a window.
        kind: PoolKind,
        /// Height and width of the window.
        kernel: [usize; 2],
        /// How it slides.
        window: SlidingWindow,
        /// Applied to the results.
        activation: Activation,
    },
    /// Vectors, weights `[outputs, inputs]`, bias (may be left out).
    Dense {
        /// Whether the output has the input's dimensions but the last one.
        keep_dims: bool,
        /// Applied to the sums.
        activation: Activation,
        /// Without a bias, sums of int16 activations have 32 bits, as if it were one of int32.
        narrow_sums: bool,
    },
    /// Left and right matrices, the last two dimensions of each.
    MatMul {
        /// The left matrices are stored depth × rows.
        left_transposed: bool,
        /// The right matrices are stored columns × depth.
        right_transposed: bool,
    },
    /// One operand, element by element.
    Unary(UnaryKind),
    /// One operand of int8, element by element: the outputs for −128 to 127.
    Lookup(Box<[i8; 256]>),
    /// Values, slopes of the negative ones.
    Prelu,
    /// Two operands, element by element; along an axis of length 1, or one that a shape lacks, an operand repeats.
    Binary(BinaryKind, Activation),
    /// Two operands, element by element as [`Binary`](Self::Binary): the truth value of the comparison.
    Compare(Comparison),
    /// Truth values, and the operands of which each element is taken: the first one where the truth value is true, the other elsewhere.
    Select {
        /// Whether an operand repeats along an axis of length 1 or one that its shape lacks; otherwise all shapes are equal.
        broadcasts: bool,
    },
    /// Any number of tensors of one shape, element by element.
    AddN,
    /// Rows along the last dimension.
    Softmax {
        /// Factor of the exponents.
        beta: f32,
    },
    /// Rows along the last dimension.
    LogSoftmax,
    /// Rows along the last dimension, each brought to length 1.
    L2Normalise {
        /// Applied to the results.
        activation: Activation,
    },
    /// Values, axes.
    Reduce {
        /// What becomes of the elements along the axes.
        kind: ReduceKind,
        /// Whether reduced dimensions stay, with length 1.
        keep_dims: bool,
    },
    /// Values, axis: where the largest or the least element along the axis lies.
    ArgExtreme {
        /// The largest one; otherwise the least.
        largest: bool,
    },
    /// Values, axis: the sums of the elements up to each one.
    CumulativeSum {
        /// Without the element itself.
        exclusive: bool,
        /// From the end to the start.
        reverse: bool,
    },
    /// Truth values: the positions of those that are true, one per row.
    Where,
    /// Values: zeros in their shape.
    ZerosLike,
    /// Real or quantised values, to the quantisation of the output.
    Quantise,
    /// Quantised values, to real ones.
    Dequantise,
    /// Numbers, to the element type of the output without rescaling.
    Cast,
    /// Values, and how to shape them (may be left out): the output's shape stands.
    Reshape,
    /// Values, axis: a dimension of 1 is put before that one of the result.
    ExpandDims,
    /// Values, amounts `[rank, 2]`, the value that is put around them (may be left out: real 0).
    Pad,
    /// A variable: its value at this place in the order.
    ReadVariable,
    /// A variable, and the value that it takes at this place in the order.
    AssignVariable,
    /// A variable, and values: the variable moves forward by their number, the oldest values fall out, and the new ones stand at its end. The output
    /// is the variable after that.
    SlideVariable,
    /// Values, amounts `[rank, 2]`: around them their mirror image is put.
    MirrorPad {
        /// The outermost elements are repeated.
        symmetric: bool,
    },
    /// The shape of the operand as integers.
    Shape,
    /// Values, permutation.
    Transpose,
    /// Values, begin, end, strides. The bits of a mask count axes.
    StridedSlice {
        /// Axes whose begin counts as the first position.
        begin_mask: u32,
        /// Axes whose end counts as behind the last position.
        end_mask: u32,
        /// Axes of which one position is taken, and the dimension dropped.
        shrink_mask: u32,
        /// Whether ends count from the begins.
        end_is_offset: bool,
    },
    /// Values, begin, size.
    Slice,
    /// Any number of tensors, one behind the other along the axis.
    Concatenate {
        /// Negative ones count from the back.
        axis: i64,
    },
    /// Values, axis, sizes (left out: equal parts).
    Split,
    /// Any number of tensors, side by side along a new axis.
    Pack {
        /// Negative ones count from the back of the result's dimensions.
        axis: i64,
    },
    /// The slices along an axis, each without it.
    Unpack {
        /// Negative ones count from the back.
        axis: i64,
    },
    /// Values, axes.
    Reverse,
    /// Values, how often each dimension is repeated.
    Tile,
    /// Image or sequence, lengths of a block, amounts of padding `[blocked dimensions, 2]`: dealt out to one small image per place in a block.
    SpaceToBatch,
    /// Small images, lengths of a block, amounts of crop `[blocked dimensions, 2]`: put together.
    BatchToSpace,
    /// Values, tuples of indices along the last dimension.
    GatherNd,
    /// Values, what replaces a part of them, where that part starts.
    UpdateSlice,
    /// Values, indices along the axis.
    Gather {
        /// Negative ones count from the back.
        axis: i64,
        /// Leading dimensions that values and indices share.
        batch_dims: i64,
    },
    /// Image; blocks of channels become blocks of pixels.
    DepthToSpace {
        /// Height and width of a block.
        block: usize,
    },
    /// Image; blocks of pixels become blocks of channels.
    SpaceToDepth {
        /// Height and width of a block.
        block: usize,
    },
    /// Values, shape.
    BroadcastTo,
    /// Image, height and width.
    ResizeBilinear {
        /// The corner pixels of both images have the same centres.
        align_corners: bool,
        /// Pixels are measured at their centres.
        half_pixel_centers: bool,
    },
    /// Image, height and width.
    ResizeNearest {
        /// The corner pixels of both images have the same centres.
        align_corners: bool,
        /// Pixels are measured at their centres.
        half_pixel_centers: bool,
    },
    /// Input; weights `[gates · hidden, inputs]`; recurrent weights `[gates · hidden, hidden]`; biases and recurrent biases `[gates · hidden]` (may be
    /// left out); the state `[batch, hidden]` before the first step (left out: real 0), and of an LSTM its cell's. The outputs are the state behind
    /// every step, `[batch, time, hidden]` or `[time, batch, hidden]` as the input lies, the state behind the last step that is read, and of an LSTM
    /// the cell's. Every run starts from the operands' states.
    Recurrent {
        /// What a step computes, which says how many gates there are and in which order.
        cell: RecurrentCell,
        /// Time comes before batch.
        time_major: bool,
        /// The steps are read from the last one to the first.
        reversed: bool,
    },
    /// Input; weights of the gates i, f, c, o; recurrent weights of the gates; biases of the gates; the states h and c, which are variables: a run
    /// goes on from where the last one ended.
    Lstm {
        /// Time comes before batch.
        time_major: bool,
        /// Bound of the cell's magnitude; 0 is none.
        cell_clip: f32,
    },
    /// Input, weights of the features, weights over time, bias (may be left out), state.
    Svdf {
        /// Features per unit.
        rank: usize,
        /// Applied to the results.
        activation: Activation,
    },
    /// Values that pass from round to round: as long as the condition holds of them, the body makes those of the next round. The outputs are the last ones.
    Loop {
        /// From the values one truth value.
        condition: Arc<Net>,
        /// From the values as many.
        body: Arc<Net>,
    },
    /// A stage of an audio front end.
    Signal(SignalKind),
    /// Any number of tensors, for a function of the user's.
    Custom {
        /// Its name in the file.
        name: String,
        /// Its options as the file has them.
        options: Vec<u8>,
        /// The path of the function in generated code; without one the operator is refused.
        function: Option<String>,
    },
    /// An operator that the reader could not turn into one of the above. It is dropped where nothing needs it, and otherwise refused.
    Unsupported {
        /// The tensor that is the problem, if it is one.
        tensor: Option<TensorId>,
        /// What was found.
        found: String,
        /// What is supported.
        supported: String,
    },
}

impl Operator {
    /// How many inputs, left-out ones included, and how many outputs the operator takes.
    pub(crate) fn arity(&self) -> (RangeInclusive<usize>, RangeInclusive<usize>) {
        const MANY: usize = usize::MAX;
        if let Operator::Signal(kind) = self {
            let (inputs, outputs) = kind.arity();
            return (inputs..=inputs, outputs..=outputs);
        }
        let inputs = match self {
            Operator::Unary(_)
            | Operator::Lookup(_)
            | Operator::Pool2d { .. }
            | Operator::Softmax { .. }
            | Operator::LogSoftmax
            | Operator::L2Normalise { .. }
            | Operator::Quantise
            | Operator::Dequantise
            | Operator::Cast
            | Operator::Shape
            | Operator::Where
            | Operator::ZerosLike
            | Operator::ReadVariable
            | Operator::Unpack { .. }
            | Operator::DepthToSpace { .. }
            | Operator::SpaceToDepth { .. } => 1..=1,
            Operator::Reshape => 1..=2,
            Operator::MatMul { .. }
            | Operator::Prelu
            | Operator::Binary(..)
            | Operator::Compare(_)
            | Operator::ArgExtreme { .. }
            | Operator::CumulativeSum { .. }
            | Operator::ExpandDims
            | Operator::Reduce { .. }
            | Operator::Transpose
            | Operator::Reverse
            | Operator::Gather { .. }
            | Operator::BroadcastTo
            | Operator::AssignVariable
            | Operator::SlideVariable
            | Operator::MirrorPad { .. }
            | Operator::Tile
            | Operator::GatherNd
            | Operator::ResizeBilinear { .. }
            | Operator::ResizeNearest { .. } => 2..=2,
            Operator::Conv2d { .. }
            | Operator::DepthwiseConv2d { .. }
            | Operator::Dense { .. }
            | Operator::Pad
            | Operator::Split => 2..=3,
            Operator::Select { .. }
            | Operator::Slice
            | Operator::SpaceToBatch
            | Operator::BatchToSpace
            | Operator::UpdateSlice => 3..=3,
            Operator::TransposeConv2d { .. } => 3..=4,
            Operator::StridedSlice { .. } => 4..=4,
            Operator::Svdf { .. } => 5..=5,
            Operator::Recurrent { cell, .. } => 3..=5 + cell.states(),
            Operator::Lstm { .. } => 15..=15,
            Operator::AddN | Operator::Concatenate { .. } | Operator::Pack { .. } | Operator::Loop { .. } => 1..=MANY,
            Operator::Signal(_) | Operator::Custom { .. } | Operator::Unsupported { .. } => 0..=MANY,
        };
        let outputs = match self {
            Operator::Split | Operator::Unpack { .. } | Operator::Loop { .. } | Operator::Custom { .. } => 1..=MANY,
            Operator::Recurrent { cell, .. } => 1 + cell.states()..=1 + cell.states(),
            Operator::AssignVariable => 0..=0,
            Operator::Unsupported { .. } => 0..=MANY,
            _ => 1..=1,
        };
        (inputs, outputs)
    }
}

/// What one step of [`Operator::Recurrent`] computes of input x and state h. W, U and b, b′ are the rows of a gate in weights, recurrent weights, biases
/// and recurrent biases; σ is the logistic function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentCell {
    /// h = tanh(W x + b + U h + b′).
    Tanh,
    /// h = max(0, W x + b + U h + b′).
    Relu,
    /// Gates z, r, n: z and r are σ(W x + b + U h + b′), n = tanh(W x + b + the recurrent part), and h = z ⊙ h + (1 − z) ⊙ n.
    Gru {
        /// The recurrent part of n: r ⊙ (U h + b′) with the reset after the product, U (r ⊙ h) + b′ with the reset before it.
        reset: Reset,
    },
    /// Gates i, f, c, o: i, f, o are σ(W x + b + U h + b′), g = tanh(W x + b + U h + b′) with the rows of c; the cell's state becomes
    /// f ⊙ cell + i ⊙ g, and h = o ⊙ tanh(cell).
    Lstm,
}

impl RecurrentCell {
    /// Gates, each `hidden` rows of the weights.
    pub fn gates(self) -> usize {
        match self {
            RecurrentCell::Tanh | RecurrentCell::Relu => 1,
            RecurrentCell::Gru { .. } => 3,
            RecurrentCell::Lstm => 4,
        }
    }

    /// Vectors of the state: an LSTM has two.
    pub fn states(self) -> usize {
        if self == RecurrentCell::Lstm { 2 } else { 1 }
    }
}

/// How a kernel slides over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns from one tap to the next.
    pub dilation: [usize; 2],
    /// What lies around the image.
    pub padding: Padding,
}

/// The padding of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As much as gives ⌈input / stride⌉ outputs, the odd one behind.
    Same,
    /// None.
    Valid,
    /// Rows and columns on each side.
    Explicit {
        /// Rows above.
        top: usize,
        /// Rows below.
        bottom: usize,
        /// Columns before.
        left: usize,
        /// Columns behind.
        right: usize,
    },
}

/// An activation that an operator applies to its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// None.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// x between −1 and 1.
    ReluN1To1,
    /// x between 0 and 6.
    Relu6,
}

/// What a pooling makes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest element.
    Max,
    /// The mean of those inside of the image.
    Average,
    /// The root of the mean of their squares.
    L2,
}

/// A function of one operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnaryKind {
    /// max(x, 0).
    Relu,
    /// x between 0 and 6.
    Relu6,
    /// x between −1 and 1.
    ReluN1To1,
    /// x, negative ones times alpha.
    LeakyRelu {
        /// The slope of negative values.
        alpha: f32,
    },
    /// x, negative ones eˣ − 1.
    Elu,
    /// x · relu6(x + 3) / 6.
    HardSwish,
    /// 1 / (1 + e⁻ˣ).
    Logistic,
    /// The hyperbolic tangent.
    Tanh,
    /// The magnitude.
    Abs,
    /// 1 / √x.
    Rsqrt,
    /// −x.
    Negate,
    /// x².
    Square,
    /// √x.
    Sqrt,
    /// eˣ.
    Exp,
    /// ln x.
    Log,
    /// 1 above 0, −1 below, 0 at 0.
    Sign,
    /// sin x.
    Sin,
    /// cos x.
    Cos,
    /// The largest integer not above x.
    Floor,
    /// The least integer not below x.
    Ceil,
    /// The nearest integer, the even one of two.
    Round,
    /// x · Φ(x), Φ the normal distribution.
    Gelu {
        /// Computed with the hyperbolic tangent instead.
        approximate: bool,
    },
    /// Of truth values: true where x is false.
    LogicalNot,
    /// The error function.
    Erf,
    /// x · tanh(ln(1 + eˣ)).
    Mish,
    /// ln(1 + eˣ).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// λ · x, negative ones λ · α · (eˣ − 1), with the constants that keep mean and variance.
    Selu,
    /// The nearest value in a range, whose ends may be infinite.
    Clamp {
        /// The least value.
        low: f32,
        /// The largest value.
        high: f32,
    },
}

/// A function of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryKind {
    /// left + right.
    Add,
    /// left − right.
    Subtract,
    /// left · right.
    Multiply,
    /// The smaller one.
    Minimum,
    /// The larger one.
    Maximum,
    /// (left − right)².
    SquaredDifference,
    /// left / right.
    Divide,
    /// left / right, rounded down.
    FloorDivide,
    /// What is left of that quotient, with the sign of right.
    FloorModulo,
    /// left raised to the power right.
    Power,
    /// Of truth values: both are true.
    LogicalAnd,
    /// Of truth values: at least one is true.
    LogicalOr,
}

/// What a reduction makes of the elements along its axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceKind {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// The largest one.
    Max,
    /// The least one.
    Min,
    /// Of truth values: whether all are true.
    All,
    /// Of truth values: whether at least one is true.
    Any,
    /// Their product.
    Product,
}

/// A stage of an audio front end. Samples are int16; energies and signals are uint32, and sums of a filter bank uint64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// Samples, the window's factors.
    Window {
        /// Bits by which products are shifted to the right.
        shift: usize,
    },
    /// Samples: shifted to the left so that the largest uses all bits, and the shift.
    AutoScale,
    /// Rows of samples: their spectra, real and imaginary parts in turn.
    Fft {
        /// Points of the transform.
        points: usize,
    },
    /// Rows of spectra: their samples.
    InverseFft {
        /// Points of the transform.
        points: usize,
    },
    /// A spectrum: the energies of its bins.
    Energy {
        /// The first bin that counts.
        first: usize,
        /// The bin behind the last one that counts.
        end: usize,
    },
    /// Energies; weights of the bins in their channel and in the next one; of each channel's stretch the first bin, the first weight and the width.
    FilterBank {
        /// Channels that come out.
        channels: usize,
    },
    /// Sums, the bits by which their roots are shifted to the right.
    SquareRoot,
    /// Signals: without their noise, and the noise estimate, which is a state.
    SpectralSubtraction {
        /// Shares in the noise estimate, of the signal and of the old estimate, in even channels.
        even: [usize; 2],
        /// The same in odd channels.
        odd: [usize; 2],
        /// The share of the signal that remains at least.
        remaining: usize,
        /// Bits by which the estimate is finer than the signal.
        smoothing_bits: usize,
        /// Fraction bits of the shares.
        share_bits: usize,
        /// Whether an estimate above the signal falls to it.
        clamps: bool,
    },
    /// Signals, noise estimates, the table of gains.
    GainControl {
        /// Bits by which products with the gain are shifted to the right.
        ratio_shift: usize,
    },
    /// Signals: their natural logarithms.
    Logarithm {
        /// Their factor.
        scale: usize,
        /// Bits by which signals are shifted to the left before.
        correction: usize,
    },
    /// A frame: the stack of frames that it completes, and whether it does. Frames that wait are a state.
    Stack {
        /// Numbers of a frame.
        channels: usize,
        /// Frames before the one that counts.
        left: usize,
        /// Frames behind it.
        right: usize,
        /// Frames from one stack to the next.
        step: usize,
    },
    /// Rows of samples: the same later. The samples between are a state.
    Delay {
        /// Samples by which they are late.
        samples: usize,
    },
    /// Rows of samples: the frames that they complete, and whether all are complete. Samples that wait are a state.
    Frame {
        /// Samples of a frame.
        size: usize,
        /// Samples from one frame to the next.
        step: usize,
        /// Whether it begins as if there had been silence.
        prefill: bool,
    },
    /// Rows of frames that overlap: their sums. Sums that are not complete are a state.
    OverlapAdd {
        /// Samples from one frame to the next.
        step: usize,
    },
}

impl SignalKind {
    /// How many inputs and outputs the operator has.
    fn arity(self) -> (usize, usize) {
        match self {
            SignalKind::Window { .. } | SignalKind::SquareRoot => (2, 1),
            SignalKind::FilterBank { .. } => (6, 1),
            SignalKind::GainControl { .. } => (3, 1),
            SignalKind::AutoScale
            | SignalKind::SpectralSubtraction { .. }
            | SignalKind::Stack { .. }
            | SignalKind::Frame { .. } => (1, 2),
            SignalKind::Fft { .. }
            | SignalKind::InverseFft { .. }
            | SignalKind::Energy { .. }
            | SignalKind::Logarithm { .. }
            | SignalKind::Delay { .. }
            | SignalKind::OverlapAdd { .. } => (1, 1),
        }
    }
}
