//! Firmware without a model: what start-up and the stack gauge take.
#![no_std]
#![no_main]

board::entry!(run);

fn run() -> board::Exit {
    let stack = board::stack::high_water(core::hint::black_box(&mut || {}));
    board::print_number(c"stack ", stack);
    board::Exit::Pass
}
