//! The dense layer with its lengths in the type.

use smolnn_core::DenseShape;

use crate::dense::{rows_backward, rows_forward};
use crate::init::Fans;
use crate::random::Pcg32;
use crate::{Gradients, Parameter, Real};

/// A dense layer from `I` to `O` elements: y = W x + b. Also the gradients of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dense<T, const I: usize, const O: usize> {
    /// `[output][input]`.
    pub weights: [[T; I]; O],
    /// One per output.
    pub bias: [T; O],
}

impl<T: Real, const I: usize, const O: usize> Dense<T, I, O> {
    /// The shape; a layer without inputs or outputs does not compile.
    pub const SHAPE: DenseShape = match DenseShape::new(1, I, O) {
        Ok(shape) => shape,
        Err(error) => error.fail(),
    };

    /// Weights and biases.
    pub const PARAMETERS: usize = I * O + O;

    /// All zeros: where gradients start, and biases.
    pub const fn zeros() -> Self {
        const { assert!(I > 0 && O > 0, "a dense layer has inputs and outputs") };
        Self { weights: [[T::ZERO; I]; O], bias: [T::ZERO; O] }
    }

    /// Weights drawn by one of the [initialisers](crate::init), biases zero.
    pub fn random(initialise: impl Fn(Fans, &mut Pcg32, &mut [T]), generator: &mut Pcg32) -> Self {
        let mut layer = Self::zeros();
        initialise(Fans::dense(&Self::SHAPE), generator, layer.weights.as_flattened_mut());
        layer
    }

    /// y = W x + b.
    pub fn forward(&self, input: &[T; I]) -> [T; O] {
        let mut output = [T::ZERO; O];
        rows_forward(I, O, self.weights.as_flattened(), Some(&self.bias), input, &mut output);
        output
    }

    /// y = W x + b for every sample of a batch.
    pub fn forward_batch<const N: usize>(&self, input: &[[T; I]; N], output: &mut [[T; O]; N]) {
        let (input, output) = (input.as_flattened(), output.as_flattened_mut());
        rows_forward(I, O, self.weights.as_flattened(), Some(&self.bias), input, output);
    }

    /// Adds ∂L/∂x to `d_input`, where it is wanted, and ∂L/∂W and ∂L/∂b to `gradients`.
    pub fn backward(&self, input: &[T; I], d_output: &[T; O], d_input: Option<&mut [T; I]>, gradients: &mut Self) {
        self.add_gradients(input, d_output, d_input.map(<[T; I]>::as_mut_slice), gradients);
    }

    /// [`backward`](Self::backward) of every sample of a batch.
    pub fn backward_batch<const N: usize>(
        &self,
        input: &[[T; I]; N],
        d_output: &[[T; O]; N],
        d_input: Option<&mut [[T; I]; N]>,
        gradients: &mut Self,
    ) {
        let d_input = d_input.map(|d_input| d_input.as_flattened_mut());
        self.add_gradients(input.as_flattened(), d_output.as_flattened(), d_input, gradients);
    }

    #[inline(always)]
    fn add_gradients(&self, input: &[T], d_output: &[T], d_input: Option<&mut [T]>, gradients: &mut Self) {
        let gradients = Gradients {
            input: d_input,
            weights: Some(gradients.weights.as_flattened_mut()),
            bias: Some(&mut gradients.bias),
        };
        rows_backward(I, O, self.weights.as_flattened(), input, d_output, gradients);
    }

    /// Weights and bias with their gradients, for the optimiser.
    pub fn parameters<'a>(&'a mut self, gradients: &'a mut Self) -> [Parameter<'a, T>; 2] {
        [
            Parameter::paired(self.weights.as_flattened_mut(), gradients.weights.as_flattened_mut(), true),
            Parameter::paired(&mut self.bias, &mut gradients.bias, false),
        ]
    }
}
