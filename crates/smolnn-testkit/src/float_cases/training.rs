//! Recorded steps of the optimisers, and a network that learns here and now.

use smolnn_float::layer as layers;
use smolnn_float::optimiser::{Adagrad, Adam, Momentum, Optimiser, RmsProp, Sgd};
use smolnn_float::random::{Pcg32, SeedableRng};
use smolnn_float::{Parameter, Real, init, loss, parameter};

use super::{Bench, Case, MANY_STEPS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[Case {
    operators: &["optim"],
    kernels: &[
        "optimiser/adagrad.rs::Adagrad",
        "optimiser/adam.rs::Adam",
        "optimiser/momentum.rs::Momentum",
        "optimiser/rms_prop.rs::RmsProp",
        "optimiser/sgd.rs::Sgd",
        "parameter.rs::regularise",
    ],
    tolerance: MANY_STEPS,
    run: optimiser,
}];

fn optimiser(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let real = |key, default| bench.recording.real(key).unwrap_or(default);
    let (rate, decay) = (real("lr", 0.0), real("weight_decay", 0.0));
    let (momentum, epsilon) = (real("momentum", 0.0), real("eps", 1e-8));
    let adam = Adam::with(rate, real("b1", 0.9), real("b2", 0.999), epsilon);
    let rms_prop = RmsProp::with(rate, real("alpha", 0.99), epsilon);
    match bench.recording.option("kind") {
        // PyTorch's SGD adds the decay to the gradient, AdamW takes it from the weights.
        Some("sgd") if bench.recording.option("nesterov") == Some("True") => {
            train(bench, Momentum::nesterov(rate, momentum), decay)
        }
        Some("sgd") if momentum != 0.0 => train(bench, Momentum::new(rate, momentum), decay),
        Some("sgd") => train(bench, Sgd::new(rate), decay),
        Some("adam") => train(bench, adam, decay),
        Some("adamw") => train(bench, adam.decay(decay), 0.0),
        Some("rmsprop") => train(bench, rms_prop, decay),
        Some("adagrad") => train(bench, Adagrad::new(rate), decay),
        _ => Err(Stop::Incomplete),
    }
}

/// The recorded gradients, step by step; the parameters after each of them are recorded too.
fn train<O: Optimiser<f32>>(bench: &mut Bench<'_, '_>, mut optimiser: O, lambda: f32) -> Result<(), Stop> {
    let (start, gradients, expected) = (bench.read("p0")?, bench.read("grads")?, bench.read("y")?);
    let (values, gradient) = (bench.zeros(start.len())?, bench.zeros(start.len())?);
    let state = bench.zeros(O::STATES * start.len())?;
    values.copy_from_slice(start);
    for (recorded, expected) in gradients.chunks_exact(start.len()).zip(expected.chunks_exact(start.len())) {
        gradient.copy_from_slice(recorded);
        let mut parameters = [Parameter::weights(values, gradient)?];
        if lambda != 0.0 {
            parameter::regularise(&mut parameters, lambda);
        }
        optimiser.step(&mut parameters, state)?;
        bench.compare(values, expected);
    }
    Ok(())
}

/// Trains XOR on a 2-8-1 network with tanh, by Adam from a pinned seed, here and now: whether it gets all four right, with
/// the loss of the last step. The same on the host and on every board.
pub fn learn_xor() -> (bool, f32) {
    const STATE: usize = Adam::<f32>::state_len(Hidden::PARAMETERS + Head::PARAMETERS);
    type Hidden = layers::Dense<f32, 2, 8>;
    type Head = layers::Dense<f32, 8, 1>;
    let mut random = Pcg32::seed_from_u64(1);
    let mut hidden = Hidden::random(init::xavier_uniform, &mut random);
    let mut head = Head::random(init::xavier_uniform, &mut random);
    let (mut adam, mut state) = (Adam::new(0.05_f32), [0.0; STATE]);
    let samples = [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)];
    let mut last = f32::INFINITY;
    for _ in 0..150 {
        let (mut d_hidden, mut d_head) = (Hidden::zeros(), Head::zeros());
        last = 0.0;
        for (x, target) in &samples {
            let h = hidden.forward(x).map(Real::tanh);
            let mut d_y = [0.0];
            last += loss::mean_squared(&head.forward(&h), &[*target], &mut d_y).unwrap_or(f32::INFINITY);
            let mut d_h = [0.0; 8];
            head.backward(&h, &d_y, Some(&mut d_h), &mut d_head);
            for (d, h) in d_h.iter_mut().zip(h) {
                *d *= 1.0 - h * h;
            }
            hidden.backward(x, &d_h, None, &mut d_hidden);
        }
        let ([w1, b1], [w2, b2]) = (hidden.parameters(&mut d_hidden), head.parameters(&mut d_head));
        if adam.step(&mut [w1, b1, w2, b2], &mut state).is_err() {
            return (false, last);
        }
    }
    let right = samples.iter().all(|(x, target)| {
        let [y] = head.forward(&hidden.forward(x).map(Real::tanh));
        (y > 0.5) == (*target > 0.5)
    });
    (right, last)
}
