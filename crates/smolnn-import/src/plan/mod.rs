//! The memory plan: in which order the calls run (`order`), where in the arena each tensor lies (`place`), and the program that comes of it.

mod order;
mod place;
mod program;

pub use program::Program;
#[cfg(feature = "cli")]
pub(crate) use program::{ArenaUse, portable_layers};
pub(crate) use program::{Step, plan};
