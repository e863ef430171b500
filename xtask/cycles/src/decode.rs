//! What a Thumb instruction does, as far as its time depends on it.
//!
//! Source of the encodings: Armv7-M Architecture Reference Manual (DDI 0403E), chapter A5, and Armv6-M (DDI 0419E).

/// A general-purpose register.
pub type Register = u8;

/// The program counter, which is written by what jumps.
const PC: Register = 15;

/// Kinds of instructions that differ in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One result from registers and immediates: arithmetic, logic, shifts, moves, saturation, packing, SIMD additions.
    Data,
    /// MUL and MULS: 32 bits of a product of 32 bits.
    Multiply,
    /// MLA and MLS.
    MultiplyAdd,
    /// UMULL and SMULL.
    MultiplyLong,
    /// UMLAL and SMLAL.
    MultiplyAddLong,
    /// Products of the DSP extension: SMULxy, SMLAxy, SMLAD, SMMUL, SMLALD and their kin, UMAAL.
    DspMultiply,
    /// UDIV and SDIV.
    Divide,
    /// LDR, LDRB, LDRH, LDRSB, LDRSH into a register.
    Load { target: Register, base: Register },
    /// LDR into the program counter.
    LoadPc,
    /// STR, STRB, STRH to an address with an immediate offset, or with one from a register.
    Store { is_offset_register: bool },
    /// LDM and POP of so many registers.
    LoadMultiple(u8),
    /// POP and LDM of so many registers, the program counter among them.
    LoadMultiplePc(u8),
    /// STM and PUSH of so many registers.
    StoreMultiple(u8),
    /// LDRD.
    LoadDouble,
    /// STRD.
    StoreDouble,
    /// Addition, product, comparison, conversion or move within the FPU, or between it and one core register.
    Float,
    /// VMLA, VFMA and their kin.
    FloatMultiplyAdd,
    /// VDIV and VSQRT.
    FloatDivide,
    /// VMOV between two core registers and the FPU.
    FloatMovePair,
    /// VLDR, VLDM and VPOP of so many words.
    FloatLoad(u8),
    /// VSTR, VSTM and VPUSH of so many words.
    FloatStore(u8),
    /// B, with a condition or without: what is not taken goes on behind it.
    Branch,
    /// BL.
    Call,
    /// BX, BLX, and a move or an addition to the program counter.
    BranchRegister,
    /// CBZ and CBNZ.
    CompareBranch,
    /// TBB and TBH.
    TableBranch,
    /// IT.
    IfThen,
    /// MRS, MSR, CPS and the barriers.
    System,
    /// NOP and other hints.
    Hint,
    /// BKPT and SVC, which semihosting uses, and what is not decoded.
    Other,
}

/// Whether an instruction with this first half-word has a second one.
pub const fn is_wide(first: u16) -> bool {
    first >> 11 >= 0b11101
}

/// The operation of an instruction of one half-word.
pub fn narrow(code: u16) -> Operation {
    let registers = (code & 0xFF).count_ones() as u8;
    let low = |shift: u16| (code >> shift & 7) as Register;
    let is_load = code >> 11 & 1 == 1;
    let single = |base: Register, target: Register| match is_load {
        true => Operation::Load { target, base },
        false => Operation::Store { is_offset_register: false },
    };
    match code >> 12 {
        0b0000..=0b0011 | 0b1010 => Operation::Data,
        0b0100 => match code >> 10 & 3 {
            0b00 if code >> 6 & 15 == 13 => Operation::Multiply,
            0b00 => Operation::Data,
            0b01 => match code >> 8 & 3 {
                0b11 => Operation::BranchRegister,
                // CMP names no target.
                0b01 => Operation::Data,
                _ if (code >> 4 & 8 | code & 7) as Register == PC => Operation::BranchRegister,
                _ => Operation::Data,
            },
            _ => Operation::Load { target: (code >> 8 & 7) as Register, base: PC },
        },
        0b0101 if code >> 9 & 7 < 3 => Operation::Store { is_offset_register: true },
        0b0101 => Operation::Load { target: low(0), base: low(3) },
        0b0110..=0b1000 => single(low(3), low(0)),
        0b1001 => single(13, (code >> 8 & 7) as Register),
        0b1011 => match code >> 8 & 15 {
            0b0001 | 0b0011 | 0b1001 | 0b1011 => Operation::CompareBranch,
            0b0100 | 0b0101 => Operation::StoreMultiple(registers + (code >> 8 & 1) as u8),
            0b1100 => Operation::LoadMultiple(registers),
            0b1101 => Operation::LoadMultiplePc(registers + 1),
            0b0110 => Operation::System,
            0b1110 => Operation::Other,
            0b1111 if code & 15 != 0 => Operation::IfThen,
            0b1111 => Operation::Hint,
            _ => Operation::Data,
        },
        0b1100 if is_load => Operation::LoadMultiple(registers),
        0b1100 => Operation::StoreMultiple(registers),
        0b1101 if code >> 9 & 7 == 7 => Operation::Other,
        0b1101 | 0b1110 => Operation::Branch,
        _ => Operation::Other,
    }
}

/// The operation of an instruction of two half-words.
pub fn wide(first: u16, second: u16) -> Operation {
    let target = (second >> 12) as Register;
    let base = (first & 15) as Register;
    let group = first >> 4 & 0x7F;
    let is_load = first >> 4 & 1 == 1;
    match first >> 11 & 3 {
        0b01 if group & 0x64 == 0 => multiple(is_load, second),
        0b01 if group & 0x64 == 0x04 => match (first >> 4, second >> 5 & 7) {
            (0xE8D, 0) => Operation::TableBranch,
            // Exclusive accesses.
            (0xE84 | 0xE8C, _) => Operation::Store { is_offset_register: false },
            (0xE85 | 0xE8D, _) => Operation::Load { target, base },
            _ if is_load => Operation::LoadDouble,
            _ => Operation::StoreDouble,
        },
        0b01 if group & 0x60 == 0x20 => Operation::Data,
        0b10 if second >> 15 == 0 => Operation::Data,
        0b10 => match second >> 12 & 0b101 {
            0b000 if first >> 6 & 15 < 14 => Operation::Branch,
            0b000 if first >> 4 & 0x7F == 0x3A && second & 0xFF < 16 => Operation::Hint,
            0b000 => Operation::System,
            0b001 => Operation::Branch,
            _ => Operation::Call,
        },
        0b11 if group & 0x71 == 0 => {
            Operation::Store { is_offset_register: first >> 7 & 1 == 0 && second >> 6 & 0x3F == 0 }
        }
        0b11 if group & 0x61 == 0x01 && group & 0x10 == 0 || group & 0x71 == 0x11 => match (target, group & 0x06) {
            (PC, 0b100) => Operation::LoadPc,
            // A preload.
            (PC, _) => Operation::Hint,
            _ => Operation::Load { target, base },
        },
        0b11 if group & 0x70 == 0x20 => Operation::Data,
        0b11 if group & 0x78 == 0x30 => match (first >> 4 & 7, second >> 4 & 3) {
            (0, 0) if target == PC => Operation::Multiply,
            (0, 0 | 1) => Operation::MultiplyAdd,
            _ => Operation::DspMultiply,
        },
        0b11 if group & 0x78 == 0x38 => match (first >> 4 & 7, second >> 4 & 15) {
            (0 | 2, _) => Operation::MultiplyLong,
            (1 | 3, _) => Operation::Divide,
            (4 | 6, 0) => Operation::MultiplyAddLong,
            _ => Operation::DspMultiply,
        },
        _ if matches!(second >> 8 & 15, 10 | 11) => float(first, second),
        _ => Operation::Other,
    }
}

/// LDM, STM, and the wide forms of PUSH and POP.
fn multiple(is_load: bool, registers: u16) -> Operation {
    let count = registers.count_ones() as u8;
    match is_load {
        true if registers >> PC & 1 == 1 => Operation::LoadMultiplePc(count),
        true => Operation::LoadMultiple(count),
        false => Operation::StoreMultiple(count),
    }
}

/// Instructions of the FPU.
fn float(first: u16, second: u16) -> Operation {
    match first >> 8 & 15 {
        0b1100 | 0b1101 => {
            let is_load = first >> 4 & 1 == 1;
            let words = match (first >> 8 & 1, first >> 5 & 1) {
                (0, 0) if first >> 6 & 1 == 1 && first >> 7 & 1 == 0 => return Operation::FloatMovePair,
                // VLDR and VSTR of a single or of a double.
                (1, 0) => (second >> 8 & 1) as u8 + 1,
                _ => (second & 0xFE | second & !(second >> 8) & 1) as u8,
            };
            if is_load { Operation::FloatLoad(words) } else { Operation::FloatStore(words) }
        }
        // Transfers of one register.
        0b1110 if second >> 4 & 1 == 1 => Operation::Float,
        // Selections, roundings and numeric maxima of Armv8-M.
        _ if first >> 12 == 15 => Operation::Float,
        _ => match first >> 4 & 0b1011 {
            0b0000 | 0b0001 | 0b1001 | 0b1010 => Operation::FloatMultiplyAdd,
            0b1000 => Operation::FloatDivide,
            0b1011 if first & 15 == 1 && second >> 6 & 3 == 3 => Operation::FloatDivide,
            _ => Operation::Float,
        },
    }
}
