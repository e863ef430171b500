//! Host tests of smolnn: each file under `tests/` is one test target. Here is what several of them share.

pub mod accuracy;
pub mod gradient;
pub mod oracle;
pub mod recurrent;
pub mod shapes;
