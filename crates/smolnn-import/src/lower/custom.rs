//! Custom operators: calls of functions of the user's.

use smolnn_core::{CustomOperator, CustomTensor, ShapeError};

use super::Lowered;
use super::call::{Body, Task};
use super::context::Context;
use super::memory::{Memory, Storage};
use crate::error::Problem;
use crate::net::{Tensor, TensorId};

/// A custom operator of a call, with what its function is told.
#[derive(Clone, Debug)]
pub(crate) struct Custom {
    pub name: String,
    options: Vec<u8>,
    inputs: Vec<Description>,
    outputs: Vec<Description>,
}

/// What a function is told of a tensor.
#[derive(Clone, Debug)]
struct Description {
    shape: Vec<usize>,
    scale: f32,
    zero_point: i32,
}

impl Description {
    fn of(tensor: &Tensor) -> Self {
        let (scale, zero_point) = match &tensor.quantisation {
            Some(of) if of.scales.len() == 1 => (of.scales[0], of.zero_points.first().copied().unwrap_or(0)),
            _ => (1.0, 0),
        };
        Self { shape: tensor.shape.clone(), scale, zero_point }
    }

    fn view(&self) -> CustomTensor<'_> {
        CustomTensor { shape: &self.shape, scale: self.scale, zero_point: self.zero_point }
    }

    fn text(&self) -> String {
        let Self { shape, scale, zero_point } = self;
        format!("CustomTensor {{ shape: &{shape:?}, scale: {scale:?}, zero_point: {zero_point} }}")
    }
}

impl Custom {
    /// Calls a function with the operator.
    pub(crate) fn tell<T>(&self, function: impl FnOnce(&CustomOperator<'_>) -> T) -> T {
        let inputs: Vec<CustomTensor<'_>> = self.inputs.iter().map(Description::view).collect();
        let outputs: Vec<CustomTensor<'_>> = self.outputs.iter().map(Description::view).collect();
        function(&CustomOperator { options: &self.options, inputs: &inputs, outputs: &outputs })
    }

    fn text(&self) -> String {
        let list = |of: &[Description]| of.iter().map(Description::text).collect::<Vec<_>>().join(", ");
        let (options, inputs, outputs) = (&self.options, list(&self.inputs), list(&self.outputs));
        format!("&CustomOperator {{ options: &{options:?}, inputs: &[{inputs}], outputs: &[{outputs}] }}")
    }
}

/// The tensors of a custom operator in a run on this machine. Each output can be had once.
pub struct CustomTensors<'a, 'm> {
    memory: &'a mut Memory<'m>,
}

impl<'a, 'm> CustomTensors<'a, 'm> {
    pub(crate) fn new(memory: &'a mut Memory<'m>) -> Self {
        Self { memory }
    }

    /// Input `index`, whose elements are `i8`, `u8` (truth values as well), `i16`, `i32`, `u32` or `f32`.
    ///
    /// # Errors
    /// [`ShapeError`] when the operator has no such input, or its elements are of another type.
    pub fn input<T: smolnn_fixed::arena::Element>(&self, index: usize) -> Result<&'m [T], ShapeError> {
        self.memory.checked_input(index)
    }

    /// Output `index`, of elements as [`input`](Self::input) has them.
    ///
    /// # Errors
    /// [`ShapeError`] when the operator has no such output, it was taken before, or its elements are of another type.
    pub fn output<T: smolnn_fixed::arena::Element>(&mut self, index: usize) -> Result<&'m mut [T], ShapeError> {
        self.memory.checked_output(index)
    }
}

impl std::fmt::Debug for CustomTensors<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustomTensors")
    }
}

pub(super) fn lower(
    context: &Context<'_>,
    name: &str,
    options: &[u8],
    function: Option<&str>,
) -> Result<Lowered, Problem> {
    let Some(function) = function else {
        let supported = format!(
            "a function of yours for it: `.custom(\"{name}\", \"crate::…\")` behind `Model::open` (docs/models.md)"
        );
        return Err(context.fault("a custom operator", supported));
    };
    let is_path = function.split("::").all(|part| {
        let mut characters = part.chars();
        characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
    });
    if !is_path {
        return Err(context.fault(format!("the function {function:?}"), "the path of a function, as `crate::double`"));
    }
    let inputs = (0..context.node.inputs.len()).map(|index| context.input(index)).collect::<Result<Vec<_>, _>>()?;
    let check = |&id: &TensorId| {
        let element = context.tensor(id).element;
        let fault =
            || context.tensor_fault(id, element.to_string(), "INT8, UINT8, INT16, INT32, UINT32, BOOL, FLOAT32");
        Storage::of(element).map(|_| Description::of(context.tensor(id))).ok_or_else(fault)
    };
    let custom = Custom {
        name: name.into(),
        options: options.into(),
        inputs: inputs.iter().map(check).collect::<Result<_, _>>()?,
        outputs: context.node.outputs.iter().map(check).collect::<Result<_, _>>()?,
    };
    let (told, function) = (custom.text(), function.to_string());
    let (count, results) = (inputs.len(), context.node.outputs.len());
    let body = Body::new("custom", 0, true, move |task| match task {
        Task::Check => Ok(()),
        Task::Run(_) => Err(ShapeError::Range("the runner runs custom operators by their functions")),
        Task::Write { source, io, text } => {
            let mut arguments = vec![told.clone()];
            arguments.extend((0..count).map(|index| io.input_text(source, index)));
            arguments.extend((0..results).map(|index| io.output_text(index)));
            *text = format!("Ok::<(), ShapeError>({function}({}))", arguments.join(", "));
            Ok(())
        }
    });
    let mut call = context.call(&inputs, body)?;
    call.custom = Some(Box::new(custom));
    Ok(call.into())
}
