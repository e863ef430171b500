//! Samples out of a stream of bytes: a UART, a USB endpoint, a file.

use core::fmt;

use super::{Detection, StreamingModel, WakeWord};

/// Bytes that are asked for at a time, on the stack.
const CHUNK: usize = 128;

/// Why no samples were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadError<E> {
    /// The reader failed. What was read before is not lost: reading goes on with the next call.
    Reader(E),
    /// The stream ended in the middle of a sample.
    HalfSample,
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reader(error) => write!(f, "the samples cannot be read: {error}"),
            Self::HalfSample => f.write_str("the stream ended in the middle of a sample: samples have two bytes each"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ReadError<E> {}

/// Samples of 16 bits, little-endian, from a reader of bytes that may give as few of them at a time as it likes.
///
/// With the feature `embedded-io` the reader is an `embedded_io::Read`, with `embedded-io-async` an `embedded_io_async::Read`.
#[derive(Clone, Debug)]
pub struct Samples<R> {
    reader: R,
    /// The first byte of a sample whose second one has not come yet.
    half: Option<u8>,
}

impl<R> Samples<R> {
    /// Samples from the first byte on that the reader gives.
    pub const fn new(reader: R) -> Self {
        Self { reader, half: None }
    }

    /// Gives the reader back. A byte of half a sample is lost with this.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Bytes to ask for, so that the block has room for their samples.
    fn wanted(&self, block: &[i16]) -> usize {
        (2 * block.len()).saturating_sub(usize::from(self.half.is_some())).min(CHUNK)
    }

    /// Puts samples into the block; gives how many.
    fn put(&mut self, bytes: &[u8], block: &mut [i16]) -> usize {
        let mut places = block.iter_mut();
        let mut count = 0;
        for &byte in bytes {
            self.half = match self.half {
                None => Some(byte),
                Some(low) => {
                    let place = places.next();
                    debug_assert!(place.is_some(), "no more bytes are asked for than the block has room for");
                    if let Some(place) = place {
                        *place = i16::from_le_bytes([low, byte]);
                        count += 1;
                    }
                    None
                }
            };
        }
        count
    }

    /// What the end of the stream means.
    fn end<E>(&mut self) -> Result<usize, ReadError<E>> {
        match self.half.take() {
            None => Ok(0),
            Some(_) => Err(ReadError::HalfSample),
        }
    }
}

/// The two kinds of readers: the same lines, with and without `await`.
macro_rules! reading {
    ($feature:literal, $trait:path, $read:ident, $wait:ident $(, $async:ident, $await:tt)?) => {
        #[cfg(feature = $feature)]
        impl<R: $trait> Samples<R> {
            /// Reads at least one sample and at most as many as the block has; gives how many, 0 at the end of the stream. It waits as the
            /// reader does.
            ///
            /// # Errors
            /// [`ReadError::Reader`] with the reader's error; nothing that came before is lost. [`ReadError::HalfSample`] at the end.
            pub $($async)? fn $read(&mut self, block: &mut [i16]) -> Result<usize, ReadError<R::Error>> {
                let mut bytes = [0; CHUNK];
                let wanted = self.wanted(block);
                let mut count = 0;
                while count == 0 && wanted > 0 {
                    let wanted = self.wanted(block);
                    let bytes = bytes.get_mut(..wanted).unwrap_or_default();
                    let length = self.reader.read(bytes)$(.$await)?.map_err(ReadError::Reader)?;
                    if length == 0 {
                        return self.end();
                    }
                    count = self.put(bytes.get(..length).unwrap_or_default(), block);
                }
                Ok(count)
            }
        }

        #[cfg(feature = $feature)]
        impl<M: StreamingModel, const WINDOW: usize, const HALF: usize, const CHANNELS: usize>
            WakeWord<M, WINDOW, HALF, CHANNELS>
        {
            /// Listens until the word is heard, or until the samples end, which gives `None`.
            ///
            /// # Errors
            /// As reading samples; what was heard before counts, and listening again goes on.
            pub $($async)? fn $wait<R: $trait>(
                &mut self,
                samples: &mut Samples<R>,
            ) -> Result<Option<Detection>, ReadError<R::Error>> {
                let mut block = [0; CHUNK / 2];
                loop {
                    let count = samples.$read(&mut block)$(.$await)??;
                    if count == 0 {
                        return Ok(None);
                    }
                    let heard = self.push(block.get(..count).unwrap_or_default());
                    if heard.is_some() {
                        return Ok(heard);
                    }
                }
            }
        }
    };
}

reading!("embedded-io", embedded_io::Read, read, wait);
reading!("embedded-io-async", embedded_io_async::Read, read_async, wait_async, async, await);

#[cfg(all(test, feature = "embedded-io"))]
mod tests {
    extern crate std;
    use super::{ReadError, Samples};
    use crate::stream::{Detector, FromFn, WakeWord};
    use embedded_io::{ErrorKind, ErrorType, Read};
    use smolnn_signal::micro::MicroFrontend;
    use std::vec::Vec;

    /// A reader that gives one to seven bytes at a time, and an error now and then.
    struct Moody {
        bytes: Vec<u8>,
        at: usize,
        calls: usize,
    }

    impl ErrorType for Moody {
        type Error = ErrorKind;
    }

    impl Read for Moody {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
            assert!(!bytes.is_empty(), "nothing was asked for");
            self.calls += 1;
            if self.calls.is_multiple_of(5) {
                return Err(ErrorKind::TimedOut);
            }
            let count = (1 + self.calls % 7).min(bytes.len()).min(self.bytes.len() - self.at);
            bytes[..count].copy_from_slice(&self.bytes[self.at..][..count]);
            self.at += count;
            Ok(count)
        }
    }

    #[cfg(feature = "embedded-io-async")]
    impl embedded_io_async::Read for Moody {
        async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
            Read::read(self, bytes)
        }
    }

    fn moody(samples: impl Iterator<Item = i16>) -> Moody {
        Moody { bytes: samples.flat_map(i16::to_le_bytes).collect(), at: 0, calls: 0 }
    }

    #[test]
    fn short_reads_and_errors_lose_nothing() {
        let mut samples = Samples::new(moody(0..1000));
        let (mut found, mut errors) = (Vec::new(), 0);
        loop {
            let mut block = [0; 3];
            match samples.read(&mut block) {
                Ok(0) => break,
                Ok(count) => found.extend_from_slice(&block[..count]),
                Err(error) => {
                    assert_eq!(error, ReadError::Reader(ErrorKind::TimedOut));
                    errors += 1;
                }
            }
        }
        assert_eq!(found, (0..1000).collect::<Vec<i16>>());
        assert!(errors > 100, "{errors} errors");
        assert_eq!(samples.read(&mut []), Ok(0));
    }

    #[test]
    fn half_a_sample_at_the_end_is_told_once() {
        let mut reader = moody(0..2);
        reader.bytes.push(7);
        let mut samples = Samples::new(reader);
        let mut block = [0; 2];
        let results: [_; 4] = core::array::from_fn(|_| samples.read(&mut block));
        assert_eq!(results.iter().filter(|result| **result == Err(ReadError::HalfSample)).count(), 1, "{results:?}");
    }

    #[test]
    fn the_word_is_waited_for_through_errors() {
        let model = FromFn::<_, 40>::new(|_: &[i8; 40]| 255);
        let mut ears = WakeWord::new(MicroFrontend::default(), model, Detector::new(0.9, 4).unwrap());
        let mut samples = Samples::new(moody((0..40_000).map(|_| 0)));
        let mut times = Vec::new();
        loop {
            match ears.wait(&mut samples) {
                Ok(Some(detection)) => times.push(detection.samples),
                Ok(None) => break,
                Err(error) => assert_eq!(error, ReadError::Reader(ErrorKind::TimedOut)),
            }
        }
        // A second of refractory time each: frames 100 and 200 end there.
        assert_eq!(times, [480 + 99 * 160, 480 + 199 * 160]);
    }

    #[cfg(feature = "embedded-io-async")]
    #[test]
    fn waiting_asynchronously_hears_the_same() {
        use core::future::Future;
        use core::task::{Context, Poll, Waker};
        let model = FromFn::<_, 40>::new(|_: &[i8; 40]| 255);
        let mut ears = WakeWord::new(MicroFrontend::default(), model, Detector::new(0.9, 4).unwrap());
        let mut samples = Samples::new(moody((0..20_000).map(|_| 0)));
        let mut times = Vec::new();
        loop {
            let future = core::pin::pin!(ears.wait_async(&mut samples));
            // The reader is always ready.
            let Poll::Ready(result) = future.poll(&mut Context::from_waker(Waker::noop())) else { panic!("it waits") };
            match result {
                Ok(Some(detection)) => times.push(detection.samples),
                Ok(None) => break,
                Err(error) => assert_eq!(error, ReadError::Reader(ErrorKind::TimedOut)),
            }
        }
        assert_eq!(times, [480 + 99 * 160]);
    }
}
