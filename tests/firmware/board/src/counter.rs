//! Instructions per call, under QEMU's deterministic clock (`-icount shift=0`: one instruction, one nanosecond).
//!
//! A window of N calls through a function pointer, minus a window of N empty calls through the same kind of pointer, divided
//! by N. N is chosen so that a window lasts 20 000 ticks or more, which resolves 0.01 %.
//! These are executed instructions. They are not cycles.

use crate::machine;
use core::hint::black_box;

/// Turns of the loop that calibrates; two instructions each.
const CALIBRATION_TURNS: u32 = 1_000_000;

/// The bits that [`ticks`] has.
pub const MASK: u32 = machine::COUNTER_MASK;

/// Ticks so far, modulo [`MASK`] + 1, for work that cannot be repeated: a [`Counter`] must have been started.
pub fn ticks() -> u32 {
    smolnn_mark();
    machine::ticks() & MASK
}

/// The same for work within such work.
pub fn inner_ticks() -> u32 {
    smolnn_mark_inner();
    machine::ticks() & MASK
}

/// Notes what was executed so far, where `cargo xtask cycles` runs the firmware.
pub fn mark() {
    smolnn_mark();
}

/// Does nothing. The plugin of QEMU's under which `cargo xtask cycles` runs firmware notes what was executed until each call of
/// this function, so that its figures and those of the counter are of the same work.
// SAFETY: the one function of this name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn smolnn_mark() {
    // SAFETY: an instruction without effect. It keeps the compiler from removing calls of an empty function.
    unsafe { core::arch::asm!("nop", options(nomem, nostack, preserves_flags)) };
}

/// The same for work within such work.
// SAFETY: the one function of this name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn smolnn_mark_inner() {
    // SAFETY: two instructions without effect. They keep the compiler from removing calls of an empty function, and the linker from
    // laying it over the one above.
    unsafe { core::arch::asm!("nop", "nop", options(nomem, nostack, preserves_flags)) };
}

/// A counter whose rate was checked.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    instructions_per_1000_ticks: u32,
}

/// The counter does not count as the board table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncalibrated {
    /// Instructions of the loop.
    pub expected: u64,
    /// What the counter made of them.
    pub counted: u64,
}

impl core::fmt::Display for Uncalibrated {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "a loop of {} instructions was counted as {}", self.expected, self.counted)
    }
}

impl core::error::Error for Uncalibrated {}

impl Counter {
    /// Starts the counter and checks it against a loop of known length.
    ///
    /// `instructions_per_1000_ticks` is 1 000 000 000 000 divided by the timer's clock in Hz.
    ///
    /// # Errors
    /// [`Uncalibrated`] when the count is off by more than 0.02 %.
    pub fn start(instructions_per_1000_ticks: u32) -> Result<Self, Uncalibrated> {
        machine::start_counter();
        let counter = Counter { instructions_per_1000_ticks };
        let counted = counter.hundredths(&mut || machine::known_loop(CALIBRATION_TURNS)) / 100;
        let expected = 2 * u64::from(CALIBRATION_TURNS);
        if counted.abs_diff(expected) > expected / 5000 { Err(Uncalibrated { expected, counted }) } else { Ok(counter) }
    }

    /// [`Counter::start`] with the rate that `xtask` passes as `--rate`; says what is wrong and ends the run when it cannot.
    pub fn start_from_options() -> Self {
        let rate = crate::option("--rate", |rate| rate.and_then(|rate| rate.parse().ok()));
        let Some(rate) = rate else {
            crate::println!("pass --rate INSTRUCTIONS_PER_1000_TICKS");
            crate::exit(crate::Exit::Uncalibrated)
        };
        Self::start(rate).unwrap_or_else(|error| {
            crate::println!("{error}");
            crate::exit(crate::Exit::Uncalibrated)
        })
    }

    /// The rate that was checked.
    pub const fn instructions_per_1000_ticks(&self) -> u32 {
        self.instructions_per_1000_ticks
    }

    /// Hundredths of instructions that one call takes, the call itself and its return not counted.
    /// One call must take less than 2^24 ticks.
    pub fn hundredths(&self, call: &mut dyn FnMut()) -> u64 {
        let once = window(1, call);
        let calls = 1 + 20_000 / (once + 1);
        let work = u64::from(window(calls, call));
        let empty = u64::from(window(calls, black_box(&mut || ())));
        work.saturating_sub(empty) * u64::from(self.instructions_per_1000_ticks) / 10 / u64::from(calls)
    }
}

/// Ticks of `calls` calls.
#[inline(never)]
fn window(calls: u32, call: &mut dyn FnMut()) -> u32 {
    let call = black_box(call);
    let start = machine::ticks();
    smolnn_mark();
    for _ in 0..calls {
        call();
    }
    smolnn_mark();
    machine::ticks().wrapping_sub(start) & machine::COUNTER_MASK
}
