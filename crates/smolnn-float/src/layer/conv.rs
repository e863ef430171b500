//! Convolutions with their lengths in the type.

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, ShapeError};

use crate::conv::{conv2d, depthwise};
use crate::init::Fans;
use crate::random::Pcg32;
use crate::{Gradients, Parameter, Real};

/// A layer over a convolution: its documentation, its name, its shape, the order of its weights, its fans, its kernel.
macro_rules! convolution {
    ($(#[$documentation:meta])+ $layer:ident, $shape:ident, $order:literal, $fans:ident, $kernel:ident) => {
        $(#[$documentation])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $layer<T, const IN: usize, const W: usize, const C: usize, const OUT: usize> {
            shape: $shape,
            #[doc = $order]
            pub weights: [T; W],
            /// One per output channel.
            pub bias: [T; C],
        }

        impl<T: Real, const IN: usize, const W: usize, const C: usize, const OUT: usize> $layer<T, IN, W, C, OUT> {
            /// Weights and biases.
            pub const PARAMETERS: usize = W + C;

            /// All zeros.
            ///
            /// # Errors
            /// [`ShapeError::Length`] when the type's lengths are not those of the shape.
            pub const fn zeros(shape: $shape) -> Result<Self, ShapeError> {
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
            /// The errors are those of [`zeros`](Self::zeros).
            pub fn random(
                shape: $shape,
                initialise: impl Fn(Fans, &mut Pcg32, &mut [T]),
                generator: &mut Pcg32,
            ) -> Result<Self, ShapeError> {
                let mut layer = Self::zeros(shape)?;
                initialise(Fans::$fans(&shape), generator, &mut layer.weights);
                Ok(layer)
            }

            /// The shape.
            pub const fn shape(&self) -> &$shape {
                &self.shape
            }

            /// y = W ⋆ x + b.
            pub fn forward(&self, input: &[T; IN]) -> [T; OUT] {
                let mut output = [T::ZERO; OUT];
                $kernel::run_forward(&self.shape, &self.weights, Some(&self.bias), input, &mut output);
                output
            }

            /// y = W ⋆ x + b for every sample of a batch.
            pub fn forward_batch<const N: usize>(&self, input: &[[T; IN]; N], output: &mut [[T; OUT]; N]) {
                for (input, output) in input.iter().zip(output) {
                    $kernel::run_forward(&self.shape, &self.weights, Some(&self.bias), input, output);
                }
            }

            /// Adds ∂L/∂x to `d_input`, where it is wanted, and ∂L/∂W and ∂L/∂b to `gradients`.
            pub fn backward(
                &self,
                input: &[T; IN],
                d_output: &[T; OUT],
                d_input: Option<&mut [T; IN]>,
                gradients: &mut Self,
            ) {
                let gradients = Gradients {
                    input: d_input.map(<[T; IN]>::as_mut_slice),
                    weights: Some(&mut gradients.weights),
                    bias: Some(&mut gradients.bias),
                };
                $kernel::run_backward(&self.shape, &self.weights, input, d_output, gradients);
            }

            /// [`backward`](Self::backward) of every sample of a batch.
            pub fn backward_batch<const N: usize>(
                &self,
                input: &[[T; IN]; N],
                d_output: &[[T; OUT]; N],
                d_input: Option<&mut [[T; IN]; N]>,
                gradients: &mut Self,
            ) {
                let mut d_input = d_input.map(|d_input| d_input.iter_mut());
                for (input, d_output) in input.iter().zip(d_output) {
                    self.backward(input, d_output, d_input.as_mut().and_then(Iterator::next), gradients);
                }
            }

            /// Weights and bias with their gradients, for the optimiser.
            pub fn parameters<'a>(&'a mut self, gradients: &'a mut Self) -> [Parameter<'a, T>; 2] {
                [
                    Parameter::paired(&mut self.weights, &mut gradients.weights, true),
                    Parameter::paired(&mut self.bias, &mut gradients.bias, false),
                ]
            }
        }
    };
}

convolution! {
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
    Conv2d, Conv2dShape, "OHWI.", conv2d, conv2d
}

convolution! {
    /// A depthwise convolution from `IN` to `OUT` elements with `W` weights and `C` output channels. Also the gradients of one.
    DepthwiseConv2d, DepthwiseConv2dShape, "1HWC.", depthwise, depthwise
}

/// A 1-D convolution: a [`Conv2d`] over an [`Image::sequence`](smolnn_core::Image::sequence) with
/// [`WindowSize::taps`](smolnn_core::WindowSize::taps), which has no cost of its own.
pub type Conv1d<T, const IN: usize, const W: usize, const C: usize, const OUT: usize> = Conv2d<T, IN, W, C, OUT>;
