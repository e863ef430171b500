//! The passes in safe Rust, four outputs at a time: an input is loaded once for four of them.
//!
//! Order of the sums, which every other body keeps: an output adds its products in the order of the inputs, an input
//! gradient in the order of the outputs.

use super::{Panel, Walk};
use crate::Number;
use crate::slices::{at, behind, behind_mut, part, part_mut, vectors, vectors_mut};

/// The rows `first..first + 4` of the weights.
#[inline(always)]
fn four<T>(weights: &[T], stride: usize, first: usize, length: usize) -> [&[T]; 4] {
    [0, 1, 2, 3].map(|row| part(weights, (first + row) * stride, length))
}

/// `output[o] += Σ_i weights[o, i] · input[i]`.
#[inline]
pub fn rows_dot<T: Number>(weights: &[T], stride: usize, input: &[T], output: &mut [T]) {
    let (blocks, rest) = output.as_chunks_mut::<4>();
    let mut row = 0;
    for block in blocks {
        let [w0, w1, w2, w3] = four(weights, stride, row, input.len());
        let [mut y0, mut y1, mut y2, mut y3] = *block;
        for ((((&x, &w0), &w1), &w2), &w3) in input.iter().zip(w0).zip(w1).zip(w2).zip(w3) {
            y0 += w0 * x;
            y1 += w1 * x;
            y2 += w2 * x;
            y3 += w3 * x;
        }
        *block = [y0, y1, y2, y3];
        row += 4;
    }
    for y in rest {
        for (&x, &w) in input.iter().zip(part(weights, row * stride, input.len())) {
            *y += w * x;
        }
        row += 1;
    }
}

/// `d_input[i] += Σ_o d_output[o] · weights[o, i]`.
#[inline]
pub fn rows_transposed<T: Number>(weights: &[T], stride: usize, d_output: &[T], d_input: &mut [T]) {
    let (blocks, rest) = d_output.as_chunks::<4>();
    let mut row = 0;
    for &[g0, g1, g2, g3] in blocks {
        let [w0, w1, w2, w3] = four(weights, stride, row, d_input.len());
        for ((((dx, &w0), &w1), &w2), &w3) in d_input.iter_mut().zip(w0).zip(w1).zip(w2).zip(w3) {
            *dx = *dx + w0 * g0 + w1 * g1 + w2 * g2 + w3 * g3;
        }
        row += 4;
    }
    for &g in rest {
        let length = d_input.len();
        for (dx, &w) in d_input.iter_mut().zip(part(weights, row * stride, length)) {
            *dx += w * g;
        }
        row += 1;
    }
}

/// `weights[o, i] += d_output[o] · input[i]`.
#[inline]
pub fn rows_outer<T: Number>(weights: &mut [T], stride: usize, d_output: &[T], input: &[T]) {
    for (row, &g) in d_output.iter().enumerate() {
        for (w, &x) in part_mut(weights, row * stride, input.len()).iter_mut().zip(input) {
            *w += x * g;
        }
    }
}

/// Copies `vector` to every row.
pub fn rows_fill<T: Number>(vector: &[T], rows: &mut [T]) {
    // The first row is copied by fours, so that LLVM makes neither a loop over single elements nor a call of memcpy.
    let ((first, rest), (vectors, tail)) =
        (part_mut(rows, 0, vector.len()).as_chunks_mut::<4>(), vector.as_chunks::<4>());
    for (y, x) in first.iter_mut().zip(vectors) {
        *y = *x;
    }
    for (y, x) in rest.iter_mut().zip(tail) {
        *y = *x;
    }
    // The rows that are done are copied behind themselves, twice as many every time.
    let mut done = vector.len();
    while let Some((from, to)) = rows.split_at_mut_checked(done).filter(|(from, to)| !from.is_empty() && !to.is_empty())
    {
        for (y, &x) in to.iter_mut().zip(&*from) {
            *y = x;
        }
        done *= 2;
    }
}

/// `sums += every row`.
#[inline]
pub fn rows_sum<T: Number>(rows: &[T], sums: &mut [T]) {
    for row in vectors(rows, sums.len()) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// `sums[c] += Σ_pixels a[pixel + c] · b[pixel + c]`.
#[inline]
pub fn walk_sum<T: Number>(walk: &Walk, sums: &mut [T], a: &[T], b: &[T]) {
    walk.for_each_pixel(|at, bt| {
        for ((sum, &a), &b) in sums.iter_mut().zip(part(a, at, walk.channels)).zip(part(b, bt, walk.channels)) {
            *sum += a * b;
        }
    });
}

/// `a[pixel + c] += b[pixel + c] · factors[c]`.
#[inline]
pub fn walk_add<T: Number>(walk: &Walk, a: &mut [T], b: &[T], factors: &[T]) {
    walk.for_each_pixel(|at, bt| {
        let (a, b) = (part_mut(a, at, walk.channels), part(b, bt, walk.channels));
        for ((a, &b), &factor) in a.iter_mut().zip(b).zip(factors) {
            *a += b * factor;
        }
    });
}

/// The number of sums or factors that are held at a time.
const FEW: usize = 16;

/// Sums or factors of the channels from `first` on, side by side.
#[inline]
fn gather<T: Number>(walk: &Walk, first: usize, vector: &[T]) -> [T; FEW] {
    let (mut few, mut place) = ([T::default(); FEW], first * walk.apart);
    for value in few.iter_mut().take(walk.channels - first) {
        *value = at(vector, place);
        place += walk.apart;
    }
    few
}

/// `sums[c] += Σ_pixels a[pixel + c] · b[pixel]`.
#[inline]
pub fn spread_sum<T: Number>(walk: &Walk, sums: &mut [T], a: &[T], b: &[T]) {
    for first in (0..walk.channels).step_by(FEW) {
        let (mut few, count) = (gather(walk, first, sums), (walk.channels - first).min(FEW));
        walk.for_each_pixel(|at, bt| {
            for &b in part(b, bt, 1) {
                for (sum, &a) in few.iter_mut().zip(part(a, at + first, count)) {
                    *sum += a * b;
                }
            }
        });
        let mut at = first * walk.apart;
        for &value in few.iter().take(count) {
            for sum in part_mut(sums, at, 1) {
                *sum = value;
            }
            at += walk.apart;
        }
    }
}

/// `a[pixel + c] += b[pixel] · factors[c]`.
#[inline]
pub fn spread_add<T: Number>(walk: &Walk, a: &mut [T], b: &[T], factors: &[T]) {
    for first in (0..walk.channels).step_by(FEW) {
        let (few, count) = (gather(walk, first, factors), (walk.channels - first).min(FEW));
        walk.for_each_pixel(|at, bt| {
            for &b in part(b, bt, 1) {
                for (a, &factor) in part_mut(a, at + first, count).iter_mut().zip(&few) {
                    *a += b * factor;
                }
            }
        });
    }
}

/// `b[pixel] += Σ_c a[pixel + c] · factors[c]`.
#[inline]
pub fn gather_add<T: Number>(walk: &Walk, a: &[T], b: &mut [T], factors: &[T]) {
    for first in (0..walk.channels).step_by(FEW) {
        let (few, count) = (gather(walk, first, factors), (walk.channels - first).min(FEW));
        walk.for_each_pixel(|at, bt| {
            for b in part_mut(b, bt, 1) {
                for (&a, &factor) in part(a, at + first, count).iter().zip(&few) {
                    *b += a * factor;
                }
            }
        });
    }
}

/// `panel[k · lanes + o] = weights[k · steps[0] + o · steps[1]]`.
#[inline]
pub fn panel_load<T: Number>(panel: &mut [T], lanes: usize, weights: &[T], steps: [usize; 2], outputs: usize) {
    let mut first = 0;
    for row in vectors_mut(panel, lanes) {
        let column = behind(weights, first);
        for (lane, w) in row.iter_mut().enumerate().take(outputs) {
            *w = at(column, lane * steps[1]);
        }
        first += steps[0];
    }
}

/// `weights[k · steps[0] + o · steps[1]] = panel[k · lanes + o]`.
#[inline]
pub fn panel_store<T: Number>(panel: &[T], lanes: usize, weights: &mut [T], steps: [usize; 2], outputs: usize) {
    let mut first = 0;
    for row in vectors(panel, lanes) {
        let column = behind_mut(weights, first);
        for (lane, &w) in row.iter().enumerate().take(outputs) {
            if let Some(there) = column.get_mut(lane * steps[1]) {
                *there = w;
            }
        }
        first += steps[0];
    }
}

/// `sums[o] += Σ_k weights[k, o] · x[k]`, pixel by pixel.
#[inline]
pub fn panel_sum<T: Number>(panel: &Panel, weights: &[T], x: &[T], sums: &mut [T]) {
    panel.for_each_pixel(|read, sum| {
        let sums = part_mut(sums, sum, panel.outputs);
        for row in 0..panel.rows {
            let weights = behind(weights, row * panel.pitches[0]);
            let x = part(x, read + row * panel.pitches[1], panel.columns);
            for (&x, weights) in x.iter().zip(vectors(weights, panel.lanes)) {
                for (sum, &w) in sums.iter_mut().zip(weights) {
                    *sum += w * x;
                }
            }
        }
    });
}

/// `weights[k, o] += factors[o] · x[k]`, pixel by pixel.
#[inline]
pub fn panel_outer<T: Number>(panel: &Panel, weights: &mut [T], x: &[T], factors: &[T]) {
    panel.for_each_pixel(|read, factor| {
        let factors = part(factors, factor, panel.outputs);
        for row in 0..panel.rows {
            let weights = behind_mut(weights, row * panel.pitches[0]);
            let x = part(x, read + row * panel.pitches[1], panel.columns);
            for (&x, weights) in x.iter().zip(vectors_mut(weights, panel.lanes)) {
                for (w, &factor) in weights.iter_mut().zip(factors) {
                    *w += x * factor;
                }
            }
        }
    });
}
