//! The signal operators of TensorFlow Lite Micro: the stages of an audio front end that is itself a model, on slices, bit for bit.
//!
//! | operator | function | state |
//! |---|---|---|
//! | SignalWindow | [`window`] | |
//! | SignalFftAutoScale | [`auto_scale`] | |
//! | SignalRfft, SignalIrfft | [`real_fft`], [`inverse_real_fft`] | |
//! | SignalEnergy | [`energies`] | |
//! | SignalFilterBank | [`filter_bank`] | |
//! | SignalFilterBankSquareRoot | [`square_roots`] | |
//! | SignalFilterBankSpectralSubtraction | [`spectral_subtraction`] | noise estimate |
//! | SignalPCAN | [`gain_control`] | |
//! | SignalFilterBankLog | [`logarithms`] | |
//! | SignalStacker | [`stack`] | frames that wait |
//! | SignalDelay | [`delay`] | the last samples |
//! | SignalFramer | [`frame`] | samples that wait |
//! | SignalOverlapAdd | [`overlap_add`] | sums that are not complete |
//!
//! Imported models call them; [`MicroFrontend`](crate::micro::MicroFrontend) does the same in less memory. Sums of a filter bank have 64 bits and
//! lie in memory as two words, the low one first. What the reference leaves unwritten is 0 here: energies outside of the band, and frames that
//! are not complete.
//!
//! Source: `signal/` of tflite-micro. Held by random models of each operator and by a whole front end (tests/host, `golden`).

use bytemuck::try_cast_slice_mut;
use smolnn_core::ShapeError;

use crate::fft::{Complex, RealFft};
use crate::micro::{GainControl, energy, root, scaled_ln};

/// The error of memory that does not lie at a whole word.
const UNALIGNED: ShapeError = ShapeError::Range("complex numbers lie at whole words");

/// Samples times a window, over and over: the product is shifted to the right by `shift`, rounded down and clamped to 16 bits.
///
/// # Errors
/// [`ShapeError::Length`] when input and output are not equally long or the window does not divide them, [`ShapeError::Range`] for shifts
/// above 31.
pub fn window(shift: usize, input: &[i16], window: &[i16], output: &mut [i16]) -> Result<(), ShapeError> {
    ShapeError::check_length("the windowed samples", input.len(), output.len())?;
    if shift > 31 {
        return Err(ShapeError::Range("a product of 32 bits is shifted by less than 32"));
    }
    if window.is_empty() || !input.len().is_multiple_of(window.len()) {
        return Err(ShapeError::Length { what: "the samples", expected: window.len(), found: input.len() });
    }
    for (input, output) in input.chunks_exact(window.len()).zip(output.chunks_exact_mut(window.len())) {
        for ((place, &sample), &factor) in output.iter_mut().zip(input).zip(window) {
            *place = saturated((i32::from(sample) * i32::from(factor)) >> shift);
        }
    }
    Ok(())
}

/// A number clamped to 16 bits.
#[inline(always)]
fn saturated(number: i32) -> i16 {
    number.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// Shifts samples to the left so that the largest uses all bits, and tells by how many; silence by 0.
///
/// −32 768 has no absolute value of 16 bits: the reference takes it for the largest sample until the next one, and so does this.
///
/// # Errors
/// [`ShapeError::Length`] when input and output are not equally long, or there is not one `shift`.
pub fn auto_scale(input: &[i16], output: &mut [i16], shift: &mut [i32]) -> Result<(), ShapeError> {
    ShapeError::check_length("the scaled samples", input.len(), output.len())?;
    let [shift] = shift else { return Err(ShapeError::Length { what: "the shift", expected: 1, found: shift.len() }) };
    let largest = input.iter().fold(0_i16, |largest, &sample| {
        if sample > largest {
            sample
        } else if -i32::from(sample) > i32::from(largest) {
            sample.wrapping_neg()
        } else {
            largest
        }
    });
    let bits = if largest <= 0 { 0 } else { largest.leading_zeros().saturating_sub(1) };
    for (place, &sample) in output.iter_mut().zip(input) {
        *place = sample.wrapping_shl(bits);
    }
    *shift = bits as i32;
    Ok(())
}

/// The spectra of rows of `length` samples, filled up with zeros: real and imaginary part in turn, frequencies 0 to N/2.
///
/// # Errors
/// [`ShapeError::Length`] when a row is longer than the FFT or the slices do not have the same number of rows, [`ShapeError::Range`] when the
/// output does not lie at a whole word.
pub fn real_fft(fft: &RealFft, length: usize, input: &[i16], output: &mut [i16]) -> Result<(), ShapeError> {
    if length == 0 || length > fft.points() {
        return Err(ShapeError::Length { what: "the samples", expected: fft.points(), found: length });
    }
    ShapeError::check_length("the spectra", input.len() / length * 2 * fft.bins(), output.len())?;
    let output: &mut [u32] = try_cast_slice_mut(output).map_err(|_| UNALIGNED)?;
    for (samples, spectrum) in input.chunks_exact(length).zip(output.chunks_exact_mut(fft.bins())) {
        let Some((last, body)) = spectrum.split_last_mut() else { continue };
        let number = fft.transform_with(body, |index| samples.get(index).copied().unwrap_or(0));
        *last = word(number.re(), number.im());
    }
    Ok(())
}

/// The samples of spectra, by the inverse transform divided by N.
///
/// # Errors
/// [`ShapeError::Length`] when the slices do not have the same number of rows, [`ShapeError::Range`] when the output does not lie at a whole
/// word.
pub fn inverse_real_fft(fft: &RealFft, input: &[i16], output: &mut [i16]) -> Result<(), ShapeError> {
    let row = 2 * fft.bins();
    let rows = input.len().checked_div(row).unwrap_or(0);
    ShapeError::check_length("the samples", rows * fft.points(), output.len())?;
    let output: &mut [u32] = try_cast_slice_mut(output).map_err(|_| UNALIGNED)?;
    for (spectrum, samples) in input.chunks_exact(row.max(1)).zip(output.chunks_exact_mut((fft.points() / 2).max(1))) {
        let bins = spectrum.as_chunks::<2>().0;
        fft.inverse_with(samples, |index| bins.get(index).map_or(Complex::default(), |&[re, im]| Complex::new(re, im)));
    }
    Ok(())
}

/// Two halves of a word, the low one first.
#[inline(always)]
const fn word(low: i16, high: i16) -> u32 {
    low as u16 as u32 | (high as u16 as u32) << 16
}

/// The energies re² + im² of the bins from the first of `band` up to, not including, the second; 0 for the others.
///
/// # Errors
/// [`ShapeError::Length`] when there are not as many energies as bins.
pub fn energies(band: (usize, usize), input: &[i16], output: &mut [u32]) -> Result<(), ShapeError> {
    ShapeError::check_length("the energies", input.len() / 2, output.len())?;
    for (index, (place, &[re, im])) in output.iter_mut().zip(input.as_chunks::<2>().0).enumerate() {
        let inside = index >= band.0 && index < band.1;
        *place = if inside { energy(Complex::new(re, im)) } else { 0 };
    }
    Ok(())
}

/// A filter bank as models carry it: channel by channel a stretch of bins, each of which has a share in this channel and one in the next.
#[derive(Clone, Copy, Debug)]
pub struct Stretches<'a> {
    bins: usize,
    weights: &'a [i16],
    unweights: &'a [i16],
    first_bins: &'a [i16],
    first_weights: &'a [i16],
    widths: &'a [i16],
}

impl<'a> Stretches<'a> {
    /// A filter bank over so many bins: `weights` and `unweights` are the shares in the channel and in the next one, of all stretches one behind the
    /// other; of each stretch, one more than there are channels, the first bin, the first weight and the width.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the lists are not equally long, [`ShapeError::Range`] when a stretch leaves the bins or the weights, or a
    /// weight is negative.
    pub const fn new(
        bins: usize,
        weights: &'a [i16],
        unweights: &'a [i16],
        first_bins: &'a [i16],
        first_weights: &'a [i16],
        widths: &'a [i16],
    ) -> Result<Self, ShapeError> {
        const fn check(what: &'static str, expected: usize, found: usize) -> Result<(), ShapeError> {
            ShapeError::check_length(what, expected, found)
        }
        if let Err(error) = check("the weights of the next channel", weights.len(), unweights.len()) {
            return Err(error);
        }
        if let Err(error) = check("the first weights", first_bins.len(), first_weights.len()) {
            return Err(error);
        }
        if let Err(error) = check("the widths", first_bins.len(), widths.len()) {
            return Err(error);
        }
        if widths.is_empty() {
            return Err(ShapeError::Zero("stretches of a filter bank"));
        }
        let mut index = 0;
        while index < widths.len() {
            let (bin, weight, width) = (first_bins[index], first_weights[index], widths[index]);
            if bin < 0 || weight < 0 || width < 0 {
                return Err(ShapeError::Range("a filter bank's positions are not negative"));
            }
            let (bin, weight, width) = (bin as usize, weight as usize, width as usize);
            if bin + width > bins || weight + width > weights.len() {
                return Err(ShapeError::Range("a stretch of the filter bank leaves the bins or the weights"));
            }
            index += 1;
        }
        let mut index = 0;
        while index < weights.len() {
            if weights[index] < 0 || unweights[index] < 0 {
                return Err(ShapeError::Range("a filter bank's weights are not negative"));
            }
            index += 1;
        }
        Ok(Self { bins, weights, unweights, first_bins, first_weights, widths })
    }

    /// Channels that come out.
    pub const fn channels(&self) -> usize {
        self.widths.len() - 1
    }
}

/// The sums of a filter bank over energies: two words per channel.
///
/// # Errors
/// [`ShapeError::Length`] when there are not as many energies as bins, or not two words per channel.
pub fn filter_bank(bank: &Stretches<'_>, input: &[u32], output: &mut [u32]) -> Result<(), ShapeError> {
    ShapeError::check_length("the energies", bank.bins, input.len())?;
    ShapeError::check_length("the sums", 2 * bank.channels(), output.len())?;
    let stretches = bank.first_bins.iter().zip(bank.first_weights).zip(bank.widths);
    let stretches = stretches.map(|((&bin, &weight), &width)| {
        let (bin, weight, width) = (bin as usize, weight as usize, width as usize);
        (
            input.get(bin..bin + width).unwrap_or_default(),
            bank.weights.get(weight..weight + width).unwrap_or_default(),
            bank.unweights.get(weight..weight + width).unwrap_or_default(),
        )
    });
    let mut places = output.as_chunks_mut::<2>().0.iter_mut();
    let mut rising = 0_u64;
    for (index, (energies, weights, unweights)) in stretches.enumerate() {
        let mut sum = rising;
        rising = 0;
        for ((&energy, &weight), &unweight) in energies.iter().zip(weights).zip(unweights) {
            sum = sum.wrapping_add(u64::from(energy) * u64::from(weight as u16));
            rising = rising.wrapping_add(u64::from(energy) * u64::from(unweight as u16));
        }
        // What falls in the first stretch belongs to no channel.
        if index > 0
            && let Some(place) = places.next()
        {
            *place = [sum as u32, (sum >> 32) as u32];
        }
    }
    Ok(())
}

/// The roots of sums of 64 bits, [`root`], shifted to the right by the one number of `shift`.
///
/// # Errors
/// [`ShapeError::Length`] when there are not two words of input per output, or not one `shift`.
pub fn square_roots(input: &[u32], shift: &[i32], output: &mut [u32]) -> Result<(), ShapeError> {
    ShapeError::check_length("the sums", 2 * output.len(), input.len())?;
    let &[shift] = shift else { return Err(ShapeError::Length { what: "the shift", expected: 1, found: shift.len() }) };
    for (place, &[low, high]) in output.iter_mut().zip(input.as_chunks::<2>().0) {
        let sum = u64::from(low) | u64::from(high) << 32;
        *place = root(sum).checked_shr(shift as u32).unwrap_or(0);
    }
    Ok(())
}

/// Noise reduction by spectral subtraction with all parameters that models state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpectralSubtraction {
    /// Of even and of odd channels: the share of a new signal in the noise estimate, and that of the old estimate.
    shares: [(u32, u32); 2],
    remaining: u32,
    smoothing_bits: u32,
    share_bits: u32,
    clamps: bool,
}

impl SpectralSubtraction {
    /// `even` and `odd` are the shares of a new signal and of the old estimate in the noise estimate of those channels, `remaining` what of the
    /// signal remains at least, all with `share_bits` fraction bits. The estimate has `smoothing_bits` more bits than the signal; where it is
    /// above the signal, `clamps` says that it falls to it.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless shares are below 2^16, their bits at most 31 and the smoothing bits at most 16.
    pub const fn new(
        even: (usize, usize),
        odd: (usize, usize),
        remaining: usize,
        smoothing_bits: usize,
        share_bits: usize,
        clamps: bool,
    ) -> Result<Self, ShapeError> {
        if (even.0 | even.1 | odd.0 | odd.1 | remaining) >> 16 != 0 || smoothing_bits > 16 || share_bits > 31 {
            return Err(ShapeError::Range(
                "shares of a noise estimate are below 65536, their bits below 32, smoothing bits below 17",
            ));
        }
        Ok(Self {
            shares: [(even.0 as u32, even.1 as u32), (odd.0 as u32, odd.1 as u32)],
            remaining: remaining as u32,
            smoothing_bits: smoothing_bits as u32,
            share_bits: share_bits as u32,
            clamps,
        })
    }

    /// The signal of a channel without its noise, and the noise estimate that it leaves.
    #[inline(always)]
    fn apply(&self, (share, rest): (u32, u32), signal: u32, estimate: u32) -> (u32, u32) {
        let scaled = signal << self.smoothing_bits;
        let product = |left: u32, right: u32| u64::from(left) * u64::from(right);
        let estimate = (product(scaled, share).wrapping_add(product(estimate, rest)) >> self.share_bits) as u32;
        let noise = estimate.min(scaled);
        let floor = (product(signal, self.remaining) >> self.share_bits) as u32;
        let left = ((scaled - noise) >> self.smoothing_bits).max(floor);
        (left, if self.clamps { noise } else { estimate })
    }
}

/// The signals of all channels without their noise, and a copy of the noise estimate after it moved.
///
/// # Errors
/// [`ShapeError::Length`] when the slices are not equally long.
pub fn spectral_subtraction(
    layer: &SpectralSubtraction,
    noise: &mut [u32],
    input: &[u32],
    output: &mut [u32],
    estimate: &mut [u32],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the noise estimate", input.len(), noise.len())?;
    ShapeError::check_length("the cleaned signals", input.len(), output.len())?;
    ShapeError::check_length("the copied estimate", input.len(), estimate.len())?;
    let [even, odd] = layer.shares;
    let mut shares = (even, odd);
    for (((noise, copy), place), &signal) in noise.iter_mut().zip(estimate).zip(output).zip(input) {
        (*place, *noise) = layer.apply(shares.0, signal, *noise);
        *copy = *noise;
        shares = (shares.1, shares.0);
    }
    Ok(())
}

/// The signals of all channels amplified by the gain of their noise estimates.
///
/// # Errors
/// [`ShapeError::Length`] when the slices are not equally long.
pub fn gain_control(layer: &GainControl, input: &[u32], noise: &[u32], output: &mut [u32]) -> Result<(), ShapeError> {
    ShapeError::check_length("the noise estimate", input.len(), noise.len())?;
    ShapeError::check_length("the amplified signals", input.len(), output.len())?;
    for (place, (&signal, &noise)) in output.iter_mut().zip(input.iter().zip(noise)) {
        *place = layer.apply(signal, noise);
    }
    Ok(())
}

/// ln(x · 2^`correction`) · `scale` of each channel, rounded, 32 767 at most; 0 where the argument is below 2.
///
/// # Errors
/// [`ShapeError::Length`] when input and output are not equally long, [`ShapeError::Range`] when the correction is above 31 or the scale
/// above 65 535.
pub fn logarithms(scale: usize, correction: usize, input: &[u32], output: &mut [i16]) -> Result<(), ShapeError> {
    ShapeError::check_length("the logarithms", input.len(), output.len())?;
    if correction > 31 || scale > 0xFFFF {
        return Err(ShapeError::Range("a logarithm's correction is below 32, its scale below 65536"));
    }
    for (place, &signal) in output.iter_mut().zip(input) {
        *place = scaled_ln(signal << correction, scale as u32).min(0x7FFF) as i16;
    }
    Ok(())
}

/// Rows of `row` samples, each `late` samples late: `state` has `late` samples per row, 0 at the start.
///
/// # Errors
/// [`ShapeError::Length`] when the slices are not as many rows.
pub fn delay(row: usize, late: usize, state: &mut [i16], input: &[i16], output: &mut [i16]) -> Result<(), ShapeError> {
    ShapeError::check_length("the delayed samples", input.len(), output.len())?;
    if row == 0 || !input.len().is_multiple_of(row) {
        return Err(ShapeError::Length { what: "the samples", expected: row, found: input.len() });
    }
    ShapeError::check_length("the delayed state", input.len() / row * late, state.len())?;
    if late == 0 {
        output.iter_mut().zip(input).for_each(|(place, &sample)| *place = sample);
        return Ok(());
    }
    let rows = input.chunks_exact(row).zip(output.chunks_exact_mut(row)).zip(state.chunks_exact_mut(late));
    for ((input, output), state) in rows {
        output.iter_mut().zip(state.iter().chain(input)).for_each(|(place, &sample)| *place = sample);
        let gone = row.min(state.len());
        state.copy_within(gone.., 0);
        let newest = input.iter().skip(row.saturating_sub(late));
        state.iter_mut().skip(late.saturating_sub(row)).zip(newest).for_each(|(place, &sample)| *place = sample);
    }
    Ok(())
}

/// Samples that wait in front of a slice until there are enough of them.
struct Waiting<'a> {
    samples: &'a mut [i16],
    count: usize,
}

impl<'a> Waiting<'a> {
    /// The samples of a state, `count` of which are there.
    fn new(samples: &'a mut [i16], count: i32) -> Self {
        let most = samples.len();
        Self { samples, count: usize::try_from(count).unwrap_or(0).min(most) }
    }

    /// Puts samples behind those that wait.
    fn push(&mut self, samples: &[i16]) {
        let places = self.samples.iter_mut().skip(self.count);
        places.zip(samples).for_each(|(place, &sample)| *place = sample);
        self.count = (self.count + samples.len()).min(self.samples.len());
    }

    /// Copies the first samples to `output`, and drops `step` of them; zeros where there are too few. Tells whether there were enough.
    fn take(&mut self, step: usize, output: &mut [i16]) -> bool {
        if self.count < output.len() {
            output.fill(0);
            return false;
        }
        if let Some(there) = self.samples.get_mut(..self.count) {
            output.iter_mut().zip(&*there).for_each(|(place, &sample)| *place = sample);
            let gone = step.min(there.len());
            there.copy_within(gone.., 0);
            self.count -= gone;
        }
        true
    }
}

/// Steps and lengths of a [`stack`] of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    channels: usize,
    left: usize,
    frames: usize,
    step: usize,
}

impl Stack {
    /// Stacks of a frame of `channels` numbers with `left` frames before and `right` ones behind it, one for every `step` frames.
    ///
    /// # Errors
    /// [`ShapeError::Zero`] without channels or step, [`ShapeError::Range`] when steps leave frames out, [`ShapeError::TooLarge`].
    pub const fn new(channels: usize, left: usize, right: usize, step: usize) -> Result<Self, ShapeError> {
        if channels == 0 || step == 0 {
            return Err(ShapeError::Zero("channels or step of a stack of frames"));
        }
        let Some(frames) = left.saturating_add(right).checked_add(1) else { return Err(ShapeError::TooLarge) };
        if step > frames {
            return Err(ShapeError::Range("the step of a stack of frames is at most its number of frames"));
        }
        if let Err(error) = ShapeError::check_product(&[channels, frames]) {
            return Err(error);
        }
        Ok(Self { channels, left, frames, step })
    }

    /// Numbers of a stack, and of its state.
    pub const fn numbers(&self) -> usize {
        self.channels * self.frames
    }
}

/// Takes a frame and gives the stack that it completes, if it does: `valid` is 1 then. The first frame stands for those before it.
///
/// `waiting` has the frames that wait; `counts` how many numbers these are, and whether there was a frame. Both are 0 at the start.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the stack says.
pub fn stack(
    layer: &Stack,
    waiting: &mut [i16],
    counts: &mut [i32],
    input: &[i16],
    output: &mut [i16],
    valid: &mut [u8],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the frame", layer.channels, input.len())?;
    ShapeError::check_length("the stack", layer.numbers(), output.len())?;
    ShapeError::check_length("the stack's state", layer.numbers(), waiting.len())?;
    let ([count, begun], [valid]) = (counts, valid) else {
        return Err(ShapeError::Range("a stack has two counts and one truth value"));
    };
    let mut waiting = Waiting::new(waiting, *count);
    let copies = if *begun == 0 { layer.left } else { 0 };
    *begun = 1;
    for _ in 0..=copies {
        waiting.push(input);
    }
    *valid = waiting.take(layer.step * layer.channels, output).into();
    *count = waiting.count as i32;
    Ok(())
}

/// Lengths of [`frame`]s that are cut out of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    rows: usize,
    row: usize,
    size: usize,
    step: usize,
}

impl Frames {
    /// Frames of `size` samples, one every `step`, of `rows` rows of `row` samples each.
    ///
    /// # Errors
    /// [`ShapeError::Zero`] for lengths of 0, [`ShapeError::Range`] unless a row is a multiple of the step, [`ShapeError::TooLarge`].
    pub const fn new(rows: usize, row: usize, size: usize, step: usize) -> Result<Self, ShapeError> {
        if rows == 0 || row == 0 || size == 0 || step == 0 {
            return Err(ShapeError::Zero("lengths of frames"));
        }
        if !row.is_multiple_of(step) {
            return Err(ShapeError::Range("a row of samples is a multiple of the frames' step"));
        }
        if size > 1 << 24 || step > 1 << 24 {
            return Err(ShapeError::TooLarge);
        }
        if let Err(error) = ShapeError::check_product(&[rows, row / step, size + step]) {
            return Err(error);
        }
        Ok(Self { rows, row, size, step })
    }

    /// Samples that wait, per row: whole steps that hold a frame.
    const fn capacity(&self) -> usize {
        let step = if self.step == 0 { 1 } else { self.step };
        self.size.div_ceil(step) * step
    }

    /// Samples of the state.
    pub const fn state(&self) -> usize {
        self.rows * self.capacity()
    }

    /// Samples that wait at the start where it shall look as if there had been silence before.
    pub const fn silence(&self) -> usize {
        self.size.saturating_sub(self.step)
    }
}

/// Cuts rows of samples into frames that overlap: as many per row as it has steps. `valid` is 0 when one of them is not complete; it is zeros then.
///
/// `waiting` has the samples that wait, `count` how many of them there are in every row.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn frame(
    layer: &Frames,
    waiting: &mut [i16],
    count: &mut [i32],
    input: &[i16],
    output: &mut [i16],
    valid: &mut [u8],
) -> Result<(), ShapeError> {
    // Lengths are not 0, which the compiler does not see.
    let [row, size, step, capacity] = [layer.row, layer.size, layer.step, layer.capacity()].map(|length| length.max(1));
    let per_row = (row / step * size).max(1);
    ShapeError::check_length("the samples", layer.rows * row, input.len())?;
    ShapeError::check_length("the frames", layer.rows * per_row, output.len())?;
    ShapeError::check_length("the frames' state", layer.state(), waiting.len())?;
    let ([count], [valid]) = (count, valid) else {
        return Err(ShapeError::Range("frames have one count and one truth value"));
    };
    let mut complete = true;
    let rows = input.chunks_exact(row).zip(output.chunks_exact_mut(per_row));
    let start = *count;
    for ((input, output), waiting) in rows.zip(waiting.chunks_exact_mut(capacity)) {
        let mut waiting = Waiting::new(waiting, start);
        for (samples, frame) in input.chunks_exact(step).zip(output.chunks_exact_mut(size)) {
            waiting.push(samples);
            complete &= waiting.take(step, frame);
        }
        *count = waiting.count as i32;
    }
    *valid = complete.into();
    Ok(())
}

/// Numbers that frames are added up of.
pub trait Overlapped: Copy {
    /// Silence.
    const SILENCE: Self;

    /// The sum; of integers the nearest that there is.
    fn sum(self, other: Self) -> Self;
}

impl Overlapped for i16 {
    const SILENCE: Self = 0;

    fn sum(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl Overlapped for f32 {
    const SILENCE: Self = 0.0;

    fn sum(self, other: Self) -> Self {
        self + other
    }
}

/// Adds up frames that overlap, each `step` samples behind the one before: every frame completes `step` samples. `rows` rows of frames; `state` has
/// the sums that are not complete, a frame per row, [`SILENCE`](Overlapped::SILENCE) at the start.
///
/// # Errors
/// [`ShapeError::Length`] when the slices do not go together, [`ShapeError::Range`] when the step is 0 or above a frame's length.
pub fn overlap_add<T: Overlapped>(
    rows: usize,
    step: usize,
    state: &mut [T],
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    let size = state.len().checked_div(rows).unwrap_or(0);
    if step == 0 || step > size {
        return Err(ShapeError::Range("the step of frames that are added up is at least 1 and at most a frame"));
    }
    let frames = output.len().checked_div(rows * step).unwrap_or(0);
    ShapeError::check_length("the sums", rows * frames * step, output.len())?;
    ShapeError::check_length("the frames", rows * frames * size, input.len())?;
    let rows = input.chunks_exact((frames * size).max(1)).zip(output.chunks_exact_mut((frames * step).max(1)));
    for ((input, output), state) in rows.zip(state.chunks_exact_mut(size)) {
        for (frame, output) in input.chunks_exact(size).zip(output.chunks_exact_mut(step)) {
            state.iter_mut().zip(frame).for_each(|(sum, &sample)| *sum = sum.sum(sample));
            output.iter_mut().zip(&*state).for_each(|(place, &sum)| *place = sum);
            let complete = step.min(state.len());
            state.copy_within(complete.., 0);
            state.iter_mut().rev().take(complete).for_each(|sum| *sum = T::SILENCE);
        }
    }
    Ok(())
}
