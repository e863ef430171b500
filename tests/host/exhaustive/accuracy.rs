//! The accuracy engine on fewer inputs, and the proof that it sees what is wrong. The whole: `cargo xtask accuracy`.

use accuracy::{
    Bound, Inputs, Integer, Real, activations, integers, line, measure, measure_all, measure_integer, reals, ulp,
};
use smolnn_float::elementary;

#[test]
fn every_function_keeps_its_bound() {
    let mut inputs = 0;
    let all: Vec<_> = reals().into_iter().chain(activations()).collect();
    for real in &all {
        let found = measure(real, Inputs::PerBinade(1 << 9));
        inputs += found.count;
        assert!(found.faults.is_empty(), "{}: {:?}", real.name, found.faults);
    }
    assert_eq!(inputs, all.len() as u64 * 2 * 255 * (1 << 9));
    assert!(all.len() >= 38 + 26);
    for (name, found) in integers() {
        assert!(found.count == 256 || found.count >= 65520, "{name}: only {} inputs", found.count);
        assert!(found.faults.is_empty(), "{name}: {:?}", found.faults);
    }
}

/// The reference of the measurement against the platform's own functions, which share no code with it: equal to 2^-50. And
/// what must be odd is, which the measurement relies on.
#[test]
fn the_truth_is_true() {
    type Truth = fn(f64) -> f64;
    let pairs: [(&str, Truth, Truth); 6] = [
        ("exp", libm::exp, f64::exp),
        ("expm1", libm::expm1, f64::exp_m1),
        ("log", libm::log, f64::ln),
        ("log1p", libm::log1p, f64::ln_1p),
        ("tanh", libm::tanh, f64::tanh),
        // No erf in std: the series for small x, to 2^-50 with 60 terms.
        ("erf", libm::erf, |x| {
            let (mut term, mut sum) = (x, x);
            for n in 1..60 {
                let n = f64::from(n);
                term *= -x * x / n;
                sum += term / (2.0 * n + 1.0);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        }),
    ];
    let mut compared = 0;
    for (name, ours, theirs) in pairs {
        for bits in (0..u32::MAX).step_by(10_007) {
            let x = f64::from(f32::from_bits(bits));
            if name == "erf" && x.abs() > 1.0 {
                assert_eq!(ours(-x).to_bits() << 1, ours(x).to_bits() << 1, "erf({x})");
                continue;
            }
            let (a, b) = (ours(x), theirs(x));
            let tolerance = 2.0_f64.powi(-50) * b.abs();
            assert!(a == b || (a - b).abs() <= tolerance || a.is_nan() && b.is_nan(), "{name}({x:e}): {a:e}, {b:e}");
            compared += 1;
            if name == "tanh" || name == "erf" {
                assert_eq!(ours(-x).to_bits() << 1, a.to_bits() << 1, "{name}(-{x})");
            }
        }
    }
    assert!(compared > 2_000_000, "only {compared}");
}

/// The result of the measurement does not depend on the number of threads, and a seam between binades counts.
#[test]
fn the_pieces_join() {
    let all = reals();
    let few = Inputs::PerBinade(16);
    let lines = |threads| -> Vec<String> {
        measure_all(&all, few, threads, &|_, _| {}).iter().map(|found| line("", true, found)).collect()
    };
    assert_eq!(lines(1), lines(5));
    let falling = |x: f32| if x >= 2.0 { x / 2.0 } else { x };
    let real = Real {
        name: "falls at 2",
        function: falling,
        exact: |x| x,
        bound: Bound::Ulp(f64::INFINITY),
        monotonic: true,
        odd: false,
        specials: [f32::NEG_INFINITY, f32::INFINITY, -0.0, 0.0],
        keeps_nan: true,
    };
    let found = measure(&real, few);
    assert_eq!((found.faults.len(), found.count), (1, 2 * 255 * 16), "{:?}", found.faults);
}

/// Where consecutive floats matter: all of them around the seams of the functions.
#[test]
fn seams_are_monotonic_and_accurate() {
    // ln 2/2, 1/2, 0.5625, the binades, 9.01, 16, where the near formulas end, and where exp over- and underflows.
    let seams = [
        f32::MIN_POSITIVE,
        2.0_f32.powi(-27),
        2.0_f32.powi(-24),
        2.0_f32.powi(-23),
        2.0_f32.powi(-20),
        2.0_f32.powi(-10),
        0.346_573_6,
        0.5,
        0.5625,
        0.9375,
        1.0,
        1.0625,
        1.125,
        2.0,
        4.0,
        8.0,
        8.416_48,
        9.0109,
        16.0,
        17.3,
        18.02,
        64.0,
        87.336_54,
        88.722_84,
        103.972_08,
    ];
    let mut compared = 0;
    for real in reals().iter().filter(|real| real.monotonic) {
        for sign in [1.0, -1.0] {
            for seam in seams {
                let mut before = f32::NAN;
                for bits in seam.to_bits() - 1000..seam.to_bits() + 1000 {
                    let x = sign * f32::from_bits(bits);
                    let (y, exact) = ((real.function)(x), (real.exact)(f64::from(x)));
                    assert!(!(if sign > 0.0 { y < before } else { y > before }), "{} falls at {x:e}", real.name);
                    before = y;
                    if exact.abs() <= f64::from(f32::MAX) {
                        let error = (f64::from(y) - exact).abs();
                        let within = match real.bound {
                            Bound::Ulp(bound) => error <= bound * ulp(exact),
                            Bound::NormalUlp(bound) => {
                                error <= bound * ulp(exact) || exact.abs() < f64::from(f32::MIN_POSITIVE)
                            }
                            Bound::Absolute(bound) => error <= bound * exact.abs().max(1.0),
                        };
                        assert!(within, "{} errs {error:e} at {x:e}", real.name);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 2_000_000, "only {compared} compared");
}

/// Why the fast tier has a logarithm of its own: micromath's errs by far more.
#[test]
fn micromath_errs_more() {
    let ours = reals().into_iter().find(|real| real.name == "log (fast, float)").unwrap();
    let theirs = Real {
        function: |x| if x > 0.0 { micromath::F32Ext::ln(x) } else { f32::NAN },
        monotonic: false,
        bound: Bound::Absolute(1.0),
        ..ours
    };
    let few = Inputs::PerBinade(1 << 10);
    let (ours, theirs) = (measure(&ours, few), measure(&theirs, few));
    println!("absolute or relative error: {:e}; micromath's {:e}", ours.absolute, theirs.absolute);
    assert!(theirs.absolute > 100.0 * ours.absolute, "{:e}, {:e}", ours.absolute, theirs.absolute);
}

/// The slice forms give what the scalar forms give, elements outside the near domain and unequal lengths included.
#[test]
fn slices_are_the_scalars() {
    use elementary::bodies::*;
    use elementary::fast::{self, Float, Integer as Long, Narrow, bodies};
    type Form = (&'static str, fn(f32) -> f32, fn(&[f32], &mut [f32]));
    let forms: [Form; 39] = [
        ("exp", exp_float, exp_slice_float),
        ("exp", exp_integer, exp_slice_integer),
        ("exp", exp_narrow, exp_slice_narrow),
        ("exp", elementary::exp, elementary::exp_slice),
        ("sigmoid", sigmoid_float, sigmoid_slice_float),
        ("sigmoid", sigmoid_integer, sigmoid_slice_integer),
        ("sigmoid", sigmoid_narrow, sigmoid_slice_narrow),
        ("sigmoid", sigmoid_vector, sigmoid_slice_vector),
        ("tanh", tanh_vector, tanh_slice_vector),
        ("tanh", tanh_integer, tanh_slice_integer),
        ("tanh", tanh_narrow, tanh_slice_narrow),
        ("tanh", tanh_fast_float, tanh_fast_slice_float),
        ("tanh", tanh_fast_integer, tanh_fast_slice_integer),
        ("tanh", tanh_fast_narrow, tanh_fast_slice_narrow),
        ("erf", elementary::erf, elementary::erf_slice),
        ("expm1", elementary::expm1, elementary::expm1_slice),
        ("log", elementary::log, elementary::log_slice),
        ("softplus", elementary::softplus, elementary::softplus_slice),
        ("sigmoid", elementary::sigmoid, elementary::sigmoid_slice),
        ("tanh", elementary::tanh, elementary::tanh_slice),
        ("fast exp", bodies::exp, bodies::exp_slice),
        ("fast expm1", bodies::expm1_float, bodies::expm1_slice_float),
        ("fast expm1", bodies::expm1_narrow, bodies::expm1_slice_narrow),
        ("fast log", bodies::log::<Float>, bodies::log_slice::<Float>),
        ("fast log", bodies::log::<Long>, bodies::log_slice::<Long>),
        ("fast log", bodies::log::<Narrow>, bodies::log_slice::<Narrow>),
        ("fast sigmoid", bodies::sigmoid_integer, bodies::sigmoid_slice_integer),
        ("fast sigmoid", bodies::sigmoid_narrow, bodies::sigmoid_slice_narrow),
        ("fast erf", bodies::erf::<Float>, bodies::erf_slice::<Float>),
        ("fast erf", bodies::erf::<Long>, bodies::erf_slice::<Long>),
        ("fast erf", bodies::erf::<Narrow>, bodies::erf_slice::<Narrow>),
        ("fast softplus", bodies::softplus::<Float>, bodies::softplus_slice::<Float>),
        ("fast softplus", bodies::softplus::<Long>, bodies::softplus_slice::<Long>),
        ("fast softplus", bodies::softplus::<Narrow>, bodies::softplus_slice::<Narrow>),
        ("fast exp", fast::exp, fast::exp_slice),
        ("fast expm1", fast::expm1, fast::expm1_slice),
        ("fast log", fast::log, fast::log_slice),
        ("fast tanh", fast::tanh, fast::tanh_slice),
        ("fast sigmoid", fast::sigmoid, fast::sigmoid_slice),
    ];
    // Every 65 537th pattern: all exponents, infinities and NaN among them, near ones and far ones mixed.
    let x: Vec<f32> =
        (0..65_536_u32).map(|i| f32::from_bits(i.wrapping_mul(65_537).wrapping_mul(0x9e37_79b1))).collect();
    assert!(x.iter().any(|x| x.is_nan()) && x.iter().any(|x| x.abs() < 1.0));
    for (name, scalar, slice) in forms {
        let mut y = vec![7.0; x.len() + 3];
        slice(&x, &mut y);
        for (&x, &y) in x.iter().zip(&y) {
            assert_eq!(scalar(x).to_bits(), y.to_bits(), "{name}({x:e})");
        }
        assert_eq!(y[x.len()..], [7.0; 3], "{name} leaves what is beyond the input");
        let mut short = [0.0; 5];
        slice(&x, &mut short);
        assert!(short.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        slice(&[], &mut short);
    }
}

#[test]
fn the_engine_sees_faults() {
    let honest = Real {
        name: "tanh",
        function: elementary::tanh,
        exact: libm::tanh,
        bound: Bound::Ulp(1.3),
        monotonic: true,
        odd: true,
        specials: [-1.0, 1.0, -0.0, 0.0],
        keeps_nan: true,
    };
    let few = Inputs::PerBinade(64);
    let faults = |real: Real<'_>| measure(&real, few).faults.join("; ");
    assert_eq!(faults(Real { ..honest }), "");
    let last_place = |x: f32| f32::from_bits(elementary::tanh(x).to_bits() ^ 2);
    assert!(faults(Real { function: last_place, ..honest }).contains("errs more"));
    let uneven = |x: f32| if x > 0.0 { elementary::tanh(x) } else { elementary::tanh(x) * 0.999_999_9 };
    assert!(faults(Real { function: uneven, ..honest }).contains("f(-"));
    let falling = |x: f32| if x > 0.7 && x < 0.8 { 0.5 } else { elementary::tanh(x) };
    assert!(faults(Real { function: falling, ..honest }).contains("falls"));
    assert!(measure(&Real { function: falling, monotonic: false, ..honest }, few).fall > 1e6);
    let loses_nan = |x: f32| if x.is_nan() { 0.0 } else { elementary::tanh(x) };
    assert!(faults(Real { function: loses_nan, ..honest }).contains("NaN"));
    let positive_zero = |x: f32| if x == 0.0 { 0.0 } else { elementary::tanh(x) };
    assert!(faults(Real { function: positive_zero, ..honest }).contains("f(-0) is 0, not -0"));

    let off_by_one = |x: &[i32]| x.iter().map(|&x| if x == 77 { 78 } else { x }).collect();
    let integer = Integer {
        name: "identity",
        inputs: -128..=127,
        function: &off_by_one,
        exact: &|x| f64::from(x),
        outputs: -128..=127,
        bound: 0.5,
        monotonic: true,
    };
    assert!(measure_integer(&integer).faults[0].contains("errs more"));
}
