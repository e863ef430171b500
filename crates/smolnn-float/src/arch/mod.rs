//! The bodies of the passes of [`Number`](crate::Number), the one room where `unsafe` is allowed.
//!
//! `portable` is safe Rust, runs everywhere and is the specification. For f32 there are two more: `fpv4`, for any Cortex-M
//! with a hardware FPU, which multiplies and adds in the same order and gives the same bits; and `helium`, whose results
//! differ in the last bits. `--cfg smolnn_backend="portable"` forces the first.

pub(crate) mod portable;

/// A rectangle of pixels in two images `a` and `b`. All numbers count elements.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Elements at each pixel.
    pub(crate) channels: usize,
    /// Rows of pixels.
    pub(crate) rows: usize,
    /// Pixels of a row.
    pub(crate) columns: usize,
    /// Distance from a pixel to the next of its row, in `a` and `b`.
    pub(crate) steps: [usize; 2],
    /// Distance from a row to the next, in `a` and `b`.
    pub(crate) pitches: [usize; 2],
    /// Distance from an element of the sums or factors to the next, in the passes between one channel and many.
    pub(crate) apart: usize,
}

/// Elements that tensors of checked shapes stay below.
const LARGEST: usize = 1 << 31;

/// From the first of `count` places to the last, `step` apart, in elements.
const fn span(count: usize, step: usize) -> usize {
    count.saturating_sub(1).saturating_mul(step)
}

impl Walk {
    /// A walk for tests, or `None` where offsets would wrap. Walks of the layers come from checked shapes, whose offsets do not.
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

    /// The walk with the images in the other order.
    #[inline]
    pub(crate) fn swapped(self) -> Self {
        let swap = |[a, b]: [usize; 2]| [b, a];
        Self { steps: swap(self.steps), pitches: swap(self.pitches), ..self }
    }

    /// Whether there is anything to do, and all of it lies inside: `channels` elements at each pixel of an image of `a` elements,
    /// `elements` at each pixel of an image of `b`, and `channels` elements, `apart` from each other, of a vector of `vector`. The
    /// pointers of the assembly need no more. No offset wraps, since walks are made only of checked shapes and by [`Walk::new`].
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Builds without an FPU never call it: their bodies are portable.
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

    /// The walk through the rows of a matrix, which lie one behind the other.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Builds without an FPU never call it: their bodies are portable.
    #[inline(always)]
    fn over_rows(elements: usize, length: usize) -> Self {
        let columns = elements.checked_div(length).unwrap_or(0);
        Self { channels: length, rows: 1, columns, steps: [length, 0], pitches: [0, 0], apart: 1 }
    }

    /// Bytes from the last element read of a pixel to the next pixel, and from behind a row's last step to the next row.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Builds without an FPU never call it: their bodies are portable.
    #[inline(always)]
    fn skips(&self, side: usize, read: usize) -> [usize; 2] {
        let row = self.columns.wrapping_mul(self.steps[side]);
        [self.steps[side].wrapping_sub(read), self.pitches[side].wrapping_sub(row)].map(|skip| skip.wrapping_mul(4))
    }
}

/// Pixels whose windows see the same taps, and the weights of up to eight outputs at those taps, side by side in a panel. All
/// numbers count elements.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[repr(C)] // The assembly names fields by their offsets.
pub struct Panel {
    /// Weights side by side: [`Panel::LANES`] or half of them.
    pub(crate) lanes: usize,
    /// Lanes in use, one for each output: all of them, or up to half.
    pub(crate) outputs: usize,
    /// Rows of a window.
    pub(crate) rows: usize,
    /// Elements of a row, one behind the other.
    pub(crate) columns: usize,
    /// Distance from a row to the next, in the panel and in what is read.
    pub(crate) pitches: [usize; 2],
    /// Lines of pixels; the distances from one to the next in what is read and in what is summed.
    pub(crate) lines: [usize; 3],
    /// Pixels of a line; the distances from one to the next in what is read and in what is summed.
    pub(crate) pixels: [usize; 3],
}

impl Panel {
    /// Lanes of a whole panel.
    pub const LANES: usize = 8;
    /// The largest number of elements of a window.
    pub const ELEMENTS: usize = 72;
    /// The largest number of weights.
    pub const WEIGHTS: usize = Self::ELEMENTS * Self::LANES;

    /// A panel for tests, or `None` where offsets would wrap. Panels of the layers come from checked shapes.
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
    /// tensors of these lengths. The pointers of the assembly need no more. No offset wraps, since panels are made only of
    /// checked shapes and by [`Panel::new`].
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
#[allow(unused_macros)] // Builds without an FPU never use it: their bodies are portable.
macro_rules! walking_passes {
    (walk [$($walk:tt)+], spread [$($spread:tt)+]) => {
        #[inline(never)]
        fn rows_fill(vector: &[f32], rows: &mut [f32]) {
            let walk = Walk::over_rows(rows.len(), vector.len());
            if walk.fits(rows.len(), (0, 0), (vector.len(), 1)) {
                let (rows, vector) = (rows.as_mut_ptr(), vector.as_ptr());
                // SAFETY: `fits` found `channels` floats in every row, which are written, and in `vector`, which are read.
                // Nothing is read of the other image.
                unsafe { walking_passes!(rows_fill, walk, rows, vector, 0, vector, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn rows_sum(rows: &[f32], sums: &mut [f32]) {
            let walk = Walk::over_rows(rows.len(), sums.len());
            if walk.fits(rows.len(), (0, 0), (sums.len(), 1)) {
                let (rows, sums) = (rows.as_ptr(), sums.as_mut_ptr());
                // SAFETY: `fits` found `channels` floats in every row, which are read, and in `sums`, which are read and
                // written. Nothing is read of the other image.
                unsafe { walking_passes!(rows_sum, walk, rows, rows, 0, sums, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn walk_sum(walk: &Walk, sums: &mut [f32], a: &[f32], b: &[f32]) {
            if walk.fits(a.len(), (b.len(), walk.channels), (sums.len(), 1)) {
                let (a, b, sums) = (a.as_ptr(), b.as_ptr(), sums.as_mut_ptr());
                // SAFETY: `fits` found `channels` floats at every pixel of `a` and `b`, which are read, and in `sums`, which
                // are read and written.
                unsafe { walking_passes!(walk_sum, walk, a, b, 1, sums, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn walk_add(walk: &Walk, a: &mut [f32], b: &[f32], factors: &[f32]) {
            if walk.fits(a.len(), (b.len(), walk.channels), (factors.len(), 1)) {
                let (a, b, factors) = (a.as_mut_ptr(), b.as_ptr(), factors.as_ptr());
                // SAFETY: `fits` found `channels` floats at every pixel of `a`, which are read and written, and at every pixel
                // of `b` and in `factors`, which are read.
                unsafe { walking_passes!(walk_add, walk, a, b, 1, factors, 1; $($walk)+) }
            }
        }

        #[inline(never)]
        fn spread_sum(walk: &Walk, sums: &mut [f32], a: &[f32], b: &[f32]) {
            if walk.fits(a.len(), (b.len(), 1), (sums.len(), walk.apart)) {
                let (a, b, sums) = (a.as_ptr(), b.as_ptr(), sums.as_mut_ptr());
                // SAFETY: `fits` found `channels` floats at every pixel of `a` and one at every pixel of `b`, which are read,
                // and as many sums, `apart` from each other, which are read and written.
                unsafe { walking_passes!(spread_sum, walk, a, b, 0, sums, walk.apart; $($spread)+) }
            }
        }

        #[inline(never)]
        fn spread_add(walk: &Walk, a: &mut [f32], b: &[f32], factors: &[f32]) {
            if walk.fits(a.len(), (b.len(), 1), (factors.len(), walk.apart)) {
                let (a, b, factors) = (a.as_mut_ptr(), b.as_ptr(), factors.as_ptr());
                // SAFETY: `fits` found `channels` floats at every pixel of `a`, which are read and written, and one at every
                // pixel of `b` and as many factors, `apart` from each other, which are read.
                unsafe { walking_passes!(spread_add, walk, a, b, 0, factors, walk.apart; $($spread)+) }
            }
        }

        #[inline(never)]
        fn gather_add(walk: &Walk, a: &[f32], b: &mut [f32], factors: &[f32]) {
            if walk.fits(a.len(), (b.len(), 1), (factors.len(), walk.apart)) {
                let (a, b, factors) = (a.as_ptr(), b.as_mut_ptr(), factors.as_ptr());
                // SAFETY: `fits` found `channels` floats at every pixel of `a` and as many factors, `apart` from each other,
                // which are read, and one float at every pixel of `b`, which is read and written.
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
