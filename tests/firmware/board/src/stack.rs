//! How deep a call uses the stack: paint the free stack, call, look how far the paint is gone.

use crate::machine;

const PAINT: u32 = 0xA5C3_3C5A;

/// Words next to the stack pointer that stay unpainted, since the painting loop itself may use them.
const MARGIN: usize = 16;

/// Bytes of stack that `call` uses at most, below the caller's frame.
#[inline(never)]
pub fn high_water(call: &mut dyn FnMut()) -> usize {
    let top = machine::stack_pointer() & !3;
    let bottom = (machine::stack_end() + 3) & !3;
    let words = (top - bottom) / 4 - MARGIN;
    let free = bottom as *mut u32;
    for index in 0..words {
        // SAFETY: between the end of the statics and the stack pointer lies nothing that lives.
        unsafe { free.add(index).write_volatile(PAINT) };
    }
    call();
    let mut index = 0;
    // SAFETY: reads the words painted above.
    while index < words && unsafe { free.add(index).read_volatile() } == PAINT {
        index += 1;
    }
    // A call that stays within the margin leaves the paint whole and is reported as 0.
    if index == words { 0 } else { top - (bottom + 4 * index) }
}
