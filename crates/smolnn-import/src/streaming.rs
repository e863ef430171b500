//! A net over a whole window of rows becomes one that takes the new rows of a stream, and keeps what it needs of the old ones.
//!
//! Every tensor that has the time axis shrinks to its newest rows: those that the rows of a step add to it when the window moves on. A
//! convolution or pooling over time then reads a variable with the old rows that its kernel still sees, which slides by the new ones
//! ([`Operator::SlideVariable`]); operators that work on each row stay as they are. Where an operator needs all rows at once (a mean over time, a
//! flattening layer), a variable holds the whole window of its input, and what follows is as before.
//!
//! A recurrent layer that reads its rows in order keeps its state in variables, and computes the new rows alone.
//!
//! All values are those that the net computes over the whole window. Rows of causal padding come before the stream's first row, so that they are
//! seen by its first window alone, and later windows see the rows before them. So does a recurrent layer: its first window starts from the state
//! that the net states, and later ones from what came before them.

use std::collections::HashMap;

use crate::error::Problem;
use crate::net::{
    Constant, Element, Net, Node, Operator, Padding, SlidingWindow, Tensor, TensorId, View, pad_amounts, reduced_axes,
};

/// A tensor of which a step adds rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rows {
    /// The axis of time.
    axis: usize,
    /// Rows of the whole window.
    window: usize,
    /// Rows that a step adds, fewer than those of the window.
    new: usize,
}

/// A piece of consecutive rows of the window, as the newest rows of a stream have it.
struct Piece {
    /// How many of the newest rows are read.
    reads: usize,
    /// The first one of these that is taken, and how many are.
    begin: usize,
    taken: usize,
    /// The piece has no more rows than are new: it is taken whole, and is not one that grows.
    is_whole: bool,
}

impl Piece {
    /// The piece of `window` rows that leaves out the `behind` newest ones.
    fn of(rows: Rows, window: usize, behind: usize, is_one: bool) -> Self {
        let is_whole = is_one || window <= rows.new;
        let taken = if is_whole { window } else { rows.new };
        let reads = (taken + behind).max(rows.new);
        Self { reads, begin: reads - behind - taken, taken, is_whole }
    }

    fn outcome(&self, outputs: Rows) -> Outcome {
        let reads = self.reads;
        if self.is_whole { Outcome::Newest(reads) } else { Outcome::Rows { outputs, reads } }
    }
}

/// What becomes of a node that reads rows.
enum Outcome {
    /// It works on new rows: those of its first output, and how many rows of input 0 it reads. Other outputs are states, which have none.
    Rows { outputs: Rows, reads: usize },
    /// It reads this many of the newest rows of input 0, and its outputs are as with the whole window.
    Newest(usize),
    /// It needs the whole window.
    Window,
}

/// The net over a stream: its input has `step` rows along `axis`.
///
/// # Errors
/// The problem of the input, or of the first operator that keeps the net from being one over a stream.
pub(crate) fn streaming(net: &Net, axis: usize, step: usize) -> Result<Net, Problem> {
    let &[input] = &net.inputs[..] else {
        return Err(Problem::model(format!("{} inputs", net.inputs.len()), "one input, whose rows are the stream"));
    };
    let shape = &net.tensors[input].shape;
    let of_input = |found: String, supported: String| Problem {
        tensor: Some((input, net.tensors[input].name.clone())),
        ..Problem::model(found, supported)
    };
    let Some(&window) = shape.get(axis) else {
        return Err(of_input(format!("axis {axis} of time"), format!("an axis of the shape {shape:?}")));
    };
    if shape[..axis].iter().any(|&length| length != 1) {
        let found = format!("time as axis {axis} of {shape:?}");
        let supported = "time as the first axis that is longer than 1 (`Model::channels_last_inputs` puts ONNX's channels behind it)";
        return Err(of_input(found, supported.into()));
    }
    if step == 0 || step > window {
        return Err(of_input(format!("a step of {step} rows"), format!("1 to {window}, the rows of the window")));
    }
    let mut stream = Stream {
        net: Net { nodes: Vec::new(), ..net.clone() },
        rows: HashMap::new(),
        slid: HashMap::new(),
        states: Vec::new(),
    };
    if step < window {
        stream.rows.insert(input, Rows { axis, window, new: step });
    }
    for node in &net.nodes {
        stream.node(&View { net, node })?;
    }
    stream.net.nodes.append(&mut stream.states);
    for (&id, rows) in &stream.rows {
        let tensor = &mut stream.net.tensors[id];
        tensor.shape[rows.axis] = rows.new;
        tensor.open.clear();
    }
    debug_assert!(stream.net.check_flow().is_ok(), "the net over a stream flows");
    Ok(stream.net)
}

/// The net as far as it is made.
struct Stream {
    net: Net,
    /// The tensors that have new rows only.
    rows: HashMap<TensorId, Rows>,
    /// By tensor and number of rows, the tensor of its newest rows.
    slid: HashMap<(TensorId, usize), TensorId>,
    /// The nodes that keep the states of recurrent layers, behind all others.
    states: Vec<Node>,
}

impl Stream {
    fn node(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let mut node = view.node.clone();
        let reads_rows = |id: &TensorId| self.rows.contains_key(id);
        if !view.node.inputs.iter().flatten().any(reads_rows) {
            self.net.nodes.push(node);
            return Ok(());
        }
        refuse_states(view)?;
        match self.outcome(view, &mut node)? {
            // All rows are new in each step: as with the whole window.
            Outcome::Rows { outputs, .. } if outputs.new >= outputs.window => self.whole(view, node),
            Outcome::Rows { outputs, reads } => {
                if let Some(first) = view.optional_input(0)
                    && self.rows.contains_key(&first)
                {
                    node.inputs[0] = Some(self.newest(view, first, reads)?);
                }
                self.rows.insert(view.output(0)?, outputs);
                self.net.nodes.push(node);
                Ok(())
            }
            Outcome::Newest(reads) => {
                node.inputs[0] = Some(self.newest(view, view.input(0)?, reads)?);
                self.net.nodes.push(node);
                Ok(())
            }
            Outcome::Window => self.whole(view, node),
        }
    }

    /// Adds the node as it was: it reads the whole window of what has rows.
    fn whole(&mut self, view: &View<'_>, mut node: Node) -> Result<(), Problem> {
        node.operator = view.node.operator.clone();
        node.inputs = view.node.inputs.clone();
        for input in &mut node.inputs {
            if let Some(id) = *input
                && let Some(rows) = self.rows.get(&id)
            {
                *input = Some(self.newest(view, id, rows.window)?);
            }
        }
        self.net.nodes.push(node);
        Ok(())
    }

    /// A tensor with the newest rows of another one; for more than are new, a variable that slides.
    fn newest(&mut self, view: &View<'_>, id: TensorId, count: usize) -> Result<TensorId, Problem> {
        let rows = self.rows[&id];
        if count == rows.new {
            return Ok(id);
        }
        if let Some(&slid) = self.slid.get(&(id, count)) {
            return Ok(slid);
        }
        let like = &self.net.tensors[id];
        if like.shape[..rows.axis].iter().any(|&length| length != 1) {
            let found = format!("rows of {:?} along axis {}", like.shape, rows.axis);
            return Err(view.tensor_fault(id, found, "time as the first axis that is longer than 1"));
        }
        let mut shape = like.shape.clone();
        shape[rows.axis] = count;
        let output =
            Tensor { name: format!("{} rows of {}", count, like.name), shape, open: Vec::new(), ..like.clone() };
        let variable = Tensor { variable: true, start: silence(&output), ..output.clone() };
        let first = self.net.tensors.len();
        self.net.tensors.extend([variable, output]);
        self.net.nodes.push(Node {
            index: view.node.index,
            name: view.node.name.clone(),
            operator: Operator::SlideVariable,
            inputs: vec![Some(first), Some(id)],
            outputs: vec![first + 1],
        });
        self.slid.insert((id, count), first + 1);
        Ok(first + 1)
    }

    /// What becomes of a node that reads rows; `node` gets the attributes and operands that it has then.
    fn outcome(&mut self, view: &View<'_>, node: &mut Node) -> Result<Outcome, Problem> {
        let first = view.optional_input(0).and_then(|id| self.rows.get(&id)).copied();
        match &mut node.operator {
            Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } => {
                let (Some(rows), true) = (first, self.others_are_constant(view)) else { return Ok(Outcome::Window) };
                let &[_, height, width, _] = view.input_shape(1)? else { return Ok(Outcome::Window) };
                windowed(view, rows, window, [height, width])
            }
            Operator::Pool2d { kernel, window, .. } => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                windowed(view, rows, window, *kernel)
            }
            Operator::Unary(_)
            | Operator::Lookup(_)
            | Operator::Prelu
            | Operator::Binary(..)
            | Operator::Compare(_)
            | Operator::Select { .. }
            | Operator::AddN
            | Operator::ZerosLike
            | Operator::Quantise
            | Operator::Dequantise
            | Operator::Cast => self.elementwise(view),
            Operator::Softmax { .. } | Operator::LogSoftmax | Operator::L2Normalise { .. } => {
                Ok(first.filter(|rows| rows.axis + 1 < rank(view)).map_or(Outcome::Window, each_row))
            }
            Operator::Dense { .. } => {
                let (Some(rows), true) = (first, self.others_are_constant(view)) else { return Ok(Outcome::Window) };
                dense(view, rows)
            }
            Operator::Reduce { keep_dims, .. } => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                let reduced = reduced_axes(view)?;
                let before = reduced.iter().filter(|&&axis| axis < rows.axis).count();
                let axis = if *keep_dims { rows.axis } else { rows.axis - before };
                let kept = !reduced.contains(&rows.axis);
                Ok(if kept { each_row(Rows { axis, ..rows }) } else { Outcome::Window })
            }
            Operator::Reshape | Operator::ExpandDims => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                reshaped(view, rows)
            }
            Operator::Transpose => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                let order = view.integers(1, "permutation")?;
                let axis = order.iter().position(|&from| from == rows.axis as i64);
                Ok(axis.map_or(Outcome::Window, |axis| each_row(Rows { axis, ..rows })))
            }
            Operator::Concatenate { axis } => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                let apart = view.axis(*axis, rank(view))? != rows.axis;
                let alike = view.node.inputs.iter().flatten().all(|id| self.rows.get(id) == Some(&rows));
                Ok(if apart && alike { each_row(rows) } else { Outcome::Window })
            }
            Operator::Pad => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                match pad_amounts(view)?.get(rows.axis) {
                    Some((0, 0)) => Ok(each_row(rows)),
                    amounts => {
                        let found = format!("padding of {:?} rows in time", amounts.copied().unwrap_or_default());
                        Err(view.fault(found, IN_TIME))
                    }
                }
            }
            Operator::StridedSlice { .. } => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                self.sliced(view, rows, node)
            }
            Operator::Slice => {
                let (Some(rows), true) = (first, self.others_are_constant(view)) else { return Ok(Outcome::Window) };
                self.boxed(view, rows, node)
            }
            Operator::Gather { axis, batch_dims: 0 } => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                if view.axis(*axis, rank(view))? != rows.axis || !self.others_are_constant(view) {
                    return Ok(Outcome::Window);
                }
                self.gathered(view, rows, node)
            }
            Operator::Lstm { time_major, .. } => match first {
                Some(rows) if rows.axis == time_axis(*time_major) => Ok(each_row(rows)),
                _ => Err(view.fault("a layer with a state, which reads no rows in order", STATELESS)),
            },
            Operator::Recurrent { time_major, reversed: false, .. } => {
                let (Some(rows), true) = (first, self.others_are_constant(view)) else { return Ok(Outcome::Window) };
                if rows.axis != time_axis(*time_major) {
                    return Ok(Outcome::Window);
                }
                self.recurrent(view, node)?;
                Ok(each_row(rows))
            }
            _ => Ok(Outcome::Window),
        }
    }

    fn others_are_constant(&self, view: &View<'_>) -> bool {
        view.node.inputs.iter().skip(1).flatten().all(|&id| view.tensor(id).data.is_some())
    }

    /// Operands that meet element by element: all have the same rows, or are constants that do not differ from row to row.
    fn elementwise(&self, view: &View<'_>) -> Result<Outcome, Problem> {
        let output = &view.tensor(view.output(0)?).shape;
        let mut found: Option<(usize, Rows)> = None;
        for &id in view.node.inputs.iter().flatten() {
            let shape = &view.tensor(id).shape;
            match self.rows.get(&id) {
                Some(&rows) => {
                    let from_behind = shape.len() - rows.axis;
                    let alike = |&(behind, other): &(usize, Rows)| {
                        (behind, other.window, other.new) == (from_behind, rows.window, rows.new)
                    };
                    if !found.as_ref().is_none_or(alike) {
                        return Ok(Outcome::Window);
                    }
                    found = Some((from_behind, rows));
                }
                None if view.tensor(id).data.is_none() => return Ok(Outcome::Window),
                None => {}
            }
        }
        let Some((from_behind, rows)) = found else { return Ok(Outcome::Window) };
        let constant_in_time = view.node.inputs.iter().flatten().all(|id| {
            let shape = &view.tensor(*id).shape;
            let length = shape.len().checked_sub(from_behind).map_or(1, |axis| shape[axis]);
            self.rows.contains_key(id) || length == 1
        });
        let Some(axis) = output.len().checked_sub(from_behind) else { return Ok(Outcome::Window) };
        Ok(if constant_in_time { each_row(Rows { axis, ..rows }) } else { Outcome::Window })
    }

    /// A part of each row, or of the rows in one piece.
    fn sliced(&mut self, view: &View<'_>, rows: Rows, node: &mut Node) -> Result<Outcome, Problem> {
        let Operator::StridedSlice { begin_mask, end_mask, shrink_mask, end_is_offset } = &mut node.operator else {
            return Ok(Outcome::Window);
        };
        let bit = 1_u32 << rows.axis.min(31);
        let [mut begins, mut ends, strides] =
            [view.integers(1, "begin")?, view.integers(2, "end")?, view.integers(3, "strides")?];
        let (Some(&begin), Some(&end), Some(1)) = (begins.get(rows.axis), ends.get(rows.axis), strides.get(rows.axis))
        else {
            return Ok(Outcome::Window);
        };
        if *end_is_offset {
            return Ok(Outcome::Window);
        }
        let length = rows.window as i64;
        let position = |at: i64| if at < 0 { at + length } else { at }.clamp(0, length);
        let is_one = *shrink_mask & bit != 0;
        let first = if *begin_mask & bit != 0 && !is_one { 0 } else { position(begin) };
        let last = match is_one {
            true => (first + 1).min(length),
            false if *end_mask & bit != 0 => length,
            false => position(end),
        };
        let (Ok(window), Ok(behind)) = (usize::try_from(last - first), usize::try_from(length - last)) else {
            return Ok(Outcome::Window);
        };
        let piece = Piece::of(rows, window, behind, is_one);
        (begins[rows.axis], ends[rows.axis]) = (piece.begin as i64, (piece.begin + piece.taken) as i64);
        *begin_mask &= !bit;
        *end_mask &= !bit;
        for (input, values) in [(1, begins), (2, ends)] {
            node.inputs[input] = Some(self.integers(&values));
        }
        let dropped = (0..rows.axis).filter(|&axis| *shrink_mask & (1 << axis) != 0).count();
        Ok(piece.outcome(Rows { axis: rows.axis - dropped, window, new: rows.new }))
    }

    /// A box of each row, or of the rows in one piece.
    fn boxed(&mut self, view: &View<'_>, rows: Rows, node: &mut Node) -> Result<Outcome, Problem> {
        let [mut begins, mut sizes] = [view.integers(1, "begin")?, view.integers(2, "size")?];
        let (Some(&begin), Some(&size)) = (begins.get(rows.axis), sizes.get(rows.axis)) else {
            return Ok(Outcome::Window);
        };
        let length = rows.window as i64;
        let size = if size == -1 { length - begin } else { size };
        let (Ok(window), Ok(behind)) = (usize::try_from(size), usize::try_from(length - begin - size)) else {
            return Ok(Outcome::Window);
        };
        let piece = Piece::of(rows, window, behind, false);
        (begins[rows.axis], sizes[rows.axis]) = (piece.begin as i64, piece.taken as i64);
        for (input, values) in [(1, begins), (2, sizes)] {
            node.inputs[input] = Some(self.integers(&values));
        }
        Ok(piece.outcome(Rows { window, ..rows }))
    }

    /// Rows at stated places of the window: the newest ones, as far back as the oldest of these.
    fn gathered(&mut self, view: &View<'_>, rows: Rows, node: &mut Node) -> Result<Outcome, Problem> {
        let length = rows.window as i64;
        let places = view.integers(1, "indices")?;
        let Some(&oldest) = places.iter().min().filter(|&&oldest| (0..length).contains(&oldest)) else {
            return Ok(Outcome::Window);
        };
        let reads = (length - oldest).max(rows.new as i64);
        let places: Vec<i64> = places.iter().map(|at| at + reads - length).collect();
        let indices = self.integers(&places);
        self.net.tensors[indices].shape = view.input_shape(1)?.to_vec();
        node.inputs[1] = Some(indices);
        Ok(Outcome::Newest(reads as usize))
    }

    /// Makes variables of the states of a recurrent layer: it starts from what the last step left, and the first step from what the net states.
    fn recurrent(&mut self, view: &View<'_>, node: &mut Node) -> Result<(), Problem> {
        const STATES: usize = 5;
        for (index, &last) in (STATES..).zip(&view.node.outputs[1..]) {
            let like = view.tensor(last);
            let start = match view.optional_input(index).map(|given| view.tensor(given)) {
                None => silence(like),
                Some(given) if given.element == like.element => given.data.clone(),
                Some(given) => {
                    let found = format!("a state that is given as {} and kept as {}", given.element, like.element);
                    return Err(view.fault(found, "one type for both"));
                }
            };
            let state = Tensor { name: format!("state {}", like.name), open: Vec::new(), ..like.clone() };
            let variable = self.net.tensors.len();
            self.net.tensors.extend([Tensor { variable: true, start, ..state.clone() }, state]);
            let access = |operator: Operator, inputs: Vec<TensorId>, outputs: Vec<TensorId>| Node {
                index: view.node.index,
                name: view.node.name.clone(),
                operator,
                inputs: inputs.into_iter().map(Some).collect(),
                outputs,
            };
            self.net.nodes.push(access(Operator::ReadVariable, vec![variable], vec![variable + 1]));
            self.states.push(access(Operator::AssignVariable, vec![variable, last], Vec::new()));
            node.inputs.resize(node.inputs.len().max(index + 1), None);
            node.inputs[index] = Some(variable + 1);
        }
        Ok(())
    }

    /// A constant of int32.
    fn integers(&mut self, values: &[i64]) -> TensorId {
        let bytes = values.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect();
        self.net.tensors.push(Tensor::new(
            "positions of a stream".into(),
            Element::I32,
            vec![values.len()],
            Some(Constant::new(bytes)),
        ));
        self.net.tensors.len() - 1
    }
}

/// What a variable starts from that is not real 0 by itself.
fn silence(tensor: &Tensor) -> Option<Constant> {
    let zero_point = *tensor.quantisation.as_ref()?.zero_points.first()?;
    (tensor.element == Element::U8).then(|| Constant::new(vec![zero_point as u8; tensor.len()]))
}

/// The rank of input 0.
fn rank(view: &View<'_>) -> usize {
    view.input_shape(0).map_or(0, <[usize]>::len)
}

/// The outcome of an operator that works on each row.
fn each_row(rows: Rows) -> Outcome {
    Outcome::Rows { outputs: rows, reads: rows.new }
}

/// The axis of time of a recurrent layer's input.
fn time_axis(time_major: bool) -> usize {
    usize::from(!time_major)
}

/// What may stand in a net that becomes one over a stream.
const STATELESS: &str = "operators without a state of their own; a model with states is a streaming one already";

/// What to do about padding in time.
const IN_TIME: &str =
    "no padding in time (VALID), or causal padding: rows before the first one, which a convolution takes";

/// Refuses operators that keep a state from run to run: windows that overlap would pass it on in another order. An LSTM may: its state goes on from
/// row to row.
fn refuse_states(view: &View<'_>) -> Result<(), Problem> {
    let has_state = view.node.inputs.iter().flatten().any(|&id| view.tensor(id).variable);
    match view.node.operator {
        Operator::Lstm { .. } => Ok(()),
        Operator::Signal(_) | Operator::Custom { .. } => {
            Err(view.fault("an operator that may have a state", STATELESS))
        }
        _ if has_state => Err(view.fault("an operator with a state", STATELESS)),
        _ => Ok(()),
    }
}

/// A kernel that slides over time: it reads the rows that it still sees, and gives one for every stride.
fn windowed(view: &View<'_>, rows: Rows, window: &mut SlidingWindow, kernel: [usize; 2]) -> Result<Outcome, Problem> {
    let Some(dimension) = rows.axis.checked_sub(1).filter(|&dimension| dimension < 2) else {
        return Ok(Outcome::Window);
    };
    let input = view.nhwc(view.input(0)?)?;
    let extent = |dimension: usize| (kernel[dimension] - 1) * window.dilation[dimension] + 1;
    let (stride, field) = (window.stride[dimension], extent(dimension));
    // Rows and columns of padding: above and below, left and right.
    let padding = match window.padding {
        Padding::Valid => [(0, 0); 2],
        Padding::Explicit { top, bottom, left, right } => [(top, bottom), (left, right)],
        Padding::Same => [0, 1].map(|dimension| {
            let (length, stride) = (input[1 + dimension], window.stride[dimension]);
            let total = ((length.div_ceil(stride) - 1) * stride + extent(dimension)).saturating_sub(length);
            (total / 2, total - total / 2)
        }),
    };
    let (before, behind) = padding[dimension];
    let total = view.stated_shape(0)?.get(rows.axis).copied().unwrap_or(1);
    if total == 1 && (!rows.new.is_multiple_of(stride) || before + behind > 0) {
        return Ok(Outcome::Window);
    }
    let causal = before < field && !matches!(view.node.operator, Operator::Pool2d { .. });
    if behind > 0 || (before > 0 && !causal) {
        let kind = if window.padding == Padding::Same { "SAME padding" } else { "padding" };
        let found = format!("{kind} in time, {before} rows before the window and {behind} behind it");
        return Err(view.fault(found, IN_TIME));
    }
    if !rows.new.is_multiple_of(stride) {
        let found = format!("steps that add {} rows to its input, and a stride of {stride} in time", rows.new);
        return Err(view.fault(found, "steps of which every stride takes whole rows"));
    }
    // What the window's last output does not see is newer than what the stream's reads.
    let unseen = (rows.window + before).saturating_sub((total - 1) * stride + field);
    let (new, reads) = (rows.new / stride, (rows.new + field + unseen).saturating_sub(stride));
    if reads < rows.new {
        return Ok(Outcome::Window);
    }
    let across = padding[1 - dimension];
    window.padding = match (dimension, across) {
        (_, (0, 0)) => Padding::Valid,
        (0, (left, right)) => Padding::Explicit { top: 0, bottom: 0, left, right },
        (_, (top, bottom)) => Padding::Explicit { top, bottom, left: 0, right: 0 },
    };
    Ok(Outcome::Rows { outputs: Rows { window: total, new, ..rows }, reads })
}

/// A dense layer over the last dimension works on each row; one over more flattens them.
fn dense(view: &View<'_>, rows: Rows) -> Result<Outcome, Problem> {
    let (shape, output) = (view.input_shape(0)?, view.stated_shape(0)?);
    let inputs = view.input_shape(1)?.last().copied().unwrap_or(0);
    if shape.last() != Some(&inputs) || rows.axis + 1 >= shape.len() {
        return Ok(Outcome::Window);
    }
    // The vectors in order: time stays the first axis that is longer than 1 where nothing else counts them.
    let vectors: usize = shape[..shape.len() - 1].iter().product();
    let axis = output.iter().position(|&length| length == rows.window);
    let axis = if output.len() == shape.len() { Some(rows.axis) } else { axis };
    Ok(axis
        .filter(|_| vectors == rows.window || output.len() == shape.len())
        .map_or(Outcome::Window, |axis| each_row(Rows { axis, ..rows })))
}

/// A shape in which the rows stay an axis keeps them.
fn reshaped(view: &View<'_>, rows: Rows) -> Result<Outcome, Problem> {
    let (from, to) = (view.input_shape(0)?, view.stated_shape(0)?);
    let before: usize = from[..rows.axis].iter().product();
    let axis = (0..to.len()).find(|&axis| to[axis] == rows.window && to[..axis].iter().product::<usize>() == before);
    Ok(axis.map_or(Outcome::Window, |axis| each_row(Rows { axis, ..rows })))
}

/// Random small nets over random streams: what a net over a stream gives is what the net over the whole window gives, to the bit.
#[cfg(test)]
mod tests {
    use smolnn_fixed::Backend;

    use super::streaming;
    use crate::lower::lower;
    use crate::net::{
        Activation, BinaryKind, Constant, Element, Net, Node, Operator, Padding, PoolKind, Quantisation, ReduceKind,
        SlidingWindow, Tensor, TensorId, UnaryKind,
    };
    use crate::plan::{Aim, Program, plan};

    /// A generator (xorshift).
    struct Random(u64);

    impl Random {
        fn bits(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        /// A number from `low` to `high`, both included.
        fn number(&mut self, low: usize, high: usize) -> usize {
            low + (self.bits() >> 20) as usize % (high - low + 1)
        }

        fn bytes(&mut self, count: usize) -> Vec<u8> {
            (0..count).map(|_| (self.bits() >> 24) as u8).collect()
        }
    }

    /// A net under construction: images of time, width and channels.
    struct Builder {
        net: Net,
        /// The tensor that the next layer reads.
        last: TensorId,
        random: Random,
    }

    impl Builder {
        fn new(seed: u64, shape: [usize; 4]) -> Self {
            let mut builder = Self {
                net: Net {
                    tensors: Vec::new(),
                    nodes: Vec::new(),
                    inputs: vec![0],
                    outputs: Vec::new(),
                    removed: Default::default(),
                },
                last: 0,
                random: Random(0x9E37_79B9_7F4A_7C15 ^ (seed + 1).wrapping_mul(0xD134_2543_DE82_EF95)),
            };
            builder.tensor(Element::I8, shape.to_vec(), 0.05, -3, None);
            builder
        }

        fn tensor(
            &mut self,
            element: Element,
            shape: Vec<usize>,
            scale: f32,
            zero: i32,
            data: Option<Vec<u8>>,
        ) -> TensorId {
            self.net.tensors.push(Tensor {
                name: format!("t{}", self.net.tensors.len()),
                element,
                shape,
                open: Vec::new(),
                quantisation: Some(Quantisation { scales: vec![scale], zero_points: vec![zero], dimension: 0 }),
                data: data.map(Constant::new),
                variable: false,
                start: None,
            });
            self.net.tensors.len() - 1
        }

        fn integers(&mut self, values: &[i32]) -> TensorId {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let id = self.tensor(Element::I32, vec![values.len()], 1.0, 0, Some(bytes));
            self.net.tensors[id].quantisation = None;
            id
        }

        fn shape(&self) -> [usize; 4] {
            self.net.tensors[self.last].shape[..].try_into().expect("an image")
        }

        /// Adds a node with an output of this shape; its quantisation is that of its input unless it is stated.
        fn node(
            &mut self,
            operator: Operator,
            others: &[TensorId],
            shape: Vec<usize>,
            quantisation: Option<(f32, i32)>,
        ) {
            let of = self.net.tensors[self.last].quantisation.clone().expect("a scale");
            let (scale, zero) = quantisation.unwrap_or((of.scales[0], of.zero_points[0]));
            let output = self.tensor(Element::I8, shape, scale, zero, None);
            let index = self.net.nodes.len();
            let inputs = [self.last].iter().chain(others).map(|&id| Some(id)).collect();
            self.net.nodes.push(Node { index, name: format!("{operator:?}"), operator, inputs, outputs: vec![output] });
            self.last = output;
        }

        /// A convolution, depthwise or not; padding in time comes before the window alone.
        fn convolution(&mut self, kernel: [usize; 2], stride: usize, dilation: usize, before: usize, depthwise: bool) {
            let [_, time, width, channels] = self.shape();
            let outputs = if depthwise { channels } else { self.random.number(1, 6) };
            let (taps, side) = (kernel[0] * kernel[1], kernel[1] / 2);
            let (shape, count) = if depthwise {
                (vec![1, kernel[0], kernel[1], channels], taps * channels)
            } else {
                (vec![outputs, kernel[0], kernel[1], channels], outputs * taps * channels)
            };
            let bytes = self.random.bytes(count);
            let weights = self.tensor(Element::I8, shape, 0.01, 0, Some(bytes));
            let bias: Vec<u8> =
                (0..outputs).flat_map(|_| (self.random.number(0, 2000) as i32 - 1000).to_le_bytes()).collect();
            let bias = self.tensor(Element::I32, vec![outputs], 0.01, 0, Some(bias));
            let field = (kernel[0] - 1) * dilation + 1;
            let window = SlidingWindow {
                stride: [stride, 1],
                dilation: [dilation, 1],
                padding: Padding::Explicit { top: before, bottom: 0, left: side, right: side },
            };
            let activation = if self.random.number(0, 1) == 0 { Activation::Relu } else { Activation::None };
            let rows = (time + before - field) / stride + 1;
            let columns = width + 2 * side - kernel[1] + 1;
            let scale = 0.01 * self.net.tensors[self.last].quantisation.as_ref().expect("a scale").scales[0];
            let spread = 60.0 * (taps as f32).sqrt();
            let quantisation = Some((scale * spread, self.random.number(0, 40) as i32 - 20));
            let operator = if depthwise {
                Operator::DepthwiseConv2d { window, activation }
            } else {
                Operator::Conv2d { window, activation, narrow_sums: false }
            };
            self.node(operator, &[weights, bias], vec![1, rows, columns, outputs], quantisation);
        }

        fn pool(&mut self, rows: usize, stride: usize) {
            let [_, time, width, channels] = self.shape();
            let kind = if self.random.number(0, 1) == 0 { PoolKind::Max } else { PoolKind::Average };
            let window = SlidingWindow { stride: [stride, 1], dilation: [1, 1], padding: Padding::Valid };
            let shape = vec![1, (time - rows) / stride + 1, width, channels];
            self.node(
                Operator::Pool2d { kind, kernel: [rows, 1], window, activation: Activation::None },
                &[],
                shape,
                None,
            );
        }

        /// Leaves out rows at the ends.
        fn crop(&mut self, before: usize, behind: usize) {
            let [_, time, width, channels] = self.shape();
            let begin = self.integers(&[0, before as i32, 0, 0]);
            let end = self.integers(&[0, -(behind as i32), 0, 0]);
            let strides = self.integers(&[1; 4]);
            let masks = (0b1101, if behind == 0 { 0b1111 } else { 0b1101 });
            let operator =
                Operator::StridedSlice { begin_mask: masks.0, end_mask: masks.1, shrink_mask: 0, end_is_offset: false };
            self.node(operator, &[begin, end, strides], vec![1, time - before - behind, width, channels], None);
        }

        /// Leaves out rows at the ends, by where they begin and how many there are.
        fn boxed(&mut self, before: usize, behind: usize) {
            let [_, time, width, channels] = self.shape();
            let rows = time - before - behind;
            let begin = self.integers(&[0, before as i32, 0, 0]);
            let size = self.integers(&[-1, rows as i32, -1, -1]);
            self.node(Operator::Slice, &[begin, size], vec![1, rows, width, channels], None);
        }

        /// Single rows of the window, not in their order.
        fn rows(&mut self) {
            let [_, time, width, channels] = self.shape();
            let places = [0; 3].map(|_| self.random.number(0, time - 1) as i32);
            let places = self.integers(&places);
            self.node(Operator::Gather { axis: 1, batch_dims: 0 }, &[places], vec![1, 3, width, channels], None);
        }

        /// One row of the window, without the axis of time.
        fn row(&mut self) {
            let [_, time, width, channels] = self.shape();
            let place = self.random.number(0, time - 1) as i32;
            let [begin, end, strides] = [[0, place, 0, 0], [1, place + 1, width as i32, channels as i32], [1; 4]]
                .map(|values| self.integers(&values));
            let operator =
                Operator::StridedSlice { begin_mask: 0, end_mask: 0, shrink_mask: 0b0010, end_is_offset: false };
            self.node(operator, &[begin, end, strides], vec![1, width, channels], None);
        }

        /// A layer of any kind, with a kernel that the rows have room for.
        fn layer(&mut self, causal: bool) {
            let [_, time, width, channels] = self.shape();
            let before = |field: usize| if causal { field - 1 } else { 0 };
            match self.random.number(0, 7) {
                0..=2 => {
                    let taps = self.random.number(1, 3.min(time / 2).max(1));
                    let dilation = if (taps - 1) * 2 < time / 2 { self.random.number(1, 2) } else { 1 };
                    let field = (taps - 1) * dilation + 1;
                    let side = if width > 2 { self.random.number(0, 1) * 2 + 1 } else { 1 };
                    let depthwise = self.random.number(0, 1) == 1;
                    self.convolution([taps, side], 1, dilation, before(field), depthwise);
                }
                3 if time >= 4 => self.pool(2, 1),
                4 => {
                    let id = self.last;
                    let shape = self.shape().to_vec();
                    self.node(Operator::Binary(BinaryKind::Add, Activation::None), &[id], shape, Some((0.1, 3)));
                }
                5 => {
                    let shape = self.shape().to_vec();
                    self.node(Operator::Unary(UnaryKind::LeakyRelu { alpha: 0.3 }), &[], shape, Some((0.07, -1)));
                }
                6 if time >= 6 && !causal => {
                    let (first, last) = (self.random.number(0, 2), self.random.number(0, 2));
                    if self.random.number(0, 1) == 0 { self.crop(first, last) } else { self.boxed(first, last) }
                }
                _ => {
                    let bytes = self.random.bytes(channels);
                    let factors = self.tensor(Element::I8, vec![channels], 0.02, 5, Some(bytes));
                    let shape = vec![1, time, width, channels];
                    let kind = BinaryKind::Multiply;
                    self.node(Operator::Binary(kind, Activation::None), &[factors], shape, Some((0.09, 0)));
                }
            }
        }

        /// What makes one result of all rows, or nothing.
        fn head(&mut self) {
            let [_, time, width, channels] = self.shape();
            match self.random.number(0, 5) {
                0 => {
                    let axes = self.integers(&[1, 2]);
                    let operator = Operator::Reduce { kind: ReduceKind::Mean, keep_dims: false };
                    self.node(operator, &[axes], vec![1, channels], Some((0.03, 2)));
                }
                1 => {
                    let count = time * width * channels;
                    let to = self.integers(&[1, count as i32]);
                    self.node(Operator::Reshape, &[to], vec![1, count], None);
                    let bytes = self.random.bytes(3 * count);
                    let weights = self.tensor(Element::I8, vec![3, count], 0.01, 0, Some(bytes));
                    let operator =
                        Operator::Dense { keep_dims: false, activation: Activation::None, narrow_sums: false };
                    self.node(operator, &[weights], vec![1, 3], Some((0.2, 0)));
                }
                2 => self.pool(time, time),
                3 => self.rows(),
                4 => self.row(),
                _ => {}
            }
            self.net.outputs = vec![self.last];
        }
    }

    fn compile(net: &Net) -> Program {
        lower(net, Backend::CURRENT)
            .and_then(|calls| plan("net", Backend::CURRENT, calls, Aim::default()))
            .expect("the net compiles")
    }

    fn output(runner: &mut crate::Runner<'_>, input: &[u8]) -> Vec<u8> {
        runner.set_input(0, input).expect("the input fits");
        runner.run().expect("the net runs");
        runner.output(0).expect("an output").to_vec()
    }

    /// Runs a net over a window and over a stream, by steps, until `windows` windows were filled; gives how many were compared.
    fn compare(net: &Net, step: usize, windows: usize, random: &mut Random) -> usize {
        let of_stream = streaming(net, 1, step).unwrap_or_else(|problem| panic!("{problem}"));
        let (whole, stream) = (compile(net), compile(&of_stream));
        let (mut whole, mut stream) = (whole.runner().expect("a runner"), stream.runner().expect("a runner"));
        let shape = &net.tensors[0].shape;
        let (window, row) = (shape[1], shape[2] * shape[3]);
        let mut sound: Vec<u8> = Vec::new();
        let mut compared = 0;
        while compared < windows {
            let new = random.bytes(step * row);
            sound.extend(&new);
            let found = output(&mut stream, &new);
            if let Some(start) = sound.len().checked_sub(window * row) {
                // Where the output has the axis of time, the stream gives its newest rows.
                let expected = output(&mut whole, &sound[start..]);
                assert_eq!(
                    found,
                    expected[expected.len() - found.len()..],
                    "window {compared}, steps of {step}: {net:#?}"
                );
                compared += 1;
            }
        }
        compared
    }

    #[test]
    fn random_nets_give_the_same_over_streams_as_over_windows() {
        let mut compared = 0;
        for seed in 0..300 {
            let mut builder =
                Builder::new(seed, [1, 12 + seed as usize % 9, 1 + seed as usize % 4, 1 + seed as usize % 3]);
            // At times a stride in time, which steps have to be multiples of.
            let strided = seed % 5 == 0;
            if strided {
                builder.convolution([3, 1], 2, 1, 0, false);
            }
            (0..1 + seed % 5).for_each(|_| builder.layer(false));
            builder.head();
            let step = (1 + seed as usize % 3) * if strided { 2 } else { 1 };
            compared += compare(&builder.net, step, 5, &mut builder.random);
        }
        println!("{compared} windows of random streams");
        assert!(compared >= 1000);
    }

    #[test]
    fn causal_nets_give_the_first_window_as_it_is() {
        for seed in 0..60 {
            let mut builder = Builder::new(seed, [1, 12, 2, 2]);
            builder.convolution([3, 1], 1, 2, 4, false);
            (0..seed % 4).for_each(|_| builder.layer(true));
            builder.head();
            assert_eq!(compare(&builder.net, [1, 2, 3, 4][seed as usize % 4], 1, &mut builder.random), 1);
        }
    }

    #[test]
    fn a_step_computes_what_is_new() {
        let mut builder = Builder::new(1, [1, 20, 1, 2]);
        builder.convolution([3, 1], 1, 1, 0, true);
        builder.convolution([1, 1], 1, 1, 0, false);
        builder.convolution([5, 1], 1, 1, 0, true);
        builder.net.outputs = vec![builder.last];
        let (whole, stream) = (compile(&builder.net), compile(&streaming(&builder.net, 1, 1).expect("it streams")));
        let channels = builder.net.tensors[builder.last].shape[3] as u64;
        let per_row = [3 * 2, 2 * channels, 5 * channels];
        assert_eq!(whole.macs(), 18 * per_row[0] + 18 * per_row[1] + 14 * per_row[2]);
        assert_eq!(stream.macs(), per_row.iter().sum::<u64>());
    }

    #[test]
    fn what_cannot_stream_is_named() {
        let refusal = |net: &Net, axis, step| streaming(net, axis, step).expect_err("it is refused").to_string();
        let mut builder = Builder::new(2, [1, 20, 3, 2]);
        builder.convolution([3, 3], 1, 1, 0, false);
        builder.net.outputs = vec![builder.last];
        for (axis, step) in [(1, 0), (1, 21), (2, 1), (4, 1)] {
            println!("{}", refusal(&builder.net, axis, step));
        }
        let Operator::Conv2d { window, .. } = &mut builder.net.nodes[0].operator else { panic!("a convolution") };
        window.padding = Padding::Same;
        let text = refusal(&builder.net, 1, 1);
        assert!(
            text.contains("operator 0") && text.contains("SAME padding in time, 1 rows before the window and 1"),
            "{text}"
        );
        let mut builder = Builder::new(3, [1, 20, 1, 2]);
        builder.convolution([3, 1], 2, 1, 0, false);
        builder.net.outputs = vec![builder.last];
        let text = refusal(&builder.net, 1, 3);
        assert!(text.contains("steps that add 3 rows") && text.contains("a stride of 2"), "{text}");
    }
}
