//! Says which backend the build has.

#[path = "src/backend.rs"]
#[allow(dead_code)] // What the kernels' build scripts ask.
mod backend;

use std::env;

use backend::{Backend, Target};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/backend.rs");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let target = Target::new(&target, &flags);
    if let Some(name) = target.unknown_backend() {
        let names = Backend::ALL.map(Backend::name).join(", ");
        println!("cargo::error=--cfg smolnn_backend: no backend is called {name}; there are {names}");
    }
    println!("cargo::rustc-env=SMOLNN_BACKEND={}", target.backend().name());
}
