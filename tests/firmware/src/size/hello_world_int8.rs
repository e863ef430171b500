//! Firmware with this model alone.
#![no_std]
#![no_main]
#[cfg(model = "hello_world_int8")]
firmware::model_alone!(firmware::models::hello_world_int8::compiled);
#[cfg(not(model = "hello_world_int8"))]
firmware::model_absent!();
