//! Firmware with this model alone.
#![no_std]
#![no_main]
#[cfg(model = "kws_ref_model")]
firmware::model_alone!(firmware::models::kws_ref_model::compiled);
#[cfg(not(model = "kws_ref_model"))]
firmware::model_absent!();
