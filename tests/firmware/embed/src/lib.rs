//! Writes golden models as Rust source for firmware: compiled for the target of the build, with their recorded inputs and
//! outputs embedded, behind the interface of `smolnn_testkit::model`. For build scripts.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

pub use smolnn_import::Model;
use smolnn_import::{Backend, Program, Result};
use smolnn_testkit::golden::Golden;

/// What a board of 16 KiB RAM and 256 KiB flash holds besides the firmware itself.
const SMALL_RAM: usize = 11 * 1024;
const SMALL_FLASH: usize = 150 * 1024;

/// Least bytes of a recording that lies in the section `.far`.
const FAR: usize = 512;

/// Source that grows by one model after the other.
pub struct Writer {
    out: PathBuf,
    /// The backend that the firmware is built for.
    pub backend: Backend,
    /// Whether the board has 16 KiB of RAM.
    pub small: bool,
    flash: usize,
    blobs: usize,
    /// The source so far.
    pub text: String,
    names: BTreeSet<String>,
}

impl Writer {
    /// A writer for the target of a build script, which runs again when the golden data change.
    ///
    /// # Panics
    /// Outside of a build script.
    pub fn for_build() -> Self {
        println!("cargo::rerun-if-changed=build.rs");
        println!("cargo::rerun-if-env-changed=CI");
        let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
        let target = env::var("TARGET").expect("cargo sets TARGET");
        Self {
            out: PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")),
            backend: Backend::for_target(&target, &flags),
            small: flags.contains("smolnn_small_board"),
            flash: 0,
            blobs: 0,
            text: String::new(),
            names: BTreeSet::new(),
        }
    }

    /// Writes the source to a file of `OUT_DIR`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, file: &str) {
        self.file(file, &self.text);
    }

    /// Writes a file of `OUT_DIR` and gives its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, file: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.out.join(file);
        fs::write(&path, contents).expect("OUT_DIR can be written");
        path
    }

    /// A function `$group` that shows each golden model of the group to a visitor.
    ///
    /// # Panics
    /// When two models have the same name.
    pub fn group(&mut self, group: &str, goldens: Vec<Golden>) {
        let read = |golden: Golden| {
            let model = Model::read(&golden.name, &golden.model);
            (golden, model)
        };
        self.models(group, goldens.into_iter().map(read));
    }

    /// As [`group`](Self::group), of models with what was recorded of them, or the reason why there is no model.
    ///
    /// # Panics
    /// When two models have the same name.
    pub fn models(&mut self, group: &str, models: impl IntoIterator<Item = (Golden, Result<Model>)>) {
        let mut calls = String::new();
        let mut refused = String::new();
        for (golden, model) in models {
            let program = match model.and_then(|model| model.compile(self.backend)) {
                Ok(program) => program,
                Err(error) => {
                    let _ = writeln!(refused, "    ({:?}, {:?}),", golden.name, error.to_string());
                    continue;
                }
            };
            if self.small {
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
            "/// Shows each of the golden {group}.\n#[allow(unused_variables)]\npub fn {group}(visitor: &mut dyn smolnn_testkit::model::Visitor) {{\n{calls}}}\n\n\
             /// Golden {group} that the importer refused, and why.\n\
             pub static REFUSED_{}: &[(&str, &str)] = &[\n{refused}];\n",
            group.to_uppercase()
        );
    }

    fn model(&mut self, golden: &Golden, program: &Program) {
        let name = &golden.name;
        let source = program.source();
        // A model that takes its input row by row, or reads it in place, has an image beside it.
        let has_image = source.contains("pub fn push_row(") || source.contains("fn lent_rows<");
        let source = self.file(&format!("{name}.rs"), source);
        let mut recordings = String::new();
        for case in &golden.cases {
            let inputs = golden.inputs.iter().map(|&tensor| self.blob(case.input(tensor))).collect::<String>();
            let outputs = golden.outputs.iter().map(|&tensor| self.blob(case.output(tensor))).collect::<String>();
            let _ = writeln!(
                recordings,
                "        Recording {{ label: {:?}, steps: {}, inputs: &[{inputs}], outputs: &[{outputs}] }},",
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
        let (kind, made, model, run, inputs) = if has_image {
            let length = net.inputs.first().map_or(0, |&input| net.tensors[input].len());
            let made = format!("WithImage {{ model: compiled::Model::new(), image: [Default::default(); {length}] }}");
            let inputs = arms(net.inputs.len(), "cast_slice_mut(self.image.as_mut_slice())");
            ("WithImage", made, "self.model", "self.model.infer(&self.image)", inputs)
        } else {
            let inputs = arms(net.inputs.len(), "cast_slice_mut(self.input#_mut().as_mut_slice())");
            ("compiled::Model", "compiled::Model::new()".to_string(), "self", "self.run()", inputs)
        };
        let outputs = arms(net.outputs.len(), &format!("cast_slice({model}.output#().as_slice())"));
        let with_image = if has_image {
            "    /// The model and an image.\n    pub struct WithImage {\n        model: compiled::Model,\n        image: compiled::Input,\n    }\n\n"
        } else {
            ""
        };
        let floats: Vec<bool> = golden.outputs.iter().map(|&tensor| golden.is_float(tensor)).collect();
        let shape = net.inputs.iter().map(|&input| shape(&net.tensors[input].shape)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            self.text,
            r#"/// The golden model `{name}`.
#[allow(missing_docs, non_snake_case, unsafe_code, clippy::all, clippy::pedantic)]
pub mod {name} {{
    use smolnn_testkit::model::{{Info, Recording, Runnable, Visitor}};

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
        float_outputs: &{floats:?},
    }};

    /// Its recorded runs.
    pub static RECORDINGS: &[Recording] = &[
{recordings}    ];

{with_image}    impl Runnable for {kind} {{
        fn reset(&mut self) {{
            {model}.reset();
        }}
        fn input(&mut self, index: usize) -> &mut [u8] {{
            match index {{
{inputs}                _ => &mut [],
            }}
        }}
        fn run(&mut self) {{
            {run};
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
            visitor.model(&INFO, RECORDINGS, &mut {made});
        }}
    }}
}}
"#
        );
    }

    /// Writes bytes to a file of their own and gives the expression that embeds it, with a comma. Long ones lie in the section `.far`, which
    /// boards with little memory for code have elsewhere.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn blob(&mut self, bytes: &[u8]) -> String {
        let path = self.file(&format!("{}.bin", self.blobs), bytes);
        self.blobs += 1;
        if bytes.len() < FAR {
            return format!("include_bytes!({path:?}), ");
        }
        let length = bytes.len();
        format!(
            "{{ #[allow(unsafe_code)] #[unsafe(link_section = \".far\")] static FAR: [u8; {length}] = *include_bytes!({path:?}); &FAR }}, "
        )
    }
}

/// `49x10x1`, without the batch of one.
fn shape(shape: &[usize]) -> String {
    let kept = if shape.first() == Some(&1) && shape.len() > 1 { &shape[1..] } else { shape };
    kept.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
