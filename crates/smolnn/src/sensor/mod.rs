//! Sensors over `embedded-hal` 1.0: what stands between a bus and a window of samples. With the feature `embedded-hal`, and with
//! `embedded-hal-async` for executors.
//!
//! A driver here is polled, reports errors of the bus and samples that were lost, and goes on after both: [`Accelerometer`] over I²C or SPI,
//! [`AdcSource`] over a chip's own converter or one behind a bus.

mod accelerometer;
mod adc;

#[cfg(feature = "embedded-hal-async")]
pub use accelerometer::AsyncRegisters;
pub use accelerometer::{Accelerometer, I2cRegisters, Layout, Registers, Sample, SpiRegisters};
#[cfg(feature = "embedded-hal-async")]
pub use adc::AsyncConverter;
pub use adc::{AdcSource, Block, Codes, Converter, I2cConverter, SpiConverter};

/// The result of a future that does not wait: those of the mocks are ready at once.
#[cfg(all(test, feature = "embedded-hal-async"))]
fn ready<T>(future: impl core::future::Future<Output = T>) -> T {
    use core::task::{Context, Poll, Waker};
    let future = core::pin::pin!(future);
    let Poll::Ready(result) = future.poll(&mut Context::from_waker(Waker::noop())) else { panic!("it waits") };
    result
}
