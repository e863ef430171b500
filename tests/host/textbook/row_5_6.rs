//! 5.6: the backward pass of a convolution.

use host_tests::gradient::{Backward, Operator, inner, integers, reals};
use host_tests::shapes;
use smolnn_core::{Conv2dShape, Image, Window2d, WindowSize};
use smolnn_float::conv::conv2d;
use smolnn_float::conv::plane::{Mode, Plane, cross_correlate};
use smolnn_float::{Gradients, Number};

use crate::generator;

fn gradients<T: Number>(shape: &Conv2dShape, w: &[T], x: &[T], g: &[T]) -> [Vec<T>; 3] {
    let mut all = [x.len(), w.len(), shape.output().channels].map(|length| vec![T::default(); length]);
    let [dx, dw, db] = &mut all;
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    conv2d::backward(shape, w, x, g, gradients).unwrap();
    all
}

#[test]
fn row_5_6_strided_and_padded_figures() {
    let shape =
        Window2d::over(Image::hwc(4, 4, 1), WindowSize::hw(3, 3)).padding(1, 1, 1, 1).stride(2, 2).conv(1).unwrap();
    let x: Vec<i64> = (0..16).collect();
    let mut y = [0; 4];
    conv2d::forward(&shape, &[1; 9], None, &x, &mut y).unwrap();
    assert_eq!(y, [10, 24, 51, 90]);
    let [dx, dw, db] = gradients(&shape, &[1; 9], &x, &[1; 4]);
    assert_eq!(dx, [1, 2, 1, 1, 2, 4, 2, 2, 1, 2, 1, 1, 1, 2, 1, 1]);
    assert_eq!(dw, [5, 10, 12, 10, 20, 24, 18, 36, 40]);
    assert_eq!(db, [4]);
}

/// One map of many channels, as a plane's elements.
fn channel(tensor: &[i64], channel: usize, channels: usize) -> Vec<i64> {
    tensor.iter().skip(channel).step_by(channels).copied().collect()
}

fn correlate(kernel: Plane<'_, i64>, image: Plane<'_, i64>, mode: Mode) -> Vec<i64> {
    let (height, width) = mode.output(image.size(), kernel.size()).unwrap();
    let mut output = vec![0; height * width];
    cross_correlate(kernel, image, mode, &mut output).unwrap();
    output
}

/// ∂L/∂W^{p,d} = valid(δ^p ⋆ A^d); δ^d = Σ_p full(rot180(W^{p,d}) ⋆ δ^p): the textbook's form, with planes, for stride 1.
#[test]
fn row_5_6_textbook_form() {
    let mut random = generator(56);
    for (maps_in, maps_out, side, k) in [(1, 1, 3, 2), (3, 2, 5, 3), (2, 4, 4, 1), (4, 3, 6, 2)] {
        let shape = Window2d::over(Image::hwc(side, side, maps_in), WindowSize::hw(k, k)).conv(maps_out).unwrap();
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let g = integers(&mut random, shape.output_len());
        let [dx, dw, db] = gradients(&shape, &w, &x, &g);
        let out = side - k + 1;
        for d in 0..maps_in {
            let image = channel(&x, d, maps_in);
            let mut sum = vec![0; side * side];
            for p in 0..maps_out {
                let delta = channel(&g, p, maps_out);
                let kernel = channel(&w[p * shape.depth()..][..shape.depth()], d, maps_in);
                let (delta, kernel) = (Plane::new(out, out, &delta).unwrap(), Plane::new(k, k, &kernel).unwrap());
                let image = Plane::new(side, side, &image).unwrap();
                assert_eq!(
                    channel(&dw[p * shape.depth()..][..shape.depth()], d, maps_in),
                    correlate(delta, image, Mode::Valid)
                );
                for (sum, value) in sum.iter_mut().zip(correlate(kernel.rot180(), delta, Mode::Full)) {
                    *sum += value;
                }
            }
            assert_eq!(channel(&dx, d, maps_in), sum);
        }
        for (p, &db) in db.iter().enumerate() {
            assert_eq!(db, channel(&g, p, maps_out).iter().sum::<i64>());
        }
    }
}

/// The adjoint identity ⟨G, conv(X)⟩ = ⟨convᵀ(G), X⟩, exactly, in 32 and 64 bits.
#[test]
fn row_5_6_adjoint_identity_is_exact() {
    let mut random = generator(57);
    for _ in 0..200 {
        let shape = shapes::conv2d(&mut random);
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let g = integers(&mut random, shape.output_len());
        let mut y = vec![0; g.len()];
        conv2d::forward(&shape, &w, None, &x, &mut y).unwrap();
        assert_eq!(inner(&g, &y), inner(&gradients(&shape, &w, &x, &g)[0], &x), "{shape:?}");
        let narrow = |v: &[i64]| v.iter().map(|&v| v as i32).collect::<Vec<_>>();
        let [dx, dw, _] = gradients(&shape, &narrow(&w), &narrow(&x), &narrow(&g));
        let [wide_dx, wide_dw, _] = gradients(&shape, &w, &x, &g);
        assert_eq!((dx, dw), (narrow(&wide_dx), narrow(&wide_dw)));
    }
}

/// A backward pass that is wrong in one of the ways that are common in print.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// Wᵀ of each kernel in place of rot180(W).
    TransposedKernel,
    /// The kernel as it is, not rotated.
    UnrotatedKernel,
    /// δ^d = Σ over input maps, of W^{d,·}, in place of Σ over output maps.
    SumOverInputMaps,
    /// The gradient of the bias left out.
    MissingBias,
    /// ∂L/∂W of one output pixel only.
    OnePixel,
}

fn wrong_backward(wrong: Wrong, shape: &Conv2dShape, w: &[f64], x: &[f64], g: &[f64]) -> Vec<Vec<f64>> {
    let (k, maps) = (shape.rows().kernel(), shape.input().channels);
    let mut other = w.to_vec();
    for o in 0..maps {
        for u in 0..k {
            for v in 0..k {
                for c in 0..maps {
                    let at = |o: usize, u: usize, v: usize, c: usize| ((o * k + u) * k + v) * maps + c;
                    other[at(o, u, v, c)] = match wrong {
                        Wrong::TransposedKernel => w[at(o, k - 1 - v, k - 1 - u, c)],
                        Wrong::UnrotatedKernel => w[at(o, k - 1 - u, k - 1 - v, c)],
                        Wrong::SumOverInputMaps => w[at(c, u, v, o)],
                        _ => w[at(o, u, v, c)],
                    };
                }
            }
        }
    }
    let [dx, mut dw, mut db] = gradients(shape, &other, x, g);
    match wrong {
        Wrong::MissingBias => db.fill(0.0),
        Wrong::OnePixel => {
            let mut one = vec![0.0; g.len()];
            one[..maps].copy_from_slice(&g[..maps]);
            dw = gradients(shape, w, x, &one)[1].clone();
        }
        _ => {}
    }
    vec![dx, dw, db]
}

#[test]
fn row_5_6_wrong_variants_are_rejected() {
    let mut random = generator(58);
    let shape = Window2d::over(Image::hwc(5, 5, 3), WindowSize::hw(3, 3)).conv(3).unwrap();
    let inputs = vec![
        reals(&mut random, shape.input_len()),
        reals(&mut random, shape.weights()),
        reals(&mut random, shape.output().channels),
    ];
    let forward = |t: &[Vec<f64>]| {
        let mut y = vec![0.0; shape.output_len()];
        conv2d::forward(&shape, &t[1], Some(&t[2]), &t[0], &mut y).unwrap();
        y
    };
    let mut check = |name: &str, backward: Backward<'_>| {
        Operator { name: name.into(), inputs: inputs.clone(), forward: &forward, backward }.check(&mut random)
    };
    check("right", &|t, g| gradients(&shape, &t[1], &t[0], g).to_vec()).unwrap();
    for wrong in
        [Wrong::TransposedKernel, Wrong::UnrotatedKernel, Wrong::SumOverInputMaps, Wrong::MissingBias, Wrong::OnePixel]
    {
        let found = check(&format!("{wrong:?}"), &|t, g| wrong_backward(wrong, &shape, &t[1], &t[0], g));
        println!("{}", found.as_ref().expect_err("the check must reject it"));
    }
}

/// Fused descent takes ∂L/∂X from the old W; taken from the new one it is wrong.
#[test]
fn row_5_6_fused_descent_uses_the_old_weights() {
    let mut random = generator(59);
    let shape = Window2d::over(Image::hwc(4, 4, 2), WindowSize::hw(2, 2)).conv(2).unwrap();
    let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
    let g = integers(&mut random, shape.output_len());
    let [expected, dw, _] = gradients(&shape, &w, &x, &g);
    let mut moved = w.clone();
    let mut dx = vec![0; x.len()];
    conv2d::backward_sgd(&shape, 1, &mut moved, None, &x, &g, Some(&mut dx)).unwrap();
    assert_eq!(dx, expected);
    assert_eq!(moved, w.iter().zip(&dw).map(|(w, d)| w - d).collect::<Vec<_>>());
    assert_ne!(gradients(&shape, &moved, &x, &g)[0], expected, "the wrong order would show");
}
