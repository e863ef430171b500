//! {{about}}
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use defmt::info;
{{uses}}
use static_cell::ConstStaticCell;
use {defmt_rtt as _, panic_probe as _};

smolnn::include_model!({{model}});

/// The model with all of its RAM, {{model}}::ARENA_BYTES and its state. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<{{model}}::Model> = ConstStaticCell::new({{model}}::Model::new());

{{items}}
{{boot}}
{{clock}}
#[entry]
fn main() -> ! {
    let model = MODEL.take();
    {{listen}}
    loop {
        {{infer}}
        cortex_m::asm::delay(10_000_000);
    }
}
