//! {{about}}
#![no_std]
#![no_main]

use defmt::info;
use esp_hal::clock::CpuClock;
use esp_hal::delay::Delay;
use esp_hal::time::Instant;
{{uses}}
use static_cell::ConstStaticCell;
use {defmt_rtt as _, esp_backtrace as _};

smolnn::include_model!({{model}});

esp_bootloader_esp_idf::esp_app_desc!();

/// The model with all of its RAM, {{model}}::ARENA_BYTES and its state. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<{{model}}::Model> = ConstStaticCell::new({{model}}::Model::new());

{{items}}
#[esp_hal::main]
fn main() -> ! {
    let _board = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let model = MODEL.take();
    {{listen}}
    loop {
        let start = Instant::now();
        {{infer}}
        info!("{} µs", start.elapsed().as_micros());
        Delay::new().delay_millis(1000);
    }
}
