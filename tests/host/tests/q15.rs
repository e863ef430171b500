//! The Q15 activations over all 65 536 inputs, and the search that their coefficients come from.
//!
//! `BLESS=1 cargo test -p host-tests --test q15` rewrites the coefficients.

use std::fmt::Write;
use std::fs;

use smolnn_fixed::act::q15::{Q12, sigmoid_q15, tanh_q15};
use smolnn_fixed::q::Q15;
use smolnn_testkit::golden::project;
use smolnn_testkit::search::{Problem, pieces};

/// Correctly rounded and saturated. No input lies within 10^−6 LSB of a half, so that f64 decides rightly.
fn rounded(y: f64) -> i32 {
    let steps = y * 32768.0;
    assert!(((steps - steps.floor()) - 0.5).abs() > 1e-6, "{steps} is too close to a half");
    (steps.round() as i32).min(32767)
}

fn sigmoid(x: i32) -> i32 {
    rounded(1.0 / (1.0 + (-f64::from(x) / 4096.0).exp()))
}

fn tanh(x: i32) -> i32 {
    rounded((f64::from(x) / 4096.0).tanh())
}

#[test]
fn coefficients_are_those_of_the_search() {
    let mut text = String::from(
        "//! Coefficients of the Q15 activations, found by `search` in the testkit. Rewritten by\n\
         //! `BLESS=1 cargo test -p host-tests --test q15`.\n\nuse super::q15::Pieces;\n",
    );
    for (name, problem) in [
        ("SIGMOID", Problem { target: sigmoid, offset: 0, shift: 17 }),
        ("TANH", Problem { target: tanh, offset: 1, shift: 16 }),
    ] {
        let pieces = pieces(&problem).unwrap_or_else(|x| panic!("{name}: no solution for the piece at {x}"));
        assert_eq!(pieces.len(), 512);
        write!(text, "\n#[rustfmt::skip]\npub(super) static {name}: Pieces = Pieces::new(\n").unwrap();
        for column in 0..2 {
            text += "    [";
            for (index, piece) in pieces.iter().enumerate() {
                text += if index % 8 == 0 { "\n        " } else { " " };
                write!(text, "{},", piece[column]).unwrap();
            }
            text += "\n    ],\n";
        }
        text += ");\n";
    }
    let path = project().join("crates/smolnn-fixed/src/act/q15_tables.rs");
    if std::env::var("BLESS").as_deref() == Ok("1") {
        fs::write(&path, &text).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == text, "the coefficients are not those of the search");
}

/// All inputs, and the outputs of a kernel.
fn all(kernel: impl Fn(&[Q12], &mut [Q15]) -> Result<(), smolnn_core::ShapeError>) -> Vec<i32> {
    let input: Vec<Q12> = (i16::MIN..=i16::MAX).map(Q12::from_bits).collect();
    let mut output = vec![Q15::ZERO; input.len()];
    kernel(&input, &mut output).unwrap();
    output.into_iter().map(|y| y.to_bits().into()).collect()
}

#[test]
fn every_input_is_correctly_rounded() {
    for (outputs, exact) in [(all(sigmoid_q15), sigmoid as fn(i32) -> i32), (all(tanh_q15), tanh)] {
        assert_eq!(outputs.len(), 65536);
        for (x, &y) in (-32768..).zip(&outputs) {
            assert_eq!(y, exact(x), "{x}");
        }
        assert!(outputs.is_sorted(), "monotonic");
    }
}

#[test]
fn symmetry_is_exact() {
    let (sigmoid, tanh) = (all(sigmoid_q15), all(tanh_q15));
    for x in 1..32768_usize {
        let (above, below) = (32768 + x, 32768 - x);
        if sigmoid[above] < 32767 {
            assert_eq!(sigmoid[below], 32768 - sigmoid[above], "{x}");
        }
        if tanh[above] < 32767 {
            assert_eq!(tanh[below], -tanh[above], "{x}");
        }
    }
    assert_eq!((sigmoid[32768], tanh[32768]), (16384, 0));
}
