//! The search of a plan that reaches a model's goal: with whole tensors, by rows, in groups of channels, in parts along the width.

use super::Model;
use crate::error::{Error, Problem, Result};
use crate::lower::{Calls, lower};
use crate::net::{Net, Node, TensorId};
use crate::plan::{Aim, Goal, Program, Split, plan};
use crate::rewrite::{Candidate, WidthSplit, candidates, channels_between, split_channels, split_means, split_width};
use smolnn_fixed::Backend;

/// How often groups of channels are tried, each time smaller ones, where an arena is to be small.
const MOST_SPLITS: usize = 2;

/// The share of an arena, one in so many bytes, from which the channels between two layers are worth a split.
const LARGE_SHARE: usize = 4;

/// How many chains of layers are planned in parts along the width at most, and how many nodes all of these plans may have together: a plan of 60 nodes takes some
/// seconds in an unoptimised build script.
const MOST_CHAINS: usize = 4;
const PLANNED_NODES: usize = 60;

/// Bytes of a convolution before a mean that are computed together, where layers are split along the width.
const LEAST_GROUP: usize = 2048;

/// A budget this many times smaller than the least arena is not worth a search.
const HOPELESS: usize = 8;

/// How many layers are given faster bodies one by one at most, and how many nodes all of these plans may have together, where memory does not suffice for all of them.
const MOST_GROWN: usize = 8;
const GROWN_NODES: usize = 200;

/// The layers that may have bodies that take fewer cycles and more flash and scratch memory.
#[derive(Clone)]
enum Growth {
    /// As many as the flash budget allows.
    All,
    /// These alone, by their indices in the file.
    Of(Vec<usize>),
}

impl Growth {
    fn holds(&self, node: &Node) -> bool {
        match self {
            Self::All => true,
            Self::Of(layers) => layers.contains(&node.index),
        }
    }
}

/// The search of a plan for one net and one backend.
pub(super) struct Search<'a> {
    model: &'a Model,
    net: &'a Net,
    backend: Backend,
    growth: Growth,
}

impl<'a> Search<'a> {
    pub(super) fn new(model: &'a Model, net: &'a Net, backend: Backend) -> Self {
        Self { model, net, backend, growth: Growth::All }
    }

    fn with(&self, layers: &[usize]) -> Self {
        Self { growth: Growth::Of(layers.into()), ..*self }
    }

    /// Plans for the model's goal. Faster bodies take more scratch memory: where memory is bounded, layers have them that leave the arena as small as it has
    /// to be.
    pub(super) fn run(&self, mut calls: Calls) -> Result<Program> {
        let goal = self.model.aim.goal;
        if goal == Goal::Speed {
            return self.plan_net(calls, self.model.aim);
        }
        let offered = calls.within_flash(self.model.flash_budget, |_| true).layers;
        if offered.is_empty() {
            return self.within();
        }
        // A budget that the fastest plan keeps changes nothing.
        if let Goal::Budget(budget) = goal
            && let Some(fastest) = self.whole_within(budget)
        {
            return Ok(fastest);
        }
        let mut best = self.with(&[]).within()?;
        let is_better = |new: &Program, known: &Program| match goal {
            Goal::LeastArena => (new.arena_bytes(), new.effort()) < (known.arena_bytes(), known.effort()),
            _ => new.effort() < known.effort(),
        };
        // With whole tensors all of them do not keep a budget, as was found above.
        let all = self.lower().and_then(|calls| self.plan_calls(calls, self.model.aim));
        if let Some(all) = all.ok().filter(|all| is_better(all, &best)) {
            return Ok(all);
        }
        let most = (GROWN_NODES / self.net.nodes.len().max(1)).min(MOST_GROWN);
        let mut taken = Vec::new();
        for &layer in offered.iter().take(most) {
            taken.push(layer);
            match self.with(&taken).by_rows_alone() {
                Ok(program) if is_better(&program, &best) => best = program,
                _ => drop(taken.pop()),
            }
        }
        Ok(best)
    }

    fn lower(&self) -> Result<Calls> {
        lower(self.net, self.backend)
    }

    /// The plan with whole tensors, if it keeps a budget.
    fn whole_within(&self, budget: usize) -> Option<Program> {
        let Aim { is_pushed, is_given, .. } = self.model.aim;
        let aim = Aim { goal: Goal::Speed, ..self.model.aim };
        let whole = (!is_pushed && !is_given).then(|| self.plan_calls(self.lower().ok()?, aim).ok()).flatten();
        whole.filter(|program| program.arena_bytes() <= budget)
    }

    /// Plans for the model's goal with these faster bodies, by rows and in no other way: what is split for the sake of memory has none to spare.
    fn by_rows_alone(&self) -> Result<Program> {
        let aim = self.model.aim;
        let whole = if let Goal::Budget(budget) = aim.goal { self.whole_within(budget) } else { None };
        whole.map_or_else(|| self.plan_calls(self.lower()?, aim), Ok)
    }

    /// Plans for the model's goal with these faster bodies: split and in groups where the goal needs it.
    fn within(&self) -> Result<Program> {
        let wanted = self.model.aim;
        let Goal::Budget(budget) = wanted.goal else { return self.plan_net(self.lower()?, wanted) };
        if let Some(whole) = self.whole_within(budget) {
            return Ok(whole);
        }
        // The plan for the least arena is another one. It tells whether the budget can be kept at all.
        let aim = Aim { goal: Goal::LeastArena, ..wanted };
        let mut least = self.plan_net(self.lower()?, aim)?;
        let is_hopeless = least.arena_bytes() / HOPELESS > budget;
        let within = match is_hopeless {
            true => None,
            false => match self.plan_net(self.lower()?, wanted) {
                refused @ Err(Error::Unsupported(_)) => Some(refused),
                result => return result,
            },
        };
        let mut is_tried = self.model.splits_width;
        if let Some(mut within) = within.filter(|_| least.arena_bytes() > budget && !self.model.splits_width) {
            // The last resort, in the way that takes the fewest instructions, or the least memory.
            self.split_along_width(wanted, &mut within);
            if within.is_ok() {
                return within;
            }
            let mut split = Ok(least);
            is_tried = self.split_along_width(aim, &mut split);
            least = split?;
        }
        if least.arena_bytes() <= budget {
            return Ok(least);
        }
        let found = format!("a budget of {budget} bytes for the arena");
        let how = match (&least.split, is_tried) {
            (Some(_), _) => ", with layers split along the width",
            (None, true) => ", which is no smaller with layers split along the width",
            (None, false) => "",
        };
        let ways = self.other_ways(least.arena_bytes());
        let supported = format!("at least {} bytes, its least arena{how}{ways}", least.arena_bytes());
        Err(Error::Unsupported(vec![Problem::model(found, supported)]))
    }

    /// What the least arena is with the input handed over in another way, where that is less than `bytes`.
    fn other_ways(&self, bytes: usize) -> String {
        if self.model.aim.is_pushed || self.model.aim.is_lent {
            return String::new();
        }
        let ways = [
            ("in place", "input_in_place", self.model.clone().input_in_place()),
            ("by rows", "input_by_rows", self.model.clone().input_by_rows()),
        ];
        let least = |of: &Model| -> Result<usize> {
            of.check_rows()?;
            let aim = Aim { goal: Goal::LeastArena, ..of.aim };
            Ok(self.with(&[]).plan_net(self.lower()?, aim)?.arena_bytes())
        };
        // A model that cannot be run so has no such way.
        let ways =
            ways.iter().filter_map(|(how, name, of)| Some((how, name, least(of).ok().filter(|&of| of < bytes)?)));
        ways.map(|(how, name, bytes)| {
            format!("; {bytes} with the input {how} (Model::{name}, --{})", name.replace('_', "-"))
        })
        .collect()
    }

    /// Plans calls for an aim; with layers split along the width, if that was asked for, or in groups of channels, where rows alone do not save enough.
    fn plan_net(&self, calls: Calls, aim: Aim) -> Result<Program> {
        let mut compiled = self.plan_calls(calls, aim);
        let is_short = match aim.goal {
            Goal::Speed => false,
            Goal::Budget(_) => compiled.is_err(),
            Goal::LeastArena => compiled.is_ok(),
        };
        if is_short && self.model.splits_width {
            self.split_along_width(aim, &mut compiled);
        }
        let is_split = compiled.as_ref().is_ok_and(|program| program.split.is_some());
        if is_short && !is_split {
            self.split_channels(aim, &mut compiled);
        }
        compiled
    }

    fn plan_calls(&self, mut calls: Calls, aim: Aim) -> Result<Program> {
        let faster = calls.within_flash(self.model.flash_budget, |node| self.growth.holds(node));
        let program = plan(&self.model.name, self.backend, calls, aim)?;
        Ok(Program { saved_cycles: faster.saved_cycles, ..program })
    }

    /// Where rows alone do not save enough, groups of channels may: first of what takes a large share, then of the largest that is left.
    fn split_channels(&self, aim: Aim, compiled: &mut Result<Program>) {
        let mut most = None;
        for _ in 0..MOST_SPLITS {
            let wanted = match (aim.goal, &*compiled) {
                (Goal::LeastArena, Ok(program)) => program.arena_bytes(),
                (Goal::Budget(budget), Err(Error::Unsupported(_))) => budget,
                _ => break,
            };
            let limit = match most {
                None => wanted / LARGE_SHARE,
                Some(last) => channels_between(self.net, last).unwrap_or(0).saturating_sub(1),
            };
            most = Some(limit);
            let mut split = self.net.clone();
            if !split_channels(&mut split, limit, wanted / LARGE_SHARE / 4) {
                break;
            }
            match lower(&split, self.backend).and_then(|calls| self.plan_calls(calls, aim)) {
                Ok(program) if !compiled.as_ref().is_ok_and(|known| known.arena_bytes() <= program.arena_bytes()) => {
                    *compiled = Ok(program);
                }
                _ => break,
            }
        }
    }

    /// Splits layers along the width, where that gives a smaller arena, or keeps the budget with fewer instructions. Says whether there are such layers.
    fn split_along_width(&self, aim: Aim, compiled: &mut Result<Program>) -> bool {
        let of_calls = |calls: &Calls| calls.calls.iter().map(|of| of.call.macs).sum::<u64>();
        let Ok(whole) = self.lower().map(|calls| of_calls(&calls)) else { return false };
        // Where a mean follows, groups of channels cost nothing.
        let mut grouped = self.net.clone();
        split_means(&mut grouped, LEAST_GROUP);
        let is_input = |id: TensorId| self.net.inputs.contains(&id);
        let budget = if let Goal::Budget(budget) = aim.goal { budget } else { 0 };
        let is_free = |id: TensorId| is_input(id) && aim.is_lent;
        let candidates = candidates(&grouped, budget, is_free, |id| !(is_input(id) && aim.is_pushed));
        let most = (PLANNED_NODES / grouped.nodes.len().max(1)).clamp(1, MOST_CHAINS);
        for &Candidate { start, end, parts, .. } in candidates.iter().take(most) {
            let mut split = grouped.clone();
            let Some(WidthSplit { parts, width, layers, columns }) = split_width(&mut split, (start, end), parts)
            else {
                continue;
            };
            let Ok(calls) = lower(&split, self.backend) else { continue };
            let macs = [of_calls(&calls).saturating_sub(whole), whole];
            let Ok(program) = self.plan_calls(calls, aim) else { continue };
            let is_better = |known: &Program| match aim.goal {
                Goal::LeastArena => program.arena_bytes() < known.arena_bytes(),
                _ => program.effort() < known.effort(),
            };
            if compiled.as_ref().map_or(true, is_better) {
                *compiled = Ok(Program { split: Some(Split { parts, width, layers, columns, macs }), ..program });
            }
        }
        !candidates.is_empty()
    }
}
