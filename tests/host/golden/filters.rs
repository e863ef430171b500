//! Filters, deltas and statistics against recordings of scipy, librosa and torchaudio (tests/data/signal), and against naive f64.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use smolnn_core::shape;
use smolnn_signal::delta::{Deltas, Differences};
use smolnn_signal::filter::{
    Biquad, BiquadQ15, BiquadQ31, Coefficients, Decimator, Filter, Fir, FirQ15, low_pass_taps,
};
use smolnn_signal::frames::Frames;
use smolnn_signal::running::{Exponential, Welford};
use smolnn_signal::statistics::{Peak, PowerSpectrum, Statistics, peaks};
use smolnn_testkit::golden::{blob, to_f32, to_i16};

const FOLDER: &str = "tests/data/signal";
/// Samples that scipy filtered.
const SHORT: usize = 1500;

fn input() -> Vec<i16> {
    let mut samples = to_i16(&blob(&format!("{FOLDER}/input.bin")).expect("the sound is part of the project"));
    samples.truncate(SHORT);
    samples
}

fn floats() -> Vec<f32> {
    input().iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
}

fn recorded(name: &str) -> Vec<f32> {
    to_f32(&blob(&format!("{FOLDER}/{name}.bin")).expect("the recording is part of the project"))
}

/// The largest difference.
fn worst(found: impl IntoIterator<Item = f64>, expected: &[f32]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "as many values as were recorded");
    let errors = found.iter().zip(expected).map(|(found, &expected)| (found - f64::from(expected)).abs());
    errors.fold(0.0, |most: f64, error| if error.is_nan() { f64::INFINITY } else { most.max(error) })
}

const RATE: f64 = 16_000.0;
const LOW: Coefficients = shape!(Coefficients::low_pass(1000.0 / RATE, FRAC_1_SQRT_2));
const HIGH: Coefficients = shape!(Coefficients::high_pass(200.0 / RATE, FRAC_1_SQRT_2));
const TAPS: [f64; 31] = shape!(low_pass_taps(2400.0 / RATE));

#[test]
fn designs_are_those_of_scipy() {
    let found = [LOW, HIGH].into_iter().flat_map(|filter| [&filter.b[..], &filter.a].concat());
    assert!(worst(found, &recorded("butter_coefficients")) < 1e-7);
    assert!(worst(TAPS, &recorded("firwin")) < 2e-8);
}

/// |H| at a frequency, by its definition.
fn response(filter: &Coefficients, frequency: f64) -> f64 {
    let polynomial = |factors: [f64; 3]| {
        let parts = (0..3).map(|k| (k as f64 * -2.0 * PI * frequency).sin_cos());
        let (im, re) = parts
            .zip(factors)
            .fold((0.0, 0.0), |sum, (part, factor)| (sum.0 + factor * part.0, sum.1 + factor * part.1));
        f64::hypot(re, im)
    };
    polynomial(filter.b) / polynomial([1.0, filter.a[0], filter.a[1]])
}

#[test]
fn the_cookbook_s_filters_do_what_they_are_called() {
    let six = 10.0_f64.powf(6.0 / 20.0);
    for frequency in [0.01, 0.1, 0.3] {
        for q in [0.5, FRAC_1_SQRT_2, 5.0] {
            let holds = |filter: Result<Coefficients, _>, start: f64, centre: f64, end: f64| {
                let filter = filter.unwrap();
                for (at, expected) in [(0.0, start), (frequency, centre), (0.5, end)] {
                    let found = response(&filter, at);
                    assert!((found - expected).abs() < 1e-6, "{filter:?} at {at}: {found}, not {expected}");
                }
            };
            holds(Coefficients::low_pass(frequency, q), 1.0, q, 0.0);
            holds(Coefficients::high_pass(frequency, q), 0.0, q, 1.0);
            holds(Coefficients::band_pass(frequency, q), 0.0, 1.0, 0.0);
            holds(Coefficients::notch(frequency, q), 1.0, 0.0, 1.0);
            holds(Coefficients::all_pass(frequency, q), 1.0, 1.0, 1.0);
            holds(Coefficients::peaking(frequency, q, 6.0), 1.0, six, 1.0);
            // A shelf has half its gain, in dB, at its frequency when its slope is that of q = 1/√2.
            if q == FRAC_1_SQRT_2 {
                holds(Coefficients::low_shelf(frequency, q, 6.0), six, six.sqrt(), 1.0);
                holds(Coefficients::high_shelf(frequency, q, 6.0), 1.0, six.sqrt(), six);
            }
        }
    }
    for refused in [0.0, 0.5, -0.1, f64::NAN] {
        assert!(Coefficients::low_pass(refused, 1.0).is_err() && low_pass_taps::<8>(refused).is_err());
        assert!(Coefficients::notch(0.1, refused - 0.5).is_err());
    }
    assert!(Coefficients::peaking(0.1, 1.0, 121.0).is_err() && low_pass_taps::<1>(0.1).is_err());
}

#[test]
fn biquads_are_those_of_scipy() {
    let expected = recorded("butter_low");
    let mut filter = Biquad::new(&LOW);
    let error = worst(floats().into_iter().map(|sample| f64::from(filter.step(sample))), &expected);
    assert!(error < 1e-6, "f32: {error:e}");
    let mut filter = BiquadQ31::new(&LOW).unwrap();
    let full = f64::from(1_u32 << 31);
    let steps = input().into_iter().map(|sample| f64::from(filter.step(i32::from(sample) << 16)) / full);
    let error = worst(steps, &expected);
    assert!(error < 5e-8, "Q31: {error:e}");
    // Coefficients of 13 bits decide.
    let mut filter = BiquadQ15::new(&LOW).unwrap();
    let error = worst(input().into_iter().map(|sample| f64::from(filter.step(sample)) / 32_768.0), &expected);
    println!("Q15: {error:e}");
    assert!(error < 6e-4, "Q15: {error:e}");
    let mut cascade = [Biquad::new(&LOW), Biquad::new(&HIGH)];
    let error = worst(floats().into_iter().map(|sample| f64::from(cascade.step(sample))), &recorded("butter_band"));
    assert!(error < 2e-6, "cascade: {error:e}");
}

/// The formula in integers of any length.
fn naive_biquad(coefficients: &Coefficients, bits: u32, samples: &[i64], most: i64) -> Vec<i64> {
    let fixed = |value: f64| (value * f64::from(1_u32 << bits) + 0.5).floor() as i128;
    let ([b0, b1, b2], [a1, a2]) = (coefficients.b.map(fixed), coefficients.a.map(|a| fixed(-a)));
    let (mut y, mut rest): (Vec<i128>, i128) = (vec![0, 0], 0);
    for (n, &sample) in samples.iter().enumerate() {
        let x = |back: usize| n.checked_sub(back).map_or(0, |n| i128::from(samples[n]));
        let sum = rest + b0 * i128::from(sample) + b1 * x(1) + b2 * x(2) + a1 * y[n + 1] + a2 * y[n];
        let clipped = (sum >> bits).clamp(i128::from(-most) - 1, i128::from(most));
        rest = if clipped == sum >> bits { sum.rem_euclid(1 << bits) } else { 0 };
        y.push(clipped);
    }
    y[2..].iter().map(|&value| value as i64).collect()
}

#[test]
fn integer_biquads_are_their_formula_and_clip() {
    let loud = shape!(Coefficients::peaking(0.05, 0.8, 9.0));
    let noise = |n: i64| (n * n * 7919 + n * 104_729) % 65_536 - 32_768;
    let signals: [Vec<i64>; 5] = [
        (0..2000).map(noise).collect(),
        vec![-32_768; 500],
        vec![32_767; 500],
        (0..500).map(|n| if n % 2 == 0 { 32_767 } else { -32_768 }).collect(),
        vec![0; 100],
    ];
    let mut clipped = 0;
    for coefficients in [LOW, HIGH, loud] {
        for samples in &signals {
            let mut filter = BiquadQ15::new(&coefficients).unwrap();
            let found: Vec<i64> = samples.iter().map(|&sample| i64::from(filter.step(sample as i16))).collect();
            assert_eq!(found, naive_biquad(&coefficients, 13, samples, 32_767));
            clipped += found.iter().filter(|sample| **sample == 32_767).count();
            let samples: Vec<i64> = samples.iter().map(|sample| sample << 16 | 0x1234).collect();
            let mut filter = BiquadQ31::new(&coefficients).unwrap();
            let found: Vec<i64> = samples.iter().map(|&sample| i64::from(filter.step(sample as i32))).collect();
            assert_eq!(found, naive_biquad(&coefficients, 28, &samples, i64::from(i32::MAX)));
        }
    }
    assert!(clipped > 100, "{clipped} clipped samples");
    // Coefficients whose sums would not fit.
    let huge = Coefficients::peaking(0.3, 0.1, 30.0).unwrap();
    assert!(BiquadQ15::new(&huge).is_err() && BiquadQ31::new(&huge).is_err());
    assert!(BiquadQ15::new(&Coefficients { b: [f64::NAN, 0.0, 0.0], a: [0.0; 2] }).is_err());
    assert!(FirQ15::new(&[1.0, -1.0, 0.5]).is_err() && FirQ15::new(&[1.1]).is_err());
}

#[test]
fn a_constant_settles_where_the_formula_says() {
    // Without the rest that is carried on, 16 bits stop short of it.
    let slow = Coefficients::low_pass(0.01, FRAC_1_SQRT_2).unwrap();
    let gain = slow.b.iter().map(|b| (b * 8192.0 + 0.5).floor()).sum::<f64>()
        / (8192.0 - slow.a.iter().map(|a| (-a * 8192.0 + 0.5).floor()).sum::<f64>());
    let mut filter = BiquadQ15::new(&slow).unwrap();
    let last = (0..5000).map(|_| filter.step(1000)).last().unwrap();
    assert!((f64::from(last) - 1000.0 * gain).abs() <= 1.0, "{last}, not {}", 1000.0 * gain);
}

#[test]
fn fir_filters_are_those_of_scipy() {
    let expected = recorded("fir");
    let mut filter = Fir::new(&TAPS);
    let error = worst(floats().into_iter().map(|sample| f64::from(filter.step(sample))), &expected);
    assert!(error < 2e-7, "f32: {error:e}");
    let mut filter = FirQ15::new(&TAPS).unwrap();
    let error = worst(input().into_iter().map(|sample| f64::from(filter.step(sample)) / 32_768.0), &expected);
    // Half a unit of rounding, and the taps' own.
    assert!(error < 1e-4, "Q15: {error:e}");
    // Taps that add up to 2 clip.
    let mut filter = FirQ15::new(&[0.999, 0.999]).unwrap();
    assert_eq!([filter.step(i16::MAX), filter.step(i16::MAX), filter.step(i16::MAX)], [32_734, 32_767, 32_767]);
    filter.reset();
    assert_eq!([filter.step(i16::MIN), filter.step(i16::MIN)], [-32_735, -32_768]);
}

#[test]
fn decimation_gives_every_nth_sample() {
    for factor in [1, 3, 7] {
        let mut filter = Fir::new(&TAPS);
        let whole: Vec<f32> = floats().iter().map(|&sample| filter.step(sample)).step_by(factor).collect();
        for block in [1, 2, 5, 100, SHORT] {
            let mut decimator = Decimator::new(Fir::new(&TAPS), factor).unwrap();
            let mut found = Vec::new();
            for block in floats().chunks(block) {
                decimator.push(block, |sample| found.push(sample));
                let state = decimator.save();
                decimator.reset();
                decimator.restore(&state);
            }
            assert_eq!(found, whole, "1 of {factor}, blocks of {block}");
        }
    }
    assert!(Decimator::new(Fir::new(&TAPS), 0).is_err());
}

/// A filter in blocks, its state saved in between, against the whole signal at once.
fn blocks_make_no_difference<F: Filter>(mut filter: F, samples: &[F::Sample])
where
    F::Sample: PartialEq + core::fmt::Debug,
{
    let whole: Vec<F::Sample> = samples.iter().map(|&sample| filter.step(sample)).collect();
    for block in [1, 3, 64, 1000] {
        filter.reset();
        let mut found = samples.to_vec();
        for block in found.chunks_mut(block) {
            filter.run(block);
            let state = filter.save();
            filter.reset();
            filter.restore(&state);
        }
        assert_eq!(found, whole, "blocks of {block}");
    }
}

#[test]
fn filters_do_not_depend_on_how_the_signal_is_cut() {
    blocks_make_no_difference(Biquad::new(&LOW), &floats());
    blocks_make_no_difference([Biquad::new(&LOW), Biquad::new(&HIGH)], &floats());
    blocks_make_no_difference(BiquadQ15::new(&LOW).unwrap(), &input());
    blocks_make_no_difference(BiquadQ31::new(&LOW).unwrap(), &input().into_iter().map(i32::from).collect::<Vec<_>>());
    blocks_make_no_difference(Fir::new(&TAPS), &floats());
    blocks_make_no_difference(FirQ15::new(&TAPS).unwrap(), &input());
}

#[test]
fn what_is_not_a_number_does_not_stay_in_a_filter() {
    for bad in [f32::NAN, f32::INFINITY, f32::MAX] {
        for coefficients in [LOW, HIGH, Coefficients { b: [0.0, 1.0, 0.0], a: [0.0; 2] }] {
            let mut filter = Biquad::new(&coefficients);
            filter.step(0.5);
            filter.step(bad);
            filter.step(bad);
            let later: Vec<f32> = (0..100).map(|_| filter.step(0.25)).collect();
            let spoiled = later.iter().position(|value| value.is_finite()).unwrap();
            assert!(bad == f32::MAX || spoiled == 0, "{bad} {later:?}");
            assert!(later.iter().skip(spoiled).all(|value| value.is_finite()), "{bad} {later:?}");
        }
        let mut fir = Fir::new(&TAPS);
        fir.step(bad);
        let last = (0..TAPS.len()).map(|_| fir.step(0.25)).last();
        assert!(last.is_some_and(|value| (value - 0.25).abs() < 1e-6), "{bad} {last:?}");
    }
}

fn mfcc() -> Vec<[f32; 13]> {
    recorded("librosa_mfcc").as_chunks().0.to_vec()
}

/// All deltas of a stream of frames.
fn all_deltas<const WIDTH: usize>(mut deltas: Deltas<13, WIDTH>, frames: &[[f32; 13]]) -> Vec<[f32; 13]> {
    let mut found = Vec::new();
    for frame in frames {
        deltas.push(frame, |delta| found.push(*delta));
        let state = deltas.save();
        deltas.reset();
        deltas.restore(&state);
    }
    deltas.finish(|delta| found.push(*delta));
    found
}

#[test]
fn deltas_are_those_of_librosa_and_torchaudio() {
    let near = |name: &str, found: &[[f32; 13]]| {
        let error = worst(found.as_flattened().iter().map(|&value| f64::from(value)), &recorded(name));
        assert!(error < 2e-4, "{name}: {error:e}, of values up to 600");
    };
    near("delta_1", &all_deltas::<9>(Deltas::first().unwrap(), &mfcc()));
    near("delta_2", &all_deltas::<9>(Deltas::second().unwrap(), &mfcc()));
    let once = all_deltas::<5>(Deltas::first().unwrap(), &mfcc());
    near("delta_of_delta", &all_deltas::<5>(Deltas::first().unwrap(), &once));
    assert!(Deltas::<13, 4>::first().is_err() && Deltas::<13, 1>::second().is_err());
    // One frame is continued on both sides: its delta is 0. No frame has none.
    assert_eq!(all_deltas::<9>(Deltas::first().unwrap(), &mfcc()[..1]).len(), 1);
    assert_eq!(all_deltas::<9>(Deltas::first().unwrap(), &[]).len(), 0);
}

#[test]
fn simple_differences_are_to_the_frame_before() {
    let (mut once, mut twice) = (Differences::new(), Differences::new());
    let frames = mfcc();
    let mut compared = 0;
    for (t, frame) in frames.iter().enumerate() {
        let first = once.push(frame);
        assert_eq!(first.is_some(), t > 0);
        if let Some(second) = first.and_then(|first| twice.push(&first)) {
            for channel in 0..13 {
                let at = |t: usize| frames[t][channel];
                assert_eq!(second[channel], (at(t) - at(t - 1)) - (at(t - 1) - at(t - 2)));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 13 * (frames.len() - 2));
}

#[test]
fn running_statistics_are_those_of_all_values() {
    // A large mean, so that a difference of sums would lose the variance.
    let values: Vec<f32> = floats().iter().map(|value| value + 1000.0).collect();
    let mut running = Welford::new();
    assert_eq!((running.mean(), running.variance(), running.sample_variance()), (None, None, None));
    for (index, &value) in values.iter().enumerate() {
        running.push(value);
        running.push([f32::NAN, f32::INFINITY][index % 2]);
        let state = running.save();
        running.reset();
        running.restore(&state);
    }
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    assert_eq!((running.count(), running.rejected()), (1500, 1500));
    let relative = |found: Option<f32>, expected: f64| (f64::from(found.unwrap()) / expected - 1.0).abs();
    assert!(relative(running.mean(), mean) < 1e-6, "{running:?} {mean}");
    assert!(relative(running.variance(), variance) < 5e-3, "{:?} {variance}", running.variance());
    assert!(relative(running.sample_variance(), variance * count / (count - 1.0)) < 5e-3);

    let alpha = 0.1;
    let mut fading = Exponential::new(alpha).unwrap();
    floats().iter().for_each(|&value| fading.push(value));
    fading.push(f32::NAN);
    // By the definition: the weights of the values add up to 1.
    let alpha = f64::from(alpha);
    let weight = |age: usize| (1.0 - alpha).powi(age as i32) * if age == SHORT - 1 { 1.0 } else { alpha };
    let weighted = |term: &dyn Fn(f64) -> f64| {
        floats().iter().rev().enumerate().map(|(age, &value)| weight(age) * term(f64::from(value))).sum::<f64>()
    };
    let mean = weighted(&|value| value);
    let variance = weighted(&|value| (value - mean).powi(2));
    assert!((f64::from(fading.mean().unwrap()) - mean).abs() < 1e-6);
    assert!(relative(fading.variance(), variance) < 1e-5);
    assert_eq!(fading.rejected(), 1);
    assert!(Exponential::new(0.0).is_err() && Exponential::new(f32::NAN).is_err());
}

#[test]
fn statistics_of_windows_are_their_definitions() {
    let mut windows = Frames::<f32, 50>::new(30).unwrap();
    let (values, mut start) = (floats(), 0);
    windows.push(&values, |window| {
        let expected: Vec<f64> = values[start..start + 100].iter().map(|&value| f64::from(value)).collect();
        start += 30;
        let found = Statistics::of(window).unwrap();
        let mean = expected.iter().sum::<f64>() / 100.0;
        let rms = (expected.iter().map(|value| value * value).sum::<f64>() / 100.0).sqrt();
        let deviation = (expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 100.0).sqrt();
        for (found, expected) in [(found.mean, mean), (found.rms, rms), (found.standard_deviation, deviation)] {
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found:?} {expected}");
        }
        assert!(expected.iter().all(|value| (f64::from(found.least)..=f64::from(found.most)).contains(value)));
        assert!(window.contains(&found.least) && window.contains(&found.most));
        let crossings = |level: f64| expected.windows(2).filter(|two| (two[0] < level) != (two[1] < level)).count();
        assert_eq!(found.zero_crossings, crossings(0.0));
        assert_eq!(found.mean_crossings, crossings(f64::from(found.mean)));
    });
    assert_eq!(start, 30 * 47);
    assert!(Statistics::of(&[]).is_err());
    let found = Statistics::of(&[1.0, f32::NAN, -1.0, 2.0]).unwrap();
    assert!([found.mean, found.rms, found.standard_deviation, found.least, found.most].iter().all(|x| x.is_nan()));
    assert_eq!(found.zero_crossings, 1);
    let silent = Statistics::of(&[0.0; 8]).unwrap();
    assert_eq!((silent.rms, silent.zero_crossings, silent.mean_crossings), (0.0, 0, 0));
}

#[test]
fn peaks_are_those_of_scipy() {
    static SPECTRUM: PowerSpectrum<128> = shape!(PowerSpectrum::new());
    let mut spectrum = SPECTRUM.clone();
    let powers = spectrum.of(&floats()[..256]);
    let expected = recorded("powers");
    let largest = f64::from(expected.iter().copied().fold(0.0, f32::max));
    assert!(worst(powers.iter().map(|&power| f64::from(power)), &expected) < 1e-6 * largest);
    let mut found = [Peak::default(); 5];
    assert_eq!(peaks(powers, &mut found), 5);
    assert_eq!(found.map(|peak| peak.bin as f32).to_vec(), recorded("peaks"));
    // Plateaus, ends, room for fewer, and what is not a number.
    let mut two = [Peak::default(); 2];
    assert_eq!(peaks(&[9.0, 1.0, 2.0, 2.0, 1.0, 5.0, 4.0, 6.0, 0.0, 7.0], &mut two), 2);
    assert_eq!(two.map(|peak| peak.bin), [7, 5]);
    assert_eq!(peaks(&[0.0, 3.0, f32::NAN, 3.0, 0.0, 1.0, 0.0], &mut two), 1);
    assert_eq!(two[0].bin, 5);
    assert_eq!(peaks(spectrum.of(&[]), &mut two), 0);
}
