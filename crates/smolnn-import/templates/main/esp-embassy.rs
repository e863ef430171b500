//! {{about}}
#![no_std]
#![no_main]

use defmt::info;
use embassy_executor::Spawner;
use embassy_time::{Instant, Timer};
use esp_hal::clock::CpuClock;
use esp_hal::interrupt::software::SoftwareInterruptControl;
use esp_hal::timer::timg::TimerGroup;
{{uses}}
use static_cell::ConstStaticCell;
use {defmt_rtt as _, esp_backtrace as _};

smolnn::include_model!({{model}});

esp_bootloader_esp_idf::esp_app_desc!();

/// The model with all of its RAM, {{model}}::ARENA_BYTES and its state. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<{{model}}::Model> = ConstStaticCell::new({{model}}::Model::new());

{{items}}
#[esp_rtos::main]
async fn main(_spawner: Spawner) {
    let board = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let interrupts = SoftwareInterruptControl::new(board.SW_INTERRUPT);
    esp_rtos::start(TimerGroup::new(board.TIMG0).timer0, interrupts.software_interrupt0);
    let model = MODEL.take();
    {{listen}}
    loop {
        let start = Instant::now();
        {{infer}}
        info!("{} µs", start.elapsed().as_micros());
        Timer::after_secs(1).await;
    }
}
