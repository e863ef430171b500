//! {{about}}
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use semihosting::{println, process};
{{uses}}
use static_cell::ConstStaticCell;

smolnn::include_model!({{model}});

/// The model with all of its RAM, {{model}}::ARENA_BYTES and its state. A static, so that the linker finds its place and the stack stays small.
static MODEL: ConstStaticCell<{{model}}::Model> = ConstStaticCell::new({{model}}::Model::new());

{{items}}
#[entry]
fn main() -> ! {
    let model = MODEL.take();
    {{listen}}
    {{infer}}
    process::exit(0)
}
