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

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, Image, Kernel, Pool2d, ShapeError, Window2d};
use smolnn_float::conv::{conv2d, depthwise, transposed};
use smolnn_float::loss;
use smolnn_float::norm::{self, batch, layer};
use smolnn_float::optimiser::{Adagrad, Adam, Momentum, Optimiser, RmsProp, Sgd};
use smolnn_float::pool::{average, global, max};
use smolnn_float::{Gradients, Parameter, Rows, dense, parameter};

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
        "cross_entropy" | "mse" | "l1" | "huber" | "bce_logits" => losses(&mut bench),
        _ => return Outcome::NotHere,
    };
    match run {
        Ok(()) => Outcome::Compared { worst: bench.worst, tolerance: tolerance(case.op), elements: bench.elements },
        Err(Stop::Refused(error)) => Outcome::Refused(error),
        Err(Stop::Incomplete) => Outcome::Incomplete,
    }
}

/// What the largest difference may be: sums of some hundred products in f32; ten steps of an optimiser.
fn tolerance(op: &str) -> f32 {
    match op {
        "optim" => 1e-6,
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
    let shape = Dense::new(batch, inputs, outputs)?;
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
fn window(case: &Case<'_>, image: Image, batch: usize, kernel: Kernel) -> Window2d {
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
fn kernel(case: &Case<'_>, weights: &Tensor<'_>) -> Kernel {
    let [_, _, a, b] = weights.shape;
    if case.op.contains("1d") { Kernel::taps(a) } else { Kernel::hw(a, b) }
}

fn convolution(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (input, weights) = (bench.tensor("x")?, bench.tensor("w")?);
    let (batch, image) = image(bench.case, &input);
    let window = window(bench.case, image, batch, kernel(bench.case, &weights));
    let outputs = weights.shape[0];
    let shape: Conv2d = window.conv(outputs)?;
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
    if shape.group_inputs() != 1 || shape.groups == 1 {
        return Ok(());
    }
    // One input channel per group: a depthwise convolution, whose kernel has its weights the other way round.
    let shape: DepthwiseConv2d = window.groups(1).depthwise(outputs / shape.groups)?;
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

fn pool_shape(bench: &Bench<'_, '_>) -> Result<Pool2d, Stop> {
    let (batch, image) = image(bench.case, &bench.tensor("x")?);
    let (rows, columns) = bench.case.pair("k", 1);
    let kernel = if bench.case.op.contains("1d") { Kernel::taps(rows) } else { Kernel::hw(rows, columns) };
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
