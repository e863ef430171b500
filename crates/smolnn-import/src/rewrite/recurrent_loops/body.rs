//! The body of a loop: its formulas, its counters, and the sequence that it writes.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::cell::{Cell, gru, lstm, simple};
use super::formula::{Formula, Function, MOST_BIASES, Shared, Sum};
use crate::net::{Activation, BinaryKind, Element, Net, Node, Operator, Tensor, TensorId, UnaryKind, View, movement};
use crate::rewrite::Uses;

/// The loop's body, with the values that come from outside and do not change.
pub(super) struct Body<'a> {
    pub net: &'a Net,
    pub outer: &'a Net,
    /// What the loop starts from.
    pub values: &'a [TensorId],
    pub uses: Uses,
}

impl Body<'_> {
    /// The number of a value of the loop.
    pub(super) fn number(&self, id: TensorId) -> Option<usize> {
        self.net.inputs.iter().position(|&input| input == id)
    }

    /// The number of a value that no round changes.
    pub(super) fn unchanged(&self, id: TensorId) -> Option<usize> {
        self.number(id).filter(|&number| self.net.outputs[number] == id)
    }

    /// A constant of the body, or a value from outside that is one and does not change.
    pub(super) fn constant(&self, id: TensorId) -> Option<&Tensor> {
        let tensor = match self.unchanged(id) {
            Some(number) => &self.outer.tensors[self.values[number]],
            None => &self.net.tensors[id],
        };
        tensor.data.is_some().then_some(tensor)
    }

    /// Whether a value counts rounds from 0 on.
    pub(super) fn counts(&self, number: usize) -> bool {
        let start = &self.outer.tensors[self.values[number]];
        start.integers().is_some_and(|start| start == [0]) && self.is_next(self.net.outputs[number], number)
    }

    /// Whether a tensor is a counter and 1.
    pub(super) fn is_next(&self, id: TensorId, number: usize) -> bool {
        let Some(node) = self.uses.writers[id].map(|position| &self.net.nodes[position]) else { return false };
        let counter = Some(self.net.inputs[number]);
        let is_one = |id: Option<TensorId>| {
            id.and_then(|id| self.constant(id)?.integers()).is_some_and(|integers| integers == [1])
        };
        node.operator == Operator::Binary(BinaryKind::Add, Activation::None)
            && matches!(node.inputs[..], [left, right] if left == counter && is_one(right) || right == counter && is_one(left))
    }

    /// The node that writes a tensor, where it is of this kind.
    pub(super) fn writer(&self, id: TensorId, is_kind: impl Fn(&Operator) -> bool) -> Option<&Node> {
        let node = &self.net.nodes[self.uses.writers[id]?];
        is_kind(&node.operator).then_some(node)
    }

    /// The formulas of the body's tensors, and the value and the counter of the sequence that the steps read.
    pub(super) fn formulas(&self) -> Option<(HashMap<TensorId, Shared>, usize, usize)> {
        let mut read = None;
        let mut known: HashMap<TensorId, Shared> = HashMap::new();
        for (number, &id) in self.net.inputs.iter().enumerate() {
            if self.net.tensors[id].element == Element::F32 && self.unchanged(id).is_none() {
                known.insert(id, Shared::leaf(Formula::State(number)));
            }
        }
        for node in &self.net.nodes {
            if let Operator::Gather { axis: 0, batch_dims: 0 } = node.operator {
                let &[Some(values), Some(index)] = &node.inputs[..] else { continue };
                let (Some(sequence), Some(counter)) = (self.unchanged(values), self.number(index)) else { continue };
                if !self.counts(counter) || read.is_some() {
                    return None;
                }
                read = Some((sequence, counter));
                known.insert(node.outputs[0], Shared::leaf(Formula::Input));
                continue;
            }
            for (index, &output) in node.outputs.iter().enumerate() {
                if let Some(formula) = self.formula(node, index, &known) {
                    known.insert(output, formula);
                }
            }
        }
        let (sequence, counter) = read?;
        Some((known, sequence, counter))
    }

    /// The formula of an output of a node.
    pub(super) fn formula(&self, node: &Node, index: usize, known: &HashMap<TensorId, Shared>) -> Option<Shared> {
        let operand = |position: usize| *node.inputs.get(position)?;
        let formula = |position: usize| known.get(&operand(position)?);
        match &node.operator {
            Operator::Dense { activation: Activation::None, .. } => {
                let by = formula(0)?;
                let weights = operand(1)?;
                let &[rows, _] = &self.constant(weights)?.shape[..] else { return None };
                let biases = operand(2).map(|bias| (bias, 0..rows)).into_iter().collect();
                let sum = Sum { products: vec![(by.clone(), weights, 0..rows)], biases };
                Shared::above(by.depth, Formula::Sum(sum))
            }
            // The elements stay in their order.
            Operator::Reshape | Operator::ExpandDims => formula(0).cloned(),
            Operator::Split | Operator::StridedSlice { .. } | Operator::Slice => {
                let whole = node.inputs.iter().flatten().find_map(|id| known.get(id))?;
                let rows = self.columns(node, index)?;
                let part = whole.sum()?.part(&rows)?;
                Some(Shared { formula: Rc::new(Formula::Sum(part)), depth: whole.depth })
            }
            Operator::Unary(kind) => {
                let function = match kind {
                    UnaryKind::Logistic => Function::Logistic,
                    UnaryKind::Tanh => Function::Tanh,
                    UnaryKind::Relu => Function::Relu,
                    _ => return None,
                };
                let of = formula(0)?;
                Shared::above(of.depth, Formula::Function(function, of.clone()))
            }
            Operator::Binary(kind, activation) => {
                let result = self.binary(*kind, [operand(0)?, operand(1)?], known)?;
                match activation {
                    Activation::None => Some(result),
                    Activation::Relu => Shared::above(result.depth, Formula::Function(Function::Relu, result)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The formula of two operands.
    pub(super) fn binary(
        &self,
        kind: BinaryKind,
        ids: [TensorId; 2],
        known: &HashMap<TensorId, Shared>,
    ) -> Option<Shared> {
        let both = (known.get(&ids[0]), known.get(&ids[1]));
        match (kind, both) {
            (BinaryKind::Add, (Some(left), Some(right))) => {
                let depth = left.depth.max(right.depth);
                match left.sum().zip(right.sum()).and_then(|(left, right)| left.with(right)) {
                    Some(sum) if sum.products[0].0 != sum.products[1].0 => {
                        Some(Shared { formula: Rc::new(Formula::Sum(sum)), depth })
                    }
                    _ => Shared::above(depth, Formula::Added(left.clone(), right.clone())),
                }
            }
            (BinaryKind::Add, (Some(sum), None) | (None, Some(sum))) => {
                let bias = if both.0.is_some() { ids[1] } else { ids[0] };
                let of = sum.sum()?;
                let rows = self.constant(bias)?.len();
                let mut with_bias = of.clone();
                with_bias.biases.push((bias, 0..rows));
                (rows == of.len() && with_bias.biases.len() <= MOST_BIASES)
                    .then(|| Shared { formula: Rc::new(Formula::Sum(with_bias)), depth: sum.depth })
            }
            (BinaryKind::Subtract, (None, Some(right))) => {
                let one = self.constant(ids[0])?.reals()?;
                (one == [1.0]).then_some(())?;
                Shared::above(right.depth, Formula::Complement(right.clone()))
            }
            (BinaryKind::Multiply, (Some(left), Some(right))) => {
                Shared::above(left.depth.max(right.depth), Formula::Product(left.clone(), right.clone()))
            }
            _ => None,
        }
    }

    /// The columns of its input that an output of a node takes, where it takes the same of each row and nothing else.
    pub(super) fn columns(&self, node: &Node, index: usize) -> Option<Range<usize>> {
        let movement = movement(&View { net: self.net, node }).ok()?;
        let moves: Vec<_> = movement.moves.iter().filter(|part| part.output == index).collect();
        let &[part] = &moves[..] else { return None };
        let from = *self.net.tensors[(*node.inputs.get(part.input)?)?].shape.last()?;
        let to = *movement.shapes.get(index)?.last()?;
        let start = part.input_start;
        let mut is_columns = start + to <= from;
        part.for_each(|read, written| is_columns &= read == written / to * from + start + written % to);
        is_columns.then_some(start..start + to)
    }

    /// Whether the value of the loop that has this number is a sequence into which each step writes a tensor at the counter's place.
    pub(super) fn is_sequence_of(&self, number: usize, step: TensorId, counter: usize) -> bool {
        let zeros =
            |id: TensorId| self.constant(id).and_then(Tensor::integers).is_some_and(|at| at.iter().all(|&at| at == 0));
        let rest =
            |id: TensorId| self.constant(id).and_then(Tensor::integers).is_some_and(|at| at.iter().all(|&at| at == -1));
        // One element of a vector that depends on the counter, and constants.
        let vector = |id: TensorId, is_first: &dyn Fn(TensorId) -> bool, is_rest: &dyn Fn(TensorId) -> bool| {
            let node = self.writer(id, |operator| matches!(operator, Operator::Concatenate { axis: 0 | -1 }));
            let Some(&[Some(first), Some(others)]) = node.map(|node| &node.inputs[..]) else { return false };
            let reshaped = self.writer(first, |operator| matches!(operator, Operator::Reshape | Operator::ExpandDims));
            let first = reshaped.and_then(|node| node.inputs[0]).unwrap_or(first);
            is_first(first) && is_rest(others)
        };
        let list = self.net.inputs[number];
        let is_slice = |id: TensorId, is_begin: &dyn Fn(TensorId) -> bool, is_size: &dyn Fn(TensorId) -> bool| {
            let node = self.writer(id, |operator| matches!(operator, Operator::Slice));
            matches!(node.map(|node| &node.inputs[..]), Some(&[Some(of), Some(begin), Some(size)])
                if of == list && is_begin(begin) && is_size(size))
        };
        let joined =
            self.writer(self.net.outputs[number], |operator| matches!(operator, Operator::Concatenate { axis: 0 }));
        let Some(&[Some(before), Some(written), Some(behind)]) = joined.map(|node| &node.inputs[..]) else {
            return false;
        };
        let counts = |id: TensorId| id == self.net.inputs[counter];
        let next = |id: TensorId| self.is_next(id, counter);
        self.is_reshaped(written, step)
            && is_slice(before, &zeros, &|id| vector(id, &counts, &rest))
            && is_slice(behind, &|id| vector(id, &next, &zeros), &rest)
    }

    /// Whether a tensor is another one, or that in another shape.
    pub(super) fn is_reshaped(&self, id: TensorId, of: TensorId) -> bool {
        let reshaped = || self.writer(id, |operator| matches!(operator, Operator::Reshape | Operator::ExpandDims));
        id == of || reshaped().is_some_and(|node| node.inputs[0] == Some(of))
    }

    /// The cell whose states are the values with these numbers.
    pub(super) fn cell(&self, known: &HashMap<TensorId, Shared>) -> Option<Cell> {
        let formula = |number: usize| known.get(&self.net.outputs[number]);
        let states: Vec<usize> = (0..self.net.inputs.len())
            .filter(|&number| known.get(&self.net.inputs[number]).is_some() && formula(number).is_some())
            .collect();
        states.iter().find_map(|&state| {
            let new = formula(state)?;
            simple(new, state).or_else(|| gru(new, state)).or_else(|| {
                let cells = states.iter().filter(|&&cell| cell != state);
                cells.into_iter().find_map(|&cell| lstm(new, formula(cell)?, [state, cell]))
            })
        })
    }
}
