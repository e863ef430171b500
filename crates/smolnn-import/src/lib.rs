//! Compiles `.tflite` models to Rust source for smolnn.
mod error;
mod graph;
mod schema;
pub use error::{Error, Problem, Result};
pub use graph::*;
