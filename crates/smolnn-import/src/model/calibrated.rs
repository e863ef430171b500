//! A float model with calibration data: what stands between `calibrate` and `int8`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Model;
use crate::calibrate::{Labelled, Progress, Wide, Wishes, check, quantise};
use crate::error::{Error, Result};
use crate::labels::Labels;
use crate::net::Net;
use crate::npy::Array;
use crate::plan::Core;
use crate::quantise::{QuantisationReport, RangeMethod, Samples};

/// A float model with data that look like its input. [`int8`](Self::int8) makes integers of it.
///
/// What is not asked for is tried, and what gives the outputs the best signal-to-noise ratio on the calibration data is taken; where a softmax or a
/// sigmoid gives them, what it takes decides.
pub struct Calibrated {
    model: Model,
    samples: Samples,
    wishes: Wishes,
    progress: Option<Box<Reports>>,
}

/// Takes how far long work is.
type Reports = dyn FnMut(&str, usize, usize);

impl fmt::Debug for Calibrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} samples", self.model.name, self.samples.count())
    }
}

impl Model {
    /// Takes calibration data for a float model: a `.npy` or `.npz` file whose arrays hold samples along their first axis, or a folder of such files. With
    /// several inputs, an array per input: by name, or in order where `numpy.savez` named the arrays (`arr_0`, `arr_1`).
    ///
    /// ```no_run
    /// # fn main() -> smolnn_import::Result<()> {
    /// smolnn_import::Model::open("gesture.tflite")?.calibrate("windows.npy")?.int8()?.emit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be read, [`Error::Calibration`] when shapes do not fit, values or weights are not finite, or the model has no real
    /// numbers to begin with.
    pub fn calibrate(mut self, data: impl AsRef<Path>) -> Result<Calibrated> {
        self.check_float()?;
        let samples = self.samples(data.as_ref())?;
        Ok(Calibrated { model: self, samples, wishes: Wishes::default(), progress: None })
    }

    /// Takes calibration data for a float model of one input: a slice per sample.
    ///
    /// # Errors
    /// As [`calibrate`](Self::calibrate).
    pub fn calibrate_with(self, samples: impl IntoIterator<Item: AsRef<[f32]>>) -> Result<Calibrated> {
        self.check_float()?;
        let samples = Samples::from_slices(&self.net, samples)?;
        Ok(Calibrated { model: self, samples, wishes: Wishes::default(), progress: None })
    }

    /// Whether integers can be made of the model: it has real numbers, and a sample of its input is one of the data.
    fn check_float(&self) -> Result<()> {
        if self.is_stream {
            let text = "the model is one over a stream already, which sees a few rows of a sample per call: calibrate the model over its window, make integers of it, and \
                        stream those, .calibrate(…)?.int8()?.streaming(…)";
            return Err(Error::Calibration(text.into()).of(self.path.as_deref()));
        }
        check(&self.net).map_err(|error| error.of(self.path.as_deref()))
    }

    /// What quantising cost, where this model was quantised here.
    pub fn quantisation_report(&self) -> Option<&QuantisationReport> {
        self.quantisation.as_deref()
    }

    /// The samples of a file or folder; a build script will be told that they belong to it.
    fn samples(&mut self, path: &Path) -> Result<Samples> {
        let read = |file: &PathBuf| {
            let named = |error: Error| Error::Model { path: file.clone(), error: Box::new(error) };
            Samples::from_arrays(&self.net, &Array::open(file)?).map_err(named)
        };
        let files = Array::files(path)?;
        let mut all: Option<Samples> = None;
        for file in &files {
            let samples = read(file)?;
            match &mut all {
                Some(all) => all.append(samples),
                None => all = Some(samples),
            }
        }
        self.data.push(path.into());
        all.ok_or_else(|| Error::Calibration(format!("{}: no samples", path.display())))
    }
}

impl Calibrated {
    /// Finds ranges in this way.
    pub fn ranges(mut self, method: RangeMethod) -> Self {
        self.wishes.ranges = Some(method);
        self
    }

    /// Equalises channels across layers, or does not.
    pub fn equalise(mut self, wanted: bool) -> Self {
        self.wishes.equalise = Some(wanted);
        self
    }

    /// Corrects biases by the mean error of the weights, or does not.
    pub fn correct_biases(mut self, wanted: bool) -> Self {
        self.wishes.correct = Some(wanted);
        self
    }

    /// Keeps what these layers give in int16, so that they and the layers that read it compute with int16 activations. Layers are given by their number in the
    /// file or the name of the tensor that they write.
    pub fn int16(mut self, layers: impl IntoIterator<Item: Into<String>>) -> Self {
        self.wishes.wide = Wide::Layers(layers.into_iter().map(Into::into).collect());
        self
    }

    /// Keeps the output of layer after layer in int16, the one with the largest share of the error first, until the outputs have this signal-to-noise ratio in
    /// decibels on the calibration data.
    pub fn int16_up_to(mut self, decibels: f64) -> Self {
        self.wishes.wide = Wide::UpTo(decibels);
        self
    }

    /// Lets these layers compute with real numbers, as the layers do that have no integer kernel.
    pub fn keep_float(mut self, layers: impl IntoIterator<Item: Into<String>>) -> Self {
        self.wishes.real = layers.into_iter().map(Into::into).collect();
        self
    }

    /// Lets inputs and outputs of the model stay real numbers; they are quantised inside.
    pub fn real_ends(mut self) -> Self {
        self.wishes.real_ends = true;
        self
    }

    /// Gives sizes and costs in the report for this core, instead of the Cortex-M4.
    pub fn core(mut self, core: Core) -> Self {
        self.wishes.core = Some(core);
        self
    }

    /// Takes the class of each sample of the calibration data, so that the report has accuracies: a list of classes, or what [`Labels::open`] reads.
    ///
    /// The class that the model finds is the position of the largest value of its first output. An output of one number is a probability where it comes from a
    /// sigmoid, and above a half is class 1; one integer, as of an ArgMax, is the class itself. Any other number gives no class.
    pub fn labels(mut self, labels: impl Into<Labels>) -> Self {
        self.wishes.labelled = Some(Labelled { samples: None, labels: labels.into() });
        self
    }

    /// Takes other samples, in a file or folder as for [`Model::calibrate`], with the class of each, so that the report has accuracies over these.
    ///
    /// # Errors
    /// As [`Model::calibrate`].
    pub fn evaluate(mut self, data: impl AsRef<Path>, labels: impl Into<Labels>) -> Result<Self> {
        let samples = self.model.samples(data.as_ref())?;
        self.wishes.labelled = Some(Labelled { samples: Some(samples), labels: labels.into() });
        Ok(self)
    }

    /// Has a function told how far the work is: what is done, how many of how many.
    pub fn progress(mut self, report: impl FnMut(&str, usize, usize) + 'static) -> Self {
        self.progress = Some(Box::new(report));
        self
    }

    /// The float net that is quantised.
    pub fn net(&self) -> &Net {
        &self.model.net
    }

    /// Quantises: the model of integers, with its [`report`](Model::quantisation_report). In a build script this runs the float network several times over all
    /// samples; `[profile.dev.build-override] opt-level = 3` in `Cargo.toml` makes that fast.
    ///
    /// # Errors
    /// [`Error::Calibration`] when an activation is not finite, labels do not fit samples or outputs, a named layer is not there, or nothing is left to
    /// quantise; [`Error::Unsupported`] when the float net itself does not run.
    pub fn int8(mut self) -> Result<Model> {
        if let Some(Labelled { samples, labels }) = &self.wishes.labelled {
            labels.check(&self.model.net, samples.as_ref().unwrap_or(&self.samples).count())?;
        }
        let mut silent = |_: &str, _: usize, _: usize| {};
        let progress: &mut Progress<'_> = match &mut self.progress {
            Some(report) => report,
            None => &mut silent,
        };
        let Model { name, net, path, .. } = &self.model;
        let (net, report) =
            quantise(name, net, &self.samples, &self.wishes, progress).map_err(|error| error.of(path.as_deref()))?;
        Ok(Model { net, quantisation: Some(Arc::new(report)), ..self.model })
    }
}
