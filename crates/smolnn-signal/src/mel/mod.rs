//! Mel spectrograms and MFCC with the conventions of librosa and of torchaudio, frame by frame, in f32 and in 16-bit integers.
//!
//! Those who trained a model on features of either library set the same parameters here: [`Parameters::LIBROSA`] and
//! [`Parameters::TORCHAUDIO`] are the defaults of the two, and every field has the meaning that the library's argument has.
//!
//! | librosa | torchaudio | here |
//! |---|---|---|
//! | `n_fft` | `n_fft` | 2 · `HALF`, a power of two from 64 to 2 048 |
//! | `win_length`, `hop_length` | the same | [`window`](Parameters::window), [`hop`](Parameters::hop) |
//! | `window`, `fftbins` | `window_fn`, `periodic` | [`shape`](Parameters::shape), [`symmetry`](Parameters::symmetry) |
//! | `center`, `pad_mode` | the same | [`padding`](Parameters::padding) |
//! | `power` 1 or 2 | the same | [`spectrum`](Parameters::spectrum) |
//! | `htk` | `mel_scale` | [`scale`](Parameters::scale) |
//! | `norm` | `norm` | [`norm`](Parameters::norm) |
//! | `fmin`, `fmax` | `f_min`, `f_max` | [`lowest`](Parameters::lowest), [`highest`](Parameters::highest) |
//! | `power_to_db(ref, amin)` | `AmplitudeToDB` | [`Log::Decibel`] |
//! | `n_mfcc`, `norm`, `lifter` | `n_mfcc`, `norm` | [`Dct`] |
//!
//! Two settings need the whole recording, which a stream does not have: `top_db`, which [`limit_range`] applies to frames that were
//! kept, and `ref=np.max`, which shifts all features by a constant.
//!
//! ```
//! use smolnn_signal::mel::{Dct, DctNorm, Log, Mfcc, Parameters, Tables};
//!
//! // librosa.feature.mfcc(y, sr=16000, n_mfcc=13, n_fft=512, hop_length=160, n_mels=40), without `top_db`
//! const PARAMETERS: Parameters = Parameters {
//!     sample_rate: 16_000,
//!     window: 512,
//!     hop: 160,
//!     log: Log::Decibel { reference: 1.0, least: 1e-10 },
//!     ..Parameters::LIBROSA
//! };
//! static TABLES: Tables<256, 40> = smolnn_core::shape!(Tables::new(&PARAMETERS));
//! static DCT: Dct<40, 13> = smolnn_core::shape!(Dct::new(DctNorm::Orthonormal, 0.0));
//!
//! let mut mfcc = Mfcc::new(&TABLES, &DCT);
//! let mut frames = 0;
//! for block in [0.25; 16_000].chunks(100) {
//!     mfcc.push(block, |_coefficients: &[f32; 13]| frames += 1);
//! }
//! mfcc.finish(|_| frames += 1)?;
//! assert_eq!(frames, 1 + 16_000 / 160);
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```
//!
//! Source of the formulas: the documentation of both libraries; S. Young et al., The HTK Book, for the mel scale and the lifter;
//! M. Slaney, Auditory Toolbox (1998), for his mel scale and norm. Held by recordings of both libraries (tests/data/signal).

mod bank;
mod dct;
mod float;
mod q15;

pub use bank::{MelBank, MelBankQ15};
pub use dct::{Dct, DctNorm, DctQ15};
pub use float::{MelSpectrogram, Mfcc, Tables, limit_range};
pub use q15::{LOG_BITS, MelSpectrogramQ15, MfccQ15, TablesQ15};

pub use crate::frames::Padding;
pub use crate::window::{Symmetry, WindowShape};

use smolnn_core::ShapeError;

use crate::frames::Framing;

/// What the filter bank adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Spectrum {
    /// |X|, `power=1`.
    Magnitude,
    /// |X|², `power=2`.
    Power,
}

/// The scale on which the bands lie at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MelScale {
    /// 2 595 · log10(1 + f/700).
    Htk,
    /// Linear up to 1 000 Hz, 3/200 mel per Hz, and logarithmic above, 27 mel for a factor of 6.4.
    Slaney,
}

/// The height of the bands' triangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FilterNorm {
    /// Every triangle has the height 1.
    None,
    /// Every triangle has the same area: its height is 2 divided by its width in Hz.
    Slaney,
}

/// What becomes of a band.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Log {
    /// The band as it is.
    None,
    /// ln(x + `offset`).
    Natural {
        /// What is added before: 1e-6 in torchaudio's `log_mels`.
        offset: f32,
    },
    /// ln(max(x, `least`)).
    NaturalAbove {
        /// What silence counts as.
        least: f32,
    },
    /// 10 · log10(max(x, `least`) / max(`reference`, `least`)), twice as much for magnitudes.
    Decibel {
        /// What 0 dB is, `ref`.
        reference: f32,
        /// What silence counts as, `amin`.
        least: f32,
    },
}

/// The parameters of a mel spectrogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Samples per second.
    pub sample_rate: u32,
    /// Samples of the window. It stands in the middle of a frame, which is as long as the FFT.
    pub window: usize,
    /// Samples from one frame's start to the next's, at most a frame.
    pub hop: usize,
    /// The curve of the window.
    pub shape: WindowShape,
    /// Whether the window's period is its length, or one sample less.
    pub symmetry: Symmetry,
    /// What stands before the first and behind the last sample.
    pub padding: Padding,
    /// What the bands add up.
    pub spectrum: Spectrum,
    /// Where the bands lie.
    pub scale: MelScale,
    /// How high their triangles are.
    pub norm: FilterNorm,
    /// Where the first triangle begins, in Hz.
    pub lowest: f32,
    /// Where the last triangle ends, in Hz; half the sample rate when there is none.
    pub highest: Option<f32>,
    /// What becomes of a band.
    pub log: Log,
}

impl Parameters {
    /// The defaults of `librosa.feature.melspectrogram`: 22 050 Hz, frames of 2 048 samples every 512.
    pub const LIBROSA: Self = Self {
        sample_rate: 22_050,
        window: 2048,
        hop: 512,
        shape: WindowShape::Hann,
        symmetry: Symmetry::Periodic,
        padding: Padding::Zeros,
        spectrum: Spectrum::Power,
        scale: MelScale::Slaney,
        norm: FilterNorm::Slaney,
        lowest: 0.0,
        highest: None,
        log: Log::None,
    };

    /// The defaults of `torchaudio.transforms.MelSpectrogram`: 16 000 Hz, windows of 400 samples every 200.
    ///
    /// Its default `n_fft` of 400 is no power of two: models that are to run here are trained with `n_fft=512, win_length=400`.
    pub const TORCHAUDIO: Self = Self {
        sample_rate: 16_000,
        window: 400,
        hop: 200,
        shape: WindowShape::Hann,
        symmetry: Symmetry::Periodic,
        padding: Padding::Reflect,
        spectrum: Spectrum::Power,
        scale: MelScale::Htk,
        norm: FilterNorm::None,
        lowest: 0.0,
        highest: None,
        log: Log::None,
    };

    /// The upper end of the last band, in Hz.
    const fn end(&self) -> f64 {
        match self.highest {
            Some(highest) => highest as f64,
            None => 0.5 * self.sample_rate as f64,
        }
    }

    /// The framing for an FFT of 2 · `half` points.
    const fn framing(&self, half: usize) -> Result<Framing, ShapeError> {
        if self.window == 0 || self.window > 2 * half {
            return Err(ShapeError::Range(
                "a window has at least one sample and at most as many as the FFT has points",
            ));
        }
        Framing::new(2 * half, self.hop, self.padding)
    }
}
