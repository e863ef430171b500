//! What quantising a net cost, and where.

#[cfg(feature = "cli")]
mod html;
#[cfg(feature = "cli")]
mod table;

use super::range::RangeMethod;

/// What it cost to make integers of a float net. `Model::quantisation_report` gives it.
///
/// Signal-to-noise ratios are in decibels: of each sample 10 · log₁₀ of the sum of squares of the float values over that of the differences, between 0
/// and 100 dB, and of these the mean over all samples that are not all 0. `None` stands for no difference at all.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[non_exhaustive]
pub struct QuantisationReport {
    /// The model's name.
    pub model: String,
    /// Samples of the calibration data.
    pub samples: usize,
    /// How ranges were found.
    pub ranges: RangeMethod,
    /// Whether channels were equalised across layers.
    pub equalised: bool,
    /// Whether biases were corrected by the mean error of the weights.
    pub biases_corrected: bool,
    /// What was tried, over a part of the samples.
    pub trials: Vec<Trial>,
    /// Signal-to-noise ratio of the outputs.
    pub output_snr: Option<f64>,
    /// The model's inputs and the layers, in the order in which they run.
    pub layers: Vec<QuantisedLayer>,
    /// The name of the core that the sizes and costs of the variants are for.
    pub core: &'static str,
    /// What its costs count: `cycles`, or `instructions` where no timings of it are published.
    pub unit: &'static str,
    /// The float net, the one of int8, and with int16 layers the mixed one.
    pub variants: Vec<Variant>,
    /// What one should look at, with the name of the layer.
    pub warnings: Vec<String>,
    /// What would help, with the name of the layer and what it brings, as it was measured.
    pub advice: Vec<String>,
}

/// A way of quantising that was tried.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Trial {
    /// How ranges were found.
    pub ranges: RangeMethod,
    /// Whether channels were equalised across layers.
    pub equalised: bool,
    /// Whether biases were corrected.
    pub biases_corrected: bool,
    /// Signal-to-noise ratio of the outputs, or of what a softmax or sigmoid makes them of: these hide most errors.
    pub snr: Option<f64>,
}

/// A layer, or an input of the model.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[non_exhaustive]
pub struct QuantisedLayer {
    /// The operator's number in the file; `None` for an input of the model.
    pub index: Option<usize>,
    /// The operator's name, `(input)` for an input.
    pub operator: String,
    /// The name of the tensor that it writes.
    pub tensor: String,
    /// What it is computed with: `int8`, `int16` or `float`.
    pub numbers: &'static str,
    /// The least value over the calibration data.
    pub least: f32,
    /// The largest value over the calibration data.
    pub largest: f32,
    /// Scale of the integers, 0 where they are real numbers.
    pub scale: f32,
    /// Zero point of the integers.
    pub zero_point: i32,
    /// Signal-to-noise ratio of what the layer gives, with the errors of all layers before it.
    pub snr: Option<f64>,
    /// The share of the integers' values between the least and the largest that occurred, 0 to 1.
    pub range_used: f64,
    /// The share of elements that lie beyond the range of the integers, 0 to 1.
    pub saturated: f64,
    /// Its share of the output's error: the error that rounding this layer alone makes, its weights and what it gives, over the sum of these errors.
    pub error_share: f64,
    /// Elements between the least and the largest value, in equal bars.
    pub histogram: Vec<u64>,
}

/// A form of the model.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Variant {
    /// `float`, `int8` or `mixed`.
    pub name: &'static str,
    /// The share of labelled samples that it classifies right, 0 to 1; `None` without labels.
    pub accuracy: Option<f64>,
    /// Signal-to-noise ratio of the outputs; the float net has none.
    pub output_snr: Option<f64>,
    /// Weights, biases and tables, in bytes.
    pub flash_bytes: usize,
    /// Arena and states, in bytes.
    pub ram_bytes: usize,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Estimated cycles of one run on the report's core, or instructions, not measured on silicon; `None` where the cost of a layer is not known.
    pub cycles: Option<f64>,
}

impl QuantisationReport {
    /// The form of this name.
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }
}
