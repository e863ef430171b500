//! The net under construction: operators are added one by one, their shapes inferred and what is constant computed at once.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use crate::error::Problem;
use crate::net::{
    Activation, BinaryKind, Constant, Element, Net, Node, Operator, Quantisation, ReduceKind, RemovedChannels, Tensor,
    TensorId, UnaryKind, View, evaluate, infer,
};

/// Most elements that are computed in all: a file must not make us compute much.
const MOST: usize = 1 << 24;

/// A net to which operators are added.
pub(super) struct Builder {
    pub net: Net,
    /// Constants of real numbers that the file has as scaled integers, and those.
    pub stored: HashMap<TensorId, TensorId>,
    /// Tensors of int8 that are uint8 in the file, 128 higher.
    pub unsigned: HashSet<TensorId>,
    /// What is wrong with an attribute that was read as if it were of another type.
    pub mistaken: RefCell<Option<String>>,
    /// The version of the file's operators.
    pub opset: i64,
    /// Index, operator and name of the node that is read.
    node: (usize, String),
    name: String,
    /// Elements that may still be computed.
    left: usize,
}

impl Builder {
    pub fn new(opset: i64) -> Self {
        let net = Net {
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            removed: RemovedChannels::default(),
        };
        Self {
            net,
            stored: HashMap::new(),
            unsigned: HashSet::new(),
            mistaken: RefCell::new(None),
            opset,
            node: (0, String::new()),
            name: String::new(),
            left: MOST,
        }
    }

    /// What is added from now on is of this node of the file.
    pub fn begin(&mut self, index: usize, operator: &str, name: &str) {
        self.node = (index, operator.into());
        self.name = name.into();
    }

    /// Adds a tensor.
    pub fn add(&mut self, tensor: Tensor) -> TensorId {
        self.net.tensors.push(tensor);
        self.net.tensors.len() - 1
    }

    /// Makes a tensor an output of the model: itself, or a copy where it is an input, a constant or an output already.
    pub fn output(&mut self, id: TensorId) -> Result<(), Problem> {
        let id = if self.unsigned.contains(&id) { self.unsigned_of(id)? } else { id };
        let is_written = self.net.nodes.iter().any(|node| node.outputs.contains(&id));
        if is_written && !self.net.outputs.contains(&id) {
            self.net.outputs.push(id);
            return Ok(());
        }
        let copy = self.add(Tensor { data: None, ..self.net.tensors[id].clone() });
        let (index, name) = self.node.clone();
        self.net.nodes.push(Node {
            index,
            name,
            operator: super::alias(),
            inputs: vec![Some(id)],
            outputs: vec![copy],
        });
        self.net.outputs.push(copy);
        Ok(())
    }

    /// The uint8 tensor that the file has in place of this one of int8.
    fn unsigned_of(&mut self, id: TensorId) -> Result<TensorId, Problem> {
        let quantisation = self.net.tensors[id].quantisation.clone();
        let output = self.push_stated(Operator::Quantise, &[Some(id)], Element::U8, &[])?;
        self.net.tensors[output].quantisation = quantisation
            .map(|of| Quantisation { zero_points: of.zero_points.iter().map(|point| point + 128).collect(), ..of });
        Ok(output)
    }

    /// A constant of a layer in the order of the net: `relay` puts it in order. Where it comes from scaled integers with zero points of 0 and scales along
    /// dimension `from`, it is those integers, with the scales along dimension `to`.
    pub fn relaid(
        &mut self,
        id: TensorId,
        [from, to]: [usize; 2],
        relay: impl Fn(&mut Self, TensorId) -> Result<TensorId, Problem>,
    ) -> Result<TensorId, Problem> {
        let of =
            |whole: &TensorId| self.net.tensors[*whole].quantisation.clone().map(|quantisation| (*whole, quantisation));
        let fits = |quantisation: &Quantisation| {
            let along = quantisation.scales.len() == 1 || quantisation.dimension == from;
            along && quantisation.zero_points.iter().all(|&point| point == 0)
        };
        let Some((whole, quantisation)) =
            self.stored.get(&id).and_then(of).filter(|(_, quantisation)| fits(quantisation))
        else {
            return relay(self, id);
        };
        let bare = Tensor { quantisation: None, ..self.net.tensors[whole].clone() };
        let bare = self.add(bare);
        let relaid = relay(self, bare)?;
        self.net.tensors[relaid].quantisation = Some(Quantisation { dimension: to, ..quantisation });
        Ok(relaid)
    }

    /// A tensor of the net.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.net.tensors[id]
    }

    /// The shape of a tensor.
    pub fn shape(&self, id: TensorId) -> Vec<usize> {
        self.net.tensors[id].shape.clone()
    }

    /// The element type of a tensor.
    pub fn element(&self, id: TensorId) -> Element {
        self.net.tensors[id].element
    }

    /// Whether a tensor is constant.
    pub fn is_constant(&self, id: TensorId) -> bool {
        self.net.tensors[id].data.is_some()
    }

    /// A problem of the node that is read.
    pub fn fault(&self, found: impl Into<String>, supported: impl Into<String>) -> Problem {
        Problem { operator: Some(self.node.clone()), tensor: None, found: found.into(), supported: supported.into() }
    }

    /// A problem of a tensor of the node that is read.
    pub fn fault_of(&self, id: TensorId, found: impl Into<String>, supported: impl Into<String>) -> Problem {
        Problem { tensor: Some((id, self.net.tensors[id].name.clone())), ..self.fault(found, supported) }
    }

    /// A constant.
    pub fn constant(&mut self, element: Element, shape: &[usize], bytes: Vec<u8>) -> TensorId {
        debug_assert_eq!(
            bytes.len() * 8,
            shape.iter().product::<usize>() * element.bits(),
            "as many bytes as the shape has"
        );
        self.add(Tensor::new(self.name.clone(), element, shape.into(), Some(Constant::new(bytes))))
    }

    /// A constant of real numbers.
    pub fn reals(&mut self, shape: &[usize], values: &[f32]) -> TensorId {
        self.constant(Element::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A constant real number.
    pub fn real(&mut self, value: f32) -> TensorId {
        self.reals(&[], &[value])
    }

    /// A constant of positions, lengths and the like.
    pub fn integers(&mut self, shape: &[usize], values: &[i64]) -> TensorId {
        self.constant(Element::I64, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A constant vector of lengths.
    pub fn lengths(&mut self, lengths: &[usize]) -> TensorId {
        let values: Vec<i64> = lengths.iter().map(|&length| length as i64).collect();
        self.integers(&[values.len()], &values)
    }

    /// The values of a constant of real numbers.
    pub fn reals_of(&self, id: TensorId) -> Option<Vec<f32>> {
        self.net.tensors[id].reals()
    }

    /// Adds an operator with one output.
    pub fn push(&mut self, operator: Operator, inputs: &[TensorId]) -> Result<TensorId, Problem> {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        self.push_optional(operator, &inputs)
    }

    /// Adds an operator with one output, of whose inputs some may be left out.
    pub fn push_optional(&mut self, operator: Operator, inputs: &[Option<TensorId>]) -> Result<TensorId, Problem> {
        let element = inputs.iter().flatten().next().map_or(Element::F32, |&id| self.element(id));
        self.push_stated(operator, inputs, element, &[])
    }

    /// Adds an operator with one output, for which type and shape are stated where the operands do not say them.
    pub fn push_stated(
        &mut self,
        operator: Operator,
        inputs: &[Option<TensorId>],
        element: Element,
        shape: &[usize],
    ) -> Result<TensorId, Problem> {
        let outputs = self.push_many(operator, inputs, &[(element, shape.to_vec())])?;
        outputs.first().copied().ok_or_else(|| self.fault("no output", "an operator with an output"))
    }

    /// Adds an operator with several outputs, for each of which type and shape are stated where the operands do not say them.
    pub fn push_many(
        &mut self,
        operator: Operator,
        inputs: &[Option<TensorId>],
        stated: &[(Element, Vec<usize>)],
    ) -> Result<Vec<TensorId>, Problem> {
        let constant = inputs.iter().flatten().all(|&id| self.is_constant(id));
        if constant {
            let (outputs, node) = self.inferred(operator.clone(), inputs.to_vec(), stated)?;
            if let Some(values) = evaluate(&View { net: &self.net, node: &node }, self.left) {
                for (&id, value) in outputs.iter().zip(values) {
                    self.left = self.left.saturating_sub(self.net.tensors[id].len());
                    self.net.tensors[id].data = Some(value);
                }
                return Ok(outputs);
            }
            self.net.tensors.truncate(self.net.tensors.len() - outputs.len());
        }
        // Models compute with int32: positions and lengths fit.
        let inputs = inputs.iter().map(|&id| id.map(|id| self.narrow(id))).collect();
        let stated: Vec<_> = stated
            .iter()
            .map(|(element, shape)| (if *element == Element::I64 { Element::I32 } else { *element }, shape.clone()))
            .collect();
        let (outputs, node) = self.inferred(operator, inputs, &stated)?;
        self.net.nodes.push(node);
        Ok(outputs)
    }

    /// A constant of int64 as one of int32; numbers that do not fit stand for ends beyond everything.
    pub fn narrow(&mut self, id: TensorId) -> TensorId {
        let tensor = &self.net.tensors[id];
        let Some(values) = tensor.integers().filter(|_| tensor.element == Element::I64) else { return id };
        let bytes =
            values.iter().flat_map(|&value| (value.clamp(i32::MIN.into(), i32::MAX.into()) as i32).to_le_bytes());
        let narrow = Tensor { element: Element::I32, data: Some(Constant::new(bytes.collect())), ..tensor.clone() };
        self.add(narrow)
    }

    /// The node, with outputs as they are inferred.
    fn inferred(
        &mut self,
        operator: Operator,
        inputs: Vec<Option<TensorId>>,
        stated: &[(Element, Vec<usize>)],
    ) -> Result<(Vec<TensorId>, Node), Problem> {
        let first = self.net.tensors.len();
        for (element, shape) in stated {
            let (name, shape) = (self.name.clone(), shape.clone());
            self.add(Tensor::new(name, *element, shape, None));
        }
        let outputs: Vec<TensorId> = (first..self.net.tensors.len()).collect();
        let (index, name) = self.node.clone();
        let node = Node { index, name, operator, inputs, outputs: outputs.clone() };
        match infer(&View { net: &self.net, node: &node }) {
            Ok(inferred) => {
                for (&id, of) in outputs.iter().zip(inferred) {
                    let tensor = &mut self.net.tensors[id];
                    (tensor.shape, tensor.element) = (of.shape, of.element.unwrap_or(tensor.element));
                }
                self.carry_quantisation(&node);
                Ok((outputs, node))
            }
            Err(problem) => {
                self.net.tensors.truncate(first);
                Err(problem)
            }
        }
    }

    /// Gives integers that an operator only moves the quantisation that they have.
    fn carry_quantisation(&mut self, node: &Node) {
        let Some(&Some(first)) = node.inputs.first() else { return };
        let (element, quantisation) = (self.element(first), self.net.tensors[first].quantisation.clone());
        if quantisation.is_none() || matches!(node.operator, Operator::Quantise | Operator::Dequantise | Operator::Cast)
        {
            return;
        }
        for &id in &node.outputs {
            if self.element(id) == element && !element.is_float() {
                self.net.tensors[id].quantisation.clone_from(&quantisation);
                if self.unsigned.contains(&first) {
                    self.unsigned.insert(id);
                }
            }
        }
    }

    /// A function of one operand.
    pub fn unary(&mut self, kind: UnaryKind, id: TensorId) -> Result<TensorId, Problem> {
        self.push(Operator::Unary(kind), &[id])
    }

    /// A function of two operands. Constants of integers that meet real numbers become real.
    pub fn binary(&mut self, kind: BinaryKind, left: TensorId, right: TensorId) -> Result<TensorId, Problem> {
        self.push(Operator::Binary(kind, Activation::None), &[left, right])
    }

    /// A function of an operand and a real number.
    pub fn with_real(&mut self, kind: BinaryKind, left: TensorId, right: f32) -> Result<TensorId, Problem> {
        let right = self.real(right);
        self.binary(kind, left, right)
    }

    /// A reduction that keeps the reduced dimensions or not.
    pub fn reduce(
        &mut self,
        kind: ReduceKind,
        id: TensorId,
        axes: &[usize],
        keep_dims: bool,
    ) -> Result<TensorId, Problem> {
        let axes = self.lengths(axes);
        self.push(Operator::Reduce { kind, keep_dims }, &[id, axes])
    }

    /// The same elements in another shape.
    pub fn reshape(&mut self, id: TensorId, shape: &[usize]) -> Result<TensorId, Problem> {
        if self.net.tensors[id].shape == shape {
            return Ok(id);
        }
        let element = self.element(id);
        self.push_stated(Operator::Reshape, &[Some(id)], element, shape)
    }

    /// The dimensions in another order.
    pub fn transpose(&mut self, id: TensorId, permutation: &[usize]) -> Result<TensorId, Problem> {
        if permutation.iter().copied().eq(0..permutation.len()) {
            return Ok(id);
        }
        let permutation = self.lengths(permutation);
        self.push(Operator::Transpose, &[id, permutation])
    }

    /// Values in the type of the output.
    pub fn cast(&mut self, id: TensorId, element: Element) -> Result<TensorId, Problem> {
        if self.element(id) == element {
            return Ok(id);
        }
        let shape = self.shape(id);
        self.push_stated(Operator::Cast, &[Some(id)], element, &shape)
    }

    /// The elements at constant positions along an axis.
    pub fn pick(&mut self, id: TensorId, axis: usize, positions: &[usize]) -> Result<TensorId, Problem> {
        let positions = self.lengths(positions);
        self.push(Operator::Gather { axis: axis as i64, batch_dims: 0 }, &[id, positions])
    }
}
