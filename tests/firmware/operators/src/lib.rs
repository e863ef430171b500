//! Recordings that `conformance` runs beside the whole models: the golden models of single operators, compiled for this
//! target, the float cases, and utterances for a quantised GRU. A crate of its own, since it is optimised less: nobody
//! measures it.
#![no_std]

include!(concat!(env!("OUT_DIR"), "/operators.rs"));
