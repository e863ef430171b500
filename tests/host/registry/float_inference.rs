//! The f32 kernels that only inference needs, on random shapes against naive loops in f64: within 1e-5, relative where the
//! result is above 1.

use host_tests::gradient::{between, reals};
use smolnn_core::{Axis, Broadcast, Comparison, Conv2dShape, Image, SequenceOrder, ShapeError, Window2d, WindowSize};
use smolnn_float::act::softmax_scaled;
use smolnn_float::axis::{arg_max, arg_min, cumsum};
use smolnn_float::conv::{conv2d, transposed};
use smolnn_float::elementwise::{self, Bounds, clamp};
use smolnn_float::l2_norm::l2_norm;
use smolnn_float::matmul::{MatmulShape, matmul};
use smolnn_float::pool::average::{self, Divisor};
use smolnn_float::pool::l2;
use smolnn_float::random::{Pcg32, SeedableRng};
use smolnn_float::reduce::{Reduction, reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum};
use smolnn_float::resize::{ResizeShape, Sampling, resize_bilinear, resize_nearest};
use smolnn_float::rnn::convert::{self, Format, Tensors};
use smolnn_float::rnn::{
    Cell, Gru, Keep, Lstm, LstmLayer, RecurrentLayer, Relu, ResetAfter, ResetBefore, Sequence, SimpleRnn, Svdf,
    SvdfWeights, Tanh, lstm_batch, recurrent_batch, svdf_batch,
};
use smolnn_float::{Real, Rows, rnn};
use smolnn_testkit::Random;

fn generator(seed: u64) -> Pcg32 {
    Pcg32::seed_from_u64(seed)
}

fn singles(random: &mut Pcg32, count: usize) -> Vec<f32> {
    reals(random, count).into_iter().map(|value| value as f32).collect()
}

#[track_caller]
fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let found = f64::from(found);
        let same = found == expected || found.is_nan() && expected.is_nan();
        assert!(
            same || (found - expected).abs() <= 1e-5 * expected.abs().max(1.0),
            "{what}: {found} instead of {expected} at {index}"
        );
    }
}

/// A shape of up to four axes.
fn random_shape(random: &mut Pcg32) -> Vec<usize> {
    (0..between(random, 1, 4)).map(|_| between(random, 1, 5)).collect()
}

/// The position of a multi-dimensional index in a tensor whose axes of length 1 repeat.
fn place(shape: &[usize], index: &[usize]) -> usize {
    let behind = index.len() - shape.len();
    shape.iter().zip(&index[behind..]).fold(0, |place, (&length, &i)| place * length + if length == 1 { 0 } else { i })
}

/// All indices of a shape, the last axis fastest.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let count: usize = shape.iter().product();
    (0..count)
        .map(|mut flat| {
            let mut index = vec![0; shape.len()];
            for (axis, &length) in shape.iter().enumerate().rev() {
                index[axis] = flat % length;
                flat /= length;
            }
            index
        })
        .collect()
}

type Exact = fn(f64, f64) -> f64;
type Binary = fn(&Broadcast<2>, &Bounds<f32>, &[f32], &[f32], &mut [f32]) -> Result<(), ShapeError>;

#[test]
fn functions_of_two_tensors_broadcast() {
    let mut random = generator(201);
    let functions: [(&str, Binary, Exact); 7] = [
        ("add", elementwise::add, |l, r| l + r),
        ("sub", elementwise::sub, |l, r| l - r),
        ("mul", elementwise::mul, |l, r| l * r),
        ("div", elementwise::div, |l, r| l / r),
        ("maximum", elementwise::maximum, f64::max),
        ("minimum", elementwise::minimum, f64::min),
        ("squared_difference", elementwise::squared_difference, |l, r| (l - r) * (l - r)),
    ];
    let mut repeated = 0;
    for case in 0..300 {
        let whole = random_shape(&mut random);
        // Either operand repeats along some axes, or lacks the first ones.
        let [left, right] = [0, 1].map(|_| {
            let start = between(&mut random, 0, whole.len());
            whole[start..]
                .iter()
                .map(|&length| if between(&mut random, 0, 2) == 0 { 1 } else { length })
                .collect::<Vec<_>>()
        });
        let Ok(shape) = Broadcast::new([&left, &right]) else { continue };
        let axes = left.len().max(right.len());
        let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(axes).map_or(1, |axis| shape[axis]);
        let output: Vec<usize> = (0..axes).map(|axis| at(&left, axis).max(at(&right, axis))).collect();
        repeated += usize::from(left != right);
        let x = singles(&mut random, left.iter().product());
        let y: Vec<f32> = singles(&mut random, right.iter().product())
            .into_iter()
            .map(|value| if value.abs() < 0.1 { 0.5 } else { value })
            .collect();
        let bounds = match case % 3 {
            0 => Bounds::NONE,
            1 => Bounds::RELU,
            _ => Bounds::RELU_N1_TO_1,
        };
        let mut found = vec![0.0; shape.output_len()];
        elementwise::prelu(&shape, &x, &y, &mut found).unwrap();
        let slope = |index: &Vec<usize>| f64::from(y[place(&right, index)]);
        let expected: Vec<f64> = indices(&output)
            .iter()
            .map(|index| (f64::from(x[place(&left, index)]), slope(index)))
            .map(|(x, slope)| if x < 0.0 { x * slope } else { x })
            .collect();
        close(&found, &expected, &format!("prelu of {left:?} and {right:?}"));
        for (name, kernel, formula) in functions {
            let mut found = vec![0.0; shape.output_len()];
            kernel(&shape, &bounds, &x, &y, &mut found).unwrap();
            let expected: Vec<f64> = indices(&output)
                .iter()
                .map(|index| {
                    let exact = formula(x[place(&left, index)].into(), y[place(&right, index)].into());
                    exact.clamp(bounds.low.into(), bounds.high.into())
                })
                .collect();
            close(&found, &expected, &format!("{name} of {left:?} and {right:?}"));
        }
    }
    assert!(repeated > 100, "only {repeated} operands repeat");
}

#[test]
fn functions_of_one_tensor() {
    let mut random = generator(202);
    let x = singles(&mut random, 500);
    type Unary = fn(&[f32], &mut [f32]) -> Result<(), ShapeError>;
    type Exact = fn(f64) -> f64;
    let functions: [(Unary, Exact); 13] = [
        (elementwise::abs, f64::abs),
        (elementwise::neg, |x| -x),
        (elementwise::square, |x| x * x),
        (elementwise::sqrt, f64::sqrt),
        (elementwise::rsqrt, |x| 1.0 / x.sqrt()),
        (elementwise::exp, f64::exp),
        (elementwise::log, f64::ln),
        (elementwise::sin, f64::sin),
        (elementwise::cos, f64::cos),
        // The f64 kernel is held by a table of its own.
        (elementwise::erf, smolnn_float::Real::erf),
        (elementwise::floor, f64::floor),
        (elementwise::ceil, f64::ceil),
        (elementwise::round, f64::round_ties_even),
    ];
    let inputs: Vec<f32> = x.iter().map(|x| 4.0 * x).chain([0.5, 1.5, -0.5, -2.5, 0.0]).collect();
    for (index, (kernel, formula)) in functions.into_iter().enumerate() {
        let mut found = vec![0.0; inputs.len()];
        kernel(&inputs, &mut found).unwrap();
        let expected: Vec<f64> = inputs.iter().map(|&x| formula(x.into())).collect();
        close(&found, &expected, &format!("function {index}"));
        assert!(kernel(&inputs, &mut [0.0]).is_err());
    }
    let mut y = [f32::NAN, -2.0, 9.0];
    let mut apart = [0.0; 3];
    elementwise::clamped(&Bounds::RELU6, &y, &mut apart).unwrap();
    assert!(apart[0].is_nan() && apart[1..] == [0.0, 6.0]);
    clamp(&Bounds::RELU6, &mut y);
    assert!(y[0].is_nan() && y[1..] == [0.0, 6.0]);
}

#[test]
fn reductions_over_any_axes() {
    let mut random = generator(203);
    type Reduce = fn(&Reduction, &[f32], &mut [f32]) -> Result<(), ShapeError>;
    let functions: [(&str, Reduce, f64, Exact); 5] = [
        ("sum", reduce_sum, 0.0, |sum, x| sum + x),
        ("mean", reduce_mean, 0.0, |sum, x| sum + x),
        ("prod", reduce_prod, 1.0, |product, x| product * x),
        ("max", reduce_max, f64::NEG_INFINITY, f64::max),
        ("min", reduce_min, f64::INFINITY, f64::min),
    ];
    for _ in 0..300 {
        let shape = random_shape(&mut random);
        let axes: Vec<usize> = (0..shape.len()).filter(|_| between(&mut random, 0, 1) == 1).collect();
        let reduction = Reduction::over(&shape, &axes).unwrap();
        let x = singles(&mut random, shape.iter().product());
        let kept: Vec<usize> =
            shape.iter().enumerate().map(|(axis, &length)| if axes.contains(&axis) { 1 } else { length }).collect();
        let count = shape.iter().product::<usize>() / kept.iter().product::<usize>();
        for (name, kernel, start, formula) in functions {
            let mut found = vec![0.0; reduction.output_len()];
            kernel(&reduction, &x, &mut found).unwrap();
            let mut expected = vec![start; kept.iter().product()];
            for index in indices(&shape) {
                let y = &mut expected[place(&kept, &index)];
                *y = formula(*y, x[place(&shape, &index)].into());
            }
            if name == "mean" {
                expected.iter_mut().for_each(|y| *y /= count as f64);
            }
            close(&found, &expected, &format!("{name} of {shape:?} along {axes:?}"));
        }
    }
    assert!(Reduction::over(&[2, 3], &[2]).is_err());
    assert_eq!(Reduction::new(2, 3, 4).map(|reduction| reduction.output_len()), Ok(8));
}

#[test]
fn sums_and_extremes_along_an_axis() {
    let mut random = generator(213);
    for case in 0..100 {
        let [outer, length, inner] = [3, 6, 4].map(|most| between(&mut random, 1, most));
        let axis = Axis::new(outer, length, inner).unwrap();
        let (exclusive, reverse) = (case & 1 == 1, case & 2 == 2);
        // Whole numbers, so that some are equal.
        let x: Vec<f32> = singles(&mut random, axis.elements()).into_iter().map(|x| (3.0 * x).round()).collect();
        let (mut sums, mut most, mut least) = (vec![0.0; x.len()], vec![0; axis.without()], vec![0; axis.without()]);
        cumsum(&axis, exclusive, reverse, &x, &mut sums).unwrap();
        arg_max(&axis, &x, &mut most).unwrap();
        arg_min(&axis, &x, &mut least).unwrap();
        let at = |line: usize, index: usize| (line / inner * length + index) * inner + line % inner;
        let mut expected = vec![0.0; x.len()];
        for line in 0..axis.without() {
            let values: Vec<f32> = (0..length).map(|index| x[at(line, index)]).collect();
            for index in 0..length {
                let seen = if reverse { index..length } else { 0..index + 1 };
                let own = if exclusive { f64::from(values[index]) } else { 0.0 };
                expected[at(line, index)] = values[seen].iter().map(|&x| f64::from(x)).sum::<f64>() - own;
            }
            let first = |value: f32| values.iter().position(|&x| x == value).unwrap() as i32;
            assert_eq!(most[line], first(values.iter().copied().fold(f32::NEG_INFINITY, f32::max)));
            assert_eq!(least[line], first(values.iter().copied().fold(f32::INFINITY, f32::min)));
        }
        close(&sums, &expected, &format!("{axis:?}"));
    }
}

#[test]
fn comparisons_and_quotients_rounded_down() {
    let shape = Broadcast::new([&[6], &[6]]).unwrap();
    let (x, y) = ([7.0, -7.0, 7.0, -7.0, 2.0, f32::NAN], [2.0, 2.0, -2.0, -2.0, 2.0, 1.0]);
    let (mut found, mut holds) = ([0.0; 6], [0; 6]);
    elementwise::floor_div(&shape, &x, &y, &mut found).unwrap();
    assert_eq!(found[..5], [3.0, -4.0, -4.0, 3.0, 1.0]);
    elementwise::floor_mod(&shape, &x, &y, &mut found).unwrap();
    assert_eq!(found[..5], [1.0, 1.0, -1.0, -1.0, 0.0]);
    assert!(found[5].is_nan());
    elementwise::power(&shape, &x, &y, &mut found).unwrap();
    assert_eq!(found[..5], [49.0, 49.0, 1.0 / 49.0, 1.0 / 49.0, 4.0]);
    assert!(found[5].is_nan());
    for (comparison, expected) in [
        (Comparison::Equal, [0, 0, 0, 0, 1, 0]),
        (Comparison::NotEqual, [1, 1, 1, 1, 0, 1]),
        (Comparison::Less, [0, 1, 0, 1, 0, 0]),
        (Comparison::LessEqual, [0, 1, 0, 1, 1, 0]),
        (Comparison::Greater, [1, 0, 1, 0, 0, 0]),
        (Comparison::GreaterEqual, [1, 0, 1, 0, 1, 0]),
    ] {
        elementwise::compare(&shape, comparison, &x, &y, &mut holds).unwrap();
        assert_eq!(holds, expected, "{comparison:?}");
    }
}

#[test]
fn roots_of_mean_squares() {
    let shape = Window2d::over(Image::hwc(3, 3, 1), WindowSize::hw(2, 2)).same().pool().unwrap();
    let x: Vec<f32> = (1..=9).map(|value| value as f32).collect();
    let mut found = vec![0.0; 9];
    l2::forward(&shape, &x, &mut found).unwrap();
    let root = |values: &[f64]| (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt();
    let expected = [
        root(&[1.0, 2.0, 4.0, 5.0]),
        root(&[2.0, 3.0, 5.0, 6.0]),
        root(&[3.0, 6.0]),
        root(&[4.0, 5.0, 7.0, 8.0]),
        root(&[5.0, 6.0, 8.0, 9.0]),
        root(&[6.0, 9.0]),
        root(&[7.0, 8.0]),
        root(&[8.0, 9.0]),
        9.0,
    ];
    close(&found, &expected, "l2");
}

#[test]
fn rows_of_length_one() {
    let mut random = generator(204);
    let shape = Rows::new(7, 5).unwrap();
    let mut x = singles(&mut random, 35);
    x[..5].fill(0.0);
    let mut found = vec![0.0; 35];
    l2_norm(&shape, &x, &mut found).unwrap();
    let expected: Vec<f64> = x
        .chunks(5)
        .flat_map(|row| {
            let norm = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-6);
            row.iter().map(move |&x| f64::from(x) / norm)
        })
        .collect();
    close(&found, &expected, "l2_norm");
}

#[test]
fn softmax_of_scaled_rows() {
    let mut random = generator(210);
    let shape = Rows::new(4, 7).unwrap();
    let (x, beta) = (singles(&mut random, 28), 2.5);
    let mut found = vec![0.0; 28];
    softmax_scaled(&shape, beta, &x, &mut found).unwrap();
    let expected: Vec<f64> = x
        .chunks(7)
        .flat_map(|row| {
            let power = |&x: &f32| (f64::from(beta) * f64::from(x)).exp();
            let sum: f64 = row.iter().map(power).sum();
            row.iter().map(move |x| power(x) / sum)
        })
        .collect();
    close(&found, &expected, "softmax_scaled");
}

#[test]
fn batches_of_matrices_broadcast() {
    let mut random = generator(211);
    for [left, right] in [[&[2, 1, 3][..], &[1, 4, 3]], [&[5], &[]], [&[], &[2, 2]], [&[1, 3], &[2, 1]]] {
        let shape = MatmulShape::over([left, right], 2, 3, 2, false, false).unwrap();
        let [a, b, y] = shape.lengths();
        let (a, b, mut found) = (singles(&mut random, a), singles(&mut random, b), vec![0.0; y]);
        matmul(&shape, &a, &b, &mut found).unwrap();
        let axes = left.len().max(right.len());
        let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(axes).map_or(1, |axis| shape[axis]);
        let batches: Vec<usize> = (0..axes).map(|axis| at(left, axis).max(at(right, axis))).collect();
        let mut expected = Vec::new();
        for index in indices(&batches) {
            let (a, b) = (&a[6 * place(left, &index)..], &b[6 * place(right, &index)..]);
            for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let product = |k: usize| f64::from(a[row * 3 + k]) * f64::from(b[k * 2 + column]);
                expected.push((0..3).map(product).sum::<f64>());
            }
        }
        close(&found, &expected, &format!("{left:?} and {right:?}"));
    }
    assert!(MatmulShape::over([&[2], &[3]], 1, 1, 1, false, false).is_err());
}

#[test]
fn matrices_in_every_layout() {
    let mut random = generator(205);
    for case in 0..200 {
        let [batch, rows, depth, columns] = [3, 9, 20, 9].map(|most| between(&mut random, 1, most));
        let mut shape = MatmulShape::new(batch, rows, depth, columns).unwrap();
        let (left_transposed, right_transposed) = (case & 1 == 1, case & 2 == 2);
        shape = if left_transposed { shape.left_transposed() } else { shape };
        shape = if right_transposed { shape.right_transposed() } else { shape };
        let [a, b, y] = shape.lengths();
        let (a, b, mut found) = (singles(&mut random, a), singles(&mut random, b), vec![0.0; y]);
        matmul(&shape, &a, &b, &mut found).unwrap();
        let mut expected = Vec::new();
        for batch in 0..batch {
            for i in 0..rows {
                for j in 0..columns {
                    expected.push(
                        (0..depth)
                            .map(|k| {
                                let left = if left_transposed { k * rows + i } else { i * depth + k };
                                let right = if right_transposed { j * depth + k } else { k * columns + j };
                                f64::from(a[batch * rows * depth + left])
                                    * f64::from(b[batch * depth * columns + right])
                            })
                            .sum::<f64>(),
                    );
                }
            }
        }
        close(&found, &expected, &format!("{shape:?}"));
    }
}

/// An input position in f32 as TensorFlow Lite computes it, from which everything else follows.
fn position(input: usize, output: usize, sampling: Sampling, index: usize, nearest: bool) -> f32 {
    let aligned = sampling.align_corners && output > 1;
    let scale = if aligned { (input - 1) as f32 / (output - 1) as f32 } else { input as f32 / output as f32 };
    match (sampling.half_pixel_centers, nearest) {
        (true, true) => (index as f32 + 0.5) * scale,
        (true, false) => (index as f32 + 0.5) * scale - 0.5,
        _ => index as f32 * scale,
    }
}

#[test]
fn images_of_any_size() {
    let mut random = generator(206);
    for case in 0..300 {
        let sampling = Sampling { align_corners: case % 3 == 1, half_pixel_centers: case % 3 == 2 };
        let input = Image::hwc(between(&mut random, 1, 8), between(&mut random, 1, 8), between(&mut random, 1, 4));
        let (rows, columns, batch) =
            (between(&mut random, 1, 12), between(&mut random, 1, 12), between(&mut random, 1, 2));
        let shape = ResizeShape::new(batch, input, rows, columns, sampling).unwrap();
        let x = singles(&mut random, shape.input_len());
        let pixel = |image: usize, row: usize, column: usize, channel: usize| {
            f64::from(x[((image * input.height + row) * input.width + column) * input.channels + channel])
        };
        let (mut bilinear, mut nearest) = (Vec::new(), Vec::new());
        for image in 0..batch {
            for i in 0..rows {
                for j in 0..columns {
                    for channel in 0..input.channels {
                        let y = position(input.height, rows, sampling, i, false);
                        let x = position(input.width, columns, sampling, j, false);
                        let ends = |p: f32, last: usize| {
                            let lower = (p.floor().max(0.0) as usize).min(last);
                            (lower, (p.ceil().max(0.0) as usize).min(last), f64::from(p) - lower as f64)
                        };
                        let ((top, bottom, down), (left, right, along)) =
                            (ends(y, input.height - 1), ends(x, input.width - 1));
                        bilinear.push(
                            pixel(image, top, left, channel) * (1.0 - down) * (1.0 - along)
                                + pixel(image, bottom, left, channel) * down * (1.0 - along)
                                + pixel(image, top, right, channel) * (1.0 - down) * along
                                + pixel(image, bottom, right, channel) * down * along,
                        );
                        let whole = |input: usize, output: usize, index: usize| {
                            let p = position(input, output, sampling, index, true);
                            (if sampling.align_corners { p.round() } else { p.floor() } as usize).min(input - 1)
                        };
                        nearest.push(pixel(
                            image,
                            whole(input.height, rows, i),
                            whole(input.width, columns, j),
                            channel,
                        ));
                    }
                }
            }
        }
        let mut found = vec![0.0; shape.output_len()];
        resize_bilinear(&shape, &x, &mut found).unwrap();
        close(&found, &bilinear, &format!("bilinear, {shape:?}"));
        resize_nearest(&shape, &x, &mut found).unwrap();
        close(&found, &nearest, &format!("nearest, {shape:?}"));
    }
    let both = Sampling { align_corners: true, half_pixel_centers: true };
    assert!(ResizeShape::new(1, Image::hwc(2, 2, 1), 3, 3, both).is_err());
}

#[test]
fn svdf_over_sequences() {
    let mut random = generator(207);
    for case in 0..100 {
        let [inputs, units, rank, memory] = [12, 6, 3, 7].map(|most| between(&mut random, 1, most));
        let layer = Svdf::new(inputs, units, rank, memory).unwrap();
        let feature = singles(&mut random, layer.filters() * inputs);
        let (time, bias) = (singles(&mut random, layer.state()), singles(&mut random, units));
        let weights = SvdfWeights { feature: &feature, time: &time, bias: (case % 2 == 0).then_some(&bias) };
        let bounds = if case % 3 == 0 { Bounds::RELU } else { Bounds::NONE };
        let (mut state, mut output) = (vec![0.0; layer.state()], vec![0.0; units]);
        // What each filter has seen, the newest first.
        let mut seen = vec![Vec::new(); layer.filters()];
        for _ in 0..2 * memory {
            let x = singles(&mut random, inputs);
            layer.step(&weights, &bounds, &mut state, &x, &mut output).unwrap();
            for (filter, seen) in seen.iter_mut().enumerate() {
                let products = feature[filter * inputs..].iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                seen.insert(0, products.sum::<f64>());
            }
            let expected: Vec<f64> = (0..units)
                .map(|unit| {
                    let sums = (unit * rank..(unit + 1) * rank).flat_map(|filter| {
                        let time = time[filter * memory..(filter + 1) * memory].iter().rev();
                        seen[filter].iter().zip(time).map(|(&s, &w)| s * f64::from(w)).collect::<Vec<_>>()
                    });
                    let bias = weights.bias.map_or(0.0, |bias| bias[unit].into());
                    (bias + sums.sum::<f64>()).clamp(bounds.low.into(), bounds.high.into())
                })
                .collect();
            close(&output, &expected, &format!("{layer:?}"));
        }
    }
}

/// The operator's own equations, gate by gate, with its tensors in the order i, f, c, o.
#[test]
fn lstm_of_tensorflow_lite() {
    let mut random = generator(208);
    for case in 0..40 {
        let [inputs, hidden, outputs, steps] = [5, 6, 4, 6].map(|most| between(&mut random, 1, most));
        let (peephole, projected) = (case % 2 == 1, case % 4 > 1);
        let mut cell = Lstm::new(inputs, hidden).unwrap();
        cell = if peephole { cell.peephole() } else { cell };
        cell = if projected { cell.projection(outputs).unwrap() } else { cell };
        let sizes = cell.sizes();
        let outputs = sizes.outputs;
        let w = singles(&mut random, 4 * hidden * inputs);
        let u = singles(&mut random, 4 * hidden * outputs);
        let b = singles(&mut random, 4 * hidden);
        let (p, projection) = (singles(&mut random, 3 * hidden), singles(&mut random, outputs * hidden));
        let tensors = Tensors {
            bias: Some(&b),
            peephole: peephole.then_some(&p),
            projection: projected.then_some(&projection),
            ..Tensors::new(&w, &u)
        };
        let mut parameters = vec![0.0; sizes.parameters()];
        convert::lstm(&cell, Format::TensorFlowLite, &tensors, &mut parameters).unwrap();
        let x = singles(&mut random, steps * inputs);
        let (mut state, mut found) = (vec![0.0; sizes.state()], vec![0.0; steps * outputs]);
        let mut scratch = vec![0.0; sizes.step_scratch()];
        let sequence: Sequence<rnn::Lstm> = Sequence::new(cell, steps, Keep::States).unwrap();
        sequence.infer(&parameters, &mut state, &x, &mut found, &mut scratch).unwrap();

        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (mut h, mut c, mut expected) = (vec![0.0; outputs], vec![0.0; hidden], Vec::new());
        for x in x.chunks(inputs) {
            let gate = |gate: usize, unit: usize| {
                let row = gate * hidden + unit;
                let from_input: f64 =
                    x.iter().zip(&w[row * inputs..]).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
                let from_state: f64 = h.iter().zip(&u[row * outputs..]).map(|(&h, &u)| h * f64::from(u)).sum();
                from_input + from_state + f64::from(b[row])
            };
            let hole = |gate: usize, unit: usize, c: f64| {
                if peephole { f64::from(p[gate * hidden + unit]) * c } else { 0.0 }
            };
            let mut m = vec![0.0; hidden];
            let mut next = c.clone();
            for unit in 0..hidden {
                let i = sigmoid(gate(0, unit) + hole(0, unit, c[unit]));
                let f = sigmoid(gate(1, unit) + hole(1, unit, c[unit]));
                next[unit] = f * c[unit] + i * gate(2, unit).tanh();
                let o = sigmoid(gate(3, unit) + hole(2, unit, next[unit]));
                m[unit] = o * next[unit].tanh();
            }
            c = next;
            h = if projected {
                let row = |row: &[f32]| row.iter().zip(&m).map(|(&p, &m)| f64::from(p) * m).sum();
                projection.chunks(hidden).map(row).collect()
            } else {
                m
            };
            expected.extend_from_slice(&h);
        }
        close(&found, &expected, &format!("{cell:?}"));
    }
}

/// SAME padding of TensorFlow Lite: an average is over the taps inside of the image alone.
#[test]
fn averages_count_what_lies_inside() {
    let shape = Window2d::over(Image::hwc(3, 3, 1), WindowSize::hw(2, 2)).same().pool().unwrap();
    let x: Vec<f32> = (1..=9).map(|value| value as f32).collect();
    let mut found = vec![0.0; 9];
    average::forward(&shape, Divisor::Input, &x, &mut found).unwrap();
    close(&found, &[3.0, 4.0, 4.5, 6.0, 7.0, 7.5, 7.5, 8.5, 9.0], "average");
}

/// The weights of TRANSPOSE_CONV lie `[channel out][row][column][channel in]`; the kernel takes them with the channels exchanged.
#[test]
fn transposed_convolution_of_tensorflow_lite() {
    let mut random = generator(209);
    for _ in 0..100 {
        let (inputs, outputs) = (between(&mut random, 1, 4), between(&mut random, 1, 4));
        let (rows, columns) = (between(&mut random, 1, 3), between(&mut random, 1, 3));
        let (stride, image) = (between(&mut random, 1, 2), between(&mut random, 3, 7));
        let window = Window2d::over(Image::hwc(image, image, outputs), WindowSize::hw(rows, columns));
        let shape: Conv2dShape = window.stride(stride, stride).same().conv(inputs).unwrap();
        let lite = singles(&mut random, shape.weights());
        let mut weights = lite.clone();
        for o in 0..outputs {
            for tap in 0..rows * columns {
                for i in 0..inputs {
                    weights[(i * rows * columns + tap) * outputs + o] = lite[(o * rows * columns + tap) * inputs + i];
                }
            }
        }
        let x = singles(&mut random, shape.output_len());
        let mut found = vec![0.0; shape.input_len()];
        transposed::forward(&shape, &weights, None, &x, &mut found).unwrap();
        // As the reference scatters: every input pixel times the kernel, added where it lands.
        let (small, before) = (shape.output(), (shape.rows().before(), shape.columns().before()));
        let mut expected = vec![0.0; shape.input_len()];
        for (index, &x) in x.iter().enumerate() {
            let (i, pixel) = (index % inputs, index / inputs);
            let (y, x_place) = (pixel / small.width, pixel % small.width);
            for tap in 0..rows * columns {
                let row = (y * stride + tap / columns).checked_sub(before.0).filter(|&row| row < image);
                let column = (x_place * stride + tap % columns).checked_sub(before.1).filter(|&column| column < image);
                let (Some(row), Some(column)) = (row, column) else { continue };
                for o in 0..outputs {
                    let w = lite[(o * rows * columns + tap) * inputs + i];
                    expected[(row * image + column) * outputs + o] += f64::from(x) * f64::from(w);
                }
            }
        }
        close(&found, &expected, &format!("{shape:?}"));
        // A convolution that is refused its lengths says so.
        assert!(
            conv2d::forward(&shape, &lite, None, &x, &mut found).is_err() || shape.input_len() == shape.output_len()
        );
    }
}

/// Where the vectors of a sequence lie, in the order in which the layer reads them: written out, not by the layer's own function.
fn positions(order: SequenceOrder, sequence: usize, (batch, steps): (usize, usize)) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..steps)
        .map(|step| if order.time_first { step * batch + sequence } else { sequence * steps + step })
        .collect();
    if order.reversed {
        positions.reverse();
    }
    positions
}

/// A batch of a cell whose state is its output: sequence by sequence what its steps give, bit for bit.
fn check_recurrent<C: Cell<f32> + std::fmt::Debug>(
    random: &mut Pcg32,
    (order, batch, steps): (SequenceOrder, usize, usize),
    cell: fn(usize, usize) -> Result<C, ShapeError>,
    layer: fn(usize, usize, usize, SequenceOrder) -> Result<RecurrentLayer<C>, ShapeError>,
) {
    let [inputs, hidden] = [5, 6].map(|most| between(random, 1, most));
    let (cell, layer) = (cell(inputs, hidden).unwrap(), layer(inputs, hidden, steps, order).unwrap());
    let parameters = singles(random, Cell::<f32>::sizes(&cell).parameters());
    let (x, start) = (singles(random, batch * steps * inputs), singles(random, batch * hidden));
    let (mut h, mut alone) = (start.clone(), start.clone());
    let (mut found, mut scratch) = (vec![0.0; batch * steps * hidden], vec![0.0; layer.scratch()]);
    recurrent_batch(&layer, &parameters, &mut h, &x, Some(&mut found), &mut scratch).unwrap();
    recurrent_batch(&layer, &parameters, &mut alone, &x, None, &mut scratch).unwrap();
    let mut expected = vec![0.0; found.len()];
    let mut last = start;
    for (sequence, state) in last.chunks_exact_mut(hidden).enumerate() {
        for at in positions(order, sequence, (batch, steps)) {
            cell.step(&parameters, state, &x[at * inputs..(at + 1) * inputs], &mut scratch).unwrap();
            expected[at * hidden..(at + 1) * hidden].copy_from_slice(state);
        }
    }
    assert_eq!((&found, &h, &alone), (&expected, &last, &last), "{layer:?}");
    assert!(recurrent_batch(&layer, &parameters, &mut h, &x[1..], None, &mut scratch).is_err());
}

/// A batch is sequence by sequence what the cell gives, and the clip bounds the cell before it is read.
#[test]
fn batches_of_sequences() {
    let mut random = generator(212);
    for case in 0..20 {
        let [batch, steps, inputs, hidden] = [3, 4, 5, 6].map(|most| between(&mut random, 1, most));
        let clip = if case % 3 == 0 { 0.0 } else { 0.25 };
        let order = SequenceOrder { time_first: case % 2 == 0, reversed: case % 4 < 2 };
        let layer = LstmLayer::new(inputs, hidden, steps, order, clip).unwrap();
        let cell = Lstm::new(inputs, hidden).unwrap();
        let parameters = singles(&mut random, cell.sizes().parameters());
        let x = singles(&mut random, batch * steps * inputs);
        let starts = [0, 1].map(|_| singles(&mut random, batch * hidden).iter().map(|x| x * 0.1).collect::<Vec<f32>>());
        let [mut h, mut c] = starts.clone();
        let (mut found, mut scratch) = (vec![0.0; batch * steps * hidden], vec![0.0; layer.scratch()]);
        lstm_batch(&layer, &parameters, &mut h, &mut c, &x, Some(&mut found), &mut scratch).unwrap();
        // One step at a time; the clipped cell is the state from which the next step goes on, and o · tanh of it is the output.
        let mut expected = vec![0.0; found.len()];
        for sequence in 0..batch {
            let mut state = starts.each_ref().map(|start| &start[sequence * hidden..][..hidden]).concat();
            for at in positions(order, sequence, (batch, steps)) {
                cell.step(&parameters, &mut state, &x[at * inputs..(at + 1) * inputs], &mut scratch).unwrap();
                let (h, c) = state.split_at_mut(hidden);
                for (h, c) in h.iter_mut().zip(c).filter(|(_, c)| clip > 0.0 && c.abs() > clip) {
                    let open = *h / c.tanh();
                    *c = c.clamp(-clip, clip);
                    *h = open * c.tanh();
                }
                for (y, &h) in expected[at * hidden..].iter_mut().zip(h.iter()) {
                    *y = f64::from(h);
                }
            }
        }
        close(&found, &expected, &format!("{layer:?}"));
        // The states alone are those of the last step that was read.
        let [mut h_alone, mut c_alone] = starts;
        lstm_batch(&layer, &parameters, &mut h_alone, &mut c_alone, &x, None, &mut scratch).unwrap();
        assert_eq!((&h_alone, &c_alone), (&h, &c));
        for sequence in 0..batch {
            let last = positions(order, sequence, (batch, steps))[steps - 1];
            assert_eq!(h[sequence * hidden..][..hidden], found[last * hidden..][..hidden]);
        }
        let order = (order, batch, steps);
        check_recurrent(&mut random, order, Gru::<ResetAfter>::new, RecurrentLayer::gru_reset_after);
        check_recurrent(&mut random, order, Gru::<ResetBefore>::new, RecurrentLayer::gru_reset_before);
        check_recurrent(&mut random, order, SimpleRnn::<Tanh>::new, RecurrentLayer::rnn_tanh);
        check_recurrent(&mut random, order, SimpleRnn::<Relu>::new, RecurrentLayer::rnn_relu);
    }
    let layer = Svdf::new(3, 2, 1, 4).unwrap();
    let (feature, time, x) = (singles(&mut random, 6), singles(&mut random, 8), singles(&mut random, 6));
    let mut state = singles(&mut random, 16);
    let mut alone = state.clone();
    let (mut found, mut expected) = ([0.0; 4], [0.0; 4]);
    svdf_batch(&layer, &feature, &time, None, &Bounds::RELU, &mut state, &x, &mut found).unwrap();
    let weights = SvdfWeights { feature: &feature, time: &time, bias: None };
    for sequence in 0..2 {
        let (state, x) = (&mut alone[8 * sequence..][..8], &x[3 * sequence..][..3]);
        layer.step(&weights, &Bounds::RELU, state, x, &mut expected[2 * sequence..][..2]).unwrap();
    }
    assert_eq!((found, state), (expected, alone));
}

/// Random bits, so that every exponent and what is no number occur, and pairs of nearby exponents; the host's remainder is exact.
#[test]
fn remainders_are_exact() {
    let mut random = Random::new(1);
    for round in 0..2_000_000 {
        let x = f32::from_bits(random.bits());
        let y = if round % 2 == 0 {
            f32::from_bits(random.bits())
        } else {
            x * ((random.bits() % 1999) as f32 - 999.0) / 500.0
        };
        let (found, expected) = (Real::remainder(x, y), x % y);
        assert!(
            found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
            "{x:e} % {y:e}: {found:e} instead of {expected:e}"
        );
    }
}
