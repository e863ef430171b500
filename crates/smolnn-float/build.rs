//! Chooses bodies: on bare-metal targets stable Rust shows neither an FPU nor long multiplication nor Helium, so the triple
//! and the target-cpu of the compiler's flags decide. `body` is that of the elementary functions; `helium` says whether the
//! layers may use it, which `--cfg smolnn_backend="…"` in RUSTFLAGS overrules.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(body, values(\"float\", \"integer\", \"narrow\", \"vector\"))");
    println!("cargo::rustc-check-cfg=cfg(helium)");
    let target = env::var("TARGET").unwrap_or_default();
    let architecture = target.split('-').next().unwrap_or_default();
    let extensions = architecture.strip_prefix("riscv32").unwrap_or("f");
    let soft = architecture.starts_with("thumb") && !target.ends_with("hf") || !extensions.contains(['f', 'g']);
    // No multiplication to 64 bits.
    let narrow = architecture.starts_with("thumbv6m") || architecture.starts_with("thumbv8m.base");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let cpu = flags.split('\u{1f}').filter_map(|flag| Some(flag.split_once("target-cpu=")?.1)).next_back();
    let forced = flags.contains("smolnn_backend=") && !flags.contains("helium");
    let has_helium = matches!(cpu, Some("cortex-m55" | "cortex-m85" | "cortex-m52"));
    let has_helium = target == "thumbv8m.main-none-eabihf" && has_helium;
    let body = match (narrow, soft, has_helium) {
        (true, _, _) => "narrow",
        (_, true, _) => "integer",
        (_, _, true) => "vector",
        _ => "float",
    };
    println!("cargo::rustc-cfg=body=\"{body}\"");
    if has_helium && !forced {
        println!("cargo::rustc-cfg=helium");
    }
}
