//! One HTML page of the figures in tests/expected: tables and bars, readable on a telephone. It measures nothing: run
//! `bench --bless`, `cycles --bless`, `size --bless` and `accuracy --bless` first for figures of the tree as it stands.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::boards::BOARDS;
use crate::expected::{self, Table};
use crate::{bench, cycles, models, shell, size};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:1rem auto;padding:0 .7rem;color:#222;background:#fff}\
h1,h2,h3{font-weight:600;line-height:1.2}.wide{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}\
td,th{padding:.15rem .5rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}td:first-child,th:first-child{text-align:left}\
summary{cursor:pointer}.row{display:flex;justify-content:space-between;gap:1rem;margin-top:.35rem}.row span:first-child{overflow-wrap:anywhere}\
.track{position:relative;height:.7rem;display:flex;background:#eee}.fill{height:100%}.mark{background:#555}.track .mark{position:absolute;top:0;bottom:0;width:2px}\
.half{background:#2a7f62}.more{background:#c58a2b}.cycles{background:#a8518a}.code{background:#3b78b5}.constants{background:#7fb2dd}\
.whole{background:#2a7f62;stroke:#2a7f62}.steps{background:#c58a2b;stroke:#c58a2b}.curve{fill:none;stroke-width:2}svg{width:100%;border-bottom:1px solid #ddd;border-left:1px solid #ddd}\
.static{background:#3b8f5a}.stack{background:#d9a441}.key{display:inline-block;width:.8em;height:.8em;margin-right:.3em}.item{white-space:nowrap;margin-right:.8em}.soft{color:#555}\
pre{overflow-x:auto;background:#f6f6f6;padding:.7rem;font-size:.8rem}";

/// Where the page is written.
pub fn path() -> PathBuf {
    shell::root().join("target/report.html")
}

/// `xtask report`: writes target/report.html and says where.
pub fn run() -> Result<()> {
    fs::create_dir_all(path().parent().context("target lies in the root")?)?;
    fs::write(path(), page()?)?;
    println!("wrote {}", path().display());
    Ok(())
}

/// The page of all figures.
fn page() -> Result<String> {
    // A tree without Git's folder has no date.
    let of_tree =
        shell::output(shell::command("git").args(["log", "-1", "--format=%cs, commit %h"])).unwrap_or_default();
    let date = if of_tree.is_empty() { String::new() } else { format!(" of {}", escape(of_tree.trim())) };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>smolnn: figures</title><style>{STYLE}</style><h1>smolnn: figures</h1><p>Figures of tests/expected in the tree{date}: \
         executed instructions under QEMU, which are not cycles; cycles modelled by published timings, which were not measured on silicon; bytes of linked \
         firmware. Models: {}.</p>",
        models::published()
            .map(|(name, place)| format!("<a href=\"https://{place}\">{name}</a>"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let figures = instructions()?;
    if figures.is_empty() {
        bail!("tests/expected/instructions.txt holds no figures: run `cargo xtask bench --bless`");
    }
    models_against_c(&mut page, &figures);
    cycles(&mut page)?;
    sizes(&mut page)?;
    learning(&mut page)?;
    kernels(&mut page, &figures);
    let accuracy = shell::root().join("tests/expected/accuracy.txt");
    if let Ok(text) = fs::read_to_string(accuracy) {
        let _ = write!(page, "<h2>Accuracy of the elementary functions</h2><pre>{}</pre>", escape(&text));
    }
    Ok(page + "</html>")
}

/// A coloured square and what it stands for.
fn key(class: &str, what: &str) -> String {
    format!("<span class=\"item\"><span class=\"key {class}\"></span>{what}</span> ")
}

/// A name, a value, and below them a bar of parts: each a class and its share of the whole width.
fn bar(page: &mut String, name: &str, value: &str, parts: &[(&str, f64)], mark: Option<f64>) {
    let _ =
        write!(page, "<div class=\"row\"><span>{}</span><span>{value}</span></div><div class=\"track\">", escape(name));
    for (class, share) in parts {
        let _ = write!(page, "<div class=\"fill {class}\" style=\"width:{:.2}%\"></div>", 100.0 * share.min(1.0));
    }
    if let Some(mark) = mark {
        let _ = write!(page, "<div class=\"mark\" style=\"left:{:.2}%\"></div>", 100.0 * mark);
    }
    page.push_str("</div>");
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

/// The part of a bar's width that stands for the best C.
const BEST_C: f64 = 0.8;

/// Bars of whole models, board by board.
fn models_against_c(page: &mut String, figures: &[Figure]) {
    let _ = write!(
        page,
        "<h2>Whole models against the best C (CMSIS-NN)</h2><p>Instructions as a share of the best C's on the same core: {}{}{}</p>",
        key("half", "at most half"),
        key("more", "more than half"),
        key("mark", "the best C"),
    );
    for board in BOARDS.iter().map(|board| board.label()) {
        let rows: Vec<(&str, f64)> = figures
            .iter()
            .filter(|figure| figure.board == board && figure.kind == "model")
            .filter_map(|figure| Some((figure.name.as_str(), figure.ratio?)))
            .collect();
        let Some(mean) = expected::geometric_mean(rows.iter().map(|row| row.1)) else { continue };
        let _ = write!(page, "<h3>{board}: {mean:.3} in the geometric mean</h3>");
        for (name, ratio) in rows {
            let class = if ratio <= 0.5 { "half" } else { "more" };
            bar(page, name, &format!("{ratio:.3}"), &[(class, ratio * BEST_C)], Some(BEST_C));
        }
    }
}

/// Modelled cycles of whole models, beside the best that were published.
fn cycles(page: &mut String) -> Result<()> {
    let _ = write!(
        page,
        "<h2>Cycles of whole models</h2><p>{}millions of a run, modelled without wait states of the flash, not measured on silicon; a full bar is the most of the board. \
         In brackets the share of the best that was published (MLPerf Tiny, closed, best of its rounds).</p>",
        key("cycles", "cycles:")
    );
    let mut rows: Vec<(String, String, f64)> = Vec::new();
    for (key, numbers) in Table::read(cycles::FILE)?.rows() {
        let words: Vec<&str> = key.split_whitespace().collect();
        let (&[board, "model", name, ..], Some(&cycles)) = (&words[..], numbers.first()) else { continue };
        rows.push((board.into(), name.into(), cycles));
    }
    for board in BOARDS.iter().map(|board| board.label()) {
        let of_board: Vec<_> = rows.iter().filter(|row| row.0 == board).collect();
        let most = of_board.iter().map(|row| row.2).fold(0.0, f64::max);
        if !of_board.is_empty() {
            let _ = write!(page, "<h3>{board}</h3>");
        }
        for (_, name, cycles) in of_board {
            let best =
                cycles::published(&board, name).map(|best| format!(" ({:.2})", cycles / best)).unwrap_or_default();
            bar(page, name, &format!("{:.3}{best}", cycles / 1e6), &[("cycles", cycles / most)], None);
        }
    }
    Ok(())
}

/// Width and height of the picture of learning curves, in units of its own: the page scales it.
const PICTURE: [f64; 2] = [640.0, 240.0];

/// Learning curves: the loss of each epoch, of two ways to train one network.
fn learning(page: &mut String) -> Result<()> {
    const FILE: &str = "tests/expected/learning.txt";
    let text = fs::read_to_string(shell::root().join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    let (notes, rows): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('#'));
    let mut curves = [Vec::new(), Vec::new()];
    for row in &rows {
        for (curve, number) in curves.iter_mut().zip(row.split_whitespace()) {
            curve.push(number.parse::<f64>().with_context(|| format!("{FILE} holds {number:?} instead of a loss"))?);
        }
    }
    let most = curves.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    let [width, height] = PICTURE;
    let _ = write!(
        page,
        "<h2>Learning curves</h2><p>A GRU of 16 units learns who speaks (JapaneseVowels), in memory that a device has: {}{}to the right {} epochs, upward the \
         loss from 0 to {most:.2}. {}</p><svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Loss by epoch\">",
        key("whole", "backpropagation through the whole time"),
        key("steps", "windows of one step,"),
        rows.len(),
        escape(notes.last().map_or("", |note| note.trim_start_matches(['#', ' '])))
    );
    for (class, curve) in ["whole", "steps"].iter().zip(&curves) {
        let point = |(epoch, loss): (usize, &f64)| {
            let across = width * epoch as f64 / (curve.len().max(2) - 1) as f64;
            format!("{across:.1},{:.1}", height * (1.0 - loss / most))
        };
        let points: Vec<String> = curve.iter().enumerate().map(point).collect();
        let _ = write!(page, "<polyline class=\"curve {class}\" points=\"{}\"/>", points.join(" "));
    }
    page.push_str("</svg>");
    Ok(())
}

fn kernels(page: &mut String, figures: &[Figure]) {
    page.push_str("<h2>Kernels</h2>");
    for board in BOARDS.iter().map(|board| board.label()) {
        let rows: Vec<&Figure> = figures.iter().filter(|f| f.board == board && f.kind == "kernel").collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            page,
            "<details><summary>{board}: {} shapes</summary><div class=\"wide\"><table><tr><th>kernel<th>shape<th>instructions<th>of C</tr>",
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
        page.push_str("</table></div></details>");
    }
}

/// Flash and RAM of the firmware of each model.
fn sizes(page: &mut String) -> Result<()> {
    let table = Table::read(size::FILE)?;
    let _ = write!(
        page,
        "<h2>Flash and RAM of one model's firmware</h2><p>Bytes, in flash: {}{}and in RAM: {}{}Full bars are the most flash and the most RAM of the board.</p>",
        key("code", "code"),
        key("constants", "constants"),
        key("static", "statics, with arena and states"),
        key("stack", "deepest stack.")
    );
    let mut rows = Vec::new();
    for (key, numbers) in table.rows() {
        let words: Vec<&str> = key.split_whitespace().collect();
        if let (&[board, model, purpose], &[code, constants, ram, stack]) = (&words[..], numbers) {
            rows.push((board.to_owned(), format!("{model}, for {purpose}"), [code, constants], [ram, stack]));
        }
    }
    for board in BOARDS.iter().map(|board| board.label()) {
        let of_board: Vec<_> = rows.iter().filter(|row| row.0 == board).collect();
        if of_board.is_empty() {
            continue;
        }
        let flash = of_board.iter().map(|row| row.2.iter().sum()).fold(1.0, f64::max);
        let ram = of_board.iter().map(|row| row.3.iter().sum()).fold(1.0, f64::max);
        let _ = write!(page, "<details><summary>{board}: {} firmwares</summary>", of_board.len());
        for (_, name, [code, constants], [statics, stack]) in of_board {
            let value = format!("{code:.0} + {constants:.0}; {statics:.0} + {stack:.0}");
            bar(page, name, &value, &[("code", code / flash), ("constants", constants / flash)], None);
            let _ = write!(
                page,
                "<div class=\"track\"><div class=\"fill static\" style=\"width:{:.2}%\"></div><div class=\"fill stack\" style=\"width:{:.2}%\"></div></div>",
                100.0 * statics / ram,
                100.0 * stack / ram
            );
        }
        page.push_str("</details>");
    }
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
