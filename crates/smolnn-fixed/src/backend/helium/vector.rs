//! The directive that every assembly body begins with.

/// The directive that every assembly body begins with. Where bitcode is written for link-time optimisation, the assembler does
/// not learn the compiler's target-cpu and would refuse Helium.
macro_rules! helium {
    () => {
        ".cpu cortex-m55"
    };
}

pub(super) use helium;
