//! The report as a page: the layers as a graph, and beside each what it computes and the arena while it runs.

use std::fmt::Write;

use super::table::group;
use super::{Layer, Memory, Report, ReportedTensor};
use crate::plan::portable_layers;

/// Sizes of the picture, in units of which a page has 380 across: narrow phones show it without scrolling.
const WIDTH: usize = 380;
const ROW: usize = 46;
/// Above the first row stand the titles of the columns.
const TOP: usize = 20;
const BOX_HEIGHT: usize = 32;
const BOX_LEFT: usize = 34;
const BOX_WIDTH: usize = 150;
const MACS_LEFT: usize = 194;
const MEMORY_LEFT: usize = 288;
const BAR_WIDTH: usize = 88;

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:12px auto;max-width:760px;padding:0 8px;color:#222;background:#fff}\
    svg{width:100%;height:auto;display:block}text{font:11px system-ui,sans-serif;fill:#222}.small{font-size:9.5px;fill:#555}\
    .box{fill:#eef3f8;stroke:#7a93ab}.edge{fill:none;stroke:#7a93ab}.macs{fill:#3b78b5}.live{fill:#3b8f5a}.scratch{fill:#d9a441}\
    .padding{fill:#c9c9c9}.key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .8em}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1d20}text{fill:#ddd}.small{fill:#aaa}.box{fill:#2a3138}}";

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The length of a bar of `value` where `largest` takes the whole width.
fn length(value: usize, largest: usize) -> f64 {
    BAR_WIDTH as f64 * value as f64 / largest.max(1) as f64
}

impl Report {
    /// The report as a page that needs nothing else: the layers as a graph, and beside each its multiply-accumulates and the arena while it runs.
    pub fn html(&self) -> String {
        let mut picture = String::new();
        self.edges.iter().for_each(|&(from, to)| edge(&mut picture, from, to));
        let most = self.layers.iter().map(|layer| layer.macs as usize).max().unwrap_or(0);
        for (row, layer) in self.layers.iter().enumerate() {
            self.row(&mut picture, row, layer, most);
        }
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
             {} multiply-accumulates.</p>\n<p>{}{}</p>\n<p>Beside each layer:<span class=\"key\" style=\"background:#3b78b5\"></span>multiply-accumulates; the \
             arena in bytes, of which<span class=\"key\" style=\"background:#3b8f5a\"></span>tensors\
             <span class=\"key\" style=\"background:#d9a441\"></span>scratch<span class=\"key\" style=\"background:#c9c9c9\"></span>padding.</p>\n\
             <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"layers\">\n\
             <text x=\"{BOX_LEFT}\" y=\"14\" class=\"small\">layer and its output</text>\
             <text x=\"{MACS_LEFT}\" y=\"14\" class=\"small\">MACs</text><text x=\"{MEMORY_LEFT}\" y=\"14\" class=\"small\">arena</text>\n\
             {picture}</svg>\n{notes}</html>\n",
            self.backend.name(),
            self.backend.cores(),
            group(self.constant_bytes),
            group(self.arena_bytes),
            group(self.state_bytes),
            group(self.macs as usize),
            tensors("Input", &self.inputs),
            tensors("Output", &self.outputs),
        )
    }

    fn row(&self, picture: &mut String, row: usize, layer: &Layer, most: usize) {
        let (top, operator) = (TOP + row * ROW, escaped(&layer.operator));
        let shape = layer.outputs.first().map(|output| format!("{:?}", output.shape)).unwrap_or_default();
        let (name, below, bar) = (top + 13, top + 26, top + 4);
        let Memory { live_bytes, scratch_bytes, padding_bytes, arena_bytes } = layer.memory;
        let (left, macs) = (BOX_LEFT + 4, layer.macs as usize);
        let _ = writeln!(
            picture,
            "<g><title>{} {operator} {}</title><rect class=\"box\" x=\"{BOX_LEFT}\" y=\"{top}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"3\"/>\
             <text x=\"{left}\" y=\"{name}\">{operator}</text><text x=\"{left}\" y=\"{below}\" class=\"small\">{shape}</text>\
             <rect class=\"macs\" x=\"{MACS_LEFT}\" y=\"{bar}\" width=\"{:.1}\" height=\"9\"/>\
             <text x=\"{MACS_LEFT}\" y=\"{below}\" class=\"small\">{}</text>",
            layer.index,
            escaped(&layer.options),
            length(macs, most),
            group(macs)
        );
        let mut x = MEMORY_LEFT as f64;
        for (class, bytes) in [("live", live_bytes), ("scratch", scratch_bytes), ("padding", padding_bytes)] {
            let width = length(bytes, self.arena_bytes);
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
