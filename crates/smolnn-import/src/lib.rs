//! Compiles `.tflite` models to Rust source for smolnn.
mod emit;
mod error;
mod graph;
mod memory;
mod model;
mod operators;
mod plan;
mod program;
pub mod recurrent;
mod run;
mod schema;
mod simplify;
mod table;

pub use error::{Error, Problem, Result};
pub use graph::{Code, Constant, Element, Graph, Operator, Quantisation, Tensor, TensorId};
pub use model::{Model, compile};
pub use program::Program;
pub use run::Runner;
pub use smolnn_fixed::Backend;
