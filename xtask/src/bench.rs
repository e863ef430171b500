//! Instructions per kernel shape and model, on every board, against the best C.

use anyhow::Result;

use crate::boards::{self, Board};
use crate::firmware::{self, Variant};
use crate::setup;
use crate::shell::{Kind, fault};
use std::time::Duration;

/// What `bench` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The boards; all when none is named.
    #[arg(long = "board", value_enum)]
    boards: Vec<boards::Name>,
    /// One kernel.
    #[arg(long)]
    kernel: Option<String>,
    /// Forces a backend.
    #[arg(long)]
    backend: Option<String>,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    pub board: String,
    pub name: String,
    pub shape: String,
    pub instructions: f64,
    pub macs: u64,
    pub elements: u64,
    /// The fewest instructions that a C library takes, where one was measured.
    pub to_beat: Option<f64>,
}

/// The baseline's kernels.
const KERNELS: &str = include_str!("../../tests/data/baseline/kernels.csv");

fn to_beat(board: &str, name: &str, shape: &str) -> Option<f64> {
    KERNELS.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[..3] == [name, shape, board]).then(|| fields[3].parse().ok()).flatten()
    })
}

/// Measures on one board.
pub fn measure(board: &Board, variant: &Variant, options: &[&str]) -> Result<Vec<Figure>> {
    let images = firmware::build(board, &["bench"], variant)?;
    let run = firmware::run(board, &images[0], options, Duration::from_secs(300), |line| {
        if !line.starts_with("bench ") {
            println!("{line}");
        }
    })?;
    run.end.check(&format!("bench on {}", board.label()))?;
    let mut figures = Vec::new();
    for line in &run.lines {
        let Some(line) = line.strip_prefix("bench ") else { continue };
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, shape, macs, elements, instructions] = fields[..] else {
            return Err(fault(Kind::Failed, format!("cannot read the line `{line}`")));
        };
        let label = board.label();
        figures.push(Figure {
            to_beat: to_beat(board.baseline, name, shape),
            board: label,
            name: name.into(),
            shape: shape.into(),
            instructions: instructions.parse()?,
            macs: macs.parse()?,
            elements: elements.parse()?,
        });
    }
    Ok(figures)
}

/// Measures and prints.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let boards = boards::chosen(&arguments.boards);
    setup::ensure(&boards, install)?;
    let variant = Variant::with_backend(arguments.backend.as_deref())?;
    let mut options = Vec::new();
    if let Some(kernel) = &arguments.kernel {
        options.extend(["--kernel", kernel]);
    }
    for board in boards {
        for figure in measure(board, &variant, &options)? {
            let per = figure.instructions / figure.macs.max(figure.elements).max(1) as f64;
            let ratio = figure.to_beat.map_or(String::from("-"), |best| format!("{:.3}", figure.instructions / best));
            println!(
                "{:<6} {:<18} {:<30} {:>13.2} {:>8.3} {:>7}",
                figure.board, figure.name, figure.shape, figure.instructions, per, ratio
            );
        }
    }
    Ok(())
}
