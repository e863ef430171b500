//! Runs checks side by side, all of them whatever fails, and sums up.
//!
//! A step begins when the steps that it needs have passed, when nobody else builds in its folder, and when a place is
//! free; of those that may begin, the one that was added first does. What a step says is printed when it is done.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::shell::{self, Kind, fault};

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
}

impl Tally {
    /// A step that is one test.
    pub const ONE: Self = Self { passed: 1, failed: 0 };
}

/// The folder that a step builds in. cargo locks it: steps of one folder would wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// `target/debug`.
    Host,
    /// `target/release`.
    Release,
    /// `target/firmware`.
    Firmware,
    /// `target/cross`.
    Cross,
    /// `target/chips`.
    Chips,
    /// A folder of its own, or none: what only runs.
    Apart,
}

/// A step of a suite.
#[derive(Clone, Copy, Debug)]
pub struct Step(usize);

type Work<'a> = Box<dyn FnOnce() -> Result<Tally> + Send + 'a>;

/// A step that has not begun.
struct Waiting<'a> {
    lane: Lane,
    needs: Vec<Step>,
    work: Work<'a>,
}

/// The steps of one command.
#[derive(Default)]
pub struct Suite<'a> {
    names: Vec<String>,
    waiting: BTreeMap<usize, Waiting<'a>>,
    absent: Vec<String>,
}

/// How a step ended.
struct Ended {
    tally: Tally,
    error: Option<anyhow::Error>,
    taken: Duration,
}

/// What the workers share.
struct State<'a> {
    waiting: BTreeMap<usize, Waiting<'a>>,
    running: BTreeMap<usize, (Lane, Instant)>,
    ended: BTreeMap<usize, Ended>,
}

/// Time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(30);

impl<'a> Suite<'a> {
    /// Adds a step, to be run after those that it needs.
    pub fn step(
        &mut self,
        name: impl Into<String>,
        lane: Lane,
        needs: &[Step],
        work: impl FnOnce() -> Result<Tally> + Send + 'a,
    ) -> Step {
        let step = Step(self.names.len());
        self.names.push(name.into());
        self.waiting.insert(step.0, Waiting { lane, needs: needs.to_vec(), work: Box::new(work) });
        step
    }

    /// Says in the summary that something is not run, and why: it counts neither as passed nor as failed.
    pub fn absent(&mut self, what: &str, why: &str) {
        self.absent.push(format!("{what}: {why}"));
    }

    /// Runs all steps and prints the summary, whose last line is `N passed, N failed`.
    pub fn run(self) -> Result<()> {
        let Self { names, waiting, absent } = self;
        let started = Instant::now();
        // One more than there are cores: a link is one thread, and so is QEMU.
        let places = thread::available_parallelism().map_or(2, usize::from) + 1;
        let state = Mutex::new(State { waiting, running: BTreeMap::new(), ended: BTreeMap::new() });
        let changed = Condvar::new();
        thread::scope(|scope| {
            for _ in 0..places {
                scope.spawn(|| work(&names, &state, &changed));
            }
            progress(&names, &state, &changed, started);
        });
        let ended = state.into_inner().unwrap_or_else(PoisonError::into_inner).ended;
        summary(&names, &absent, ended, started.elapsed())
    }
}

/// Takes steps until none is left.
fn work<'a>(names: &[String], state: &Mutex<State<'a>>, changed: &Condvar) {
    let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
    while !guard.waiting.is_empty() {
        let Some(index) = guard.ready() else {
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let Some(Waiting { lane, needs, work }) = guard.waiting.remove(&index) else { continue };
        let broken = needs.iter().find(|need| guard.ended.get(&need.0).is_some_and(|ended| ended.tally.failed > 0));
        let broken = broken.map(|need| anyhow!("needs `{}`, which failed", names[need.0]));
        let started = Instant::now();
        guard.running.insert(index, (lane, started));
        drop(guard);
        let (result, said) = match broken {
            Some(error) => (Err(error), String::new()),
            None => shell::listen(work),
        };
        let ended = Ended::of(result, started.elapsed());
        guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        ended.print(&names[index], &said);
        guard.running.remove(&index);
        guard.ended.insert(index, ended);
        changed.notify_all();
    }
}

/// Says now and then what runs, until all is done.
fn progress(names: &[String], state: &Mutex<State<'_>>, changed: &Condvar, started: Instant) {
    let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
    let mut last = Instant::now();
    while guard.ended.len() < names.len() {
        guard = changed.wait_timeout(guard, PROGRESS).unwrap_or_else(PoisonError::into_inner).0;
        if last.elapsed() >= PROGRESS && guard.ended.len() < names.len() {
            let running: Vec<String> = guard
                .running
                .iter()
                .map(|(&index, (_, since))| format!("{} ({} s)", names[index], since.elapsed().as_secs()))
                .collect();
            let (seconds, done) = (started.elapsed().as_secs(), guard.ended.len());
            println!("-- {seconds} s, {done} of {} steps done; running: {}", names.len(), running.join(", "));
            last = Instant::now();
        }
    }
}

impl State<'_> {
    /// The first step that may begin.
    fn ready(&self) -> Option<usize> {
        let is_free = |lane: Lane| lane == Lane::Apart || self.running.values().all(|running| running.0 != lane);
        let may_begin =
            |step: &Waiting<'_>| is_free(step.lane) && step.needs.iter().all(|need| self.ended.contains_key(&need.0));
        self.waiting.iter().find(|(_, step)| may_begin(step)).map(|(&index, _)| index)
    }
}

impl Ended {
    /// An error counts as a failed test, and so does a step that ran none.
    fn of(result: Result<Tally>, taken: Duration) -> Self {
        let (tally, error) = match result {
            Ok(Tally { passed: 0, failed: 0 }) => (Tally { passed: 0, failed: 1 }, Some(anyhow!("no test ran"))),
            Ok(tally) if tally.failed > 0 => (tally, Some(anyhow!("{} failed", tally.failed))),
            Ok(tally) => (tally, None),
            Err(error) => (Tally { passed: 0, failed: 1 }, Some(error)),
        };
        Self { tally, error, taken }
    }

    fn print(&self, name: &str, said: &str) {
        let seconds = self.taken.as_secs_f32();
        println!("\n== {name}\n{}", said.trim_end());
        match &self.error {
            Some(error) => println!("== {name}: FAILED after {seconds:.0} s: {error:#}"),
            None => println!("== {name}: ok, {seconds:.0} s"),
        }
    }
}

fn summary(names: &[String], absent: &[String], ended: BTreeMap<usize, Ended>, taken: Duration) -> Result<()> {
    println!();
    let mut all = Tally::default();
    let mut kinds = Vec::new();
    for (index, Ended { tally, error, taken }) in &ended {
        let mark = if tally.failed == 0 { "ok    " } else { "FAILED" };
        let seconds = taken.as_secs_f32();
        println!("{mark} {:>6} passed {:>4} failed {seconds:>6.1} s  {}", tally.passed, tally.failed, names[*index]);
        all.passed += tally.passed;
        all.failed += tally.failed;
        kinds.extend(error.iter().map(shell::kind));
    }
    for line in absent {
        println!("not run: {line}");
    }
    println!("{:.0} s in all", taken.as_secs_f32());
    println!("{} passed, {} failed", all.passed, all.failed);
    let worst = [Kind::ToolMissing, Kind::Hang].into_iter().find(|kind| kinds.contains(kind));
    // All was said: the error bears the exit code alone.
    if all.failed == 0 { Ok(()) } else { Err(fault(worst.unwrap_or(Kind::Failed), "")) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn steps_begin_after_what_they_need_and_one_per_folder() {
        let running = AtomicU32::new(0);
        let built = AtomicU32::new(0);
        let build = || {
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two steps build in one folder");
            thread::sleep(Duration::from_millis(20));
            running.fetch_sub(1, Ordering::SeqCst);
            built.fetch_add(1, Ordering::SeqCst);
            Ok(Tally::ONE)
        };
        let mut suite = Suite::default();
        let first = suite.step("first", Lane::Firmware, &[], build);
        let second = suite.step("second", Lane::Firmware, &[], build);
        suite.step("last", Lane::Apart, &[first, second], || {
            assert_eq!(built.load(Ordering::SeqCst), 2);
            Ok(Tally::ONE)
        });
        suite.run().unwrap();
    }

    #[test]
    fn what_fails_takes_what_needs_it_along_and_nothing_else() {
        let ran = AtomicU32::new(0);
        let mut suite = Suite::default();
        let hang = suite.step("hang", Lane::Apart, &[], || Err(fault(Kind::Hang, "hung")));
        suite.step("needs it", Lane::Apart, &[hang], || {
            ran.fetch_add(1, Ordering::SeqCst);
            Ok(Tally::ONE)
        });
        suite.step("other", Lane::Apart, &[], || {
            ran.fetch_add(10, Ordering::SeqCst);
            Ok(Tally::ONE)
        });
        let error = suite.run().unwrap_err();
        assert_eq!(shell::kind(&error), Kind::Hang);
        assert_eq!(ran.load(Ordering::SeqCst), 10);
    }

    #[test]
    fn a_step_without_a_test_fails() {
        let mut suite = Suite::default();
        suite.step("nothing", Lane::Apart, &[], || Ok(Tally::default()));
        assert_eq!(shell::kind(&suite.run().unwrap_err()), Kind::Failed);
    }
}
