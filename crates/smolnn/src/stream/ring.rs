//! Samples on their way from an interrupt to the main loop.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use heapless::spsc::{Consumer, Producer, Queue};

/// Sound that was lost: the reader was too slow, or one block was larger than the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Overrun {
    /// Samples that are missing between those read last and those read next.
    pub lost: usize,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples were lost: read more often, or take a larger ring", self.lost)
    }
}

impl core::error::Error for Overrun {}

/// A ring between one writer and one reader. It holds `N` − 1 samples.
///
/// When a block does not fit, its beginning is kept and the rest is lost. Until the reader has emptied the ring and been told, what is
/// written is lost too: so there is one gap, and the reader knows exactly where it lies. Neither side waits or disables interrupts.
///
/// ```
/// use smolnn::stream::{Overrun, SampleRing};
///
/// let mut ring = SampleRing::<5>::new(); // in firmware a static
/// let (mut microphone, mut ears) = ring.split();
/// let mut block = [0; 8];
///
/// assert_eq!(microphone.write(&[1, 2, 3]), Ok(()));
/// assert_eq!(microphone.write(&[4, 5, 6]), Err(Overrun { lost: 2 })); // one more fits
/// assert_eq!(ears.read(&mut block), Ok(4));
/// assert_eq!(ears.read(&mut block), Err(Overrun { lost: 2 }));
/// assert_eq!(ears.read(&mut block), Ok(0)); // nothing is there yet
/// ```
#[derive(Debug)]
pub struct SampleRing<const N: usize> {
    queue: Queue<i16, N>,
    /// Samples that the writer has lost since the start. Only the writer changes it, so that no core needs an atomic addition.
    lost: AtomicUsize,
    /// Of these, samples that the reader was told of. Only the reader changes it.
    told: AtomicUsize,
}

impl<const N: usize> SampleRing<N> {
    /// An empty ring.
    pub const fn new() -> Self {
        Self { queue: Queue::new(), lost: AtomicUsize::new(0), told: AtomicUsize::new(0) }
    }

    /// The two ends: the writer for the interrupt, the reader for the loop.
    pub fn split(&mut self) -> (SampleWriter<'_>, SampleReader<'_>) {
        let (producer, consumer) = self.queue.split();
        let (lost, told) = (&self.lost, &self.told);
        (SampleWriter { queue: producer, lost, told }, SampleReader { queue: consumer, lost, told })
    }
}

impl<const N: usize> Default for SampleRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The end of a [`SampleRing`] into which samples are written.
pub struct SampleWriter<'a> {
    queue: Producer<'a, i16>,
    lost: &'a AtomicUsize,
    told: &'a AtomicUsize,
}

impl SampleWriter<'_> {
    /// Writes a block of any size.
    ///
    /// # Errors
    /// [`Overrun`] with the samples of this block that were lost. The reader learns of them by itself; writing goes on.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), Overrun> {
        let lost = self.lost.load(Ordering::Relaxed);
        let mut rest = samples.iter();
        // Acquire: what the reader took before it said so is out of the ring.
        if self.told.load(Ordering::Acquire) == lost {
            let room = self.queue.capacity() - self.queue.len();
            for &sample in rest.by_ref().take(room) {
                let written = self.queue.enqueue(sample);
                debug_assert!(written.is_ok(), "there was room");
            }
        }
        let missing = rest.len();
        if missing == 0 {
            return Ok(());
        }
        // Release: the samples written before are in the ring for whoever sees this.
        self.lost.store(lost.wrapping_add(missing), Ordering::Release);
        Err(Overrun { lost: missing })
    }
}

/// The end of a [`SampleRing`] from which samples are read.
pub struct SampleReader<'a> {
    queue: Consumer<'a, i16>,
    lost: &'a AtomicUsize,
    told: &'a AtomicUsize,
}

impl SampleReader<'_> {
    /// Reads what is there, at most as many samples as the block has; gives how many they are, 0 when none are there yet.
    ///
    /// # Errors
    /// [`Overrun`], once for each gap and exactly where it lies. A stream that cannot bear a gap is reset then; reading goes on.
    pub fn read(&mut self, block: &mut [i16]) -> Result<usize, Overrun> {
        // Looked at before the ring is: what was written before a loss is read before the loss is told.
        let lost = self.lost.load(Ordering::Acquire);
        let mut count = 0;
        while let Some(place) = block.get_mut(count)
            && let Some(sample) = self.queue.dequeue()
        {
            *place = sample;
            count += 1;
        }
        let told = self.told.load(Ordering::Relaxed);
        if count == 0 && !block.is_empty() && lost != told {
            self.told.store(lost, Ordering::Release);
            return Err(Overrun { lost: lost.wrapping_sub(told) });
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Overrun, SampleRing};
    use std::vec::Vec;

    /// A source that counts, in blocks of any size, into a ring that is too small and read too seldom: what arrives are the numbers in
    /// order, with gaps exactly where and as long as the ring says.
    #[test]
    fn gaps_lie_where_the_ring_says() {
        let mut ring = SampleRing::<64>::new();
        let (mut writer, mut reader) = ring.split();
        let (mut next, mut expected, mut lost_by_writer, mut lost_by_reader, mut gaps) = (0_i16, 0_i16, 0, 0, 0);
        let mut random = 1_u32;
        for _ in 0..2000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let block: Vec<i16> = (0..random >> 25).map(|k| next.wrapping_add(k as i16)).collect();
            next = next.wrapping_add(block.len() as i16);
            if let Err(Overrun { lost }) = writer.write(&block) {
                lost_by_writer += lost;
            }
            let mut place = [0; 100];
            for _ in 0..(random >> 16) % 3 {
                match reader.read(&mut place[..(random >> 8) as usize % 100]) {
                    Ok(count) => place.iter().take(count).for_each(|&sample| {
                        assert_eq!(sample, expected);
                        expected = expected.wrapping_add(1);
                    }),
                    Err(Overrun { lost }) => {
                        expected = expected.wrapping_add(lost as i16);
                        lost_by_reader += lost;
                        gaps += 1;
                    }
                }
            }
        }
        let mut place = [0; 100];
        loop {
            match reader.read(&mut place) {
                Ok(0) => break,
                Ok(_) => {}
                Err(Overrun { lost }) => lost_by_reader += lost,
            }
        }
        assert!(gaps > 100, "{gaps} gaps");
        assert_eq!(lost_by_writer, lost_by_reader);
    }

    #[test]
    fn a_block_larger_than_the_ring_keeps_its_beginning() {
        let mut ring = SampleRing::<4>::new();
        let (mut writer, mut reader) = ring.split();
        let mut place = [0; 10];
        assert_eq!(writer.write(&[1, 2, 3, 4, 5]), Err(Overrun { lost: 2 }));
        assert_eq!(writer.write(&[6]), Err(Overrun { lost: 1 }), "the reader does not know of the gap yet");
        assert_eq!(reader.read(&mut []), Ok(0));
        assert_eq!(reader.read(&mut place), Ok(3));
        assert_eq!(place[..3], [1, 2, 3]);
        assert_eq!(writer.write(&[7]), Err(Overrun { lost: 1 }));
        assert_eq!(reader.read(&mut place), Err(Overrun { lost: 4 }));
        assert_eq!(writer.write(&[8]), Ok(()));
        assert_eq!((reader.read(&mut place), place[0]), (Ok(1), 8));
    }
}
