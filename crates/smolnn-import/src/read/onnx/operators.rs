//! The table of operators: for each its name, with the domain in front where it is not ONNX's own, and the function that reads it.

use super::operator::Op;
use super::{convolution, elementwise, movement, normalise, pool, product, quantised, recurrent, reduce, resize};
use crate::error::Problem;
use crate::net::{BinaryKind, Comparison, PoolKind, ReduceKind, TensorId, UnaryKind};

/// What an operator becomes: its outputs, of which the last ones may be missing where they have no meaning for inference.
type Outputs = Result<Vec<TensorId>, Problem>;

/// A line of the table.
pub(super) struct Line {
    name: &'static str,
    read: fn(&mut Op<'_>) -> Outputs,
}

/// A line: the name, and what is read from the operator.
macro_rules! line {
    ($name:literal, $op:ident => $outputs:expr) => {
        Line { name: $name, read: |$op| $outputs }
    };
    ($name:literal, unary $kind:expr) => {
        Line { name: $name, read: |op| elementwise::unary(op, $kind) }
    };
    ($name:literal, binary $kind:expr) => {
        Line { name: $name, read: |op| elementwise::binary(op, $kind) }
    };
}

const LINES: &[Line] = &[
    line!("Abs", unary UnaryKind::Abs),
    line!("Add", binary BinaryKind::Add),
    line!("And", binary BinaryKind::LogicalAnd),
    line!("ArgMax", op => reduce::arg_extreme(op, true)),
    line!("ArgMin", op => reduce::arg_extreme(op, false)),
    line!("AveragePool", op => pool::pool(op, PoolKind::Average)),
    line!("BatchNormalization", op => normalise::batch(op)),
    line!("Cast", op => elementwise::cast(op)),
    line!("CastLike", op => elementwise::cast_like(op)),
    line!("Ceil", unary UnaryKind::Ceil),
    line!("Celu", op => elementwise::celu(op)),
    line!("Clip", op => elementwise::clip(op)),
    line!("Concat", op => movement::concat(op)),
    line!("Constant", op => movement::constant(op)),
    line!("ConstantOfShape", op => movement::constant_of_shape(op)),
    line!("Conv", op => convolution::conv(op)),
    line!("ConvTranspose", op => convolution::conv_transpose(op)),
    line!("Cos", unary UnaryKind::Cos),
    line!("CumSum", op => reduce::cumulative_sum(op)),
    line!("DepthToSpace", op => movement::depth_to_space(op)),
    line!("DequantizeLinear", op => quantised::dequantise(op)),
    line!("Div", binary BinaryKind::Divide),
    line!("Dropout", op => movement::identity(op)),
    line!("Einsum", op => product::einsum(op)),
    line!("Elu", op => elementwise::elu(op)),
    line!("Equal", op => elementwise::compare(op, Comparison::Equal)),
    line!("Erf", unary UnaryKind::Erf),
    line!("Exp", unary UnaryKind::Exp),
    line!("Expand", op => movement::expand(op)),
    line!("Flatten", op => movement::flatten(op)),
    line!("Floor", unary UnaryKind::Floor),
    line!("GRU", op => recurrent::recurrent(op, recurrent::Kind::Gru)),
    line!("Gather", op => movement::gather(op)),
    line!("Gelu", op => elementwise::gelu(op)),
    line!("Gemm", op => product::gemm(op)),
    line!("GlobalAveragePool", op => pool::global(op, ReduceKind::Mean)),
    line!("GlobalMaxPool", op => pool::global(op, ReduceKind::Max)),
    line!("Greater", op => elementwise::compare(op, Comparison::Greater)),
    line!("GreaterOrEqual", op => elementwise::compare(op, Comparison::GreaterEqual)),
    line!("GroupNormalization", op => normalise::group(op)),
    line!("HardSigmoid", op => elementwise::hard_sigmoid(op)),
    line!("HardSwish", unary UnaryKind::HardSwish),
    line!("Identity", op => movement::identity(op)),
    line!("InstanceNormalization", op => normalise::instance(op)),
    line!("IsNaN", op => elementwise::is_nan(op)),
    line!("LSTM", op => recurrent::recurrent(op, recurrent::Kind::Lstm)),
    line!("LayerNormalization", op => normalise::layer(op)),
    line!("LeakyRelu", op => elementwise::leaky_relu(op)),
    line!("Less", op => elementwise::compare(op, Comparison::Less)),
    line!("LessOrEqual", op => elementwise::compare(op, Comparison::LessEqual)),
    line!("Log", unary UnaryKind::Log),
    line!("LogSoftmax", op => normalise::softmax(op, true)),
    line!("LpNormalization", op => normalise::lp(op)),
    line!("MatMul", op => product::matmul(op)),
    line!("Max", op => elementwise::several(op, BinaryKind::Maximum)),
    line!("MaxPool", op => pool::pool(op, PoolKind::Max)),
    line!("Mean", op => elementwise::mean(op)),
    line!("Min", op => elementwise::several(op, BinaryKind::Minimum)),
    line!("Mish", unary UnaryKind::Mish),
    line!("Mod", op => elementwise::modulo(op)),
    line!("Mul", binary BinaryKind::Multiply),
    line!("Neg", unary UnaryKind::Negate),
    line!("Not", unary UnaryKind::LogicalNot),
    line!("Or", binary BinaryKind::LogicalOr),
    line!("PRelu", op => elementwise::prelu(op)),
    line!("Pad", op => movement::pad(op)),
    line!("Pow", op => elementwise::pow(op)),
    line!("QLinearConv", op => quantised::conv(op)),
    line!("QLinearMatMul", op => quantised::matmul(op)),
    line!("QuantizeLinear", op => quantised::quantise(op)),
    line!("RMSNormalization", op => normalise::root_mean_square(op)),
    line!("RNN", op => recurrent::recurrent(op, recurrent::Kind::Rnn)),
    line!("Range", op => movement::range(op)),
    line!("Reciprocal", op => elementwise::reciprocal(op)),
    line!("ReduceL1", op => reduce::reduce(op, reduce::Kind::L1)),
    line!("ReduceL2", op => reduce::reduce(op, reduce::Kind::L2)),
    line!("ReduceLogSum", op => reduce::reduce(op, reduce::Kind::LogSum)),
    line!("ReduceLogSumExp", op => reduce::reduce(op, reduce::Kind::LogSumExp)),
    line!("ReduceMax", op => reduce::reduce(op, reduce::Kind::Net(ReduceKind::Max))),
    line!("ReduceMean", op => reduce::reduce(op, reduce::Kind::Net(ReduceKind::Mean))),
    line!("ReduceMin", op => reduce::reduce(op, reduce::Kind::Net(ReduceKind::Min))),
    line!("ReduceProd", op => reduce::reduce(op, reduce::Kind::Net(ReduceKind::Product))),
    line!("ReduceSum", op => reduce::reduce(op, reduce::Kind::Net(ReduceKind::Sum))),
    line!("ReduceSumSquare", op => reduce::reduce(op, reduce::Kind::SumSquare)),
    line!("Relu", unary UnaryKind::Relu),
    line!("Reshape", op => movement::reshape(op)),
    line!("Resize", op => resize::resize(op)),
    line!("Round", unary UnaryKind::Round),
    line!("Selu", op => elementwise::selu(op)),
    line!("Shape", op => movement::shape(op)),
    line!("Sigmoid", unary UnaryKind::Logistic),
    line!("Sign", unary UnaryKind::Sign),
    line!("Sin", unary UnaryKind::Sin),
    line!("Size", op => movement::size(op)),
    line!("Slice", op => movement::slice(op)),
    line!("Softmax", op => normalise::softmax(op, false)),
    line!("Softplus", unary UnaryKind::Softplus),
    line!("Softsign", unary UnaryKind::Softsign),
    line!("SpaceToDepth", op => movement::space_to_depth(op)),
    line!("Split", op => movement::split(op)),
    line!("Sqrt", unary UnaryKind::Sqrt),
    line!("Squeeze", op => movement::squeeze(op)),
    line!("Sub", binary BinaryKind::Subtract),
    line!("Sum", op => elementwise::several(op, BinaryKind::Add)),
    line!("Swish", op => elementwise::swish(op)),
    line!("Tanh", unary UnaryKind::Tanh),
    line!("ThresholdedRelu", op => elementwise::thresholded_relu(op)),
    line!("Tile", op => movement::tile(op)),
    line!("Transpose", op => movement::transpose(op)),
    line!("Trilu", op => movement::triangle(op)),
    line!("Unsqueeze", op => movement::unsqueeze(op)),
    line!("Upsample", op => resize::upsample(op)),
    line!("Where", op => elementwise::select(op)),
    line!("Xor", op => elementwise::compare(op, Comparison::NotEqual)),
    line!("ai.onnx.ml.ArrayFeatureExtractor", op => movement::extract(op)),
    line!("ai.onnx.ml.Normalizer", op => normalise::features(op)),
    line!("ai.onnx.ml.Scaler", op => elementwise::scaler(op)),
    line!("ai.onnx.ml.ZipMap", op => movement::identity(op)),
    line!("com.microsoft.DequantizeLinear", op => quantised::dequantise(op)),
    line!("com.microsoft.Gelu", unary UnaryKind::Gelu { approximate: false }),
    line!("com.microsoft.QGemm", op => quantised::gemm(op)),
    line!("com.microsoft.QLinearAdd", op => quantised::binary(op, BinaryKind::Add)),
    line!("com.microsoft.QLinearAveragePool", op => quantised::average(op)),
    line!("com.microsoft.QLinearConcat", op => quantised::concat(op)),
    line!("com.microsoft.QLinearGlobalAveragePool", op => quantised::global_average(op)),
    line!("com.microsoft.QLinearLeakyRelu", op => quantised::leaky_relu(op)),
    line!("com.microsoft.QLinearMul", op => quantised::binary(op, BinaryKind::Multiply)),
    line!("com.microsoft.QLinearSigmoid", op => quantised::sigmoid(op)),
    line!("com.microsoft.QLinearSoftmax", op => quantised::softmax(op)),
    line!("com.microsoft.QuantizeLinear", op => quantised::quantise(op)),
];

impl Line {
    /// The line of an operator.
    pub fn of(name: &str) -> Option<&'static Self> {
        LINES.iter().find(|line| line.name == name)
    }

    /// Reads an operator: its outputs.
    pub fn read(&self, op: &mut Op<'_>) -> Outputs {
        (self.read)(op)
    }
}

/// What is wrong with an operator without a line, and what would be right.
pub(super) fn unknown() -> (String, String) {
    let names: Vec<&str> = LINES.iter().map(|line| line.name).collect();
    ("an operator that is not supported".into(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_and_unique() {
        assert!(LINES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
