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
        let found = self.net.tensors[id].reals();
        matches!(found.as_deref(), Some(&[found]) if (found - value).abs() <= 1e-5 * value)
    }
}

#[cfg(test)]
mod tests {
    use crate::net::{
        Activation, BinaryKind, Constant, Element, Net, Node, Operator, RemovedChannels, Tensor, TensorId, UnaryKind,
    };
    use crate::rewrite::rewrite_channels_first;

    fn tensor(name: &str, shape: &[usize], value: Option<f32>) -> Tensor {
        Tensor::new(
            name.into(),
            Element::F32,
            shape.into(),
            value.map(|value| Constant::new(value.to_le_bytes().into())),
        )
    }

    /// A net from "x" to "y" of these operators, each with its operands and its output.
    fn net(parts: &[(&str, &str, &str, &str)]) -> Net {
        let mut tensors = vec![tensor("x", &[2, 3], None)];
        let constants =
            [("root", std::f32::consts::SQRT_2), ("one", 1.0), ("half", 0.5), ("a", 0.044715), ("b", 0.797_884_6)];
        tensors.extend(constants.map(|(name, value)| tensor(name, &[], Some(value))));
        tensors.extend(parts.iter().map(|part| tensor(part.3, &[2, 3], None)));
        let find = |name: &str| -> Option<TensorId> { tensors.iter().position(|tensor| tensor.name == name) };
        let node = |(index, &(operator, left, right, output)): (usize, &(&str, &str, &str, &str))| Node {
            index,
            name: operator.into(),
            operator: match operator {
                "Add" => Operator::Binary(BinaryKind::Add, Activation::None),
                "Mul" => Operator::Binary(BinaryKind::Multiply, Activation::None),
                "Div" => Operator::Binary(BinaryKind::Divide, Activation::None),
                "Erf" => Operator::Unary(UnaryKind::Erf),
                _ => Operator::Unary(UnaryKind::Tanh),
            },
            inputs: [left, right].into_iter().filter(|name| !name.is_empty()).map(find).collect(),
            outputs: find(output).into_iter().collect(),
        };
        let nodes = parts.iter().enumerate().map(node).collect();
        let outputs = find("y").into_iter().collect();
        Net { inputs: vec![0], outputs, nodes, tensors, removed: RemovedChannels::default() }
    }

    #[test]
    fn gelu_is_found_in_its_parts() {
        let erf = [("Div", "x", "root", "s"), ("Erf", "s", "", "e"), ("Add", "e", "one", "sum")];
        let tanh = [
            ("Mul", "x", "x", "x2"),
            ("Mul", "x2", "x", "x3"),
            ("Mul", "a", "x3", "third"),
            ("Add", "x", "third", "inner"),
            ("Mul", "inner", "b", "s"),
            ("Tanh", "s", "", "e"),
            ("Add", "one", "e", "sum"),
        ];
        let orders = [
            [("Mul", "x", "sum", "p"), ("Mul", "p", "half", "y")],
            [("Mul", "sum", "half", "p"), ("Mul", "x", "p", "y")],
            [("Mul", "half", "x", "p"), ("Mul", "p", "sum", "y")],
        ];
        let wrong = [("Mul", "x", "sum", "p"), ("Mul", "p", "one", "y")];
        let operators = |parts: Vec<(&str, &str, &str, &str)>| {
            let mut net = net(&parts);
            rewrite_channels_first(&mut net);
            net.nodes.into_iter().map(|node| node.operator).collect::<Vec<_>>()
        };
        for order in orders {
            for (inner, approximate) in [(&erf[..], false), (&tanh[..], true)] {
                let found = operators([inner, &order[..]].concat());
                assert_eq!(found, [Operator::Unary(UnaryKind::Gelu { approximate })]);
            }
        }
        assert_eq!(operators([&erf[..], &wrong[..]].concat()).len(), 5);
    }
}
