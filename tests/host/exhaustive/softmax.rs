//! int8 softmax where sums are just below a power of two, which random rows do not reach.

use smolnn_fixed::Separate;
use smolnn_fixed::softmax::{Softmax, softmax};
use smolnn_fixed::transcendental::{exp_negative, reciprocal};

/// The reference's last step, in wide integers: the product at 31 bits half up, then 23 + e bits fewer, half up.
fn output(exp: i32, sum: u32) -> i32 {
    let (mantissa, exponent) = reciprocal(sum, 12);
    let product = (i128::from(exp) * i128::from(mantissa) + (1 << 30)) >> 31;
    let steps = (product + (1 << (22 + exponent))) >> (23 + exponent);
    (steps as i32 - 128).min(127)
}

#[test]
fn sums_just_below_a_power_of_two() {
    // Differences in Q5.26 are −d · 2^24, a quarter each: factor and scale are powers of two.
    let scale = 0.25;
    let exp: Vec<i32> = (0..=124).map(|d| exp_negative(-d << 24, 5)).collect();
    let term = |d: usize| (exp[d] as u32 + (1 << 11)) >> 12;
    let mut reached_below_half = 0;
    for bits in 21..=30 {
        // One element at the maximum, then the largest terms that still fit.
        let (mut row, mut left) = (vec![127_i8], (1_u32 << bits) - 1 - term(0));
        while left > 0 {
            let d = (0..=124).find(|&d| term(d) <= left && term(d) > 0).expect("a term of 1 is among them");
            row.push(127 - d as i8);
            left -= term(d);
        }
        let sum = (1 << bits) - 1;
        reached_below_half += i32::from(reciprocal(sum, 12).0 < 1 << 30);
        let layer = Softmax::new(1, row.len(), 1.0, scale).unwrap();
        let mut found = vec![0; row.len()];
        softmax(&layer, Separate { input: &row, output: &mut found }).unwrap();
        for (&value, &found) in row.iter().zip(&found) {
            assert_eq!(i32::from(found), output(exp[(127 - value) as usize], sum), "{bits} bits, {value}");
        }
    }
    println!("the reciprocal was below one half in {reached_below_half} of 10 sums");
}
