//! The report as one HTML page that needs nothing beside itself: tables, bars, and a histogram of each layer with the range of its integers.

use std::fmt::Write;

use super::table::{cycles, decibels, number, percent};
use super::{QuantisationReport, QuantisedLayer, Variant};

/// Size of a histogram's drawing.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 72.0;
/// Signal-to-noise ratio that fills a bar.
const FULL_BAR: f64 = 60.0;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d8dee6; --page: #ffffff; --bar: #2f6fb3; --clip: #c2410c; --warn: #fff4e5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #333c48; --page: #14181e; --bar: #6aa5e0; --clip: #f08a4b; --warn: #3a2a14; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: .5rem 0 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } .folded th, .folded td:first-child { white-space: normal; } th { color: var(--soft); font-weight: 600; }
.warning, .advice { padding: .5rem .7rem; border-left: 4px solid var(--bar); overflow-wrap: anywhere; }
.warning { background: var(--warn); border-color: var(--clip); }
.row { display: flex; justify-content: space-between; gap: 1rem; margin-top: .5rem; } .row span:last-child { white-space: nowrap; }
svg { display: block; width: 100%; } svg.plot { height: auto; max-height: 9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .7rem; min-width: 0; } .card h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .6em; }
.card p { font-size: .85rem; } .name { overflow-wrap: anywhere; }
";

impl QuantisationReport {
    /// The report as an HTML page of its own, with plots.
    pub fn html(&self) -> String {
        let mut page = String::new();
        let model = escape(&self.model);
        page += "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
        page += &format!("<title>{model}: from float to integers</title><style>{STYLE}</style></head><body>\n");
        page += &format!("<h1>{model}: from float to integers</h1>\n");
        page += &format!("<p class=\"soft\">{} samples calibrated it; {}.</p>\n", self.samples, escape(&self.way()));
        for warning in &self.warnings {
            page += &format!("<p class=\"warning\">{}</p>\n", escape(warning));
        }
        for advice in &self.advice {
            page += &format!("<p class=\"advice\">{}</p>\n", escape(advice));
        }
        page += &self.forms();
        page += "<h2>Where the error comes from</h2>\n<p class=\"soft\">Each layer's share of the output's error: its weights and what it gives are rounded, all else stays real. Of each";
        page += &format!("{} its share,{} the largest share.</p>\n", key("--clip"), key("--line"));
        let largest = self.layers.iter().map(|layer| layer.error_share).fold(0.0, f64::max).max(1e-9);
        for layer in self.layers.iter().filter(|layer| layer.error_share > 0.0) {
            page += &bar(layer, layer.error_share / largest, &percent(layer.error_share), "var(--clip)");
        }
        page += "<h2>Signal to noise, layer by layer</h2>\n<p class=\"soft\">With the errors of all layers before it. Of each";
        page += &format!("{} its ratio,{} 60 dB.</p>\n", key("--bar"), key("--line"));
        for layer in self.layers.iter().filter(|layer| layer.numbers != "float") {
            let share = layer.snr.map_or(1.0, |snr| (snr / FULL_BAR).clamp(0.0, 1.0));
            page += &bar(layer, share, &decibels(layer.snr), "var(--bar)");
        }
        page += &format!(
            "<h2>Values and ranges</h2>\n<p class=\"soft\">{} How often values occurred (square root of the count);{} the ends of the integers' range: what lies \
             beyond is cut off.</p>\n<div class=\"cards\">\n",
            key("--bar"),
            key("--clip")
        );
        self.layers.iter().for_each(|layer| page += &card(layer));
        page += "</div>\n<h2>What was tried</h2>\n<div class=\"wide\"><table class=\"folded\"><tr><th>way</th><th>SNR of the outputs, before a softmax or sigmoid</th></tr>\n";
        for trial in &self.trials {
            let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(&trial.way()), decibels(trial.snr));
        }
        page + "</table></div>\n</body></html>\n"
    }

    /// The table of the model's forms: a column for each, which narrow pages have room for.
    fn forms(&self) -> String {
        let row = |what: &str, cell: &dyn Fn(&Variant) -> String| {
            let cells: String = self.variants.iter().map(|variant| format!("<td>{}</td>", cell(variant))).collect();
            format!("<tr><td>{what}</td>{cells}</tr>\n")
        };
        let names: String = self.variants.iter().map(|variant| format!("<th>{}</th>", variant.name)).collect();
        let rows = [
            row("accuracy", &|of| of.accuracy.map_or_else(|| "–".into(), percent)),
            row("output SNR", &|of| if of.name == "float" { "–".into() } else { decibels(of.output_snr) }),
            row("flash", &|of| format!("{} B", of.flash_bytes)),
            row("RAM", &|of| format!("{} B", of.ram_bytes)),
            row("MACs", &|of| of.macs.to_string()),
            row(self.unit, &|of| cycles(of.cycles)),
        ];
        format!(
            "<h2>What it costs</h2>\n<div class=\"wide\"><table><tr><th></th>{names}</tr>\n{}</table></div>\n<p class=\"soft\">Flash and RAM as a {} takes them; {}.</p>\n",
            rows.concat(),
            self.core,
            self.about_costs()
        )
    }
}

/// A square of a colour, for a legend.
fn key(colour: &str) -> String {
    format!("<span class=\"key\" style=\"background:var({colour})\"></span>")
}

/// A layer's number and operator.
fn title(layer: &QuantisedLayer) -> String {
    let index = layer.index.map_or_else(String::new, |index| format!("{index} "));
    escape(&format!("{index}{}", layer.operator))
}

/// A bar with its layer before it and its value behind.
fn bar(layer: &QuantisedLayer, share: f64, value: &str, colour: &str) -> String {
    format!(
        "<div class=\"row\"><span class=\"name\">{}</span><span>{value}</span></div><svg viewBox=\"0 0 100 2\" preserveAspectRatio=\"none\" height=\"8\" role=\"img\" \
         aria-label=\"{value}\"><rect width=\"100\" height=\"2\" fill=\"var(--line)\"/><rect width=\"{:.2}\" height=\"2\" fill=\"{colour}\"/></svg>\n",
        title(layer),
        100.0 * share
    )
}

/// What is known of a layer's values, with their histogram.
fn card(layer: &QuantisedLayer) -> String {
    let integers = if layer.numbers == "float" {
        "stays with real numbers".into()
    } else {
        format!(
            "{}, scale {}, zero point {}; values take {} of the integers, {} of the elements are cut off",
            layer.numbers,
            number(layer.scale),
            layer.zero_point,
            percent(layer.range_used),
            percent(layer.saturated)
        )
    };
    format!(
        "<div class=\"card\"><h3>{}</h3><p class=\"soft name\">{}</p>{}<div class=\"row soft\"><span>{}</span><span>{}</span></div><p>{integers}</p></div>\n",
        title(layer),
        escape(&layer.tensor),
        histogram(layer),
        number(layer.least),
        number(layer.largest),
    )
}

/// The histogram, with marks where the range of the integers ends inside of it.
fn histogram(layer: &QuantisedLayer) -> String {
    let highest = layer.histogram.iter().copied().max().unwrap_or(0).max(1) as f64;
    let width = WIDTH / layer.histogram.len().max(1) as f64;
    let mut bars = String::new();
    for (index, &count) in layer.histogram.iter().enumerate().filter(|&(_, &count)| count > 0) {
        let height = (HEIGHT * (count as f64 / highest).sqrt()).max(1.0);
        let (x, y) = (index as f64 * width, HEIGHT - height);
        let _ = write!(bars, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>", width * 0.9);
    }
    let (least, extent) = (f64::from(layer.least), f64::from(layer.largest) - f64::from(layer.least));
    let mut marks = String::new();
    let codes = match layer.numbers {
        "int8" => Some((-128.0, 127.0)),
        "int16" => Some((-32768.0, 32767.0)),
        _ => None,
    };
    if let Some((low, high)) = codes.filter(|_| extent > 0.0) {
        for code in [low, high] {
            let value = (code - f64::from(layer.zero_point)) * f64::from(layer.scale);
            let x = (value - least) / extent * WIDTH;
            if (0.5..WIDTH - 0.5).contains(&x) {
                let _ = write!(marks, "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{HEIGHT}\"/>");
            }
        }
    }
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"histogram\"><g fill=\"var(--bar)\">{bars}</g><g stroke=\"var(--clip)\" \
         stroke-width=\"2\">{marks}</g></svg>"
    )
}

/// Text that is no markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
