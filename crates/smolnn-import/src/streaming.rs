//! A net over a whole window of rows becomes one that takes the new rows of a stream, and keeps what it needs of the old ones.
//!
//! Every tensor that has the time axis shrinks to its newest rows: those that the rows of a step add to it when the window moves on. A
//! convolution or pooling over time then reads a variable with the old rows that its kernel still sees, which slides by the new ones
//! ([`Operator::SlideVariable`]); operators that work on each row stay as they are. Where an operator needs all rows at once (a mean over time, a
//! flattening layer), a variable holds the whole window of its input, and what follows is as before.
//!
//! A recurrent layer that reads its rows in order keeps its state in variables, and computes the new rows alone. Layers before it, such as convolutions without
//! padding, make rows before all rows of its first window are there: until then the state stays what it starts from, so that the first window behind a reset gives
//! what the net gives.
//!
//! All values are those that the net computes over the whole window. Where the only padding in time is causal, its rows come before the stream's
//! first row, so that they are seen by its first window alone, and later windows see the rows before them. So does a recurrent layer: its first
//! window starts from the state that the net states, and later ones from what came before them.
//!
//! Other padding in time lies at the edges of every window. The rows that see it, at the window's beginning ([`Rows::lead`]) and at its end
//! ([`Rows::tail`]), are computed in each step; the rows between them slide:
//!
//! ```text
//!  window   |lead|  rows that slide  |new|tail|
//!  a step              computes lead, new, tail: one node for the lead, and one for the new rows with the tail behind them
//! ```
//!
//! Which leads are read, and how many rows that slide, is known once all nodes are made: the net is made again until it has just these.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use smolnn_core::same_padding;

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
    /// Rows that a step adds.
    new: usize,
    /// The window's first rows, which see padding before it.
    lead: usize,
    /// The window's last rows, which see padding behind it.
    tail: usize,
}

impl Rows {
    /// The rows of the window that the tensor has over a stream: the new ones, and behind them the tail.
    fn recent(&self) -> Range<isize> {
        let window = self.window as isize;
        window - (self.tail + self.new) as isize..window
    }

    /// The first row behind those that slide.
    fn tail_start(&self) -> isize {
        (self.window - self.tail) as isize
    }

    /// Whether a step computes every row of the window.
    fn all_are_new(&self) -> bool {
        self.lead + self.new + self.tail >= self.window
    }

    /// Whether rows see padding.
    fn have_edges(&self) -> bool {
        self.lead + self.tail > 0
    }

    /// The rows of an output of `window` rows, each of which sees rows of these: a row sees padding if one that it sees does, or if it sees rows
    /// outside the window.
    fn seen_by(self, window: usize, sees: Sees) -> Self {
        let stride = sees.stride as isize;
        let lead = (self.lead as isize - sees.offset).max(0).unsigned_abs().div_ceil(sees.stride);
        let last = self.tail_start() - sees.field as isize - sees.offset;
        let whole = (last.div_euclid(stride) + 1).clamp(0, window as isize);
        let tail = window - whole.unsigned_abs();
        Self { axis: self.axis, window, new: self.new / sees.stride, lead: lead.min(window), tail }
    }
}

/// The rows of input 0 that a row of an output sees: row `y` sees `field` rows from `y · stride + offset` on.
#[derive(Clone, Copy, Debug)]
struct Sees {
    stride: usize,
    field: usize,
    offset: isize,
}

impl Sees {
    /// The row at the same place.
    const ONE: Self = Self { stride: 1, field: 1, offset: 0 };

    fn rows(&self, outputs: &Range<isize>) -> Range<isize> {
        let first = |row: isize| row * self.stride as isize + self.offset;
        first(outputs.start)..first(outputs.end - 1) + self.field as isize
    }
}

/// What becomes of a node that reads rows.
enum Outcome {
    /// It works on rows: those of its first output, and what they see. Other outputs are states, which have none.
    Rows { outputs: Rows, sees: Sees },
    /// It reads this many of the newest rows of input 0, and its outputs are as with the whole window.
    Newest(usize),
    /// It needs the whole window.
    Window,
}

/// What is read of the parts of tensors, so that nothing else is computed and kept.
#[derive(Debug, Default, PartialEq)]
struct Reads {
    /// The tensors whose lead is read.
    leads: HashSet<TensorId>,
    /// By tensor, how many of its newest sliding rows are read.
    sliding: HashMap<TensorId, usize>,
}

/// Where the padding in time lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padded {
    /// Before the stream's first row: all of it is causal.
    Start,
    /// At the edges of every window.
    Edges,
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
    if window == 1 || shape[..axis].iter().any(|&length| length != 1) {
        let found = format!("time as axis {axis} of {shape:?}");
        let supported = "time as the first axis that is longer than 1 (`Model::channels_last_inputs`, --channels-last, puts ONNX's channels behind it)";
        return Err(of_input(found, supported.into()));
    }
    if step == 0 || step > window {
        return Err(of_input(format!("a step of {step} rows"), format!("1 to {window}, the rows of the window")));
    }
    for node in &net.nodes {
        refuse_variables(&View { net, node })?;
    }
    let rows = Rows { axis, window, new: step, lead: 0, tail: 0 };
    let stream = Stream::over(net, rows, Padded::Start, None)?;
    if !stream.sees_edges {
        return Ok(stream.finish());
    }
    let mut stream = Stream::over(net, rows, Padded::Edges, None)?;
    while stream.known.as_ref() != Some(&stream.reads) {
        stream = Stream::over(net, rows, Padded::Edges, Some(stream.reads))?;
    }
    Ok(stream.finish())
}

/// The net as far as it is made.
struct Stream {
    net: Net,
    /// Rows of the input's window.
    window: usize,
    /// Rows that a step adds to the input.
    step: usize,
    padded: Padded,
    /// What is known to be read of tensors' parts; without it all parts are made.
    known: Option<Reads>,
    /// What is read of them.
    reads: Reads,
    /// Whether padding that is not causal was found, which stands at the edges of every window.
    sees_edges: bool,
    /// The tensors that have new rows, and rows that see padding, only.
    rows: HashMap<TensorId, Rows>,
    /// The leads of these tensors.
    leads: HashMap<TensorId, TensorId>,
    /// By tensor and number of rows, the tensor of its newest sliding rows.
    slid: HashMap<(TensorId, usize), TensorId>,
    /// By tensor, first row of the window and row behind the last one, the tensor of these rows.
    pieces: HashMap<(TensorId, isize, isize), TensorId>,
    /// The nodes that keep the states of recurrent layers, behind all others.
    states: Vec<Node>,
    /// By number of steps, the truth value whether more of them than that were made.
    begun: HashMap<usize, TensorId>,
}

impl Stream {
    /// Makes the net's nodes over a stream whose rows the input has.
    fn over(net: &Net, rows: Rows, padded: Padded, known: Option<Reads>) -> Result<Self, Problem> {
        let mut stream = Self {
            net: Net { nodes: Vec::new(), ..net.clone() },
            window: rows.window,
            step: rows.new,
            padded,
            known,
            reads: Reads::default(),
            sees_edges: false,
            rows: HashMap::new(),
            leads: HashMap::new(),
            slid: HashMap::new(),
            pieces: HashMap::new(),
            states: Vec::new(),
            begun: HashMap::new(),
        };
        if !rows.all_are_new() {
            stream.rows.extend(net.inputs.iter().map(|&input| (input, rows)));
        }
        for node in &net.nodes {
            stream.node(&View { net, node })?;
            if padded == Padded::Start && stream.sees_edges {
                break;
            }
        }
        Ok(stream)
    }

    fn finish(mut self) -> Net {
        self.net.nodes.append(&mut self.states);
        for (&id, rows) in &self.rows {
            let tensor = &mut self.net.tensors[id];
            tensor.shape[rows.axis] = rows.recent().len();
            tensor.open.clear();
        }
        debug_assert!(self.net.check_flow().is_ok(), "the net over a stream flows");
        self.net
    }

    fn node(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let mut node = view.node.clone();
        let reads_rows = |id: &TensorId| self.rows.contains_key(id);
        if !view.node.inputs.iter().flatten().any(reads_rows) {
            self.net.nodes.push(node);
            return Ok(());
        }
        refuse_states(view)?;
        match self.outcome(view, &mut node)? {
            // A step computes all rows: as with the whole window.
            Outcome::Rows { outputs, .. } if outputs.all_are_new() => self.whole(view),
            Outcome::Rows { outputs, sees } => {
                let output = view.output(0)?;
                self.part(view, &node, sees, (outputs, outputs.recent()), output)?;
                self.rows.insert(output, outputs);
                if outputs.lead > 0 && self.known.as_ref().is_none_or(|known| known.leads.contains(&output)) {
                    let lead = self.rows_like(output, outputs.axis, outputs.lead, "first rows");
                    self.part(view, &node, sees, (outputs, 0..outputs.lead as isize), lead)?;
                    self.leads.insert(output, lead);
                }
                Ok(())
            }
            Outcome::Newest(reads) => {
                let first = view.input(0)?;
                let window = self.rows[&first].window as isize;
                node.inputs[0] = Some(self.piece(view, first, window - reads as isize..window)?);
                self.net.nodes.push(node);
                Ok(())
            }
            Outcome::Window => self.whole(view),
        }
    }

    /// Adds the node as it was: it reads the whole window of what has rows.
    fn whole(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let mut node = view.node.clone();
        for input in &mut node.inputs {
            if let Some(id) = *input
                && let Some(rows) = self.rows.get(&id)
            {
                *input = Some(self.piece(view, id, 0..rows.window as isize)?);
            }
        }
        self.net.nodes.push(node);
        Ok(())
    }

    /// Adds the node over some rows of its output, which become the rows of the tensor `to`.
    fn part(
        &mut self,
        view: &View<'_>,
        node: &Node,
        sees: Sees,
        (outputs, part): (Rows, Range<isize>),
        to: TensorId,
    ) -> Result<(), Problem> {
        let mut node = node.clone();
        let is_lead = part.start == 0 && outputs.lead > 0;
        let seen = sees.rows(&part);
        let first = view.optional_input(0).and_then(|id| self.rows.get(&id)).copied();
        let mut read = seen.clone();
        if let Some(rows) = first {
            // Rows of padding are no rows of the tensor. What the last row of the output does not see any more is read as it is there.
            let window = rows.window as isize;
            let top = if self.padded == Padded::Edges { (-seen.start).max(0) } else { 0 };
            let bottom = (seen.end - window).max(0);
            read = seen.start + top..if is_lead { seen.end } else { window };
            let taken = [top, bottom].map(isize::unsigned_abs);
            match &mut node.operator {
                Operator::Conv2d { window, .. }
                | Operator::DepthwiseConv2d { window, .. }
                | Operator::Pool2d { window, .. } => pad(window, rows.axis - 1, taken),
                Operator::Pad => {
                    let mut amounts = pad_amounts(view)?;
                    amounts[rows.axis] = (taken[0], taken[1]);
                    if amounts.iter().all(|&amount| amount == (0, 0)) {
                        (node.operator, node.name) = (Operator::Reshape, "RESHAPE".into());
                        node.inputs.truncate(1);
                    } else {
                        let values: Vec<i64> =
                            amounts.iter().flat_map(|&(before, behind)| [before as i64, behind as i64]).collect();
                        node.inputs[1] = Some(self.integers(&values, view.input_shape(1)?));
                    }
                }
                Operator::StridedSlice { .. } | Operator::Slice => {
                    // The operator takes its rows out of those of a part, which need not be copied before.
                    read = if is_lead {
                        0..seen.end.max(rows.lead as isize)
                    } else {
                        seen.start.min(rows.recent().start)..window
                    };
                    let begin = (seen.start - read.start) as usize;
                    self.take(view, &mut node, rows.axis, begin..begin + part.len())?;
                }
                _ => {}
            }
        }
        for input in &mut node.inputs {
            if let Some(id) = *input
                && self.rows.contains_key(&id)
            {
                *input = Some(self.piece(view, id, read.clone())?);
            }
        }
        node.outputs[0] = to;
        self.net.nodes.push(node);
        Ok(())
    }

    /// A tensor like another one, with so many rows.
    fn rows_like(&mut self, id: TensorId, axis: usize, count: usize, what: &str) -> TensorId {
        let like = &self.net.tensors[id];
        let mut shape = like.shape.clone();
        shape[axis] = count;
        let name = format!("{count} {what} of {}", like.name);
        self.net.tensors.push(Tensor { name, shape, open: Vec::new(), ..like.clone() });
        self.net.tensors.len() - 1
    }

    /// A tensor with consecutive rows of a window. With causal padding they may begin before the window.
    fn piece(&mut self, view: &View<'_>, id: TensorId, part: Range<isize>) -> Result<TensorId, Problem> {
        let rows = self.rows[&id];
        let (recent, lead) = (rows.recent(), rows.lead as isize);
        if part == recent {
            return Ok(id);
        }
        let key = (id, part.start, part.end);
        if let Some(&known) = self.pieces.get(&key) {
            return Ok(known);
        }
        let mut pieces = Vec::new();
        let mut start = part.start;
        if lead > 0 && start < lead {
            let Some(&first_rows) = self.leads.get(&id) else {
                debug_assert!(false, "a step reads a lead that it does not compute");
                return Err(view.tensor_fault(id, "first rows that are not computed", "rows that a step computes"));
            };
            self.reads.leads.insert(id);
            start = part.end.min(lead);
            pieces.push(self.cut(view, (first_rows, 0..lead), part.start..start, rows.axis));
        }
        let sliding = start..part.end.min(rows.tail_start());
        if sliding.start < recent.start && !sliding.is_empty() {
            let (slid, has) = self.slid(view, id, (rows.tail_start() - sliding.start).unsigned_abs())?;
            // New rows lie in front of the tail, and are taken from there with it.
            let joins = part.end == rows.window as isize && rows.tail > 0 && has != sliding;
            let end = if joins { recent.start } else { sliding.end };
            pieces.push(self.cut(view, (slid, has), sliding.start..end, rows.axis));
            if part.end > end {
                pieces.push(self.cut(view, (id, recent), end..part.end, rows.axis));
            }
        } else if start < part.end {
            pieces.push(self.cut(view, (id, recent), start..part.end, rows.axis));
        }
        let piece = match pieces[..] {
            [piece] => piece,
            _ => {
                let piece = self.rows_like(id, rows.axis, part.len(), "rows");
                let operator = Operator::Concatenate { axis: rows.axis as i64 };
                self.insert(view, operator, pieces.into_iter().map(Some).collect(), piece);
                piece
            }
        };
        self.pieces.insert(key, piece);
        Ok(piece)
    }

    /// Rows `part` of a tensor that has the rows `has`.
    fn cut(
        &mut self,
        view: &View<'_>,
        (id, has): (TensorId, Range<isize>),
        part: Range<isize>,
        axis: usize,
    ) -> TensorId {
        if part == has {
            return id;
        }
        let shape = self.net.tensors[id].shape.clone();
        let mut begin = vec![0; shape.len()];
        begin[axis] = (part.start - has.start) as i64;
        let mut size: Vec<i64> = shape.iter().map(|&length| length as i64).collect();
        size[axis] = part.len() as i64;
        let rank = [shape.len()];
        let operands = [self.integers(&begin, &rank), self.integers(&size, &rank)];
        let piece = self.rows_like(id, axis, part.len(), "rows");
        self.insert(view, Operator::Slice, [id].into_iter().chain(operands).map(Some).collect(), piece);
        piece
    }

    /// A variable with at least so many of the newest sliding rows of a tensor, and which rows of the window it has.
    fn slid(&mut self, view: &View<'_>, id: TensorId, count: usize) -> Result<(TensorId, Range<isize>), Problem> {
        let rows = self.rows[&id];
        let most = self.reads.sliding.entry(id).or_default();
        *most = count.max(*most);
        let count = self.known.as_ref().and_then(|known| known.sliding.get(&id)).map_or(count, |&most| most.max(count));
        let has = rows.tail_start() - count as isize..rows.tail_start();
        if let Some(&slid) = self.slid.get(&(id, count)) {
            return Ok((slid, has));
        }
        let like = &self.net.tensors[id];
        if like.shape[..rows.axis].iter().any(|&length| length != 1) {
            let found = format!("rows of {:?} along axis {}", like.shape, rows.axis);
            return Err(view.tensor_fault(id, found, "time as the first axis that is longer than 1"));
        }
        let recent = rows.recent();
        let new = self.cut(view, (id, recent.clone()), recent.start..rows.tail_start(), rows.axis);
        let variable = self.rows_like(id, rows.axis, count, "rows");
        let output = self.rows_like(id, rows.axis, count, "rows");
        let tensor = &mut self.net.tensors[variable];
        (tensor.variable, tensor.start) = (true, silence(tensor));
        self.insert(view, Operator::SlideVariable, vec![Some(variable), Some(new)], output);
        self.slid.insert((id, count), output);
        Ok((output, has))
    }

    /// Adds a node that moves rows for the one that is made over a stream.
    fn insert(&mut self, view: &View<'_>, operator: Operator, inputs: Vec<Option<TensorId>>, output: TensorId) {
        let name = match operator {
            Operator::Slice => "SLICE".into(),
            Operator::Concatenate { .. } => "CONCATENATION".into(),
            _ => view.node.name.clone(),
        };
        let index = view.node.index;
        self.net.nodes.push(Node { index, name, operator, inputs, outputs: vec![output] });
    }

    /// What becomes of a node that reads rows; `node` gets the attributes and operands that it has then.
    fn outcome(&mut self, view: &View<'_>, node: &mut Node) -> Result<Outcome, Problem> {
        let first = view.optional_input(0).and_then(|id| self.rows.get(&id)).copied();
        match &mut node.operator {
            Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } => {
                let (Some(rows), true) = (first, self.others_are_constant(view)) else { return Ok(Outcome::Window) };
                let &[_, height, width, _] = view.input_shape(1)? else { return Ok(Outcome::Window) };
                self.windowed(view, rows, window, [height, width])
            }
            Operator::Pool2d { kernel, window, .. } => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                self.windowed(view, rows, window, *kernel)
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
                let operands: Option<Vec<Rows>> =
                    view.node.inputs.iter().flatten().map(|id| self.rows.get(id).copied()).collect();
                Ok(operands.and_then(|operands| common(&operands)).filter(|_| apart).map_or(Outcome::Window, each_row))
            }
            Operator::Pad => {
                let Some(rows) = first else { return Ok(Outcome::Window) };
                match pad_amounts(view)?.get(rows.axis) {
                    None | Some((0, 0)) => Ok(each_row(rows)),
                    // Zeros before the first row, as a causal convolution has them: the stream starts from them.
                    Some(&(before, 0))
                        if self.padded == Padded::Start && self.early(&rows) == 0 && view.node.inputs.len() == 2 =>
                    {
                        let sees = Sees { offset: -(before as isize), ..Sees::ONE };
                        Ok(Outcome::Rows { outputs: Rows { window: before + rows.window, ..rows }, sees })
                    }
                    Some(&(before, behind)) => {
                        self.sees_edges = true;
                        let sees = Sees { offset: -(before as isize), ..Sees::ONE };
                        let padded = rows.seen_by(before + rows.window + behind, sees);
                        // A lead that is padding alone would read no row.
                        let lead = if before > 0 { padded.lead.max(before + 1) } else { padded.lead };
                        Ok(Outcome::Rows { outputs: Rows { lead, ..padded }, sees })
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
                Some(rows) if rows.have_edges() || self.early(&rows) < 0 => {
                    let found = "a layer with a state, which reads rows that see padding in time";
                    Err(view.fault(found, "no padding in time (VALID) before it, or causal padding"))
                }
                Some(rows) if rows.axis == time_axis(*time_major) => {
                    let Some(held) = self.held(&rows) else {
                        let found = format!(
                            "steps that add {} rows to its input, of which {} come before its first window",
                            rows.new,
                            self.early(&rows)
                        );
                        return Err(view.fault(found, "steps of which the rows before the first window are a multiple"));
                    };
                    if held > 0 {
                        self.hold_lstm(view, held)?;
                    }
                    Ok(each_row(rows))
                }
                _ => Err(view.fault("a layer with a state, which reads no rows in order", STATELESS)),
            },
            Operator::Recurrent { time_major, reversed: false, .. } => {
                let (Some(rows), true) = (first, self.others_are_constant(view)) else { return Ok(Outcome::Window) };
                // Rows of padding before the first one are in the first window alone.
                self.sees_edges |= self.early(&rows) < 0;
                // Rows that see padding are others in the next window: the state behind them cannot go on.
                if rows.axis != time_axis(*time_major) || rows.have_edges() {
                    return Ok(Outcome::Window);
                }
                let Some(held) = self.held(&rows) else { return Ok(Outcome::Window) };
                self.recurrent(view, node, held)?;
                Ok(each_row(rows))
            }
            _ => Ok(Outcome::Window),
        }
    }

    /// How many rows a stream makes of a tensor before those of its first window: they see rows that were not there yet. Negative where the window has rows of
    /// padding that no step makes.
    fn early(&self, rows: &Rows) -> isize {
        (self.window * rows.new).div_ceil(self.step) as isize - rows.window as isize
    }

    /// In how many steps a recurrent layer reads nothing but rows before its first window, so that its state has to stay as it is stated. `None` where no whole
    /// steps are.
    fn held(&self, rows: &Rows) -> Option<usize> {
        let early = usize::try_from(self.early(rows)).ok()?;
        early.is_multiple_of(rows.new).then(|| early / rows.new)
    }

    fn others_are_constant(&self, view: &View<'_>) -> bool {
        view.node.inputs.iter().skip(1).flatten().all(|&id| view.tensor(id).data.is_some())
    }

    /// A kernel that slides over time: it reads the rows that it still sees, and gives one for every stride.
    fn windowed(
        &mut self,
        view: &View<'_>,
        rows: Rows,
        window: &mut SlidingWindow,
        kernel: [usize; 2],
    ) -> Result<Outcome, Problem> {
        let Some(dimension) = rows.axis.checked_sub(1).filter(|&dimension| dimension < 2) else {
            return Ok(Outcome::Window);
        };
        let input = view.nhwc(view.input(0)?)?;
        let (stride, field) = (window.stride[dimension], (kernel[dimension] - 1) * window.dilation[dimension] + 1);
        let padding = padding_amounts(window, [input[1], input[2]], kernel);
        let (before, behind) = padding[dimension];
        let total = view.stated_shape(0)?.get(rows.axis).copied().unwrap_or(1);
        if total == 1 && (!rows.new.is_multiple_of(stride) || before + behind > 0) {
            return Ok(Outcome::Window);
        }
        // Padding lies before the stream's first row only where no rows of others come before it.
        let is_causal = behind == 0
            && before < field
            && self.early(&rows) == 0
            && !matches!(view.node.operator, Operator::Pool2d { .. });
        self.sees_edges |= before + behind > 0 && !is_causal;
        if !rows.new.is_multiple_of(stride) {
            let found = format!("steps that add {} rows to its input, and a stride of {stride} in time", rows.new);
            // Rows of the model's input for one row of this layer's.
            let each = self.step / rows.new;
            let supported = format!(
                "steps of a multiple of {} rows; for an output with every row, {0} states that take turns (docs/models.md)",
                each * stride
            );
            return Err(view.fault(found, supported));
        }
        let sees = Sees { stride, field, offset: -(before as isize) };
        let outputs = rows.seen_by(total, sees);
        let outputs = if self.padded == Padded::Edges { outputs } else { Rows { lead: 0, tail: 0, ..outputs } };
        let [(top, bottom), (left, right)] = padding;
        window.padding = Padding::Explicit { top, bottom, left, right };
        Ok(Outcome::Rows { outputs, sees })
    }

    /// Operands that meet element by element: all have rows that move alike, or are constants that do not differ from row to row.
    fn elementwise(&self, view: &View<'_>) -> Result<Outcome, Problem> {
        let output = &view.tensor(view.output(0)?).shape;
        let mut operands = Vec::new();
        for &id in view.node.inputs.iter().flatten() {
            match self.rows.get(&id) {
                Some(&rows) => operands.push((view.tensor(id).shape.len() - rows.axis, rows)),
                None if view.tensor(id).data.is_none() => return Ok(Outcome::Window),
                None => {}
            }
        }
        let Some(&(from_behind, first)) = operands.first() else { return Ok(Outcome::Window) };
        // Axes count from behind, where shapes meet.
        let alike = operands.iter().all(|&(behind, _)| behind == from_behind);
        let operands: Vec<Rows> = operands.iter().map(|&(_, rows)| Rows { axis: first.axis, ..rows }).collect();
        let Some(rows) = common(&operands).filter(|_| alike) else { return Ok(Outcome::Window) };
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
        let Operator::StridedSlice { begin_mask, end_mask, shrink_mask, end_is_offset } = view.node.operator else {
            return Ok(Outcome::Window);
        };
        let bit = 1_u32 << rows.axis.min(31);
        let [begins, ends, strides] =
            [view.integers(1, "begin")?, view.integers(2, "end")?, view.integers(3, "strides")?];
        let (Some(&begin), Some(&end), Some(1)) = (begins.get(rows.axis), ends.get(rows.axis), strides.get(rows.axis))
        else {
            return Ok(Outcome::Window);
        };
        if end_is_offset {
            return Ok(Outcome::Window);
        }
        let length = rows.window as i64;
        let position = |at: i64| if at < 0 { at + length } else { at }.clamp(0, length);
        let is_one = shrink_mask & bit != 0;
        let first = if begin_mask & bit != 0 && !is_one { 0 } else { position(begin) };
        let last = match is_one {
            true => (first + 1).min(length),
            false if end_mask & bit != 0 => length,
            false => position(end),
        };
        let dropped = (0..rows.axis).filter(|&axis| shrink_mask & (1 << axis) != 0).count();
        let outcome = self.taken(view, rows, node, first..last, is_one)?;
        Ok(match outcome {
            Outcome::Rows { outputs, sees } => {
                Outcome::Rows { outputs: Rows { axis: rows.axis - dropped, ..outputs }, sees }
            }
            outcome => outcome,
        })
    }

    /// A box of each row, or of the rows in one piece.
    fn boxed(&mut self, view: &View<'_>, rows: Rows, node: &mut Node) -> Result<Outcome, Problem> {
        let [begins, sizes] = [view.integers(1, "begin")?, view.integers(2, "size")?];
        let (Some(&begin), Some(&size)) = (begins.get(rows.axis), sizes.get(rows.axis)) else {
            return Ok(Outcome::Window);
        };
        let size = if size == -1 { rows.window as i64 - begin } else { size };
        self.taken(view, rows, node, begin..begin + size, false)
    }

    /// The rows of a window that a slice takes. No more of them than are new are taken whole, and one alone is too: `node` takes them out of the
    /// newest rows then.
    fn taken(
        &mut self,
        view: &View<'_>,
        rows: Rows,
        node: &mut Node,
        taken: Range<i64>,
        is_one: bool,
    ) -> Result<Outcome, Problem> {
        let (Ok(begin), Ok(window), Ok(behind)) = (
            isize::try_from(taken.start),
            usize::try_from(taken.end - taken.start),
            usize::try_from(rows.window as i64 - taken.end),
        ) else {
            return Ok(Outcome::Window);
        };
        if is_one || window <= rows.new {
            let reads = (window + behind).max(rows.new);
            let begin = reads - behind - window;
            self.take(view, node, rows.axis, begin..begin + window)?;
            return Ok(Outcome::Newest(reads));
        }
        let sees = Sees { offset: begin, ..Sees::ONE };
        Ok(Outcome::Rows { outputs: rows.seen_by(window, sees), sees })
    }

    /// Lets a slice take these rows of its input.
    fn take(&mut self, view: &View<'_>, node: &mut Node, axis: usize, taken: Range<usize>) -> Result<(), Problem> {
        let mut begins = view.integers(1, "begin")?;
        let mut others = view.integers(2, "end or size")?;
        begins[axis] = taken.start as i64;
        if let Operator::StridedSlice { begin_mask, end_mask, .. } = &mut node.operator {
            let bit = 1_u32 << axis.min(31);
            *begin_mask &= !bit;
            *end_mask &= !bit;
            others[axis] = taken.end as i64;
        } else {
            others[axis] = taken.len() as i64;
        }
        let rank = [begins.len()];
        (node.inputs[1], node.inputs[2]) = (Some(self.integers(&begins, &rank)), Some(self.integers(&others, &rank)));
        Ok(())
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
        node.inputs[1] = Some(self.integers(&places, view.input_shape(1)?));
        Ok(Outcome::Newest(reads as usize))
    }

    /// Makes variables of the states of a recurrent layer: it starts from what the last step left, and the first step behind those that are `held` from what the
    /// net states.
    fn recurrent(&mut self, view: &View<'_>, node: &mut Node, held: usize) -> Result<(), Problem> {
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
            self.net.nodes.push(access(view, Operator::ReadVariable, vec![variable], vec![variable + 1]));
            let kept = self.held_back(view, variable, last, held);
            self.states.push(access(view, Operator::AssignVariable, vec![variable, kept], Vec::new()));
            node.inputs.resize(node.inputs.len().max(index + 1), None);
            node.inputs[index] = Some(variable + 1);
        }
        Ok(())
    }

    /// Puts the states of an LSTM that keeps them itself back to their start in its first steps.
    fn hold_lstm(&mut self, view: &View<'_>, held: usize) -> Result<(), Problem> {
        let variables = view.node.inputs.iter().flatten().copied().filter(|&id| view.tensor(id).variable);
        for variable in variables.collect::<Vec<_>>() {
            let like = view.tensor(variable);
            let value = Tensor { variable: false, start: None, open: Vec::new(), ..like.clone() };
            self.net.tensors.push(value);
            let value = self.net.tensors.len() - 1;
            self.states.push(access(view, Operator::ReadVariable, vec![variable], vec![value]));
            let kept = self.held_back(view, variable, value, held);
            self.states.push(access(view, Operator::AssignVariable, vec![variable, kept], Vec::new()));
        }
        Ok(())
    }

    /// What a variable becomes behind a step: a value, or what it starts from as long as no more than `held` steps were made.
    fn held_back(&mut self, view: &View<'_>, variable: TensorId, value: TensorId, held: usize) -> TensorId {
        if held == 0 {
            return value;
        }
        let begun = self.begun(view, held);
        let like = self.net.tensors[variable].clone();
        let start = like.start.clone().unwrap_or_else(|| real_zeros(&like));
        let result = Tensor { variable: false, start: None, ..like };
        self.net.tensors.extend([Tensor { data: Some(start), ..result.clone() }, result]);
        let result = self.net.tensors.len() - 1;
        let operator = Operator::Select { broadcasts: true };
        self.states.push(access(view, operator, vec![begun, value, result - 1], vec![result]));
        result
    }

    /// The truth value whether more than `held` steps were made: a variable slides by one true value in each step, and its oldest element says so.
    fn begun(&mut self, view: &View<'_>, held: usize) -> TensorId {
        if let Some(&begun) = self.begun.get(&held) {
            return begun;
        }
        let truths = |shape: usize, data: Option<u8>| {
            let data = data.map(|value| Constant::new(vec![value; shape]));
            Tensor::new(format!("more than {held} steps"), Element::Bool, vec![shape], data)
        };
        let first = self.net.tensors.len();
        let (variable, one, slid, oldest) = (first, first + 1, first + 2, first + 3);
        self.net.tensors.extend([
            Tensor { variable: true, ..truths(held + 1, None) },
            truths(1, Some(1)),
            truths(held + 1, None),
            truths(1, None),
        ]);
        let operands = [self.integers(&[0], &[1]), self.integers(&[1], &[1])];
        self.states.push(access(view, Operator::SlideVariable, vec![variable, one], vec![slid]));
        let slice = [&[slid][..], &operands].concat();
        self.states.push(access(view, Operator::Slice, slice, vec![oldest]));
        self.begun.insert(held, oldest);
        oldest
    }

    /// A constant of int32.
    fn integers(&mut self, values: &[i64], shape: &[usize]) -> TensorId {
        let bytes = values.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect();
        self.net.tensors.push(Tensor::new(
            "positions of a stream".into(),
            Element::I32,
            shape.to_vec(),
            Some(Constant::new(bytes)),
        ));
        self.net.tensors.len() - 1
    }
}

/// A node that is added for the one that is made over a stream.
fn access(view: &View<'_>, operator: Operator, inputs: Vec<TensorId>, outputs: Vec<TensorId>) -> Node {
    let (index, name) = (view.node.index, view.node.name.clone());
    Node { index, name, operator, inputs: inputs.into_iter().map(Some).collect(), outputs }
}

/// What a variable starts from that is not real 0 by itself.
fn silence(tensor: &Tensor) -> Option<Constant> {
    let zero_point = *tensor.quantisation.as_ref()?.zero_points.first()?;
    (tensor.element == Element::U8).then(|| Constant::new(vec![zero_point as u8; tensor.len()]))
}

/// What a variable without a stated start begins with: the stored form of real 0.
fn real_zeros(tensor: &Tensor) -> Constant {
    let zero_points = tensor.quantisation.as_ref().map(|of| &of.zero_points[..]);
    let byte = match zero_points {
        Some(&[zero_point, ..]) if tensor.element == Element::I8 => zero_point as i8 as u8,
        _ => 0,
    };
    Constant::new(vec![byte; tensor.bytes()])
}

/// The rank of input 0.
fn rank(view: &View<'_>) -> usize {
    view.input_shape(0).map_or(0, <[usize]>::len)
}

/// The outcome of an operator that works on each row.
fn each_row(rows: Rows) -> Outcome {
    Outcome::Rows { outputs: rows, sees: Sees::ONE }
}

/// The rows of what is computed of several operands row by row; `None` where they do not move alike.
fn common(operands: &[Rows]) -> Option<Rows> {
    let (&first, others) = operands.split_first()?;
    let alike = |rows: &Rows| (rows.axis, rows.window, rows.new) == (first.axis, first.window, first.new);
    let join = |a: Rows, b: &Rows| Rows { lead: a.lead.max(b.lead), tail: a.tail.max(b.tail), ..a };
    others.iter().all(alike).then(|| others.iter().fold(first, join))
}

/// The axis of time of a recurrent layer's input.
fn time_axis(time_major: bool) -> usize {
    usize::from(!time_major)
}

/// What may stand in a net that becomes one over a stream.
const STATELESS: &str = "operators without a state of their own; a model with states is a streaming one already";

/// Refuses what reads and writes a variable of the model, wherever it stands: every step would move its state on, and windows that overlap would do so for rows
/// that an earlier one had.
fn refuse_variables(view: &View<'_>) -> Result<(), Problem> {
    match view.node.operator {
        Operator::ReadVariable | Operator::AssignVariable | Operator::SlideVariable => {
            let supported = "models without a state of their own: a recurrent layer that is converted without stateful=True has its state kept by the stream, and \
                             a model that keeps rows in variables is a streaming one already";
            Err(view.fault("a state that goes on from window to window", supported))
        }
        _ => Ok(()),
    }
}

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

/// Rows and columns of padding before and behind an image of this height and width.
fn padding_amounts(window: &SlidingWindow, image: [usize; 2], kernel: [usize; 2]) -> [(usize, usize); 2] {
    match window.padding {
        Padding::Valid => [(0, 0); 2],
        Padding::Explicit { top, bottom, left, right } => [(top, bottom), (left, right)],
        Padding::Same => [0, 1].map(|dimension| {
            let (stride, dilation) = (window.stride[dimension], window.dilation[dimension]);
            same_padding(image[dimension], kernel[dimension], dilation, stride)
        }),
    }
}

/// Sets the padding before and behind along a dimension of a window whose amounts are explicit.
fn pad(window: &mut SlidingWindow, dimension: usize, [before, behind]: [usize; 2]) {
    if let Padding::Explicit { top, bottom, left, right } = &mut window.padding {
        let [first, last] = if dimension == 0 { [top, bottom] } else { [left, right] };
        (*first, *last) = (before, behind);
    }
    if window.padding == (Padding::Explicit { top: 0, bottom: 0, left: 0, right: 0 }) {
        window.padding = Padding::Valid;
    }
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
    use smolnn_core::same_padding;
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

        /// A convolution, depthwise or not, with padding in time before and behind the window.
        fn convolution(
            &mut self,
            kernel: [usize; 2],
            stride: usize,
            dilation: usize,
            (before, behind): (usize, usize),
            depthwise: bool,
        ) {
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
            let same = behind > 0 && (before, behind) == same_padding(time, kernel[0], dilation, stride);
            let window = SlidingWindow {
                stride: [stride, 1],
                dilation: [dilation, 1],
                padding: match same {
                    true => Padding::Same,
                    false => Padding::Explicit { top: before, bottom: behind, left: side, right: side },
                },
            };
            let activation = if self.random.number(0, 1) == 0 { Activation::Relu } else { Activation::None };
            let rows = (time + before + behind - field) / stride + 1;
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

        fn pool(&mut self, rows: usize, stride: usize, (before, behind): (usize, usize)) {
            let [_, time, width, channels] = self.shape();
            let kind = if self.random.number(0, 1) == 0 { PoolKind::Max } else { PoolKind::Average };
            let padding = Padding::Explicit { top: before, bottom: behind, left: 0, right: 0 };
            let window = SlidingWindow { stride: [stride, 1], dilation: [1, 1], padding };
            let shape = vec![1, (time + before + behind - rows) / stride + 1, width, channels];
            self.node(
                Operator::Pool2d { kind, kernel: [rows, 1], window, activation: Activation::None },
                &[],
                shape,
                None,
            );
        }

        /// Puts rows around the window.
        fn pad(&mut self, before: usize, behind: usize) {
            let [_, time, width, channels] = self.shape();
            let amounts = self.integers(&[0, 0, before as i32, behind as i32, 0, 0, 0, 0]);
            self.net.tensors[amounts].shape = vec![4, 2];
            self.node(Operator::Pad, &[amounts], vec![1, before + time + behind, width, channels], None);
        }

        /// Adds another tensor of the same shape.
        fn add(&mut self, other: TensorId) {
            let shape = self.shape().to_vec();
            self.node(Operator::Binary(BinaryKind::Add, Activation::None), &[other], shape, Some((0.1, 3)));
        }

        /// A layer with padding in time, or one that follows such layers.
        fn padded_layer(&mut self, stride: usize) {
            let [_, time, width, _] = self.shape();
            let taps = self.random.number(1, 5.min(time));
            let dilation = if (taps - 1) * 2 < time { self.random.number(1, 2) } else { 1 };
            let field = (taps - 1) * dilation + 1;
            let padding = match self.random.number(0, 3) {
                0 => (self.random.number(0, field - 1), self.random.number(0, field - 1)),
                1 => (0, 0),
                _ => same_padding(time, taps, dilation, stride),
            };
            let side = if width > 2 { self.random.number(0, 1) * 2 + 1 } else { 1 };
            match self.random.number(0, 9) {
                0..=2 => self.convolution([taps, side], stride, dilation, padding, true),
                3..=5 => self.convolution([taps, side], stride, dilation, padding, false),
                6 if stride == 1 => self.pad(self.random.0 as usize % 3, self.random.0 as usize / 3 % 3),
                7 => {
                    let rows = taps.min(3);
                    self.pool(rows, stride, same_padding(time, rows, 1, stride));
                }
                8 if stride == 1 => {
                    // A block with a way around it: rows at the edges that see padding on one way alone.
                    let before = self.last;
                    self.convolution([3, 1], 1, 1, (1, 1), true);
                    self.add(before);
                }
                _ if stride == 1 => self.layer(false),
                _ => self.convolution([taps, side], stride, dilation, padding, true),
            }
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
                    self.convolution([taps, side], 1, dilation, (before(field), 0), depthwise);
                }
                3 if time >= 4 => self.pool(2, 1, (0, 0)),
                4 => {
                    self.add(self.last);
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
            match self.random.number(0, 6) {
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
                2 => self.pool(time, time, (0, 0)),
                3 => self.rows(),
                4 => self.row(),
                // The window itself, in another shape.
                5 => {
                    let count = time * width * channels;
                    let to = self.integers(&[1, count as i32]);
                    self.node(Operator::Reshape, &[to], vec![1, count], None);
                }
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
                    "window {compared}, steps of {step}: {:#?}",
                    net.nodes
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
                builder.convolution([3, 1], 2, 1, (0, 0), false);
            }
            (0..1 + seed % 5).for_each(|_| builder.layer(false));
            builder.head();
            let step = (1 + seed as usize % 3) * if strided { 2 } else { 1 };
            compared += compare(&builder.net, step, 5, &mut builder.random);
        }
        println!("{compared} windows of random streams");
        assert!(compared >= 1000);
    }

    /// Nets with padding at the edges of the window: SAME, explicit, pads; around it strides, dilations, pools, residual blocks and crops.
    #[test]
    fn nets_with_padding_give_the_same_over_streams_as_over_windows() {
        let (mut compared, mut computing_less) = (0, 0);
        for seed in 0..400 {
            let mut builder =
                Builder::new(seed, [1, 24 + seed as usize % 19, 1 + seed as usize % 4, 1 + seed as usize % 3]);
            let strided = seed % 3 == 0;
            if strided {
                builder.padded_layer(2);
            }
            // One layer at least whose padding is not causal, so that all padding lies at the edges of every window.
            let certain = seed % 4;
            for layer in 0..certain.max(1 + seed % 5) + 1 {
                if layer == certain {
                    builder.convolution([3, 1], 1, 1, (1, 1), true);
                } else {
                    builder.padded_layer(1);
                }
            }
            builder.head();
            let step = (1 + seed as usize % 3) * if strided { 2 } else { 1 };
            compared += compare(&builder.net, step, 5, &mut builder.random);
            let stream = streaming(&builder.net, 1, step).expect("it streams");
            computing_less += usize::from(compile(&stream).macs() < compile(&builder.net).macs());
        }
        println!("{compared} windows of random streams, {computing_less} nets that compute less over a stream");
        assert!(compared >= 2000 && computing_less > 200);
    }

    #[test]
    fn causal_nets_give_the_first_window_as_it_is() {
        for seed in 0..60 {
            let mut builder = Builder::new(seed, [1, 12, 2, 2]);
            builder.convolution([3, 1], 1, 2, (4, 0), false);
            (0..seed % 4).for_each(|_| builder.layer(true));
            builder.head();
            assert_eq!(compare(&builder.net, [1, 2, 3, 4][seed as usize % 4], 1, &mut builder.random), 1);
        }
    }

    #[test]
    fn a_step_computes_what_is_new() {
        let mut builder = Builder::new(1, [1, 20, 1, 2]);
        builder.convolution([3, 1], 1, 1, (0, 0), true);
        builder.convolution([1, 1], 1, 1, (0, 0), false);
        builder.convolution([5, 1], 1, 1, (0, 0), true);
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
        builder.convolution([3, 3], 1, 1, (0, 0), false);
        builder.net.outputs = vec![builder.last];
        for (axis, step) in [(1, 0), (1, 21), (2, 1), (4, 1)] {
            println!("{}", refusal(&builder.net, axis, step));
        }
        let mut builder = Builder::new(3, [1, 20, 1, 2]);
        builder.convolution([3, 1], 2, 1, (0, 0), false);
        builder.net.outputs = vec![builder.last];
        let text = refusal(&builder.net, 1, 3);
        assert!(text.contains("steps that add 3 rows") && text.contains("a multiple of 2 rows"), "{text}");
        // A state that no row is read from, such as what a recurrent layer of all rows starts from.
        let mut builder = Builder::new(4, [1, 20, 1, 2]);
        let variable = builder.tensor(Element::I8, vec![1, 20, 1, 2], 0.05, -3, None);
        builder.net.tensors[variable].variable = true;
        let value = builder.tensor(Element::I8, vec![1, 20, 1, 2], 0.05, -3, None);
        let access = |operator: Operator, inputs: Vec<TensorId>, outputs: Vec<TensorId>| {
            let inputs = inputs.into_iter().map(Some).collect();
            Node { index: 0, name: "VARIABLE".into(), operator, inputs, outputs }
        };
        builder.net.nodes.push(access(Operator::ReadVariable, vec![variable], vec![value]));
        builder.add(value);
        builder.net.nodes.push(access(Operator::AssignVariable, vec![variable, builder.last], Vec::new()));
        builder.net.outputs = vec![builder.last];
        let text = refusal(&builder.net, 1, 2);
        assert!(
            text.contains("a state that goes on from window to window") && text.contains("stateful=True"),
            "{text}"
        );
    }
}
