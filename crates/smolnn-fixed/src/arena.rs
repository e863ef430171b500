//! The memory of a compiled model: whole words, handed out as typed slices.
//!
//! Generated code takes disjoint regions of the arena for each operator and views them as the tensors' elements. All positions are constants there:
//! [`prove_apart`] checks them when it is compiled, and the checks of [`regions`] and [`view`] vanish with optimisation.

use core::ops::Range;

use bytemuck::{AnyBitPattern, NoUninit, must_cast_slice, must_cast_slice_mut};
use smolnn_core::ShapeError;

/// An element type of tensors in an arena: any bit pattern is a value, and words divide into whole elements.
pub trait Element: AnyBitPattern + NoUninit {}

impl Element for i8 {}
impl Element for u8 {}
impl Element for i16 {}
impl Element for i32 {}
impl Element for u32 {}
impl Element for f32 {}

/// Memory of `WORDS` 32-bit words, aligned to 16 bytes.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Arena<const WORDS: usize> {
    words: [u32; WORDS],
}

impl<const WORDS: usize> Arena<WORDS> {
    /// An arena of zeros.
    pub const fn new() -> Self {
        Self { words: [0; WORDS] }
    }

    /// Sets the words of each range to its value, for states that do not start from 0. Ranges beyond the end are cut.
    pub const fn fill(&mut self, values: &[(Range<usize>, u32)]) {
        let mut index = 0;
        while index < values.len() {
            let mut word = values[index].0.start;
            while word < values[index].0.end && word < WORDS {
                self.words[word] = values[index].1;
                word += 1;
            }
            index += 1;
        }
    }

    /// All words.
    #[inline(always)]
    pub const fn words(&mut self) -> &mut [u32] {
        &mut self.words
    }

    /// `LENGTH` elements from word `START` on. Positions outside of the arena do not compile.
    #[inline(always)]
    pub fn array<T: Element, const START: usize, const LENGTH: usize>(&self) -> &[T; LENGTH] {
        const { assert!(START + (LENGTH * size_of::<T>()).div_ceil(4) <= WORDS) }
        match must_cast_slice(&self.words[START..]).first_chunk() {
            Some(array) => array,
            // The assertion above excludes it, and the compiler sees that.
            None => unreachable!(),
        }
    }

    /// `LENGTH` elements from word `START` on, to be written. Positions outside of the arena do not compile.
    #[inline(always)]
    pub fn array_mut<T: Element, const START: usize, const LENGTH: usize>(&mut self) -> &mut [T; LENGTH] {
        const { assert!(START + (LENGTH * size_of::<T>()).div_ceil(4) <= WORDS) }
        match must_cast_slice_mut(&mut self.words[START..]).first_chunk_mut() {
            Some(array) => array,
            // The assertion above excludes it, and the compiler sees that.
            None => unreachable!(),
        }
    }
}

impl<const WORDS: usize> Default for Arena<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Proves that ranges lie in an arena of `words` words and apart from each other, for constants: where they do not, the module does not compile.
///
/// ```
/// const { smolnn_fixed::arena::prove_apart(4, &[2..4, 0..2]) };
/// ```
/// ```compile_fail
/// const { smolnn_fixed::arena::prove_apart(4, &[1..3, 0..2]) };
/// ```
/// ```compile_fail
/// const { smolnn_fixed::arena::prove_apart(4, &[2..5]) };
/// ```
///
/// # Panics
/// When ranges overlap or leave the arena.
pub const fn prove_apart(words: usize, ranges: &[Range<usize>]) {
    let mut index = 0;
    while index < ranges.len() {
        let Range { start, end } = ranges[index];
        assert!(start <= end && end <= words, "a region leaves the arena");
        let mut other = 0;
        while other < index {
            assert!(end <= ranges[other].start || ranges[other].end <= start, "regions of the arena overlap");
            other += 1;
        }
        index += 1;
    }
}

/// Disjoint ranges of words, each to be borrowed by itself.
///
/// # Errors
/// [`ShapeError::Range`] when ranges overlap or leave the arena.
#[inline(always)]
pub fn regions<const N: usize>(words: &mut [u32], ranges: [Range<usize>; N]) -> Result<[&mut [u32]; N], ShapeError> {
    words.get_disjoint_mut(ranges).map_err(|_| ShapeError::Range("regions of the arena overlap or leave it"))
}

/// The first `length` elements of a region.
///
/// # Errors
/// [`ShapeError::Length`] when the region is shorter.
#[inline(always)]
pub fn view<T: Element>(words: &mut [u32], length: usize) -> Result<&mut [T], ShapeError> {
    let elements: &mut [T] = must_cast_slice_mut(words);
    let found = elements.len();
    elements.get_mut(..length).ok_or(ShapeError::Length { what: "a region of the arena", expected: length, found })
}
