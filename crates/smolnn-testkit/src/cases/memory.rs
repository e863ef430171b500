//! The memory of a case: one block of words, handed out piece by piece.

use super::Failure;

/// What is left of the block.
pub struct Memory<'a> {
    rest: &'a mut [u32],
}

impl<'a> Memory<'a> {
    /// All of the block.
    pub fn new(block: &'a mut [u32]) -> Self {
        Self { rest: block }
    }

    /// The same memory for a shorter time: what is taken from it is free again afterwards.
    pub(crate) fn reborrow(&mut self) -> Memory<'_> {
        Memory { rest: self.rest }
    }

    /// `count` words, in an undefined state.
    pub(crate) fn words(&mut self, count: usize) -> Result<&'a mut [u32], Failure> {
        let rest = core::mem::take(&mut self.rest);
        if count > rest.len() {
            return Err(Failure::TooSmall);
        }
        let (words, rest) = rest.split_at_mut(count);
        self.rest = rest;
        Ok(words)
    }

    /// `count` elements, in an undefined state.
    pub(crate) fn elements<T: bytemuck::Pod>(&mut self, count: usize) -> Result<&'a mut [T], Failure> {
        let words = self.words((count * size_of::<T>()).div_ceil(4))?;
        Ok(&mut bytemuck::cast_slice_mut(words)[..count])
    }

    /// `count` elements from the function.
    pub(crate) fn filled<T: bytemuck::Pod>(
        &mut self,
        count: usize,
        mut value: impl FnMut() -> T,
    ) -> Result<&'a mut [T], Failure> {
        let elements = self.elements(count)?;
        elements.fill_with(&mut value);
        Ok(elements)
    }
}
