//! The micro audio front end: a whole frame of 10 ms, and each of its stages, with the parameters that published wake words have.

use smolnn_signal::fft::{Complex, RealFft};
use smolnn_signal::micro::{
    DEFAULT, FilterBank, GainControl, LogScale, MicroFrontend, NoiseReduction, Parameters, common_shift, hann, root,
    to_int8, windowed,
};

use super::{Meter, Random, Work, one};
use smolnn_core::shape;

const PARAMETERS: Parameters = Parameters::DEFAULT;
/// Samples of a window and of the step between windows.
const WINDOW: usize = 480;
const STEP: usize = 160;
const CHANNELS: usize = 40;

static HANN: [i16; WINDOW] = hann();
static FFT: RealFft = shape!(RealFft::new(512));
static BANK: FilterBank<256, CHANNELS> = shape!(FilterBank::new(&PARAMETERS));
static NOISE: NoiseReduction = shape!(NoiseReduction::new(
    PARAMETERS.smoothing_bits,
    PARAMETERS.even_smoothing,
    PARAMETERS.odd_smoothing,
    PARAMETERS.min_signal_remaining
));
static GAIN: GainControl = shape!(GainControl::new(&PARAMETERS, 3));
static LOG: LogScale = shape!(LogScale::new(true, PARAMETERS.scale_shift, 3));

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let mut samples = [0_i16; WINDOW];
    samples.iter_mut().for_each(|sample| *sample = (random.bits() >> 18) as i16 - 8192);
    let mut frontend = MicroFrontend::new(&DEFAULT);
    // All but one step of the first window: each push is a frame from now on.
    frontend.push(&samples[STEP..], |_| {});
    let mut features = [0_i8; CHANNELS];
    one(meter, "micro_frontend", "frame", Work::Elements(STEP), &(), |()| {
        frontend.push(&samples[..STEP], |frame| {
            features.iter_mut().zip(frame).for_each(|(place, &feature)| *place = to_int8(feature));
        });
        Ok(())
    });

    let mut shift = 0;
    one(meter, "common_shift", "480 windowed", Work::Elements(WINDOW), &HANN, |window| {
        shift = common_shift(samples.iter().zip(window).map(|(&sample, &factor)| windowed(sample, factor)));
        Ok(())
    });
    let mut spectrum = [Complex::default(); 257];
    one(meter, "real_fft", "512", Work::Elements(512), &FFT, |fft| fft.transform(&samples, &mut spectrum));

    // Every stage has an input of its own, as large as sound makes it: what it takes does not depend on which stages are measured.
    let bins: [Complex; 256] =
        core::array::from_fn(|_| Complex::new((random.bits() >> 22) as i16, (random.bits() >> 22) as i16));
    let sums: [u64; CHANNELS] = core::array::from_fn(|channel| u64::from(random.bits()) << (channel % 12));
    let signals: [u32; CHANNELS] = core::array::from_fn(|_| random.bits() >> 14);
    let mut estimates: [u32; CHANNELS] = core::array::from_fn(|_| random.bits() >> 6);
    let mut found = [0_u64; CHANNELS];
    one(meter, "filter_bank", "256 to 40", Work::Elements(256), &BANK, |bank| {
        bank.accumulate(&bins, Complex::default(), |channel, sum| {
            if let Some(place) = found.get_mut(channel) {
                *place = sum;
            }
        });
        Ok(())
    });
    let mut results = [0_u32; CHANNELS];
    let elements = Work::Elements(CHANNELS);
    one(meter, "root", "40", elements, &(), |()| {
        results.iter_mut().zip(&sums).for_each(|(place, &sum)| *place = root(sum));
        Ok(())
    });
    one(meter, "gain_control", "40", elements, &GAIN, |gain| {
        for (place, (&signal, &estimate)) in results.iter_mut().zip(signals.iter().zip(&estimates)) {
            *place = gain.apply(signal, estimate);
        }
        Ok(())
    });
    one(meter, "noise_reduction", "40", elements, &NOISE, |noise| {
        for (channel, (estimate, (place, &signal))) in
            estimates.iter_mut().zip(results.iter_mut().zip(&signals)).enumerate()
        {
            *place = noise.apply(channel, signal, estimate);
        }
        Ok(())
    });
    let mut logs = [0_u16; CHANNELS];
    one(meter, "log_scale", "40", elements, &LOG, |log| {
        logs.iter_mut().zip(&signals).for_each(|(place, &signal)| *place = log.apply(signal));
        Ok(())
    });
    core::hint::black_box((&features, &shift, &spectrum, &found, &results, &logs));
}
