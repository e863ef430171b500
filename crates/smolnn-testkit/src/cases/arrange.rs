//! Cases of the operators that pick, repeat and place elements: resizes, gathers, blocks of space, updates.

use smolnn_core::{Image, WindowSize};
use smolnn_fixed::gather::{Gather, GatherNd, gather as gather_kernel, gather_nd as gather_nd_kernel};
use smolnn_fixed::resize::{
    ResizeBilinear, ResizeNearest, Sampling, nearest_position, resize_bilinear as bilinear_kernel,
    resize_nearest as nearest_kernel,
};
use smolnn_fixed::space_to_batch::{Blocks, batch_to_space as batch_to_space_kernel, space_to_batch as blocks_kernel};
use smolnn_fixed::state::{assign as assign_kernel, slide as slide_kernel};
use smolnn_fixed::update_slice::{UpdateSlice, update_slice as update_kernel};

use super::plain::{Value, apart_and_overlapping, dispatch_tensors, either_type};
use super::{Case, Failure, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case {
        kernel: "resize.rs::resize_bilinear",
        domain: "int8 and int16; images of 1..=9 to 1..=60, every sampling",
        tolerance: 0,
        run: resize_bilinear,
    },
    Case {
        kernel: "resize.rs::resize_nearest",
        domain: "images of 1..=9 to 1..=60, every sampling",
        tolerance: 0,
        run: resize_nearest,
    },
    Case { kernel: "gather.rs::gather", domain: "axes of 1..=9, batches", tolerance: 0, run: gather },
    Case { kernel: "gather.rs::gather_nd", domain: "tuples of 1..=3 indices", tolerance: 0, run: gather_nd },
    Case {
        kernel: "space_to_batch.rs::space_to_batch",
        domain: "blocks of 1..=3, with filling",
        tolerance: 0,
        run: space_to_batch,
    },
    Case {
        kernel: "space_to_batch.rs::batch_to_space",
        domain: "blocks of 1..=3, cropped",
        tolerance: 0,
        run: batch_to_space,
    },
    Case { kernel: "state.rs::assign", domain: "1..=60 values of int16", tolerance: 0, run: assign },
    Case { kernel: "state.rs::slide", domain: "windows of 1..=60, too many values", tolerance: 0, run: slide },
    Case {
        kernel: "update_slice.rs::update_slice",
        domain: "1..=4 dimensions, in place",
        tolerance: 0,
        run: update_slice,
    },
];

/// An image and the size that it is to have.
fn draw_resize(random: &mut Random, both: bool) -> (usize, Image, usize, usize, Sampling) {
    let input = Image::hwc(random.length(1, 9), random.length(1, 9), random.length(1, 5));
    let (rows, columns) = match random.between(0, 3) {
        0 => (input.height * random.length(1, 4), input.width * random.length(1, 4)),
        1 => (random.length(1, 60), 1),
        _ => (random.length(1, 14), random.length(1, 14)),
    };
    let align_corners = random.one_in(3);
    let half_pixel_centers = random.one_in(2) && (both || !align_corners);
    (random.length(1, 3), input, rows, columns, Sampling { align_corners, half_pixel_centers })
}

fn bilinear_of_type<T: Value + Into<i64>>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (batch, image, rows, columns, sampling) = draw_resize(random, false);
    let layer = ResizeBilinear::new(batch, image, rows, columns, sampling).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || T::draw(random))?;
    let expected = |index: usize| {
        let value = |at: usize| input[at].into();
        T::wrap(oracle::resize_bilinear(image, (rows, columns), sampling, index, value) as i32)
    };
    apart_and_overlapping!(memory, tolerance, input, layer.output_len(), layer.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| bilinear_kernel(&layer, tensors), tensors)
    })
}

fn resize_bilinear(trial: Trial<'_>) -> Result<(), Failure> {
    either_type!(trial, bilinear_of_type)
}

fn resize_nearest(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (batch, image, rows, columns, sampling) = draw_resize(random, true);
    let (mut y, mut x) = ([0; 60], [0; 60]);
    let (y, x) = (&mut y[..rows], &mut x[..columns]);
    for (positions, length) in [(&mut *y, image.height), (&mut *x, image.width)] {
        let count = positions.len();
        for (index, position) in positions.iter_mut().enumerate() {
            *position = nearest_position(index, length, count, sampling) as u16;
        }
    }
    let layer = ResizeNearest::new(batch, image, y, x).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || random.int8())?;
    let expected = |index: usize| {
        let (pixel, channel) = (index / image.channels, index % image.channels);
        let (row, column) = (pixel / columns % rows, pixel % columns);
        let row = oracle::nearest(row, image.height, rows, sampling);
        let column = oracle::nearest(column, image.width, columns, sampling);
        let at = (pixel / columns / rows * image.height + row) * image.width + column;
        input[at * image.channels + channel]
    };
    apart_and_overlapping!(memory, tolerance, input, layer.output_len(), layer.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| nearest_kernel(&layer, tensors), tensors)
    })
}

/// An index of an axis, now and then outside of it, and the element that it means.
fn draw_index(random: &mut Random, length: usize) -> i32 {
    match random.between(0, 9) {
        0 => random.pick(&[i32::MIN, -1, length as i32, i32::MAX]),
        _ => random.between(0, length as i32 - 1),
    }
}

/// The element that an index means: those outside of the axis mean the nearest.
fn meant(index: i32, length: usize) -> usize {
    i64::from(index).clamp(0, length as i64 - 1) as usize
}

fn gather(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (batch, outer, axis) = (random.length(1, 3), random.length(1, 4), random.length(1, 9));
    let (inner, count) = (random.length(1, 6), random.length(1, 9));
    let layer = Gather::new(batch, outer, axis, inner, count).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || random.int16())?;
    let indices = memory.filled(layer.indices_len(), || draw_index(random, axis))?;
    let output = memory.elements(layer.output_len())?;
    gather_kernel(&layer, input, indices, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| {
        let (i, k, o) = (index % inner, index / inner % count, index / inner / count % outer);
        let b = index / inner / count / outer;
        input[((b * outer + o) * axis + meant(indices[b * count + k], axis)) * inner + i]
    })
}

fn gather_nd(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let axes: [usize; 3] = core::array::from_fn(|_| random.length(1, 5));
    let axes = &axes[..random.length(1, 3)];
    let (inner, tuples) = (random.length(1, 6), random.length(1, 9));
    let layer = GatherNd::new(axes, inner, tuples).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || random.int8())?;
    let mut axis = 0;
    let indices = memory.filled(layer.indices_len(), || {
        axis += 1;
        draw_index(random, axes[(axis - 1) % axes.len()])
    })?;
    let output = memory.elements(layer.output_len())?;
    gather_nd_kernel(&layer, input, indices, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| {
        let tuple = &indices[index / inner * axes.len()..][..axes.len()];
        let (mut at, mut stride) = (index % inner, inner);
        for (&length, &index) in axes.iter().zip(tuple).rev() {
            at += meant(index, length) * stride;
            stride *= length;
        }
        input[at]
    })
}

/// Images, their blocks, and the pixel of the images that a pixel of the small images is: image, row, column.
struct DrawnBlocks {
    layer: Blocks,
    batch: usize,
    space: Image,
    small: (usize, usize),
    block: WindowSize,
    before: (usize, usize),
}

impl DrawnBlocks {
    fn draw(random: &mut Random) -> Result<Self, Failure> {
        let space = Image::hwc(random.length(1, 7), random.length(1, 7), random.length(1, 4));
        let block = WindowSize::hw(random.length(1, 3), random.length(1, 3));
        let before = (random.length(0, 3), random.length(0, 3));
        let count = |length: usize, before: usize, block: usize, more: usize| (length + before).div_ceil(block) + more;
        let small = (
            count(space.height, before.0, block.height, random.length(0, 1)),
            count(space.width, before.1, block.width, random.length(0, 1)),
        );
        let batch = random.length(1, 2);
        let layer = Blocks::new(batch, space, block, before, small).map_err(Failure::refused("the layer"))?;
        Ok(Self { layer, batch, space, small, block, before })
    }

    /// The element of the small images that element `index` of the images is.
    fn element(&self, index: usize) -> usize {
        let Self { batch, space, small, block, before, .. } = self;
        let (pixel, channel) = (index / space.channels, index % space.channels);
        let (row, column) = (pixel / space.width % space.height + before.0, pixel % space.width + before.1);
        let image = pixel / space.width / space.height;
        let dealt = (row % block.height * block.width + column % block.width) * batch + image;
        let at = (dealt * small.0 + row / block.height) * small.1 + column / block.width;
        at * space.channels + channel
    }
}

fn space_to_batch(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let drawn = DrawnBlocks::draw(random)?;
    let filling = random.int8();
    let input = memory.filled(drawn.layer.space_len(), || random.int8())?;
    let output = memory.elements(drawn.layer.blocks_len())?;
    let expected = memory.filled(drawn.layer.blocks_len(), || filling)?;
    for (index, &value) in input.iter().enumerate() {
        expected[drawn.element(index)] = value;
    }
    blocks_kernel(&drawn.layer, filling, input, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| expected[index])
}

fn batch_to_space(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let drawn = DrawnBlocks::draw(random)?;
    let input = memory.filled(drawn.layer.blocks_len(), || random.int16())?;
    let output = memory.elements(drawn.layer.space_len())?;
    batch_to_space_kernel(&drawn.layer, input, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| input[drawn.element(index)])
}

fn update_slice(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let operand: [usize; 4] = core::array::from_fn(|_| random.length(1, 5));
    let part: [usize; 4] = core::array::from_fn(|axis| random.length(1, operand[axis]));
    let rank = random.length(1, 4);
    let (operand, part) = (&operand[..rank], &part[..rank]);
    let layer = UpdateSlice::new(operand, part).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.operand_len(), || random.int8())?;
    let update = memory.filled(layer.update_len(), || random.int8())?;
    let mut axis = 0;
    let start = memory.filled(rank, || {
        axis += 1;
        draw_index(random, operand[axis - 1] - part[axis - 1] + 1)
    })?;
    let expected = |index: usize| {
        let (mut rest, mut at, mut stride) = (index, 0, 1);
        for axis in (0..rank).rev() {
            let first = meant(start[axis], operand[axis] - part[axis] + 1);
            let position = rest % operand[axis];
            if position < first || position >= first + part[axis] {
                return input[index];
            }
            at += (position - first) * stride;
            stride *= part[axis];
            rest /= operand[axis];
        }
        update[at]
    };
    apart_and_overlapping!(memory, tolerance, input, layer.operand_len(), 0, expected, |tensors| {
        dispatch_tensors!(|tensors| update_kernel(&layer, tensors, update, start), tensors)
    })
}

fn assign(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let length = random.length(1, 60);
    let from = memory.filled(length, || random.int16())?;
    let to = memory.elements::<i16>(length)?;
    assign_kernel(to, from).map_err(Failure::refused("equal lengths"))?;
    if assign_kernel(&mut to[1..], from).is_ok() {
        return Err(Failure::Wrong { what: "a variable that is too short", index: 0, expected: 0, found: 1 });
    }
    compare("assigned", tolerance, to, |index| from[index])
}

fn slide(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let length = random.length(1, 60);
    let new = random.length(1, length);
    let before = memory.filled(length, || random.int8())?;
    let values = memory.filled(new, || random.int8())?;
    let window = memory.elements::<i8>(length)?;
    window.copy_from_slice(before);
    slide_kernel(window, values).map_err(Failure::refused("values that fit"))?;
    if slide_kernel(&mut window[..new - 1], values).is_ok() {
        return Err(Failure::Wrong { what: "more values than the window holds", index: 0, expected: 0, found: 1 });
    }
    compare("slid", tolerance, window, |index| match (index + new).checked_sub(length) {
        Some(at) => values[at],
        None => before[index + new],
    })
}
