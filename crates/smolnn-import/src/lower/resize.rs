//! RESIZE_BILINEAR, int8, int16 and f32, and RESIZE_NEAREST_NEIGHBOR, elements of any type.

use smolnn_core::Image;
use smolnn_fixed::resize::{
    ResizeBilinear, ResizeNearest, Sampling, nearest_position, resize_bilinear, resize_nearest,
};
use smolnn_float as float;

use super::Lowered;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, resized};

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

pub(super) fn nearest_call(
    context: &Context<'_>,
    align_corners: bool,
    half_pixel_centers: bool,
) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let element = context.moved(&[id])?;
    let (batch, image, size) = sizes(context)?;
    let sampling = Sampling { align_corners, half_pixel_centers };
    let positions = |length: usize, count: usize| -> Result<Vec<u16>, Problem> {
        (0..count)
            .map(|index| u16::try_from(nearest_position(index, length, count, sampling)).ok())
            .collect::<Option<_>>()
            .ok_or_else(|| context.fault(format!("{length} rows or columns"), "at most 65536"))
    };
    let (rows, columns) = (positions(image.height, size[0])?, positions(image.width, size[1])?);
    let layer = context.shape(ResizeNearest::new(batch, image, &rows, &columns))?;
    let gap = layer.overlap_gap() * (element.bits() / 8);
    let label = label(&image, size, sampling);
    let body = typed!(context, element, T: any => {
        call!(resize_nearest(&ResizeNearest::new(batch, image, rows, columns); tensors<T>))
    });
    Ok(context.call(&[id], body)?.overlap(0, gap).label(label).into())
}
