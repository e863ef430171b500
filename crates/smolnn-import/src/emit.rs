//! Writes a program as Rust: constants as arrays, then a `Model` whose `run` is one straight line of kernel calls.

use std::collections::HashMap;
use std::fmt::{Display, Write};

use smolnn_fixed::Channel;
use smolnn_fixed::quantise::Multiplier;

use crate::graph::{Element, Quantisation, TensorId};
use crate::memory::rust_type;
use crate::program::{Program, Step};

/// The constants of the module under construction. Equal ones are written once.
#[derive(Default)]
pub(crate) struct Source {
    items: String,
    known: HashMap<String, String>,
}

impl Source {
    /// A static array, or the earlier one of the same type and values; gives its name.
    fn array(&mut self, name: &str, element: &str, values: &[String]) -> String {
        let mut body = String::new();
        let mut column = usize::MAX;
        for value in values {
            if column.saturating_add(value.len()) > 116 {
                body += "\n    ";
                column = 4;
            }
            let _ = write!(body, "{value}, ");
            column += value.len() + 2;
        }
        let contents = format!("[{element}; {}] = [{}\n];", values.len(), body.replace(", \n", ",\n").trim_end());
        if let Some(known) = self.known.get(&contents) {
            return known.clone();
        }
        let _ = writeln!(self.items, "static {name}: {contents}\n");
        self.known.insert(contents, name.into());
        name.into()
    }

    /// Packed weights.
    pub(crate) fn words(&mut self, name: &str, words: &[u32]) -> String {
        let values: Vec<_> = words.iter().map(|word| format!("{word:#010x}")).collect();
        self.array(name, "u32", &values)
    }

    /// What each output channel starts from and is scaled by.
    pub(crate) fn channels(&mut self, name: &str, channels: &[Channel]) -> String {
        let values: Vec<_> = channels
            .iter()
            .map(|channel| format!("channel({}, {}, {})", channel.bias, channel.multiplier, channel.shift))
            .collect();
        self.array(name, "Channel", &values)
    }

    /// Multipliers of layers whose weights are not packed.
    pub(crate) fn multipliers(&mut self, name: &str, multipliers: &[Multiplier]) -> String {
        let value = |of: &Multiplier| format!("multiplier({}, {})", of.mantissa, of.shift);
        let values: Vec<_> = multipliers.iter().map(value).collect();
        self.array(name, "Multiplier", &values)
    }

    /// Any other array of numbers.
    pub(crate) fn numbers<T: Display>(&mut self, name: &str, element: &str, values: &[T]) -> String {
        let values: Vec<_> = values.iter().map(T::to_string).collect();
        self.array(name, element, &values)
    }

    /// A constant operand from its bytes, given as words.
    pub(crate) fn data(&mut self, name: &str, element: Element, words: &[u32], length: usize) -> String {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let values: Vec<String> = match element {
            Element::I8 => bytes.iter().map(|&byte| (byte as i8).to_string()).collect(),
            Element::I16 => bytes.as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes).to_string()).collect(),
            Element::F32 => words.iter().map(|&word| format!("f32::from_bits({word:#x})")).collect(),
            _ => words.iter().map(|&word| (word as i32).to_string()).collect(),
        };
        self.array(name, rust_type(element).unwrap_or("i32"), &values[..length.min(values.len())])
    }

    /// A checked layer as a constant, made by an expression of type `Result<kind, ShapeError>`.
    pub(crate) fn layer(&mut self, key: impl Display, kind: &str, expression: &str) -> String {
        let name = format!("LAYER_{key}");
        let _ = writeln!(self.items, "const {name}: {kind} = shape!({expression});\n");
        name
    }
}

/// `int8[1, 49, 10, 1]`.
pub(crate) fn tensor_text(program: &Program, id: TensorId) -> String {
    let tensor = &program.graph.tensors[id];
    format!("{}{:?}", tensor.element.to_string().to_lowercase(), tensor.shape)
}

/// The shapes that a step maps to each other.
pub(crate) fn shapes_text(program: &Program, step: &Step) -> String {
    let list = |ids: &[TensorId]| ids.iter().map(|&id| tensor_text(program, id)).collect::<Vec<_>>().join(" ");
    format!("{} -> {}", list(&step.inputs), list(&step.outputs))
}

impl Program {
    /// The program as a Rust module: what `smolnn::include_model!` includes. It depends on the crate `smolnn` alone.
    pub fn source(&self) -> String {
        let mut source = Source::default();
        let mut body = String::new();
        for step in &self.steps {
            let call = step.kernel.emit(&mut source, &step.io);
            let macs = step.kernel.macs();
            let label = if step.label.is_empty() { String::new() } else { format!(" {}", step.label) };
            let macs = if macs == 0 { String::new() } else { format!(", {macs} MACs") };
            let _ =
                writeln!(body, "        // {} {}{label}: {}{macs}", step.operator, step.name, shapes_text(self, step));
            let _ = writeln!(body, "        {{");
            for line in step.io.prologue() {
                let _ = writeln!(body, "            {line}");
            }
            let _ = writeln!(body, "            {call}?;\n        }}");
        }
        self.module(&source.items, &body)
    }

    fn module(&self, constants: &str, body: &str) -> String {
        let mut text = String::new();
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(
            text,
            "// Generated by smolnn-import {version} for the backend \"{}\". Not to be edited.\n// `smolnn::include_model!` includes what a build \
             script emits; as a file of a crate's own: `#[allow(dead_code)] mod {};`.\n",
            self.backend.name(),
            self.name
        );
        text += "#[allow(unused_imports)]\nuse ::smolnn::generated::*;\n\n";
        let _ = writeln!(text, "/// Bytes of the arena: inputs, outputs, everything between, and scratch memory.");
        let _ = writeln!(text, "pub const ARENA_BYTES: usize = {};", self.arena_bytes());
        let _ = writeln!(text, "/// Bytes of the states that are kept from run to run.");
        let _ = writeln!(text, "pub const STATE_BYTES: usize = {};", self.state_bytes());
        let _ = writeln!(text, "/// Bytes of weights, biases and tables in flash.");
        let _ = writeln!(text, "pub const CONSTANT_BYTES: usize = {};", self.constant_bytes());
        let _ = writeln!(text, "/// Multiply-accumulates of one run.");
        let _ = writeln!(text, "pub const MACS: u64 = {};", self.macs());
        for (ids, what) in [(&self.graph.inputs, "Input"), (&self.graph.outputs, "Output")] {
            for (index, &id) in ids.iter().enumerate() {
                self.tensor_items(&mut text, what, index, ids.len(), id);
            }
        }
        text.push('\n');
        self.model_items(&mut text, body);
        text.push('\n');
        text += "#[allow(dead_code)]\nconst fn multiplier(mantissa: i32, shift: i32) -> Multiplier {\n    \
                 Multiplier { mantissa, shift }\n}\n\n";
        text += "#[allow(dead_code)]\nconst fn channel(bias: i32, multiplier: i32, shift: i32) -> Channel {\n    \
                 Channel { bias, multiplier, shift }\n}\n\n";
        text += constants;
        text
    }

    fn tensor_items(&self, text: &mut String, what: &str, index: usize, count: usize, id: TensorId) {
        let tensor = &self.graph.tensors[id];
        let suffix = if count == 1 { String::new() } else { index.to_string() };
        let upper = if count == 1 { what.to_uppercase() } else { format!("{}_{index}", what.to_uppercase()) };
        let _ = writeln!(
            text,
            "/// {what} {index}, `{}`: {}.",
            tensor.name.escape_debug().to_string().replace('`', "'"),
            tensor_text(self, id)
        );
        let _ = writeln!(
            text,
            "pub type {what}{suffix} = [{}; {}];",
            rust_type(tensor.element).unwrap_or("i8"),
            tensor.len()
        );
        let _ = writeln!(text, "/// Its shape.");
        let _ = writeln!(text, "pub const {upper}_SHAPE: [usize; {}] = {:?};", tensor.shape.len(), tensor.shape);
        if let Some(Quantisation { scales, zero_points, .. }) = &tensor.quantisation
            && let (&[scale], &[zero_point]) = (&scales[..], &zero_points[..])
        {
            let _ = writeln!(text, "/// Its scale: real value = scale · (stored value − zero point).");
            let _ = writeln!(text, "pub const {upper}_SCALE: f32 = {scale:?};");
            let _ = writeln!(text, "/// Its zero point.");
            let _ = writeln!(text, "pub const {upper}_ZERO_POINT: i32 = {zero_point};");
        }
    }

    fn model_items(&self, text: &mut String, body: &str) {
        let (arena, state) = (self.arena_words, self.state_words);
        let _ = writeln!(
            text,
            "/// The model with its memory: {} bytes.\n#[derive(Clone, Debug)]\npub struct Model {{\n    arena: Arena<{arena}>,\n    \
             state: Arena<{state}>,\n}}\n\nimpl Model {{",
            self.arena_bytes() + self.state_bytes()
        );
        let fill = if self.state_values.is_empty() {
            String::new()
        } else {
            let values = self
                .state_values
                .iter()
                .map(|(words, value)| format!("({words:?}, {value:#x})"))
                .collect::<Vec<_>>()
                .join(", ");
            format!("        state.fill(&[{values}]);\n")
        };
        let start = if fill.is_empty() {
            "        Arena::new()\n".into()
        } else {
            format!("        let mut state = Arena::new();\n{fill}        state\n")
        };
        let _ = writeln!(
            text,
            "    /// A model whose states, if it has any, are at their start.\n    pub const fn new() -> Self {{\n        Self {{ arena: \
             Arena::new(), state: Self::start() }}\n    }}\n\n    const fn start() -> Arena<{state}> {{\n{start}    }}\n\n    /// Sets the states back to their start; what the next run gives does not depend \
             on earlier ones then.\n    pub fn reset(&mut self) {{\n        self.state = Self::start();\n    }}\n"
        );
        for (ids, what) in [(&self.graph.inputs, "Input"), (&self.graph.outputs, "Output")] {
            for (index, &id) in ids.iter().enumerate() {
                let (method, kind) = io_names(what, index, ids.len());
                let tensor = &self.graph.tensors[id];
                let element = rust_type(tensor.element).unwrap_or("i8");
                let place = format!("{}, {}", self.offsets.get(&id).copied().unwrap_or_default() / 4, tensor.len());
                if what == "Input" {
                    let _ = writeln!(
                        text,
                        "    /// {what} {index}, to be written before each run: the memory serves other tensors during a run.\n    \
                         #[inline(always)]\n    pub fn {method}_mut(&mut self) -> &mut {kind} {{\n        \
                         self.arena.array_mut::<{element}, {place}>()\n    }}\n"
                    );
                } else {
                    let _ = writeln!(
                        text,
                        "    /// {what} {index}: valid after a run, until an input is written.\n    #[inline(always)]\n    pub fn \
                         {method}(&self) -> &{kind} {{\n        self.arena.array::<{element}, {place}>()\n    }}\n"
                    );
                }
            }
        }
        self.run_items(text, body);
        let _ = writeln!(
            text,
            "}}\n\nimpl Default for Model {{\n    fn default() -> Self {{\n        Self::new()\n    }}\n}}"
        );
    }

    fn run_items(&self, text: &mut String, body: &str) {
        let names = |ids: &[TensorId], what: &str| {
            (0..ids.len()).map(|index| io_names(what, index, ids.len())).collect::<Vec<_>>()
        };
        let inputs = names(&self.graph.inputs, "Input");
        let outputs = names(&self.graph.outputs, "Output");
        let parameters = inputs.iter().map(|(name, kind)| format!(", {name}: &{kind}")).collect::<String>();
        let copies =
            inputs.iter().map(|(name, _)| format!("        *self.{name}_mut() = *{name};\n")).collect::<String>();
        let tuple =
            |items: Vec<String>| if items.len() == 1 { items.concat() } else { format!("({})", items.join(", ")) };
        let result = tuple(outputs.iter().map(|(_, kind)| format!("&{kind}")).collect());
        let values = tuple(outputs.iter().map(|(name, _)| format!("self.{name}()")).collect());
        let _ = writeln!(
            text,
            "    /// Runs the model on copies of the inputs.\n    #[allow(clippy::unused_unit)]\n    pub fn infer(&mut self{parameters}) -> {result} \
             {{\n{copies}        self.run();\n        {values}\n    }}\n"
        );
        let _ = writeln!(
            text,
            "    /// Runs the model on the inputs that were written before.\n    pub fn run(&mut self) {{\n        // Every shape and place \
             below is a constant that the importer checked, so there is no error to report.\n        let _done = self.steps();\n        \
             debug_assert!(_done.is_ok());\n    }}\n"
        );
        let arena = if body.contains("(arena, [") { "        let arena = self.arena.words();\n" } else { "" };
        let state =
            if body.contains("(state_words, [") { "        let state_words = self.state.words();\n" } else { "" };
        let _ = writeln!(
            text,
            "    #[inline(always)]\n    fn steps(&mut self) -> Result<(), ShapeError> {{\n{arena}{state}{body}        Ok(())\n    }}"
        );
    }
}

/// Method and type of an input or output.
fn io_names(what: &str, index: usize, count: usize) -> (String, String) {
    let lower = what.to_lowercase();
    if count == 1 { (lower, what.into()) } else { (format!("{lower}_{index}"), format!("{what}{index}")) }
}
