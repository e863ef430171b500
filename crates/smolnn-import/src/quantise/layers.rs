//! Float weights of a dense layer or a convolution, as the integer kernels take them: for networks written by hand, and for the quantiser of files.
//!
//! Weights are symmetric int8 with a scale per output channel, s_w = max |w| / 127. The bias is int32 in steps of s_in · s_w, and the sum becomes the
//! output by the multiplier s_in · s_w / s_out. A bias that would not fit in 31 bits gets its channel a coarser s_w.
//!
//! ```
//! use smolnn_fixed::quantise::{Affine, FusedActivation};
//! use smolnn_import::layers::{Axis, quantise_layer, spanning};
//!
//! // Two outputs over three inputs. The ranges come from data that look like what the layer will see.
//! let (weights, bias) = ([0.5_f32, -1.0, 0.25, 2.0, 0.0, -0.5], [0.1_f32, -0.2]);
//! let input = spanning(&[-1.0, 0.3, 0.9])?;
//! let output = spanning(&[0.0, 2.5])?;
//! let layer = quantise_layer(&weights, &bias, Axis::First(2), input, output, FusedActivation::Relu)?;
//!
//! assert_eq!(layer.values, [64, -127, 32, 127, 0, -32]);
//! // These are the arguments of `smolnn::fixed`: `Weights` of a packed layer, and its `OutputRange`.
//! assert_eq!((layer.bias.len(), layer.multipliers.len()), (2, 2));
//! assert_eq!(layer.range.minimum, output.zero_point); // nothing below real 0
//! # Ok::<(), smolnn_import::Error>(())
//! ```

use smolnn_fixed::Weights;
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange, round};

use super::range::affine;
use crate::error::{Error, Result};
pub use crate::net::Axis;
use crate::net::Element;

/// Largest int8 weight. −128 is not used, so that weights are symmetric.
const LARGEST_WEIGHT: f64 = 127.0;
/// Bound of a bias: half of int32, so that the sum of products has the other half. Scales are rounded to f32, which takes a little off.
const LARGEST_BIAS: f64 = ((1 << 30) - (1 << 8)) as f64;
/// Least scale of weights: rows of zeros without a bias get it.
const LEAST_SCALE: f64 = 1e-12;

/// A layer in integers: its weights as TensorFlow Lite has them, not packed for a core yet.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerLayer {
    /// int8 weights in the order of the float ones.
    pub values: Vec<i8>,
    /// Scale of the weights of each output channel.
    pub scales: Vec<f32>,
    /// Bias of each output channel, in steps of input scale · weight scale.
    pub bias: Vec<i32>,
    /// Multiplier of each output channel: input scale · weight scale / output scale.
    pub multipliers: Vec<Multiplier>,
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// Zero point of the output, and the bounds of the activation in its integers.
    pub range: OutputRange,
}

impl IntegerLayer {
    /// As the packing functions of `smolnn::fixed::pack` take them.
    pub fn weights(&self) -> Weights<'_> {
        Weights {
            values: &self.values,
            bias: &self.bias,
            multipliers: &self.multipliers,
            input_zero_point: self.input_zero_point,
        }
    }
}

/// Scale and zero point of an int8 tensor whose values look like `data`: the least range that holds them and 0.
///
/// # Errors
/// [`Error::Calibration`] when the data are empty, all 0, or not finite.
pub fn spanning(data: &[f32]) -> Result<Affine> {
    let least = data.iter().copied().fold(0.0_f32, f32::min);
    let largest = data.iter().copied().fold(0.0_f32, f32::max);
    if data.iter().any(|value| !value.is_finite()) || least == largest {
        return Err(Error::Calibration("the calibration data need finite values that are not all 0".into()));
    }
    Ok(affine((least.into(), largest.into()), Element::I8))
}

/// Quantises a dense layer (`Axis::First`), a convolution (`Axis::First`) or a depthwise convolution (`Axis::Last`). `bias` holds a value per output
/// channel, or none at all.
///
/// # Errors
/// [`Error::Calibration`] when lengths do not fit each other, a value is not finite, or the scales give a multiplier of 2^30 or more.
pub fn quantise_layer(
    weights: &[f32],
    bias: &[f32],
    axis: Axis,
    input: Affine,
    output: Affine,
    activation: FusedActivation,
) -> Result<IntegerLayer> {
    let channels = axis.channels();
    if channels == 0 || weights.is_empty() || !weights.len().is_multiple_of(channels) {
        return Err(Error::Calibration(format!("{} weights do not make {channels} output channels", weights.len())));
    }
    if !bias.is_empty() && bias.len() != channels {
        return Err(Error::Calibration(format!("{} biases for {channels} output channels", bias.len())));
    }
    if let Some(value) = weights.iter().chain(bias).find(|value| !value.is_finite()) {
        return Err(Error::Calibration(format!("a weight or bias is {value}")));
    }
    let rows = IntegerRows::new(weights, bias, axis, input.scale);
    let multiplier = |&scale: &f32| {
        let factor = f64::from(input.scale) * f64::from(scale) / f64::from(output.scale);
        Multiplier::try_from_f64(factor).map_err(|error| Error::Calibration(error.to_string()))
    };
    let multipliers = rows.scales.iter().map(multiplier).collect::<Result<_>>()?;
    let range = activation.range(output.scale, output.zero_point, -128, 127);
    let bias = if bias.is_empty() { vec![0; channels] } else { rows.bias.iter().map(|&bias| bias as i32).collect() };
    let IntegerRows { values, scales, .. } = rows;
    Ok(IntegerLayer { values, scales, bias, multipliers, input_zero_point: input.zero_point, range })
}

/// Weights and biases of finite real numbers in integers, whatever the output.
pub(crate) struct IntegerRows {
    pub values: Vec<i8>,
    pub scales: Vec<f32>,
    /// Each below 2^30 in size, in steps of input scale · weight scale; empty without biases.
    pub bias: Vec<i64>,
}

impl IntegerRows {
    /// For an input of this scale.
    pub fn new(weights: &[f32], bias: &[f32], axis: Axis, input_scale: f32) -> Self {
        let (length, input_scale) = (weights.len(), f64::from(input_scale));
        let mut largest = vec![0.0_f64; axis.channels()];
        for (index, &weight) in weights.iter().enumerate() {
            let channel = &mut largest[axis.channel(index, length)];
            *channel = channel.max(f64::from(weight).abs());
        }
        let of_bias = |channel: usize| bias.get(channel).map_or(0.0, |&bias| f64::from(bias));
        // Rounded to f32 before anything is divided by it: the kernels see the rounded scale.
        let scale = |(channel, &largest): (usize, &f64)| {
            // A channel of zeros only has its bias, which needs steps of its own.
            let steps = if largest == 0.0 { LARGEST_BIAS / 1024.0 } else { LARGEST_BIAS };
            let for_bias = of_bias(channel).abs() / input_scale / steps;
            (largest / LARGEST_WEIGHT).max(for_bias).max(LEAST_SCALE) as f32
        };
        let scales: Vec<f32> = largest.iter().enumerate().map(scale).collect();
        let value = |(index, &weight): (usize, &f32)| {
            round(f64::from(weight) / f64::from(scales[axis.channel(index, length)])).clamp(-127, 127) as i8
        };
        let values = weights.iter().enumerate().map(value).collect();
        let steps = |channel: usize| round(of_bias(channel) / (input_scale * f64::from(scales[channel]))).into();
        let bias = if bias.is_empty() { Vec::new() } else { (0..axis.channels()).map(steps).collect() };
        Self { values, scales, bias }
    }

    /// The real numbers that the integers stand for.
    pub fn reals(&self, axis: Axis) -> Vec<f32> {
        let real =
            |(index, &value): (usize, &i8)| f32::from(value) * self.scales[axis.channel(index, self.values.len())];
        self.values.iter().enumerate().map(real).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Channels along the first and the last dimension, a channel of zeros, and a bias that needs a coarser scale.
    #[test]
    fn every_channel_has_its_scale() {
        let rows = IntegerRows::new(&[1.0, -0.5, 0.0, 0.0, 1e-9, 0.0], &[0.0, 0.25, 100.0], Axis::First(3), 0.01);
        assert_eq!(rows.values[..4], [127, -64, 0, 0]);
        assert!(rows.bias.iter().all(|bias| bias.abs() <= 1 << 30), "{:?}", rows.bias);
        for (channel, bias) in [(1, 0.25), (2, 100.0)] {
            let real = rows.bias[channel] as f64 * f64::from(rows.scales[channel]) * f64::from(0.01_f32);
            assert!((real - bias).abs() < 1e-6 * bias, "{real}");
        }
        let last = IntegerRows::new(&[1.0, 10.0, -0.5, 5.0], &[], Axis::Last(2), 0.01);
        assert_eq!(last.values, [127, 127, -64, 64]);
        assert!(
            last.reals(Axis::Last(2))
                .iter()
                .zip([1.0, 10.0, -0.5, 5.0])
                .all(|(a, b)| (a - b).abs() < 0.04 * b.abs() + 0.01)
        );
    }

    #[test]
    fn wrong_layers_are_refused() {
        let affine = Affine::new(0.1, 0);
        let layer = |weights: &[f32], bias: &[f32], axis| {
            quantise_layer(weights, bias, axis, affine, affine, FusedActivation::None)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert!(layer(&[1.0; 5], &[], Axis::First(2)).contains("5 weights do not make 2"));
        assert!(layer(&[1.0; 4], &[1.0], Axis::First(2)).contains("1 biases for 2"));
        assert!(layer(&[f32::INFINITY; 4], &[], Axis::Last(2)).contains("is inf"));
        assert!(spanning(&[0.0]).is_err() && spanning(&[f32::NAN, 1.0]).is_err());
    }
}
