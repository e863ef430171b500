//! What the kernels of one vector share: eight outputs at a time, two channels to a halfword of weights as in
//! [`tile`](super::tile).

/// Four inputs at r1, widened into r2 and r3.
macro_rules! widen {
    () => {
        "ldr.w r3, [r1], #4
         sxtb16 r2, r3
         sxtb16 r3, r3, ror #8\n"
    };
}

/// Two weights of each channel of a pair, and the next two, times the inputs in r2 and r3: for the kernels of one vector.
macro_rules! pair {
    ($even:literal, $odd:literal) => {
        concat!(
            "ldmia.w r0!, {{r12, lr}}\n",
            "smlad ",
            $odd,
            ", r12, r2, ",
            $odd,
            "\n",
            "smlad ",
            $odd,
            ", lr, r3, ",
            $odd,
            "\n",
            "sxtb16 r12, r12\n",
            "sxtb16 lr, lr\n",
            "smlad ",
            $even,
            ", r12, r2, ",
            $even,
            "\n",
            "smlad ",
            $even,
            ", lr, r3, ",
            $even,
            "\n",
        )
    };
}

pub(super) use {pair, widen};
