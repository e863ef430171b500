//! What a user wishes of a model, as options that several commands have: applied to the model, or written as the calls of a build script.

use std::path::{Path, PathBuf};

use smolnn_import::{Model, Result};

/// A float model as integers.
#[derive(clap::Args)]
pub struct IntegerWish {
    /// Make integers of a float model first, as `quantise` does without options, by these samples of its input: .npy or .npz, or a folder of such files.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
}

impl IntegerWish {
    /// The files that are read for a model: itself, and the data.
    pub fn read<'a>(&'a self, model: &'a Path) -> Vec<&'a Path> {
        std::iter::once(model).chain(self.data.as_deref()).collect()
    }

    pub fn apply(&self, model: Model) -> Result<Model> {
        match &self.data {
            None => Ok(model),
            #[cfg(feature = "quantise")]
            Some(data) => {
                let model = super::quantiser::with_progress(model.calibrate(data)?)?;
                let warnings = model.quantisation_report().into_iter().flat_map(|report| &report.warnings);
                warnings.for_each(|warning| eprintln!("warning: {warning}"));
                Ok(model)
            }
            #[cfg(not(feature = "quantise"))]
            Some(_) => Err(super::without_kernels()),
        }
    }
}

/// A wish as a call of a build script, and as options of a command.
type Spelt = (String, String);

/// What the network is to become before it is compiled.
#[derive(clap::Args, Clone, Default)]
pub struct Wishes {
    #[command(flatten)]
    layout: LayoutWish,
    #[command(flatten)]
    stream: StreamWish,
    #[command(flatten)]
    memory: MemoryWishes,
}

impl Wishes {
    /// The model with all of them.
    pub fn apply(&self, model: Model) -> Result<Model> {
        Ok(self.apply_memory(self.apply_network(model)?))
    }

    /// The model with another order of dimensions, or over a stream.
    pub fn apply_network(&self, model: Model) -> Result<Model> {
        self.stream.apply(self.layout.apply(model))
    }

    /// The model with bounds of its memory.
    pub fn apply_memory(&self, model: Model) -> Model {
        self.memory.apply(model)
    }

    /// The calls of [`apply`](Self::apply), as a build script writes them behind a model.
    pub fn calls(&self) -> String {
        self.spelt().map(|(call, _)| call).collect()
    }

    /// The same as the options of a command.
    pub fn options(&self) -> String {
        self.spelt().map(|(_, option)| option).collect()
    }

    fn spelt(&self) -> impl Iterator<Item = Spelt> {
        self.layout.spelt().into_iter().chain(self.stream.spelt()).chain(self.memory.spelt())
    }

    /// Options that change how the model is fed and read.
    pub fn interface(&self) -> Interface {
        Interface {
            input_by_rows: self.memory.input_by_rows,
            input_in_place: self.memory.input_in_place,
            output_by_rows: self.memory.output_by_rows,
            streaming: self.stream.streaming.is_some(),
        }
    }
}

/// How a model is fed and read.
#[derive(Clone, Copy)]
pub struct Interface {
    pub input_by_rows: bool,
    pub input_in_place: bool,
    pub output_by_rows: bool,
    pub streaming: bool,
}

impl Interface {
    /// The first of the options that change it, as it is typed.
    pub fn first_option(self) -> Option<&'static str> {
        let all = [
            (self.input_by_rows, "--input-by-rows"),
            (self.input_in_place, "--input-in-place"),
            (self.output_by_rows, "--output-by-rows"),
            (self.streaming, "--streaming"),
        ];
        all.iter().find(|(is_wished, _)| *is_wished).map(|&(_, option)| option)
    }
}

/// How much memory a model may take.
#[derive(clap::Args, Clone, Default)]
#[command(group = clap::ArgGroup::new("by_rows").multiple(true))]
struct MemoryWishes {
    /// The most bytes of the arena, as 32k or 32768: layers run by rows where it takes that.
    #[arg(long, value_name = "BYTES", value_parser = bytes, group = "by_rows")]
    budget: Option<usize>,
    /// Run layers by rows for the least arena.
    #[arg(long, conflicts_with = "budget", group = "by_rows")]
    least_arena: bool,
    /// Take the input row by row, as a camera gives it.
    #[arg(long, group = "by_rows")]
    input_by_rows: bool,
    /// Read the input where the caller has it, in flash or in a DMA's buffer: it is not in the arena.
    #[arg(long, conflicts_with = "input_by_rows")]
    input_in_place: bool,
    /// Let layers that run by rows do so in parts along the width, where columns near their edges are computed twice.
    #[arg(long, requires = "by_rows")]
    split_width: bool,
    /// Give the output row by row, of a network that ends in an image.
    #[arg(long, group = "by_rows")]
    output_by_rows: bool,
    /// Let constants grow by so many bytes of flash where that saves cycles, as 64k. Without it, by 128k, and no more than twice their size.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    flash_budget: Option<usize>,
}

impl MemoryWishes {
    fn apply(&self, model: Model) -> Model {
        let model = if self.input_by_rows { model.input_by_rows() } else { model };
        let model = if self.input_in_place { model.input_in_place() } else { model };
        let model = if self.output_by_rows { model.output_by_rows() } else { model };
        let model = if self.split_width { model.split_width() } else { model };
        let model = if self.least_arena { model.least_arena() } else { model };
        let model = match self.flash_budget {
            Some(bytes) => model.flash_budget(bytes),
            None => model,
        };
        match self.budget {
            Some(bytes) => model.arena_budget(bytes),
            None => model,
        }
    }

    /// Each of them as a call of a build script, and as options of a command.
    fn spelt(&self) -> Vec<Spelt> {
        let switches = [
            (self.input_by_rows, "input_by_rows"),
            (self.input_in_place, "input_in_place"),
            (self.output_by_rows, "output_by_rows"),
            (self.split_width, "split_width"),
            (self.least_arena, "least_arena"),
        ];
        let switches = switches.iter().filter(|(is_wished, _)| *is_wished);
        let switches = switches.map(|(_, name)| (format!(".{name}()"), format!(" --{}", name.replace('_', "-"))));
        let flash =
            self.flash_budget.map(|bytes| (format!(".flash_budget({bytes})"), format!(" --flash-budget {bytes}")));
        let arena = self.budget.map(|bytes| (format!(".arena_budget({bytes})"), format!(" --budget {bytes}")));
        switches.chain(flash).chain(arena).collect()
    }
}

/// The order of the dimensions of inputs and outputs.
#[derive(clap::Args, Clone, Default)]
struct LayoutWish {
    /// Take and give images and sequences with their channels last, as cameras and sensors have them, where an .onnx file has them in front.
    #[arg(long)]
    channels_last: bool,
}

impl LayoutWish {
    fn apply(&self, model: Model) -> Model {
        if self.channels_last { model.channels_last_inputs().channels_last_outputs() } else { model }
    }

    fn spelt(&self) -> Option<Spelt> {
        let call = ".channels_last_inputs().channels_last_outputs()";
        self.channels_last.then(|| (call.into(), " --channels-last".into()))
    }
}

/// A model over a window as one over a stream.
#[derive(clap::Args, Clone, Default)]
pub struct StreamWish {
    /// Take new rows of a stream instead of the window: the axis of time, and rows per call.
    #[arg(long, value_name = "AXIS,ROWS", value_parser = axis_and_rows)]
    pub streaming: Option<(usize, usize)>,
}

impl StreamWish {
    pub fn apply(&self, model: Model) -> Result<Model> {
        match self.streaming {
            Some((axis, rows)) => model.streaming(axis, rows),
            None => Ok(model),
        }
    }

    fn spelt(&self) -> Option<Spelt> {
        self.streaming
            .map(|(axis, rows)| (format!(".streaming({axis}, {rows})?"), format!(" --streaming {axis},{rows}")))
    }
}

/// An axis and a number of rows: 1,2.
fn axis_and_rows(text: &str) -> std::result::Result<(usize, usize), String> {
    let pair =
        text.split_once(',').and_then(|(axis, rows)| Some((axis.trim().parse().ok()?, rows.trim().parse().ok()?)));
    pair.ok_or_else(|| "the axis of time, counted from 0, and rows per call, as 1,2".into())
}

/// A number of bytes: 32768, 32k or 32KiB, 1M.
fn bytes(text: &str) -> std::result::Result<usize, String> {
    let lower = text.to_ascii_lowercase();
    let units = [("kib", 1 << 10), ("k", 1 << 10), ("mib", 1 << 20), ("m", 1 << 20), ("", 1)];
    let split = units.iter().find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, factor)));
    let number = split.and_then(|(digits, factor)| digits.trim().parse::<usize>().ok()?.checked_mul(*factor));
    number.ok_or_else(|| "a number of bytes, as 32768 or 32k".into())
}
