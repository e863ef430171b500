//! The signal operators of imported audio front ends, as published ones have them: windows of 480 samples, 512 points, 40 channels.

use core::hint::black_box;

use smolnn_core::shape;
use smolnn_signal::fft::RealFft;
use smolnn_signal::micro::GainControl;
use smolnn_signal::operators::{
    Frames, SpectralSubtraction, Stack, Stretches, auto_scale, delay, energies, filter_bank, frame, gain_control,
    inverse_real_fft, logarithms, overlap_add, real_fft, spectral_subtraction, square_roots, stack, window,
};

use super::{Meter, Random, Work, one};

const WINDOW: usize = 480;
const STEP: usize = 160;
const BINS: usize = 257;
const CHANNELS: usize = 40;
/// Bins of each stretch of the filter bank.
const WIDTH: i16 = 6;

static FFT: RealFft = shape!(RealFft::new(512));
static WEIGHTS: [i16; 41 * WIDTH as usize] = [2048; 41 * WIDTH as usize];
static FIRST: [i16; CHANNELS + 1] = {
    let mut first = [0; CHANNELS + 1];
    let mut index = 0;
    while index < first.len() {
        first[index] = index as i16 * WIDTH;
        index += 1;
    }
    first
};
static WIDTHS: [i16; CHANNELS + 1] = [WIDTH; CHANNELS + 1];
static BANK: Stretches<'_> = shape!(Stretches::new(BINS, &WEIGHTS, &WEIGHTS, &FIRST, &FIRST, &WIDTHS));
static SUBTRACTION: SpectralSubtraction =
    shape!(SpectralSubtraction::new((409, 15_975), (983, 15_401), 819, 10, 14, false));
static GAIN: GainControl = shape!(GainControl::from_table(&[100; 125], 6));
static STACK: Stack = shape!(Stack::new(CHANNELS, 1, 1, 2));
static FRAMES: Frames = shape!(Frames::new(1, WINDOW, WINDOW, STEP));

/// Samples at whole words, as the tensors of a model lie.
#[repr(align(4))]
struct Aligned<const N: usize>([i16; N]);

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let samples: [i16; WINDOW] = core::array::from_fn(|_| (random.bits() >> 18) as i16 - 8192);
    let factors = [2048_i16; WINDOW];
    let mut windowed = [0_i16; WINDOW];
    let whole = Work::Elements(WINDOW);
    one(meter, "signal_window", "480", whole, &(), |()| window(12, &samples, &factors, &mut windowed));
    let (mut scaled, mut shift) = ([0_i16; WINDOW], [0_i32]);
    one(meter, "signal_auto_scale", "480", whole, &(), |()| auto_scale(&samples, &mut scaled, &mut shift));
    let mut spectrum = Aligned([0_i16; 2 * BINS]);
    one(meter, "signal_real_fft", "512", Work::Elements(512), &FFT, |fft| {
        real_fft(fft, WINDOW, &samples, &mut spectrum.0)
    });
    let input: [i16; 2 * BINS] = core::array::from_fn(|_| (random.bits() >> 18) as i16 - 8192);
    let mut back = Aligned([0_i16; 512]);
    one(meter, "signal_inverse_real_fft", "512", Work::Elements(512), &FFT, |fft| {
        inverse_real_fft(fft, &input, &mut back.0)
    });
    let mut found = [0_u32; BINS];
    one(meter, "signal_energies", "257", Work::Elements(BINS), &(), |()| energies((5, 241), &input, &mut found));
    let of_bins: [u32; BINS] = core::array::from_fn(|_| random.bits() >> 8);
    let mut sums = [0_u32; 2 * CHANNELS];
    one(meter, "signal_filter_bank", "257 to 40", Work::Elements(BINS), &BANK, |bank| {
        filter_bank(bank, &of_bins, &mut sums)
    });
    let wide: [u32; 2 * CHANNELS] = core::array::from_fn(|index| random.bits() >> (24 * (index % 2)));
    let signals: [u32; CHANNELS] = core::array::from_fn(|_| random.bits() >> 14);
    let noise: [u32; CHANNELS] = core::array::from_fn(|_| random.bits() >> 6);
    let (mut state, mut copy, mut results) = (noise, [0_u32; CHANNELS], [0_u32; CHANNELS]);
    let channels = Work::Elements(CHANNELS);
    one(meter, "signal_square_roots", "40", channels, &(), |()| square_roots(&wide, &[2], &mut results));
    one(meter, "signal_spectral_subtraction", "40", channels, &SUBTRACTION, |layer| {
        spectral_subtraction(layer, &mut state, &signals, &mut results, &mut copy)
    });
    one(meter, "signal_gain_control", "40", channels, &GAIN, |layer| {
        gain_control(layer, &signals, &noise, &mut results)
    });
    let mut logs = [0_i16; CHANNELS];
    one(meter, "signal_logarithms", "40", channels, &(), |()| logarithms(64, 3, &signals, &mut logs));

    let (mut waiting, mut stacked, mut counts, mut valid) = ([0; 3 * CHANNELS], [0; 3 * CHANNELS], [0; 2], [0]);
    one(meter, "signal_stack", "40, 3 frames", channels, &STACK, |layer| {
        stack(layer, &mut waiting, &mut counts, &samples[..CHANNELS], &mut stacked, &mut valid)
    });
    let mut late = [0_i16; STEP];
    one(meter, "signal_delay", "480 by 160", whole, &(), |()| delay(WINDOW, STEP, &mut late, &samples, &mut windowed));
    let (mut kept, mut count, mut frames) = ([0_i16; WINDOW], [0_i32], [0_i16; 3 * WINDOW]);
    one(meter, "signal_frame", "480 by 160", whole, &FRAMES, |layer| {
        frame(layer, &mut kept, &mut count, &samples, &mut frames, &mut valid)
    });
    let (mut open, mut closed) = ([0_i16; WINDOW], [0_i16; STEP]);
    one(meter, "signal_overlap_add", "480 by 160", whole, &(), |()| {
        overlap_add(1, STEP, &mut open, &samples, &mut closed)
    });
    black_box((&windowed, &scaled, &shift, &spectrum.0, &back.0, &found, &sums, &results, &copy, &logs));
    black_box((&stacked, &frames, &closed));
}
