//! 6.4: LSTM.

use host_tests::gradient::{Backward, Operator, reals};
use host_tests::recurrent::{All, backward, forward};
use smolnn_float::Real;
use smolnn_float::rnn::{Keep, Lstm};

use crate::generator;
use crate::recurrent::{Recorded, matches, outer, product, transposed};

#[test]
fn row_6_4_recorded_net() {
    let Some(recorded) = Recorded::read("lstm") else { return };
    assert!((recorded.loss() - 2.681648527).abs() < 1e-9);
    crate::close(&recorded.field("h")[4..], &[0.208057817, 0.218342318], 1e-9);
    for (name, figures) in [
        ("c0", [-0.013667675, 0.014909356]),
        ("h0", [-0.019935282, 0.026084896]),
        ("bf", [0.038824376, 0.047370062]),
        ("bg", [0.185053213, 0.316752924]),
        ("bi", [0.040217466, 0.103584766]),
        ("bo", [0.086509437, 0.063630845]),
    ] {
        crate::close(&recorded.gradient(name), &figures, 1e-9);
    }
    matches(&recorded, &Lstm::new(2, 2).unwrap(), &["i", "f", "g", "o"], &["bi", "bf", "bg", "bo"], &["h0", "c0"]);
}

/// What a backward pass gets wrong in print.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Variant {
    Right,
    /// d̄c = dc ⊙ f left out.
    NoCellPath,
    /// W in place of U in d̄h. (W and U are square here.)
    WForU,
    /// ∂W of the last step, without the sum over steps.
    OneStep,
}

const N: usize = 3;
const SQUARE: usize = 4 * N * N;
const BIAS: usize = 2 * SQUARE;

struct Step {
    gates: [Vec<f64>; 4],
    c: Vec<f64>,
    h: Vec<f64>,
}

/// Every step from the formulas; the first one holds c₀ and h₀ alone.
fn steps(p: &[f64], state: &[f64], x: &[f64]) -> Vec<Step> {
    let mut steps = vec![Step { gates: [const { Vec::new() }; 4], h: state[..N].to_vec(), c: state[N..].to_vec() }];
    for x in x.chunks_exact(N) {
        let before = steps.last().unwrap();
        let mut z = p[BIAS..].to_vec();
        product(&p[..SQUARE], x, &mut z);
        product(&p[SQUARE..BIAS], &before.h, &mut z);
        let gate = |k: usize, f: fn(f64) -> f64| z[k * N..][..N].iter().map(|&z| f(z)).collect::<Vec<f64>>();
        let gates @ [i, f, g, o] =
            &[gate(0, Real::sigmoid), gate(1, Real::sigmoid), gate(2, Real::tanh), gate(3, Real::sigmoid)];
        let c: Vec<f64> = (0..N).map(|k| f[k] * before.c[k] + i[k] * g[k]).collect();
        let h = (0..N).map(|k| o[k] * Real::tanh(c[k])).collect();
        steps.push(Step { gates: gates.clone(), c, h });
    }
    steps
}

/// ∂L/∂ of parameters, (h₀, c₀) and x from the formulas, or one of their variants; g is ∂L_t/∂h_t.
fn by_formula(variant: Variant, p: &[f64], state: &[f64], x: &[f64], g: &[f64]) -> Vec<Vec<f64>> {
    let steps = steps(p, state, x);
    let (mut d_p, mut d_x) = (vec![0.0; p.len()], vec![0.0; x.len()]);
    let (mut d_h, mut d_c) = (vec![0.0; N], vec![0.0; N]);
    for t in (1..steps.len()).rev() {
        let (before, Step { gates: [i, f, g_, o], c, .. }) = (&steps[t - 1], &steps[t]);
        let mut delta = vec![0.0; 4 * N];
        for k in 0..N {
            let (d_h, tanh_c) = (d_h[k] + g[(t - 1) * N + k], Real::tanh(c[k]));
            d_c[k] += d_h * o[k] * (1.0 - tanh_c * tanh_c);
            delta[k] = d_c[k] * g_[k] * i[k] * (1.0 - i[k]);
            delta[N + k] = d_c[k] * before.c[k] * f[k] * (1.0 - f[k]);
            delta[2 * N + k] = d_c[k] * i[k] * (1.0 - g_[k] * g_[k]);
            delta[3 * N + k] = d_h * tanh_c * o[k] * (1.0 - o[k]);
            d_c[k] *= if variant == Variant::NoCellPath { 0.0 } else { f[k] };
        }
        if variant != Variant::OneStep || t + 1 == steps.len() {
            outer(&mut d_p[..SQUARE], &delta, &x[(t - 1) * N..][..N]);
        }
        outer(&mut d_p[SQUARE..BIAS], &delta, &before.h);
        d_p[BIAS..].iter_mut().zip(&delta).for_each(|(d, delta)| *d += delta);
        transposed(&p[..SQUARE], &delta, &mut d_x[(t - 1) * N..][..N]);
        d_h.fill(0.0);
        let recurrent = if variant == Variant::WForU { &p[..SQUARE] } else { &p[SQUARE..BIAS] };
        transposed(recurrent, &delta, &mut d_h);
    }
    vec![d_p, [d_h, d_c].concat(), d_x]
}

fn check(count: usize, backward: Backward<'_>) -> Result<usize, String> {
    let mut random = generator(640);
    let inputs = vec![reals(&mut random, BIAS + 4 * N), reals(&mut random, 2 * N), reals(&mut random, count * N)];
    let forward = |t: &[Vec<f64>]| steps(&t[0], &t[1], &t[2])[1..].iter().flat_map(|step| step.h.clone()).collect();
    Operator { name: "LSTM".into(), inputs, forward: &forward, backward }.check(&mut random)
}

#[test]
fn row_6_4_formulas() {
    for count in [1, 2, 9, 40] {
        check(count, &|t, g| by_formula(Variant::Right, &t[0], &t[1], &t[2], g)).unwrap();
    }
    // The library is the formula.
    let mut random = generator(641);
    let cell = Lstm::new(N, N).unwrap();
    let (p, state, x) = (reals(&mut random, BIAS + 4 * N), reals(&mut random, 2 * N), reals(&mut random, 12 * N));
    let g = reals(&mut random, 12 * N);
    let run = forward(&cell, Keep::Gates, &p, &state, &x);
    let All { parameters, state: d_state, input } = backward(&cell, Keep::Gates, &p, &x, &run, Some(&g), &[0.0; 2 * N]);
    for (found, expected) in [parameters, d_state, input].iter().zip(by_formula(Variant::Right, &p, &state, &x, &g)) {
        crate::close(found, &expected, 1e-13);
    }
}

fn is_rejected(variant: Variant) {
    let found = check(5, &|t, g| by_formula(variant, &t[0], &t[1], &t[2], g));
    println!("{}", found.expect_err("the check must reject it"));
}

#[test]
fn row_6_4_wrong_variant_without_the_cell_path_is_rejected() {
    is_rejected(Variant::NoCellPath);
}

#[test]
fn row_6_4_wrong_variant_w_for_u_is_rejected() {
    is_rejected(Variant::WForU);
}

#[test]
fn row_6_4_wrong_variant_one_step_is_rejected() {
    is_rejected(Variant::OneStep);
}

/// How wrong ∂U is without d̄c on a net of five steps: f, i and g by tens of percent, o by little.
#[test]
fn row_6_4_cost_of_the_missing_cell_path() {
    let mut random = generator(642);
    let (p, state, x) = (reals(&mut random, BIAS + 4 * N), reals(&mut random, 2 * N), reals(&mut random, 5 * N));
    let g = reals(&mut random, 5 * N);
    let [right, wrong] =
        [Variant::Right, Variant::NoCellPath].map(|variant| by_formula(variant, &p, &state, &x, &g)[0].clone());
    let error = |gate: usize| {
        let range = SQUARE + gate * N * N..SQUARE + (gate + 1) * N * N;
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        norm(&mut right[range.clone()].iter().zip(&wrong[range.clone()]).map(|(a, b)| a - b))
            / norm(&mut right[range].iter().copied())
    };
    let [i, f, g, o] = [0, 1, 2, 3].map(error);
    println!("relative error of ∂U: i {i:.3}, f {f:.3}, g {g:.3}, o {o:.3}");
    assert!([i, f, g].iter().all(|&error| error > 0.1) && o < f.min(i).min(g));
}

/// The path through the cell is Πf: with a forget bias of 0 nothing is left of a gradient after fifty steps; σ < 1 does not
/// prevent vanishing, a bias of 3 and more does.
#[test]
fn row_6_4_forget_bias() {
    let cell = Lstm::new(1, 1).unwrap();
    for (bias, expected, tolerance) in
        [(0.0, 8.9e-16, 5e-18), (1.0, 1.6e-7, 5e-9), (3.0, 0.088, 5e-4), (5.0, 0.715, 5e-4)]
    {
        let mut parameters = vec![0.0; cell.sizes().parameters()];
        parameters[9] = bias;
        let run = forward(&cell, Keep::Gates, &parameters, &[0.0, 0.5], &[0.0; 50]);
        let all = backward(&cell, Keep::Gates, &parameters, &[0.0; 50], &run, None, &[0.0, 1.0]);
        let found: f64 = all.state[1];
        println!("forget bias {bias}: f = {:.4}, Πf = {found:.3e}", Real::sigmoid(bias));
        assert!((found - expected).abs() <= tolerance, "{found:e}");
        assert!((found - Real::sigmoid(bias).powi(50)).abs() <= 1e-14 * found);
    }
}
