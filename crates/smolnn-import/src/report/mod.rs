//! The table that `smolnn inspect` prints.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Row, Table};

use crate::net::TensorId;
use crate::plan::{Program, Step};

impl Program {
    /// A table of the steps: operator, shapes, quantisation, multiply-accumulates, bytes of constants and of live memory; and totals.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_header([
            "#",
            "operator",
            "options",
            "input",
            "output",
            "scale, zero point",
            "MACs",
            "flash",
            "live RAM",
            "in place",
        ]);
        for step in &self.steps {
            table.add_row(self.row(step));
        }
        let mut totals = Row::new();
        let total_flash = group(self.constant_bytes() as u64);
        for text in ["", "total", "", "", "", "", &group(self.macs()), &total_flash, &group(self.arena_bytes() as u64)]
        {
            totals.add_cell(Cell::new(text));
        }
        totals.add_cell(Cell::new("arena"));
        table.add_row(totals);
        for index in [0, 6, 7, 8] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let list = |ids: &[TensorId], what: &str| {
            ids.iter()
                .map(|&id| {
                    format!(
                        "{what} {} \"{}\", {}\n",
                        self.tensor_text(id),
                        self.net.tensors[id].name.escape_debug(),
                        self.quantisation(id)
                    )
                })
                .collect::<String>()
        };
        let inputs = list(&self.net.inputs, "input ") + &list(&self.net.outputs, "output");
        let state = if self.state_words == 0 {
            String::new()
        } else {
            format!(", {} bytes of state", group(self.state_bytes() as u64))
        };
        format!(
            "{} for the backend {}\n{inputs}{table}\n{} bytes of constants in flash, {} bytes of arena{state}, {} MACs",
            self.name,
            self.backend.name(),
            group(self.constant_bytes() as u64),
            group(self.arena_bytes() as u64),
            group(self.macs())
        )
    }

    fn row(&self, step: &Step) -> Row {
        let shapes = |ids: &[TensorId]| {
            ids.iter().map(|&id| format!("{:?}", self.net.tensors[id].shape)).collect::<Vec<_>>().join(" ")
        };
        let node = &self.net.nodes[step.node];
        let in_place = match (step.io.shared, step.call.gaps.first()) {
            (true, Some(Some(0))) => "yes",
            (true, _) => "overlaps",
            (false, _) => "",
        };
        let mut row = Row::new();
        for text in [
            node.index.to_string(),
            node.name.clone(),
            step.call.label.clone(),
            shapes(&step.call.inputs),
            shapes(&step.call.outputs),
            step.call.outputs.first().map(|&id| self.quantisation(id)).unwrap_or_default(),
            group(step.call.macs),
            group(step.constant_bytes() as u64),
            group(step.live_bytes as u64),
            in_place.into(),
        ] {
            row.add_cell(Cell::new(text));
        }
        row
    }

    fn quantisation(&self, id: TensorId) -> String {
        match &self.net.tensors[id].quantisation {
            Some(quantisation) if quantisation.scales.len() == 1 => {
                format!("{}, {}", four_digits(quantisation.scales[0]), quantisation.zero_points[0])
            }
            Some(quantisation) => format!("{} scales", quantisation.scales.len()),
            None => "none".into(),
        }
    }
}

/// A number with four significant digits: `0.02448`, `16.00`, `3.052e-5`.
fn four_digits(number: f32) -> String {
    if !(1e-4..1e4).contains(&number) {
        return format!("{number:.3e}");
    }
    let decimals = (3 - number.log10().floor() as i32).max(0) as usize;
    format!("{number:.decimals$}")
}

/// Digits in groups of three.
fn group(number: u64) -> String {
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
