//! The cells that formulas are.

use std::ops::Range;

use super::formula::{Formula, Function, Shared, factor_of};
use crate::net::{RecurrentCell, Reset, TensorId};

/// A gate's rows: weights, recurrent weights, biases and recurrent biases.
pub(super) struct Gate {
    pub weights: (TensorId, Range<usize>),
    pub recurrent: (TensorId, Range<usize>),
    pub biases: [Vec<(TensorId, Range<usize>)>; 2],
}

/// A cell: its gates in the order of [`RecurrentCell`], and the numbers of its states.
pub(super) struct Cell {
    pub kind: RecurrentCell,
    pub gates: Vec<Gate>,
    pub states: Vec<usize>,
}

/// The gate of a sum over the input and what comes from the state.
pub(super) fn gate(sum: &Shared, recurrent: &Formula) -> Option<Gate> {
    let sum = sum.sum().filter(|sum| sum.products.len() == 2)?;
    let (weights, recurrent) = (sum.weights(&Formula::Input)?, sum.weights(recurrent)?);
    Some(Gate { weights, recurrent, biases: [sum.biases.clone(), Vec::new()] })
}

/// h = tanh(sum) or max(0, sum).
pub(super) fn simple(new: &Shared, state: usize) -> Option<Cell> {
    let kinds = [(Function::Tanh, RecurrentCell::Tanh), (Function::Relu, RecurrentCell::Relu)];
    kinds.into_iter().find_map(|(function, kind)| {
        let gates = vec![gate(new.function(function)?, &Formula::State(state))?];
        Some(Cell { kind, gates, states: vec![state] })
    })
}

/// h = z ⊙ h + (1 − z) ⊙ n.
pub(super) fn gru(new: &Shared, state: usize) -> Option<Cell> {
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
pub(super) fn candidate<'a>(n: &'a Shared, h: &Formula) -> Option<(RecurrentCell, &'a Shared, Gate)> {
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
pub(super) fn lstm(new: &Shared, cell: &Shared, states: [usize; 2]) -> Option<Cell> {
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
