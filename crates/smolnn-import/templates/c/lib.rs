//! The model `{{name}}` for C: `{{name}}.h` says how it is used. Made by `smolnn compile --c`, not to be edited.
#![no_std]
// Pointers come from C, which promises what the header says.
#![allow(clippy::missing_safety_doc)]

#[allow(dead_code)]
mod {{name}};

use {{name}}::*;

// The memory that the header declares is that of the model.
const _: () = assert!(size_of::<Model>() == {{memory_bytes}} && align_of::<Model>() <= 16, "{{name}}.h is of another model: compile both anew");
const _: () = assert!(
    smolnn::fixed::Backend::CURRENT as u8 == smolnn::fixed::Backend::{{backend_variant}} as u8,
    "the model was compiled for the backend {{backend}}: take the target and the target-cpu of such a core, or compile it for another backend"
);

/// Sets the memory up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn {{name}}_init(model: *mut Model) {
    // SAFETY: the caller hands over memory of the size and alignment that the header declares. All of it is numbers, for which any bits will do, and `reset`
    // gives the states their values.
    unsafe {
        model.write_bytes(0, 1);
        (*model).reset();
    }
}

/// Sets the states back to their start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn {{name}}_reset(model: *mut Model) {
    // SAFETY: the caller set the memory up by `{{name}}_init`, and nothing else uses it meanwhile.
    unsafe { (*model).reset() }
}

/// Runs the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn {{name}}_infer(model: *mut Model{{parameters}}) {
    // SAFETY: the caller set the memory up by `{{name}}_init`, nothing else uses it meanwhile, and the arrays have the lengths that the header declares.
    unsafe {
        let model = &mut *model;
        {{copy_in}}
        model.run();
        {{copy_out}}
    }
}

/// Rust wants a function for panics. Nothing here panics, so that the linker leaves it out.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
