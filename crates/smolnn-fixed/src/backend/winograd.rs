//! Winograd's F(2×2, 3×3) in integers, exact to the bit: four outputs of a 3×3 convolution of stride 1 take 16 products per input
//! channel instead of 36.
//!
//! **Formula.** An output is a sum over input channels. For one of them, with g the 3×3 weights and d the 4×4 inputs that a tile
//! of 2×2 outputs sees, 4·Y = Aᵀ·\[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)\]·A with
//!
//! ```text
//!      2  0  0            1  0 -1  0            1  1  1  0
//! G =  1  1  1       Bᵀ = 0  1  1  0       Aᵀ = 0  1 -1 -1
//!      1 -1  1            0 -1  1  0
//!      0  0  2            0  1  0 -1
//! ```
//!
//! This G is twice that of the literature, so that transformed weights are integers, and the result 4 times the sum. Aᵀ is linear:
//! products are summed over the input channels first, for each of the 16 places of a tile.
//!
//! **Bounds.** A transformed weight is at most 9·128 = 1152 in size, a transformed input 4·128 = 512: both fit in 16 bits, and
//! the test `transformed_numbers_fit_in_16_bits` holds both. Sums may wrap on the way, since the result is right modulo
//! 2^32: it is exact where 4 times the sum fits in 32 bits, and packing takes no other weights.
//!
//! **Flash.** 16 weights of 16 bits stand for 9 of 8 bits, 3.6 times as many bytes. That is why packing takes these layouts only
//! where it is asked to: see [`conv2d_winograd`](crate::pack::conv2d_winograd).
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, Image, Window2d, WindowSize};

/// Outputs of a tile along one axis, and the inputs that it sees.
pub(crate) const TILE: usize = 2;
pub(crate) const SEEN: usize = 4;

/// Places of a tile: as many products as it takes per input and output channel.
pub(crate) const PLACES: usize = SEEN * SEEN;

/// The places, (row, column), in the order in which kernels sum them. In each pair the second is added to the sum of the first, which
/// is what Aᵀ needs along a column: the first rows of Aᵀ hold places 0, 1 and 2, the second ones 1, 2 and 3, so that of
/// M1, M1 + M0, M2 and M2 + M3 an addition and a subtraction make both.
pub(crate) const ORDER: [(usize, usize); PLACES] = {
    let (rows, columns) = ([1, 0, 2, 3], [1, 0, 2, 3]);
    let mut order = [(0, 0); PLACES];
    let mut place = 0;
    while place < PLACES {
        order[place] = (rows[place % SEEN], columns[place / SEEN]);
        place += 1;
    }
    order
};

/// Whether Winograd's products serve the convolution.
pub(crate) const fn serves(shape: &Conv2dShape) -> bool {
    let (rows, columns) = (shape.rows(), shape.columns());
    rows.kernel() == 3
        && columns.kernel() == 3
        && rows.stride() == 1
        && columns.stride() == 1
        && rows.dilation() == 1
        && columns.dilation() == 1
        && shape.groups() == 1
}

/// The window of the tiles: of 4×4 inputs, two further on for every tile. `None` where Winograd's products do not serve the
/// convolution.
pub(crate) const fn tiles(shape: &Conv2dShape) -> Option<Conv2dShape> {
    if !serves(shape) {
        return None;
    }
    let (rows, columns) = (shape.rows(), shape.columns());
    let Image { height, width, .. } = shape.output();
    // The inputs that the tiles see, less those that are there: what lies behind the last output of an odd number is padding.
    let below = (height.div_ceil(TILE) * TILE + 2).saturating_sub(shape.input().height + rows.before());
    let right = (width.div_ceil(TILE) * TILE + 2).saturating_sub(shape.input().width + columns.before());
    let window = Window2d::over(shape.input(), WindowSize::hw(SEEN, SEEN)).stride(TILE, TILE).batch(shape.batch());
    match window.padding(rows.before(), below, columns.before(), right).conv(shape.output().channels) {
        Ok(tiles) => Some(tiles),
        Err(_) => None,
    }
}

/// What convolutions 3×3 of stride 1 cost on a core, in thousandths of a cycle; of an instruction where its timings are not published.
/// The table is [`costs`](super::costs).
pub(crate) struct Costs {
    /// Of the direct body: per product, and per output.
    pub(crate) direct: [u64; 2],
    /// By Winograd's products, of a tile: per product, per input channel, and per output channel.
    pub(crate) winograd: [u64; 3],
    /// Tiles that are computed at a time.
    pub(crate) tiles: usize,
}

impl Costs {
    /// An estimate of what the convolution saves by Winograd's products; 0 where it saves nothing.
    pub(crate) const fn saves(&self, shape: &Conv2dShape) -> u64 {
        let (inputs, outputs) = (shape.input().channels as u64, shape.output().channels as u64);
        let Image { height, width, .. } = shape.output();
        let tiles = shape.batch() * height.div_ceil(TILE) * width.div_ceil(TILE);
        let [product, output] = self.direct;
        let direct = shape.macs() * product + shape.output_len() as u64 * output;
        let [product, input, output] = self.winograd;
        let tile = PLACES as u64 * inputs * outputs * product + inputs * input + outputs * output;
        direct.saturating_sub(tiles.next_multiple_of(self.tiles) as u64 * tile) / 1000
    }
}

/// As [`Conv2dShape::overlap_gap`], for a kernel that writes two rows of outputs at a time.
pub(crate) const fn overlap_gap(shape: &Conv2dShape) -> usize {
    let mut gap = 0;
    let mut image = 0;
    while image < shape.batch() {
        let mut row = 0;
        while row < shape.output().height {
            let end = if row + TILE < shape.output().height { row + TILE } else { shape.output().height };
            let written = image * shape.output().len() + end * shape.output().row();
            let needed = image * shape.input().len() + shape.rows().first_needed(row) * shape.input().row();
            if written > needed && written - needed > gap {
                gap = written - needed;
            }
            row += TILE;
        }
        image += 1;
    }
    gap
}

/// Bᵀ·d of a column d of inputs.
#[cfg(any(test, bodies = "scalar"))]
#[inline(always)]
pub(crate) const fn transform_line([a, b, c, d]: [i32; SEEN]) -> [i32; SEEN] {
    [a - c, b + c, c - b, b - d]
}

/// G·g·Gᵀ of 3×3 weights.
pub(crate) fn transform_weights(weights: [[i32; 3]; 3]) -> [[i32; SEEN]; SEEN] {
    let line = |[a, b, c]: [i32; 3]| [2 * a, a + b + c, a - b + c, 2 * c];
    let rows = weights.map(line);
    let columns: [[i32; SEEN]; SEEN] =
        [0, 1, 2, 3].map(|column| line([rows[0][column], rows[1][column], rows[2][column]]));
    [0, 1, 2, 3].map(|row| [0, 1, 2, 3].map(|column: usize| columns[column][row]))
}

/// Bᵀ·d·B of 4×4 inputs.
#[cfg(test)]
pub(crate) fn transform_inputs(inputs: [[i32; SEEN]; SEEN]) -> [[i32; SEEN]; SEEN] {
    let rows = inputs.map(transform_line);
    let columns = [0, 1, 2, 3].map(|column: usize| transform_line([0, 1, 2, 3].map(|row: usize| rows[row][column])));
    [0, 1, 2, 3].map(|row: usize| [0, 1, 2, 3].map(|column: usize| columns[column][row]))
}

/// Aᵀ·m·A of the sums of the places, wrapping: 4 times the outputs.
#[cfg(any(test, bodies = "scalar"))]
#[inline(always)]
pub(crate) fn outputs(sums: [[i32; SEEN]; SEEN]) -> [[i32; TILE]; TILE] {
    let line = |[a, b, c, d]: [i32; SEEN]| [a.wrapping_add(b).wrapping_add(c), b.wrapping_sub(c).wrapping_sub(d)];
    let rows = sums.map(line);
    let columns = [0, 1].map(|column: usize| line([0, 1, 2, 3].map(|row: usize| rows[row][column])));
    [0, 1].map(|row: usize| [0, 1].map(|column: usize| columns[column][row]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest size of each transformed number, from the sizes of the coefficients: a transformation is linear, so that its
    /// largest value stands where every input is at the end of its range that the sign of its coefficient asks for.
    #[test]
    fn transformed_numbers_fit_in_16_bits() {
        let (mut largest_weight, mut largest_input) = (0, 0);
        for row in 0..SEEN {
            for column in 0..SEEN {
                let (mut low, mut high) = (0, 0);
                for tap in 0..9 {
                    let mut one = [[0; 3]; 3];
                    one[tap / 3][tap % 3] = 1;
                    let coefficient = transform_weights(one)[row][column];
                    low += (coefficient * -128).min(coefficient * 127);
                    high += (coefficient * -128).max(coefficient * 127);
                }
                largest_weight = largest_weight.max(high).max(-low);
                let (mut low, mut high) = (0, 0);
                for place in 0..PLACES {
                    let mut one = [[0; SEEN]; SEEN];
                    one[place / SEEN][place % SEEN] = 1;
                    let coefficient = transform_inputs(one)[row][column];
                    low += (coefficient * -128).min(coefficient * 127);
                    high += (coefficient * -128).max(coefficient * 127);
                }
                largest_input = largest_input.max(high).max(-low);
            }
        }
        assert_eq!((largest_weight, largest_input), (1152, 512));
    }

    /// The formula is bilinear, so that it holds for all weights and inputs when it holds for every pair of a weight that
    /// alone is 1 and an input that alone is 1.
    #[test]
    fn the_formula_gives_four_times_the_sums() {
        for tap in 0..9 {
            for place in 0..PLACES {
                let (mut weights, mut inputs) = ([[0; 3]; 3], [[0; SEEN]; SEEN]);
                weights[tap / 3][tap % 3] = 1;
                inputs[place / SEEN][place % SEEN] = 1;
                let (g, d) = (transform_weights(weights), transform_inputs(inputs));
                let products =
                    [0, 1, 2, 3].map(|row: usize| [0, 1, 2, 3].map(|column: usize| g[row][column] * d[row][column]));
                for (y, row) in outputs(products).into_iter().enumerate() {
                    for (x, output) in row.into_iter().enumerate() {
                        let sees = place == (y + tap / 3) * SEEN + x + tap % 3;
                        assert_eq!(output, 4 * i32::from(sees), "tap {tap} place {place} output {y}, {x}");
                    }
                }
            }
        }
    }

    /// The sum of the middle place leaves 32 bits here, and the outputs are right.
    #[test]
    fn sums_may_wrap_on_the_way() {
        const DEPTH: i32 = 4000;
        let (weights, inputs) = ([[-128; 3]; 3], [[0, 0, 0, 0], [0, -128, -128, 0], [0, -128, -128, 0], [0, 0, 0, 0]]);
        let (weights, inputs) = (transform_weights(weights), transform_inputs(inputs));
        assert!(i64::from(weights[1][1] * inputs[1][1]) * i64::from(DEPTH) >= 1 << 31);
        let sum = |row: usize, column: usize| (weights[row][column] * inputs[row][column]).wrapping_mul(DEPTH);
        let sums = [0, 1, 2, 3].map(|row| [0, 1, 2, 3].map(|column| sum(row, column)));
        assert_eq!(outputs(sums), [[4 * 4 * 128 * 128 * DEPTH; TILE]; TILE]);
    }
}
