//! Runs random networks with whole tensors and by rows, and compares the hashes of their outputs: all ways of one network have the same, that of whole tensors
//! on the machine that built this, where it computes with integers.
#![no_std]
#![no_main]

use smolnn::Arena;

board::entry!(run);

include!("hash.rs");

/// Runs a network in one of its ways: arena and input; gives the hash of its outputs.
type Run = fn(&mut Arena<WORDS>, &[u8]) -> u64;

/// A random network.
pub struct Graph {
    seed: u64,
    input: &'static [u32],
    bytes: usize,
    expected: Option<u64>,
    /// With whole tensors first.
    ways: &'static [(&'static str, Run)],
}

include!(concat!(env!("OUT_DIR"), "/graphs.rs"));

fn run() -> board::Exit {
    let Some(arena) = board::taken!(Arena<WORDS>, Arena::new()) else { return board::Exit::Fail };
    let (mut programs, mut wrong) = (0, 0);
    for Graph { seed, input, bytes, expected, ways } in GRAPHS {
        let input = &bytemuck::cast_slice(input)[..*bytes];
        let mut expected = *expected;
        for (way, run) in *ways {
            // What others have left there.
            arena.words().fill(0xA5C3_5A3C);
            let hash = run(arena, input);
            let whole = *expected.get_or_insert(hash);
            if hash != whole {
                wrong += 1;
                board::println!("seed {} {}: {:016x} instead of {:016x}", seed, way, hash, whole);
            }
            programs += 1;
        }
    }
    board::println!("{} graphs, {} programs, {} wrong", GRAPHS.len(), programs, wrong);
    if wrong == 0 { board::Exit::Pass } else { board::Exit::Fail }
}
