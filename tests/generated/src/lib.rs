//! Models as the build script compiled them to Rust: the very code that firmware includes, run on the host.

/// Runs a model from its start on the inputs of one call after the other; gives the outputs of each.
pub type Run = fn(&[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>>;

include!(concat!(env!("OUT_DIR"), "/models.rs"));
