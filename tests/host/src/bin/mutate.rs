//! Damages golden models at random, imports them, and runs what is accepted: `mutate COUNT [SEED]`.
//!
//! Three files in four get other values in fields: codes of operators, indices, shapes, types, scales, zero points, options, constants. They stay files, of
//! models that make no sense. The fourth gets other bytes anywhere.
//! Every file is read, compiled, written as Rust and run on random inputs, as long as it is small. It passes when it is refused with an error that says
//! why, or runs without one, twice with the same outputs. A panic, an empty error, a run that a kernel refuses, outputs that depend on what the arena held
//! before or on how much memory is allowed, and a file that takes seconds are failures; they are shown with the number that makes the file again (`mutate 1 SEED NUMBER`).
//! With `mutate COUNT SEED FIRST PACK.models` the models that ran are written with their inputs and our outputs, so that
//! `tests/data/random_models/generate.py check PACK.models` compares them with the reference: what is accepted and computed wrongly is a silent error.
//! Exit codes: 0 all passed, 1 failures, 2 usage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use host_tests::fields::{Kind, fields};
use host_tests::random_models::records;
use smolnn_import::{Backend, Element, Error, Model, Program};
use smolnn_testkit::{Random, golden};

/// Largest file that is taken, in bytes: most of a small file says what the model is, and not what its weights are.
const LARGEST: usize = 4096;
/// Longest time that a file may take.
const LONGEST: Duration = Duration::from_secs(2);
/// Largest arena and most multiply-accumulates of a program that is run.
const ARENA: usize = 1 << 16;
const MACS: u64 = 1 << 17;

/// The small models of the project.
fn models() -> Vec<Vec<u8>> {
    let mut models = Vec::new();
    for folder in ["tests/data/ops", "tests/data/converter", "tests/data/japanese_vowels"] {
        models.extend(golden::all(folder).into_iter().map(|golden| golden.model));
    }
    let packs = golden::project().join("tests/data/random_models");
    let mut paths: Vec<_> = std::fs::read_dir(packs)
        .expect("the packs are part of the project")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "models"))
        .collect();
    paths.sort();
    for path in paths {
        let pack = std::fs::read(&path).expect("the pack can be read");
        let records = records(&pack).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        models.extend(records.iter().map(|record| record.model.to_vec()));
    }
    models.retain(|model| model.len() <= LARGEST);
    assert!(models.len() > 500, "only {} models", models.len());
    models
}

/// Changes one to three fields, mostly to values that could stand there.
fn change(random: &mut Random, bytes: &mut [u8]) {
    const LENGTHS: [u32; 12] = [1, 1, 2, 2, 3, 4, 5, 6, 8, 9, 16, 64];
    const TYPES: [u8; 10] = [0, 2, 3, 4, 6, 7, 9, 9, 9, 1];
    const SCALES: [f32; 12] =
        [1.0 / 256.0, 1.0 / 128.0, 1.0 / 32768.0, 1.0 / 65536.0, 0.1, 0.5, 1.0, 7.0, 1e-30, 1e30, 0.0, -1.0];
    const OPTIONS: [u32; 14] = [0, 0, 1, 1, 2, 3, 4, 5, 7, 8, 0xFFFF_FFFF, 0xFFFF_FFFE, 0x3F80_0000, 0x0101_0101];
    let fields = fields(bytes);
    let mut kinds: Vec<Kind> = fields.iter().map(|&(kind, _)| kind).collect();
    kinds.sort();
    kinds.dedup();
    if kinds.is_empty() {
        return;
    }
    for _ in 0..random.length(1, 3) {
        let kind = random.pick(&kinds);
        let of_kind: Vec<usize> = fields.iter().filter(|&&(found, _)| found == kind).map(|&(_, at)| at).collect();
        let (at, other) = (random.pick(&of_kind), random.pick(&of_kind));
        // What stands in another field of the kind makes sense more often than any number.
        let width = match kind {
            Kind::OldCode | Kind::Type | Kind::OptionKind => 1,
            Kind::ZeroPoint => 8,
            _ => 4,
        };
        if random.one_in(2) && at != other {
            let value = bytes[other..other + width].to_vec();
            if random.one_in(2) {
                bytes.copy_within(at..at + width, other);
            }
            bytes[at..at + width].copy_from_slice(&value);
            continue;
        }
        let word: u32 = match kind {
            Kind::Code => random.between(0, 160) as u32,
            Kind::OldCode => random.between(0, 127) as u32,
            Kind::Version => random.between(0, 6) as u32,
            Kind::CodeIndex | Kind::BufferIndex => random.between(0, 6) as u32,
            Kind::TensorIndex => random.between(-1, 12) as u32,
            Kind::Length => random.pick(&LENGTHS),
            Kind::Type => random.pick(&TYPES).into(),
            Kind::Scale => random.pick(&SCALES).to_bits(),
            Kind::ZeroPoint => random.pick(&[0, -128, 127, -1, 5, 255, 1 << 20]) as u32,
            Kind::Option => random.pick(&OPTIONS),
            Kind::OptionKind => random.between(0, 126) as u32,
            Kind::Constant => random.between(-3, 9) as u32,
        };
        bytes[at..at + width.min(4)].copy_from_slice(&word.to_le_bytes()[..width.min(4)]);
        if kind == Kind::ZeroPoint {
            let sign = if (word as i32) < 0 { u32::MAX } else { 0 };
            bytes[at + 4..at + 8].copy_from_slice(&sign.to_le_bytes());
        }
        // The old place of the code wins where it is the larger one.
        if kind == Kind::Code {
            let old =
                fields.iter().filter(|&&(kind, _)| kind == Kind::OldCode).min_by_key(|&&(_, old)| old.abs_diff(at));
            if let Some(&(_, old)) = old {
                bytes[old] = word.min(127) as u8;
            }
        }
    }
}

/// Damages one to four places. Words are often set to small numbers and to those of other places: indices, lengths, codes and offsets that mean
/// something.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    const WORDS: [u32; 16] = [
        0,
        1,
        2,
        3,
        4,
        7,
        8,
        0xFFFF_FFFF,
        0xFFFF_FFFE,
        0x7FFF_FFFF,
        0x8000_0000,
        0x1_0000,
        0x7F,
        0x80,
        0x3F80_0000,
        0x7F80_0000,
    ];
    for _ in 0..random.length(1, 4) {
        let at = random.length(8, bytes.len() - 1);
        let word = (at & !3).min(bytes.len().saturating_sub(4) & !3);
        match random.between(0, 7) {
            0 => bytes[at] ^= 1 << random.between(0, 7),
            1 => bytes[at] = random.bits() as u8,
            2 => bytes[at] = bytes[at].wrapping_add(random.pick(&[1, 255, 4, 252])),
            3 | 4 => bytes[word..word + 4].copy_from_slice(&random.pick(&WORDS).to_le_bytes()),
            5 => {
                let from = random.length(0, bytes.len() / 4 - 1) * 4;
                bytes.copy_within(from..from + 4, word);
            }
            6 => {
                let value = u32::from_le_bytes(bytes[word..word + 4].try_into().expect("four bytes"));
                let value = value.wrapping_add_signed(random.between(-8, 8));
                bytes[word..word + 4].copy_from_slice(&value.to_le_bytes());
            }
            _ if random.one_in(8) => bytes.truncate(at.max(64)),
            _ => bytes[at] = bytes[random.length(0, bytes.len() - 1)],
        }
    }
}

/// What became of a file.
enum Outcome {
    Malformed,
    Unsupported,
    /// Compiled; whether it was small enough to run.
    Compiled(bool),
}

/// Inputs of a run: any bytes; truth values of 0 and 1, and floats of ordinary size.
fn inputs(program: &Program, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let input = |&id: &usize| {
        let tensor = &program.net().tensors[id];
        match tensor.element {
            Element::F32 => {
                (0..tensor.len()).flat_map(|_| (random.between(-4000, 4000) as f32 / 1000.0).to_le_bytes()).collect()
            }
            Element::Bool => (0..tensor.len()).map(|_| random.bits() as u8 & 1).collect(),
            _ => (0..tensor.bytes()).map(|_| random.bits() as u8).collect(),
        }
    };
    program.net().inputs.iter().map(input).collect()
}

/// A model with its inputs and outputs, as a record of a pack of random models.
fn record(program: &Program, number: u64, model: &[u8], inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Vec<u8> {
    let mut record = Vec::new();
    let block = |record: &mut Vec<u8>, bytes: &[u8]| {
        record.extend((bytes.len() as u32).to_le_bytes());
        record.extend(bytes);
    };
    block(&mut record, format!("mutated #{number}").as_bytes());
    block(&mut record, model);
    for count in [1, inputs.len(), outputs.len()] {
        record.extend((count as u32).to_le_bytes());
    }
    for &output in &program.net().outputs {
        record.extend(u32::from(program.net().tensors[output].element == Element::F32).to_le_bytes());
    }
    inputs.iter().chain(outputs).for_each(|bytes| block(&mut record, bytes));
    record
}

/// The outputs of a run on the inputs of this seed, after other ones.
fn run(program: &Program, seed: u64, runs: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut runner = program.runner().map_err(|error| error.to_string())?;
    for round in (0..runs).rev() {
        runner.reset();
        for (index, bytes) in inputs(program, seed + round as u64).iter().enumerate() {
            runner.set_input(index, bytes).map_err(|error| error.to_string())?;
        }
        runner.run().map_err(|error| format!("a run is refused: {error}"))?;
    }
    (0..program.net().outputs.len())
        .map(|index| runner.output(index).map(<[u8]>::to_vec).map_err(|error| error.to_string()))
        .collect()
}

fn import(bytes: &[u8], seed: u64, pack: Option<&mut Vec<u8>>) -> Result<Outcome, String> {
    let program = match Model::read("mutated", bytes).and_then(|model| model.compile(Backend::CURRENT)) {
        Ok(program) => program,
        Err(Error::Malformed(text)) if !text.is_empty() => return Ok(Outcome::Malformed),
        Err(Error::Unsupported(problems)) if !problems.is_empty() => return Ok(Outcome::Unsupported),
        Err(error) => return Err(format!("an error without a reason: {error:?}")),
    };
    if program.arena_bytes() + program.state_bytes() > ARENA || program.macs() > MACS {
        return Ok(Outcome::Compiled(false));
    }
    if !program.source().contains("pub struct Model") {
        return Err("the generated code has no model".into());
    }
    // Once on fresh memory, once on what other inputs left behind.
    let outputs = run(&program, seed, 1)?;
    if outputs != run(&program, seed, 2)? {
        return Err("the outputs depend on what the arena held before".into());
    }
    // Within less memory layers run by rows and in groups of channels: other steps, the same outputs.
    let model = Model::read("mutated", bytes).map_err(|error| error.to_string())?;
    let less = program.arena_bytes().saturating_sub(1);
    let model = if seed.is_multiple_of(2) { model.least_arena() } else { model.arena_budget(less) };
    match model.compile(Backend::CURRENT) {
        Ok(small) if run(&small, seed, 1)? != outputs => return Err("with less memory the outputs are others".into()),
        Ok(_) | Err(Error::Unsupported(_)) => {}
        Err(error) => return Err(format!("with less memory: {error}")),
    }
    if let Some(pack) = pack {
        pack.extend(record(&program, seed, bytes, &inputs(&program, seed), &outputs));
    }
    Ok(Outcome::Compiled(true))
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.pop_if(|argument| argument.ends_with(".models"));
    let mut pack = path.as_ref().map(|_| Vec::new());
    let numbers: Option<Vec<u64>> = arguments.iter().map(|argument| argument.parse().ok()).collect();
    let (count, seed, first) = match numbers.as_deref() {
        Some(&[count]) => (count, 1, 0),
        Some(&[count, seed]) => (count, seed, 0),
        Some(&[count, seed, first]) => (count, seed, first),
        _ => {
            eprintln!("usage: mutate COUNT [SEED [FIRST]] [PACK.models]");
            return ExitCode::from(2);
        }
    };
    let models = models();
    println!("{} models, seed {seed}, {count} files from number {first} on", models.len());
    std::panic::set_hook(Box::new(|_| {}));
    let (mut malformed, mut unsupported, mut compiled, mut ran, mut failures) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut longest = Duration::ZERO;
    for number in first..first + count {
        let mut random = Random::new(seed << 32 ^ number);
        let mut bytes = models[random.length(0, models.len() - 1)].clone();
        if random.one_in(4) {
            damage(&mut random, &mut bytes)
        } else {
            change(&mut random, &mut bytes)
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| import(&bytes, number, pack.as_mut())));
        let time = start.elapsed();
        longest = longest.max(time);
        let failure = match outcome {
            Ok(Ok(Outcome::Malformed)) => {
                malformed += 1;
                None
            }
            Ok(Ok(Outcome::Unsupported)) => {
                unsupported += 1;
                None
            }
            Ok(Ok(Outcome::Compiled(small))) => {
                compiled += 1;
                ran += u64::from(small);
                None
            }
            Ok(Err(text)) => Some(text),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
                Some(format!("a panic: {}", text.unwrap_or("without a text")))
            }
        };
        let failure = failure.or_else(|| (time > LONGEST).then(|| format!("took {time:?}")));
        if let Some(text) = failure {
            failures += 1;
            if failures <= 100 {
                println!("number {number}: {text}");
            }
        }
    }
    println!(
        "{count} files: {malformed} damaged, {unsupported} not supported, {compiled} compiled, {ran} of them run; {failures} failures; longest {longest:?}"
    );
    if let (Some(path), Some(pack)) = (path, pack)
        && let Err(error) = std::fs::write(&path, pack)
    {
        eprintln!("{path}: {error}");
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(failures > 0))
}
