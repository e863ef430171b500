//! Losses, optimisers, schedules, initialisers, clipping: against differences, closed forms and their definitions.

use host_tests::gradient::{Operator, below, between, reals};
use smolnn_core::{DenseShape, Image, ShapeError, Window2d, WindowSize};
use smolnn_float::init::{self, Fans};
use smolnn_float::optimiser::{Adagrad, Adam, Anneal, Momentum, Optimiser, RmsProp, Schedule, Sgd};
use smolnn_float::random::{Generator, Pcg32, SeedableRng, normal, uniform};
use smolnn_float::standardise::Standardiser;
use smolnn_float::{Parameter, Rows, clip, loss, parameter};

fn generator(seed: u64) -> Pcg32 {
    println!("seed {seed}");
    Pcg32::seed_from_u64(seed)
}

/// A loss of a prediction, writing its gradient.
type Loss<'a> = &'a dyn Fn(&[f64], &mut [f64]) -> Result<f64, ShapeError>;

/// A loss as an operator with one output.
fn check_loss(random: &mut Pcg32, name: String, prediction: Vec<f64>, loss: Loss<'_>) {
    let operator = Operator {
        name,
        inputs: vec![prediction],
        forward: &|t| vec![loss(&t[0], &mut vec![0.0; t[0].len()]).unwrap()],
        backward: &|t, g| {
            // Losses write: what lies in the buffer does not count.
            let mut d = vec![f64::NAN; t[0].len()];
            loss(&t[0], &mut d).unwrap();
            vec![d.iter().map(|d| d * g[0]).collect()]
        },
    };
    operator.check(random).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn loss_differences() {
    let mut random = generator(1);
    for _ in 0..60 {
        let count = between(&mut random, 1, 12);
        let target = reals(&mut random, count);
        let prediction: Vec<f64> = reals(&mut random, count).iter().map(|y| 3.0 * y).collect();
        let delta = 0.3 + uniform::<f64>(&mut random);
        check_loss(&mut random, "mean squared".into(), prediction.clone(), &|y, d| loss::mean_squared(y, &target, d));
        check_loss(&mut random, "mean absolute".into(), prediction.clone(), &|y, d| loss::mean_absolute(y, &target, d));
        check_loss(&mut random, format!("huber {delta}"), prediction.clone(), &|y, d| {
            loss::huber(delta, y, &target, d)
        });
        let probability: Vec<f64> = target.iter().map(|t| t.abs()).collect();
        check_loss(&mut random, "binary".into(), prediction, &|y, d| loss::binary_cross_entropy(y, &probability, d));

        let shape = Rows::new(between(&mut random, 1, 3), between(&mut random, 1, 6)).unwrap();
        let labels: Vec<usize> = (0..shape.rows).map(|_| below(&mut random, shape.channels)).collect();
        let smoothing = [0.0, 0.1, 1.0][below(&mut random, 3)];
        let logits = reals(&mut random, shape.elements()).iter().map(|o| 5.0 * o).collect();
        check_loss(&mut random, format!("cross-entropy {smoothing}"), logits, &|o, d| {
            loss::cross_entropy(&shape, smoothing, o, &labels, d)
        });
    }
}

#[test]
fn losses_stay_finite_where_logits_are_large() {
    let shape = Rows::new(1, 3).unwrap();
    let mut d = [0.0_f32; 3];
    let value = loss::cross_entropy(&shape, 0.0, &[1e30, -1e30, 0.0], &[0], &mut d).unwrap();
    assert_eq!((value, d), (0.0, [0.0; 3]));
    let value = loss::cross_entropy(&shape, 0.0, &[300.0, 0.0, 0.0], &[1], &mut d).unwrap();
    assert_eq!((value, d), (300.0, [1.0, -1.0, 0.0]));
    let value = loss::binary_cross_entropy(&[-200.0_f32, 200.0, 0.0], &[1.0, 0.0, 0.5], &mut d).unwrap();
    assert!((value - (400.0 + 2.0_f32.ln()) / 3.0).abs() < 1e-4, "{value}");
}

#[test]
fn wrong_labels_and_lengths_are_errors() {
    let shape = Rows::new(1, 3).unwrap();
    let mut d = [0.0; 3];
    assert!(matches!(loss::cross_entropy(&shape, 0.0, &[0.0; 3], &[3], &mut d), Err(ShapeError::Range(_))));
    assert!(matches!(loss::cross_entropy(&shape, 1.5, &[0.0; 3], &[0], &mut d), Err(ShapeError::Range(_))));
    assert!(matches!(loss::cross_entropy(&shape, 0.0, &[0.0; 2], &[0], &mut d), Err(ShapeError::Length { .. })));
    assert!(matches!(loss::mean_squared::<f64>(&[], &[], &mut []), Err(ShapeError::Zero(_))));
    assert!(matches!(Parameter::weights(&mut [0.0; 2], &mut [0.0; 3]), Err(ShapeError::Length { .. })));
    let mut adam = Adam::new(0.1);
    let step = adam.step(&mut [Parameter::weights(&mut [0.0; 2], &mut [0.0; 2]).unwrap()], &mut [0.0; 3]);
    assert_eq!(step, Err(ShapeError::Length { what: "the optimiser's state", expected: 4, found: 3 }));
}

/// Runs an optimiser over two tensors with random gradients and compares with a rule that is told step, state and gradient.
fn follows<O: Optimiser<f64>>(name: &str, mut optimiser: O, rule: impl Fn(i32, &mut [f64; 2], &mut f64, f64)) {
    let mut random = generator(2);
    let (mut weights, mut bias) = (reals(&mut random, 5), reals(&mut random, 2));
    let mut expected: Vec<f64> = weights.iter().chain(&bias).copied().collect();
    let mut moments = [[0.0; 2]; 7];
    let mut state = vec![0.0; O::STATES * 7];
    for t in 1..=20 {
        let (mut d_weights, mut d_bias) = (reals(&mut random, 5), reals(&mut random, 2));
        for (index, &g) in d_weights.iter().chain(&d_bias).enumerate() {
            rule(t, &mut moments[index], &mut expected[index], g);
        }
        let mut parameters = [
            Parameter::weights(&mut weights, &mut d_weights).unwrap(),
            Parameter::bias(&mut bias, &mut d_bias).unwrap(),
        ];
        optimiser.step(&mut parameters, &mut state).unwrap();
        for (w, expected) in weights.iter().chain(&bias).zip(&expected) {
            assert!((w - expected).abs() < 1e-12, "{name}, step {t}: {w} {expected}");
        }
    }
}

/// The papers' rules, one parameter at a time.
#[test]
fn optimisers_follow_their_rules() {
    follows("SGD", Sgd::new(0.1), |_, _, w, g| *w -= 0.1 * g);
    follows("momentum", Momentum::new(0.1, 0.9), |_, s, w, g| {
        s[0] = 0.9 * s[0] + g;
        *w -= 0.1 * s[0];
    });
    follows("Nesterov", Momentum::nesterov(0.1, 0.9), |_, s, w, g| {
        s[0] = 0.9 * s[0] + g;
        *w -= 0.1 * (g + 0.9 * s[0]);
    });
    follows("RMSprop", RmsProp::new(0.01), |_, s, w, g| {
        s[0] = 0.99 * s[0] + (1.0 - 0.99) * g * g;
        *w -= 0.01 * g / (s[0].sqrt() + 1e-8);
    });
    follows("Adagrad", Adagrad::new(0.1), |_, s, w, g| {
        s[0] += g * g;
        *w -= 0.1 * g / (s[0].sqrt() + 1e-10);
    });
    follows("Adam", Adam::new(0.01), |t, s, w, g| {
        s[0] = 0.9 * s[0] + 0.1 * g;
        s[1] = 0.999 * s[1] + 0.001 * g * g;
        *w -= 0.01 * (s[0] / (1.0 - 0.9_f64.powi(t))) / ((s[1] / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
    });
}

/// With gradients of 0, decay alone moves weights, by exactly 1 − ηλ, and no bias: bit for bit.
#[test]
fn decay_is_decoupled_and_leaves_biases() {
    fn check<O: Optimiser<f32>>(name: &str, mut optimiser: O) {
        let (mut w, mut b) = ([1.5_f32, -0.25, 3.0], [0.5_f32, -7.0]);
        let (mut dw, mut db) = ([0.0; 3], [0.0; 2]);
        let mut state = vec![0.0; O::STATES * 5];
        let mut parameters = [Parameter::weights(&mut w, &mut dw).unwrap(), Parameter::bias(&mut b, &mut db).unwrap()];
        optimiser.step(&mut parameters, &mut state).unwrap();
        let kept = 1.0 - 0.1 * 0.01_f32;
        assert_eq!(w, [1.5 * kept, -0.25 * kept, 3.0 * kept], "{name}");
        assert_eq!(b, [0.5, -7.0], "{name}");
    }
    check("SGD", Sgd::new(0.1).decay(0.01));
    check("momentum", Momentum::new(0.1, 0.9).decay(0.01));
    check("RMSprop", RmsProp::new(0.1).decay(0.01));
    check("Adagrad", Adagrad::new(0.1).decay(0.01));
    check("AdamW", Adam::w(0.1, 0.01));
}

#[test]
fn state_sizes_are_constants() {
    const SIZES: [usize; 5] = [
        Sgd::<f32>::state_len(10),
        Momentum::<f32>::state_len(10),
        RmsProp::<f32>::state_len(10),
        Adagrad::<f32>::state_len(10),
        Adam::<f32>::state_len(10),
    ];
    assert_eq!(SIZES, [0, 10, 10, 10, 20]);
}

#[test]
fn schedules() {
    let schedule = |warm_up, anneal| Schedule { rate: 0.8_f64, warm_up, anneal };
    let warm = Schedule { rate: 1.0_f64, warm_up: 3, anneal: Anneal::Constant };
    assert_eq!([0, 1, 2, 3, 100].map(|step| warm.rate(step)), [0.25, 0.5, 0.75, 1.0, 1.0]);
    let steps = schedule(1, Anneal::Step { every: 10, factor: 0.5 });
    assert_eq!([0, 1, 10, 11, 21].map(|step| steps.rate(step)), [0.4, 0.8, 0.8, 0.4, 0.2]);
    let exponential = schedule(0, Anneal::Exponential { factor: 0.9 });
    assert!((exponential.rate(20) - 0.8 * 0.9_f64.powi(20)).abs() < 1e-15);
    let cosine = schedule(0, Anneal::Cosine { steps: 100, floor: 0.2 });
    for (step, rate) in [(0, 0.8), (25, 0.5 + 0.3 * 0.5_f64.sqrt()), (50, 0.5), (100, 0.2), (1000, 0.2)] {
        assert!((cosine.rate(step) - rate).abs() < 1e-12, "step {step}: {}", cosine.rate(step));
    }
}

/// The stream of a seed is part of the interface: a network trained from it must come out the same next year.
#[test]
fn random_streams_are_pinned() {
    let mut random = Pcg32::new(42, 54);
    // The published first outputs of PCG-XSH-RR 64/32, state 42, stream 54 (pcg32-demo).
    let published = [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e];
    assert_eq!([(); 6].map(|()| random.next_u32()), published);
    let mut random = Pcg32::seed_from_u64(1);
    let mut again = Pcg32::seed_from_u64(1);
    for _ in 0..1000 {
        let (single, double) = (uniform::<f32>(&mut random), uniform::<f64>(&mut again));
        assert!((0.0..1.0).contains(&single) && f64::from(single) == double);
    }
}

/// Mean, variance and fourth moment of n draws.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let central = |power| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
    (mean, central(2), central(4))
}

#[test]
fn initialisers_have_their_moments() {
    let mut random = generator(3);
    let mut weights = vec![0.0_f64; 200_000];
    for w in &mut weights {
        *w = normal(&mut random);
    }
    let (mean, variance, fourth) = moments(&weights);
    assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02 && (fourth - 3.0).abs() < 0.1);

    let fans = Fans { input: 30, output: 50 };
    type Initialiser = fn(Fans, &mut Pcg32, &mut [f64]);
    let cases: [(&str, Initialiser, f64, f64); 6] = [
        ("Xavier uniform", init::xavier_uniform, 2.0 / 80.0, 1.8),
        ("Xavier normal", init::xavier_normal, 2.0 / 80.0, 3.0),
        ("He uniform", init::he_uniform, 2.0 / 30.0, 1.8),
        ("He normal", init::he_normal, 2.0 / 30.0, 3.0),
        ("LeCun uniform", init::lecun_uniform, 1.0 / 30.0, 1.8),
        ("LeCun normal", init::lecun_normal, 1.0 / 30.0, 3.0),
    ];
    for (name, initialise, expected, kurtosis) in cases {
        initialise(fans, &mut random, &mut weights);
        let (mean, variance, fourth) = moments(&weights);
        assert!(mean.abs() < 0.01 * expected.sqrt(), "{name}: mean {mean}");
        assert!((variance / expected - 1.0).abs() < 0.02, "{name}: variance {variance}");
        assert!((fourth / (variance * variance) - kurtosis).abs() < 0.1, "{name}: kurtosis");
        let limit = (3.0 * expected).sqrt();
        assert!(kurtosis > 2.0 || weights.iter().all(|w| w.abs() <= limit), "{name}: beyond its limit");
    }
}

#[test]
fn fans_count_products() {
    assert_eq!(Fans::dense(&DenseShape::new(1, 7, 5).unwrap()), Fans { input: 7, output: 5 });
    let window = Window2d::over(Image::hwc(8, 8, 6), WindowSize::hw(3, 2));
    assert_eq!(Fans::conv2d(&window.groups(2).conv(10).unwrap()), Fans { input: 18, output: 30 });
    assert_eq!(Fans::depthwise(&window.depthwise(2).unwrap()), Fans { input: 6, output: 12 });
}

#[test]
fn orthogonal_matrices_are() {
    let mut random = generator(4);
    for (rows, columns) in [(1, 1), (5, 5), (3, 8), (8, 3), (16, 16), (40, 40)] {
        let mut w = vec![0.0_f64; rows * columns];
        init::orthogonal(rows, columns, 1.5, &mut random, &mut w).unwrap();
        let (vectors, length) = (rows.min(columns), rows.max(columns));
        let element = |v: usize, e: usize| if rows <= columns { w[v * columns + e] } else { w[e * columns + v] };
        for a in 0..vectors {
            for b in 0..vectors {
                let dot: f64 = (0..length).map(|e| element(a, e) * element(b, e)).sum();
                let expected = if a == b { 2.25 } else { 0.0 };
                assert!((dot - expected).abs() < 1e-12, "{rows}×{columns}: ⟨{a}, {b}⟩ = {dot}");
            }
        }
    }
    assert!(init::orthogonal(2, 2, 1.0, &mut random, &mut [0.0_f32; 3]).is_err());
}

#[test]
fn clipping_keeps_the_direction_and_scaling_is_exact() {
    let (mut w, mut b) = ([0.0_f32; 2], [0.0_f32; 1]);
    let (mut dw, mut db) = ([3.0_f32, 0.0], [-4.0_f32]);
    let mut parameters = [Parameter::weights(&mut w, &mut dw).unwrap(), Parameter::bias(&mut b, &mut db).unwrap()];
    assert_eq!(parameters[0].gradient_norm(), 3.0);
    assert_eq!(clip::global_norm(&mut parameters, 10.0), 5.0);
    assert_eq!((parameters[0].gradient(), parameters[1].gradient()), ([3.0, 0.0].as_slice(), [-4.0].as_slice()));
    assert_eq!(clip::global_norm(&mut parameters, 2.5), 5.0);
    assert_eq!((parameters[0].gradient(), parameters[1].gradient()), ([1.5, 0.0].as_slice(), [-2.0].as_slice()));
    clip::value(&mut parameters, 1.75);
    assert_eq!((parameters[0].gradient(), parameters[1].gradient()), ([1.5, 0.0].as_slice(), [-1.75].as_slice()));
    let scaler = clip::GradientScaler::new(20);
    let mut loss = [0.1_f32, -3e-30];
    let before = loss;
    scaler.scale(&mut loss);
    assert_eq!(loss[0], 0.1 * 1_048_576.0);
    let mut parameters = [Parameter::weights(&mut w, &mut loss).unwrap()];
    assert!(scaler.unscale(&mut parameters));
    assert_eq!(loss, before);
    let mut overflown = [f32::INFINITY, 1.0];
    assert!(!scaler.unscale(&mut [Parameter::weights(&mut w, &mut overflown).unwrap()]));
    Parameter::weights(&mut w, &mut overflown).unwrap().clear();
    assert_eq!(overflown, [0.0; 2]);
}

/// Squares that overflow or vanish do not spoil a norm.
#[test]
fn norms_of_any_size() {
    for (values, expected) in [
        (vec![3e30_f32, 4e30], 5e30),
        (vec![3e-30, 4e-30], 5e-30),
        (vec![0.0, 0.0], 0.0),
        (vec![f32::INFINITY, 1.0], f32::INFINITY),
        (vec![], 0.0),
    ] {
        let norm = parameter::norm(values.iter().copied());
        assert!(norm == expected || (norm / expected - 1.0).abs() < 1e-6, "{values:?}: {norm}");
    }
    assert!(parameter::norm([1.0, f32::NAN].into_iter()).is_nan());
    assert!(parameter::norm([f32::NAN, 1.0].into_iter()).is_nan());
}

#[test]
fn regularisation_adds_to_what_decays() {
    let (mut w, mut b) = ([2.0_f64, -3.0], [5.0]);
    let (mut dw, mut db) = ([1.0, 1.0], [1.0]);
    let mut parameters = [Parameter::weights(&mut w, &mut dw).unwrap(), Parameter::bias(&mut b, &mut db).unwrap()];
    assert_eq!(parameter::elements(&parameters), 3);
    assert_eq!(parameter::regularise(&mut parameters, 0.5), 0.25 * 13.0);
    assert_eq!((dw, db), ([2.0, -0.5], [1.0]));
}

#[test]
fn standardiser_centres_and_scales() {
    let mut random = generator(5);
    let mut standardiser = Standardiser::<f64, 3>::new();
    let samples: Vec<[f64; 3]> =
        (0..5000).map(|_| [1e6 + uniform::<f64>(&mut random), 5.0 * uniform::<f64>(&mut random) - 2.0, 7.0]).collect();
    for sample in &samples {
        standardiser.observe(sample);
    }
    assert_eq!(standardiser.count(), 5000);
    for channel in 0..3 {
        let (mean, variance, _) = moments(&samples.iter().map(|x| standardiser.apply(x)[channel]).collect::<Vec<_>>());
        assert!(mean.abs() < 1e-6, "channel {channel}: {mean}");
        let expected = if channel == 2 { 0.0 } else { 1.0 };
        assert!((variance - expected).abs() < 1e-6, "channel {channel}: {variance}");
    }
}

/// The network that every board trains: the host trains it too.
#[test]
fn xor_is_learnt_from_the_pinned_seed() {
    let (right, loss) = smolnn_testkit::float_cases::learn_xor();
    println!("loss {loss:.1e}");
    assert!(right && loss < 0.01, "loss {loss}");
}

/// 8×8 digits: a convolution, ReLU and a dense layer, in f32, learnt from 300 images and tested on 150 others.
#[test]
fn a_convolutional_network_learns_digits() {
    use smolnn_core::{Conv2dShape, shape};
    use smolnn_float::layer::{Conv2d, Dense};
    const SHAPE: Conv2dShape =
        shape!(Window2d::over(Image::hwc(8, 8, 1), WindowSize::hw(3, 3)).same().stride(2, 2).conv(8));
    type Front = Conv2d<f32, 64, { SHAPE.weights() }, 8, 128>;
    type Head = Dense<f32, 128, 10>;
    let folder = smolnn_testkit::golden::project().join("tests/data/digits");
    let images = std::fs::read(folder.join("images.bin")).unwrap();
    let labels = std::fs::read(folder.join("labels.bin")).unwrap();
    let images: Vec<[f32; 64]> = images
        .as_chunks::<64>()
        .0
        .iter()
        .map(|image| image.map(|pixel| (f32::from(pixel as i8) + 128.0) / 255.0))
        .collect();
    assert_eq!((images.len(), labels.len()), (450, 450));

    let mut random = generator(7);
    let mut front = Front::random(SHAPE, init::he_normal, &mut random).unwrap();
    let mut head = Head::random(init::xavier_uniform, &mut random);
    let logits = |front: &Front, head: &Head, image: &[f32; 64]| {
        let features = front.forward(image).map(|z| z.max(0.0));
        (features, head.forward(&features))
    };
    let row = Rows::new(1, 10).unwrap();
    let mut adam = Adam::new(0.003_f32);
    let mut state = vec![0.0; Adam::<f32>::state_len(SHAPE.cost().parameters() + Head::PARAMETERS)];
    for _ in 0..40 {
        for batch in images[..300].chunks(10).zip(labels[..300].chunks(10)) {
            let (mut d_front, mut d_head) = (Front::zeros(SHAPE).unwrap(), Head::zeros());
            for (image, &label) in batch.0.iter().zip(batch.1) {
                let (features, logits) = logits(&front, &head, image);
                let (mut d_logits, mut d_features) = ([0.0; 10], [0.0; 128]);
                loss::cross_entropy(&row, 0.0, &logits, &[label.into()], &mut d_logits).unwrap();
                head.backward(&features, &d_logits, Some(&mut d_features), &mut d_head);
                for (d, y) in d_features.iter_mut().zip(features) {
                    *d = if y > 0.0 { *d } else { 0.0 };
                }
                front.backward(image, &d_features, None, &mut d_front);
            }
            let ([w1, b1], [w2, b2]) = (front.parameters(&mut d_front), head.parameters(&mut d_head));
            let mut parameters = [w1, b1, w2, b2];
            clip::global_norm(&mut parameters, 10.0);
            adam.step(&mut parameters, &mut state).unwrap();
        }
    }
    let right = images[300..]
        .iter()
        .zip(&labels[300..])
        .filter(|(image, label)| {
            let (_, logits) = logits(&front, &head, image);
            (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])) == Some(usize::from(**label))
        })
        .count();
    println!("{right} of 150 unseen digits are right");
    assert!(right >= 132, "{right} of 150");
}
