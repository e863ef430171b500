//! Chooses the bodies of the kernels by the list in smolnn-core: `backend` is the backend, `bodies` the folder of its bodies,
//! `core` the core whose instructions they are made of.

use std::env;

use smolnn_core::{Backend, Target};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let triple = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let target = Target::new(&triple, &flags);
    let backend = target.backend();
    choose("backend", backend.name(), &Backend::ALL.map(Backend::name));
    choose("bodies", backend.bodies(), &Backend::ALL.map(Backend::bodies));
    // A backend of scalar cores that is forced on another machine, as tests on the host do, computes the same in Rust.
    let core = if target.assembles(backend) { backend.name() } else { "host" };
    choose("core", core, &["portable", "dsp", "helium", "v7m", "v6m", "rv32", "host"]);
    if core == "host" && backend.bodies() != "scalar" {
        println!("cargo::error=the backend {} has bodies in assembly alone, which {triple} cannot run", backend.name());
    }
    // Assembly outside of functions is assembled for the triple's plain core, whatever `target-cpu` says: on v8-M that is
    // one without DSP. A core that has it is named at the head of each such function.
    let core = if target.is_v8m() { "cortex-m33" } else { "cortex-m4" };
    // The order of the instructions is the Cortex-M4's, but where the core issues a load beside a product.
    choose("schedule", if target.pairs_loads() { "paired" } else { "single" }, &["single", "paired"]);
    println!("cargo::rustc-env=SMOLNN_DSP_CORE=.cpu {core}");
}

/// Sets the cfg `name` to `value`, one of `values`.
fn choose(name: &str, value: &str, values: &[&str]) {
    println!("cargo::rustc-check-cfg=cfg({name}, values(\"{}\"))", values.join("\", \""));
    println!("cargo::rustc-cfg={name}=\"{value}\"");
}
