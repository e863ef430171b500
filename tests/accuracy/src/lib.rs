//! How far functions of one number lie from the truth: exhaustively where inputs have 8 or 16 bits, over floats by strata
//! of the exponent, or all of them.
//!
//! - The truth is `libm` in f64, below one unit in the last place of f64, 2^-29 of f32's; tests/host/exhaustive/accuracy.rs
//!   compares it with the platform's own. The accurate tier is that same truth, rounded: its rows show the rounding alone.
//! - All functions of one truth are measured together, so that it is computed once for each float; that is what makes all
//!   2^32 floats bearable. No range is left out and nothing is inferred from neighbours, but for one thing: where
//!   a function must be odd, so is the truth (which the tests check), and −f(x) stands for f(−x).
//! - A binade is a piece of work; threads take them, and the pieces are joined in order, so that the result does not depend
//!   on how many threads there are.

use std::slice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A function of f32 and what is asked of it.
#[derive(Clone, Copy)]
pub struct Real<'a> {
    /// Name, tier or body.
    pub name: &'a str,
    /// The function.
    pub function: fn(f32) -> f32,
    /// The truth in f64.
    pub exact: fn(f64) -> f64,
    /// What it may err at most.
    pub bound: Bound,
    /// Whether it must not fall (all of the functions here rise).
    pub monotonic: bool,
    /// Whether f(−x) must be −f(x), bit for bit.
    pub odd: bool,
    /// Values at −∞, ∞, −0, 0; NaN where there is none.
    pub specials: [f32; 4],
    /// Whether NaN must give NaN.
    pub keeps_nan: bool,
}

/// The greatest error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// In units in the last place of the exact value.
    Ulp(f64),
    /// The same, where the exact value is no subnormal number.
    NormalUlp(f64),
    /// Absolute where the exact value is below 1, relative beyond.
    Absolute(f64),
}

/// A function of small integers.
pub struct Integer<'a> {
    /// Name.
    pub name: &'a str,
    /// All inputs.
    pub inputs: std::ops::RangeInclusive<i32>,
    /// The function, over all inputs at once.
    pub function: &'a dyn Fn(&[i32]) -> Vec<i32>,
    /// The truth in units of the output, not rounded.
    pub exact: &'a dyn Fn(i32) -> f64,
    /// The range of the output, to which the truth is clamped.
    pub outputs: std::ops::RangeInclusive<i32>,
    /// The greatest error, in units of the output.
    pub bound: f64,
    /// Whether it must not fall.
    pub monotonic: bool,
}

/// Which floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// So many, a power of two, for each sign and exponent, evenly spaced with a shift of the grid that differs from binade to
    /// binade.
    PerBinade(u32),
    /// All 2^32.
    All,
}

impl Inputs {
    /// The step between those of a binade, a power of two.
    fn step(self) -> u32 {
        match self {
            Self::PerBinade(count) => (1 << 23) / count,
            Self::All => 1,
        }
    }

    /// The bits of the positive ones of a binade in ascending order; binade 0 holds zero and the subnormal numbers.
    fn binade(self, exponent: u32) -> impl Iterator<Item = u32> {
        let step = self.step();
        let shift = exponent.wrapping_mul(0x9e37_79b9) >> 9 & (step - 1);
        (0..(1 << 23) / step).map(move |i| exponent << 23 | (i * step + shift))
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Inputs.
    pub count: u64,
    /// Greatest error in units in the last place (of the output, for integers).
    pub worst: f64,
    /// Where.
    pub at: f64,
    /// Mean error in the same units.
    pub mean: f64,
    /// Greatest error, absolute where the exact value is below 1, relative beyond.
    pub absolute: f64,
    /// The greatest step backwards from one input to the next, in the same units; 0 where the function is monotonic.
    pub fall: f64,
    /// What is wrong: none of it may be there.
    pub faults: Vec<String>,
}

impl Found {
    fn fault(&mut self, text: impl FnOnce() -> String) {
        match self.faults.len() {
            0..5 => self.faults.push(text()),
            5 => self.faults.push(String::from("and more")),
            _ => {}
        }
    }
}

/// The unit in the last place of f32 at an exact value.
pub fn ulp(exact: f64) -> f64 {
    // The exponent of the f64; subnormal f32 share that of 2^-126.
    let exponent = ((exact.to_bits() >> 52 & 0x7ff) as i32 - 1023).clamp(-126, 127);
    f64::from_bits(((exponent - 23 + 1023) as u64) << 52)
}

/// Finite floats have these exponents.
const BINADES: u32 = 255;

/// Inputs that are worked on at a time.
const BLOCK: usize = 1024;

/// What one binade of one sign has shown: `found.mean` is the sum, and the values at the ends for the neighbours.
#[derive(Clone, Debug)]
struct Piece {
    found: Found,
    first: f32,
    last: f32,
}

impl Piece {
    const NONE: f32 = f32::NAN;

    fn new() -> Self {
        Self { found: Found::default(), first: Self::NONE, last: Self::NONE }
    }

    /// The step from `before` to `y`, towards greater magnitudes of x.
    fn step(&mut self, function: &Real<'_>, negative: bool, before: f32, x: f32, y: f32) {
        if if negative { y > before } else { y < before } {
            self.found.fall = self.found.fall.max((f64::from(y) - f64::from(before)).abs() / ulp(f64::from(y)));
            if function.monotonic {
                self.found.fault(|| format!("falls to {y:e} at {x:e}"));
            }
        }
    }

    /// Adds a block of inputs of one sign with ascending magnitudes.
    fn add(&mut self, function: &Real<'_>, negative: bool, block: &Block, y: &[f32]) {
        let normal_only = matches!(function.bound, Bound::NormalUlp(_)) && block.subnormal;
        let (sum, worst, absolute) = if block.plain && !normal_only {
            plain(y, block)
        } else {
            let (mut sum, mut worst, mut absolute) = (0.0, 0.0_f64, 0.0_f64);
            for i in 0..y.len() {
                let (units, error) = one(y[i], block.exact[i], block.scale[i], block.weight[i], normal_only);
                if units.is_nan() {
                    self.found.fault(|| format!("f({:e}) is {}", block.x[i], y[i]));
                }
                sum += units;
                worst = worst.max(units);
                absolute = absolute.max(error);
            }
            (sum, worst, absolute)
        };
        if sum.is_nan() {
            self.found.fault(|| format!("NaN near {:e}", block.x[0]));
        }
        if worst > self.found.worst {
            let units = |i: usize| one(y[i], block.exact[i], block.scale[i], block.weight[i], normal_only).0;
            let at = (0..y.len()).find(|&i| units(i) >= worst);
            (self.found.worst, self.found.at) = (worst, at.map_or(f64::NAN, |i| f64::from(block.x[i])));
        }
        self.found.absolute = self.found.absolute.max(absolute);
        if self.found.count == 0 {
            self.first = y[0];
        }
        self.step(function, negative, self.last, block.x[0], y[0]);
        let falls = |pair: &[f32]| if negative { pair[1] > pair[0] } else { pair[1] < pair[0] };
        if y.windows(2).fold(false, |any, pair| any | falls(pair)) {
            for (pair, &x) in y.windows(2).zip(&block.x[1..]) {
                self.step(function, negative, pair[0], x, pair[1]);
            }
        }
        self.found.count += y.len() as u64;
        self.found.mean += sum;
        self.last = y[y.len() - 1];
    }

    /// Appends the piece of the next binade.
    fn append(&mut self, function: &Real<'_>, negative: bool, x: f32, next: Self) {
        self.step(function, negative, self.last, x, next.first);
        self.last = next.last;
        let (found, next) = (&mut self.found, next.found);
        found.count += next.count;
        found.mean += next.mean;
        if next.worst > found.worst {
            (found.worst, found.at) = (next.worst, next.at);
        }
        found.absolute = found.absolute.max(next.absolute);
        found.fall = found.fall.max(next.fall);
        for fault in next.faults {
            found.fault(|| fault);
        }
    }
}

/// Inputs, and what is common to all functions of one truth.
#[derive(Default)]
struct Block {
    x: Vec<f32>,
    exact: Vec<f64>,
    /// One over the unit in the last place.
    scale: Vec<f64>,
    /// One over the greater of 1 and the exact value.
    weight: Vec<f64>,
    /// Every exact value is a number that f32 can hold.
    plain: bool,
    /// Some are below its normal numbers.
    subnormal: bool,
}

impl Block {
    fn fill(&mut self, truth: fn(f64) -> f64) {
        self.exact.clear();
        self.exact.extend(self.x.iter().map(|&x| truth(f64::from(x))));
        self.scale.clear();
        self.scale.extend(self.exact.iter().map(|&exact| 1.0 / ulp(exact)));
        self.weight.clear();
        self.weight.extend(self.exact.iter().map(|&exact| 1.0 / exact.abs().max(1.0)));
        self.plain = self.exact.iter().all(|exact| exact.abs() <= f64::from(f32::MAX));
        self.subnormal = self.exact.iter().any(|exact| exact.abs() < f64::from(f32::MIN_POSITIVE));
    }
}

/// The error in units in the last place, and the absolute or relative one.
fn one(y: f32, exact: f64, scale: f64, weight: f64, normal_only: bool) -> (f64, f64) {
    let error = (f64::from(y) - exact).abs();
    let size = exact.abs();
    if size <= f64::from(f32::MAX) {
        let subnormal = normal_only && size < f64::from(f32::MIN_POSITIVE);
        (if subnormal { 0.0 } else { error * scale }, error * weight)
    } else if exact.is_nan() {
        (if y.is_nan() { 0.0 } else { f64::INFINITY }, 0.0)
    } else if f64::from(y) == exact || y == exact as f32 || error <= ulp(f64::MAX) {
        // Half a unit beyond the largest float everything is infinite.
        (0.0, 0.0)
    } else {
        (f64::INFINITY, 0.0)
    }
}

/// Sum and maximum of the units, and the maximum of the other error, over a plain block; four sums, for vector units.
fn plain(y: &[f32], block: &Block) -> (f64, f64, f64) {
    let (mut sum, mut worst, mut absolute) = ([0.0_f64; 4], [0.0_f64; 4], [0.0_f64; 4]);
    let greater = |a: f64, b: f64| if b > a { b } else { a };
    let groups = y.chunks(4).zip(block.exact.chunks(4)).zip(block.scale.chunks(4).zip(block.weight.chunks(4)));
    for ((y, exact), (scale, weight)) in groups {
        for (i, (((&y, &exact), &scale), &weight)) in y.iter().zip(exact).zip(scale).zip(weight).enumerate().take(4) {
            let error = (f64::from(y) - exact).abs();
            let units = error * scale;
            sum[i] += units;
            worst[i] = greater(worst[i], units);
            absolute[i] = greater(absolute[i], error * weight);
        }
    }
    let most = |values: [f64; 4]| values.into_iter().fold(0.0, greater);
    (sum.iter().sum(), most(worst), most(absolute))
}

/// The functions, which have one truth, over one binade and both signs: a pair of pieces for each.
fn measure_binade(functions: &[Real<'_>], inputs: Inputs, exponent: u32) -> Vec<[Piece; 2]> {
    let mut pieces: Vec<[Piece; 2]> = functions.iter().map(|_| [Piece::new(), Piece::new()]).collect();
    let odd = functions.iter().all(|function| function.odd);
    let mut bits = inputs.binade(exponent);
    let mut block = Block::default();
    // Those of the positive inputs, function by function.
    let (mut above, mut below) = (Vec::new(), Vec::new());
    loop {
        block.x.clear();
        block.x.extend(bits.by_ref().take(BLOCK).map(f32::from_bits));
        let Some(first) = functions.first().filter(|_| !block.x.is_empty()) else { return pieces };
        block.fill(first.exact);
        above.clear();
        for (function, pieces) in functions.iter().zip(&mut pieces) {
            let start = above.len();
            above.extend(block.x.iter().map(|&x| (function.function)(x)));
            pieces[0].add(function, false, &block, &above[start..]);
        }
        block.x.iter_mut().for_each(|x| *x = -*x);
        if odd {
            block.exact.iter_mut().for_each(|exact| *exact = -*exact);
        } else {
            block.fill(first.exact);
        }
        for ((function, pieces), above) in functions.iter().zip(&mut pieces).zip(above.chunks(block.x.len())) {
            below.clear();
            below.extend(block.x.iter().map(|&x| (function.function)(x)));
            pieces[1].add(function, true, &block, &below);
            let mirrored = |(a, b): (&f32, &f32)| a.to_bits() ^ b.to_bits() == 1 << 31;
            if function.odd && !above.iter().zip(&below).fold(true, |all, pair| all & mirrored(pair)) {
                for ((&x, &above), &below) in block.x.iter().zip(above).zip(&below) {
                    if !mirrored((&above, &below)) {
                        pieces[1].found.fault(|| format!("f({x:e}) is {below:e}, not {:e}", -above));
                    }
                }
            }
        }
    }
}

/// Measures a function of f32.
pub fn measure(function: &Real<'_>, inputs: Inputs) -> Found {
    measure_all(slice::from_ref(function), inputs, 1, &|_, _| {}).pop().unwrap_or_default()
}

/// Measures functions of f32 on so many threads. `progress` is told how many binades of how many are done.
pub fn measure_all(
    functions: &[Real<'_>],
    inputs: Inputs,
    threads: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<Found> {
    // Neighbours with the same truth share it.
    let groups: Vec<&[Real<'_>]> = functions.chunk_by(|a, b| std::ptr::fn_addr_eq(a.exact, b.exact)).collect();
    let total = groups.len() * BINADES as usize;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let pieces = Mutex::new(vec![Vec::new(); total]);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(group) = groups.get(index / BINADES as usize) else { return };
                    let piece = measure_binade(group, inputs, (index % BINADES as usize) as u32);
                    if let Ok(mut pieces) = pieces.lock() {
                        pieces[index] = piece;
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                }
            });
        }
    });
    let pieces = pieces.into_inner().unwrap_or_default();
    let mut all = Vec::new();
    for (group, binades) in groups.iter().zip(pieces.chunks(BINADES as usize)) {
        for (index, function) in group.iter().enumerate() {
            let mut whole = Found::default();
            for (negative, sign) in [1.0_f32, -1.0].into_iter().enumerate() {
                let mut joined = Piece::new();
                for (exponent, pieces) in (0..).zip(binades) {
                    let Some(piece) = pieces.get(index) else { continue };
                    let x = sign * f32::from_bits(exponent << 23);
                    joined.append(function, negative == 1, x, piece[negative].clone());
                }
                let mut ends = Piece { found: whole, first: Piece::NONE, last: Piece::NONE };
                ends.append(function, negative == 1, 0.0, joined);
                whole = ends.found;
            }
            all.push(finish(function, whole));
        }
    }
    all
}

/// The mean, the special values and the bound.
fn finish(function: &Real<'_>, mut found: Found) -> Found {
    let (f, sum) = (function.function, found.mean);
    found.mean = sum / found.count as f64;
    let specials = [f32::NEG_INFINITY, f32::INFINITY, -0.0, 0.0];
    for (x, expected) in specials.into_iter().zip(function.specials) {
        let y = f(x);
        if y.to_bits() != expected.to_bits() && !(y.is_nan() && expected.is_nan()) {
            found.fault(|| format!("f({x}) is {y}, not {expected}"));
        }
    }
    for bits in [0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffff_ffff] {
        if function.keeps_nan && !f(f32::from_bits(bits)).is_nan() {
            found.fault(|| format!("NaN {bits:#x} does not stay"));
        }
    }
    let beyond = match function.bound {
        Bound::Ulp(bound) | Bound::NormalUlp(bound) => found.worst > bound,
        Bound::Absolute(bound) => found.absolute > bound,
    };
    if beyond {
        // Always shown, however many faults there are.
        found.faults.insert(0, format!("errs more than {:?}", function.bound));
    }
    found
}

/// Measures a function of integers, over all its inputs.
pub fn measure_integer(function: &Integer<'_>) -> Found {
    let mut found = Found::default();
    let inputs: Vec<i32> = function.inputs.clone().collect();
    let outputs = (function.function)(&inputs);
    assert_eq!(outputs.len(), inputs.len(), "{}: one output per input", function.name);
    let mut sum = 0.0;
    let mut before = i32::MIN;
    for (&x, &y) in inputs.iter().zip(&outputs) {
        let range = f64::from(*function.outputs.start())..=f64::from(*function.outputs.end());
        let error = (f64::from(y) - (function.exact)(x).clamp(*range.start(), *range.end())).abs();
        found.count += 1;
        sum += error;
        if error > found.worst {
            (found.worst, found.at) = (error, f64::from(x));
        }
        if !range.contains(&f64::from(y)) {
            found.fault(|| format!("f({x}) is {y}"));
        }
        if y < before {
            found.fall = found.fall.max(f64::from(before) - f64::from(y));
            if function.monotonic {
                found.fault(|| format!("falls to {y} at {x}"));
            }
        }
        before = y;
    }
    found.absolute = found.worst;
    found.mean = sum / found.count as f64;
    if found.worst > function.bound {
        found.faults.insert(0, format!("errs more than {}", function.bound));
    }
    found
}

/// One line of the table; `rises` is whether the function should.
pub fn line(name: &str, rises: bool, found: &Found) -> String {
    let monotonic = if !rises {
        String::from("-")
    } else if found.fall > 0.0 {
        format!("falls by {:.1}", found.fall)
    } else {
        String::from("yes")
    };
    format!(
        "{name:<24} {:>10} {:>13.4} {:>16.9e} {:>11.5} {:>10.3e}  {monotonic}",
        found.count, found.worst, found.at, found.mean, found.absolute
    )
}

/// The head of the table.
pub const HEAD: &str =
    "function                     inputs         worst               at        mean   absolute  monotonic";

mod functions;

pub use functions::{activations, integers, reals};
