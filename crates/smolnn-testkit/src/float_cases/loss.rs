//! Recorded losses.

use smolnn_float::{Rows, loss};

use super::{Bench, Case, SUMS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[
    Case {
        operators: &["cross_entropy"],
        kernels: &["loss/cross_entropy.rs::cross_entropy"],
        tolerance: SUMS,
        run: losses,
    },
    Case {
        operators: &["mse", "l1", "huber"],
        kernels: &[
            "loss/regression.rs::mean_squared",
            "loss/regression.rs::mean_absolute",
            "loss/regression.rs::huber",
        ],
        tolerance: SUMS,
        run: losses,
    },
    Case {
        operators: &["bce_logits"],
        kernels: &["loss/binary.rs::binary_cross_entropy"],
        tolerance: SUMS,
        run: losses,
    },
];

fn losses(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [rows, classes, ..] = bench.tensor("x")?.shape;
    let (x, gy) = (bench.read("x")?, bench.tensor("gy")?.get(0));
    let dx = bench.zeros(x.len())?;
    let delta = bench.recording.real("delta").unwrap_or(1.0);
    let value = match bench.recording.op {
        "cross_entropy" => {
            let mut labels = [0; 16];
            let mut count = 0;
            for (label, text) in labels.iter_mut().zip(bench.recording.option("target").unwrap_or_default().split(','))
            {
                *label = text.parse().map_err(|_| Stop::Incomplete)?;
                count += 1;
            }
            loss::cross_entropy(&Rows::new(rows, classes)?, 0.0, x, &labels[..count], dx)?
        }
        "mse" => loss::mean_squared(x, bench.read("target")?, dx)?,
        "l1" => loss::mean_absolute(x, bench.read("target")?, dx)?,
        "huber" => loss::huber(delta, x, bench.read("target")?, dx)?,
        _ => loss::binary_cross_entropy(x, bench.read("target")?, dx)?,
    };
    bench.expect("y", &[value])?;
    // The recorded gradient is that of gy·L.
    for d in dx.iter_mut() {
        *d *= gy;
    }
    bench.expect("d_x", dx)
}
