//! Finds GELU in the operators that exporters write for it: x · ½ · (1 + erf(x / √2)), or with the hyperbolic tangent that approximates it.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use super::uses::Uses;
use crate::net::{Activation, BinaryKind, Element, Net, Node, Operator, TensorId, UnaryKind};

/// Makes one operator of each; those before it are left without a reader.
pub(super) fn apply(net: &mut Net) {
    let graph = Graph { net, uses: Uses::of(net) };
    let found: Vec<_> = (0..net.nodes.len()).filter_map(|position| graph.gelu(position)).collect();
    for (position, input, approximate) in found {
        let node = &mut net.nodes[position];
        (node.operator, node.inputs) = (Operator::Unary(UnaryKind::Gelu { approximate }), vec![Some(input)]);
    }
}

struct Graph<'a> {
    net: &'a Net,
    uses: Uses,
}

impl Graph<'_> {
    /// The function that begins with the error function or the tangent at this position: where it ends, its operand, and whether it is the approximation.
    fn gelu(&self, position: usize) -> Option<(usize, TensorId, bool)> {
        let node = &self.net.nodes[position];
        let (&[Some(inner)], &[curve]) = (&node.inputs[..], &node.outputs[..]) else { return None };
        let (x, approximate) = match node.operator {
            Operator::Unary(UnaryKind::Erf) => (self.halved(inner)?, false),
            Operator::Unary(UnaryKind::Tanh) => (self.cubic(inner)?, true),
            _ => return None,
        };
        let mut sum = self.only_reader(curve)?;
        (self.with_constant(sum, BinaryKind::Add, 1.0)? == curve).then_some(())?;
        // Then products with x and with a half, in any order.
        let (mut seen_x, mut seen_half) = (false, false);
        while !(seen_x && seen_half) {
            let from = *self.net.nodes[sum].outputs.first()?;
            let product = self.only_reader(from)?;
            let other = self.other(product, BinaryKind::Multiply, from)?;
            if self.is(other, 0.5) && !seen_half {
                seen_half = true;
            } else if other == x && !seen_x {
                seen_x = true;
            } else if !seen_x && !seen_half && self.times(other, 0.5) == Some(x) {
                (seen_x, seen_half) = (true, true);
            } else {
                return None;
            }
            sum = product;
        }
        let [output] = self.net.nodes[sum].outputs[..] else { return None };
        let alike = [x, output].map(|id| &self.net.tensors[id]).map(|tensor| (&tensor.shape, tensor.element));
        (alike[0] == alike[1] && alike[0].1 == Element::F32).then_some((sum, x, approximate))
    }

    /// x, where this is x / √2.
    fn halved(&self, id: TensorId) -> Option<TensorId> {
        self.times(id, FRAC_1_SQRT_2).or_else(|| {
            let &[Some(left), Some(right)] = &self.binary(self.writer(id)?, BinaryKind::Divide)?.inputs[..] else {
                return None;
            };
            self.is(right, SQRT_2).then_some(left)
        })
    }

    /// x, where this is √(2/π) · (x + 0.044715 · x³).
    fn cubic(&self, id: TensorId) -> Option<TensorId> {
        let sum = self.writer(self.times(id, FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?)?;
        let &[Some(left), Some(right)] = &self.binary(sum, BinaryKind::Add)?.inputs[..] else { return None };
        [(left, right), (right, left)].into_iter().find_map(|(x, third)| {
            let power = self.writer(self.times(third, 0.044715)?)?;
            let square = self.other(power, BinaryKind::Multiply, x)?;
            let node = &self.net.nodes[self.writer(square)?];
            let is_square = match node.operator {
                Operator::Unary(UnaryKind::Square) => node.inputs[..] == [Some(x)],
                Operator::Binary(BinaryKind::Multiply, Activation::None) => node.inputs[..] == [Some(x), Some(x)],
                _ => false,
            };
            is_square.then_some(x)
        })
    }

    /// The position of the operator that writes a tensor.
    fn writer(&self, id: TensorId) -> Option<usize> {
        self.uses.writers[id]
    }

    /// The position of the only operator that reads a tensor.
    fn only_reader(&self, id: TensorId) -> Option<usize> {
        self.uses.reader[id].filter(|_| self.uses.readers[id] == 1)
    }

    fn binary(&self, position: usize, kind: BinaryKind) -> Option<&Node> {
        let node = &self.net.nodes[position];
        (node.operator == Operator::Binary(kind, Activation::None)).then_some(node)
    }

    /// The operand of a function of two that is not this one.
    fn other(&self, position: usize, kind: BinaryKind, operand: TensorId) -> Option<TensorId> {
        match self.binary(position, kind)?.inputs[..] {
            [Some(left), Some(right)] if left == operand => Some(right),
            [Some(left), Some(right)] if right == operand => Some(left),
            _ => None,
        }
    }

    /// The operand that meets this constant.
    fn with_constant(&self, position: usize, kind: BinaryKind, value: f32) -> Option<TensorId> {
        match self.binary(position, kind)?.inputs[..] {
            [Some(left), Some(right)] if self.is(right, value) => Some(left),
            [Some(left), Some(right)] if self.is(left, value) => Some(right),
            _ => None,
        }
    }

    /// The operand of which this is so many times.
    fn times(&self, id: TensorId, factor: f32) -> Option<TensorId> {
        self.with_constant(self.writer(id)?, BinaryKind::Multiply, factor)
    }

    /// Whether a tensor is this constant, but for the digits that an exporter leaves out.
    fn is(&self, id: TensorId, value: f32) -> bool {
        let tensor = &self.net.tensors[id];
        let Some(data) = tensor.data.as_ref().filter(|_| tensor.element == Element::F32) else { return false };
        let found: Vec<f32> = data.bytes().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        matches!(found[..], [found] if (found - value).abs() <= 1e-5 * value)
    }
}
