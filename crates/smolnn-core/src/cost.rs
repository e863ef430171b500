//! What a layer costs, known at compile time: multiply-accumulates, parameters, elements to keep.
//!
//! ```
//! use smolnn_core::{DenseShape, OptimiserKind, Precision, shape, train_bytes};
//!
//! const HIDDEN: DenseShape = shape!(DenseShape::new(1, 64, 32));
//! const HEAD: DenseShape = shape!(DenseShape::new(1, 32, 10));
//! const BYTES: usize = train_bytes(&[HIDDEN.cost(), HEAD.cost()], OptimiserKind::Momentum, Precision::F32);
//! const _: () = assert!(BYTES <= 32 * 1024);
//! assert_eq!(BYTES, 4 * (3 * 2410 + 64 + 32 + 10 + 32 + 10));
//! ```
//!
//! A budget that is too small does not compile:
//!
//! ```compile_fail,E0080
//! use smolnn_core::{DenseShape, OptimiserKind, Precision, shape, train_bytes};
//!
//! const LAYER: DenseShape = shape!(DenseShape::new(1, 64, 128));
//! const _: () = assert!(train_bytes(&[LAYER.cost()], OptimiserKind::Adam, Precision::F32) <= 32 * 1024);
//! ```

use crate::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Pool2dShape};

/// What one call of a layer takes, in elements and multiply-accumulates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates forward, padding counted.
    pub macs: u64,
    /// Multiply-accumulates of the gradients of weights and input: as many as forward, each.
    pub backward_macs: u64,
    /// Weights.
    pub weights: usize,
    /// Biases, one per output channel.
    pub bias: usize,
    /// Elements of the input, which the backward pass needs again: the stash.
    pub input: usize,
    /// Elements of the output.
    pub output: usize,
    /// Elements that forward keeps for backward besides the input: statistics of a batch, gates of a sequence.
    pub kept: usize,
    /// Bytes that forward keeps for backward whatever the precision: packed indices of maxima.
    pub indices: usize,
}

impl Cost {
    /// Of nothing: for layers that have little of all this.
    pub const ZERO: Self =
        Self { macs: 0, backward_macs: 0, weights: 0, bias: 0, input: 0, output: 0, kept: 0, indices: 0 };

    const fn new(macs: u64, weights: usize, bias: usize, input: usize, output: usize) -> Self {
        Self { macs, backward_macs: 2 * macs, weights, bias, input, output, ..Self::ZERO }
    }

    /// Of the first layer of a network, whose input gradient nobody wants.
    #[must_use]
    pub const fn first(mut self) -> Self {
        self.backward_macs = self.macs;
        self
    }

    /// Without a bias.
    #[must_use]
    pub const fn unbiased(mut self) -> Self {
        self.bias = 0;
        self
    }

    /// Weights and biases.
    pub const fn parameters(&self) -> usize {
        self.weights.saturating_add(self.bias)
    }

    /// Bytes of weights and biases.
    pub const fn parameter_bytes(&self, precision: Precision) -> usize {
        self.parameters().saturating_mul(precision.bytes())
    }

    /// Bytes of their gradients: none where descent is fused into the backward pass.
    pub const fn gradient_bytes(&self, optimiser: OptimiserKind, precision: Precision) -> usize {
        self.parameter_bytes(precision).saturating_mul(optimiser.gradients())
    }

    /// Bytes of the optimiser's state.
    pub const fn optimiser_bytes(&self, optimiser: OptimiserKind, precision: Precision) -> usize {
        self.parameter_bytes(precision).saturating_mul(optimiser.states())
    }

    /// Bytes of the stash: what forward leaves for backward, the input among it.
    pub const fn stash_bytes(&self, precision: Precision) -> usize {
        self.input.saturating_add(self.kept).saturating_mul(precision.bytes()).saturating_add(self.indices)
    }
}

impl DenseShape {
    /// What one call costs.
    pub const fn cost(&self) -> Cost {
        Cost::new(self.macs(), self.weights(), self.outputs(), self.input_len(), self.output_len())
    }
}

impl Conv2dShape {
    /// What one call costs.
    pub const fn cost(&self) -> Cost {
        Cost::new(self.macs(), self.weights(), self.output().channels, self.input_len(), self.output_len())
    }

    /// Multiply-accumulates that touch input and not padding: what the kernels really do.
    pub const fn touched_macs(&self) -> u64 {
        // At most [`Conv2dShape::macs`], which fits.
        let taps = self.rows().touched_taps() * self.columns().touched_taps();
        taps * (self.batch() as u64 * self.group_inputs() as u64 * self.output().channels as u64)
    }
}

impl DepthwiseConv2dShape {
    /// What one call costs.
    pub const fn cost(&self) -> Cost {
        Cost::new(self.macs(), self.weights(), self.output().channels, self.input_len(), self.output_len())
    }
}

impl Pool2dShape {
    /// What one call costs: no multiply-accumulates, no parameters. Max pooling keeps indices besides: `max::cost` of
    /// smolnn-float.
    pub const fn cost(&self) -> Cost {
        Cost::new(0, 0, 0, self.input_len(), self.output_len())
    }
}

/// Weights and biases of a chain of dense layers of the given widths, input first: 784, 16, 10 has two layers.
pub const fn parameters(widths: &[usize]) -> usize {
    let mut sum = 0;
    let mut layer = 1;
    while layer < widths.len() {
        sum = widths[layer - 1].saturating_add(1).saturating_mul(widths[layer]).saturating_add(sum);
        layer += 1;
    }
    sum
}

/// How weights move, for the size of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimiserKind {
    /// Gradient descent with the gradient fused into the step (`backward_sgd`): no buffer for gradients.
    FusedSgd,
    /// Gradient descent.
    Sgd,
    /// With momentum, Nesterov's too.
    Momentum,
    /// RMSprop.
    RmsProp,
    /// Adagrad.
    Adagrad,
    /// Adam and AdamW.
    Adam,
}

impl OptimiserKind {
    /// Elements of state per parameter.
    pub const fn states(&self) -> usize {
        match self {
            Self::FusedSgd | Self::Sgd => 0,
            Self::Momentum | Self::RmsProp | Self::Adagrad => 1,
            Self::Adam => 2,
        }
    }

    /// Elements of gradient per parameter.
    pub const fn gradients(&self) -> usize {
        match self {
            Self::FusedSgd => 0,
            _ => 1,
        }
    }
}

/// Type of the numbers that are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 4 bytes.
    F32,
    /// 8 bytes.
    F64,
}

impl Precision {
    /// Bytes of an element.
    pub const fn bytes(&self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Bytes of RAM that training a chain of layers takes: parameters, their gradients, the optimiser's state, every layer's
/// stash, the last output, and two buffers in turns for the gradients of the activations, of which the network's input has
/// none.
///
/// Activations in place, as ReLU from its output, take nothing more. What the inputs of later layers share with the
/// outputs of earlier ones is counted once.
pub const fn train_bytes(layers: &[Cost], optimiser: OptimiserKind, precision: Precision) -> usize {
    let (mut bytes, mut last, mut even, mut odd) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut layer = 0;
    while layer < layers.len() {
        let cost = &layers[layer];
        bytes = bytes.saturating_add(cost.parameter_bytes(precision));
        bytes = bytes.saturating_add(cost.gradient_bytes(optimiser, precision));
        bytes = bytes.saturating_add(cost.optimiser_bytes(optimiser, precision));
        bytes = bytes.saturating_add(cost.stash_bytes(precision));
        // A layer may take less than what came before it left, such as the last step of a sequence; that stays all the same.
        last = last.saturating_sub(cost.input);
        bytes = bytes.saturating_add(last.saturating_mul(precision.bytes()));
        last = cost.output;
        // The gradient of this layer's input goes to one buffer, that of its output lies in the other.
        let (to, from) = if layer % 2 == 0 { (&mut even, &mut odd) } else { (&mut odd, &mut even) };
        if layer > 0 && cost.input > *to {
            *to = cost.input;
        }
        if cost.output > *from {
            *from = cost.output;
        }
        layer += 1;
    }
    let elements = last.saturating_add(even).saturating_add(odd);
    bytes.saturating_add(elements.saturating_mul(precision.bytes()))
}
