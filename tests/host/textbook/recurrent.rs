//! What the rows on recurrent networks share: recorded nets, a softmax head on every state, and cells by their formulas.

use std::fs;

use host_tests::recurrent::{All, backward, forward};
use serde_json::Value;
use smolnn_core::DenseShape;
use smolnn_float::rnn::{Cell, Keep};
use smolnn_float::{Gradients, Real, Rows, dense, loss};
use smolnn_testkit::golden;

/// A recorded net: h₃, loss and gradients of L = Σ_t cross-entropy(softmax(V h_t + b_v), label_t).
pub struct Recorded {
    all: Value,
    net: Value,
}

impl Recorded {
    /// The net of that name, `None` where the recordings are absent.
    pub fn read(name: &str) -> Option<Self> {
        let folder = golden::folder("../shared/golden")?;
        let all: Value = serde_json::from_str(&fs::read_to_string(folder.join("recurrent.json")).unwrap()).unwrap();
        let net = all[name].clone();
        assert!(net.is_object(), "{name}");
        Some(Self { all, net })
    }

    pub fn loss(&self) -> f64 {
        self.net["loss"].as_f64().unwrap()
    }

    pub fn shared(&self, name: &str) -> Vec<f64> {
        numbers(&self.all[name])
    }

    pub fn field(&self, name: &str) -> Vec<f64> {
        numbers(&self.net[name])
    }

    pub fn gradient(&self, name: &str) -> Vec<f64> {
        numbers(&self.net["grad"][name])
    }

    /// Parameters (`params`) or gradients (`grad`) in our layout: W of all gates, U of all gates, biases.
    pub fn layout(&self, which: &str, gates: &[&str], biases: &[&str]) -> Vec<f64> {
        let tensors = |prefix: &str| gates.iter().map(|gate| format!("{prefix}{gate}")).collect::<Vec<_>>();
        let names = [tensors("W"), tensors("U"), biases.iter().map(|&b| b.to_string()).collect()].concat();
        names.iter().flat_map(|name| numbers(&self.net[which][name])).collect()
    }
}

/// Numbers of a nested list.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// Everything a net with a softmax head gives.
pub struct Trained<T> {
    pub loss: T,
    pub h: Vec<T>,
    pub all: All<T>,
    pub d_v: Vec<T>,
    pub d_bv: Vec<T>,
}

/// Loss and gradients of a cell with a head V, b_v of two classes on every state.
pub fn train<T: Real, C: Cell<T>>(
    cell: &C,
    keep: Keep,
    parameters: &[T],
    state: &[T],
    input: &[T],
    (v, bv): (&[T], &[T]),
    labels: &[usize],
) -> Trained<T> {
    let run = forward(cell, keep, parameters, state, input);
    let head = DenseShape::new(labels.len(), v.len() / bv.len(), bv.len()).unwrap();
    let mut logits = vec![T::ZERO; head.output_len()];
    dense::forward(&head, v, Some(bv), &run.output, &mut logits).unwrap();
    let mut d_logits = logits.clone();
    let rows = Rows::new(labels.len(), bv.len()).unwrap();
    let mean = loss::cross_entropy(&rows, T::ZERO, &logits, labels, &mut d_logits).unwrap();
    // The rows' mean; the recorded loss is their sum.
    let count = T::from_usize(labels.len());
    d_logits.iter_mut().for_each(|d| *d *= count);
    let mut d_h = vec![T::ZERO; run.output.len()];
    let (mut d_v, mut d_bv) = (vec![T::ZERO; v.len()], vec![T::ZERO; bv.len()]);
    let gradients = Gradients { input: Some(&mut d_h), weights: Some(&mut d_v), bias: Some(&mut d_bv) };
    dense::backward(&head, v, &run.output, &d_logits, gradients).unwrap();
    let all = backward(cell, keep, parameters, input, &run, Some(&d_h), &vec![T::ZERO; state.len()]);
    Trained { loss: mean * count, h: run.output, all, d_v, d_bv }
}

/// A recorded net through the library, f64 to the recorded twelve digits and f32 to 1e-6, with the whole stash and without.
pub fn matches<C: Cell<f64> + Cell<f32>>(
    recorded: &Recorded,
    cell: &C,
    gates: &[&str],
    biases: &[&str],
    states: &[&str],
) {
    let parameters = recorded.layout("params", gates, biases);
    let state = vec![0.0; states.len() * 2];
    let expected: Vec<Vec<f64>> = vec![
        vec![recorded.loss()],
        recorded.field("h"),
        recorded.layout("grad", gates, biases),
        states.iter().flat_map(|name| recorded.gradient(name)).collect(),
        recorded.field("grad_V"),
        recorded.field("grad_bv"),
    ];
    fn check<T: Real, C: Cell<T>>(
        cell: &C,
        recorded: &Recorded,
        parameters: &[f64],
        state: &[f64],
        expected: &[Vec<f64>],
        tolerance: f64,
    ) {
        let real = |values: &[f64]| values.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
        let [x, v, bv] = ["x(seed1)", "V(seed2)", "bv(seed3)"].map(|name| real(&recorded.shared(name)));
        for keep in [Keep::Gates, Keep::States] {
            let trained = train(cell, keep, &real(parameters), &real(state), &x, (&v, &bv), &[0, 1, 1]);
            let Trained { loss, h, all, d_v, d_bv } = trained;
            for (found, expected) in [vec![loss], h, all.parameters, all.state, d_v, d_bv].iter().zip(expected) {
                let found: Vec<f64> = found.iter().map(|v| v.to_f64()).collect();
                crate::close(&found, expected, tolerance);
            }
        }
    }
    check::<f64, C>(cell, recorded, &parameters, &state, &expected, 2e-12);
    check::<f32, C>(cell, recorded, &parameters, &state, &expected, 1e-6);
}

/// `y += A x`, A `[rows][x.len()]`.
pub fn product(a: &[f64], x: &[f64], y: &mut [f64]) {
    for (row, y) in a.chunks_exact(x.len()).zip(y) {
        *y += row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
    }
}

/// `y += Aᵀ x`, A `[x.len()][y.len()]`.
pub fn transposed(a: &[f64], x: &[f64], y: &mut [f64]) {
    for (row, x) in a.chunks_exact(y.len()).zip(x) {
        y.iter_mut().zip(row).for_each(|(y, a)| *y += a * x);
    }
}

/// `A += x yᵀ`.
pub fn outer(a: &mut [f64], x: &[f64], y: &[f64]) {
    for (row, x) in a.chunks_exact_mut(y.len()).zip(x) {
        row.iter_mut().zip(y).for_each(|(a, y)| *a += x * y);
    }
}

/// Product of square matrices.
pub fn matrix(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let at = |i: usize, j: usize| (0..n).map(|k| a[i * n + k] * b[k * n + j]).sum();
    (0..n * n).map(|index| at(index / n, index % n)).collect()
}

/// The unit matrix.
pub fn unit(n: usize) -> Vec<f64> {
    (0..n * n).map(|index| f64::from(index / n == index % n)).collect()
}

/// ∂h_T/∂h_0 of a cell whose state is h, row by row, from the library's backward pass.
pub fn jacobian(cell: &impl Cell<f64>, parameters: &[f64], state: &[f64], input: &[f64]) -> Vec<f64> {
    let run = forward(cell, Keep::Gates, parameters, state, input);
    let n = state.len();
    unit(n)
        .chunks_exact(n)
        .flat_map(|row| backward(cell, Keep::Gates, parameters, input, &run, None, row).state)
        .collect()
}
