//! Lights an LED when an I2S microphone hears "hello ferris"; a state machine of the PIO reads it.
//!
//! Wiring, as on a Pico 2: the microphone's data to GPIO 2, its bit clock to GPIO 3, its word select to GPIO 4, its channel select to ground
//! (left); the LED is GPIO 25.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::pio::{self, Pio};
use embassy_rp::pio_programs::i2s::{PioI2sIn, PioI2sInProgram};
use embassy_rp::{bind_interrupts, dma, peripherals};
use panic_halt as _;
use smolnn::signal::micro::{DEFAULT, MicroFrontend};
use smolnn::stream::WakeWord;
use static_cell::ConstStaticCell;

smolnn::include_model!(wake);

bind_interrupts!(struct Interrupts {
    PIO0_IRQ_0 => pio::InterruptHandler<peripherals::PIO0>;
    DMA_IRQ_0 => dma::InterruptHandler<peripherals::DMA_CH0>;
});

const SAMPLE_RATE: u32 = 16_000;
/// Frames of a DMA transfer: 30 ms. The pipeline has this time for them while the next transfer runs.
const BLOCK: usize = 480;

/// Front end, model and detector. A static, so that the linker finds its place and the stack stays small.
static EARS: ConstStaticCell<WakeWord<wake::Model>> =
    ConstStaticCell::new(WakeWord::new(MicroFrontend::new(&DEFAULT), wake::Model::new(), wake::DETECTOR));
static BLOCKS: ConstStaticCell<[[u32; BLOCK]; 2]> = ConstStaticCell::new([[0; BLOCK]; 2]);

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let board = embassy_rp::init(embassy_rp::config::Config::default());
    let mut led = Output::new(board.PIN_25, Level::Low);
    let Pio { mut common, sm0, .. } = Pio::new(board.PIO0, Interrupts);
    let program = PioI2sInProgram::new(&mut common);
    let mut microphone = PioI2sIn::new(
        &mut common,
        sm0,
        board.DMA_CH0,
        Interrupts,
        false,
        board.PIN_2,
        board.PIN_3,
        board.PIN_4,
        SAMPLE_RATE,
        16,
        2,
        &program,
    );
    microphone.start();
    let ears = EARS.take();
    let [filling, heard] = BLOCKS.take();
    let (mut filling, mut heard) = (filling, heard);
    loop {
        let transfer = microphone.read(filling);
        // A frame has the left channel in its upper half.
        for &frame in heard.iter() {
            if ears.push(&[(frame >> 16) as i16]).is_some() {
                led.toggle();
            }
        }
        transfer.await;
        core::mem::swap(&mut filling, &mut heard);
    }
}
