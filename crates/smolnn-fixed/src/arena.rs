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
    pub const fn words(&mut self) -> &mut [u32; WORDS] {
        &mut self.words
    }
}

impl<const WORDS: usize> Default for Arena<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// The words of the largest of several arenas: what models share that run one after the other.
///
/// ```
/// use smolnn_fixed::arena::{Arena, largest_arena};
///
/// static ARENA: Arena<{ largest_arena(&[288, 120]) }> = Arena::new();
/// assert_eq!(size_of_val(&ARENA), 4 * 288);
/// ```
pub const fn largest_arena(words: &[usize]) -> usize {
    let (mut largest, mut index) = (0, 0);
    while index < words.len() {
        if words[index] > largest {
            largest = words[index];
        }
        index += 1;
    }
    largest
}

/// The memory of a model: an arena of `ARENA` words and states of `STATE` words, in the model itself ([`Own`]) or lent to it ([`Lent`]).
pub trait Memory<const ARENA: usize, const STATE: usize> {
    /// The arena.
    fn arena(&self) -> &[u32; ARENA];
    /// The states.
    fn state(&self) -> &[u32; STATE];
    /// Both, to be written.
    fn both(&mut self) -> (&mut [u32; ARENA], &mut [u32; STATE]);
}

/// Memory that a model holds itself.
#[derive(Clone, Debug)]
pub struct Own<const ARENA: usize, const STATE: usize> {
    arena: Arena<ARENA>,
    state: Arena<STATE>,
}

impl<const ARENA: usize, const STATE: usize> Own<ARENA, STATE> {
    /// An arena of zeros beside these states.
    pub const fn new(state: Arena<STATE>) -> Self {
        Self { arena: Arena::new(), state }
    }
}

impl<const ARENA: usize, const STATE: usize> Memory<ARENA, STATE> for Own<ARENA, STATE> {
    #[inline(always)]
    fn arena(&self) -> &[u32; ARENA] {
        &self.arena.words
    }

    #[inline(always)]
    fn state(&self) -> &[u32; STATE] {
        &self.state.words
    }

    #[inline(always)]
    fn both(&mut self) -> (&mut [u32; ARENA], &mut [u32; STATE]) {
        (&mut self.arena.words, &mut self.state.words)
    }
}

/// Memory that is lent to a model: the front of an arena that serves others at other times, and the model's states.
#[derive(Debug)]
pub struct Lent<'a, const ARENA: usize, const STATE: usize> {
    arena: &'a mut [u32; ARENA],
    state: &'a mut [u32; STATE],
}

impl<'a, const ARENA: usize, const STATE: usize> Lent<'a, ARENA, STATE> {
    /// Takes the front of an arena. One that is too small does not compile.
    #[inline(always)]
    pub fn new<const WORDS: usize>(arena: &'a mut Arena<WORDS>, state: &'a mut [u32; STATE]) -> Self {
        const { assert!(WORDS >= ARENA, "the arena has fewer words than the model's ARENA_WORDS") }
        match arena.words.first_chunk_mut() {
            Some(arena) => Self { arena, state },
            // The assertion above excludes it, and the compiler sees that.
            None => unreachable!(),
        }
    }
}

impl<const ARENA: usize, const STATE: usize> Memory<ARENA, STATE> for Lent<'_, ARENA, STATE> {
    #[inline(always)]
    fn arena(&self) -> &[u32; ARENA] {
        self.arena
    }

    #[inline(always)]
    fn state(&self) -> &[u32; STATE] {
        self.state
    }

    #[inline(always)]
    fn both(&mut self) -> (&mut [u32; ARENA], &mut [u32; STATE]) {
        (self.arena, self.state)
    }
}

/// `LENGTH` elements of an arena from word `START` on. Positions outside of the arena do not compile.
#[inline(always)]
pub fn array<T: Element, const START: usize, const LENGTH: usize, const WORDS: usize>(
    words: &[u32; WORDS],
) -> &[T; LENGTH] {
    const { assert!(START + (LENGTH * size_of::<T>()).div_ceil(4) <= WORDS) }
    match must_cast_slice(&words[START..]).first_chunk() {
        Some(array) => array,
        // The assertion above excludes it, and the compiler sees that.
        None => unreachable!(),
    }
}

/// `LENGTH` elements of an arena from word `START` on, to be written. Positions outside of the arena do not compile.
#[inline(always)]
pub fn array_mut<T: Element, const START: usize, const LENGTH: usize, const WORDS: usize>(
    words: &mut [u32; WORDS],
) -> &mut [T; LENGTH] {
    const { assert!(START + (LENGTH * size_of::<T>()).div_ceil(4) <= WORDS) }
    match must_cast_slice_mut(&mut words[START..]).first_chunk_mut() {
        Some(array) => array,
        // The assertion above excludes it, and the compiler sees that.
        None => unreachable!(),
    }
}

/// A slice as an array.
///
/// # Errors
/// [`ShapeError::Length`] when it has another length.
#[inline(always)]
pub fn whole<'a, T, const LENGTH: usize>(what: &'static str, slice: &'a [T]) -> Result<&'a [T; LENGTH], ShapeError> {
    slice.try_into().map_err(|_| ShapeError::Length { what, expected: LENGTH, found: slice.len() })
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

/// `length` elements from `start` on: rows of a tensor.
///
/// # Errors
/// [`ShapeError::Range`] when they do not all exist.
#[inline(always)]
pub fn part<T>(elements: &mut [T], start: usize, length: usize) -> Result<&mut [T], ShapeError> {
    let rows = elements.get_mut(start..).and_then(|elements| elements.get_mut(..length));
    rows.ok_or(ShapeError::Range("the rows lie outside of their buffer"))
}

/// Moves bytes of the arena to another place, which may overlap theirs: rows that a later turn needs.
///
/// # Errors
/// [`ShapeError::Range`] when they do not lie in the arena, here or there.
#[inline]
pub fn relocate(arena: &mut [u32], from: Range<usize>, to: usize) -> Result<(), ShapeError> {
    let bytes: &mut [u8] = must_cast_slice_mut(arena);
    let room = bytes.len().checked_sub(from.len()).filter(|_| from.start <= from.end && from.end <= bytes.len());
    if room.is_none_or(|room| to > room) {
        return Err(ShapeError::Range("rows move within the arena"));
    }
    bytes.copy_within(from, to);
    Ok(())
}
