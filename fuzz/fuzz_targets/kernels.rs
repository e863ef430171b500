//! A kernel of the registry with a shape and values drawn from a seed. Oracle: the naive one of the testkit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smolnn_testkit::cases::{all, run_seed};

fuzz_target!(|input: (u8, u64)| {
    let (index, seed) = input;
    let Some(case) = all().nth(usize::from(index) % all().count()) else { return };
    let mut memory = vec![0; 1 << 18];
    if let Some(Err(failure)) = run_seed(case, &mut memory, seed) {
        panic!("{} with seed {seed}: {failure:?}", case.kernel);
    }
});
