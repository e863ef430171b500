//! Shapes, windows, errors and costs shared by the smolnn kernels.
#![no_std]
