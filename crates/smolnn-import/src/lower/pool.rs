//! MAX_POOL_2D and AVERAGE_POOL_2D, int8, int16 and f32; L2_POOL_2D, f32.

use smolnn_fixed::pool::{Pool2d, average_pool2d, max_pool2d};
use smolnn_float as float;
use smolnn_float::pool::average::Divisor;

use super::Lowered;
use super::call::{call, typed};
use super::context::{Context, activated, activation_label};
use super::conv::Sliding;
use crate::error::Problem;
use crate::net::{Activation, Element, PoolKind, SlidingWindow};

pub(super) fn lower(
    context: &Context<'_>,
    kind: PoolKind,
    kernel: [usize; 2],
    window: &SlidingWindow,
    activation: Activation,
) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        let (input, _) = context.real(0)?;
        let sliding = Sliding::new(context, input, kernel, window)?;
        let shape = sliding.pool(context)?.by_reference();
        let divisor = Divisor::Input;
        let layer = match kind {
            PoolKind::Max => call!(float::pool::max::forward(shape; input<f32>(0), output<f32>(0), none)),
            PoolKind::L2 => call!(float::pool::l2::forward(shape; input<f32>(0), output<f32>(0))),
            PoolKind::Average => {
                call!(float::pool::average::forward(shape, divisor; input<f32>(0), output<f32>(0)))
            }
        };
        let label = sliding.label() + activation_label(activation);
        return Ok(context.call(&[input], activated(layer, activation))?.label(label).into());
    }
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    context.same_quantisation(&input, &output)?;
    let sliding = Sliding::new(context, input.id, kernel, window)?;
    let (shape, range) = (sliding.pool(context)?, output.range(activation));
    let gap = shape.overlap_gap() * input.element_bytes();
    let body = typed!(context, input.tensor.element, T: I8 I16 => match kind {
        PoolKind::Max => call!(max_pool2d(&Pool2d::new(shape, range); tensors<T>)),
        PoolKind::L2 => return Err(context.tensor_fault(input.id, input.tensor.element.to_string(), "FLOAT32")),
        PoolKind::Average => call!(average_pool2d(&Pool2d::new(shape, range); tensors<T>)),
    });
    let label = sliding.label() + activation_label(activation);
    Ok(context.call(&[input.id], body)?.overlap(0, gap).label(label).into())
}
