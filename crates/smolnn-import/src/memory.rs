//! Where a step's tensors lie, and how a kernel gets at them: as slices when the step runs here, as variables in generated code.

use std::ops::Range;

use smolnn_core::ShapeError;
use smolnn_fixed::arena::{self, view};
use smolnn_fixed::{Overlapping, Separate, SeparatePair, WithRight};

use crate::graph::Element;

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// At a byte offset of the arena.
    Arena(usize),
    /// At a byte offset of the memory that survives from run to run.
    State(usize),
    /// In a constant: its bytes, padded to words.
    Constant(Vec<u32>),
}

/// A tensor that a step reads or writes.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub place: Place,
    pub element: Element,
    /// Elements.
    pub length: usize,
}

impl Operand {
    fn bytes(&self) -> usize {
        self.length * self.element.bits() / 8
    }

    /// The words of the arena or state that hold it.
    fn words(&self) -> Option<Range<usize>> {
        match self.place {
            Place::Arena(offset) | Place::State(offset) => Some(offset / 4..(offset + self.bytes()).div_ceil(4)),
            Place::Constant(_) => None,
        }
    }
}

/// The Rust type of an element that kernels take.
pub(crate) fn rust_type(element: Element) -> Option<&'static str> {
    Some(match element {
        Element::I8 => "i8",
        Element::I16 => "i16",
        Element::I32 => "i32",
        Element::F32 => "f32",
        _ => return None,
    })
}

/// The memory of a step.
#[derive(Clone, Debug)]
pub(crate) struct Io {
    /// Position of the step in the program.
    pub step: usize,
    pub inputs: Vec<Operand>,
    pub outputs: Vec<Operand>,
    pub states: Vec<Operand>,
    /// Words of the arena that are scratch memory.
    pub scratch: Range<usize>,
    /// The input that the first output overlaps.
    pub shared: Option<usize>,
}

/// A run of words of the arena that a step borrows by itself.
struct Region {
    role: Role,
    words: Range<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Shared,
    Input(usize),
    Output(usize),
    Scratch,
}

impl Io {
    /// The disjoint regions of the arena that the step borrows. An input that occurs twice has one region, under its first index.
    fn regions(&self) -> Vec<Region> {
        let mut regions = Vec::new();
        if let Some((input, output)) = self.shared_words() {
            regions
                .push(Region { role: Role::Shared, words: input.start.min(output.start)..input.end.max(output.end) });
        }
        for (index, input) in self.inputs.iter().enumerate() {
            if self.shared != Some(index)
                && self.first_use(index) == index
                && let (Place::Arena(_), Some(words)) = (&input.place, input.words())
            {
                regions.push(Region { role: Role::Input(index), words });
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if let (false, Some(words)) = (self.shared.is_some() && index == 0, output.words()) {
                regions.push(Region { role: Role::Output(index), words });
            }
        }
        if !self.scratch.is_empty() {
            regions.push(Region { role: Role::Scratch, words: self.scratch.clone() });
        }
        regions
    }

    fn shared_words(&self) -> Option<(Range<usize>, Range<usize>)> {
        Some((self.inputs.get(self.shared?)?.words()?, self.outputs.first()?.words()?))
    }

    /// The first input that lies where input `index` lies.
    fn first_use(&self, index: usize) -> usize {
        let words = self.inputs[index].words();
        let same =
            |other: &Operand| words.is_some() && matches!(other.place, Place::Arena(_)) && other.words() == words;
        self.inputs.iter().position(same).unwrap_or(index)
    }

    /// Element positions (input, output) inside of the shared region.
    fn shared_offsets(&self) -> Option<((usize, usize), (usize, usize))> {
        let (input, output) = self.shared_words()?;
        let start = input.start.min(output.start);
        let per_word = 32 / self.outputs[0].element.bits();
        let input_operand = &self.inputs[self.shared?];
        Some((
            ((input.start - start) * per_word, input_operand.length),
            ((output.start - start) * per_word, self.outputs[0].length),
        ))
    }

    fn shared_length(&self) -> usize {
        self.shared_offsets().map_or(0, |((input, input_length), (output, output_length))| {
            (input + input_length).max(output + output_length)
        })
    }
}

// As generated code.

fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.into() } else { format!("{name}_{index}") }
}

impl Io {
    /// The statements that borrow the step's memory: variables `input`, `input_1`, …, `output`, …, `shared`, `scratch`, `state`, ….
    pub(crate) fn prologue(&self) -> Vec<String> {
        let name = |role: Role| match role {
            Role::Shared => "shared".into(),
            Role::Input(index) => numbered("input", index),
            Role::Output(index) => numbered("output", index),
            Role::Scratch => "scratch".into(),
        };
        let mut lines = Vec::new();
        let regions = self.regions();
        if !regions.is_empty() {
            let names = regions.iter().map(|region| name(region.role)).collect::<Vec<_>>().join(", ");
            let ranges = regions.iter().map(|region| format!("{:?}", region.words)).collect::<Vec<_>>().join(", ");
            lines.push(format!("let [{names}] = regions(arena, [{ranges}])?;"));
        }
        for region in &regions {
            let name = name(region.role);
            match region.role {
                Role::Shared => lines.push(format!(
                    "let {name}: &mut [{}] = view({name}, {})?;",
                    self.type_of(&self.outputs[0]),
                    self.shared_length()
                )),
                Role::Input(index) => {
                    let input = &self.inputs[index];
                    lines.push(format!("let {name}: &[{}] = view({name}, {})?;", self.type_of(input), input.length));
                }
                Role::Output(index) => {
                    let output = &self.outputs[index];
                    lines.push(format!(
                        "let {name}: &mut [{}] = view({name}, {})?;",
                        self.type_of(output),
                        output.length
                    ));
                }
                Role::Scratch => {}
            }
        }
        if !self.states.is_empty() {
            let names = (0..self.states.len()).map(|index| numbered("state", index)).collect::<Vec<_>>().join(", ");
            let ranges = self
                .states
                .iter()
                .filter_map(Operand::words)
                .map(|words| format!("{words:?}"))
                .collect::<Vec<_>>()
                .join(", ");
            lines.push(format!("let [{names}] = regions(state_words, [{ranges}])?;"));
            for (index, state) in self.states.iter().enumerate() {
                let name = numbered("state", index);
                lines.push(format!("let {name}: &mut [{}] = view({name}, {})?;", self.type_of(state), state.length));
            }
        }
        lines
    }

    fn type_of(&self, operand: &Operand) -> &'static str {
        rust_type(operand.element).unwrap_or("i8")
    }

    /// Input `index` as an expression of type `&[T]`; constants go to `source`.
    pub(crate) fn input_text(&self, source: &mut crate::emit::Source, index: usize) -> String {
        match &self.inputs[index].place {
            Place::Constant(words) => {
                let operand = &self.inputs[index];
                format!(
                    "&{}",
                    source.data(&format!("DATA_{}_{index}", self.step), operand.element, words, operand.length)
                )
            }
            _ => numbered("input", self.first_use(index)),
        }
    }

    /// Output `index` as an expression of type `&mut [T]`.
    pub(crate) fn output_text(&self, index: usize) -> String {
        numbered("output", index)
    }

    /// State `index` as an expression of type `&mut [T]`.
    pub(crate) fn state_text(&self, index: usize) -> String {
        numbered("state", index)
    }

    /// Input 0, or the input that shares, and output 0 as an expression that implements `Tensors`.
    pub(crate) fn tensors_text(&self) -> String {
        match self.shared_offsets() {
            Some((input, output)) => format!("Overlapping::new(shared, {input:?}, {output:?})?"),
            None => "Separate { input, output }".into(),
        }
    }

    /// Both inputs and the output as an expression that implements `Operands`. The input that shares comes first, so that they are in
    /// reverse when that is input 1: see [`is_swapped`](Self::is_swapped).
    pub(crate) fn operands_text(&self, source: &mut crate::emit::Source) -> String {
        let field = |name: &str, value: String| if name == value { value } else { format!("{name}: {value}") };
        match self.shared_offsets() {
            Some((input, output)) => {
                let right = field("right", self.input_text(source, if self.is_swapped() { 0 } else { 1 }));
                format!("WithRight {{ tensors: Overlapping::new(shared, {input:?}, {output:?})?, {right} }}")
            }
            None => {
                let (left, right) =
                    (field("left", self.input_text(source, 0)), field("right", self.input_text(source, 1)));
                format!("SeparatePair {{ {left}, {right}, output }}")
            }
        }
    }

    /// Whether the second input is the one that shares memory with the output, and so comes first.
    pub(crate) fn is_swapped(&self) -> bool {
        self.shared == Some(1)
    }

    /// The scratch memory as an expression of type `&mut [u32]`.
    pub(crate) fn scratch_text(&self) -> &'static str {
        if self.scratch.is_empty() { "&mut []" } else { "scratch" }
    }
}

/// Input and output wherever the plan has them.
pub(crate) enum Either<'a, T> {
    Apart(Separate<'a, T>),
    Together(Overlapping<'a, T>),
}

/// Evaluates an expression with the tensors bound to a name, whichever way they lie.
macro_rules! with_tensors {
    ($tensors:expr, $name:ident => $call:expr) => {
        match $tensors {
            $crate::memory::Either::Apart($name) => $call,
            $crate::memory::Either::Together($name) => $call,
        }
    };
}
pub(crate) use with_tensors;

/// Two inputs and the output wherever the plan has them.
pub(crate) enum Pair<'a, T> {
    Apart(SeparatePair<'a, T>),
    Together(WithRight<'a, T>),
}

/// As [`with_tensors`], for two operands.
macro_rules! with_operands {
    ($operands:expr, $name:ident => $call:expr) => {
        match $operands {
            $crate::memory::Pair::Apart($name) => $call,
            $crate::memory::Pair::Together($name) => $call,
        }
    };
}
pub(crate) use with_operands;

/// The borrowed memory of a step that runs here.
pub(crate) struct Memory<'a> {
    io: &'a Io,
    inputs: Vec<Option<&'a [u32]>>,
    outputs: Vec<Option<&'a mut [u32]>>,
    states: Vec<Option<&'a mut [u32]>>,
    shared: Option<&'a mut [u32]>,
    scratch: Option<&'a mut [u32]>,
}

/// Borrows disjoint ranges, in any order, of one slice.
fn split<'a>(words: &'a mut [u32], ranges: &[Range<usize>]) -> Result<Vec<&'a mut [u32]>, ShapeError> {
    let wrong = ShapeError::Range("regions of the arena overlap or leave it");
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|&index| ranges[index].start);
    let mut parts: Vec<Option<&'a mut [u32]>> = ranges.iter().map(|_| None).collect();
    let (mut rest, mut at) = (words, 0);
    for index in order {
        let Range { start, end } = ranges[index];
        let skip = start.checked_sub(at).ok_or(wrong)?;
        let (_, tail) = rest.split_at_mut_checked(skip).ok_or(wrong)?;
        let (part, tail) = tail.split_at_mut_checked(end - start).ok_or(wrong)?;
        parts[index] = Some(part);
        (rest, at) = (tail, end);
    }
    parts.into_iter().collect::<Option<Vec<_>>>().ok_or(wrong)
}

const MISSING: ShapeError = ShapeError::Range("the step has no such tensor");

/// The elements of words that are only read.
fn read<T: arena::Element>(words: &[u32], length: usize) -> Result<&[T], ShapeError> {
    let elements: &[T] = bytemuck::must_cast_slice(words);
    elements.get(..length).ok_or(ShapeError::Length {
        what: "a region of the arena",
        expected: length,
        found: elements.len(),
    })
}

impl<'a> Memory<'a> {
    pub(crate) fn new(io: &'a Io, arena: &'a mut [u32], state: &'a mut [u32]) -> Result<Self, ShapeError> {
        let regions = io.regions();
        let ranges: Vec<_> = regions.iter().map(|region| region.words.clone()).collect();
        let mut memory = Self {
            io,
            inputs: vec![None; io.inputs.len()],
            outputs: io.outputs.iter().map(|_| None).collect(),
            states: Vec::new(),
            shared: None,
            scratch: None,
        };
        for (region, words) in regions.iter().zip(split(arena, &ranges)?) {
            match region.role {
                Role::Shared => memory.shared = Some(words),
                Role::Input(index) => memory.inputs[index] = Some(words),
                Role::Output(index) => memory.outputs[index] = Some(words),
                Role::Scratch => memory.scratch = Some(words),
            }
        }
        for index in 0..io.inputs.len() {
            memory.inputs[index] = match &io.inputs[index].place {
                Place::Constant(words) => Some(words),
                _ => memory.inputs[io.first_use(index)],
            };
        }
        let ranges: Vec<_> = io.states.iter().filter_map(Operand::words).collect();
        memory.states = split(state, &ranges)?.into_iter().map(Some).collect();
        Ok(memory)
    }

    /// Input `index`.
    pub(crate) fn input<T: arena::Element>(&self, index: usize) -> Result<&'a [T], ShapeError> {
        let words = self.inputs.get(index).copied().flatten().ok_or(MISSING)?;
        read(words, self.io.inputs[index].length)
    }

    /// Output `index`; each can be had once.
    pub(crate) fn output<T: arena::Element>(&mut self, index: usize) -> Result<&'a mut [T], ShapeError> {
        let words = self.outputs.get_mut(index).and_then(Option::take).ok_or(MISSING)?;
        view(words, self.io.outputs[index].length)
    }

    /// State `index`; each can be had once.
    pub(crate) fn state<T: arena::Element>(&mut self, index: usize) -> Result<&'a mut [T], ShapeError> {
        let words = self.states.get_mut(index).and_then(Option::take).ok_or(MISSING)?;
        view(words, self.io.states[index].length)
    }

    /// Input 0, or the input that shares, and output 0; once.
    pub(crate) fn tensors<T: arena::Element>(&mut self) -> Result<Either<'a, T>, ShapeError> {
        match (self.shared.take(), self.io.shared_offsets()) {
            (Some(words), Some((input, output))) => {
                Ok(Either::Together(Overlapping::new(view(words, self.io.shared_length())?, input, output)?))
            }
            _ => Ok(Either::Apart(Separate { input: self.input(0)?, output: self.output(0)? })),
        }
    }

    /// Both inputs and output 0, the input that shares first; once.
    pub(crate) fn operands<T: arena::Element>(&mut self) -> Result<Pair<'a, T>, ShapeError> {
        if self.io.shared.is_some() {
            let right = self.input(if self.io.is_swapped() { 0 } else { 1 })?;
            match self.tensors()? {
                Either::Together(tensors) => Ok(Pair::Together(WithRight { tensors, right })),
                Either::Apart(_) => Err(MISSING),
            }
        } else {
            Ok(Pair::Apart(SeparatePair { left: self.input(0)?, right: self.input(1)?, output: self.output(0)? }))
        }
    }

    /// Whether the operands come in reverse.
    pub(crate) fn is_swapped(&self) -> bool {
        self.io.is_swapped()
    }

    /// The scratch memory; once.
    pub(crate) fn scratch(&mut self) -> &'a mut [u32] {
        self.scratch.take().unwrap_or_default()
    }
}
