//! The table of operators: for each its name in the schema, the versions whose meaning is known, and how its options become attributes.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::element;
use super::flexbuffer;
use super::schema::Options;
use crate::net::{
    Activation, BinaryKind, Comparison, Element, Net, Operator, Padding, PoolKind, ReduceKind, SignalKind,
    SlidingWindow, TensorId, UnaryKind,
};

/// A line of the table.
pub(super) struct Line {
    name: &'static str,
    versions: RangeInclusive<i32>,
    attributes: fn(&mut Stated<'_>) -> Result<Operator, Refusal>,
}

/// The largest number that an option of a custom operator has: any real one is less, and products of two fit.
const MOST_OF_AN_OPTION: usize = 1 << 24;

/// The options of an operator, which must be of this kind; otherwise the line's function returns.
macro_rules! options {
    ($stated:expr, $kind:ident) => {
        match $stated.options {
            Options::$kind(options) => options,
            _ => return Err(refuse("no options of its kind", "an operator with its options (the file is damaged)")),
        }
    };
}

/// A line: name, versions, and the operator as an expression of what is stated.
macro_rules! line {
    ($name:literal, $versions:expr, $stated:pat => $operator:expr) => {
        Line { name: $name, versions: $versions, attributes: |$stated| Ok($operator) }
    };
}

const LINES: &[Line] = &[
    line!("ABS", 1..=5, _ => Operator::Unary(UnaryKind::Abs)),
    // Of ADD and SUB the reference ignores the option `pot_scale_int16`.
    line!("ADD", 1..=5, of => Operator::Binary(BinaryKind::Add, activation(options!(of, Add).activation)?)),
    line!("ADD_N", 1..=1, _ => Operator::AddN),
    // Whatever the option `output_type` says, a pass makes positions int32.
    line!("ARG_MAX", 1..=3, _ => Operator::ArgExtreme { largest: true }),
    line!("ARG_MIN", 1..=3, _ => Operator::ArgExtreme { largest: false }),
    line!("ASSIGN_VARIABLE", 1..=1, _ => Operator::AssignVariable),
    line!("AVERAGE_POOL_2D", 1..=3, of => pool(of, PoolKind::Average)?),
    line!("BATCH_MATMUL", 1..=5, of => {
        let options = options!(of, BatchMatMul);
        Operator::MatMul { left_transposed: options.adj_x, right_transposed: options.adj_y }
    }),
    line!("BATCH_TO_SPACE_ND", 1..=4, _ => Operator::BatchToSpace),
    line!("BROADCAST_TO", 1..=3, _ => Operator::BroadcastTo),
    line!("CAST", 1..=5, _ => Operator::Cast),
    line!("CEIL", 1..=1, _ => Operator::Unary(UnaryKind::Ceil)),
    line!("CONCATENATION", 1..=4, of => {
        let options = options!(of, Concatenation);
        if options.activation != 0 {
            return Err(refuse(format!("fused activation {}", options.activation), "NONE"));
        }
        Operator::Concatenate { axis: options.axis.into() }
    }),
    line!("CONV_2D", 1..=8, of => {
        let options = options!(of, Conv2d);
        let (stride, dilation) = ([options.stride_h, options.stride_w], [options.dilation_h, options.dilation_w]);
        Operator::Conv2d {
            window: window(options.padding, stride, dilation)?,
            activation: activation(options.activation)?,
            narrow_sums: element(options.bias_type) == Some(Element::I32),
        }
    }),
    line!("COS", 1..=1, _ => Operator::Unary(UnaryKind::Cos)),
    line!("CUMSUM", 1..=1, of => {
        let options = options!(of, Cumsum);
        Operator::CumulativeSum { exclusive: options.exclusive, reverse: options.reverse }
    }),
    line!("DEPTHWISE_CONV_2D", 1..=7, of => {
        // The option `depth_multiplier` repeats what the shapes say, and not always rightly; TensorFlow ignores it as well.
        let options = options!(of, DepthwiseConv2d);
        let (stride, dilation) = ([options.stride_h, options.stride_w], [options.dilation_h, options.dilation_w]);
        let window = window(options.padding, stride, dilation)?;
        Operator::DepthwiseConv2d { window, activation: activation(options.activation)? }
    }),
    line!("DEPTH_TO_SPACE", 1..=2, of => Operator::DepthToSpace { block: block(options!(of, DepthToSpace).block_size)? }),
    line!("DEQUANTIZE", 1..=6, _ => Operator::Dequantise),
    line!("DIV", 1..=3, of => Operator::Binary(BinaryKind::Divide, activation(options!(of, Div).activation)?)),
    line!("DYNAMIC_UPDATE_SLICE", 1..=4, _ => Operator::UpdateSlice),
    line!("ELU", 1..=1, _ => Operator::Unary(UnaryKind::Elu)),
    line!("EMBEDDING_LOOKUP", 1..=3, of => {
        of.reorder("EMBEDDING_LOOKUP", &[1, 0])?;
        Operator::Gather { axis: 0, batch_dims: 0 }
    }),
    line!("EQUAL", 1..=4, _ => Operator::Compare(Comparison::Equal)),
    line!("EXP", 1..=2, _ => Operator::Unary(UnaryKind::Exp)),
    line!("EXPAND_DIMS", 1..=1, _ => Operator::ExpandDims),
    line!("FILL", 1..=4, of => {
        of.reorder("FILL", &[1, 0])?;
        Operator::BroadcastTo
    }),
    line!("FLOOR", 1..=1, _ => Operator::Unary(UnaryKind::Floor)),
    line!("FLOOR_DIV", 1..=3, _ => Operator::Binary(BinaryKind::FloorDivide, Activation::None)),
    line!("FLOOR_MOD", 1..=2, _ => Operator::Binary(BinaryKind::FloorModulo, Activation::None)),
    line!("FULLY_CONNECTED", 1..=12, of => {
        let options = options!(of, FullyConnected);
        if options.weights_format != 0 {
            let found = format!("weights format {}", options.weights_format);
            return Err(refuse(found, "the default weights format"));
        }
        Operator::Dense {
            keep_dims: options.keep_num_dims,
            activation: activation(options.activation)?,
            narrow_sums: element(options.bias_type) == Some(Element::I32),
        }
    }),
    line!("GATHER", 1..=7, of => {
        let options = options!(of, Gather);
        Operator::Gather { axis: options.axis.into(), batch_dims: options.batch_dims.into() }
    }),
    line!("GATHER_ND", 1..=5, _ => Operator::GatherNd),
    line!("GELU", 1..=2, of => {
        Operator::Unary(UnaryKind::Gelu { approximate: options!(of, Gelu).approximate })
    }),
    line!("GREATER", 1..=3, _ => Operator::Compare(Comparison::Greater)),
    line!("GREATER_EQUAL", 1..=3, _ => Operator::Compare(Comparison::GreaterEqual)),
    line!("HARD_SWISH", 1..=1, _ => Operator::Unary(UnaryKind::HardSwish)),
    line!("L2_NORMALIZATION", 1..=2, of => {
        Operator::L2Normalise { activation: activation(options!(of, L2Norm).activation)? }
    }),
    line!("L2_POOL_2D", 1..=1, of => pool(of, PoolKind::L2)?),
    line!("LEAKY_RELU", 1..=2, of => {
        Operator::Unary(UnaryKind::LeakyRelu { alpha: options!(of, LeakyRelu).alpha })
    }),
    line!("LESS", 1..=3, _ => Operator::Compare(Comparison::Less)),
    line!("LESS_EQUAL", 1..=3, _ => Operator::Compare(Comparison::LessEqual)),
    line!("LOG", 1..=2, _ => Operator::Unary(UnaryKind::Log)),
    line!("LOGICAL_AND", 1..=1, _ => Operator::Binary(BinaryKind::LogicalAnd, Activation::None)),
    line!("LOGICAL_NOT", 1..=1, _ => Operator::Unary(UnaryKind::LogicalNot)),
    line!("LOGICAL_OR", 1..=1, _ => Operator::Binary(BinaryKind::LogicalOr, Activation::None)),
    line!("LOGISTIC", 1..=3, _ => Operator::Unary(UnaryKind::Logistic)),
    line!("LOG_SOFTMAX", 1..=2, _ => Operator::LogSoftmax),
    line!("MAXIMUM", 1..=4, _ => Operator::Binary(BinaryKind::Maximum, Activation::None)),
    line!("MAX_POOL_2D", 1..=3, of => pool(of, PoolKind::Max)?),
    line!("MEAN", 1..=3, of => reduce(of, ReduceKind::Mean)?),
    line!("MINIMUM", 1..=4, _ => Operator::Binary(BinaryKind::Minimum, Activation::None)),
    line!("MIRROR_PAD", 1..=3, of => match options!(of, MirrorPad).mode {
        0 => Operator::MirrorPad { symmetric: false },
        1 => Operator::MirrorPad { symmetric: true },
        mode => return Err(refuse(format!("mode {mode}"), "REFLECT, SYMMETRIC")),
    }),
    line!("MUL", 1..=5, of => {
        Operator::Binary(BinaryKind::Multiply, activation(options!(of, Mul).activation)?)
    }),
    line!("NEG", 1..=2, _ => Operator::Unary(UnaryKind::Negate)),
    line!("NOT_EQUAL", 1..=3, _ => Operator::Compare(Comparison::NotEqual)),
    line!("PACK", 1..=4, of => Operator::Pack { axis: options!(of, Pack).axis.into() }),
    line!("PAD", 1..=4, _ => Operator::Pad),
    line!("PADV2", 1..=4, _ => Operator::Pad),
    line!("POW", 1..=1, _ => Operator::Binary(BinaryKind::Power, Activation::None)),
    line!("PRELU", 1..=1, _ => Operator::Prelu),
    line!("QUANTIZE", 1..=3, _ => Operator::Quantise),
    line!("READ_VARIABLE", 1..=1, _ => Operator::ReadVariable),
    line!("REDUCE_ALL", 1..=1, of => reduce(of, ReduceKind::All)?),
    line!("REDUCE_ANY", 1..=2, of => reduce(of, ReduceKind::Any)?),
    line!("REDUCE_MAX", 1..=3, of => reduce(of, ReduceKind::Max)?),
    line!("REDUCE_MIN", 1..=3, of => reduce(of, ReduceKind::Min)?),
    line!("REDUCE_PROD", 1..=2, of => reduce(of, ReduceKind::Product)?),
    line!("RELU", 1..=3, _ => Operator::Unary(UnaryKind::Relu)),
    line!("RELU6", 1..=3, _ => Operator::Unary(UnaryKind::Relu6)),
    line!("RELU_N1_TO_1", 1..=2, _ => Operator::Unary(UnaryKind::ReluN1To1)),
    line!("RESHAPE", 1..=1, _ => Operator::Reshape),
    line!("RESIZE_BILINEAR", 1..=4, of => {
        let options = options!(of, ResizeBilinear);
        let (align_corners, half_pixel_centers) = (options.align_corners, options.half_pixel_centers);
        Operator::ResizeBilinear { align_corners, half_pixel_centers }
    }),
    line!("RESIZE_NEAREST_NEIGHBOR", 1..=4, of => {
        let options = options!(of, ResizeNearestNeighbor);
        let (align_corners, half_pixel_centers) = (options.align_corners, options.half_pixel_centers);
        Operator::ResizeNearest { align_corners, half_pixel_centers }
    }),
    line!("REVERSE_V2", 1..=3, _ => Operator::Reverse),
    line!("ROUND", 1..=1, _ => Operator::Unary(UnaryKind::Round)),
    line!("RSQRT", 1..=3, _ => Operator::Unary(UnaryKind::Rsqrt)),
    line!("SELECT", 1..=2, _ => Operator::Select { broadcasts: false }),
    line!("SELECT_V2", 1..=2, _ => Operator::Select { broadcasts: true }),
    line!("SHAPE", 1..=2, _ => Operator::Shape),
    line!("SIGN", 1..=2, _ => Operator::Unary(UnaryKind::Sign)),
    line!("SIN", 1..=1, _ => Operator::Unary(UnaryKind::Sin)),
    line!("SLICE", 1..=6, _ => Operator::Slice),
    line!("SOFTMAX", 1..=3, of => Operator::Softmax { beta: options!(of, Softmax).beta }),
    line!("SPACE_TO_BATCH_ND", 1..=4, _ => Operator::SpaceToBatch),
    line!("SPACE_TO_DEPTH", 1..=2, of => Operator::SpaceToDepth { block: block(options!(of, SpaceToDepth).block_size)? }),
    line!("SPLIT", 1..=4, of => {
        of.reorder("SPLIT", &[1, 0])?;
        Operator::Split
    }),
    line!("SPLIT_V", 1..=2, of => {
        of.reorder("SPLIT_V", &[0, 2, 1])?;
        Operator::Split
    }),
    line!("SQRT", 1..=2, _ => Operator::Unary(UnaryKind::Sqrt)),
    line!("SQUARE", 1..=1, _ => Operator::Unary(UnaryKind::Square)),
    line!("SQUARED_DIFFERENCE", 1..=3, _ => Operator::Binary(BinaryKind::SquaredDifference, Activation::None)),
    line!("SQUEEZE", 1..=2, _ => Operator::Reshape),
    line!("STRIDED_SLICE", 1..=8, of => {
        let options = options!(of, StridedSlice);
        if options.ellipsis_mask != 0 || options.new_axis_mask != 0 {
            return Err(refuse("an ellipsis or new axis in the slice", "slices without ellipsis and new axes"));
        }
        Operator::StridedSlice {
            begin_mask: options.begin_mask as u32,
            end_mask: options.end_mask as u32,
            shrink_mask: options.shrink_axis_mask as u32,
            end_is_offset: options.offset,
        }
    }),
    line!("SUB", 1..=5, of => Operator::Binary(BinaryKind::Subtract, activation(options!(of, Sub).activation)?)),
    line!("SUM", 1..=2, of => reduce(of, ReduceKind::Sum)?),
    line!("SVDF", 1..=4, of => {
        let options = options!(of, Svdf);
        let known = usize::try_from(options.rank).ok().filter(|&rank| rank > 0);
        let rank = known.ok_or_else(|| refuse(format!("rank {}", options.rank), "at least 1"))?;
        let activation = activation(options.activation)?;
        Operator::Svdf { rank, activation }
    }),
    line!("SignalDelay", 1..=1, of => Operator::Signal(SignalKind::Delay { samples: of.count("delay_length")? })),
    line!("SignalEnergy", 1..=1, of => {
        Operator::Signal(SignalKind::Energy { first: of.count("start_index")?, end: of.count("end_index")? })
    }),
    line!("SignalFftAutoScale", 1..=1, _ => Operator::Signal(SignalKind::AutoScale)),
    line!("SignalFilterBank", 1..=1, of => {
        Operator::Signal(SignalKind::FilterBank { channels: of.count("num_channels")? })
    }),
    line!("SignalFilterBankLog", 1..=1, of => {
        let (scale, correction) = (of.count("output_scale")?, of.count("input_correction_bits")?);
        Operator::Signal(SignalKind::Logarithm { scale, correction })
    }),
    // The option `num_channels` repeats what the shapes say.
    line!("SignalFilterBankSpectralSubtraction", 1..=1, of => Operator::Signal(SignalKind::SpectralSubtraction {
        even: [of.count("smoothing")?, of.count("one_minus_smoothing")?],
        odd: [of.count("alternate_smoothing")?, of.count("alternate_one_minus_smoothing")?],
        remaining: of.count("min_signal_remaining")?,
        smoothing_bits: of.count("smoothing_bits")?,
        share_bits: of.count("spectral_subtraction_bits")?,
        clamps: of.count("clamping")? != 0,
    })),
    line!("SignalFilterBankSquareRoot", 1..=1, _ => Operator::Signal(SignalKind::SquareRoot)),
    line!("SignalFramer", 1..=1, of => Operator::Signal(SignalKind::Frame {
        size: of.count("frame_size")?,
        step: of.count("frame_step")?,
        prefill: of.count("prefill")? != 0,
    })),
    // The element type, the option `T` of transforms and sums, is that of the tensors.
    line!("SignalIrfft", 1..=1, of => Operator::Signal(SignalKind::InverseFft { points: of.count("fft_length")? })),
    line!("SignalOverlapAdd", 1..=1, of => Operator::Signal(SignalKind::OverlapAdd { step: of.count("frame_step")? })),
    line!("SignalPCAN", 1..=1, of => {
        Operator::Signal(SignalKind::GainControl { ratio_shift: of.count("snr_shift")? })
    }),
    line!("SignalRfft", 1..=1, of => Operator::Signal(SignalKind::Fft { points: of.count("fft_length")? })),
    line!("SignalStacker", 1..=1, of => Operator::Signal(SignalKind::Stack {
        channels: of.count("num_channels")?,
        left: of.count("stacker_left_context")?,
        right: of.count("stacker_right_context")?,
        step: of.count("stacker_step")?,
    })),
    line!("SignalWindow", 1..=1, of => Operator::Signal(SignalKind::Window { shift: of.count("shift")? })),
    line!("TANH", 1..=3, _ => Operator::Unary(UnaryKind::Tanh)),
    line!("TILE", 1..=3, _ => Operator::Tile),
    line!("TRANSPOSE", 1..=6, _ => Operator::Transpose),
    line!("TRANSPOSE_CONV", 1..=5, of => {
        let options = options!(of, TransposeConv);
        let window = window(options.padding, [options.stride_h, options.stride_w], [1, 1])?;
        Operator::TransposeConv2d { window, activation: activation(options.activation)? }
    }),
    line!("UNIDIRECTIONAL_SEQUENCE_LSTM", 1..=4, of => lstm(of)?),
    line!("UNPACK", 1..=4, of => Operator::Unpack { axis: options!(of, Unpack).axis.into() }),
    line!("WHERE", 1..=2, _ => Operator::Where),
    line!("WHILE", 1..=1, of => match of.parts.take() {
        Some([condition, body]) => Operator::Loop { condition, body },
        None => return Err(refuse("no options of its kind", "a loop with condition and body (the file is damaged)")),
    }),
    line!("ZEROS_LIKE", 1..=1, _ => Operator::ZerosLike),
];

impl Line {
    /// The line of an operator.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        LINES.binary_search_by(|line| line.name.cmp(name)).ok().map(|index| &LINES[index])
    }

    /// Whether a custom operator of this name has a line. Only names of custom operators have small letters.
    pub(super) fn is_of_custom(name: &str) -> bool {
        name.contains(|character: char| character.is_ascii_lowercase()) && Self::of(name).is_some()
    }
}

/// What a file says about an operator.
pub(super) struct Stated<'a> {
    pub options: Options,
    /// The options of a custom operator.
    pub custom_options: &'a [u8],
    pub inputs: Vec<Option<TensorId>>,
    pub outputs: Vec<TensorId>,
    /// The condition and the body of a loop.
    pub parts: Option<[Arc<Net>; 2]>,
}

/// Why an operator has no counterpart in the net.
pub(super) struct Refusal {
    /// The tensor that is the problem, if it is one.
    pub tensor: Option<TensorId>,
    pub found: String,
    pub supported: String,
}

fn refuse(found: impl Into<String>, supported: impl Into<String>) -> Refusal {
    Refusal { tensor: None, found: found.into(), supported: supported.into() }
}

/// What is found, and what is supported, where an operator has no line.
pub(super) fn unknown() -> (String, String) {
    let names: Vec<_> = LINES.iter().map(|line| line.name).collect();
    ("an operator that smolnn does not have".into(), format!("operators: {}", names.join(", ")))
}

/// The operator of this name and version with its attributes. Inputs come in the order in which the net has them.
pub(super) fn attributes(name: &str, version: i32, stated: &mut Stated<'_>) -> Result<Operator, Refusal> {
    let Some(line) = Line::of(name) else {
        let (found, supported) = unknown();
        return Err(refuse(found, supported));
    };
    if !line.versions.contains(&version) {
        let known = format!("versions {} to {}", line.versions.start(), line.versions.end());
        return Err(refuse(format!("version {version}"), known));
    }
    (line.attributes)(stated)
}

impl Stated<'_> {
    /// An option of a custom operator, which is a number and not negative.
    fn count(&self, key: &str) -> Result<usize, Refusal> {
        let Some(number) = flexbuffer::integer(self.custom_options, key) else {
            return Err(refuse(format!("no option {key:?}"), "a map of options with all that the operator has"));
        };
        let count = usize::try_from(number).ok().filter(|&count| count <= MOST_OF_AN_OPTION);
        count.ok_or_else(|| refuse(format!("option {key:?} of {number}"), format!("0 to {MOST_OF_AN_OPTION}")))
    }

    fn input(&self, index: usize) -> Option<TensorId> {
        self.inputs.get(index).copied().flatten()
    }

    /// Puts the inputs into the net's order.
    fn reorder(&mut self, name: &str, order: &[usize]) -> Result<(), Refusal> {
        if self.inputs.len() != order.len() {
            return Err(refuse(format!("{} inputs", self.inputs.len()), format!("the {} of {name}", order.len())));
        }
        self.inputs = order.iter().map(|&index| self.inputs[index]).collect();
        Ok(())
    }
}

fn activation(code: i8) -> Result<Activation, Refusal> {
    match code {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        2 => Ok(Activation::ReluN1To1),
        3 => Ok(Activation::Relu6),
        other => {
            let name = match other {
                4 => "TANH".into(),
                5 => "SIGN_BIT".into(),
                other => other.to_string(),
            };
            Err(refuse(format!("fused activation {name}"), "NONE, RELU, RELU6, RELU_N1_TO_1"))
        }
    }
}

fn window(padding: i8, stride: [i32; 2], dilation: [i32; 2]) -> Result<SlidingWindow, Refusal> {
    let padding = match padding {
        0 => Padding::Same,
        1 => Padding::Valid,
        other => return Err(refuse(format!("padding {other}"), "SAME, VALID")),
    };
    Ok(SlidingWindow { stride: positive("stride", stride)?, dilation: positive("dilation", dilation)?, padding })
}

/// Rows and columns, both at least 1.
fn positive(what: &str, [height, width]: [i32; 2]) -> Result<[usize; 2], Refusal> {
    match (usize::try_from(height), usize::try_from(width)) {
        (Ok(height @ 1..), Ok(width @ 1..)) => Ok([height, width]),
        _ => Err(refuse(format!("{what} {height}x{width}"), "at least 1")),
    }
}

fn pool(of: &Stated<'_>, kind: PoolKind) -> Result<Operator, Refusal> {
    let options = options!(of, Pool2d);
    Ok(Operator::Pool2d {
        kind,
        kernel: positive("a window of", [options.filter_height, options.filter_width])?,
        window: window(options.padding, [options.stride_h, options.stride_w], [1, 1])?,
        activation: activation(options.activation)?,
    })
}

fn reduce(of: &Stated<'_>, kind: ReduceKind) -> Result<Operator, Refusal> {
    Ok(Operator::Reduce { kind, keep_dims: options!(of, Reducer).keep_dims })
}

fn block(size: i32) -> Result<usize, Refusal> {
    let block = usize::try_from(size).ok().filter(|size| (1..=4096).contains(size));
    block.ok_or_else(|| refuse(format!("a block size of {size}"), "1 to 4096"))
}

/// An LSTM, whose 20 to 24 inputs in the file have room for what is not supported.
fn lstm(of: &mut Stated<'_>) -> Result<Operator, Refusal> {
    /// What is not supported, by first and last input.
    const LEFT_OUT: [(usize, usize, &str); 3] =
        [(9, 11, "peephole connections"), (16, 17, "a projection"), (20, 23, "layer normalisation")];
    /// The net's operands: input, weights of the gates i, f, c, o, recurrent weights, biases, the states h and c.
    const ORDER: [usize; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 18, 19];
    const TANH: i8 = 4;
    let options = options!(of, UnidirectionalSequenceLstm);
    if !(20..=24).contains(&of.inputs.len()) {
        return Err(refuse(format!("{} inputs", of.inputs.len()), "20 to 24 inputs"));
    }
    if options.activation != TANH {
        return Err(refuse(format!("fused activation {}", options.activation), "TANH"));
    }
    if options.diagonal_recurrent_tensors {
        return Err(refuse("diagonal recurrent tensors", "full recurrent weights"));
    }
    for (first, last, what) in LEFT_OUT {
        if let Some(id) = (first..=last).find_map(|index| of.input(index)) {
            let refusal = refuse(what, "an LSTM without peephole, projection, layer normalisation");
            return Err(Refusal { tensor: Some(id), ..refusal });
        }
    }
    if of.input(1).is_none() {
        return Err(refuse("coupled input and forget gates", "an LSTM with four gates"));
    }
    if !(0.0..=65536.0).contains(&options.cell_clip) {
        return Err(refuse(format!("cell clip {}", options.cell_clip), "0 (none) and above"));
    }
    of.inputs = ORDER.iter().map(|&index| of.inputs[index]).collect();
    Ok(Operator::Lstm { time_major: options.time_major, cell_clip: options.cell_clip })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_sorted_and_name_operators_of_the_schema_or_custom_ones() {
        assert!(LINES.is_sorted_by(|a, b| a.name < b.name));
        let schema = include_str!("builtin_operators.txt");
        for line in LINES {
            let builtin = schema.lines().any(|name| name == line.name);
            assert!(builtin != Line::is_of_custom(line.name), "{}", line.name);
        }
    }

    /// Operators that have values before the model runs, and none when it does.
    const FOLDED: [&str; 3] = ["REDUCE_PROD", "SHAPE", "WHERE"];

    /// The list of the README is the list of the lines.
    #[test]
    fn the_readme_names_every_operator() {
        // The crate's package has the project's README beside its manifest.
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| std::fs::read_to_string(folder.join(path)).ok();
        let readme = ["../../README.md", "README.md"].into_iter().find_map(read).expect("the README can be read");
        let (_, list) = readme.split_once("**Operators of `.tflite` files**").expect("the README lists operators");
        let (_, list) = list.split_once("\n\n").expect("the list is a paragraph of its own");
        let (list, _) = list.split_once("\n\n").expect("the list ends");
        let mut listed: Vec<&str> = list
            .split([',', ' ', '\n', '.'])
            .map(|word| word.trim_end_matches(['¹', '²']))
            .filter(|word| !word.is_empty())
            .collect();
        listed.sort_unstable();
        let names: Vec<&str> = LINES.iter().map(|line| line.name).filter(|name| !FOLDED.contains(name)).collect();
        assert_eq!(listed, names);
    }
}
