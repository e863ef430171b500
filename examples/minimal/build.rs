//! Compiles the network to Rust, its weights packed for the core that the firmware is built for.

fn main() -> smolnn_import::Result<()> {
    println!("cargo::rustc-link-arg-bins=-Tlink.x"); // cortex-m-rt's linker script
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR")); // where it finds memory.x
    smolnn_import::Model::open("../../tests/data/digits/digits.tflite")?.emit()
}
