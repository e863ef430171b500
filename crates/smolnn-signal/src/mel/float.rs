//! The mel spectrogram and MFCC in f32.

use smolnn_core::ShapeError;

use super::{Dct, Log, MelBank, Parameters, Spectrum};
use crate::fft_f32::{ComplexF32, RealFftF32};
use crate::frames::{Framing, State};
use crate::window::factor_in_frame;

/// Everything of a spectrogram that does not change: tables for flash, computed when the firmware is compiled.
///
/// An FFT of 2 · `HALF` points, `BANDS` bands.
#[derive(Clone, Debug)]
pub struct Tables<const HALF: usize, const BANDS: usize> {
    framing: Framing,
    window: [[f32; 2]; HALF],
    fft: RealFftF32,
    bank: MelBank<HALF, BANDS>,
    spectrum: Spectrum,
    log: Log,
    /// What a natural logarithm is multiplied by, and what is subtracted then.
    scale: (f32, f32),
}

impl<const HALF: usize, const BANDS: usize> Tables<HALF, BANDS> {
    /// The tables of these parameters; for a `static`.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the FFT has no such size or is shorter than the window, the hop is 0 or longer than the FFT, the
    /// bands do not lie below half the sample rate, or a logarithm's constant is not positive.
    pub const fn new(parameters: &Parameters) -> Result<Self, ShapeError> {
        let fft = match RealFftF32::new(2 * HALF) {
            Ok(fft) => fft,
            Err(error) => return Err(error),
        };
        let framing = match parameters.framing(HALF) {
            Ok(framing) => framing,
            Err(error) => return Err(error),
        };
        let bank = match MelBank::new(parameters) {
            Ok(bank) => bank,
            Err(error) => return Err(error),
        };
        let scale = match log_scale(parameters) {
            Ok((scale, zero)) => (scale as f32, zero as f32),
            Err(error) => return Err(error),
        };
        let mut window = [[0.0; 2]; HALF];
        let mut index = 0;
        while index < 2 * HALF {
            let factor = factor_in_frame(parameters.shape, parameters.symmetry, parameters.window, HALF, index);
            window[index / 2][index % 2] = factor as f32;
            index += 1;
        }
        Ok(Self { framing, window, fft, bank, spectrum: parameters.spectrum, log: parameters.log, scale })
    }
}

/// What a natural logarithm is multiplied by, and what is subtracted then.
pub(super) const fn log_scale(parameters: &Parameters) -> Result<(f64, f64), ShapeError> {
    match parameters.log {
        Log::None => Ok((1.0, 0.0)),
        Log::Natural { offset } if offset > 0.0 && offset.is_finite() => Ok((1.0, 0.0)),
        Log::NaturalAbove { least } if least > 0.0 && least.is_finite() => Ok((1.0, 0.0)),
        Log::Decibel { reference, least }
            if reference >= 0.0 && reference.is_finite() && least > 0.0 && least.is_finite() =>
        {
            let decibels = match parameters.spectrum {
                Spectrum::Magnitude => 20.0,
                Spectrum::Power => 10.0,
            };
            let scale = decibels / core::f64::consts::LN_10;
            let zero = if reference > least { reference } else { least };
            Ok((scale, scale * crate::real::ln(zero as f64)))
        }
        _ => Err(ShapeError::Range("what a logarithm adds or takes for silence is positive and finite")),
    }
}

/// A mel spectrogram: a value that samples are pushed into. Full scale is ±1, as in both libraries.
///
/// It holds the samples that frames share and the memory of one spectrum: 16 · `HALF` + 4 · `BANDS` bytes. A frame in which a sample
/// is not finite is not a number or not finite either; frames behind it are not touched by it.
#[derive(Clone, Debug)]
pub struct MelSpectrogram<const HALF: usize, const BANDS: usize> {
    tables: &'static Tables<HALF, BANDS>,
    state: State<f32, HALF>,
    spectrum: [ComplexF32; HALF],
    bands: [f32; BANDS],
}

impl<const HALF: usize, const BANDS: usize> MelSpectrogram<HALF, BANDS> {
    /// A spectrogram that has heard nothing yet.
    pub const fn new(tables: &'static Tables<HALF, BANDS>) -> Self {
        Self {
            tables,
            state: State::new(tables.framing, 0.0),
            spectrum: [ComplexF32::new(0.0, 0.0); HALF],
            bands: [0.0; BANDS],
        }
    }

    /// Takes a block of samples of any length and calls `on_frame` for each frame that it completes, in order.
    pub fn push(&mut self, samples: &[f32], on_frame: impl FnMut(&[f32; BANDS])) {
        self.push_with(samples, |sample| sample, on_frame);
    }

    /// As [`push`](Self::push), of samples of 16 bits: 32 768 is full scale.
    pub fn push_int16(&mut self, samples: &[i16], on_frame: impl FnMut(&[f32; BANDS])) {
        self.push_with(samples, |sample| f32::from(sample) * (1.0 / 32_768.0), on_frame);
    }

    fn push_with<S: Copy>(
        &mut self,
        samples: &[S],
        convert: impl Fn(S) -> f32,
        mut on_frame: impl FnMut(&[f32; BANDS]),
    ) {
        let Self { tables, state, spectrum, bands } = self;
        state.push(tables.framing, samples, convert, |frame| {
            tables.frame(spectrum, bands, |pair| frame.get(pair).copied().unwrap_or_default());
            on_frame(bands);
        });
    }

    /// Ends the stream: calls `on_frame` for the frames whose right half lies behind the last sample, which padding asks for. What is
    /// pushed afterwards is a new stream.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the stream is to be mirrored and is not longer than half a frame.
    pub fn finish(&mut self, mut on_frame: impl FnMut(&[f32; BANDS])) -> Result<(), ShapeError> {
        let Self { tables, state, spectrum, bands } = self;
        state.finish(tables.framing, |frame| {
            tables.frame(spectrum, bands, |pair| frame.pair(pair));
            on_frame(bands);
        })
    }

    /// Forgets all samples.
    pub const fn reset(&mut self) {
        self.state = State::new(self.tables.framing, 0.0);
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub fn save(&self) -> State<f32, HALF> {
        self.state.clone()
    }

    /// Goes on from a state that was saved, of a spectrogram with the same tables.
    pub fn restore(&mut self, state: &State<f32, HALF>) {
        self.state = state.clone();
    }
}

impl<const HALF: usize, const BANDS: usize> Tables<HALF, BANDS> {
    /// The bands of one frame, whose samples `pair` gives.
    fn frame(&self, spectrum: &mut [ComplexF32; HALF], bands: &mut [f32; BANDS], pair: impl Fn(usize) -> [f32; 2]) {
        self.fft.transform_with(spectrum, |index| {
            let ([a, b], [x, y]) = (self.window.get(index).copied().unwrap_or_default(), pair(index));
            ComplexF32::new(a * x, b * y)
        });
        match self.spectrum {
            Spectrum::Power => self.bank.apply(spectrum, bands, ComplexF32::power),
            Spectrum::Magnitude => self.bank.apply(spectrum, bands, |bin| libm::sqrtf(bin.power())),
        }
        let (offset, least) = match self.log {
            Log::None => return,
            Log::Natural { offset } => (offset, 0.0),
            Log::NaturalAbove { least } | Log::Decibel { least, .. } => (0.0, least),
        };
        let (scale, zero) = self.scale;
        for band in bands {
            let value = *band + offset;
            // Not `max`, which would turn NaN into silence.
            *band = scale * libm::logf(if value < least { least } else { value }) - zero;
        }
    }
}

/// MFCC: the cosine transform of the bands of a [`MelSpectrogram`].
#[derive(Clone, Debug)]
pub struct Mfcc<const HALF: usize, const BANDS: usize, const COEFFICIENTS: usize> {
    bands: MelSpectrogram<HALF, BANDS>,
    dct: &'static Dct<BANDS, COEFFICIENTS>,
    coefficients: [f32; COEFFICIENTS],
}

impl<const HALF: usize, const BANDS: usize, const COEFFICIENTS: usize> Mfcc<HALF, BANDS, COEFFICIENTS> {
    /// Coefficients of bands that these tables give, in their logarithm.
    pub const fn new(tables: &'static Tables<HALF, BANDS>, dct: &'static Dct<BANDS, COEFFICIENTS>) -> Self {
        Self { bands: MelSpectrogram::new(tables), dct, coefficients: [0.0; COEFFICIENTS] }
    }

    /// As [`MelSpectrogram::push`].
    pub fn push(&mut self, samples: &[f32], mut on_frame: impl FnMut(&[f32; COEFFICIENTS])) {
        let Self { bands, dct, coefficients } = self;
        bands.push(samples, |bands| {
            dct.apply(bands, coefficients);
            on_frame(coefficients);
        });
    }

    /// As [`MelSpectrogram::push_int16`].
    pub fn push_int16(&mut self, samples: &[i16], mut on_frame: impl FnMut(&[f32; COEFFICIENTS])) {
        let Self { bands, dct, coefficients } = self;
        bands.push_int16(samples, |bands| {
            dct.apply(bands, coefficients);
            on_frame(coefficients);
        });
    }

    /// As [`MelSpectrogram::finish`].
    ///
    /// # Errors
    /// As [`MelSpectrogram::finish`].
    pub fn finish(&mut self, mut on_frame: impl FnMut(&[f32; COEFFICIENTS])) -> Result<(), ShapeError> {
        let Self { bands, dct, coefficients } = self;
        bands.finish(|bands| {
            dct.apply(bands, coefficients);
            on_frame(coefficients);
        })
    }

    /// Forgets all samples.
    pub const fn reset(&mut self) {
        self.bands.reset();
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub fn save(&self) -> State<f32, HALF> {
        self.bands.save()
    }

    /// Goes on from a state that was saved, with the same tables.
    pub fn restore(&mut self, state: &State<f32, HALF>) {
        self.bands.restore(state);
    }
}

/// Raises all values to at least the largest of them less `top_db`, as `top_db` of both libraries does over a whole recording: a stream keeps its
/// frames until it knows the largest. Values that are not numbers stay and do not count.
pub fn limit_range(decibels: &mut [f32], top_db: f32) {
    let least = decibels.iter().fold(f32::NEG_INFINITY, |most, &value| most.max(value)) - top_db;
    for value in decibels {
        if *value < least {
            *value = least;
        }
    }
}
