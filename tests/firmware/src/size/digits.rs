//! Firmware with the network of the demo alone.
#![no_std]
#![no_main]
firmware::model_alone!(digits::digits);
