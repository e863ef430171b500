//! Formulas over the vectors of a step: what the body of a loop computes.

use std::ops::Range;
use std::rc::Rc;

use crate::net::TensorId;

/// Formulas are no deeper than this; those of cells have a depth of six at most.
const MOST_DEPTH: usize = 8;

/// Biases of a sum: of the two products and of what is added to them.
pub(super) const MOST_BIASES: usize = 4;

/// A formula over the vectors of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Formula {
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
pub(super) struct Shared {
    pub formula: Rc<Formula>,
    pub depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    Logistic,
    Tanh,
    Relu,
}

/// Σ of weights · of what each is multiplied with, + Σ of biases: `rows` of each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sum {
    pub products: Vec<(Shared, TensorId, Range<usize>)>,
    pub biases: Vec<(TensorId, Range<usize>)>,
}

impl Sum {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.products.first().map_or(0, |(_, _, rows)| rows.len())
    }

    /// Some of its rows.
    pub(super) fn part(&self, of: &Range<usize>) -> Option<Self> {
        let part = |rows: &Range<usize>| {
            let rows = rows.start + of.start..rows.start + of.end;
            (of.end <= self.len()).then_some(rows)
        };
        let products = self.products.iter().map(|(by, weights, rows)| Some((by.clone(), *weights, part(rows)?)));
        let biases = self.biases.iter().map(|(bias, rows)| Some((*bias, part(rows)?)));
        Some(Self { products: products.collect::<Option<_>>()?, biases: biases.collect::<Option<_>>()? })
    }

    /// Both together, unless they have more parts than a cell has.
    pub(super) fn with(&self, other: &Self) -> Option<Self> {
        let products = [&self.products[..], &other.products].concat();
        let biases = [&self.biases[..], &other.biases].concat();
        (self.len() == other.len() && products.len() <= 2 && biases.len() <= MOST_BIASES)
            .then_some(Self { products, biases })
    }

    /// The weights of one factor, and the rows.
    pub(super) fn weights(&self, of: &Formula) -> Option<(TensorId, Range<usize>)> {
        let mut products = self.products.iter().filter(|(by, ..)| *by.formula == *of);
        let (_, weights, rows) = products.next()?;
        products.next().is_none().then(|| (*weights, rows.clone()))
    }
}

impl Shared {
    /// A formula whose deepest part has this depth; `None` for one that is too deep to be a cell.
    pub(super) fn above(depth: usize, formula: Formula) -> Option<Self> {
        (depth < MOST_DEPTH).then(|| Self { formula: Rc::new(formula), depth: depth + 1 })
    }

    /// A formula without parts.
    pub(super) fn leaf(formula: Formula) -> Self {
        Self { formula: Rc::new(formula), depth: 0 }
    }

    /// The sum that the formula is.
    pub(super) fn sum(&self) -> Option<&Sum> {
        if let Formula::Sum(sum) = &*self.formula { Some(sum) } else { None }
    }

    /// What a function is applied to.
    pub(super) fn function(&self, function: Function) -> Option<&Self> {
        match &*self.formula {
            Formula::Function(found, of) if *found == function => Some(of),
            _ => None,
        }
    }

    /// Both factors in both orders.
    pub(super) fn factors(&self) -> Vec<(&Self, &Self)> {
        if let Formula::Product(left, right) = &*self.formula { vec![(left, right), (right, left)] } else { Vec::new() }
    }

    /// Both summands in both orders.
    pub(super) fn summands(&self) -> Vec<(&Self, &Self)> {
        if let Formula::Added(left, right) = &*self.formula { vec![(left, right), (right, left)] } else { Vec::new() }
    }
}

/// The factor of a product whose other factor is this one.
pub(super) fn factor_of<'a>(product: &'a Shared, state: &Formula) -> Option<&'a Shared> {
    product.factors().into_iter().find(|(_, other)| *other.formula == *state).map(|(factor, _)| factor)
}
