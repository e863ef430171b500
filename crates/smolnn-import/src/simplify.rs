//! Removes what needs no run time: computations on shapes, which are static here, padding that a convolution can do by itself, and
//! operators nobody reads.
//!
//! TensorFlow's converter surrounds a Flatten or Reshape of a model with a free batch dimension by SHAPE, STRIDED_SLICE and PACK. Since
//! every shape is known, these fold to constants; the RESHAPE that reads them needs only its output's shape.

use std::collections::HashSet;

use crate::graph::{Code, Constant, Element, Graph, Operator, Tensor, TensorId, builtin_code};
use crate::schema::Options;

/// Longest constant that is folded, in elements: shapes are short, and a file must not make us compute much.
const LONGEST: usize = 1024;

impl Graph {
    /// Folds operators on integer constants and drops operators whose results are not used.
    pub(crate) fn simplify(&mut self) {
        let outputs: HashSet<_> = self.outputs.iter().copied().collect();
        for position in 0..self.operators.len() {
            let operator = &self.operators[position];
            let [output] = operator.outputs[..] else { continue };
            let target = &self.tensors[output];
            // A constant output of the model has to be written when it runs, so that operator stays.
            if outputs.contains(&output)
                || target.len() > LONGEST
                || !matches!(target.element, Element::I32 | Element::I64)
            {
                continue;
            }
            let Some(values) = fold(self, operator) else { continue };
            if values.len() == target.len() {
                let bytes = match target.element {
                    Element::I32 => values.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect(),
                    _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                };
                self.tensors[output].data = Some(Constant::new(bytes));
            }
        }
        self.drop_unused();
        self.fold_padding();
        self.drop_unused();
    }

    /// Folds a PAD of rows and columns into the VALID convolution that is its only reader: the kernels pad by themselves, and
    /// the padded image needs no memory.
    fn fold_padding(&mut self) {
        for position in 0..self.operators.len() {
            if let Some((input, padding)) = self.padding_before(position) {
                let operator = &mut self.operators[position];
                operator.inputs[0] = Some(input);
                operator.padding = Some(padding);
            }
        }
    }

    /// The input and the amounts of a PAD that can be folded into the operator.
    fn padding_before(&self, position: usize) -> Option<(TensorId, [usize; 4])> {
        let operator = &self.operators[position];
        let (padding, dilation) = match operator.options {
            Options::Conv2d(options) => (options.padding, (options.dilation_h, options.dilation_w)),
            Options::DepthwiseConv2d(options) => (options.padding, (options.dilation_h, options.dilation_w)),
            _ => return None,
        };
        const VALID: i8 = 1;
        let padded = (*operator.inputs.first()?)?;
        let readers = self.operators.iter().filter(|reader| reader.inputs.contains(&Some(padded))).count();
        if padding != VALID || readers != 1 || self.outputs.contains(&padded) {
            return None;
        }
        let pad = self.operators.iter().find(|pad| pad.outputs == [padded])?;
        if pad.code != Code::Builtin(builtin_code("PAD")?) || pad.inputs.len() != 2 {
            return None;
        }
        let input = (*pad.inputs.first()?)?;
        let (from, to) = (self.tensors.get(input)?, self.tensors.get(padded)?);
        let weights = operand(self, operator, 1)?;
        if from.element != to.element || from.quantisation != to.quantisation || weights.shape.len() != 4 {
            return None;
        }
        let amounts: Vec<usize> =
            integers(self, pad, 1)?.iter().map(|&amount| usize::try_from(amount).ok()).collect::<Option<_>>()?;
        let &[0, 0, top, bottom, left, right, 0, 0] = &amounts[..] else { return None };
        // The shapes are checked with the operator, so that a wrong PAD must still be seen as such.
        let padded_shape = [*from.shape.first()?, from.shape.get(1)? + top + bottom, from.shape.get(2)? + left + right];
        if to.shape.get(..3)? != padded_shape || from.shape.get(3) != to.shape.get(3) || from.shape.len() != 4 {
            return None;
        }
        // Only padding that a window can see beside input: more than that is for PAD itself.
        let extent =
            |kernel: usize, dilation: i32| (kernel - 1).checked_mul(usize::try_from(dilation).ok()?)?.checked_add(1);
        let (height, width) = (extent(weights.shape[1], dilation.0)?, extent(weights.shape[2], dilation.1)?);
        (top < height && bottom < height && left < width && right < width)
            .then_some((input, [top, bottom, left, right]))
    }

    fn drop_unused(&mut self) {
        let mut needed: HashSet<_> = self.outputs.iter().copied().collect();
        let mut kept = Vec::with_capacity(self.operators.len());
        for operator in self.operators.drain(..).rev() {
            let is_needed =
                operator.outputs.iter().any(|output| needed.contains(output) && self.tensors[*output].data.is_none());
            // An operator without outputs is there for a side effect; it stays and is refused by name.
            if is_needed || operator.outputs.is_empty() {
                needed.extend(operator.inputs.iter().flatten());
                kept.push(operator);
            }
        }
        kept.reverse();
        self.operators = kept;
    }
}

/// A constant integer tensor as values; its shape is the tensor's.
fn integers(graph: &Graph, operator: &Operator, input: usize) -> Option<Vec<i64>> {
    let tensor = operand(graph, operator, input)?;
    if tensor.len() > LONGEST || !matches!(tensor.element, Element::I32 | Element::I64) {
        return None;
    }
    tensor.integers()
}

fn operand<'a>(graph: &'a Graph, operator: &Operator, input: usize) -> Option<&'a Tensor> {
    graph.tensors.get((*operator.inputs.get(input)?)?)
}

/// The values of the operator's output, if its inputs are constants and it is one that shape computations use.
fn fold(graph: &Graph, operator: &Operator) -> Option<Vec<i64>> {
    let Code::Builtin(code) = operator.code else { return None };
    let is = |name| builtin_code(name) == Some(code);
    let rank = |input| operand(graph, operator, input).map(|tensor| tensor.shape.len());
    if is("SHAPE") {
        return operand(graph, operator, 0)?.shape.iter().map(|&dimension| i64::try_from(dimension).ok()).collect();
    }
    let first = integers(graph, operator, 0)?;
    if is("RESHAPE") || is("SQUEEZE") || is("EXPAND_DIMS") || is("CAST") {
        Some(first)
    } else if is("REDUCE_PROD") {
        (rank(0)? <= 1)
            .then(|| first.iter().try_fold(1i64, |product, &value| product.checked_mul(value)))?
            .map(|product| vec![product])
    } else if is("MUL") {
        let second = integers(graph, operator, 1)?;
        (first.len() == second.len() || first.len() == 1 || second.len() == 1).then_some(())?;
        let length = first.len().max(second.len());
        (0..length).map(|index| first[index % first.len()].checked_mul(second[index % second.len()])).collect()
    } else if is("PACK") || is("CONCATENATION") {
        // Scalars side by side, or vectors one behind the other.
        let limit = if is("PACK") { 0 } else { 1 };
        let mut values = Vec::new();
        for input in 0..operator.inputs.len() {
            (rank(input)? <= limit).then_some(())?;
            values.extend(integers(graph, operator, input)?);
        }
        Some(values)
    } else if is("GATHER") {
        (rank(0)? == 1).then_some(())?;
        integers(graph, operator, 1)?.iter().map(|&index| first.get(usize::try_from(index).ok()?).copied()).collect()
    } else if is("STRIDED_SLICE") {
        let Options::StridedSlice(options) = operator.options else { return None };
        (rank(0)? == 1 && options.ellipsis_mask == 0 && options.new_axis_mask == 0 && !options.offset).then_some(())?;
        let one = |input| {
            integers(graph, operator, input).and_then(|values| <[i64; 1]>::try_from(values).ok()).map(|[value]| value)
        };
        let (begin, end, stride) = (one(1)?, one(2)?, one(3)?);
        slice(&first, begin, end, stride, &options)
    } else {
        None
    }
}

/// Python's `values[begin:end:stride]` with TensorFlow's masks.
fn slice(values: &[i64], begin: i64, end: i64, stride: i64, options: &crate::schema::StridedSlice) -> Option<Vec<i64>> {
    let length = values.len() as i64;
    let wrap = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    if options.shrink_axis_mask & 1 != 0 {
        return values.get(usize::try_from(wrap(begin)).ok()?).map(|&value| vec![value]);
    }
    // Backwards slices do not occur in shape computations.
    let stride = usize::try_from(stride).ok().filter(|&stride| stride > 0)?;
    let begin = if options.begin_mask & 1 != 0 { 0 } else { wrap(begin).clamp(0, length) };
    let end = if options.end_mask & 1 != 0 { length } else { wrap(end).clamp(0, length) };
    Some(values[begin as usize..(end.max(begin)) as usize].iter().step_by(stride).copied().collect())
}
