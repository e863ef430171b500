//! What the calls of a program cost on a core: cycles, or instructions where no timings of the core are published.
//!
//! The figures are estimates. `costs.txt` says for each core and kernel what a unit of work costs, an element of the output, one of the input, one that a
//! window gathers, and the call itself. `cargo xtask bench --bless` and `cargo xtask cycles --bless` fit these five numbers to the kernels' figures in
//! `tests/expected`, each of which is of one shape, by the least squares of the relative errors. The cycles there are modelled: the published timings of
//! the core, applied to each instruction that QEMU executes, without wait states of the flash. Nobody measured them on silicon.

use std::collections::HashMap;
use std::sync::OnceLock;

use smolnn_fixed::Backend;

use super::divide::{BYTES_PER_INSTRUCTION, RUN_COST};
use super::program::{Program, Step};
use super::turns::{Moves, RowRun};
use crate::lower::{Call, Operand};
use crate::net::{Net, TensorId};

/// A core that costs are known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Core {
    /// Arm Cortex-M0+: in cycles. A Cortex-M0 takes some more.
    CortexM0Plus,
    /// Arm Cortex-M3: in cycles.
    CortexM3,
    /// Arm Cortex-M4 with its FPU: in cycles.
    CortexM4,
    /// Arm Cortex-M7: in instructions, which it often executes in pairs.
    CortexM7,
    /// Arm Cortex-M33 with DSP extension and FPU: in cycles.
    CortexM33,
    /// Arm Cortex-M55 with Helium: in instructions.
    CortexM55,
    /// RISC-V RV32IMAC: in instructions.
    Rv32imac,
}

/// What an estimate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Unit {
    /// Cycles of the core, modelled by its published timings.
    Cycles,
    /// Executed instructions: no timings of the core are published.
    Instructions,
}

impl Unit {
    /// The unit's name, as tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Instructions => "instructions",
        }
    }
}

impl Core {
    /// All cores.
    pub const ALL: [Self; 7] = [
        Self::CortexM0Plus,
        Self::CortexM3,
        Self::CortexM4,
        Self::CortexM7,
        Self::CortexM33,
        Self::CortexM55,
        Self::Rv32imac,
    ];

    /// The core that stands for a backend; `None` for the portable one, which runs anywhere.
    pub const fn of_backend(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Portable => None,
            Backend::Dsp => Some(Self::CortexM4),
            Backend::Helium => Some(Self::CortexM55),
            Backend::V7m => Some(Self::CortexM3),
            Backend::V6m => Some(Self::CortexM0Plus),
            Backend::Rv32 => Some(Self::Rv32imac),
        }
    }

    /// The backend that runs on it.
    pub const fn backend(self) -> Backend {
        match self {
            Self::CortexM0Plus => Backend::V6m,
            Self::CortexM3 => Backend::V7m,
            Self::CortexM4 | Self::CortexM7 | Self::CortexM33 => Backend::Dsp,
            Self::CortexM55 => Backend::Helium,
            Self::Rv32imac => Backend::Rv32,
        }
    }

    /// The core's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CortexM0Plus => "Cortex-M0+",
            Self::CortexM3 => "Cortex-M3",
            Self::CortexM4 => "Cortex-M4",
            Self::CortexM7 => "Cortex-M7",
            Self::CortexM33 => "Cortex-M33",
            Self::CortexM55 => "Cortex-M55",
            Self::Rv32imac => "RV32IMAC",
        }
    }

    /// What its costs count.
    pub const fn unit(self) -> Unit {
        match self {
            Self::CortexM0Plus | Self::CortexM3 | Self::CortexM4 | Self::CortexM33 => Unit::Cycles,
            Self::CortexM7 | Self::CortexM55 | Self::Rv32imac => Unit::Instructions,
        }
    }

    /// The board of `tests/expected` whose figures `costs.txt` is fitted to.
    pub const fn board(self) -> &'static str {
        match self {
            Self::CortexM0Plus => "m0",
            Self::CortexM3 => "m3",
            Self::CortexM4 => "m4",
            Self::CortexM7 => "m7",
            Self::CortexM33 => "m33",
            Self::CortexM55 => "m55",
            Self::Rv32imac => "rv32",
        }
    }
}

/// What a run of a program costs on a core, estimated. [`Program::estimate`] makes it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Estimate {
    /// The core.
    pub core: Core,
    /// What the figures count.
    pub unit: Unit,
    /// The cost of each layer, in the order in which they run; `None` where no figure of its kernel is known.
    pub layers: Vec<Option<f64>>,
    /// The sum of the layers whose cost is known.
    pub total: f64,
    /// The largest relative error of the fit, over the measured shapes of the kernels that the program calls: 0.2 stands for 20 %.
    pub largest_error: f64,
}

impl Estimate {
    /// Largest relative error of a whole network's estimate against its own figure. A test holds the networks of `tests/expected` to it that have
    /// [`LEAST_MACS`](Self::LEAST_MACS).
    pub const WITHIN: f64 = 0.15;
    /// Multiply-accumulates of the least network that estimates speak of: the cost of a smaller one is that of its calls.
    pub const LEAST_MACS: u64 = 1000;

    /// The layers whose cost is not known.
    pub fn unknown(&self) -> usize {
        self.layers.iter().filter(|cost| cost.is_none()).count()
    }

    /// The milliseconds that a cost takes at this clock in hertz; `None` where instructions are counted, whose cycles nobody publishes.
    pub fn milliseconds(&self, cost: f64, clock: f64) -> Option<f64> {
        (self.unit == Unit::Cycles).then_some(1e3 * cost / clock)
    }
}

impl Program {
    /// Estimates what a run costs on a core.
    ///
    /// The program should be compiled for the core's backend: figures of other code are none of its own.
    pub fn estimate(&self, core: Core) -> Estimate {
        let mut largest_error = 0f64;
        let mut layer = |step: &Step| {
            let (cost, error) = cost(core, &self.net, step)?;
            largest_error = largest_error.max(error);
            Some(cost)
        };
        let layers: Vec<Option<f64>> = self.steps.iter().map(&mut layer).collect();
        let total = layers.iter().flatten().sum();
        Estimate { core, unit: core.unit(), layers, total, largest_error }
    }
}

/// The fitted costs of a kernel.
#[derive(Clone, Copy, Debug)]
struct Fit {
    /// Whether work is counted in multiply-accumulates; otherwise in elements of the larger one of input and output.
    by_macs: bool,
    /// Per unit of work, per element of the output, per element of the input, per work through output channels, per call.
    costs: [f64; 5],
    /// The largest relative error over the measured shapes.
    error: f64,
}

/// The fits of `costs.txt` by board and kernel.
fn fits() -> &'static HashMap<(&'static str, &'static str), Fit> {
    static FITS: OnceLock<HashMap<(&str, &str), Fit>> = OnceLock::new();
    FITS.get_or_init(|| {
        let lines = include_str!("costs.txt").lines().filter(|line| !line.starts_with('#'));
        let read = |line: &'static str| {
            let mut words = line.split_whitespace();
            let (board, kernel, work) = (words.next()?, words.next()?, words.next()?);
            let mut numbers = words.map_while(|word| word.parse().ok());
            let mut costs = [0.0; 5];
            for cost in &mut costs {
                *cost = numbers.next()?;
            }
            Some(((board, kernel), Fit { by_macs: work == "macs", costs, error: numbers.next()? }))
        };
        let fits: Vec<_> = lines.map(read).collect();
        debug_assert!(fits.iter().all(Option::is_some), "every line of costs.txt is a fit");
        fits.into_iter().flatten().collect()
    })
}

/// A call of a step, and how often it runs.
struct Run<'a> {
    call: &'a Call,
    /// Elements of the largest input and of the output.
    elements: [usize; 2],
    times: usize,
}

impl<'a> Run<'a> {
    /// The runs of a step: one over whole tensors, or those over rows.
    fn all(net: &Net, step: &'a Step) -> Vec<Self> {
        let whole = |ids: &[TensorId]| ids.iter().map(|&id| net.tensors[id].shape.iter().product()).max().unwrap_or(0);
        let some = |operands: &[Operand]| {
            let length = |operand: &Operand| operand.part.map_or(operand.length, |part| part.length);
            operands.iter().map(length).max().unwrap_or(0)
        };
        match &step.by_rows {
            None => {
                let elements = [whole(&step.call.inputs), whole(&step.call.outputs)];
                vec![Self { call: &step.call, elements, times: 1 }]
            }
            Some(by_rows) => {
                let runs = by_rows.runs.iter().map(|RowRun { turns, call, io }| Self {
                    call,
                    elements: [some(&io.inputs), some(&io.outputs)],
                    times: turns.count(),
                });
                runs.collect()
            }
        }
    }
}

/// What a step costs, and the error of its kernels' fits; `None` where a kernel's figures are not known. Rows that are made again count again.
fn cost(core: Core, net: &Net, step: &Step) -> Option<(f64, f64)> {
    let last = |ids: &[TensorId]| ids.first().and_then(|&id| net.tensors[id].shape.last().copied()).unwrap_or(1).max(1);
    let (from, to) = (last(&step.call.inputs), last(&step.call.outputs));
    let (mut cost, mut error) = (0.0, 0f64);
    let runs = Run::all(net, step);
    for (index, Run { call, elements: [input, output], times }) in runs.iter().enumerate() {
        for path in call.body.kernels() {
            let mut kernel = kernel(path);
            if kernel == "depthwise_conv2d" {
                kernel += depthwise(call.macs, *output, to / from.max(1));
            } else if ["conv2d", "dense"].contains(&&*kernel) && call.portable.is_some() {
                // The figures are of the backend's own body.
                return None;
            }
            let fit = fits().get(&(core.board(), &*kernel))?;
            // What moves elements reads those that it writes, of whatever it is given.
            let input = if ["copy", "assign"].contains(&&*kernel) { output } else { input };
            let work = if fit.by_macs { call.macs as f64 } else { *input.max(output) as f64 };
            let [costs @ .., of_call] = fit.costs;
            let features = [work, *output as f64, *input as f64, work / to as f64];
            cost += *times as f64 * features.iter().zip(costs).map(|(feature, cost)| feature * cost).sum::<f64>();
            // The fit is of whole layers, and speaks of one call.
            cost += if index == 0 { of_call } else { 0.0 };
            error = error.max(fit.error);
        }
    }
    let count: usize = runs.iter().map(|run| run.times).sum();
    let bytes = |moves: &Moves| moves.from.len() * moves.turns.count();
    let of_rows = step.by_rows.iter().flat_map(|by_rows| by_rows.before.iter().chain(&by_rows.after));
    let moved: usize = of_rows.chain(&step.moved).map(bytes).sum();
    cost += (count.saturating_sub(1) * RUN_COST + moved / BYTES_PER_INSTRUCTION) as f64;
    Some((cost, error))
}

/// Which body a depthwise convolution takes, by its taps and by its outputs per input channel: they cost different amounts.
fn depthwise(macs: u64, outputs: usize, multiplier: usize) -> &'static str {
    match (macs / outputs.max(1) as u64, multiplier) {
        (_, 2..) => "/multiplied",
        (9, _) => "/9",
        _ => "",
    }
}

/// The name that a kernel's figures have in `tests/expected`, of its path in generated code.
fn kernel(path: &str) -> String {
    // A function with its arguments stands for itself.
    let path = path.split([' ', '(']).next().unwrap_or_default();
    for (other, name) in ALIASES {
        if path == other {
            return name.into();
        }
    }
    let segments: Vec<&str> = path.split("::").collect();
    let last = match segments[..] {
        [.., module, "forward"] => module,
        [.., last] => last,
        [] => "",
    };
    match segments.first() {
        Some(&"float") => format!("f32_{}", snake_case(last)),
        Some(&"signal") => format!("signal_{last}"),
        _ => last.into(),
    }
}

/// Kernels whose figures have another name, or whose own are of a shape too small to speak of others.
const ALIASES: [(&str, &str); 11] = [
    ("float::act::Gelu", "f32_gelu_erf"),
    ("float::act::Softplus", "f32_softplus_activation"),
    ("float::elementwise::exp", "f32_exp_elementwise"),
    ("float::elementwise::log", "f32_log_elementwise"),
    ("float::elementwise::prelu", "f32_prelu_elementwise"),
    ("float::pool::average::forward", "f32_average_pool2d"),
    ("float::pool::l2::forward", "f32_l2_pool2d"),
    ("float::pool::max::forward", "f32_max_pool2d"),
    ("float::rnn::lstm_batch", "f32_lstm"),
    ("float::rnn::recurrent_batch", "f32_gru"),
    ("rnn::svdf::step_batch", "svdf_batch"),
];

/// `HardSwish` as `hard_swish`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_the_names_of_their_figures() {
        for (path, name) in [
            ("conv2d", "conv2d"),
            ("rnn::lstm::lstm_batch", "lstm_batch"),
            ("float::conv::conv2d::forward", "f32_conv2d"),
            ("float::act::HardSwish", "f32_hard_swish"),
            ("float::act::LeakyRelu { slope: alpha }", "f32_leaky_relu"),
            ("float::act::Gelu(kind)", "f32_gelu_erf"),
            ("float::pool::max::forward", "f32_max_pool2d"),
            ("signal::operators::window", "signal_window"),
        ] {
            assert_eq!(kernel(path), name);
            assert!(Core::ALL.iter().all(|core| fits().contains_key(&(core.board(), name))), "{name} has no costs");
        }
        assert_eq!(kernel("conv2d/winograd"), "conv2d/winograd");
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = include_str!("costs.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(fits().len(), lines);
        assert!(lines > 100, "{lines}");
    }
}
