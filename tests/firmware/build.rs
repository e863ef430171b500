//! Compiles the golden models, and the single-operator models, for the target of the build, and embeds their recorded
//! inputs and outputs. Where `../shared/golden` is absent only the project's own digits network is there.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use smolnn_fixed::rnn::gru;
use smolnn_import::recurrent::{self, CellWeights, QuantisedGru, Reset, Update};
use smolnn_import::{Backend, Model, Program};
use smolnn_testkit::golden::{self, Golden};
use smolnn_testkit::vowels;

/// What a board of 16 KiB RAM and 256 KiB flash holds besides the firmware itself.
const SMALL_RAM: usize = 11 * 1024;
const SMALL_FLASH: usize = 150 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../../shared/golden");
    println!("cargo::rerun-if-changed=../data/ops");
    println!("cargo::rerun-if-changed=../data/japanese_vowels");
    println!("cargo::rerun-if-env-changed=CI");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let mut writer = Writer {
        out: PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")),
        backend: Backend::for_target(&target, &flags),
        small: flags.contains("smolnn_small_board"),
        flash: 0,
        blobs: 0,
        text: String::new(),
        names: BTreeSet::new(),
    };
    let models = golden::all("../shared/golden/models");
    writer.group("models", models);
    let mut operators = golden::all("../shared/golden/ops");
    if golden::project().join("tests/data/ops").is_dir() {
        operators.extend(golden::all("tests/data/ops"));
        operators.extend(golden::all("tests/data/japanese_vowels"));
    }
    writer.group("operators", operators);
    writer.floats();
    writer.gru();
    fs::write(writer.out.join("models.rs"), &writer.text).expect("OUT_DIR can be written");
}

struct Writer {
    out: PathBuf,
    backend: Backend,
    small: bool,
    flash: usize,
    blobs: usize,
    text: String,
    names: BTreeSet<String>,
}

impl Writer {
    /// A function `$group` that shows each golden model of the group to a visitor.
    fn group(&mut self, group: &str, goldens: Vec<Golden>) {
        let mut calls = String::new();
        let mut refused = String::new();
        for golden in goldens {
            let program = match Model::read(&golden.name, &golden.model).and_then(|model| model.compile(self.backend)) {
                Ok(program) => program,
                Err(error) => {
                    let _ = writeln!(refused, "    ({:?}, {:?}),", golden.name, error.to_string());
                    continue;
                }
            };
            if self.small {
                // Each operator alone would bring kernels of its own: the whole models do, and the random cases.
                if group == "operators" {
                    continue;
                }
                let ram = program.arena_bytes() + program.state_bytes();
                let data: usize = golden
                    .cases
                    .iter()
                    .flat_map(|case| case.inputs.iter().chain(&case.outputs))
                    .map(|blob| blob.1.len())
                    .sum();
                let flash = program.constant_bytes() + data;
                if ram > SMALL_RAM || self.flash + flash > SMALL_FLASH {
                    continue;
                }
                self.flash += flash;
            }
            assert!(self.names.insert(golden.name.clone()), "two golden models are called {}", golden.name);
            self.model(&golden, &program);
            let _ = writeln!(calls, "    {}::show(visitor);", golden.name);
        }
        let _ = writeln!(
            self.text,
            "/// Shows each of the golden {group}.\n#[allow(unused_variables)]\npub fn {group}(visitor: &mut dyn Visitor) {{\n{calls}}}\n\n\
             /// Golden {group} that the importer refused, and why.\n\
             pub static REFUSED_{}: &[(&str, &str)] = &[\n{refused}];\n",
            group.to_uppercase()
        );
    }

    /// The recorded float cases: manifest, and each case's tensors.
    fn floats(&mut self) {
        let folder = if self.small { None } else { golden::folder("../shared/golden/float") };
        let read = |folder: &Path, file: &str| fs::read(folder.join(file)).expect("the float cases can be read");
        let manifest = folder.as_deref().map_or_else(Vec::new, |folder| read(folder, "manifest.txt"));
        let manifest = String::from_utf8(manifest).expect("the manifest is text");
        let mut blobs = String::new();
        for name in manifest.lines().filter_map(|line| line.strip_prefix("case ")?.split(' ').next()) {
            let bytes = read(folder.as_deref().expect("there is a manifest"), &format!("{name}.bin"));
            let blob = self.blob(&bytes);
            let _ = writeln!(blobs, "    ({name:?}, {blob}),");
        }
        let _ = writeln!(
            self.text,
            "/// The recorded float cases: what `smolnn_testkit::float_cases` takes.\n\
             pub static FLOAT_MANIFEST: &str = {manifest:?};\n\n\
             /// Tensors of each float case, by its name.\n\
             pub static FLOAT_BLOBS: &[(&str, &[u8])] = &[\n{blobs}];\n"
        );
    }

    /// The quantised GRU that was trained on JapaneseVowels, with the first utterances to test it with, and the states that
    /// the portable kernels reach on this machine.
    fn gru(&mut self) {
        let weights = vowels::Weights::read("gru");
        let [kernel, recurrent, bias] = ["kernel", "recurrent_kernel", "bias"].map(|name| weights.tensor(name));
        let cell = CellWeights::from_keras(vowels::FEATURES, vowels::UNITS, kernel, recurrent, bias);
        let cell = cell.expect("the weights fit");
        let calibration = vowels::Split::read("train").frames;
        let quantised = |backend: Backend| {
            QuantisedGru::new(&cell, Reset::After, Update::HoldIsOne, &calibration, backend).expect("the weights fit")
        };
        fs::write(self.out.join("gru.rs"), quantised(self.backend).source(1)).expect("OUT_DIR can be written");
        let host = quantised(Backend::CURRENT);
        let layer = host.layer(1).expect("the layer fits");
        let mut scratch = vec![0; layer.scratch_words()];
        let mut text = String::new();
        for (frames, _) in vowels::Split::read("test").utterances().take(12) {
            let frames: Vec<i8> = frames.iter().map(|&value| recurrent::quantise(value, host.input)).collect();
            let mut state = vec![0; vowels::UNITS];
            for frame in frames.chunks_exact(vowels::FEATURES) {
                gru::step(&layer, &mut state, frame, &mut scratch).expect("the lengths fit");
            }
            let _ = writeln!(text, "    (&{frames:?}, {state:?}),");
        }
        let _ = writeln!(
            self.text,
            "/// The quantised GRU.\n#[allow(missing_docs)]\npub mod gru {{\n    include!({:?});\n}}\n\n\
             /// Utterances in int8, and the state of the GRU behind each.\n\
             pub static UTTERANCES: &[(&[i8], [i16; {}])] = &[\n{text}];\n",
            self.out.join("gru.rs"),
            vowels::UNITS
        );
    }

    fn model(&mut self, golden: &Golden, program: &Program) {
        let name = &golden.name;
        println!("cargo::rustc-cfg=model=\"{name}\"");
        let source = self.out.join(format!("{name}.rs"));
        fs::write(&source, program.source()).expect("OUT_DIR can be written");
        let mut cases = String::new();
        for case in &golden.cases {
            let inputs = golden.inputs.iter().map(|&tensor| self.blob(case.input(tensor))).collect::<String>();
            let outputs = golden.outputs.iter().map(|&tensor| self.blob(case.output(tensor))).collect::<String>();
            let _ = writeln!(
                cases,
                "        Case {{ label: {:?}, steps: {}, inputs: &[{inputs}], outputs: &[{outputs}] }},",
                case.label, case.steps
            );
        }
        let net = program.net();
        let arms = |count: usize, cast: &str| {
            let arm = |index: usize| {
                let number = if count == 1 { String::new() } else { format!("_{index}") };
                format!("                {index} => bytemuck::{},\n", cast.replace('#', &number))
            };
            (0..count).map(arm).collect::<String>()
        };
        let inputs = arms(net.inputs.len(), "cast_slice_mut(self.input#_mut().as_mut_slice())");
        let outputs = arms(net.outputs.len(), "cast_slice(self.output#().as_slice())");
        let shape = net.inputs.iter().map(|&input| shape(&net.tensors[input].shape)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            self.text,
            r#"/// The golden model `{name}`.
#[allow(missing_docs, non_snake_case, clippy::all, clippy::pedantic)]
pub mod {name} {{
    use super::{{Case, Info, Runnable, Visitor}};

    /// The model, compiled for this target.
    pub mod compiled {{
        include!({source:?});
    }}

    /// What is known of it.
    pub static INFO: Info = Info {{
        name: {name:?},
        shape: {shape:?},
        macs: compiled::MACS,
        arena_bytes: compiled::ARENA_BYTES,
        state_bytes: compiled::STATE_BYTES,
        constant_bytes: compiled::CONSTANT_BYTES,
    }};

    /// Its recorded runs.
    pub static CASES: &[Case] = &[
{cases}    ];

    impl Runnable for compiled::Model {{
        fn reset(&mut self) {{
            self.reset();
        }}
        fn input(&mut self, index: usize) -> &mut [u8] {{
            match index {{
{inputs}                _ => &mut [],
            }}
        }}
        fn run(&mut self) {{
            self.run();
        }}
        fn output(&self, index: usize) -> &[u8] {{
            match index {{
{outputs}                _ => &[],
            }}
        }}
    }}

    /// Shows it to a visitor, with its memory on the stack.
    #[inline(never)]
    pub fn show(visitor: &mut dyn Visitor) {{
        if visitor.wants(&INFO) {{
            visitor.model(&INFO, CASES, &mut compiled::Model::new());
        }}
    }}
}}
"#
        );
    }

    /// Writes bytes to a file of their own and gives the expression that embeds it, with a comma.
    fn blob(&mut self, bytes: &[u8]) -> String {
        let path = self.out.join(format!("{}.bin", self.blobs));
        self.blobs += 1;
        fs::write(&path, bytes).expect("OUT_DIR can be written");
        format!("include_bytes!({:?}), ", Path::new(&path))
    }
}

/// `49x10x1`, without the batch of one.
fn shape(shape: &[usize]) -> String {
    let kept = if shape.first() == Some(&1) && shape.len() > 1 { &shape[1..] } else { shape };
    kept.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
