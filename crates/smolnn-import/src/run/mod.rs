//! Runs a program on the host: the same kernels, in the same order, in an arena of the same layout as in generated code.

use std::collections::HashMap;

use smolnn_core::{CustomOperator, ShapeError};
use smolnn_fixed::Backend;

use crate::error::{Error, Result};
use crate::lower::{CustomTensors, Memory};
use crate::net::TensorId;
use crate::plan::Program;

/// A function that runs a custom operator here.
type Function<'a> =
    dyn FnMut(&CustomOperator<'_>, &mut CustomTensors<'_, '_>) -> std::result::Result<(), ShapeError> + 'a;

/// A program with memory to run in. Made by [`Program::runner`].
pub struct Runner<'a> {
    program: &'a Program,
    arena: Vec<u32>,
    state: Vec<u32>,
    /// Functions of custom operators, by name.
    customs: HashMap<String, Box<Function<'a>>>,
}

impl std::fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a runner of {}", self.program.name)
    }
}

impl Program {
    /// A runner on this machine, states at their start.
    ///
    /// # Errors
    /// [`Error::Environment`] when the program was compiled for another backend than this machine runs.
    pub fn runner(&self) -> Result<Runner<'_>> {
        if self.backend != Backend::CURRENT {
            return Err(Error::Environment(format!(
                "the model was compiled for the backend {}, this machine runs {}",
                self.backend.name(),
                Backend::CURRENT.name()
            )));
        }
        let (arena, state) = (vec![0; self.arena_words], vec![0; self.state_words]);
        let mut runner = Runner { program: self, arena, state, customs: HashMap::new() };
        runner.reset();
        Ok(runner)
    }
}

impl<'a> Runner<'a> {
    /// Runs every custom operator of this name by a function: it takes its slices from the tensors, as
    /// `|operator, tensors| Ok(double(operator, tensors.input(0)?, tensors.output(0)?))`.
    pub fn custom(
        &mut self,
        name: &str,
        function: impl FnMut(&CustomOperator<'_>, &mut CustomTensors<'_, '_>) -> std::result::Result<(), ShapeError> + 'a,
    ) {
        self.customs.insert(name.into(), Box::new(function));
    }

    /// Sets the states to their start.
    pub fn reset(&mut self) {
        self.state.fill(0);
        for (words, value) in &self.program.state_values {
            self.state[words.clone()].fill(*value);
        }
    }

    /// Writes input `index`, little endian and row-major.
    ///
    /// # Errors
    /// [`Error::Tensor`] when there is no such input or the bytes are not as many as it has.
    pub fn set_input(&mut self, index: usize, bytes: &[u8]) -> Result<()> {
        let inputs = &self.program.net.inputs;
        let id = *inputs
            .get(index)
            .ok_or_else(|| Error::Tensor(format!("input {index}: the model has {} inputs", inputs.len())))?;
        let tensor = &self.program.net.tensors[id];
        if tensor.bytes() != bytes.len() {
            return Err(Error::Tensor(format!(
                "input {index} \"{}\": {} bytes given, {} {:?} takes {}",
                tensor.name.escape_debug(),
                bytes.len(),
                tensor.element,
                tensor.shape,
                tensor.bytes()
            )));
        }
        let offset = self.program.offsets[&id];
        bytemuck::must_cast_slice_mut::<u32, u8>(&mut self.arena)[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// Runs all steps.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a kernel refuses its memory, which a checked program does not do; when a custom operator has no function
    /// ([`custom`](Self::custom)), or its function gives an error.
    pub fn run(&mut self) -> Result<()> {
        self.run_observed(|_, _| {})
    }

    /// Runs all steps and shows each tensor, by its index in the net, right after it was computed.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_observed(&mut self, mut observe: impl FnMut(TensorId, &[u8])) -> Result<()> {
        for step in &self.program.steps {
            let node = &self.program.net.nodes[step.node];
            let result = match &step.call.custom {
                None => step.call.body.run(&step.io, &mut self.arena, &mut self.state),
                Some(custom) => {
                    let function = self.customs.get_mut(&custom.name).ok_or_else(|| {
                        let name = &custom.name;
                        Error::Tensor(format!(
                            "operator {} {}: no function for it, see Runner::custom({name:?}, …)",
                            node.index, node.name
                        ))
                    })?;
                    Memory::new(&step.io, &mut self.arena, &mut self.state).and_then(|mut memory| {
                        custom.tell(|operator| function(operator, &mut CustomTensors::new(&mut memory)))
                    })
                }
            };
            result.map_err(|error| Error::Tensor(format!("operator {} {}: {error}", node.index, node.name)))?;
            for &output in &step.call.outputs {
                observe(output, self.tensor(output));
            }
        }
        Ok(())
    }

    /// Output `index`, little endian and row-major.
    ///
    /// # Errors
    /// [`Error::Tensor`] when there is no such output.
    pub fn output(&self, index: usize) -> Result<&[u8]> {
        let outputs = &self.program.net.outputs;
        let id = *outputs
            .get(index)
            .ok_or_else(|| Error::Tensor(format!("output {index}: the model has {} outputs", outputs.len())))?;
        Ok(self.tensor(id))
    }

    fn tensor(&self, id: TensorId) -> &[u8] {
        let offset = self.program.offsets[&id];
        &bytemuck::must_cast_slice(&self.arena)[offset..offset + self.program.net.tensors[id].bytes()]
    }
}
