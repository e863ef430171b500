//! The records of planes ([`Layout::DspPlanes`](crate::pack::Layout::DspPlanes)): the lines of the input that an output row sees, and the loop that pairs
//! two of them column by column. What a record is stands in `depthwise_planes.rs`.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use super::pack::PLANE_RECORD;

/// Where a row's pixels are, and how many bytes from one to the next; 0 where the row is padding.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Line {
    pub(super) start: *const i8,
    pub(super) step: usize,
}

impl Line {
    fn at(self, column: usize) -> Self {
        Self { start: self.start.wrapping_add(column.wrapping_mul(self.step)), step: self.step }
    }
}

/// Writes `count` lines: the first one, and others `down` bytes apart. Gives the place behind them.
///
/// # Safety
/// There is room for so many.
//
// | register | holds                          | register | holds                          |
// |----------|--------------------------------|----------|--------------------------------|
// | r0, r1   | next line, lines left          | r2, r3   | its start; `down`              |
// | r12      | `step`                         |          |                                |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn write_lines(
    lines: *mut Line,
    count: usize,
    start: *const i8,
    down: usize,
    step: usize,
) -> *mut Line {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "cbz r1, 3f",
        "ldr.w r12, [sp]",
        "2:",
        "stmia.w r0!, {{r2, r12}}",
        "add r2, r3",
        "subs r1, r1, #1",
        "bne 2b",
        "3:",
        "bx lr",
    )
}

/// Makes the records for a kernel of one row, which pair columns that are `reach` apart.
///
/// # Safety
/// As for [`gather`]. The first line is that row; there is room for one more. `records` are those of the columns inside of the input.
#[inline(never)]
pub(super) unsafe fn gather_alone(
    lines: *mut Line,
    padding: Line,
    channel: usize,
    records: *mut u32,
    before: usize,
    inside: usize,
    reach: usize,
) {
    // SAFETY: as the caller vouches.
    unsafe {
        let line = *lines;
        let gather = |upper: Line, lower: Line, records: *mut u32, columns: usize| {
            if columns > 0 {
                (*lines, *lines.add(1)) = (upper, lower);
                gather(lines, 1, channel, records, columns, 0);
            }
        };
        // Columns whose partner alone is inside, those where both are, and those without a partner.
        let early = before.min(reach);
        let partners = early.min(inside.saturating_sub(reach - early));
        gather(padding, line.at(reach - early), records.wrapping_sub(early * PLANE_RECORD), partners);
        let both = inside.saturating_sub(reach);
        gather(line, line.at(reach), records, both);
        gather(line.at(both), padding, records.wrapping_add(both * PLANE_RECORD), inside - both);
        *lines = line;
    }
}

/// Makes the record of the column whose bytes are in two registers; r4 to r7 and the first of them are overwritten.
macro_rules! record {
    ($upper:literal, $lower:literal) => {
        concat!(
            "pkhbt r6, ",
            $upper,
            ", ",
            $lower,
            ", lsl #16\npkhtb ",
            $upper,
            ", ",
            $lower,
            ", ",
            $upper,
            ", asr #16
             sxtb16 r4, r6
             sxtb16 r5, r6, ror #8
             sxtb16 r6, ",
            $upper,
            "\nsxtb16 r7, ",
            $upper,
            ", ror #8
             stmia.w r12!, {{r4, r5, r6, r7}}
            "
        )
    };
}

/// Turns the columns of `count` pairs of lines into records, of the four channels from `channel` on. Records of a pair end `gap` bytes before those
/// of the next one.
///
/// # Safety
/// Those channels can be read in so many columns of the lines, and the records be written. `channel` is below the number of channels; `count` and
/// `columns` are not 0.
//
// | register | holds                           | register       | holds                                         |
// |----------|---------------------------------|----------------|-----------------------------------------------|
// | r0, r1   | upper line, its step            | r4, r5, r6, r7 | words of a record                             |
// | r2, r3   | lower line, its step            | r8, r9         | four bytes of both lines                      |
// | r12, lr  | next record; columns left       | r10, r11       | those of the next column                      |
//
// | stack | holds                  | stack  | holds            |
// |-------|------------------------|--------|------------------|
// | 0, 4  | next lines, pairs left | 48, 52 | `columns`, `gap` |
// | 8     | `channel`              |        |                  |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn gather(
    lines: *const Line,
    count: usize,
    channel: usize,
    records: *mut u32,
    columns: usize,
    gap: usize,
) {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r0, r1, r2, r4-r11, lr}}",
        "mov r12, r3",
        "1:",
        "ldr r4, [sp]",
        "ldr r5, [sp, #8]",
        "ldr.w lr, [sp, #48]",
        "ldmia r4!, {{r0, r1, r2, r3}}",
        "str r4, [sp]",
        "add r0, r5",
        "add r2, r5",
        "subs.w lr, lr, #2",
        "blt 3f",
        "2:",
        "ldr.w r8, [r0]",
        "ldr.w r9, [r2]",
        "ldr.w r10, [r0, r1]",
        "ldr.w r11, [r2, r3]",
        "add.w r0, r0, r1, lsl #1",
        "add.w r2, r2, r3, lsl #1",
        record!("r8", "r9"),
        record!("r10", "r11"),
        "subs.w lr, lr, #2",
        "bge 2b",
        "3:",
        "adds.w lr, lr, #1",
        "bmi 4f",
        "ldr.w r8, [r0]",
        "ldr.w r9, [r2]",
        record!("r8", "r9"),
        "4:",
        "ldr r5, [sp, #4]",
        "ldr r6, [sp, #52]",
        "add r12, r6",
        "subs r5, r5, #1",
        "str r5, [sp, #4]",
        "bne 1b",
        "add sp, #12",
        "pop {{r4-r11, pc}}",
    )
}
