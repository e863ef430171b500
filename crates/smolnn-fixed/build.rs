//! Chooses the backend: stable Rust shows no target features on bare-metal Arm, so the triple and the target-cpu of
//! the compiler's flags decide. `--cfg smolnn_backend="…"` in RUSTFLAGS forces another.

#[path = "src/backend/choice.rs"]
mod choice;

use std::env;

use choice::Backend;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/backend/choice.rs");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let backend = Backend::for_target(&target, &flags);
    // Each has its own cfg name, so that a forced `smolnn_backend` and the chosen one cannot both be set.
    choose("backend", backend.name(), &Backend::ALL.map(Backend::name));
    choose("bodies", backend.bodies(), &Backend::ALL.map(Backend::bodies));
    // A backend that is forced on another machine, as tests on the host do, runs the same arithmetic in Rust.
    let is_at_home = match backend {
        Backend::V7m | Backend::V6m => target.starts_with("thumb"),
        Backend::Rv32 => target.starts_with("riscv32"),
        _ => true,
    };
    let core = if is_at_home { backend.name() } else { "host" };
    choose("core", core, &["portable", "dsp", "helium", "v7m", "v6m", "rv32", "host"]);
    // Assembly outside of functions is assembled for the triple's plain core, whatever `target-cpu` says: on v8-M that is
    // one without DSP. A core that has it is named at the head of each such function.
    let core = if target.starts_with("thumbv8m") { "cortex-m33" } else { "cortex-m4" };
    println!("cargo::rustc-env=SMOLNN_DSP_CORE=.cpu {core}");
}

/// Sets the cfg `name` to `value`, one of `values`.
fn choose(name: &str, value: &str, values: &[&str]) {
    println!("cargo::rustc-check-cfg=cfg({name}, values(\"{}\"))", values.join("\", \""));
    println!("cargo::rustc-cfg={name}=\"{value}\"");
}
