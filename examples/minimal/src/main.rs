//! Recognises a handwritten digit.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use panic_halt as _;
use semihosting::{println, process};
use smolnn::Argmax;
use static_cell::ConstStaticCell;

smolnn::include_model!(digits);

/// All of the model's RAM, digits::ARENA_BYTES and its state. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<digits::Model> = ConstStaticCell::new(digits::Model::new());

/// 8×8 pixels of ink, 0 to 16.
const PICTURE: [u8; 64] = [
    0, 0, 5, 12, 1, 6, 0, 0, //
    0, 0, 11, 12, 0, 16, 2, 0, //
    0, 0, 16, 5, 0, 12, 4, 0, //
    0, 3, 15, 0, 0, 8, 4, 0, //
    0, 7, 12, 0, 0, 4, 7, 0, //
    0, 2, 15, 1, 1, 12, 5, 0, //
    0, 0, 16, 11, 12, 15, 3, 0, //
    0, 0, 4, 12, 12, 3, 0, 0, //
];

#[entry]
fn main() -> ! {
    let model = MODEL.take();
    let scores = model.infer(&PICTURE.map(|ink| (i16::from(ink) * 255 / 16 - 128) as i8));
    println!("this is a {}", scores.argmax());
    process::exit(0)
}
