//! Recorded activations, softmax and log-softmax. Each backward pass that an activation has is held against the record.

use smolnn_float::Rows;
use smolnn_float::act::{
    Activation, Elu, Exp, FromMask, FromOutput, Gelu, GeluKind, HardSigmoid, HardSwish, HardTanh, LeakyRelu, Mish,
    Relu, Relu6, Selu, Sigmoid, Softplus, Softsign, Swish, Tanh, log_softmax, log_softmax_backward, prelu, softmax,
    softmax_backward,
};

use super::{Bench, Case, SUMS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[
    Case {
        operators: &[
            "sigmoid",
            "tanh",
            "relu",
            "relu6",
            "leaky_relu_0p01",
            "leaky_relu_0p2",
            "elu_1",
            "elu_0p5",
            "selu",
            "gelu_erf",
            "gelu_tanh",
            "silu",
            "softplus_1",
            "softplus_2",
            "hardswish",
            "hardsigmoid",
            "hardtanh",
            "softsign",
            "mish",
            "exp_small",
            "swish_beta",
        ],
        kernels: &[
            "act/elu.rs::Elu",
            "act/elu.rs::Selu",
            "act/exp.rs::Exp",
            "act/gelu.rs::Gelu",
            "act/hard.rs::HardSigmoid",
            "act/hard.rs::HardSwish",
            "act/hard.rs::HardTanh",
            "act/mish.rs::Mish",
            "act/relu.rs::LeakyRelu",
            "act/relu.rs::Relu",
            "act/relu.rs::Relu6",
            "act/sigmoid.rs::Sigmoid",
            "act/softplus.rs::Softplus",
            "act/softsign.rs::Softsign",
            "act/swish.rs::Swish",
            "act/tanh.rs::Tanh",
        ],
        tolerance: SUMS,
        run: elementwise,
    },
    Case {
        operators: &["prelu"],
        kernels: &["act/prelu.rs::forward", "act/prelu.rs::backward"],
        tolerance: SUMS,
        run: learnt_slopes,
    },
    Case {
        operators: &["softmax", "log_softmax"],
        kernels: &[
            "act/softmax.rs::softmax",
            "act/softmax.rs::softmax_backward",
            "act/softmax.rs::log_softmax",
            "act/softmax.rs::log_softmax_backward",
        ],
        tolerance: SUMS,
        run: rows,
    },
];

fn elementwise(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let alpha = bench.recording.real("alpha").unwrap_or(f32::NAN);
    let beta = bench.recording.real("beta").unwrap_or(f32::NAN);
    match bench.recording.op {
        "sigmoid" => from_output(bench, Sigmoid),
        "tanh" => from_output(bench, Tanh),
        "relu" => from_output(bench, Relu).and_then(|()| from_mask(bench, Relu)),
        "relu6" => from_output(bench, Relu6).and_then(|()| from_mask(bench, Relu6)),
        "leaky_relu_0p01" | "leaky_relu_0p2" => from_mask(bench, LeakyRelu { slope: alpha }),
        "elu_1" | "elu_0p5" => from_output(bench, Elu { alpha }),
        "selu" => from_output(bench, Selu),
        "gelu_erf" => from_input(bench, Gelu(GeluKind::Erf)),
        "gelu_tanh" => from_input(bench, Gelu(GeluKind::Tanh)),
        "silu" => from_input(bench, Swish::SILU),
        "softplus_1" | "softplus_2" => from_output(bench, Softplus { beta }),
        "hardswish" => from_input(bench, HardSwish),
        "hardsigmoid" => from_output(bench, HardSigmoid).and_then(|()| from_mask(bench, HardSigmoid)),
        "hardtanh" => {
            let clamp = HardTanh { low: -1.0, high: 1.0 };
            from_output(bench, clamp).and_then(|()| from_mask(bench, clamp))
        }
        "softsign" => from_output(bench, Softsign),
        "mish" => from_input(bench, Mish),
        "exp_small" => clamped_exp(bench),
        "swish_beta" => swish(bench),
        _ => Err(Stop::Incomplete),
    }
}

fn from_input(bench: &mut Bench<'_, '_>, activation: impl Activation<f32>) -> Result<(), Stop> {
    let (x, gy) = (bench.read("x")?, bench.read("gy")?);
    let (y, dx) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    activation.forward(x, y)?;
    bench.expect("y", y)?;
    activation.backward(x, gy, dx)?;
    bench.expect("d_x", dx)
}

fn from_output(bench: &mut Bench<'_, '_>, activation: impl FromOutput<f32>) -> Result<(), Stop> {
    let (x, gy) = (bench.read("x")?, bench.read("gy")?);
    let (y, dx) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    activation.forward(x, y)?;
    activation.backward_from_output(y, gy, dx)?;
    bench.expect("d_x", dx)?;
    from_input(bench, activation)
}

fn from_mask(bench: &mut Bench<'_, '_>, activation: impl FromMask<f32>) -> Result<(), Stop> {
    let (x, gy) = (bench.read("x")?, bench.read("gy")?);
    let (y, dx) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    let mut mask = [0; 32];
    let mask = mask.get_mut(..smolnn_float::act::mask_len(x.len())).ok_or(Stop::Incomplete)?;
    activation.forward_with_mask(x, y, mask)?;
    bench.expect("y", y)?;
    activation.backward_from_mask(mask, gy, dx)?;
    bench.expect("d_x", dx)?;
    from_input(bench, activation)
}

/// The recorded one is e^z of z clamped to ±30.
fn clamped_exp(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let clamp = HardTanh { low: -30.0, high: 30.0 };
    let (x, gy) = (bench.read("x")?, bench.read("gy")?);
    let (z, y) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    let (dz, dx) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    clamp.forward(x, z)?;
    Exp.forward(z, y)?;
    bench.expect("y", y)?;
    Exp.backward_from_output(y, gy, dz)?;
    clamp.backward(x, dz, dx)?;
    bench.expect("d_x", dx)
}

fn swish(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (x, beta, gy) = (bench.read("x")?, bench.tensor("beta")?.get(0), bench.read("gy")?);
    let (y, dx) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    let swish = Swish { beta };
    swish.forward(x, y)?;
    bench.expect("y", y)?;
    let mut d_beta = 0.0;
    swish.backward_with_beta(x, gy, &mut d_beta, dx)?;
    bench.expect("d_beta", &[d_beta])?;
    bench.expect("d_x", dx)
}

fn learnt_slopes(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (x, slopes) = (bench.read_channels_last("x")?, bench.read("alpha")?);
    let gy = bench.read_channels_last("gy")?;
    let (y, dx, d_slopes) = (bench.zeros(x.len())?, bench.zeros(x.len())?, bench.zeros(slopes.len())?);
    prelu::forward(slopes, x, y)?;
    bench.expect_channels_last("y", y)?;
    prelu::backward(slopes, x, gy, d_slopes, dx)?;
    bench.expect("d_alpha", d_slopes)?;
    bench.expect_channels_last("d_x", dx)
}

fn rows(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [rows, channels, ..] = bench.tensor("x")?.shape;
    let shape = Rows::new(rows, channels)?;
    let (x, gy) = (bench.read("x")?, bench.read("gy")?);
    let (y, dx) = (bench.zeros(x.len())?, bench.zeros(x.len())?);
    if bench.recording.op == "softmax" {
        softmax(&shape, x, y)?;
        softmax_backward(&shape, y, gy, dx)?;
    } else {
        log_softmax(&shape, x, y)?;
        log_softmax_backward(&shape, y, gy, dx)?;
    }
    bench.expect("y", y)?;
    bench.expect("d_x", dx)
}
