//! BATCH_MATMUL, int8.

use smolnn_fixed::matmul::{Matmul, MatmulShape, matmul};

use super::Lowered;
use super::call::call;
use super::context::Context;
use crate::error::Problem;
use crate::net::Element;

pub(super) fn lower(context: &Context<'_>, left_transposed: bool, right_transposed: bool) -> Result<Lowered, Problem> {
    let left = context.quantised_input(0, &[Element::I8])?;
    let right = context.quantised_input(1, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    let fault = || {
        let found = format!("matrices of shapes {:?} and {:?}", left.shape(), right.shape());
        context.fault(found, "as many matrices on the left as on the right")
    };
    let ([outer @ .., a, b], [right_outer @ .., _, _]) = (left.shape(), right.shape()) else { return Err(fault()) };
    let batch: usize = outer.iter().product();
    if batch != right_outer.iter().product() {
        return Err(fault());
    }
    let (rows, depth) = if left_transposed { (*b, *a) } else { (*a, *b) };
    let columns = output.tensor.len() / (batch * rows);
    let shape = MatmulShape { batch, rows, depth, columns, left_transposed, right_transposed };
    let macs = (batch * rows * depth * columns) as u64;
    let (x, y, z) = (left.affine(), right.affine(), output.affine());
    let body = call!(matmul(&Matmul::new(shape, x, y, z); input(0), input(1), output(0)));
    let label = format!("{batch} of {rows}x{depth}x{columns}");
    Ok(context.call(&[left.id, right.id], body)?.macs(macs).label(label).into())
}
