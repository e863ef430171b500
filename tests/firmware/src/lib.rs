//! What several of the firmware's programs share.
#![no_std]
