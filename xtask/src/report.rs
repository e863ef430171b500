//! One HTML page of the figures in tests/expected: tables, and bars against the best C. It measures nothing: run
//! `bench --bless`, `size --bless` and `accuracy --bless` first for figures of the tree as it stands.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::boards::BOARDS;
use crate::expected::{self, Table};
use crate::{bench, cycles, shell, size};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}\
h1,h2{font-weight:600}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem .7rem;text-align:right;\
border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}summary{cursor:pointer}\
svg{display:block;margin:1rem 0}text{font:12px system-ui,sans-serif}pre{overflow-x:auto;background:#f6f6f6;padding:1rem}";

/// Width of a bar of the value 1, in pixels.
const UNIT: f64 = 420.0;

/// `xtask report`: writes target/report.html and says where.
pub fn run() -> Result<()> {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>smolnn: figures</title><style>{STYLE}</style>\
         <h1>smolnn: figures</h1><p>Executed instructions under QEMU, which are not cycles; bytes of linked firmware. \
         From tests/expected.</p>"
    );
    let figures = instructions()?;
    if figures.is_empty() {
        bail!("tests/expected/instructions.txt holds no figures: run `cargo xtask bench --bless`");
    }
    models(&mut page, &figures);
    cycles(&mut page)?;
    kernels(&mut page, &figures);
    sizes(&mut page)?;
    for (title, file) in [("Accuracy", "accuracy.txt")] {
        if let Ok(text) = fs::read_to_string(shell::root().join("tests/expected").join(file)) {
            let _ = write!(page, "<h2>{title}</h2><pre>{}</pre>", escape(&text));
        }
    }
    let path = shell::root().join("target/report.html");
    fs::create_dir_all(path.parent().context("target lies in the root")?)?;
    fs::write(&path, page)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// One row of instructions.txt.
struct Figure {
    board: String,
    kind: String,
    name: String,
    shape: String,
    instructions: f64,
    ratio: Option<f64>,
}

fn instructions() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (key, numbers) in Table::read(bench::FILE)?.rows() {
        let mut words = key.split_whitespace();
        let mut word = || words.next().unwrap_or("").to_owned();
        let (board, kind, name) = (word(), word(), word());
        let shape = words.collect::<Vec<_>>().join(" ");
        let Some(&instructions) = numbers.first() else { continue };
        let baseline = BOARDS.iter().find(|known| known.label() == board).map_or("", |known| known.baseline);
        let ratio = bench::to_beat(baseline, &kind, &name, &shape).map(|best| instructions / best);
        figures.push(Figure { board, kind, name, shape, instructions, ratio });
    }
    Ok(figures)
}

/// Bars of whole models, board by board.
fn models(page: &mut String, figures: &[Figure]) {
    page.push_str("<h2>Whole models against the best C (CMSIS-NN = 1)</h2>");
    for board in BOARDS.iter().map(|board| board.label()) {
        let rows: Vec<(&str, f64)> = figures
            .iter()
            .filter(|figure| figure.board == board && figure.kind == "model")
            .filter_map(|figure| Some((figure.name.as_str(), figure.ratio?)))
            .collect();
        let Some(mean) = expected::geometric_mean(rows.iter().map(|row| row.1)) else { continue };
        let _ = write!(page, "<h3>{board}: {mean:.3} in the geometric mean</h3>");
        bars(page, &rows);
    }
}

/// Modelled cycles of whole models, beside the best that were published.
fn cycles(page: &mut String) -> Result<()> {
    page.push_str(
        "<h2>Modelled cycles of whole models</h2><p>No wait states, not measured on silicon. Published: MLPerf Tiny, closed, best of its rounds.</p>\
         <table><tr><th>model<th>board<th>million cycles<th>published<th>ratio</tr>",
    );
    for (key, numbers) in Table::read(cycles::FILE)?.rows() {
        let words: Vec<&str> = key.split_whitespace().collect();
        let (&[board, "model", name, ..], Some(&cycles)) = (&words[..], numbers.first()) else { continue };
        let _ = write!(page, "<tr><td>{}<td>{board}<td>{:.3}", escape(name), cycles / 1e6);
        let _ = match cycles::published(board, name) {
            Some(best) => write!(page, "<td>{:.3}<td>{:.3}</tr>", best / 1e6, cycles / best),
            None => write!(page, "<td><td></tr>"),
        };
    }
    page.push_str("</table>");
    Ok(())
}

/// A bar chart; a line marks 0.5, another 1.
fn bars(page: &mut String, rows: &[(&str, f64)]) {
    let height = 22 * rows.len() + 22;
    let _ = write!(page, "<svg width=\"760\" height=\"{height}\" role=\"img\">");
    for (index, (name, value)) in rows.iter().enumerate() {
        let y = 22 * index;
        let width = (value * UNIT).min(520.0);
        let colour = if *value <= 0.5 { "#2a7f62" } else { "#c58a2b" };
        let _ = write!(
            page,
            "<text x=\"0\" y=\"{}\">{}</text><rect x=\"180\" y=\"{}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{value:.3}</text>",
            y + 14,
            escape(name),
            y + 2,
            186.0 + width,
            y + 14
        );
    }
    for (mark, label) in [(0.5, "0.5"), (1.0, "1")] {
        let x = 180.0 + mark * UNIT;
        let bottom = height - 20;
        let _ = write!(
            page,
            "<line x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#888\" stroke-dasharray=\"3 3\"/>\
             <text x=\"{:.1}\" y=\"{}\">{label}</text>",
            x - 8.0,
            bottom + 14
        );
    }
    page.push_str("</svg>");
}

fn kernels(page: &mut String, figures: &[Figure]) {
    page.push_str("<h2>Kernels</h2>");
    for board in BOARDS.iter().map(|board| board.label()) {
        let rows: Vec<&Figure> = figures.iter().filter(|f| f.board == board && f.kind == "kernel").collect();
        let _ = write!(
            page,
            "<details><summary>{board}: {} shapes</summary><table><tr><th>kernel<th>shape<th>instructions<th>of C</tr>",
            rows.len()
        );
        for figure in rows {
            let ratio = figure.ratio.map_or(String::new(), |ratio| format!("{ratio:.3}"));
            let _ = write!(
                page,
                "<tr><td>{}<td>{}<td>{:.1}<td>{ratio}</tr>",
                escape(&figure.name),
                escape(&figure.shape),
                figure.instructions
            );
        }
        page.push_str("</table></details>");
    }
}

fn sizes(page: &mut String) -> Result<()> {
    let table = Table::read(size::FILE)?;
    page.push_str(
        "<h2>Firmware of one model</h2><table><tr><th>board, model, optimised for<th>code<th>constants<th>static RAM<th>stack</tr>",
    );
    for (key, numbers) in table.rows() {
        let _ = write!(page, "<tr><td>{}", escape(key));
        for number in numbers {
            let _ = write!(page, "<td>{number:.0}");
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
