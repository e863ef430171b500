//! A model as it is opened, before it is compiled for a backend.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use smolnn_core::Target;
use smolnn_fixed::Backend;

use crate::error::{Error, Problem, Result};
use crate::lower::lower;
use crate::manifest::Manifest;
use crate::net::{Net, Operator, Tensor, TensorId};
use crate::plan::{Aim, Goal, Program};
#[cfg(feature = "quantise")]
use crate::quantise::QuantisationReport;
use crate::read::{has_channels_first, label_lists, read};
use crate::rewrite::{
    channels_last_inputs, channels_last_outputs, keep_state, rewrite, rewrite_channels_first,
    take_out_constant_channels,
};
use crate::streaming::streaming;
use search::Search;

#[cfg(feature = "quantise")]
mod calibrated;
mod search;

#[cfg(feature = "quantise")]
pub use calibrated::Calibrated;

/// What this build script wrote, by file: two models of one name would overwrite each other.
static EMITTED: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// A model that was read, checked and rewritten.
///
/// `calibrate`, which makes integers of a float model, and `Program::runner` need the crate's feature `quantise`.
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
    path: Option<PathBuf>,
    net: Net,
    manifest: Option<Manifest>,
    link_section: Option<String>,
    /// Lists of labels that came with the file.
    labels: Vec<Vec<String>>,
    /// Names given to [`custom`](Self::custom) that the model has no operator of.
    unknown_customs: Vec<String>,
    keeps_channels: bool,
    /// Bytes by which constants may grow to save cycles; `None` stands for 128 KB, and twice their size at most.
    flash_budget: Option<usize>,
    /// Files and folders of calibration data.
    data: Vec<PathBuf>,
    /// What it cost to quantise the model here.
    #[cfg(feature = "quantise")]
    quantisation: Option<Arc<QuantisationReport>>,
    aim: Aim,
    /// Whether layers may be split along the width.
    splits_width: bool,
    is_quiet: bool,
    /// Whether [`streaming`](Self::streaming) made it.
    is_stream: bool,
}

/// Reads and compiles a model in a build script: `Model::open(path)?.emit()`.
///
/// # Errors
/// As [`Model::open`] and [`Model::emit`].
pub fn compile(path: impl AsRef<Path>) -> Result<()> {
    Model::open(path)?.emit()
}

impl Model {
    /// Reads a `.tflite` or `.onnx` file, or the `.json` manifest of a wake word with the model beside it. The model's name is the file's, with `_`
    /// for what cannot stand in a Rust name.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, otherwise [`Error::Model`] with what [`Model::read`] or [`Manifest::read`] found.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if Manifest::is_named(path) {
            let text = std::fs::read_to_string(path).map_err(|source| unread(path, source))?;
            let manifest = Manifest::read(&text).map_err(|error| error.of(Some(path)))?;
            let model = Self::open(path.with_file_name(&manifest.model))?;
            let name = path.file_stem().map_or(model.name.clone(), |stem| identifier(&stem.to_string_lossy()));
            return Ok(Self { name, manifest: Some(manifest), ..model });
        }
        Self::open_with(path, &[])
    }

    /// Reads a file whose shapes have open dimensions, as the dynamic axes of an ONNX export are, with a length for each by its name:
    /// `Model::open_with("kws.onnx", &[("time", 49)])`. A dimension that counts samples is 1 unless a length is given.
    ///
    /// # Errors
    /// As [`Model::open`]; [`Error::Unsupported`] inside of [`Error::Model`] also for a dimension that the file does not have.
    pub fn open_with(path: impl AsRef<Path>, dimensions: &[(&str, usize)]) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| unread(path, source))?;
        let stem = path.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy().into_owned());
        let folder = path.parent().unwrap_or(Path::new(""));
        let model = Self::of(&stem, &bytes, dimensions, Some(folder)).map_err(|error| error.of(Some(path)))?;
        Ok(Self { path: Some(path.into()), ..model })
    }

    /// Reads the bytes of a `.tflite` or `.onnx` file.
    ///
    /// # Errors
    /// [`Error::Malformed`] for damaged files, [`Error::Unsupported`] with all that keeps the file from being a net: several subgraphs, dynamic
    /// shapes, sparse or external tensors, impossible quantisation.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        Self::of(name, bytes, &[], None)
    }

    /// A model from its bytes, with lengths for open dimensions and the folder that the file is in.
    fn of(name: &str, bytes: &[u8], dimensions: &[(&str, usize)], folder: Option<&Path>) -> Result<Self> {
        let mut net = read(bytes, dimensions, folder)?;
        if has_channels_first(bytes) {
            rewrite_channels_first(&mut net);
        }
        rewrite(&mut net);
        Ok(Self {
            name: identifier(name),
            path: None,
            net,
            manifest: None,
            link_section: None,
            labels: label_lists(bytes),
            unknown_customs: Vec::new(),
            keeps_channels: false,
            flash_budget: None,
            data: Vec::new(),
            #[cfg(feature = "quantise")]
            quantisation: None,
            aim: Aim::default(),
            splits_width: false,
            is_quiet: false,
            is_stream: false,
        })
    }

    /// Gives the model another name, which the generated file and [`include_model!`](https://docs.rs/smolnn) use.
    pub fn named(mut self, name: &str) -> Self {
        self.name = identifier(name);
        self
    }

    /// Maps the custom operator of a name to a function of the crate that includes the model, by its path: `.custom("MyOp", "crate::my_op")`.
    ///
    /// Generated code calls `my_op(&CustomOperator<'_>, &[A], …, &mut [B], …)`, with a slice per input and then one per output, as long as the shapes that
    /// the file states; a truth value is a `u8`. [`CustomOperator`](crate::CustomOperator) has the options and what is known of the tensors. On the host,
    /// [`Runner::custom`](crate::Runner::custom) takes the function. The function cannot fail, and is not called where nothing needs its outputs.
    pub fn custom(mut self, name: &str, function: &str) -> Self {
        let mut found = false;
        for node in &mut self.net.nodes {
            if let Operator::Custom { name: own, function: to, .. } = &mut node.operator
                && own == name
            {
                (*to, found) = (Some(function.into()), true);
            }
        }
        if !found {
            self.unknown_customs.push(name.into());
        }
        self
    }

    /// The model over a stream, of one that was trained over a whole window: it takes the `step` newest rows along `axis`, the axis of time of
    /// its input, keeps what it needs of the older ones in its state, and gives what the model gives over the window that ends with these rows.
    ///
    /// From reset on, outputs count once as many rows came as the window has; those of integer models are then equal bit for bit. An output that has
    /// the axis of time gives its newest rows: those that a step adds, and behind them those that see padding behind the window. A recurrent layer
    /// that reads the rows in order keeps its state instead: the first window from reset on is equal, and later outputs hear all that came before. One
    /// that reads them from the last to the first gets the window anew.
    ///
    /// Where all padding in time lies before the window and is that of convolutions (causal), it stands before the first row of the stream: the first
    /// window is equal, and later ones see the rows before them. Any other padding (SAME, pads, those of pools) lies at the edges of every window, and
    /// causal padding then does too: the rows that see it are computed in each step, and rows wait in the state until the window has moved over them.
    ///
    /// [`Program::macs`] says what a step computes. An operator that needs all rows at once, such as a mean over
    /// time, gets the window of its input from the state, and it and what follows are computed as before.
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("kws.tflite")?.streaming(1, 2)?.emit() // in: [1, 49, 10, 1] before, [1, 2, 10, 1] now
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the operator that prevents it: a state; a stride in time that does not divide the rows of a step (docs/models.md has
    /// the way out). Also without exactly one input, when time is not its first axis that is longer than 1, or when the step is not between 1 and
    /// the rows of the window.
    pub fn streaming(self, axis: usize, step: usize) -> Result<Self> {
        match streaming(&self.net, axis, step) {
            Ok(net) => Ok(Self { net, is_stream: true, ..self }),
            Err(problem) => Err(Error::Unsupported(vec![problem]).of(self.path.as_deref())),
        }
    }

    /// Keeps a state between calls: what output `output` gives, the next call takes at input `input`. Both are counted from 0 as the model has them, and
    /// are no input and output any more. The state starts from real 0, and `reset` of the generated model sets it back.
    ///
    /// A recurrent network that takes its hidden state and gives it back, one step per call, becomes what firmware wants of it: a sample in, an answer
    /// out. The quantiser starts every sample from the state's start, so that its ranges show a first step alone: keep the state of a float model.
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("models/gru_step.onnx")?.keep_state(1, 1)?.emit() // (x, h) to (y, h) before; x to y now
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is no such input or output, when their types, shapes or scales differ, or when nothing else would be left.
    pub fn keep_state(self, input: usize, output: usize) -> Result<Self> {
        let refuse = |found: String, supported: &str| {
            Error::Unsupported(vec![Problem::model(found, supported)]).of(self.path.as_deref())
        };
        let (inputs, outputs) = (&self.net.inputs, &self.net.outputs);
        let (Some(&from), Some(&to)) = (inputs.get(input), outputs.get(output)) else {
            let found = format!("input {input} of {} and output {output} of {}", inputs.len(), outputs.len());
            return Err(refuse(found, "an input and an output that the model has, counted from 0"));
        };
        let (taken, given) = (&self.net.tensors[from], &self.net.tensors[to]);
        if (taken.element, &taken.shape, &taken.quantisation) != (given.element, &given.shape, &given.quantisation) {
            let text = |tensor: &Tensor| format!("{} {:?}", tensor.element, tensor.shape);
            let found = format!("a state that is taken as {} and given as {}", text(taken), text(given));
            return Err(refuse(found, "one type, shape, scale and zero point for both"));
        }
        if inputs.len() == 1 || outputs.len() == 1 || inputs.contains(&to) {
            return Err(refuse(
                "a model without input or output but its state".into(),
                "another input and another output",
            ));
        }
        let mut net = self.net.clone();
        keep_state(&mut net, from, to);
        Ok(Self { net, ..self })
    }

    /// Puts the weights and tables into a section of the linker's, such as one in a slower, larger memory: `.link_section(".external_flash")`. The linker
    /// script says where it lies. Tables that a layer computes from its arguments when it is compiled stay among the other constants.
    ///
    /// A section's name is an unsafe attribute in Rust, so that the generated module then does not compile under `#![forbid(unsafe_code)]`.
    pub fn link_section(mut self, section: &str) -> Self {
        self.link_section = Some(section.into());
        self
    }

    /// Takes images as a camera gives them, and sequences as a sensor does: the channels of a pixel or of a moment together. ONNX has them apart, in an
    /// input of shape `[batch, channels, rows, columns]`, which a model of several channels transposes first. With this the input is
    /// `[batch, rows, columns, channels]` and the transpose is gone. Inputs of several channels behind which no transpose goes stay as they are.
    ///
    /// Plans by rows ([`input_by_rows`](Self::input_by_rows)) and streams ([`streaming`](Self::streaming)) need the channels last.
    pub fn channels_last_inputs(mut self) -> Self {
        channels_last_inputs(&mut self.net);
        self
    }

    /// Gives images and sequences with their channels last, as [`channels_last_inputs`](Self::channels_last_inputs) takes them.
    pub fn channels_last_outputs(mut self) -> Self {
        channels_last_outputs(&mut self.net);
        self
    }

    /// Keeps channels that cannot change, or that nothing needs. Without this they are taken out when the model is compiled: the outputs are the same
    /// to the bit, with less flash and time. With it every tensor has the shape that the file states, as one wants it for a comparison layer by layer.
    pub fn keep_channels(self) -> Self {
        Self { keeps_channels: true, ..self }
    }

    /// Lets constants grow by up to so many bytes of flash where that saves cycles: `.flash_budget(64 * 1024)`. The layers that save most per byte come
    /// first. Without this constants grow by no more than 128 KB, and no more than twice their size; with a budget of 0 every layer is packed as small as its backend can.
    /// Where the arena is bounded ([`arena_budget`](Self::arena_budget), [`least_arena`](Self::least_arena)), layers are left as they are whose scratch memory it has no room for.
    ///
    /// 3×3 convolutions of stride 1 by Winograd's products take 3.6 times the flash and about half of the cycles on cores with DSP instructions, two thirds to
    /// three quarters on others but for those with Helium, with the same outputs to the bit. They take more scratch memory, so that the arena may grow too: [`Program::arena_bytes`] says by how much.
    pub fn flash_budget(self, bytes: usize) -> Self {
        Self { flash_budget: Some(bytes), ..self }
    }

    /// Bounds the arena, in bytes. Where it would exceed the budget, layers run row by row, turn by turn: of a tensor between them only the rows lie in the
    /// arena that the next layer still needs. The outputs are the same to the bit, and little is computed twice: rows between two layers where that saves much, and as the last
    /// resort columns ([`split_width`](Self::split_width)). It takes some more instructions, as few as the budget allows, and more code, since rows at the edges of an image are calls of their own. Without a budget, or
    /// with one that they keep, all tensors lie whole. Constants grow for the sake of cycles ([`flash_budget`](Self::flash_budget)) as far as the arena has room for it.
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("person.tflite")?.arena_budget(32 * 1024).emit()
    /// # }
    /// ```
    ///
    /// [`compile`](Self::compile) and [`emit`](Self::emit) give [`Error::Unsupported`] when no plan that smolnn finds stays within the budget.
    pub fn arena_budget(self, bytes: usize) -> Self {
        Self { aim: Aim { goal: Goal::Budget(bytes), ..self.aim }, ..self }
    }

    /// Compiles for the smallest arena that smolnn finds, as [`arena_budget`](Self::arena_budget) does for one that is small enough. Constants
    /// grow for the sake of cycles ([`flash_budget`](Self::flash_budget)) where the arena does not.
    pub fn least_arena(self) -> Self {
        Self { aim: Aim { goal: Goal::LeastArena, ..self.aim }, ..self }
    }

    /// Takes the input row by row, as a camera gives it: the image is never in the arena, only the rows that the first layers still need. The generated model
    /// has `push_row(&row)`, which gives the output with the last row, and `infer(&image)`, which reads the image where it lies, in flash or in a DMA's
    /// buffer. The arena is the least that smolnn finds, unless [`arena_budget`](Self::arena_budget) allows more.
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("person.tflite")?.input_by_rows().emit()
    /// # }
    /// ```
    ///
    /// [`compile`](Self::compile) and [`emit`](Self::emit) give [`Error::Unsupported`] for models with another number of inputs than one, or with one that is no
    /// image `[1, rows, columns, channels]`.
    pub fn input_by_rows(self) -> Self {
        Self { aim: Aim { is_pushed: true, is_lent: false, ..self.aim.of_rows() }, ..self }
    }

    /// Reads the inputs where the caller has them, in flash or in a DMA's buffer, so that they take no byte of the arena: the generated `infer(&image)`, `run(&image)` and
    /// `run_step(step, &image)` copy nothing, and there is no `input_mut`. What is lent has to stay as it is until the run's last step.
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("person.tflite")?.input_in_place().least_arena().emit()
    /// # }
    /// ```
    ///
    /// [`compile`](Self::compile) and [`emit`](Self::emit) give [`Error::Unsupported`] for models with an output that is an input.
    pub fn input_in_place(self) -> Self {
        Self { aim: Aim { is_lent: true, is_pushed: false, ..self.aim }, ..self }
    }

    /// Gives the output row by row, of a network that ends in an image: the output is never in the arena as a whole, only the rows that the last layers
    /// have just made. The generated model gives each of them to a closure with its number, from the first row to the last: `run(|index, row| …)`,
    /// `infer(&image, |index, row| …)`, and with [`input_by_rows`](Self::input_by_rows) `push_row(&row, |index, row| …)`. The arena is the least that smolnn
    /// finds, unless [`arena_budget`](Self::arena_budget) allows more.
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("segments.tflite")?.input_by_rows().output_by_rows().emit()
    /// # }
    /// ```
    ///
    /// [`compile`](Self::compile) and [`emit`](Self::emit) give [`Error::Unsupported`] for models with another number of outputs than one, or with one that is no
    /// image `[1, rows, columns, channels]`.
    pub fn output_by_rows(self) -> Self {
        Self { aim: Aim { is_given: true, ..self.aim.of_rows() }, ..self }
    }

    /// Lets the first layers, or others, run in parts along the width: the left columns of all of them first, then those on their right. Their buffers of rows are then no longer
    /// than a part is wide, and columns near the edges between parts are computed twice, which costs multiply-accumulates. Without this it is the last resort of
    /// [`arena_budget`](Self::arena_budget), where nothing else keeps the budget; with it [`least_arena`](Self::least_arena) does it too, and a budget is kept so before
    /// channels are put in groups. What is split is an image that lies in memory as a whole; of an [`input_by_rows`](Self::input_by_rows) both parts would have to be
    /// in the arena at once, so that there only layers behind a whole tensor are split. Where all tensors lie whole, without a budget or with one that they keep, nothing is split.
    pub fn split_width(self) -> Self {
        Self { splits_width: true, ..self }
    }

    /// Lets [`emit`](Self::emit) print no warnings: what they say is known, and cannot be changed.
    pub fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the model a manifest, or another one.
    pub fn with_manifest(self, manifest: Manifest) -> Self {
        Self { manifest: Some(manifest), ..self }
    }

    /// The manifest, when the model was opened by one.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The net, as rewritten.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Checks that what comes or is given row by row has its channels last: rows of planes are no rows of an image.
    fn check_rows(&self) -> Result<()> {
        type Ends = fn(&Net) -> &[TensorId];
        type Direction = (bool, &'static str, fn(&mut Net), Ends);
        let ends: [Direction; 2] = [
            (self.aim.is_pushed, "input", channels_last_inputs, |net| &net.inputs),
            (self.aim.is_given, "output", channels_last_outputs, |net| &net.outputs),
        ];
        for (is_by_rows, what, put_last, ends) in ends {
            // Several are refused by the plan.
            let &[id] = ends(&self.net) else { continue };
            if !is_by_rows {
                continue;
            }
            let mut last = self.net.clone();
            put_last(&mut last);
            let shape = &self.net.tensors[id].shape;
            let Some(of_last) = ends(&last).first().map(|&id| &last.tensors[id].shape).filter(|&last| last != shape)
            else {
                continue;
            };
            let problem = Problem::model(
                format!("an {what} by rows of shape {shape:?}, whose channels are in front"),
                format!(
                    "{what}s by rows with the channels of a pixel together, {of_last:?}: Model::channels_last_{what}s, --channels-last"
                ),
            );
            return Err(Error::Unsupported(vec![problem]).of(self.path.as_deref()));
        }
        Ok(())
    }

    /// Compiles for a backend.
    ///
    /// # Errors
    /// [`Error::Environment`] when [`custom`](Self::custom) named an operator that the model does not need or have;
    /// [`Error::Unsupported`] with everything in the model that smolnn does not run; inside of [`Error::Model`] when the model was
    /// opened as a file.
    pub fn compile(&self, backend: Backend) -> Result<Program> {
        if !self.unknown_customs.is_empty() {
            let custom = |operator: &Operator| match operator {
                Operator::Custom { name, .. } => Some(name.clone()),
                _ => None,
            };
            let known: BTreeSet<String> = self.net.nodes.iter().filter_map(|node| custom(&node.operator)).collect();
            let known = if known.is_empty() { "none".into() } else { known.into_iter().collect::<Vec<_>>().join(", ") };
            let text = format!("no custom operator {}; the model has {known}", self.unknown_customs.join(", "));
            return Err(Error::Environment(text).of(self.path.as_deref()));
        }
        let mut net = self.net.clone();
        if !self.keeps_channels {
            take_out_constant_channels(&mut net);
        }
        self.check_rows()?;
        // A net that does not lower is not short of memory, and its shapes may be anything.
        let compiled = lower(&net, backend).and_then(|calls| Search::new(self, &net, backend).run(calls));
        let compiled = compiled.map(|program| Program {
            link_section: self.link_section.clone(),
            labels: self.labels.clone(),
            ..program
        });
        compiled.map_err(|error| error.of(self.path.as_deref()))
    }

    /// In a build script: compiles for the target of the build and writes `OUT_DIR/<name>.rs`, for `smolnn::include_model!(name)`.
    ///
    /// Cargo then shows a warning when `thumbv8m.main` is compiled for without a `target-cpu`, and one that names the layers which run portably although the
    /// core could do better, and why; [`quiet`](Self::quiet) turns them off.
    ///
    /// # Errors
    /// As [`compile`](Self::compile); [`Error::Environment`] outside of a build script, or when it emitted another model of this name;
    /// [`Error::File`] when the file cannot be written.
    pub fn emit(&self) -> Result<()> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| {
                Error::Environment(format!("{name} is not set: `emit` is for build scripts, use `compile` elsewhere"))
            })
        };
        for path in self.path.iter().chain(&self.data) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        #[cfg(feature = "quantise")]
        for warning in self.quantisation.iter().filter(|_| !self.is_quiet).flat_map(|report| &report.warnings) {
            println!("cargo::warning={}: {warning}", self.name);
        }
        let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
        let triple = variable("TARGET")?;
        let target = Target::new(&triple, &flags);
        let program = self.compile(target.backend())?;
        let folder = PathBuf::from(variable("OUT_DIR")?);
        let path = folder.join(format!("{}.rs", self.name));
        let source = program.source() + &self.manifest.as_ref().map_or_else(String::new, Manifest::items);
        let mut emitted = EMITTED.lock().unwrap_or_else(PoisonError::into_inner);
        // A module of an earlier build, whose model is emitted no more, would still be there for `include_model!`.
        if emitted.is_empty() {
            remove_modules(&folder)?;
        }
        if !self.is_quiet {
            // The target is the same for all models of a build script.
            if emitted.is_empty() && target.lacks_cpu() {
                println!("cargo::warning={}", without_cpu(&triple));
            }
            for sentence in program.portable_layers() {
                println!("cargo::warning={}, for {}: {sentence}", self.name, program.backend().name());
            }
        }
        if emitted.insert(path.clone(), source.clone()).is_some_and(|earlier| earlier != source) {
            let text = format!("two models are named {}: give one another name, with Model::named", self.name);
            return Err(Error::Environment(text).of(self.path.as_deref()));
        }
        std::fs::write(&path, source).map_err(|source| Error::File { path, source })
    }
}

/// Most models that are named where one is not found.
const MOST_NAMED: usize = 8;

/// Why a model's file could not be read. Of one that is not there, where it was looked for, and which models are there instead: a build script is run in
/// its package's folder, whatever the shell's is.
fn unread(path: &Path, source: io::Error) -> Error {
    let failed = |source| Error::File { path: path.into(), source };
    if source.kind() != io::ErrorKind::NotFound {
        return failed(source);
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let folder = whole.parent().unwrap_or(Path::new("/")).display();
    let is_model = |name: &String| [".tflite", ".onnx", ".json"].iter().any(|extension| name.ends_with(extension));
    let there = whole.parent().and_then(|folder| std::fs::read_dir(folder).ok()).map(|entries| {
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(is_model).collect();
        names.sort();
        names.truncate(MOST_NAMED);
        names.join(", ")
    });
    let there = match there {
        None => format!("there is no folder {folder}"),
        Some(names) if names.is_empty() => format!("no model is in {folder}"),
        Some(names) => format!("in {folder} are {names}"),
    };
    failed(io::Error::new(source.kind(), format!("{source}; {there}")))
}

/// Removes the modules that builds have left in a folder.
fn remove_modules(folder: &Path) -> Result<()> {
    let of = |path: &Path, source| Error::File { path: path.into(), source };
    for entry in std::fs::read_dir(folder).map_err(|source| of(folder, source))? {
        let path = entry.map_err(|source| of(folder, source))?.path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs") && path.is_file();
        if is_source && Program::is_source(&std::fs::read(&path).map_err(|source| of(&path, source))?) {
            std::fs::remove_file(&path).map_err(|source| of(&path, source))?;
        }
    }
    Ok(())
}

/// What a build for `thumbv8m.main` without a `target-cpu` costs, and how to mend it.
fn without_cpu(triple: &str) -> String {
    format!(
        "{triple} without a target-cpu is code for a core without DSP instructions: on a Cortex-M33 models take 37 % more instructions. \
         Name the core in .cargo/config.toml: [target.{triple}] rustflags = [\"-C\", \"target-cpu=cortex-m33\"] (or cortex-m55, cortex-m85 ...). \
         If it has no DSP, the flags \"--cfg\", \"smolnn_backend=\\\"v7m\\\"\" say so."
    )
}

/// The name with `_` for every character that cannot stand in a Rust identifier, and at the end of a keyword or of the name of a crate.
fn identifier(name: &str) -> String {
    let mut identifier: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !identifier.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        identifier.insert(0, '_');
    }
    // A module cannot have the name of a keyword, and not that of a crate whose paths stand beside it.
    let crates = ["smolnn", "core", "std", "alloc"];
    if crates.contains(&identifier.as_str()) || KEYWORDS.contains(&identifier.as_str()) || identifier == "_" {
        identifier.push('_');
    }
    identifier
}

const KEYWORDS: [&str; 52] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
    "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
