//! Firmware with this model alone.
#![no_std]
#![no_main]
#[cfg(model = "pretrainedResnet_quant")]
firmware::model_alone!(firmware::models::pretrainedResnet_quant::compiled);
#[cfg(not(model = "pretrainedResnet_quant"))]
firmware::model_absent!();
