//! Firmware with this model alone.
#![no_std]
#![no_main]
#[cfg(model = "vww_96_int8")]
firmware::model_alone!(firmware::models::vww_96_int8::compiled);
#[cfg(not(model = "vww_96_int8"))]
firmware::model_absent!();
