//! The plan for people: which steps run together, and what lies where in the arena at which time, as text and as a picture.

use std::fmt::Write;

use super::table::group;
use crate::plan::{Program, Purpose, Split};

/// Pixels of the picture.
const WIDTH: usize = 1100;
const HEIGHT: usize = 420;
/// Pixels around a picture for titles and axes.
const MARGIN: usize = 50;

impl Program {
    /// The plan as text: the stages in their order, then what lies in the arena: its bytes, and the steps that it is there for.
    pub fn schedule(&self) -> String {
        let mut text = format!("{}: {} bytes of arena\n", self.name, group(self.arena_bytes()));
        text.extend(self.split_text().into_iter().map(|line| line + "\n"));
        text.push('\n');
        for stage in &self.stages {
            for position in stage.steps.clone() {
                let step = &self.steps[position];
                let node = &self.net.nodes[step.node];
                let turns = match stage.turns {
                    1 => String::new(),
                    turns if position == stage.steps.start => format!("{turns} turns"),
                    _ => "  |".into(),
                };
                let columns = self.split.as_ref().and_then(|split| split.columns.get(&step.node));
                let columns = columns.map_or_else(String::new, |(part, columns)| {
                    format!("  part {}, columns {} to {}", part + 1, columns.start, columns.end - 1)
                });
                let label = &step.call.label;
                let _ = writeln!(text, "{position:>4}  {turns:<10} {} {} {label}{columns}", node.index, node.name);
            }
        }
        let _ = writeln!(text, "\n{:>9} {:>9}  {:<13} what", "from", "to", "steps");
        let mut blocks: Vec<_> = self.blocks.iter().collect();
        blocks.sort_by_key(|block| (block.moments.start, block.bytes.start));
        for block in blocks {
            let (start, end) = (group(block.bytes.start), group(block.bytes.end));
            let moments = self.moments_text(block.moments.start, block.moments.end - 1);
            let _ = writeln!(text, "{start:>9} {end:>9}  {moments:<13} {}", self.purpose_text(block.purpose));
        }
        text
    }

    /// What is split along the width, and what that costs, in a sentence; `None` where nothing is.
    pub(crate) fn split_text(&self) -> Option<String> {
        let Split { parts, width, layers, macs: [twice, whole], .. } = self.split.as_ref()?;
        let (first, last) = (layers.first()?, layers.last()?);
        Some(format!(
            "Layers {first} to {last} run in {parts} parts along the width, of {width} columns at their end. Columns computed twice: {} MACs, {:.1} % of the \
             network's.",
            group(usize::try_from(*twice).unwrap_or(usize::MAX)),
            100.0 * *twice as f64 / (*whole).max(1) as f64
        ))
    }

    /// The steps between two moments, both of them included.
    fn moments_text(&self, first: usize, last: usize) -> String {
        let moment = |moment: usize| match moment {
            0 => "input".into(),
            moment if moment > self.steps.len() => "output".into(),
            moment => (moment - 1).to_string(),
        };
        if first == last { moment(first) } else { format!("{}..{}", moment(first), moment(last)) }
    }

    fn purpose_text(&self, purpose: Purpose) -> String {
        match purpose {
            Purpose::Tensor(id) => self.tensor_text(id),
            Purpose::Rows(id, rows) => format!("{rows} rows of {}", self.tensor_text(id)),
            Purpose::Scratch(step) => format!("scratch memory of step {step}"),
        }
    }

    /// The plan as a picture: time to the right, a column per step; bytes of the arena upward; a box for everything that lies there. Several plans stand below
    /// each other, on one scale.
    pub fn schedule_svg(plans: &[(&str, &Self)]) -> String {
        let most = plans.iter().map(|(_, plan)| plan.arena_bytes()).max().unwrap_or(0).max(1);
        let height = plans.len() * (HEIGHT + 2 * MARGIN);
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" \
             height=\"100%\" fill=\"white\"/>\n",
            WIDTH + 2 * MARGIN
        );
        for (index, (title, plan)) in plans.iter().enumerate() {
            let top = index * (HEIGHT + 2 * MARGIN) + MARGIN;
            let columns = plan.steps.len() + 2;
            let x = |moment: usize| MARGIN as f64 + (moment * WIDTH) as f64 / columns as f64;
            let y = |byte: usize| top as f64 + HEIGHT as f64 * (1.0 - byte as f64 / most as f64);
            let _ = writeln!(
                text,
                "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"16\">{}: {title}, {} bytes of arena{}</text>",
                top - 14,
                plan.name,
                group(plan.arena_bytes()),
                plan.split
                    .as_ref()
                    .map_or_else(String::new, |split| format!(", {} parts along the width", split.parts))
            );
            for block in &plan.blocks {
                let colour = match block.purpose {
                    Purpose::Tensor(_) => "#7aa6d8",
                    Purpose::Rows(..) => "#e8a33d",
                    Purpose::Scratch(_) => "#b9b9b9",
                };
                let (left, right) = (x(block.moments.start), x(block.moments.end));
                let (low, high) = (y(block.bytes.start), y(block.bytes.end));
                let bytes = group(block.bytes.len());
                let _ = writeln!(
                    text,
                    "<rect x=\"{left:.1}\" y=\"{high:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\" fill-opacity=\"0.75\" \
                     stroke=\"#333\" stroke-width=\"0.6\"><title>{}: {bytes} bytes, steps {}</title></rect>",
                    right - left,
                    low - high,
                    plan.purpose_text(block.purpose),
                    plan.moments_text(block.moments.start, block.moments.end - 1)
                );
            }
            let (bottom, right, line) = (top + HEIGHT, MARGIN + WIDTH, y(plan.arena_bytes()));
            let _ = writeln!(
                text,
                "<path d=\"M{MARGIN} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>\n<path d=\"M{MARGIN} {line:.1}H{right}\" stroke=\"#c33\" \
                 stroke-dasharray=\"6 4\"/>\n<text x=\"{MARGIN}\" y=\"{}\">steps: tensors blue, rows of tensors orange, scratch memory grey</text>",
                bottom + 18
            );
        }
        text + "</svg>\n"
    }
}
