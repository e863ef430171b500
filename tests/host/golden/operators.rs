//! Every kernel of `smolnn-fixed` against the single-operator goldens: recorded outputs of the reference interpreter, bit
//! for bit, and its multipliers where they are recorded. Layers are built here from the manifest, without the importer.

use smolnn_core::{DenseShape, Image, Pool2dShape, Window2d, WindowSize};
use smolnn_fixed::act::{
    Interpolation, LeakyRelu, Prelu, Table, leaky_relu_int16, logistic_int16, lookup, prelu, tanh_int16,
};
use smolnn_fixed::conv::{
    Conv2d, Conv2dInt16, DepthwiseConv2d, DepthwiseConv2dInt16, Sums, TransposeConv2d, TransposeConv2dInt16,
    WeightsInt16, conv2d, conv2d_int16, depthwise_conv2d, depthwise_conv2d_int16, transpose_conv2d,
    transpose_conv2d_int16,
};
use smolnn_fixed::convert::{Requantise, dequantise, quantise, requantise};
use smolnn_fixed::dense::{Dense, dense};
use smolnn_fixed::dense_int16::{DenseInt16, dense_int16};
use smolnn_fixed::elementwise::{Add, AddInt16, Pairing, SquaredDifference, add, add_int16, squared_difference};
use smolnn_fixed::l2_norm::{L2Norm, l2_norm};
use smolnn_fixed::log_softmax::{LogSoftmax, log_softmax};
use smolnn_fixed::matmul::{Matmul, MatmulShape, matmul};
use smolnn_fixed::pad::{Pad, pad};
use smolnn_fixed::pool::{Pool2d, average_pool2d, max_pool2d};
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};
use smolnn_fixed::reduce::{Mean, Reduction, mean, reduce_max};
use smolnn_fixed::softmax::{Softmax, softmax, softmax_to_int16};
use smolnn_fixed::softmax_int16::{SoftmaxInt16, softmax_int16};
use smolnn_fixed::{Backend, Channel, Element, Separate, SeparatePair, Weights, pack};
use smolnn_testkit::golden::{self, Case, Golden, Operator, Tensor, to_f32, to_i8, to_i16, to_i32};

/// Goldens of operators that have no kernel here (recurrent cells have a test of their own).
const ELSEWHERE: &[&str] = &["lstm_", "svdf_"];

/// The tensors of a golden's only operator.
struct Node<'a> {
    golden: &'a Golden,
    operator: &'a Operator,
}

impl Node<'_> {
    fn input(&self, index: usize) -> &Tensor {
        &self.golden.tensors[&(self.operator.inputs[index] as usize)]
    }

    fn output(&self) -> &Tensor {
        &self.golden.tensors[&self.operator.outputs[0]]
    }

    fn constant(&self, index: usize) -> Vec<u8> {
        match self.operator.inputs.get(index) {
            Some(&tensor) if tensor >= 0 => self.golden.constant(tensor as usize).to_vec(),
            _ => Vec::new(),
        }
    }

    /// An operand, which is an input of the model or a constant of it.
    fn bytes<'a>(&'a self, case: &'a Case, index: usize) -> &'a [u8] {
        let tensor = self.operator.inputs[index] as usize;
        if self.golden.inputs.contains(&tensor) { case.input(tensor) } else { self.golden.constant(tensor) }
    }

    fn int8(&self, case: &Case, index: usize) -> Vec<i8> {
        to_i8(self.bytes(case, index))
    }

    fn int16(&self, case: &Case, index: usize) -> Vec<i16> {
        to_i16(self.bytes(case, index))
    }

    fn activation(&self) -> FusedActivation {
        match self.operator.option("fusedActivationFunction") {
            "NONE" => FusedActivation::None,
            "RELU" => FusedActivation::Relu,
            "RELU6" => FusedActivation::Relu6,
            "RELU_N1_TO_1" => FusedActivation::ReluN1To1,
            other => panic!("unknown activation {other}"),
        }
    }

    /// The output range, which must be the one that the reference computed.
    fn range<T: Element>(&self) -> OutputRange {
        let output = self.output();
        let range = self.activation().range(output.scale(), output.zero_point(), T::LEAST, T::LARGEST);
        assert_eq!((range.minimum, range.maximum), (self.operator.number("act_min"), self.operator.number("act_max")));
        range
    }

    fn is_int16(&self) -> bool {
        self.input(0).dtype == "INT16"
    }

    /// Per output channel, f64(s_in) · f64(s_w) / f64(s_out).
    fn channel_multipliers(&self) -> Vec<Multiplier> {
        // A transposed convolution has the output's shape before its weights.
        let data = if self.operator.name == "TRANSPOSE_CONV" { 2 } else { 0 };
        let (input, output) = (f64::from(self.input(data).scale()), f64::from(self.output().scale()));
        let multipliers = self
            .input(1)
            .scales
            .iter()
            .map(|&scale| Multiplier::from_f64(input * f64::from(scale) / output))
            .collect::<Vec<_>>();
        self.check(&multipliers);
        multipliers
    }

    /// Of a dense layer with one scale: the product of the scales is rounded to f32.
    fn tensor_multiplier(&self) -> Vec<Multiplier> {
        let product = self.input(0).scale() * self.input(1).scale();
        let multipliers = vec![Multiplier::from_f64(f64::from(product) / f64::from(self.output().scale()))];
        self.check(&multipliers);
        multipliers
    }

    /// Compares multipliers with those that the reference computed.
    fn check(&self, multipliers: &[Multiplier]) {
        let recorded = &self.operator.multipliers;
        assert!(!recorded.is_empty(), "{}: no multipliers recorded", self.golden.name);
        for (index, &(mantissa, shift)) in recorded.iter().enumerate() {
            let found = multipliers.get(index).or(multipliers.first()).expect("one at least");
            assert_eq!((found.mantissa, found.shift), (mantissa, shift), "{}: multiplier {index}", self.golden.name);
        }
    }

    fn window(&self, kernel: (usize, usize)) -> Window2d {
        let shape = &self.input(0).shape;
        let option = |name| self.operator.find(name).map_or(1, |text| text.parse().unwrap());
        let window = Window2d::over(Image::hwc(shape[1], shape[2], shape[3]), WindowSize::hw(kernel.0, kernel.1))
            .batch(shape[0])
            .stride(option("strideH"), option("strideW"))
            .dilation(option("dilationHFactor"), option("dilationWFactor"));
        if self.operator.option("padding") == "SAME" { window.same() } else { window }
    }

    fn affine(&self, index: usize) -> Affine {
        affine(self.input(index))
    }
}

fn affine(tensor: &Tensor) -> Affine {
    Affine::new(tensor.scale(), tensor.zero_point())
}

fn bytes8(values: Vec<i8>) -> Vec<u8> {
    values.into_iter().map(|value| value as u8).collect()
}

fn bytes16(values: Vec<i16>) -> Vec<u8> {
    values.into_iter().flat_map(i16::to_le_bytes).collect()
}

fn weights<'a>(values: &'a [i8], bias: &'a [i32], multipliers: &'a [Multiplier], input: &Tensor) -> Weights<'a> {
    Weights { values, bias, multipliers, input_zero_point: input.zero_point() }
}

fn run_conv2d(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let kernel = &node.input(1).shape;
    let shape = node.window((kernel[1], kernel[2])).conv(kernel[0]).unwrap();
    let (values, bias, multipliers) = (to_i8(&node.constant(1)), to_i32(&node.constant(2)), node.channel_multipliers());
    let weights = weights(&values, &bias, &multipliers, node.input(0));
    let range = node.range::<i8>();
    let mut words = vec![0; pack::conv2d_words(Backend::CURRENT, &shape)];
    let mut channels = vec![Channel::default(); kernel[0]];
    let packed = pack::conv2d(Backend::CURRENT, &shape, &weights, &range, &mut words, &mut channels).unwrap();
    let layer =
        Conv2d::new(shape, &words[..packed.words], &channels, packed.layout, range, weights.input_zero_point).unwrap();
    let mut output = vec![0; shape.output_len()];
    let mut scratch = vec![0; layer.scratch_words()];
    conv2d(&layer, Separate { input: &node.int8(case, 0), output: &mut output }, &mut scratch).unwrap();
    bytes8(output)
}

fn run_depthwise(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let kernel = &node.input(1).shape;
    let multiplier = node.operator.number("depthMultiplier");
    let shape = node.window((kernel[1], kernel[2])).depthwise(multiplier).unwrap();
    let (values, bias, multipliers) = (to_i8(&node.constant(1)), to_i32(&node.constant(2)), node.channel_multipliers());
    let weights = weights(&values, &bias, &multipliers, node.input(0));
    let range = node.range::<i8>();
    let mut words = vec![0; pack::depthwise_conv2d_words(Backend::CURRENT, &shape)];
    let mut channels = vec![Channel::default(); kernel[3]];
    let packed = pack::depthwise_conv2d(Backend::CURRENT, &shape, &weights, &range, &mut words, &mut channels).unwrap();
    let zero_point = weights.input_zero_point;
    let layer =
        DepthwiseConv2d::new(shape, &words[..packed.words], &channels, packed.layout, range, zero_point).unwrap();
    let mut output = vec![0; shape.output_len()];
    let mut scratch = vec![0; layer.scratch_words()];
    depthwise_conv2d(&layer, Separate { input: &node.int8(case, 0), output: &mut output }, &mut scratch).unwrap();
    bytes8(output)
}

fn run_dense(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let matrix = &node.input(1).shape;
    let shape = DenseShape::new(node.input(0).len() / matrix[1], matrix[1], matrix[0]).unwrap();
    let (values, bias) = (to_i8(&node.constant(1)), to_i32(&node.constant(2)));
    let multipliers =
        if node.input(1).scales.len() > 1 { node.channel_multipliers() } else { node.tensor_multiplier() };
    let weights = weights(&values, &bias, &multipliers, node.input(0));
    let range = node.range::<i8>();
    let mut words = vec![0; pack::dense_words(Backend::CURRENT, &shape)];
    let mut channels = vec![Channel::default(); shape.outputs()];
    let packed = pack::dense(Backend::CURRENT, &shape, &weights, &range, &mut words, &mut channels).unwrap();
    let layer = Dense::new(shape, &words[..packed.words], &channels, packed.layout, range).unwrap();
    let mut output = vec![0; shape.output_len()];
    let mut scratch = vec![0; layer.scratch_words()];
    dense(&layer, Separate { input: &node.int8(case, 0), output: &mut output }, &mut scratch).unwrap();
    bytes8(output)
}

/// Runs a closure with the weights of a layer with int16 activations.
fn with_weights16<R>(node: &Node<'_>, bias: usize, run: impl FnOnce(WeightsInt16<'_>, OutputRange) -> R) -> R {
    let values = to_i8(&node.constant(1));
    let bias: Vec<i64> =
        node.constant(bias).chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect();
    let multipliers = if node.operator.name == "FULLY_CONNECTED" && node.input(1).scales.len() == 1 {
        node.tensor_multiplier()
    } else {
        node.channel_multipliers()
    };
    run(WeightsInt16 { values: &values, bias: &bias, multipliers: &multipliers, short: &[] }, node.range::<i16>())
}

fn run_weighted_int16(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (input, filter) = (node.int16(case, 0), &node.input(1).shape);
    let mut output = vec![0; node.output().len()];
    let tensors = Separate { input: &input, output: &mut output };
    with_weights16(node, 2, |weights, range| match node.operator.name.as_str() {
        "CONV_2D" => {
            let shape = node.window((filter[1], filter[2])).conv(filter[0]).unwrap();
            conv2d_int16(&Conv2dInt16::new(shape, weights, range).unwrap(), tensors)
        }
        "DEPTHWISE_CONV_2D" => {
            let multiplier = node.operator.number("depthMultiplier");
            let shape = node.window((filter[1], filter[2])).depthwise(multiplier).unwrap();
            depthwise_conv2d_int16(&DepthwiseConv2dInt16::new(shape, weights, range).unwrap(), tensors)
        }
        _ => {
            let shape = DenseShape::new(input.len() / filter[1], filter[1], filter[0]).unwrap();
            dense_int16(&DenseInt16::new(shape, weights, range).unwrap(), tensors.input, tensors.output)
        }
    })
    .unwrap();
    bytes16(output)
}

fn run_transpose_conv(node: &Node<'_>, case: &Case) -> Vec<u8> {
    // Inputs: the output's shape, the weights, the input, the bias.
    let (filter, output) = (&node.input(1).shape, node.output());
    let image = Image::hwc(output.shape[1], output.shape[2], output.shape[3]);
    let stride = |name| node.operator.number(name);
    let window = Window2d::over(image, WindowSize::hw(filter[1], filter[2]))
        .batch(output.shape[0])
        .stride(stride("strideH"), stride("strideW"));
    let window = if node.operator.option("padding") == "SAME" { window.same() } else { window };
    let shape = window.conv(filter[3]).unwrap();
    let input_tensor = node.input(2);
    if input_tensor.dtype == "INT16" {
        return with_weights16(node, 3, |weights, range| {
            let layer = TransposeConv2dInt16::new(shape, weights, range).unwrap();
            let mut result = vec![0; layer.output_len()];
            transpose_conv2d_int16(&layer, &node.int16(case, 2), &mut result).unwrap();
            bytes16(result)
        });
    }
    let (values, bias, multipliers) = (to_i8(&node.constant(1)), to_i32(&node.constant(3)), node.channel_multipliers());
    let weights = weights(&values, &bias, &multipliers, input_tensor);
    let layer = TransposeConv2d::new(shape, weights, node.range::<i8>()).unwrap();
    let mut result = vec![0; layer.output_len()];
    transpose_conv2d(&layer, &node.int8(case, 2), &mut result).unwrap();
    bytes8(result)
}

fn run_pool(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let shape: Pool2dShape =
        node.window((node.operator.number("filterHeight"), node.operator.number("filterWidth"))).pool().unwrap();
    let average = node.operator.name == "AVERAGE_POOL_2D";
    if node.is_int16() {
        let layer = Pool2d::new(shape, node.range::<i16>()).unwrap();
        let (input, mut output) = (node.int16(case, 0), vec![0; shape.output_len()]);
        let tensors = Separate { input: &input, output: &mut output };
        if average { average_pool2d(&layer, tensors) } else { max_pool2d(&layer, tensors) }.unwrap();
        bytes16(output)
    } else {
        let layer = Pool2d::new(shape, node.range::<i8>()).unwrap();
        let (input, mut output) = (node.int8(case, 0), vec![0; shape.output_len()]);
        let tensors = Separate { input: &input, output: &mut output };
        if average { average_pool2d(&layer, tensors) } else { max_pool2d(&layer, tensors) }.unwrap();
        bytes8(output)
    }
}

fn run_add(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let pairing = Pairing::new(node.input(0).len(), node.input(1).len()).unwrap();
    let subtract = node.operator.name == "SUB";
    if node.is_int16() {
        node.range::<i16>();
        let scales = (node.input(0).scale(), node.input(1).scale(), node.output().scale());
        let layer = AddInt16::new(pairing, scales.0, scales.1, scales.2, node.activation(), subtract).unwrap();
        let mut output = vec![0; pairing.output_len()];
        let (left, right) = (node.int16(case, 0), node.int16(case, 1));
        add_int16(&layer, SeparatePair { left: &left, right: &right, output: &mut output }).unwrap();
        bytes16(output)
    } else {
        node.range::<i8>();
        let make = if subtract { Add::subtraction } else { Add::new };
        let layer = make(pairing, node.affine(0), node.affine(1), affine(node.output()), node.activation()).unwrap();
        let mut output = vec![0; pairing.output_len()];
        let (left, right) = (node.int8(case, 0), node.int8(case, 1));
        add(&layer, SeparatePair { left: &left, right: &right, output: &mut output }).unwrap();
        bytes8(output)
    }
}

/// Outer, reduced and inner length for adjacent axes.
fn reduction(node: &Node<'_>) -> (usize, usize, usize) {
    let shape = &node.input(0).shape;
    let axes =
        to_i32(&node.constant(1)).into_iter().map(|axis| axis.rem_euclid(shape.len() as i32)).collect::<Vec<_>>();
    let (first, last) = (*axes.iter().min().unwrap() as usize, *axes.iter().max().unwrap() as usize);
    assert_eq!(last - first + 1, axes.len(), "the axes are adjacent");
    (shape[..first].iter().product(), shape[first..=last].iter().product(), shape[last + 1..].iter().product())
}

fn run_mean(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (shape, output) = (reduction(node), node.output());
    let range = OutputRange::int8(output.zero_point());
    if node.is_int16() {
        let range = OutputRange { zero_point: output.zero_point(), minimum: -32768, maximum: 32767 };
        let layer = Mean::new(shape, node.affine(0), output.scale(), range).unwrap();
        let mut result = vec![0; layer.output_len()];
        mean(&layer, Separate { input: &node.int16(case, 0), output: &mut result }).unwrap();
        bytes16(result)
    } else {
        let layer = Mean::new(shape, node.affine(0), output.scale(), range).unwrap();
        let mut result = vec![0; layer.output_len()];
        mean(&layer, Separate { input: &node.int8(case, 0), output: &mut result }).unwrap();
        bytes8(result)
    }
}

fn run_reduce_max(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (outer, reduced, inner) = reduction(node);
    let shape = Reduction::new(outer, reduced, inner).unwrap();
    let mut result = vec![0; shape.output_len()];
    reduce_max(&shape, Separate { input: &node.int8(case, 0), output: &mut result }).unwrap();
    bytes8(result)
}

fn run_squared_difference(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let pairing = Pairing::new(node.input(0).len(), node.input(1).len()).unwrap();
    let layer = SquaredDifference::new(pairing, node.affine(0), node.affine(1), affine(node.output())).unwrap();
    let mut output = vec![0; pairing.output_len()];
    let (left, right) = (node.int8(case, 0), node.int8(case, 1));
    squared_difference(&layer, SeparatePair { left: &left, right: &right, output: &mut output }).unwrap();
    bytes8(output)
}

fn run_l2_norm(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let columns = *node.input(0).shape.last().unwrap();
    let layer = L2Norm::new(node.input(0).len() / columns, columns, node.input(0).zero_point()).unwrap();
    let mut output = vec![0; layer.len()];
    l2_norm(&layer, Separate { input: &node.int8(case, 0), output: &mut output }).unwrap();
    bytes8(output)
}

fn run_matmul(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (left, right, output) = (&node.input(0).shape, &node.input(1).shape, node.output());
    let rank = left.len();
    let transposed = |name: &str| node.operator.option(name) == "True";
    let (left_transposed, right_transposed) = (transposed("adjX"), transposed("adjY"));
    let batch = [1, 1, left[..rank - 2].iter().product()];
    let depth = if left_transposed { left[rank - 2] } else { left[rank - 1] };
    let shape = MatmulShape {
        left_batch: batch,
        right_batch: batch,
        left_transposed,
        right_transposed,
        ..MatmulShape::new(output.shape[rank - 2], depth, output.shape[rank - 1])
    };
    assert_eq!(right.iter().product::<usize>(), shape.right_len());
    let to = affine(output);
    let range = OutputRange::int8(to.zero_point);
    let layer = Matmul::new(shape, node.affine(0), node.affine(1), &[], Sums::Bits32, to.scale, range).unwrap();
    let mut result = vec![0; output.len()];
    matmul(&layer, &node.int8(case, 0), &node.int8(case, 1), &mut result).unwrap();
    bytes8(result)
}

fn run_pad(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (given, paddings) = (&node.input(0).shape, to_i32(&node.constant(1)));
    let missing = 4 - given.len();
    let shape = std::array::from_fn(|axis| if axis < missing { 1 } else { given[axis - missing] });
    let side = |behind: usize| {
        std::array::from_fn(|axis| if axis < missing { 0 } else { paddings[2 * (axis - missing) + behind] as usize })
    };
    let value =
        if node.operator.name == "PADV2" { node.constant(2)[0] as i8 as i32 } else { node.input(0).zero_point() };
    let layer = Pad::new(shape, side(0), side(1), value).unwrap();
    if node.is_int16() {
        let mut output = vec![0; layer.output_len()];
        pad(&layer, Separate { input: &node.int16(case, 0), output: &mut output }).unwrap();
        bytes16(output)
    } else {
        let mut output = vec![0; layer.output_len()];
        pad(&layer, Separate { input: &node.int8(case, 0), output: &mut output }).unwrap();
        bytes8(output)
    }
}

fn run_quantise<T: Element>(node: &Node<'_>, case: &Case, mut result: Vec<T>) -> Vec<T> {
    let (input, output) = (node.input(0), node.output());
    if input.dtype == "FLOAT32" {
        quantise(affine(output), &to_f32(node.bytes(case, 0)), &mut result).unwrap();
        return result;
    }
    node.check(&[Multiplier::from_f64(f64::from(input.scale()) / f64::from(output.scale()))]);
    let layer = Requantise::new(affine(input), affine(output)).unwrap();
    if node.is_int16() {
        requantise(&layer, &node.int16(case, 0), &mut result).unwrap();
    } else {
        requantise(&layer, &node.int8(case, 0), &mut result).unwrap();
    }
    result
}

fn run_dequantise(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let mut result = vec![0.0; node.output().len()];
    if node.is_int16() {
        dequantise(node.affine(0), &node.int16(case, 0), &mut result).unwrap();
    } else {
        dequantise(node.affine(0), &node.int8(case, 0), &mut result).unwrap();
    }
    result.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn run_softmax(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let shape = &node.input(0).shape;
    let columns = *shape.last().unwrap();
    let (rows, beta) = (node.input(0).len() / columns, node.operator.number("beta"));
    if node.is_int16() {
        let layer = SoftmaxInt16::new(rows, columns, beta, node.input(0).scale()).unwrap();
        let mut output = vec![0; layer.len()];
        softmax_int16(&layer, Separate { input: &node.int16(case, 0), output: &mut output }).unwrap();
        return bytes16(output);
    }
    let layer = Softmax::new(rows, columns, beta, node.input(0).scale()).unwrap();
    let input = node.int8(case, 0);
    if node.output().dtype == "INT16" {
        let mut output = vec![0; layer.len()];
        softmax_to_int16(&layer, &input, &mut output).unwrap();
        bytes16(output)
    } else {
        let mut output = vec![0; layer.len()];
        softmax(&layer, Separate { input: &input, output: &mut output }).unwrap();
        bytes8(output)
    }
}

fn run_log_softmax(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let columns = *node.input(0).shape.last().unwrap();
    let layer = LogSoftmax::new(node.input(0).len() / columns, columns, node.input(0).scale()).unwrap();
    let mut output = vec![0; layer.len()];
    log_softmax(&layer, Separate { input: &node.int8(case, 0), output: &mut output }).unwrap();
    bytes8(output)
}

fn run_lookup(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (input, output) = (node.affine(0), affine(node.output()));
    let table = match node.operator.name.as_str() {
        "LOGISTIC" => Table::logistic(input),
        "TANH" => Table::tanh(input),
        "HARD_SWISH" => Table::hard_swish(input, output),
        "LEAKY_RELU" => Table::leaky_relu(node.operator.number("alpha"), input, output),
        "RELU" => Table::relu(FusedActivation::Relu, input, output),
        "RELU6" => Table::relu(FusedActivation::Relu6, input, output),
        "ELU" => Table::elu(input, output),
        other => panic!("no table for {other}"),
    }
    .unwrap();
    let values = node.int8(case, 0);
    let mut result = vec![0; values.len()];
    lookup(&table, values.len(), Separate { input: &values, output: &mut result }).unwrap();
    bytes8(result)
}

fn run_activation_int16(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let values = node.int16(case, 0);
    let length = values.len();
    let mut result = vec![0; length];
    let tensors = Separate { input: &values, output: &mut result };
    let scale = node.input(0).scale();
    match node.operator.name.as_str() {
        "LOGISTIC" => logistic_int16(&Interpolation::logistic(scale).unwrap(), length, tensors),
        "TANH" => tanh_int16(&Interpolation::tanh(scale).unwrap(), length, tensors),
        "LEAKY_RELU" => {
            let alpha = node.operator.number("alpha");
            let layer = LeakyRelu::new(length, alpha, node.affine(0), affine(node.output())).unwrap();
            leaky_relu_int16(&layer, tensors)
        }
        other => panic!("no int16 {other}"),
    }
    .unwrap();
    bytes16(result)
}

fn run_prelu(node: &Node<'_>, case: &Case) -> Vec<u8> {
    let (values, alpha) = (node.int8(case, 0), to_i8(&node.constant(1)));
    let pairing = Pairing::new(values.len(), alpha.len()).unwrap();
    let layer = Prelu::new(pairing, node.affine(0), node.affine(1), affine(node.output())).unwrap();
    let mut output = vec![0; values.len()];
    prelu(&layer, SeparatePair { left: &values, right: &alpha, output: &mut output }).unwrap();
    bytes8(output)
}

/// The output of a golden's operator, or none when there is no kernel for it.
fn run(node: &Node<'_>, case: &Case) -> Option<Vec<u8>> {
    let int16 = node.input(0).dtype == "INT16";
    let groups = match node.operator.name.as_str() {
        "CONV_2D" => node.input(0).shape[3] / node.input(1).shape[3],
        _ => 1,
    };
    Some(match node.operator.name.as_str() {
        "CONV_2D" if node.input(0).shape[3] != node.input(1).shape[3] => return None, // grouped
        "CONV_2D" if groups > 1 => return None,
        "CONV_2D" if !int16 => run_conv2d(node, case),
        "DEPTHWISE_CONV_2D" if !int16 => run_depthwise(node, case),
        "FULLY_CONNECTED" if !int16 => run_dense(node, case),
        "CONV_2D" | "DEPTHWISE_CONV_2D" | "FULLY_CONNECTED" => run_weighted_int16(node, case),
        "TRANSPOSE_CONV" => run_transpose_conv(node, case),
        "MAX_POOL_2D" | "AVERAGE_POOL_2D" => run_pool(node, case),
        "ADD" | "SUB" => run_add(node, case),
        "MEAN" => run_mean(node, case),
        "REDUCE_MAX" => run_reduce_max(node, case),
        "SQUARED_DIFFERENCE" => run_squared_difference(node, case),
        "L2_NORMALIZATION" => run_l2_norm(node, case),
        "BATCH_MATMUL" => run_matmul(node, case),
        "PAD" | "PADV2" => run_pad(node, case),
        "QUANTIZE" if node.input(0).dtype == "UINT8" => return None,
        "QUANTIZE" => match node.output().dtype.as_str() {
            "INT8" => bytes8(run_quantise(node, case, vec![0; node.output().len()])),
            "INT16" => bytes16(run_quantise(node, case, vec![0; node.output().len()])),
            _ => return None,
        },
        "DEQUANTIZE" => run_dequantise(node, case),
        "LOGISTIC" | "TANH" | "LEAKY_RELU" if int16 => run_activation_int16(node, case),
        "LOGISTIC" | "TANH" | "LEAKY_RELU" | "HARD_SWISH" | "RELU" | "RELU6" | "ELU" => run_lookup(node, case),
        "PRELU" => run_prelu(node, case),
        "SOFTMAX" => run_softmax(node, case),
        "LOG_SOFTMAX" => run_log_softmax(node, case),
        _ => return None,
    })
}

#[test]
fn single_operators_give_the_recorded_outputs() {
    let mut goldens = golden::all("tests/data/ops");
    goldens.extend(golden::all("../shared/golden/ops"));
    let (mut models, mut cases, mut without, mut wrong) = (0, 0, Vec::new(), Vec::new());
    for golden in &goldens {
        if ELSEWHERE.iter().any(|prefix| golden.name.starts_with(prefix)) {
            continue;
        }
        let [operator] = golden.operators.as_slice() else { panic!("{}: one operator expected", golden.name) };
        let node = Node { golden, operator };
        let mut differing = 0;
        for case in &golden.cases {
            let Some(found) = run(&node, case) else {
                without.push(golden.name.as_str());
                break;
            };
            cases += 1;
            let expected = case.output(operator.outputs[0]);
            assert_eq!(found.len(), expected.len(), "{}", golden.name);
            differing += found.iter().zip(expected).filter(|(found, expected)| found != expected).count();
        }
        models += 1;
        if differing > 0 {
            wrong.push((golden.name.as_str(), differing));
        }
    }
    println!("{models} models, {cases} cases; without a kernel: {without:?}");
    assert!(wrong.is_empty(), "differing bytes: {wrong:?}");
    assert!(models - without.len() >= 100, "only {models} models");
}
