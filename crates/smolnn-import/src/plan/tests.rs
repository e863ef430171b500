//! Random nets by rows against the same nets with whole tensors: bit for bit, in an arena that is no larger.

use std::collections::BTreeMap;

use smolnn_fixed::Backend;

use super::divide::{BYTES_PER_INSTRUCTION, RUN_COST};
use super::random::{Builder, compile_for, ends_in_image, input, random_net, split};
use super::{Aim, Core, Goal, OutputRows, Program};
use crate::error::Result;
use crate::lower::lower;
use crate::net::{Element, Net, Operator, Padding, ReduceKind, SlidingWindow};
use crate::rewrite::split_channels;

fn compile(net: &Net, goal: Goal, is_pushed: bool) -> Result<Program> {
    compile_for(net, Backend::CURRENT, Aim { goal, is_pushed, ..Aim::default() })
}

/// The outputs of some runs, one after the other.
fn outputs(program: &Program, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut runner = program.runner().expect("a runner");
    let mut found = Vec::new();
    for input in inputs {
        runner.set_input(0, input).expect("the input fits");
        runner.run().expect("the net runs");
        found.extend((0..program.net.outputs.len()).map(|index| runner.output(index).expect("an output").to_vec()));
    }
    found
}

/// Holds the estimated cost of every step that makes rows again to more than that of the whole layer, beside what runs and moves cost; gives how many there are.
fn check_costs_of_rows_made_again(program: &Program, whole: &Program, seed: u64) -> usize {
    let [estimate, of_whole] = [program, whole].map(|program| program.estimate(Core::CortexM4).layers);
    let known = |node: usize| -> Option<f64> { of_whole[whole.steps.iter().position(|step| step.node == node)?] };
    let mut count = 0;
    for (step, cost) in program.steps.iter().zip(estimate) {
        if let (Some(by_rows), Some(cost), Some(known)) = (&step.by_rows, cost, known(step.node))
            && step.macs() > step.call.macs
        {
            let runs: usize = by_rows.runs.iter().map(|run| run.turns.count()).sum();
            let moves = by_rows.before.iter().chain(&by_rows.after).chain(&step.moved);
            let moved: usize = moves.map(|moves| moves.from.len() * moves.turns.count()).sum();
            let beside = ((runs - 1) * RUN_COST + moved / BYTES_PER_INSTRUCTION) as f64;
            assert!(cost - beside > known, "seed {seed}: {cost} less {beside} for more MACs than {known} is of");
            count += 1;
        }
    }
    count
}

/// Among the first nets, which the test runs on boards, are convolutions by Winograd's products.
#[test]
fn random_nets_of_boards_have_faster_bodies() {
    let faster = |backend: Backend| {
        let has = |seed: &u64| {
            let mut calls = lower(&random_net(*seed).0, backend).expect("it lowers");
            !calls.within_flash(Some(usize::MAX), |_| true).layers.is_empty()
        };
        (0..16).filter(has).count()
    };
    let counts = Backend::ALL.map(|backend| (backend.name(), faster(backend)));
    assert!(counts.iter().filter(|(_, nets)| *nets > 0).count() >= 2, "{counts:?}");
}

#[test]
fn random_nets_give_the_same_by_rows() {
    const NETS: u64 = 2000;
    // Programs with calls that run in some turns only, with rows that rest elsewhere, with rows made again, with tensors that move.
    let mut ways = [0; 4];
    let mut costs_of_rows_made_again = 0;
    let (mut by_rows, mut pushed, mut bands, mut saved, mut whole_bytes) = (0, 0, 0, 0, 0);
    // Nets that end in one image, and those of them that never have all of it in the arena, with an input that lies whole and one that comes by rows.
    let (mut ends, mut given) = (0, [0, 0]);
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..NETS {
        let (net, mut random) = random_net(seed);
        let whole = compile(&net, Goal::Speed, false).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{net:#?}"));
        let inputs = [input(&net, &mut random), input(&net, &mut random)];
        let expected = outputs(&whole, &inputs);
        let least = compile(&net, Goal::LeastArena, false).expect("it compiles by rows");
        assert!(least.arena_bytes() <= whole.arena_bytes(), "seed {seed}: a larger arena");
        // Positions of rows that are repeated are constants, of which some rows have fewer or other ones.
        let repeats = net.nodes.iter().any(|node| matches!(node.operator, Operator::ResizeNearest { .. }));
        assert!(repeats || least.constant_bytes() == whole.constant_bytes(), "seed {seed}: other constants");
        let between = (least.arena_bytes() + whole.arena_bytes()) / 2;
        let budget = compile(&net, Goal::Budget(between), false).expect("it compiles within a budget that can be kept");
        assert!(budget.arena_bytes() <= between, "seed {seed}: {} bytes of {between}", budget.arena_bytes());
        let by_row = compile(&net, Goal::LeastArena, true).expect("it compiles for an input by rows");
        assert!(by_row.arena_bytes() <= whole.arena_bytes(), "seed {seed}: a larger arena without the image");
        let rows = by_row.input_rows.as_ref().expect("the input comes by rows");
        pushed += usize::from(rows.image.capacity < rows.image.height);
        let mut programs = vec![(least, "the least arena"), (budget, "a budget"), (by_row, "an input by rows")];
        if ends_in_image(&net) {
            ends += 1;
            for is_pushed in [false, true] {
                let aim = Aim { goal: Goal::LeastArena, is_pushed, is_given: true, ..Aim::default() };
                let program = compile_for(&net, Backend::CURRENT, aim).expect("it compiles for an output by rows");
                let known = &programs[2 * usize::from(is_pushed)].0;
                assert!(
                    program.arena_bytes() <= known.arena_bytes(),
                    "seed {seed}: an arena of {} bytes without the output, {} with it",
                    program.arena_bytes(),
                    known.arena_bytes()
                );
                let OutputRows { image, stage, turns } = program.output_rows.as_ref().expect("the output goes by rows");
                assert!(turns.range.end <= program.stages[*stage].turns, "seed {seed}: turns that do not run");
                let rows: Vec<usize> = (0..turns.count()).flat_map(|turn| image.rows(turn)).collect();
                assert!(rows.into_iter().eq(0..image.height), "seed {seed}: each row is given once, in order");
                given[usize::from(is_pushed)] += usize::from(image.capacity < image.height);
                programs.push((program, if is_pushed { "input and output by rows" } else { "an output by rows" }));
            }
        }
        let has_stride = net.nodes.iter().any(|node| match &node.operator {
            Operator::Conv2d { window, .. }
            | Operator::DepthwiseConv2d { window, .. }
            | Operator::Pool2d { window, .. } => window.stride[0] > 1,
            _ => false,
        });
        for (program, goal) in &programs {
            assert!(outputs(program, &inputs) == expected, "seed {seed}, for {goal}: {net:#?}");
            costs_of_rows_made_again += check_costs_of_rows_made_again(program, &whole, seed);
            let by_rows = || program.steps.iter().filter_map(|step| step.by_rows.as_ref());
            ways[0] += usize::from(by_rows().any(|of| of.runs.iter().any(|run| run.turns.period > 1)));
            ways[1] += usize::from(by_rows().any(|of| !of.after.is_empty()));
            ways[2] += usize::from(program.macs() > whole.macs());
            ways[3] += usize::from(program.steps.iter().any(|step| step.moved.is_some()));
            // Rows that a layer with a stride never sees are not made where it is made for alone.
            assert!(has_stride || program.macs() >= whole.macs(), "seed {seed}: MACs are lost");
            for step in program.steps.iter().filter(|step| step.by_rows.is_some()) {
                *operators.entry(net.nodes[step.node].name.clone()).or_default() += 1;
            }
            bands += program.stages.iter().filter(|stage| stage.steps.len() > 1).count();
        }
        let (least, _) = &programs[0];
        by_rows += usize::from(least.stages.iter().any(|stage| stage.steps.len() > 1));
        saved += whole.arena_bytes() - least.arena_bytes();
        whole_bytes += whole.arena_bytes();
    }
    println!("seeds 0 to {NETS}: {by_rows} nets by rows in {bands} bands, {saved} of {whole_bytes} bytes saved");
    println!("calls in some turns, rows that rest elsewhere, rows made again, tensors that move: {ways:?} programs");
    assert!(ways.iter().all(|&programs| programs >= 5), "{ways:?}");
    assert!(costs_of_rows_made_again >= 5, "{costs_of_rows_made_again} estimates count rows that are made again");
    println!("{pushed} nets never have their whole input in the arena");
    for operator in ["Pad", "ResizeNearest", "ResizeBilinear"] {
        assert!(operators.get(operator).is_some_and(|&calls| calls > 100), "{operator} seldom goes by rows");
    }
    println!("{ends} nets end in one image; {given:?} never have all of it in the arena");
    println!("operators by rows: {operators:?}");
    assert!(given.iter().all(|&nets| 3 * nets > ends) && ends as u64 > NETS / 8, "{given:?} of {ends}");
    assert!(pushed as u64 > NETS / 4, "{pushed} nets of {NETS} take their input by rows");
    assert!(by_rows as u64 > NETS / 3, "{by_rows} nets of {NETS} run by rows");
}

#[test]
fn groups_of_channels_give_the_same() {
    for (seed, element) in [Element::I8, Element::I16, Element::F32].into_iter().enumerate() {
        for mean in [false, true] {
            let mut builder = Builder::of(seed as u64, element, vec![1, 11, 7, 5]);
            let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding: Padding::Same };
            builder.convolution(0, window, [1, 1], Some(37));
            let wide = builder.images[1];
            if mean {
                let bytes = [1i32, 2].iter().flat_map(|axis| axis.to_le_bytes()).collect();
                let axes = builder.tensor(Element::I32, vec![2], None, Some(bytes));
                let operator = Operator::Reduce { kind: ReduceKind::Mean, keep_dims: true };
                builder.node(operator, &[wide, axes], vec![1, 1, 1, 37]);
            } else {
                builder.convolution(wide, SlidingWindow { stride: [2, 2], ..window }, [3, 3], None);
            }
            let (net, mut random) = builder.finish();
            let mut split = net.clone();
            assert!(split_channels(&mut split, 600, 300), "37 channels are too many");
            // Four groups of eight, one of five, and what puts them together.
            assert_eq!(split.nodes.len(), 11, "{element:?}");
            let inputs = [input(&net, &mut random), input(&net, &mut random)];
            let whole = compile(&net, Goal::Speed, false).expect("it compiles");
            let groups = compile(&split, Goal::Speed, false).expect("it compiles in groups");
            assert!(groups.arena_bytes() < whole.arena_bytes(), "{element:?}: groups take no less memory");
            assert_eq!(whole.macs(), groups.macs(), "{element:?}");
            let by_rows = compile(&split, Goal::LeastArena, false).expect("it compiles by rows");
            for program in [groups, by_rows] {
                assert!(outputs(&program, &inputs) == outputs(&whole, &inputs), "{element:?}: other outputs in groups");
            }
        }
    }
}

#[test]
fn parts_along_the_width_give_the_same() {
    const NETS: u64 = 400;
    let (mut nets, mut twice, mut by_rows, mut smaller, mut larger) = (0, 0, 0, 0, 0);
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..NETS {
        let (net, mut random) = random_net(seed);
        let whole = compile(&net, Goal::Speed, false).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{net:#?}"));
        let inputs = [input(&net, &mut random), input(&net, &mut random)];
        let expected = outputs(&whole, &inputs);
        let lent = |net: &Net, goal: Goal| {
            let aim = Aim { goal, is_lent: true, ..Aim::default() };
            compile_for(net, Backend::CURRENT, aim).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{net:#?}"))
        };
        let in_place = lent(&net, Goal::LeastArena);
        // Without the input another order may be found first.
        larger += u64::from(in_place.arena_bytes() > whole.arena_bytes());
        let mut programs = vec![(lent(&net, Goal::Speed), "whole tensors in place"), (in_place, "an input in place")];
        if let Some(split) = split(&net, seed) {
            nets += 1;
            let parts = compile(&split, Goal::Speed, false).expect("parts compile");
            let weights = |program: &Program| -> usize {
                let bytes = program.constants_by_step();
                program.steps.iter().zip(bytes).filter(|(step, _)| step.call.macs > 0).map(|(_, bytes)| bytes).sum()
            };
            assert_eq!(weights(&parts), weights(&whole), "seed {seed}: parts share their weights");
            twice += usize::from(parts.macs() > whole.macs());
            for node in &split.nodes {
                *operators.entry(node.name.clone()).or_default() += 1;
            }
            let least = compile(&split, Goal::LeastArena, false).expect("parts compile by rows");
            by_rows += usize::from(
                least
                    .steps
                    .iter()
                    .any(|step| step.by_rows.is_some() && matches!(split.nodes[step.node].operator, Operator::Slice)),
            );
            let in_place = lent(&split, Goal::LeastArena);
            smaller += usize::from(in_place.arena_bytes() < programs[1].0.arena_bytes());
            programs.push((parts, "whole parts"));
            programs.push((least, "parts by rows"));
            programs.push((in_place, "parts of an input in place"));
        }
        for (program, goal) in &programs {
            assert!(outputs(program, &inputs) == expected, "seed {seed}, for {goal}: {:#?}", program.net);
        }
    }
    println!(
        "{nets} of {NETS} nets are split; {twice} compute columns twice, {by_rows} take columns by rows, {smaller} take less in place"
    );
    println!("operators of the split nets: {operators:?}");
    assert!(100 * larger <= NETS, "{larger} nets have a larger arena without the input");
    assert!(2 * nets > NETS && 4 * twice > nets as usize && 2 * by_rows > nets as usize && smaller > 10);
}
