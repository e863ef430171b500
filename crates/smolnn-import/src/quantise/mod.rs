//! From float weights to integers.

pub mod recurrent;
