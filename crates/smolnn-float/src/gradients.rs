//! Where a backward pass adds its gradients.

use smolnn_core::ShapeError;

use crate::slices::check_optional;

/// Where a backward pass **adds** its gradients; `None` where one is not wanted. Fill with zeros before the first sample.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// ∂L/∂x, as long as the input. The first layer of a network needs none.
    pub input: Option<&'a mut [T]>,
    /// ∂L/∂W, as long as the weights.
    pub weights: Option<&'a mut [T]>,
    /// ∂L/∂b, one per output channel.
    pub bias: Option<&'a mut [T]>,
}

impl<T> Default for Gradients<'_, T> {
    fn default() -> Self {
        Self { input: None, weights: None, bias: None }
    }
}

impl<T> Gradients<'_, T> {
    pub(crate) fn check(&self, input: usize, weights: usize, bias: usize) -> Result<(), ShapeError> {
        check_optional("the gradient of the input", input, self.input.as_deref())?;
        check_optional("the gradient of the weights", weights, self.weights.as_deref())?;
        check_optional("the gradient of the bias", bias, self.bias.as_deref())
    }
}
