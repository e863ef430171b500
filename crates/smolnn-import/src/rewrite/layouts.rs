//! Takes transposes out of a net, where operators between them do not mind in which order dimensions are stored.
//!
//! A net of a format with channels in front has a transpose before and behind every operator that slides over an image. The pass goes through the
//! nodes once. A transpose or a reshape computes nothing: its output is remembered as a [`Layout`], another tensor whose elements are stored in
//! another order. Operators that work element by element, along axes, or on constants that can be put in the same order, work on that other tensor, and their
//! outputs are remembered as layouts in turn. A transpose is written only where an operator needs the elements in just this order, so that transposes that
//! undo each other leave nothing behind.

use std::collections::HashMap;

use crate::net::{Constant, Net, Node, Operator, Tensor, TensorId};

/// Where the elements of a tensor are stored: in another tensor, in another order.
///
/// The dimensions of the tensor are made of atoms, lengths above 1 that are not taken apart; each dimension is some neighbouring ones. The other tensor
/// holds the same atoms in another order, and its dimensions too are neighbouring ones.
#[derive(Clone, Debug)]
struct Layout {
    /// The tensor that holds the elements.
    base: TensorId,
    /// The lengths of the atoms, in the tensor's order.
    atoms: Vec<usize>,
    /// The atoms in the order in which the base has them.
    order: Vec<usize>,
}

impl Layout {
    fn is_in_order(&self) -> bool {
        self.order.is_sorted()
    }

    /// Splits the atoms so that products of the first ones reach all these boundaries; `None` where an atom cannot be split so.
    fn split(&mut self, boundaries: &[usize]) -> Option<()> {
        let (mut product, mut at) = (1, 0);
        let mut next = boundaries.iter().copied().filter(|&boundary| boundary > 1).peekable();
        while at < self.atoms.len() {
            while next.next_if(|&boundary| boundary <= product).is_some() {}
            let whole = product * self.atoms[at];
            let Some(&boundary) = next.peek() else { break };
            if boundary < whole {
                if !boundary.is_multiple_of(product) || !whole.is_multiple_of(boundary) {
                    return None;
                }
                let first = boundary / product;
                self.atoms[at] /= first;
                self.atoms.insert(at, first);
                self.order = self
                    .order
                    .iter()
                    .flat_map(|&atom| match atom.cmp(&at) {
                        std::cmp::Ordering::Less => vec![atom],
                        std::cmp::Ordering::Equal => vec![at, at + 1],
                        std::cmp::Ordering::Greater => vec![atom + 1],
                    })
                    .collect();
            }
            product *= self.atoms[at];
            at += 1;
        }
        Some(())
    }

    /// The atoms of each dimension of a shape; `None` where an atom lies in two of them.
    fn of_dimensions(&self, shape: &[usize]) -> Option<Vec<Vec<usize>>> {
        group(&self.atoms, &(0..self.atoms.len()).collect::<Vec<_>>(), shape)
    }

    /// The atoms of each dimension of the base.
    fn of_base(&self, shape: &[usize]) -> Option<Vec<Vec<usize>>> {
        group(&self.atoms, &self.order, shape)
    }
}

/// Neighbouring atoms in this order whose product is each length of a shape.
fn group(atoms: &[usize], order: &[usize], shape: &[usize]) -> Option<Vec<Vec<usize>>> {
    let mut rest = order.iter().copied();
    let groups = shape.iter().map(|&length| {
        let (mut product, mut group) = (1, Vec::new());
        while product < length {
            let atom = rest.next()?;
            product *= atoms[atom];
            group.push(atom);
        }
        (product == length).then_some(group)
    });
    let groups = groups.collect::<Option<Vec<_>>>()?;
    rest.next().is_none().then_some(groups)
}

/// The products of the first lengths of a shape, one after the other.
fn boundaries(shape: &[usize]) -> Vec<usize> {
    shape
        .iter()
        .scan(1, |product, &length| {
            *product *= length;
            Some(*product)
        })
        .collect()
}

/// Takes the transposes out.
pub(super) fn apply(net: &mut Net) {
    if !net.nodes.iter().any(|node| node.operator == Operator::Transpose) {
        return;
    }
    let nodes = std::mem::take(&mut net.nodes);
    let mut pass = Pass::of(net);
    for node in nodes {
        if pass.node(&node).is_none() {
            pass.as_it_is(node);
        }
    }
    for id in pass.net.outputs.clone() {
        pass.stored(id);
    }
    let nodes = pass.nodes;
    net.nodes = nodes;
}

/// The shape of a tensor of rank 3 or 4 with its channels last, and the order in which its dimensions then stand.
fn with_channels_last(shape: &[usize]) -> Option<(Vec<usize>, Vec<i64>)> {
    let (&batch, &channels, size) = match shape {
        [batch, channels, size @ ..] if (1..=2).contains(&size.len()) => (batch, channels, size),
        _ => return None,
    };
    let rank = shape.len() as i64;
    Some(([&[batch], size, &[channels]].concat(), [0].into_iter().chain(2..rank).chain([1]).collect()))
}

/// Gives a model's input of rank 3 or 4 its channels last, with a transpose behind it that puts them in front.
fn input_with_channels_last(net: &mut Net, index: usize) -> Option<()> {
    let id = *net.inputs.get(index)?;
    let (last, order) = with_channels_last(&net.tensors[id].shape)?;
    let rank = order.len() as i64;
    let front: Vec<i64> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let name = net.tensors[id].name.clone();
    let mut pass = Pass::of(net);
    let image = pass.tensor(id, &last);
    let operand = pass.integers(&[front.len()], &front);
    pass.push(Operator::Transpose, vec![image, operand], id);
    let node = pass.nodes.remove(0);
    net.tensors[image].name = name;
    net.nodes.insert(0, node);
    net.inputs[index] = image;
    Some(())
}

/// Gives a model's output of rank 3 or 4 its channels last, by a transpose behind it.
fn output_with_channels_last(net: &mut Net, index: usize) -> Option<()> {
    let id = *net.outputs.get(index)?;
    let (last, order) = with_channels_last(&net.tensors[id].shape)?;
    let name = net.tensors[id].name.clone();
    let mut pass = Pass::of(net);
    let image = pass.tensor(id, &last);
    let operand = pass.integers(&[order.len()], &order);
    pass.push(Operator::Transpose, vec![id, operand], image);
    let mut node = pass.nodes.remove(0);
    node.index = net.nodes.last().map_or(0, |node| node.index);
    net.tensors[image].name = name;
    net.nodes.push(node);
    net.outputs[index] = image;
    Some(())
}

/// How many transposes a net has.
fn transposes(net: &Net) -> usize {
    net.nodes.iter().filter(|node| node.operator == Operator::Transpose).count()
}

/// Takes over what `change` makes of a net, if a transpose is not needed then, or if nothing changes but the shape of an image of one channel.
fn change_where_fewer(net: &mut Net, shape: &[usize], change: impl Fn(&mut Net) -> Option<()>) {
    let mut changed = net.clone();
    if change(&mut changed).is_none() {
        return;
    }
    apply(&mut changed);
    super::drop_unused::apply(&mut changed);
    super::drop_renames(&mut changed);
    let (before, after) = (transposes(net), transposes(&changed));
    if after < before || shape.get(1) == Some(&1) && after == before && changed.nodes.len() <= net.nodes.len() {
        *net = changed;
    }
}

/// Gives the model's inputs their channels last, where a transpose of the net is not needed then, and where they have one channel.
pub(super) fn channels_last_inputs(net: &mut Net) {
    for index in 0..net.inputs.len() {
        let shape = net.tensors[net.inputs[index]].shape.clone();
        change_where_fewer(net, &shape, |net| input_with_channels_last(net, index));
    }
}

/// Gives the model's outputs their channels last, where a transpose of the net is not needed then, and where they have one channel.
pub(super) fn channels_last_outputs(net: &mut Net) {
    for index in 0..net.outputs.len() {
        let shape = net.tensors[net.outputs[index]].shape.clone();
        change_where_fewer(net, &shape, |net| output_with_channels_last(net, index));
    }
}

struct Pass<'a> {
    net: &'a mut Net,
    nodes: Vec<Node>,
    /// Tensors whose elements are stored elsewhere.
    layouts: HashMap<TensorId, Layout>,
    /// Those of them that were written all the same.
    written: HashMap<TensorId, ()>,
    /// Tensors by the tensor and the order, or the shape, in which they hold its elements.
    shapes: HashMap<(TensorId, Vec<usize>, Vec<usize>), TensorId>,
}

impl<'a> Pass<'a> {
    fn of(net: &'a mut Net) -> Self {
        Self { net, nodes: Vec::new(), layouts: HashMap::new(), written: HashMap::new(), shapes: HashMap::new() }
    }

    fn shape(&self, id: TensorId) -> Vec<usize> {
        self.net.tensors[id].shape.clone()
    }

    fn is_constant(&self, id: TensorId) -> bool {
        self.net.tensors[id].data.is_some()
    }

    /// Where the elements of a tensor are: in itself, unless it is remembered otherwise.
    fn layout(&self, id: TensorId) -> Layout {
        self.layouts.get(&id).cloned().unwrap_or_else(|| {
            let atoms: Vec<usize> = self.net.tensors[id].shape.iter().copied().filter(|&length| length > 1).collect();
            Layout { base: id, order: (0..atoms.len()).collect(), atoms }
        })
    }

    /// A tensor like another one in another shape.
    fn tensor(&mut self, like: TensorId, shape: &[usize]) -> TensorId {
        let tensor = Tensor { shape: shape.into(), open: Vec::new(), data: None, ..self.net.tensors[like].clone() };
        self.net.tensors.push(tensor);
        self.net.tensors.len() - 1
    }

    fn integers(&mut self, shape: &[usize], values: &[i64]) -> TensorId {
        let data = Constant::new(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        self.net.tensors.push(Tensor::new(String::new(), crate::net::Element::I64, shape.into(), Some(data)));
        self.net.tensors.len() - 1
    }

    /// Adds a node that is no operator of the file's.
    fn push(&mut self, operator: Operator, inputs: Vec<TensorId>, output: TensorId) {
        let name = if operator == Operator::Transpose { "Transpose" } else { "Reshape" };
        let index = self.nodes.last().map_or(0, |node| node.index);
        let inputs = inputs.into_iter().map(Some).collect();
        self.nodes.push(Node { index, name: name.into(), operator, inputs, outputs: vec![output] });
    }

    /// A tensor in another shape.
    fn reshaped(&mut self, id: TensorId, shape: &[usize]) -> TensorId {
        if self.net.tensors[id].shape == shape {
            return id;
        }
        if self.is_constant(id) {
            let tensor = Tensor { shape: shape.into(), ..self.net.tensors[id].clone() };
            self.net.tensors.push(tensor);
            return self.net.tensors.len() - 1;
        }
        let key = (id, Vec::new(), shape.to_vec());
        if let Some(&known) = self.shapes.get(&key) {
            return known;
        }
        let output = self.tensor(id, shape);
        self.push(Operator::Reshape, vec![id], output);
        self.shapes.insert(key, output);
        output
    }

    /// The elements of a layout with the atoms in this order, in dimensions of one or several atoms that lie together in both.
    fn ordered(&mut self, layout: &Layout, order: &[usize]) -> TensorId {
        if layout.order == order {
            return layout.base;
        }
        // Atoms that stay together are one dimension.
        let place = |atom: usize| layout.order.iter().position(|&other| other == atom).unwrap_or(0);
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &atom in order {
            match groups.last_mut() {
                Some(group) if group.last().is_some_and(|&last| place(last) + 1 == place(atom)) => group.push(atom),
                _ => groups.push(vec![atom]),
            }
        }
        let length = |group: &Vec<usize>| group.iter().map(|&atom| layout.atoms[atom]).product::<usize>();
        let mut stored: Vec<usize> = (0..groups.len()).collect();
        stored.sort_by_key(|&index| place(groups[index][0]));
        let from: Vec<usize> = stored.iter().map(|&index| length(&groups[index])).collect();
        let to: Vec<usize> = groups.iter().map(length).collect();
        let permutation: Vec<usize> =
            (0..groups.len()).map(|index| stored.iter().position(|&other| other == index).unwrap_or(index)).collect();
        if self.is_constant(layout.base) {
            return self.permuted(layout.base, &from, &permutation, &to);
        }
        let key = (layout.base, permutation.clone(), from.clone());
        if let Some(&known) = self.shapes.get(&key) {
            return known;
        }
        let input = self.reshaped(layout.base, &from);
        let values: Vec<i64> = permutation.iter().map(|&axis| axis as i64).collect();
        let operand = self.integers(&[values.len()], &values);
        let output = self.tensor(layout.base, &to);
        self.push(Operator::Transpose, vec![input, operand], output);
        self.shapes.insert(key, output);
        output
    }

    /// A constant of shape `from` with its dimensions permuted, as one of shape `to`.
    fn permuted(&mut self, id: TensorId, from: &[usize], permutation: &[usize], to: &[usize]) -> TensorId {
        let tensor = &self.net.tensors[id];
        let width = tensor.element.bits() / 8;
        let bytes = tensor.data.as_ref().map_or(&[][..], Constant::bytes);
        debug_assert!(width > 0 && bytes.len() == width * from.iter().product::<usize>(), "a constant of whole bytes");
        let mut strides = vec![1; from.len()];
        for axis in (1..from.len()).rev() {
            strides[axis - 1] = strides[axis] * from[axis];
        }
        let mut permuted = Vec::with_capacity(bytes.len());
        for element in 0..bytes.len() / width {
            let (mut rest, mut at) = (element, 0);
            for &axis in permutation.iter().rev() {
                at += rest % from[axis] * strides[axis];
                rest /= from[axis];
            }
            permuted.extend(&bytes[at * width..][..width]);
        }
        let tensor = Tensor { shape: to.into(), data: Some(Constant::new(permuted)), ..tensor.clone() };
        self.net.tensors.push(tensor);
        self.net.tensors.len() - 1
    }

    /// The tensor itself, written where its elements are stored elsewhere until now.
    fn stored(&mut self, id: TensorId) -> TensorId {
        let Some(layout) = self.layouts.get(&id).cloned() else { return id };
        if self.written.insert(id, ()).is_some() {
            return id;
        }
        let order: Vec<usize> = (0..layout.atoms.len()).collect();
        let ordered = self.ordered(&layout, &order);
        self.push(Operator::Reshape, vec![ordered], id);
        id
    }

    /// A node that needs its inputs as they are stated.
    fn as_it_is(&mut self, mut node: Node) {
        for input in node.inputs.iter_mut().flatten() {
            *input = self.stored(*input);
        }
        self.nodes.push(node);
    }

    /// Adds the node with other inputs, whose output is stored in this shape, with these atoms in this order.
    fn emit(
        &mut self,
        node: &Node,
        operator: Operator,
        inputs: Vec<TensorId>,
        shape: &[usize],
        atoms: Vec<usize>,
        order: Vec<usize>,
    ) {
        let id = node.outputs[0];
        let output = if order.is_sorted() && self.net.tensors[id].shape == shape { id } else { self.tensor(id, shape) };
        let inputs = inputs.into_iter().map(Some).collect();
        self.nodes.push(Node { operator, inputs, outputs: vec![output], index: node.index, name: node.name.clone() });
        if output != id {
            self.layouts.insert(id, Layout { base: output, atoms, order });
        }
    }

    /// Works on the node where the order of its operands does not matter; `None` where it does.
    fn node(&mut self, node: &Node) -> Option<()> {
        let inputs = node.inputs.iter().copied().collect::<Option<Vec<_>>>()?;
        let first = *inputs.first()?;
        let is_moved = inputs.iter().any(|input| self.layouts.contains_key(input));
        match &node.operator {
            Operator::Transpose => self.transpose(node, first, *inputs.get(1)?),
            Operator::Reshape | Operator::ExpandDims => self.reshape(node, first),
            _ if !is_moved => None,
            Operator::Unary(_) | Operator::Lookup(_) | Operator::Cast | Operator::Quantise | Operator::Dequantise => {
                let layout = self.layout(first);
                let shape = self.shape(layout.base);
                self.emit(node, node.operator.clone(), vec![layout.base], &shape, layout.atoms, layout.order);
                Some(())
            }
            Operator::Binary(..) | Operator::Compare(_) | Operator::Prelu | Operator::Select { .. } => {
                self.elementwise(node, &inputs)
            }
            Operator::Reduce { keep_dims, .. } => self.reduce(node, &inputs, *keep_dims),
            Operator::Softmax { .. } | Operator::LogSoftmax | Operator::L2Normalise { .. } => self.rows(node, first),
            Operator::Dense { .. } => self.dense(node, &inputs),
            Operator::MatMul { left_transposed, right_transposed } => {
                self.matmul(node, &inputs, [*left_transposed, *right_transposed])
            }
            Operator::Concatenate { axis } => self.concatenate(node, &inputs, *axis),
            Operator::Pad
            | Operator::MirrorPad { .. }
            | Operator::Slice
            | Operator::StridedSlice { shrink_mask: 0, .. }
            | Operator::Tile
            | Operator::Split
            | Operator::Gather { batch_dims: 0, .. } => self.along_axes(node, &inputs),
            _ => None,
        }
    }

    fn transpose(&mut self, node: &Node, input: TensorId, permutation: TensorId) -> Option<()> {
        let shape = self.shape(input);
        let permutation = self.net.tensors[permutation].integers()?;
        let axes = permutation
            .iter()
            .map(|&axis| usize::try_from(axis).ok().filter(|&axis| axis < shape.len()))
            .collect::<Option<Vec<_>>>()?;
        let layout = self.layout(input);
        let dimensions = layout.of_dimensions(&shape)?;
        let moved: Vec<usize> = axes.iter().flat_map(|&axis| dimensions[axis].clone()).collect();
        if moved.len() != layout.atoms.len() {
            return None;
        }
        let atoms = moved.iter().map(|&atom| layout.atoms[atom]).collect();
        let order =
            layout.order.iter().map(|atom| moved.iter().position(|other| other == atom)).collect::<Option<_>>()?;
        self.layouts.insert(*node.outputs.first()?, Layout { base: layout.base, atoms, order });
        Some(())
    }

    fn reshape(&mut self, node: &Node, input: TensorId) -> Option<()> {
        let output = *node.outputs.first()?;
        if self.is_constant(input) || self.net.tensors[input].variable {
            return None;
        }
        let mut layout = self.layout(input);
        layout.split(&boundaries(&self.net.tensors[output].shape))?;
        layout.of_dimensions(&self.net.tensors[output].shape)?;
        self.layouts.insert(output, layout);
        Some(())
    }

    /// Operands that meet element by element, and repeat along dimensions of 1 or such that they lack.
    fn elementwise(&mut self, node: &Node, inputs: &[TensorId]) -> Option<()> {
        let result = self.shape(*node.outputs.first()?);
        // The shape of an operand with as many dimensions as the result.
        let shapes: Vec<Vec<usize>> = inputs
            .iter()
            .map(|&id| {
                let own = self.shape(id);
                [vec![1; result.len().checked_sub(own.len())?], own].concat().into()
            })
            .collect::<Option<_>>()?;
        let mut layouts: Vec<Layout> = inputs.iter().map(|&id| self.layout(id)).collect();
        // Atoms of the result: those of all operands, where each is split as the others are.
        let (mut atoms, mut start) = (Vec::new(), vec![0; inputs.len()]);
        let mut present: Vec<Vec<usize>> = vec![Vec::new(); inputs.len()];
        for (axis, &length) in result.iter().enumerate().filter(|&(_, &length)| length > 1) {
            let whole: Vec<usize> = (0..inputs.len()).filter(|&index| shapes[index][axis] == length).collect();
            let mut cuts: Vec<usize> = Vec::new();
            for &index in &whole {
                let mut product = 1;
                for &atom in &layouts[index].atoms[start[index]..] {
                    product *= atom;
                    cuts.push(product);
                    if product >= length {
                        break;
                    }
                }
            }
            cuts.sort_unstable();
            cuts.dedup();
            if cuts.last() != Some(&length) {
                return None;
            }
            for &index in &whole {
                let before: usize = layouts[index].atoms[..start[index]].iter().product();
                let ends: Vec<usize> = cuts.iter().map(|cut| before * cut).collect();
                layouts[index].split(&ends)?;
                present[index].extend(atoms.len()..atoms.len() + cuts.len());
                start[index] += cuts.len();
            }
            let mut product = 1;
            for cut in cuts {
                atoms.push(cut / product);
                product = cut;
            }
        }
        // The operand that says the order: the largest one, and of those one that is not stored as stated.
        let rank = |index: &usize| (layouts[*index].atoms.iter().product::<usize>(), !layouts[*index].is_in_order());
        let leader = (0..inputs.len()).filter(|&index| !self.is_constant(inputs[index])).max_by_key(rank)?;
        if present[leader].len() != atoms.len() {
            return None;
        }
        let order = layouts[leader].order.clone();
        let of_leader = self.shape(layouts[leader].base);
        let mut frame = layouts[leader].of_base(&of_leader)?;
        // Each dimension belongs to an operand as a whole or not at all.
        let is_whole = |frame: &[Vec<usize>]| {
            frame.iter().all(|group| {
                present.iter().all(|present| {
                    let count = group.iter().filter(|atom| present.contains(atom)).count();
                    count == 0 || count == group.len()
                })
            })
        };
        if !is_whole(&frame) {
            frame = order.iter().map(|&atom| vec![atom]).collect();
        }
        let length = |group: &Vec<usize>| group.iter().map(|&atom| atoms[atom]).product::<usize>();
        let shape: Vec<usize> = frame.iter().map(length).collect();
        let mut operands = Vec::new();
        for (index, layout) in layouts.iter().enumerate() {
            let own: Vec<usize> =
                order.iter().filter_map(|atom| present[index].iter().position(|other| other == atom)).collect();
            let ordered = self.ordered(layout, &own);
            let own = frame
                .iter()
                .map(|group| if group.iter().all(|atom| present[index].contains(atom)) { length(group) } else { 1 });
            let own: Vec<usize> = own.collect();
            // Leading dimensions of 1 say nothing of an operand that repeats. One of the result's shape keeps it: an image stays an image.
            let repeats = own != shape && !matches!(node.operator, Operator::Select { broadcasts: false });
            let lead = if repeats { own.iter().take_while(|&&length| length == 1).count() } else { 0 };
            operands.push(self.reshaped(ordered, &own[lead..]));
        }
        self.emit(node, node.operator.clone(), operands, &shape, atoms, order);
        Some(())
    }

    fn reduce(&mut self, node: &Node, inputs: &[TensorId], keep_dims: bool) -> Option<()> {
        let (&input, shape) = (inputs.first()?, self.shape(*inputs.first()?));
        let axes = self.net.tensors[*inputs.get(1)?].integers()?;
        let layout = self.layout(input);
        let dimensions = layout.of_dimensions(&shape)?;
        let mut gone = vec![false; layout.atoms.len()];
        for axis in axes {
            let axis = usize::try_from(if axis < 0 { axis + shape.len() as i64 } else { axis }).ok()?;
            dimensions.get(axis)?.iter().for_each(|&atom| gone[atom] = true);
        }
        let base = self.shape(layout.base);
        let mut frame = layout.of_base(&base)?;
        let mixed = |group: &Vec<usize>| group.iter().any(|&atom| gone[atom]) && !group.iter().all(|&atom| gone[atom]);
        if frame.iter().any(mixed) {
            frame = layout.order.iter().map(|&atom| vec![atom]).collect();
        }
        let length = |group: &Vec<usize>| group.iter().map(|&atom| layout.atoms[atom]).product::<usize>();
        let is_gone = |group: &Vec<usize>| group.iter().any(|&atom| gone[atom]);
        let lengths: Vec<usize> = frame.iter().map(length).collect();
        let from = self.reshaped(layout.base, &lengths);
        let axes: Vec<i64> = (0..frame.len()).filter(|&axis| is_gone(&frame[axis])).map(|axis| axis as i64).collect();
        if axes.is_empty() {
            return None;
        }
        let kept = frame
            .iter()
            .filter(|group| keep_dims || !is_gone(group))
            .map(|group| if is_gone(group) { 1 } else { length(group) });
        let kept: Vec<usize> = kept.collect();
        let axes = self.integers(&[axes.len()], &axes);
        let left: Vec<usize> = (0..gone.len()).filter(|&atom| !gone[atom]).collect();
        let atoms = left.iter().map(|&atom| layout.atoms[atom]).collect();
        let order = layout.order.iter().filter_map(|atom| left.iter().position(|other| other == atom)).collect();
        self.emit(node, node.operator.clone(), vec![from, axes], &kept, atoms, order);
        Some(())
    }

    /// The atoms of the last dimension, where the base ends with them in any order: how many there are.
    fn last(&self, layout: &Layout, shape: &[usize]) -> Option<usize> {
        let count = layout.of_dimensions(shape)?.last()?.len();
        let first = layout.atoms.len() - count;
        (count > 0 && layout.order[first..].iter().all(|&atom| atom >= first)).then_some(count)
    }

    /// An operator on rows along the last dimension.
    fn rows(&mut self, node: &Node, input: TensorId) -> Option<()> {
        let layout = self.layout(input);
        let count = self.last(&layout, &self.shape(input))?;
        let (outer, row) = layout.order.split_at(layout.order.len() - count);
        let length = |atoms: &[usize]| atoms.iter().map(|&atom| layout.atoms[atom]).product::<usize>();
        let base = self.shape(layout.base);
        // The base's own shape, where its last dimension is the row.
        let shape = if base.last() == Some(&length(row)) { base } else { vec![length(outer), length(row)] };
        let from = self.reshaped(layout.base, &shape);
        self.emit(node, node.operator.clone(), vec![from], &shape, layout.atoms.clone(), layout.order.clone());
        Some(())
    }

    /// A dense layer, whose weights take the order of the rows.
    fn dense(&mut self, node: &Node, inputs: &[TensorId]) -> Option<()> {
        let (&input, &weights) = (inputs.first()?, inputs.get(1)?);
        let shape = self.shape(input);
        let layout = self.layout(input);
        let count = self.last(&layout, &shape)?;
        let first = layout.atoms.len() - count;
        let row: Vec<usize> = layout.order[first..].iter().map(|&atom| atom - first).collect();
        let &[outputs, depth] = &self.net.tensors[weights].shape[..] else { return None };
        let width = self.net.tensors[weights].element.bits();
        let takes_order = row.is_sorted() || self.is_constant(weights) && width.is_multiple_of(8);
        if !takes_order || shape.last() != Some(&depth) {
            return None;
        }
        let mut operands = inputs.to_vec();
        if !row.is_sorted() {
            let from: Vec<usize> = std::iter::once(outputs).chain(layout.atoms[first..].iter().copied()).collect();
            let permutation: Vec<usize> = std::iter::once(0).chain(row.iter().map(|atom| atom + 1)).collect();
            operands[1] = self.permuted(weights, &from, &permutation, &[outputs, depth]);
        }
        let outer: Vec<usize> = layout.order[..first].to_vec();
        let base = self.shape(layout.base);
        let lengths: Vec<usize> = outer.iter().map(|&atom| layout.atoms[atom]).collect();
        // A shape with the stated dimensions, where they are in order.
        let lead = if outer.is_sorted() {
            shape[..shape.len() - 1].to_vec()
        } else if base.last() == Some(&depth) {
            base[..base.len() - 1].to_vec()
        } else {
            lengths
        };
        operands[0] = self.reshaped(layout.base, &[&lead[..], &[depth]].concat());
        let mut atoms = layout.atoms[..first].to_vec();
        let mut order = outer;
        if outputs > 1 {
            order.push(atoms.len());
            atoms.push(outputs);
        }
        self.emit(node, node.operator.clone(), operands, &[&lead[..], &[outputs]].concat(), atoms, order);
        Some(())
    }

    /// A product of matrices, which takes them transposed as well.
    fn matmul(&mut self, node: &Node, inputs: &[TensorId], mut transposed: [bool; 2]) -> Option<()> {
        let mut operands = Vec::new();
        for (index, &id) in inputs.iter().enumerate() {
            let (shape, layout) = (self.shape(id), self.layout(id));
            let rank = shape.len();
            let swapped = || -> Option<Vec<usize>> {
                let dimensions = layout.of_dimensions(&shape)?;
                let mut axes: Vec<usize> = (0..rank).collect();
                axes.swap(rank.checked_sub(2)?, rank - 1);
                let order: Vec<usize> = axes.iter().flat_map(|&axis| dimensions[axis].clone()).collect();
                (order == layout.order && !layout.is_in_order()).then(|| axes.iter().map(|&axis| shape[axis]).collect())
            };
            if let Some(lengths) = swapped() {
                transposed[index] = !transposed[index];
                operands.push(self.reshaped(layout.base, &lengths));
            } else {
                operands.push(self.stored(id));
            }
        }
        let operator = Operator::MatMul { left_transposed: transposed[0], right_transposed: transposed[1] };
        let inputs = operands.into_iter().map(Some).collect();
        self.nodes.push(Node { operator, inputs, ..node.clone() });
        Some(())
    }

    /// For each dimension of the base the dimension of the tensor that it is, so that all of `needed` are among them; `None` where dimensions are taken apart.
    fn frame(&self, layout: &Layout, shape: &[usize], needed: &[usize]) -> Option<Vec<Option<usize>>> {
        let base = &self.net.tensors[layout.base].shape;
        let (of_base, dimensions) = (layout.of_base(base)?, layout.of_dimensions(shape)?);
        let mut frame: Vec<Option<usize>> = Vec::new();
        for group in &of_base {
            let axis = dimensions.iter().position(|own| own == group && !group.is_empty());
            if axis.is_none() && !group.is_empty() {
                return None;
            }
            frame.push(axis);
        }
        // Dimensions of 1 have the place that the layout of images with channels last gives them.
        const LAST: [usize; 4] = [0, 2, 3, 1];
        let is_last =
            base.len() == 4 && shape.len() == 4 && base != shape && (0..4).all(|axis| base[axis] == shape[LAST[axis]]);
        for &axis in needed {
            if frame.contains(&Some(axis)) {
                continue;
            }
            let place = if is_last {
                LAST.iter().position(|&other| other == axis)
            } else {
                Some(axis).filter(|_| base == shape)
            };
            let place = place.filter(|&place| frame.get(place) == Some(&None))?;
            frame[place] = Some(axis);
        }
        Some(frame)
    }

    /// What is known of an output that is stored in the frame of an input: its atoms and their order.
    fn framed(&self, frame: &[Option<usize>], shape: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] > 1).collect();
        let order = frame.iter().flatten().filter_map(|axis| axes.iter().position(|other| other == axis)).collect();
        (axes.iter().map(|&axis| shape[axis]).collect(), order)
    }

    fn concatenate(&mut self, node: &Node, inputs: &[TensorId], axis: i64) -> Option<()> {
        let result = self.shape(*node.outputs.first()?);
        let axis = usize::try_from(if axis < 0 { axis + result.len() as i64 } else { axis }).ok()?;
        // The operand that says the order: the largest one that is not stored as stated.
        let frames = inputs.iter().filter(|&&id| !self.is_constant(id)).filter_map(|&id| {
            let layout = self.layout(id);
            let frame = self.frame(&layout, &self.shape(id), &[axis])?;
            Some((self.net.tensors[id].len(), !layout.is_in_order(), frame))
        });
        let (_, _, frame) = frames.max_by_key(|(length, moved, _)| (*moved, *length))?;
        // Other operands may have dimensions that are 1 in that one, but for the axis none has.
        let mut operands = Vec::new();
        for &id in inputs {
            let (shape, layout) = (self.shape(id), self.layout(id));
            let dimensions = layout.of_dimensions(&shape)?;
            let order: Vec<usize> = frame.iter().flatten().flat_map(|&axis| dimensions[axis].clone()).collect();
            if order.len() != layout.atoms.len() {
                return None;
            }
            let lengths: Vec<usize> = frame.iter().map(|axis| axis.map_or(1, |axis| shape[axis])).collect();
            let ordered = self.ordered(&layout, &order);
            operands.push(self.reshaped(ordered, &lengths));
        }
        let lengths: Vec<usize> = frame.iter().map(|axis| axis.map_or(1, |axis| result[axis])).collect();
        let place = frame.iter().position(|&other| other == Some(axis))?;
        let (atoms, order) = self.framed(&frame, &result);
        self.emit(node, Operator::Concatenate { axis: place as i64 }, operands, &lengths, atoms, order);
        Some(())
    }

    /// Operators whose other operands have a number per axis, or name one.
    fn along_axes(&mut self, node: &Node, inputs: &[TensorId]) -> Option<()> {
        let input = *inputs.first()?;
        let (shape, layout) = (self.shape(input), self.layout(input));
        let values = |pass: &Self, index: usize| pass.net.tensors[*inputs.get(index)?].integers();
        let wrap = |axis: i64| {
            usize::try_from(if axis < 0 { axis + shape.len() as i64 } else { axis })
                .ok()
                .filter(|&axis| axis < shape.len())
        };
        let result = self.shape(*node.outputs.first()?);
        let changed =
            |result: &[usize]| (0..shape.len()).filter(|&axis| shape[axis] != result[axis]).collect::<Vec<_>>();
        let needed = match &node.operator {
            Operator::Split => vec![wrap(*values(self, 1)?.first()?)?],
            Operator::Gather { axis, .. } => vec![wrap(*axis)?],
            _ if result.len() == shape.len() => changed(&result),
            _ => return None,
        };
        if result.len() != shape.len() {
            return None;
        }
        let frame = self.frame(&layout, &shape, &needed)?;
        let mut operands = inputs.to_vec();
        operands[0] = layout.base;
        let mut operator = node.operator.clone();
        match &mut operator {
            Operator::Pad | Operator::MirrorPad { .. } => {
                let amounts = values(self, 1)?;
                let of = |axis: Option<usize>| axis.map_or([0, 0], |axis| [amounts[2 * axis], amounts[2 * axis + 1]]);
                let amounts: Vec<i64> = frame.iter().flat_map(|&axis| of(axis)).collect();
                operands[1] = self.integers(&[frame.len(), 2], &amounts);
            }
            Operator::Slice | Operator::StridedSlice { .. } | Operator::Tile => {
                let otherwise: &[i64] = match &operator {
                    Operator::Slice => &[0, 1],
                    Operator::Tile => &[1],
                    _ => &[0, 1, 1],
                };
                for (index, &otherwise) in otherwise.iter().enumerate() {
                    let values = values(self, index + 1)?;
                    let values: Vec<i64> =
                        frame.iter().map(|axis| axis.map_or(otherwise, |axis| values[axis])).collect();
                    operands[index + 1] = self.integers(&[values.len()], &values);
                }
                if let Operator::StridedSlice { begin_mask, end_mask, .. } = &mut operator {
                    for mask in [begin_mask, end_mask] {
                        let bits = frame
                            .iter()
                            .enumerate()
                            .filter(|(_, axis)| axis.is_some_and(|axis| *mask >> axis & 1 == 1));
                        *mask = bits.fold(0, |mask, (place, _)| mask | 1 << place);
                    }
                }
            }
            Operator::Gather { axis, .. } => {
                let of_axis = wrap(*axis)?;
                *axis = frame.iter().position(|&other| other == Some(of_axis))? as i64;
            }
            Operator::Split => {
                let place = frame.iter().position(|&other| other == Some(needed[0]))?;
                operands[1] = self.integers(&[], &[place as i64]);
            }
            _ => return None,
        }
        let mut outputs = Vec::new();
        for &id in &node.outputs {
            let result = self.shape(id);
            let lengths: Vec<usize> = frame.iter().map(|axis| axis.map_or(1, |axis| result[axis])).collect();
            let (atoms, order) = self.framed(&frame, &result);
            let output = self.tensor(id, &lengths);
            self.layouts.insert(id, Layout { base: output, atoms, order });
            outputs.push(output);
        }
        let inputs = operands.into_iter().map(Some).collect();
        self.nodes.push(Node { operator, inputs, outputs, index: node.index, name: node.name.clone() });
        Some(())
    }
}
