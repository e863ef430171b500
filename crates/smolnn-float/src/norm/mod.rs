//! Normalisation: per channel over a batch ([`batch`]), per row over its elements ([`layer`]).

pub mod batch;
pub mod layer;

use smolnn_core::{Cost, ShapeError};

use crate::Rows;

/// Where a normalisation adds its gradients; `None` where one is not wanted.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// ∂L/∂x, as long as the input.
    pub input: Option<&'a mut [T]>,
    /// ∂L/∂γ, one per channel.
    pub gamma: Option<&'a mut [T]>,
    /// ∂L/∂β, one per channel.
    pub beta: Option<&'a mut [T]>,
}

impl<T> Default for Gradients<'_, T> {
    fn default() -> Self {
        Self { input: None, gamma: None, beta: None }
    }
}

impl<T> Gradients<'_, T> {
    fn check(&self, shape: &Rows) -> Result<(), ShapeError> {
        use crate::slices::check_optional;
        check_optional("the gradient of the input", shape.elements(), self.input.as_deref())?;
        check_optional("the gradient of gamma", shape.channels, self.gamma.as_deref())?;
        check_optional("the gradient of beta", shape.channels, self.beta.as_deref())
    }
}

/// What both keep: γ, β, and the input.
const fn cost(shape: &Rows) -> Cost {
    let (channels, elements) = (shape.channels, shape.elements());
    Cost { weights: channels, bias: channels, input: elements, output: elements, ..Cost::ZERO }
}
