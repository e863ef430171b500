//! What a tensor's values were over the calibration data, and the range that its integers shall span.

use smolnn_fixed::quantise::{Affine, round};

use crate::net::Element;

/// Bins of a histogram: fine enough that the range which they give is within a thousandth of the largest value.
const BINS: usize = 4096;
/// Bars of the histogram that a report shows.
const BARS: usize = 64;
/// The share of values that a percentile keeps inside of the range.
const KEPT: f64 = 0.9999;
/// The share of samples that a percentile may leave out, at least one.
const OUTLYING: f64 = 0.02;
/// Fewer samples do not say what is usual.
const FEWEST_TO_COMPARE: usize = 10;
/// A sample is left out by a percentile where its largest magnitude is so many times that of the others.
const FAR: f32 = 4.0;
/// The share of magnitudes that a wide range is compared with.
const USUAL: f64 = 0.999;
/// Steps in which a bound is moved inwards in the search for the least squared error; each takes off a hundredth of the largest value.
const INWARD_STEPS: usize = 80;

/// How the range of a tensor's integers follows from the values that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum RangeMethod {
    /// From the least to the largest value: nothing is cut off.
    MinMax,
    /// Without the 0.005 % of values at either end, and without samples whose values are far beyond those of all others.
    Percentile,
    /// The range for which the squared error is least, of rounding inside of it and of cutting off outside.
    MeanSquaredError,
}

impl RangeMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MinMax, Self::Percentile, Self::MeanSquaredError];

    /// The name for people and the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MinMax => "min-max",
            Self::Percentile => "percentile",
            Self::MeanSquaredError => "mse",
        }
    }
}

/// The values of a tensor over all samples, in little memory: a histogram, the bounds of each sample, and per channel the mean and the largest
/// magnitude.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub least: f32,
    pub largest: f32,
    count: u64,
    /// The least and the largest value of each sample.
    samples: Vec<(f32, f32)>,
    /// Bins over −bound ..= bound.
    bound: f64,
    bins: Vec<u64>,
    sums: Vec<f64>,
    magnitudes: Vec<f32>,
}

impl Observed {
    /// Nothing yet, of a tensor with so many channels along its last dimension.
    pub fn new(channels: usize) -> Self {
        Self {
            least: f32::INFINITY,
            largest: f32::NEG_INFINITY,
            count: 0,
            samples: Vec::new(),
            bound: 0.0,
            bins: vec![0; BINS],
            sums: vec![0.0; channels],
            magnitudes: vec![0.0; channels],
        }
    }

    /// Counts the values of one sample; the index of a value that is not finite is an error.
    pub fn add(&mut self, values: &[f32]) -> Result<(), usize> {
        let (mut least, mut largest) = (f32::INFINITY, f32::NEG_INFINITY);
        for (index, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(index);
            }
            (least, largest) = (least.min(value), largest.max(value));
        }
        self.samples.push((least, largest));
        (self.least, self.largest) = (self.least.min(least), self.largest.max(largest));
        self.count += values.len() as u64;
        self.grow(f64::from(self.least.abs().max(self.largest.abs())));
        let (bound, factor) = (self.bound as f32, (BINS as f64 / 2.0 / self.bound) as f32);
        for &value in values {
            let bin = ((value + bound) * factor) as usize;
            self.bins[bin.min(BINS - 1)] += 1;
        }
        for row in values.chunks_exact(self.sums.len()) {
            for ((&value, sum), magnitude) in row.iter().zip(&mut self.sums).zip(&mut self.magnitudes) {
                *sum += f64::from(value);
                *magnitude = magnitude.max(value.abs());
            }
        }
        Ok(())
    }

    /// Widens the histogram by powers of 2 until it holds this magnitude: neighbouring bins become one, nothing is lost.
    fn grow(&mut self, magnitude: f64) {
        if self.bound == 0.0 {
            self.bound = magnitude.max(f64::from(f32::MIN_POSITIVE));
        }
        while self.bound < magnitude {
            let mut wider = vec![0; BINS];
            for (bin, count) in self.bins.iter().enumerate() {
                wider[(bin + BINS / 2) / 2] += count;
            }
            self.bins = wider;
            self.bound *= 2.0;
        }
    }

    /// The mean of each channel.
    pub fn means(&self) -> Vec<f64> {
        let rows = (self.count as f64 / self.sums.len() as f64).max(1.0);
        self.sums.iter().map(|sum| sum / rows).collect()
    }

    /// The largest magnitude of each channel.
    pub fn magnitudes(&self) -> &[f32] {
        &self.magnitudes
    }

    /// Whether all values were the same.
    pub fn is_constant(&self) -> bool {
        self.least == self.largest
    }

    /// The histogram between the least and the largest value, in few bars.
    pub fn bars(&self) -> Vec<u64> {
        let mut bars = vec![0; BARS];
        let (least, width) = (f64::from(self.least), f64::from(self.largest) - f64::from(self.least));
        for (bin, &count) in self.bins.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let at = if width > 0.0 { (self.middle(bin) - least) / width * BARS as f64 } else { 0.0 };
            bars[(at.max(0.0) as usize).min(BARS - 1)] += count;
        }
        bars
    }

    /// The value in the middle of a bin.
    fn middle(&self, bin: usize) -> f64 {
        (bin as f64 + 0.5) * self.bound * 2.0 / BINS as f64 - self.bound
    }

    /// The range of int8 by this method: it holds 0.
    pub fn range(&self, method: RangeMethod) -> (f64, f64) {
        let all = (f64::from(self.least).min(0.0), f64::from(self.largest).max(0.0));
        match method {
            RangeMethod::MinMax => all,
            RangeMethod::Percentile => self.percentile(all),
            RangeMethod::MeanSquaredError => self.least_squares(all),
        }
    }

    fn percentile(&self, (least, largest): (f64, f64)) -> (f64, f64) {
        let tail = (self.count as f64 * (1.0 - KEPT) / 2.0) as u64;
        let mut passed = [0; 2];
        let mut is_edge = |side: usize, bin: usize| {
            passed[side] += self.bins[bin];
            passed[side] > tail
        };
        let width = self.bound / BINS as f64;
        let low = (0..BINS).find(|&bin| is_edge(0, bin)).map_or(least, |bin| self.middle(bin) - width);
        let high = (0..BINS).rev().find(|&bin| is_edge(1, bin)).map_or(largest, |bin| self.middle(bin) + width);
        let (least, largest) = self.without_far_samples().unwrap_or((least, largest));
        (low.max(least).min(0.0), high.min(largest).max(0.0))
    }

    /// The largest magnitude of all samples but the outermost ones; `None` where samples are few.
    fn usual_of_samples(&self) -> Option<f32> {
        let mut magnitudes: Vec<f32> = self.samples.iter().map(|&(low, high)| high.max(-low)).collect();
        magnitudes.sort_by(f32::total_cmp);
        let outermost = ((magnitudes.len() as f64 * OUTLYING) as usize).max(1);
        (magnitudes.len() >= FEWEST_TO_COMPARE).then(|| magnitudes[magnitudes.len() - 1 - outermost])
    }

    /// The bounds of the samples that are not far beyond the others, where some are.
    fn without_far_samples(&self) -> Option<(f64, f64)> {
        let usual = self.usual_of_samples().filter(|&usual| usual > 0.0)?;
        let near = self.samples.iter().filter(|&&(low, high)| high.max(-low) <= FAR * usual);
        let bounds =
            near.fold((0.0_f32, 0.0_f32), |(least, largest), &(low, high)| (least.min(low), largest.max(high)));
        Some((bounds.0.into(), bounds.1.into()))
    }

    /// The sample with the largest magnitude, that magnitude, and what is usual: 99.9 % of all magnitudes are below it, or those of all samples but
    /// the outermost. `None` where there is nothing to compare with.
    pub fn outermost(&self) -> Option<(usize, f32, f32)> {
        let magnitude = |&(low, high): &(f32, f32)| high.max(-low);
        let (sample, largest) = self.samples.iter().map(magnitude).enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let mut left = (self.count as f64 * (1.0 - USUAL)) as u64;
        // Bins from the outermost pair inwards. Values in the innermost pair may be 0: many zeros do not make the others outliers.
        let is_edge = |&pair: &usize| {
            let both = self.bins[pair] + self.bins[BINS - 1 - pair];
            let is_edge = both > left;
            left = left.saturating_sub(both);
            is_edge
        };
        let edge = (0..BINS / 2).find(is_edge).filter(|&pair| pair < BINS / 2 - 1);
        let usual = edge.map(|pair| (-self.middle(pair)) as f32);
        let of_samples = self.usual_of_samples().filter(|&usual| usual > 0.0);
        let usual = usual.into_iter().chain(of_samples).min_by(f32::total_cmp)?;
        Some((sample, largest, usual))
    }

    /// Moves either bound inwards as long as the error falls, the farther one first, twice.
    fn least_squares(&self, all: (f64, f64)) -> (f64, f64) {
        let (mut low, mut high) = all;
        for side in [low.abs() > high, low.abs() <= high].repeat(2) {
            let bounds = (0..INWARD_STEPS).map(|step| {
                let kept = 1.0 - step as f64 / 100.0;
                if side { (all.0 * kept, high) } else { (low, all.1 * kept) }
            });
            let best = bounds.min_by(|&a, &b| self.squared_error(a).total_cmp(&self.squared_error(b)));
            (low, high) = best.unwrap_or(all);
        }
        (low, high)
    }

    /// The squared error of all values in 256 steps over this range.
    fn squared_error(&self, (low, high): (f64, f64)) -> f64 {
        let step = (high - low) / 255.0;
        let rounding = step * step / 12.0;
        let error = |bin: usize| {
            let value = self.middle(bin);
            let beyond = (low - value).max(value - high).max(0.0);
            if beyond > step / 2.0 { beyond * beyond } else { rounding }
        };
        (0..BINS).filter(|&bin| self.bins[bin] > 0).map(|bin| self.bins[bin] as f64 * error(bin)).sum()
    }
}

/// Scale and zero point with which integers of a type span a range that holds 0: all 256 values of int8, and int16 symmetrically around 0. A range
/// without extent gets a scale of 1/128, which does no harm: real 0 stays exact.
pub(crate) fn affine((low, high): (f64, f64), element: Element) -> Affine {
    let (low, high) = (low.min(0.0), high.max(0.0));
    if element == Element::I16 {
        let scale = (high.max(-low) / 32767.0) as f32;
        return Affine::new(if scale > 0.0 { scale } else { 1.0 / 128.0 }, 0);
    }
    let scale = ((high - low) / 255.0) as f32;
    if scale.is_normal() {
        Affine::new(scale, round(-128.0 - low / f64::from(scale)).clamp(-128, 127))
    } else {
        Affine::new(1.0 / 128.0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(samples: &[&[f32]]) -> Observed {
        let mut observed = Observed::new(1);
        samples.iter().for_each(|sample| observed.add(sample).unwrap());
        observed
    }

    /// A few far outliers among many values: min–max keeps them, the other two cut them off, and the squared error says who is right.
    #[test]
    fn outliers_widen_only_the_range_of_min_max() {
        let usual: Vec<f32> = (0..100_000).map(|index| (index % 1000) as f32 / 1000.0).collect();
        let observed = observed(&[&usual, &[40.0]]);
        assert_eq!(observed.range(RangeMethod::MinMax), (0.0, 40.0));
        let (low, high) = observed.range(RangeMethod::Percentile);
        assert!(low == 0.0 && (0.95..1.1).contains(&high), "{high}");
        let least = observed.range(RangeMethod::MeanSquaredError);
        assert!(observed.squared_error(least) < observed.squared_error((0.0, 40.0)), "{least:?}");
    }

    /// One wild value in one of many samples: a percentile takes it out however few values there are, and the sample is known.
    #[test]
    fn one_wild_sample_is_left_out_and_known() {
        let mut samples = vec![vec![0.5_f32, 0.0, 1.0, -0.25]; 50];
        samples[7][1] = 1000.0;
        let of = |samples: &[Vec<f32>]| observed(&samples.iter().map(|sample| &sample[..]).collect::<Vec<_>>());
        let wild = of(&samples);
        assert_eq!(wild.range(RangeMethod::MinMax), (-0.25, 1000.0));
        assert_eq!(wild.range(RangeMethod::Percentile), (-0.25, 1.0));
        assert_eq!(wild.outermost(), Some((7, 1000.0, 1.0)));
        // Twice the others is nothing unusual.
        samples[7][1] = 2.0;
        assert_eq!(of(&samples).range(RangeMethod::Percentile).1, 2.0);
    }

    /// A histogram that grows from sample to sample is as good as one that knew the range from the start.
    #[test]
    fn order_of_samples_does_not_count() {
        let (small, large) = ([0.01_f32, -0.02, 0.005], [3.0_f32, -1.5, 2.0]);
        let (up, down) = (observed(&[&small, &large]), observed(&[&large, &small]));
        assert_eq!((up.least, up.largest), (down.least, down.largest));
        assert_eq!(up.bars().iter().sum::<u64>(), 6);
        let (a, b) = (up.range(RangeMethod::MeanSquaredError), down.range(RangeMethod::MeanSquaredError));
        assert!((a.0 - b.0).abs() < 0.05 && (a.1 - b.1).abs() < 0.05, "{a:?} {b:?}");
    }

    #[test]
    fn ranges_hold_zero_and_say_what_is_no_number() {
        let above = observed(&[&[2.0, 3.0]]);
        for method in RangeMethod::ALL {
            let (low, high) = above.range(method);
            assert!(low == 0.0 && high > 2.0, "{method:?}");
        }
        assert_eq!(Observed::new(1).add(&[0.0, f32::NAN]), Err(1));
        assert_eq!(affine((0.0, 0.0), Element::I8), Affine::new(1.0 / 128.0, 0));
        assert_eq!(affine((0.0, 2.55), Element::I8), Affine::new(0.01, -128));
        assert_eq!(affine((-1.0, 0.5), Element::I16), Affine::new(1.0 / 32767.0, 0));
    }
}
