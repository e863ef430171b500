//! Must fail: panics on an index out of bounds.
#![no_std]
#![no_main]

use core::hint::black_box;

board::entry!(run);

fn run() -> board::Exit {
    let values = [1u8, 2, 3];
    board::println!("{}", values[black_box(3)]);
    board::Exit::Pass
}
