//! A file of any bytes: an error or a program, never a panic. Oracle: every backend says the same of it, and the program's
//! outputs depend on its inputs alone, not on what its memory held before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smolnn_import::{Backend, Model, Program, Runner};

/// Bytes of the arena beyond which a program is not run.
const MOST: usize = 1 << 20;

fn run(runner: &mut Runner<'_>, program: &Program, seed: u8) -> Vec<u8> {
    let net = program.net();
    for (index, &input) in net.inputs.iter().enumerate() {
        let bytes: Vec<u8> =
            (0..net.tensors[input].bytes()).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect();
        runner.set_input(index, &bytes).expect("as many bytes as the tensor has");
    }
    runner.run().expect("a checked program runs");
    (0..net.outputs.len()).flat_map(|index| runner.output(index).expect("there is such an output").to_vec()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::read("fuzzed", bytes) else { return };
    let accepted: Vec<bool> = Backend::ALL.iter().map(|&backend| model.compile(backend).is_ok()).collect();
    assert!(accepted.iter().all(|&ok| ok == accepted[0]), "the backends differ: {accepted:?}");
    let Ok(program) = model.compile(Backend::CURRENT) else { return };
    if program.arena_bytes() > MOST || program.macs() > MOST as u64 {
        return;
    }
    let mut runner = program.runner().expect("compiled for this machine");
    let first = run(&mut runner, &program, 1);
    run(&mut runner, &program, 77);
    runner.reset();
    assert_eq!(run(&mut runner, &program, 1), first, "what the memory held before shows in the outputs");
});
