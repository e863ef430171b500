//! Every kernel on random shapes against the naive oracle, and the lists of kernels against the source.

mod architecture;
mod conformance;
mod elementwise;
mod float_inference;
mod measured;
mod movement;
