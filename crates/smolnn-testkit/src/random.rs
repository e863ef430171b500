//! A small deterministic generator: the same cases on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014), of which the upper half of each word is used.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A stream of its own per seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 32 random bits.
    pub const fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 32) as u32
    }

    /// An integer in `least..=most`.
    pub const fn between(&mut self, least: i32, most: i32) -> i32 {
        let span = (most as i64 - least as i64 + 1) as u64;
        (least as i64 + ((self.bits() as u64 * span) >> 32) as i64) as i32
    }

    /// A length in `least..=most`.
    pub const fn length(&mut self, least: usize, most: usize) -> usize {
        self.between(least as i32, most as i32) as usize
    }

    /// True once in `n` draws.
    pub const fn one_in(&mut self, n: i32) -> bool {
        self.between(1, n) == 1
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.length(0, choices.len() - 1)]
    }

    /// An int8 value, the ends more often than the rest.
    pub const fn int8(&mut self) -> i8 {
        match self.between(0, 19) {
            0 => -128,
            1 => 127,
            _ => self.between(-128, 127) as i8,
        }
    }

    /// An int16 value, the ends more often than the rest.
    pub const fn int16(&mut self) -> i16 {
        match self.between(0, 19) {
            0 => i16::MIN,
            1 => i16::MAX,
            _ => self.between(-32768, 32767) as i16,
        }
    }

    /// An int32 value of any size: small ones as often as large ones.
    pub const fn int32(&mut self) -> i32 {
        let shift = self.between(0, 31);
        self.bits() as i32 >> shift
    }

    /// A scale: 2^−`from` to 2^−`to`, log-uniform.
    pub fn scale(&mut self, from: i32, to: i32) -> f32 {
        let exponent = self.between(-from, -to - 1);
        let mantissa = 1.0 + self.between(0, (1 << 23) - 1) as f32 / 8_388_608.0;
        mantissa * f32::from_bits(((127 + exponent) as u32) << 23)
    }
}
