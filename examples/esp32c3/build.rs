//! Compiles the wake word's model for the core of the build.

fn main() -> smolnn_import::Result<()> {
    smolnn_import::Model::open("../../tests/data/hello_ferris/hello_ferris.json")?.named("wake").emit()
}
