//! Kernels and imported models against what the reference interpreter and PyTorch recorded.

mod costs;
mod filters;
mod float;
mod mel;
mod models;
mod operators;
mod random_models;
mod recurrent;
mod signal;
mod tables;
mod wake;
