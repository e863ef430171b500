//! The activations: derivatives against differences in f64 everywhere, the backward passes against each other, f32 against
//! f64, and numbers that are none.

use smolnn_float::act::{
    Activation, Elu, Exp, FromMask, FromOutput, Gelu, GeluKind, HardSigmoid, HardSwish, HardTanh, LeakyRelu, Mish,
    Relu, Relu6, Selu, Sigmoid, Softplus, Softsign, Swish, Tanh, log_softmax, log_softmax_backward, mask_len, prelu,
    softmax, softmax_backward,
};
use smolnn_float::random::{Pcg32, SeedableRng, uniform};
use smolnn_float::{Real, Rows};

use host_tests::gradient::Operator;

/// A name, the activation, and its kinks, at which no difference is taken.
type Case<T> = (&'static str, Box<dyn Activation<T>>, &'static [f64]);

/// The activations in one precision.
fn all<T: Real>() -> Vec<Case<T>> {
    let real = T::from_f64;
    vec![
        ("relu", Box::new(Relu), &[0.0]),
        ("relu6", Box::new(Relu6), &[0.0, 6.0]),
        ("leaky_relu", Box::new(LeakyRelu { slope: real(0.01) }), &[0.0]),
        ("elu", Box::new(Elu { alpha: real(0.5) }), &[0.0]),
        ("selu", Box::new(Selu), &[0.0]),
        ("sigmoid", Box::new(Sigmoid), &[]),
        ("tanh", Box::new(Tanh), &[]),
        ("softplus", Box::new(Softplus { beta: T::TWO }), &[]),
        ("softsign", Box::new(Softsign), &[]),
        ("silu", Box::new(Swish::SILU), &[]),
        ("swish", Box::new(Swish { beta: real(1.7) }), &[]),
        ("gelu erf", Box::new(Gelu(GeluKind::Erf)), &[]),
        ("gelu tanh", Box::new(Gelu(GeluKind::Tanh)), &[]),
        ("gelu sigmoid", Box::new(Gelu(GeluKind::Sigmoid)), &[]),
        ("mish", Box::new(Mish), &[]),
        ("exp", Box::new(Exp), &[]),
        ("hard sigmoid", Box::new(HardSigmoid), &[-3.0, 3.0]),
        ("hard swish", Box::new(HardSwish), &[-3.0, 3.0]),
        ("hard tanh", Box::new(HardTanh { low: real(-1.5), high: T::ONE }), &[-1.5, 1.0]),
    ]
}

/// −20..20, dense around 0, away from the kinks.
fn points(kinks: &[f64]) -> Vec<f64> {
    let grid = (-2000..=2000).map(|i| f64::from(i) / 100.0 + 0.003);
    let small = (1..=40).flat_map(|i| [0.7_f64.powi(i), -(0.7_f64.powi(i))]);
    grid.chain(small).filter(|x| kinks.iter().all(|kink| (x - kink).abs() > 1e-5)).collect()
}

#[test]
fn derivatives_are_those_of_differences() {
    let mut generator = Pcg32::seed_from_u64(4);
    let mut compared = 0;
    for (name, activation, kinks) in all::<f64>() {
        let operator = Operator {
            name: name.to_owned(),
            inputs: vec![points(kinks).into_iter().filter(|x| name != "exp" || *x < 5.0).collect()],
            forward: &|inputs| {
                let mut y = vec![0.0; inputs[0].len()];
                activation.forward(&inputs[0], &mut y).unwrap();
                y
            },
            backward: &|inputs, upstream| {
                let mut dx = vec![0.0; inputs[0].len()];
                activation.backward(&inputs[0], upstream, &mut dx).unwrap();
                vec![dx]
            },
        };
        // One element after the other: a sum of all would drown a small derivative.
        let z = &operator.inputs[0];
        for &z in z {
            let step = 1e-6 * z.abs().max(1.0);
            let difference = (activation.value(z + step) - activation.value(z - step)) / ((z + step) - (z - step));
            let derivative = activation.derivative(z);
            let error = (derivative - difference).abs();
            assert!(error <= 1e-7 + 1e-6 * derivative.abs(), "{name}′({z}) is {derivative}, not {difference}");
            compared += 1;
        }
        // And the slice form, accumulating, against the scalar one.
        let upstream: Vec<f64> = z.iter().map(|_| uniform::<f64>(&mut generator) - 0.5).collect();
        let gradient = (operator.backward)(&operator.inputs, &upstream);
        for ((gradient, upstream), &z) in gradient[0].iter().zip(&upstream).zip(z) {
            assert_eq!(*gradient, upstream * activation.derivative(z), "{name}");
        }
    }
    assert!(compared > 19 * 3000, "only {compared}");
}

/// Softmax, log-softmax, PReLU and Swish's β: gradients of several inputs.
#[test]
fn gradients_of_rows_and_parameters() {
    let mut generator = Pcg32::seed_from_u64(5);
    let mut values = |n: usize| (0..n).map(|_| 4.0 * uniform::<f64>(&mut generator) - 2.0).collect::<Vec<_>>();
    let shape = Rows::new(3, 5).unwrap();
    let operators = [
        Operator {
            name: "softmax".into(),
            inputs: vec![values(15)],
            forward: &|inputs| {
                let mut y = vec![0.0; 15];
                softmax(&shape, &inputs[0], &mut y).unwrap();
                y
            },
            backward: &|inputs, upstream| {
                let (mut y, mut dx) = (vec![0.0; 15], vec![0.0; 15]);
                softmax(&shape, &inputs[0], &mut y).unwrap();
                softmax_backward(&shape, &y, upstream, &mut dx).unwrap();
                vec![dx]
            },
        },
        Operator {
            name: "log_softmax".into(),
            inputs: vec![values(15)],
            forward: &|inputs| {
                let mut y = vec![0.0; 15];
                log_softmax(&shape, &inputs[0], &mut y).unwrap();
                y
            },
            backward: &|inputs, upstream| {
                let (mut y, mut dx) = (vec![0.0; 15], vec![0.0; 15]);
                log_softmax(&shape, &inputs[0], &mut y).unwrap();
                log_softmax_backward(&shape, &y, upstream, &mut dx).unwrap();
                vec![dx]
            },
        },
        Operator {
            name: "prelu".into(),
            inputs: vec![values(12), values(3)],
            forward: &|inputs| {
                let mut y = vec![0.0; 12];
                prelu::forward(&inputs[1], &inputs[0], &mut y).unwrap();
                y
            },
            backward: &|inputs, upstream| {
                let (mut dx, mut d_slopes) = (vec![0.0; 12], vec![0.0; 3]);
                prelu::backward(&inputs[1], &inputs[0], upstream, &mut d_slopes, &mut dx).unwrap();
                vec![dx, d_slopes]
            },
        },
        Operator {
            name: "swish with beta".into(),
            inputs: vec![values(12), values(1)],
            forward: &|inputs| {
                let mut y = vec![0.0; 12];
                Swish { beta: inputs[1][0] }.forward(&inputs[0], &mut y).unwrap();
                y
            },
            backward: &|inputs, upstream| {
                let (mut dx, mut d_beta) = (vec![0.0; 12], 0.0);
                Swish { beta: inputs[1][0] }.backward_with_beta(&inputs[0], upstream, &mut d_beta, &mut dx).unwrap();
                vec![dx, vec![d_beta]]
            },
        },
    ];
    let mut generator = Pcg32::seed_from_u64(6);
    let compared: usize = operators.iter().map(|operator| operator.check(&mut generator).unwrap()).sum();
    assert_eq!(compared, 15 + 15 + 15 + 13);
}

/// From y, from one bit, from z: the same gradient.
#[test]
fn the_backward_passes_agree() {
    fn from_output(name: &str, activation: &impl FromOutput<f64>, tolerance: f64) -> usize {
        let z = points(&[]);
        for &z in &z {
            let (a, b) = (activation.derivative(z), activation.derivative_from_output(activation.value(z)));
            assert!((a - b).abs() <= tolerance, "{name}′({z}): {a} from z, {b} from y");
        }
        z.len()
    }
    fn from_mask(name: &str, activation: &impl FromMask<f64>) -> usize {
        // A length that does not fill its last byte.
        let z = &points(&[])[..4073];
        let (mut y, mut mask) = (vec![0.0; z.len()], vec![0xff; mask_len(z.len())]);
        activation.forward_with_mask(z, &mut y, &mut mask).unwrap();
        let upstream: Vec<f64> = (0..z.len()).map(|i| 1.0 + i as f64).collect();
        let (mut a, mut b) = (vec![0.25; z.len()], vec![0.25; z.len()]);
        activation.backward(z, &upstream, &mut a).unwrap();
        activation.backward_from_mask(&mask, &upstream, &mut b).unwrap();
        assert_eq!(a, b, "{name}");
        assert!(z.iter().zip(&y).all(|(&z, &y)| y == activation.value(z)), "{name}");
        z.len()
    }
    let compared = from_output("relu", &Relu, 0.0)
        + from_output("relu6", &Relu6, 0.0)
        + from_output("elu", &Elu { alpha: 0.5 }, 1e-15)
        + from_output("selu", &Selu, 1e-15)
        + from_output("sigmoid", &Sigmoid, 1e-15)
        + from_output("tanh", &Tanh, 0.0)
        + from_output("softplus", &Softplus { beta: 2.0 }, 1e-15)
        + from_output("softsign", &Softsign, 1e-15)
        + from_output("exp", &Exp, 0.0)
        + from_output("hard sigmoid", &HardSigmoid, 0.0)
        + from_output("hard tanh", &HardTanh { low: -1.5, high: 1.0 }, 0.0)
        + from_mask("relu", &Relu)
        + from_mask("relu6", &Relu6)
        + from_mask("leaky relu", &LeakyRelu { slope: 0.01 })
        + from_mask("hard sigmoid", &HardSigmoid)
        + from_mask("hard tanh", &HardTanh { low: -1.5, high: 1.0 });
    assert!(compared > 16 * 4000, "only {compared}");
}

/// f32 against f64: values and derivatives within some units in the last place of max(1, |y|).
#[test]
fn f32_follows_f64() {
    let mut compared = 0;
    for ((name, narrow, kinks), (_, wide, _)) in all::<f32>().into_iter().zip(all::<f64>()) {
        for x in points(kinks) {
            let x = x as f32;
            let (y, exact) = (f64::from(narrow.value(x)), wide.value(f64::from(x)));
            assert!((y - exact).abs() <= 4e-7 * exact.abs().max(1.0), "{name}({x}) is {y}, not {exact}");
            let (y, exact) = (f64::from(narrow.derivative(x)), wide.derivative(f64::from(x)));
            assert!((y - exact).abs() <= 1e-6 * exact.abs().max(1.0), "{name}′({x}) is {y}, not {exact}");
            compared += 1;
        }
    }
    assert!(compared > 19 * 4000, "only {compared}");
}

/// Infinities give limits, not NaN; NaN gives NaN (the rectifiers: by its sign); derivatives are finite.
#[test]
fn infinities_and_nan() {
    let limits: [(&str, [f64; 2]); 19] = [
        ("relu", [0.0, f64::INFINITY]),
        ("relu6", [0.0, 6.0]),
        ("leaky_relu", [f64::NEG_INFINITY, f64::INFINITY]),
        ("elu", [-0.5, f64::INFINITY]),
        ("selu", [-1.758_099_340_847_376_6, f64::INFINITY]),
        ("sigmoid", [0.0, 1.0]),
        ("tanh", [-1.0, 1.0]),
        ("softplus", [0.0, f64::INFINITY]),
        ("softsign", [-1.0, 1.0]),
        ("silu", [0.0, f64::INFINITY]),
        ("swish", [0.0, f64::INFINITY]),
        ("gelu erf", [0.0, f64::INFINITY]),
        ("gelu tanh", [0.0, f64::INFINITY]),
        ("gelu sigmoid", [0.0, f64::INFINITY]),
        ("mish", [0.0, f64::INFINITY]),
        ("exp", [0.0, f64::INFINITY]),
        ("hard sigmoid", [0.0, 1.0]),
        ("hard swish", [0.0, f64::INFINITY]),
        ("hard tanh", [-1.5, 1.0]),
    ];
    for ((name, activation, _), (limit, [low, high])) in all::<f32>().into_iter().zip(limits) {
        assert_eq!(name, limit);
        assert!(
            (f64::from(activation.value(f32::NEG_INFINITY)) - low).abs() < 1e-6 || low == f64::NEG_INFINITY,
            "{name}"
        );
        let top = f64::from(activation.value(f32::INFINITY));
        assert!(top == high || (top - high).abs() < 1e-6, "{name}(∞) is {top}");
        for x in [f32::NEG_INFINITY, f32::MIN, -1e30, -100.0, 0.0, 100.0, 1e30, f32::MAX, f32::INFINITY] {
            assert!(!activation.value(x).is_nan(), "{name}({x})");
            let slope = activation.derivative(x);
            assert!(!slope.is_nan() && (slope.is_finite() || name == "exp"), "{name}′({x}) is {slope}");
        }
        assert!(
            activation.value(f32::NAN.copysign(1.0)).is_nan() || name == "relu6" || name.starts_with("hard"),
            "{name}"
        );
        let _ = (activation.value(-f32::NAN), activation.derivative(f32::NAN), activation.derivative(-f32::NAN));
    }
}

#[test]
fn softmax_is_stable() {
    let shape = Rows::new(1, 3).unwrap();
    let of = |x: [f32; 3]| {
        let (mut p, mut log) = ([0.0; 3], [0.0; 3]);
        softmax(&shape, &x, &mut p).unwrap();
        log_softmax(&shape, &x, &mut log).unwrap();
        (p, log)
    };
    let (p, log) = of([1e4, 1e4 - 1.0, -1e4]);
    assert!((p[0] - 0.731_058_6).abs() < 1e-6 && p[2] == 0.0 && log[2] == -20_000.312);
    let (p, _) = of([f32::NEG_INFINITY, 0.0, 0.0]);
    assert_eq!(p, [0.0, 0.5, 0.5]);
    let (p, _) = of([1.0, 2.0, 3.0]);
    let expected = [0.090_030_57, 0.244_728_47, 0.665_240_96];
    assert!(p.iter().zip(expected).all(|(p, e)| (p - e).abs() < 1e-7), "{p:?}");
    for strange in [[f32::NAN, 0.0, 1.0], [f32::INFINITY, 0.0, 1.0], [f32::NEG_INFINITY; 3]] {
        assert!(of(strange).0.iter().any(|p| p.is_nan()));
    }
    assert!(softmax(&shape, &[0.0; 2], &mut [0.0; 3]).is_err());
}

/// Rows of 64 numbers, of several spreads, in f32 against f64: what the documentation states.
#[test]
fn softmax_errs_little() {
    let shape = Rows::new(1, 64).unwrap();
    let mut generator = Pcg32::seed_from_u64(64);
    let (mut worst, mut worst_log, mut compared) = (0.0_f64, 0.0_f64, 0);
    for row in 0..4000 {
        let spread = [0.1, 2.0, 16.0, 100.0][row % 4];
        let narrow: Vec<f32> = (0..64).map(|_| (spread * (uniform::<f64>(&mut generator) - 0.5)) as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|&z| f64::from(z)).collect();
        let (mut y, mut exact) = ([0.0_f32; 64], [0.0_f64; 64]);
        softmax(&shape, &narrow, &mut y).unwrap();
        softmax(&shape, &wide, &mut exact).unwrap();
        for (&y, &exact) in y.iter().zip(&exact) {
            worst = worst.max((f64::from(y) - exact).abs());
        }
        log_softmax(&shape, &narrow, &mut y).unwrap();
        log_softmax(&shape, &wide, &mut exact).unwrap();
        for (&y, &exact) in y.iter().zip(&exact) {
            worst_log = worst_log.max((f64::from(y) - exact).abs() / exact.abs().max(1.0));
        }
        compared += 64;
    }
    println!("softmax errs {worst:e}, log-softmax {worst_log:e}");
    assert!(compared == 256_000 && worst <= 4e-7 && worst_log <= 6e-7, "{worst:e}, {worst_log:e}");
}
