//! Products, minima and maxima on random tensors: apart, in place, and with the shorter operand repeated.

use smolnn_fixed::elementwise::{Mul, Pairing, maximum, minimum, mul};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::{Overlapping, SeparatePair, WithRight};
use smolnn_testkit::Random;

fn operands(random: &mut Random) -> (Vec<i8>, Vec<i8>) {
    let period = random.length(1, 9);
    let length = period * random.length(1, 7);
    let vector = |random: &mut Random, length| (0..length).map(|_| random.int8()).collect();
    (vector(random, length), vector(random, period))
}

#[test]
fn every_pair_of_int8_is_exact() {
    assert_eq!(smolnn_testkit::cases::every_pair(), Ok(10 * 256 * 256));
}

#[test]
fn mul_is_the_rounded_product() {
    let mut random = Random::new(51);
    let mut elements = 0;
    for case in 0..400 {
        let (left, right) = operands(&mut random);
        let [a, b] = [0, 1].map(|_| Affine::new(random.scale(9, 2), random.int8().into()));
        let scale = random.scale(7, 0);
        let output = OutputRange { zero_point: random.int8().into(), minimum: -120, maximum: 125 };
        let pairing = Pairing::new(left.len(), right.len()).expect("a multiple");
        let layer = Mul::new(pairing, a, b, scale, output).expect("valid");
        let factor = Multiplier::from_f64(f64::from(a.scale) * f64::from(b.scale) / f64::from(scale));
        let bound = 0.5 + 0.5 * f64::from(-factor.shift.min(0)).exp2().recip() + 1e-4;
        let mut found = vec![0; left.len()];
        mul(&layer, SeparatePair { left: &left, right: &right, output: &mut found }).expect("the lengths fit");
        // In place of the left operand.
        let mut buffer = left.clone();
        let whole = (0, left.len());
        let tensors = Overlapping::new(&mut buffer, whole, whole).expect("inside");
        mul(&layer, WithRight { tensors, right: &right }).expect("the lengths fit");
        assert_eq!(buffer, found, "case {case}");
        for (index, (&x, &y)) in left.iter().zip(right.iter().cycle()).enumerate() {
            let real = |value: i8, of: Affine| f64::from(of.scale) * f64::from(i32::from(value) - of.zero_point);
            let exact = real(x, a) * real(y, b) / f64::from(scale) + f64::from(output.zero_point);
            let exact = exact.clamp(-120.0, 125.0);
            // Half a step of the second rounding, half a step of the first before it is shifted right, the 31-bit multiplier.
            let error = (f64::from(found[index]) - exact).abs();
            assert!(error <= bound, "case {case}, element {index}: {} for {exact}", found[index]);
            elements += 1;
        }
    }
    assert!(elements > 5000, "{elements}");
}

#[test]
fn minimum_and_maximum_choose() {
    let mut random = Random::new(52);
    for case in 0..200 {
        let (left, right) = operands(&mut random);
        let pairing = Pairing::new(right.len(), left.len()).expect("a multiple");
        let (mut least, mut most) = (vec![0; left.len()], vec![0; left.len()]);
        minimum(&pairing, SeparatePair { left: &right, right: &left, output: &mut least }).expect("the lengths fit");
        maximum(&pairing, SeparatePair { left: &right, right: &left, output: &mut most }).expect("the lengths fit");
        for (index, (&x, &y)) in left.iter().zip(right.iter().cycle()).enumerate() {
            assert_eq!((least[index], most[index]), (x.min(y), x.max(y)), "case {case}");
        }
        let wide: Vec<i16> = left.iter().map(|&x| i16::from(x) * 200).collect();
        let mut output = vec![0; wide.len()];
        let same = Pairing::same(wide.len()).expect("not empty");
        maximum(&same, SeparatePair { left: &wide, right: &wide, output: &mut output }).expect("the lengths fit");
        assert_eq!(output, wide);
    }
}
