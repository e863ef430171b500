//! Recorded pooling.

use smolnn_core::{Pool2dShape, WindowSize};
use smolnn_float::pool::{average, global, max};

use super::conv::{image, window};
use super::{Bench, Case, SUMS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[
    Case {
        operators: &["max_pool1d", "max_pool2d"],
        kernels: &["pool/max.rs::forward", "pool/max.rs::backward"],
        tolerance: SUMS,
        run: max_pool,
    },
    Case {
        operators: &["avg_pool1d", "avg_pool2d"],
        kernels: &["pool/average.rs::forward", "pool/average.rs::backward"],
        tolerance: SUMS,
        run: average_pool,
    },
    Case {
        operators: &["mean_hw"],
        kernels: &["pool/global.rs::average", "pool/global.rs::average_backward"],
        tolerance: SUMS,
        run: global_average,
    },
];

fn pool_shape(bench: &Bench<'_, '_>) -> Result<Pool2dShape, Stop> {
    let (batch, image) = image(bench.recording, &bench.tensor("x")?);
    let (rows, columns) = bench.recording.pair("k", 1);
    let kernel = if bench.recording.op.contains("1d") { WindowSize::taps(rows) } else { WindowSize::hw(rows, columns) };
    Ok(window(bench.recording, image, batch, kernel).pool()?)
}

fn max_pool(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let shape = pool_shape(bench)?;
    let (x, gy) = (bench.read_channels_last("x")?, bench.read_channels_last("gy")?);
    let mut indices = [0; 1024];
    let indices = indices.get_mut(..max::indices_len(&shape)).ok_or(Stop::Incomplete)?;
    let y = bench.zeros(shape.output_len())?;
    max::forward(&shape, x, y, Some(indices))?;
    bench.expect_channels_last("y", y)?;
    let dx = bench.zeros(x.len())?;
    max::backward(&shape, indices, gy, dx)?;
    bench.expect_channels_last("d_x", dx)
}

fn average_pool(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let shape = pool_shape(bench)?;
    let padded = bench.recording.option("count_include_pad") == Some("True");
    let divisor = if padded { average::Divisor::Kernel } else { average::Divisor::Input };
    let (x, gy) = (bench.read_channels_last("x")?, bench.read_channels_last("gy")?);
    let y = bench.zeros(shape.output_len())?;
    average::forward(&shape, divisor, x, y)?;
    bench.expect_channels_last("y", y)?;
    let dx = bench.zeros(x.len())?;
    average::backward(&shape, divisor, gy, dx)?;
    bench.expect_channels_last("d_x", dx)
}

fn global_average(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (batch, image) = image(bench.recording, &bench.tensor("x")?);
    let (x, gy) = (bench.read_channels_last("x")?, bench.read("gy")?);
    let y = bench.zeros(batch * image.channels)?;
    global::average(&image, x, y)?;
    bench.expect("y", y)?;
    let dx = bench.zeros(x.len())?;
    global::average_backward(&image, gy, dx)?;
    bench.expect_channels_last("d_x", dx)
}
