//! Recorded normalisation.

use smolnn_float::Rows;
use smolnn_float::norm::{self, batch, layer};

use super::{Bench, Case, SUMS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[
    Case {
        operators: &["layer_norm"],
        kernels: &["norm/layer.rs::forward", "norm/layer.rs::backward"],
        tolerance: SUMS,
        run: layer_norm,
    },
    Case {
        operators: &["batch_norm"],
        kernels: &[
            "norm/batch.rs::forward_training",
            "norm/batch.rs::backward_training",
            "norm/batch.rs::forward_inference",
            "norm/batch.rs::backward_inference",
        ],
        tolerance: SUMS,
        run: batch_norm,
    },
];

fn layer_norm(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [rows, channels, ..] = bench.tensor("x")?.shape;
    let shape = Rows::new(rows, channels)?;
    let epsilon = bench.recording.real("eps").ok_or(Stop::Incomplete)?;
    let (x, w, b, gy) = (bench.read("x")?, bench.read("w")?, bench.read("b")?, bench.read("gy")?);
    let y = bench.zeros(x.len())?;
    layer::forward(&shape, epsilon, w, b, x, y)?;
    bench.expect("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(channels)?, bench.zeros(channels)?);
    let gradients = norm::Gradients { input: Some(dx), gamma: Some(dw), beta: Some(db) };
    layer::backward(&shape, epsilon, w, x, gy, gradients)?;
    bench.expect("d_x", dx)?;
    bench.expect("d_w", dw)?;
    bench.expect("d_b", db)
}

fn batch_norm(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [images, channels, height, width] = bench.tensor("x")?.shape;
    let shape = Rows::new(images * height * width, channels)?;
    let epsilon = bench.recording.real("eps").ok_or(Stop::Incomplete)?;
    let (x, w, b) = (bench.read_channels_last("x")?, bench.read("w")?, bench.read("b")?);
    let gy = bench.read_channels_last("gy")?;
    let y = bench.zeros(x.len())?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(channels)?, bench.zeros(channels)?);
    let gradients = norm::Gradients { input: Some(dx), gamma: Some(dw), beta: Some(db) };
    if bench.recording.option("training") == Some("True") {
        let stash = bench.zeros(batch::stash_len(&shape))?;
        let scratch = bench.zeros(batch::stash_len(&shape))?;
        batch::forward_training(&shape, epsilon, w, b, None, x, y, stash)?;
        batch::backward_training(&shape, w, x, stash, gy, gradients, scratch)?;
    } else {
        let (mean, variance) = (bench.read("mean")?, bench.read("var")?);
        batch::forward_inference(&shape, epsilon, w, b, mean, variance, x, y)?;
        batch::backward_inference(&shape, epsilon, w, mean, variance, x, gy, gradients)?;
    }
    bench.expect_channels_last("y", y)?;
    bench.expect_channels_last("d_x", dx)?;
    bench.expect("d_w", dw)?;
    bench.expect("d_b", db)
}
