//! Slicing that cannot panic, for kernels whose lengths were checked at the door.
//!
//! The empty fallback is never taken there; it keeps the panic, and its text, out of the firmware.

use core::{iter, mem};

use smolnn_core::ShapeError;

/// `slice[start..start + length]`.
#[inline(always)]
pub(crate) fn part<T>(slice: &[T], start: usize, length: usize) -> &[T] {
    slice.get(start..start.wrapping_add(length)).unwrap_or_default()
}

/// `&mut slice[start..start + length]`.
#[inline(always)]
pub(crate) fn part_mut<T>(slice: &mut [T], start: usize, length: usize) -> &mut [T] {
    slice.get_mut(start..start.wrapping_add(length)).unwrap_or_default()
}

/// `slice[start..]`.
#[inline(always)]
pub(crate) fn behind<T>(slice: &[T], start: usize) -> &[T] {
    slice.get(start..).unwrap_or_default()
}

/// `&mut slice[start..]`.
#[inline(always)]
pub(crate) fn behind_mut<T>(slice: &mut [T], start: usize) -> &mut [T] {
    slice.get_mut(start..).unwrap_or_default()
}

/// Cuts the first `length` elements off a slice that is handed out piece by piece.
#[inline(always)]
pub(crate) fn cut<'a, T>(slice: &mut &'a [T], length: usize) -> &'a [T] {
    let (first, rest) = slice.split_at_checked(length).unwrap_or_default();
    *slice = rest;
    first
}

/// [`cut`] of a mutable slice.
#[inline(always)]
pub(crate) fn cut_mut<'a, T>(slice: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (first, rest) = core::mem::take(slice).split_at_mut_checked(length).unwrap_or_default();
    *slice = rest;
    first
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
