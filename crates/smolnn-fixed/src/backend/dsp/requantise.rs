//! The requantisation of one sum, which the kernels of convolutions share.

/// Requantises a doubled sum with the registers of multiplier, rounding and shift; the last register is overwritten. Where outputs
/// are rectified, the sign needs no correction. The formula and its proof: [`pack`](super::pack).
macro_rules! requantise {
    (any, $sum:literal, $multiplier:literal, $rounding:literal, $shift:literal, $spare:literal) => {
        concat!(
            "add ",
            $spare,
            ", ",
            $rounding,
            ", ",
            $sum,
            ", asr #31\n",
            requantise!(rectified, $sum, $multiplier, $spare, $shift, $spare)
        )
    };
    (rectified, $sum:literal, $multiplier:literal, $rounding:literal, $shift:literal, $spare:literal) => {
        concat!(
            "smmlar ",
            $sum,
            ", ",
            $sum,
            ", ",
            $multiplier,
            ", ",
            $rounding,
            "\nasr ",
            $sum,
            ", ",
            $sum,
            ", ",
            $shift,
            "\nssat ",
            $sum,
            ", #8, ",
            $sum,
            "\n",
        )
    };
}

pub(super) use requantise;
