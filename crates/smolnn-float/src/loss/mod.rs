//! Losses, each with its gradient.
//!
//! A loss is the mean over its elements or rows. It returns its value and **writes** the gradient: nothing comes before it
//! that could accumulate.

mod binary;
mod cross_entropy;
mod regression;

pub use binary::binary_cross_entropy;
pub use cross_entropy::cross_entropy;
pub use regression::{huber, mean_absolute, mean_squared};
