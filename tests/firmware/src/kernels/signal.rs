//! The micro audio front end: a whole frame of 10 ms, and each of its stages, with the parameters that published wake words have. Then
//! the other features of `smolnn-signal`, and its filters.

use smolnn_signal::delta::Deltas;
use smolnn_signal::fft::{Complex, RealFft};
use smolnn_signal::fft_f32::{ComplexF32, RealFftF32};
use smolnn_signal::filter::{
    Biquad, BiquadQ15, BiquadQ31, Coefficients, Decimator, Filter, Fir, FirQ15, low_pass_taps,
};
use smolnn_signal::mel::{
    self, Dct, DctNorm, DctQ15, Log, MelSpectrogram, MelSpectrogramQ15, Mfcc, MfccQ15, Tables, TablesQ15,
};
use smolnn_signal::micro::{
    DEFAULT, FilterBank, GainControl, LogScale, MicroFrontend, NoiseReduction, Parameters, common_shift, hann, root,
    to_int8, windowed,
};
use smolnn_signal::running::{Exponential, Welford};
use smolnn_signal::statistics::{Peak, PowerSpectrum, Statistics, peaks};

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
    mel(meter, &mut random);
    filters(meter, &mut random);
    statistics(meter, &mut random);
}

/// What `librosa.feature.mfcc` takes for speech: 512 points, 40 bands in dB, 13 coefficients.
const MEL: mel::Parameters = mel::Parameters {
    sample_rate: 16_000,
    window: 400,
    hop: STEP,
    log: Log::Decibel { reference: 1.0, least: 1e-10 },
    ..mel::Parameters::LIBROSA
};
static TABLES: Tables<256, CHANNELS> = shape!(Tables::new(&MEL));
static TABLES_Q15: TablesQ15<256, CHANNELS> = shape!(TablesQ15::new(&MEL));
static DCT: Dct<CHANNELS, 13> = shape!(Dct::new(DctNorm::Orthonormal, 0.0));
static DCT_Q15: DctQ15<CHANNELS, 13> = shape!(DctQ15::new(DctNorm::Orthonormal, 0.0));
static FFT_F32: RealFftF32 = shape!(RealFftF32::new(512));

/// The fast Fourier transform as textbooks print it (Cooley and Tukey 1965, radix 2, in place, complex points), which who has no library writes. `turns` holds
/// the powers of the first root of unity.
fn textbook_fft(points: &mut [ComplexF32; 512], turns: &[ComplexF32; 256]) {
    for index in 0..512_usize {
        let other = index.reverse_bits() >> (usize::BITS - 9);
        if index < other {
            points.swap(index, other);
        }
    }
    let mut half = 1;
    while half < 512 {
        for block in points.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (index, (low, high)) in low.iter_mut().zip(high).enumerate() {
                let turn = turns[index * (256 / half) % 256];
                let turned =
                    ComplexF32 { re: high.re * turn.re - high.im * turn.im, im: high.re * turn.im + high.im * turn.re };
                *high = ComplexF32 { re: low.re - turned.re, im: low.im - turned.im };
                *low = ComplexF32 { re: low.re + turned.re, im: low.im + turned.im };
            }
        }
        half *= 2;
    }
}

/// Mel spectrograms and MFCC.
#[inline(never)]
fn mel(meter: &mut dyn Meter, random: &mut Random) {
    let samples: [i16; 512] = core::array::from_fn(|_| (random.bits() >> 18) as i16 - 8192);
    let floats = samples.map(|sample| f32::from(sample) / 32_768.0);
    {
        let mut spectrum = [ComplexF32::default(); 257];
        one(meter, "real_fft_f32", "512", Work::Elements(512), &FFT_F32, |fft| fft.transform(&floats, &mut spectrum));
        core::hint::black_box(&spectrum);
        let mut memory = floats;
        one(meter, "real_fft_f32_microfft", "512", Work::Elements(512), &(), |()| {
            memory = floats;
            core::hint::black_box(microfft::real::rfft_512(&mut memory));
            Ok(())
        });
        let mut points = [ComplexF32::default(); 512];
        let turns = core::array::from_fn(|index| {
            let angle = -core::f32::consts::TAU * index as f32 / 512.0;
            ComplexF32 { re: libm::cosf(angle), im: libm::sinf(angle) }
        });
        one(meter, "real_fft_f32_textbook", "512", Work::Elements(512), &turns, |turns| {
            points.iter_mut().zip(&floats).for_each(|(point, &re)| *point = ComplexF32 { re, im: 0.0 });
            textbook_fft(&mut points, turns);
            Ok(())
        });
        core::hint::black_box(&points);
    }
    let frame = Work::Elements(STEP);
    // The first frame is padded in front: all but one step of it, and each push is a frame from now on.
    let first = &samples[..256 - STEP];
    {
        let mut bands = [0.0; CHANNELS];
        let mut spectrogram = MelSpectrogram::new(&TABLES);
        spectrogram.push_int16(first, |_| {});
        one(meter, "mel_spectrogram", "frame", frame, &(), |()| {
            spectrogram.push_int16(&samples[..STEP], |frame| bands = *frame);
            Ok(())
        });
        let mut coefficients = [0.0; 13];
        one(meter, "dct", "40 to 13", Work::Macs(520), &DCT, |dct| {
            dct.apply(&bands, &mut coefficients);
            Ok(())
        });
        core::hint::black_box(&coefficients);
    }
    {
        let mut coefficients = [0.0; 13];
        let mut mfcc = Mfcc::new(&TABLES, &DCT);
        mfcc.push_int16(first, |_| {});
        one(meter, "mfcc", "frame", frame, &(), |()| {
            mfcc.push_int16(&samples[..STEP], |frame| coefficients = *frame);
            Ok(())
        });
        core::hint::black_box(&coefficients);
    }
    let mut bands = [0; CHANNELS];
    let mut spectrogram = MelSpectrogramQ15::new(&TABLES_Q15);
    spectrogram.push(first, |_| {});
    one(meter, "mel_spectrogram_q15", "frame", frame, &(), |()| {
        spectrogram.push(&samples[..STEP], |frame| bands = *frame);
        Ok(())
    });
    let mut coefficients = [0; 13];
    one(meter, "dct_q15", "40 to 13", Work::Macs(520), &DCT_Q15, |dct| {
        dct.apply(&bands, &mut coefficients);
        Ok(())
    });
    let mut mfcc = MfccQ15::new(&TABLES_Q15, &DCT_Q15);
    mfcc.push(first, |_| {});
    one(meter, "mfcc_q15", "frame", frame, &(), |()| {
        mfcc.push(&samples[..STEP], |frame| coefficients = *frame);
        Ok(())
    });
    // The frames behind the last sample, so that the panic gate sees them too.
    let ends = [mfcc.finish(|frame| coefficients = *frame).is_ok(), spectrogram.finish(|frame| bands = *frame).is_ok()];
    core::hint::black_box((&coefficients, &bands, ends));
}

const LOW_PASS: Coefficients = shape!(Coefficients::low_pass(0.1, core::f64::consts::FRAC_1_SQRT_2));
const TAPS: [f64; 31] = shape!(low_pass_taps(0.15));

/// Filters over a block of 160 samples.
#[inline(never)]
fn filters(meter: &mut dyn Meter, random: &mut Random) {
    const SHAPE: &str = "160 samples";
    let mut samples: [i16; STEP] = core::array::from_fn(|_| (random.bits() >> 16) as i16);
    let mut floats = samples.map(|sample| f32::from(sample) / 32_768.0);
    let mut words = samples.map(|sample| i32::from(sample) << 16);
    let elements = Work::Elements(STEP);
    let mut biquad = Biquad::new(&LOW_PASS);
    one(meter, "biquad", SHAPE, elements, &(), |()| {
        biquad.run(&mut floats);
        Ok(())
    });
    static BIQUAD_Q15: BiquadQ15 = shape!(BiquadQ15::new(&LOW_PASS));
    let mut biquad = BIQUAD_Q15.clone();
    one(meter, "biquad_q15", SHAPE, elements, &(), |()| {
        biquad.run(&mut samples);
        Ok(())
    });
    static BIQUAD_Q31: BiquadQ31 = shape!(BiquadQ31::new(&LOW_PASS));
    let mut biquad = BIQUAD_Q31.clone();
    one(meter, "biquad_q31", SHAPE, elements, &(), |()| {
        biquad.run(&mut words);
        Ok(())
    });
    let mut fir = Fir::new(&TAPS);
    one(meter, "fir", "160 by 31 taps", Work::Macs(160 * 31), &(), |()| {
        fir.run(&mut floats);
        Ok(())
    });
    static FIR_Q15: FirQ15<31> = shape!(FirQ15::new(&TAPS));
    let mut fir = FIR_Q15.clone();
    one(meter, "fir_q15", "160 by 31 taps", Work::Macs(160 * 31), &(), |()| {
        fir.run(&mut samples);
        Ok(())
    });
    let mut last = 0;
    if let Ok(mut decimator) = Decimator::new(FIR_Q15.clone(), 4) {
        one(meter, "decimator", "160 to 40, 31 taps", Work::Macs(40 * 31), &(), |()| {
            decimator.push(&samples, |sample| last = sample);
            Ok(())
        });
    }
    core::hint::black_box((&samples, &floats, &words, last));
}

/// Deltas, running statistics and those of windows.
#[inline(never)]
fn statistics(meter: &mut dyn Meter, random: &mut Random) {
    let values: [f32; 128] = core::array::from_fn(|_| (random.bits() >> 16) as i16 as f32);
    let elements = Work::Elements(values.len());
    let mut delta = [0.0; 13];
    if let (Ok(mut deltas), Some(frame)) = (Deltas::<13, 9>::first(), values.first_chunk::<13>()) {
        one(meter, "deltas", "13 over 9", Work::Macs(13 * 9), &(), |()| {
            deltas.push(frame, |found| delta = *found);
            Ok(())
        });
    }
    let (mut welford, mut fading) = (Welford::new(), Exponential::new(0.1));
    one(meter, "welford", "128", elements, &(), |()| {
        values.iter().for_each(|&value| welford.push(value));
        Ok(())
    });
    if let Ok(fading) = &mut fading {
        one(meter, "exponential", "128", elements, &(), |()| {
            values.iter().for_each(|&value| fading.push(value));
            Ok(())
        });
    }
    let mut found = None;
    one(meter, "window_statistics", "128", elements, &(), |()| {
        found = Statistics::of(&values).ok();
        Ok(())
    });
    static SPECTRUM: PowerSpectrum<64> = shape!(PowerSpectrum::new());
    let mut spectrum = SPECTRUM.clone();
    one(meter, "power_spectrum", "128", elements, &(), |()| {
        spectrum.of(&values);
        Ok(())
    });
    let (mut strongest, mut count) = ([Peak::default(); 3], 0);
    let powers = *spectrum.of(&values);
    one(meter, "peaks", "3 of 64", Work::Elements(64), &(), |()| {
        count = peaks(&powers, &mut strongest);
        Ok(())
    });
    let mut decibels = powers;
    one(meter, "limit_range", "64", Work::Elements(64), &(), |()| {
        mel::limit_range(&mut decibels, 80.0);
        Ok(())
    });
    core::hint::black_box((&delta, &welford, &fading, &found, &strongest, count, &decibels));
}
