//! Links every kernel with shapes that the compiler cannot know, and nothing that formats or panics of its own:
//! `cargo xtask check-panics` looks for panicking code in this image. Runs too, and then calls each kernel once.
#![no_std]
#![no_main]

use core::hint::black_box;
use firmware::kernels::{self, Meter, Work};

board::lean_entry!(run);

struct Caller;

impl Meter for Caller {
    fn wants(&self, name: &str) -> bool {
        black_box(!name.is_empty())
    }

    fn kernel(&mut self, _: &'static str, _: &'static str, _: Work, call: &mut dyn FnMut()) {
        black_box(call)();
    }

    fn skip(&mut self, _: &'static str, _: &'static str, _: &'static str) {}
}

fn run() -> board::Exit {
    kernels::all(black_box(&mut Caller));
    board::print_plain(c"done\n");
    board::Exit::Pass
}
