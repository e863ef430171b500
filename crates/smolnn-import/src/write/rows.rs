//! What is written of rows: calls by rows, the input that comes row by row, the output that is given row by row.

use std::fmt::Write;
use std::ops::Range;

use super::{call_text, io_names, rust_type};
use crate::lower::Source;
use crate::plan::{ByRows, Every, ImageRows, InputRows, Moves, OutputRows, Program, RowRun};

/// What the functions of a module that gives its output row by row have more than those of others; all empty where it does not.
#[derive(Default)]
pub(super) struct Giving {
    /// What a comment says.
    pub about: &'static str,
    /// The caller's closure as a parameter that is called.
    pub parameter: &'static str,
    /// The same as one that is handed on.
    pub own: &'static str,
    /// The closure as a parameter of the functions within.
    pub taken: &'static str,
    /// It as an argument, behind others and alone.
    pub lent: &'static str,
    pub passed: &'static str,
}

/// What the functions of a module that reads its inputs where the caller has them have more than those of others; the text is empty where it does not.
pub(super) struct Lending {
    /// What a model runs on, for a comment.
    pub about: &'static str,
    /// The inputs as parameters of methods.
    pub parameters: String,
    /// The statement that makes one value of them.
    pub value: String,
    /// The value as an argument of the functions within.
    pub argument: &'static str,
}

impl Program {
    /// The type of the inputs that the caller lends, as the functions within take them: a reference, or several of them.
    pub(super) fn lent_type(&self) -> Option<String> {
        let count = self.net.inputs.len();
        let kinds: Vec<String> = (0..count).map(|index| format!("&{}", io_names("Input", index, count).1)).collect();
        self.is_lent.then(|| if count == 1 { kinds.concat() } else { format!("({})", kinds.join(", ")) })
    }

    pub(super) fn lending(&self) -> Lending {
        if !self.is_lent {
            let about = "the inputs that were written before";
            return Lending { about, parameters: String::new(), value: String::new(), argument: "" };
        }
        let count = self.net.inputs.len();
        let names: Vec<_> = (0..count).map(|index| io_names("Input", index, count)).collect();
        let parameters = names.iter().map(|(name, kind)| format!(", {name}: &{kind}")).collect();
        let values = names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let value = if count == 1 { values } else { format!("({values})") };
        let value = format!("let lent = {value};\n        ");
        Lending { about: "inputs that are read where they lie", parameters, value, argument: ", lent" }
    }

    /// Whether the stage at this position makes the output that is given row by row.
    pub(super) fn gives(&self, stage: usize) -> bool {
        self.output_rows.as_ref().is_some_and(|rows| rows.stage == stage)
    }

    pub(super) fn giving(&self) -> Giving {
        if self.output_rows.is_none() {
            return Giving::default();
        }
        Giving {
            about: ", and gives the rows of the output with their numbers, each as soon as it is made",
            parameter: ", mut give: impl FnMut(usize, &OutputRow)",
            own: ", give: impl FnMut(usize, &OutputRow)",
            taken: ", give: &mut dyn FnMut(usize, &OutputRow)",
            lent: ", &mut give",
            passed: "give",
        }
    }

    /// The function that gives the rows of the output that a turn made.
    pub(super) fn give_text(&self, OutputRows { image, turns, .. }: &OutputRows) -> String {
        let ImageRows { height, row, rate, lead, capacity, ref words } = *image;
        let element = self.net.outputs.first().map_or("u8", |&output| rust_type(&self.net.tensors[output]));
        let count = count_text(turns);
        let condition = turns_text(turns);
        let length = capacity * row;
        format!(
            "/// Gives the rows of the output that a turn made, each with its number.\nfn give_rows(arena: &mut [u32; {}], turn: usize, give: &mut dyn FnMut(usize, \
             &OutputRow)) -> Result<(), ShapeError> {{\n    if {condition} {{\n        let [output] = regions(arena, [{words:?}])?;\n        \
             // Behind the last of the new rows, as if the image had any number of them.\n        let end = {rate} * ({count}) + {lead};\n        \
             let first = end.saturating_sub({rate});\n        let rows = end.min({height}).saturating_sub(first);\n        \
             let output: &mut [{element}] = part(view(output, {length})?, (first + {capacity} - end) * {row}, rows * {row})?;\n        \
             for (index, row) in output.as_chunks::<{row}>().0.iter().enumerate() {{\n            give(first + index, row);\n        }}\n    }}\n    \
             Ok(())\n}}\n\n",
            self.arena_words
        )
    }

    /// The types of an output that is given row by row.
    pub(super) fn output_row_items(&self, text: &mut String, OutputRows { image, .. }: &OutputRows) {
        let element = self.net.outputs.first().map_or("u8", |&output| rust_type(&self.net.tensors[output]));
        let _ = writeln!(text, "/// Rows of the output.");
        let _ = writeln!(text, "pub const OUTPUT_ROWS: usize = {};", image.height);
        let _ = writeln!(text, "/// A row of the output: its columns, each with its channels.");
        let _ = writeln!(text, "pub type OutputRow = [{element}; {}];", image.row);
    }

    /// The types of an input that comes row by row.
    pub(super) fn row_items(&self, text: &mut String, InputRows { image: rows, .. }: &InputRows) {
        let element = self.net.inputs.first().map_or("u8", |&input| rust_type(&self.net.tensors[input]));
        let _ = writeln!(text, "/// Rows of the input.");
        let _ = writeln!(text, "pub const ROWS: usize = {};", rows.height);
        let _ = writeln!(text, "/// A row of the input: its columns, each with its channels.");
        let _ = writeln!(text, "pub type Row = [{element}; {}];", rows.row);
    }

    /// The methods that take a row; what the last one gives, as a type and as an expression.
    pub(super) fn push_items(&self, text: &mut String, result: &str, values: &str) {
        let Giving { about, parameter, taken, lent, .. } = self.giving();
        let push = if self.output_rows.is_some() {
            format!(
                "    /// Takes the next row of the image{about}. Says whether it was the last one: the row after that is the first one of the next image.\n    \
                 pub fn push_row(&mut self, row: &Row{parameter}) -> bool {{\n        self.push(row{lent})\n    }}\n\n"
            )
        } else {
            let values = values.trim_start();
            format!(
                "    /// Takes the next row of the image. With the last row it gives the output, and the row after that is the first one of the next image.\n    \
                 #[allow(clippy::unused_unit)]\n    pub fn push_row(&mut self, row: &Row) -> Option<{result}> {{\n        self.push(row).then(|| {values})\n    }}\n\n"
            )
        };
        let give = if taken.is_empty() { "" } else { ", give" };
        let _ = writeln!(
            text,
            "{push}    /// Takes the next row, and says whether it is the last one.\n    fn push(&mut self, values: &Row{taken}) -> bool {{\n        let row = self.row;\n        \
             let (arena, state) = self.memory.both();\n        if let Err(error) = push_row(arena, state, row, values{give}) {{\n            refused(error)\n        }}\n        \
             self.row = if row + 1 < ROWS {{ row + 1 }} else {{ 0 }};\n        self.row == 0\n    }}\n"
        );
    }

    /// The function that takes a row of the input; `calls` are the stages.
    pub(super) fn push_text(&self, rows: &InputRows, calls: &[String]) -> String {
        let InputRows { image, moves } = rows;
        let ImageRows { height, row, rate, lead, capacity, ref words } = *image;
        let element = self.net.inputs.first().map_or("u8", |&input| rust_type(&self.net.tensors[input]));
        let (arena, state) = (self.arena_words, self.state_words);
        // Rows before the first one that would fill turn 0.
        let missing = rate - lead;
        let (length, room) = (capacity * row, capacity - lead);
        // The condition under which a row is the first one of a turn, or the last one.
        let at = |before: usize| match rate {
            1 => "true".to_string(),
            _ => format!("(row + {before}) % {rate} == 0"),
        };
        let borrow = format!("let [input] = regions(arena, [{words:?}])?;");
        // Turns behind the last row make room too, where no row comes any more.
        let (advance, moved, moved_on) = match moves {
            None => Default::default(),
            Some(moves) => {
                let advance = format!(
                    "/// Makes room in the input's buffer for the rows of a turn.\nfn advance_input(arena: &mut [u32; {arena}], turn: usize) -> Result<(), ShapeError> \
                     {{\n{}    Ok(())\n}}\n\n",
                    moves_text(moves)
                );
                let moved = format!(
                    "    // The first row of a turn.\n    if {} {{\n        advance_input(arena, turn)?;\n    }}\n",
                    at(missing)
                );
                (advance, moved, "        if next > turn {\n            advance_input(arena, next)?;\n        }\n")
            }
        };
        let is_band = self.stages.first().is_some_and(|stage| self.is_band(&stage.steps)) && rate < height;
        let turns = self.stages.first().map_or(1, |stage| stage.turns);
        let (first, rest) = calls.split_at(calls.len().min(1));
        let given = |turn: &str| {
            if self.gives(0) { format!("        give_rows(arena, {turn}, give)?;\n") } else { String::new() }
        };
        let first = if is_band {
            let given = given("next");
            format!("    for next in turn..{turns} {{\n{moved_on}        step_0(arena, state, next)?;\n{given}    }}\n")
        } else {
            first.concat()
        };
        let last = (first + &rest.concat()).replace("\n    ", "\n        ").trim_end().to_string();
        let others = if is_band {
            format!(" else if {} {{\n        step_0(arena, state, turn)?;\n{}    }}", at(missing + 1), given("turn"))
        } else {
            String::new()
        };
        let Giving { taken, .. } = self.giving();
        format!(
            "{advance}/// Puts a row of the input into its buffer, and runs what has all of its rows then. The regions are proven when this is compiled, and the layers are checked \
             then as well.\nfn push_row(arena: &mut [u32; {arena}], state: &mut [u32; {state}], row: usize, values: &Row{taken}) -> Result<(), ShapeError> {{\n    \
             const {{ prove_apart(ARENA_BYTES / 4, &[{words:?}]) }};\n    let turn = (row + {missing}) / {rate};\n{moved}    {borrow}\n    let input: &mut [{element}] = \
             part(view(input, {length})?, (row + {room} - {rate} * turn) * {row}, {row})?;\n    assign(input, values)?;\n    if row + 1 == ROWS {{\n    {last}\n    \
             }}{others}\n    Ok(())\n}}\n\n"
        )
    }
}

/// The statements of a call by rows: each of its runs in its turns.
pub(super) fn by_rows_text(by_rows: &ByRows, source: &mut Source, inputs: usize) -> String {
    let mut text = by_rows.before.iter().map(moves_text).collect::<String>();
    for (index, RowRun { turns, call, io }) in by_rows.runs.iter().enumerate() {
        let mut body = call_text(io, call, source, ("        ", inputs));
        let Every { range: Range { start, .. }, period } = *turns;
        if body.contains("* turn") && (start, period) != (0, 1) {
            body = format!("        let turn = {};\n{body}", count_text(turns));
        }
        text += if index == 0 { "    if " } else { " else if " };
        text += &format!("{} {{\n{body}    }}", turns_text(turns));
    }
    text.push('\n');
    by_rows.after.iter().fold(text, |text, moves| text + &moves_text(moves))
}

/// How many of these turns came before one of them.
fn count_text(Every { range, period }: &Every) -> String {
    match (range.start, period) {
        (0, 1) => "turn".into(),
        (0, _) => format!("turn / {period}"),
        (start, 1) => format!("turn - {start}"),
        (start, _) => format!("(turn - {start}) / {period}"),
    }
}

/// The statements of rows that move.
pub(super) fn moves_text(Moves { turns, from, to }: &Moves) -> String {
    format!("    if {} {{\n        relocate(arena, {from:?}, {to})?;\n    }}\n", turns_text(turns))
}

/// The condition under which a turn is one of these.
fn turns_text(Every { range, period }: &Every) -> String {
    let within = match (range.start, range.len()) {
        (start, 1) => return format!("turn == {start}"),
        (0, end) => format!("turn < {end}"),
        (start, _) => format!("({start}..{}).contains(&turn)", range.end),
    };
    match period {
        1 => within,
        period => format!("turn % {period} == {} && {within}", range.start % period),
    }
}
