//! The report as a table for people, and as JSON for programs.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::{QuantisationReport, QuantisedLayer, Trial, Variant};
use crate::fold::fold;

impl QuantisationReport {
    /// What the costs of the variants are.
    pub(super) fn about_costs(&self) -> String {
        match self.unit {
            "cycles" => "cycles: estimated for it by published timings, not measured on silicon".into(),
            unit => format!("{unit}: estimated for it, and no cycles, since its timings are not published"),
        }
    }

    /// The report as text: the forms of the model, the layers, what was tried, warnings, advice. Lines are at most `width` characters long where one is
    /// given: columns are left out, and said to be, until the tables fit.
    pub fn table(&self, width: Option<usize>) -> String {
        let mut text = String::new();
        fold(&mut text, &format!("{}, calibrated with {} samples: {}", self.model, self.samples, self.way()), width);
        let mut left_out = Vec::new();
        let rows: Vec<Vec<String>> = self.variants.iter().map(Variant::cells).collect();
        let header = ["form", "accuracy", "output SNR", "flash", "RAM", "MACs", self.unit];
        text += &draw(&header, &rows, 1, width, &["MACs", self.unit], &mut left_out);
        let rows: Vec<Vec<String>> = self.layers.iter().map(QuantisedLayer::cells).collect();
        let header = ["#", "layer", "numbers", "range", "used", "beyond", "SNR", "error"];
        text += &draw(&header, &rows, 3, width, &["used", "beyond", "range", "numbers"], &mut left_out);
        let mut say = |line: &str| fold(&mut text, line, width);
        say(&format!(
            "accuracy: of the labelled samples; flash, RAM: bytes on a {}; {}.",
            self.core,
            self.about_costs()
        ));
        say(
            "Of the calibration data: range: least and largest value; used: the part of the integers that lies between them; beyond: elements that are cut off; SNR: of what the layer gives; error: the layer's share of the output's error.",
        );
        if !left_out.is_empty() {
            say(&format!("The terminal is too narrow for: {} (--width 0 shows them).", left_out.join(", ")));
        }
        let tried = self.trials.iter().map(|trial| format!(" {} {}", trial.way(), decibels(trial.snr)));
        say(&format!(
            "Tried on a part of the samples, with the SNR of the outputs, before a softmax or sigmoid:{}",
            tried.collect::<Vec<_>>().join(";")
        ));
        self.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
        self.advice.iter().for_each(|advice| say(&format!("advice: {advice}")));
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

/// A table whose columns from `first_number` on are aligned to the right. Where it is wider than `width`, columns go in this order, and are listed.
fn draw<'a>(
    header: &[&'a str],
    rows: &[Vec<String>],
    first_number: usize,
    width: Option<usize>,
    first_to_go: &[&'a str],
    left_out: &mut Vec<&'a str>,
) -> String {
    let mut shown: Vec<usize> = (0..header.len()).collect();
    let mut first_to_go = first_to_go.iter();
    loop {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header(shown.iter().map(|&column| header[column]));
        for row in rows {
            table.add_row(shown.iter().map(|&column| &row[column]));
        }
        for (place, _) in shown.iter().enumerate().filter(|(_, column)| **column >= first_number) {
            if let Some(drawn) = table.column_mut(place) {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        let natural = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let Some(width) = width.filter(|&width| natural > width) else { return table.to_string() + "\n" };
        let Some(goes) = first_to_go.next() else {
            let narrow = u16::try_from(width).unwrap_or(u16::MAX);
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(narrow);
            return table.to_string() + "\n";
        };
        shown.retain(|&column| header[column] != *goes);
        left_out.push(goes);
    }
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
