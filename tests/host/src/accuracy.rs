//! How far functions of one number lie from the truth: exhaustively where inputs have 8 or 16 bits, over floats by strata
//! of the exponent, or all of them.

/// A function of f32 and what is asked of it.
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
    /// Values at −∞, ∞, −0, 0; NaN where there is none. NaN goes to NaN always.
    pub specials: [f32; 4],
}

/// The greatest error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// In units in the last place of the exact value.
    Ulp(f64),
    /// The same, where the exact value is no subnormal number.
    NormalUlp(f64),
    /// Absolute.
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
    /// The positive ones in ascending order, as bits, 0 to the largest finite float.
    fn positive(self) -> impl Iterator<Item = u32> {
        let step = match self {
            Self::PerBinade(count) => (1 << 23) / count,
            Self::All => 1,
        };
        (0..255_u32).flat_map(move |exponent| {
            let shift = exponent.wrapping_mul(0x9e37_79b9) >> 9 & (step - 1);
            (0..(1 << 23) / step).map(move |i| exponent << 23 | (i * step + shift))
        })
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
    /// Greatest absolute error where the exact value is below 2^24.
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

/// Measures a function of f32.
pub fn measure(function: &Real<'_>, inputs: Inputs) -> Found {
    let mut found = Found::default();
    let f = function.function;
    let mut sum = 0.0;
    for negative in [false, true] {
        let sign = u32::from(negative) << 31;
        let mut before = f32::NAN;
        for bits in inputs.positive() {
            let x = f32::from_bits(bits | sign);
            let y = f(x);
            let exact = (function.exact)(f64::from(x));
            let error = (f64::from(y) - exact).abs();
            let units = if exact.abs() > f64::from(f32::MAX) {
                // Half a unit beyond the largest float everything is infinite.
                if y == exact as f32 || (f64::from(y) - exact).abs() <= ulp(f64::MAX) { 0.0 } else { f64::INFINITY }
            } else if matches!(function.bound, Bound::NormalUlp(_)) && exact.abs() < f64::from(f32::MIN_POSITIVE) {
                0.0
            } else if exact.is_nan() {
                if y.is_nan() { 0.0 } else { f64::INFINITY }
            } else {
                error / ulp(exact)
            };
            if units.is_nan() {
                found.fault(|| format!("f({x:e}) is {y}"));
            }
            found.count += 1;
            sum += units;
            if units > found.worst {
                (found.worst, found.at) = (units, f64::from(x));
            }
            if exact.abs() < 16_777_216.0 {
                found.absolute = found.absolute.max(error);
            }
            if if negative { y > before } else { y < before } {
                found.fall = found.fall.max((f64::from(y) - f64::from(before)).abs() / ulp(f64::from(y)));
                if function.monotonic {
                    found.fault(|| format!("falls to {y:e} at {x:e}"));
                }
            }
            before = y;
            if function.odd && !negative && f(-x).to_bits() != (-y).to_bits() {
                found.fault(|| format!("f(-{x:e}) is {:e}, not {:e}", f(-x), -y));
            }
        }
    }
    found.mean = sum / found.count as f64;
    let specials = [f32::NEG_INFINITY, f32::INFINITY, -0.0, 0.0];
    for (x, expected) in specials.into_iter().zip(function.specials) {
        let y = f(x);
        if y.to_bits() != expected.to_bits() && !(y.is_nan() && expected.is_nan()) {
            found.fault(|| format!("f({x}) is {y}, not {expected}"));
        }
    }
    for bits in [0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffff_ffff] {
        if !f(f32::from_bits(bits)).is_nan() {
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

/// One line of the table.
pub fn line(name: &str, found: &Found) -> String {
    let monotonic = if found.fall > 0.0 { format!("falls by {:.1}", found.fall) } else { String::from("yes") };
    format!(
        "{name:<24} {:>10} {:>13.4} {:>16.9e} {:>11.5} {:>10.3e}  {monotonic}",
        found.count, found.worst, found.at, found.mean, found.absolute
    )
}

/// The head of the table.
pub const HEAD: &str =
    "function                     inputs         worst               at        mean   absolute  monotonic";

mod functions;

pub use functions::{integers, reals};
