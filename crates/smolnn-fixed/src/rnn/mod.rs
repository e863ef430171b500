//! Recurrent cells.
//!
//! - [`lstm`]: TensorFlow Lite's UNIDIRECTIONAL_SEQUENCE_LSTM, int8 with an int16 cell, as TensorFlow Lite Micro runs it.
//! - [`svdf`]: TensorFlow Lite's SVDF, int8 with int16 or int8 state.
//!
//! The state of a cell belongs to the caller: slices that can be saved, restored and reset between calls. A sequence in one
//! call gives the same bits as its steps in several.

pub mod lstm;
pub mod svdf;
