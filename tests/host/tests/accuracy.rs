//! The accuracy engine on fewer inputs, and the proof that it sees what is wrong. The whole: `cargo xtask accuracy`.

use host_tests::accuracy::{Bound, Inputs, Integer, Real, integers, measure, measure_integer, reals, ulp};
use smolnn_float::elementary;

#[test]
fn every_function_keeps_its_bound() {
    let mut inputs = 0;
    for real in reals() {
        let found = measure(&real, Inputs::PerBinade(1 << 9));
        inputs += found.count;
        assert!(found.faults.is_empty(), "{}: {:?}", real.name, found.faults);
    }
    assert!(inputs >= 25 * 2 * 255 * (1 << 9), "only {inputs} inputs");
    for (name, found) in integers() {
        assert!(found.count == 256 || found.count >= 65520, "{name}: only {} inputs", found.count);
        assert!(found.faults.is_empty(), "{name}: {:?}", found.faults);
    }
}

/// Where consecutive floats matter: all of them around the seams of the functions.
#[test]
fn seams_are_monotonic_and_accurate() {
    // ln 2/2, 1/2, 0.5625, the binades, 9.01, 16, where the near formulas end, and where exp over- and underflows.
    let seams = [
        2.0_f32.powi(-27),
        2.0_f32.powi(-24),
        2.0_f32.powi(-10),
        0.346_573_6,
        0.5,
        0.5625,
        0.9375,
        1.0,
        1.0625,
        2.0,
        4.0,
        8.0,
        9.0109,
        16.0,
        17.3,
        87.336_54,
        88.722_84,
        103.972_08,
    ];
    let mut compared = 0;
    for real in reals().iter().filter(|real| real.monotonic) {
        let Bound::Ulp(bound) = real.bound else { continue };
        for sign in [1.0, -1.0] {
            for seam in seams {
                let mut before = f32::NAN;
                for bits in seam.to_bits() - 1000..seam.to_bits() + 1000 {
                    let x = sign * f32::from_bits(bits);
                    let (y, exact) = ((real.function)(x), (real.exact)(f64::from(x)));
                    assert!(!(if sign > 0.0 { y < before } else { y > before }), "{} falls at {x:e}", real.name);
                    before = y;
                    if exact.abs() <= f64::from(f32::MAX) {
                        let error = (f64::from(y) - exact).abs() / ulp(exact);
                        assert!(error <= bound, "{} errs {error} at {x:e}", real.name);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 1_000_000, "only {compared} compared");
}

/// The slice forms give what the scalar forms give, elements outside the near domain and unequal lengths included.
#[test]
fn slices_are_the_scalars() {
    use elementary::bodies::*;
    type Form = (&'static str, fn(f32) -> f32, fn(&[f32], &mut [f32]));
    let forms: [Form; 15] = [
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
