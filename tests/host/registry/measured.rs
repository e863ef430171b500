//! Every public kernel of the three crates is one of the firmware's kernels (tests/firmware/src/kernels): `bench` counts its
//! instructions on every board, `nopanic` links it, and `cargo xtask check-panics` looks for panics there. The importer's choice between two
//! bodies, and whole models, are held against the figures of kernels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use host_tests::source;
use smolnn_core::{Backend, Image, Window2d, WindowSize};
use smolnn_fixed::pack;
use smolnn_testkit::golden::project;

/// What firmware does not call as it stands, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("arena.rs::array_mut", "every compiled model calls it"),
    ("arena.rs::part", "every compiled model that runs by rows calls it"),
    ("arena.rs::regions", "every compiled model calls it"),
    ("arena.rs::relocate", "every compiled model that runs by rows calls it"),
    ("arena.rs::view", "every compiled model calls it"),
    ("arena.rs::whole", "`infer_slice` of every compiled model calls it"),
    ("random.rs::normal", "the normal initialisers draw from it"),
    ("random.rs::uniform", "the uniform initialisers draw from it"),
    ("elementary/erf.rs::erf", "`elementary::erf_slice` is the same of every element"),
    ("elementary/fast/erf.rs::erf", "`elementary::fast::erf_slice` is the same of every element"),
    ("elementary/mod.rs::tanh", "`elementary::tanh_slice` is the same of every element"),
    ("elementary/mod.rs::exp", "`elementary::exp_slice` is the same of every element"),
    ("elementary/mod.rs::sigmoid", "`elementary::sigmoid_slice` is the same of every element"),
    // Each function has several bodies, of which a target calls one; both tiers' are measured as slices.
    ("elementary/exp.rs::", "a body of `elementary::exp` or `elementary::fast::exp`"),
    ("elementary/fast/exp.rs::", "a body of `elementary::exp` or `elementary::fast::exp`"),
    ("elementary/expm1.rs::", "a body of `elementary::expm1` or `elementary::fast::expm1`"),
    ("elementary/fast/expm1.rs::", "a body of `elementary::expm1` or `elementary::fast::expm1`"),
    ("elementary/log.rs::", "a body of `elementary::log` or `elementary::fast::log`"),
    ("elementary/fast/log.rs::", "a body of `elementary::log` or `elementary::fast::log`"),
    ("elementary/softplus.rs::", "a body of `elementary::softplus` or `elementary::fast::softplus`"),
    ("elementary/fast/softplus.rs::", "a body of `elementary::softplus` or `elementary::fast::softplus`"),
    ("elementary/sigmoid.rs::", "a body of `elementary::sigmoid` or `elementary::fast::sigmoid`"),
    ("elementary/vector.rs::", "a body of `elementary::sigmoid` or `tanh`"),
];

/// Kernels of the crates that the firmware does not call, as `FILE::NAME`. `change` is applied to its text.
fn missing(change: impl Fn(&str) -> String) -> Vec<String> {
    let (mut missing, mut needed) = (Vec::new(), BTreeSet::new());
    for (name, least) in [("fixed", 40), ("float", 40), ("signal", 10)] {
        let kernels = source::kernels(&project().join(format!("crates/smolnn-{name}/src")));
        assert!(kernels.len() > least, "the scan found only {kernels:?}");
        // A file of kernels is about one of the crates.
        let text: String = source::files(&project().join("tests/firmware/src/kernels"), "rs")
            .iter()
            .map(|path| change(&source::without_comments(&fs::read_to_string(path).unwrap())))
            .filter(|text| text.contains(&format!("use smolnn_{name}::")))
            .collect();
        for kernel in &kernels {
            if !kernel.is_called(&text, &kernels) {
                let key = kernel.key();
                match ELSEWHERE.iter().find(|(start, _)| key.starts_with(start)) {
                    Some((start, _)) => _ = needed.insert(*start),
                    None => missing.push(key),
                }
            }
        }
    }
    let listed: BTreeSet<_> = ELSEWHERE.iter().map(|(start, _)| *start).collect();
    assert_eq!(listed, needed, "an exception that nothing needs any more");
    missing
}

#[test]
fn every_public_kernel_is_measured() {
    assert_eq!(missing(str::to_owned), [""; 0], "tests/firmware/src/kernels does not call these");
}

#[test]
fn a_kernel_that_is_not_measured_is_noticed() {
    let change = |text: &str| text.replace("flipped::backward", "").replace("tanh_q15_small", "");
    assert_eq!(missing(change), ["act/q15_small.rs::tanh_q15_small", "conv/flipped.rs::backward"]);
}

/// A file of expected figures, by board, kind, name and shape.
fn figures(file: &str) -> BTreeMap<[String; 4], f64> {
    let text = fs::read_to_string(project().join("tests/expected").join(file)).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [figure, board, kind, name, shape @ ..] = &words[..] else { panic!("{file}: {line}") };
        let shape = shape.join(" ");
        ([(*board).to_owned(), (*kind).to_owned(), (*name).to_owned(), shape], figure.parse().unwrap())
    });
    rows.collect()
}

/// The cores that take Winograd's products, and the file of their figures: cycles where the core's timings are published.
const WINOGRAD: [(&str, Backend, &str); 5] = [
    ("m0", Backend::V6m, "cycles.txt"),
    ("m3", Backend::V7m, "cycles.txt"),
    ("m4", Backend::Dsp, "cycles.txt"),
    ("m33", Backend::Dsp, "cycles.txt"),
    ("rv32", Backend::Rv32, "instructions.txt"),
];

/// What Winograd's products save of the direct body's cost, for each measured shape: by the estimate from which the importer chooses, and by the figures.
fn winograd_savings() -> Vec<(String, [f64; 2])> {
    let mut savings = Vec::new();
    for (board, backend, file) in WINOGRAD {
        let figures = figures(file);
        for ([of, _, name, shape], by_winograd) in &figures {
            let Some(shape) = shape.strip_suffix(" Winograd").filter(|_| of == board) else { continue };
            let direct = figures[&[board, "kernel", name, shape].map(str::to_owned)];
            let numbers: Vec<usize> =
                shape.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
            let [height, width, inputs, 3, 3, 1, _, _, outputs] = numbers[..] else { panic!("{shape}") };
            let image = Image::hwc(height, width, inputs);
            let window = Window2d::over(image, WindowSize::hw(3, 3)).same().conv(outputs).unwrap();
            let estimate = pack::winograd_saves(backend, &window) as f64;
            savings.push((format!("{board}: {shape}"), [estimate / direct, 1.0 - by_winograd / direct]));
        }
    }
    savings
}

#[test]
fn the_choice_of_winograds_products_follows_the_figures() {
    let savings = winograd_savings();
    assert!(savings.len() >= 4 * WINOGRAD.len(), "{savings:?}");
    for (name, [estimate, measured]) in savings {
        assert!(
            (estimate - measured).abs() < 0.08,
            "{name}: an estimate of {estimate:.3} of the direct body, {measured:.3} measured"
        );
    }
}

/// Layers that are alike: how many, and the kernel and the shape of their figure.
type Layers = (u32, &'static str, &'static str);

/// The public models by their layers. A sum of 16x16x32 is two of 8x8x64; three probabilities count as two.
const NETWORKS: [(&str, &[Layers]); 5] = [
    (
        "ad01_int8",
        &[
            (1, "dense", "640->128 ReLU"),
            (6, "dense", "128->128 ReLU"),
            (1, "dense", "128->8 ReLU"),
            (1, "dense", "8->128 ReLU"),
            (1, "dense", "128->640"),
        ],
    ),
    (
        "kws_ref_model",
        &[
            (1, "conv2d", "49x10x1 k10x4s2 -> 25x5x64 ReLU"),
            (4, "depthwise_conv2d", "25x5x64 k3x3s1 -> 25x5x64 ReLU"),
            (4, "conv2d", "25x5x64 k1x1s1 -> 25x5x64 ReLU"),
            (1, "average_pool2d", "25x5x64 k25x5s1 -> 1x1x64"),
            (1, "dense", "64->12"),
            (1, "softmax", "1x12"),
        ],
    ),
    (
        "pretrainedResnet_quant",
        &[
            (1, "conv2d", "32x32x3 k3x3s1 -> 32x32x16"),
            (2, "conv2d", "32x32x16 k3x3s1 -> 32x32x16 Winograd"),
            (1, "add", "16384"),
            (1, "conv2d", "32x32x16 k3x3s2 -> 16x16x32"),
            (1, "conv2d", "16x16x32 k3x3s1 -> 16x16x32 Winograd"),
            (1, "conv2d", "32x32x16 k1x1s2 -> 16x16x32"),
            (3, "add", "8x8x64"),
            (1, "conv2d", "16x16x32 k3x3s2 -> 8x8x64"),
            (1, "conv2d", "8x8x64 k3x3s1 -> 8x8x64 Winograd"),
            (1, "conv2d", "16x16x32 k1x1s2 -> 8x8x64"),
            (1, "average_pool2d", "8x8x64 k8x8s1 -> 1x1x64"),
            (1, "dense", "64->10"),
            (1, "softmax", "1x10"),
        ],
    ),
    (
        "str_ww_ref_model",
        &[
            (1, "depthwise_conv2d", "30x1x40 k3x1s1 -> 28x1x40"),
            (1, "conv2d", "28x1x40 k1x1s1 -> 28x1x128 ReLU"),
            (1, "depthwise_conv2d", "28x1x128 k5x1s1 -> 24x1x128"),
            (1, "conv2d", "24x1x128 k1x1s1 -> 24x1x128 ReLU"),
            (1, "depthwise_conv2d", "24x1x128 k10x1s1 -> 15x1x128"),
            (1, "conv2d", "15x1x128 k1x1s1 -> 15x1x128 ReLU"),
            (1, "depthwise_conv2d", "15x1x128 k15x1s1 -> 1x1x128"),
            (1, "conv2d", "1x1x128 k1x1s1 -> 1x1x32 ReLU"),
            (1, "dense", "32->3"),
            (1, "softmax", "1x2"),
        ],
    ),
    (
        "vww_96_int8",
        &[
            (1, "conv2d", "96x96x3 k3x3s2 -> 48x48x8"),
            (1, "depthwise_conv2d", "48x48x8 k3x3s1 -> 48x48x8"),
            (1, "conv2d", "48x48x8 k1x1s1 -> 48x48x16"),
            (1, "depthwise_conv2d", "48x48x16 k3x3s2 -> 24x24x16"),
            (1, "conv2d", "24x24x16 k1x1s1 -> 24x24x32"),
            (1, "depthwise_conv2d", "24x24x32 k3x3s1 -> 24x24x32"),
            (1, "conv2d", "24x24x32 k1x1s1 -> 24x24x32"),
            (1, "depthwise_conv2d", "24x24x32 k3x3s2 -> 12x12x32"),
            (1, "conv2d", "12x12x32 k1x1s1 -> 12x12x64"),
            (1, "depthwise_conv2d", "12x12x64 k3x3s1 -> 12x12x64"),
            (1, "conv2d", "12x12x64 k1x1s1 -> 12x12x64"),
            (1, "depthwise_conv2d", "12x12x64 k3x3s2 -> 6x6x64"),
            (1, "conv2d", "6x6x64 k1x1s1 -> 6x6x128"),
            (5, "depthwise_conv2d", "6x6x128 k3x3s1 -> 6x6x128"),
            (5, "conv2d", "6x6x128 k1x1s1 -> 6x6x128"),
            (1, "depthwise_conv2d", "6x6x128 k3x3s2 -> 3x3x128"),
            (1, "conv2d", "3x3x128 k1x1s1 -> 3x3x256"),
            (1, "depthwise_conv2d", "3x3x256 k3x3s1 -> 3x3x256"),
            (1, "conv2d", "3x3x256 k1x1s1 -> 3x3x256"),
            (1, "average_pool2d", "3x3x256 k3x3s1 -> 1x1x256"),
            (1, "dense", "256->2"),
            (1, "softmax", "1x2"),
        ],
    ),
];

/// Each public model on each board but the micro:bit, which measures no kernels by themselves: its figure as a share of the sum of its layers' figures.
fn shares_of_layers() -> Vec<(String, f64)> {
    let mut shares = Vec::new();
    for file in ["instructions.txt", "cycles.txt"] {
        let figures = figures(file);
        for ([board, kind, name, _], figure) in &figures {
            let Some((_, layers)) =
                NETWORKS.iter().find(|(network, _)| kind == "model" && network == name && board != "microbit")
            else {
                continue;
            };
            let one = |kernel: &str, shape: &str| figures.get(&[board, "kernel", kernel, shape].map(str::to_owned));
            let sum: f64 = layers
                .iter()
                .map(|&(times, kernel, shape)| {
                    // Boards with Helium have no Winograd's products.
                    let figure = one(kernel, shape).or_else(|| one(kernel, shape.trim_end_matches(" Winograd")));
                    f64::from(times) * figure.unwrap_or_else(|| panic!("{file} has no {kernel} {shape} on {board}"))
                })
                .sum();
            shares.push((format!("{file}: {name} on {board}"), figure / sum));
        }
    }
    shares
}

/// A network takes what its layers take by themselves, those behind a ReLU as such; much less where channels that are constant were taken out, as of
/// vww_96_int8.
#[test]
fn a_model_takes_the_sum_of_its_layers() {
    let shares = shares_of_layers();
    // Seven boards have instructions, four cycles as well.
    assert!(shares.len() >= 11 * NETWORKS.len(), "{shares:?}");
    let above: Vec<_> = shares.iter().filter(|(_, share)| *share > 1.03).collect();
    assert!(above.is_empty(), "more than their layers: {above:?}");
    let near = shares.iter().filter(|(_, share)| *share > 0.98).count();
    assert!(near >= 11 * (NETWORKS.len() - 1), "the layers are not those of the models: {shares:?}");
}
