//! Compiles the digits network for the target of the build.

fn main() -> smolnn_import::Result<()> {
    smolnn_import::Model::open("../../tests/data/digits/digits.tflite")?.emit()
}
