//! Must fail: never ends. `cargo xtask selftest` shows that a run has a deadline.
#![no_std]
#![no_main]

board::entry!(run);

fn run() -> board::Exit {
    board::println!("hanging");
    loop {
        core::hint::spin_loop();
    }
}
