//! Statistics of a window: what models of accelerometers and other slow sensors take. [`Frames`](crate::frames::Frames) cuts the windows.
//!
//! ```
//! use smolnn_core::shape;
//! use smolnn_signal::frames::Frames;
//! use smolnn_signal::statistics::{Peak, PowerSpectrum, Statistics, peaks};
//!
//! let mut windows = Frames::<f32, 64>::new(64)?; // 128 values, every 64
//! let mut spectrum = shape!(PowerSpectrum::<64>::new());
//! let wave: [f32; 256] = core::array::from_fn(|t| if t % 16 < 8 { 1.0 } else { -1.0 });
//! windows.push(&wave, |window| {
//!     assert_eq!(Statistics::of(window).map(|found| (found.rms, found.zero_crossings)), Ok((1.0, 15)));
//!     let mut found = [Peak::default(); 2];
//!     assert_eq!(peaks(spectrum.of(window), &mut found), 2);
//!     assert_eq!(found[0].bin, 128 / 16); // the period of 16 values
//! });
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```

use smolnn_core::ShapeError;

use crate::fft_f32::{ComplexF32, RealFftF32};
use crate::window::{Symmetry, WindowShape, factor};

/// The statistics of a window. Where a value is not a number, none of them is, but for the crossings, which that value does not take part in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// The mean.
    pub mean: f32,
    /// The root of the mean square.
    pub rms: f32,
    /// The standard deviation, divided by the number of values.
    pub standard_deviation: f32,
    /// The least value.
    pub least: f32,
    /// The largest value.
    pub most: f32,
    /// Neighbours of which one is below 0 and one is not.
    pub zero_crossings: usize,
    /// Neighbours of which one is below the mean and one is not: with gravity in the values, this is the one that moves.
    pub mean_crossings: usize,
}

impl Statistics {
    /// The statistics of the values.
    ///
    /// # Errors
    /// [`ShapeError::Zero`] when there are none.
    pub fn of(values: &[f32]) -> Result<Self, ShapeError> {
        let Some(&first) = values.first() else { return Err(ShapeError::Zero("the values of a window")) };
        let count = values.len() as f32;
        let sum = |term: &dyn Fn(f32) -> f32| values.iter().fold(0.0, |sum, &value| sum + term(value));
        let mean = sum(&|value| value) / count;
        // Comparisons, and not `min` and `max`, which leave out what is not a number.
        let extreme = |beyond: fn(f32, f32) -> bool| {
            values.iter().fold(first, |kept, &value| if value.is_nan() || beyond(value, kept) { value } else { kept })
        };
        let crossings = |level: f32| {
            neighbours(values).filter(|(a, b)| !a.is_nan() && !b.is_nan() && (*a < level) != (*b < level)).count()
        };
        Ok(Self {
            mean,
            rms: libm::sqrtf(sum(&|value| value * value) / count),
            standard_deviation: libm::sqrtf(sum(&|value| (value - mean) * (value - mean)) / count),
            least: extreme(|value, kept| value < kept),
            most: extreme(|value, kept| value > kept),
            zero_crossings: crossings(0.0),
            mean_crossings: crossings(mean),
        })
    }
}

/// Each value with the one behind it.
fn neighbours(values: &[f32]) -> impl Iterator<Item = (f32, f32)> {
    values.iter().copied().zip(values.iter().skip(1).copied())
}

/// The power spectrum of a window of 2 · `HALF` values: without its mean, under a periodic Hann window, |X|² per bin.
#[derive(Clone, Debug)]
pub struct PowerSpectrum<const HALF: usize> {
    fft: RealFftF32,
    window: [[f32; 2]; HALF],
    spectrum: [ComplexF32; HALF],
    powers: [f32; HALF],
}

impl<const HALF: usize> PowerSpectrum<HALF> {
    /// The spectrum's tables and memory.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless 2 · `HALF` is a power of two from 64 to 2 048.
    pub const fn new() -> Result<Self, ShapeError> {
        let fft = match RealFftF32::new(2 * HALF) {
            Ok(fft) => fft,
            Err(error) => return Err(error),
        };
        let (mut window, mut index) = ([[0.0; 2]; HALF], 0);
        while index < 2 * HALF {
            window[index / 2][index % 2] = factor(WindowShape::Hann, Symmetry::Periodic, 2 * HALF, index) as f32;
            index += 1;
        }
        Ok(Self { fft, window, spectrum: [ComplexF32::new(0.0, 0.0); HALF], powers: [0.0; HALF] })
    }

    /// The powers of bins 0 to `HALF` − 1; values that are missing at the end count as the mean, those that are too many are left out.
    pub fn of(&mut self, values: &[f32]) -> &[f32; HALF] {
        let values = values.get(..2 * HALF).unwrap_or(values);
        let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
        let value = |index: usize| values.get(index).map_or(0.0, |value| value - mean);
        let window = &self.window;
        self.fft.transform_with(&mut self.spectrum, |pair| {
            let [a, b] = window.get(pair).copied().unwrap_or_default();
            ComplexF32::new(a * value(2 * pair), b * value(2 * pair + 1))
        });
        self.powers.iter_mut().zip(&self.spectrum).for_each(|(power, bin)| *power = bin.power());
        &self.powers
    }
}

/// A peak of a spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peak {
    /// The bin: its frequency is bin · sample rate / points.
    pub bin: usize,
    /// The power of the bin.
    pub power: f32,
}

/// Finds the strongest peaks, strongest first, and gives how many there are in `found`. A peak is stronger than both of its neighbours; of a plateau its
/// first bin counts, and the two ends of the spectrum are none.
pub fn peaks(powers: &[f32], found: &mut [Peak]) -> usize {
    let mut count = 0;
    let mut rising: Option<usize> = None;
    for (index, (before, here)) in neighbours(powers).enumerate() {
        if here > before {
            rising = Some(index + 1);
        } else if here < before {
            if let Some(bin) = rising.take() {
                count = insert(found, count, Peak { bin, power: before });
            }
        } else if here.is_nan() || before.is_nan() {
            rising = None;
        }
    }
    count
}

/// Puts a peak behind those that are as strong; the weakest falls out when there is no room.
fn insert(found: &mut [Peak], count: usize, mut peak: Peak) -> usize {
    for place in found.iter_mut().take(count) {
        if peak.power > place.power {
            core::mem::swap(place, &mut peak);
        }
    }
    match found.get_mut(count) {
        Some(place) => {
            *place = peak;
            count + 1
        }
        None => count,
    }
}
