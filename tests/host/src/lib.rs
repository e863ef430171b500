//! Host tests of smolnn: each folder beside this one is one test program. Here is what several of them share.

pub mod fields;
pub mod gradient;
pub mod models;
pub mod oracle;
pub mod random_models;
pub mod recurrent;
pub mod shapes;
mod shown;
pub mod source;
