//! Loops whose cycles the manuals of the cores state: `cargo xtask cycles --rules` holds the plugin's model against them.
//!
//! A line `rule NAME` says which loop comes next. Its body runs 1 000 and then 2 000 times between marks, so that what is around
//! the loop cancels.
#![no_std]
#![no_main]
// Loops of given instructions.
#![allow(unsafe_code)]

#[cfg(target_arch = "arm")]
use board::counter::mark;

board::entry!(run);

/// Runs loops of a name and a body. A body may use r2 to r5 and r12; r1 points to memory of its own, r3 is 1 when it begins.
#[cfg(target_arch = "arm")]
macro_rules! rules {
    ($($name:literal: $($body:literal),+;)+) => { rules! { []; $($name: $($body),+;)+ } };
    ($registers:tt; $($name:literal: $($body:literal),+;)+) => { $(rules!(@ $registers $name: $($body),+);)+ };
    (@ [$($register:tt)*] $name:literal: $($body:literal),+) => {{
        board::println!("rule {}", $name);
        let mut memory = [1_u32; 16];
        for turns in [1000_u32, 2000] {
            mark();
            // SAFETY: reads and writes 16 words that belong to it and the registers that it names.
            unsafe {
                core::arch::asm!(
                    ".p2align 2", "2:", $($body,)+ "subs r0, #1", "bne 2b",
                    inout("r0") turns => _, in("r1") memory.as_mut_ptr(),
                    out("r2") _, inout("r3") 1 => _, out("r4") _, out("r5") _, out("r12") _, out("lr") _, $($register)*
                );
            }
            mark();
        }
    }};
}

#[cfg(target_arch = "arm")]
fn run() -> board::Exit {
    rules! {
        "empty": "";
        "adds": "adds r2, r2, #1";
        "muls": "muls r2, r3, r2";
        "ldr": "ldr r2, [r1]";
        "ldr adds ldr": "ldr r2, [r1]", "adds r2, r2, #1", "ldr r4, [r1, #4]";
        "ldr ldr": "ldr r2, [r1]", "ldr r4, [r1, #4]";
        "ldr ldr ldr": "ldr r2, [r1]", "ldr r4, [r1, #4]", "ldr r5, [r1, #8]";
        "str": "str r2, [r1]";
        "ldm 4": "mov r12, r1", "ldm r1!, {{r2, r3, r4, r5}}", "mov r1, r12";
        "push pop 3": "push {{r2, r3, r4}}", "pop {{r2, r3, r4}}";
        "b": "b 3f", "nop", "3:";
        "bl bx": "bl 4f", "b 5f", "4: bx lr", "5:";
        "beq not taken": "cmp r3, #0", "beq 6f", "6:";
    }
    #[cfg(thumb2)]
    rules! {
        "ldr to base": "ldr r2, [r1]", "adds r2, r1, #0", "ldr r4, [r2]", "ldr r5, [r1]";
        "mla": "mla r2, r3, r4, r2";
        "umull": "umull r2, r4, r3, r3";
        "umlal": "umlal r2, r4, r3, r3";
        "ldrd": "ldrd r2, r4, [r1]";
        "strd": "strd r2, r4, [r1]";
        "str to register": "mov r4, #4", "str r2, [r1, r4]";
        "it": "cmp r3, #0", "it eq", "moveq r2, r3";
        "udiv": "udiv r2, r3, r3";
        "tbb": "mov r4, #0", "tbb [pc, r4]", ".byte 1, 1";
        "cbz not taken": "cbz r3, 7f", "7:";
    }
    // Cores with an FPU have the DSP extension here.
    #[cfg(fpu)]
    rules! {
        [out("s0") _, out("s1") _, out("s2") _, out("s3") _];
        "smlad": "smlad r2, r3, r3, r2";
        "smmul": "smmul r2, r3, r3";
        "smlald": "smlald r2, r4, r3, r3";
        "vadd": "vadd.f32 s0, s1, s1";
        "vfma": "vfma.f32 s0, s1, s1";
        "vdiv": "vdiv.f32 s0, s1, s1";
        "vldr": "vldr s0, [r1]";
        "vldm 4": "vldm r1, {{s0, s1, s2, s3}}";
        "vstr": "vstr s0, [r1]";
        "vmov pair": "vmov r2, r4, d0";
    }
    board::Exit::Pass
}

#[cfg(not(target_arch = "arm"))]
fn run() -> board::Exit {
    board::println!("the loops are Thumb code");
    board::Exit::Fail
}
