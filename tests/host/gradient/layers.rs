//! Every backward pass: against central differences in f64, and as the exact adjoint of its forward pass in integers.

use host_tests::gradient::{Operator, below, between, inner, integers, reals};
use host_tests::{oracle, shapes};
use smolnn_core::{
    Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, Pool2dShape, ShapeError, Window2d, WindowSize,
};
use smolnn_float::conv::{conv2d, depthwise, flipped, im2col, transposed};
use smolnn_float::embedding::{self, Embedding};
use smolnn_float::norm::{self, batch, layer};
use smolnn_float::pool::{average, global, max};
use smolnn_float::random::{Pcg32, SeedableRng};
use smolnn_float::{Gradients, Number, Rows, dense, dropout, residual};
use smolnn_testkit::float_cases::Portable;

fn generator(seed: u64) -> Pcg32 {
    println!("seed {seed}");
    Pcg32::seed_from_u64(seed)
}

/// A layer with input, weights and bias, over any numbers.
trait Layer: std::fmt::Debug {
    /// Elements of input, weights and bias.
    fn lengths(&self) -> [usize; 3];
    fn output_len(&self) -> usize;
    fn run<T: Number>(&self, w: &[T], b: Option<&[T]>, x: &[T], y: &mut [T]) -> Result<(), ShapeError>;
    fn run_backward<T: Number>(&self, w: &[T], x: &[T], g: &[T], to: Gradients<'_, T>) -> Result<(), ShapeError>;

    /// The output, without bias where there is none.
    fn forward<T: Number>(&self, w: &[T], b: Option<&[T]>, x: &[T]) -> Vec<T> {
        let mut y = vec![T::default(); self.output_len()];
        self.run(w, b, x, &mut y).unwrap();
        y
    }

    /// Gradients of input, weights and bias, all from zero.
    fn gradients<T: Number>(&self, w: &[T], x: &[T], g: &[T]) -> [Vec<T>; 3] {
        let mut gradients = self.lengths().map(|length| vec![T::default(); length]);
        let [input, weights, bias] = &mut gradients;
        let to = Gradients { input: Some(input), weights: Some(weights), bias: Some(bias) };
        self.run_backward(w, x, g, to).unwrap();
        gradients
    }

    /// Compares all gradients with differences; says how many.
    fn check_differences(&self, random: &mut Pcg32) -> usize {
        let operator = Operator {
            name: format!("{self:?}"),
            inputs: self.lengths().map(|length| reals(random, length)).into(),
            forward: &|t| self.forward(&t[1], Some(&t[2]), &t[0]),
            backward: &|t, g| self.gradients(&t[1], &t[0], g).into(),
        };
        check(&operator, random)
    }

    /// ⟨G, W x⟩ = ⟨Wᵀ G, x⟩ = ⟨∂L/∂W, W⟩, exactly, and ∂L/∂b is the sum of G of every channel of the output.
    fn check_adjoint(&self, w: &[i64], x: &[i64], g: &[i64]) {
        let y = self.forward(w, None, x);
        let [dx, dw, db] = self.gradients(w, x, g);
        assert_eq!(inner(g, &y), inner(&dx, x), "{self:?}");
        assert_eq!(inner(g, &y), inner(&dw, w), "{self:?}");
        for (channel, &sum) in db.iter().enumerate() {
            assert_eq!(sum, g.iter().skip(channel).step_by(db.len()).sum::<i64>(), "{self:?}");
        }
    }
}

/// A convolution with the kernel rotated.
#[derive(Debug)]
struct Flipped(Conv2dShape);

/// A convolution from output to input.
#[derive(Debug)]
struct Transposed(Conv2dShape);

/// `by` a module's functions, over the shape that a layer is or has: lengths of input, output and bias.
macro_rules! layers {
    ($($layer:ident by $module:ident, |$this:ident| $shape:expr, $input:expr, $output:expr, $bias:expr;)*) => {$(
        impl Layer for $layer {
            fn lengths(&self) -> [usize; 3] {
                let $this = self;
                [$input, $shape.weights(), $bias]
            }
            fn output_len(&self) -> usize {
                let $this = self;
                $output
            }
            fn run<T: Number>(&self, w: &[T], b: Option<&[T]>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
                let $this = self;
                $module::forward(&$shape, w, b, x, y)
            }
            fn run_backward<T: Number>(&self, w: &[T], x: &[T], g: &[T], to: Gradients<'_, T>) -> Result<(), ShapeError> {
                let $this = self;
                $module::backward(&$shape, w, x, g, to)
            }
        }
    )*};
}

layers! {
    DenseShape by dense, |shape| *shape, shape.input_len(), shape.output_len(), shape.outputs();
    Conv2dShape by conv2d, |shape| *shape, shape.input_len(), shape.output_len(), shape.output().channels;
    DepthwiseConv2dShape by depthwise, |shape| *shape, shape.input_len(), shape.output_len(), shape.output().channels;
    Flipped by flipped, |layer| layer.0, layer.0.input_len(), layer.0.output_len(), layer.0.output().channels;
    Transposed by transposed, |layer| layer.0, layer.0.output_len(), layer.0.input_len(), layer.0.input().channels;
}

/// Runs an operator's check and fails with its message; says how many gradients it compared.
fn check(operator: &Operator, random: &mut Pcg32) -> usize {
    operator.check(random).unwrap_or_else(|error| panic!("{error}"))
}

fn small_dense(random: &mut Pcg32, most: usize) -> DenseShape {
    DenseShape::new(between(random, 1, 3), between(random, 1, most), between(random, 1, most)).unwrap()
}

#[test]
fn dense_differences() {
    let mut random = generator(1);
    let compared: usize = (0..40).map(|_| small_dense(&mut random, 9).check_differences(&mut random)).sum();
    assert!(compared > 1000, "only {compared} gradients");
}

#[test]
fn dense_adjoint_is_exact() {
    let mut random = generator(2);
    for _ in 0..200 {
        let shape = small_dense(&mut random, 20);
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let g = integers(&mut random, shape.output_len());
        let y = shape.forward(&w, None, &x);
        for n in 0..shape.batch() {
            for o in 0..shape.outputs() {
                let sum: i64 = (0..shape.inputs()).map(|i| w[o * shape.inputs() + i] * x[n * shape.inputs() + i]).sum();
                assert_eq!(y[n * shape.outputs() + o], sum, "{shape:?}");
            }
        }
        shape.check_adjoint(&w, &x, &g);
    }
}

#[test]
fn conv2d_differences() {
    let mut random = generator(3);
    let compared: usize = (0..60).map(|_| shapes::conv2d(&mut random).check_differences(&mut random)).sum();
    assert!(compared > 1000, "only {compared} gradients");
}

#[test]
fn conv2d_is_exact_in_integers() {
    let mut random = generator(4);
    for _ in 0..400 {
        let shape = shapes::conv2d(&mut random);
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let b = integers(&mut random, shape.output().channels);
        let g = integers(&mut random, shape.output_len());
        assert_eq!(shape.forward(&w, Some(&b), &x), oracle::conv2d(&shape, &w, &b, &x), "{shape:?}");
        shape.check_adjoint(&w, &x, &g);
        if shape.groups() == 1 {
            let mut scratch = vec![0; im2col::scratch_len(&shape)];
            let mut through_patches = vec![0; shape.output_len()];
            im2col::forward(&shape, &w, None, &x, &mut through_patches, &mut scratch).unwrap();
            assert_eq!(shape.forward(&w, None, &x), through_patches, "{shape:?}");
        }
    }
}

/// Outputs, and gradients of input, weights and bias.
fn outputs_and_gradients<T: Number>(layer: &impl Layer, w: &[T], b: &[T], x: &[T], g: &[T]) -> [Vec<T>; 4] {
    let [dx, dw, db] = layer.gradients(w, x, g);
    [layer.forward(w, Some(b), x), dx, dw, db]
}

/// Convolutions and dense layers by panels, as only some targets run them: equal to those that run pixel by pixel.
#[test]
fn panels_are_exact_in_integers() {
    type Panelled = Portable<i64, true>;
    let panelled = |values: &[i64]| values.iter().copied().map(Portable).collect::<Vec<Panelled>>();
    let plain = |values: &[Panelled]| values.iter().map(|value| value.0).collect::<Vec<_>>();
    let mut random = generator(22);
    // Of the size that runs by panels: all, with groups, with a stride, with dilation.
    let mut met = [0; 4];
    for number in 0..600 {
        // Deeper than one panel, more outputs than one panel, and remainders of both.
        let shape = if number % 3 == 0 {
            let (inputs, outputs) = (between(&mut random, 1, 90), between(&mut random, 1, 19));
            let image = Image::hwc(between(&mut random, 4, 7), between(&mut random, 4, 7), inputs);
            let kernel = WindowSize::hw(between(&mut random, 1, 3), between(&mut random, 1, 3));
            let window = Window2d::over(image, kernel).batch(between(&mut random, 1, 2));
            let stride = between(&mut random, 1, 3);
            window.same().stride(stride, between(&mut random, 1, 3)).conv(outputs).unwrap()
        } else {
            shapes::conv2d(&mut random)
        };
        if shape.batch() * shape.output().height * shape.output().width >= 16 {
            let is_strided = shape.rows().stride() * shape.columns().stride() > 1;
            let kinds =
                [true, shape.groups() > 1, is_strided, shape.rows().dilation() * shape.columns().dilation() > 1];
            met.iter_mut().zip(kinds).for_each(|(count, kind)| *count += usize::from(kind));
        }
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let (b, g) = (integers(&mut random, shape.output().channels), integers(&mut random, shape.output_len()));
        let (pw, pb, px, pg) = (panelled(&w), panelled(&b), panelled(&x), panelled(&g));
        let expected = outputs_and_gradients(&shape, &w, &b, &x, &g);
        let found = outputs_and_gradients(&shape, &pw, &pb, &px, &pg);
        assert_eq!(expected, found.map(|values| plain(&values)), "{shape:?}");
        let flipped = Flipped(shape);
        let expected = outputs_and_gradients(&flipped, &w, &b, &x, &g);
        let found = outputs_and_gradients(&flipped, &pw, &pb, &px, &pg);
        assert_eq!(expected, found.map(|values| plain(&values)), "{flipped:?}");
    }
    assert!(met[0] > 100 && met.iter().all(|&count| count >= 20), "only {met:?} of the size that runs by panels");
}

#[test]
fn im2col_adjoint_is_exact() {
    let mut random = generator(5);
    for _ in 0..200 {
        let shape = shapes::conv2d(&mut random);
        let row = below(&mut random, shape.batch() * shape.output().height);
        let x = integers(&mut random, shape.input_len());
        let g = integers(&mut random, im2col::scratch_len(&shape));
        let mut patches = vec![7; g.len()];
        im2col::im2col(&shape, row, &x, &mut patches).unwrap();
        let mut back = vec![0; x.len()];
        im2col::col2im(&shape, row, &g, &mut back).unwrap();
        assert_eq!(inner(&patches, &g), inner(&x, &back), "{shape:?}");
    }
}

#[test]
fn flipped_differences_and_exactness() {
    let mut random = generator(6);
    for _ in 0..40 {
        let shape = shapes::conv2d(&mut random);
        let layer = Flipped(shape);
        layer.check_differences(&mut random);

        // Flipping the kernel by hand gives the same as not copying it.
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let (taps, channels) = (shape.rows().kernel() * shape.columns().kernel(), shape.group_inputs());
        let mut turned = vec![0; w.len()];
        for o in 0..shape.output().channels {
            for tap in 0..taps {
                for c in 0..channels {
                    turned[(o * taps + tap) * channels + c] = w[(o * taps + taps - 1 - tap) * channels + c];
                }
            }
        }
        assert_eq!(
            layer.forward(&w, None, &x),
            oracle::conv2d(&shape, &turned, &vec![0; shape.output().channels], &x),
            "{shape:?}"
        );
    }
}

#[test]
fn transposed_differences_and_adjoint() {
    let mut random = generator(7);
    for _ in 0..40 {
        let shape = shapes::conv2d(&mut random);
        let layer = Transposed(shape);
        layer.check_differences(&mut random);

        // It is the adjoint of the oracle's convolution.
        let (x, w) = (integers(&mut random, shape.output_len()), integers(&mut random, shape.weights()));
        let image = integers(&mut random, shape.input_len());
        let y = layer.forward(&w, None, &x);
        let convolved = oracle::conv2d(&shape, &w, &vec![0; shape.output().channels], &image);
        assert_eq!(inner(&y, &image), inner(&x, &convolved), "{shape:?}");
    }
}

#[test]
fn depthwise_differences() {
    let mut random = generator(8);
    let compared: usize = (0..60).map(|_| shapes::depthwise(&mut random).check_differences(&mut random)).sum();
    assert!(compared > 1000, "only {compared} gradients");
}

#[test]
fn depthwise_is_exact_in_integers() {
    let mut random = generator(9);
    for _ in 0..300 {
        let shape = shapes::depthwise(&mut random);
        let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
        let b = integers(&mut random, shape.output().channels);
        let g = integers(&mut random, shape.output_len());
        assert_eq!(shape.forward(&w, Some(&b), &x), oracle::depthwise(&shape, &w, &b, &x), "{shape:?}");
        shape.check_adjoint(&w, &x, &g);
    }
}

/// `backward_sgd` gives what `backward` and a step of gradient descent give, exactly, in integers with rate 3.
#[test]
fn fused_descent_is_backward_then_step() {
    let mut random = generator(10);
    macro_rules! check_descent {
        ($module:ident, $shape:expr) => {
            let (shape, rate) = ($shape, 3);
            let [x, mut w, mut b] = shape.lengths().map(|length| integers(&mut random, length));
            let g = integers(&mut random, shape.output_len());
            let [dx, dw, db] = shape.gradients(&w, &x, &g);
            let stepped = |w: &[i64], d: &[i64]| w.iter().zip(d).map(|(w, d)| w - rate * d).collect::<Vec<_>>();
            let expected = (dx, stepped(&w, &dw), stepped(&b, &db));
            let mut d_input = vec![0; x.len()];
            $module::backward_sgd(&shape, rate, &mut w, Some(&mut b), &x, &g, Some(&mut d_input)).unwrap();
            assert_eq!((d_input, w, b), expected, "{shape:?}");
        };
    }
    for _ in 0..150 {
        check_descent!(
            dense,
            DenseShape::new(between(&mut random, 1, 3), between(&mut random, 1, 9), between(&mut random, 1, 40))
                .unwrap()
        );
        check_descent!(conv2d, shapes::conv2d(&mut random));
        check_descent!(depthwise, shapes::depthwise(&mut random));
    }
}

/// A second sample adds to the gradients of the first, and what is not asked for is not touched.
#[test]
fn gradients_accumulate() {
    let mut random = generator(11);
    let shape = shapes::conv2d(&mut random);
    let (x, w) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.weights()));
    let g = integers(&mut random, shape.output_len());
    let mut twice = vec![0; w.len()];
    for _ in 0..2 {
        let gradients = Gradients { weights: Some(&mut twice), ..Gradients::default() };
        conv2d::backward(&shape, &w, &x, &g, gradients).unwrap();
    }
    let mut once = vec![0; w.len()];
    conv2d::backward(&shape, &w, &x, &g, Gradients { weights: Some(&mut once), ..Gradients::default() }).unwrap();
    assert!(once.iter().any(|&d| d != 0));
    assert_eq!(twice, once.iter().map(|d| 2 * d).collect::<Vec<_>>());
}

fn max_forward<T: Number>(shape: &Pool2dShape, x: &[T]) -> (Vec<T>, Vec<u8>) {
    let mut y = vec![T::default(); shape.output_len()];
    let mut indices = vec![0xff; max::indices_len(shape)];
    max::forward(shape, x, &mut y, Some(&mut indices)).unwrap();
    (y, indices)
}

#[test]
fn max_pool_differences_and_exactness() {
    let mut random = generator(12);
    for _ in 0..120 {
        let shape = shapes::pool(&mut random);
        let operator = Operator {
            name: format!("max {shape:?}"),
            inputs: vec![reals(&mut random, shape.input_len())],
            forward: &|t| max_forward(&shape, &t[0]).0,
            backward: &|t, g| {
                let mut dx = vec![0.0; t[0].len()];
                max::backward(&shape, &max_forward(&shape, &t[0]).1, g, &mut dx).unwrap();
                vec![dx]
            },
        };
        check(&operator, &mut random);

        // Many ties: the first of them wins. y is linear in x with the maxima held: ⟨g, y⟩ = ⟨dx, x⟩ exactly.
        let x: Vec<i64> = (0..shape.input_len()).map(|_| below(&mut random, 3) as i64 - 1).collect();
        let g = integers(&mut random, shape.output_len());
        let (y, indices) = max_forward(&shape, &x);
        let mut dx = vec![0; x.len()];
        max::backward(&shape, &indices, &g, &mut dx).unwrap();
        assert_eq!(inner(&g, &y), inner(&dx, &x), "{shape:?}");
        let mut expected = vec![0; x.len()];
        let mut output = 0;
        for n in 0..shape.batch() {
            for i in 0..shape.output().height {
                for j in 0..shape.output().width {
                    for c in 0..shape.output().channels {
                        let mut best: Option<(i64, usize)> = None;
                        for u in 0..shape.rows().kernel() {
                            for v in 0..shape.columns().kernel() {
                                let (y, x_) = (
                                    i * shape.rows().stride() + u * shape.rows().dilation(),
                                    j * shape.columns().stride() + v * shape.columns().dilation(),
                                );
                                let inside = (shape.rows().before()..shape.rows().before() + shape.input().height)
                                    .contains(&y)
                                    && (shape.columns().before()..shape.columns().before() + shape.input().width)
                                        .contains(&x_);
                                if inside {
                                    let at = ((n * shape.input().height + y - shape.rows().before())
                                        * shape.input().width
                                        + x_
                                        - shape.columns().before())
                                        * shape.input().channels
                                        + c;
                                    if best.is_none_or(|(most, _)| x[at] > most) {
                                        best = Some((x[at], at));
                                    }
                                }
                            }
                        }
                        assert_eq!(y[output], best.map_or(0, |(most, _)| most), "{shape:?}");
                        if let Some((_, at)) = best {
                            expected[at] += g[output];
                        }
                        output += 1;
                    }
                }
            }
        }
        assert_eq!(dx, expected, "{shape:?}");
    }
}

/// Every width of packed index, up to the two bytes of a kernel of more than 256 taps.
#[test]
fn packed_indices_of_every_width() {
    let mut random = generator(13);
    for (kernel, bits) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8), (257, 16), (400, 16)] {
        let shape = Window2d::over(Image::sequence(kernel + 9, 3), WindowSize::taps(kernel)).pool().unwrap();
        assert_eq!(max::index_bits(&shape), bits, "{kernel} taps");
        let x = reals(&mut random, shape.input_len());
        let g = integers(&mut random, shape.output_len());
        let (y, indices) = max_forward(&shape, &x);
        let mut dx = vec![0; x.len()];
        max::backward(&shape, &indices, &g, &mut dx).unwrap();
        let mut expected = vec![0; x.len()];
        for o in 0..shape.output().width {
            for c in 0..3 {
                let at = (o..o + kernel).max_by(|&a, &b| x[a * 3 + c].total_cmp(&x[b * 3 + c])).unwrap() * 3 + c;
                assert_eq!(y[o * 3 + c], x[at]);
                expected[at] += g[o * 3 + c];
            }
        }
        assert_eq!(dx, expected, "{kernel} taps");
    }
}

#[test]
fn average_pool_differences_and_adjoint() {
    let mut random = generator(14);
    for case in 0..80 {
        let shape = shapes::pool(&mut random);
        let divisor = if case % 2 == 0 { average::Divisor::Input } else { average::Divisor::Kernel };
        let forward = |x: &[f64]| {
            let mut y = vec![0.0; shape.output_len()];
            average::forward(&shape, divisor, x, &mut y).unwrap();
            y
        };
        let backward = |g: &[f64]| {
            let mut dx = vec![0.0; shape.input_len()];
            average::backward(&shape, divisor, g, &mut dx).unwrap();
            dx
        };
        let operator = Operator {
            name: format!("average {divisor:?} {shape:?}"),
            inputs: vec![reals(&mut random, shape.input_len())],
            forward: &|t| forward(&t[0]),
            backward: &|_, g| vec![backward(g)],
        };
        check(&operator, &mut random);
    }
    // Over 2×2 and 4×1 windows all quarters are exact in f64: so is the identity.
    for (kernel, stride) in [(WindowSize::hw(2, 2), 1), (WindowSize::hw(4, 1), 2), (WindowSize::hw(1, 2), 3)] {
        let shape = Window2d::over(Image::hwc(6, 7, 2), kernel).stride(stride, stride).pool().unwrap();
        let (x, g) = (integers(&mut random, shape.input_len()), integers(&mut random, shape.output_len()));
        let exact = |v: &[i64]| v.iter().map(|&v| v as f64).collect::<Vec<_>>();
        let (mut y, mut dx) = (vec![0.0; g.len()], vec![0.0; x.len()]);
        average::forward(&shape, average::Divisor::Input, &exact(&x), &mut y).unwrap();
        average::backward(&shape, average::Divisor::Input, &exact(&g), &mut dx).unwrap();
        let product = |a: &[f64], b: &[i64]| a.iter().zip(b).map(|(a, &b)| a * b as f64).sum::<f64>();
        assert_eq!(product(&y, &g), product(&dx, &x), "{shape:?}");
    }
}

#[test]
fn global_average_differences() {
    let mut random = generator(15);
    for _ in 0..20 {
        let image = Image::hwc(between(&mut random, 1, 5), between(&mut random, 1, 5), between(&mut random, 1, 5));
        let images = between(&mut random, 1, 3);
        let operator = Operator {
            name: format!("global average {image:?}"),
            inputs: vec![reals(&mut random, images * image.len())],
            forward: &|t| {
                let mut y = vec![0.0; images * image.channels];
                global::average(&image, &t[0], &mut y).unwrap();
                y
            },
            backward: &|t, g| {
                let mut dx = vec![0.0; t[0].len()];
                global::average_backward(&image, g, &mut dx).unwrap();
                vec![dx]
            },
        };
        check(&operator, &mut random);
    }
}

fn rows(random: &mut Pcg32) -> Rows {
    Rows::new(between(random, 2, 7), between(random, 2, 6)).unwrap()
}

/// Input, γ and β.
fn norm_inputs(shape: &Rows, random: &mut Pcg32) -> Vec<Vec<f64>> {
    vec![reals(random, shape.elements()), reals(random, shape.channels), reals(random, shape.channels)]
}

fn norm_gradients(
    shape: &Rows,
    backward: impl FnOnce(norm::Gradients<'_, f64>) -> Result<(), ShapeError>,
) -> Vec<Vec<f64>> {
    let mut gradients = [shape.elements(), shape.channels, shape.channels].map(|length| vec![0.0; length]);
    let [input, gamma, beta] = &mut gradients;
    backward(norm::Gradients { input: Some(input), gamma: Some(gamma), beta: Some(beta) }).unwrap();
    gradients.into()
}

#[test]
fn batch_norm_differences() {
    let mut random = generator(16);
    // A large ε keeps the curvature, and so the error of the differences, small when a few rows lie close together.
    let epsilon = 0.1;
    for _ in 0..30 {
        let shape = rows(&mut random);
        let training = Operator {
            name: format!("batch norm, training, {shape:?}"),
            inputs: norm_inputs(&shape, &mut random),
            forward: &|t| {
                let (mut y, mut stash) = (vec![0.0; shape.elements()], vec![0.0; batch::stash_len(&shape)]);
                batch::forward_training(&shape, epsilon, &t[1], &t[2], None, &t[0], &mut y, &mut stash).unwrap();
                y
            },
            backward: &|t, g| {
                let (mut y, mut stash) = (vec![0.0; shape.elements()], vec![0.0; batch::stash_len(&shape)]);
                batch::forward_training(&shape, epsilon, &t[1], &t[2], None, &t[0], &mut y, &mut stash).unwrap();
                let mut scratch = vec![0.0; batch::stash_len(&shape)];
                norm_gradients(&shape, |gradients| {
                    batch::backward_training(&shape, &t[1], &t[0], &stash, g, gradients, &mut scratch)
                })
            },
        };
        check(&training, &mut random);
        let mean = reals(&mut random, shape.channels);
        let variance: Vec<f64> = reals(&mut random, shape.channels).iter().map(|v| v * v + 0.1).collect();
        let inference = Operator {
            name: format!("batch norm, inference, {shape:?}"),
            inputs: norm_inputs(&shape, &mut random),
            forward: &|t| {
                let mut y = vec![0.0; shape.elements()];
                batch::forward_inference(&shape, epsilon, &t[1], &t[2], &mean, &variance, &t[0], &mut y).unwrap();
                y
            },
            backward: &|t, g| {
                norm_gradients(&shape, |gradients| {
                    batch::backward_inference(&shape, epsilon, &t[1], &mean, &variance, &t[0], g, gradients)
                })
            },
        };
        check(&inference, &mut random);
    }
}

#[test]
fn layer_norm_differences() {
    let mut random = generator(17);
    let epsilon = 0.1;
    for _ in 0..30 {
        let shape = rows(&mut random);
        let operator = Operator {
            name: format!("layer norm {shape:?}"),
            inputs: norm_inputs(&shape, &mut random),
            forward: &|t| {
                let mut y = vec![0.0; shape.elements()];
                layer::forward(&shape, epsilon, &t[1], &t[2], &t[0], &mut y).unwrap();
                y
            },
            backward: &|t, g| {
                norm_gradients(&shape, |gradients| layer::backward(&shape, epsilon, &t[1], &t[0], g, gradients))
            },
        };
        check(&operator, &mut random);
    }
}

/// A batch norm folded into the convolution before it gives what the two give one after the other.
#[test]
fn folding_batch_norm() {
    let mut random = generator(18);
    for _ in 0..20 {
        let shape = shapes::conv2d(&mut random);
        let channels = shape.output().channels;
        let x = reals(&mut random, shape.input_len());
        let (mut w, mut b) = (reals(&mut random, shape.weights()), reals(&mut random, channels));
        let [gamma, beta, mean] = [(); 3].map(|()| reals(&mut random, channels));
        let variance: Vec<f64> = reals(&mut random, channels).iter().map(|v| v * v + 0.1).collect();
        let (mut y, mut expected) = (vec![0.0; shape.output_len()], vec![0.0; shape.output_len()]);
        conv2d::forward(&shape, &w, Some(&b), &x, &mut y).unwrap();
        let rows = Rows::new(shape.output_len() / channels, channels).unwrap();
        batch::forward_inference(&rows, 1e-5, &gamma, &beta, &mean, &variance, &y, &mut expected).unwrap();
        batch::fold(1e-5, &gamma, &beta, &mean, &variance, &mut w, &mut b).unwrap();
        conv2d::forward(&shape, &w, Some(&b), &x, &mut y).unwrap();
        for (y, expected) in y.iter().zip(&expected) {
            assert!((y - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{shape:?}: {y} {expected}");
        }
    }
}

#[test]
fn embedding_and_residual_are_exact() {
    let mut random = generator(19);
    for _ in 0..50 {
        let shape = Embedding::new(between(&mut random, 1, 6), between(&mut random, 1, 5)).unwrap();
        let indices: Vec<usize> = (0..between(&mut random, 1, 8)).map(|_| below(&mut random, shape.entries)).collect();
        let table = integers(&mut random, shape.weights());
        let g = integers(&mut random, indices.len() * shape.width);
        let mut y = vec![0; g.len()];
        embedding::forward(&shape, &table, &indices, &mut y).unwrap();
        for (k, &index) in indices.iter().enumerate() {
            assert_eq!(y[k * shape.width..][..shape.width], table[index * shape.width..][..shape.width]);
        }
        let mut d_table = vec![0; table.len()];
        embedding::backward(&shape, &indices, &g, &mut d_table).unwrap();
        assert_eq!(inner(&g, &y), inner(&d_table, &table));
    }
    assert!(matches!(
        embedding::forward(&Embedding::new(2, 1).unwrap(), &[1, 2], &[2], &mut [0]),
        Err(ShapeError::Range(_))
    ));

    // y = x + W x: ∂L/∂x = δ + Wᵀδ.
    let shape = DenseShape::new(1, 4, 4).unwrap();
    let (x, w, g) = (integers(&mut random, 4), integers(&mut random, 16), integers(&mut random, 4));
    let mut y = vec![0; 4];
    dense::forward(&shape, &w, None, &x, &mut y).unwrap();
    residual::add(&mut y, &x).unwrap();
    let mut dx = vec![0; 4];
    dense::backward(&shape, &w, &x, &g, Gradients { input: Some(&mut dx), ..Gradients::default() }).unwrap();
    residual::add(&mut dx, &g).unwrap();
    assert_eq!(inner(&g, &y), inner(&dx, &x));
}

#[test]
fn dropout_drops_as_often_as_it_says_and_backward_alike() {
    let count = 100_000;
    for rate in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let x = vec![1.0; count];
        let mut y = vec![0.0; count];
        dropout::forward(rate, &mut generator(20), &x, &mut y).unwrap();
        let kept = y.iter().filter(|&&y| y != 0.0).count() as f64 / count as f64;
        let deviation = (rate * (1.0 - rate) / count as f64).sqrt();
        assert!((kept - (1.0 - rate)).abs() <= 5.0 * deviation, "rate {rate}: kept {kept}");
        assert!(y.iter().all(|&y| y == 0.0 || (y * (1.0 - rate) - 1.0).abs() < 1e-12));
        let mut dx = vec![0.0; count];
        dropout::backward(rate, &mut generator(20), &x, &mut dx).unwrap();
        assert_eq!(y, dx, "the gradient of a dropped element is 0, of a kept one 1 / (1 − rate)");
    }
    assert!(dropout::forward(1.5, &mut generator(20), &[1.0], &mut [0.0]).is_err());
}

#[test]
fn wrong_lengths_are_errors() {
    let shape = DenseShape::new(1, 3, 2).unwrap();
    let mut y = [0.0; 2];
    let length = |what, expected, found| Err(ShapeError::Length { what, expected, found });
    assert_eq!(dense::forward(&shape, &[0.0; 5], None, &[0.0; 3], &mut y), length("the weights", 6, 5));
    assert_eq!(dense::forward(&shape, &[0.0; 6], Some(&[0.0; 3]), &[0.0; 3], &mut y), length("the bias", 2, 3));
    assert_eq!(dense::forward(&shape, &[0.0; 6], None, &[0.0; 4], &mut y), length("the input", 3, 4));
    assert_eq!(dense::forward(&shape, &[0.0; 6], None, &[0.0; 3], &mut [0.0; 1]), length("the output", 2, 1));
    let mut wrong = [0.0; 4];
    let gradients = Gradients { weights: Some(&mut wrong), ..Gradients::default() };
    assert_eq!(
        dense::backward(&shape, &[0.0; 6], &[0.0; 3], &[0.0; 2], gradients),
        length("the gradient of the weights", 6, 4)
    );
}

/// Layers with their lengths in the type do what the functions do, one sample at a time or a batch.
#[test]
fn typed_layers_are_the_functions() {
    use smolnn_core::{DepthwiseConv2dShape, Image, Window2d, WindowSize, shape};
    use smolnn_float::layer;

    const SHAPE: DepthwiseConv2dShape =
        shape!(Window2d::over(Image::hwc(4, 5, 2), WindowSize::hw(3, 2)).same().depthwise(2));
    const IN: usize = SHAPE.input_len();
    const OUT: usize = SHAPE.output_len();
    type Depthwise = layer::DepthwiseConv2d<f64, IN, { SHAPE.weights() }, 4, OUT>;
    let mut random = generator(31);
    let mut conv = Depthwise::random(SHAPE, smolnn_float::init::he_normal, &mut random).unwrap();
    conv.bias.copy_from_slice(&reals(&mut random, 4));
    assert_eq!(Depthwise::PARAMETERS, conv.weights.len() + conv.bias.len());
    let samples: [[f64; IN]; 3] = [0; 3].map(|_| reals(&mut random, IN).try_into().unwrap());
    let upstream: [[f64; OUT]; 3] = [0; 3].map(|_| reals(&mut random, OUT).try_into().unwrap());
    let mut found = [[0.0; OUT]; 3];
    conv.forward_batch(&samples, &mut found);
    let (mut d_conv, mut d_samples) = (Depthwise::zeros(SHAPE).unwrap(), [[0.0; IN]; 3]);
    conv.backward_batch(&samples, &upstream, Some(&mut d_samples), &mut d_conv);
    let (mut d_weights, mut d_bias) = (vec![0.0; SHAPE.weights()], vec![0.0; 4]);
    for (sample, ((x, g), (y, dx))) in samples.iter().zip(&upstream).zip(found.iter().zip(&d_samples)).enumerate() {
        let mut output = vec![0.0; OUT];
        depthwise::forward(&SHAPE, &conv.weights, Some(&conv.bias), x, &mut output).unwrap();
        assert_eq!((y.as_slice(), conv.forward(x)), (output.as_slice(), *y), "sample {sample}");
        let mut d_input = vec![0.0; IN];
        let gradients = Gradients { input: Some(&mut d_input), weights: Some(&mut d_weights), bias: Some(&mut d_bias) };
        depthwise::backward(&SHAPE, &conv.weights, x, g, gradients).unwrap();
        assert_eq!(dx.as_slice(), d_input, "sample {sample}");
    }
    assert_eq!((d_conv.weights.as_slice(), d_conv.bias.as_slice()), (d_weights.as_slice(), d_bias.as_slice()));

    type Dense = layer::Dense<f64, 6, 3>;
    let head = Dense::random(smolnn_float::init::he_normal, &mut random);
    let samples: [[f64; 6]; 4] = [0; 4].map(|_| reals(&mut random, 6).try_into().unwrap());
    let upstream: [[f64; 3]; 4] = [0; 4].map(|_| reals(&mut random, 3).try_into().unwrap());
    let (mut found, mut batch, mut d_samples) = ([[0.0; 3]; 4], Dense::zeros(), [[0.0; 6]; 4]);
    head.forward_batch(&samples, &mut found);
    assert_eq!(found, samples.map(|x| head.forward(&x)));
    head.backward_batch(&samples, &upstream, Some(&mut d_samples), &mut batch);
    let mut alone = Dense::zeros();
    for ((x, g), dx) in samples.iter().zip(&upstream).zip(&d_samples) {
        let mut d_input = [0.0; 6];
        head.backward(x, g, Some(&mut d_input), &mut alone);
        assert_eq!(*dx, d_input);
    }
    assert_eq!(batch, alone);
}
