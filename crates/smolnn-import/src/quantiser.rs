//! The command `quantise`: a float model and calibration data become integers, with a report.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use smolnn_import::{Calibrated, Error, Labels, Model, RangeMethod, Result};

use super::{Target, packed_for, say, target};

/// What to quantise with, and what to write.
#[derive(Args)]
pub struct Quantiser {
    /// The float model.
    model: PathBuf,
    /// Calibration data: .npy or .npz, samples along the first axis, or a folder of such files.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The class of each sample, as .npy, .npz or numbers in a text file: the report then has accuracies.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The samples that the labels belong to, where they are not those that calibrate.
    #[arg(long, value_name = "PATH", requires = "labels")]
    test: Option<PathBuf>,
    /// Keep what these layers give in int16: numbers of layers or names of tensors, with commas between; or `auto`.
    #[arg(long, value_name = "LAYERS|auto")]
    int16: Option<String>,
    /// With `--int16 auto`: the signal-to-noise ratio of the outputs to reach, in decibels.
    #[arg(long, value_name = "DB", default_value_t = 40.0, requires = "int16", value_parser = decibels)]
    snr: f64,
    /// Let these layers compute with real numbers: numbers of layers or names of tensors, with commas between.
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    float: Vec<String>,
    /// How ranges follow from the data. Without it, all are tried.
    #[arg(long)]
    ranges: Option<Ranges>,
    /// Equalise channels across layers, or do not. Without it, both are tried.
    #[arg(long, value_name = "BOOL")]
    equalise: Option<bool>,
    /// Correct biases by the mean error of the weights, or do not. Without it, both are tried.
    #[arg(long, value_name = "BOOL")]
    correct_biases: Option<bool>,
    /// Let the model's inputs and outputs stay real numbers.
    #[arg(long)]
    real_ends: bool,
    /// Write the Rust module to this .rs file, or module and report (.rs, .json, .html) into this folder: any other name.
    #[arg(short, long, value_name = "FILE.rs|DIR")]
    output: Option<PathBuf>,
    /// Pack the weights for this backend, or for this chip (rp2040, nrf52840, stm32f411 …). Without it, for portable code.
    #[arg(long, visible_alias = "chip", value_parser = target)]
    backend: Option<Target>,
    /// Print JSON: the fields of `smolnn_import::QuantisationReport`.
    #[arg(long)]
    json: bool,
    /// Write the report as an HTML page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The length of a dimension that an .onnx file leaves open: time=49.
    #[arg(long = "dimension", value_name = "NAME=LENGTH", value_parser = super::dimension)]
    dimensions: Vec<(String, usize)>,
    /// Widest table, in characters; 0: any. Without it, the width of the terminal.
    #[arg(long)]
    width: Option<usize>,
}

/// The names of the ways to find ranges.
#[derive(Clone, Copy, ValueEnum)]
enum Ranges {
    /// From the least to the largest value.
    MinMax,
    /// Without the outermost values.
    Percentile,
    /// By the least squared error.
    Mse,
}

impl Quantiser {
    /// Quantises, writes and prints.
    pub fn run(&self) -> Result<()> {
        // What cannot be written is said before the work.
        let output = self.output.as_deref().map(Output::of).transpose()?;
        match &output {
            Some(Output::Module(path)) => check_folder(folder_of(path))?,
            // Folders that are missing will be made.
            Some(Output::Folder(folder)) => {
                let made = |folder: &&Path| folder.as_os_str().is_empty() || folder.exists();
                check_folder(folder.ancestors().find(made).unwrap_or(folder))?;
            }
            None => {}
        }
        if let Some(path) = &self.html {
            let read = [Some(&self.model), Some(&self.data), self.test.as_ref(), self.labels.as_ref()];
            let read: Vec<&Path> = read.into_iter().flatten().map(PathBuf::as_path).collect();
            super::overwrites_none(&read, &[path])?;
            check_folder(folder_of(path))?;
        }
        let mut model = super::open(&self.model, &self.dimensions)?;
        if let Some(Output::Module(path)) = &output
            && let Some(name) = path.file_stem()
        {
            model = model.named(&name.to_string_lossy());
        }
        let model = with_progress(self.wishes(model.calibrate(&self.data)?)?)?;
        let Some(report) = model.quantisation_report() else {
            return Err(Error::Calibration("the model was not quantised".into()));
        };
        // All that is to be written is made before the first file is.
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        if let Some(output) = &output {
            let module = model.compile(packed_for(self.backend.as_ref()))?.source();
            match output {
                Output::Module(path) => files.push((path.clone(), module)),
                Output::Folder(folder) => {
                    let file = |extension: &str| folder.join(model.name()).with_extension(extension);
                    files.extend([(file("rs"), module), (file("json"), report.json()), (file("html"), report.html())]);
                }
            }
        }
        files.extend(self.html.iter().map(|path| (path.clone(), report.html())));
        if let Some(Output::Folder(folder)) = &output {
            std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.clone(), source })?;
        }
        files.iter().try_for_each(|(path, text)| save_whole(path, text))?;
        if self.json {
            return say(&report.json());
        }
        let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into());
        say(&report.table(self.width.or_else(terminal).filter(|&width| width > 0)))?;
        files.iter().try_for_each(|(path, _)| say(&format!("{} is written", path.display())))
    }

    /// The options.
    fn wishes(&self, mut calibrated: Calibrated) -> Result<Calibrated> {
        if let Some(path) = &self.labels {
            let labels = Labels::open(path)?;
            calibrated = match &self.test {
                Some(data) => calibrated.evaluate(data, labels)?,
                None => calibrated.labels(labels),
            };
        }
        calibrated = match self.int16.as_deref() {
            None => calibrated,
            Some("auto") => calibrated.int16_up_to(self.snr),
            Some(layers) => calibrated.int16(layers.split(',').map(str::trim)),
        };
        if let Some(ranges) = self.ranges {
            calibrated = calibrated.ranges(match ranges {
                Ranges::MinMax => RangeMethod::MinMax,
                Ranges::Percentile => RangeMethod::Percentile,
                Ranges::Mse => RangeMethod::MeanSquaredError,
            });
        }
        if let Some(wanted) = self.equalise {
            calibrated = calibrated.equalise(wanted);
        }
        if let Some(wanted) = self.correct_biases {
            calibrated = calibrated.correct_biases(wanted);
        }
        if let Some(core) = self.backend.as_ref().and_then(|target| target.core) {
            calibrated = calibrated.core(core);
        }
        if self.real_ends {
            calibrated = calibrated.real_ends();
        }
        Ok(calibrated.keep_float(self.float.iter().map(String::as_str)))
    }
}

/// Makes integers of the model. On a terminal a line says how far that is.
pub fn with_progress(calibrated: Calibrated) -> Result<Model> {
    if !std::io::stderr().is_terminal() {
        return calibrated.int8();
    }
    let mut last = Instant::now();
    let model = calibrated.progress(move |what, done, of| {
        if last.elapsed() >= BETWEEN_LINES {
            eprint!("{CLEAR_LINE}{what} {done}/{of}");
            last = Instant::now();
        }
    });
    let model = model.int8();
    eprint!("{CLEAR_LINE}");
    model
}

/// To the start of the line, and nothing on it (ECMA-48: CR, EL).
const CLEAR_LINE: &str = "\r\x1b[K";
/// Nobody reads faster.
const BETWEEN_LINES: Duration = Duration::from_millis(100);

/// What `--output` means.
enum Output {
    Module(PathBuf),
    Folder(PathBuf),
}

impl Output {
    fn of(path: &Path) -> Result<Self> {
        let fault = |text: &str| Err(Error::Environment(format!("{}: {text}", path.display())));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => Ok(Self::Module(path.into())),
            _ if path.is_dir() => Ok(Self::Folder(path.into())),
            _ if path.exists() => fault("is a file; give a .rs file for the module, or a folder for module and report"),
            Some(
                "tflite" | "onnx" | "json" | "html" | "txt" | "log" | "md" | "csv" | "c" | "h" | "bin" | "npy" | "npz",
            ) => fault(
                "the module is written as Rust: give a .rs file for it, or a folder for module and report; --html writes the page alone",
            ),
            _ => Ok(Self::Folder(path.into())),
        }
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Finds out whether files can be written into a folder, by doing so.
fn check_folder(folder: &Path) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let failed = |source| Error::File { path: folder.into(), source };
    let file = folder.join(format!(".smolnn-{}.part", std::process::id()));
    std::fs::write(&file, "").map_err(failed)?;
    std::fs::remove_file(&file).map_err(failed)
}

/// A signal-to-noise ratio in decibels.
fn decibels(text: &str) -> std::result::Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio >= 0.0);
    ratio.ok_or_else(|| "a ratio in decibels, from 0 on: 45".into())
}

/// Writes a file so that it is there as a whole or not at all.
fn save_whole(path: &Path, text: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let failed = |source| Error::File { path: path.into(), source };
    std::fs::write(&part, text).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}
