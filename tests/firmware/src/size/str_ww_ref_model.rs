//! Firmware with this model alone.
#![no_std]
#![no_main]
#[cfg(model = "str_ww_ref_model")]
firmware::model_alone!(firmware::models::str_ww_ref_model::compiled);
#[cfg(not(model = "str_ww_ref_model"))]
firmware::model_absent!();
