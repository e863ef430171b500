//! The kinds of gated recurrent units, for whoever makes, converts or quantises one.

/// Where the reset gate of a GRU acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// On the product of recurrent weights and state: PyTorch, cuDNN, Keras by default. Two biases.
    After,
    /// On the state, before the product: the textbook's form.
    Before,
}

/// What the update gate z of a GRU holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// h = z·h + (1 − z)·n: Keras, PyTorch, ONNX.
    HoldIsOne,
    /// h = (1 − z)·h + z·n: Chung's paper.
    HoldIsZero,
}
