//! Models the cycles of Cortex-M cores: a plugin of QEMU's translator, which sees each block of instructions once when it is
//! translated and is called each time it runs.
//!
//! QEMU knows nothing of time: it executes an instruction per tick. The plugin decodes each block (`decode`), adds up what
//! its instructions take by the published timings of a core (`timing`), and counts how often each block runs and whether it
//! jumps (`count`). `cargo xtask cycles` builds it, runs firmware under it and reads the file that it leaves.
//!
//! Options: `core=m4,image=FIRMWARE.elf,out=FILE,wait_states=0`.
// Functions and pointers of QEMU's interface.
#![allow(unsafe_code)]

mod count;
mod decode;
mod timing;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::{Mutex, PoisonError};

use count::{Counts, Options};

/// The version of QEMU's interface that the plugin was built for: 1 up to QEMU 8, 2 from QEMU 9. What is used here is the same in both.
// SAFETY: the one symbol of this name; QEMU reads an int.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static qemu_plugin_version: c_int = match option_env!("SMOLNN_QEMU_PLUGIN") {
    Some(version) if version.len() == 1 && version.as_bytes()[0] == b'2' => 2,
    _ => 1,
};

type Id = u64;
type Block = *mut c_void;
type Instruction = *mut c_void;

// SAFETY: declarations of qemu-plugin.h, which QEMU's binary exports.
unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: extern "C" fn(Id, Block));
    fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: Block,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_atexit_cb(id: Id, callback: extern "C" fn(Id, *mut c_void), data: *mut c_void);
    fn qemu_plugin_tb_n_insns(block: Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: Block, index: usize) -> Instruction;
    fn qemu_plugin_insn_vaddr(instruction: Instruction) -> u64;
    fn qemu_plugin_insn_size(instruction: Instruction) -> usize;
}

/// The counts of the one core that QEMU emulates.
static COUNTS: Mutex<Option<Counts>> = Mutex::new(None);

/// Does something with the counts.
fn with<T>(work: impl FnOnce(&mut Counts) -> T) -> Option<T> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
}

/// What QEMU calls first. Anything but 0 ends QEMU.
///
/// # Safety
/// `arguments` are `count` strings, as QEMU passes them.
// SAFETY: the one symbol of this name, with the arguments that QEMU passes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _info: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    let mut options = Options::default();
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: QEMU passes `count` pointers to strings that end in 0 and live as long as this call.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) };
        if let Err(error) = options.take(&argument.to_string_lossy()) {
            eprintln!("cycles: {error}");
            return 1;
        }
    }
    match Counts::new(options) {
        Ok(counts) => *COUNTS.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts),
        Err(error) => {
            eprintln!("cycles: {error}");
            return 1;
        }
    }
    // SAFETY: the id is the one that QEMU gave, the callbacks live as long as the library.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, ended, std::ptr::null_mut());
    }
    0
}

/// A block was translated.
extern "C" fn translated(_id: Id, block: Block) {
    // SAFETY: QEMU passes a block that is valid during this call, and instructions of it by index; the counts' number is no pointer
    // and is given back as it is.
    unsafe {
        let mut instructions = (0..qemu_plugin_tb_n_insns(block)).map(|index| qemu_plugin_tb_get_insn(block, index));
        let addresses = instructions.clone().map(|instruction| qemu_plugin_insn_vaddr(instruction));
        let end = instructions
            .next_back()
            .map_or(0, |last| qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last) as u64);
        let number = with(|counts| counts.translate(addresses, end)).unwrap_or(0);
        qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, number as *mut c_void);
    }
}

/// A block runs.
extern "C" fn executed(_core: c_uint, number: *mut c_void) {
    with(|counts| counts.execute(number as usize));
}

/// QEMU ends.
extern "C" fn ended(_id: Id, _data: *mut c_void) {
    if let Some(Err(error)) = with(|counts| counts.write()) {
        eprintln!("cycles: the counts are not written: {error}");
    }
}
