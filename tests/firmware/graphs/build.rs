//! Compiles random networks for the target of the build, with whole tensors and by rows, and runs those of integers on this machine, whose outputs are the
//! expected ones.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use smolnn_import::{Backend, Element, Program, RandomNet};

/// Names the first seed and how many there are, as 0,16; without it there is one network.
const SEEDS: &str = "SMOLNN_GRAPHS";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={SEEDS}");
    let seeds = env::var(SEEDS).unwrap_or_default();
    let (first, count) = seeds.split_once(",").unwrap_or(("0", "1"));
    let (first, count): (u64, u64) = (first.parse().expect("a seed"), count.parse().expect("a count"));
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let backend = Backend::for_target(&env::var("TARGET").expect("cargo sets TARGET"), &flags);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (mut modules, mut table, mut words) = (String::new(), String::new(), 1);
    for seed in first..first + count {
        let net = RandomNet::new(seed, backend).expect("a random net compiles");
        let expected = if net.is_real { None } else { Some(on_this_machine(seed)) };
        let mut ways = String::new();
        let whole = [("whole", &net.whole)];
        for (way, program) in whole.into_iter().chain(net.by_rows.iter().map(|(way, program)| (*way, program))) {
            let name = format!("net_{seed}_{way}");
            modules += &module(&out, &name, way, program);
            words = words.max(program.arena_bytes() / 4);
            let _ = write!(ways, "({way:?}, run_{name}), ");
        }
        let input: Vec<u32> = net.input.chunks(4).map(word).collect();
        let _ = writeln!(
            table,
            "    Graph {{ seed: {seed}, input: &{input:?}, bytes: {}, expected: {expected:?}, ways: &[{ways}] }},",
            net.input.len()
        );
    }
    let text = format!(
        "{modules}\n/// Words of the largest arena.\npub const WORDS: usize = {words};\n\n/// The networks.\npub static GRAPHS: &[Graph] = &[\n{table}];\n"
    );
    fs::write(out.join("graphs.rs"), text).expect("OUT_DIR can be written");
}

fn word(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    u32::from_le_bytes(word)
}

/// The hash of the outputs with whole tensors here.
fn on_this_machine(seed: u64) -> u64 {
    let (program, input) = RandomNet::reference(seed, Backend::CURRENT).expect("a random net compiles");
    let mut runner = program.runner().expect("it was compiled for this machine");
    runner.set_input(0, &input).expect("the input fits");
    runner.run().expect("it runs");
    (0..program.net().outputs.len()).fold(HASH, |hash, index| add(hash, runner.output(index).expect("an output")))
}

include!("src/hash.rs");

/// The module of a program, and a function that runs it in a lent arena and gives the hash of its outputs.
fn module(out: &Path, name: &str, way: &str, program: &Program) -> String {
    let path = out.join(format!("{name}.rs"));
    fs::write(&path, program.source()).expect("OUT_DIR can be written");
    let net = program.net();
    let method =
        |what: &str, index: usize, count: usize| if count == 1 { what.to_string() } else { format!("{what}_{index}") };
    let element = match net.tensors[net.inputs[0]].element {
        Element::I8 => "i8",
        Element::I16 => "i16",
        _ => "f32",
    };
    let pushed = |push: &str| {
        format!(
            "let rows: &[{name}::Row] = bytemuck::cast_slice::<u8, {element}>(input).as_chunks().0;\n    for row in rows {{\n        {push};\n    }}\n"
        )
    };
    let runs = match way {
        "given" => pushed("model.push_row(row, |_, row| hash = add(hash, bytemuck::cast_slice(row)))"),
        "pushed" => pushed("model.push_row(row)"),
        "lent" | "split" => format!(
            "let (image, _) = bytemuck::cast_slice::<u8, {element}>(input).as_chunks();\n    model.infer(&image[0]);\n"
        ),
        _ => "bytemuck::cast_slice_mut::<_, u8>(model.input_mut()).copy_from_slice(input);\n    model.run();\n".into(),
    };
    let outputs = if way == "given" { 0 } else { net.outputs.len() };
    let hashes: String = (0..outputs)
        .map(|index| {
            let output = method("output", index, outputs);
            format!("    hash = add(hash, bytemuck::cast_slice(model.{output}()));\n")
        })
        .collect();
    format!(
        "#[allow(missing_docs, dead_code, unused_must_use, clippy::all, clippy::pedantic)]\nmod {name} {{\n    include!({path:?});\n}}\n\n\
         #[inline(never)]\nfn run_{name}(arena: &mut Arena<WORDS>, input: &[u8]) -> u64 {{\n    let mut hash = HASH;\n    \
         let mut model = {name}::Model::in_arena(arena);\n    {runs}{hashes}    hash\n}}\n\n"
    )
}
