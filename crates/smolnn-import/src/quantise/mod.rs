//! From floats to integers.
//!
//! A net of real numbers and data that look like its input become a net of integers, which is lowered as any other one is:
//!
//! - `samples`: the data, checked against the model's inputs.
//! - `range`: what the values of a tensor were, and which range its integers span.
//! - `prepare`, `equalise`: passes on the float net that change nothing that it computes.
//! - `scheme`: how each operator is quantised, the one table.
//! - `rounding`: weights in integers that fit the data.
//! - `convert`: the integer net.
//! - `layers`: weights of a layer in integers, for networks written by hand as well.
//! - `cells`: recurrent layers.
//! - `recurrent`: GRU and simple RNN, by hand.
//! - `report`: what it cost, and where.
//!
//! Nothing here runs a net: the room `calibrate` does, with the kernels that the firmware uses.

mod cells;
mod convert;
mod equalise;
pub mod layers;
mod prepare;
mod range;
pub mod recurrent;
mod report;
mod rounding;
mod samples;
mod scheme;

pub(crate) use convert::{Converted, Decisions, Numbers, convert, quantised, reals};
pub(crate) use equalise::{bias_corrections, equalise};
pub(crate) use layers::IntegerRows;
pub(crate) use prepare::prepare;
pub(crate) use range::Observed;
pub use range::RangeMethod;
pub use report::{QuantisationReport, QuantisedLayer, Trial, Variant};
pub(crate) use rounding::Moments;
pub(crate) use samples::Samples;
pub(crate) use scheme::{Scheme, scheme};
