//! Chooses bodies by the list of cores in smolnn-core. `body` is that of the elementary functions; `helium` and `fpv4` are those
//! of the layers, which `--cfg smolnn_backend="…"` in RUSTFLAGS overrules.

use std::env;

use smolnn_core::{Backend, Target};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(body, values(\"float\", \"integer\", \"narrow\", \"vector\"))");
    println!("cargo::rustc-check-cfg=cfg(helium, fpv4)");
    let triple = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let target = Target::new(&triple, &flags);
    let body = match (target.has_long_multiplication(), target.has_fpu(), target.has_float_vectors()) {
        (false, _, _) => "narrow",
        (_, false, _) => "integer",
        (_, _, true) => "vector",
        _ => "float",
    };
    println!("cargo::rustc-cfg=body=\"{body}\"");
    if target.has_float_vectors() && target.backend() == Backend::Helium {
        println!("cargo::rustc-cfg=helium");
    } else if target.is_thumb() && target.has_fpu() && target.backend() != Backend::Portable {
        println!("cargo::rustc-cfg=fpv4");
    }
}
