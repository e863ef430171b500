//! Host tests of smolnn: each file under `tests/` is one test target.
