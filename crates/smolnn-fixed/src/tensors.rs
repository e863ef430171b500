//! Where the inputs and the output of a kernel lie: apart, or overlapping in one buffer.

use core::cell::Cell;

use smolnn_core::{ShapeError, excluded};

use crate::backend::{Bodies, Chosen};

/// What the types of this file alone have, so that nobody else can implement its public traits: the bodies in assembly trust
/// lengths that [`Tensors::check`] has checked, and pointers that belong to them.
pub(crate) mod sealed {
    /// Marks the types whose lengths are those of slices.
    pub trait Sealed {}

    impl<T> Sealed for &[T] {}
    impl<T> Sealed for super::Separate<'_, T> {}
    impl<T> Sealed for super::Overlapping<'_, T> {}
    impl<T> Sealed for super::SeparatePair<'_, T> {}
    impl<T> Sealed for super::WithRight<'_, T> {}
    impl<T> Sealed for super::OverlappingPair<'_, T> {}

    /// Input and output for bodies in assembly.
    pub trait Pointers<T> {
        /// Both as raw pointers derived from the same borrow. The lengths are those of the slices.
        fn pointers(&mut self) -> (*const T, *mut T);
    }
}

use sealed::{Pointers, Sealed};

/// Elements that a kernel reads: a slice, or one whose elements the kernel's output may overwrite. Sealed.
pub trait Source<T: Copy>: Copy + Sealed {
    /// `length` elements from `start` on; none when they do not all exist.
    fn part(self, start: usize, length: usize) -> Self;
    /// All elements.
    fn elements(self) -> impl ExactSizeIterator<Item = T>;
    /// The element at `index`.
    fn at(self, index: usize) -> Option<T>;
    /// How many there are.
    fn count(self) -> usize;
    /// Groups of `N`, and what is left behind them.
    fn groups<const N: usize>(self) -> (impl ExactSizeIterator<Item = [T; N]>, Self);
    /// The `N` elements from `start` on.
    fn group<const N: usize>(self, start: usize) -> Option<[T; N]>;
    /// Writes `function` of every element, one after the other, four in a turn of the loop so that they share its
    /// instructions. Each is read before the next is written, so that the output may start where the input does or
    /// before.
    fn map<U>(self, output: &[Cell<U>], function: impl Fn(T) -> U);
    /// The first element, for bodies in assembly, which read as many as there are.
    #[doc(hidden)]
    fn pointer(self) -> *const T;
    /// Calls `function` with every element, four in a turn of the loop.
    #[inline(always)]
    fn visit(self, mut function: impl FnMut(T)) {
        let (groups, rest) = self.groups::<4>();
        for group in groups {
            for element in group {
                function(element);
            }
        }
        for element in rest.elements() {
            function(element);
        }
    }
}

impl<T: Copy> Source<T> for &[T] {
    #[inline(always)]
    fn part(self, start: usize, length: usize) -> Self {
        self.get(start..start.wrapping_add(length)).unwrap_or_default()
    }
    #[inline(always)]
    fn elements(self) -> impl ExactSizeIterator<Item = T> {
        self.iter().copied()
    }
    #[inline(always)]
    fn at(self, index: usize) -> Option<T> {
        self.get(index).copied()
    }
    #[inline(always)]
    fn count(self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn groups<const N: usize>(self) -> (impl ExactSizeIterator<Item = [T; N]>, Self) {
        let (groups, rest) = self.as_chunks();
        (groups.iter().copied(), rest)
    }
    #[inline(always)]
    fn group<const N: usize>(self, start: usize) -> Option<[T; N]> {
        self.get(start..)?.first_chunk().copied()
    }
    #[inline(always)]
    fn pointer(self) -> *const T {
        self.as_ptr()
    }
    #[inline(always)]
    fn map<U>(self, output: &[Cell<U>], function: impl Fn(T) -> U) {
        let (inputs, input_rest) = self.as_chunks::<4>();
        let (outputs, output_rest) = output.as_chunks::<4>();
        for (input, output) in inputs.iter().zip(outputs) {
            // Bytes would be unpacked from a word.
            let copy = *input;
            let input = if Chosen::READS_AHEAD && size_of::<T>() > 1 { &copy } else { input };
            for (input, output) in input.iter().zip(output) {
                output.set(function(*input));
            }
        }
        for (input, output) in input_rest.iter().zip(output_rest) {
            output.set(function(*input));
        }
    }
}

impl<T: Copy> Source<T> for &[Cell<T>] {
    #[inline(always)]
    fn part(self, start: usize, length: usize) -> Self {
        self.get(start..start.wrapping_add(length)).unwrap_or_default()
    }
    #[inline(always)]
    fn elements(self) -> impl ExactSizeIterator<Item = T> {
        self.iter().map(Cell::get)
    }
    #[inline(always)]
    fn at(self, index: usize) -> Option<T> {
        self.get(index).map(Cell::get)
    }
    #[inline(always)]
    fn count(self) -> usize {
        self.len()
    }
    #[inline(always)]
    fn groups<const N: usize>(self) -> (impl ExactSizeIterator<Item = [T; N]>, Self) {
        let (groups, rest) = self.as_chunks::<N>();
        (groups.iter().map(|group| group.each_ref().map(Cell::get)), rest)
    }
    #[inline(always)]
    fn group<const N: usize>(self, start: usize) -> Option<[T; N]> {
        Some(self.get(start..)?.first_chunk::<N>()?.each_ref().map(Cell::get))
    }
    #[inline(always)]
    fn pointer(self) -> *const T {
        self.as_ptr().cast()
    }
    #[inline(always)]
    fn map<U>(self, output: &[Cell<U>], function: impl Fn(T) -> U) {
        let (inputs, input_rest) = self.as_chunks::<4>();
        let (outputs, output_rest) = output.as_chunks::<4>();
        for (input, output) in inputs.iter().zip(outputs) {
            for (input, output) in input.iter().zip(output) {
                output.set(function(input.get()));
            }
        }
        for (input, output) in input_rest.iter().zip(output_rest) {
            output.set(function(input.get()));
        }
    }
}

/// Input and output of a kernel that runs row by row.
///
/// A kernel reads input and writes output in turns, never at once, so that both may lie in one buffer.
///
/// Sealed: kernels in assembly trust what these types say, so that no other type may say it.
///
/// ```compile_fail,E0277
/// use std::cell::Cell;
///
/// use smolnn_core::ShapeError;
/// use smolnn_fixed::Tensors;
///
/// struct Wild;
///
/// impl Tensors<i8> for Wild {
///     type Input<'a> = &'a [i8];
///     fn split(&mut self) -> (&[i8], &[Cell<i8>]) {
///         (&[], &[])
///     }
///     fn input(&self) -> &[i8] {
///         &[]
///     }
///     fn output(&mut self) -> &mut [i8] {
///         &mut []
///     }
///     fn check(&self, _: usize, _: usize, _: usize) -> Result<(), ShapeError> {
///         Ok(())
///     }
/// }
/// ```
pub trait Tensors<T: Copy>: Sealed + Pointers<T> {
    /// How the input is read while output is written.
    type Input<'a>: Source<T>
    where
        Self: 'a;
    /// Input and output at once: the output in cells, since it may share memory with the input.
    fn split(&mut self) -> (Self::Input<'_>, &[Cell<T>]);
    /// The input.
    fn input(&self) -> &[T];
    /// The output.
    fn output(&mut self) -> &mut [T];
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

impl<T> Pointers<T> for Separate<'_, T> {
    #[inline(always)]
    fn pointers(&mut self) -> (*const T, *mut T) {
        (self.input.as_ptr(), self.output.as_mut_ptr())
    }
}

impl<T: Copy> Tensors<T> for Separate<'_, T> {
    type Input<'a>
        = &'a [T]
    where
        Self: 'a;
    #[inline(always)]
    fn split(&mut self) -> (&[T], &[Cell<T>]) {
        (self.input, Cell::from_mut(&mut *self.output).as_slice_of_cells())
    }
    #[inline(always)]
    fn input(&self) -> &[T] {
        self.input
    }
    #[inline(always)]
    fn output(&mut self) -> &mut [T] {
        self.output
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
            let expected = input.saturating_add(input_len);
            return Err(ShapeError::Length { what: "the buffer, for the input", expected, found });
        }
        if found < output_len || found - output_len < output {
            let expected = output.saturating_add(output_len);
            return Err(ShapeError::Length { what: "the buffer, for the output", expected, found });
        }
        Ok(Self { buffer, input, input_len, output, output_len })
    }
}

impl<T> Pointers<T> for Overlapping<'_, T> {
    #[inline(always)]
    fn pointers(&mut self) -> (*const T, *mut T) {
        let base = self.buffer.as_mut_ptr();
        (base.wrapping_add(self.input), base.wrapping_add(self.output))
    }
}

impl<T: Copy> Tensors<T> for Overlapping<'_, T> {
    type Input<'a>
        = &'a [Cell<T>]
    where
        Self: 'a;
    #[inline(always)]
    fn split(&mut self) -> (&[Cell<T>], &[Cell<T>]) {
        let cells = Cell::from_mut(&mut *self.buffer).as_slice_of_cells();
        (cells.part(self.input, self.input_len), cells.part(self.output, self.output_len))
    }
    #[inline(always)]
    fn input(&self) -> &[T] {
        // `new` checked the range.
        self.buffer.get(self.input..self.input + self.input_len).unwrap_or_else(excluded)
    }
    #[inline(always)]
    fn output(&mut self) -> &mut [T] {
        self.buffer.get_mut(self.output..self.output + self.output_len).unwrap_or_else(excluded)
    }
    #[inline]
    fn check(&self, input_len: usize, output_len: usize, overlap_gap: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the input", input_len, self.input_len)?;
        ShapeError::check_length("the output", output_len, self.output_len)?;
        check_overlap((self.input, input_len), (self.output, output_len), overlap_gap)
    }
}

/// Two ranges of one buffer are apart, or the output starts `overlap_gap` before the input.
const fn check_overlap(
    (input, input_len): (usize, usize),
    (output, output_len): (usize, usize),
    overlap_gap: usize,
) -> Result<(), ShapeError> {
    let apart = output >= input + input_len || input >= output + output_len;
    if apart || input >= output + overlap_gap { Ok(()) } else { Err(ShapeError::Overlap { least_gap: overlap_gap }) }
}

/// Two inputs and one output of a kernel that runs element by element. The output may take an input's place, or lie
/// before it. Sealed, as [`Tensors`].
pub trait Operands<T: Copy>: Sealed {
    /// How the left operand is read while output is written.
    type Left<'a>: Source<T>
    where
        Self: 'a;
    /// How the right operand is read while output is written.
    type Right<'a>: Source<T>
    where
        Self: 'a;
    /// All three at once.
    fn split(&mut self) -> (Self::Left<'_>, Self::Right<'_>, &[Cell<T>]);
    /// Checks the lengths, and that no output is written over input that is still needed: an input of the output's length
    /// may start where the output starts or later, a shorter one (which is read more than once) must be apart.
    ///
    /// # Errors
    /// [`ShapeError::Length`] or [`ShapeError::Overlap`].
    fn check(&self, left: usize, right: usize, output: usize) -> Result<(), ShapeError>;
}

/// Two inputs and the output in slices of their own.
#[derive(Debug)]
pub struct SeparatePair<'a, T> {
    /// The left operand.
    pub left: &'a [T],
    /// The right operand.
    pub right: &'a [T],
    /// The output.
    pub output: &'a mut [T],
}

impl<T: Copy> Operands<T> for SeparatePair<'_, T> {
    type Left<'a>
        = &'a [T]
    where
        Self: 'a;
    type Right<'a>
        = &'a [T]
    where
        Self: 'a;
    #[inline(always)]
    fn split(&mut self) -> (&[T], &[T], &[Cell<T>]) {
        (self.left, self.right, Cell::from_mut(&mut *self.output).as_slice_of_cells())
    }
    #[inline]
    fn check(&self, left: usize, right: usize, output: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the left operand", left, self.left.len())?;
        ShapeError::check_length("the right operand", right, self.right.len())?;
        ShapeError::check_length("the output", output, self.output.len())
    }
}

/// The left operand and the output as [`Overlapping`], the right operand in a slice of its own: a constant, mostly.
#[derive(Debug)]
pub struct WithRight<'a, T> {
    /// The left operand as input, and the output.
    pub tensors: Overlapping<'a, T>,
    /// The right operand.
    pub right: &'a [T],
}

impl<T: Copy> Operands<T> for WithRight<'_, T> {
    type Left<'a>
        = &'a [Cell<T>]
    where
        Self: 'a;
    type Right<'a>
        = &'a [T]
    where
        Self: 'a;
    #[inline(always)]
    fn split(&mut self) -> (&[Cell<T>], &[T], &[Cell<T>]) {
        let (left, output) = self.tensors.split();
        (left, self.right, output)
    }
    #[inline]
    fn check(&self, left: usize, right: usize, output: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the right operand", right, self.right.len())?;
        self.tensors.check(left, output, if left == output { 0 } else { usize::MAX / 2 })
    }
}

/// Two inputs and the output in one buffer. Made by [`OverlappingPair::new`].
#[derive(Debug)]
pub struct OverlappingPair<'a, T> {
    buffer: &'a mut [T],
    left: (usize, usize),
    right: (usize, usize),
    output: (usize, usize),
}

impl<'a, T> OverlappingPair<'a, T> {
    /// Offset and length of each in the buffer. The operands may be one and the same.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when one of them does not lie in the buffer.
    #[inline]
    pub const fn new(
        buffer: &'a mut [T],
        left: (usize, usize),
        right: (usize, usize),
        output: (usize, usize),
    ) -> Result<Self, ShapeError> {
        let found = buffer.len();
        let ranges = [left, right, output];
        let mut index = 0;
        while index < 3 {
            let (start, length) = ranges[index];
            if found < length || found - length < start {
                return Err(ShapeError::Length { what: "the buffer", expected: start.saturating_add(length), found });
            }
            index += 1;
        }
        Ok(Self { buffer, left, right, output })
    }
}

impl<T: Copy> Operands<T> for OverlappingPair<'_, T> {
    type Left<'a>
        = &'a [Cell<T>]
    where
        Self: 'a;
    type Right<'a>
        = &'a [Cell<T>]
    where
        Self: 'a;
    #[inline(always)]
    fn split(&mut self) -> (&[Cell<T>], &[Cell<T>], &[Cell<T>]) {
        let cells = Cell::from_mut(&mut *self.buffer).as_slice_of_cells();
        let part = |(start, length)| cells.part(start, length);
        (part(self.left), part(self.right), part(self.output))
    }
    #[inline]
    fn check(&self, left: usize, right: usize, output: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the left operand", left, self.left.1)?;
        ShapeError::check_length("the right operand", right, self.right.1)?;
        ShapeError::check_length("the output", output, self.output.1)?;
        // Shorter operands are read over and over: they must be apart.
        let gap = |length| if length == output { 0 } else { usize::MAX / 2 };
        check_overlap(self.left, self.output, gap(left))?;
        check_overlap(self.right, self.output, gap(right))
    }
}
