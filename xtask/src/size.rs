//! Flash and RAM of each model's firmware: sections of the linked image, and the stack that a run uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

use crate::boards::{self, Board, Name};
use crate::expected::{self, Chosen, Table};
use crate::firmware::{self, Variant};
use crate::models;
use crate::setup;
use crate::suite::Tally;

/// How much a figure may grow.
const MARGIN: f64 = 0.02;

/// The expected figures.
pub const FILE: &str = "size.txt";

const HEAD: &str = "Bytes of each model's firmware: `cargo xtask size --bless` rewrites this file, `cargo xtask test` allows 2 % of growth.
Columns: code, constants, static RAM (arena and states included), deepest stack of a run; board, model, what it is optimised for.
`none` is the same firmware without a model: start-up and the stack gauge.";

/// The boards that are looked at when none is named: one of each instruction set.
pub const BOARDS: [Name; 4] = [Name::M0, Name::M4, Name::M55, Name::Rv32];

/// The firmware without a model.
const NONE: &str = "none";

/// Bytes of one firmware.
#[derive(Clone, Debug)]
pub struct Size {
    pub board: String,
    pub model: String,
    /// Optimised for size instead of speed.
    pub small: bool,
    pub code: u64,
    pub constants: u64,
    /// Statics, with and without initial values: arena and states of the model among them.
    pub ram: u64,
    pub stack: u64,
}

impl Size {
    fn key(&self) -> String {
        format!("{:<9} {:<22} {}", self.board, self.model, if self.small { "size" } else { "speed" })
    }
}

/// The models whose firmware can be built here.
pub fn models() -> Vec<String> {
    let mut all = vec![NONE.to_owned(), "digits".to_owned()];
    all.extend(models::names());
    all
}

/// The name of the image with a model.
pub fn program(model: &str) -> String {
    format!("size-{model}")
}

/// Code, constants and static RAM of an image.
pub fn sections(image: &Path) -> Result<(u64, u64, u64)> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes)?;
    let (mut code, mut constants, mut ram) = (0, 0, 0);
    for section in file.sections() {
        match section.name()? {
            ".vector_table" | ".text" => code += section.size(),
            ".rodata" => constants += section.size(),
            // Initial values of statics take flash too.
            ".data" => {
                constants += section.size();
                ram += section.size();
            }
            ".bss" | ".uninit" => ram += section.size(),
            _ => {}
        }
    }
    if code == 0 {
        bail!("{} holds no code", image.display());
    }
    Ok((code, constants, ram))
}

/// The variant of fast or small code.
fn variant(small: bool, quiet: bool) -> Variant {
    Variant { size: small, quiet, ..Variant::default() }
}

/// Builds the firmware of the given models for a board; their images, in the same order.
pub fn build(board: &Board, models: &[String], small: bool, quiet: bool) -> Result<Vec<PathBuf>> {
    let build = |model: &String| {
        let feature = (model != NONE).then_some(model.as_str());
        firmware::build_model(board, feature, &program(model), &variant(small, quiet))
    };
    models.iter().map(build).collect()
}

/// Looks at the firmware of a model, which is built, and runs it.
fn measure(board: &Board, model: &str, small: bool, image: &Path) -> Result<Size> {
    let (code, constants, ram) = sections(image)?;
    let run = firmware::run(board, image, &[], Duration::from_secs(60), |_| {})?;
    run.end.check(&format!("the firmware of {model} on {}", board.label()))?;
    let stack = run.lines.iter().find_map(|line| line.strip_prefix("stack ")?.parse().ok());
    let stack = stack.with_context(|| format!("the firmware of {model} reported no stack"))?;
    Ok(Size { board: board.label(), model: model.to_owned(), small, code, constants, ram, stack })
}

/// Builds and measures speed and size profiles on the boards.
pub fn measure_all(boards: &[&Board], model: Option<&str>, quiet: bool) -> Result<Vec<Size>> {
    let mut models = models();
    models.retain(|name| model.is_none_or(|model| model == name));
    let mut sizes = Vec::new();
    for board in boards {
        for small in [false, true] {
            for (model, image) in models.iter().zip(build(board, &models, small, quiet)?) {
                sizes.push(measure(board, model, small, &image)?);
            }
        }
    }
    Ok(sizes)
}

fn table(sizes: &[Size]) -> Table {
    let mut table = Table::default();
    for size in sizes {
        let numbers = [size.code, size.constants, size.ram, size.stack];
        table.set(size.key(), numbers.iter().map(|&bytes| bytes as f64).collect());
    }
    table
}

fn expected_rows(boards: &[&Board], model: Option<&str>) -> Result<Table> {
    let labels: Vec<String> = boards.iter().map(|board| board.label()).collect();
    let mut table = Table::read(FILE)?;
    table.retain(|key| {
        let mut words = key.split_whitespace();
        let (board, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let here = name == NONE || models::is_here(name);
        here && model.is_none_or(|model| model == name) && labels.iter().any(|label| label == board)
    });
    Ok(table)
}

/// Those of the boards that have figures.
pub fn measured<'a>(boards: &[&'a Board]) -> Vec<&'a Board> {
    boards.iter().copied().filter(|board| BOARDS.contains(&board.name)).collect()
}

/// Measures all models on a board, for which they are built, and holds them against the file; the tally counts them.
pub fn gate(board: &Board) -> Result<Tally> {
    let mut sizes = Vec::new();
    for small in [false, true] {
        for model in models() {
            let image = firmware::image(board, &program(&model), &variant(small, false));
            sizes.push(measure(board, &model, small, &image)?);
        }
    }
    expected::judge(&expected_rows(&[board], None)?.compare(&table(&sizes), MARGIN), FILE)?;
    Ok(Tally { passed: sizes.len() as u32, failed: 0 })
}

/// Shows the gate a firmware of 20 % more bytes: it must refuse each row. Gives their number.
pub fn prove_gate() -> Result<usize> {
    expected::prove_gate(FILE, MARGIN, 1.2)
}

/// `xtask size`.
pub fn run(arguments: &expected::Arguments, install: bool) -> Result<()> {
    let names = if arguments.boards.is_empty() { &BOARDS[..] } else { &arguments.boards };
    let boards = boards::chosen(names);
    let model = arguments.model.as_deref();
    if expected::chosen("model", model, &models())? == Chosen::Listed {
        return Ok(());
    }
    setup::ensure(&boards, install)?;
    expected::check_models(arguments.json)?;
    let sizes = measure_all(&boards, model, arguments.json)?;
    if arguments.json {
        let list: Vec<_> = sizes.iter().map(json).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        println!(
            "{:<9} {:<22} {:<6} {:>8} {:>10} {:>8} {:>7}",
            "board", "model", "for", "code", "constants", "RAM", "stack"
        );
        for size in &sizes {
            let profile = if size.small { "size" } else { "speed" };
            println!(
                "{:<9} {:<22} {profile:<6} {:>8} {:>10} {:>8} {:>7}",
                size.board, size.model, size.code, size.constants, size.ram, size.stack
            );
        }
    }
    arguments.settle(FILE, HEAD, MARGIN, &expected_rows(&boards, model)?, &table(&sizes))
}

fn json(size: &Size) -> serde_json::Value {
    serde_json::json!({
        "board": size.board, "model": size.model, "optimised_for": if size.small { "size" } else { "speed" },
        "code": size.code, "constants": size.constants, "ram": size.ram, "stack": size.stack,
    })
}
