//! 5.5, second half: argmax has no gradient; softmax(x/τ) stands in for it.

use smolnn_float::Rows;
use smolnn_float::act::{argmax, argmax_rows, softmax, softmax_backward};

use crate::close;

const X: [f64; 4] = [0.3, 2.0, -1.0, 1.9];

fn soft(x: &[f64], temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = x.iter().map(|x| x / temperature).collect();
    let mut p = vec![0.0; x.len()];
    softmax(&Rows::new(1, x.len()).unwrap(), &scaled, &mut p).unwrap();
    p
}

/// Its difference quotient is 0 wherever the greatest is alone; `argmax` gives an index, so that no code can ask for more.
#[test]
fn row_5_5_argmax_does_not_move() {
    let index: Option<usize> = argmax(&X);
    assert_eq!(index, Some(1));
    for i in 0..4 {
        for step in [1e-6, -1e-6] {
            let mut x = X;
            x[i] += step;
            assert_eq!(argmax(&x), Some(1));
        }
    }
}

#[test]
fn row_5_5_argmax_ties_nan_and_nothing() {
    assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), Some(1), "the first of equals");
    assert_eq!(argmax::<f32>(&[]), None);
    assert_eq!(argmax(&[f64::NEG_INFINITY; 3]), Some(0));
    assert_eq!(argmax(&[1.0, f64::NAN, f64::INFINITY, f64::NAN]), Some(1), "the first NaN");
    let mut indices = [9; 2];
    argmax_rows(&Rows::new(2, 2).unwrap(), &[1.0_f32, 2.0, 4.0, 3.0], &mut indices).unwrap();
    assert_eq!(indices, [1, 0]);
}

/// The surrogate: softmax(x/τ) and its gradient, which is that of differences.
#[test]
fn row_5_5_softmax_with_temperature() {
    close(&soft(&X, 0.1), &[0.0, 0.731_059, 0.0, 0.268_941], 5e-7);
    close(&soft(&X, 0.01), &[0.0, 1.0, 0.0, 0.0], 1e-4);
    let (temperature, upstream) = (0.1, [1.0, -2.0, 0.5, 3.0]);
    let p = soft(&X, temperature);
    let mut gradient = [0.0; 4];
    softmax_backward(&Rows::new(1, 4).unwrap(), &p, &upstream, &mut gradient).unwrap();
    let loss = |x: &[f64]| soft(x, temperature).iter().zip(upstream).map(|(p, g)| p * g).sum::<f64>();
    for (i, gradient) in gradient.iter().enumerate() {
        let (mut above, mut below) = (X, X);
        above[i] += 1e-6;
        below[i] -= 1e-6;
        close(&[gradient / temperature], &[(loss(&above) - loss(&below)) / 2e-6], 1e-7);
    }
    close(&[gradient.iter().sum()], &[0.0], 1e-15);
}
