//! From nodes to calls of kernels.
//!
//! Each family of operators has a file: what its kernels demand of the tensors, what they cost, how the output may overlap an input, and the calls
//! themselves. int8, int16 and f32 of an operator stand together. Shapes were checked by inference before, so that a family only says what its kernel
//! demands beyond that.
//!
//! - `context`: the node, and the words for what is wrong with it.
//! - `call`: what a node becomes; `argument`: the arguments, each as value and as Rust; `source`: the constants of the module.
//! - `memory`: where tensors lie, as slices here and as variables in generated code.
//! - `rows`: the calls of a node over some of its rows.
//! - `weights`: weights, packed for a backend or as the file has them.

mod activation;
mod argument;
mod axis;
mod binary;
mod blocks;
mod call;
mod context;
mod conv;
mod convert;
mod custom;
mod dense;
mod gather;
mod matmul;
mod memory;
mod movement;
mod normalise;
mod pad;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod rows;
mod sequence;
mod signal;
mod source;
mod state;
mod weights;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use smolnn_core::SequenceOrder;
use smolnn_fixed::Backend;

pub(crate) use self::call::Call;
use self::context::Context;
pub use self::custom::CustomTensors;
pub(crate) use self::memory::{Io, Memory, Operand, Part, Place, Storage};
pub(crate) use self::rows::RowLowering;
pub(crate) use self::source::Source;
use crate::error::{Error, Problem};
use crate::net::{Net, Node, Operator, TensorId, View, check_elements, check_shapes};

/// Most nodes that are lowered, most tensors that they write, and most inputs and outputs of a model: the plan takes time in proportion to the
/// square of their number.
const MOST_NODES: usize = 2000;

/// What a node becomes.
enum Lowered {
    /// Nothing: the output is the input under another shape.
    Alias { input: TensorId, output: TensorId },
    /// Calls, one after the other.
    Calls(Vec<Call>),
    /// A call that writes a variable, whose memory the output then shares.
    Variable { call: Box<Call>, variable: TensorId, output: TensorId },
}

impl From<Call> for Lowered {
    fn from(call: Call) -> Self {
        Lowered::Calls(vec![call])
    }
}

/// A call, and the node that it belongs to.
#[derive(Debug)]
pub(crate) struct Lowering {
    /// Position of the node in the net.
    pub node: usize,
    pub call: Call,
}

/// The calls of a net.
pub(crate) struct Calls {
    /// The net, with the tensors between the calls of one node added.
    pub net: Net,
    /// The calls, in order.
    pub calls: Vec<Lowering>,
    /// For each tensor the one whose memory it shares: itself, unless it is another shape of that one.
    pub roots: Vec<TensorId>,
}

/// Bytes by which the constants of a model may grow where no budget is stated: a quarter of what the five models of docs/performance.md have together.
const LARGEST_GROWTH: usize = 128 << 10;

impl Calls {
    /// Takes bodies that take fewer cycles and more flash, those of `wanted` layers, as long as the constants grow by no more than `budget` bytes, or, where
    /// none is stated, by no more than [`LARGEST_GROWTH`], and no more than twice their size. Gives the layers that have them, those first that save most
    /// per byte, and the cycles that all of them save.
    pub(crate) fn within_flash(&mut self, budget: Option<usize>, wanted: impl Fn(&Node) -> bool) -> Faster {
        // Nodes that read the same constants share the weights of their calls: the first such node stands for all.
        let mut sharers: HashMap<Vec<TensorId>, usize> = HashMap::new();
        let mut groups: BTreeMap<usize, Vec<&mut Call>> = BTreeMap::new();
        let mut constants = 0;
        for Lowering { node, call } in &mut self.calls {
            let inputs = self.net.nodes[*node].inputs.iter().flatten().copied();
            let read: Vec<TensorId> = inputs.filter(|&id| self.net.tensors[id].data.is_some()).collect();
            let first = if read.is_empty() { *node } else { *sharers.entry(read).or_insert(*node) };
            constants += if first == *node { call.constant_bytes } else { 0 };
            if wanted(&self.net.nodes[first]) {
                groups.entry(first).or_default().push(call);
            }
        }
        let budget = budget.unwrap_or(LARGEST_GROWTH.min(2 * constants));
        let taken = call::take_faster(groups.into_iter().collect(), budget);
        Faster {
            layers: taken.iter().map(|&(node, _)| self.net.nodes[node].index).collect(),
            saved_cycles: taken.iter().map(|&(_, saved)| saved).sum(),
        }
    }
}

/// The layers whose bodies take fewer cycles and more flash.
pub(crate) struct Faster {
    /// Their indices in the file, those first that save most per byte.
    pub layers: Vec<usize>,
    pub saved_cycles: u64,
}

/// Lowers a node that inference accepted.
fn lower_node(context: &Context<'_>) -> Result<Lowered, Problem> {
    let operator = &context.node.operator;
    match operator {
        Operator::Unary(kind) => activation::unary(context, *kind),
        Operator::Lookup(outputs) => activation::lookup_call(context, outputs),
        Operator::Prelu => activation::prelu_call(context),
        Operator::Binary(kind, activation) => binary::lower(context, *kind, *activation),
        Operator::Compare(comparison) => binary::compare_call(context, *comparison),
        Operator::Select { .. } => binary::select_call(context),
        Operator::AddN => binary::add_n_call(context),
        Operator::ArgExtreme { largest } => axis::arg_extreme_call(context, *largest),
        Operator::CumulativeSum { exclusive, reverse } => axis::cumulative_sum_call(context, *exclusive, *reverse),
        Operator::Cast => convert::cast_call(context),
        Operator::ZerosLike => movement::zeros_call(context),
        Operator::Conv2d { window, activation, narrow_sums } => {
            conv::conv2d_call(context, window, *activation, *narrow_sums)
        }
        Operator::DepthwiseConv2d { window, activation } => conv::depthwise_call(context, window, *activation),
        Operator::TransposeConv2d { window, activation } => conv::transpose_call(context, window, *activation),
        Operator::Quantise => convert::quantise_call(context),
        Operator::Dequantise => convert::dequantise_call(context),
        Operator::Dense { activation, narrow_sums, .. } => dense::lower(context, *activation, *narrow_sums),
        Operator::MatMul { left_transposed, right_transposed } => {
            matmul::lower(context, *left_transposed, *right_transposed)
        }
        Operator::Reshape | Operator::ExpandDims => {
            Ok(Lowered::Alias { input: context.input(0)?, output: context.output(0)? })
        }
        Operator::Transpose
        | Operator::StridedSlice { .. }
        | Operator::Slice
        | Operator::Concatenate { .. }
        | Operator::Split
        | Operator::Pack { .. }
        | Operator::Unpack { .. }
        | Operator::Reverse
        | Operator::DepthToSpace { .. }
        | Operator::SpaceToDepth { .. }
        | Operator::MirrorPad { .. }
        | Operator::Tile
        | Operator::BroadcastTo => movement::lower(context),
        Operator::ResizeBilinear { align_corners, half_pixel_centers } => {
            resize::bilinear_call(context, *align_corners, *half_pixel_centers)
        }
        Operator::ResizeNearest { align_corners, half_pixel_centers } => {
            resize::nearest_call(context, *align_corners, *half_pixel_centers)
        }
        Operator::Gather { axis, batch_dims } => gather::gather_call(context, *axis, *batch_dims),
        Operator::GatherNd => gather::gather_nd_call(context),
        Operator::UpdateSlice => gather::update_slice_call(context),
        Operator::SpaceToBatch => blocks::space_to_batch_call(context),
        Operator::BatchToSpace => blocks::batch_to_space_call(context),
        Operator::Softmax { beta } => normalise::softmax_call(context, *beta),
        Operator::LogSoftmax => normalise::log_softmax_call(context),
        Operator::L2Normalise { activation } => normalise::l2_norm_call(context, *activation),
        Operator::Pad => pad::lower(context),
        Operator::Pool2d { kind, kernel, window, activation } => {
            pool::lower(context, *kind, *kernel, window, *activation)
        }
        Operator::Recurrent { cell, time_major, reversed } => {
            sequence::lower(context, *cell, SequenceOrder { time_first: *time_major, reversed: *reversed })
        }
        Operator::Lstm { time_major, cell_clip } => recurrent::lstm_call(context, *time_major, *cell_clip),
        Operator::Svdf { rank, activation } => recurrent::svdf_call(context, *rank, *activation),
        Operator::Reduce { kind, .. } => reduce::lower(context, *kind),
        Operator::ReadVariable => state::read_call(context),
        Operator::AssignVariable => state::assign_call(context),
        Operator::SlideVariable => state::slide_call(context),
        // Folding gives shapes their values, but for outputs of the model.
        Operator::Shape => movement::shape_call(context),
        // Folding gives positions of constants their values, so that none of them is left.
        Operator::Where => {
            Err(context.fault("an operator whose result depends on the model's input", "operands that are constant"))
        }
        Operator::Signal(kind) => signal::lower(context, *kind),
        Operator::Custom { name, options, function } => custom::lower(context, name, options, function.as_deref()),
        // Inference refused what is left of loops.
        Operator::Loop { .. } => Err(context.fault("a loop", "loops that are unrolled")),
        // Inference refused it.
        Operator::Unsupported { found, supported, .. } => Err(context.fault(found, supported)),
    }
}

/// Lowers every node, or lists all that do not work.
pub(crate) fn lower(net: &Net, backend: Backend) -> Result<Calls, Error> {
    let problems = too_many(net);
    if !problems.is_empty() {
        return Err(Error::Unsupported(problems));
    }
    let temporaries = RefCell::new(Vec::new());
    let mut problems = Vec::new();
    let mut calls = Vec::new();
    let mut roots: Vec<TensorId> = (0..net.tensors.len()).collect();
    // Tensors whose shape is not known, since inference of their node failed: what that entails is no problem of its own.
    let mut unknown = vec![false; net.tensors.len()];
    for (position, node) in net.nodes.iter().enumerate() {
        let view = View { net, node };
        let entailed = node.inputs.iter().flatten().any(|&id| unknown[id]);
        let context = Context { view, backend, temporaries: &temporaries };
        let inferred = match check_shapes(&view) {
            Ok(inferred) => inferred,
            Err(problem) => {
                let is_cause = !entailed || matches!(node.operator, Operator::Unsupported { .. });
                problems.extend(is_cause.then_some(problem));
                for &id in &node.outputs {
                    // An operator that is not supported still states shapes, unless it leaves them open.
                    unknown[id] = entailed || !net.tensors[id].open.is_empty() || !is_cause;
                }
                continue;
            }
        };
        // An output that shares its memory, and the tensor whose memory it is.
        let mut shared = None;
        match lower_node(&context).and_then(|lowered| check_elements(&view, &inferred).map(|()| lowered)) {
            Err(problem) => problems.push(problem),
            Ok(Lowered::Alias { input, output }) => {
                problems.extend(variable_problem(&view, input));
                shared = Some((output, roots[input]));
            }
            Ok(Lowered::Variable { call, variable, output }) => {
                problems.extend(call.inputs.iter().filter_map(|&input| variable_problem(&view, input)));
                calls.push(Lowering { node: position, call: *call });
                shared = Some((output, roots[variable]));
            }
            Ok(Lowered::Calls(lowered)) => {
                roots.extend(roots.len()..net.tensors.len() + temporaries.borrow().len());
                for call in lowered {
                    problems.extend(call.inputs.iter().filter_map(|&input| variable_problem(&view, input)));
                    calls.push(Lowering { node: position, call });
                }
            }
        }
        let Some((output, root)) = shared else { continue };
        // An output of the model is a copy of the variable whose memory it would share.
        if !(net.tensors[root].variable && net.outputs.contains(&output)) {
            roots[output] = root;
            continue;
        }
        match state::copy_call(&context, root) {
            Ok(call) => calls.push(Lowering { node: position, call }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        problems = ends(net, &roots);
    }
    if !problems.is_empty() {
        return Err(Error::Unsupported(problems));
    }
    let mut net = net.clone();
    net.tensors.extend(temporaries.into_inner());
    Ok(Calls { net, calls, roots })
}

/// What the net has more of than [`MOST_NODES`].
fn too_many(net: &Net) -> Vec<Problem> {
    let counts = [
        (net.nodes.len(), "operators"),
        (net.nodes.iter().map(|node| node.outputs.len()).sum(), "tensors that operators write"),
        (net.inputs.len(), "inputs"),
        (net.outputs.len(), "outputs"),
    ];
    let excess = counts.into_iter().filter(|&(count, _)| count > MOST_NODES);
    excess.map(|(count, what)| Problem::model(format!("{count} {what}"), format!("at most {MOST_NODES}"))).collect()
}

/// The problem of a node that reads a variable as if it were any tensor.
fn variable_problem(view: &View<'_>, id: TensorId) -> Option<Problem> {
    let is_variable = view.net.tensors.get(id).is_some_and(|tensor| tensor.variable);
    is_variable.then(|| view.tensor_fault(id, "a variable tensor", "variables as the states of recurrent operators"))
}

/// What is wrong with the inputs and outputs of the model.
fn ends(net: &Net, roots: &[TensorId]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (list, what) in [(&net.inputs, "input"), (&net.outputs, "output")] {
        for &id in list {
            let (tensor, root) = (&net.tensors[id], &net.tensors[roots[id]]);
            let mut fault = |found: String, supported: &str| {
                problems.push(Problem {
                    operator: None,
                    tensor: Some((id, tensor.name.clone())),
                    found,
                    supported: supported.into(),
                });
            };
            if Storage::of(tensor.element).is_none() {
                fault(format!("an {what} of {}", tensor.element), "INT8, UINT8, INT16, INT32, UINT32, BOOL, FLOAT32");
            }
            if root.data.is_some() {
                fault(format!("an {what} that is a constant"), "outputs that are computed");
            }
            if root.variable {
                fault(format!("an {what} that is a variable"), "variables inside of recurrent operators");
            }
        }
    }
    problems
}
