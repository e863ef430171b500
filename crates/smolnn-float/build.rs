//! Chooses the bodies of the elementary functions: on bare-metal targets stable Rust shows neither an FPU nor long
//! multiplication, so the triple decides.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(body, values(\"float\", \"integer\", \"narrow\"))");
    let target = env::var("TARGET").unwrap_or_default();
    let architecture = target.split('-').next().unwrap_or_default();
    let extensions = architecture.strip_prefix("riscv32").unwrap_or("f");
    let soft = architecture.starts_with("thumb") && !target.ends_with("hf") || !extensions.contains(['f', 'g']);
    // No multiplication to 64 bits.
    let narrow = architecture.starts_with("thumbv6m") || architecture.starts_with("thumbv8m.base");
    println!(
        "cargo::rustc-cfg=body=\"{}\"",
        if narrow {
            "narrow"
        } else if soft {
            "integer"
        } else {
            "float"
        }
    );
}
