//! 4.4: Swish and the three functions that are called GELU.

use smolnn_float::act::{Activation, Gelu, GeluKind, Swish};

use crate::close;

const ERF: Gelu = Gelu(GeluKind::Erf);
const TANH: Gelu = Gelu(GeluKind::Tanh);
const SIGMOID: Gelu = Gelu(GeluKind::Sigmoid);

fn both(activation: &impl Activation<f64>, z: f64) -> [f64; 2] {
    [activation.value(z), activation.derivative(z)]
}

#[test]
fn row_4_4_figures() {
    let silu = Swish::<f64>::SILU;
    close(&both(&silu, 1.0), &[0.731_058_579, 0.927_670_512], 5e-10);
    close(&both(&silu, -1.0), &[-0.268_941_421, 0.072_329_488], 5e-10);
    close(&both(&silu, 3.0), &[2.857_722_380, 1.088_104_106], 5e-10);
    close(&both(&ERF, 1.0), &[0.841_344_746, 1.083_315_471], 5e-10);
    close(&both(&ERF, -1.0), &[-0.158_655_254, -0.083_315_471], 5e-10);
    close(&both(&ERF, 3.0), &[2.995_950_306, 1.011_945_647], 5e-10);
    close(&both(&TANH, 1.0), &[0.841_191_991, 1.082_964_084], 5e-10);
}

/// swish′ in its three forms, ∂/∂β, over a grid.
#[test]
fn row_4_4_identities() {
    for i in -400..=400 {
        let z = f64::from(i) / 40.0;
        for beta in [0.5, 1.0, 1.702, -2.0] {
            let swish = Swish { beta };
            let s = 1.0 / (1.0 + (-beta * z).exp());
            let [y, slope] = both(&swish, z);
            close(&[y, slope, slope], &[z * s, s + beta * z * s * (1.0 - s), s + beta * y * (1.0 - s)], 1e-13);
            close(&[swish.derivative_beta(z)], &[z * z * s * (1.0 - s)], 1e-13);
            let step = 1e-5;
            let difference =
                (Swish { beta: beta + step }.value(z) - Swish { beta: beta - step }.value(z)) / (2.0 * step);
            close(&[swish.derivative_beta(z)], &[difference], 1e-7);
        }
    }
}

/// The least of `f` on −3..3 by golden section, and where.
fn least(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> [f64; 2] {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..100 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if f(a) < f(b) { high = b } else { low = a }
    }
    [f(low), low]
}

#[test]
fn row_4_4_minima_and_steepest() {
    let silu = Swish::<f64>::SILU;
    close(&least(|z| silu.value(z), -3.0, 0.0), &[-0.278_464_5, -1.278_5], 6e-5);
    close(&least(|z| ERF.value(z), -3.0, 0.0), &[-0.169_971_2, -0.751_8], 6e-5);
    close(&least(|z| -silu.derivative(z), 1.0, 4.0), &[-1.099_839_3, 2.399_4], 6e-5);
    close(&least(|z| -ERF.derivative(z), 1.0, 2.0), &[-1.128_904_1, std::f64::consts::SQRT_2], 6e-5);
    // swish′(z) + swish′(−z) = 1: the steepest falls as much below 0 at −2.3994 as it rises above 1
    close(&[silu.derivative(-2.399_4)], &[1.0 - 1.099_839_3], 1e-7);
}

/// Three functions, not one: the approximations err by as much as the table says, and no less.
#[test]
fn row_4_4_the_three_kinds_differ() {
    let worst = |f: &dyn Fn(f64) -> f64| (-6000..=6000).map(|i| f(f64::from(i) / 1000.0).abs()).fold(0.0, f64::max);
    let of_values = |kind: Gelu| worst(&|z| kind.value(z) - ERF.value(z));
    let of_slopes = |kind: Gelu| worst(&|z| kind.derivative(z) - ERF.derivative(z));
    let within = |found: f64, stated: f64| assert!(found <= stated && found > 0.99 * stated, "{found}, {stated}");
    within(of_values(TANH), 4.733e-4);
    within(of_slopes(TANH), 8.685e-4);
    within(of_values(SIGMOID), 2.034e-2);
    within(of_slopes(SIGMOID), 2.908e-2);
    // And the derivative of one is not that of another.
    assert!((TANH.derivative(1.0_f64) - ERF.derivative(1.0_f64)).abs() > 3e-4);
    assert_eq!(SIGMOID.value(0.7), Swish { beta: 1.702 }.value(0.7));
}

/// y does not tell z: two z with one y and different slopes, so that the backward pass has to keep z.
#[test]
fn row_4_4_the_output_does_not_tell_the_input() {
    let silu = Swish::<f64>::SILU;
    let target = silu.value(-0.5);
    let other = least(|z| (silu.value(z) - target).abs(), -4.0, -1.3)[1];
    close(&[silu.value(other)], &[target], 1e-9);
    assert!(silu.derivative(-0.5) > 0.2 && silu.derivative(other) < 0.0);
}
