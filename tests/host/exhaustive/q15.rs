//! The Q15 activations over all 65 536 inputs, and the search that their coefficients come from.
//!
//! `BLESS=1 cargo test -p host-tests --test exhaustive q15` rewrites the coefficients.

use std::fmt::Write;
use std::fs;

use smolnn_fixed::act::q15::{Q12, sigmoid_q15, tanh_q15};
use smolnn_fixed::act::q15_small::{sigmoid_q15_small, tanh_q15_small};
use smolnn_fixed::q::Q15;
use smolnn_testkit::golden::project;
use smolnn_testkit::search::{Piece, Problem, mirrored_pieces, pieces};

/// Correctly rounded. No input lies within 10^−6 LSB of a half, so that f64 decides rightly.
fn rounded(y: f64) -> i32 {
    let steps = y * 32768.0;
    assert!(((steps - steps.floor()) - 0.5).abs() > 1e-6, "{steps} is too close to a half");
    steps.round() as i32
}

fn sigmoid(x: i32) -> i32 {
    rounded(1.0 / (1.0 + (-f64::from(x) / 4096.0).exp()))
}

/// Saturated.
fn tanh(x: i32) -> i32 {
    whole_tanh(x).min(32767)
}

/// Up to 32768.
fn whole_tanh(x: i32) -> i32 {
    rounded((f64::from(x) / 4096.0).tanh())
}

/// Numbers, eight to a line.
fn list(text: &mut String, numbers: &[i32]) {
    *text += "    [";
    for (index, number) in numbers.iter().enumerate() {
        *text += if index % 8 == 0 { "\n        " } else { " " };
        write!(text, "{number},").unwrap();
    }
    *text += "\n    ],\n";
}

#[test]
fn coefficients_are_those_of_the_search() {
    let mut text = String::from(
        "//! Coefficients of the Q15 activations, found by `search` in the testkit. Rewritten by\n\
         //! `BLESS=1 cargo test -p host-tests --test exhaustive q15`.\n\nuse crate::backend::Pieces;\n",
    );
    let found = |name: &str, pieces: Result<Vec<Piece>, i32>| -> Vec<Piece> {
        pieces.unwrap_or_else(|x| panic!("{name}: no solution for the piece at {x}"))
    };
    for (name, count, pieces) in [
        ("SIGMOID", 512, pieces(&Problem { target: sigmoid, offset: 0, shift: 17 })),
        ("TANH", 512, pieces(&Problem { target: tanh, offset: 1, shift: 16 })),
        ("SMALL_SIGMOID", 256, mirrored_pieces(sigmoid, 17, false)),
        ("SMALL_TANH", 256, mirrored_pieces(whole_tanh, 16, true)),
    ] {
        let pieces = found(name, pieces);
        assert_eq!(pieces.len(), count);
        write!(text, "\n#[rustfmt::skip]\npub(super) static {name}: Pieces<{count}> = Pieces::new(\n").unwrap();
        for column in 0..2 {
            list(&mut text, &pieces.iter().map(|piece| piece[column]).collect::<Vec<_>>());
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

/// The outputs of a function of one value.
fn each(function: fn(Q12) -> Q15) -> Vec<i32> {
    (i16::MIN..=i16::MAX).map(|x| function(Q12::from_bits(x)).to_bits().into()).collect()
}

/// The forms of the two: in 4 KiB, unless this build is for size, and in 2 KiB; of slices and of one value.
fn sigmoids() -> [Vec<i32>; 4] {
    [all(sigmoid_q15), all(sigmoid_q15_small), each(Q12::sigmoid), each(Q12::sigmoid_small)]
}

fn tanhs() -> [Vec<i32>; 4] {
    [all(tanh_q15), all(tanh_q15_small), each(Q12::tanh), each(Q12::tanh_small)]
}

#[test]
fn every_input_is_correctly_rounded() {
    let sigmoids = sigmoids().map(|outputs| (outputs, sigmoid as fn(i32) -> i32));
    let tanhs = tanhs().map(|outputs| (outputs, tanh as fn(i32) -> i32));
    for (outputs, exact) in sigmoids.into_iter().chain(tanhs) {
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
