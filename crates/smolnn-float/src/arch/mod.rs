//! The bodies of the passes of [`Number`](crate::Number), the one room where `unsafe` is allowed.
//!
//! `portable` is safe Rust, runs everywhere and is the specification. For f32 there are two more: `fpv4`, for any Cortex-M
//! with a hardware FPU, which multiplies and adds in the same order and gives the same bits; and `helium`, whose results
//! differ in the last bits. `--cfg smolnn_backend="portable"` forces the first.

pub(crate) mod portable;

/// A rectangle of pixels in two images `a` and `b`. In elements.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Elements at each pixel.
    pub(crate) channels: usize,
    /// Rows of pixels.
    pub(crate) rows: usize,
    /// Pixels of a row.
    pub(crate) columns: usize,
    /// From a pixel to the next of its row, in `a` and `b`.
    pub(crate) steps: [usize; 2],
    /// From a row to the next, in `a` and `b`.
    pub(crate) pitches: [usize; 2],
    /// From an element of the sums or factors to the next, in the passes between one channel and many.
    pub(crate) apart: usize,
}

/// Elements that tensors of checked shapes stay below.
const LARGEST: usize = 1 << 31;

/// From the first of `count` places to the last, `step` apart, in elements.
const fn span(count: usize, step: usize) -> usize {
    count.saturating_sub(1).saturating_mul(step)
}

impl Walk {
    /// For tests: walks of the layers come from checked shapes, whose offsets do not wrap. `None` where they would.
    pub const fn new(
        channels: usize,
        [rows, columns]: [usize; 2],
        steps: [usize; 2],
        pitches: [usize; 2],
        apart: usize,
    ) -> Option<Self> {
        let a = span(rows, pitches[0]).saturating_add(span(columns, steps[0])).saturating_add(channels);
        let b = span(rows, pitches[1]).saturating_add(span(columns, steps[1])).saturating_add(channels);
        if a < LARGEST && b < LARGEST && span(channels, apart) < LARGEST {
            Some(Self { channels, rows, columns, steps, pitches, apart })
        } else {
            None
        }
    }

    /// Calls `visit` with the offsets of every pixel in both images.
    #[inline]
    pub(crate) fn for_each_pixel(&self, mut visit: impl FnMut(usize, usize)) {
        let [mut row_a, mut row_b] = [0, 0];
        for _ in 0..self.rows {
            let [mut a, mut b] = [row_a, row_b];
            for _ in 0..self.columns {
                visit(a, b);
                a += self.steps[0];
                b += self.steps[1];
            }
            row_a += self.pitches[0];
            row_b += self.pitches[1];
        }
    }

    /// The same with the images in the other order.
    #[inline]
    pub(crate) fn swapped(self) -> Self {
        let swap = |[a, b]: [usize; 2]| [b, a];
        Self { steps: swap(self.steps), pitches: swap(self.pitches), ..self }
    }

    /// Whether there is anything to do, and all of it lies in images of these lengths, so many elements at each pixel of `b`,
    /// and in a vector of that length, so far apart: all that the pointers of the assembly need. No offset wraps, as nobody
    /// else can make a walk.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Of the bodies without an FPU.
    #[inline(always)]
    fn fits(&self, a: usize, (b, elements): (usize, usize), (vector, apart): (usize, usize)) -> bool {
        let Self { rows, columns, channels, steps, pitches, .. } = *self;
        let start = |side: usize| (rows - 1) * pitches[side] + (columns - 1) * steps[side];
        rows > 0
            && columns > 0
            && channels > 0
            && start(0) + channels <= a
            && start(1) + elements <= b
            && (channels - 1) * apart < vector
    }

    /// Through the rows of a matrix, which lie one behind the other.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Of the bodies without an FPU.
    #[inline(always)]
    fn over_rows(elements: usize, length: usize) -> Self {
        let columns = elements.checked_div(length).unwrap_or(0);
        Self { channels: length, rows: 1, columns, steps: [length, 0], pitches: [0, 0], apart: 1 }
    }

    /// Bytes from what was read of a pixel to the next pixel, and from behind a row's last step to the next row.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Of the bodies without an FPU.
    #[inline(always)]
    fn skips(&self, side: usize, read: usize) -> [usize; 2] {
        let row = self.columns.wrapping_mul(self.steps[side]);
        [self.steps[side].wrapping_sub(read), self.pitches[side].wrapping_sub(row)].map(|skip| skip.wrapping_mul(4))
    }
}

/// Pixels whose windows see the same taps, and the weights of up to eight outputs at those taps, side by side in a panel. In
/// elements.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[repr(C)] // Read by assembly.
pub struct Panel {
    /// Weights side by side: [`Panel::LANES`] or half of them.
    pub(crate) lanes: usize,
    /// As many of them as there are outputs: all, or up to half.
    pub(crate) outputs: usize,
    /// Rows of a window.
    pub(crate) rows: usize,
    /// Elements of a row, one behind the other.
    pub(crate) columns: usize,
    /// From a row to the next, in the panel and in what is read.
    pub(crate) pitches: [usize; 2],
    /// Lines of pixels; from one to the next in what is read and in what is summed.
    pub(crate) lines: [usize; 3],
    /// Pixels of a line; from one to the next, the same.
    pub(crate) pixels: [usize; 3],
}

impl Panel {
    /// Lanes of a whole panel.
    pub const LANES: usize = 8;
    /// Elements of a window, at most.
    pub const ELEMENTS: usize = 72;
    /// Weights, at most.
    pub const WEIGHTS: usize = Self::ELEMENTS * Self::LANES;

    /// For tests, as [`Walk::new`].
    pub const fn new(
        [lanes, outputs]: [usize; 2],
        [rows, columns]: [usize; 2],
        pitches: [usize; 2],
        lines: [usize; 3],
        pixels: [usize; 3],
    ) -> Option<Self> {
        let panel = span(rows, pitches[0]).saturating_add(columns.saturating_mul(lanes));
        let window = span(rows, pitches[1]).saturating_add(columns);
        let read = span(lines[0], lines[1]).saturating_add(span(pixels[0], pixels[1])).saturating_add(window);
        let sums = span(lines[0], lines[2]).saturating_add(span(pixels[0], pixels[2])).saturating_add(outputs);
        if panel < LARGEST && read < LARGEST && sums < LARGEST {
            Some(Self { lanes, outputs, rows, columns, pitches, lines, pixels })
        } else {
            None
        }
    }

    /// Calls `visit` with the offsets of every pixel in what is read and in what is summed.
    #[inline]
    pub(crate) fn for_each_pixel(&self, mut visit: impl FnMut(usize, usize)) {
        let ([lines, next_x, next_y], [pixels, step_x, step_y]) = (self.lines, self.pixels);
        let [mut line_x, mut line_y] = [0, 0];
        for _ in 0..lines {
            let [mut x, mut y] = [line_x, line_y];
            for _ in 0..pixels {
                visit(x, y);
                x += step_x;
                y += step_y;
            }
            line_x += next_x;
            line_y += next_y;
        }
    }

    /// Whether there is anything to do, its lanes are two vectors or part of one, and all of it lies in a panel and in
    /// tensors of these lengths: all that the pointers of the assembly need. No offset wraps, as nobody else can make a panel.
    #[cfg(helium)]
    #[inline(always)]
    fn fits(&self, panel: usize, read: usize, sums: usize) -> bool {
        let Self { lanes, outputs, rows, columns, pitches, lines, pixels } = *self;
        let lanes_are_vectors =
            if lanes == Self::LANES { outputs == lanes } else { lanes == 4 && outputs.wrapping_sub(1) < 4 };
        let some = rows > 0 && columns > 0 && lines[0] > 0 && pixels[0] > 0;
        let last = |side: usize| (lines[0] - 1) * lines[side] + (pixels[0] - 1) * pixels[side];
        lanes_are_vectors
            && some
            && (rows - 1) * pitches[0] + columns * lanes <= panel
            && last(1) + (rows - 1) * pitches[1] + columns <= read
            && last(2) + outputs <= sums
    }
}

/// Whether the f32 layers of this build multiply and add with one rounding (Helium), so that their last bits differ from
/// those of other targets. Elsewhere they are the same bits everywhere.
pub const FUSES_F32: bool = cfg!(helium);

/// The passes that walk, in a body's `impl Number for f32`, from its macros of the same names: as many blocks of channels
/// of each size as fit, the largest first. One copy of each pass, not one per caller: the loops are long.
#[cfg(target_arch = "arm")]
#[allow(unused_macros)] // Of the bodies without an FPU.
macro_rules! walking_passes {
    (walk [$($walk:tt)+], spread [$($spread:tt)+]) => {
        #[inline(never)]
        fn rows_fill(vector: &[f32], rows: &mut [f32]) {
            let walk = Walk::over_rows(rows.len(), vector.len());
            if walk.fits(rows.len(), (0, 0), (vector.len(), 1)) {
                let (rows, vector) = (rows.as_mut_ptr(), vector.as_ptr());
                // SAFETY: `fits`: so many floats are written in every row, and as many are read. Nothing is read of the other image.
                unsafe { walking_passes!(rows_fill, walk, rows, vector, 0, vector, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn rows_sum(rows: &[f32], sums: &mut [f32]) {
            let walk = Walk::over_rows(rows.len(), sums.len());
            if walk.fits(rows.len(), (0, 0), (sums.len(), 1)) {
                let (rows, sums) = (rows.as_ptr(), sums.as_mut_ptr());
                // SAFETY: `fits`: so many floats are read in every row; as many sums are read and written. As above.
                unsafe { walking_passes!(rows_sum, walk, rows, rows, 0, sums, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn walk_sum(walk: &Walk, sums: &mut [f32], a: &[f32], b: &[f32]) {
            if walk.fits(a.len(), (b.len(), walk.channels), (sums.len(), 1)) {
                let (a, b, sums) = (a.as_ptr(), b.as_ptr(), sums.as_mut_ptr());
                // SAFETY: `fits`: so many floats are read at every pixel of `a` and `b`; as many sums are read and written.
                unsafe { walking_passes!(walk_sum, walk, a, b, 1, sums, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn walk_add(walk: &Walk, a: &mut [f32], b: &[f32], factors: &[f32]) {
            if walk.fits(a.len(), (b.len(), walk.channels), (factors.len(), 1)) {
                let (a, b, factors) = (a.as_mut_ptr(), b.as_ptr(), factors.as_ptr());
                // SAFETY: `fits`: so many floats are read at every pixel of `b`, read and written at those of `a`.
                unsafe { walking_passes!(walk_add, walk, a, b, 1, factors, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn spread_sum(walk: &Walk, sums: &mut [f32], a: &[f32], b: &[f32]) {
            if walk.fits(a.len(), (b.len(), 1), (sums.len(), walk.apart)) {
                let (a, b, sums) = (a.as_ptr(), b.as_ptr(), sums.as_mut_ptr());
                // SAFETY: `fits`: so many floats are read at every pixel of `a`, one of `b`; the sums are read and written.
                unsafe { walking_passes!(spread_sum, walk, a, b, 0, sums, walk.apart; $($spread)+) }
            }
        }

        #[inline(never)]
        fn spread_add(walk: &Walk, a: &mut [f32], b: &[f32], factors: &[f32]) {
            if walk.fits(a.len(), (b.len(), 1), (factors.len(), walk.apart)) {
                let (a, b, factors) = (a.as_mut_ptr(), b.as_ptr(), factors.as_ptr());
                // SAFETY: `fits`: so many floats are read and written at every pixel of `a`, one is read at those of `b`.
                unsafe { walking_passes!(spread_add, walk, a, b, 0, factors, walk.apart; $($spread)+) }
            }
        }

        #[inline(never)]
        fn gather_add(walk: &Walk, a: &[f32], b: &mut [f32], factors: &[f32]) {
            if walk.fits(a.len(), (b.len(), 1), (factors.len(), walk.apart)) {
                let (a, b, factors) = (a.as_ptr(), b.as_mut_ptr(), factors.as_ptr());
                // SAFETY: `fits`: so many floats are read at every pixel of `a`, one is read and written at those of `b`.
                unsafe { walking_passes!(gather_add, walk, a, b, 0, factors, walk.apart; $($spread)+) }
            }
        }
    };
    ($pass:ident, $walk:ident, $a:ident, $b:ident, $channel_of_b:literal, $f:ident, $apart:expr; $($size:tt)+) => {{
        let mut first = 0;
        $(
            while $walk.channels - first >= $size {
                let b = $b.wrapping_add(first * $channel_of_b);
                $pass!($size, $walk, $a.wrapping_add(first), b, $f.wrapping_add(first * $apart));
                first += $size;
            }
        )+
    }};
}

#[cfg(helium)]
mod helium;

#[cfg(fpv4)]
mod fpv4;

#[cfg(not(any(helium, fpv4)))]
impl crate::Number for f32 {}
