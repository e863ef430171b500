//! Code that the pages of `docs` show and that stands in no example: compiled here, run nowhere. A test of xtask holds the pages to these lines.
#![allow(dead_code, unused_imports)]

use smolnn_core::CustomOperator;
use smolnn_import::{Result, Runner};

/// docs/models.md: a GRU from PyTorch.
fn from_pytorch() -> Result<()> {
    // build.rs: float in, integers out; calibration.npy has some sequences, [count, steps, features]
    smolnn_import::Model::open("gru.onnx")?.calibrate("calibration.npy")?.int8()?.emit()
}

/// docs/models.md: a network of one step.
fn one_step() -> Result<()> {
    // (x, h) to (y, h) in the file; x to y in firmware, from call to call
    smolnn_import::Model::open("gru_step.onnx")?.keep_state(1, 1)?.emit()
}

/// docs/models.md: a window becomes a stream.
fn stream() -> Result<()> {
    // axis of time, new rows per call: [1, 64, 1, 6] before, [1, 2, 1, 6] now
    smolnn_import::Model::open("models/gesture.tflite")?.streaming(1, 2)?.emit()
}

/// docs/models.md: a custom operator in the build script.
fn custom_operator() -> Result<()> {
    smolnn_import::Model::open("models/wake.tflite")?.custom("MyOp", "crate::my_op").emit()
}

// docs/models.md: the operator in firmware.
fn my_op(operator: &CustomOperator<'_>, input: &[i8], output: &mut [i8]) {
    // Also known: shape, scale, and operator.options, the bytes of the file.
    let zero_point = operator.inputs[0].zero_point;
    for (output, &input) in output.iter_mut().zip(input) {
        *output = (2 * (i32::from(input) - zero_point) + zero_point).clamp(-128, 127) as i8;
    }
}

/// docs/models.md: the operator on the host.
fn custom_operator_on_the_host(runner: &mut Runner<'_>) {
    runner.custom("MyOp", |operator, tensors| {
        my_op(operator, tensors.input(0)?, tensors.output(0)?);
        Ok(())
    });
}

/// docs/quantise.md: float in, integers out.
fn quantised() -> Result<()> {
    smolnn_import::Model::open("models/gesture.onnx")?.calibrate("models/windows.npy")?.int8()?.emit()
}

/// docs/memory.md: a budget for the arena.
fn small_arenas() -> Result<()> {
    // The fewest instructions within 32 KiB, or an error that says what is possible:
    smolnn_import::Model::open("models/person.tflite")?.arena_budget(32 * 1024).emit()?;
    // As little as smolnn finds:
    smolnn_import::Model::open("models/person.tflite")?.least_arena().emit()?;
    Ok(())
}

/// docs/training.md: the memory of a network that learns.
mod training {
    use smolnn_core::{DenseShape, OptimiserKind, Precision, parameters, shape, train_bytes};
    use smolnn_float::loss::cross_entropy;
    use smolnn_float::optimiser::{Adam, Optimiser};
    use smolnn_float::{Gradients, Parameter, Rows, dense};

    // A wrong shape does not compile.
    const HIDDEN: DenseShape = shape!(DenseShape::new(1, 64, 32));
    const HEAD: DenseShape = shape!(DenseShape::new(1, 32, 10));
    const _: () = assert!(train_bytes(&[HIDDEN.cost(), HEAD.cost()], OptimiserKind::Adam, Precision::F32) <= 40 * 1024);
}
