//! Instructions per kernel shape and model, on every board, against the best C.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use crate::boards::{self, Board};
use crate::costs;
use crate::expected::{self, Chosen, Table};
use crate::firmware::{self, Run, Variant};
use crate::models;
use crate::setup;
use crate::shell::{self, Kind, fault};
use crate::suite::Tally;

/// How much a figure may grow.
const MARGIN: f64 = 0.02;

/// The expected figures.
pub const FILE: &str = "instructions.txt";

const HEAD: &str = "Executed instructions per call, under QEMU: `cargo xtask bench --bless` rewrites this file, `cargo xtask test` allows 2 % of growth.
Instructions are not cycles. Columns: instructions, board, kind, name, shape.";

/// Longest that one board's measurements may take.
const DEADLINE: Duration = Duration::from_secs(600);

/// What `bench` takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    figures: expected::Arguments,
    /// One kernel alone, without models; without a name it lists the kernels.
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    kernel: Option<String>,
    /// Forces a backend.
    #[arg(long)]
    backend: Option<String>,
    /// Measures small code instead of fast code.
    #[arg(long)]
    small: bool,
    /// Measures the kernels for RISC-V cores whose MULH is slow.
    #[arg(long)]
    slow_mulh: bool,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    pub board: String,
    /// `kernel` or `model`.
    pub kind: String,
    pub name: String,
    pub shape: String,
    pub instructions: f64,
    pub macs: u64,
    pub elements: u64,
    /// The fewest instructions that a C library takes, where one was measured.
    pub to_beat: Option<f64>,
}

/// The baseline's kernels and models.
const KERNELS: &str = include_str!("../../tests/data/baseline/kernels.csv");
const MODELS: &str = include_str!("../../tests/data/baseline/models.csv");

/// The number to beat. `board` is one of the baseline.
pub fn to_beat(board: &str, kind: &str, name: &str, shape: &str) -> Option<f64> {
    let (text, wanted) =
        if kind == "model" { (MODELS, vec![name, board]) } else { (KERNELS, vec![name, shape, board]) };
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        fields.starts_with(&wanted).then(|| fields.get(wanted.len())?.parse().ok()).flatten()
    })
}

impl Figure {
    fn ratio(&self) -> Option<f64> {
        self.to_beat.map(|best| self.instructions / best)
    }

    /// Instructions per multiply-accumulate, or per element.
    fn per_unit(&self) -> f64 {
        self.instructions / self.macs.max(self.elements).max(1) as f64
    }

    fn json(&self) -> serde_json::Value {
        let mut value = json!({
            "board": self.board, "kind": self.kind, "name": self.name, "shape": self.shape,
            "instructions": self.instructions, "macs": self.macs,
        });
        if self.elements > 0 {
            value["elements"] = self.elements.into();
            value["instructions_per_element"] = self.per_unit().into();
        } else {
            value["instructions_per_mac"] = self.per_unit().into();
        }
        if let (Some(best), Some(ratio)) = (self.to_beat, self.ratio()) {
            value["to_beat"] = best.into();
            value["ratio"] = ratio.into();
        }
        value
    }

    /// The row of the expected figures.
    pub fn key(&self) -> String {
        format!("{:<9} {:<6} {:<22} {}", self.board, self.kind, self.name, self.shape).trim_end().to_owned()
    }
}

/// Builds for one board and measures on it. Lines that are no figures go to `other`.
fn measure(board: &Board, variant: &Variant, options: &[&str], other: impl FnMut(&str)) -> Result<Vec<Figure>> {
    let images = firmware::build(board, &["bench"], variant)?;
    figures(board, &images[0], options, other)
}

/// Measures on one board, for which `bench` is built.
fn figures(board: &Board, image: &Path, options: &[&str], mut other: impl FnMut(&str)) -> Result<Vec<Figure>> {
    let run = firmware::run(board, image, options, DEADLINE, |line| {
        if !is_result(line) {
            other(line);
        }
    })?;
    read(board, &run)
}

/// Whether the firmware printed a figure, or that it is done.
pub fn is_result(line: &str) -> bool {
    line.starts_with("bench ") || line == "done"
}

/// The figures that a run of `bench` printed.
pub fn read(board: &Board, run: &Run) -> Result<Vec<Figure>> {
    run.end.check(&format!("bench on {}", board.label()))?;
    if run.lines.last().is_none_or(|line| line != "done") {
        bail!("bench on {} ended too early", board.label());
    }
    let mut figures = Vec::new();
    for line in run.lines.iter().filter_map(|line| line.strip_prefix("bench ")) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, name, shape, macs, elements, instructions] = fields[..] else {
            bail!("cannot read the line `{line}`");
        };
        figures.push(Figure {
            to_beat: to_beat(board.baseline, kind, name, shape),
            board: board.label(),
            kind: kind.into(),
            name: name.into(),
            shape: shape.into(),
            instructions: instructions.parse()?,
            macs: macs.parse()?,
            elements: elements.parse()?,
        });
    }
    Ok(figures)
}

/// The figures as rows of the expected file.
fn table(figures: &[Figure]) -> Table {
    let mut table = Table::default();
    for figure in figures {
        table.set(figure.key(), vec![figure.instructions]);
    }
    table
}

/// Whether `--kernel` and `--model` name what there is to measure; false where they had no name, and the names were listed.
pub fn is_wanted(kernel: Option<&str>, model: Option<&str>) -> Result<bool> {
    let kernel = expected::chosen("kernel", kernel, &models::kernels()?)?;
    let model = expected::chosen("model", model, &models::measured()?)?;
    Ok(kernel != Chosen::Listed && model != Chosen::Listed)
}

/// The rows of an expected file that a run over the boards, of one kernel or one model alone, should give.
pub fn expected_rows(file: &str, boards: &[&Board], kernel: Option<&str>, model: Option<&str>) -> Result<Table> {
    let labels: Vec<String> = boards.iter().map(|board| board.label()).collect();
    let mut table = Table::read(file)?;
    table.retain(|key| {
        let mut words = key.split_whitespace();
        let (board, kind, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
        let wanted = match kind {
            "model" => models::is_here(name) && kernel.is_none() && model.is_none_or(|model| model == name),
            _ => model.is_none() && kernel.is_none_or(|kernel| kernel == name),
        };
        wanted && labels.iter().any(|label| label == board)
    });
    Ok(table)
}

/// Geometric mean of the ratios of whole models, where there are any.
fn mean<'a>(figures: impl Iterator<Item = &'a Figure>) -> Option<f64> {
    expected::geometric_mean(figures.filter(|figure| figure.kind == "model").filter_map(Figure::ratio))
}

/// How far ahead of the best C we are, in one line.
fn verdict(figures: &[Figure], boards: &[&Board]) -> String {
    // Boards that share a baseline with another (the micro:bit, RV32IMAFC) would count twice.
    let own = |label: &str| boards::BOARDS.iter().any(|board| board.label() == label && board.baseline == label);
    let all = mean(figures.iter().filter(|figure| own(&figure.board))).or_else(|| mean(figures.iter()));
    let Some(all) = all else { return "no whole model with a number to beat was measured".into() };
    let each: Vec<String> = boards
        .iter()
        .filter_map(|board| {
            let label = board.label();
            mean(figures.iter().filter(|figure| figure.board == label)).map(|mean| format!("{label} {mean:.3}"))
        })
        .collect();
    format!(
        "whole models take {all:.3} times the instructions of the best C (CMSIS-NN), geometric mean: {}",
        each.join(", ")
    )
}

fn print_table(figures: &[Figure]) {
    println!("{:<9} {:<22} {:<30} {:>14} {:>9} {:>8}", "board", "name", "shape", "instructions", "per MAC", "of C");
    for figure in figures {
        let ratio = figure.ratio().map_or(String::new(), |ratio| format!("{ratio:.3}"));
        println!(
            "{:<9} {:<22} {:<30} {:>14.2} {:>9.3} {:>8}",
            figure.board,
            figure.name,
            figure.shape,
            figure.instructions,
            figure.per_unit(),
            ratio
        );
    }
}

/// Measures everything on a board, for which `bench` is built, and holds it against the file; the tally counts the figures.
pub fn gate(board: &Board) -> Result<Tally> {
    judge(board, &figures(board, &firmware::image(board, "bench", &Variant::default()), &[], shell::say_line)?)
}

/// Holds all figures of a board against the file; the tally counts them.
pub fn judge(board: &Board, figures: &[Figure]) -> Result<Tally> {
    expected::judge(&expected_rows(FILE, &[board], None, None)?.compare(&table(figures), MARGIN), FILE)?;
    Ok(Tally { passed: figures.len() as u32, failed: 0 })
}

/// Shows the gate figures that have grown by 3 %: it must refuse each row. Gives their number.
pub fn prove_gate() -> Result<usize> {
    expected::prove_gate(FILE, MARGIN, 1.03)
}

/// The options of the firmware that measure one kernel or one model alone.
pub fn options<'a>(kernel: Option<&'a str>, model: Option<&'a str>) -> Vec<&'a str> {
    match (kernel, model) {
        (None, None) => Vec::new(),
        (kernel, model) => vec!["--kernel", kernel.unwrap_or("none"), "--model", model.unwrap_or("none")],
    }
}

/// `xtask bench`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let common = &arguments.figures;
    let boards = boards::chosen(&common.boards);
    if !is_wanted(arguments.kernel.as_deref(), common.model.as_deref())? {
        return Ok(());
    }
    setup::ensure(&boards, install)?;
    expected::check_models(common.json)?;
    let variant =
        Variant { size: arguments.small, quiet: common.json, ..Variant::with_backend(arguments.backend.as_deref())? };
    let options = options(arguments.kernel.as_deref(), common.model.as_deref());
    let mut figures = Vec::new();
    for &board in &boards {
        let variant = variant.clone().for_mulh(board, arguments.slow_mulh)?;
        figures.extend(measure(board, &variant, &options, |line| eprintln!("{}: {line}", board.label()))?);
    }
    if figures.is_empty() {
        // A kernel of the list that this build leaves out, or a model of another firmware.
        return Err(fault(Kind::Failed, "the firmware measured nothing of that name"));
    }
    if common.json {
        let list: Vec<_> = figures.iter().map(Figure::json).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        print_table(&figures);
    }
    let scope = expected_rows(FILE, &boards, arguments.kernel.as_deref(), common.model.as_deref())?;
    common.settle(FILE, HEAD, MARGIN, &scope, &table(&figures))?;
    if common.bless {
        costs::bless()?;
    }
    if !common.json {
        println!("{}", verdict(&figures, &boards));
    }
    Ok(())
}
