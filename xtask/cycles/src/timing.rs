//! How many cycles an instruction takes: the rules of each core, with their sources.
//!
//! | core | source |
//! |---|---|
//! | M0 | Cortex-M0 Technical Reference Manual (DDI 0432C), table 3-1, with the fast multiplier |
//! | M0+ | Cortex-M0+ Technical Reference Manual (DDI 0484C), table 3-1, with the fast multiplier |
//! | M3 | Cortex-M3 Technical Reference Manual (100165), section 3.3 |
//! | M4 | Cortex-M4 Technical Reference Manual (100166), sections 3.3 and 7.2.3 |
//! | M33 | Arm publishes no table: the rules of the M4, whose pipeline is as long. Pairs that an M33 issues at once are not modelled. |
//!
//! Memory answers at once, unless wait states are asked for. Where a manual gives a range, one value stands for it: a
//! refilled pipeline takes 2 of 1 to 3, a division 7 of 2 to 12, and on the M3 a long product 4 of 3 to 5, one that is
//! added 5 of 4 to 7.

use crate::decode::{Operation, Register};

/// A core whose timings are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    M0,
    M0Plus,
    M3,
    M4,
    M33,
}

/// The time of an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Cycles when the next instruction is the one behind it.
    pub cycles: u32,
    /// Cycles more when it is another.
    pub refill: u32,
}

/// What an instruction leaves for the one behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// Nothing that could be shared.
    #[default]
    Nothing,
    /// The address phase of the next load or store can run beside the data phase of this load, unless the next takes its
    /// address from the register that is loaded.
    Load(Register),
    /// The same behind a store.
    Store,
}

impl Core {
    /// The core of a name on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "m0" => Self::M0,
            "m0plus" => Self::M0Plus,
            "m3" => Self::M3,
            "m4" => Self::M4,
            "m33" => Self::M33,
            _ => return None,
        })
    }

    /// The time of an instruction, by the one before it.
    pub fn time(self, operation: Operation, before: Before) -> Time {
        match self {
            Self::M0 | Self::M0Plus => self.small(operation),
            Self::M3 | Self::M4 | Self::M33 => self.large(operation, before),
        }
    }

    /// Armv6-M: two or three stages, one access at a time.
    fn small(self, operation: Operation) -> Time {
        // The M0+ has one stage less to fill.
        let branch = if self == Self::M0 { 2 } else { 1 };
        let (cycles, refill) = match operation {
            Operation::Load { .. } | Operation::Store { .. } => (2, 0),
            Operation::LoadMultiple(n) | Operation::StoreMultiple(n) => (1 + u32::from(n), 0),
            // 4 + N and 3 + N, N without the program counter.
            Operation::LoadMultiplePc(n) => (u32::from(n), branch + 1 + u32::from(self == Self::M0)),
            Operation::Call => (1, branch + 1),
            Operation::Branch | Operation::BranchRegister => (1, branch),
            Operation::System => (if self == Self::M0 { 4 } else { 3 }, 0),
            _ => (1, 0),
        };
        Time { cycles, refill }
    }

    /// Armv7-M: three stages, accesses that follow each other overlap.
    fn large(self, operation: Operation, before: Before) -> Time {
        const REFILL: u32 = 2;
        let is_m3 = self == Self::M3;
        let cycles = match operation {
            Operation::MultiplyAdd if is_m3 => 2,
            Operation::MultiplyLong if is_m3 => 4,
            Operation::MultiplyAddLong if is_m3 => 5,
            Operation::Divide => 7,
            Operation::Load { base, .. } => match before {
                Before::Load(target) if target != base => 1,
                Before::Store => 1,
                _ => 2,
            },
            Operation::LoadPc => 2,
            // The write buffer takes the data.
            Operation::Store { is_offset_register: false } => 1,
            Operation::Store { is_offset_register: true } => 2,
            Operation::LoadMultiple(n) | Operation::LoadMultiplePc(n) | Operation::StoreMultiple(n) => 1 + u32::from(n),
            Operation::LoadDouble | Operation::StoreDouble => 3,
            Operation::FloatMultiplyAdd => 3,
            Operation::FloatDivide => 14,
            Operation::FloatMovePair => 2,
            Operation::FloatLoad(n) | Operation::FloatStore(n) => 1 + u32::from(n),
            Operation::TableBranch => 2,
            Operation::System => 2,
            _ => 1,
        };
        let refill = match operation {
            Operation::Branch
            | Operation::Call
            | Operation::BranchRegister
            | Operation::CompareBranch
            | Operation::TableBranch
            | Operation::LoadPc
            | Operation::LoadMultiplePc(_) => REFILL,
            _ => 0,
        };
        Time { cycles, refill }
    }
}

impl Before {
    /// What an operation leaves.
    pub fn of(operation: Operation) -> Self {
        match operation {
            Operation::Load { target, .. } => Self::Load(target),
            Operation::Store { .. } => Self::Store,
            _ => Self::Nothing,
        }
    }
}
