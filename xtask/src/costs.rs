//! What kernels cost by the size of a layer: fitted to the figures of tests/expected, for the importer's estimates, and for the packer's choice of
//! Winograd's products.
//!
//! Each figure is of one shape. A kernel's cost is five numbers: per unit of work (multiply-accumulates, or elements of the larger one of input and output),
//! per element of the output, per element of the input, per work through output channels (what a convolution gathers, the rows of a softmax), and per
//! call. None of them is negative; they are the least squares of the relative errors. A kernel with few figures has few numbers: one more than half the
//! figures at most, and always the one per unit of work, so that large layers cost more.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::expected::Table;
use crate::shell::{self, say};
use crate::{bench, cycles};

/// The importer's copy.
const FILE: &str = "crates/smolnn-import/src/plan/costs.txt";

const HEAD: &str = "\
# What kernels cost, fitted to tests/expected: `cargo xtask bench --bless` and `cargo xtask cycles --bless` write this file, a test of xtask holds it.
# Columns: board, kernel, unit of work; cost per unit of work, per element of the output, per element of the input, per work through output channels, per call;
# the largest relative error of the fit. Modelled cycles for m0, m3, m4 and m33, instructions for the others.
";

/// The boards and the file of their figures.
const BOARDS: [(&str, &str); 7] = [
    ("m0", cycles::FILE),
    ("m3", cycles::FILE),
    ("m4", cycles::FILE),
    ("m7", bench::FILE),
    ("m33", cycles::FILE),
    ("m55", bench::FILE),
    ("rv32", bench::FILE),
];

/// How a figure's shape reads.
#[derive(Clone, Copy)]
enum Form {
    /// `8x8x16 k3x3s1 -> 8x8x16`, of all channels.
    Conv2d,
    /// The same, channel by channel.
    Depthwise,
    /// The same, without multiply-accumulates.
    Pool,
    /// `8x8x4 k3x3s1 2 groups`, outputs like inputs.
    Groups,
    /// `640->128` or `640-128`.
    Dense,
    /// `8x8x16 3x3 16 same` or `64x8 k5 16`: outputs lie as densely as inputs.
    FloatConv2d,
    /// `8x8x16 3x3 same`.
    FloatDepthwise,
    /// `in28 hid20 T28` or, of one step, `6-16`, with so many gates.
    Gates(f64),
    /// `in40 filters64 rank1 mem10`.
    Svdf,
    /// `16x16x16`: rows, sums, columns.
    Product,
    /// `64x16 …`, or `5x5x16 -> 8x8x16`: elements of the input and the output, which are equal unless the second is named.
    Elements,
    /// `64x16`: the last axis goes.
    Reduction,
    /// The columns of 1024 elements.
    Columns,
}

/// The kernels that models call, and how their shapes read.
const KERNELS: &[(Form, &[&str])] = &[
    (Form::Conv2d, &["conv2d", "conv2d_int16", "transpose_conv2d", "transpose_conv2d_int16"]),
    (Form::Depthwise, &["depthwise_conv2d", "depthwise_conv2d_int16"]),
    (Form::Pool, &["average_pool2d", "max_pool2d"]),
    (Form::Groups, &["grouped_conv2d"]),
    (Form::Dense, &["dense", "dense_int16", "f32_dense"]),
    (Form::FloatConv2d, &["f32_conv2d"]),
    (Form::FloatDepthwise, &["f32_depthwise"]),
    (Form::Gates(4.0), &["lstm_batch", "f32_lstm"]),
    (Form::Gates(3.0), &["recurrent_batch", "f32_gru"]),
    (Form::Svdf, &["svdf_batch"]),
    (Form::Product, &["matmul", "matmul_int16", "f32_matmul"]),
    (
        Form::Reduction,
        &[
            "mean",
            "reduce_sum",
            "reduce_max",
            "reduce_min",
            "f32_reduce_sum",
            "f32_reduce_mean",
            "f32_reduce_prod",
            "f32_reduce_max",
            "f32_reduce_min",
        ],
    ),
    (Form::Columns, &["f32_softmax", "f32_log_softmax"]),
    (
        Form::Elements,
        &[
            "add",
            "add_int16",
            "mul",
            "div",
            "squared_difference",
            "squared_difference_int16",
            "maximum",
            "minimum",
            "prelu",
            "softmax",
            "softmax_int16",
            "softmax_to_int16",
            "log_softmax",
            "l2_norm",
            "lookup",
            "logistic_int16",
            "tanh_int16",
            "leaky_relu_int16",
            "relu_int16",
            "abs_int16",
            "rsqrt_int16",
            "interpolate_int16",
            "requantise",
            "dequantise",
            "quantise",
            "cast",
            "cast_to_bool",
            "pad",
            "copy",
            "resize_bilinear",
            "resize_nearest",
            "gather",
            "gather_nd",
            "assign",
            "slide",
            "space_to_batch",
            "batch_to_space",
            "update_slice",
            "compare",
            "compare_int8",
            "cumsum",
            "logical_and",
            "logical_or",
            "logical_not",
            "select",
            "arithmetic_int32",
            "arg_max",
            "arg_min",
            "signal_window",
            "signal_auto_scale",
            "signal_real_fft",
            "signal_inverse_real_fft",
            "signal_energies",
            "signal_filter_bank",
            "signal_square_roots",
            "signal_spectral_subtraction",
            "signal_gain_control",
            "signal_logarithms",
            "signal_stack",
            "signal_delay",
            "signal_frame",
            "signal_overlap_add",
            "f32_add",
            "f32_sub",
            "f32_mul",
            "f32_div",
            "f32_maximum",
            "f32_minimum",
            "f32_squared_difference",
            "f32_abs",
            "f32_neg",
            "f32_square",
            "f32_sqrt",
            "f32_rsqrt",
            "f32_exp_elementwise",
            "f32_log_elementwise",
            "f32_sin",
            "f32_cos",
            "f32_floor",
            "f32_ceil",
            "f32_round",
            "f32_sign",
            "f32_power",
            "f32_clamp",
            "f32_clamped",
            "f32_prelu_elementwise",
            "f32_compare",
            "f32_floor_div",
            "f32_floor_mod",
            "f32_cumsum",
            "f32_arg_max",
            "f32_arg_min",
            "f32_max_pool2d",
            "f32_average_pool2d",
            "f32_l2_pool2d",
            "f32_l2_norm",
            "f32_softmax_scaled",
            "f32_resize_bilinear",
            "f32_resize_nearest",
            "f32_sigmoid",
            "f32_tanh",
            "f32_erf",
            "f32_leaky_relu",
            "f32_elu",
            "f32_selu",
            "f32_mish",
            "f32_softsign",
            "f32_hard_swish",
            "f32_gelu_erf",
            "f32_softplus_activation",
        ],
    ),
];

/// The size of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    /// Multiply-accumulates; none where work is counted in elements.
    macs: Option<f64>,
    inputs: f64,
    outputs: f64,
    /// Channels of the output.
    channels: f64,
}

impl Size {
    fn features(&self) -> [f64; 5] {
        let work = self.macs.unwrap_or(self.inputs.max(self.outputs));
        [work, self.outputs, self.inputs, work / self.channels, 1.0]
    }
}

/// The numbers of a text such as `8x8x16`.
fn numbers(text: &str) -> Vec<f64> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn product(text: &str) -> f64 {
    numbers(text).iter().product()
}

fn last(text: &str) -> f64 {
    numbers(text).last().copied().unwrap_or(1.0)
}

/// The size of a figure's layer; `None` where the shape does not read as it should.
fn size(form: Form, shape: &str) -> Option<Size> {
    let words: Vec<&str> = shape.split(' ').collect();
    let size = match (form, &words[..]) {
        (Form::Conv2d | Form::Depthwise | Form::Pool, [from, window, "->", to, ..]) => {
            let taps = product(window.split('s').next()?);
            let depth = if matches!(form, Form::Conv2d) { last(from) } else { 1.0 };
            let macs = (!matches!(form, Form::Pool)).then(|| product(to) * taps * depth);
            Size { macs, inputs: product(from), outputs: product(to), channels: last(to) }
        }
        (Form::Groups, [from, window, groups, "groups"]) => {
            let taps = product(window.split('s').next()?);
            let macs = product(from) * taps * last(from) / last(groups);
            Size { macs: Some(macs), inputs: product(from), outputs: product(from), channels: last(from) }
        }
        (Form::Dense, [ends, ..]) => {
            let [inputs, outputs] = numbers(ends)[..] else { return None };
            Size { macs: Some(inputs * outputs), inputs, outputs, channels: outputs }
        }
        (Form::FloatConv2d, [from, window, channels, ..]) => {
            let pixels = product(from) / last(from);
            let channels = last(channels);
            let macs = product(from) * product(window) * channels;
            Size { macs: Some(macs), inputs: product(from), outputs: pixels * channels, channels }
        }
        (Form::FloatDepthwise, [from, window, ..]) => {
            let macs = product(from) * product(window);
            Size { macs: Some(macs), inputs: product(from), outputs: product(from), channels: last(from) }
        }
        (Form::Gates(gates), [first, ..]) => {
            let (width, units, steps) = match (numbers(first)[..].to_vec(), &words[..]) {
                (ends, _) if ends.len() == 2 => (ends[0], ends[1], 1.0),
                (_, [input, hidden, steps, ..]) => (last(input), last(hidden), last(steps)),
                // With a projection, which changes what is multiplied.
                _ => return None,
            };
            let macs = steps * gates * units * (width + units);
            Size { macs: Some(macs), inputs: steps * width, outputs: steps * units, channels: units }
        }
        (Form::Svdf, [inputs, filters, _, memory]) => {
            let (inputs, outputs) = (last(inputs), last(filters));
            let macs = outputs * (inputs + last(memory));
            Size { macs: Some(macs), inputs, outputs, channels: outputs }
        }
        (Form::Product, [first, ..]) => {
            let [rows, sums, columns] = numbers(first)[..] else { return None };
            Size { macs: Some(rows * sums * columns), inputs: rows * sums, outputs: rows * columns, channels: columns }
        }
        (Form::Elements, [first, rest @ ..]) => {
            let to = match rest {
                ["->" | "to", to, ..] => to,
                _ => first,
            };
            // `4x4x4 to 8x8` leaves out the channels, which stay.
            let missing = if numbers(to).len() < numbers(first).len() { last(first) } else { 1.0 };
            let channels = if missing > 1.0 { missing } else { last(to) };
            Size { macs: None, inputs: product(first), outputs: product(to) * missing, channels }
        }
        (Form::Reduction, [from, ..]) => {
            let outputs = product(from) / last(from);
            Size { macs: None, inputs: product(from), outputs, channels: outputs }
        }
        (Form::Columns, [columns]) => Size { macs: None, inputs: 1024.0, outputs: 1024.0, channels: last(columns) },
        _ => return None,
    };
    (size.features().iter().all(|feature| *feature > 0.0)).then_some(size)
}

/// A figure of a kernel: the numbers of its layer that costs are counted by, and what it took.
struct Sample {
    features: [f64; 5],
    cost: f64,
}

/// The costs of a kernel, and the largest relative error.
struct Fit {
    costs: [f64; 5],
    error: f64,
}

/// Solves a small system of linear equations; `None` where it has no single solution.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let count = rows.len();
    for pivot in 0..count {
        let best = (pivot..count).max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs()))?;
        rows.swap(pivot, best);
        if rows[pivot][pivot].abs() < 1e-12 {
            return None;
        }
        for other in (0..count).filter(|&other| other != pivot) {
            let factor = rows[other][pivot] / rows[pivot][pivot];
            for column in pivot..=count {
                let term = factor * rows[pivot][column];
                rows[other][column] -= term;
            }
        }
    }
    Some((0..count).map(|row| rows[row][count] / rows[row][row]).collect())
}

/// The least squares of the relative errors with these of the five costs; `None` where one would be negative.
fn least_squares(samples: &[Sample], chosen: &[usize]) -> Option<(f64, [f64; 5])> {
    let relative: Vec<[f64; 5]> =
        samples.iter().map(|sample| sample.features.map(|feature| feature / sample.cost)).collect();
    // Columns of like lengths: a call weighs a millionth of its work.
    let lengths: Vec<f64> =
        chosen.iter().map(|&index| relative.iter().map(|row| row[index] * row[index]).sum::<f64>().sqrt()).collect();
    let entry = |row: &[f64; 5], place: usize| row[chosen[place]] / lengths[place];
    let equations = (0..chosen.len())
        .map(|a| {
            let mut equation: Vec<f64> =
                (0..chosen.len()).map(|b| relative.iter().map(|row| entry(row, a) * entry(row, b)).sum()).collect();
            equation.push(relative.iter().map(|row| entry(row, a)).sum());
            equation
        })
        .collect();
    let mut costs = [0.0; 5];
    for ((&index, length), cost) in chosen.iter().zip(&lengths).zip(solve(equations)?) {
        costs[index] = cost / length;
    }
    let squares = samples.iter().map(|sample| error(&costs, sample).powi(2)).sum();
    costs.iter().all(|&cost| cost >= 0.0).then_some((squares, costs))
}

/// The relative error of costs against a figure.
fn error(costs: &[f64; 5], sample: &Sample) -> f64 {
    let estimate: f64 = sample.features.iter().zip(costs).map(|(feature, cost)| feature * cost).sum();
    estimate / sample.cost - 1.0
}

/// Fits the costs of a kernel: of all choices of so many costs, the one with the least squares; of equal ones the first.
fn fit(samples: &[Sample]) -> Option<Fit> {
    let most = if samples.len() == 1 { 1 } else { samples.len() / 2 + 1 };
    let mut best: Option<(f64, [f64; 5])> = None;
    for choice in 1u32..32 {
        let chosen: Vec<usize> = (0..5).filter(|index| choice & 1 << index != 0).collect();
        if chosen.len() > most || chosen[0] != 0 {
            continue;
        }
        if let Some(found) = least_squares(samples, &chosen)
            && found.1[0] > 0.0
            && best.is_none_or(|(squares, _)| found.0 < squares - 1e-6)
        {
            best = Some(found);
        }
    }
    let (_, costs) = best?;
    // As the file has them.
    let costs = costs.map(|cost| format!("{cost:.4e}").parse().unwrap_or(cost));
    let largest = samples.iter().map(|sample| error(&costs, sample).abs()).fold(0.0, f64::max);
    Some(Fit { costs, error: largest })
}

/// Which body a depthwise convolution takes, as the importer tells them apart.
fn depthwise(size: &Size, from: f64) -> &'static str {
    match (size.macs.map(|macs| macs / size.outputs), size.channels > from) {
        (_, true) => "/multiplied",
        (Some(9.0), _) => "/9",
        _ => "",
    }
}

/// Shapes whose figures are not those of the kernel's other shapes: a scale that only the portable body takes, outputs behind a ReLU, and a product
/// whose operands both lie across.
const EXCEPTIONS: [&str; 3] = ["M>=1/2", "ReLU", "both transposed"];

/// Shapes and figures of a board by kernel.
fn figures(board: &str, file: &str) -> Result<BTreeMap<String, Vec<(String, f64)>>> {
    let mut figures: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    for (key, numbers) in Table::read(file)?.rows() {
        let words: Vec<&str> = key.split_whitespace().collect();
        let ([of, "kernel", kernel, shape @ ..], Some(&figure)) = (&words[..], numbers.first()) else { continue };
        let shape = shape.join(" ");
        if *of == board && !EXCEPTIONS.iter().any(|exception| shape.ends_with(exception)) {
            figures.entry((*kernel).to_owned()).or_default().push((shape, figure));
        }
    }
    Ok(figures)
}

/// The text of the file, of the figures as they stand.
fn text() -> Result<String> {
    let mut text = String::from(HEAD);
    for (board, file) in BOARDS {
        let figures = figures(board, file)?;
        for &(form, kernels) in KERNELS {
            for &kernel in kernels {
                let mut groups: Vec<(String, &str, Vec<Sample>)> = Vec::new();
                for (shape, cost) in figures.get(kernel).into_iter().flatten() {
                    let (cost, Some(size)) = (*cost, size(form, shape)) else { continue };
                    let body = match kernel {
                        "depthwise_conv2d" => depthwise(&size, last(shape.split(' ').next().unwrap_or(""))),
                        "conv2d" if shape.ends_with("Winograd") => "/winograd",
                        _ => "",
                    };
                    let name = format!("{kernel}{body}");
                    let unit = if size.macs.is_some() { "macs" } else { "elements" };
                    let sample = Sample { features: size.features(), cost };
                    match groups.iter_mut().find(|(other, ..)| *other == name) {
                        Some((.., samples)) => samples.push(sample),
                        None => groups.push((name, unit, vec![sample])),
                    }
                }
                ensure!(!groups.is_empty(), "tests/expected/{file} has no figure of {kernel} on {board}");
                for (name, unit, samples) in groups {
                    let Fit { costs, error } = fit(&samples).with_context(|| format!("no fit of {name} on {board}"))?;
                    let costs = costs.map(|cost| if cost == 0.0 { "0".into() } else { format!("{cost:.4e}") });
                    text += &format!("{board} {name} {unit} {} {error:.3}\n", costs.join(" "));
                }
            }
        }
    }
    Ok(text)
}

/// The packer's table.
const PACKER: &str = "crates/smolnn-fixed/src/backend/costs.rs";

const PACKER_HEAD: &str = "\
//! What convolutions 3×3 of stride 1 cost, fitted to tests/expected: `cargo xtask bench --bless` and `cargo xtask cycles --bless` write this
//! file, a test of xtask holds it. By it the importer chooses the layers that take Winograd's products.
#![forbid(unsafe_code)]

use super::winograd::Costs;
use crate::Backend;

/// The costs on the cores of a backend; `None` where it has no Winograd's products.
pub(crate) const fn of(backend: Backend) -> Option<Costs> {
    Some(match backend {
";

const PACKER_END: &str = "        _ => return None,
    })
}
";

/// Backends that have Winograd's products, the board whose figures stand for their cores, and the tiles that they compute at a time.
const WINOGRAD: [(&str, &str, &str, f64); 4] = [
    ("Dsp", "m4", cycles::FILE, 3.0),
    ("V7m", "m3", cycles::FILE, 4.0),
    ("V6m", "m0", cycles::FILE, 4.0),
    ("Rv32", "rv32", bench::FILE, 4.0),
];

/// The text of the packer's table: fits to the shapes that are measured both ways.
fn packer_text() -> Result<String> {
    let mut text = String::from(PACKER_HEAD);
    for (backend, board, file, together) in WINOGRAD {
        let figures = figures(board, file)?.remove("conv2d").unwrap_or_default();
        let (mut direct, mut winograd) = (Vec::new(), Vec::new());
        for (shape, cost) in &figures {
            let Some(shape) = shape.strip_suffix(" Winograd") else { continue };
            let [height, width, inputs, 3.0, 3.0, 1.0, .., outputs] = numbers(shape)[..] else { continue };
            let (_, figure) =
                figures.iter().find(|(other, _)| other == shape).with_context(|| format!("no {shape}"))?;
            let made = height * width * outputs;
            direct.push(Sample { features: [9.0 * inputs * made, made, 0.0, 0.0, 0.0], cost: *figure });
            let tiles = ((height / 2.0).ceil() * (width / 2.0).ceil() / together).ceil() * together;
            let features = [16.0 * tiles * inputs * outputs, tiles * inputs, tiles * outputs, 0.0, 0.0];
            winograd.push(Sample { features, cost: *cost });
        }
        let thousandths = |samples: &[Sample]| -> Result<[f64; 5]> {
            let fit = fit(samples).with_context(|| format!("no fit of Winograd's products on {board}"))?;
            Ok(fit.costs.map(|cost| (1000.0 * cost).round()))
        };
        let [product, output, ..] = thousandths(&direct)?;
        let [by_winograd, input, sum, ..] = thousandths(&winograd)?;
        text += &format!(
            "        Backend::{backend} => \
             Costs {{ direct: [{product}, {output}], winograd: [{by_winograd}, {input}, {sum}], tiles: {together} }},\n"
        );
    }
    Ok(text + PACKER_END)
}

/// The files that are fitted to the figures, and their texts.
fn files() -> Result<[(&'static str, String); 2]> {
    Ok([(FILE, text()?), (PACKER, packer_text()?)])
}

fn path(file: &str) -> PathBuf {
    shell::root().join(file)
}

/// Writes both files anew.
pub fn bless() -> Result<()> {
    for (file, text) in files()? {
        fs::write(path(file), text).with_context(|| format!("cannot write {file}"))?;
        say!("wrote {file}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_importer_and_the_packer_have_the_costs_of_the_figures() {
        if std::env::var_os("SMOLNN_BLESS").is_some() {
            return bless().unwrap();
        }
        for (file, fitted) in files().unwrap() {
            let kept = fs::read_to_string(path(file)).unwrap();
            let different = kept.lines().zip(fitted.lines()).find(|(kept, fitted)| kept != fitted);
            let counts = (kept.lines().count(), fitted.lines().count());
            assert_eq!((different, counts.0), (None, counts.1), "`cargo xtask cycles --bless` writes {file}");
        }
    }

    #[test]
    fn shapes_read_as_sizes() {
        let read =
            |form, shape: &str| size(form, shape).map(|size| (size.macs, size.inputs, size.outputs, size.channels));
        assert_eq!(read(Form::Conv2d, "49x10x1 k10x4s2 -> 25x5x64"), Some((Some(320_000.0), 490.0, 8000.0, 64.0)));
        assert_eq!(read(Form::Depthwise, "24x1x128 k10x1s1 -> 15x1x128").unwrap().0, Some(19_200.0));
        assert_eq!(read(Form::Gates(3.0), "in28 hid20 T28"), Some((Some(80_640.0), 784.0, 560.0, 20.0)));
        assert_eq!(read(Form::Gates(4.0), "6-16"), Some((Some(1408.0), 6.0, 16.0, 16.0)));
        assert_eq!(read(Form::Gates(4.0), "6-16-8 peepholes"), None);
        assert_eq!(read(Form::FloatConv2d, "64x8 k5 16"), Some((Some(40_960.0), 512.0, 1024.0, 16.0)));
        assert_eq!(read(Form::Elements, "4x4x4 to 8x8"), Some((None, 64.0, 256.0, 4.0)));
        assert_eq!(read(Form::Elements, "1x12"), Some((None, 12.0, 12.0, 12.0)));
        assert_eq!(read(Form::Conv2d, "8x8x4"), None);
    }

    #[test]
    fn a_fit_finds_the_costs_that_made_the_figures() {
        let costs = [1.25, 14.0, 0.0, 6.5, 300.0];
        let sizes = [
            "8x8x8 k3x3s1 -> 8x8x16",
            "16x16x4 k1x1s1 -> 16x16x32",
            "9x9x2 k5x5s1 -> 9x9x3",
            "8x8x64 k3x3s2 -> 4x4x64",
        ];
        let samples: Vec<Sample> = sizes
            .iter()
            .chain(&[
                "25x5x64 k1x1s1 -> 25x5x64",
                "32x32x3 k3x3s1 -> 32x32x16",
                "6x6x64 k1x1s1 -> 6x6x128",
                "3x3x256 k1x1s1 -> 3x3x256",
            ])
            .map(|shape| {
                let size = size(Form::Conv2d, shape).unwrap();
                let features = size.features();
                Sample { features, cost: features.iter().zip(costs).map(|(feature, cost)| feature * cost).sum() }
            })
            .collect();
        let found = fit(&samples).unwrap();
        assert!(found.error < 1e-3, "{}", found.error);
        assert!(
            found.costs.iter().zip(costs).all(|(found, cost)| (found - cost).abs() <= 1e-3 * cost.max(0.01)),
            "{:?}",
            found.costs
        );
    }
}
