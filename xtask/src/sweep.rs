//! Costs along the axes of layers' shapes, and the steps of an axis that cost more than the work they add.
//!
//! Cycles where the timings of a board's core are published, else instructions. The firmware, `tests/firmware/src/bin/sweep.rs`, has the axes.

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::bench::Figure;
use crate::boards::{self, Board, Name};
use crate::cycles;
use crate::firmware::{self, Variant};
use crate::setup;
use crate::shell::{Kind, fault};

/// A step that costs more than this is a cliff.
const LIMIT: f64 = 1.5;

/// What `sweep` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The boards; m4, m3 and m0 when none is named.
    #[arg(long = "board", value_enum)]
    boards: Vec<Name>,
    /// One kernel alone: conv2d, depthwise_conv2d, dense or transpose_conv2d.
    #[arg(long)]
    kernel: Option<String>,
    /// Prints every shape too.
    #[arg(long)]
    all: bool,
    /// Prints a JSON list of all shapes instead.
    #[arg(long)]
    json: bool,
}

/// A layer of an axis.
#[derive(Clone, Debug, PartialEq)]
struct Point {
    n: usize,
    layout: String,
    macs: f64,
    /// Cycles or instructions of a call.
    cost: f64,
}

impl Point {
    fn per_mac(&self) -> f64 {
        self.cost / self.macs
    }
}

/// Layers of one board that differ in one number, from the least on.
struct Axis {
    kernel: String,
    name: String,
    points: Vec<Point>,
}

/// Neighbours of an axis: the second has more work.
#[derive(Clone, Copy, Debug)]
struct Step<'a> {
    from: &'a Point,
    to: &'a Point,
}

impl Step<'_> {
    /// The cost per product behind the step, as a multiple of that before it.
    fn rise(&self) -> f64 {
        self.to.per_mac() / self.from.per_mac()
    }

    /// The cost of the layer with less work, as a multiple of that with more.
    fn drop(&self) -> f64 {
        self.from.cost / self.to.cost
    }

    fn is_cliff(&self) -> bool {
        self.rise() > LIMIT || self.drop() > LIMIT
    }

    fn describe(&self) -> String {
        let (from, to) = (self.from, self.to);
        format!(
            "n = {} -> {}: {:.0} -> {:.0}, {:.2} -> {:.2} per MAC, {} -> {}",
            from.n,
            to.n,
            from.cost,
            to.cost,
            from.per_mac(),
            to.per_mac(),
            from.layout,
            to.layout
        )
    }
}

impl Axis {
    fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.points.windows(2).filter_map(|pair| match pair {
            [from, to] => Some(Step { from, to }),
            _ => None,
        })
    }

    /// The step with the largest of some measure.
    fn worst(&self, measure: impl Fn(&Step<'_>) -> f64) -> Option<(f64, Step<'_>)> {
        self.steps().map(|step| (measure(&step), step)).max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// Sorts figures by their axes. A shape's name is `AXIS | N | LAYOUT`.
fn axes(figures: &[(Figure, f64)]) -> Result<Vec<Axis>> {
    let mut axes: Vec<Axis> = Vec::new();
    for (figure, cost) in figures {
        let parts: Vec<&str> = figure.shape.split(" | ").collect();
        let [name, n, layout] = parts[..] else { bail!("cannot read the shape `{}`", figure.shape) };
        let n = n.parse().with_context(|| format!("cannot read the shape `{}`", figure.shape))?;
        let point = Point { n, layout: layout.into(), macs: figure.macs as f64, cost: *cost };
        match axes.last_mut() {
            Some(axis) if axis.kernel == figure.name && axis.name == name => axis.points.push(point),
            _ => axes.push(Axis { kernel: figure.name.clone(), name: name.into(), points: vec![point] }),
        }
    }
    Ok(axes)
}

fn print(board: &Board, axes: &[Axis], all: bool) {
    let unit = if cycles::is_modelled(board) { "cycles" } else { "instructions" };
    println!("{}: {unit} per MAC, and the largest steps", board.label());
    println!(
        "{:<17} {:<45} {:>6} {:>7} {:>7}  {:>6} {:<12} {:>6} {:<12}",
        "kernel", "axis", "shapes", "least", "most", "rise", "at n", "drop", "at n"
    );
    for axis in axes {
        let costs = || axis.points.iter().map(Point::per_mac);
        let (least, most) = (costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max));
        let [(rise, rises), (drop, drops)] =
            [axis.worst(|step| step.rise()), axis.worst(|step| step.drop())].map(|worst| {
                worst.map_or((0.0, String::new()), |(most, step)| (most, format!("{} -> {}", step.from.n, step.to.n)))
            });
        let (kernel, name, count) = (&axis.kernel, &axis.name, axis.points.len());
        println!(
            "{kernel:<17} {name:<45} {count:>6} {least:>7.2} {most:>7.2}  {rise:>6.2} {rises:<12} {drop:>6.2} {drops:<12}"
        );
        if all {
            for point in &axis.points {
                let (n, cost, each) = (point.n, point.cost, point.per_mac());
                println!("    n = {n:<5} {cost:>12.0} {each:>8.2} per MAC  {}", point.layout);
            }
        }
    }
    let mut cliffs = 0;
    for axis in axes {
        for step in axis.steps().filter(Step::is_cliff) {
            println!("cliff: {} {}: {}", axis.kernel, axis.name, step.describe());
            cliffs += 1;
        }
    }
    let steps: usize = axes.iter().map(|axis| axis.steps().count()).sum();
    println!(
        "{}: {cliffs} of {steps} steps cost more than {LIMIT} times their neighbour: per MAC behind the step (rise), or a layer with less work against one with more (drop)",
        board.label()
    );
}

/// `xtask sweep`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let named: &[Name] = if arguments.boards.is_empty() { &[Name::M4, Name::M3, Name::M0] } else { &arguments.boards };
    let boards = boards::chosen(named);
    if let Some(board) = boards.iter().find(|board| board.small) {
        return Err(fault(
            Kind::Usage,
            format!("the {} has too little memory: m0 measures the same code", board.label()),
        ));
    }
    setup::ensure(&boards, install)?;
    let options: Vec<&str> = arguments.kernel.iter().flat_map(|kernel| ["--kernel", kernel.as_str()]).collect();
    let mut list = Vec::new();
    for &board in &boards {
        let variant = Variant { quiet: arguments.json, ..Variant::default() };
        let image = firmware::build(board, &["sweep"], &variant)?.remove(0);
        let figures = cycles::costs(board, &image, &options, arguments.json)?;
        if figures.is_empty() {
            return Err(fault(
                Kind::Usage,
                "no kernel of that name; there are conv2d, depthwise_conv2d, dense and transpose_conv2d",
            ));
        }
        let axes = axes(&figures)?;
        if !arguments.json {
            print(board, &axes, arguments.all);
            continue;
        }
        for axis in &axes {
            list.extend(axis.points.iter().map(|point| {
                let unit = if cycles::is_modelled(board) { "cycles" } else { "instructions" };
                json!({
                    "board": board.label(), "kernel": axis.kernel, "axis": axis.name, "n": point.n,
                    "layout": point.layout, "macs": point.macs, unit: point.cost,
                })
            }));
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&list)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cliffs(costs: &[(usize, f64)]) -> Vec<(usize, usize)> {
        let point = |&(n, cost): &(usize, f64)| Point { n, layout: String::new(), macs: 10.0 * n as f64, cost };
        let points = costs.iter().map(point).collect();
        let axis = Axis { kernel: String::new(), name: String::new(), points };
        axis.steps().filter(Step::is_cliff).map(|step| (step.from.n, step.to.n)).collect()
    }

    #[test]
    fn steps_beyond_the_limit_are_found_and_others_are_not() {
        // What comes besides the products makes small layers dearer per product: no step of these.
        assert_eq!(cliffs(&[(1, 110.0), (2, 120.0), (3, 130.0), (4, 140.0)]), []);
        // 1.6 times per product, though the layer has a twentieth more work.
        assert_eq!(cliffs(&[(20, 200.0), (21, 336.0), (22, 352.0)]), [(20, 21)]);
        // With less work it takes 1.6 times as long.
        assert_eq!(cliffs(&[(20, 320.0), (21, 200.0), (22, 210.0)]), [(20, 21)]);
        assert_eq!(cliffs(&[(20, 200.0), (21, 314.0), (22, 220.0)]), []);
    }
}
