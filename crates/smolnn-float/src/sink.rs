//! Where a weight pass puts ∂L/∂W and ∂L/∂b: into gradients that accumulate, or into weights and bias themselves, as one step
//! of gradient descent. A layer's weight pass is written once, over a [`Sink`].

use crate::slices::{behind, behind_mut, part, part_mut, vectors};
use crate::{Number, Walk};

/// What becomes of the products of a weight pass. `weights` holds the gradients, or the weights that step.
pub(crate) trait Sink<T: Number>: Copy {
    /// Whether the pass may run by panels: they add to what they have loaded, and take no step.
    const ACCUMULATES: bool;

    /// [`Number::rows_outer`]: δ xᵀ.
    fn rows_outer(self, weights: &mut [T], stride: usize, d_output: &[T], input: &[T]);

    /// [`Number::walk_sum`]: channels that keep to themselves.
    fn walk_sum(self, walk: &Walk, weights: &mut [T], d_output: &[T], input: &[T]);

    /// [`Number::spread_sum`]: one channel of the input for all of the output.
    fn spread_sum(self, walk: &Walk, weights: &mut [T], d_output: &[T], input: &[T]);

    /// δ, summed over pixels or vectors.
    fn rows_sum(self, d_output: &[T], bias: &mut [T]);
}

/// Adds to gradients.
#[derive(Clone, Copy)]
pub(crate) struct Accumulate;

/// Takes a step of gradient descent: w ← w − rate·∂L/∂w.
#[derive(Clone, Copy)]
pub(crate) struct Descend<T> {
    pub rate: T,
}

impl<T: Number> Sink<T> for Accumulate {
    const ACCUMULATES: bool = true;

    #[inline(always)]
    fn rows_outer(self, weights: &mut [T], stride: usize, d_output: &[T], input: &[T]) {
        T::rows_outer(weights, stride, d_output, input);
    }

    #[inline(always)]
    fn walk_sum(self, walk: &Walk, weights: &mut [T], d_output: &[T], input: &[T]) {
        T::walk_sum(walk, weights, d_output, input);
    }

    #[inline(always)]
    fn spread_sum(self, walk: &Walk, weights: &mut [T], d_output: &[T], input: &[T]) {
        T::spread_sum(walk, weights, d_output, input);
    }

    #[inline(always)]
    fn rows_sum(self, d_output: &[T], bias: &mut [T]) {
        add_rows(d_output, bias);
    }
}

/// Factors or sums that a step of descent keeps on the stack.
const FEW: usize = 16;

impl<T: Number> Sink<T> for Descend<T> {
    const ACCUMULATES: bool = false;

    #[inline]
    fn rows_outer(self, weights: &mut [T], stride: usize, d_output: &[T], input: &[T]) {
        let mut first = 0;
        for block in d_output.chunks(FEW) {
            let mut step = [T::default(); FEW];
            for (step, &g) in step.iter_mut().zip(block) {
                *step = -(self.rate * g);
            }
            T::rows_outer(behind_mut(weights, first * stride), stride, part(&step, 0, block.len()), input);
            first += FEW;
        }
    }

    #[inline]
    fn walk_sum(self, walk: &Walk, weights: &mut [T], d_output: &[T], input: &[T]) {
        let mut first = 0;
        for weights in part_mut(weights, 0, walk.channels).chunks_mut(FEW) {
            let mut gradients = [T::default(); FEW];
            let few = Walk { channels: weights.len(), ..*walk };
            T::walk_sum(&few, &mut gradients, behind(d_output, first), behind(input, first));
            for (w, &gradient) in weights.iter_mut().zip(&gradients) {
                *w -= self.rate * gradient;
            }
            first += FEW;
        }
    }

    #[inline]
    fn spread_sum(self, walk: &Walk, weights: &mut [T], d_output: &[T], input: &[T]) {
        for first in (0..walk.channels).step_by(FEW) {
            let mut gradients = [T::default(); FEW];
            let few = Walk { channels: (walk.channels - first).min(FEW), apart: 1, ..*walk };
            T::spread_sum(&few, &mut gradients, behind(d_output, first), input);
            let mut at = first * walk.apart;
            for &gradient in part(&gradients, 0, few.channels) {
                for w in part_mut(weights, at, 1) {
                    *w -= self.rate * gradient;
                }
                at += walk.apart;
            }
        }
    }

    #[inline]
    fn rows_sum(self, d_output: &[T], bias: &mut [T]) {
        for row in vectors(d_output, bias.len()) {
            for (b, &g) in bias.iter_mut().zip(row) {
                *b -= self.rate * g;
            }
        }
    }
}

/// Adds every row to `sums`: the gradient of a bias. One row alone, or narrow ones, are not worth a pass.
#[inline]
pub(crate) fn add_rows<T: Number>(rows: &[T], sums: &mut [T]) {
    let add = |row: &[T], sums: &mut [T]| sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
    if rows.len() == sums.len() {
        add(rows, sums);
    } else if sums.len() < 8 {
        vectors(rows, sums.len()).for_each(|row| add(row, sums));
    } else {
        T::rows_sum(rows, sums);
    }
}
