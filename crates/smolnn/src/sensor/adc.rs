//! Analogue-to-digital converters as sources of samples.
//!
//! `embedded-hal` 1.0 has no trait for converters, so that there is one here, [`Converter`]: a chip's own converter implements it in a
//! few lines over its DMA, and [`SpiConverter`] and [`I2cConverter`] implement it over a bus. [`AdcSource`] makes samples of the codes.

use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;

/// Codes that a converter has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Codes {
    /// How many, from the start of the block on.
    pub count: usize,
    /// Whether codes between those read before and these are lost: the converter was read too seldom.
    pub after_gap: bool,
}

/// A converter of unsigned codes.
pub trait Converter {
    /// Bits of a code, 1 to 16.
    const BITS: u32;
    /// The error of the converter or its bus.
    type Error;

    /// Reads as many codes as there are, at most the block. A block of a DMA that was written over in the meantime is `after_gap`.
    ///
    /// # Errors
    /// Those of the converter. [`AdcSource`] takes the code that was to be read for lost.
    fn read(&mut self, codes: &mut [u16]) -> Result<Codes, Self::Error>;
}

/// [`Converter`] for executors.
#[cfg(feature = "embedded-hal-async")]
// Whether a future can be sent between threads is the bus's affair, as in `embedded-hal-async`.
#[allow(async_fn_in_trait)]
pub trait AsyncConverter {
    /// Bits of a code, 1 to 16.
    const BITS: u32;
    /// The error of the converter or its bus.
    type Error;

    /// As [`Converter::read`]; waits for at least one code.
    ///
    /// # Errors
    /// As [`Converter::read`].
    async fn read(&mut self, codes: &mut [u16]) -> Result<Codes, Self::Error>;
}

/// Converters of the MCP320x family over SPI: a command, then the code in the last 12 bits of three bytes.
#[derive(Clone, Debug)]
pub struct SpiConverter<S> {
    device: S,
    channel: u8,
}

impl<S> SpiConverter<S> {
    /// Channel 0 to 7 against ground, of an MCP3204 or MCP3208; higher numbers count modulo 8.
    pub const fn mcp3208(device: S, channel: u8) -> Self {
        Self { device, channel: channel & 7 }
    }

    /// Gives the device back.
    pub fn into_inner(self) -> S {
        self.device
    }

    /// Start bit, single-ended, three bits of channel; the rest is clocked for the code.
    const fn command(&self) -> [u8; 3] {
        [0x06 | self.channel >> 2, self.channel << 6, 0]
    }
}

/// The code of three bytes.
const fn spi_code(bytes: [u8; 3]) -> u16 {
    u16::from_be_bytes([bytes[1] & 0x0F, bytes[2]])
}

/// Converters of the ADS111x family over I²C: the conversion register, signed, high byte first. The converter has to be configured already.
#[derive(Clone, Debug)]
pub struct I2cConverter<I> {
    bus: I,
    address: u8,
}

impl<I> I2cConverter<I> {
    /// The converter at an address of 7 bits.
    pub const fn ads1115(bus: I, address: u8) -> Self {
        Self { bus, address }
    }

    /// Gives the bus back.
    pub fn into_inner(self) -> I {
        self.bus
    }
}

/// The register of the last conversion.
const CONVERSION: [u8; 1] = [0];

/// The code of a signed conversion: the middle of the range is 32 768.
const fn i2c_code(bytes: [u8; 2]) -> u16 {
    u16::from_be_bytes(bytes) ^ 0x8000
}

/// What became of a bus's single code.
const fn single(count: usize) -> Codes {
    Codes { count, after_gap: false }
}

/// The two kinds of buses: the same lines, with and without `await`.
macro_rules! converters {
    ($(#[$cfg:meta])? $trait:ident, $spi:path, $i2c:path $(, $async:ident, $await:tt)?) => {
        $(#[$cfg])?
        impl<S: $spi> $trait for SpiConverter<S> {
            const BITS: u32 = 12;
            type Error = S::Error;

            $($async)? fn read(&mut self, codes: &mut [u16]) -> Result<Codes, S::Error> {
                let Some(place) = codes.first_mut() else { return Ok(single(0)) };
                let mut bytes = self.command();
                self.device.transfer_in_place(&mut bytes)$(.$await)??;
                *place = spi_code(bytes);
                Ok(single(1))
            }
        }

        $(#[$cfg])?
        impl<I: $i2c> $trait for I2cConverter<I> {
            const BITS: u32 = 16;
            type Error = I::Error;

            $($async)? fn read(&mut self, codes: &mut [u16]) -> Result<Codes, I::Error> {
                let Some(place) = codes.first_mut() else { return Ok(single(0)) };
                let mut bytes = [0; 2];
                self.bus.write_read(self.address, &CONVERSION, &mut bytes)$(.$await)??;
                *place = i2c_code(bytes);
                Ok(single(1))
            }
        }
    };
}

/// A block of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Block {
    /// Samples, from the start of the block on.
    pub count: usize,
    /// Whether samples between the block before and this one are lost: the converter was read too seldom, or failed.
    pub after_gap: bool,
}

/// Samples of a converter: 0 in the middle of its range, full scale in 16 bits, as features want them.
///
/// ```
/// use smolnn::sensor::{AdcSource, Codes, Converter};
///
/// /// A chip's own converter, whose DMA has filled half of its buffer.
/// struct Dma([u16; 4]);
/// impl Converter for Dma {
///     const BITS: u32 = 12;
///     type Error = core::convert::Infallible;
///     fn read(&mut self, codes: &mut [u16]) -> Result<Codes, Self::Error> {
///         let count = codes.len().min(self.0.len());
///         codes[..count].copy_from_slice(&self.0[..count]);
///         Ok(Codes { count, after_gap: false })
///     }
/// }
///
/// let mut source = AdcSource::new(Dma([0, 2048, 2049, 4095]));
/// let mut samples = [0; 8];
/// let block = source.read(&mut samples)?;
/// assert_eq!(samples[..block.count], [-32_768, 0, 16, 32_752]);
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdcSource<C> {
    converter: C,
    /// Codes were lost, and no block was given since.
    gap: bool,
}

/// Codes that are read at a time.
const CHUNK: usize = 32;

/// A code of `bits` bits as a sample.
const fn sample(code: u16, bits: u32) -> i16 {
    ((code << 16_u32.saturating_sub(bits)) ^ 0x8000) as i16
}

impl<C> AdcSource<C> {
    /// The samples of a converter.
    pub const fn new(converter: C) -> Self {
        Self { converter, gap: false }
    }

    /// Gives the converter back.
    pub fn into_inner(self) -> C {
        self.converter
    }

    /// Puts codes into the block.
    fn put(&mut self, codes: &[u16; CHUNK], read: Codes, bits: u32, samples: &mut [i16]) -> Block {
        self.gap |= read.after_gap;
        let places = samples.iter_mut().zip(codes).take(read.count);
        let count = places.map(|(place, &code)| *place = sample(code, bits)).count();
        // A gap is told with the first sample behind it.
        let after_gap = count > 0 && core::mem::take(&mut self.gap);
        Block { count, after_gap }
    }
}

/// The two kinds of sources: the same lines, with and without `await`.
macro_rules! sources {
    ($(#[$cfg:meta])? $trait:ident, $read:ident $(, $async:ident, $await:tt)?) => {
        $(#[$cfg])?
        impl<C: $trait> AdcSource<C> {
            /// Reads samples, 32 at a time at most and no more than the block has; gives how many, and whether some before them are lost.
            ///
            /// # Errors
            /// Those of the converter. The next call goes on; its block is `after_gap`, because the sample that was to be read is missing.
            pub $($async)? fn $read(&mut self, samples: &mut [i16]) -> Result<Block, C::Error> {
                let mut codes = [0; CHUNK];
                let wanted = codes.get_mut(..samples.len().min(CHUNK)).unwrap_or_default();
                let read = self.converter.read(wanted)$(.$await)?.inspect_err(|_| self.gap = true)?;
                Ok(self.put(&codes, read, C::BITS, samples))
            }
        }
    };
}

converters!(Converter, SpiDevice, I2c);
sources!(Converter, read);
converters!(
    #[cfg(feature = "embedded-hal-async")]
    AsyncConverter,
    embedded_hal_async::spi::SpiDevice,
    embedded_hal_async::i2c::I2c,
    async,
    await
);
sources!(
    #[cfg(feature = "embedded-hal-async")]
    AsyncConverter,
    read_async,
    async,
    await
);

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{AdcSource, Block, Codes, Converter, I2cConverter, SpiConverter};
    use embedded_hal::i2c::ErrorKind;
    use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as OnI2c};
    use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as OnSpi};
    use std::vec;
    use std::vec::Vec;

    fn conversion(code: [u8; 2]) -> OnI2c {
        OnI2c::write_read(0x48, vec![0], code.to_vec())
    }

    #[test]
    fn codes_come_over_spi() {
        let mut expected = Vec::new();
        for bytes in [[0xFF, 0xF8, 0x00], [0xFF, 0xF0, 0x00], [0x00, 0x0F, 0xFF]] {
            expected.extend([
                OnSpi::transaction_start(),
                OnSpi::transfer_in_place(vec![0x07, 0x40, 0], bytes.to_vec()),
                OnSpi::transaction_end(),
            ]);
        }
        let mut device = Spi::new(&expected);
        let mut source = AdcSource::new(SpiConverter::mcp3208(&mut device, 5));
        let mut samples = [7; 4];
        for expected in [0, i16::MIN, 32_752] {
            assert_eq!(Converter::read(&mut source.converter, &mut []), Ok(Codes { count: 0, after_gap: false }));
            assert_eq!(source.read(&mut samples), Ok(Block { count: 1, after_gap: false }));
            assert_eq!(samples, [expected, 7, 7, 7]);
        }
        device.done();
    }

    #[test]
    fn a_bus_error_is_a_gap_in_the_stream_that_goes_on() {
        let mut bus = I2c::new(&[
            conversion([0x80, 0x00]),
            conversion([0, 0]).with_error(ErrorKind::Bus),
            conversion([0, 0]).with_error(ErrorKind::ArbitrationLoss),
            conversion([0x7F, 0xFF]),
            conversion([0x00, 0x01]),
        ]);
        let mut source = AdcSource::new(I2cConverter::ads1115(&mut bus, 0x48));
        let mut samples = [0; 1];
        let mut read = || source.read(&mut samples).map(|block| (block.after_gap, samples[0]));
        let found: [_; 5] = core::array::from_fn(|_| read());
        assert_eq!(
            found,
            [
                Ok((false, i16::MIN)),
                Err(ErrorKind::Bus),
                Err(ErrorKind::ArbitrationLoss),
                Ok((true, i16::MAX)),
                Ok((false, 1))
            ]
        );
        bus.done();
    }

    /// A DMA that gives what it has, and says when it was written over.
    struct Dma {
        next: u16,
        steps: Vec<Codes>,
    }

    impl Converter for Dma {
        const BITS: u32 = 16;
        type Error = ErrorKind;

        fn read(&mut self, codes: &mut [u16]) -> Result<Codes, ErrorKind> {
            let Some(step) = self.steps.pop() else { return Err(ErrorKind::Overrun) };
            for place in codes.iter_mut().take(step.count) {
                *place = self.next ^ 0x8000;
                self.next += 1;
            }
            Ok(step)
        }
    }

    #[test]
    fn short_reads_and_overruns_are_told() {
        let codes = |count, after_gap| Codes { count, after_gap };
        // The last one first: 3 codes, none, an overrun without a code, 2 behind it, more than were asked for.
        let steps = vec![codes(100, false), codes(2, false), codes(0, true), codes(0, false), codes(3, false)];
        let mut source = AdcSource::new(Dma { next: 0, steps });
        let mut samples = [0; 40];
        let found: [_; 6] =
            core::array::from_fn(|_| source.read(&mut samples).map(|block| (block.count, block.after_gap)));
        let ok = |count, after_gap| Ok((count, after_gap));
        assert_eq!(
            found,
            [ok(3, false), ok(0, false), ok(0, false), ok(2, true), ok(32, false), Err(ErrorKind::Overrun)]
        );
        assert_eq!(samples[..32], core::array::from_fn::<i16, 32, _>(|index| index as i16 + 5));
        // The error is remembered.
        source.converter.steps.push(codes(1, false));
        assert_eq!(source.read(&mut samples), Ok(Block { count: 1, after_gap: true }));
    }

    #[cfg(feature = "embedded-hal-async")]
    #[test]
    fn asynchronous_sources_read_the_same() {
        use crate::sensor::ready;
        let mut bus = I2c::new(&[
            conversion([0x12, 0x34]),
            conversion([0, 0]).with_error(ErrorKind::Bus),
            conversion([0xFF, 0xFF]),
        ]);
        let mut source = AdcSource::new(I2cConverter::ads1115(&mut bus, 0x48));
        let mut samples = [0; 4];
        assert_eq!(ready(source.read_async(&mut samples)), Ok(Block { count: 1, after_gap: false }));
        assert_eq!(samples[0], 0x1234);
        assert_eq!(ready(source.read_async(&mut samples)), Err(ErrorKind::Bus));
        assert_eq!(ready(source.read_async(&mut samples)), Ok(Block { count: 1, after_gap: true }));
        assert_eq!(samples[0], -1);
        bus.done();
        let mut device = Spi::new(&[
            OnSpi::transaction_start(),
            OnSpi::transfer_in_place(vec![0x06, 0, 0], vec![0, 0x01, 0x02]),
            OnSpi::transaction_end(),
        ]);
        let mut source = AdcSource::new(SpiConverter::mcp3208(&mut device, 0));
        assert_eq!(ready(source.read_async(&mut samples)), Ok(Block { count: 1, after_gap: false }));
        assert_eq!(samples[0], (0x0102 - 0x0800) * 16);
        device.done();
    }
}
