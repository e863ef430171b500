//! Where a call's tensors lie, and how a kernel gets at them: as slices when the call runs here, as variables in generated code.

use std::collections::HashMap;
use std::ops::Range;

use smolnn_core::ShapeError;
use smolnn_fixed::arena::{self, view};
use smolnn_fixed::{Overlapping, Separate, SeparatePair, WithRight};

use super::argument::float_text;
use super::source::Source;
use crate::net::{Element, Tensor};

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// At a byte offset of the arena.
    Arena(usize),
    /// At a byte offset of the memory that survives from run to run.
    State(usize),
    /// Where the caller has it: the model's input of this index. A run on this machine has it at a byte offset behind the arena.
    Lent { input: usize, offset: usize },
    /// In a constant: its bytes, padded to words.
    Constant(Vec<u32>),
}

/// The element types that kernels take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    I8,
    U8,
    I16,
    I32,
    U32,
    F32,
}

impl Storage {
    /// The type of a tensor's elements, if kernels take it.
    pub(crate) fn of(element: Element) -> Option<Self> {
        Some(match element {
            Element::I8 => Storage::I8,
            // A truth value is a byte.
            Element::U8 | Element::Bool => Storage::U8,
            Element::I16 => Storage::I16,
            Element::I32 => Storage::I32,
            Element::U32 => Storage::U32,
            Element::F32 => Storage::F32,
            _ => return None,
        })
    }

    /// The type of a tensor's elements between kernels, and how many there are: a UINT64 is two words, the low one first.
    pub(crate) fn within(tensor: &Tensor) -> Option<(Self, usize)> {
        match tensor.element {
            Element::U64 => Some((Storage::U32, 2 * tensor.len())),
            element => Some((Self::of(element)?, tensor.len())),
        }
    }

    /// The type in Rust.
    pub(crate) fn rust(self) -> &'static str {
        match self {
            Storage::I8 => "i8",
            Storage::U8 => "u8",
            Storage::I16 => "i16",
            Storage::I32 => "i32",
            Storage::U32 => "u32",
            Storage::F32 => "f32",
        }
    }

    /// Bytes of an element.
    fn bytes(self) -> usize {
        match self {
            Storage::I8 | Storage::U8 => 1,
            Storage::I16 => 2,
            Storage::I32 | Storage::U32 | Storage::F32 => 4,
        }
    }

    /// The values of a constant as Rust, from its bytes given as words.
    fn values(self, words: &[u32]) -> Vec<String> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        match self {
            Storage::I8 => bytes.iter().map(|&byte| (byte as i8).to_string()).collect(),
            Storage::U8 => bytes.iter().map(u8::to_string).collect(),
            Storage::I16 => bytes.as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes).to_string()).collect(),
            Storage::I32 => words.iter().map(|&word| (word as i32).to_string()).collect(),
            Storage::U32 => words.iter().map(u32::to_string).collect(),
            Storage::F32 => words.iter().map(|&word| float_text(f32::from_bits(word))).collect(),
        }
    }
}

/// A tensor that a call reads or writes.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub place: Place,
    pub storage: Storage,
    /// Elements.
    pub length: usize,
    /// The elements of these that a call over rows takes; all of them otherwise.
    pub part: Option<Part>,
}

/// The elements of a tensor, or of the buffer of its newest rows, that a call over rows takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first element, in the first of its turns.
    pub start: usize,
    /// Elements from turn to turn.
    pub step: usize,
    /// Elements.
    pub length: usize,
}

impl Part {
    /// The elements of a turn, counted from the first one of the call.
    fn range(&self, turn: usize) -> Range<usize> {
        let start = self.start + self.step * turn;
        start..start + self.length
    }
}

impl Operand {
    fn bytes(&self) -> usize {
        self.length * self.storage.bytes()
    }

    /// The elements of a region that holds the operand, as an expression; `turn` is a variable of the generated code.
    fn view_text(&self, region: &str) -> String {
        let view = format!("view({region}, {})?", self.length);
        match self.part {
            None => view,
            Some(Part { start, step: 0, length }) => format!("part({view}, {start}, {length})?"),
            Some(Part { start: 0, step, length }) => format!("part({view}, {step} * turn, {length})?"),
            Some(Part { start, step, length }) => format!("part({view}, {start} + {step} * turn, {length})?"),
        }
    }

    /// The words of the arena or state that hold it.
    fn words(&self) -> Option<Range<usize>> {
        match self.place {
            Place::Arena(offset) | Place::State(offset) => Some(offset / 4..(offset + self.bytes()).div_ceil(4)),
            Place::Lent { .. } | Place::Constant(_) => None,
        }
    }

    /// The words behind the arena that hold an input which the caller lends, in a run on this machine.
    fn lent_words(&self) -> Option<Range<usize>> {
        match self.place {
            Place::Lent { offset, .. } => Some(offset / 4..(offset + self.bytes()).div_ceil(4)),
            _ => None,
        }
    }

    /// The elements of an input that the caller lends, as an expression; `turn` is a variable of the generated code.
    fn lent_text(&self, input: usize, inputs: usize) -> String {
        let lent = lent_name(input, inputs);
        match self.part {
            None => lent,
            Some(Part { start, step: 0, length }) => format!("lent_rows({lent}, {start}, {length})?"),
            Some(Part { start, step, length }) => format!("lent_rows({lent}, {start} + {step} * turn, {length})?"),
        }
    }
}

/// An input that the caller lends, as an expression of generated code: one of several is a field.
fn lent_name(input: usize, inputs: usize) -> String {
    if inputs == 1 { "lent".into() } else { format!("lent.{input}") }
}

/// The memory of a call.
#[derive(Clone, Debug)]
pub(crate) struct Io {
    pub inputs: Vec<Operand>,
    pub outputs: Vec<Operand>,
    pub states: Vec<Operand>,
    /// Words of the arena that are scratch memory.
    pub scratch: Range<usize>,
    /// Whether the first output overlaps the first input.
    pub shared: bool,
    /// For each input the first one that lies where it lies.
    first_uses: Vec<usize>,
}

/// A run of words of the arena that a call borrows by itself.
struct Region {
    role: Role,
    words: Range<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Shared,
    Input(usize),
    Output(usize),
    State(usize),
    Scratch,
}

impl Io {
    /// The memory of a call whose tensors lie there.
    pub(crate) fn new(
        inputs: Vec<Operand>,
        outputs: Vec<Operand>,
        states: Vec<Operand>,
        scratch: Range<usize>,
        shared: bool,
    ) -> Self {
        debug_assert!(
            !shared || outputs.iter().all(|output| output.part.is_none()),
            "rows lie apart from what they are made of"
        );
        let mut known = HashMap::new();
        let first_uses = inputs.iter().enumerate();
        let first_uses = first_uses.map(|(index, input)| match (&input.place, input.words()) {
            (Place::Arena(_), Some(words)) => *known.entry((false, words)).or_insert(index),
            (Place::State(_), Some(words)) => *known.entry((true, words)).or_insert(index),
            _ => index,
        });
        let first_uses = first_uses.collect();
        Self { inputs, outputs, states, scratch, shared, first_uses }
    }

    /// The disjoint regions of the states' memory that the call borrows: its states, and inputs that lie there.
    fn state_regions(&self) -> Vec<Region> {
        let states = self.states.iter().enumerate().map(|(index, state)| (Role::State(index), state));
        let inputs = self.inputs.iter().enumerate().filter(|&(index, _)| self.first_uses[index] == index);
        let inputs = inputs.map(|(index, input)| (Role::Input(index), input));
        states
            .chain(inputs)
            .filter(|(_, operand)| matches!(operand.place, Place::State(_)))
            .filter_map(|(role, operand)| Some(Region { role, words: operand.words()? }))
            .collect()
    }

    /// The disjoint regions of the arena that the call borrows. An input that occurs twice has one region, under its first index.
    fn regions(&self) -> Vec<Region> {
        let mut regions = Vec::new();
        if let Some((input, output)) = self.shared_words() {
            regions
                .push(Region { role: Role::Shared, words: input.start.min(output.start)..input.end.max(output.end) });
        }
        for (index, input) in self.inputs.iter().enumerate() {
            if !(self.shared && index == 0)
                && self.first_uses[index] == index
                && let (Place::Arena(_), Some(words)) = (&input.place, input.words())
            {
                regions.push(Region { role: Role::Input(index), words });
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if let (false, Some(words)) = (self.shared && index == 0, output.words()) {
                regions.push(Region { role: Role::Output(index), words });
            }
        }
        if !self.scratch.is_empty() {
            regions.push(Region { role: Role::Scratch, words: self.scratch.clone() });
        }
        regions
    }

    fn shared_words(&self) -> Option<(Range<usize>, Range<usize>)> {
        if self.shared { Some((self.inputs.first()?.words()?, self.outputs.first()?.words()?)) } else { None }
    }

    /// Element positions (input, output) inside of the shared region.
    fn shared_offsets(&self) -> Option<((usize, usize), (usize, usize))> {
        let (input, output) = self.shared_words()?;
        let start = input.start.min(output.start);
        let per_word = 4 / self.outputs[0].storage.bytes();
        Some((
            ((input.start - start) * per_word, self.inputs[0].length),
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

/// A field of a struct expression.
fn field(name: &str, value: String) -> String {
    if name == value { value } else { format!("{name}: {value}") }
}

fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.into() } else { format!("{name}_{index}") }
}

impl Io {
    /// The statements that borrow the call's memory: variables `input`, `input_1`, …, `output`, …, `shared`, `scratch`, `state`, ….
    pub(crate) fn prologue(&self, lent_inputs: usize) -> Vec<String> {
        let name = |role: Role| match role {
            Role::Shared => "shared".into(),
            Role::Input(index) => numbered("input", index),
            Role::Output(index) => numbered("output", index),
            Role::State(index) => numbered("state", index),
            Role::Scratch => "scratch".into(),
        };
        let mut lines = Vec::new();
        let (regions, state_regions) = (self.regions(), self.state_regions());
        let memories = [("arena", "ARENA_BYTES", &regions), ("state_words", "STATE_BYTES", &state_regions)];
        for (memory, bytes, regions) in memories {
            if !regions.is_empty() {
                let names = regions.iter().map(|region| name(region.role)).collect::<Vec<_>>().join(", ");
                let ranges = regions.iter().map(|region| format!("{:?}", region.words)).collect::<Vec<_>>().join(", ");
                lines.push(format!("const {{ prove_apart({bytes} / 4, &[{ranges}]) }};"));
                lines.push(format!("let [{names}] = regions({memory}, [{ranges}])?;"));
            }
        }
        for (index, input) in self.inputs.iter().enumerate() {
            if let Place::Lent { input: lent, .. } = input.place {
                let (name, element) = (numbered("input", index), input.storage.rust());
                lines.push(format!("let {name}: &[{element}] = {};", input.lent_text(lent, lent_inputs)));
            }
        }
        for region in regions.iter().chain(&state_regions) {
            let name = name(region.role);
            match region.role {
                Role::Shared => lines.push(format!(
                    "let {name}: &mut [{}] = view({name}, {})?;",
                    self.outputs[0].storage.rust(),
                    self.shared_length()
                )),
                Role::Input(index) => {
                    let input = &self.inputs[index];
                    lines.push(format!("let {name}: &[{}] = {};", input.storage.rust(), input.view_text(&name)));
                }
                Role::Output(index) => {
                    let output = &self.outputs[index];
                    lines.push(format!("let {name}: &mut [{}] = {};", output.storage.rust(), output.view_text(&name)));
                }
                Role::State(index) => {
                    let state = &self.states[index];
                    let (element, length) = (state.storage.rust(), state.length);
                    lines.push(format!("let {name}: &mut [{element}] = view({name}, {length})?;"));
                }
                Role::Scratch => {}
            }
        }
        lines
    }

    /// Input `index` as an expression of type `&[T]`; constants go to `source`.
    pub(crate) fn input_text(&self, source: &mut Source, index: usize) -> String {
        let operand = &self.inputs[index];
        match &operand.place {
            Place::Constant(words) => {
                let mut values = operand.storage.values(words);
                values.truncate(operand.length);
                format!("&{}", source.array("DATA", (operand.storage.rust(), operand.storage.bytes()), &values))
            }
            _ => numbered("input", self.first_uses[index]),
        }
    }

    /// All inputs as an expression of type `&[&[T]]`; constants go to `source`.
    pub(crate) fn inputs_text(&self, source: &mut Source) -> String {
        let inputs: Vec<String> = (0..self.inputs.len()).map(|index| self.input_text(source, index)).collect();
        format!("&[{}]", inputs.join(", "))
    }

    /// Output `index` as an expression of type `&mut [T]`.
    pub(crate) fn output_text(&self, index: usize) -> String {
        numbered("output", index)
    }

    /// State `index` as an expression of type `&mut [T]`.
    pub(crate) fn state_text(&self, index: usize) -> String {
        numbered("state", index)
    }

    /// Input 0 and output 0 as an expression that implements `Tensors`.
    pub(crate) fn tensors_text(&self, source: &mut Source) -> String {
        match self.shared_offsets() {
            Some((input, output)) => format!("Overlapping::new(shared, {input:?}, {output:?})?"),
            None => format!("Separate {{ {}, output }}", field("input", self.input_text(source, 0))),
        }
    }

    /// Both inputs and the output as an expression that implements `Operands`. Only the first input may share memory with the output.
    pub(crate) fn operands_text(&self, source: &mut Source) -> String {
        let right = field("right", self.input_text(source, 1));
        match self.shared_offsets() {
            Some((input, output)) => {
                format!("WithRight {{ tensors: Overlapping::new(shared, {input:?}, {output:?})?, {right} }}")
            }
            None => format!("SeparatePair {{ {}, {right}, output }}", field("left", self.input_text(source, 0))),
        }
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

/// Two inputs and the output wherever the plan has them.
pub(crate) enum Pair<'a, T> {
    Apart(SeparatePair<'a, T>),
    Together(WithRight<'a, T>),
}

/// The borrowed memory of a call that runs here.
pub(crate) struct Memory<'a> {
    io: &'a Io,
    /// The turn of a call over rows, from its first one on.
    turn: usize,
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

/// An error for a tensor that is asked for with another element type than it has.
const OTHER_TYPE: ShapeError = ShapeError::Range("the tensor has elements of another type");

const OUTSIDE: ShapeError = ShapeError::Range("the rows lie outside of their buffer");

const MISSING: ShapeError = ShapeError::Range("the call has no such tensor");

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
    pub(crate) fn new(io: &'a Io, turn: usize, arena: &'a mut [u32], state: &'a mut [u32]) -> Result<Self, ShapeError> {
        // Inputs that the caller lends lie behind the arena here.
        let first_lent = io.inputs.iter().filter_map(Operand::lent_words).map(|words| words.start).min();
        let (arena, lent) = match first_lent {
            Some(first) => arena.split_at_mut_checked(first).ok_or(OUTSIDE)?,
            None => (arena, Default::default()),
        };
        let lent: &'a [u32] = lent;
        let regions = io.regions();
        let ranges: Vec<_> = regions.iter().map(|region| region.words.clone()).collect();
        let mut memory = Self {
            io,
            turn,
            inputs: vec![None; io.inputs.len()],
            outputs: io.outputs.iter().map(|_| None).collect(),
            states: io.states.iter().map(|_| None).collect(),
            shared: None,
            scratch: None,
        };
        let state_regions = io.state_regions();
        let state_ranges: Vec<_> = state_regions.iter().map(|region| region.words.clone()).collect();
        let borrowed = split(arena, &ranges)?.into_iter().chain(split(state, &state_ranges)?);
        for (region, words) in regions.iter().chain(&state_regions).zip(borrowed) {
            match region.role {
                Role::State(index) => memory.states[index] = Some(words),
                Role::Shared => memory.shared = Some(words),
                Role::Input(index) => memory.inputs[index] = Some(words),
                Role::Output(index) => memory.outputs[index] = Some(words),
                Role::Scratch => memory.scratch = Some(words),
            }
        }
        for index in 0..io.inputs.len() {
            let of_lent = io.inputs[index].lent_words().zip(first_lent);
            memory.inputs[index] = match &io.inputs[index].place {
                Place::Lent { .. } => {
                    of_lent.and_then(|(words, first)| lent.get(words.start - first..words.end - first))
                }
                Place::Constant(words) => Some(words),
                _ => memory.inputs[io.first_uses[index]],
            };
        }
        Ok(memory)
    }

    /// Input `index`.
    pub(crate) fn input<T: arena::Element>(&self, index: usize) -> Result<&'a [T], ShapeError> {
        let words = self.inputs.get(index).copied().flatten().ok_or(MISSING)?;
        let operand = &self.io.inputs[index];
        let elements = read(words, operand.length)?;
        match operand.part {
            Some(part) => elements.get(part.range(self.turn)).ok_or(OUTSIDE),
            None => Ok(elements),
        }
    }

    /// Input `index`, whose element type is checked.
    pub(crate) fn checked_input<T: arena::Element>(&self, index: usize) -> Result<&'a [T], ShapeError> {
        let operand = self.io.inputs.get(index).ok_or(MISSING)?;
        if operand.storage.rust() == std::any::type_name::<T>() { self.input(index) } else { Err(OTHER_TYPE) }
    }

    /// Output `index`, whose element type is checked.
    pub(crate) fn checked_output<T: arena::Element>(&mut self, index: usize) -> Result<&'a mut [T], ShapeError> {
        let operand = self.io.outputs.get(index).ok_or(MISSING)?;
        if operand.storage.rust() == std::any::type_name::<T>() { self.output(index) } else { Err(OTHER_TYPE) }
    }

    /// All inputs.
    pub(crate) fn inputs<T: arena::Element>(&self) -> Result<Vec<&'a [T]>, ShapeError> {
        (0..self.inputs.len()).map(|index| self.input(index)).collect()
    }

    /// Output `index`; each can be had once.
    pub(crate) fn output<T: arena::Element>(&mut self, index: usize) -> Result<&'a mut [T], ShapeError> {
        let words = self.outputs.get_mut(index).and_then(Option::take).ok_or(MISSING)?;
        let operand = &self.io.outputs[index];
        let elements = view(words, operand.length)?;
        match operand.part {
            Some(part) => elements.get_mut(part.range(self.turn)).ok_or(OUTSIDE),
            None => Ok(elements),
        }
    }

    /// State `index`; each can be had once.
    pub(crate) fn state<T: arena::Element>(&mut self, index: usize) -> Result<&'a mut [T], ShapeError> {
        let words = self.states.get_mut(index).and_then(Option::take).ok_or(MISSING)?;
        view(words, self.io.states[index].length)
    }

    /// Input 0 and output 0; once.
    pub(crate) fn tensors<T: arena::Element>(&mut self) -> Result<Either<'a, T>, ShapeError> {
        match (self.shared.take(), self.io.shared_offsets()) {
            (Some(words), Some((input, output))) => {
                Ok(Either::Together(Overlapping::new(view(words, self.io.shared_length())?, input, output)?))
            }
            _ => Ok(Either::Apart(Separate { input: self.input(0)?, output: self.output(0)? })),
        }
    }

    /// Both inputs and output 0; once. Only the first input may share memory with the output.
    pub(crate) fn operands<T: arena::Element>(&mut self) -> Result<Pair<'a, T>, ShapeError> {
        let right = self.input(1)?;
        match self.tensors()? {
            Either::Together(tensors) => Ok(Pair::Together(WithRight { tensors, right })),
            Either::Apart(Separate { input, output }) => Ok(Pair::Apart(SeparatePair { left: input, right, output })),
        }
    }

    /// The scratch memory; once.
    pub(crate) fn scratch(&mut self) -> &'a mut [u32] {
        self.scratch.take().unwrap_or_default()
    }
}
