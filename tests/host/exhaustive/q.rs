//! Q numbers: exhaustively for 8 bits, on edges and random values above; stochastic rounding on average.

use smolnn_fixed::q::{Q, Q7, Q15, Q31};
use smolnn_fixed::random::Generator;
use smolnn_testkit::Random;

/// `value` / 2^`shift`, halves up, by real numbers.
fn half_up(value: i128, shift: u32) -> i128 {
    (2 * value + (1_i128 << shift)).div_euclid(2_i128 << shift)
}

#[test]
fn eight_bits_exhaustively() {
    for a in i8::MIN..=i8::MAX {
        let x = Q7::from_bits(a);
        assert_eq!(x.to_f64(), f64::from(a) / 128.0);
        assert_eq!(Q7::from_f64(x.to_f64()), x);
        assert_eq!(x.saturating_neg().to_bits(), a.checked_neg().unwrap_or(127));
        assert_eq!(x.saturating_abs().to_bits(), a.checked_abs().unwrap_or(127));
        let coarse: Q<i8, 4> = x.rounded();
        assert_eq!(i128::from(coarse.to_bits()), half_up(a.into(), 3));
        let floor: Q<i8, 4> = x.truncated();
        assert_eq!(f64::from(floor.to_bits()), (f64::from(a) / 8.0).floor());
        let fine: Q<i8, 9> = Q::<i8, 7>::from_bits(a).rounded();
        assert_eq!(i32::from(fine.to_bits()), (i32::from(a) * 4).clamp(-128, 127));
        for b in i8::MIN..=i8::MAX {
            let y = Q7::from_bits(b);
            let (wide_a, wide_b) = (i32::from(a), i32::from(b));
            assert_eq!(i32::from(x.saturating_add(y).to_bits()), (wide_a + wide_b).clamp(-128, 127));
            assert_eq!(i32::from(x.saturating_sub(y).to_bits()), (wide_a - wide_b).clamp(-128, 127));
            let product: Q<i16, 14> = x.widening_mul(y);
            assert_eq!(i32::from(product.to_bits()), wide_a * wide_b);
            let rounded = half_up((wide_a * wide_b).into(), 7).clamp(-128, 127);
            assert_eq!(i128::from(x.rounding_mul(y).to_bits()), rounded, "{a} · {b}");
        }
    }
}

#[test]
fn wider_numbers_on_edges_and_at_random() {
    let mut random = Random::new(7);
    let mut draw = |edge: i32| match random.between(0, 9) {
        0 => i32::MIN,
        1 => i32::MAX,
        2 => edge,
        3 => -edge,
        _ => random.bits() as i32 >> random.between(0, 31),
    };
    for _ in 0..200_000 {
        let (a, b) = (draw(1 << 30), draw(1));
        let (x, y) = (Q31::from_bits(a), Q31::from_bits(b));
        let product: Q<i64, 62> = x.widening_mul(y);
        assert_eq!(product.to_bits(), i64::from(a) * i64::from(b));
        assert_eq!(product.narrowed::<31>(), x.rounding_mul(y));
        let limit = |value: i128| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        assert_eq!(x.rounding_mul(y).to_bits(), limit(half_up(i128::from(a) * i128::from(b), 31)), "{a} · {b}");
        assert_eq!(x.saturating_add(y).to_bits(), a.saturating_add(b));
        let narrow: Q15 = x.narrowed();
        assert_eq!(i128::from(narrow.to_bits()), half_up(a.into(), 16).clamp(-32768, 32767));
        let (a, b) = (a as i16, b as i16);
        let product = Q15::from_bits(a).rounding_mul(Q::<i16, 12>::from_bits(b));
        let expected = half_up(i128::from(a) * i128::from(b), 12).clamp(-32768, 32767);
        assert_eq!(i128::from(product.to_bits()), expected);
    }
}

#[test]
fn reals_are_rounded_to_nearest_and_saturated() {
    assert_eq!(Q15::from_f64(1.0), Q15::MAX);
    assert_eq!(Q15::from_f64(-1.5), Q15::MIN);
    assert_eq!(Q15::from_f64(0.5 / 32768.0).to_bits(), 1);
    assert_eq!(Q15::from_f64(-0.5 / 32768.0).to_bits(), -1);
    assert_eq!(Q15::from_f64(0.49 / 32768.0).to_bits(), 0);
    assert_eq!(Q15::from_f64(f64::NAN), Q15::ZERO);
    assert_eq!(Q31::from_f64(f64::INFINITY), Q31::MAX);
}

#[test]
fn stochastic_rounding_is_right_on_average() {
    let mut generator = Generator::new(1);
    let rounds = 200_000;
    // A gradient of 3·10^−6 is a tenth of a step of Q15: nearest rounding loses it every time.
    for value in [3.0e-6, -2.0e-6, 1.0e-6, 0.3] {
        let exact = Q31::from_f64(value);
        let nearest: Q<i32, 15> = exact.rounded();
        let sum: f64 = (0..rounds).map(|_| exact.stochastic::<15>(&mut generator).to_f64()).sum();
        let mean = sum / f64::from(rounds);
        // Four standard deviations of a mean of steps that are taken or not.
        let bound = 4.0 / 32768.0 * 0.5 / f64::from(rounds).sqrt();
        assert!((mean - value).abs() < bound, "{value} became {mean}");
        assert!(value.abs() > 1e-2 || nearest.to_bits() == 0);
    }
    // What fits exactly is never changed.
    let exact = Q31::from_f64(0.25);
    assert!((0..1000).all(|_| exact.stochastic::<15>(&mut generator).to_f64() == 0.25));
    assert_ne!(Generator::new(0).bits(), 0);
}
