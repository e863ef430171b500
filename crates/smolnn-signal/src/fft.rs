//! The real FFT in 16-bit fixed point of the micro audio front end, from 64 to 2 048 points.
//!
//! A real signal of N samples is read as N/2 complex numbers z\[n\] = x\[2n\] + i·x\[2n+1\]; their FFT by radix-4 stages, and one of
//! radix 2 where N/2 is no power of 4, is then split into the spectrum of the even and of the odd samples. Every stage divides by
//! its radix before it adds, so that nothing overflows: the result is the transform divided by N, in steps of one.
//!
//! Formats: samples and results are i16, factors cos and sin are Q15 with 1 as 32 767. A product is rounded once,
//! (p + 2^14) >> 15; dividing by 4 is a product with 8 191, by 2 with 16 383. This is the arithmetic of the reference's FFT, and the
//! spectra are equal bit for bit (tests/host, golden `stage_rfft`).

use core::fmt;
use core::hint::black_box;

use smolnn_core::ShapeError;

use crate::real;

/// A complex number in fixed point. Both parts lie in one word, as cores multiply halves of words in one instruction.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Complex(u32);

impl Complex {
    /// A number of its parts.
    #[inline(always)]
    pub const fn new(re: i16, im: i16) -> Self {
        Self(re as u16 as u32 | (im as u16 as u32) << 16)
    }

    /// Real part.
    #[inline(always)]
    pub const fn re(self) -> i16 {
        self.0 as i16
    }

    /// Imaginary part.
    #[inline(always)]
    pub const fn im(self) -> i16 {
        (self.0 >> 16) as i16
    }

    /// Both parts in 32 bits.
    #[inline(always)]
    pub(crate) const fn parts(self) -> (i32, i32) {
        (self.0 as i16 as i32, self.0 as i32 >> 16)
    }
}

/// A place for a complex number: the number itself, or the word that holds it in memory that was handed out as words.
pub(crate) trait Bin: Copy {
    /// The place of a number.
    fn of(number: Complex) -> Self;

    /// The number.
    fn number(self) -> Complex;
}

impl Bin for Complex {
    #[inline(always)]
    fn of(number: Complex) -> Self {
        number
    }

    #[inline(always)]
    fn number(self) -> Complex {
        self
    }
}

impl Bin for u32 {
    #[inline(always)]
    fn of(number: Complex) -> Self {
        number.0
    }

    #[inline(always)]
    fn number(self) -> Complex {
        Complex(self)
    }
}

impl fmt::Debug for Complex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {}i", self.re(), self.im())
    }
}

/// Fewest points of a [`RealFft`].
pub const FEWEST_POINTS: usize = 64;
/// Most points of a [`RealFft`].
pub const MOST_POINTS: usize = 2048;

/// The factors of one size, M = N/2: for each stage behind the first, whose transforms have `length` numbers, e^(−2πik/(4·length)) of k, 2k
/// and 3k for k < `length`, in the order in which the stages read them; then the N/4 factors −i·e^(−2πik/N), k = 1 …, that split the
/// spectrum.
#[derive(Debug)]
struct Factors<const STAGES: usize, const SPLIT: usize> {
    stages: [[Complex; 3]; STAGES],
    split: [Complex; SPLIT],
}

/// One factor: cos and sin of `angle`, in Q15 with 1 as 32 767.
const fn factor(angle: f64) -> Complex {
    Complex::new(
        real::round_half_up(32767.0 * real::cos(angle)) as i16,
        real::round_half_up(32767.0 * real::sin(angle)) as i16,
    )
}

/// e^(−2πik/`count`), its angle taken in (−π, π], where the const sine is good.
const fn root_of_unity(k: usize, count: usize) -> Complex {
    let turn = if 2 * k > count { k as f64 - count as f64 } else { k as f64 };
    factor(-2.0 * real::PI * turn / count as f64)
}

/// Numbers of the transforms that the first stage makes of neighbours: 4, or 2 where a power of 4 would not end at `half`.
pub(crate) const fn first_length(half: usize) -> usize {
    if half.trailing_zeros() % 2 == 1 { 2 } else { 4 }
}

/// Triples of factors of all stages behind the first: the sum of their lengths, which quadruple from the first one's to `half`/4.
pub(crate) const fn triples(half: usize) -> usize {
    (half - first_length(half)) / 3
}

impl<const STAGES: usize, const SPLIT: usize> Factors<STAGES, SPLIT> {
    const fn new() -> Self {
        let half = 2 * SPLIT;
        let one = factor(0.0);
        let mut factors = Self { stages: [[one; 3]; STAGES], split: [one; SPLIT] };
        let (mut place, mut length) = (0, first_length(half));
        while length < half {
            let mut k = 0;
            while k < length {
                let count = 4 * length;
                factors.stages[place] =
                    [root_of_unity(k, count), root_of_unity(2 * k, count), root_of_unity(3 * k, count)];
                (place, k) = (place + 1, k + 1);
            }
            length *= 4;
        }
        assert!(place == STAGES, "as many factors as the stages read");
        let mut k = 0;
        while k < SPLIT {
            factors.split[k] = factor(-real::PI * ((k + 1) as f64 / half as f64 + 0.5));
            k += 1;
        }
        factors
    }
}

/// A real FFT of `points` samples: its factors, in flash.
#[derive(Clone, Copy, Debug)]
pub struct RealFft {
    points: usize,
    stages: &'static [[Complex; 3]],
    split: &'static [Complex],
}

/// One static table and one arm per size.
macro_rules! sizes {
    ($($points:literal),*) => {
        const fn factors(points: usize) -> Option<(&'static [[Complex; 3]], &'static [Complex])> {
            match points {
                $($points => {
                    static FACTORS: Factors<{ triples($points / 2) }, { $points / 4 }> = Factors::new();
                    Some((&FACTORS.stages, &FACTORS.split))
                })*
                _ => None,
            }
        }
    };
}

sizes!(64, 128, 256, 512, 1024, 2048);

impl RealFft {
    /// The FFT of `points` samples.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless `points` is a power of two from 64 to 2 048.
    pub const fn new(points: usize) -> Result<Self, ShapeError> {
        match factors(points) {
            Some((stages, split)) => Ok(Self { points, stages, split }),
            None => Err(ShapeError::Range("an FFT has 64, 128, 256, 512, 1024 or 2048 points")),
        }
    }

    /// Samples of the input.
    pub const fn points(&self) -> usize {
        self.points
    }

    /// Complex numbers of the result: frequencies 0 to N/2.
    pub const fn bins(&self) -> usize {
        self.points / 2 + 1
    }

    /// The spectrum of `samples`; samples that are missing at the end count as zeros.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when there are more samples than points, or `spectrum` is not [`bins`](Self::bins) long.
    pub fn transform(&self, samples: &[i16], spectrum: &mut [Complex]) -> Result<(), ShapeError> {
        if samples.len() > self.points {
            return Err(ShapeError::Length { what: "the samples", expected: self.points, found: samples.len() });
        }
        ShapeError::check_length("the spectrum", self.bins(), spectrum.len())?;
        if let Some((last, body)) = spectrum.split_last_mut() {
            *last = self.transform_with(body, |index| samples.get(index).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// The spectrum of the samples that `sample` gives by index: frequencies below N/2 go to `body`, which has N/2 places, and that
    /// of N/2 is the result.
    #[inline]
    pub(crate) fn transform_with<B: Bin>(&self, body: &mut [B], sample: impl Fn(usize) -> i16) -> Complex {
        debug_assert_eq!(body.len(), self.points / 2, "the spectrum is as long as its FFT says");
        self.stages(body, |index| Complex::new(sample(2 * index), sample(2 * index + 1)));
        split(body, self.split)
    }

    /// The samples of the spectrum that `bin` gives by index, 0 to N/2: two samples in each of the N/2 places of `body`, the even one
    /// as its real part. They are those of the inverse transform divided by N, as the division by each stage's radix wants it.
    pub(crate) fn inverse_with<B: Bin>(&self, body: &mut [B], bin: impl Fn(usize) -> Complex) {
        let half = self.points / 2;
        debug_assert_eq!(body.len(), half, "there are as many samples as points");
        // An inverse transform is the transform with real and imaginary parts exchanged before and after it, to the bit: its factors
        // are the conjugates, so that the same products are added up and rounded.
        self.stages(body, |index| exchanged(merge(&bin, index, half, self.split)));
        body.iter_mut().for_each(|place| *place = B::of(exchanged(place.number())));
    }

    /// The transform of the N/2 complex numbers that `number` gives by index.
    #[inline(always)]
    fn stages<B: Bin>(&self, body: &mut [B], number: impl Fn(usize) -> Complex) {
        let half = self.points / 2;
        let mut length = first_length(half);
        if length == 2 {
            radix_2_first(body, number);
        } else {
            radix_4_first(body, number);
        }
        let mut stages = self.stages;
        while let Some((factors, rest)) = stages.split_at_checked(length)
            && !factors.is_empty()
        {
            radix_4(body, factors);
            stages = rest;
            length *= 4;
        }
        debug_assert_eq!(length, half, "the factors are those of all stages");
    }
}

/// A product of Q15 numbers, given as the sum of its parts, rounded.
#[inline(always)]
const fn rounded(product: i32) -> i32 {
    (product + (1 << 14)) >> 15
}

/// A divisor as the reference divides: by a product with the largest Q15 number that is not above 1/divisor, rounded. Here is twice
/// that number, so that the quotient is the upper half of a word.
///
/// It is hidden from the compiler, which would make shifts and additions of the product: cores multiply and add in one instruction.
#[inline(always)]
fn reciprocal(divisor: i16) -> i16 {
    black_box(2 * (i16::MAX / divisor))
}

/// A number divided.
#[inline(always)]
const fn divided(x: i32, reciprocal: i16) -> i32 {
    (x * reciprocal as i32 + (1 << 15)) >> 16
}

/// Both parts divided.
#[inline(always)]
const fn parts_divided(x: Complex, reciprocal: i16) -> (i32, i32) {
    let (re, im) = x.parts();
    (divided(re, reciprocal), divided(im, reciprocal))
}

/// The product of a number with a factor of length 1, each part rounded once.
#[inline(always)]
const fn turned((re, im): (i32, i32), factor: Complex) -> (i32, i32) {
    let (c, s) = factor.parts();
    (rounded(re * c - im * s), rounded(re * s + im * c))
}

/// The same in 16 bits, as the reference keeps it, for numbers that may be too large for it.
#[inline(always)]
const fn turned_in_16_bits(number: (i32, i32), factor: Complex) -> (i32, i32) {
    let (re, im) = turned(number, factor);
    (re as i16 as i32, im as i16 as i32)
}

#[inline(always)]
fn complex(re: i32, im: i32) -> Complex {
    Complex::new(re as i16, im as i16)
}

/// The first of the numbers that the butterfly at place `index` of the first stage takes; the others follow at equal distances.
///
/// The last stage has radix 4 and takes every fourth number, and so on down to the first: in places the digits of the index are
/// reversed. Reversing the digits of base 4 is reversing the bits and then swapping the two of each digit.
#[inline(always)]
const fn first_number(index: u32, butterflies: usize) -> usize {
    let bits = butterflies.trailing_zeros();
    let reversed = index.reverse_bits() >> (32 - bits);
    ((reversed >> 1) & 0x5555_5555 | (reversed << 1) & 0xAAAA_AAAA) as usize
}

/// Radix-2 butterflies of numbers half the length apart, the factor 1 included: after the division by 2 a product with
/// 32 767/32 768 does not round to the number itself at −16 384.
#[inline(always)]
fn radix_2_first<B: Bin>(body: &mut [B], number: impl Fn(usize) -> Complex) {
    let (butterflies, by_2) = (body.len() / 2, reciprocal(2));
    for (pair, index) in body.as_chunks_mut::<2>().0.iter_mut().zip(0_u32..) {
        let from = first_number(index, butterflies);
        let (a_re, a_im) = parts_divided(number(from), by_2);
        let (t_re, t_im) = turned(parts_divided(number(from + butterflies), by_2), const { factor(0.0) });
        *pair = [complex(a_re + t_re, a_im + t_im), complex(a_re - t_re, a_im - t_im)].map(B::of);
    }
}

/// The four results of a radix-4 butterfly, from the sum and the difference of the first and the third number, and those of the second
/// and the fourth.
#[inline(always)]
fn outputs(sum: (i32, i32), difference: (i32, i32), outer: (i32, i32), turned: (i32, i32)) -> [Complex; 4] {
    [
        complex(sum.0 + outer.0, sum.1 + outer.1),
        complex(difference.0 + turned.1, difference.1 - turned.0),
        complex(sum.0 - outer.0, sum.1 - outer.1),
        complex(difference.0 - turned.1, difference.1 + turned.0),
    ]
}

/// Radix-4 butterflies of numbers a quarter of the length apart. They need no factors: these are all 1, and after the division by 4 a
/// product with 32 767/32 768 rounds to the number itself.
#[inline(always)]
fn radix_4_first<B: Bin>(body: &mut [B], number: impl Fn(usize) -> Complex) {
    let (butterflies, by_4) = (body.len() / 4, reciprocal(4));
    for (four, index) in body.as_chunks_mut::<4>().0.iter_mut().zip(0_u32..) {
        let from = first_number(index, butterflies);
        let [a, b, c, d] = [0, 1, 2, 3].map(|part| parts_divided(number(from + part * butterflies), by_4));
        let (sum, difference) = ((a.0 + c.0, a.1 + c.1), (a.0 - c.0, a.1 - c.1));
        let (outer, turned) = ((b.0 + d.0, b.1 + d.1), (b.0 - d.0, b.1 - d.1));
        *four = outputs(sum, difference, outer, turned).map(B::of);
    }
}

/// The four transforms of a block.
#[inline(always)]
fn fourths<B>(block: &mut [B], length: usize) -> Option<[&mut [B]; 4]> {
    let (a, rest) = block.split_at_mut_checked(length)?;
    let (b, rest) = rest.split_at_mut_checked(length)?;
    let (c, d) = rest.split_at_mut_checked(length)?;
    Some([a, b, c, d])
}

/// Radix-4 butterflies over four transforms of as many numbers as there are factors.
fn radix_4<B: Bin>(body: &mut [B], factors: &[[Complex; 3]]) {
    let (length, by_4) = (factors.len(), reciprocal(4));
    let mut blocks = body;
    while let Some((block, others)) = blocks.split_at_mut_checked(4 * length)
        && !block.is_empty()
    {
        blocks = others;
        let Some([a, b, c, d]) = fourths(block, length) else {
            debug_assert!(false, "a block has four transforms");
            return;
        };
        // Two passes, since a whole butterfly has more numbers than a core has registers. The sum and the difference of the second and
        // the fourth number fit 16 bits: each is at most 2^13 · √2.
        for ((b, d), &[once, _, thrice]) in b.iter_mut().zip(d.iter_mut()).zip(factors) {
            let (b_re, b_im) = turned(parts_divided(b.number(), by_4), once);
            let (d_re, d_im) = turned(parts_divided(d.number(), by_4), thrice);
            *b = B::of(complex(b_re + d_re, b_im + d_im));
            *d = B::of(complex(b_re - d_re, b_im - d_im));
        }
        for ((((a, b), c), d), &[_, twice, _]) in a.iter_mut().zip(b).zip(c).zip(d).zip(factors) {
            let (a_re, a_im) = parts_divided(a.number(), by_4);
            let (c_re, c_im) = turned(parts_divided(c.number(), by_4), twice);
            let (sum, difference) = ((a_re + c_re, a_im + c_im), (a_re - c_re, a_im - c_im));
            [*a, *b, *c, *d] = outputs(sum, difference, b.number().parts(), d.number().parts()).map(B::of);
        }
    }
}

/// Turns the transform of N/2 complex numbers into the spectrum of the N real ones, in place: with E and O the transforms of the even
/// and odd samples, X\[k\] = (E\[k\] + e^(−2πik/N) O\[k\]) / 2, two frequencies k and N/2 − k at a time. Gives the bin of N/2.
fn split<B: Bin>(body: &mut [B], factors: &[Complex]) -> Complex {
    let [first, middle @ ..] = body else { return Complex::default() };
    let by_2 = reciprocal(2);
    let (re, im) = parts_divided(first.number(), by_2);
    *first = B::of(complex(re + im, 0));
    // An odd number of bins: the one in the middle is its own mirror, and what counts is its value as the upper of the two.
    let (low, rest) = middle.split_at_mut(middle.len() / 2);
    if let ([centre, high @ ..], Some((last, factors))) = (rest, factors.split_last()) {
        *centre = B::of(split_pair(centre.number(), centre.number(), *last, by_2).1);
        for ((low, high), &factor) in low.iter_mut().zip(high.iter_mut().rev()).zip(factors) {
            let (at_low, at_high) = split_pair(low.number(), high.number(), factor, by_2);
            (*low, *high) = (B::of(at_low), B::of(at_high));
        }
    }
    complex(re - im, 0)
}

/// The spectrum at two mirrored frequencies.
#[inline(always)]
fn split_pair(low: Complex, high: Complex, factor: Complex, by_2: i16) -> (Complex, Complex) {
    let (low_re, low_im) = parts_divided(low, by_2);
    let (high_re, high_im) = parts_divided(conjugate(high), by_2);
    let (sum_re, sum_im) = (low_re + high_re, low_im + high_im);
    let (turned_re, turned_im) = turned_in_16_bits(halves((low_re - high_re, low_im - high_im)), factor);
    (
        complex((sum_re + turned_re) >> 1, (sum_im + turned_im) >> 1),
        complex((sum_re - turned_re) >> 1, (turned_im - sum_im) >> 1),
    )
}

/// The opposite of [`split`]: of the spectrum of N real samples, number `index` of the spectrum of N/2 complex ones.
fn merge(bin: &impl Fn(usize) -> Complex, index: usize, half_points: usize, factors: &[Complex]) -> Complex {
    let by_2 = reciprocal(2);
    if index == 0 {
        let (first, last) = (bin(0).re(), bin(half_points).re());
        let (sum, difference) = parts_divided(Complex::new(first.wrapping_add(last), first.wrapping_sub(last)), by_2);
        return complex(sum, difference);
    }
    // Two mirrored frequencies share their factor; the one in the middle counts as the upper of the two.
    let mirrored = 2 * index >= half_points;
    let low = if mirrored { half_points - index } else { index };
    let (at_low, at_high) = (bin(low), bin(half_points - low));
    let (low_re, low_im) = parts_divided(at_low, by_2);
    let (high_re, high_im) = parts_divided(conjugate(at_high), by_2);
    let (sum_re, sum_im) = (low_re + high_re, low_im + high_im);
    let factor = factors.get(low - 1).copied().unwrap_or_default();
    // The product with the conjugate is that of the exchanged numbers.
    let (turned_im, turned_re) = turned_in_16_bits(halves((low_im - high_im, low_re - high_re)), factor);
    if mirrored {
        complex(sum_re - turned_re, turned_im - sum_im)
    } else {
        complex(sum_re + turned_re, sum_im + turned_im)
    }
}

/// The number with the opposite imaginary part; as the reference, which negates in 16 bits.
#[inline(always)]
const fn conjugate(number: Complex) -> Complex {
    Complex::new(number.re(), number.im().wrapping_neg())
}

/// The difference of two numbers that were divided by 2, which 16 bits hold: the compiler does not see that.
#[inline(always)]
const fn halves((re, im): (i32, i32)) -> (i32, i32) {
    (re as i16 as i32, im as i16 as i32)
}

/// Real and imaginary part exchanged.
#[inline(always)]
const fn exchanged(number: Complex) -> Complex {
    Complex(number.0.rotate_left(16))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Complex, RealFft};
    use std::vec;

    /// The transform divided by N, in f64.
    fn naive(samples: &[i16], bin: usize) -> (f64, f64) {
        let n = samples.len() as f64;
        samples.iter().enumerate().fold((0.0, 0.0), |(re, im), (t, &x)| {
            let angle = -2.0 * std::f64::consts::PI * (t * bin % samples.len()) as f64 / n;
            (re + f64::from(x) * angle.cos() / n, im + f64::from(x) * angle.sin() / n)
        })
    }

    #[test]
    fn every_size_is_the_transform_divided_by_its_points() {
        let mut state = 1_u32;
        for points in [64, 128, 256, 512, 1024, 2048] {
            let fft = RealFft::new(points).unwrap();
            let samples: vec::Vec<i16> = (0..points)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 16) as i16
                })
                .collect();
            let mut spectrum = vec![Complex::default(); fft.bins()];
            fft.transform(&samples, &mut spectrum).unwrap();
            for (bin, value) in spectrum.iter().enumerate() {
                let (re, im) = naive(&samples, bin);
                // Each of the stages rounds: up to about 2 units in all.
                assert!((re - f64::from(value.re())).abs() < 4.0, "{points} points, bin {bin}: {value:?}, {re} {im}");
                assert!((im - f64::from(value.im())).abs() < 4.0, "{points} points, bin {bin}: {value:?}, {re} {im}");
            }
        }
    }

    #[test]
    fn other_sizes_and_lengths_are_refused() {
        assert!([0, 1, 32, 100, 4096].into_iter().all(|points| RealFft::new(points).is_err()));
        let fft = RealFft::new(64).unwrap();
        assert!(fft.transform(&[0; 65], &mut [Complex::default(); 33]).is_err());
        assert!(fft.transform(&[0; 64], &mut [Complex::default(); 32]).is_err());
    }
}
