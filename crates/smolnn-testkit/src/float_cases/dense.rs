//! Recorded dense layers.

use smolnn_core::DenseShape;
use smolnn_float::{Gradients, dense};

use super::{Bench, Case, SUMS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[Case {
    operators: &["linear"],
    kernels: &["dense.rs::forward", "dense.rs::backward"],
    tolerance: SUMS,
    run: linear,
}];

fn linear(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let ([batch, inputs, ..], [outputs, ..]) = (bench.tensor("x")?.shape, bench.tensor("w")?.shape);
    let shape = DenseShape::new(batch, inputs, outputs)?;
    let (x, w, b, gy) = (bench.read("x")?, bench.read("w")?, bench.read_optional("b")?, bench.read("gy")?);
    let y = bench.zeros(shape.output_len())?;
    dense::forward(&shape, w, b, x, y)?;
    bench.expect("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(w.len())?, bench.zeros(outputs)?);
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    dense::backward(&shape, w, x, gy, gradients)?;
    bench.expect("d_x", dx)?;
    bench.expect("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    Ok(())
}
