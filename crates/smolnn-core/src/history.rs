//! What kernels that remember their last steps share.

use core::cell::Cell;

/// Moves every element to the place before it: the first is gone, and the last stands twice.
#[doc(hidden)]
#[inline]
pub fn forget_oldest<T: Copy>(values: &mut [T]) {
    let moved = values.len().saturating_sub(1);
    let cells = Cell::from_mut(values).as_slice_of_cells();
    let (to, to_rest) = cells.get(..moved).unwrap_or_default().as_chunks::<4>();
    let (from, from_rest) = cells.get(1..).unwrap_or_default().as_chunks::<4>();
    for (to, from) in to.iter().zip(from) {
        // All are read before one is written, so that short elements move in words.
        let values = from.each_ref().map(Cell::get);
        for (place, value) in to.iter().zip(values) {
            place.set(value);
        }
    }
    for (place, value) in to_rest.iter().zip(from_rest) {
        place.set(value.get());
    }
}

#[cfg(test)]
mod tests {
    use super::forget_oldest;

    #[test]
    fn every_element_but_the_first_moves_to_the_place_before_it() {
        let start: [u8; 11] = core::array::from_fn(|index| index as u8);
        for length in 0..=start.len() {
            let mut values = start;
            forget_oldest(&mut values[..length]);
            for (place, value) in values.iter().enumerate() {
                let moved = usize::from(place + 1 < length);
                assert_eq!(usize::from(*value), place + moved, "element {place} of {length}");
            }
        }
    }
}
