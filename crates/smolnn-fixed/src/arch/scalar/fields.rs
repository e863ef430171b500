//! The arithmetic of 16-bit fields (`arch/rv32` says why it is exact) in Rust, for tests on a host that forces one of the
//! backends.

use super::{BLOCK, Sums};

pub(super) fn sums(column: &[u32], weights: &[u32], sums: &mut Sums, pairs: usize) {
    let weights: &[i8] = bytemuck::must_cast_slice(weights);
    for channel in 0..BLOCK {
        for pair in 0..pairs {
            let (mut all, mut upper) = (0_u32, 0_u32);
            for (two, weights) in weights.chunks_exact(2 * BLOCK).enumerate() {
                let product = |depth: usize, weight: i8| {
                    column[(2 * two + depth) * pairs + pair].wrapping_mul(i32::from(weight) as u32)
                };
                let sum = product(0, weights[channel]).wrapping_add(product(1, weights[BLOCK + channel]));
                all = all.wrapping_add(sum);
                upper = upper.wrapping_add((sum.wrapping_add(1 << 15) as i32 >> 16) as u32);
            }
            let at = channel * 4 + pair * 2;
            sums[at] = all.wrapping_sub(upper << 16) as i32;
            sums[at + 1] = upper as i32;
        }
    }
}
