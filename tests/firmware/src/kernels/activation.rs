//! The elementary functions over slices of f32, with their peers beside them, and the activations; inputs spread over −8..8.

use smolnn_float::act::{
    Activation, Elu, Exp, FromMask, FromOutput, Gelu, GeluKind, HardSigmoid, HardSwish, HardTanh, LeakyRelu, Mish,
    Relu, Relu6, Selu, Sigmoid, Softplus, Softsign, Swish, Tanh, argmax, argmax_rows, log_softmax,
    log_softmax_backward, mask_len, prelu, softmax, softmax_backward,
};
use smolnn_float::{Rows, elementary};

use super::{Meter, Random, Work};

const LENGTH: usize = if cfg!(smolnn_small_board) { 128 } else { 1024 };
const SHAPE: &str = if cfg!(smolnn_small_board) { "128" } else { "1024" };

type Slice = fn(&[f32], &mut [f32]);

/// The slice form of a peer, which has none of its own.
macro_rules! each {
    ($function:expr) => {
        |x: &[f32], y: &mut [f32]| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = $function(x);
            }
        }
    };
}

const FUNCTIONS: [(&str, Slice); 23] = [
    ("f32_exp", elementary::exp_slice),
    ("f32_exp_fast", elementary::fast::exp_slice),
    ("f32_exp_libm", each!(libm::expf)),
    ("f32_exp_micromath", each!(<f32 as micromath::F32Ext>::exp)),
    ("f32_sigmoid", elementary::sigmoid_slice),
    ("f32_sigmoid_libm", each!(|x: f32| 1.0 / (1.0 + libm::expf(-x)))),
    ("f32_sigmoid_fast", elementary::fast::sigmoid_slice),
    ("f32_tanh", elementary::tanh_slice),
    ("f32_tanh_fast", elementary::fast::tanh_slice),
    ("f32_tanh_libm", each!(libm::tanhf)),
    ("f32_erf", elementary::erf_slice),
    ("f32_erf_fast", elementary::fast::erf_slice),
    ("f32_erf_libm", each!(libm::erff)),
    ("f32_expm1", elementary::expm1_slice),
    ("f32_expm1_fast", elementary::fast::expm1_slice),
    ("f32_expm1_libm", each!(libm::expm1f)),
    ("f32_log", elementary::log_slice),
    ("f32_log_fast", elementary::fast::log_slice),
    ("f32_log_libm", each!(|x: f32| libm::logf(x.abs()))),
    ("f32_log_micromath", each!(|x: f32| micromath::F32Ext::ln(x.abs()))),
    ("f32_softplus", elementary::softplus_slice),
    ("f32_softplus_fast", elementary::fast::softplus_slice),
    ("f32_softplus_libm", each!(|x: f32| x.max(0.0) + libm::log1pf(libm::expf(-x.abs())))),
];

pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let (mut x, mut y, mut dy, mut dx) = ([0.0; LENGTH], [0.0; LENGTH], [1.0; LENGTH], [0.0; LENGTH]);
    for (x, dy) in x.iter_mut().zip(&mut dy) {
        *x = (random.bits() >> 8) as f32 * (1.0 / 1_048_576.0) - 8.0;
        *dy = *x * 0.125;
    }
    let work = Work::Elements(LENGTH);
    let magnitudes = x.map(f32::abs);
    for (name, function) in FUNCTIONS {
        if meter.wants(name) {
            // The peers take the magnitude themselves.
            let x = if matches!(name, "f32_log" | "f32_log_fast") { &magnitudes } else { &x };
            meter.kernel(name, SHAPE, work, &mut || function(x, &mut y));
        }
    }

    forward(meter, "f32_relu", &Relu, &x, &mut y);
    forward(meter, "f32_relu6", &Relu6, &x, &mut y);
    forward(meter, "f32_leaky_relu", &LeakyRelu { slope: 0.25 }, &x, &mut y);
    forward(meter, "f32_selu", &Selu, &x, &mut y);
    forward(meter, "f32_softsign", &Softsign, &x, &mut y);
    forward(meter, "f32_hard_sigmoid", &HardSigmoid, &x, &mut y);
    forward(meter, "f32_hard_swish", &HardSwish, &x, &mut y);
    forward(meter, "f32_hard_tanh", &HardTanh { low: -1.0, high: 1.0 }, &x, &mut y);
    forward(meter, "f32_exp_activation", &Exp, &x, &mut y);
    forward(meter, "f32_gelu_sigmoid", &Gelu(GeluKind::Sigmoid), &x, &mut y);
    forward(meter, "f32_elu", &Elu { alpha: 1.0 }, &x, &mut y);
    forward(meter, "f32_silu", &Swish::SILU, &x, &mut y);
    forward(meter, "f32_gelu_erf", &Gelu(GeluKind::Erf), &x, &mut y);
    forward(meter, "f32_gelu_tanh", &Gelu(GeluKind::Tanh), &x, &mut y);
    forward(meter, "f32_mish", &Mish, &x, &mut y);
    forward(meter, "f32_softplus_activation", &Softplus { beta: 1.0 }, &x, &mut y);

    let mut mask = [0; mask_len(LENGTH)];
    meter.kernel("f32_relu_with_mask", SHAPE, work, &mut || {
        let _ = Relu.forward_with_mask(&x, &mut y, &mut mask);
    });
    meter.kernel("f32_relu_backward_from_mask", SHAPE, work, &mut || {
        let _ = Relu.backward_from_mask(&mask, &dy, &mut dx);
    });
    elementary::tanh_slice(&x, &mut y);
    meter.kernel("f32_tanh_backward_from_output", SHAPE, work, &mut || {
        let _ = Tanh.backward_from_output(&y, &dy, &mut dx);
    });
    elementary::sigmoid_slice(&x, &mut y);
    meter.kernel("f32_sigmoid_backward_from_output", SHAPE, work, &mut || {
        let _ = Sigmoid.backward_from_output(&y, &dy, &mut dx);
    });
    backward(meter, "f32_silu_backward", &Swish::SILU, &x, &dy, &mut dx);
    backward(meter, "f32_gelu_erf_backward", &Gelu(GeluKind::Erf), &x, &dy, &mut dx);

    backward(meter, "f32_gelu_tanh_backward", &Gelu(GeluKind::Tanh), &x, &dy, &mut dx);
    backward(meter, "f32_mish_backward", &Mish, &x, &dy, &mut dx);
    backward(meter, "f32_hard_swish_backward", &HardSwish, &x, &dy, &mut dx);
    from_output(meter, "f32_elu_backward_from_output", &Elu { alpha: 1.0 }, &x, &dy, &mut dx);
    from_output(meter, "f32_softplus_backward_from_output", &Softplus { beta: 1.0 }, &x, &dy, &mut dx);
    from_output(meter, "f32_softsign_backward_from_output", &Softsign, &x, &dy, &mut dx);

    let Ok(rows) = Rows::new(LENGTH / 64, 64) else { return };
    let rows = core::hint::black_box(rows);
    meter.kernel("f32_softmax", "64", work, &mut || {
        let _ = softmax(&rows, &x, &mut y);
    });
    meter.kernel("f32_softmax_backward", "64", work, &mut || {
        let _ = softmax_backward(&rows, &y, &dy, &mut dx);
    });
    meter.kernel("f32_log_softmax", "64", work, &mut || {
        let _ = log_softmax(&rows, &x, &mut y);
    });
    meter.kernel("f32_log_softmax_backward", "64", work, &mut || {
        let _ = log_softmax_backward(&rows, &y, &dy, &mut dx);
    });
    let mut indices = [0; LENGTH / 64];
    meter.kernel("f32_argmax", "64", work, &mut || {
        let _ = argmax_rows(&rows, &x, &mut indices);
        let _ = core::hint::black_box(argmax(&x));
    });
    let (slopes, mut d_slopes) = ([0.1; 16], [0.0; 16]);
    meter.kernel("f32_prelu", "16 channels", work, &mut || {
        let _ = prelu::forward(&slopes, &x, &mut y);
    });
    meter.kernel("f32_prelu_backward", "16 channels", work, &mut || {
        let _ = prelu::backward(&slopes, &x, &dy, &mut d_slopes, &mut dx);
    });
}

fn forward(meter: &mut dyn Meter, name: &'static str, activation: &impl Activation<f32>, x: &[f32], y: &mut [f32]) {
    meter.kernel(name, SHAPE, Work::Elements(LENGTH), &mut || {
        let _ = activation.forward(x, y);
    });
}

fn backward(
    meter: &mut dyn Meter,
    name: &'static str,
    activation: &impl Activation<f32>,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    meter.kernel(name, SHAPE, Work::Elements(LENGTH), &mut || {
        let _ = activation.backward(x, dy, dx);
    });
}

fn from_output(
    meter: &mut dyn Meter,
    name: &'static str,
    activation: &impl FromOutput<f32>,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    let mut y = [0.0; LENGTH];
    let _ = activation.forward(x, &mut y);
    meter.kernel(name, SHAPE, Work::Elements(LENGTH), &mut || {
        let _ = activation.backward_from_output(&y, dy, dx);
    });
}
