//! Slicing, indexing and division that cannot panic, for kernels whose lengths were checked at the door.
//!
//! What the check excludes goes through [`excluded`]: tests stop there, and firmware has neither a panic nor the text of one.

use core::{iter, mem};

use smolnn_core::ShapeError;
pub(crate) use smolnn_core::excluded;

/// `slice[start..start + length]`.
#[inline(always)]
pub(crate) fn part<T>(slice: &[T], start: usize, length: usize) -> &[T] {
    slice.get(start..start.wrapping_add(length)).unwrap_or_else(excluded)
}

/// `&mut slice[start..start + length]`.
#[inline(always)]
pub(crate) fn part_mut<T>(slice: &mut [T], start: usize, length: usize) -> &mut [T] {
    slice.get_mut(start..start.wrapping_add(length)).unwrap_or_else(excluded)
}

/// `slice[start..]`.
#[inline(always)]
pub(crate) fn behind<T>(slice: &[T], start: usize) -> &[T] {
    slice.get(start..).unwrap_or_else(excluded)
}

/// `&mut slice[start..]`.
#[inline(always)]
pub(crate) fn behind_mut<T>(slice: &mut [T], start: usize) -> &mut [T] {
    slice.get_mut(start..).unwrap_or_else(excluded)
}

/// `slice[index]`.
#[inline(always)]
pub(crate) fn at<T: Copy + Default>(slice: &[T], index: usize) -> T {
    slice.get(index).copied().unwrap_or_else(excluded)
}

/// The first `length` elements of a slice, and the rest.
#[inline(always)]
pub(crate) fn split<T>(slice: &[T], length: usize) -> (&[T], &[T]) {
    slice.split_at_checked(length).unwrap_or_else(excluded)
}

/// [`split`] of a mutable slice.
#[inline(always)]
pub(crate) fn split_mut<T>(slice: &mut [T], length: usize) -> (&mut [T], &mut [T]) {
    slice.split_at_mut_checked(length).unwrap_or_else(excluded)
}

/// Cuts the first `length` elements off a slice that is handed out piece by piece.
#[inline(always)]
pub(crate) fn cut<'a, T>(slice: &mut &'a [T], length: usize) -> &'a [T] {
    let (first, rest) = split(slice, length);
    *slice = rest;
    first
}

/// [`cut`] of a mutable slice.
#[inline(always)]
pub(crate) fn cut_mut<'a, T>(slice: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (first, rest) = split_mut(mem::take(slice), length);
    *slice = rest;
    first
}

/// `dividend / divisor`, of a divisor that is not 0.
#[inline(always)]
pub(crate) fn quotient(dividend: usize, divisor: usize) -> usize {
    dividend.checked_div(divisor).unwrap_or_else(excluded)
}

/// The vectors of a batch, `length` elements each. Unlike `chunks_exact` it divides nothing, and so cannot panic.
#[inline(always)]
pub(crate) fn vectors<T>(batch: &[T], length: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = batch;
    iter::from_fn(move || {
        let (vector, behind) = rest.split_at_checked(length).filter(|_| length > 0)?;
        rest = behind;
        Some(vector)
    })
}

/// The same to be written.
#[inline(always)]
pub(crate) fn vectors_mut<T>(batch: &mut [T], length: usize) -> impl Iterator<Item = &mut [T]> {
    let mut rest = batch;
    iter::from_fn(move || {
        let (vector, behind) = mem::take(&mut rest).split_at_mut_checked(length).filter(|_| length > 0)?;
        rest = behind;
        Some(vector)
    })
}

/// [`ShapeError::Length`] unless the optional slice, where given, has the length.
#[inline]
pub(crate) fn check_optional<T>(what: &'static str, expected: usize, slice: Option<&[T]>) -> Result<(), ShapeError> {
    slice.map_or(Ok(()), |slice| ShapeError::check_length(what, expected, slice.len()))
}
