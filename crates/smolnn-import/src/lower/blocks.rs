//! SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, elements of any type. Around a convolution a pass has made them a dilation.

use smolnn_core::{Image, WindowSize};
use smolnn_fixed::space_to_batch::{Blocks, batch_to_space, space_to_batch};

use super::Lowered;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{self, Element};

/// The kernel's arguments: batch, image, block, what lies before the image, size of the small images.
type Arguments = (usize, Image, WindowSize, (usize, usize), (usize, usize));

fn arguments(of: &net::Blocks) -> Arguments {
    let ([height, width, channels], [block_height, block_width]) = (of.space, of.block);
    let (before, small) = ((of.before[0], of.before[1]), (of.small[0], of.small[1]));
    (of.batch, Image::hwc(height, width, channels), WindowSize::hw(block_height, block_width), before, small)
}

fn label(of: &net::Blocks) -> String {
    format!("blocks of {}x{}", of.block[0], of.block[1])
}

pub(super) fn space_to_batch_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let element = context.moved(&[id])?;
    let geometry = net::blocks(context, true)?;
    let (batch, space, block, before, small) = arguments(&geometry);
    // The reference pads with the stored value 0, whatever the zero point.
    let (i8_zero, i16_zero, zero, f32_zero) = (0_i8, 0_i16, 0_i32, 0.0_f32);
    let body = match element {
        Element::I8 => call!(space_to_batch(
            &Blocks::new(batch, space, block, before, small), i8_zero;
            input<i8>(0), output<i8>(0)
        )),
        Element::I16 => call!(space_to_batch(
            &Blocks::new(batch, space, block, before, small), i16_zero;
            input<i16>(0), output<i16>(0)
        )),
        Element::I32 => call!(space_to_batch(
            &Blocks::new(batch, space, block, before, small), zero;
            input<i32>(0), output<i32>(0)
        )),
        _ => call!(space_to_batch(
            &Blocks::new(batch, space, block, before, small), f32_zero;
            input<f32>(0), output<f32>(0)
        )),
    };
    Ok(context.call(&[id], body)?.label(label(&geometry)).into())
}

pub(super) fn batch_to_space_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let element = context.moved(&[id])?;
    let geometry = net::blocks(context, false)?;
    let (batch, space, block, before, small) = arguments(&geometry);
    let body = typed!(context, element, T: any => call!(batch_to_space(
        &Blocks::new(batch, space, block, before, small);
        input<T>(0), output<T>(0)
    )));
    Ok(context.call(&[id], body)?.label(label(&geometry)).into())
}
