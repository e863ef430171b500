//! What the importer estimates of whole networks, against their own figures in tests/expected.

use std::fs;

use smolnn_import::{Core, Estimate, Model, Unit};
use smolnn_testkit::golden::{self, project};

/// The figures of whole networks on the board of a core, by their names.
fn figures(core: Core) -> Vec<(String, f64)> {
    let file = if core.unit() == Unit::Cycles { "cycles.txt" } else { "instructions.txt" };
    let text = fs::read_to_string(project().join("tests/expected").join(file)).expect("the figures");
    let read = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [figure, board, "model", name, ..] if board == core.board() => Some((name.into(), figure.parse().ok()?)),
        _ => None,
    };
    text.lines().filter_map(read).collect()
}

#[test]
fn estimates_of_whole_networks_are_near_their_figures() {
    let goldens = golden::all("../shared/golden/models");
    let mut wrong = Vec::new();
    for core in Core::ALL {
        let figures = figures(core);
        let mut complete = 0;
        for golden in &goldens {
            let Some((_, figure)) = figures.iter().find(|(name, _)| *name == golden.name) else {
                panic!("{} has no figure of {}", core.board(), golden.name);
            };
            let model = Model::read(&golden.name, &golden.model).expect("a model");
            let program = model.compile(core.backend()).expect("the model compiles");
            let estimate = program.estimate(core);
            let error = estimate.total / figure - 1.0;
            let (unknown, name) = (estimate.unknown(), format!("{} on {}", golden.name, core.board()));
            println!("{name}: {:.0} {}, {error:+.3}, {unknown} unknown layers", estimate.total, core.unit().name());
            // A layer may have a body that no figure is of: the rest is less than the whole.
            let is_complete = unknown == 0 || error < 0.0;
            complete += usize::from(unknown == 0);
            let is_near = unknown > 0 || program.macs() < Estimate::LEAST_MACS || error.abs() <= Estimate::WITHIN;
            if !is_complete || !is_near {
                wrong.push(format!("{name}: {error:+.3}, {unknown} unknown layers"));
            }
        }
        assert!(
            goldens.is_empty() || complete + 1 >= goldens.len(),
            "{}: layers of several networks are unknown",
            core.board()
        );
    }
    assert_eq!(wrong, [""; 0]);
}
