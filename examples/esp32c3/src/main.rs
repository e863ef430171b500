//! Lights an LED when an I2S microphone hears "hello ferris".
//!
//! Wiring: the microphone's bit clock to GPIO 4, its word select to GPIO 5, its data to GPIO 6, its channel select to ground (left); the LED is
//! GPIO 7.
#![no_std]
#![no_main]

use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::i2s::master::{Channels, Config, DataFormat, I2s};
use esp_hal::time::Rate;
use panic_halt as _;
use smolnn::signal::micro::{DEFAULT, MicroFrontend};
use smolnn::stream::WakeWord;
use static_cell::ConstStaticCell;

smolnn::include_model!(wake);

esp_bootloader_esp_idf::esp_app_desc!();

/// Bytes of the DMA's ring: 60 ms in three parts. The pipeline has 40 ms for a part while the others fill.
const RING: usize = 1920;

/// Front end, model and detector. A static, so that the linker finds its place and the stack stays small.
static EARS: ConstStaticCell<WakeWord<wake::Model>> =
    ConstStaticCell::new(WakeWord::new(MicroFrontend::new(&DEFAULT), wake::Model::new(), wake::DETECTOR));
static BYTES: ConstStaticCell<[u8; RING]> = ConstStaticCell::new([0; RING]);

#[esp_hal::main]
fn main() -> ! {
    let board = esp_hal::init(esp_hal::Config::default());
    let mut led = Output::new(board.GPIO7, Level::Low, OutputConfig::default());
    let (mut ring, descriptors, _, _) = esp_hal::dma_circular_buffers!(RING, 0);
    let config = Config::new_tdm_philips()
        .with_sample_rate(Rate::from_hz(16_000))
        .with_data_format(DataFormat::Data16Channel16)
        .with_channels(Channels::MONO);
    let Ok(i2s) = I2s::new(board.I2S0, board.DMA_CH0, config) else { fail(&mut led) };
    let mut microphone =
        i2s.i2s_rx.with_bclk(board.GPIO4).with_ws(board.GPIO5).with_din(board.GPIO6).build(descriptors);
    let (ears, bytes) = (EARS.take(), BYTES.take());
    loop {
        let Ok(mut transfer) = microphone.read_dma_circular(&mut ring) else { fail(&mut led) };
        // An error is a ring that was written over before it was read: sound is lost, and what comes next is a new stream.
        while let Ok(count) = transfer.pop(bytes) {
            for &sample in bytes[..count].as_chunks().0 {
                if ears.push(&[i16::from_le_bytes(sample)]).is_some() {
                    led.toggle();
                }
            }
        }
        ears.reset();
    }
}

/// Tells a wrong configuration by an LED that stays on.
fn fail(led: &mut Output<'_>) -> ! {
    led.set_high();
    loop {
        core::hint::spin_loop();
    }
}
