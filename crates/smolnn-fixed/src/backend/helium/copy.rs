//! Moving bytes, 16 at a time. The library's `memcpy` costs more than a patch has to move.

use core::arch::naked_asm;

use super::vector::helium;

/// Copies `bytes` bytes.
///
/// # Safety
/// `bytes` bytes at `from` can be read, those at `to` written; where they overlap, `to` comes first.
//
// | register | holds                          |
// |----------|--------------------------------|
// | r0, r1   | next bytes at `to` and `from`  |
// | r2       | `bytes`                        |
// | r7       | kept only to align the stack   |
// | lr       | bytes that are left            |
// | q0       | the bytes on their way         |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy(to: *mut i8, from: *const i8, bytes: usize) {
    naked_asm!(
        helium!(),
        "push {{r7, lr}}",
        "wlstp.8 lr, r2, 4f",
        "3:",
        "vldrb.u8 q0, [r1], #16",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 3b",
        "4:",
        "pop {{r7, pc}}",
    )
}

/// Sets `bytes` bytes at `to` to `value`.
///
/// # Safety
/// `bytes` bytes at `to` can be written.
//
// | register | holds                              |
// |----------|------------------------------------|
// | r0       | next bytes at `to`                 |
// | r1       | `value`                            |
// | r2       | `bytes`                            |
// | r7       | kept only to align the stack       |
// | lr       | bytes that are left                |
// | q0       | sixteen times `value`              |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn fill(to: *mut i8, value: i32, bytes: usize) {
    naked_asm!(
        helium!(),
        "push {{r7, lr}}",
        "vdup.8 q0, r1",
        "wlstp.8 lr, r2, 4f",
        "3:",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 3b",
        "4:",
        "pop {{r7, pc}}",
    )
}

/// Clamps `bytes` int8 values at `values` to `minimum..=maximum`.
///
/// # Safety
/// `bytes` bytes at `values` can be read and written.
//
// | register | holds                            |
// |----------|----------------------------------|
// | r0       | next values                      |
// | r1       | `bytes`                          |
// | r2, r3   | the bounds                       |
// | r7       | kept only to align the stack     |
// | lr       | bytes that are left              |
// | q0       | sixteen values                   |
// | q1, q2   | sixteen times each bound         |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn clamp(values: *mut i8, bytes: usize, minimum: i32, maximum: i32) {
    naked_asm!(
        helium!(),
        "push {{r7, lr}}",
        "vdup.8 q1, r2",
        "vdup.8 q2, r3",
        "wlstp.8 lr, r1, 4f",
        "3:",
        "vldrb.u8 q0, [r0]",
        "vmax.s8 q0, q0, q1",
        "vmin.s8 q0, q0, q2",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 3b",
        "4:",
        "pop {{r7, pc}}",
    )
}

/// Patches of pixels that lie side by side. The assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Patches {
    /// Bytes of a row of a patch that lie together, and rows.
    pub bytes: usize,
    pub rows: usize,
    /// Bytes from a row to the next: of what is written, of what is read.
    pub to_row: usize,
    pub from_row: usize,
    /// How many patches there are, and bytes from a patch to the next: of what is written, of what is read.
    pub count: usize,
    pub to_patch: usize,
    pub from_patch: usize,
}

/// Copies patches. Bytes, rows and count are at least 1.
///
/// # Safety
/// The rows of the patches at `from` can be read, those at `to` written, and no row at `to` overlaps one at `from`.
//
// | register | holds                                                                  |
// |----------|------------------------------------------------------------------------|
// | r0, r1   | the patch at `to` and at `from`                                        |
// | r2       | `bytes`                                                                |
// | r3       | `rows`                                                                 |
// | r4, r5   | the row at `to` and at `from`, or the next bytes of it                 |
// | r6, r7   | `to_row`, `from_row`; for long rows less the bytes that were passed    |
// | r8       | patches that are left                                                  |
// | r9, r10  | `to_patch`, `from_patch`                                               |
// | r11      | rows that are left, of long ones                                       |
// | lr       | rows that are left, of short ones; bytes that are left                 |
// | q0       | the bytes on their way                                                 |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy_patches(to: *mut i8, from: *const i8, patches: &Patches) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "ldm.w r2, {{r2, r3, r6, r7, r8, r9, r10}}",
        "cmp r2, #16",
        "bhi 5f",
        // Rows of one vector: the predicate is the same for all.
        "vctp.8 r2",
        "2:",
        "mov r4, r0",
        "mov r5, r1",
        "dls lr, r3",
        "3:",
        "vpstt",
        "vldrbt.u8 q0, [r5]",
        "vstrbt.8 q0, [r4]",
        "add r5, r7",
        "add r4, r6",
        "le lr, 3b",
        "add r0, r9",
        "add r1, r10",
        "subs r8, #1",
        "bne 2b",
        "pop {{r4-r11, pc}}",
        "5:",
        "add r12, r2, #15",
        "bic r12, #15",
        "sub r6, r12",
        "sub r7, r12",
        "6:",
        "mov r4, r0",
        "mov r5, r1",
        "mov r11, r3",
        "7:",
        "dlstp.8 lr, r2",
        "8:",
        "vldrb.u8 q0, [r5], #16",
        "vstrb.8 q0, [r4], #16",
        "letp lr, 8b",
        "add r5, r7",
        "add r4, r6",
        "subs r11, #1",
        "bne 7b",
        "add r0, r9",
        "add r1, r10",
        "subs r8, #1",
        "bne 6b",
        "pop {{r4-r11, pc}}",
    )
}
