//! GATHER, GATHER_ND and DYNAMIC_UPDATE_SLICE, elements of any type: what they pick or replace is computed when the model runs, or constant.

use smolnn_fixed::convert::dequantise;
use smolnn_fixed::gather::{Gather, GatherNd, gather, gather_nd};
use smolnn_fixed::update_slice::{UpdateSlice, update_slice};

use super::Lowered;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, GatherLengths, TensorId, gather_lengths};

/// Input `index` as INT32 integers: computed ones as they are, constant ones after a look at their values.
fn integers(
    context: &Context<'_>,
    index: usize,
    role: &str,
    check: impl Fn(usize, i64) -> bool,
) -> Result<TensorId, Problem> {
    let id = context.input(index)?;
    if context.tensor(id).data.is_none() {
        context.element(id, &[Element::I32])?;
        return Ok(id);
    }
    let values = context.integers(index, role)?;
    if let Some(&value) = values.iter().enumerate().find(|&(at, &value)| !check(at, value)).map(|(_, value)| value) {
        return Err(context.tensor_fault(id, format!("{role} {value}"), "positions inside of the tensor"));
    }
    let bytes = values.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect();
    Ok(context.constant_tensor(id, Element::I32, context.tensor(id).shape.clone(), bytes))
}

/// Whether a position lies in a dimension.
fn inside(position: i64, length: usize) -> bool {
    usize::try_from(position).is_ok_and(|position| position < length)
}

pub(super) fn gather_call(context: &Context<'_>, axis: i64, batch_dims: i64) -> Result<Lowered, Problem> {
    let values = context.input(0)?;
    // EMBEDDING_LOOKUP may give real values of a quantised table: they are gathered, and converted behind that.
    let output = context.output(0)?;
    let converts = context.tensor(values).element == Element::I8 && context.tensor(output).element == Element::F32;
    let element = if converts { Element::I8 } else { context.moved(&[values])? };
    let GatherLengths { batch, outer, axis: length, inner, indices, .. } = gather_lengths(context, axis, batch_dims)?;
    let positions = integers(context, 1, "index", |_, value| inside(value, length))?;
    let body = typed!(context, element, T: any => {
        call!(gather(&Gather::new(batch, outer, length, inner, indices); input<T>(0), input<i32>(1), output<T>(0)))
    });
    let label = format!("{indices} of {length} along axis {axis}");
    if !converts {
        return Ok(context.call(&[values, positions], body)?.label(label).into());
    }
    let table = context.quantised(values, &[Element::I8])?;
    let (x, quantisation) = (table.affine(), table.tensor.quantisation.clone());
    let gathered = context.temporary(Element::I8, context.tensor(output).shape.clone(), quantisation);
    let conversion = call!(dequantise(x; input<i8>(0), output(0)));
    Ok(Lowered::Calls(vec![
        context.call_to(&[values, positions], &[gathered], body)?.label(label),
        context.call(&[gathered], conversion)?.label(format!("{element} to {}", Element::F32)),
    ]))
}

pub(super) fn gather_nd_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let values = context.input(0)?;
    let element = context.moved(&[values])?;
    let (shape, indices) = (context.input_shape(0)?, context.input_shape(1)?);
    let depth = indices.last().copied().unwrap_or(0);
    let positions = integers(context, 1, "index", |at, value| inside(value, shape[at % depth.max(1)]))?;
    let (axes, inner) = (shape[..depth].to_vec(), shape[depth..].iter().product::<usize>());
    let tuples = indices[..indices.len() - 1].iter().product::<usize>();
    let label = format!("{tuples} of {shape:?}");
    let body = typed!(context, element, T: any => {
        call!(gather_nd(&GatherNd::new(axes, inner, tuples); input<T>(0), input<i32>(1), output<T>(0)))
    });
    Ok(context.call(&[values, positions], body)?.label(label).into())
}

pub(super) fn update_slice_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let (values, update) = (context.input(0)?, context.input(1)?);
    let element = context.moved(&[values, update])?;
    let (shape, part) = (context.input_shape(0)?, context.input_shape(1)?);
    // Any position is moved to where the update fits.
    let start = integers(context, 2, "start", |_, value| i32::try_from(value).is_ok())?;
    let (whole, replaced) = (shape.to_vec(), part.to_vec());
    let label = format!("{part:?} of {shape:?}");
    let body = typed!(context, element, T: any => {
        call!(update_slice(&UpdateSlice::new(whole, replaced); tensors<T>, input<T>(1), input<i32>(2)))
    });
    Ok(context.call(&[values, update, start], body)?.overlap(0, 0).label(label).into())
}
