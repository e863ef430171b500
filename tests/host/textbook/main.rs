//! The exercises of a deep-learning course, one module per row: its figures, its properties on random data, and the
//! well-known wrong variants, which the checks must reject. docs/textbook.md walks through them.

mod mlp;
mod recurrent;

mod row_4_1;
mod row_4_2;
mod row_4_3;
mod row_4_4;
mod row_4_5;
mod row_4_6;
mod row_4_7;
mod row_4_8;
mod row_4_9;
mod row_5_1;
mod row_5_3;
mod row_5_4;
mod row_5_5;
mod row_5_5_argmax;
mod row_5_6;
mod row_5_7;
mod row_6_1;
mod row_6_2;
mod row_6_3;
mod row_6_4;
mod row_6_5;

use smolnn_float::random::{Pcg32, SeedableRng};

/// A generator whose seed is printed with the test's output.
fn generator(seed: u64) -> Pcg32 {
    println!("seed {seed}");
    Pcg32::seed_from_u64(seed)
}

/// Asserts that two lists of numbers agree to a number of digits.
#[track_caller]
fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
    }
}
