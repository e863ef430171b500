//! A node with the net around it: access to its tensors, each with the problem that is due when it is not as it must be.

use std::ops::RangeInclusive;

use smolnn_core::ShapeError;

use super::graph::{Net, Node};
use super::tensor::{Element, Tensor, TensorId};
use crate::error::Problem;

/// Most elements of a tensor whose shape is computed: far above any microcontroller, and low enough that no sum of sizes overflows.
const MOST_ELEMENTS: usize = 1 << 28;

/// A node, and the net that its tensors are in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub net: &'a Net,
    pub node: &'a Node,
}

impl<'a> View<'a> {
    /// A problem of the node itself.
    pub fn fault(&self, found: impl Into<String>, supported: impl Into<String>) -> Problem {
        Problem {
            operator: Some((self.node.index, self.node.name.clone())),
            tensor: None,
            found: found.into(),
            supported: supported.into(),
        }
    }

    /// A problem of one of its tensors.
    pub fn tensor_fault(&self, id: TensorId, found: impl Into<String>, supported: impl Into<String>) -> Problem {
        Problem { tensor: Some((id, self.tensor(id).name.clone())), ..self.fault(found, supported) }
    }

    /// A problem of input `index`; of the node itself where that is left out.
    pub fn fault_of_input(&self, index: usize, found: impl Into<String>, supported: impl Into<String>) -> Problem {
        match self.optional_input(index) {
            Some(id) => self.tensor_fault(id, found, supported),
            None => self.fault(found, supported),
        }
    }

    /// Turns the error of a shape or layer into a problem of the node.
    pub fn shape<T>(&self, result: Result<T, ShapeError>) -> Result<T, Problem> {
        result.map_err(|error| self.fault(error.to_string(), "shapes and values that the kernel can take"))
    }

    /// Checks the number of inputs, left-out ones included, and outputs.
    pub fn counts(&self, inputs: RangeInclusive<usize>, outputs: RangeInclusive<usize>) -> Result<(), Problem> {
        let found = (self.node.inputs.len(), self.node.outputs.len());
        if inputs.contains(&found.0) && outputs.contains(&found.1) {
            return Ok(());
        }
        let range = |of: RangeInclusive<usize>, what: &str| match (*of.start(), *of.end()) {
            (start, end) if start == end => format!("{start} {what}"),
            (start, usize::MAX) => format!("{start} {what} or more"),
            (start, end) => format!("{start} to {end} {what}"),
        };
        let supported = format!("{} and {}", range(inputs, "inputs"), range(outputs, "outputs"));
        Err(self.fault(format!("{} inputs and {} outputs", found.0, found.1), supported))
    }

    /// Input `index`, which must be there.
    pub fn input(&self, index: usize) -> Result<TensorId, Problem> {
        self.optional_input(index).ok_or_else(|| self.fault(format!("no input {index}"), "an operator with that input"))
    }

    /// Input `index`, if it is there.
    pub fn optional_input(&self, index: usize) -> Option<TensorId> {
        self.node.inputs.get(index).copied().flatten()
    }

    /// Output `index`, which must be there.
    pub fn output(&self, index: usize) -> Result<TensorId, Problem> {
        let output = self.node.outputs.get(index).copied();
        output.ok_or_else(|| self.fault(format!("no output {index}"), "an operator with that output"))
    }

    /// A tensor of the net.
    pub fn tensor(&self, id: TensorId) -> &'a Tensor {
        &self.net.tensors[id]
    }

    /// The shape of input `index`.
    pub fn input_shape(&self, index: usize) -> Result<&'a [usize], Problem> {
        Ok(&self.tensor(self.input(index)?).shape)
    }

    /// The shape that is stated for output `index`.
    pub fn stated_shape(&self, index: usize) -> Result<&'a [usize], Problem> {
        Ok(&self.tensor(self.output(index)?).shape)
    }

    /// Checks that a computed shape is that of a tensor one can have.
    pub fn bounded(&self, shape: &[usize]) -> Result<(), Problem> {
        let length = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        match length {
            Some(1..=MOST_ELEMENTS) => Ok(()),
            _ => Err(self.fault(format!("an output of shape {shape:?}"), "tensors of 1 to 2^28 elements")),
        }
    }

    /// Batch, height, width, channels of a tensor.
    pub fn nhwc(&self, id: TensorId) -> Result<[usize; 4], Problem> {
        let shape = &self.tensor(id).shape;
        <[usize; 4]>::try_from(&shape[..])
            .map_err(|_| self.tensor_fault(id, format!("shape {shape:?}"), "rank 4: batch, height, width, channels"))
    }

    /// Checks the element type.
    pub fn element(&self, id: TensorId, supported: &[Element]) -> Result<Element, Problem> {
        let element = self.tensor(id).element;
        if supported.contains(&element) {
            return Ok(element);
        }
        let mut list = supported.iter().map(Element::to_string).collect::<Vec<_>>().join(", ");
        if element.is_float() {
            list += " (float models are imported, this operator not in this type; int8 ones are smaller and faster: docs/models.md)";
        }
        Err(self.tensor_fault(id, element.to_string(), list))
    }

    /// The bytes of a constant.
    pub fn constant(&self, id: TensorId, role: &str) -> Result<&'a [u8], Problem> {
        match &self.tensor(id).data {
            Some(data) => Ok(data.bytes()),
            None => {
                let by = self.net.cause(id).map(|node| format!(", because of operator {} {}", node.index, node.name));
                let found = format!("{role} computed when the model runs{}", by.unwrap_or_default());
                Err(self.tensor_fault(id, found, format!("constant {role}")))
            }
        }
    }

    /// The values of input `index`, an INT32 or INT64 constant.
    pub fn integers(&self, index: usize, role: &str) -> Result<Vec<i64>, Problem> {
        let id = self.input(index)?;
        self.constant(id, role)?;
        self.element(id, &[Element::I32, Element::I64])?;
        self.tensor(id).integers().ok_or_else(|| self.tensor_fault(id, "no integers", "INT32 or INT64"))
    }

    /// The one value of input `index`, an INT32 or INT64 constant.
    pub fn integer(&self, index: usize, role: &str) -> Result<i64, Problem> {
        let id = self.input(index)?;
        match self.integers(index, role)?[..] {
            [value] => Ok(value),
            _ => Err(self.tensor_fault(id, format!("{role} of shape {:?}", self.tensor(id).shape), "one value")),
        }
    }

    /// A dimension counted from the front, given from the front or, negative, from the back.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Problem> {
        let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        usize::try_from(wrapped)
            .ok()
            .filter(|&axis| axis < rank)
            .ok_or_else(|| self.fault(format!("axis {axis}"), format!("axes of {rank} dimensions")))
    }
}
