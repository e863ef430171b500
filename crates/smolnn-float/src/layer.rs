//! Layers that own their parameters, with all lengths in the type: nothing is checked at run time and nothing can fail.
//!
//! A network is a struct of them, its gradients are a second value of the same struct, and the loop is yours:
//!
//! ```
//! use smolnn_float::layer::Dense;
//! use smolnn_float::loss::mean_squared;
//! use smolnn_float::optimiser::{Adam, Optimiser};
//! use smolnn_float::random::{Pcg32, SeedableRng};
//! use smolnn_float::{Real, init};
//!
//! struct Xor { hidden: Dense<f32, 2, 8>, head: Dense<f32, 8, 1> }
//! const STATE: usize = Adam::<f32>::state_len(Dense::<f32, 2, 8>::PARAMETERS + Dense::<f32, 8, 1>::PARAMETERS);
//!
//! let mut random = Pcg32::seed_from_u64(1);
//! let mut net = Xor {
//!     hidden: Dense::random(init::xavier_uniform, &mut random),
//!     head: Dense::random(init::xavier_uniform, &mut random),
//! };
//! let mut gradients = Xor { hidden: Dense::zeros(), head: Dense::zeros() };
//! let (mut adam, mut state) = (Adam::new(0.02), [0.0; STATE]);
//! let samples = [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)];
//! for _ in 0..500 {
//!     for (x, target) in &samples {
//!         let h = net.hidden.forward(x).map(Real::tanh);
//!         let mut d_y = [0.0];
//!         mean_squared(&net.head.forward(&h), &[*target], &mut d_y)?;
//!         let mut d_h = [0.0; 8];
//!         net.head.backward(&h, &d_y, &mut gradients.head, Some(&mut d_h));
//!         for (d, h) in d_h.iter_mut().zip(h) {
//!             *d *= 1.0 - h * h;
//!         }
//!         net.hidden.backward(x, &d_h, &mut gradients.hidden, None);
//!     }
//!     let [w1, b1] = net.hidden.parameters(&mut gradients.hidden);
//!     let [w2, b2] = net.head.parameters(&mut gradients.head);
//!     let mut parameters = [w1, b1, w2, b2];
//!     adam.step(&mut parameters, &mut state)?;
//!     parameters.iter_mut().for_each(|parameter| parameter.clear());
//! }
//! for (x, target) in &samples {
//!     let y = net.head.forward(&net.hidden.forward(x).map(Real::tanh));
//!     assert!((y[0] - target).abs() < 0.1);
//! }
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```

use smolnn_core::{Conv2dShape, DenseShape, ShapeError};

use crate::conv::conv2d;
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

    /// Adds ∂L/∂W and ∂L/∂b to `gradients`, and ∂L/∂x to `d_input` where it is wanted.
    pub fn backward(&self, input: &[T; I], d_output: &[T; O], gradients: &mut Self, d_input: Option<&mut [T; I]>) {
        let gradients = Gradients {
            input: d_input.map(<[T; I]>::as_mut_slice),
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

/// A convolution from `IN` to `OUT` elements with `W` weights and `C` output channels. Also the gradients of one.
///
/// ```
/// use smolnn_core::{Conv2dShape, Image, WindowSize, Window2d, shape};
/// use smolnn_float::layer::Conv2d;
///
/// const SHAPE: Conv2dShape = shape!(Window2d::over(Image::hwc(8, 8, 1), WindowSize::hw(3, 3)).same().stride(2, 2).conv(4));
/// type Front = Conv2d<f32, { SHAPE.input_len() }, { SHAPE.weights() }, 4, { SHAPE.output_len() }>;
/// const FRONT: Front = shape!(Front::zeros(SHAPE)); // checked once, here
/// assert_eq!(FRONT.forward(&[1.0; 64]), [0.0; 64]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d<T, const IN: usize, const W: usize, const C: usize, const OUT: usize> {
    shape: Conv2dShape,
    /// OHWI.
    pub weights: [T; W],
    /// One per output channel.
    pub bias: [T; C],
}

impl<T: Real, const IN: usize, const W: usize, const C: usize, const OUT: usize> Conv2d<T, IN, W, C, OUT> {
    /// All zeros.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the type's lengths are not those of the shape.
    pub const fn zeros(shape: Conv2dShape) -> Result<Self, ShapeError> {
        let lengths = [
            ShapeError::check_length("the input", shape.input_len(), IN),
            ShapeError::check_length("the weights", shape.weights(), W),
            ShapeError::check_length("the bias", shape.output().channels, C),
            ShapeError::check_length("the output", shape.output_len(), OUT),
        ];
        let mut index = 0;
        while index < lengths.len() {
            if let Err(error) = lengths[index] {
                return Err(error);
            }
            index += 1;
        }
        Ok(Self { shape, weights: [T::ZERO; W], bias: [T::ZERO; C] })
    }

    /// Weights drawn by one of the [initialisers](crate::init), biases zero.
    ///
    /// # Errors
    /// As [`zeros`](Self::zeros).
    pub fn random(
        shape: Conv2dShape,
        initialise: impl Fn(Fans, &mut Pcg32, &mut [T]),
        generator: &mut Pcg32,
    ) -> Result<Self, ShapeError> {
        let mut layer = Self::zeros(shape)?;
        initialise(Fans::conv2d(&shape), generator, &mut layer.weights);
        Ok(layer)
    }

    /// The shape.
    pub const fn shape(&self) -> &Conv2dShape {
        &self.shape
    }

    /// y = W ⋆ x + b.
    pub fn forward(&self, input: &[T; IN]) -> [T; OUT] {
        let mut output = [T::ZERO; OUT];
        conv2d::run_forward(&self.shape, &self.weights, Some(&self.bias), input, &mut output);
        output
    }

    /// Adds ∂L/∂W and ∂L/∂b to `gradients`, and ∂L/∂x to `d_input` where it is wanted.
    pub fn backward(&self, input: &[T; IN], d_output: &[T; OUT], gradients: &mut Self, d_input: Option<&mut [T; IN]>) {
        let gradients = Gradients {
            input: d_input.map(<[T; IN]>::as_mut_slice),
            weights: Some(&mut gradients.weights),
            bias: Some(&mut gradients.bias),
        };
        conv2d::run_backward(&self.shape, &self.weights, input, d_output, gradients);
    }

    /// Weights and bias with their gradients, for the optimiser.
    pub fn parameters<'a>(&'a mut self, gradients: &'a mut Self) -> [Parameter<'a, T>; 2] {
        [
            Parameter::paired(&mut self.weights, &mut gradients.weights, true),
            Parameter::paired(&mut self.bias, &mut gradients.bias, false),
        ]
    }
}
