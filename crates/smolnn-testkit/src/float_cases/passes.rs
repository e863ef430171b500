//! The passes of this build, on which all linear layers rest, against the portable ones.

use smolnn_float::random::{Pcg32, SeedableRng, uniform};
use smolnn_float::{Number, Panel, Walk};

/// A number whose passes are the portable ones on every target, by panels or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Portable<T, const PANELS: bool = false>(pub T);

macro_rules! arithmetic {
    ($($operation:ident $method:ident $assigning:ident $assign:ident $symbol:tt),*) => {$(
        impl<T: Number, const PANELS: bool> core::ops::$operation for Portable<T, PANELS> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0 $symbol other.0)
            }
        }
        impl<T: Number, const PANELS: bool> core::ops::$assigning for Portable<T, PANELS> {
            fn $assign(&mut self, other: Self) {
                *self = *self $symbol other;
            }
        }
    )*};
}
arithmetic!(Add add AddAssign add_assign +, Sub sub SubAssign sub_assign -, Mul mul MulAssign mul_assign *);

impl<T: Number, const PANELS: bool> core::ops::Neg for Portable<T, PANELS> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<T: Number, const PANELS: bool> Number for Portable<T, PANELS> {
    const PANELS: bool = PANELS;
}

/// Compares the f32 passes of this build, on which all linear layers rest, with the portable ones: every length up to 20, every
/// number of rows up to 9, rows apart and side by side; windows; panels. Returns the cases compared and the largest difference relative to
/// the sum of the magnitudes, which is 0 unless [`smolnn_float::FUSES_F32`].
pub fn compare_passes() -> (u32, f32) {
    const LENGTH: usize = 20;
    const ROWS: usize = 9;
    const STRIDE: usize = LENGTH + 3;
    let mut random = Pcg32::seed_from_u64(2);
    let mut draw = || 2.0 * uniform::<f32>(&mut random) - 1.0;
    let (mut cases, mut worst) = (0, 0.0_f32);
    let mut compare = |found: &[f32], expected: &[Portable<f32>]| {
        for (found, expected) in found.iter().zip(expected) {
            let difference = (found - expected.0).abs();
            // At most 20 products of numbers below 1, on top of one.
            worst = worst.max(if difference.is_nan() { f32::INFINITY } else { difference / 21.0 });
        }
    };
    for length in 0..=LENGTH {
        for rows in 0..=ROWS {
            let stride = if rows % 2 == 0 { STRIDE } else { length };
            let mut weights = [0.0; ROWS * STRIDE];
            let (mut x, mut g) = ([0.0; LENGTH], [0.0; ROWS]);
            weights.iter_mut().chain(&mut x).chain(&mut g).for_each(|value| *value = draw());
            let (w, x, g) = (&mut weights, &mut x[..length], &mut g[..rows]);
            let (mut pw, mut px, mut pg) = (w.map(Portable::<f32>), [Portable(0.0); LENGTH], [Portable(0.0); ROWS]);
            let (px, pg) = (&mut px[..length], &mut pg[..rows]);
            px.iter_mut().zip(&*x).for_each(|(p, &x)| *p = Portable(x));
            pg.iter_mut().zip(&*g).for_each(|(p, &g)| *p = Portable(g));
            f32::rows_outer(w, stride, g, x);
            Portable::rows_outer(&mut pw, stride, pg, px);
            compare(w, &pw);
            f32::rows_dot(w, stride, x, g);
            Portable::rows_dot(&pw, stride, px, pg);
            compare(g, pg);
            f32::rows_transposed(w, stride, g, x);
            Portable::rows_transposed(&pw, stride, pg, px);
            // The gradients of the row before are as large as 21.
            px.iter_mut().zip(&mut *x).for_each(|(p, x)| (p.0, *x) = (p.0 / 21.0, *x / 21.0));
            compare(x, px);
            cases += 1;
        }
    }
    for channels in 0..=LENGTH {
        for (rows, columns) in [(1, 1), (1, 3), (2, 1), (2, 3), (3, 3)] {
            // Pixels of the second image are further apart.
            let steps = [LENGTH, LENGTH + 1];
            let pitches = [3 * LENGTH, 4 * LENGTH + 5];
            let Some(walk) = Walk::new(channels, [rows, columns], steps, pitches, 1) else { continue };
            let (mut a, mut b, mut f) = ([0.0; 9 * LENGTH], [0.0; 13 * LENGTH], [0.0; 3 * LENGTH]);
            a.iter_mut().chain(&mut b).chain(&mut f).for_each(|value| *value = draw());
            let (mut pa, mut pb, mut pf) = (a.map(Portable::<f32>), b.map(Portable), f.map(Portable));
            f32::walk_sum(&walk, &mut f, &a, &b);
            Portable::walk_sum(&walk, &mut pf, &pa, &pb);
            compare(&f, &pf);
            f32::walk_add(&walk, &mut a, &b, &f);
            Portable::walk_add(&walk, &mut pa, &pb, &pf);
            compare(&a, &pa);
            let vector = columns * channels;
            f32::rows_fill(&f[..vector], &mut b[..rows * vector]);
            Portable::rows_fill(&pf[..vector], &mut pb[..rows * vector]);
            compare(&b, &pb);
            f32::rows_sum(&b[..rows * vector], &mut f[..vector]);
            Portable::rows_sum(&pb[..rows * vector], &mut pf[..vector]);
            compare(&f, &pf);
            // Apart in both images, or side by side in the first, or in both.
            let steps = [if rows == 1 { LENGTH } else { channels }, if rows == 3 { 1 } else { 2 }];
            let pitches = [3 * LENGTH, 7];
            let Some(walk) = Walk::new(channels, [rows, columns], steps, pitches, columns) else { continue };
            f32::spread_add(&walk, &mut a, &b, &f);
            Portable::spread_add(&walk, &mut pa, &pb, &pf);
            compare(&a, &pa);
            // By now products are far larger than 1.
            let shrink = |values: &mut [f32], portable: &mut [Portable<f32>]| {
                values.iter_mut().for_each(|value| *value /= 4096.0);
                portable.iter_mut().for_each(|value| value.0 /= 4096.0);
            };
            shrink(&mut a, &mut pa);
            f32::gather_add(&walk, &a, &mut b, &f);
            Portable::gather_add(&walk, &pa, &mut pb, &pf);
            compare(&b, &pb);
            f32::spread_sum(&walk, &mut f, &a, &b);
            Portable::spread_sum(&walk, &mut pf, &pa, &pb);
            compare(&f, &pf);
            cases += 1;
        }
    }
    for columns in 1..=LENGTH {
        for (lanes, outputs) in [(8, 8), (4, 1), (4, 2), (4, 3), (4, 4)] {
            for (rows, lines, pixels) in [(1, 1, 1), (3, 1, 2), (2, 3, 1), (1, 2, 3), (2, 2, 4)] {
                // What is read overlaps, what is summed lies apart.
                let pitches = [lanes * LENGTH, LENGTH + 2];
                let (lines, pixels) = ([lines, 7, 40], [pixels, 3, 9]);
                let Some(panel) = Panel::new([lanes, outputs], [rows, columns], pitches, lines, pixels) else {
                    continue;
                };
                let (mut weights, mut packed) = ([0.0; 8 * 3 * LENGTH], [0.0; 8 * 3 * LENGTH]);
                let (mut x, mut y) = ([0.0; 5 * LENGTH], [0.0; 6 * LENGTH]);
                weights.iter_mut().chain(&mut x).chain(&mut y).for_each(|value| *value = draw());
                let (mut pw, px, mut py) = (weights.map(Portable::<f32>), x.map(Portable), y.map(Portable));
                let mut pp = [Portable(0.0); 8 * 3 * LENGTH];
                // Outputs apart by an odd number, taps by two.
                let (steps, elements) = ([2, 2 * LENGTH + 1], lanes * columns);
                for row in (0..rows).map(|row| row * pitches[0]) {
                    let from = 5 * row / pitches[0];
                    f32::panel_load(&mut packed[row..][..elements], lanes, &weights[from..], steps, outputs);
                    Portable::panel_load(&mut pp[row..][..elements], lanes, &pw[from..], steps, outputs);
                }
                f32::panel_outer(&panel, &mut packed, &x, &y);
                Portable::panel_outer(&panel, &mut pp, &px, &py);
                f32::panel_sum(&panel, &packed, &x, &mut y);
                Portable::panel_sum(&panel, &pp, &px, &mut py);
                f32::panel_store(&packed[..elements], lanes, &mut weights, steps, outputs);
                Portable::panel_store(&pp[..elements], lanes, &mut pw, steps, outputs);
                compare(&weights, &pw);
                // At most 60 products with weights that may be 13.
                y.iter_mut().for_each(|y| *y /= 40.0);
                py.iter_mut().for_each(|y| y.0 /= 40.0);
                compare(&y, &py);
                cases += 1;
            }
        }
    }
    (cases, worst)
}
