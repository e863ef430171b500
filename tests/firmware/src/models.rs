//! The golden models, compiled for this target by the build script, each with its recorded runs. `bench` measures them, and
//! `conformance` compares their outputs.

include!(concat!(env!("OUT_DIR"), "/models.rs"));
