//! The memory plan: in which order the calls run (`order`), which of them run together by rows (`band`: how a band runs; `divide`: where bands start and
//! end; `turns`: the calls of a band), where in the arena each tensor lies (`place`; `placed`: with rows that rest elsewhere and tensors that move), the search
//! for the best of these (`arrange`), the program that comes of it (`layout`, `program`), and what its calls cost (`cost`).

mod arrange;
mod band;
mod cost;
mod divide;
mod layout;
mod order;
mod place;
mod placed;
mod program;
#[cfg(any(test, feature = "graphs"))]
pub(crate) mod random;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use band::Every;
pub use cost::{Core, Estimate, Unit};
pub use program::Program;
pub(crate) use program::{Aim, Goal, ImageRows, InputRows, OutputRows, Split, Stage, Step, plan};
#[cfg(feature = "cli")]
pub(crate) use program::{ArenaUse, Purpose, portable_layers};
pub(crate) use turns::{ByRows, Moves, RowRun};
