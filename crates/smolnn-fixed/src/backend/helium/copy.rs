//! Moving bytes, 16 at a time. The library's `memcpy` costs more than a patch has to move.

use core::arch::naked_asm;

use super::vector::helium;

/// Copies `rows` rows of `bytes` bytes, `from_stride` and `to_stride` bytes apart.
///
/// # Safety
/// The rows at `from` can be read, those at `to` written, and no row at `to` overlaps one at `from`.
//
// | register | holds                                        |
// |----------|----------------------------------------------|
// | r0, r1   | start of the row at `to` and at `from`       |
// | r2       | `bytes`                                      |
// | r3       | rows that are left                           |
// | r4, r5   | next bytes of the row at `to` and at `from`  |
// | r6, r7   | `to_stride`, `from_stride`                   |
// | lr       | bytes of the row that are left               |
// | q0       | the bytes on their way                       |
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy_rows(
    to: *mut i8,
    from: *const i8,
    bytes: usize,
    rows: usize,
    to_stride: usize,
    from_stride: usize,
) {
    naked_asm!(
        helium!(),
        "push {{r4-r7, lr}}",
        "ldrd r6, r7, [sp, #20]",
        "cbz r3, 5f",
        "2:",
        "mov r4, r0",
        "mov r5, r1",
        "wlstp.8 lr, r2, 4f",
        "3:",
        "vldrb.u8 q0, [r5], #16",
        "vstrb.8 q0, [r4], #16",
        "letp lr, 3b",
        "4:",
        "add r0, r0, r6",
        "add r1, r1, r7",
        "subs r3, #1",
        "bne 2b",
        "5:",
        "pop {{r4-r7, pc}}",
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
