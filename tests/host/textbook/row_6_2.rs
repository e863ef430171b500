//! 6.2: simple RNN and backpropagation through time.

use host_tests::gradient::{Backward, Operator, reals};
use host_tests::recurrent::{All, backward, forward};
use smolnn_float::Real;
use smolnn_float::rnn::{Keep, SimpleRnn, Tanh};

use crate::generator;
use crate::recurrent::{Recorded, matches, outer, product, transposed};

#[test]
fn row_6_2_recorded_net() {
    let Some(recorded) = Recorded::read("rnn_tanh") else { return };
    assert!((recorded.loss() - 2.066508420).abs() < 1e-9);
    crate::close(&recorded.gradient("U"), &[-0.069713087, -0.236509364, -0.0367471, -0.405623293], 1e-9);
    crate::close(&recorded.gradient("W"), &[0.181112526, 0.135114057, 0.432836309, 0.230977737], 1e-9);
    crate::close(&recorded.gradient("b"), &[0.114996173, 0.504646431], 1e-9);
    crate::close(&recorded.gradient("h0"), &[0.255778797, -0.212125933], 1e-9);
    matches(&recorded, &SimpleRnn::<Tanh>::new(2, 2).unwrap(), &[""], &["b"], &["h0"]);
}

/// What a backward pass gets wrong in print.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Variant {
    Right,
    /// x_{k−1} in place of x_k in ∂W.
    EarlierInput,
    /// δ_t from ∂L_t/∂h_t alone.
    NoRecursion,
    /// No ∂U.
    NoRecurrentGradient,
}

const INPUTS: usize = 3;
const HIDDEN: usize = 4;
const RECURRENT: usize = HIDDEN * INPUTS;
const BIAS: usize = RECURRENT + HIDDEN * HIDDEN;

/// All states, h₀ first, from the formula.
fn states(p: &[f64], h0: &[f64], x: &[f64]) -> Vec<Vec<f64>> {
    let mut h = vec![h0.to_vec()];
    for x in x.chunks_exact(INPUTS) {
        let mut z = p[BIAS..].to_vec();
        product(&p[..RECURRENT], x, &mut z);
        product(&p[RECURRENT..BIAS], h.last().unwrap(), &mut z);
        h.push(z.iter().map(|&z| Real::tanh(z)).collect());
    }
    h
}

/// ∂L/∂ of parameters, h₀ and x from the formulas, or one of their variants; g is ∂L_t/∂h_t.
fn by_formula(variant: Variant, p: &[f64], h0: &[f64], x: &[f64], g: &[f64]) -> Vec<Vec<f64>> {
    let h = states(p, h0, x);
    let (mut d_p, mut d_x, mut carried) = (vec![0.0; p.len()], vec![0.0; x.len()], vec![0.0; HIDDEN]);
    for t in (1..h.len()).rev() {
        let g = &g[(t - 1) * HIDDEN..][..HIDDEN];
        let carry = if variant == Variant::NoRecursion { 0.0 } else { 1.0 };
        let delta: Vec<f64> = (0..HIDDEN).map(|i| (g[i] + carry * carried[i]) * (1.0 - h[t][i] * h[t][i])).collect();
        let earlier = usize::from(variant == Variant::EarlierInput && t > 1);
        outer(&mut d_p[..RECURRENT], &delta, &x[(t - 1 - earlier) * INPUTS..][..INPUTS]);
        if variant != Variant::NoRecurrentGradient {
            outer(&mut d_p[RECURRENT..BIAS], &delta, &h[t - 1]);
        }
        d_p[BIAS..].iter_mut().zip(&delta).for_each(|(d, delta)| *d += delta);
        transposed(&p[..RECURRENT], &delta, &mut d_x[(t - 1) * INPUTS..][..INPUTS]);
        carried.fill(0.0);
        transposed(&p[RECURRENT..BIAS], &delta, &mut carried);
    }
    vec![d_p, carried, d_x]
}

fn check(steps: usize, backward: Backward<'_>) -> Result<usize, String> {
    let mut random = generator(620);
    let inputs =
        vec![reals(&mut random, BIAS + HIDDEN), reals(&mut random, HIDDEN), reals(&mut random, steps * INPUTS)];
    let forward = |t: &[Vec<f64>]| states(&t[0], &t[1], &t[2])[1..].concat();
    Operator { name: "simple RNN".into(), inputs, forward: &forward, backward }.check(&mut random)
}

#[test]
fn row_6_2_formulas() {
    for steps in [1, 2, 9, 40] {
        check(steps, &|t, g| by_formula(Variant::Right, &t[0], &t[1], &t[2], g)).unwrap();
    }
    // The library is the formula.
    let mut random = generator(621);
    let cell = SimpleRnn::<Tanh>::new(INPUTS, HIDDEN).unwrap();
    let (p, h0, x) = (reals(&mut random, BIAS + HIDDEN), reals(&mut random, HIDDEN), reals(&mut random, 12 * INPUTS));
    let g = reals(&mut random, 12 * HIDDEN);
    let run = forward(&cell, Keep::Gates, &p, &h0, &x);
    crate::close(&run.output, &states(&p, &h0, &x)[1..].concat(), 1e-14);
    let All { parameters, state, input } = backward(&cell, Keep::Gates, &p, &x, &run, Some(&g), &[0.0; HIDDEN]);
    for (found, expected) in [parameters, state, input].iter().zip(by_formula(Variant::Right, &p, &h0, &x, &g)) {
        crate::close(found, &expected, 1e-13);
    }
}

/// ∂W = Σ_t Σ_{k≤t} δ_{t,k} x_kᵀ, the textbook's double sum, is what one sweep gives.
#[test]
fn row_6_2_double_sum() {
    let mut random = generator(622);
    let (p, h0, x) = (reals(&mut random, BIAS + HIDDEN), reals(&mut random, HIDDEN), reals(&mut random, 10 * INPUTS));
    let g = reals(&mut random, 10 * HIDDEN);
    let h = states(&p, &h0, &x);
    let mut d_w = vec![0.0; RECURRENT];
    for t in 1..h.len() {
        let mut d_h = g[(t - 1) * HIDDEN..][..HIDDEN].to_vec();
        for k in (1..=t).rev() {
            let delta: Vec<f64> = d_h.iter().zip(&h[k]).map(|(d, h)| d * (1.0 - h * h)).collect();
            outer(&mut d_w, &delta, &x[(k - 1) * INPUTS..][..INPUTS]);
            d_h.fill(0.0);
            transposed(&p[RECURRENT..BIAS], &delta, &mut d_h);
        }
    }
    crate::close(&by_formula(Variant::Right, &p, &h0, &x, &g)[0][..RECURRENT], &d_w, 1e-13);
}

fn is_rejected(variant: Variant) {
    let found = check(6, &|t, g| by_formula(variant, &t[0], &t[1], &t[2], g));
    println!("{}", found.expect_err("the check must reject it"));
}

#[test]
fn row_6_2_wrong_variant_earlier_input_is_rejected() {
    is_rejected(Variant::EarlierInput);
}

#[test]
fn row_6_2_wrong_variant_without_recursion_is_rejected() {
    is_rejected(Variant::NoRecursion);
}

#[test]
fn row_6_2_wrong_variant_without_recurrent_gradient_is_rejected() {
    is_rejected(Variant::NoRecurrentGradient);
}
