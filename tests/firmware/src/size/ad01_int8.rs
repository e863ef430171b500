//! Firmware with this model alone.
#![no_std]
#![no_main]
#[cfg(model = "ad01_int8")]
firmware::model_alone!(firmware::models::ad01_int8::compiled);
#[cfg(not(model = "ad01_int8"))]
firmware::model_absent!();
