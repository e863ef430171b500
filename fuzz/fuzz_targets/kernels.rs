//! A kernel of the registry with a shape and values drawn from a seed. Oracle: the naive one of the testkit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smolnn_testkit::cases::{KERNELS, run_seed};

fuzz_target!(|input: (u8, u64)| {
    let (index, seed) = input;
    let kernel = &KERNELS[usize::from(index) % KERNELS.len()];
    let mut memory = vec![0; 1 << 18];
    if let Some(Err(failure)) = run_seed(kernel, &mut memory, seed) {
        panic!("{} with seed {seed}: {failure:?}", kernel.name);
    }
});
