//! The shapes and element types of a node's outputs, from its inputs and attributes.
//!
//! What is stated for a tensor is checked against this once ([`check_shapes`]), so that lowering need not. What only a kernel demands (neighbouring
//! axes, a limit of its own) is not asked for here.

use super::geometry::{axis_lengths, blocks, broadcast, gather_lengths, lengths, marked_axes, pad_amounts, resized};
use super::movement::movement;
use super::operator::{Operator, RecurrentCell, SignalKind, SlidingWindow};
use super::tensor::Element;
use super::view::View;
use crate::error::Problem;

/// What an output is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inferred {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its element type; `None` where the operator converts, so that the output tensor says to what.
    pub element: Option<Element>,
}

/// Checks the node's operands, and that its outputs have the shapes that are inferred; gives what was inferred.
pub(crate) fn check_shapes(view: &View<'_>) -> Result<Vec<Inferred>, Problem> {
    let (inputs, outputs) = view.node.operator.arity();
    view.counts(inputs, outputs)?;
    let inferred = infer(view)?;
    for (index, Inferred { shape, .. }) in inferred.iter().enumerate() {
        let stated = view.stated_shape(index)?;
        if stated != shape {
            let supported = format!("shape {shape:?} for these inputs");
            return Err(view.tensor_fault(view.output(index)?, format!("shape {stated:?}"), supported));
        }
    }
    Ok(inferred)
}

/// Checks that the node's outputs have the element types that were inferred. Lowering comes before, since it knows better what is wrong with a type.
pub(crate) fn check_elements(view: &View<'_>, inferred: &[Inferred]) -> Result<(), Problem> {
    for (index, Inferred { element, .. }) in inferred.iter().enumerate() {
        let id = view.output(index)?;
        let stated = view.tensor(id).element;
        if let Some(element) = element.filter(|&element| element != stated) {
            return Err(view.tensor_fault(id, stated.to_string(), format!("{element} for these inputs")));
        }
    }
    Ok(())
}

/// The outputs of the node.
pub(crate) fn infer(view: &View<'_>) -> Result<Vec<Inferred>, Problem> {
    let element = |index: usize| view.input(index).map(|id| Some(view.tensor(id).element));
    let of_type = |element: Option<Element>, shape: Vec<usize>| Ok(vec![Inferred { shape, element }]);
    let like_input = |index: usize, shape: Vec<usize>| of_type(element(index)?, shape);
    match &view.node.operator {
        Operator::Conv2d { window, .. } => like_input(0, convolution(view, window, Channels::FromFirst)?),
        Operator::DepthwiseConv2d { window, .. } => like_input(0, convolution(view, window, Channels::FromLast)?),
        Operator::TransposeConv2d { window, .. } => like_input(2, transposed_convolution(view, window)?),
        Operator::Pool2d { kernel, window, .. } => {
            let input = view.nhwc(view.input(0)?)?;
            let shape = view.shape(window.over(input, *kernel).pool())?;
            like_input(0, vec![input[0], shape.output().height, shape.output().width, input[3]])
        }
        Operator::Dense { keep_dims, .. } => like_input(0, dense(view, *keep_dims)?),
        Operator::MatMul { left_transposed, right_transposed } => {
            like_input(0, matmul(view, *left_transposed, *right_transposed)?)
        }
        Operator::Binary(..) | Operator::Prelu => like_input(0, broadcast_of(view, &[0, 1])?),
        Operator::Compare(_) => of_type(Some(Element::Bool), broadcast_of(view, &[0, 1])?),
        Operator::Select { broadcasts: true } => like_input(1, broadcast_of(view, &[0, 1, 2])?),
        Operator::Select { broadcasts: false } => like_input(1, equal_shapes(view)?),
        Operator::AddN => like_input(0, equal_shapes(view)?),
        Operator::ArgExtreme { .. } => {
            let (_, axis) = axis_lengths(view)?;
            let shape = view.input_shape(0)?;
            of_type(Some(Element::I32), [&shape[..axis], &shape[axis + 1..]].concat())
        }
        Operator::CumulativeSum { .. } => {
            axis_lengths(view)?;
            like_input(0, view.input_shape(0)?.to_vec())
        }
        Operator::Where => {
            let values = view.tensor(view.input(0)?);
            let Some(values) = values.integers().filter(|_| values.element == Element::Bool) else {
                return Err(view.fault(
                    "a number of positions that depends on the model's input",
                    "truth values that are constant, since shapes are static",
                ));
            };
            let positions = values.iter().filter(|&&value| value != 0).count();
            let shape = vec![positions, view.input_shape(0)?.len()];
            view.bounded(&shape)?;
            of_type(Some(Element::I64), shape)
        }
        Operator::ZerosLike => like_input(0, view.input_shape(0)?.to_vec()),
        Operator::Unary(_) | Operator::Lookup(_) | Operator::LogSoftmax | Operator::L2Normalise { .. } => {
            like_input(0, view.input_shape(0)?.to_vec())
        }
        // int8 values may give int16 ones.
        Operator::Softmax { .. } => {
            let real = element(0)?.filter(|element| element.is_float());
            of_type(real, view.input_shape(0)?.to_vec())
        }
        Operator::Quantise | Operator::Cast => of_type(None, view.input_shape(0)?.to_vec()),
        Operator::Dequantise => of_type(Some(Element::F32), view.input_shape(0)?.to_vec()),
        Operator::Reduce { keep_dims, .. } => {
            let (shape, reduced) = (view.input_shape(0)?, marked_axes(view)?);
            let kept = shape.iter().zip(&reduced).filter(|&(_, &reduced)| *keep_dims || !reduced);
            like_input(0, kept.map(|(&length, &reduced)| if reduced { 1 } else { length }).collect())
        }
        Operator::Reshape => like_input(0, reshaped(view)?),
        Operator::ExpandDims => {
            let shape = view.input_shape(0)?;
            let axis = view.axis(view.integer(1, "axis")?, shape.len() + 1)?;
            like_input(0, [&shape[..axis], &[1], &shape[axis..]].concat())
        }
        Operator::Pad => {
            let (shape, amounts) = (view.input_shape(0)?, pad_amounts(view)?);
            like_input(
                0,
                shape.iter().zip(amounts).map(|(length, (before, behind))| length + before + behind).collect(),
            )
        }
        Operator::ReadVariable => like_input(0, view.input_shape(0)?.to_vec()),
        Operator::AssignVariable => {
            let (variable, value) = (view.tensor(view.input(0)?), view.tensor(view.input(1)?));
            if (variable.element, &variable.shape) != (value.element, &value.shape) {
                let found = format!("a value of {} {:?}", value.element, value.shape);
                let supported = format!("{} {:?}, as the variable is", variable.element, variable.shape);
                return Err(view.fault_of_input(1, found, supported));
            }
            Ok(Vec::new())
        }
        Operator::SlideVariable => {
            let (variable, values) = (view.tensor(view.input(0)?), view.tensor(view.input(1)?));
            if variable.element != values.element || values.len() > variable.len() {
                let found = format!("values of {} {:?}", values.element, values.shape);
                let supported = format!("at most {} values of {}", variable.len(), variable.element);
                return Err(view.fault_of_input(1, found, supported));
            }
            like_input(0, variable.shape.clone())
        }
        Operator::Shape => of_type(None, vec![view.input_shape(0)?.len()]),
        Operator::Transpose
        | Operator::StridedSlice { .. }
        | Operator::Slice
        | Operator::Concatenate { .. }
        | Operator::Split
        | Operator::Pack { .. }
        | Operator::Unpack { .. }
        | Operator::Reverse
        | Operator::MirrorPad { .. }
        | Operator::Tile
        | Operator::DepthToSpace { .. }
        | Operator::SpaceToDepth { .. }
        | Operator::BroadcastTo => {
            let element = element(0)?;
            Ok(movement(view)?.shapes.into_iter().map(|shape| Inferred { shape, element }).collect())
        }
        Operator::Gather { axis, batch_dims } => {
            // A quantised table may be looked up for real values.
            let element = element(0)?.filter(|&element| element != Element::I8);
            of_type(element, gather_lengths(view, *axis, *batch_dims)?.shape)
        }
        Operator::GatherNd => {
            let (shape, indices) = (view.input_shape(0)?, view.input_shape(1)?);
            let depth = indices.last().copied().unwrap_or(0);
            let (Some((_, outer)), true) = (indices.split_last(), depth <= shape.len()) else {
                let found = format!("indices of shape {indices:?} for values of shape {shape:?}");
                return Err(
                    view.fault(found, "tuples along the last dimension, of at most as many indices as dimensions")
                );
            };
            let result = [outer, &shape[depth..]].concat();
            view.bounded(&result)?;
            like_input(0, result)
        }
        Operator::UpdateSlice => {
            let (shape, start) = (view.input_shape(0)?, view.input_shape(2)?);
            if start != [shape.len()] {
                let supported = format!("shape [{}], a position per dimension", shape.len());
                return Err(view.fault_of_input(2, format!("a start of shape {start:?}"), supported));
            }
            like_input(0, shape.to_vec())
        }
        Operator::ResizeBilinear { .. } | Operator::ResizeNearest { .. } => {
            let [batch, _, _, channels] = view.nhwc(view.input(0)?)?;
            let [rows, columns] = resized(view)?;
            let shape = vec![batch, rows, columns, channels];
            view.bounded(&shape)?;
            like_input(0, shape)
        }
        Operator::SpaceToBatch => like_input(0, blocks(view, true)?.shape),
        Operator::BatchToSpace => like_input(0, blocks(view, false)?.shape),
        Operator::Recurrent { cell, time_major, .. } => recurrent(view, *cell, *time_major),
        Operator::Lstm { time_major, .. } => {
            let &[first, second, _] = view.input_shape(0)? else {
                let found = format!("shape {:?}", view.input_shape(0)?);
                return Err(view.tensor_fault(view.input(0)?, found, "rank 3: batch, time, features"));
            };
            let batch = if *time_major { second } else { first };
            let hidden = view.tensor(view.input(13)?).len() / batch;
            for (index, what) in [(13, "h"), (14, "c")] {
                let shape = view.input_shape(index)?;
                if shape != [batch, hidden] {
                    let found = format!("state {what} of shape {shape:?}");
                    return Err(view.tensor_fault(view.input(index)?, found, format!("shape [{batch}, {hidden}]")));
                }
            }
            like_input(0, vec![first, second, hidden])
        }
        Operator::Svdf { rank, .. } => like_input(0, svdf(view, *rank)?),
        Operator::Loop { .. } => Err(view.fault(
            "a loop whose rounds cannot be counted before the model runs",
            "loops that end after a number of rounds that does not depend on the model's input, and whose values keep their shapes",
        )),
        Operator::Signal(kind) => signal(view, *kind),
        Operator::Custom { .. } => (0..view.node.outputs.len())
            .map(|index| {
                let tensor = view.tensor(view.output(index)?);
                if !tensor.open.is_empty() {
                    let found = format!("dimensions {:?} of unknown length", tensor.open);
                    return Err(view.tensor_fault(view.output(index)?, found, "shapes that the file states"));
                }
                Ok(Inferred { shape: tensor.shape.clone(), element: None })
            })
            .collect(),
        Operator::Unsupported { tensor, found, supported } => Err(match tensor {
            Some(id) => view.tensor_fault(*id, found, supported),
            None => view.fault(found, supported),
        }),
    }
}

/// The shape of a reshaped tensor: the one that is stated, with open dimensions as long as the operand or the number of elements says.
fn reshaped(view: &View<'_>) -> Result<Vec<usize>, Problem> {
    let to = view.output(0)?;
    let (elements, stated) = (view.tensor(view.input(0)?).len(), view.tensor(to));
    let mut shape = stated.shape.clone();
    let mut open = stated.open.clone();
    if let Some(id) = view.optional_input(1).filter(|&id| !open.is_empty() && view.tensor(id).data.is_some())
        && let lengths = view.integers(1, "shape")?
        && lengths.len() == shape.len()
    {
        for (length, &wanted) in shape.iter_mut().zip(&lengths) {
            *length = usize::try_from(wanted).unwrap_or(1);
        }
        open = (0..lengths.len()).filter(|&axis| lengths[axis] == -1).collect();
        if lengths.iter().any(|&length| length < -1) || open.len() > 1 {
            return Err(view.tensor_fault(id, format!("shape {lengths:?}"), "lengths, at most one of them -1"));
        }
    }
    if open.len() > 1 {
        // Whatever is computed when the model runs is the problem here, if anything is.
        if let Some(id) = view.optional_input(1) {
            view.constant(id, "shape")?;
        }
        return Err(view.tensor_fault(to, format!("{} dimensions of unknown length", open.len()), "one at most"));
    }
    if let &[axis] = &open[..] {
        shape[axis] = 1;
        let others = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length)).unwrap_or(0);
        shape[axis] = elements.checked_div(others).unwrap_or(0);
    }
    let found = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
    if found != Some(elements) {
        let supported = format!("{elements} elements, as the input has");
        return Err(view.tensor_fault(to, format!("shape {shape:?}"), supported));
    }
    Ok(shape)
}

/// The shape of a result whose operands, these inputs, meet element by element.
fn broadcast_of(view: &View<'_>, operands: &[usize]) -> Result<Vec<usize>, Problem> {
    let shapes = operands.iter().map(|&index| view.input_shape(index)).collect::<Result<Vec<_>, _>>()?;
    let shape = shapes.iter().try_fold(Vec::new(), |result: Vec<usize>, shape| broadcast(&result, shape));
    let shape = shape.ok_or_else(|| {
        let list = shapes.iter().map(|shape| format!("{shape:?}")).collect::<Vec<_>>().join(" and ");
        view.fault(
            format!("shapes {list}"),
            "shapes whose lengths are equal or 1 along every axis, from the last one on",
        )
    })?;
    view.bounded(&shape)?;
    Ok(shape)
}

/// The shape that all operands have.
fn equal_shapes(view: &View<'_>) -> Result<Vec<usize>, Problem> {
    let shape = view.input_shape(0)?;
    for index in 1..view.node.inputs.len() {
        let other = view.input_shape(index)?;
        if other != shape {
            let supported = format!("shape {shape:?}, as the first input has");
            return Err(view.fault_of_input(index, format!("shape {other:?}"), supported));
        }
    }
    Ok(shape.to_vec())
}

/// Which dimension of a convolution's weights counts the outputs.
enum Channels {
    FromFirst,
    FromLast,
}

/// The weights of a convolution, input 1, as an array of four dimensions.
fn kernel(view: &View<'_>) -> Result<[usize; 4], Problem> {
    let shape = view.input_shape(1)?;
    <[usize; 4]>::try_from(shape).map_err(|_| view.fault_of_input(1, format!("weights of shape {shape:?}"), "rank 4"))
}

fn convolution(view: &View<'_>, window: &SlidingWindow, channels: Channels) -> Result<Vec<usize>, Problem> {
    let input = view.nhwc(view.input(0)?)?;
    let [first, height, width, last] = kernel(view)?;
    let outputs = match channels {
        Channels::FromFirst => first,
        Channels::FromLast => last,
    };
    let shape = view.shape(window.over(input, [height, width]).pool())?;
    let shape = vec![input[0], shape.output().height, shape.output().width, outputs];
    view.bounded(&shape)?;
    Ok(shape)
}

fn transposed_convolution(view: &View<'_>, window: &SlidingWindow) -> Result<Vec<usize>, Problem> {
    let [batch, rows, columns, inputs] = view.nhwc(view.input(2)?)?;
    let [outputs, height, width, depth] = kernel(view)?;
    if depth != inputs {
        let found = format!("weights for {depth} of {inputs} input channels");
        return Err(view.fault_of_input(1, found, "weights for all input channels"));
    }
    let wanted = lengths(view, 0, "output shape", view.stated_shape(0)?)?;
    let &[wanted_batch, out_rows, out_columns, channels] = &wanted[..] else {
        return Err(view.fault_of_input(0, format!("output shape {wanted:?}"), "batch, height, width, channels"));
    };
    let shape = vec![batch, out_rows, out_columns, outputs];
    if (wanted_batch, channels) != (batch, outputs) {
        return Err(view.fault_of_input(0, format!("output shape {wanted:?}"), format!("{shape:?} for these inputs")));
    }
    view.bounded(&shape)?;
    let adjoint = view.shape(window.over([batch, out_rows, out_columns, outputs], [height, width]).pool())?;
    if (adjoint.output().height, adjoint.output().width) != (rows, columns) {
        let found = format!("{rows}x{columns} to {out_rows}x{out_columns} pixels");
        let supported = format!("an input of {}x{} for that output", adjoint.output().height, adjoint.output().width);
        return Err(view.fault_of_input(2, found, supported));
    }
    Ok(shape)
}

fn dense(view: &View<'_>, keep_dims: bool) -> Result<Vec<usize>, Problem> {
    let input = view.input_shape(0)?;
    let &[outputs, inputs] = view.input_shape(1)? else {
        return Err(view.fault_of_input(1, format!("weights of shape {:?}", view.input_shape(1)?), "rank 2"));
    };
    let elements: usize = input.iter().product();
    if !elements.is_multiple_of(inputs) {
        let supported = format!("a multiple of {inputs} elements, the weights' second dimension");
        return Err(view.fault_of_input(0, format!("input of shape {input:?}"), supported));
    }
    let batch = elements / inputs;
    let stated = view.stated_shape(0)?;
    let shape = if keep_dims {
        let Some((_, outer)) = input.split_last().filter(|&(&last, _)| last == inputs) else {
            let supported = format!("a last dimension of {inputs}, since the number of dimensions is kept");
            return Err(view.fault_of_input(0, format!("input of shape {input:?}"), supported));
        };
        [outer, &[outputs]].concat()
    } else if stated.iter().product::<usize>() == batch * outputs && stated.last() == Some(&outputs) {
        // Without the attribute, files state more dimensions than two all the same.
        stated.to_vec()
    } else {
        vec![batch, outputs]
    };
    view.bounded(&shape)?;
    Ok(shape)
}

fn matmul(view: &View<'_>, left_transposed: bool, right_transposed: bool) -> Result<Vec<usize>, Problem> {
    let (left, right) = (view.input_shape(0)?, view.input_shape(1)?);
    let fault = || view.fault(format!("matrices of shapes {left:?} and {right:?}"), "matrices that fit each other");
    let matrices = |shape: &'_ [usize], transposed: bool| match shape {
        [batch @ .., a, b] => Some((batch.to_vec(), if transposed { [*b, *a] } else { [*a, *b] })),
        _ => None,
    };
    let (left_batch, [rows, depth]) = matrices(left, left_transposed).ok_or_else(fault)?;
    let (right_batch, [right_depth, columns]) = matrices(right, right_transposed).ok_or_else(fault)?;
    let batch = broadcast(&left_batch, &right_batch).filter(|_| depth == right_depth).ok_or_else(fault)?;
    let shape = [&batch[..], &[rows, columns]].concat();
    view.bounded(&shape)?;
    Ok(shape)
}

/// The outputs of a recurrent layer: the sequence, and the states behind it.
fn recurrent(view: &View<'_>, cell: RecurrentCell, time_major: bool) -> Result<Vec<Inferred>, Problem> {
    let &[first, second, inputs] = view.input_shape(0)? else {
        let found = format!("shape {:?}", view.input_shape(0)?);
        return Err(view.fault_of_input(0, found, "rank 3: batch, time, features"));
    };
    let batch = if time_major { second } else { first };
    let &[rows, hidden] = view.input_shape(2)? else {
        let found = format!("recurrent weights of shape {:?}", view.input_shape(2)?);
        return Err(view.fault_of_input(2, found, "rank 2: rows of the gates, hidden"));
    };
    let wanted = cell.gates().saturating_mul(hidden);
    let expected: [(&str, &[usize]); 6] = [
        ("weights", &[wanted, inputs]),
        ("recurrent weights", &[wanted, hidden]),
        ("a bias", &[wanted]),
        ("a recurrent bias", &[wanted]),
        ("a state", &[batch, hidden]),
        ("a state", &[batch, hidden]),
    ];
    for (index, (what, expected)) in (1..).zip(expected) {
        if let Some(id) = view.optional_input(index)
            && let shape = &view.tensor(id).shape
            && shape != expected
        {
            let supported = format!("shape {expected:?}, for {inputs} features and {rows} rows of gates");
            return Err(view.tensor_fault(id, format!("{what} of shape {shape:?}"), supported));
        }
    }
    view.bounded(&[first, second, hidden])?;
    let input = view.tensor(view.input(0)?).element;
    let output = |shape: Vec<usize>, element: Element| Inferred { shape, element: Some(element) };
    // The state of integers is finer than the outputs, but for h of an LSTM, which is its output.
    let state = if input == Element::I8 { Element::I16 } else { input };
    let h = if cell == RecurrentCell::Lstm { input } else { state };
    let mut outputs = vec![output(vec![first, second, hidden], input), output(vec![batch, hidden], h)];
    if cell == RecurrentCell::Lstm {
        outputs.push(output(vec![batch, hidden], state));
    }
    Ok(outputs)
}

fn svdf(view: &View<'_>, rank: usize) -> Result<Vec<usize>, Problem> {
    let &[batch, inputs] = view.input_shape(0)? else {
        return Err(view.fault_of_input(0, format!("shape {:?}", view.input_shape(0)?), "rank 2: batch, features"));
    };
    let &[count, memory] = view.input_shape(2)? else {
        return Err(view.fault_of_input(2, format!("shape {:?}", view.input_shape(2)?), "rank 2: features, memory"));
    };
    let expected = [(1, "weights", [count, inputs]), (4, "state", [batch, count * memory])];
    for (index, what, expected) in expected {
        let shape = view.input_shape(index)?;
        if shape != expected {
            let found = format!("{what} of shape {shape:?}");
            return Err(view.fault_of_input(index, found, format!("shape {expected:?}")));
        }
    }
    if count % rank != 0 {
        return Err(view.fault(format!("rank {rank} of {count} features"), "a rank that divides the features"));
    }
    Ok(vec![batch, count / rank])
}

/// The outputs of a stage of an audio front end.
fn signal(view: &View<'_>, kind: SignalKind) -> Result<Vec<Inferred>, Problem> {
    let shape = view.input_shape(0)?;
    let Some((&last, rows)) = shape.split_last() else {
        return Err(view.fault_of_input(0, "a scalar", "at least one dimension"));
    };
    let output = |element: Element, shape: Vec<usize>| {
        view.bounded(&shape)?;
        Ok(Inferred { shape, element: Some(element) })
    };
    let row_of = |length: usize| [rows, &[length]].concat();
    let stated = |what: &str, wanted: usize, found: usize| {
        let fault = || view.fault_of_input(0, format!("{found} {what}"), format!("{wanted}, as the options state"));
        (wanted == found).then_some(()).ok_or_else(fault)
    };
    let flag = |element: Element| Inferred { shape: Vec::new(), element: Some(element) };
    Ok(match kind {
        SignalKind::Window { .. } => {
            let factors = view.tensor(view.input(1)?).len();
            if !view.tensor(view.input(0)?).len().is_multiple_of(factors) {
                let supported = format!("a multiple of the window's {factors} factors");
                return Err(view.fault_of_input(0, format!("samples of shape {shape:?}"), supported));
            }
            vec![output(Element::I16, shape.to_vec())?]
        }
        SignalKind::AutoScale => vec![output(Element::I16, shape.to_vec())?, flag(Element::I32)],
        SignalKind::Fft { points } => {
            if last > points {
                return Err(view.fault_of_input(0, format!("{last} samples"), format!("at most {points} points")));
            }
            vec![output(Element::I16, row_of(points + 2))?]
        }
        SignalKind::InverseFft { points } => {
            stated("numbers", points + 2, last)?;
            vec![output(Element::I16, row_of(points))?]
        }
        SignalKind::Energy { .. } if !rows.is_empty() || !last.is_multiple_of(2) => {
            return Err(view.fault_of_input(0, format!("a spectrum of shape {shape:?}"), "pairs in one dimension"));
        }
        SignalKind::Energy { .. } => vec![output(Element::U32, vec![last / 2])?],
        SignalKind::FilterBank { channels } => vec![output(Element::U64, vec![channels])?],
        SignalKind::SquareRoot | SignalKind::GainControl { .. } => vec![output(Element::U32, shape.to_vec())?],
        SignalKind::SpectralSubtraction { .. } => {
            vec![output(Element::U32, shape.to_vec())?, output(Element::U32, shape.to_vec())?]
        }
        SignalKind::Logarithm { .. } | SignalKind::Delay { .. } => vec![output(Element::I16, shape.to_vec())?],
        SignalKind::Stack { channels, left, right, .. } => {
            stated("numbers", channels, view.tensor(view.input(0)?).len())?;
            let frames = left.saturating_add(right).saturating_add(1);
            vec![output(Element::I16, vec![channels.saturating_mul(frames)])?, flag(Element::Bool)]
        }
        SignalKind::Frame { size, step, .. } => {
            let Some(frames) = last.checked_div(step).filter(|&frames| frames * step == last) else {
                return Err(view.fault_of_input(
                    0,
                    format!("{last} samples"),
                    format!("a multiple of the step {step}"),
                ));
            };
            vec![output(Element::I16, [rows, &[frames, size]].concat())?, flag(Element::Bool)]
        }
        SignalKind::OverlapAdd { step } => {
            let Some((&frames, rows)) = rows.split_last() else {
                return Err(view.fault_of_input(0, format!("shape {shape:?}"), "frames of samples"));
            };
            let element = view.tensor(view.input(0)?).element;
            vec![output(element, [rows, &[frames.saturating_mul(step)]].concat())?]
        }
    })
}
