//! 6.5: GRU with a softmax output.

use host_tests::gradient::{Backward, Operator, reals};
use host_tests::recurrent::{All, backward, forward};
use smolnn_float::rnn::convert::flip_update;
use smolnn_float::rnn::{Gru, HoldIsOne, HoldIsZero, Keep, ResetAfter, ResetBefore};
use smolnn_float::{Real, Rows, loss};

use crate::generator;
use crate::recurrent::{Recorded, jacobian, matches, matrix, outer, product, transposed, unit};

const GATES: [&str; 3] = ["z", "r", "n"];

#[test]
fn row_6_5_recorded_net_reset_before() {
    let Some(recorded) = Recorded::read("gru_reset_before") else { return };
    assert!((recorded.loss() - 2.970989385).abs() < 1e-9);
    crate::close(&recorded.field("h")[4..], &[0.386786605, 0.361351387], 1e-9);
    for (name, figures) in [
        ("bz", [-0.09435933, -0.1094796]),
        ("br", [-0.021661232, 0.010652257]),
        ("bn", [0.461034977, 0.666585334]),
        ("h0", [0.044753423, 0.170351507]),
    ] {
        crate::close(&recorded.gradient(name), &figures, 1e-9);
    }
    matches(&recorded, &Gru::<ResetBefore>::new(2, 2).unwrap(), &GATES, &["bz", "br", "bn"], &["h0"]);
}

#[test]
fn row_6_5_recorded_net_reset_after() {
    let Some(recorded) = Recorded::read("gru_reset_after") else { return };
    assert!((recorded.loss() - 2.780750825).abs() < 1e-9);
    crate::close(&recorded.field("h")[4..], &[0.314567864, 0.223606149], 1e-9);
    crate::close(&recorded.gradient("bhn"), &[0.244249116, 0.267539644], 1e-9);
    crate::close(&recorded.gradient("h0"), &[0.071274237, 0.150724113], 1e-9);
    matches(&recorded, &Gru::<ResetAfter>::new(2, 2).unwrap(), &GATES, &["bz", "br", "bn", "bhn"], &["h0"]);
}

/// The same weights do something else where the reset gate acts elsewhere: the flag must be explicit.
#[test]
fn row_6_5_reset_position_matters() {
    let Some(recorded) = Recorded::read("gru_reset_after") else { return };
    let p = recorded.layout("params", &GATES, &["bz", "br", "bn", "bhn"]);
    let x = recorded.shared("x(seed1)");
    let (before, after) = (Gru::<ResetBefore>::new(2, 2).unwrap(), Gru::<ResetAfter>::new(2, 2).unwrap());
    // Without b_hn, which the other one has not.
    let mut shared = p.clone();
    let length = before.sizes().parameters();
    shared[length..].fill(0.0);
    let a = forward(&before, Keep::Gates, &p[..length], &[0.0; 2], &x).output;
    let b = forward(&after, Keep::Gates, &shared, &[0.0; 2], &x).output;
    let most = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("largest difference of h: {most:.4}");
    assert!(most > 1e-3);
}

/// Negating W, U and b of the update gate turns one convention into the other, forward and backward.
#[test]
fn row_6_5_update_convention() {
    let mut random = generator(650);
    let (one, zero) =
        (Gru::<ResetAfter, HoldIsOne>::new(3, 4).unwrap(), Gru::<ResetAfter, HoldIsZero>::new(3, 4).unwrap());
    let p = reals(&mut random, one.sizes().parameters());
    let mut flipped = p.clone();
    flip_update(&one, &mut flipped).unwrap();
    let (h0, x, g) = (reals(&mut random, 4), reals(&mut random, 3 * 20), reals(&mut random, 4 * 20));
    let a = forward(&one, Keep::Gates, &p, &h0, &x);
    let b = forward(&zero, Keep::Gates, &flipped, &h0, &x);
    crate::close(&a.output, &b.output, 4e-13);
    let da = backward(&one, Keep::Gates, &p, &x, &a, Some(&g), &[0.0; 4]);
    let mut db = backward(&zero, Keep::Gates, &flipped, &x, &b, Some(&g), &[0.0; 4]);
    flip_update(&zero, &mut db.parameters).unwrap();
    crate::close(&da.parameters, &db.parameters, 1e-12);
    crate::close(&da.state, &db.state, 1e-12);
    crate::close(&da.input, &db.input, 1e-12);
    // Unflipped, it is another net.
    let wrong = forward(&zero, Keep::Gates, &p, &h0, &x).output;
    assert!(a.output.iter().zip(&wrong).any(|(a, b)| (a - b).abs() > 0.1));
}

/// What a backward pass gets wrong in print.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Variant {
    Right,
    /// h_{t−1} − h_t in place of h_{t−1} − n in δ_z.
    NewState,
    /// V e in place of Vᵀ e. (V is square here.)
    UntransposedHead,
    /// Gradients of the update gate's parameters only.
    UpdateGateOnly,
}

const N: usize = 3;
const SQUARE: usize = 3 * N * N;
const BIAS: usize = 2 * SQUARE;

struct Step {
    gates: [Vec<f64>; 3],
    h: Vec<f64>,
}

/// Every step from the formulas, reset before; the first one holds h₀ alone.
fn steps(p: &[f64], h0: &[f64], x: &[f64]) -> Vec<Step> {
    let mut steps = vec![Step { gates: [const { Vec::new() }; 3], h: h0.to_vec() }];
    for x in x.chunks_exact(N) {
        let h = &steps.last().unwrap().h;
        let mut sums = p[BIAS..].to_vec();
        product(&p[..SQUARE], x, &mut sums);
        let u = &p[SQUARE..BIAS];
        product(&u[..2 * N * N], h, &mut sums[..2 * N]);
        let gate = |k: usize, f: fn(f64) -> f64, sums: &[f64]| sums[k * N..][..N].iter().map(|&z| f(z)).collect();
        let z: Vec<f64> = gate(0, Real::sigmoid, &sums);
        let r: Vec<f64> = gate(1, Real::sigmoid, &sums);
        let reset: Vec<f64> = r.iter().zip(h).map(|(r, h)| r * h).collect();
        product(&u[2 * N * N..], &reset, &mut sums[2 * N..]);
        let n: Vec<f64> = gate(2, Real::tanh, &sums);
        let h = (0..N).map(|k| (1.0 - z[k]) * n[k] + z[k] * h[k]).collect();
        steps.push(Step { gates: [z, r, n], h });
    }
    steps
}

/// Logits V h_t + b_v of every step.
fn logits(steps: &[Step], v: &[f64], bv: &[f64]) -> Vec<f64> {
    let logits = |step: &Step| {
        let mut o = bv.to_vec();
        product(v, &step.h, &mut o);
        o
    };
    steps[1..].iter().flat_map(logits).collect()
}

/// ∂L/∂ of parameters, h₀, x, V and b_v from the formulas, or one of their variants; e is ∂L/∂ of all logits.
fn by_formula(variant: Variant, t: &[Vec<f64>], e: &[f64]) -> Vec<Vec<f64>> {
    let [p, h0, x, v, _] = t else { unreachable!() };
    let steps = steps(p, h0, x);
    let u = &p[SQUARE..BIAS];
    let mut d_p = vec![0.0; p.len()];
    let (mut d_x, mut d_v, mut d_bv, mut d_h) = (vec![0.0; x.len()], vec![0.0; N * N], vec![0.0; N], vec![0.0; N]);
    for t in (1..steps.len()).rev() {
        let (h, Step { gates: [z, r, n], h: after }) = (&steps[t - 1].h, &steps[t]);
        let e = &e[(t - 1) * N..][..N];
        outer(&mut d_v, e, after);
        d_bv.iter_mut().zip(e).for_each(|(d, e)| *d += e);
        if variant == Variant::UntransposedHead {
            product(v, e, &mut d_h);
        } else {
            transposed(v, e, &mut d_h);
        }
        let mut delta = vec![0.0; 3 * N];
        for k in 0..N {
            let other = if variant == Variant::NewState { after[k] } else { n[k] };
            delta[k] = d_h[k] * (h[k] - other) * z[k] * (1.0 - z[k]);
            delta[2 * N + k] = d_h[k] * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
        }
        let mut q = vec![0.0; N];
        transposed(&u[2 * N * N..], &delta[2 * N..], &mut q);
        for k in 0..N {
            delta[N + k] = q[k] * h[k] * r[k] * (1.0 - r[k]);
            d_h[k] = d_h[k] * z[k] + q[k] * r[k];
        }
        transposed(&u[..2 * N * N], &delta[..2 * N], &mut d_h);
        transposed(&p[..SQUARE], &delta, &mut d_x[(t - 1) * N..][..N]);
        let kept = if variant == Variant::UpdateGateOnly { N } else { 3 * N };
        let reset: Vec<f64> = r.iter().zip(h).map(|(r, h)| r * h).collect();
        outer(&mut d_p[..kept * N], &delta[..kept], &x[(t - 1) * N..][..N]);
        outer(&mut d_p[SQUARE..][..kept.min(2 * N) * N], &delta[..kept.min(2 * N)], h);
        if kept == 3 * N {
            outer(&mut d_p[SQUARE + 2 * N * N..BIAS], &delta[2 * N..], &reset);
        }
        d_p[BIAS..][..kept].iter_mut().zip(&delta).for_each(|(d, delta)| *d += delta);
    }
    vec![d_p, d_h, d_x, d_v, d_bv]
}

fn check(count: usize, backward: Backward<'_>) -> Result<usize, String> {
    let mut random = generator(651);
    let lengths = [BIAS + 3 * N, N, count * N, N * N, N];
    let inputs = lengths.map(|length| reals(&mut random, length)).to_vec();
    let forward = |t: &[Vec<f64>]| logits(&steps(&t[0], &t[1], &t[2]), &t[3], &t[4]);
    Operator { name: "GRU".into(), inputs, forward: &forward, backward }.check(&mut random)
}

#[test]
fn row_6_5_formulas() {
    for count in [1, 2, 9, 40] {
        check(count, &|t, g| by_formula(Variant::Right, t, g)).unwrap();
    }
    // The library is the formula.
    let mut random = generator(652);
    let cell = Gru::<ResetBefore>::new(N, N).unwrap();
    let (p, h0, x) = (reals(&mut random, BIAS + 3 * N), reals(&mut random, N), reals(&mut random, 12 * N));
    let g = reals(&mut random, 12 * N);
    let run = forward(&cell, Keep::Gates, &p, &h0, &x);
    let All { parameters, state, input } = backward(&cell, Keep::Gates, &p, &x, &run, Some(&g), &[0.0; N]);
    let expected = by_formula(Variant::Right, &[p, h0, x, unit(N), vec![0.0; N]], &g);
    for (found, expected) in [parameters, state, input].iter().zip(&expected) {
        crate::close(found, expected, 1e-13);
    }
}

fn is_rejected(variant: Variant) {
    let found = check(5, &|t, g| by_formula(variant, t, g));
    println!("{}", found.expect_err("the check must reject it"));
}

#[test]
fn row_6_5_wrong_variant_new_state_is_rejected() {
    is_rejected(Variant::NewState);
}

#[test]
fn row_6_5_wrong_variant_untransposed_head_is_rejected() {
    is_rejected(Variant::UntransposedHead);
}

#[test]
fn row_6_5_wrong_variant_update_gate_only_is_rejected() {
    is_rejected(Variant::UpdateGateOnly);
}

/// h_{t−1} − h_t is (1 − z)·(h_{t−1} − n): the wrong variant scales ∂W_z by 1 − z, row by row, and still descends.
#[test]
fn row_6_5_wrong_variant_scales_by_one_minus_z() {
    let mut random = generator(653);
    let t: Vec<Vec<f64>> = [BIAS + 3 * N, N, N, N * N, N].map(|length| reals(&mut random, length)).to_vec();
    let e = reals(&mut random, N);
    let z = &steps(&t[0], &t[1], &t[2])[1].gates[0];
    let [right, wrong] = [Variant::Right, Variant::NewState].map(|variant| by_formula(variant, &t, &e)[0].clone());
    for (row, z) in z.iter().enumerate() {
        for at in row * N..(row + 1) * N {
            assert!((wrong[at] - (1.0 - z) * right[at]).abs() <= 1e-16);
        }
    }
}

/// ∂h_t/∂h_{t−1} = D(z) + D((h − n)z(1 − z))U_z + D((1 − z)(1 − n²))U_n [D(r) + D(h r(1 − r))U_r].
#[test]
fn row_6_5_jacobian() {
    let mut random = generator(654);
    let (p, h, x) = (reals(&mut random, BIAS + 3 * N), reals(&mut random, N), reals(&mut random, N));
    let [z, r, n] = &steps(&p, &h, &x)[1].gates;
    let scaled = |factors: &dyn Fn(usize) -> f64, m: &[f64]| -> Vec<f64> {
        m.iter().enumerate().map(|(at, m)| factors(at / N) * m).collect()
    };
    let u = |gate: usize| &p[SQUARE + gate * N * N..][..N * N];
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
    let inner = sum(&scaled(&|k| r[k], &unit(N)), &scaled(&|k| h[k] * r[k] * (1.0 - r[k]), u(1)));
    let candidate = matrix(&scaled(&|k| (1.0 - z[k]) * (1.0 - n[k] * n[k]), u(2)), &inner, N);
    let update = scaled(&|k| (h[k] - n[k]) * z[k] * (1.0 - z[k]), u(0));
    let expected = sum(&sum(&scaled(&|k| z[k], &unit(N)), &update), &candidate);
    let cell = Gru::<ResetBefore>::new(N, N).unwrap();
    crate::close(&jacobian(&cell, &p, &h, &x), &expected, 5e-16);
}

/// Softmax and cross-entropy of (1, 2, 3) against label 0.
#[test]
fn row_6_5_softmax() {
    let mut d = [0.0; 3];
    let value = loss::cross_entropy(&Rows::new(1, 3).unwrap(), 0.0, &[1.0, 2.0, 3.0], &[0], &mut d).unwrap();
    crate::close(&[value], &[2.407605964], 1e-9);
    crate::close(&d, &[-0.90996943, 0.24472847, 0.66524096], 1e-8);
    assert!(d.iter().sum::<f64>().abs() < 1e-15);
}
