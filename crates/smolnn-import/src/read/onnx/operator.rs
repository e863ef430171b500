//! One operator of the file with its operands and attributes, and the words for what is wrong with it.

use super::builder::Builder;
use super::proto;
use crate::error::Problem;
use crate::net::{Element, TensorId};

/// An operator that is read.
pub(super) struct Op<'a> {
    pub builder: &'a mut Builder,
    pub node: &'a proto::Node,
    /// Its operands; `None` where one is left out.
    pub inputs: Vec<Option<TensorId>>,
}

/// The types of attributes, by their numbers in the file.
#[derive(Clone, Copy)]
enum Kind {
    Real = 1,
    Integer = 2,
    Text = 3,
    Integers = 7,
    Texts = 8,
}

impl Op<'_> {
    /// A problem of the operator.
    pub fn fault(&self, found: impl Into<String>, supported: impl Into<String>) -> Problem {
        self.builder.fault(found, supported)
    }

    /// Operand `index`, if it is there.
    pub fn optional(&self, index: usize) -> Option<TensorId> {
        self.inputs.get(index).copied().flatten()
    }

    /// Operand `index`, which must be there.
    pub fn input(&self, index: usize) -> Result<TensorId, Problem> {
        self.optional(index).ok_or_else(|| self.fault(format!("no input {index}"), "an operator with that input"))
    }

    /// All operands, none of which may be left out.
    pub fn all(&self) -> Result<Vec<TensorId>, Problem> {
        (0..self.inputs.len()).map(|index| self.input(index)).collect()
    }

    /// The shape of operand `index`.
    pub fn shape(&self, index: usize) -> Result<Vec<usize>, Problem> {
        Ok(self.builder.shape(self.input(index)?))
    }

    /// Whether output `index` is asked for.
    pub fn has_output(&self, index: usize) -> bool {
        self.node.outputs.get(index).is_some_and(|name| !name.is_empty())
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&proto::Attribute> {
        self.node.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// An attribute of this type. One of another type is noted, since the operator would be read as if it said something else.
    fn of_kind(&self, name: &str, kind: Kind) -> Option<&proto::Attribute> {
        let attribute = self.attribute(name)?;
        // Old files leave the type out.
        if attribute.kind != 0 && attribute.kind != kind as i32 {
            let found = format!("the attribute {name} of attribute type {}", attribute.kind);
            self.builder.mistaken.borrow_mut().get_or_insert(format!("{found} instead of {}", kind as i32));
        }
        Some(attribute)
    }

    /// An attribute that is an integer.
    pub fn int(&self, name: &str, otherwise: i64) -> i64 {
        self.of_kind(name, Kind::Integer).map_or(otherwise, |attribute| attribute.int)
    }

    /// An attribute that is a real number.
    pub fn float(&self, name: &str, otherwise: f32) -> f32 {
        self.of_kind(name, Kind::Real).map_or(otherwise, |attribute| attribute.float)
    }

    /// An attribute that is a list of integers.
    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.of_kind(name, Kind::Integers).map(|attribute| attribute.ints.clone())
    }

    /// An attribute that is a text.
    pub fn text(&self, name: &str, otherwise: &str) -> String {
        self.of_kind(name, Kind::Text)
            .map_or(otherwise.into(), |attribute| String::from_utf8_lossy(&attribute.string).into_owned())
    }

    /// An attribute that is a list of texts.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.of_kind(name, Kind::Texts).map(|attribute| attribute.strings.iter().map(text).collect())
    }

    /// The integers of operand `index`, which must be constant.
    pub fn integers(&self, index: usize, role: &str) -> Result<Vec<i64>, Problem> {
        let id = self.input(index)?;
        self.integers_of(id, role)
    }

    /// The integers of a tensor, which must be constant.
    pub fn integers_of(&self, id: TensorId, role: &str) -> Result<Vec<i64>, Problem> {
        let tensor = self.builder.tensor(id);
        if tensor.data.is_none() {
            let by =
                self.builder.net.cause(id).map(|node| format!(", because of operator {} {}", node.index, node.name));
            let found = format!("{role} computed when the model runs{}", by.unwrap_or_default());
            return Err(self.builder.fault_of(id, found, format!("{role} that are constant, or follow from shapes")));
        }
        let values = tensor.integers();
        values.ok_or_else(|| self.builder.fault_of(id, format!("{role} of {}", tensor.element), "integers"))
    }

    /// The real numbers of operand `index`, which must be constant; integers count as such.
    pub fn reals(&mut self, index: usize, role: &str) -> Result<Vec<f32>, Problem> {
        let id = self.input(index)?;
        let tensor = self.builder.tensor(id);
        if tensor.data.is_none() {
            let found = format!("{role} computed when the model runs");
            return Err(self.builder.fault_of(id, found, format!("{role} that are constant")));
        }
        if let Some(values) = self.builder.reals_of(id) {
            return Ok(values);
        }
        let (element, values) = (tensor.element, tensor.integers());
        let values = values.ok_or_else(|| self.builder.fault_of(id, format!("{role} of {element}"), "numbers"))?;
        Ok(values.iter().map(|&value| value as f32).collect())
    }

    /// Integers that are an operand in new versions and an attribute in old ones; nothing where both are left out.
    pub fn list(&self, name: &str, index: usize) -> Result<Option<Vec<i64>>, Problem> {
        if let Some(values) = self.ints(name) {
            return Ok(Some(values));
        }
        match self.optional(index) {
            Some(id) => self.integers_of(id, name).map(Some),
            None => Ok(None),
        }
    }

    /// An axis counted from the front.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Problem> {
        let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        let wrapped = usize::try_from(wrapped).ok().filter(|&axis| axis < rank);
        wrapped.ok_or_else(|| self.fault(format!("axis {axis}"), format!("axes of {rank} dimensions")))
    }

    /// Axes counted from the front, in their order.
    pub fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, Problem> {
        axes.iter().map(|&axis| self.axis(axis, rank)).collect()
    }

    /// Axes as [`Self::axes`], of which none may come twice.
    pub fn each_once(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, Problem> {
        let counted = self.axes(axes, rank)?;
        let mut seen = vec![false; rank];
        if counted.iter().any(|&axis| std::mem::replace(&mut seen[axis], true)) {
            return Err(self.fault(format!("axes {axes:?}, some of them twice"), "each axis once"));
        }
        Ok(counted)
    }

    /// Two operands of one type: where an integer constant meets real numbers, it becomes real.
    pub fn alike(&mut self, left: TensorId, right: TensorId) -> Result<[TensorId; 2], Problem> {
        let elements = [left, right].map(|id| self.builder.element(id));
        Ok(match elements {
            [Element::F32, other] if other != Element::F32 && self.builder.is_constant(right) => {
                [left, self.builder.cast(right, Element::F32)?]
            }
            [other, Element::F32] if other != Element::F32 && self.builder.is_constant(left) => {
                [self.builder.cast(left, Element::F32)?, right]
            }
            _ => [left, right],
        })
    }
}
