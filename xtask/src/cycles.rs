//! Modelled cycles per kernel, model and function, by a plugin of QEMU's: see xtask/cycles.
//!
//! The plugin notes instructions and cycles at each mark that the firmware passes. The firmware's own figure says how many
//! instructions a call takes; the marks around the same calls say how many cycles an instruction of them takes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSymbol, SymbolKind};
use serde_json::json;

use crate::bench::{self, Figure};
use crate::boards::{self, Board, Name};
use crate::costs;
use crate::expected::{self, Table};
use crate::firmware::{self, Machine, Run, Variant, Verdict};
use crate::inner_loops;
use crate::setup;
use crate::shell::{self, Kind, fault};
use crate::suite::Tally;

/// How much a figure may grow.
const MARGIN: f64 = 0.02;

/// The expected figures.
pub const FILE: &str = "cycles.txt";

const HEAD: &str = "Modelled cycles per call, by published timings, without wait states: `cargo xtask cycles --bless` rewrites this file, `cargo xtask test` allows 2 % of growth.
They were not measured on silicon. Columns: cycles, board, kind, name, shape.";

/// The best cycles that were published for a core and a model.
const SILICON: &str = include_str!("../../tests/data/baseline/silicon.csv");

/// Longest that one board's measurements may take.
const DEADLINE: Duration = Duration::from_secs(1200);

/// The boards whose cores have published timings, and the names of these for the plugin.
const CORES: [(Name, &str); 4] = [(Name::M0, "m0plus"), (Name::M3, "m3"), (Name::M4, "m4"), (Name::M33, "m33")];

/// What `cycles` takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    figures: expected::Arguments,
    /// One kernel alone, without models; without a name it lists the kernels.
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    kernel: Option<String>,
    /// Another core's timings for the same code: the M0's for the board m0, which has those of the M0+.
    #[arg(long, value_parser = ["m0", "m0plus", "m3", "m4", "m33"])]
    core: Option<String>,
    /// Cycles that flash needs more for the first fetch behind a jump; those that follow are prefetched.
    #[arg(long, default_value_t = 0)]
    wait_states: u32,
    /// Lists functions by their share of all cycles.
    #[arg(long)]
    profile: bool,
    /// Holds the timings against loops whose cycles the manuals state, and measures nothing.
    #[arg(long)]
    rules: bool,
    /// Asks llvm-mca for the inner loops of cores whose timings are not published (m7), and measures nothing.
    #[arg(long)]
    inner_loops: bool,
}

/// What the plugin counted.
#[derive(Debug, Default)]
struct Counts {
    /// Instructions and cycles until each mark.
    marks: Vec<Mark>,
    /// Instructions and cycles of each block, by its address.
    blocks: BTreeMap<u64, Work>,
}

/// A call of a mark.
#[derive(Clone, Copy, Debug)]
struct Mark {
    is_inner: bool,
    work: Work,
}

/// Instructions and cycles.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    instructions: u64,
    cycles: u64,
}

impl Work {
    fn since(self, start: Self) -> Self {
        Self { instructions: self.instructions - start.instructions, cycles: self.cycles - start.cycles }
    }

    fn add(&mut self, other: Self) {
        self.instructions += other.instructions;
        self.cycles += other.cycles;
    }

    fn cycles_per_instruction(self) -> f64 {
        self.cycles as f64 / self.instructions.max(1) as f64
    }
}

impl Counts {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context("the plugin left no counts")?;
        let mut counts = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let (instructions, cycles) = match fields[..] {
                [.., instructions, cycles] => (instructions.parse()?, cycles.parse()?),
                _ => bail!("cannot read the line `{line}`"),
            };
            let work = Work { instructions, cycles };
            match fields[0] {
                "block" => {
                    let address = fields[1].trim_start_matches("0x");
                    counts.blocks.insert(u64::from_str_radix(address, 16)?, work);
                }
                name => counts.marks.push(Mark { is_inner: name.ends_with("inner"), work }),
            }
        }
        Ok(counts)
    }

    /// Cycles per instruction of the calls that `bench` measures, figure by figure: each is three windows (one call, many calls, as
    /// many empty calls) of two marks.
    fn ratios(&self) -> Vec<f64> {
        let marks: Vec<Work> = self.marks.iter().map(|mark| mark.work).collect();
        marks
            .chunks_exact(6)
            .map(|windows| {
                let (calls, empty) = (windows[3].since(windows[2]), windows[5].since(windows[4]));
                calls.since(empty).cycles_per_instruction()
            })
            .collect()
    }

    /// Work between outer marks, and of it that between inner marks.
    fn outer_and_inner(&self) -> (Work, Work) {
        let (mut outer, mut inner) = (Work::default(), Work::default());
        let (mut outer_start, mut inner_start) = (None, None);
        for mark in &self.marks {
            let (start, sum) =
                if mark.is_inner { (&mut inner_start, &mut inner) } else { (&mut outer_start, &mut outer) };
            match start.take() {
                None => *start = Some(mark.work),
                // What is before the first whole is not measured.
                Some(start) if outer_start.is_some() || !mark.is_inner => sum.add(mark.work.since(start)),
                Some(_) => {}
            }
        }
        (outer, inner)
    }
}

/// A run under the plugin.
struct Modelled {
    run: Run,
    counts: Counts,
}

/// The name of a board's core for the plugin.
fn core(board: &Board) -> Option<&'static str> {
    CORES.iter().find(|(name, _)| *name == board.name).map(|(_, core)| *core)
}

/// Whether a board's core has published timings.
pub fn is_modelled(board: &Board) -> bool {
    core(board).is_some()
}

/// Builds the plugin for the interface of the QEMU that is installed.
fn plugin(board: &Board, quiet: bool) -> Result<PathBuf> {
    let version = shell::output(shell::command(board.emulator).arg("--version"))?;
    let major: u32 = version
        .split_whitespace()
        .find_map(|word| word.split_once('.')?.0.parse().ok())
        .with_context(|| format!("{} does not say its version", board.emulator))?;
    let mut cargo = shell::cargo();
    // A folder of its own: nobody waits for a build of something else.
    let target = shell::root().join("target/plugin");
    cargo.args(["build", "--release", "--quiet", "-p", "cycles", "--target-dir"]).arg(&target).env_remove("RUSTFLAGS");
    cargo.env("SMOLNN_QEMU_PLUGIN", if major < 9 { "1" } else { "2" });
    if quiet { shell::output(&mut cargo).map(drop) } else { shell::run(&mut cargo) }?;
    let name = format!("{}cycles{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    Ok(target.join("release").join(name))
}

/// Runs an image under the plugin.
fn run_modelled(
    board: &Board,
    core: &str,
    wait_states: u32,
    image: &Path,
    options: &[&str],
    quiet: bool,
    line: impl FnMut(&str),
) -> Result<Modelled> {
    let plugin = plugin(board, quiet)?;
    let out = image.with_extension("cycles");
    let _ = fs::remove_file(&out);
    let mut arguments = OsString::new();
    for part in
        [plugin.as_os_str(), format!(",core={core},wait_states={wait_states},image=").as_ref(), image.as_os_str()]
    {
        arguments.push(part);
    }
    arguments.push(",out=");
    arguments.push(&out);
    let machine = Machine { plugin: Some(&arguments), ..Machine::default() };
    let run = firmware::run_with(board, image, options, &machine, DEADLINE, line)?;
    if matches!(run.end, Verdict::Failed) && !out.exists() {
        let said = run.lines.join("\n");
        return Err(fault(Kind::ToolMissing, format!("{} did not load the plugin:\n{said}", board.emulator)));
    }
    let counts = Counts::read(&out)?;
    Ok(Modelled { run, counts })
}

/// A figure of `bench` with its cycles.
struct Cycles {
    figure: Figure,
    cycles: f64,
}

/// The best published cycles of a board and a model.
pub fn published(board: &str, model: &str) -> Option<f64> {
    SILICON.lines().find_map(|line| {
        let mut fields = line.split(',');
        let is_it = fields.next() == Some(board) && fields.next() == Some(model);
        is_it.then(|| fields.next()?.parse::<f64>().ok()).flatten().map(|millions| millions * 1e6)
    })
}

impl Cycles {
    fn ratio(&self) -> Option<f64> {
        published(&self.figure.board, &self.figure.name).map(|best| self.cycles / best)
    }

    fn per_unit(&self) -> f64 {
        self.cycles / self.figure.macs.max(self.figure.elements).max(1) as f64
    }

    fn json(&self) -> serde_json::Value {
        let mut value = json!({
            "board": self.figure.board, "kind": self.figure.kind, "name": self.figure.name, "shape": self.figure.shape,
            "instructions": self.figure.instructions, "cycles": self.cycles,
            "macs": self.figure.macs, "elements": self.figure.elements,
        });
        if let (Some(best), Some(ratio)) = (published(&self.figure.board, &self.figure.name), self.ratio()) {
            value["published"] = best.into();
            value["ratio"] = ratio.into();
        }
        value
    }
}

/// Joins figures with the counts of the same run.
fn join(board: &Board, modelled: &Modelled) -> Result<Vec<Cycles>> {
    let figures = bench::read(board, &modelled.run)?;
    // The first windows calibrate the counter.
    let ratios = modelled.counts.ratios();
    ensure!(ratios.len() == figures.len() + 1, "{} figures, but {} windows of marks", figures.len(), ratios.len());
    let joined = figures.into_iter().zip(&ratios[1..]);
    Ok(joined.map(|(figure, ratio)| Cycles { cycles: figure.instructions * ratio, figure }).collect())
}

fn table(figures: &[Cycles]) -> Table {
    let mut table = Table::default();
    for cycles in figures {
        // A hundredth, as the file has it.
        table.set(cycles.figure.key(), vec![(cycles.cycles * 100.0).round() / 100.0]);
    }
    table
}

fn print_table(figures: &[Cycles]) {
    println!(
        "{:<6} {:<22} {:<30} {:>14} {:>14} {:>8} {:>12}",
        "board", "name", "shape", "instructions", "cycles", "per MAC", "of silicon"
    );
    for cycles in figures {
        let Figure { board, name, shape, instructions, .. } = &cycles.figure;
        let ratio = cycles.ratio().map_or(String::new(), |ratio| format!("{ratio:.3}"));
        let (count, unit) = (cycles.cycles, cycles.per_unit());
        println!("{board:<6} {name:<22} {shape:<30} {instructions:>14.2} {count:>14.2} {unit:>8.3} {ratio:>12}");
    }
    for (name, _) in CORES {
        let label = name.board().label();
        let ratios: Vec<f64> = figures.iter().filter(|c| c.figure.board == label).filter_map(Cycles::ratio).collect();
        if let Some(mean) = expected::geometric_mean(ratios.iter().copied()) {
            println!(
                "{label}: {} models take {mean:.3} of the best published cycles, geometric mean; ours are modelled, not measured on silicon",
                ratios.len()
            );
        }
    }
}

/// Functions of an image by their cycles, the most first.
fn print_profile(image: &Path, counts: &Counts) -> Result<()> {
    let bytes = fs::read(image)?;
    let file = object::File::parse(&*bytes)?;
    let mut functions: Vec<(u64, String)> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
        .map(|symbol| (symbol.address() & !1, format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or("?")))))
        .collect();
    functions.sort();
    let mut sums: BTreeMap<&str, Work> = BTreeMap::new();
    let mut all = Work::default();
    for (&address, &work) in &counts.blocks {
        let after = functions.partition_point(|(start, _)| *start <= address);
        let name = after.checked_sub(1).map_or("start-up", |index| functions[index].1.as_str());
        sums.entry(name).or_default().add(work);
        all.add(work);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, work)| std::cmp::Reverse(work.cycles));
    println!("{:>14} {:>7} {:>14} {:>6}  function", "cycles", "share", "instructions", "each");
    for (name, work) in sums.iter().take(40) {
        let share = 100.0 * work.cycles as f64 / all.cycles.max(1) as f64;
        let each = work.cycles_per_instruction();
        println!("{:>14} {share:>5.1} % {:>14} {each:>6.2}  {name}", work.cycles, work.instructions);
    }
    Ok(())
}

/// `xtask cycles`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let common = &arguments.figures;
    if arguments.inner_loops {
        return inner_loops::show(&boards::chosen(&common.boards), common.json);
    }
    let modelled: Vec<Name> = CORES.iter().map(|(name, _)| *name).collect();
    let chosen = if common.boards.is_empty() { &modelled } else { &common.boards };
    let boards = boards::chosen(chosen);
    if let Some(board) = boards.iter().find(|board| !is_modelled(board)) {
        let names: Vec<String> = modelled.iter().map(|name| name.board().label()).collect();
        let message = format!("no timings are published for the {}; there are {}", board.core, names.join(", "));
        return Err(fault(Kind::Usage, message));
    }
    let (kernel, model) = (arguments.kernel.as_deref(), common.model.as_deref());
    if !bench::is_wanted(kernel, model)? {
        return Ok(());
    }
    setup::ensure(&boards, install)?;
    if arguments.rules {
        return boards.into_iter().try_for_each(|board| rules(board).map(drop));
    }
    expected::check_models(common.json)?;
    let variant = Variant { quiet: common.json, ..Variant::default() };
    let mut figures = Vec::new();
    for &board in &boards {
        let image = firmware::build(board, &["bench"], &variant)?.remove(0);
        let timings = arguments.core.as_deref().or(core(board)).expect("the board is one of those modelled");
        let options = bench::options(kernel, model);
        let modelled =
            run_modelled(board, timings, arguments.wait_states, &image, &options, common.json, remarks(board))?;
        figures.extend(join(board, &modelled)?);
        if arguments.profile {
            print_profile(&image, &modelled.counts)?;
        }
    }
    if figures.is_empty() {
        return Err(fault(Kind::Failed, "the firmware measured nothing of that name"));
    }
    if common.json {
        let list: Vec<_> = figures.iter().map(Cycles::json).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        print_table(&figures);
    }
    if (arguments.core.is_some() || arguments.wait_states > 0) && (common.bless || common.gate) {
        return Err(fault(Kind::Usage, "the expected figures are of each board's own core without wait states"));
    }
    let scope = bench::expected_rows(FILE, &boards, kernel, model)?;
    common.settle(FILE, HEAD, MARGIN, &scope, &table(&figures))?;
    if common.bless { costs::bless() } else { Ok(()) }
}

/// Models everything on a board, for which `bench` is built, and holds cycles and instructions against their files; the tally counts the figures of both.
pub fn gate(board: &Board) -> Result<Tally> {
    let image = firmware::image(board, "bench", &Variant::default());
    let timings = core(board).context("the board's core has no published timings")?;
    let modelled = run_modelled(board, timings, 0, &image, &[], false, |_| {})?;
    let instructions = bench::judge(board, &bench::read(board, &modelled.run)?)?;
    let figures = join(board, &modelled)?;
    expected::judge(&bench::expected_rows(FILE, &[board], None, None)?.compare(&table(&figures), MARGIN), FILE)?;
    Ok(Tally { passed: instructions.passed + figures.len() as u32, failed: 0 })
}

/// Shows the lines of a board's firmware that are no figures.
fn remarks(board: &Board) -> impl FnMut(&str) {
    let label = board.label();
    move |line| {
        if !bench::is_result(line) {
            eprintln!("{label}: {line}");
        }
    }
}

/// Figures of a program that prints as `bench` does, each with its cycles, or with its instructions where the core's timings are not published.
pub fn costs(board: &Board, image: &Path, options: &[&str], quiet: bool) -> Result<Vec<(Figure, f64)>> {
    let Some(timings) = core(board) else {
        let run = firmware::run(board, image, options, DEADLINE, remarks(board))?;
        return Ok(bench::read(board, &run)?.into_iter().map(|figure| (figure.clone(), figure.instructions)).collect());
    };
    let modelled = run_modelled(board, timings, 0, image, options, quiet, remarks(board))?;
    Ok(join(board, &modelled)?.into_iter().map(|cycles| (cycles.figure, cycles.cycles)).collect())
}

/// Shows the gate figures that have grown by 3 %: it must refuse each row. Gives their number.
pub fn prove_gate() -> Result<usize> {
    expected::prove_gate(FILE, MARGIN, 1.03)
}

/// Cycles of the wake word's demo: per frame of its front end and per call of its model, of which it printed the instructions.
pub struct Listening {
    /// Cycles per instruction of the front end.
    pub front_end: f64,
    /// Cycles per instruction of the model.
    pub model: f64,
}

/// Runs the wake word's demo under the plugin.
pub fn listen(board: &Board, image: &Path, options: &[&str], line: impl FnMut(&str)) -> Result<(Run, Listening)> {
    let timings = core(board).context("the board's core has no published timings")?;
    let Modelled { run, counts } = run_modelled(board, timings, 0, image, options, true, line)?;
    let (all, model) = counts.outer_and_inner();
    let front_end = all.since(model);
    Ok((run, Listening { front_end: front_end.cycles_per_instruction(), model: model.cycles_per_instruction() }))
}

/// Cycles of a loop's body, for the cores that can run it: M0+, M3, and M4 with the M33.
struct Rule {
    name: &'static str,
    small: Option<u32>,
    m3: Option<u32>,
    m4: Option<u32>,
}

const fn all(name: &'static str, small: u32, large: u32) -> Rule {
    Rule { name, small: Some(small), m3: Some(large), m4: Some(large) }
}

const fn large(name: &'static str, m3: u32, m4: u32) -> Rule {
    Rule { name, small: None, m3: Some(m3), m4: Some(m4) }
}

const fn float(name: &'static str, m4: u32) -> Rule {
    Rule { name, small: None, m3: None, m4: Some(m4) }
}

/// What the manuals of xtask/cycles/src/timing.rs state of the loops in tests/firmware/src/bin/cycles.rs. A jump refills 2 of 1 to 3
/// cycles, a division takes 7 of 2 to 12, a long product on the M3 4 of 3 to 5 and one that is added 5 of 4 to 7.
const RULES: [Rule; 33] = [
    all("adds", 1, 1),
    all("muls", 1, 1),
    all("ldr", 2, 2),
    all("ldr adds ldr", 5, 5),
    all("ldr ldr", 4, 3),
    all("ldr ldr ldr", 6, 4),
    all("str", 2, 1),
    // Two moves beside it.
    all("ldm 4", 7, 7),
    all("push pop 3", 8, 8),
    all("b", 2, 3),
    // BL 3, BX 2 and B 2 on the M0+; three refills on the others.
    all("bl bx", 7, 9),
    // The comparison is one of them.
    all("beq not taken", 2, 2),
    large("ldr to base", 6, 6),
    large("mla", 2, 1),
    large("umull", 4, 1),
    large("umlal", 5, 1),
    large("ldrd", 3, 3),
    large("strd", 3, 3),
    // A move beside it.
    large("str to register", 3, 3),
    // A comparison and a move beside it.
    large("it", 3, 3),
    large("udiv", 7, 7),
    // A move beside it; 2 + 2.
    large("tbb", 5, 5),
    large("cbz not taken", 1, 1),
    float("smlad", 1),
    float("smmul", 1),
    float("smlald", 1),
    float("vadd", 1),
    float("vfma", 3),
    float("vdiv", 14),
    float("vldr", 2),
    float("vldm 4", 5),
    float("vstr", 2),
    float("vmov pair", 2),
];

/// Holds the plugin's timings of a board's core against the manual's, loop by loop.
pub fn rules(board: &Board) -> Result<Tally> {
    let image = firmware::build(board, &["cycles"], &Variant::default())?.remove(0);
    let timings = core(board).context("the board's core has no published timings")?;
    let Modelled { run, counts } = run_modelled(board, timings, 0, &image, &[], false, |_| {})?;
    run.end.check(&format!("cycles on {}", board.label()))?;
    let names: Vec<&str> = run.lines.iter().filter_map(|line| line.strip_prefix("rule ")).collect();
    // A turn more of the loop, over all: 2 000 turns less 1 000, through 1 000.
    let turn = |marks: &[Mark]| {
        let window = |index: usize| marks[index + 1].work.since(marks[index].work).cycles as f64;
        (window(2) - window(0)) / 1000.0
    };
    let turns: Vec<f64> = counts.marks.chunks_exact(4).map(turn).collect();
    ensure!(
        turns.len() == names.len() && names.first() == Some(&"empty"),
        "{} loops, {} names",
        turns.len(),
        names.len()
    );
    let mut tally = Tally::default();
    for (name, turn) in names.iter().zip(&turns).skip(1) {
        let rule = RULES.iter().find(|rule| rule.name == *name).with_context(|| format!("no rule is called {name}"))?;
        let stated = match timings {
            "m0" | "m0plus" => rule.small,
            "m3" => rule.m3,
            _ => rule.m4,
        };
        let found = turn - turns[0];
        // QEMU repeats a block now and then when its time slice ends.
        if stated.is_some_and(|stated| (f64::from(stated) - found).abs() < 0.01) {
            tally.passed += 1;
        } else {
            tally.failed += 1;
            shell::say_line(&format!("{timings}: {name} takes {found:.2} cycles, the manual says {stated:?}"));
        }
    }
    shell::say_line(&format!("{timings}: {} loops take what the manual states", tally.passed));
    ensure!(tally.failed == 0, "{} loops take other cycles than the manual of the {} states", tally.failed, board.core);
    Ok(tally)
}
