//! The report as a page: the layers as a graph, and beside each what it costs, what it computes and the arena while it runs.

use std::fmt::Write;

use super::table::{cost, group, milliseconds};
use super::{Layer, Memory, Report, ReportedTensor};
use crate::plan::portable_layers;

/// Sizes of the picture, in units of which a page has 380 across: narrow phones show it without scrolling.
const WIDTH: usize = 380;
const ROW: usize = 46;
/// Above the first row stand the titles of the columns.
const TOP: usize = 20;
const BOX_HEIGHT: usize = 32;
const BOX_LEFT: usize = 34;
const BOX_WIDTH: usize = 122;
const COST_LEFT: usize = 164;
const MACS_LEFT: usize = 238;
const MEMORY_LEFT: usize = 312;
const BAR_WIDTH: usize = 64;
/// Letters of an operator's name that fit into its box; longer names are drawn narrower.
const LETTERS: usize = 16;

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:12px auto;max-width:760px;padding:0 8px;color:#222;background:#fff}\
    svg{width:100%;height:auto;display:block}text{font:11px system-ui,sans-serif;fill:#222}.small{font-size:9.5px;fill:#555}\
    .box{fill:#eef3f8;stroke:#7a93ab}.edge{fill:none;stroke:#7a93ab}.cost{fill:#a8518a}.macs{fill:#3b78b5}.live{fill:#3b8f5a}.scratch{fill:#d9a441}\
    .padding{fill:#c9c9c9}.key{display:inline-block;width:.8em;height:.8em;margin-right:.3em}.item{white-space:nowrap;margin-right:.8em}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1d20}text{fill:#ddd}.small{fill:#aaa}.box{fill:#2a3138}}";

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Digits in groups that stay on one line.
fn unbroken(number: usize) -> String {
    group(number).replace(' ', "\u{a0}")
}

/// A square of a colour with what it stands for, for the legend.
fn key(colour: &str, what: &str) -> String {
    format!("<span class=\"item\"><span class=\"key\" style=\"background:{colour}\"></span>{what}</span> ")
}

/// The length of a bar of `value` where `largest` takes the whole width.
fn length(value: f64, largest: f64) -> f64 {
    BAR_WIDTH as f64 * value / largest.max(1.0)
}

impl Report {
    /// The report as a page that needs nothing else: the layers as a graph, and beside each its estimated cost, its multiply-accumulates and the arena
    /// while it runs.
    pub fn html(&self) -> String {
        let mut picture = String::new();
        self.edges.iter().for_each(|&(from, to)| edge(&mut picture, from, to));
        let most = self.layers.iter().map(|layer| layer.macs as f64).fold(0.0, f64::max);
        let dearest = self.layers.iter().filter_map(|layer| layer.cost).fold(0.0, f64::max);
        for (row, layer) in self.layers.iter().enumerate() {
            self.row(&mut picture, row, layer, most, dearest);
        }
        let unit = self.estimate.as_ref().map_or("cost unknown", |estimate| estimate.unit.name());
        let costs = if self.milliseconds.is_some() { "ms" } else { unit };
        let about: String = self.about_costs().iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
        let height = TOP + ROW * self.layers.len();
        let portable = self.layers.iter().filter_map(|layer| Some((layer.index, &*layer.operator, layer.portable?)));
        let name = escaped(&self.model);
        let notes: String =
            portable_layers(portable).iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
        let tensors = |what: &str, tensors: &[ReportedTensor]| -> String {
            let line =
                |tensor: &ReportedTensor| format!("{what} {} {:?}<br>\n", tensor.element.to_lowercase(), tensor.shape);
            tensors.iter().map(line).collect()
        };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{name}</title>\n\
             <style>{STYLE}</style>\n<h1>{name}</h1>\n<p>For the backend {} ({}): {} bytes of constants in flash, {} bytes of arena, {} bytes of state, \
             {} multiply-accumulates.</p>\n<p>{}{}</p>\n{about}<p>Beside each layer: {}{}\n\
             the arena in bytes, of which {}{}{}</p>\n\
             <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"layers\">\n\
             <text x=\"{BOX_LEFT}\" y=\"14\" class=\"small\">layer and its output</text>\
             <text x=\"{COST_LEFT}\" y=\"14\" class=\"small\">{costs}</text><text x=\"{MACS_LEFT}\" y=\"14\" class=\"small\">MACs</text><text x=\"{MEMORY_LEFT}\" y=\"14\" class=\"small\">arena</text>\n\
             {picture}</svg>\n{notes}</html>\n",
            self.backend.name(),
            self.backend.cores(),
            unbroken(self.constant_bytes),
            unbroken(self.arena_bytes),
            unbroken(self.state_bytes),
            unbroken(self.macs as usize),
            tensors("Input", &self.inputs),
            tensors("Output", &self.outputs),
            key("#a8518a", &format!("{costs};")),
            key("#3b78b5", "multiply-accumulates;"),
            key("#3b8f5a", "tensors"),
            key("#d9a441", "scratch"),
            key("#c9c9c9", "padding."),
        )
    }

    fn row(&self, picture: &mut String, row: usize, layer: &Layer, most: f64, dearest: f64) {
        let (top, operator) = (TOP + row * ROW, escaped(&layer.operator));
        let shape = layer.outputs.first().map(|output| format!("{:?}", output.shape)).unwrap_or_default();
        let (name, below, bar) = (top + 13, top + 26, top + 4);
        let Memory { live_bytes, scratch_bytes, padding_bytes, arena_bytes } = layer.memory;
        let (left, macs) = (BOX_LEFT + 4, layer.macs as usize);
        let narrower = if layer.operator.len() > LETTERS {
            format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", BOX_WIDTH - 8)
        } else {
            String::new()
        };
        let costs = self.time_of(layer).map_or_else(|| cost(layer.cost), milliseconds);
        let _ = writeln!(
            picture,
            "<g><title>{} {operator} {}</title><rect class=\"box\" x=\"{BOX_LEFT}\" y=\"{top}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"3\"/>\
             <text x=\"{left}\" y=\"{name}\"{narrower}>{operator}</text><text x=\"{left}\" y=\"{below}\" class=\"small\">{shape}</text>\
             <rect class=\"cost\" x=\"{COST_LEFT}\" y=\"{bar}\" width=\"{:.1}\" height=\"9\"/>\
             <text x=\"{COST_LEFT}\" y=\"{below}\" class=\"small\">{costs}</text>\
             <rect class=\"macs\" x=\"{MACS_LEFT}\" y=\"{bar}\" width=\"{:.1}\" height=\"9\"/>\
             <text x=\"{MACS_LEFT}\" y=\"{below}\" class=\"small\">{}</text>",
            layer.index,
            escaped(&layer.options),
            length(layer.cost.unwrap_or(0.0), dearest),
            length(macs as f64, most),
            group(macs)
        );
        let mut x = MEMORY_LEFT as f64;
        for (class, bytes) in [("live", live_bytes), ("scratch", scratch_bytes), ("padding", padding_bytes)] {
            let width = length(bytes as f64, self.arena_bytes as f64);
            let _ = writeln!(
                picture,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{bar}\" width=\"{width:.1}\" height=\"9\"/>"
            );
            x += width;
        }
        let _ = writeln!(
            picture,
            "<text x=\"{MEMORY_LEFT}\" y=\"{below}\" class=\"small\">{}</text></g>",
            group(arena_bytes)
        );
    }
}

/// A line from the box of one row to that of a later one; past the boxes between them it goes on the left.
fn edge(picture: &mut String, from: usize, to: usize) {
    let (start, end) = (TOP + from * ROW + BOX_HEIGHT, TOP + to * ROW);
    let path = if to == from + 1 {
        let x = BOX_LEFT + BOX_WIDTH / 2;
        format!("M{x} {start}V{end}")
    } else {
        let (start, end) = (start - BOX_HEIGHT / 2, end + BOX_HEIGHT / 2);
        let x = BOX_LEFT.saturating_sub(6 + 3 * (to - from)).max(2);
        format!("M{BOX_LEFT} {start}C{x} {start} {x} {end} {BOX_LEFT} {end}")
    };
    let _ = writeln!(picture, "<path class=\"edge\" d=\"{path}\"/>");
}
