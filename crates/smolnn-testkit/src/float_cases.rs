//! The recorded float cases, outputs and gradients, against the f32 kernels: the same runner on the host and on firmware.
//!
//! The recordings are computed in f64 and stored as f32, in PyTorch's layouts (NCHW, OIHW, IOHW); the runner permutes them.
//! A case's difference is the largest |Δ| over its outputs and gradients, relative to the larger of 1 and the largest
//! expected element of the tensor: a gradient of 40 may be off by 40 times what one of 1 may.
//!
//! ```
//! let manifest = "case layer linear w=OI\nt layer x 1,2 0 2\nt layer w 1,2 2 2\nt layer y 1,1 4 1\nt layer gy 1,1 5 1\n\
//!                 t layer d_x 1,2 6 2\nt layer d_w 1,2 8 2\n";
//! let blob: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 11.0, 1.0, 3.0, 4.0, 1.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
//! let mut run = 0;
//! smolnn_testkit::float_cases::run(manifest, |_| Some(blob.as_slice()), &mut [0.0; 64], &mut |case, outcome| {
//!     assert!(outcome.passed(), "{}: {outcome:?}", case.name);
//!     run += 1;
//! });
//! assert_eq!(run, 1);
//! ```

mod activation;

use smolnn_core::{
    Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, Pool2dShape, ShapeError, Window2d, WindowSize,
};
use smolnn_float::conv::{conv2d, depthwise, transposed};
use smolnn_float::layer as layers;
use smolnn_float::loss;
use smolnn_float::norm::{self, batch, layer};
use smolnn_float::optimiser::{Adagrad, Adam, Momentum, Optimiser, RmsProp, Sgd};
use smolnn_float::pool::{average, global, max};
use smolnn_float::random::{Pcg32, SeedableRng, uniform};
use smolnn_float::rnn::convert::{self, Format, Tensors};
use smolnn_float::rnn::{
    Bidirectional, Cell, Gru, Keep, Lstm, Relu, ResetAfter, ResetBefore, Sequence, SequenceGradients, SimpleRnn, Sizes,
    Stack,
};
use smolnn_float::{Gradients, Number, Panel, Parameter, Real, Rows, Walk, dense, init, parameter};

/// One recorded case.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Name, unique.
    pub name: &'a str,
    /// Operator.
    pub op: &'a str,
    /// `key=value` pairs, separated by spaces.
    options: &'a str,
    /// The manifest's lines of its tensors.
    lines: &'a str,
    blob: &'a [u8],
}

/// One recorded tensor: up to four lengths, and its elements as bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Lengths, outermost first; 1 for those that are not there.
    pub shape: [usize; 4],
    bytes: &'a [u8],
}

impl Tensor<'_> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn get(&self, index: usize) -> f32 {
        let bytes = self.bytes.get(index * 4..).and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes))
    }
}

impl<'a> Case<'a> {
    /// The tensor of a role: `x`, `w`, `y`, `gy`, `d_x`, ….
    pub fn tensor(&self, role: &str) -> Option<Tensor<'a>> {
        for line in self.lines.lines() {
            let mut fields = line.split(' ').skip(2);
            if fields.next() == Some(role) {
                let mut shape = [1; 4];
                for (length, text) in shape.iter_mut().zip(fields.next()?.split(',')) {
                    *length = if text == "-" { 1 } else { text.parse().ok()? };
                }
                let start: usize = fields.next()?.parse().ok()?;
                let length: usize = fields.next()?.parse().ok()?;
                return Some(Tensor { shape, bytes: self.blob.get(start * 4..(start + length) * 4)? });
            }
        }
        None
    }

    /// The value of an option.
    pub fn option(&self, key: &str) -> Option<&'a str> {
        self.options.split(' ').find_map(|option| option.strip_prefix(key)?.strip_prefix('='))
    }

    /// An option of one number for both axes, `2`, or of one for each, `(2,1)`; `default` where it is absent.
    fn pair(&self, key: &str, default: usize) -> (usize, usize) {
        let Some(text) = self.option(key) else { return (default, default) };
        let mut numbers = text.trim_matches(['(', ')']).split(',').map(|number| number.parse().unwrap_or(default));
        let first = numbers.next().unwrap_or(default);
        (first, numbers.next().unwrap_or(first))
    }

    fn real(&self, key: &str) -> Option<f32> {
        self.option(key)?.parse().ok()
    }
}

/// How a case went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// All tensors were compared.
    Compared {
        /// Largest difference, in the measure above.
        worst: f32,
        /// What it may be.
        tolerance: f32,
        /// Elements compared.
        elements: usize,
    },
    /// No kernel of this operator is run here.
    NotHere,
    /// The kernel refused the shape.
    Refused(ShapeError),
    /// The case lacks a tensor, or the memory does not suffice.
    Incomplete,
}

impl Outcome {
    /// Whether the case is one of ours and within its tolerance.
    pub fn passed(&self) -> bool {
        matches!(self, Self::Compared { worst, tolerance, elements } if worst <= tolerance && *elements > 0)
    }
}

/// Runs every case of the manifest whose blob is there. `memory` holds a case's tensors: 16 Ki elements suffice.
pub fn run<'a>(
    manifest: &'a str,
    blob: impl Fn(&str) -> Option<&'a [u8]>,
    memory: &mut [f32],
    report: &mut dyn FnMut(&Case<'a>, Outcome),
) {
    let mut rest = manifest;
    while let Some(start) = rest.find("case ") {
        let at_line = start == 0 || rest.as_bytes().get(start - 1) == Some(&b'\n');
        let from = rest.get(start + 5..).unwrap_or_default();
        let (header, below) = from.split_once('\n').unwrap_or((from, ""));
        rest = below;
        if !at_line {
            continue;
        }
        let end = below.find("\ncase ").map_or(below.len(), |end| end + 1);
        let mut fields = header.splitn(3, ' ');
        let (Some(name), Some(op)) = (fields.next(), fields.next()) else { continue };
        let Some(blob) = blob(name) else { continue };
        let options = fields.next().unwrap_or_default();
        let case = Case { name, op, options, lines: below.get(..end).unwrap_or_default(), blob };
        let outcome = run_case(&case, memory);
        report(&case, outcome);
    }
}

/// Runs one case.
pub fn run_case(case: &Case<'_>, memory: &mut [f32]) -> Outcome {
    let mut bench = Bench { case, memory, worst: 0.0, elements: 0 };
    let run = match case.op {
        "linear" => linear(&mut bench),
        "conv1d" | "conv2d" => convolution(&mut bench),
        "conv_transpose1d" | "conv_transpose2d" => transposed_convolution(&mut bench),
        "max_pool1d" | "max_pool2d" => max_pool(&mut bench),
        "avg_pool1d" | "avg_pool2d" => average_pool(&mut bench),
        "mean_hw" => global_average(&mut bench),
        "layer_norm" => layer_norm(&mut bench),
        "batch_norm" => batch_norm(&mut bench),
        "optim" => optimiser(&mut bench),
        "rnn" | "lstm" | "gru" | "gru_keras" => recurrent(&mut bench),
        "cross_entropy" | "mse" | "l1" | "huber" | "bce_logits" => losses(&mut bench),
        _ => match activation::run(&mut bench) {
            Some(run) => run,
            None => return Outcome::NotHere,
        },
    };
    match run {
        Ok(()) => Outcome::Compared { worst: bench.worst, tolerance: tolerance(case.op), elements: bench.elements },
        Err(Stop::Refused(error)) => Outcome::Refused(error),
        Err(Stop::Incomplete) => Outcome::Incomplete,
    }
}

/// What the largest difference may be: sums of some hundred products in f32; ten steps of an optimiser; up to 64 steps of a
/// recurrent cell with the default tier's tanh and sigmoid.
fn tolerance(op: &str) -> f32 {
    match op {
        "optim" | "rnn" | "lstm" | "gru" | "gru_keras" => 1e-6,
        _ => 5e-7,
    }
}

/// Why a case did not run to its end.
enum Stop {
    Refused(ShapeError),
    Incomplete,
}

impl From<ShapeError> for Stop {
    fn from(error: ShapeError) -> Self {
        Self::Refused(error)
    }
}

/// A case, memory for its tensors, and what was found so far.
struct Bench<'c, 'm> {
    case: &'c Case<'c>,
    memory: &'m mut [f32],
    worst: f32,
    elements: usize,
}

impl<'m> Bench<'_, 'm> {
    /// Takes `length` zeros from the memory.
    fn zeros(&mut self, length: usize) -> Result<&'m mut [f32], Stop> {
        let (taken, rest) = core::mem::take(&mut self.memory).split_at_mut_checked(length).ok_or(Stop::Incomplete)?;
        self.memory = rest;
        taken.fill(0.0);
        Ok(taken)
    }

    fn tensor(&self, role: &str) -> Result<Tensor<'_>, Stop> {
        self.case.tensor(role).ok_or(Stop::Incomplete)
    }

    /// A tensor as it is recorded.
    fn read(&mut self, role: &str) -> Result<&'m [f32], Stop> {
        let length = self.tensor(role)?.len();
        let values = self.zeros(length)?;
        let tensor = self.tensor(role)?;
        for (index, value) in values.iter_mut().enumerate() {
            *value = tensor.get(index);
        }
        Ok(values)
    }

    /// A tensor that may not be there.
    fn read_optional(&mut self, role: &str) -> Result<Option<&'m [f32]>, Stop> {
        if self.case.tensor(role).is_some() { self.read(role).map(Some) } else { Ok(None) }
    }

    /// A tensor with its channels, the second dimension, moved to the end: NCHW to NHWC, OIHW to OHWI.
    fn read_channels_last(&mut self, role: &str) -> Result<&'m [f32], Stop> {
        let Tensor { shape: [outer, channels, height, width], .. } = self.tensor(role)?;
        let values = self.zeros(outer * channels * height * width)?;
        let tensor = self.tensor(role)?;
        let pixels = height * width;
        for (index, value) in values.iter_mut().enumerate() {
            let (channel, pixel, outer) = (index % channels, index / channels % pixels, index / channels / pixels);
            *value = tensor.get((outer * channels + channel) * pixels + pixel);
        }
        Ok(values)
    }

    /// Compares with what was recorded.
    fn compare(&mut self, computed: &[f32], expected: &[f32]) {
        if computed.len() != expected.len() {
            self.worst = f32::INFINITY;
        }
        let scale = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
        for (computed, expected) in computed.iter().zip(expected) {
            let difference = (computed - expected).abs() / scale;
            // A NaN is as wrong as can be, unless it is expected.
            let difference = if difference.is_nan() && !expected.is_nan() { f32::INFINITY } else { difference };
            self.worst = self.worst.max(difference);
        }
        self.elements += expected.len();
    }

    /// Compares with a tensor as it is recorded.
    fn expect(&mut self, role: &str, computed: &[f32]) -> Result<(), Stop> {
        let expected = self.read(role)?;
        self.compare(computed, expected);
        Ok(())
    }

    /// Compares with a tensor recorded with channels second.
    fn expect_channels_last(&mut self, role: &str, computed: &[f32]) -> Result<(), Stop> {
        let expected = self.read_channels_last(role)?;
        self.compare(computed, expected);
        Ok(())
    }
}

fn linear(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let ([batch, inputs, ..], [outputs, ..]) = (bench.tensor("x")?.shape, bench.tensor("w")?.shape);
    let shape = DenseShape::new(batch, inputs, outputs)?;
    let (x, w, b, gy) = (bench.read("x")?, bench.read("w")?, bench.read_optional("b")?, bench.read("gy")?);
    let y = bench.zeros(shape.output_len())?;
    dense::forward(&shape, w, b, x, y)?;
    bench.expect("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(w.len())?, bench.zeros(outputs)?);
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    dense::backward(&shape, w, x, gy, gradients)?;
    bench.expect("d_x", dx)?;
    bench.expect("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    Ok(())
}

/// The window of a case: kernel sizes are the last two lengths, of which a 1-D case has one.
fn window(case: &Case<'_>, image: Image, batch: usize, kernel: WindowSize) -> Window2d {
    let axes = |key, default| {
        let (rows, columns) = case.pair(key, default);
        if case.op.contains("1d") { (default, rows) } else { (rows, columns) }
    };
    let (stride, dilation) = (axes("stride", 1), axes("dilation", 1));
    let (rows, columns) = axes("padding", 0);
    Window2d::over(image, kernel)
        .batch(batch)
        .stride(stride.0, stride.1)
        .dilation(dilation.0, dilation.1)
        .padding(rows, rows, columns, columns)
        .groups(case.pair("groups", 1).0)
}

/// Batch and image of a recorded tensor, NCHW or NCL.
fn image(case: &Case<'_>, tensor: &Tensor<'_>) -> (usize, Image) {
    let [batch, channels, a, b] = tensor.shape;
    if case.op.contains("1d") { (batch, Image::sequence(a, channels)) } else { (batch, Image::hwc(a, b, channels)) }
}

/// Kernel of recorded weights, OIHW or OIK.
fn kernel(case: &Case<'_>, weights: &Tensor<'_>) -> WindowSize {
    let [_, _, a, b] = weights.shape;
    if case.op.contains("1d") { WindowSize::taps(a) } else { WindowSize::hw(a, b) }
}

fn convolution(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (input, weights) = (bench.tensor("x")?, bench.tensor("w")?);
    let (batch, image) = image(bench.case, &input);
    let window = window(bench.case, image, batch, kernel(bench.case, &weights));
    let outputs = weights.shape[0];
    let shape: Conv2dShape = window.conv(outputs)?;
    let (x, w) = (bench.read_channels_last("x")?, bench.read_channels_last("w")?);
    let (b, gy) = (bench.read_optional("b")?, bench.read_channels_last("gy")?);
    let y = bench.zeros(shape.output_len())?;
    conv2d::forward(&shape, w, b, x, y)?;
    bench.expect_channels_last("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(w.len())?, bench.zeros(outputs)?);
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    conv2d::backward(&shape, w, x, gy, gradients)?;
    bench.expect_channels_last("d_x", dx)?;
    bench.expect_channels_last("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    if shape.group_inputs() != 1 || shape.groups() == 1 {
        return Ok(());
    }
    // One input channel per group: a depthwise convolution, whose kernel has its weights the other way round.
    let shape: DepthwiseConv2dShape = window.groups(1).depthwise(outputs / shape.groups())?;
    let taps = shape.depth();
    let turned = bench.zeros(w.len())?;
    for (index, turned) in turned.iter_mut().enumerate() {
        *turned = w[index % outputs * taps + index / outputs];
    }
    depthwise::forward(&shape, turned, b, x, y)?;
    bench.expect_channels_last("y", y)?;
    let (d_turned, dx, db) = (bench.zeros(w.len())?, bench.zeros(x.len())?, bench.zeros(outputs)?);
    let gradients = Gradients { input: Some(dx), weights: Some(d_turned), bias: Some(db) };
    depthwise::backward(&shape, turned, x, gy, gradients)?;
    for (index, &d) in d_turned.iter().enumerate() {
        dw[index % outputs * taps + index / outputs] = d;
    }
    bench.expect_channels_last("d_x", dx)?;
    bench.expect_channels_last("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    Ok(())
}

fn transposed_convolution(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (input, output, weights) = (bench.tensor("x")?, bench.tensor("y")?, bench.tensor("w")?);
    let (batch, large) = image(bench.case, &output);
    let window = window(bench.case, large, batch, kernel(bench.case, &weights));
    let shape = window.conv(input.shape[1])?;
    let channels = large.channels;
    let (x, w) = (bench.read_channels_last("x")?, bench.read_channels_last("w")?);
    let (b, gy) = (bench.read_optional("b")?, bench.read_channels_last("gy")?);
    let y = bench.zeros(shape.input_len())?;
    transposed::forward(&shape, w, b, x, y)?;
    bench.expect_channels_last("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(w.len())?, bench.zeros(channels)?);
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    transposed::backward(&shape, w, x, gy, gradients)?;
    bench.expect_channels_last("d_x", dx)?;
    bench.expect_channels_last("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    Ok(())
}

fn pool_shape(bench: &Bench<'_, '_>) -> Result<Pool2dShape, Stop> {
    let (batch, image) = image(bench.case, &bench.tensor("x")?);
    let (rows, columns) = bench.case.pair("k", 1);
    let kernel = if bench.case.op.contains("1d") { WindowSize::taps(rows) } else { WindowSize::hw(rows, columns) };
    Ok(window(bench.case, image, batch, kernel).pool()?)
}

fn max_pool(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let shape = pool_shape(bench)?;
    let (x, gy) = (bench.read_channels_last("x")?, bench.read_channels_last("gy")?);
    let mut indices = [0; 1024];
    let indices = indices.get_mut(..max::indices_len(&shape)).ok_or(Stop::Incomplete)?;
    let y = bench.zeros(shape.output_len())?;
    max::forward(&shape, x, y, Some(indices))?;
    bench.expect_channels_last("y", y)?;
    let dx = bench.zeros(x.len())?;
    max::backward(&shape, indices, gy, dx)?;
    bench.expect_channels_last("d_x", dx)
}

fn average_pool(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let shape = pool_shape(bench)?;
    let padded = bench.case.option("count_include_pad") == Some("True");
    let divisor = if padded { average::Divisor::Kernel } else { average::Divisor::Input };
    let (x, gy) = (bench.read_channels_last("x")?, bench.read_channels_last("gy")?);
    let y = bench.zeros(shape.output_len())?;
    average::forward(&shape, divisor, x, y)?;
    bench.expect_channels_last("y", y)?;
    let dx = bench.zeros(x.len())?;
    average::backward(&shape, divisor, gy, dx)?;
    bench.expect_channels_last("d_x", dx)
}

fn global_average(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (batch, image) = image(bench.case, &bench.tensor("x")?);
    let (x, gy) = (bench.read_channels_last("x")?, bench.read("gy")?);
    let y = bench.zeros(batch * image.channels)?;
    global::average(&image, x, y)?;
    bench.expect("y", y)?;
    let dx = bench.zeros(x.len())?;
    global::average_backward(&image, gy, dx)?;
    bench.expect_channels_last("d_x", dx)
}

fn layer_norm(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [rows, channels, ..] = bench.tensor("x")?.shape;
    let shape = Rows::new(rows, channels)?;
    let epsilon = bench.case.real("eps").ok_or(Stop::Incomplete)?;
    let (x, w, b, gy) = (bench.read("x")?, bench.read("w")?, bench.read("b")?, bench.read("gy")?);
    let y = bench.zeros(x.len())?;
    layer::forward(&shape, epsilon, w, b, x, y)?;
    bench.expect("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(channels)?, bench.zeros(channels)?);
    let gradients = norm::Gradients { input: Some(dx), gamma: Some(dw), beta: Some(db) };
    layer::backward(&shape, epsilon, w, x, gy, gradients)?;
    bench.expect("d_x", dx)?;
    bench.expect("d_w", dw)?;
    bench.expect("d_b", db)
}

fn batch_norm(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [images, channels, height, width] = bench.tensor("x")?.shape;
    let shape = Rows::new(images * height * width, channels)?;
    let epsilon = bench.case.real("eps").ok_or(Stop::Incomplete)?;
    let (x, w, b) = (bench.read_channels_last("x")?, bench.read("w")?, bench.read("b")?);
    let gy = bench.read_channels_last("gy")?;
    let y = bench.zeros(x.len())?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(channels)?, bench.zeros(channels)?);
    let gradients = norm::Gradients { input: Some(dx), gamma: Some(dw), beta: Some(db) };
    if bench.case.option("training") == Some("True") {
        let stash = bench.zeros(batch::stash_len(&shape))?;
        let scratch = bench.zeros(batch::stash_len(&shape))?;
        batch::forward_training(&shape, epsilon, w, b, None, x, y, stash)?;
        batch::backward_training(&shape, w, x, stash, gy, gradients, scratch)?;
    } else {
        let (mean, variance) = (bench.read("mean")?, bench.read("var")?);
        batch::forward_inference(&shape, epsilon, w, b, mean, variance, x, y)?;
        batch::backward_inference(&shape, epsilon, w, mean, variance, x, gy, gradients)?;
    }
    bench.expect_channels_last("y", y)?;
    bench.expect_channels_last("d_x", dx)?;
    bench.expect("d_w", dw)?;
    bench.expect("d_b", db)
}

fn losses(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let [rows, classes, ..] = bench.tensor("x")?.shape;
    let (x, gy) = (bench.read("x")?, bench.tensor("gy")?.get(0));
    let dx = bench.zeros(x.len())?;
    let delta = bench.case.real("delta").unwrap_or(1.0);
    let value = match bench.case.op {
        "cross_entropy" => {
            let mut labels = [0; 16];
            let mut count = 0;
            for (label, text) in labels.iter_mut().zip(bench.case.option("target").unwrap_or_default().split(',')) {
                *label = text.parse().map_err(|_| Stop::Incomplete)?;
                count += 1;
            }
            loss::cross_entropy(&Rows::new(rows, classes)?, 0.0, x, &labels[..count], dx)?
        }
        "mse" => loss::mean_squared(x, bench.read("target")?, dx)?,
        "l1" => loss::mean_absolute(x, bench.read("target")?, dx)?,
        "huber" => loss::huber(delta, x, bench.read("target")?, dx)?,
        _ => loss::binary_cross_entropy(x, bench.read("target")?, dx)?,
    };
    bench.expect("y", &[value])?;
    // The recorded gradient is that of gy·L.
    for d in dx.iter_mut() {
        *d *= gy;
    }
    bench.expect("d_x", dx)
}

fn optimiser(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let real = |key, default| bench.case.real(key).unwrap_or(default);
    let (rate, decay) = (real("lr", 0.0), real("weight_decay", 0.0));
    let (momentum, epsilon) = (real("momentum", 0.0), real("eps", 1e-8));
    let adam = Adam::with(rate, real("b1", 0.9), real("b2", 0.999), epsilon);
    let rms_prop = RmsProp::with(rate, real("alpha", 0.99), epsilon);
    match bench.case.option("kind") {
        // PyTorch's SGD adds the decay to the gradient, AdamW takes it from the weights.
        Some("sgd") if bench.case.option("nesterov") == Some("True") => {
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

/// Which cell, and what is recorded of it.
fn recurrent(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let inputs = bench.tensor("x")?.shape[2];
    let option = |key| bench.case.option(key);
    match bench.case.op {
        "rnn" => {
            let hidden = bench.tensor("h0")?.shape[2];
            if option("nonlin") == Some("relu") {
                let cell = SimpleRnn::<Relu>::new(inputs, hidden)?;
                let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                    bench.load(roles, |tensors| convert::simple(&cell, Format::PyTorch, tensors, parameters))
                };
                return sequence(bench, cell, load);
            }
            let cell = SimpleRnn::<smolnn_float::rnn::Tanh>::new(inputs, hidden)?;
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::simple(&cell, Format::PyTorch, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
        "lstm" => {
            let hidden = bench.tensor("h0")?.shape[2];
            let cell = Lstm::new(inputs, hidden)?;
            if option("layers") == Some("2") {
                let upper = Lstm::new(hidden, hidden)?;
                let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                    let (first, second) = parameters.split_at_mut(cell.sizes().parameters());
                    bench.load(roles, |tensors| convert::lstm(&cell, Format::PyTorch, tensors, first))?;
                    let roles = if roles.gradient { &Roles::D_SECOND } else { &Roles::SECOND };
                    bench.load(roles, |tensors| convert::lstm(&upper, Format::PyTorch, tensors, second))
                };
                return sequence(bench, Stack::new::<f32>(cell, upper)?, load);
            }
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::lstm(&cell, Format::PyTorch, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
        "gru" => {
            let hidden = bench.tensor("h0")?.shape[2];
            let cell = Gru::<ResetAfter>::new(inputs, hidden)?;
            if option("bidirectional") == Some("True") {
                return bidirectional(bench, &cell);
            }
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::gru(&cell, Format::PyTorch, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
        _ => {
            let hidden = bench.tensor("h0")?.shape[1];
            if option("reset_after") == Some("True") {
                let cell = Gru::<ResetAfter>::new(inputs, hidden)?;
                let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                    bench.load(roles, |tensors| convert::gru(&cell, Format::Keras, tensors, parameters))
                };
                return sequence(bench, cell, load);
            }
            let cell = Gru::<ResetBefore>::new(inputs, hidden)?;
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::gru(&cell, Format::Keras, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
    }
}

/// The roles of a layer's parameters, or of their gradients. Keras has one tensor for both biases.
struct Roles {
    gradient: bool,
    input: &'static str,
    recurrent: &'static str,
    bias: &'static str,
    recurrent_bias: Option<&'static str>,
}

/// The roles of one layer, with a prefix and a suffix.
macro_rules! roles {
    ($gradient:literal, $prefix:literal, $suffix:literal) => {
        Roles {
            gradient: $gradient,
            input: concat!($prefix, "w_ih_", $suffix),
            recurrent: concat!($prefix, "w_hh_", $suffix),
            bias: concat!($prefix, "b_ih_", $suffix),
            recurrent_bias: Some(concat!($prefix, "b_hh_", $suffix)),
        }
    };
}

impl Roles {
    const FIRST: Self = roles!(false, "", "l0");
    const SECOND: Self = roles!(false, "", "l1");
    const REVERSED: Self = roles!(false, "", "l0_rev");
    const D_FIRST: Self = roles!(true, "d_", "l0");
    const D_SECOND: Self = roles!(true, "d_", "l1");
    const D_REVERSED: Self = roles!(true, "d_", "l0_rev");
    const KERAS: Self = Self { gradient: false, input: "W", recurrent: "U", bias: "b", recurrent_bias: None };
    const D_KERAS: Self = Self { gradient: true, input: "d_W", recurrent: "d_U", bias: "d_b", recurrent_bias: None };
}

impl Bench<'_, '_> {
    /// Reads a layer's tensors and has them converted. A gradient of summed biases is each bias's own, so that of the
    /// second one is taken just where the second one stands by itself: in the last third, the candidate of a GRU.
    fn load(
        &mut self,
        roles: &Roles,
        convert: impl FnOnce(&Tensors<'_, f32>) -> Result<(), ShapeError>,
    ) -> Result<(), Stop> {
        let (input, recurrent) = (self.read(roles.input)?, self.read(roles.recurrent)?);
        let rows = recurrent.len() / self.hidden()?;
        let bias = self.read(roles.bias)?;
        let (bias, second) = bias.split_at(rows.min(bias.len()));
        let second = match roles.recurrent_bias {
            Some(role) => self.read(role)?,
            None => second,
        };
        let copy = self.zeros(second.len())?;
        copy.copy_from_slice(second);
        if roles.gradient {
            let summed = if self.case.op.starts_with("gru") { copy.len() / 3 * 2 } else { copy.len() };
            for (first, second) in bias.iter().zip(copy.iter_mut()).take(summed) {
                // What the recording says of the two must agree, or this is not the gradient of a sum.
                *second = if (first - *second).abs() <= 1e-6 * first.abs().max(1.0) { 0.0 } else { f32::NAN };
            }
        }
        let recurrent_bias = (!copy.is_empty()).then_some(&*copy);
        Ok(convert(&Tensors { bias: Some(bias), recurrent_bias, ..Tensors::new(input, recurrent) })?)
    }

    fn hidden(&self) -> Result<usize, Stop> {
        let shape = self.tensor("h0")?.shape;
        Ok(if self.case.op == "gru_keras" { shape[1] } else { shape[2] })
    }

    /// Adds the recorded rows `[layer][sample]` of a state to `state`, cell by cell.
    fn gather(&mut self, role: &str, sample: usize, state: &mut [f32], place: &Place) -> Result<(), Stop> {
        let values = self.read(role)?;
        for (layer, start) in place.starts.iter().copied().take(place.layers).enumerate() {
            let row = &values[(layer * place.batch + sample) * place.hidden..][..place.hidden];
            for (value, &recorded) in state[start..].iter_mut().zip(row) {
                *value += recorded;
            }
        }
        Ok(())
    }

    /// Compares a state, cell by cell.
    fn expect_state(&mut self, role: &str, sample: usize, state: &[f32], place: &Place) -> Result<(), Stop> {
        let values = self.read(role)?;
        for (layer, start) in place.starts.iter().copied().take(place.layers).enumerate() {
            let row = &values[(layer * place.batch + sample) * place.hidden..][..place.hidden];
            self.compare(&state[start..][..place.hidden], row);
        }
        Ok(())
    }
}

/// Where the h, or the c, of each layer or direction lies in the state.
struct Place {
    layers: usize,
    batch: usize,
    hidden: usize,
    starts: [usize; 2],
}

/// One sample of a batch, forward and back.
struct Pass<'a> {
    parameters: &'a [f32],
    input: &'a [f32],
    output: &'a mut [f32],
    state: &'a mut [f32],
    d_output: Option<&'a [f32]>,
    d_state: &'a mut [f32],
    gradients: SequenceGradients<'a, f32>,
    stash: &'a mut [f32],
    scratch: &'a mut [f32],
}

fn sequence<C: Cell<f32>>(
    bench: &mut Bench<'_, '_>,
    cell: C,
    load: impl Fn(&mut Bench<'_, '_>, &Roles, &mut [f32]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let sequence = Sequence::new(cell, bench.tensor("x")?.shape[0], Keep::Gates)?;
    let sizes = cell.sizes();
    let hidden = bench.hidden()?;
    let layers = if bench.case.option("layers") == Some("2") { 2 } else { 1 };
    // The upper layer lies first in a stack's state.
    let (h, c) = if layers == 2 { ([2 * hidden, 0], [3 * hidden, hidden]) } else { ([0; 2], [hidden; 2]) };
    let lengths = [sizes.parameters(), sizes.state(), sizes.outputs, sizes.stash(sequence.steps(), Keep::Gates)];
    samples(bench, &sizes, layers, lengths, h, c, load, &|pass| {
        let Pass { parameters, input, output, state, d_output, d_state, gradients, stash, scratch } = pass;
        sequence.forward(parameters, state, input, output, stash, scratch)?;
        sequence.backward(parameters, input, output, stash, d_output, d_state, gradients, scratch)
    })
}

fn bidirectional(bench: &mut Bench<'_, '_>, cell: &Gru<ResetAfter>) -> Result<(), Stop> {
    let steps = bench.tensor("x")?.shape[0];
    let both = Bidirectional::new(*cell, steps, Keep::Gates)?;
    let sizes = cell.sizes();
    let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
        let (first, second) = parameters.split_at_mut(sizes.parameters());
        bench.load(roles, |tensors| convert::gru(cell, Format::PyTorch, tensors, first))?;
        let roles = if roles.gradient { &Roles::D_REVERSED } else { &Roles::REVERSED };
        bench.load(roles, |tensors| convert::gru(cell, Format::PyTorch, tensors, second))
    };
    let (outputs, stash) = (sizes.outputs, sizes.bidirectional_stash(steps, Keep::Gates));
    let lengths = [2 * sizes.parameters(), 2 * sizes.state(), 2 * outputs, stash];
    samples(bench, &sizes, 2, lengths, [0, outputs], [0; 2], load, &|pass| {
        let Pass { parameters, input, output, state, d_output, d_state, gradients, stash, scratch } = pass;
        both.forward(parameters, state, input, output, stash, scratch)?;
        both.backward(parameters, input, output, stash, d_output, d_state, gradients, scratch)
    })
}

/// Runs a recorded batch, sample by sample, and compares everything.
fn samples(
    bench: &mut Bench<'_, '_>,
    sizes: &Sizes,
    layers: usize,
    [parameters, state, outputs, stash]: [usize; 4],
    h: [usize; 2],
    c: [usize; 2],
    load: impl Fn(&mut Bench<'_, '_>, &Roles, &mut [f32]) -> Result<(), Stop>,
    run: &dyn Fn(Pass<'_>) -> Result<(), ShapeError>,
) -> Result<(), Stop> {
    let keras = bench.case.op == "gru_keras";
    let has_c = bench.case.op == "lstm";
    // Output of every step, last h, last c: which of them are recorded, and under which number.
    let (every, last_h, last_c) = match (keras, bench.case.option("outputs")) {
        (true, _) => (Some(["y", "gy"]), None, None),
        (_, Some("h")) if has_c => (None, Some(["y0", "gy0"]), Some(["y1", "gy1"])),
        (_, Some("h")) => (None, Some(["y", "gy"]), None),
        _ => (Some(["y0", "gy0"]), Some(["y1", "gy1"]), has_c.then_some(["y2", "gy2"])),
    };
    let (roles, d_roles) = if keras { (Roles::KERAS, Roles::D_KERAS) } else { (Roles::FIRST, Roles::D_FIRST) };
    let [steps, batch, inputs, _] = bench.tensor("x")?.shape;
    let place = |starts| -> Result<Place, Stop> { Ok(Place { layers, batch, hidden: sizes.outputs, starts }) };
    let (h, c) = (place(h)?, place(c)?);
    let values = bench.zeros(parameters)?;
    load(bench, &roles, values)?;
    let d_values = bench.zeros(parameters)?;
    let x = bench.read("x")?;
    let d_x = bench.zeros(x.len())?;
    let y = bench.zeros(steps * batch * outputs)?;
    let gy = match every {
        Some([_, role]) => Some(bench.read(role)?),
        None => None,
    };
    let (stash, scratch) = (bench.zeros(stash)?, bench.zeros(sizes.scratch(Keep::Gates))?);
    for sample in 0..batch {
        let (one_x, one_dx) = (bench.zeros(steps * inputs)?, bench.zeros(steps * inputs)?);
        let (one_y, one_gy) = (bench.zeros(steps * outputs)?, bench.zeros(steps * outputs)?);
        for step in 0..steps {
            let at = step * batch + sample;
            one_x[step * inputs..][..inputs].copy_from_slice(&x[at * inputs..][..inputs]);
            if let Some(gy) = gy {
                one_gy[step * outputs..][..outputs].copy_from_slice(&gy[at * outputs..][..outputs]);
            }
        }
        let (now, d_now) = (bench.zeros(state)?, bench.zeros(state)?);
        bench.gather("h0", sample, now, &h)?;
        if has_c {
            bench.gather("c0", sample, now, &c)?;
        }
        if let Some([_, role]) = last_h {
            bench.gather(role, sample, d_now, &h)?;
        }
        if let Some([_, role]) = last_c {
            bench.gather(role, sample, d_now, &c)?;
        }
        run(Pass {
            parameters: values,
            input: one_x,
            output: one_y,
            state: now,
            d_output: gy.is_some().then_some(&*one_gy),
            d_state: d_now,
            gradients: SequenceGradients { input: Some(one_dx), parameters: Some(d_values) },
            stash,
            scratch,
        })?;
        if let Some([role, _]) = last_h {
            bench.expect_state(role, sample, now, &h)?;
        }
        if let Some([role, _]) = last_c {
            bench.expect_state(role, sample, now, &c)?;
        }
        bench.expect_state("d_h0", sample, d_now, &h)?;
        if has_c {
            bench.expect_state("d_c0", sample, d_now, &c)?;
        }
        for step in 0..steps {
            let at = step * batch + sample;
            d_x[at * inputs..][..inputs].copy_from_slice(&one_dx[step * inputs..][..inputs]);
            y[at * outputs..][..outputs].copy_from_slice(&one_y[step * outputs..][..outputs]);
        }
    }
    if let Some([role, _]) = every {
        bench.expect(role, y)?;
    }
    bench.expect("d_x", d_x)?;
    let expected = bench.zeros(parameters)?;
    load(bench, &d_roles, expected)?;
    bench.compare(d_values, expected);
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
            head.backward(&h, &d_y, &mut d_head, Some(&mut d_h));
            for (d, h) in d_h.iter_mut().zip(h) {
                *d *= 1.0 - h * h;
            }
            hidden.backward(x, &d_h, &mut d_hidden, None);
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

/// A number whose passes are the portable ones on every target, by panels or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Portable<T, const PANELS: bool = false>(pub T);

macro_rules! arithmetic {
    ($($operation:ident $method:ident $assigning:ident $assign:ident $symbol:tt),*) => {$(
        impl<T: Number, const PANELS: bool> core::ops::$operation for Portable<T, PANELS> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0 $symbol other.0)
            }
        }
        impl<T: Number, const PANELS: bool> core::ops::$assigning for Portable<T, PANELS> {
            fn $assign(&mut self, other: Self) {
                *self = *self $symbol other;
            }
        }
    )*};
}
arithmetic!(Add add AddAssign add_assign +, Sub sub SubAssign sub_assign -, Mul mul MulAssign mul_assign *);

impl<T: Number, const PANELS: bool> core::ops::Neg for Portable<T, PANELS> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<T: Number, const PANELS: bool> Number for Portable<T, PANELS> {
    const PANELS: bool = PANELS;
}

/// Compares the f32 passes of this build, on which all linear layers rest, with the portable ones: every length up to 20, every
/// number of rows up to 9, rows apart and side by side; windows; panels. Returns the cases compared and the largest difference relative to
/// the sum of the magnitudes, which is 0 unless [`smolnn_float::FUSES_F32`].
pub fn compare_passes() -> (u32, f32) {
    const LENGTH: usize = 20;
    const ROWS: usize = 9;
    const STRIDE: usize = LENGTH + 3;
    let mut random = Pcg32::seed_from_u64(2);
    let mut draw = || 2.0 * uniform::<f32>(&mut random) - 1.0;
    let (mut cases, mut worst) = (0, 0.0_f32);
    let mut compare = |found: &[f32], expected: &[Portable<f32>]| {
        for (found, expected) in found.iter().zip(expected) {
            let difference = (found - expected.0).abs();
            // At most 20 products of numbers below 1, on top of one.
            worst = worst.max(if difference.is_nan() { f32::INFINITY } else { difference / 21.0 });
        }
    };
    for length in 0..=LENGTH {
        for rows in 0..=ROWS {
            let stride = if rows % 2 == 0 { STRIDE } else { length };
            let mut weights = [0.0; ROWS * STRIDE];
            let (mut x, mut g) = ([0.0; LENGTH], [0.0; ROWS]);
            weights.iter_mut().chain(&mut x).chain(&mut g).for_each(|value| *value = draw());
            let (w, x, g) = (&mut weights, &mut x[..length], &mut g[..rows]);
            let (mut pw, mut px, mut pg) = (w.map(Portable::<f32>), [Portable(0.0); LENGTH], [Portable(0.0); ROWS]);
            let (px, pg) = (&mut px[..length], &mut pg[..rows]);
            px.iter_mut().zip(&*x).for_each(|(p, &x)| *p = Portable(x));
            pg.iter_mut().zip(&*g).for_each(|(p, &g)| *p = Portable(g));
            f32::rows_outer(w, stride, g, x);
            Portable::rows_outer(&mut pw, stride, pg, px);
            compare(w, &pw);
            f32::rows_dot(w, stride, x, g);
            Portable::rows_dot(&pw, stride, px, pg);
            compare(g, pg);
            f32::rows_transposed(w, stride, g, x);
            Portable::rows_transposed(&pw, stride, pg, px);
            // The gradients of the row before are as large as 21.
            px.iter_mut().zip(&mut *x).for_each(|(p, x)| (p.0, *x) = (p.0 / 21.0, *x / 21.0));
            compare(x, px);
            cases += 1;
        }
    }
    for channels in 0..=LENGTH {
        for (rows, columns) in [(1, 1), (1, 3), (2, 1), (2, 3), (3, 3)] {
            // Pixels of the second image are further apart.
            let steps = [LENGTH, LENGTH + 1];
            let pitches = [3 * LENGTH, 4 * LENGTH + 5];
            let Some(walk) = Walk::new(channels, [rows, columns], steps, pitches, 1) else { continue };
            let (mut a, mut b, mut f) = ([0.0; 9 * LENGTH], [0.0; 13 * LENGTH], [0.0; 3 * LENGTH]);
            a.iter_mut().chain(&mut b).chain(&mut f).for_each(|value| *value = draw());
            let (mut pa, mut pb, mut pf) = (a.map(Portable::<f32>), b.map(Portable), f.map(Portable));
            f32::walk_sum(&walk, &mut f, &a, &b);
            Portable::walk_sum(&walk, &mut pf, &pa, &pb);
            compare(&f, &pf);
            f32::walk_add(&walk, &mut a, &b, &f);
            Portable::walk_add(&walk, &mut pa, &pb, &pf);
            compare(&a, &pa);
            let vector = columns * channels;
            f32::rows_fill(&f[..vector], &mut b[..rows * vector]);
            Portable::rows_fill(&pf[..vector], &mut pb[..rows * vector]);
            compare(&b, &pb);
            f32::rows_sum(&b[..rows * vector], &mut f[..vector]);
            Portable::rows_sum(&pb[..rows * vector], &mut pf[..vector]);
            compare(&f, &pf);
            // Apart in both images, or side by side in the first, or in both.
            let steps = [if rows == 1 { LENGTH } else { channels }, if rows == 3 { 1 } else { 2 }];
            let pitches = [3 * LENGTH, 7];
            let Some(walk) = Walk::new(channels, [rows, columns], steps, pitches, columns) else { continue };
            f32::spread_add(&walk, &mut a, &b, &f);
            Portable::spread_add(&walk, &mut pa, &pb, &pf);
            compare(&a, &pa);
            // By now products are far larger than 1.
            let shrink = |values: &mut [f32], portable: &mut [Portable<f32>]| {
                values.iter_mut().for_each(|value| *value /= 4096.0);
                portable.iter_mut().for_each(|value| value.0 /= 4096.0);
            };
            shrink(&mut a, &mut pa);
            f32::gather_add(&walk, &a, &mut b, &f);
            Portable::gather_add(&walk, &pa, &mut pb, &pf);
            compare(&b, &pb);
            f32::spread_sum(&walk, &mut f, &a, &b);
            Portable::spread_sum(&walk, &mut pf, &pa, &pb);
            compare(&f, &pf);
            cases += 1;
        }
    }
    for columns in 1..=LENGTH {
        for (lanes, outputs) in [(8, 8), (4, 1), (4, 2), (4, 3), (4, 4)] {
            for (rows, lines, pixels) in [(1, 1, 1), (3, 1, 2), (2, 3, 1), (1, 2, 3), (2, 2, 4)] {
                // What is read overlaps, what is summed lies apart.
                let pitches = [lanes * LENGTH, LENGTH + 2];
                let (lines, pixels) = ([lines, 7, 40], [pixels, 3, 9]);
                let Some(panel) = Panel::new([lanes, outputs], [rows, columns], pitches, lines, pixels) else {
                    continue;
                };
                let (mut weights, mut packed) = ([0.0; 8 * 3 * LENGTH], [0.0; 8 * 3 * LENGTH]);
                let (mut x, mut y) = ([0.0; 5 * LENGTH], [0.0; 6 * LENGTH]);
                weights.iter_mut().chain(&mut x).chain(&mut y).for_each(|value| *value = draw());
                let (mut pw, px, mut py) = (weights.map(Portable::<f32>), x.map(Portable), y.map(Portable));
                let mut pp = [Portable(0.0); 8 * 3 * LENGTH];
                // Outputs apart by an odd number, taps by two.
                let (steps, elements) = ([2, 2 * LENGTH + 1], lanes * columns);
                for row in (0..rows).map(|row| row * pitches[0]) {
                    let from = 5 * row / pitches[0];
                    f32::panel_load(&mut packed[row..][..elements], lanes, &weights[from..], steps, outputs);
                    Portable::panel_load(&mut pp[row..][..elements], lanes, &pw[from..], steps, outputs);
                }
                f32::panel_outer(&panel, &mut packed, &x, &y);
                Portable::panel_outer(&panel, &mut pp, &px, &py);
                f32::panel_sum(&panel, &packed, &x, &mut y);
                Portable::panel_sum(&panel, &pp, &px, &mut py);
                f32::panel_store(&packed[..elements], lanes, &mut weights, steps, outputs);
                Portable::panel_store(&pp[..elements], lanes, &mut pw, steps, outputs);
                compare(&weights, &pw);
                // At most 60 products with weights that may be 13.
                y.iter_mut().for_each(|y| *y /= 40.0);
                py.iter_mut().for_each(|y| y.0 /= 40.0);
                compare(&y, &py);
                cases += 1;
            }
        }
    }
    (cases, worst)
}
