//! The bodies of the passes of [`Number`](crate::Number), the one room where `unsafe` is allowed.
//!
//! `portable` is safe Rust, runs everywhere and is the specification. For f32 there are two more: `fpv4`, for any Cortex-M
//! with a hardware FPU, which multiplies and adds in the same order and gives the same bits; and `helium`, whose results
//! differ in the last bits. `--cfg smolnn_backend="portable"` forces the first.

pub(crate) mod portable;

/// Windows of output pixels side by side, and their taps, row by row, in two tensors `a` and `b`; the third is `f`, with
/// one vector per pixel. In elements.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Elements at each tap, and of each vector.
    pub channels: usize,
    /// Rows of taps.
    pub rows: usize,
    /// Taps of a row.
    pub columns: usize,
    /// From a tap to the next of its row, in `a` and `b`.
    pub steps: [usize; 2],
    /// From a row to the next, in `a` and `b`.
    pub pitches: [usize; 2],
    /// Pixels.
    pub pixels: usize,
    /// From a pixel to the next, in `a`, `b` and `f`.
    pub strides: [usize; 3],
}

impl Walk {
    /// Calls `visit` with the offsets of every pixel's first tap in both tensors, and of its vector.
    #[inline]
    pub(crate) fn for_each_pixel(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [mut a, mut b, mut f] = [0; 3];
        for _ in 0..self.pixels {
            visit(a, b, f);
            a += self.strides[0];
            b += self.strides[1];
            f += self.strides[2];
        }
    }

    /// Calls `visit` with the offsets of every tap of one pixel in both tensors.
    #[inline]
    pub(crate) fn for_each_tap(&self, mut visit: impl FnMut(usize, usize)) {
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

    /// The same with the tensors in the other order.
    #[inline]
    pub(crate) fn swapped(self) -> Self {
        let swap = |[a, b]: [usize; 2]| [b, a];
        let [a, b, f] = self.strides;
        Self { steps: swap(self.steps), pitches: swap(self.pitches), strides: [b, a, f], ..self }
    }

    /// Whether there is anything to do, and all of it lies in tensors of these lengths, so many elements at each tap: all
    /// that the pointers of the assembly need.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Of the bodies without an FPU.
    #[inline(always)]
    fn fits(&self, lengths: [usize; 3], elements: [usize; 2]) -> bool {
        let Self { rows, columns, pixels, channels, steps, pitches, strides } = *self;
        let end = |side: usize| {
            (pixels - 1) * strides[side] + (rows - 1) * pitches[side] + (columns - 1) * steps[side] + elements[side]
        };
        let some = rows > 0 && columns > 0 && pixels > 0;
        some && end(0) <= lengths[0] && end(1) <= lengths[1] && (pixels - 1) * strides[2] + channels <= lengths[2]
    }

    /// Bytes from what was read of a tap to the next tap, and from behind a row's last step to the next row.
    #[cfg(target_arch = "arm")]
    #[allow(dead_code)] // Of the bodies without an FPU.
    #[inline(always)]
    fn skips(&self, side: usize, read: usize) -> [usize; 2] {
        let row = self.columns.wrapping_mul(self.steps[side]);
        [self.steps[side].wrapping_sub(read), self.pitches[side].wrapping_sub(row)].map(|skip| skip.wrapping_mul(4))
    }
}

/// Whether the f32 layers of this build multiply and add with one rounding (Helium), so that their last bits differ from
/// those of other targets. Elsewhere they are the same bits everywhere.
pub const FUSES_F32: bool = cfg!(helium);

/// As many blocks of channels of each size as fit, the largest first.
#[cfg(target_arch = "arm")]
#[allow(unused_macros)] // Of the bodies without an FPU.
macro_rules! in_blocks {
    ($pass:ident, $walk:ident, $a:ident, $b:ident, $f:ident: $($size:tt)+) => {{
        let mut first = 0;
        $(
            while $walk.channels - first >= $size {
                let (a, b, f) = ($a.wrapping_add(first), $b.wrapping_add(first), $f.wrapping_add(first));
                $pass!($size, $walk, a, b, f);
                first += $size;
            }
        )+
    }};
}

#[cfg(helium)]
mod helium;

#[cfg(all(
    target_arch = "arm",
    target_abi = "eabihf",
    target_os = "none",
    not(any(helium, smolnn_backend = "portable"))
))]
mod fpv4;

#[cfg(not(any(
    helium,
    all(target_arch = "arm", target_abi = "eabihf", target_os = "none", not(smolnn_backend = "portable"))
)))]
impl crate::Number for f32 {}
