//! Lights an LED when a PDM microphone hears "hello ferris".
//!
//! Wiring, as on the nRF52840 DK: the microphone's clock to P0.30, its data to P0.31, its channel select to ground; LED 1 is P0.13.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::pdm::{self, Config, Pdm, SamplerState};
use embassy_nrf::{bind_interrupts, peripherals};
use panic_halt as _;
use smolnn::signal::micro::{DEFAULT, MicroFrontend};
use smolnn::stream::WakeWord;
use static_cell::ConstStaticCell;

smolnn::include_model!(wake);

bind_interrupts!(struct Interrupts {
    PDM => pdm::InterruptHandler<peripherals::PDM>;
});

/// Samples per half of the DMA's buffer: 30 ms. The pipeline has this time for them while the other half fills.
const BLOCK: usize = 480;

/// Front end, model and detector. A static, so that the linker finds its place and the stack stays small.
static EARS: ConstStaticCell<WakeWord<wake::Model>> =
    ConstStaticCell::new(WakeWord::new(MicroFrontend::new(&DEFAULT), wake::Model::new(), wake::DETECTOR));
static BLOCKS: ConstStaticCell<[[i16; BLOCK]; 2]> = ConstStaticCell::new([[0; BLOCK]; 2]);

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let board = embassy_nrf::init(embassy_nrf::config::Config::default());
    let mut led = Output::new(board.P0_13, Level::High, OutputDrive::Standard);
    // 1.28 MHz divided by 80: the 16 000 samples per second that the front end wants.
    let mut config = Config::default();
    config.frequency = pdm::Frequency::_1280k;
    config.ratio = pdm::Ratio::Ratio80;
    let mut microphone = Pdm::new(board.PDM, Interrupts, board.P0_30, board.P0_31, config);
    let (ears, blocks) = (EARS.take(), BLOCKS.take());
    loop {
        let hear = |block: &[i16; BLOCK]| {
            if ears.push(block).is_some() {
                led.toggle();
            }
            SamplerState::Sampled
        };
        // The sampler never asks to stop; were it refused, the loop would start it again.
        let _ = microphone.run_task_sampler(blocks, hear).await;
    }
}
