//! Where the input and output of a kernel lie: apart, or overlapping in one buffer.

use smolnn_core::ShapeError;

/// Input and output of a kernel that runs row by row.
///
/// A kernel reads input and writes output in turns, never at once, so that both may lie in one buffer.
pub trait Tensors<T> {
    /// The input.
    fn input(&self) -> &[T];
    /// The output.
    fn output(&mut self) -> &mut [T];
    /// Both as raw pointers derived from the same borrow, for `arch`. The lengths are those of the slices.
    fn pointers(&mut self) -> (*const T, *mut T);
    /// Checks that the lengths are the shape's and that an overlap leaves needed input intact.
    ///
    /// # Errors
    /// [`ShapeError::Length`] or [`ShapeError::Overlap`].
    fn check(&self, input_len: usize, output_len: usize, overlap_gap: usize) -> Result<(), ShapeError>;
}

/// Input and output in slices of their own.
#[derive(Debug)]
pub struct Separate<'a, T> {
    /// The input.
    pub input: &'a [T],
    /// The output.
    pub output: &'a mut [T],
}

impl<T> Tensors<T> for Separate<'_, T> {
    #[inline(always)]
    fn input(&self) -> &[T] {
        self.input
    }
    #[inline(always)]
    fn output(&mut self) -> &mut [T] {
        self.output
    }
    #[inline(always)]
    fn pointers(&mut self) -> (*const T, *mut T) {
        (self.input.as_ptr(), self.output.as_mut_ptr())
    }
    #[inline]
    fn check(&self, input_len: usize, output_len: usize, _: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the input", input_len, self.input.len())?;
        ShapeError::check_length("the output", output_len, self.output.len())
    }
}

/// Input and output in one buffer: each starts at its offset. Made by [`Overlapping::new`].
#[derive(Debug)]
pub struct Overlapping<'a, T> {
    buffer: &'a mut [T],
    input: usize,
    input_len: usize,
    output: usize,
    output_len: usize,
}

impl<'a, T> Overlapping<'a, T> {
    /// The input at `input..input + input_len` of the buffer, the output at `output..output + output_len`.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when one of them does not lie in the buffer.
    #[inline]
    pub const fn new(
        buffer: &'a mut [T],
        (input, input_len): (usize, usize),
        (output, output_len): (usize, usize),
    ) -> Result<Self, ShapeError> {
        let found = buffer.len();
        if found < input_len || found - input_len < input {
            return Err(ShapeError::Length { what: "the buffer, for the input", expected: input + input_len, found });
        }
        if found < output_len || found - output_len < output {
            return Err(ShapeError::Length {
                what: "the buffer, for the output",
                expected: output + output_len,
                found,
            });
        }
        Ok(Self { buffer, input, input_len, output, output_len })
    }
}

impl<T> Tensors<T> for Overlapping<'_, T> {
    #[inline(always)]
    fn input(&self) -> &[T] {
        // `new` checked the range, so the fallback is never taken; it keeps the panic out of the binary.
        self.buffer.get(self.input..self.input + self.input_len).unwrap_or_default()
    }
    #[inline(always)]
    fn output(&mut self) -> &mut [T] {
        self.buffer.get_mut(self.output..self.output + self.output_len).unwrap_or_default()
    }
    #[inline(always)]
    fn pointers(&mut self) -> (*const T, *mut T) {
        let base = self.buffer.as_mut_ptr();
        (base.wrapping_add(self.input), base.wrapping_add(self.output))
    }
    #[inline]
    fn check(&self, input_len: usize, output_len: usize, overlap_gap: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the input", input_len, self.input_len)?;
        ShapeError::check_length("the output", output_len, self.output_len)?;
        let apart = self.output >= self.input + input_len || self.input >= self.output + output_len;
        if apart || self.input >= self.output + overlap_gap {
            Ok(())
        } else {
            Err(ShapeError::Overlap { least_gap: overlap_gap })
        }
    }
}
