//! Turns what a streaming model does with each of its variables into one move in the variable's own memory.
//!
//! Such a model reads a variable, appends the new values to it, works on the result, drops the oldest values and assigns the rest. Instead, the variable
//! is made as long as the result: it slides forward by the new values, and what worked on the result works on the variable.

use crate::net::{Constant, Net, Node, Operator, TensorId, View, movement};

/// Rewrites every variable that is read once, appended to, and assigned the end of the result.
pub(super) fn apply(net: &mut Net) {
    for variable in 0..net.tensors.len() {
        if net.tensors[variable].variable
            && let Some(found) = find(net, variable)
        {
            rewrite(net, variable, &found);
        }
    }
}

/// The nodes around a variable, by their positions in the net, and the tensors between them.
struct Found {
    read: usize,
    append: usize,
    assign: usize,
    values: TensorId,
    appended: TensorId,
}

fn find(net: &Net, variable: TensorId) -> Option<Found> {
    let users = |id: TensorId| {
        let uses = move |(_, node): &(usize, &Node)| node.inputs.contains(&Some(id));
        net.nodes.iter().enumerate().filter(uses).collect::<Vec<_>>()
    };
    let of_variable = users(variable);
    let &[(read, reader), (assign, assigner)] = &of_variable[..] else { return None };
    if reader.operator != Operator::ReadVariable || assigner.operator != Operator::AssignVariable {
        return None;
    }
    let &[old] = &reader.outputs[..] else { return None };
    let of_old = users(old);
    let &[(append, appender)] = &of_old[..] else { return None };
    let (&[Some(first), Some(values)], &[appended]) = (&appender.inputs[..], &appender.outputs[..]) else {
        return None;
    };
    let kept = (*assigner.inputs.get(1)?)?;
    let dropper = net.nodes.iter().find(|node| node.outputs.contains(&kept))?;
    let is_output = |id: TensorId| net.outputs.contains(&id);
    if first != old || values == old || append > assign || is_output(old) || is_output(appended) {
        return None;
    }
    // The variable and the new values stand one behind the other, and of them the end is assigned.
    let (length, new) = (net.tensors[variable].len(), net.tensors[values].len());
    let joins = matches!(appender.operator, Operator::Concatenate { .. })
        && is_run(net, appender, 0, 0, 0, length, 0)
        && is_run(net, appender, 1, 0, 0, new, length);
    let position = dropper.outputs.iter().position(|&id| id == kept)?;
    let drops = dropper.inputs.first() == Some(&Some(appended)) && is_run(net, dropper, 0, position, new, length, 0);
    let alike = [old, values, appended].into_iter().all(|id| {
        let (tensor, of) = (&net.tensors[id], &net.tensors[variable]);
        (tensor.element, &tensor.quantisation) == (of.element, &of.quantisation)
    });
    (joins && drops && alike).then_some(Found { read, append, assign, values, appended })
}

/// Whether the node moves `length` neighbouring elements of an input, from `from` on, to an output, from `to` on.
fn is_run(net: &Net, node: &Node, input: usize, output: usize, from: usize, length: usize, to: usize) -> bool {
    movement(&View { net, node }).is_ok_and(|movement| {
        movement.moves.iter().any(|a_move| {
            let run = match &a_move.axes[..] {
                [] => length == 1,
                [axis] => (axis.length, axis.input, axis.output) == (length, 1, 1),
                _ => false,
            };
            run && (a_move.input, a_move.output) == (input, output)
                && (a_move.input_start, a_move.output_start) == (from, to)
        })
    })
}

fn rewrite(net: &mut Net, variable: TensorId, found: &Found) {
    let new = net.tensors[found.values].len();
    let shape = net.tensors[found.appended].shape.clone();
    let tensor = &mut net.tensors[variable];
    // The first slide drops the values in front, whatever they are.
    tensor.start = tensor.start.take().map(|start| {
        let front = vec![0; new * tensor.element.bits() / 8];
        Constant::new([&front, start.bytes()].concat())
    });
    tensor.shape = shape;
    let node = &mut net.nodes[found.append];
    node.operator = Operator::SlideVariable;
    node.inputs = vec![Some(variable), Some(found.values)];
    let (read, assign) = (found.read, found.assign);
    let mut position = 0;
    net.nodes.retain(|_| {
        position += 1;
        position - 1 != read && position - 1 != assign
    });
}
