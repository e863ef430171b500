//! Requantisation and the fixed-point exp, reciprocal, logistic and tanh against tables of the reference's own results.

use smolnn_fixed::Separate;
use smolnn_fixed::act::{Interpolation, logistic_int16, tanh_int16};
use smolnn_fixed::quantise::Multiplier;
use smolnn_fixed::transcendental::{exp_negative, logistic, reciprocal_one_plus, tanh};
use smolnn_testkit::golden;

const FOLDER: &str = "../shared/golden/tables";

/// The rows of a table of i32.
fn rows<const N: usize>(file: &str) -> Vec<[i32; N]> {
    let Some(words) = golden::words(&format!("{FOLDER}/{file}")) else { return Vec::new() };
    assert!(!words.is_empty() && words.len().is_multiple_of(N), "{file} is no table of {N} columns");
    words.chunks_exact(N).map(|row| row.try_into().unwrap()).collect()
}

#[test]
fn factors_become_the_reference_multipliers() {
    let Some(bytes) = golden::blob(&format!("{FOLDER}/quantize_multiplier.bin")) else { return };
    assert!(bytes.len() >= 16);
    for record in bytes.chunks_exact(16) {
        let factor = f64::from_le_bytes(record[..8].try_into().unwrap());
        let words = golden::to_i32(&record[8..]);
        let found = Multiplier::from_f64(factor);
        assert_eq!([found.mantissa, found.shift], words[..], "{factor:e}");
    }
}

#[test]
fn requantisation_rounds_twice_as_the_reference() {
    let (mut cases, mut single_rounding_differs) = (0, 0);
    for [value, mantissa, shift, double, single] in rows("mbqm.bin") {
        assert_eq!(Multiplier { mantissa, shift }.apply(value), double, "{value} · {mantissa} · 2^{shift}");
        single_rounding_differs += i32::from(single != double);
        cases += 1;
    }
    // The table tells the two kinds apart.
    assert!(cases == 0 || single_rounding_differs > 0, "{cases} cases");
}

#[test]
fn wide_requantisation_rounds_once_as_the_reference() {
    let Some(bytes) = golden::blob(&format!("{FOLDER}/mbqm_i64.bin")) else { return };
    assert!(bytes.len() >= 24);
    for record in bytes.chunks_exact(24) {
        let value = i64::from_le_bytes(record[..8].try_into().unwrap());
        let words = golden::to_i32(&record[8..]);
        let multiplier = Multiplier { mantissa: words[0], shift: words[1] };
        assert_eq!(multiplier.apply_i64(value), words[2], "{value} · {multiplier:?}");
    }
}

#[test]
fn fixed_point_functions_are_the_reference_ones() {
    for [x, exp] in rows("exp_on_negative_values_q5.bin") {
        assert_eq!(exp_negative(x, 5), exp, "exp of {x}");
    }
    for [x, reciprocal] in rows("one_over_one_plus_x.bin") {
        assert_eq!(reciprocal_one_plus(x), reciprocal, "1 / (1 + {x})");
    }
    for [x, expected_logistic, expected_tanh] in rows("logistic_tanh_q4.bin") {
        assert_eq!(logistic(x), expected_logistic, "logistic of {x}");
        assert_eq!(tanh(x), expected_tanh, "tanh of {x}");
    }
}

#[test]
fn int16_activations_interpolate_as_the_reference() {
    let Some(bytes) = golden::blob(&format!("{FOLDER}/act16.bin")) else { return };
    let rows: Vec<i16> = golden::to_i16(&bytes);
    assert!(!rows.is_empty() && rows.len().is_multiple_of(9));
    // Column by column: x in Q3.12, sigmoid, tanh, two of another runtime, tanh of cell states with scales 2^-14 and on.
    let column = |index: usize| -> Vec<i16> { rows.iter().skip(index).step_by(9).copied().collect() };
    let input = column(0);
    let mut output = vec![0; input.len()];
    let sigmoid = Interpolation::logistic(1.0 / 4096.0).unwrap();
    logistic_int16(&sigmoid, input.len(), Separate { input: &input, output: &mut output }).unwrap();
    assert_eq!(output, column(1));
    let plain = Interpolation::tanh(1.0 / 4096.0).unwrap();
    tanh_int16(&plain, input.len(), Separate { input: &input, output: &mut output }).unwrap();
    assert_eq!(output, column(2));
}
