//! Depthwise convolution with windows of any shape, and with several outputs per input channel. A table says where each tap of some pixels of a row lies;
//! it is made once and serves all channels. Padding is a pixel of zero points that taps outside of the image point to, so that every
//! pixel runs by the same loop.

use super::depthwise::{Loop, Row};
use super::kernels::{Core, GEOMETRY, Kernel};
use super::rounding::Way;
use super::{Cpu, pack};
use crate::pack::Channel;

/// Pixels that are computed at a time.
pub(super) const LANES: usize = pack::TAP_LANES;

/// Some pixels of a row, for a loop over the output channels with one over the taps inside. The assembly knows the order of the fields, and moves
/// some of them on.
#[repr(C)]
pub(super) struct Taps {
    /// For each tap, row by row, where it lies for each pixel: so many bytes behind `input`. For neighbours a row has the taps of the first pixel, and
    /// three columns more.
    pub table: *const u32,
    /// One weight for each tap, then those of the next channel; or one for each channel, then those of the next tap ([`pack::Geometry::lies_by_taps`]).
    pub weights: *const i8,
    pub channels: *const Channel,
    /// The first pixel's output.
    pub output: *mut i8,
    /// How far the outputs of the other pixels are from it.
    pub others: [usize; LANES - 1],
    /// [`Rounding::offset`](super::rounding::Rounding::offset).
    pub offset: i32,
    /// The image.
    pub input: *const i8,
    /// Where the weights end.
    pub end: *const i8,
    /// Outputs of an input channel, and how many of them are left.
    pub multiplier: usize,
    pub left: usize,
    /// Where the table ends.
    pub table_end: *const u32,
    /// Taps of a row of the window, and all taps.
    pub columns: usize,
    pub depth: usize,
    /// The clamp, for kernels that have one.
    pub minimum: i32,
    pub maximum: i32,
    /// A pixel of zero points, and what the table holds for it.
    pub padding: *const i8,
    pub padding_at: u32,
    /// The number of output channels.
    pub count: usize,
    /// How many of the pixels lie in the row.
    pub pixels: usize,
}

impl Taps {
    /// The tap that the table says to lie at `at`, at channel 0.
    #[inline(always)]
    pub(super) fn tap(&self, at: u32) -> *const i8 {
        if at == self.padding_at { self.padding } else { self.input.wrapping_add(at as usize) }
    }
}

/// What the table holds for padding: on the cores how far it is from the image to it. On a host it is a number that no tap of an image has, since
/// no pointer leads from one to the other.
fn padding_at(input: *const i8, padding: *const i8) -> u32 {
    if cfg!(core = "host") { u32::MAX } else { padding.addr().wrapping_sub(input.addr()) as u32 }
}

/// Windows of any shape, by a table of taps.
pub(super) struct ByTable;

impl Loop for ByTable {
    const CLAMPS: bool = Cpu::CLAMPS;

    #[inline(always)]
    unsafe fn row(row: &Row<'_>) {
        let (layer, shape, columns) = (row.layer, &row.layer.shape, row.layer.shape.columns());
        let width = shape.output().width;
        let weights = layer.words.as_ptr().cast::<i8>();
        let (first, last) = shape.rows().taps(row.index);
        let table = Table {
            row,
            padding_at: padding_at(row.input, row.padding),
            first,
            last,
            line: shape.rows().position(row.index, first).wrapping_mul(shape.input().row()) as u32,
        };
        let mut taps = Taps {
            table: row.table,
            weights,
            channels: layer.channels.as_ptr(),
            output: row.output,
            // Where the row has less than four pixels, its last one takes the places that are left.
            others: [1, 2, 3].map(|lane: usize| lane.min(width - 1) * shape.output().channels),
            offset: row.rounding.offset,
            input: row.input,
            end: weights.wrapping_add(shape.weights()),
            multiplier: shape.multiplier(),
            left: shape.multiplier(),
            table_end: row.table,
            columns: columns.kernel(),
            depth: shape.depth(),
            minimum: layer.output.minimum,
            maximum: layer.output.maximum,
            padding: row.padding,
            padding_at: table.padding_at,
            count: layer.channels.len(),
            pixels: LANES.min(width),
        };
        let by_taps = GEOMETRY.lies_by_taps(shape);
        let start = |position: usize| (position * columns.stride()).wrapping_sub(columns.before());
        let [four, one] = Cpu::DEPTHWISE_TAPS;
        let mut position = 0;
        while position < width {
            let lanes = if width - position == 1 || by_taps || row.way == Way::General { 1 } else { LANES };
            if width >= LANES {
                // Less than four pixels are computed together with pixels before them, once more. A row of the output never covers input
                // that the row needs, so that what is computed twice is the same.
                position = position.min(width - lanes);
            }
            taps.weights = weights;
            taps.channels = layer.channels.as_ptr();
            taps.input = row.input;
            taps.output = row.output(position);
            // SAFETY: the table has room for the taps of four pixels; every tap in it is a pixel of the image or of padding, and
            // each pixel lies in the row.
            unsafe {
                if lanes == 1 {
                    taps.table_end = table.fill([start(position)], columns.kernel());
                    match Cpu::DEPTHWISE_CHANNELS {
                        _ if row.way == Way::General => general(row, &taps, by_taps),
                        Some(channels) if by_taps => channels(&mut taps),
                        _ => one(&mut taps),
                    }
                } else if let Some(neighbours) = Cpu::DEPTHWISE_NEIGHBOURS
                    && pack::are_neighbours(shape)
                {
                    taps.table_end = table.fill([start(position)], columns.kernel() + LANES - 1);
                    neighbours(&mut taps);
                } else {
                    let starts = [0, 1, 2, 3].map(|lane: usize| start((position + lane).min(width - 1)));
                    taps.table_end = table.fill(starts, columns.kernel());
                    four(&mut taps);
                }
            }
            position += lanes;
        }
    }
}

/// What the tables of a row share.
struct Table<'a> {
    row: &'a Row<'a>,
    padding_at: u32,
    /// The first row of the window that lies in the image, and one past the last.
    first: usize,
    last: usize,
    /// Where the first one starts in the image.
    line: u32,
}

impl Table<'_> {
    /// Writes the table of pixels whose first taps are the columns `starts`, `steps` taps in a row, and says where it ends.
    ///
    /// # Safety
    /// There is room for as many words in each row of the window.
    #[inline(always)]
    unsafe fn fill<const PIXELS: usize>(&self, starts: [usize; PIXELS], steps: usize) -> *const u32 {
        let shape = &self.row.layer.shape;
        let (width, kernel) = (PIXELS * steps, shape.rows().kernel());
        if self.last - self.first < kernel {
            for index in 0..kernel * width {
                // SAFETY: there is room for the rows, as the caller vouches.
                unsafe { *self.row.table.add(index) = self.padding_at };
            }
        }
        let down = (shape.rows().dilation() * shape.input().row()) as u32;
        let mut to = self.row.table.wrapping_add(self.first * width);
        let mut across = 0;
        for _ in 0..steps {
            for start in starts {
                let x = start.wrapping_add(across);
                let (mut at, step) = if x < shape.input().width {
                    (self.line.wrapping_add((x * shape.input().channels) as u32), down)
                } else {
                    (self.padding_at, 0)
                };
                let mut place = to;
                for _ in self.first..self.last {
                    // SAFETY: the place lies in a row of the window, for which there is room.
                    unsafe { *place = at };
                    at = at.wrapping_add(step);
                    place = place.wrapping_add(width);
                }
                to = to.wrapping_add(1);
            }
            across += shape.columns().dilation();
        }
        self.row.table.wrapping_add(kernel * width)
    }
}

/// A pixel of a layer whose channels have the portable encoding, which few layers have.
///
/// # Safety
/// The table holds the taps of one pixel; the weights, the channels and the outputs are the layer's.
#[inline(never)]
unsafe fn general(row: &Row<'_>, taps: &Taps, by_taps: bool) {
    let [channel_step, tap_step] = if by_taps { [1, taps.count] } else { [taps.depth, 1] };
    let (mut input, mut left) = (0, taps.multiplier);
    for (index, channel) in row.layer.channels.iter().enumerate() {
        let mut weights = taps.weights.wrapping_add(index * channel_step);
        let mut sum = 0_i32;
        for tap in 0..taps.depth {
            // SAFETY: the table has the taps, each of which has the channels of the input; every tap has a weight for each output.
            unsafe {
                let value = *taps.tap(*taps.table.add(tap)).wrapping_add(input);
                sum = sum.wrapping_add(i32::from(value) * i32::from(*weights));
            }
            weights = weights.wrapping_add(tap_step);
        }
        // SAFETY: the pixel has an output per channel.
        unsafe { *taps.output.add(index) = row.rounding.clamp(row.rounding.general(sum, channel)) };
        left -= 1;
        if left == 0 {
            (input, left) = (input + 1, taps.multiplier);
        }
    }
}

/// The kernels of a core: four pixels with taps of their own, and one pixel.
pub(super) type Kernels = [Kernel<Taps>; 2];
