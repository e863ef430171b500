//! The report as a table for people, and as JSON for programs.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::{QuantisationReport, QuantisedLayer, Trial, Variant};

impl QuantisationReport {
    /// The report as text: the forms of the model, the layers, what was tried, warnings. Tables are at most `width` characters wide where one is given.
    pub fn table(&self, width: Option<usize>) -> String {
        let mut text = format!("{}, calibrated with {} samples: {}\n", self.model, self.samples, self.way());
        let rows = self.variants.iter().map(Variant::cells).collect();
        text += &draw(&["form", "accuracy", "output SNR", "flash", "RAM", "MACs", "cycles"], rows, 1, width);
        let rows = self.layers.iter().map(QuantisedLayer::cells).collect();
        let header = ["#", "layer", "numbers", "range", "used", "beyond", "SNR", "error"];
        text += &draw(&header, rows, 3, width);
        text += "flash, RAM: bytes on a Cortex-M4; cycles: estimated for it by published timings, not measured on silicon. range: least and largest value; used: of the integers; beyond: elements that were cut off.\n";
        text += "SNR: of what the layer gives; error: the layer's share of the output's error.\n";
        text += "Tried, with the SNR of the outputs, before a softmax or sigmoid:";
        for trial in &self.trials {
            text += &format!(" {} {};", trial.way(), decibels(trial.snr));
        }
        text.pop();
        text.push('\n');
        for warning in &self.warnings {
            text += &format!("warning: {warning}\n");
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The report as JSON: its fields under their names here.
    pub fn json(&self) -> String {
        // Numbers and texts alone: nothing that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// How the net was quantised, in a few words.
    pub(super) fn way(&self) -> String {
        way(self.ranges.name(), self.equalised, self.biases_corrected)
    }
}

impl Trial {
    /// The trial in a few words.
    pub(super) fn way(&self) -> String {
        way(self.ranges.name(), self.equalised, self.biases_corrected)
    }
}

fn way(ranges: &str, equalised: bool, biases_corrected: bool) -> String {
    let mut way = ranges.to_owned();
    if equalised {
        way += " + equalised";
    }
    if biases_corrected {
        way += " + biases corrected";
    }
    way
}

impl Variant {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.into(),
            self.accuracy.map_or_else(|| "–".into(), percent),
            if self.name == "float" { "–".into() } else { decibels(self.output_snr) },
            self.flash_bytes.to_string(),
            self.ram_bytes.to_string(),
            self.macs.to_string(),
            cycles(self.cycles),
        ]
    }
}

impl QuantisedLayer {
    fn cells(&self) -> Vec<String> {
        let is_integer = self.numbers != "float";
        let of_integers = |value: f64| if is_integer { percent(value) } else { "–".into() };
        vec![
            self.index.map_or_else(String::new, |index| index.to_string()),
            self.operator.clone(),
            self.numbers.into(),
            format!("{} … {}", number(self.least), number(self.largest)),
            of_integers(self.range_used),
            of_integers(self.saturated),
            decibels(self.snr),
            percent(self.error_share),
        ]
    }
}

/// A table whose columns from `first_number` on are aligned to the right.
fn draw(header: &[&str], rows: Vec<Vec<String>>, first_number: usize, width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(header).add_rows(rows);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for column in table.column_iter_mut().skip(first_number) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string() + "\n"
}

/// A ratio in decibels; without noise there is none.
pub(super) fn decibels(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "exact".into(), |ratio| format!("{ratio:.1} dB"))
}

/// Estimated cycles; those of some layers are not known.
pub(super) fn cycles(cycles: Option<f64>) -> String {
    cycles.map_or_else(|| "–".into(), |cycles| format!("{cycles:.0}"))
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A value with about three digits.
pub(super) fn number(value: f32) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
