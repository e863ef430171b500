//! Runs a program on the host: the same kernels, in the same order, in an arena of the same layout as in generated code.

use std::collections::HashMap;

use smolnn_core::{CustomOperator, ShapeError};
use smolnn_fixed::Backend;

use crate::error::{Error, Result};
use crate::lower::{CustomTensors, Memory};
use crate::net::TensorId;
use crate::plan::{ByRows, ImageRows, InputRows, OutputRows, Program, Stage, Step};

/// A function that runs a custom operator here.
type Function<'a> =
    dyn FnMut(&CustomOperator<'_>, &mut CustomTensors<'_, '_>) -> std::result::Result<(), ShapeError> + 'a;

/// A program with memory to run in. Made by [`Program::runner`].
pub struct Runner<'a> {
    program: &'a Program,
    arena: Vec<u32>,
    state: Vec<u32>,
    /// The input of a model that takes it row by row.
    image: Vec<u8>,
    /// The output of a model that gives it row by row.
    given: Vec<u8>,
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
        let (arena, state) = (vec![0; self.arena_words + self.lent_words()], vec![0; self.state_words]);
        let mut runner =
            Runner { program: self, arena, state, image: Vec::new(), given: Vec::new(), customs: HashMap::new() };
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
        if self.program.input_rows.is_some() {
            self.image = bytes.to_vec();
            return Ok(());
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

    /// Runs all steps and shows each tensor, by its index in the net, right after it was computed. Tensors of which the arena never has more than some
    /// rows at a time are left out.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_observed(&mut self, mut observe: impl FnMut(TensorId, &[u8])) -> Result<()> {
        for (stage, Stage { steps, turns }) in self.program.stages.iter().enumerate() {
            let steps = &self.program.steps[steps.clone()];
            for turn in 0..*turns {
                if let (0, Some(rows)) = (stage, &self.program.input_rows) {
                    self.push_rows(rows, turn)?;
                }
                for step in steps {
                    let node = &self.program.net.nodes[step.node];
                    self.step(step, turn)?
                        .map_err(|error| Error::Tensor(format!("operator {} {}: {error}", node.index, node.name)))?;
                }
                if let Some(rows) = self.program.output_rows.as_ref().filter(|rows| rows.stage == stage)
                    && let Some(turn) = rows.turns.index(turn)
                {
                    self.take_rows(rows, turn);
                }
            }
            for step in steps.iter().filter(|step| step.by_rows.as_ref().is_none_or(ByRows::is_whole)) {
                for &output in &step.call.outputs {
                    observe(output, self.tensor(output));
                }
            }
        }
        Ok(())
    }

    /// Puts the rows of the input that come in a turn of the first stage into their buffer.
    fn push_rows(&mut self, rows: &InputRows, turn: usize) -> Result<()> {
        let InputRows { image: ImageRows { height, capacity, ref words, .. }, ref moves } = *rows;
        let row = self.image.len() / height;
        let moved = moves.iter().try_for_each(|moves| moves.run(turn, &mut self.arena));
        moved.map_err(|error| Error::Tensor(format!("the rows of the input: {error}")))?;
        let buffer = &mut bytemuck::must_cast_slice_mut::<u32, u8>(&mut self.arena[words.clone()])[..capacity * row];
        for (index, values) in self.image.chunks_exact(row.max(1)).enumerate() {
            if rows.image.rows(turn).contains(&index) {
                buffer[rows.image.place(index) * row..][..row].copy_from_slice(values);
            }
        }
        Ok(())
    }

    /// Takes the rows of the output that a turn made, counted from the first one that makes some.
    fn take_rows(&mut self, OutputRows { image, .. }: &OutputRows, turn: usize) {
        let bytes = self.program.net.outputs.first().map_or(0, |&id| self.program.net.tensors[id].bytes());
        let row = bytes / image.height;
        self.given.resize(bytes, 0);
        let buffer = &bytemuck::must_cast_slice::<u32, u8>(&self.arena[image.words.clone()]);
        for index in image.rows(turn) {
            self.given[index * row..][..row].copy_from_slice(&buffer[image.place(index) * row..][..row]);
        }
    }

    /// Runs a step in one of its stage's turns. The outer error is that of a custom operator without a function.
    fn step(&mut self, step: &Step, turn: usize) -> Result<std::result::Result<(), ShapeError>> {
        let (arena, state) = (&mut self.arena[..], &mut self.state[..]);
        if let Some(moved) = &step.moved
            && let Err(error) = moved.run(turn, arena)
        {
            return Ok(Err(error));
        }
        if let Some(by_rows) = &step.by_rows {
            return Ok(by_rows.run(turn, arena, state));
        }
        let Some(custom) = &step.call.custom else { return Ok(step.call.body.run(&step.io, 0, arena, state)) };
        let name = &custom.name;
        let Some(function) = self.customs.get_mut(name) else {
            let node = &self.program.net.nodes[step.node];
            return Err(Error::Tensor(format!(
                "operator {} {}: no function for it, see Runner::custom({name:?}, …)",
                node.index, node.name
            )));
        };
        Ok(Memory::new(&step.io, 0, arena, state)
            .and_then(|mut memory| custom.tell(|operator| function(operator, &mut CustomTensors::new(&mut memory)))))
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
        Ok(if self.program.output_rows.is_some() { &self.given } else { self.tensor(id) })
    }

    fn tensor(&self, id: TensorId) -> &[u8] {
        let offset = self.program.offsets[&id];
        &bytemuck::must_cast_slice(&self.arena)[offset..offset + self.program.net.tensors[id].bytes()]
    }
}
