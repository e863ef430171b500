//! Pooling over sequences and images.

use super::convolution::{Sliding, from_image, to_image};
use super::operator::Op;
use crate::error::Problem;
use crate::net::{Activation, Operator, PoolKind, ReduceKind, TensorId};

type Outputs = Result<Vec<TensorId>, Problem>;

pub(super) fn pool(op: &mut Op<'_>, kind: PoolKind) -> Outputs {
    let (id, rank) = (op.input(0)?, op.shape(0)?.len());
    if op.has_output(1) {
        return Err(op.fault("the positions of the largest elements", "pooling without its second output"));
    }
    let kernel = op.ints("kernel_shape").unwrap_or_default();
    let lengths =
        kernel.iter().map(|&length| usize::try_from(length).ok().filter(|length| (1..=1 << 16).contains(length)));
    let lengths = lengths.collect::<Option<Vec<_>>>().filter(|lengths| lengths.len() + 2 == rank);
    let Some(lengths) = lengths else {
        return Err(op.fault(format!("a kernel of {kernel:?}"), "a length per dimension of a sequence or image"));
    };
    let sliding = Sliding::of(op, &lengths)?;
    if kind == PoolKind::Average && sliding.dilation != [1, 1] {
        return Err(op.fault("an average over taps that are dilated", "dilations of 1"));
    }
    let mut image = to_image(op, id)?;
    let size = op.builder.shape(image);
    let mut pads = sliding.amounts([size[1], size[2]]);
    let mut around = [[0; 2]; 2];
    let is_padded = pads != [[0, 0], [0, 0]];
    if kind == PoolKind::Average && op.int("count_include_pad", 0) != 0 && is_padded {
        // Zeros around the image that count, and behind them what a last window lacks, which does not.
        std::mem::swap(&mut around, &mut pads);
        let [[top, bottom], [left, right]] = around.map(|side| side.map(|amount| amount as i64));
        let amounts = op.builder.integers(&[4, 2], &[0, 0, top, bottom, left, right, 0, 0]);
        image = op.builder.push(Operator::Pad, &[image, amounts])?;
    }
    if op.int("ceil_mode", 0) != 0 && sliding.pads.is_some() {
        for axis in 0..2 {
            let (before, extent, stride) = (pads[axis][0], sliding.extent(axis), sliding.stride[axis]);
            let length = size[1 + axis] + around[axis][0] + around[axis][1];
            let padded = length + pads[axis][0] + pads[axis][1];
            let mut count = padded.saturating_sub(extent).div_ceil(stride) + 1;
            // The last window begins inside of the image or before it.
            let inside = size[1 + axis] + around[axis][0] + before;
            if (count - 1) * stride >= inside {
                count -= 1;
            }
            pads[axis][1] = ((count - 1) * stride + extent).saturating_sub(length + before);
        }
    }
    let operator =
        Operator::Pool2d { kind, kernel: sliding.kernel, window: sliding.window(pads), activation: Activation::None };
    let result = op.builder.push(operator, &[image])?;
    Ok(vec![from_image(op, result, rank)?])
}

pub(super) fn global(op: &mut Op<'_>, kind: ReduceKind) -> Outputs {
    let (id, rank) = (op.input(0)?, op.shape(0)?.len());
    if rank < 3 {
        return Err(op.fault(format!("rank {rank}"), "batch, channels and at least one dimension behind them"));
    }
    let axes: Vec<usize> = (2..rank).collect();
    Ok(vec![op.builder.reduce(kind, id, &axes, true)?])
}
