//! Hears which of nine men speaks: a GRU that PyTorch trained, in integers.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use panic_halt as _;
use semihosting::{println, process};
use smolnn::Argmax;
use smolnn::fixed::convert::quantise;
use smolnn::fixed::quantise::Affine;
use static_cell::ConstStaticCell;

smolnn::include_model!(gru);

// UTTERANCES, 29 frames of 12 coefficients each; SPEAKERS; HOST, what the same integers gave when the firmware was built.
include!(concat!(env!("OUT_DIR"), "/recording.rs"));

/// All of the model's RAM, gru::ARENA_BYTES. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<gru::Model> = ConstStaticCell::new(gru::Model::new());

#[entry]
fn main() -> ! {
    let model = MODEL.take();
    let input = Affine::new(gru::INPUT_SCALE, gru::INPUT_ZERO_POINT);
    let (mut right, mut exact) = (0, 0);
    for ((frames, &speaker), host) in UTTERANCES.iter().zip(&SPEAKERS).zip(&HOST) {
        if quantise(input, frames, model.input_mut()).is_err() {
            process::exit(1);
        }
        model.run();
        let scores = model.output();
        println!("speaker {}, it is {speaker}", scores.argmax());
        right += usize::from(scores.argmax() == speaker);
        exact += usize::from(scores == host);
    }
    let count = UTTERANCES.len();
    println!("{right} of {count} right, {exact} of {count} bit for bit as on the host");
    process::exit(if exact == count { 0 } else { 1 })
}
