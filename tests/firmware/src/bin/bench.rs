//! Instructions per call of every kernel shape and model.
#![no_std]
#![no_main]

board::entry!(run);

fn run() -> board::Exit {
    let counter = board::counter::Counter::start_from_options();
    let mut values = [3u32; 64];
    let n = counter.hundredths(&mut || for v in core::hint::black_box(&mut values) { *v = v.wrapping_mul(*v) });
    board::println!("{}.{:02}", n / 100, n % 100);
    board::println!("stack {}", board::stack::high_water(&mut || { core::hint::black_box([0u8; 1000]); }));
    board::Exit::Pass
}
