//! The memory plan: in which order the calls run (`order`), which of them run together by rows (`band`: how a band runs; `divide`: where bands start and
//! end; `turns`: the calls of a band), where in the arena each tensor lies (`place`), the program that comes of it, and what its calls cost (`cost`).

mod band;
mod cost;
mod divide;
mod order;
mod place;
mod program;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use band::Every;
pub use cost::{Core, Estimate, Unit};
pub use program::Program;
pub(crate) use program::{Aim, Goal, InputRows, Stage, Step, plan};
#[cfg(feature = "cli")]
pub(crate) use program::{ArenaUse, Purpose, portable_layers};
pub(crate) use turns::{ByRows, Moves, RowRun};
