//! Linear layers by panels, where vector registers make it pay ([`Number::PANELS`]): dense layers over several vectors, and
//! convolutions, of which a dense layer is the one with a window of one element.
//!
//! - A panel is the weights of up to eight outputs at up to 72 elements of a window, side by side on the stack: `[row][column]
//!   [channel][lane]`. Copied once, it serves all pixels, and nothing is left to add up across lanes.
//! - Pixels whose windows see input at the same taps form a region (inside of an image there is one, along its edges there
//!   are a few); a pass runs over a region at once. Padding is skipped.
//! - Forward and the gradient of the weights run over the image. The gradient of the input runs over that of the output, with
//!   the kernel rotated by 180° and the channels exchanged; at stride s, once for each of the s phases of a row or column, with
//!   every s-th tap. With groups, or dilation, a row of taps is walked one tap at a time.
//! - Order: an output adds its products in the order of the kernel, as the portable body does; a gradient of the weights region
//!   by region.
//! - Held by: `panels_are_exact_in_integers` (tests/host/gradient/layers.rs), `float/passes` and the recorded cases of the
//!   conformance firmware.

use smolnn_core::{Conv2dShape, Image, Window};

use crate::slices::{behind, behind_mut, excluded, part, part_mut, quotient};
use crate::{Number, Panel};

/// The order of a kernel's taps: that of the input, or rotated by 180°.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Taps {
    InOrder,
    Rotated,
}

/// Elements of a window that a panel holds.
const ELEMENTS: usize = Panel::ELEMENTS;

/// Outputs side by side in a whole panel.
const LANES: usize = Panel::LANES;

/// Pixels from which on it pays to lay the weights out: forward.
pub(crate) const PIXELS: usize = 4;

/// The same for the gradients of a convolution.
pub(crate) const GRADIENT_PIXELS: usize = 8;

/// The same for those of a dense layer, whose other passes need no layout and cost little more.
pub(crate) const DENSE_GRADIENT_PIXELS: usize = 16;

/// One axis of what is summed: sum `i` sees, at tap `k`, position `i·stride + k·dilation + offset` of what is read, where
/// there is one. All wraps round where it is negative.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    sums: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    offset: usize,
    /// Where the first sum lies, and how far apart they are.
    places: [usize; 2],
    /// The first tap's number in the weights, and how far apart they are.
    numbers: [usize; 2],
    /// The sums that see input at every tap.
    inside: [usize; 2],
}

/// Sums that see input at the same taps.
#[derive(Clone, Copy)]
struct Span {
    first: usize,
    sums: usize,
    taps: [usize; 2],
}

impl Axis {
    fn new(window: &Window, rotated: bool) -> Self {
        let last = window.kernel().wrapping_sub(1);
        Self {
            input: window.input(),
            sums: window.output(),
            kernel: window.kernel(),
            stride: window.stride(),
            dilation: window.dilation(),
            offset: window.before().wrapping_neg(),
            places: [0, 1],
            numbers: if rotated { [last, usize::MAX] } else { [0, 1] },
            inside: [0; 2],
        }
        .with_inside()
    }

    /// The axis of a dense layer: `count` vectors, each of which is its own window of one element.
    fn vectors(count: usize) -> Self {
        Self::new(&Window::pointwise(count), false)
    }

    /// Seen from the input: what the outputs give to every `stride`-th input from `phase` on. With a stride, undilated.
    fn mirrored(window: &Window, rotated: bool, phase: usize) -> Self {
        let (input, output, kernel, stride, dilation, before) =
            (window.input(), window.output(), window.kernel(), window.stride(), window.dilation(), window.before());
        // Input i = phase + stride·j and output o meet at tap k where i + before = o·stride + k·dilation.
        let shifted = phase + before;
        let (step, tap) = (quotient(shifted, stride), shifted.checked_rem(stride).unwrap_or_else(excluded));
        let ceil = |distance: usize| quotient(distance + stride - 1, stride);
        let taps = ceil(kernel.saturating_sub(tap));
        let last = taps.wrapping_sub(1);
        // From the last tap to the first, so that what is read is walked upwards.
        let number = tap.wrapping_add(last.wrapping_mul(stride));
        Self {
            input: output,
            sums: ceil(input.saturating_sub(phase)),
            kernel: taps,
            stride: 1,
            dilation,
            offset: step.wrapping_sub(last.wrapping_mul(dilation)),
            places: [phase, stride],
            numbers: if rotated {
                [(kernel - 1).wrapping_sub(number), stride]
            } else {
                [number, stride.wrapping_neg()]
            },
            inside: [0; 2],
        }
        .with_inside()
    }

    fn with_inside(self) -> Self {
        let last = self.kernel.wrapping_sub(1);
        let inside = |sum: usize| self.kernel > 0 && sum < self.sums && self.sees(sum, 0) && self.sees(sum, last);
        let mut start = 0;
        while start < self.sums && !inside(start) {
            start += 1;
        }
        let mut end = start;
        while inside(end) {
            end += 1;
        }
        Self { inside: [start, end], ..self }
    }

    #[inline]
    fn position(&self, sum: usize, tap: usize) -> usize {
        (sum * self.stride + tap * self.dilation).wrapping_add(self.offset)
    }

    #[inline]
    fn sees(&self, sum: usize, tap: usize) -> bool {
        self.position(sum, tap) < self.input
    }

    #[inline]
    fn number(&self, tap: usize) -> usize {
        self.numbers[0].wrapping_add(tap.wrapping_mul(self.numbers[1]))
    }

    #[inline]
    fn place(&self, sum: usize) -> usize {
        self.places[0] + sum * self.places[1]
    }

    /// The sums from `first` on that see input at the same taps.
    #[inline(always)]
    fn span(&self, first: usize) -> Span {
        if first == self.inside[0] && first < self.inside[1] {
            return Span { first, sums: self.inside[1] - first, taps: [0, self.kernel] };
        }
        let [mut start, mut end] = [0, self.kernel];
        while start < end && !self.sees(first, start) {
            start += 1;
        }
        while start < end && !self.sees(first, end - 1) {
            end -= 1;
        }
        Span { first, sums: 1, taps: [start, end] }
    }

    #[inline(always)]
    fn for_each_span(&self, mut visit: impl FnMut(Span)) {
        let mut sum = 0;
        while sum < self.sums {
            let span = self.span(sum);
            sum += span.sums;
            visit(span);
        }
    }
}

/// What is read, what is summed, and where its weights lie.
#[derive(Clone, Copy)]
pub(crate) struct Panels {
    batch: usize,
    groups: usize,
    from: Image,
    to: Image,
    rows: Axis,
    columns: Axis,
    /// Columns of the kernel in memory.
    width: usize,
    /// Channels of a group, read and summed.
    inputs: usize,
    outputs: usize,
    /// From a weight to that of the next tap, the next channel that is read, the next that is summed, the next group.
    tap: usize,
    input: usize,
    output: usize,
    group: usize,
}

/// The part of the weights that a panel holds: of one group, `outputs` from `first` on; taps by rows and columns,
/// and of each so many channels. First and count.
struct Chunk {
    group: usize,
    first: usize,
    outputs: usize,
    rows: [usize; 2],
    columns: [usize; 2],
    channels: [usize; 2],
}

impl Chunk {
    const fn lanes(&self) -> usize {
        if self.outputs == LANES { LANES } else { LANES / 2 }
    }
}

impl Panels {
    /// Outputs from an image.
    #[inline]
    pub(crate) fn forward(shape: &Conv2dShape, taps: Taps) -> Self {
        let rotated = taps == Taps::Rotated;
        Self {
            batch: shape.batch(),
            groups: shape.groups(),
            from: shape.input(),
            to: shape.output(),
            rows: Axis::new(&shape.rows(), rotated),
            columns: Axis::new(&shape.columns(), rotated),
            width: shape.columns().kernel(),
            inputs: shape.group_inputs(),
            outputs: shape.group_outputs(),
            tap: shape.group_inputs(),
            input: 1,
            output: shape.depth(),
            group: shape.group_outputs() * shape.depth(),
        }
    }

    /// Whether strides and dilation meet along neither axis, so that there is a [`Self::mirrored`].
    #[inline]
    pub(crate) fn can_be_mirrored(shape: &Conv2dShape) -> bool {
        [&shape.rows(), &shape.columns()].into_iter().all(|window| window.stride() == 1 || window.dilation() == 1)
    }

    /// The gradient of the input from that of the output, of the inputs of one phase along the rows and along the columns.
    #[inline]
    fn mirrored(shape: &Conv2dShape, taps: Taps, phases: [usize; 2]) -> Self {
        let (forward, rotated) = (Self::forward(shape, taps), taps == Taps::Rotated);
        Self {
            rows: Axis::mirrored(&shape.rows(), rotated, phases[0]),
            columns: Axis::mirrored(&shape.columns(), rotated, phases[1]),
            ..forward.transposed()
        }
    }

    /// `d_input += Wᵀ d_output`.
    pub(crate) fn sum_mirrored<T: Number>(
        shape: &Conv2dShape,
        taps: Taps,
        weights: &[T],
        d_output: &[T],
        d_input: &mut [T],
    ) {
        for y in 0..shape.rows().stride() {
            for x in 0..shape.columns().stride() {
                Self::mirrored(shape, taps, [y, x]).sum(weights, d_output, d_input);
            }
        }
    }

    /// A dense layer over so many vectors: its outputs.
    #[inline]
    pub(crate) fn dense(inputs: usize, outputs: usize, count: usize) -> Self {
        Self {
            batch: 1,
            groups: 1,
            from: Image::hwc(1, count, inputs),
            to: Image::hwc(1, count, outputs),
            rows: Axis::vectors(1),
            columns: Axis::vectors(count),
            width: 1,
            inputs,
            outputs,
            tap: inputs,
            input: 1,
            output: inputs,
            group: 0,
        }
    }

    /// With what is read and what is summed exchanged: of a dense layer, the gradient of its inputs.
    #[inline]
    pub(crate) fn transposed(self) -> Self {
        let Self { from, to, inputs, outputs, input, output, .. } = self;
        Self { from: to, to: from, inputs: outputs, outputs: inputs, input: output, output: input, ..self }
    }

    /// Whether the taps of a row see elements one behind the other.
    #[inline]
    fn is_contiguous(&self) -> bool {
        self.groups == 1 && self.columns.dilation == 1
    }

    #[inline]
    fn for_each_chunk(&self, mut visit: impl FnMut(&Chunk)) {
        let fitting = |size: usize| quotient(ELEMENTS, size.max(1)).max(1);
        let channels = self.inputs.min(ELEMENTS);
        let columns = if channels < self.inputs { 1 } else { fitting(channels).min(self.columns.kernel) };
        let rows = if columns < self.columns.kernel || channels < self.inputs || !self.is_contiguous() {
            1
        } else {
            fitting(columns * channels).min(self.rows.kernel)
        };
        for group in 0..self.groups {
            let mut first = 0;
            while first < self.outputs {
                let left = self.outputs - first;
                let outputs = if left >= LANES { LANES } else { left.min(LANES / 2) };
                blocks(self.rows.kernel, rows, |rows| {
                    blocks(self.columns.kernel, columns, |columns| {
                        blocks(self.inputs, channels, |channels| {
                            visit(&Chunk { group, first, outputs, rows, columns, channels });
                        });
                    });
                });
                first += outputs;
            }
        }
    }

    /// Visits the offsets, in panel and weights, and the lengths of pieces that lie in the weights as they do in the panel.
    #[inline]
    fn for_each_piece(&self, chunk: &Chunk, mut visit: impl FnMut(usize, usize, usize)) {
        let (mut at, [channel, channels]) = (0, chunk.channels);
        let rows_lie_as_read = self.columns.numbers[1] == 1 && self.input == 1 && channels == self.tap;
        let (pieces, length) =
            if rows_lie_as_read { (1, chunk.columns[1] * channels) } else { (chunk.columns[1], channels) };
        for u in 0..chunk.rows[1] {
            let row = self.rows.number(chunk.rows[0] + u) * self.width;
            for v in 0..pieces {
                let tap = row + self.columns.number(chunk.columns[0] + v);
                let first = chunk.group * self.group + chunk.first * self.output;
                visit(at, first + tap * self.tap + channel * self.input, length);
                at += length * chunk.lanes();
            }
        }
    }

    #[inline]
    fn load<T: Number>(&self, chunk: &Chunk, weights: &[T], panel: &mut [T]) {
        self.for_each_piece(chunk, |at, first, length| {
            let panel = part_mut(panel, at, length * chunk.lanes());
            T::panel_load(panel, chunk.lanes(), behind(weights, first), [self.input, self.output], chunk.outputs);
        });
    }

    #[inline]
    fn store<T: Number>(&self, chunk: &Chunk, panel: &[T], weights: &mut [T]) {
        self.for_each_piece(chunk, |at, first, length| {
            let panel = part(panel, at, length * chunk.lanes());
            T::panel_store(panel, chunk.lanes(), behind_mut(weights, first), [self.input, self.output], chunk.outputs);
        });
    }

    /// Visits the regions: how to walk them, and the offsets in panel, in what is read and in what is summed.
    #[inline]
    fn for_each_region(&self, chunk: &Chunk, mut visit: impl FnMut(&Panel, usize, usize, usize)) {
        let ([u0, _], [v0, _], [channel, channels]) = (chunk.rows, chunk.columns, chunk.channels);
        let (from, to, is_contiguous) = (&self.from, &self.to, self.is_contiguous());
        let in_tap = channels * chunk.lanes();
        let in_row = chunk.columns[1] * in_tap;
        let (from_row, to_row) = (from.row(), to.row());
        let next_line = [self.rows.stride * from_row, self.rows.places[1] * to_row];
        let next_pixel = [self.columns.stride * from.channels, self.columns.places[1] * to.channels];
        let pitches = if is_contiguous {
            [in_row, self.rows.dilation * from_row]
        } else {
            [in_tap, self.columns.dilation * from.channels]
        };
        let (first_read, first_sum) = (chunk.group * self.inputs + channel, chunk.group * self.outputs + chunk.first);
        self.rows.for_each_span(|y| {
            let Some([top, rows]) = meet(y.taps, chunk.rows) else { return };
            let weights = (top - u0) * in_row;
            let read = self.rows.position(y.first, top) * from_row + first_read;
            let sum = self.rows.place(y.first) * to_row + first_sum;
            let lines = [y.sums, next_line[0], next_line[1]];
            self.columns.for_each_span(|x| {
                let Some([left, columns]) = meet(x.taps, chunk.columns) else { return };
                let (rows, columns) = if is_contiguous { (rows, columns * channels) } else { (columns, channels) };
                let pixels = [x.sums, next_pixel[0], next_pixel[1]];
                // A column is a line as well.
                let (lines, pixels) = if x.sums == 1 { (pixels, lines) } else { (lines, pixels) };
                let panel =
                    Panel { lanes: chunk.lanes(), outputs: chunk.outputs, rows, columns, pitches, lines, pixels };
                let weights = weights + (left - v0) * in_tap;
                let mut read = read + self.columns.position(x.first, left) * from.channels;
                let mut sum = sum + self.columns.place(x.first) * to.channels;
                for _ in 0..self.batch {
                    visit(&panel, weights, read, sum);
                    read += from.len();
                    sum += to.len();
                }
            });
        });
    }

    /// `sums += W · from`.
    pub(crate) fn sum<T: Number>(&self, weights: &[T], from: &[T], sums: &mut [T]) {
        T::with_panel(|room| {
            self.for_each_chunk(|chunk| {
                self.load(chunk, weights, room);
                self.for_each_region(chunk, |panel, w, x, y| {
                    T::panel_sum(panel, behind(room, w), behind(from, x), behind_mut(sums, y));
                });
            });
        });
    }

    /// `weights += sums · fromᵀ`, for as many sums as the pixels have.
    pub(crate) fn outer<T: Number>(&self, weights: &mut [T], from: &[T], sums: &[T]) {
        T::with_panel(|room| {
            self.for_each_chunk(|chunk| {
                self.load(chunk, weights, room);
                self.for_each_region(chunk, |panel, w, x, y| {
                    T::panel_outer(panel, behind_mut(room, w), behind(from, x), behind(sums, y));
                });
                self.store(chunk, room, weights);
            });
        });
    }
}

/// Visits the blocks of `size` of so many, first and count.
#[inline]
fn blocks(count: usize, size: usize, mut visit: impl FnMut([usize; 2])) {
    let mut first = 0;
    while first < count {
        let block = size.min(count - first);
        visit([first, block]);
        first += block;
    }
}

/// The taps of a range that a block, first and count, holds: first and count.
#[inline]
fn meet(taps: [usize; 2], block: [usize; 2]) -> Option<[usize; 2]> {
    let (first, end) = (taps[0].max(block[0]), taps[1].min(block[0] + block[1]));
    (first < end).then(|| [first, end - first])
}
