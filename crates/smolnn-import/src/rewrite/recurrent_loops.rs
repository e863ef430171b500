//! Makes recurrent layers of loops. Keras writes an LSTM, a GRU or a simple RNN as a loop over its time steps, with two counters, the states, the sequence that is
//! read and the one that is written. Such layers have kernels of their own: less code and fewer cycles than the loop's operators step by step, and in integers
//! one set of weights and scales for all steps.
//!
//! The body of a loop is read as formulas over the step's input x and the states. A formula that is one of [`RecurrentCell`]'s says what its parts are: products
//! with weights, rows of them per gate, and biases. A loop that is anything else stays as it is.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::rc::Rc;

use smolnn_core::Comparison;

use super::uses::Uses;
use crate::net::{
    Activation, BinaryKind, Constant, Element, Net, Node, Operator, RecurrentCell, Reset, Tensor, TensorId, UnaryKind,
    View, movement,
};

/// Formulas are no deeper than this; those of cells have a depth of six at most.
const MOST_DEPTH: usize = 8;

/// Biases of a sum: of the two products and of what is added to them.
const MOST_BIASES: usize = 4;

/// Puts a recurrent layer in place of each loop that is one.
pub(super) fn apply(net: &mut Net) {
    let mut results: HashMap<TensorId, TensorId> = HashMap::new();
    for mut node in mem::take(&mut net.nodes) {
        for input in node.inputs.iter_mut().flatten() {
            *input = *results.get(input).unwrap_or(input);
        }
        match Layer::of(net, &node) {
            Some(layer) => layer.place(net, &node, &mut results),
            None => net.nodes.push(node),
        }
    }
    for output in &mut net.outputs {
        *output = *results.get(output).unwrap_or(output);
    }
}

/// A formula over the vectors of a step.
#[derive(Clone, Debug, PartialEq)]
enum Formula {
    /// The step's input.
    Input,
    /// The value of the loop that has this number, before the step.
    State(usize),
    /// Rows of products with weights, and biases.
    Sum(Sum),
    /// A function of each element.
    Function(Function, Shared),
    /// Element by element.
    Product(Shared, Shared),
    /// Element by element.
    Added(Shared, Shared),
    /// 1 − x, element by element.
    Complement(Shared),
}

/// A formula and its depth.
#[derive(Clone, Debug, PartialEq)]
struct Shared {
    formula: Rc<Formula>,
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Logistic,
    Tanh,
    Relu,
}

/// Σ of weights · of what each is multiplied with, + Σ of biases: `rows` of each.
#[derive(Clone, Debug, PartialEq)]
struct Sum {
    products: Vec<(Shared, TensorId, Range<usize>)>,
    biases: Vec<(TensorId, Range<usize>)>,
}

impl Sum {
    /// How many rows.
    fn len(&self) -> usize {
        self.products.first().map_or(0, |(_, _, rows)| rows.len())
    }

    /// Some of its rows.
    fn part(&self, of: &Range<usize>) -> Option<Self> {
        let part = |rows: &Range<usize>| {
            let rows = rows.start + of.start..rows.start + of.end;
            (of.end <= self.len()).then_some(rows)
        };
        let products = self.products.iter().map(|(by, weights, rows)| Some((by.clone(), *weights, part(rows)?)));
        let biases = self.biases.iter().map(|(bias, rows)| Some((*bias, part(rows)?)));
        Some(Self { products: products.collect::<Option<_>>()?, biases: biases.collect::<Option<_>>()? })
    }

    /// Both together, unless they have more parts than a cell has.
    fn with(&self, other: &Self) -> Option<Self> {
        let products = [&self.products[..], &other.products].concat();
        let biases = [&self.biases[..], &other.biases].concat();
        (self.len() == other.len() && products.len() <= 2 && biases.len() <= MOST_BIASES)
            .then_some(Self { products, biases })
    }

    /// The weights of one factor, and the rows.
    fn weights(&self, of: &Formula) -> Option<(TensorId, Range<usize>)> {
        let mut products = self.products.iter().filter(|(by, ..)| *by.formula == *of);
        let (_, weights, rows) = products.next()?;
        products.next().is_none().then(|| (*weights, rows.clone()))
    }
}

impl Shared {
    /// A formula whose deepest part has this depth; `None` for one that is too deep to be a cell.
    fn above(depth: usize, formula: Formula) -> Option<Self> {
        (depth < MOST_DEPTH).then(|| Self { formula: Rc::new(formula), depth: depth + 1 })
    }

    fn leaf(formula: Formula) -> Self {
        Self { formula: Rc::new(formula), depth: 0 }
    }

    fn sum(&self) -> Option<&Sum> {
        if let Formula::Sum(sum) = &*self.formula { Some(sum) } else { None }
    }

    /// What a function is applied to.
    fn function(&self, function: Function) -> Option<&Self> {
        match &*self.formula {
            Formula::Function(found, of) if *found == function => Some(of),
            _ => None,
        }
    }

    /// Both factors in both orders.
    fn factors(&self) -> Vec<(&Self, &Self)> {
        if let Formula::Product(left, right) = &*self.formula { vec![(left, right), (right, left)] } else { Vec::new() }
    }

    /// Both summands in both orders.
    fn summands(&self) -> Vec<(&Self, &Self)> {
        if let Formula::Added(left, right) = &*self.formula { vec![(left, right), (right, left)] } else { Vec::new() }
    }
}

/// What is multiplied with a state, or a state that is multiplied with something.
fn factor_of<'a>(product: &'a Shared, state: &Formula) -> Option<&'a Shared> {
    product.factors().into_iter().find(|(_, other)| *other.formula == *state).map(|(factor, _)| factor)
}

/// The loop's body, with the values that come from outside and do not change.
struct Body<'a> {
    net: &'a Net,
    outer: &'a Net,
    /// What the loop starts from.
    values: &'a [TensorId],
    uses: Uses,
}

impl Body<'_> {
    /// The number of a value of the loop.
    fn number(&self, id: TensorId) -> Option<usize> {
        self.net.inputs.iter().position(|&input| input == id)
    }

    /// The number of a value that no round changes.
    fn unchanged(&self, id: TensorId) -> Option<usize> {
        self.number(id).filter(|&number| self.net.outputs[number] == id)
    }

    /// A constant of the body, or a value from outside that is one and does not change.
    fn constant(&self, id: TensorId) -> Option<&Tensor> {
        let tensor = match self.unchanged(id) {
            Some(number) => &self.outer.tensors[self.values[number]],
            None => &self.net.tensors[id],
        };
        tensor.data.is_some().then_some(tensor)
    }

    /// Whether a value counts rounds from 0 on.
    fn counts(&self, number: usize) -> bool {
        let start = &self.outer.tensors[self.values[number]];
        start.integers().is_some_and(|start| start == [0]) && self.is_next(self.net.outputs[number], number)
    }

    /// Whether a tensor is a counter and 1.
    fn is_next(&self, id: TensorId, number: usize) -> bool {
        let Some(node) = self.uses.writers[id].map(|position| &self.net.nodes[position]) else { return false };
        let counter = Some(self.net.inputs[number]);
        let is_one = |id: Option<TensorId>| {
            id.and_then(|id| self.constant(id)?.integers()).is_some_and(|integers| integers == [1])
        };
        node.operator == Operator::Binary(BinaryKind::Add, Activation::None)
            && matches!(node.inputs[..], [left, right] if left == counter && is_one(right) || right == counter && is_one(left))
    }

    /// The node that writes a tensor, where it is of this kind.
    fn writer(&self, id: TensorId, is_kind: impl Fn(&Operator) -> bool) -> Option<&Node> {
        let node = &self.net.nodes[self.uses.writers[id]?];
        is_kind(&node.operator).then_some(node)
    }

    /// The formulas of the body's tensors, and the value and the counter of the sequence that the steps read.
    fn formulas(&self) -> Option<(HashMap<TensorId, Shared>, usize, usize)> {
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
    fn formula(&self, node: &Node, index: usize, known: &HashMap<TensorId, Shared>) -> Option<Shared> {
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
    fn binary(&self, kind: BinaryKind, ids: [TensorId; 2], known: &HashMap<TensorId, Shared>) -> Option<Shared> {
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
    fn columns(&self, node: &Node, index: usize) -> Option<Range<usize>> {
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
    fn is_sequence_of(&self, number: usize, step: TensorId, counter: usize) -> bool {
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
    fn is_reshaped(&self, id: TensorId, of: TensorId) -> bool {
        let reshaped = || self.writer(id, |operator| matches!(operator, Operator::Reshape | Operator::ExpandDims));
        id == of || reshaped().is_some_and(|node| node.inputs[0] == Some(of))
    }

    /// The cell whose states are the values with these numbers.
    fn cell(&self, known: &HashMap<TensorId, Shared>) -> Option<Cell> {
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

/// A gate's rows: weights, recurrent weights, biases and recurrent biases.
struct Gate {
    weights: (TensorId, Range<usize>),
    recurrent: (TensorId, Range<usize>),
    biases: [Vec<(TensorId, Range<usize>)>; 2],
}

/// A cell: its gates in the order of [`RecurrentCell`], and the numbers of its states.
struct Cell {
    kind: RecurrentCell,
    gates: Vec<Gate>,
    states: Vec<usize>,
}

/// The gate of a sum over the input and what comes from the state.
fn gate(sum: &Shared, recurrent: &Formula) -> Option<Gate> {
    let sum = sum.sum().filter(|sum| sum.products.len() == 2)?;
    let (weights, recurrent) = (sum.weights(&Formula::Input)?, sum.weights(recurrent)?);
    Some(Gate { weights, recurrent, biases: [sum.biases.clone(), Vec::new()] })
}

/// h = tanh(sum) or max(0, sum).
fn simple(new: &Shared, state: usize) -> Option<Cell> {
    let kinds = [(Function::Tanh, RecurrentCell::Tanh), (Function::Relu, RecurrentCell::Relu)];
    kinds.into_iter().find_map(|(function, kind)| {
        let gates = vec![gate(new.function(function)?, &Formula::State(state))?];
        Some(Cell { kind, gates, states: vec![state] })
    })
}

/// h = z ⊙ h + (1 − z) ⊙ n.
fn gru(new: &Shared, state: usize) -> Option<Cell> {
    let h = Formula::State(state);
    new.summands().into_iter().find_map(|(old, changed)| {
        let z = factor_of(old, &h)?;
        let (n, _) = changed
            .factors()
            .into_iter()
            .find(|(_, factor)| matches!(&*factor.formula, Formula::Complement(of) if of == z))?;
        let n = n.function(Function::Tanh)?;
        let (kind, r, last) = candidate(n, &h)?;
        let gates = vec![gate(z.function(Function::Logistic)?, &h)?, gate(r.function(Function::Logistic)?, &h)?, last];
        Some(Cell { kind, gates, states: vec![state] })
    })
}

/// The parts of a GRU's n: where the reset gate stands, that gate, and the rows of n.
fn candidate<'a>(n: &'a Shared, h: &Formula) -> Option<(RecurrentCell, &'a Shared, Gate)> {
    if let Some(sum) = n.sum() {
        // The reset before the product: U (r ⊙ h).
        let (by, ..) = sum.products.iter().find(|(by, ..)| factor_of(by, h).is_some())?;
        return Some((RecurrentCell::Gru { reset: Reset::Before }, factor_of(by, h)?, gate(n, &by.formula)?));
    }
    n.summands().into_iter().find_map(|(input, reset)| {
        let input = input.sum().filter(|sum| sum.products.len() == 1)?;
        reset.factors().into_iter().find_map(|(r, product)| {
            let product = product.sum().filter(|sum| sum.products.len() == 1)?;
            let last = Gate {
                weights: input.weights(&Formula::Input)?,
                recurrent: product.weights(h)?,
                biases: [input.biases.clone(), product.biases.clone()],
            };
            Some((RecurrentCell::Gru { reset: Reset::After }, r, last))
        })
    })
}

/// cell = f ⊙ cell + i ⊙ g, h = o ⊙ tanh(cell).
fn lstm(new: &Shared, cell: &Shared, states: [usize; 2]) -> Option<Cell> {
    let [h, old] = states.map(Formula::State);
    let (o, _) = new.factors().into_iter().find(|(_, factor)| factor.function(Function::Tanh) == Some(cell))?;
    cell.summands().into_iter().find_map(|(kept, added)| {
        let f = factor_of(kept, &old)?;
        let (g, i) = added.factors().into_iter().find(|(g, _)| g.function(Function::Tanh).is_some())?;
        let logistic = |of: &Shared| gate(of.function(Function::Logistic)?, &h);
        let gates = vec![logistic(i)?, logistic(f)?, gate(g.function(Function::Tanh)?, &h)?, logistic(o)?];
        Some(Cell { kind: RecurrentCell::Lstm, gates, states: states.into() })
    })
}

/// What a value of the loop is behind the last round.
#[derive(Clone, Copy)]
enum Last {
    /// What it was before the first one.
    Same,
    /// The number of rounds.
    Rounds,
    /// The state of this number, of the cell's.
    State(usize),
    /// The states behind all steps.
    Sequence,
    /// The state behind the last step, as a sequence of one.
    OneStep,
}

/// A recurrent layer in place of a loop.
struct Layer {
    kind: RecurrentCell,
    /// Number of the value that is the sequence.
    sequence: usize,
    /// Numbers of the values that are the states.
    states: Vec<usize>,
    steps: usize,
    hidden: usize,
    /// Weights, recurrent weights, biases, recurrent biases.
    parameters: [(Vec<usize>, Vec<f32>); 4],
    lasts: Vec<Last>,
}

impl Layer {
    /// The layer that a node is, if it is a loop and one.
    fn of(net: &Net, node: &Node) -> Option<Self> {
        let Operator::Loop { condition, body } = &node.operator else { return None };
        let values = node.inputs.iter().copied().collect::<Option<Vec<_>>>()?;
        if [condition.inputs.len(), body.inputs.len(), body.outputs.len(), node.outputs.len()] != [values.len(); 4] {
            return None;
        }
        let body = Body { net: body, outer: net, values: &values, uses: Uses::of(body) };
        let (known, sequence, counter) = body.formulas()?;
        let cell = body.cell(&known)?;
        let &[steps, batch, inputs] = &net.tensors[values[sequence]].shape[..] else { return None };
        if rounds(condition, &body)? != steps {
            return None;
        }
        let rows = |(id, rows): &(TensorId, Range<usize>), width: usize| {
            let tensor = body.constant(*id)?;
            let values = tensor.reals()?;
            values.get(rows.start * width..rows.end * width).map(<[f32]>::to_vec)
        };
        let hidden = cell.gates[0].recurrent.1.len();
        let mut parameters = [const { Vec::new() }; 4];
        for gate in &cell.gates {
            let widths = [&gate.weights, &gate.recurrent].map(|(id, _)| body.constant(*id).map(|of| of.shape.clone()));
            let [Some(of_weights), Some(of_recurrent)] = widths else { return None };
            if of_weights.get(1) != Some(&inputs)
                || of_recurrent.get(1) != Some(&hidden)
                || gate.weights.1.len() != hidden
            {
                return None;
            }
            parameters[0].extend(rows(&gate.weights, inputs)?);
            parameters[1].extend(rows(&gate.recurrent, hidden)?);
            for (biases, into) in gate.biases.iter().zip(2..) {
                let mut sums = vec![0.0; hidden];
                for bias in biases {
                    let values = rows(bias, 1).filter(|values| values.len() == hidden)?;
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
                parameters[into].extend(sums);
            }
        }
        let rows = cell.gates.len() * hidden;
        let [weights, recurrent, biases, recurrent_biases] = parameters;
        let parameters = [
            (vec![rows, inputs], weights),
            (vec![rows, hidden], recurrent),
            (vec![rows], biases),
            (vec![rows], recurrent_biases),
        ];
        let state_of = |number: usize| cell.states.iter().position(|&state| state == number);
        let h = body.net.outputs[cell.states[0]];
        let shape = |number: usize| &net.tensors[values[number]].shape[..];
        let last = |number: usize| {
            if let Some(state) = state_of(number) {
                return (shape(number) == [batch, hidden]).then_some(Last::State(state));
            }
            if body.unchanged(body.net.inputs[number]).is_some() {
                return Some(Last::Same);
            }
            if body.counts(number) {
                return Some(Last::Rounds);
            }
            if shape(number) == [1, batch, hidden] && body.is_reshaped(body.net.outputs[number], h) {
                return Some(Last::OneStep);
            }
            let is_sequence = shape(number) == [steps, batch, hidden] && body.is_sequence_of(number, h, counter);
            is_sequence.then_some(Last::Sequence)
        };
        let lasts = (0..values.len()).map(last).collect::<Option<Vec<_>>>()?;
        Some(Self { kind: cell.kind, sequence, states: cell.states, steps, hidden, parameters, lasts })
    }

    /// Adds the layer to the net, and says what the loop's outputs are.
    fn place(self, net: &mut Net, node: &Node, results: &mut HashMap<TensorId, TensorId>) {
        let values: Vec<TensorId> = node.inputs.iter().copied().flatten().collect();
        let sequence = values[self.sequence];
        let batch = net.tensors[sequence].shape[1];
        let mut add = |element: Element, shape: Vec<usize>, data: Option<Vec<u8>>, name: &str| {
            net.tensors.push(Tensor::new(name.into(), element, shape, data.map(Constant::new)));
            net.tensors.len() - 1
        };
        let name = match self.kind {
            RecurrentCell::Tanh | RecurrentCell::Relu => "RNN",
            RecurrentCell::Gru { .. } => "GRU",
            RecurrentCell::Lstm => "LSTM",
        };
        let mut inputs = vec![Some(sequence)];
        for (shape, values) in self.parameters {
            let has_none = shape.len() == 1 && values.iter().all(|&value| value == 0.0);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            inputs.push((!has_none).then(|| add(Element::F32, shape, Some(bytes), name)));
        }
        let states = add(Element::F32, vec![self.steps, batch, self.hidden], None, name);
        let mut outputs = vec![states];
        outputs.extend(self.states.iter().map(|_| add(Element::F32, vec![batch, self.hidden], None, name)));
        let rounds = add(Element::I32, Vec::new(), Some((self.steps as i32).to_le_bytes().into()), name);
        let one = add(Element::F32, vec![1, batch, self.hidden], None, name);
        let starts = self.states.iter().map(|&state| {
            let zeros = net.tensors[values[state]].reals().is_some_and(|start| start.iter().all(|&value| value == 0.0));
            (!zeros).then_some(values[state])
        });
        inputs.extend(starts.collect::<Vec<_>>());
        let operator = Operator::Recurrent { cell: self.kind, time_major: true, reversed: false };
        net.nodes.push(Node { index: node.index, name: name.into(), operator, inputs, outputs: outputs.clone() });
        net.nodes.push(Node {
            index: node.index,
            name: "RESHAPE".into(),
            operator: Operator::Reshape,
            inputs: vec![Some(outputs[1])],
            outputs: vec![one],
        });
        for ((&output, last), value) in node.outputs.iter().zip(self.lasts).zip(values) {
            let result = match last {
                Last::Same => value,
                Last::Rounds => rounds,
                Last::State(state) => outputs[1 + state],
                Last::Sequence => outputs[0],
                Last::OneStep => one,
            };
            results.insert(output, result);
        }
    }
}

/// How often a loop runs whose condition compares counters with constants.
fn rounds(condition: &Net, body: &Body<'_>) -> Option<usize> {
    let uses = Uses::of(condition);
    let mut open = condition.outputs.clone();
    let (mut least, mut visited) = (None, 0);
    while let Some(id) = open.pop() {
        visited += 1;
        let node = &condition.nodes[uses.writers[id]?];
        let &[Some(left), Some(right)] = &node.inputs[..] else { return None };
        match node.operator {
            Operator::Binary(BinaryKind::LogicalAnd, _) if visited <= condition.nodes.len() => {
                open.extend([left, right])
            }
            Operator::Compare(Comparison::Less) => {
                let number = condition.inputs.iter().position(|&input| input == left)?;
                let &[most] = &condition.tensors[right].integers()?[..] else { return None };
                let most = usize::try_from(most).ok().filter(|_| body.counts(number))?;
                least = Some(least.map_or(most, |least: usize| least.min(most)));
            }
            _ => return None,
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::apply;
    use crate::net::{BinaryKind, Constant, Net, Operator, RecurrentCell, Reset, UnaryKind};

    /// A network of the converter's, as it is read.
    fn network(name: &str) -> Net {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/converter");
        let file = std::fs::read(folder.join(name).join("model.tflite")).expect("the project's own data");
        let mut net = crate::read::read(&file, &[], None).expect("the model is read");
        crate::rewrite::fold_constants::apply(&mut net);
        net
    }

    fn loops(net: &Net) -> usize {
        net.nodes.iter().filter(|node| matches!(node.operator, Operator::Loop { .. })).count()
    }

    #[test]
    fn loops_of_kerass_layers_are_cells() {
        let mut net = network("recurrent_layers");
        assert_eq!(loops(&net), 8);
        apply(&mut net);
        assert_eq!(loops(&net), 0);
        let cells = net.nodes.iter().filter_map(|node| match node.operator {
            Operator::Recurrent { cell, .. } => Some(cell),
            _ => None,
        });
        let cells: Vec<RecurrentCell> = cells.collect();
        let count = |cell: RecurrentCell| cells.iter().filter(|&&found| found == cell).count();
        assert_eq!(count(RecurrentCell::Lstm), 4);
        assert_eq!([Reset::Before, Reset::After].map(|reset| count(RecurrentCell::Gru { reset })), [1, 1]);
        assert_eq!([RecurrentCell::Tanh, RecurrentCell::Relu].map(count), [1, 1]);
    }

    #[test]
    fn other_loops_stay() {
        let mut net = network("other_loops");
        let before = loops(&net);
        apply(&mut net);
        assert_eq!((before, loops(&net)), (3, 3));
    }

    /// The same network with one thing changed in the body of a loop; `None` where there is no such thing.
    fn changed(net: &Net, position: usize, change: impl Fn(&mut Net) -> Option<()>) -> Option<Net> {
        let mut net = net.clone();
        let Operator::Loop { body, .. } = &mut net.nodes[position].operator else { return None };
        change(Arc::make_mut(body))?;
        Some(net)
    }

    /// Another operator, or another constant, makes another formula: no such loop may be taken for a cell.
    #[test]
    fn a_changed_body_is_no_cell() {
        let mut tried = 0;
        let layers = network("recurrent_layers");
        for position in 0..layers.nodes.len() {
            let Operator::Loop { body, .. } = &layers.nodes[position].operator else { continue };
            let mut check = |changed: Option<Net>, what: String| {
                let Some(mut net) = changed else { return };
                apply(&mut net);
                assert_eq!(loops(&net), 1, "loop {position} with {what} was taken for a cell");
                tried += 1;
            };
            for at in 0..body.nodes.len() {
                let other = |body: &mut Net| {
                    let node = &mut body.nodes[at];
                    node.operator = match node.operator.clone() {
                        Operator::Binary(BinaryKind::Add, activation) => {
                            Operator::Binary(BinaryKind::Multiply, activation)
                        }
                        Operator::Binary(BinaryKind::Multiply, activation) => {
                            Operator::Binary(BinaryKind::Add, activation)
                        }
                        Operator::Binary(kind, activation) => {
                            node.inputs.reverse();
                            Operator::Binary(kind, activation)
                        }
                        Operator::Unary(UnaryKind::Logistic) => Operator::Unary(UnaryKind::Tanh),
                        Operator::Unary(UnaryKind::Tanh) => Operator::Unary(UnaryKind::Logistic),
                        Operator::Gather { batch_dims, .. } => Operator::Gather { axis: 1, batch_dims },
                        Operator::Concatenate { .. } => Operator::Concatenate { axis: 2 },
                        Operator::Dense { keep_dims, narrow_sums, .. } => {
                            let activation = crate::net::Activation::Relu6;
                            Operator::Dense { keep_dims, narrow_sums, activation }
                        }
                        _ => return None,
                    };
                    Some(())
                };
                check(changed(&layers, position, other), format!("another {}", body.nodes[at].name));
            }
            // The one of 1 − z, steps of counters, and where steps are read and written.
            for id in 0..body.tensors.len() {
                let other = |body: &mut Net| {
                    let is_read_by = |kinds: fn(&Operator) -> bool| {
                        body.nodes.iter().any(|node| kinds(&node.operator) && node.inputs.contains(&Some(id)))
                    };
                    let matters = is_read_by(|operator| {
                        matches!(operator, Operator::Binary(..) | Operator::Slice | Operator::Concatenate { .. })
                    });
                    let data = body.tensors[id].data.as_ref().filter(|_| matters)?;
                    let mut bytes = data.bytes().to_vec();
                    if bytes.len() > 12 {
                        return None;
                    }
                    bytes[0] = bytes[0].wrapping_add(2);
                    body.tensors[id].data = Some(Constant::new(bytes));
                    Some(())
                };
                check(changed(&layers, position, other), format!("another constant {id}"));
            }
        }
        assert!(tried > 120, "{tried} changes");
    }
}
