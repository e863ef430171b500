//! Chooses the backend: stable Rust shows no target features on bare-metal Arm, so the triple and the target-cpu of
//! the compiler's flags decide. `--cfg smolnn_backend="…"` in RUSTFLAGS forces another.

#[path = "src/backend.rs"]
mod backend;

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/backend.rs");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Each backend has its own cfg name, so that a forced `smolnn_backend` and the chosen one cannot both be set.
    println!(
        "cargo::rustc-check-cfg=cfg(backend, values(\"portable\", \"dsp\", \"helium\", \"v7m\", \"v6m\", \"rv32\"))"
    );
    println!("cargo::rustc-cfg=backend=\"{}\"", backend::Backend::for_target(&target, &flags).name());
    // Assembly outside of functions is assembled for the triple's plain core, whatever `target-cpu` says: on v8-M that is
    // one without DSP. A core that has it is named at the head of each such function.
    let core = if target.starts_with("thumbv8m") { "cortex-m33" } else { "cortex-m4" };
    println!("cargo::rustc-env=SMOLNN_DSP_CORE=.cpu {core}");
}
