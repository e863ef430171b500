//! Layers that own their parameters, with all lengths in the type. Dense layers and convolutions check nothing at run time and cannot
//! fail; recurrent ones check stash and scratch.
//!
//! | layer | parameters of the type |
//! |---|---|
//! | [`Dense`] | number, inputs, outputs |
//! | [`Conv2d`], [`DepthwiseConv2d`], [`Conv1d`] | number, elements of the input, weights, output channels, elements of the output |
//! | [`SimpleRnn`], [`Gru`], [`Lstm`] | number, inputs, units, state of an LSTM, all parameters |
//!
//! Arguments come in one order everywhere: the layer; the state; the input, then the output; stash and scratch. A backward pass takes
//! what the forward pass took and left, then ∂L/∂y, then what it **adds** to: ∂L/∂x, where it is wanted, and the gradients of
//! the layer's own parameters. `forward_batch` and `backward_batch` take any number of samples.
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
//!         net.head.backward(&h, &d_y, Some(&mut d_h), &mut gradients.head);
//!         for (d, h) in d_h.iter_mut().zip(h) {
//!             *d *= 1.0 - h * h;
//!         }
//!         net.hidden.backward(x, &d_h, None, &mut gradients.hidden);
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

mod conv;
mod dense;
mod recurrent;

pub use conv::{Conv1d, Conv2d, DepthwiseConv2d};
pub use dense::Dense;
pub use recurrent::{Gru, Lstm, Recurrent, SimpleRnn};
