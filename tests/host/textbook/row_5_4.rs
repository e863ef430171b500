//! 5.4: a convolution is an affine map, vec(Y) = C·vec(X).

use host_tests::gradient::{below, integers};
use host_tests::shapes;
use smolnn_core::{Conv2dShape, Image, Window2d, WindowSize};
use smolnn_float::conv::{conv2d, im2col};
use smolnn_float::{Gradients, Number};

use crate::generator;

/// The matrix C of a convolution, output × input: its columns are the outputs of unit vectors.
fn matrix<T: Number>(shape: &Conv2dShape, weights: &[T], one: T) -> Vec<Vec<T>> {
    let mut columns = vec![vec![T::default(); shape.input_len()]; shape.output_len()];
    for input in 0..shape.input_len() {
        let mut unit = vec![T::default(); shape.input_len()];
        unit[input] = one;
        let mut y = vec![T::default(); shape.output_len()];
        conv2d::forward(shape, weights, None, &unit, &mut y).unwrap();
        for (row, y) in columns.iter_mut().zip(y) {
            row[input] = y;
        }
    }
    columns
}

fn valid() -> Conv2dShape {
    Window2d::over(Image::hwc(3, 3, 1), WindowSize::hw(2, 2)).conv(1).unwrap()
}

#[test]
fn row_5_4_figures() {
    let c = matrix(&valid(), &[1, 2, 3, 4], 1);
    assert_eq!(
        c,
        [
            [1, 2, 0, 3, 4, 0, 0, 0, 0],
            [0, 1, 2, 0, 3, 4, 0, 0, 0],
            [0, 0, 0, 1, 2, 0, 3, 4, 0],
            [0, 0, 0, 0, 1, 2, 0, 3, 4]
        ]
    );
    let x: Vec<i32> = (1..=9).collect();
    let y: Vec<i32> = c.iter().map(|row| row.iter().zip(&x).map(|(c, x)| c * x).sum()).collect();
    assert_eq!(y, [37, 47, 67, 77]);

    let (x, w, g) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], [1.0, 2.0, 3.0, 4.0], [1.0, -1.0, 2.0, 0.5]);
    let (mut dx, mut dw, mut db) = ([0.0; 9], [0.0; 4], [0.0]);
    let gradients = Gradients { input: Some(&mut dx), weights: Some(&mut dw), bias: Some(&mut db) };
    conv2d::backward(&valid(), &w, &x, &g, gradients).unwrap();
    assert_eq!(dx, [1.0, 1.0, -2.0, 5.0, 5.5, -3.0, 6.0, 9.5, 2.0]);
    assert_eq!(dw, [9.5, 12.0, 17.0, 19.5]);
    assert_eq!(db, [2.5]);
}

/// Forward is C, backward is Cᵀ, im2col is what C's rows select: exactly, for any shape.
#[test]
fn row_5_4_forward_and_backward_are_one_matrix() {
    let mut random = generator(54);
    for _ in 0..60 {
        let shape = shapes::conv2d(&mut random);
        let (w, g) = (integers(&mut random, shape.weights()), integers(&mut random, shape.output_len()));
        let c = matrix(&shape, &w, 1);
        let mut dx = vec![0; shape.input_len()];
        let gradients = Gradients { input: Some(&mut dx), ..Gradients::default() };
        conv2d::backward(&shape, &w, &vec![0; shape.input_len()], &g, gradients).unwrap();
        let transposed: Vec<i64> =
            (0..dx.len()).map(|input| c.iter().zip(&g).map(|(row, g)| row[input] * g).sum()).collect();
        assert_eq!(dx, transposed, "{shape:?}");
        if shape.groups() == 1 {
            let row = below(&mut random, shape.batch() * shape.output().height);
            let x = integers(&mut random, shape.input_len());
            let mut patches = vec![0; im2col::scratch_len(&shape)];
            im2col::im2col(&shape, row, &x, &mut patches).unwrap();
            for (pixel, patch) in patches.chunks_exact(shape.depth()).enumerate() {
                for (o, filter) in w.chunks_exact(shape.depth()).enumerate() {
                    let product: i64 = patch.iter().zip(filter).map(|(p, w)| p * w).sum();
                    let output = (row * shape.output().width + pixel) * shape.output().channels + o;
                    let through: i64 = c[output].iter().zip(&x).map(|(c, x)| c * x).sum();
                    assert_eq!(product, through);
                }
            }
        }
    }
}

/// Y = Σ_v T_v·A·S_v with T_v = [[w₁ᵥ, w₂ᵥ, 0], [0, w₁ᵥ, w₂ᵥ]], and S_v selecting columns v and v + 1.
fn sum_form(w: &[[i64; 2]; 2], a: &[[i64; 3]; 3], transpose_rows: bool) -> [i64; 4] {
    let mut y = [0; 4];
    for v in 0..2 {
        let mut t = [[w[0][v], w[1][v], 0], [0, w[0][v], w[1][v]]];
        if transpose_rows && v == 1 {
            t.swap(0, 1);
        }
        for i in 0..2 {
            for j in 0..2 {
                y[i * 2 + j] += (0..3).map(|k| t[i][k] * a[k][j + v]).sum::<i64>();
            }
        }
    }
    y
}

#[test]
fn row_5_4_sum_form_and_its_wrong_variant() {
    let mut random = generator(55);
    let mut rejected = 0;
    for _ in 0..100 {
        let (w, x) = (integers(&mut random, 4), integers(&mut random, 9));
        let mut y = [0; 4];
        conv2d::forward(&valid(), &w, None, &x, &mut y).unwrap();
        let (w, a) = ([[w[0], w[1]], [w[2], w[3]]], [[x[0], x[1], x[2]], [x[3], x[4], x[5]], [x[6], x[7], x[8]]]);
        assert_eq!(sum_form(&w, &a, false), y);
        // The wrong variants: T₂ with its rows exchanged; kernel and input exchanged in T and A.
        rejected += u32::from(sum_form(&w, &a, true) != y);
    }
    assert!(rejected > 90, "only {rejected} of 100 wrong forms differ");
}
