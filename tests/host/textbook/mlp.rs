//! A chain of dense layers with one activation between them, built from the library's kernels.

use smolnn_core::DenseShape;
use smolnn_float::optimiser::Optimiser;
use smolnn_float::random::Pcg32;
use smolnn_float::{Gradients, Parameter, Real, dense, init};

/// Activation with a derivative that its output determines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Linear,
    Relu,
    Tanh,
    Sigmoid,
}

impl Activation {
    pub fn forward(self, z: f64) -> f64 {
        match self {
            Self::Linear => z,
            Self::Relu => Real::max(z, 0.0),
            Self::Tanh => Real::tanh(z),
            Self::Sigmoid => Real::sigmoid(z),
        }
    }

    /// f′(z) from y = f(z).
    pub fn derivative(self, y: f64) -> f64 {
        match self {
            Self::Linear => 1.0,
            Self::Relu => f64::from(y > 0.0),
            Self::Tanh => 1.0 - y * y,
            Self::Sigmoid => y * (1.0 - y),
        }
    }
}

pub struct Layer {
    pub shape: DenseShape,
    pub activation: Activation,
    pub weights: Vec<f64>,
    pub bias: Vec<f64>,
    pub d_weights: Vec<f64>,
    pub d_bias: Vec<f64>,
}

pub struct Mlp {
    pub layers: Vec<Layer>,
}

impl Mlp {
    /// Layers of the given widths, all weights and biases 0.
    pub fn zeros(widths: &[usize], hidden: Activation, output: Activation) -> Self {
        let last = widths.len() - 2;
        let layers = widths.windows(2).enumerate().map(|(index, pair)| {
            let shape = DenseShape::new(1, pair[0], pair[1]).unwrap();
            Layer {
                shape,
                activation: if index == last { output } else { hidden },
                weights: vec![0.0; shape.weights()],
                bias: vec![0.0; shape.outputs()],
                d_weights: vec![0.0; shape.weights()],
                d_bias: vec![0.0; shape.outputs()],
            }
        });
        Self { layers: layers.collect() }
    }

    /// The same with random weights: He for ReLU, Xavier otherwise.
    pub fn random(widths: &[usize], hidden: Activation, output: Activation, generator: &mut Pcg32) -> Self {
        let mut net = Self::zeros(widths, hidden, output);
        for layer in &mut net.layers {
            let fans = init::Fans::dense(&layer.shape);
            match hidden {
                Activation::Relu => init::he_normal(fans, generator, &mut layer.weights),
                _ => init::xavier_uniform(fans, generator, &mut layer.weights),
            }
        }
        net
    }

    /// The input and every layer's output.
    pub fn forward(&self, input: &[f64]) -> Vec<Vec<f64>> {
        let mut outputs = vec![input.to_vec()];
        for layer in &self.layers {
            let mut y = vec![0.0; layer.shape.outputs()];
            dense::forward(&layer.shape, &layer.weights, Some(&layer.bias), outputs.last().unwrap(), &mut y).unwrap();
            outputs.push(y.iter().map(|&z| layer.activation.forward(z)).collect());
        }
        outputs
    }

    /// Adds the gradients, given what `forward` gave and ∂L/∂y.
    pub fn backward(&mut self, outputs: &[Vec<f64>], d_output: &[f64]) {
        let mut delta = d_output.to_vec();
        for (index, layer) in self.layers.iter_mut().enumerate().rev() {
            for (d, &y) in delta.iter_mut().zip(&outputs[index + 1]) {
                *d *= layer.activation.derivative(y);
            }
            let mut d_input = vec![0.0; layer.shape.inputs()];
            let gradients = Gradients {
                input: Some(&mut d_input),
                weights: Some(&mut layer.d_weights),
                bias: Some(&mut layer.d_bias),
            };
            dense::backward(&layer.shape, &layer.weights, &outputs[index], &delta, gradients).unwrap();
            delta = d_input;
        }
    }

    /// One step of an optimiser; the gradients start again at 0.
    pub fn step(&mut self, optimiser: &mut impl Optimiser<f64>, state: &mut [f64]) {
        let mut parameters = Vec::new();
        for layer in &mut self.layers {
            parameters.push(Parameter::weights(&mut layer.weights, &mut layer.d_weights).unwrap());
            parameters.push(Parameter::bias(&mut layer.bias, &mut layer.d_bias).unwrap());
        }
        optimiser.step(&mut parameters, state).unwrap();
        for parameter in &mut parameters {
            parameter.clear();
        }
    }
}
