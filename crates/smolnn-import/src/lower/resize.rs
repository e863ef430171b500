//! RESIZE_BILINEAR, int8, int16 and f32, and RESIZE_NEAREST_NEIGHBOR, elements of any type.

use std::ops::Range;

use smolnn_core::Image;
use smolnn_fixed::resize::{
    ResizeBilinear, ResizeNearest, Sampling, nearest_position, resize_bilinear, resize_nearest,
};
use smolnn_float as float;

use super::Lowered;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, Operator, resized};

/// Batch and image that are resized, and their new size.
fn sizes(context: &Context<'_>) -> Result<(usize, Image, [usize; 2]), Problem> {
    let [batch, height, width, channels] = context.nhwc(context.input(0)?)?;
    Ok((batch, Image::hwc(height, width, channels), resized(context)?))
}

fn label(image: &Image, [rows, columns]: [usize; 2], sampling: Sampling) -> String {
    let sampling = match (sampling.align_corners, sampling.half_pixel_centers) {
        (false, false) => "",
        (true, false) => ", corners aligned",
        (false, true) => ", half pixel centres",
        (true, true) => ", corners aligned, half pixel centres",
    };
    format!("{}x{} to {rows}x{columns}{sampling}", image.height, image.width)
}

pub(super) fn bilinear_call(
    context: &Context<'_>,
    align_corners: bool,
    half_pixel_centers: bool,
) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let (batch, image, size) = sizes(context)?;
    let ([rows, columns], sampling) = (size, Sampling { align_corners, half_pixel_centers });
    let label = label(&image, size, sampling);
    if context.tensor(id).element == Element::F32 {
        let sampling = float::resize::Sampling { align_corners, half_pixel_centers };
        let body = call!(float::resize::resize_bilinear(
            &float::resize::ResizeShape::new(batch, image, rows, columns, sampling);
            input<f32>(0), output<f32>(0)
        ));
        return Ok(context.call(&[id], body)?.label(label).into());
    }
    // The scale of the output does not count: the reference computes with the integers.
    let input = context.quantised_input(0, &[Element::I8, Element::I16, Element::F32])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    context.same_quantisation(&input, &output)?;
    let layer = context.shape(ResizeBilinear::new(batch, image, rows, columns, sampling))?;
    let gap = layer.overlap_gap() * input.element_bytes();
    let body = typed!(context, input.tensor.element, T: I8 I16 => {
        call!(resize_bilinear(&ResizeBilinear::new(batch, image, rows, columns, sampling); tensors<T>))
    });
    Ok(context.call(&[id], body)?.overlap(0, gap).label(label).into())
}

/// The call that makes these rows of an image with `factor` times as many rows, from those rows that they lie between.
pub(super) fn bilinear_rows(
    context: &Context<'_>,
    half_pixel_centers: bool,
    factor: usize,
    (seen, made): (&Range<usize>, &Range<usize>),
) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let [batch, height, width, channels] = context.nhwc(id)?;
    let [_, rows, columns, _] = context.nhwc(context.output(0)?)?;
    let image = Image::hwc(height, width, channels);
    // Where the first row lies behind the first one that is seen, in steps of 1/1024: the same for all rows of one phase.
    let step = 1024 / factor;
    let before = if half_pixel_centers { 512 - step as i32 / 2 } else { 0 };
    let since = (made.start / factor) as i32 - seen.start as i32;
    let position = 1024 * since + (made.start % factor * step) as i32 - before;
    let label = label(&image, [rows, columns], Sampling { align_corners: false, half_pixel_centers });
    if context.tensor(id).element == Element::F32 {
        let sampling = float::resize::Sampling { align_corners: false, half_pixel_centers };
        let body = call!(float::resize::resize_bilinear(
            &float::resize::ResizeShape::some_rows(batch, image, rows, columns, sampling, factor, position);
            input<f32>(0), output<f32>(0)
        ));
        return Ok(context.call(&[id], body)?.label(label).into());
    }
    let sampling = Sampling { align_corners: false, half_pixel_centers };
    let element = context.tensor(id).element;
    let body = typed!(context, element, T: I8 I16 => {
        call!(resize_bilinear(&ResizeBilinear::some_rows(batch, image, rows, columns, sampling, factor, position); tensors<T>))
    });
    Ok(context.call(&[id], body)?.label(label).into())
}

/// The call that makes these rows of an image with `factor` times as many rows, from those that they repeat.
pub(super) fn nearest_rows(context: &Context<'_>, factor: usize, made: &Range<usize>) -> Result<Lowered, Problem> {
    let Operator::ResizeNearest { align_corners, half_pixel_centers } = context.node.operator else {
        return Err(context.fault("another operator", "a resize to the nearest positions"));
    };
    let sampling = Sampling { align_corners, half_pixel_centers };
    let id = context.input(0)?;
    let [batch, height, width, channels] = context.nhwc(id)?;
    let [_, count, columns, _] = context.nhwc(context.output(0)?)?;
    let image = Image::hwc(height, width, channels);
    let phase = made.start % factor;
    let rows = (0..count).map(|row| u16::try_from((phase + row) / factor).unwrap_or(u16::MAX)).collect();
    let columns = positions(context, width, columns, sampling)?;
    let label = label(&image, [count, columns.len()], sampling);
    nearest(context, (batch, image), (rows, columns), label)
}

pub(super) fn nearest_call(
    context: &Context<'_>,
    align_corners: bool,
    half_pixel_centers: bool,
) -> Result<Lowered, Problem> {
    let (batch, image, size) = sizes(context)?;
    let sampling = Sampling { align_corners, half_pixel_centers };
    let rows = positions(context, image.height, size[0], sampling)?;
    let columns = positions(context, image.width, size[1], sampling)?;
    nearest(context, (batch, image), (rows, columns), label(&image, size, sampling))
}

/// The positions of `length` rows or columns that are nearest to those of `count`.
fn positions(context: &Context<'_>, length: usize, count: usize, sampling: Sampling) -> Result<Vec<u16>, Problem> {
    (0..count)
        .map(|index| u16::try_from(nearest_position(index, length, count, sampling)).ok())
        .collect::<Option<_>>()
        .ok_or_else(|| context.fault(format!("{length} rows or columns"), "at most 65536"))
}

/// A resize of `batch` images to the positions of rows and columns.
fn nearest(
    context: &Context<'_>,
    (batch, image): (usize, Image),
    (rows, columns): (Vec<u16>, Vec<u16>),
    label: String,
) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let element = context.moved(&[id])?;
    let layer = context.shape(ResizeNearest::new(batch, image, &rows, &columns))?;
    let gap = layer.overlap_gap() * (element.bits() / 8);
    let body = typed!(context, element, T: any => {
        call!(resize_nearest(&ResizeNearest::new(batch, image, rows, columns); tensors<T>))
    });
    Ok(context.call(&[id], body)?.overlap(0, gap).label(label).into())
}
