//! 5.5: max has a gradient, argmax has none.

use smolnn_core::{Image, Pool2dShape, Window2d, WindowSize, shape};
use smolnn_float::loss::cross_entropy;
use smolnn_float::pool::max;
use smolnn_float::{Number, Rows};

use crate::close;

const TIES: Pool2dShape = shape!(Window2d::over(Image::hwc(4, 4, 1), WindowSize::hw(2, 2)).stride(2, 2).pool());

fn pool<T: Number>(shape: &Pool2dShape, x: &[T]) -> (Vec<T>, Vec<u8>) {
    let mut y = vec![T::default(); shape.output_len()];
    let mut indices = vec![0; max::indices_len(shape)];
    max::forward(shape, x, &mut y, Some(&mut indices)).unwrap();
    (y, indices)
}

#[test]
fn row_5_5_ties_go_to_the_first() {
    let x = [1, 3, 2, 2, 3, 0, 2, 2, 5, 4, -1, -1, 4, 5, -1, -2];
    let (y, indices) = pool(&TIES, &x);
    assert_eq!(y, [3, 2, 5, -1]);
    // Two bits each, low bits first: taps 1, 0, 0, 0.
    assert_eq!(indices, [0b00_00_00_01]);
    let mut dx = [0; 16];
    max::backward(&TIES, &indices, &[10, 20, 30, 40], &mut dx).unwrap();
    assert_eq!(dx, [0, 10, 20, 0, 0, 0, 0, 0, 30, 0, 40, 0, 0, 0, 0, 0]);
}

#[test]
fn row_5_5_one_hot_gradient() {
    let shape = Window2d::over(Image::sequence(4, 1), WindowSize::taps(4)).pool().unwrap();
    let (y, indices) = pool(&shape, &[0.3, 2.0, -1.0, 1.9]);
    let mut dx = [0.0; 4];
    max::backward(&shape, &indices, &[1.0], &mut dx).unwrap();
    assert_eq!((y[0], dx), (2.0, [0.0, 1.0, 0.0, 0.0]));
}

/// Indices of a 4×4×8 and a 2×2×16 output in 48 bytes.
#[test]
fn row_5_5_packed_indices() {
    let window = |side, channels| {
        Window2d::over(Image::hwc(side, side, channels), WindowSize::hw(2, 2)).stride(2, 2).pool().unwrap()
    };
    assert_eq!(max::indices_len(&window(8, 8)) + max::indices_len(&window(4, 16)), 48);
}

/// Overlapping windows add at the pixel they share.
#[test]
fn row_5_5_overlapping_windows_add() {
    let shape = Window2d::over(Image::sequence(5, 1), WindowSize::taps(3)).pool().unwrap();
    let (y, indices) = pool(&shape, &[0, 1, 9, 2, 3]);
    let mut dx = [0; 5];
    max::backward(&shape, &indices, &[1, 10, 100], &mut dx).unwrap();
    assert_eq!((y, dx), (vec![9, 9, 9], [0, 0, 111, 0, 0]));
}

#[test]
fn row_5_5_padding_nan_and_the_least_integer() {
    // Padding never wins, not even over the least number.
    let padded =
        Window2d::over(Image::sequence(2, 1), WindowSize::taps(2)).padding(0, 0, 3, 0).stride(1, 2).pool().unwrap();
    let (y, indices) = pool(&padded, &[-128, -127]);
    // The first window sees padding alone: 0, and no gradient.
    assert_eq!(y, [0, -128]);
    let mut dx = [0; 2];
    max::backward(&padded, &indices, &[7, 5], &mut dx).unwrap();
    assert_eq!(dx, [5, 0]);

    let shape = Window2d::over(Image::sequence(4, 1), WindowSize::taps(4)).pool().unwrap();
    let (y, indices) = pool(&shape, &[1.0, f64::NAN, f64::INFINITY, f64::NAN]);
    assert!(y[0].is_nan());
    let mut dx = [0.0; 4];
    max::backward(&shape, &indices, &[1.0], &mut dx).unwrap();
    assert_eq!(dx, [0.0, 1.0, 0.0, 0.0], "the first NaN");
}

/// argmax as a function of x: its differences are 0, and the surrogate that has a gradient is softmax(x/τ).
#[test]
fn row_5_5_argmax_has_no_gradient() {
    let x = [0.3, 2.0, -1.0, 1.9];
    let argmax = |x: &[f64]| (0..4).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap() as f64;
    for i in 0..4 {
        let mut moved = x;
        moved[i] += 1e-6;
        assert_eq!(argmax(&moved), argmax(&x), "the wrong variant, a gradient of argmax, has nothing to be");
    }
    // p = softmax(x/τ), from the gradient of the cross-entropy at full smoothing's opposite: p − onehot.
    let tau = 0.1;
    let mut d = [0.0; 4];
    cross_entropy(&Rows::new(1, 4).unwrap(), 0.0, &x.map(|x| x / tau), &[1], &mut d).unwrap();
    d[1] += 1.0;
    close(&d, &[0.0, 0.731_059, 0.0, 0.268_941], 1e-6);
}

/// Softmax and cross-entropy: (1, 2, 3), label 0.
#[test]
fn row_5_5_softmax_cross_entropy_figures() {
    let mut d = [0.0; 3];
    let value = cross_entropy(&Rows::new(1, 3).unwrap(), 0.0, &[1.0, 2.0, 3.0], &[0], &mut d).unwrap();
    close(&[value], &[2.407_605_964], 1e-9);
    close(&d, &[-0.909_969_43, 0.244_728_47, 0.665_240_96], 1e-8);
    close(&[d.iter().sum()], &[0.0], 1e-15);
    let mut single = [0.0_f32; 3];
    cross_entropy(&Rows::new(1, 3).unwrap(), 0.0, &[1.0, 2.0, 3.0], &[0], &mut single).unwrap();
    assert!(single.iter().sum::<f32>().abs() < 1e-7);
}
