//! Weights rounded for the data.
//!
//! Rounding each weight of a row to the nearest integer makes its error least, and not that of the sums which the layer computes. Their mean squared error
//! over the data is δᵀ M δ, with the errors δ of the row's weights and M the mean of x xᵀ over the inputs x of the sums. Where inputs are alike, as
//! neighbours in an image are, and all those behind a ReLU, errors of opposite signs make up for each other.
//!
//! With M = L Lᵀ the error is |Lᵀ δ|². From the last weight to the first, each one is rounded so that its component of Lᵀ δ is least, given the errors
//! behind it (Babai, *On Lovász' lattice reduction and the nearest lattice point problem*, 1986, his nearest plane; GPTQ by Frantar and others, 2022, rounds so
//! as well). A row for which that is no better than the nearest integers keeps these.

use super::convert::reals;
use super::layers::IntegerRows;
use super::range::{Observed, RangeMethod, affine};
use crate::net::{Axis, Element, Layer, Net, Operator, Padding, SlidingWindow, TensorId, View};

/// Most inputs of a sum for which M is kept: its size is their square.
const MOST_INPUTS: usize = 400;
/// About so many sums of a layer make up M.
const MOST_SUMS: usize = 8192;
/// What is added to the diagonal of M, as a share of its mean: M comes from few data, and inputs may depend on each other.
const RIDGE: f64 = 0.01;
/// Largest int8 weight.
const LARGEST: f64 = 127.0;

/// What the inputs of a layer's sums were over the data.
pub(crate) struct Moments {
    layer: Layer,
    input: TensorId,
    sums: Sums,
    /// Every so many sums, one is counted.
    step: usize,
    /// Sums that were met.
    met: usize,
    /// Sums of x xᵀ: the lower triangle, row by row.
    products: Vec<f64>,
    /// The inputs of one sum.
    inputs: Vec<f32>,
}

/// What the inputs of a layer's sums are.
enum Sums {
    /// The last dimension.
    Rows,
    /// Windows of an image.
    Windows { image: [usize; 3], kernel: [usize; 2], window: SlidingWindow, outputs: [usize; 2] },
}

impl Moments {
    /// For the layer at a position, where it is a dense layer or a convolution without groups whose sums are not too long.
    pub fn of(net: &Net, position: usize, samples: usize) -> Option<Self> {
        let node = &net.nodes[position];
        let view = View { net, node };
        let layer = Layer::of(&view)?;
        let (input, output) = (view.optional_input(layer.input)?, *node.outputs.first()?);
        let (x, weights) = (&net.tensors[input].shape[..], &net.tensors[view.optional_input(layer.weights)?].shape[..]);
        let count: usize = weights[1..].iter().product();
        let sums = match &node.operator {
            Operator::Dense { .. } => Sums::Rows,
            Operator::Conv2d { window, .. } => {
                let (&[_, height, width, channels], &[_, rows, columns, depth]) = (x, weights) else { return None };
                let &[_, down, across, _] = &net.tensors[output].shape[..] else { return None };
                if depth != channels {
                    return None;
                }
                let (image, outputs) = ([height, width, channels], [down, across]);
                Sums::Windows { image, kernel: [rows, columns], window: *window, outputs }
            }
            _ => return None,
        };
        if count == 0 || count > MOST_INPUTS {
            return None;
        }
        let all = samples * (net.tensors[output].len() / layer.axis.channels());
        let (products, inputs) = (vec![0.0; count * (count + 1) / 2], vec![0.0; count]);
        Some(Self { layer, input, sums, step: all.div_ceil(MOST_SUMS).max(1), met: 0, products, inputs })
    }

    /// The tensor that the layer reads.
    pub fn input(&self) -> TensorId {
        self.input
    }

    /// Counts the values of the input in one sample.
    pub fn add(&mut self, values: &[f32]) {
        let count = self.inputs.len();
        match self.sums {
            Sums::Rows => {
                for row in values.chunks_exact(count) {
                    if self.is_next() {
                        self.inputs.copy_from_slice(row);
                        self.count_inputs();
                    }
                }
            }
            Sums::Windows { image, kernel, window, outputs } => {
                for image_of_batch in values.chunks_exact(image.iter().product()) {
                    for at in 0..outputs[0] * outputs[1] {
                        if self.is_next() {
                            let at = [at / outputs[1], at % outputs[1]];
                            gather(image_of_batch, image, kernel, &window, outputs, at, &mut self.inputs);
                            self.count_inputs();
                        }
                    }
                }
            }
        }
    }

    fn is_next(&mut self) -> bool {
        self.met += 1;
        (self.met - 1).is_multiple_of(self.step)
    }

    fn count_inputs(&mut self) {
        let mut at = 0;
        for (row, &x) in self.inputs.iter().enumerate() {
            if x != 0.0 {
                let products = &mut self.products[at..=at + row];
                products.iter_mut().zip(&self.inputs).for_each(|(product, &y)| *product += f64::from(x) * f64::from(y));
            }
            at += row + 1;
        }
    }

    /// The layer's weights as multiples of the scales of their channels; `None` where no row is better than its nearest integers.
    pub fn rounded(&self, net: &Net, position: usize, of_input: &Observed) -> Option<Vec<f32>> {
        let input_scale = affine(of_input.range(RangeMethod::MinMax), Element::I8).scale;
        let view = View { net, node: &net.nodes[position] };
        let constant = |index: usize| view.optional_input(index).map_or(Vec::new(), |id| reals(view.tensor(id)));
        let (weights, bias) = (constant(self.layer.weights), constant(self.layer.bias));
        let nearest = IntegerRows::new(&weights, &bias, self.layer.axis, input_scale);
        debug_assert!(matches!(self.layer.axis, Axis::First(_)), "a row is a stretch of the weights");
        let triangle = self.triangle();
        let mut rounded = nearest.reals(self.layer.axis);
        let mut any = false;
        let count = self.inputs.len();
        for (row, (&scale, to)) in nearest.scales.iter().zip(rounded.chunks_exact_mut(count)).enumerate() {
            let exact: Vec<f64> =
                weights[row * count..][..count].iter().map(|&weight| f64::from(weight) / f64::from(scale)).collect();
            let integers = nearest_plane(&exact, &triangle);
            let kept: Vec<f64> = nearest.values[row * count..][..count].iter().map(|&value| value.into()).collect();
            if self.error(&exact, &integers) < self.error(&exact, &kept) {
                to.iter_mut().zip(integers).for_each(|(to, integer)| *to = integer as f32 * scale);
                any = true;
            }
        }
        any.then_some(rounded)
    }

    /// The squared error of a row's sums, but for a factor.
    fn error(&self, exact: &[f64], integers: &[f64]) -> f64 {
        let errors: Vec<f64> = exact.iter().zip(integers).map(|(exact, integer)| exact - integer).collect();
        let (mut at, mut sum) = (0, 0.0);
        for (row, error) in errors.iter().enumerate() {
            let before: f64 = self.products[at..at + row].iter().zip(&errors).map(|(m, other)| m * other).sum();
            sum += error * (2.0 * before + self.products[at + row] * error);
            at += row + 1;
        }
        sum
    }

    /// L of M = L Lᵀ by Cholesky's method: the lower triangle, row by row.
    fn triangle(&self) -> Vec<f64> {
        let count = self.inputs.len();
        let trace: f64 = (0..count).map(|row| self.products[start(row) + row]).sum();
        let ridge = (RIDGE * trace / count as f64).max(f64::MIN_POSITIVE);
        let mut lower = self.products.clone();
        for row in 0..count {
            for column in 0..=row {
                let (of_row, of_column) = (&lower[start(row)..][..column], &lower[start(column)..][..column]);
                let product: f64 = of_row.iter().zip(of_column).map(|(a, b)| a * b).sum();
                let rest = lower[start(row) + column] - product;
                // The ridge makes the rest of the diagonal positive, but for what sums of f64 lose.
                lower[start(row) + column] =
                    if column == row { (rest + ridge).max(ridge).sqrt() } else { rest / lower[start(column) + column] };
            }
        }
        lower
    }
}

/// Where a row of a lower triangle starts.
fn start(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Integers for a row of weights. The largest weight stays, since the row's scale comes from it.
fn nearest_plane(exact: &[f64], lower: &[f64]) -> Vec<f64> {
    let magnitude = |&index: &usize| exact[index].abs();
    let largest = (0..exact.len()).max_by(|a, b| magnitude(a).total_cmp(&magnitude(b)));
    let mut integers = vec![0.0; exact.len()];
    // Per weight, the sum of L times the errors of the weights behind it.
    let mut behind = vec![0.0; exact.len()];
    for index in (0..exact.len()).rev() {
        let row = &lower[start(index)..][..=index];
        let target = if Some(index) == largest { exact[index] } else { exact[index] + behind[index] / row[index] };
        integers[index] = target.round().clamp(-LARGEST, LARGEST);
        let error = exact[index] - integers[index];
        behind[..index].iter_mut().zip(row).for_each(|(behind, l)| *behind += l * error);
    }
    integers
}

/// The inputs of the sum at a place of the output: zeros where the window lies outside of the image.
fn gather(
    values: &[f32],
    [height, width, channels]: [usize; 3],
    [rows, columns]: [usize; 2],
    window: &SlidingWindow,
    outputs: [usize; 2],
    at: [usize; 2],
    inputs: &mut [f32],
) {
    let (lengths, kernel) = ([height, width], [rows, columns]);
    let before = |axis: usize| match window.padding {
        Padding::Valid => 0,
        Padding::Explicit { top, left, .. } => [top, left][axis],
        Padding::Same => {
            let reach = (outputs[axis] - 1) * window.stride[axis] + (kernel[axis] - 1) * window.dilation[axis] + 1;
            reach.saturating_sub(lengths[axis]) / 2
        }
    };
    let place = |axis: usize, tap: usize| {
        let place = at[axis] * window.stride[axis] + tap * window.dilation[axis];
        place.checked_sub(before(axis)).filter(|&place| place < lengths[axis])
    };
    for (tap, to) in inputs.chunks_exact_mut(channels).enumerate() {
        match (place(0, tap / columns), place(1, tap % columns)) {
            (Some(y), Some(x)) => to.copy_from_slice(&values[(y * width + x) * channels..][..channels]),
            _ => to.fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Activation, Constant, Node, RemovedChannels, Tensor};

    fn random(seed: &mut u32) -> f32 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / (1 << 24) as f32
    }

    /// A net of one layer, with random weights of this shape.
    fn net(operator: Operator, x: &[usize], weights: &[usize], y: &[usize], seed: &mut u32) -> Net {
        let values = (0..weights.iter().product()).flat_map(|_| (random(seed) - 0.5).to_le_bytes()).collect();
        let tensor = |shape: &[usize], data| Tensor::new("tensor".into(), Element::F32, shape.to_vec(), data);
        Net {
            tensors: vec![tensor(x, None), tensor(weights, Some(Constant::new(values))), tensor(y, None)],
            nodes: vec![Node {
                index: 0,
                name: String::new(),
                operator,
                inputs: vec![Some(0), Some(1)],
                outputs: vec![2],
            }],
            inputs: vec![0],
            outputs: vec![2],
            removed: RemovedChannels::default(),
        }
    }

    /// Inputs that share a part, as those behind a ReLU do: the sums err by less than half of what nearest integers give, and the weights stay multiples
    /// of the scales.
    #[test]
    fn sums_err_less_than_those_of_nearest_integers() {
        let seed = &mut 1;
        let dense = Operator::Dense { keep_dims: false, activation: Activation::None, narrow_sums: false };
        let net = net(dense, &[1, 24], &[6, 24], &[1, 6], seed);
        let mut moments = Moments::of(&net, 0, 100).unwrap();
        let mut observed = Observed::new(24);
        let samples: Vec<Vec<f32>> = (0..100)
            .map(|_| {
                let shared = random(seed);
                (0..24).map(|_| shared + 0.3 * random(seed)).collect()
            })
            .collect();
        for sample in &samples {
            moments.add(sample);
            observed.add(sample).unwrap();
        }
        let exact = reals(&net.tensors[1]);
        let rounded = moments.rounded(&net, 0, &observed).unwrap();
        let nearest = IntegerRows::new(&exact, &[], Axis::First(6), 1.0).reals(Axis::First(6));
        let error = |weights: &[f32]| -> f64 {
            let sum = |row: &[f32], x: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(w * x)).sum::<f64>();
            let rows = || weights.chunks_exact(24).zip(exact.chunks_exact(24));
            samples.iter().flat_map(|x| rows().map(|(w, exact)| (sum(w, x) - sum(exact, x)).powi(2))).sum()
        };
        assert!(error(&rounded) < 0.5 * error(&nearest), "{} {}", error(&rounded), error(&nearest));
        assert_eq!(IntegerRows::new(&rounded, &[], Axis::First(6), 1.0).reals(Axis::First(6)), rounded);
    }

    /// The sums of a convolution: their squares, as M gives them, are those of windows over an image with zeros around it.
    #[test]
    fn windows_are_those_of_the_convolution() {
        let seed = &mut 2;
        let explicit = Padding::Explicit { top: 0, bottom: 0, left: 4, right: 0 };
        for (kernel, stride, dilation, padding, before, y) in [
            ([3, 3], [2, 2], [1, 1], Padding::Same, [0, 1], [3, 4]),
            ([1, 3], [1, 1], [1, 2], explicit, [0, 4], [6, 7]),
            ([2, 2], [1, 2], [1, 1], Padding::Valid, [0, 0], [5, 3]),
        ] {
            let window = SlidingWindow { stride, dilation, padding };
            let operator = Operator::Conv2d { window, activation: Activation::None, narrow_sums: false };
            let net = net(operator, &[1, 6, 7, 2], &[1, kernel[0], kernel[1], 2], &[1, y[0], y[1], 1], seed);
            let image: Vec<f32> = (0..6 * 7 * 2).map(|_| random(seed)).collect();
            let mut moments = Moments::of(&net, 0, 1).unwrap();
            moments.add(&image);
            let weights = reals(&net.tensors[1]);
            let mut expected = 0.0;
            for at in 0..y[0] * y[1] {
                let mut sum = 0.0;
                for (index, weight) in weights.iter().enumerate() {
                    let (tap, channel) = (index / 2, index % 2);
                    let down = at / y[1] * stride[0] + tap / kernel[1] * dilation[0];
                    let across = at % y[1] * stride[1] + tap % kernel[1] * dilation[1];
                    if (before[0]..before[0] + 6).contains(&down) && (before[1]..before[1] + 7).contains(&across) {
                        let value = image[((down - before[0]) * 7 + across - before[1]) * 2 + channel];
                        sum += f64::from(weight * value);
                    }
                }
                expected += sum * sum;
            }
            let exact: Vec<f64> = weights.iter().map(|&weight| weight.into()).collect();
            let found = moments.error(&exact, &vec![0.0; exact.len()]);
            assert!((found - expected).abs() < 1e-5 * expected, "{window:?}: {found} {expected}");
        }
    }
}
