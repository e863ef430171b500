//! {{about}}
#![no_std]
#![no_main]

use defmt::info;
use embassy_executor::Spawner;
{{hal_uses}}
use embassy_time::{Instant, Timer};
{{uses}}
use static_cell::ConstStaticCell;
use {defmt_rtt as _, panic_probe as _};

smolnn::include_model!({{model}});

/// The model with all of its RAM, {{model}}::ARENA_BYTES and its state. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<{{model}}::Model> = ConstStaticCell::new({{model}}::Model::new());

{{items}}
#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    {{configure}}
    let _board = {{hal}}::init({{config}}); // the peripherals
    let model = MODEL.take();
    {{listen}}
    loop {
        let start = Instant::now();
        {{infer}}
        info!("{} µs", start.elapsed().as_micros());
        Timer::after_secs(1).await;
    }
}
