//! Accelerometers with three axes of 16 bits and a status register, over I²C or SPI.

use embedded_hal::i2c::I2c;
use embedded_hal::spi::{Operation, SpiDevice};

/// Reads registers of a sensor, whatever bus it hangs on.
pub trait Registers {
    /// The error of the bus.
    type Error;

    /// Reads neighbouring registers from `first` on.
    ///
    /// # Errors
    /// Those of the bus.
    fn read(&mut self, first: u8, bytes: &mut [u8]) -> Result<(), Self::Error>;
}

/// [`Registers`] for executors.
#[cfg(feature = "embedded-hal-async")]
// Whether a future can be sent between threads is the bus's affair, as in `embedded-hal-async`.
#[allow(async_fn_in_trait)]
pub trait AsyncRegisters {
    /// The error of the bus.
    type Error;

    /// Reads neighbouring registers from `first` on.
    ///
    /// # Errors
    /// Those of the bus.
    async fn read(&mut self, first: u8, bytes: &mut [u8]) -> Result<(), Self::Error>;
}

/// Registers over I²C.
#[derive(Clone, Debug)]
pub struct I2cRegisters<I> {
    bus: I,
    address: u8,
    /// What is set in the register's number so that the sensor goes on to the next one.
    next: u8,
}

impl<I> I2cRegisters<I> {
    /// The sensor at an address of 7 bits; `next` is set in a register's number when several are read: 0x80 for sensors of ST's LIS family,
    /// 0 where the sensor always goes on.
    pub const fn new(bus: I, address: u8, next: u8) -> Self {
        Self { bus, address, next }
    }

    /// Gives the bus back.
    pub fn into_inner(self) -> I {
        self.bus
    }
}

/// Registers over SPI: a byte with the register's number, then the bytes that are read.
#[derive(Clone, Debug)]
pub struct SpiRegisters<S> {
    device: S,
    read: u8,
    next: u8,
}

impl<S> SpiRegisters<S> {
    /// `read` is set in the register's number for a read, mostly 0x80; `next` when several are read: 0x40 for sensors of ST's LIS family, 0 where the
    /// sensor always goes on.
    pub const fn new(device: S, read: u8, next: u8) -> Self {
        Self { device, read, next }
    }

    /// Gives the device back.
    pub fn into_inner(self) -> S {
        self.device
    }
}

/// The two kinds of buses: the same lines, with and without `await`.
macro_rules! registers {
    ($(#[$cfg:meta])? $trait:ident, $spi:path, $i2c:path $(, $async:ident, $await:tt)?) => {
        $(#[$cfg])?
        impl<I: $i2c> $trait for I2cRegisters<I> {
            type Error = I::Error;

            $($async)? fn read(&mut self, first: u8, bytes: &mut [u8]) -> Result<(), I::Error> {
                let next = if bytes.len() > 1 { self.next } else { 0 };
                self.bus.write_read(self.address, &[first | next], bytes)$(.$await)?
            }
        }

        $(#[$cfg])?
        impl<S: $spi> $trait for SpiRegisters<S> {
            type Error = S::Error;

            $($async)? fn read(&mut self, first: u8, bytes: &mut [u8]) -> Result<(), S::Error> {
                let next = if bytes.len() > 1 { self.next } else { 0 };
                let command = [first | self.read | next];
                self.device.transaction(&mut [Operation::Write(&command), Operation::Read(bytes)])$(.$await)?
            }
        }
    };
}

registers!(Registers, SpiDevice, I2c);
registers!(
    #[cfg(feature = "embedded-hal-async")]
    AsyncRegisters,
    embedded_hal_async::spi::SpiDevice,
    embedded_hal_async::i2c::I2c,
    async,
    await
);

/// Where a sensor's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The status register.
    pub status: u8,
    /// The bit of the status that says that a sample of all axes is there.
    pub ready: u8,
    /// The bit that says that a sample was written over before it was read.
    pub overrun: u8,
    /// The first of six registers: x, y, z, low byte first.
    pub data: u8,
}

impl Layout {
    /// LIS3DH, LIS2DH12 and their kin.
    pub const LIS3DH: Self = Self { status: 0x27, ready: 0x08, overrun: 0x80, data: 0x28 };
}

/// A sample of three axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sample {
    /// x, y and z, as the sensor scales them.
    pub axes: [i16; 3],
    /// Whether samples between the one before and this one are lost: the sensor was read too seldom.
    pub after_gap: bool,
}

/// An accelerometer that is polled. It has to be configured already: rate, range and axes are the sensor's own affair.
#[derive(Clone, Debug)]
pub struct Accelerometer<R> {
    registers: R,
    layout: Layout,
    /// An overrun was seen, and the sample behind it not read yet.
    gap: bool,
}

impl<R> Accelerometer<R> {
    /// A sensor whose samples lie as the layout says.
    pub const fn new(registers: R, layout: Layout) -> Self {
        Self { registers, layout, gap: false }
    }

    /// Gives the registers back.
    pub fn into_inner(self) -> R {
        self.registers
    }
}

/// The two kinds of polls: the same lines, with and without `await`.
macro_rules! polls {
    ($(#[$cfg:meta])? $trait:ident, $poll:ident $(, $async:ident, $await:tt)?) => {
        $(#[$cfg])?
        impl<R: $trait> Accelerometer<R> {
            /// Reads the next sample; `None` when there is none yet.
            ///
            /// # Errors
            /// Those of the bus. The next call goes on: an overrun that was seen before the error is told with the next sample.
            pub $($async)? fn $poll(&mut self) -> Result<Option<Sample>, R::Error> {
                let mut status = [0];
                self.registers.read(self.layout.status, &mut status)$(.$await)??;
                let [status] = status;
                self.gap |= status & self.layout.overrun != 0;
                if status & self.layout.ready == 0 {
                    return Ok(None);
                }
                let mut bytes = [0; 6];
                self.registers.read(self.layout.data, &mut bytes)$(.$await)??;
                let [a, b, c, d, e, f] = bytes;
                let axes = [[a, b], [c, d], [e, f]].map(i16::from_le_bytes);
                Ok(Some(Sample { axes, after_gap: core::mem::take(&mut self.gap) }))
            }
        }
    };
}

polls!(Registers, poll);
polls!(
    #[cfg(feature = "embedded-hal-async")]
    AsyncRegisters,
    poll_async,
    async,
    await
);

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Accelerometer, I2cRegisters, Layout, Sample, SpiRegisters};
    use embedded_hal::i2c::ErrorKind;
    use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as OnI2c};
    use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as OnSpi};
    use std::vec;

    const ADDRESS: u8 = 0x18;

    fn status(value: u8) -> OnI2c {
        OnI2c::write_read(ADDRESS, vec![0x27], vec![value])
    }

    fn data() -> OnI2c {
        OnI2c::write_read(ADDRESS, vec![0xA8], vec![1, 0, 0xFF, 0xFF, 0, 0x80])
    }

    const AXES: [i16; 3] = [1, -1, i16::MIN];

    #[test]
    fn samples_come_over_i2c_and_errors_do_not_end_the_stream() {
        let mut bus = I2c::new(&[
            status(0x00), // none yet
            status(0x08),
            data(),
            status(0x88).with_error(ErrorKind::ArbitrationLoss),
            status(0x88), // one was lost
            data().with_error(ErrorKind::Bus),
            status(0x08),
            data(),
            status(0x08),
            data(),
        ]);
        let mut sensor = Accelerometer::new(I2cRegisters::new(&mut bus, ADDRESS, 0x80), Layout::LIS3DH);
        let sample = |after_gap| Ok(Some(Sample { axes: AXES, after_gap }));
        assert_eq!(sensor.poll(), Ok(None));
        assert_eq!(sensor.poll(), sample(false));
        assert_eq!(sensor.poll(), Err(ErrorKind::ArbitrationLoss));
        assert_eq!(sensor.poll(), Err(ErrorKind::Bus));
        assert_eq!(sensor.poll(), sample(true), "the overrun was seen before the bus failed");
        assert_eq!(sensor.poll(), sample(false));
        bus.done();
    }

    #[test]
    fn samples_come_over_spi() {
        let mut device = Spi::new(&[
            OnSpi::transaction_start(),
            OnSpi::write_vec(vec![0xA7]),
            OnSpi::read_vec(vec![0x88]),
            OnSpi::transaction_end(),
            OnSpi::transaction_start(),
            OnSpi::write_vec(vec![0xE8]),
            OnSpi::read_vec(vec![1, 0, 0xFF, 0xFF, 0, 0x80]),
            OnSpi::transaction_end(),
        ]);
        let mut sensor = Accelerometer::new(SpiRegisters::new(&mut device, 0x80, 0x40), Layout::LIS3DH);
        assert_eq!(sensor.poll(), Ok(Some(Sample { axes: AXES, after_gap: true })));
        device.done();
    }

    #[cfg(feature = "embedded-hal-async")]
    #[test]
    fn polling_asynchronously_gives_the_same() {
        use crate::sensor::ready;
        let mut bus = I2c::new(&[
            status(0x00),
            status(0x88),
            data().with_error(ErrorKind::Bus),
            status(0x08),
            data(),
            status(0x08),
            data(),
        ]);
        let mut sensor = Accelerometer::new(I2cRegisters::new(&mut bus, ADDRESS, 0x80), Layout::LIS3DH);
        let sample = |after_gap| Ok(Some(Sample { axes: AXES, after_gap }));
        assert_eq!(ready(sensor.poll_async()), Ok(None));
        assert_eq!(ready(sensor.poll_async()), Err(ErrorKind::Bus));
        assert_eq!(ready(sensor.poll_async()), sample(true), "the overrun was seen before the bus failed");
        assert_eq!(ready(sensor.poll_async()), sample(false));
        bus.done();
        let mut device = Spi::new(&[
            OnSpi::transaction_start(),
            OnSpi::write_vec(vec![0xA7]),
            OnSpi::read_vec(vec![0x00]),
            OnSpi::transaction_end(),
        ]);
        let mut sensor = Accelerometer::new(SpiRegisters::new(&mut device, 0x80, 0x40), Layout::LIS3DH);
        assert_eq!(ready(sensor.poll_async()), Ok(None));
        device.done();
    }
}
