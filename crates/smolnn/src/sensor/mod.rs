//! Sensors over `embedded-hal` 1.0: what stands between a bus and a window of samples. With the feature `embedded-hal`.
//!
//! A driver here is polled, reports errors of the bus and samples that the sensor had to drop, and goes on after both.

mod accelerometer;

pub use accelerometer::{Accelerometer, I2cRegisters, Layout, Registers, Sample, SpiRegisters};
