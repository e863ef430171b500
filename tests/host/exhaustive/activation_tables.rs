//! int8 activation tables, and the constant functions of f64 they are built from.

use smolnn_fixed::act::Table;
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier};
use smolnn_fixed::{real, table};

/// Distance in units of the last place of the larger.
fn ulp(a: f64, b: f64) -> f64 {
    let magnitude = a.abs().max(b.abs()).max(f64::MIN_POSITIVE);
    let unit = f64::from_bits(magnitude.to_bits() + 1) - magnitude;
    (a - b).abs() / unit
}

#[test]
fn constant_functions_are_accurate() {
    let mut worst = [0.0_f64; 6];
    let mut cases = 0;
    for step in -200_000..=200_000_i32 {
        let x = f64::from(step) / 5000.0;
        let mut note = |index: usize, found: f64, expected: f64| worst[index] = worst[index].max(ulp(found, expected));
        note(0, real::exp(x), x.exp());
        note(2, real::sigmoid(x), 1.0 / (1.0 + (-x).exp()));
        note(3, real::tanh(x), x.tanh());
        note(5, real::erf(x / 8.0), libm::erf(x / 8.0));
        if x > 0.0 {
            note(1, real::ln(x), x.ln());
        }
        note(4, real::softplus(x), x.exp().ln_1p());
        cases += 1;
    }
    println!("worst ULP of exp, ln, sigmoid, tanh, softplus, erf over {cases} arguments: {worst:.2?}");
    for (worst, bound) in worst.into_iter().zip([4.0, 4.0, 4.0, 4.0, 4.0, 18.0]) {
        assert!(worst <= bound, "{worst} ULP, {bound} are allowed");
    }
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e300, -1e300, 5e-324] {
        assert!(real::exp(x) == x.exp() || x.is_nan() && real::exp(x).is_nan(), "exp {x}");
        assert!(real::ln(x) == x.ln() || real::ln(x).is_nan() && x.ln().is_nan(), "ln {x}: {}", real::ln(x));
        assert!(real::tanh(x) == x.tanh() || x.is_nan() && real::tanh(x).is_nan(), "tanh {x}");
    }
}

const INPUT: Affine = Affine::new(0.05, -3);
const OUTPUT: Affine = Affine::new(0.04, 7);
static GELU: Table = table!(INPUT, OUTPUT, |x| x * 0.5 * (1.0 + real::erf(x * core::f64::consts::FRAC_1_SQRT_2)));
static SOFTPLUS: Table = table!(INPUT, OUTPUT, |x| real::softplus(x));

#[test]
fn tables_of_real_functions_are_correctly_rounded() {
    for input in -128..=127_i8 {
        let x = f64::from(0.05_f32) * (f64::from(input) + 3.0);
        let rounded = |y: f64| ((y / f64::from(0.04_f32)).round() + 7.0).clamp(-128.0, 127.0) as i8;
        assert_eq!(GELU.get(input), rounded(x * 0.5 * (1.0 + libm::erf(x / 2.0_f64.sqrt()))), "gelu of {input}");
        assert_eq!(SOFTPLUS.get(input), rounded(x.exp().ln_1p()), "softplus of {input}");
        assert_eq!(Table::from_fn(INPUT, OUTPUT, f64::sin).get(input), rounded(x.sin()));
        let then = GELU.then(&SOFTPLUS);
        assert_eq!(then.get(input), SOFTPLUS.get(GELU.get(input)));
    }
}

#[test]
fn what_is_no_number_has_a_place_in_tables() {
    for (value, expected) in [(f64::NAN, -3), (f64::INFINITY, 127), (f64::NEG_INFINITY, -128), (-0.0, -3)] {
        let table = Table::from_reals(&[value; 256], Affine::new(0.5, -3));
        assert!((-128..=127).all(|x| table.get(x) == expected), "{value} is {}", table.get(0));
    }
}

#[test]
fn tables_of_wrong_quantisations_are_refused() {
    assert!(Table::logistic(Affine::new(0.0, 0)).is_err());
    assert!(Table::tanh(Affine::new(f32::NAN, 0)).is_err());
    assert!(Table::hard_swish(Affine::new(0.1, 128), OUTPUT).is_err());
    assert!(Table::leaky_relu(f32::INFINITY, INPUT, OUTPUT).is_err());
    assert!(Table::elu(INPUT, Affine::new(f32::INFINITY, 0)).is_err());
    // Scales that do not fit each other.
    let (coarse, fine) = (Affine::new(1e10, 0), Affine::new(0.1, 0));
    assert!(Table::relu(FusedActivation::None, coarse, fine).is_err());
    assert!(Table::relu(FusedActivation::None, Affine::new(f32::MAX, 0), fine).is_err());
    assert!(Table::leaky_relu(1e10, fine, fine).is_err());
    assert!(Table::hard_swish(fine, Affine::new(100.0, 0)).is_err());
    assert!(Multiplier::try_from_f64(f64::from(1 << 30)).is_err() && Multiplier::try_from_f64(f64::NAN).is_err());
    assert_eq!(Multiplier::try_from_f64(0.5), Ok(Multiplier { mantissa: 1 << 30, shift: 0 }));
}
