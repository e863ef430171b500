//! The report as a table that fits the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::fold::fold;
use crate::net::RemovedChannels;
use crate::plan::{Unit, portable_layers};

use super::{Layer, Memory, Overlap, Report, ReportedTensor};

/// The columns: title, and whether its cells are numbers.
const COLUMNS: [(&str, bool); 15] = [
    ("#", true),
    ("operator", false),
    ("options", false),
    ("input", false),
    ("output", false),
    ("scale, zero point", false),
    ("MACs", true),
    ("cycles", true),
    ("ms", true),
    ("flash", true),
    ("live", true),
    ("scratch", true),
    ("padding", true),
    ("arena", true),
    ("in place", false),
];

/// The columns of costs. The first is titled by its unit, the second is there where a clock is given.
const COST: usize = 7;
const MILLISECONDS: usize = 8;

/// The columns that a narrow terminal does without, the first ones first.
const LEFT_OUT_FIRST: [usize; 7] = [14, 5, 3, 2, 12, 11, 10];

type Cells = [String; COLUMNS.len()];

impl Report {
    /// The report as text: inputs and outputs, a table of the layers, totals. Lines are at most `width` characters long where one is given: columns
    /// are left out, and said to be, until the table fits.
    pub fn table(&self, width: Option<usize>) -> String {
        let rows = self.rows();
        let is_known = |&column: &usize| match column {
            COST => self.estimate.is_some(),
            MILLISECONDS => self.milliseconds.is_some(),
            _ => true,
        };
        let all: Vec<usize> = (0..COLUMNS.len()).filter(is_known).collect();
        let mut shown = all.clone();
        let mut dropped = LEFT_OUT_FIRST.into_iter();
        let table = loop {
            let mut table = draw(&rows, &shown, self.estimate.as_ref().map_or(Unit::Cycles, |estimate| estimate.unit));
            let natural = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            let Some(width) = width.filter(|&width| natural > width) else { break table };
            match dropped.next() {
                Some(column) => shown.retain(|&other| other != column),
                None => {
                    let narrow = u16::try_from(width).unwrap_or(u16::MAX);
                    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(narrow);
                    break table;
                }
            }
        };
        let left_out: Vec<&str> =
            all.iter().filter(|column| !shown.contains(column)).map(|&column| COLUMNS[column].0).collect();
        let mut text = String::new();
        let mut say = |line: &str| fold(&mut text, line, width);
        say(&format!("{} for the backend {} ({})", self.model, self.backend.name(), self.backend.cores()));
        for (what, tensors) in [("input ", &self.inputs), ("output", &self.outputs)] {
            for tensor in tensors {
                let (name, quantisation) = (tensor.name.escape_debug(), tensor.quantisation());
                say(&format!("{what} {}{:?} \"{name}\", {quantisation}", tensor.element.to_lowercase(), tensor.shape));
            }
        }
        table.lines().for_each(|line| {
            text.push_str(&line);
            text.push('\n');
        });
        let mut say = |line: &str| fold(&mut text, line, width);
        let RemovedChannels { channels, of, bytes } = self.removed;
        if channels > 0 {
            let (channels, of, bytes) = (group(channels), group(of), group(bytes));
            say(&format!(
                "{channels} of {of} channels cannot change or nothing needs them: they and {bytes} bytes were taken out, the outputs are the same"
            ));
        }
        let state =
            if self.state_bytes == 0 { String::new() } else { format!(", {} bytes of state", group(self.state_bytes)) };
        say(&format!(
            "{} bytes of constants in flash, {} bytes of arena{state}, {} MACs",
            group(self.constant_bytes),
            group(self.arena_bytes),
            group(self.macs as usize)
        ));
        self.split.iter().for_each(|sentence| say(sentence));
        self.about_costs().iter().for_each(|sentence| say(sentence));
        say(
            "In bytes: live (tensors that are needed) + scratch + padding = arena; the column's largest is what the model reserves.",
        );
        if !left_out.is_empty() {
            let list = left_out.join(", ");
            say(&format!("The terminal is too narrow for: {list} (--width 0 shows them)."));
        }
        let portable = self.layers.iter().filter_map(|layer| Some((layer.index, &*layer.operator, layer.portable?)));
        portable_layers(portable).iter().for_each(|line| say(line));
        text.truncate(text.trim_end().len());
        text
    }

    fn rows(&self) -> Vec<Cells> {
        let end = |operator: &str, memory: &Memory| {
            let [live, scratch, padding, arena] = memory.cells();
            let mut cells = Cells::default();
            (cells[1], cells[10], cells[11], cells[12], cells[13]) = (operator.into(), live, scratch, padding, arena);
            cells
        };
        let mut total = Cells::default();
        (total[1], total[6], total[9], total[13]) =
            ("total".into(), group(self.macs as usize), group(self.constant_bytes), group(self.arena_bytes));
        total[COST] = cost(self.estimate.as_ref().map(|estimate| estimate.total));
        total[MILLISECONDS] = self.milliseconds.map(milliseconds).unwrap_or_default();
        let mut rows = vec![end("(inputs)", &self.memory_before)];
        rows.extend(self.layers.iter().map(|layer| layer.cells(self.time_of(layer))));
        rows.extend([end("(outputs)", &self.memory_after), total]);
        rows
    }

    /// The milliseconds of a layer, where they are known.
    pub(super) fn time_of(&self, layer: &Layer) -> Option<f64> {
        self.estimate.as_ref()?.milliseconds(layer.cost?, self.clock?)
    }
}

impl Layer {
    fn cells(&self, time: Option<f64>) -> Cells {
        let shapes = |tensors: &[ReportedTensor]| {
            tensors.iter().map(|tensor| format!("{:?}", tensor.shape)).collect::<Vec<_>>().join(" ")
        };
        let [live, scratch, padding, arena] = self.memory.cells();
        [
            self.index.to_string(),
            self.operator.clone(),
            self.options.clone(),
            shapes(&self.inputs),
            shapes(&self.outputs),
            self.outputs.first().map(ReportedTensor::quantisation).unwrap_or_default(),
            group(self.macs as usize),
            cost(self.cost),
            time.map_or_else(|| "–".into(), milliseconds),
            group(self.constant_bytes),
            live,
            scratch,
            padding,
            arena,
            match self.overlap {
                Overlap::None => "",
                Overlap::Partial => "overlaps",
                Overlap::InPlace => "yes",
            }
            .into(),
        ]
    }
}

impl Memory {
    fn cells(&self) -> [String; 4] {
        [self.live_bytes, self.scratch_bytes, self.padding_bytes, self.arena_bytes].map(group)
    }
}

impl ReportedTensor {
    fn quantisation(&self) -> String {
        match (&self.scales[..], &self.zero_points[..]) {
            ([], _) => "none".into(),
            (&[scale], &[zero_point]) => format!("{}, {zero_point}", four_digits(scale)),
            (scales, _) => format!("{} scales", scales.len()),
        }
    }
}

/// The table of some of the columns, as wide as its cells.
fn draw(rows: &[Cells], shown: &[usize], unit: Unit) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(shown.iter().map(|&column| if column == COST { unit.name() } else { COLUMNS[column].0 }));
    for row in rows {
        table.add_row(shown.iter().map(|&column| &row[column]));
    }
    for (place, &column) in shown.iter().enumerate() {
        if let (true, Some(drawn)) = (COLUMNS[column].1, table.column_mut(place)) {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A number with four significant digits: `0.02448`, `16.00`, `3.052e-5`.
fn four_digits(number: f32) -> String {
    if !(1e-4..1e4).contains(&number) {
        return format!("{number:.3e}");
    }
    let decimals = (3 - number.log10().floor() as i32).max(0) as usize;
    format!("{number:.decimals$}")
}

/// A cost in whole cycles or instructions.
pub(super) fn cost(cost: Option<f64>) -> String {
    cost.map_or_else(|| "–".into(), |cost| group(cost.round() as usize))
}

/// Milliseconds with three significant digits: `0.0123`, `1.23`, `123`.
pub(super) fn milliseconds(time: f64) -> String {
    let decimals = if time > 0.0 { (2 - time.log10().floor() as i32).clamp(0, 6) as usize } else { 0 };
    format!("{time:.decimals$}")
}

/// Digits in groups of three.
pub(super) fn group(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
