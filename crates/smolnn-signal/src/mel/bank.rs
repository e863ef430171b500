//! The mel filter bank: overlapping triangles over the bins of a spectrum.
//!
//! Each triangle rises from the centre of the band before to its own and falls to that of the band behind. So between two centres, in
//! one of `BANDS` + 1 stretches, every bin has a share in the band that rises there, and the rest of it in the one that falls: one number per
//! bin is kept. The last triangle ends at half the sample rate or before, where its height is 0, so that the bin of N/2 has no share.

use smolnn_core::ShapeError;

use super::{FilterNorm, MelScale, Parameters};
use crate::real;

/// Hz to mel.
const fn to_mel(scale: MelScale, hz: f64) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * real::ln(1.0 + hz / 700.0) / core::f64::consts::LN_10,
        MelScale::Slaney if hz < 1000.0 => hz * 3.0 / 200.0,
        MelScale::Slaney => 15.0 + 27.0 * real::ln(hz / 1000.0) / real::ln(6.4),
    }
}

/// Mel to Hz.
const fn to_hz(scale: MelScale, mel: f64) -> f64 {
    match scale {
        MelScale::Htk => 700.0 * (real::exp(mel * core::f64::consts::LN_10 / 2595.0) - 1.0),
        MelScale::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
        MelScale::Slaney => 1000.0 * real::exp((mel - 15.0) * real::ln(6.4) / 27.0),
    }
}

/// Where the bands lie: checked numbers from which both banks are made.
struct Edges {
    scale: MelScale,
    low: f64,
    spacing: f64,
    hz_per_bin: f64,
}

impl Edges {
    const fn new(parameters: &Parameters, half: usize, bands: usize) -> Result<Self, ShapeError> {
        let (lowest, highest) = (parameters.lowest as f64, parameters.end());
        if bands == 0 || half == 0 || half > 1 << 15 {
            return Err(ShapeError::Range("a filter bank has at least one band and one bin"));
        }
        if !(lowest >= 0.0 && lowest < highest && highest <= 0.5 * parameters.sample_rate as f64) {
            return Err(ShapeError::Range(
                "the bands lie between 0 and half the sample rate, the lowest frequency below the highest",
            ));
        }
        let scale = parameters.scale;
        let low = to_mel(scale, lowest);
        Ok(Self {
            scale,
            low,
            spacing: (to_mel(scale, highest) - low) / (bands + 1) as f64,
            hz_per_bin: 0.5 * parameters.sample_rate as f64 / half as f64,
        })
    }

    /// Edge `index` in Hz: band b begins at edge b, has its centre at b + 1 and ends at b + 2.
    const fn hz(&self, index: usize) -> f64 {
        to_hz(self.scale, self.low + self.spacing * index as f64)
    }

    /// The height of a band's triangle.
    const fn height(&self, norm: FilterNorm, band: usize) -> f64 {
        match norm {
            FilterNorm::None => 1.0,
            FilterNorm::Slaney => 2.0 / (self.hz(band + 2) - self.hz(band)),
        }
    }
}

/// The bins of each stretch and their shares in the band that rises, as a type that both banks hold.
#[derive(Clone, Debug)]
struct Stretches<T, const HALF: usize, const BANDS: usize> {
    /// The first bin of the first stretch.
    start: u16,
    /// Bins of each stretch but the last.
    counts: [u16; BANDS],
    last_count: u16,
    /// The share of each bin from `start` on.
    shares: [T; HALF],
}

/// Makes the stretches for one type of shares: `$convert` is a const expression of the share as f64.
macro_rules! stretches {
    ($T:ty, $zero:expr, $convert:expr) => {
        impl<const HALF: usize, const BANDS: usize> Stretches<$T, HALF, BANDS> {
            const fn new(edges: &Edges) -> Self {
                let mut made = Self { start: 0, counts: [0; BANDS], last_count: 0, shares: [$zero; HALF] };
                let first = edges.hz(0);
                let mut bin = 0;
                while bin < HALF && bin as f64 * edges.hz_per_bin < first {
                    bin += 1;
                }
                made.start = bin as u16;
                let (mut place, mut stretch, mut from) = (0, 0, first);
                while stretch <= BANDS {
                    let (to, begin) = (edges.hz(stretch + 1), bin);
                    while bin < HALF && (bin as f64 * edges.hz_per_bin) < to {
                        let share = (bin as f64 * edges.hz_per_bin - from) / (to - from);
                        made.shares[place] = $convert(share);
                        (bin, place) = (bin + 1, place + 1);
                    }
                    let count = (bin - begin) as u16;
                    if stretch < BANDS {
                        made.counts[stretch] = count;
                    } else {
                        made.last_count = count;
                    }
                    (from, stretch) = (to, stretch + 1);
                }
                made
            }
        }
    };
}

const fn share_f32(share: f64) -> f32 {
    share as f32
}

/// Fraction bits of a share of [`MelBankQ15`].
pub(super) const SHARE_BITS: u32 = 15;

const fn share_q15(share: f64) -> u16 {
    real::round_half_up(share * (1 << SHARE_BITS) as f64) as u16
}

stretches!(f32, 0.0, share_f32);
stretches!(u16, 0, share_q15);

impl<T: Copy, const HALF: usize, const BANDS: usize> Stretches<T, HALF, BANDS> {
    /// Adds up every stretch by `gather` and calls `on_band` with each band, in order, and what falls and rises in it. `gather` takes the stretch's
    /// bins and shares, and gives what rises and what falls there.
    #[inline(always)]
    fn bands<B, S: Copy>(
        &self,
        spectrum: &[B],
        zero: S,
        gather: impl Fn(&[B], &[T]) -> (S, S),
        mut on_band: impl FnMut(usize, S, S),
    ) {
        let mut bins = spectrum.get(usize::from(self.start)..).unwrap_or_default();
        let mut shares = &self.shares[..];
        let mut risen = zero;
        for (stretch, &count) in self.counts.iter().chain([&self.last_count]).enumerate() {
            let count = usize::from(count);
            let (Some((now, later)), Some((weights, others))) =
                (bins.split_at_checked(count), shares.split_at_checked(count))
            else {
                debug_assert!(false, "the stretches have as many bins as the spectrum");
                return;
            };
            (bins, shares) = (later, others);
            let (rises, falls) = gather(now, weights);
            // What falls in the first stretch belongs to no band.
            if let Some(band) = stretch.checked_sub(1) {
                on_band(band, risen, falls);
            }
            risen = rises;
        }
    }
}

/// A filter bank of `BANDS` bands over the bins below `HALF` of a spectrum, in f32.
#[derive(Clone, Debug)]
pub struct MelBank<const HALF: usize, const BANDS: usize> {
    stretches: Stretches<f32, HALF, BANDS>,
    heights: [f32; BANDS],
}

impl<const HALF: usize, const BANDS: usize> MelBank<HALF, BANDS> {
    /// The bands of these parameters, for an FFT of 2 · `HALF` points. A band that is narrower than a bin can be empty: it is 0, as in both libraries.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless 0 ≤ lowest < highest ≤ half the sample rate and there is a band.
    pub const fn new(parameters: &Parameters) -> Result<Self, ShapeError> {
        let edges = match Edges::new(parameters, HALF, BANDS) {
            Ok(edges) => edges,
            Err(error) => return Err(error),
        };
        let mut heights = [0.0; BANDS];
        let mut band = 0;
        while band < BANDS {
            heights[band] = edges.height(parameters.norm, band) as f32;
            band += 1;
        }
        Ok(Self { stretches: Stretches::<f32, HALF, BANDS>::new(&edges), heights })
    }

    /// The bands of a spectrum; `value` turns a bin into what is added up.
    #[inline]
    pub fn apply<B: Copy>(&self, spectrum: &[B; HALF], bands: &mut [f32; BANDS], value: impl Fn(B) -> f32) {
        let gather = |bins: &[B], shares: &[f32]| {
            let (mut rises, mut falls) = (0.0, 0.0);
            for (&bin, &share) in bins.iter().zip(shares) {
                let value = value(bin);
                rises += value * share;
                falls += value * (1.0 - share);
            }
            (rises, falls)
        };
        self.stretches.bands(spectrum, 0.0, gather, |band, risen, falls| {
            if let (Some(place), Some(&height)) = (bands.get_mut(band), self.heights.get(band)) {
                *place = height * (risen + falls);
            }
        });
    }
}

/// A filter bank of `BANDS` bands over the energies of a fixed-point spectrum: shares in Q15, sums of 64 bits.
///
/// Bits of a sum: an energy has 31, a share 15, and 1 024 bins at most add 10: 56 < 64.
#[derive(Clone, Debug)]
pub struct MelBankQ15<const HALF: usize, const BANDS: usize> {
    stretches: Stretches<u16, HALF, BANDS>,
}

impl<const HALF: usize, const BANDS: usize> MelBankQ15<HALF, BANDS> {
    /// The bands of these parameters, triangles of height 1: a norm is a constant per band behind the logarithm.
    ///
    /// # Errors
    /// As [`MelBank::new`].
    pub const fn new(parameters: &Parameters) -> Result<Self, ShapeError> {
        match Edges::new(parameters, HALF, BANDS) {
            Ok(edges) => Ok(Self { stretches: Stretches::<u16, HALF, BANDS>::new(&edges) }),
            Err(error) => Err(error),
        }
    }

    /// The height of each band's triangle.
    pub(super) const fn heights(parameters: &Parameters) -> Result<[f64; BANDS], ShapeError> {
        let edges = match Edges::new(parameters, HALF, BANDS) {
            Ok(edges) => edges,
            Err(error) => return Err(error),
        };
        let mut heights = [0.0; BANDS];
        let mut band = 0;
        while band < BANDS {
            heights[band] = edges.height(parameters.norm, band);
            band += 1;
        }
        Ok(heights)
    }

    /// The sums of a spectrum in Q15, band by band; `energy` turns a bin into what is added up.
    #[inline]
    pub fn apply<B: Copy>(&self, spectrum: &[B; HALF], energy: impl Fn(B) -> u32, mut on_band: impl FnMut(usize, u64)) {
        let gather = |bins: &[B], shares: &[u16]| {
            let (mut rises, mut falls) = (0_u64, 0_u64);
            for (&bin, &share) in bins.iter().zip(shares) {
                let energy = u64::from(energy(bin));
                rises += energy * u64::from(share);
                falls += energy * u64::from((1_u16 << SHARE_BITS) - share.min(1 << SHARE_BITS));
            }
            (rises, falls)
        };
        self.stretches.bands(spectrum, 0, gather, |band, risen, falls| on_band(band, risen + falls));
    }
}
