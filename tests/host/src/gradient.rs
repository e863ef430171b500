//! Gradients against central differences, in f64.

use smolnn_float::random::{Generator, Pcg32, uniform};

/// Gradients of given inputs and ∂L/∂y, one per input.
pub type Backward<'a> = &'a dyn Fn(&[Vec<f64>], &[f64]) -> Vec<Vec<f64>>;

/// An operator: what goes in, what comes out, and the gradients that are under test.
pub struct Operator<'a> {
    /// For the message.
    pub name: String,
    /// The tensors that have a gradient: input, weights, bias, …
    pub inputs: Vec<Vec<f64>>,
    /// The output of given inputs.
    pub forward: &'a dyn Fn(&[Vec<f64>]) -> Vec<f64>,
    /// The gradients under test.
    pub backward: Backward<'a>,
}

/// How far the analytic gradient may lie from the difference: 1e-7 + 1e-6·|g|.
pub const ABSOLUTE: f64 = 1e-7;
/// The relative part.
pub const RELATIVE: f64 = 1e-6;

impl Operator<'_> {
    /// Compares every gradient with central differences of L = Σ g·y for a random g, step 1e-6·max(1, |x|) or what is
    /// left of it. Returns the number of gradients compared.
    ///
    /// # Errors
    /// The first gradient that lies too far off.
    pub fn check(&self, generator: &mut Pcg32) -> Result<usize, String> {
        let outputs = (self.forward)(&self.inputs).len();
        let upstream = reals(generator, outputs);
        self.check_with(&upstream)
    }

    /// [`check`](Self::check) with a given ∂L/∂y.
    ///
    /// # Errors
    /// The first gradient that lies too far off.
    pub fn check_with(&self, upstream: &[f64]) -> Result<usize, String> {
        let loss =
            |inputs: &[Vec<f64>]| -> f64 { (self.forward)(inputs).iter().zip(upstream).map(|(y, g)| y * g).sum() };
        let gradients = (self.backward)(&self.inputs, upstream);
        assert_eq!(gradients.len(), self.inputs.len(), "{}: one gradient per input", self.name);
        let mut compared = 0;
        for (tensor, gradient) in gradients.iter().enumerate() {
            assert_eq!(gradient.len(), self.inputs[tensor].len(), "{}: length of gradient {tensor}", self.name);
            for (element, &analytic) in gradient.iter().enumerate() {
                let mut inputs = self.inputs.clone();
                let at = inputs[tensor][element];
                let step = 1e-6 * at.abs().max(1.0);
                let (above, below) = (at + step, at - step);
                inputs[tensor][element] = above;
                let high = loss(&inputs);
                inputs[tensor][element] = below;
                let low = loss(&inputs);
                let difference = (high - low) / (above - below);
                let error = (analytic - difference).abs();
                if error.is_nan() || error > ABSOLUTE + RELATIVE * difference.abs() {
                    return Err(format!(
                        "{}: gradient of tensor {tensor}, element {element}: {analytic}, difference {difference}",
                        self.name
                    ));
                }
                compared += 1;
            }
        }
        if compared == 0 { Err(format!("{}: nothing to compare", self.name)) } else { Ok(compared) }
    }
}

/// Uniform in [−1, 1).
pub fn reals(generator: &mut Pcg32, count: usize) -> Vec<f64> {
    (0..count).map(|_| 2.0 * uniform::<f64>(generator) - 1.0).collect()
}

/// Small integers, −9..=9.
pub fn integers(generator: &mut Pcg32, count: usize) -> Vec<i64> {
    (0..count).map(|_| below(generator, 19) as i64 - 9).collect()
}

/// Uniform in 0..bound.
pub fn below(generator: &mut Pcg32, bound: usize) -> usize {
    ((u64::from(generator.next_u32()) * bound as u64) >> 32) as usize
}

/// Uniform in low..=high.
pub fn between(generator: &mut Pcg32, low: usize, high: usize) -> usize {
    low + below(generator, high - low + 1)
}

/// Σ a·b.
pub fn inner(a: &[i64], b: &[i64]) -> i64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
