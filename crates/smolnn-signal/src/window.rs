//! Windows: sums of cosines, by the formulas that `scipy.signal.get_window` and `torch` share.

use crate::real;

/// The curve of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WindowShape {
    /// 0.5 − 0.5 cos.
    Hann,
    /// 0.54 − 0.46 cos.
    Hamming,
    /// 0.42 − 0.5 cos + 0.08 cos 2.
    Blackman,
    /// 1 everywhere.
    Rectangular,
}

/// How the period of a window relates to its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Symmetry {
    /// The period is the length: for spectra, the default of both libraries (`fftbins=True`, `periodic=True`).
    Periodic,
    /// The period is one sample less, so that the last factor equals the first.
    Symmetric,
}

/// The factor of sample `index` of a window of `length` samples.
pub(crate) const fn factor(shape: WindowShape, symmetry: Symmetry, length: usize, index: usize) -> f64 {
    let period = match symmetry {
        Symmetry::Periodic => length,
        Symmetry::Symmetric => length - 1,
    };
    if period == 0 {
        return 1.0;
    }
    // In (−π, π], where the const cosine is good.
    let turn = if 2 * index > period { index as f64 - period as f64 } else { index as f64 };
    let cosine = real::cos(2.0 * real::PI * turn / period as f64);
    match shape {
        WindowShape::Hann => 0.5 - 0.5 * cosine,
        WindowShape::Hamming => 0.54 - 0.46 * cosine,
        WindowShape::Blackman => 0.42 - 0.5 * cosine + 0.08 * (2.0 * cosine * cosine - 1.0),
        WindowShape::Rectangular => 1.0,
    }
}

/// The factor of sample `index` of a frame of 2 · `half` samples, in whose middle the window stands.
pub(crate) const fn factor_in_frame(
    shape: WindowShape,
    symmetry: Symmetry,
    length: usize,
    half: usize,
    index: usize,
) -> f64 {
    let before = (2 * half - length) / 2;
    if index < before || index >= before + length { 0.0 } else { factor(shape, symmetry, length, index - before) }
}
