//! The command `compile --c`: a crate that becomes a static library for C, and the header that declares what is in it.

use std::path::Path;

use smolnn_import::{Backend, Error, Program, ReportedTensor, Result};

use super::new::{Origin, render};
use super::save;

/// Writes the crate of a model into a folder: manifest, source and header.
pub fn write(folder: &Path, program: &Program, origin: &Origin) -> Result<()> {
    let report = program.report();
    let name = report.model.as_str();
    let upper = name.to_uppercase();
    let tensors = tensors("input", &report.inputs)?.into_iter().chain(tensors("output", &report.outputs)?);
    let tensors: Vec<Named<'_>> = tensors.collect();
    let of = |write: &dyn Fn(&Named<'_>) -> String, is_chosen: &dyn Fn(&Named<'_>) -> bool| {
        tensors.iter().filter(|tensor| is_chosen(tensor)).map(write).collect::<String>()
    };
    // Arena and states each begin at a multiple of 16 bytes, as the type Model has them.
    let memory_bytes = report.arena_bytes.next_multiple_of(16) + report.state_bytes.next_multiple_of(16);
    let values: Vec<(&str, String)> = vec![
        ("name", name.into()),
        ("upper", upper.clone()),
        ("smolnn", format!("{{ {} }}", origin.dependency()?.replace("{}", "smolnn"))),
        ("backend", report.backend.name().into()),
        ("backend_variant", variant(report.backend)),
        ("arena_bytes", report.arena_bytes.to_string()),
        ("state_bytes", report.state_bytes.to_string()),
        ("memory_bytes", memory_bytes.to_string()),
        ("words", (memory_bytes / 4).to_string()),
        ("constant_bytes", report.constant_bytes.to_string()),
        ("parameters", of(&|of| of.rust_parameter(), &|_| true)),
        ("copy_in", of(&|of| format!("*model.{}_mut() = *{0};\n", of.name), &|of| !of.is_output)),
        ("copy_out", of(&|of| format!("*{} = *model.{0}();\n", of.name), &|of| of.is_output)),
        ("c_parameters", of(&|of| of.c_parameter(&upper), &|_| true)),
        ("tensors", of(&|of| of.constants(&upper), &|_| true)),
    ];
    let source = folder.join("src");
    std::fs::create_dir_all(&source).map_err(|error| Error::File { path: source.clone(), source: error })?;
    for (path, template) in [
        (folder.join("Cargo.toml"), include_str!("../templates/c/Cargo.toml.in")),
        (folder.join(format!("{name}.h")), include_str!("../templates/c/model.h")),
        (source.join("lib.rs"), include_str!("../templates/c/lib.rs")),
    ] {
        save(&path, render(template, &values).as_bytes())?;
    }
    save(&source.join(format!("{name}.rs")), program.source().as_bytes())
}

/// The backend's name in Rust.
fn variant(backend: Backend) -> String {
    format!("{backend:?}")
}

/// An input or output.
struct Named<'a> {
    /// `input`, or `input_1` where there are several.
    name: String,
    is_output: bool,
    /// The element type in C.
    c_type: &'static str,
    tensor: &'a ReportedTensor,
}

/// The inputs or outputs under the names that the generated module gives them.
fn tensors<'a>(kind: &str, tensors: &'a [ReportedTensor]) -> Result<Vec<Named<'a>>> {
    let named = |(index, tensor): (usize, &'a ReportedTensor)| {
        let c_type = match &*tensor.element {
            "FLOAT32" => "float",
            "INT8" => "int8_t",
            "UINT8" | "BOOL" => "uint8_t",
            "INT16" => "int16_t",
            "INT32" => "int32_t",
            other => return Err(Error::Environment(format!("an {kind} of {other} has no type in C here"))),
        };
        let name = if tensors.len() == 1 { kind.into() } else { format!("{kind}_{index}") };
        Ok(Named { name, is_output: kind == "output", c_type, tensor })
    };
    tensors.iter().enumerate().map(named).collect()
}

impl Named<'_> {
    /// The type that the generated module has for it: `Input`, `Output1`.
    fn rust_type(&self) -> String {
        let kind = if self.is_output { "Output" } else { "Input" };
        let number = self.name.split_once('_').map_or("", |(_, number)| number);
        format!("{kind}{number}")
    }

    fn rust_parameter(&self) -> String {
        let access = if self.is_output { "mut" } else { "const" };
        format!(", {}: *{access} {}", self.name, self.rust_type())
    }

    fn c_parameter(&self, upper: &str) -> String {
        let access = if self.is_output { "" } else { "const " };
        format!(", {access}{} {}[{upper}_{}_LENGTH]", self.c_type, self.name, self.name.to_uppercase())
    }

    /// Length and quantisation as lines of the header.
    fn constants(&self, upper: &str) -> String {
        let name = format!("{upper}_{}", self.name.to_uppercase());
        let ReportedTensor { element, shape, scales, zero_points, .. } = self.tensor;
        let length: usize = shape.iter().product();
        let mut lines = format!("#define {name}_LENGTH {length} /* elements: {element} {shape:?} */\n");
        if let ([scale], [zero_point]) = (&scales[..], &zero_points[..]) {
            lines += &format!("#define {name}_SCALE {scale:e}f\n#define {name}_ZERO_POINT ({zero_point})\n");
        }
        lines
    }
}
