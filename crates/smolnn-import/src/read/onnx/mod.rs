//! `.onnx` files: a graph of operators on named values becomes a net.
//!
//! Every value has a static shape, so that a file is read in one pass: each operator becomes one or several of the net's, whose shapes are inferred at
//! once, and what depends on constants alone is computed at once. Chains of operators that compute shapes leave nothing behind.
//!
//! - `proto`: the messages of the file. Nothing that it says is trusted.
//! - `values`: constants, types and shapes of the file.
//! - `builder`: the net under construction. `operator`: one operator with its operands and attributes.
//! - `operators`: the table of operators by name; a file per family beside it.
//!
//! ONNX has channels before rows and columns. Operators that slide over an image are read as the net's own, with transposes around them, and a pass of
//! `rewrite` makes those disappear.

mod builder;
mod convolution;
mod elementwise;
mod movement;
mod normalise;
mod operator;
mod operators;
mod pool;
mod product;
mod proto;
mod quantised;
mod recurrent;
mod reduce;
mod resize;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use prost::Message;

use self::builder::Builder;
use self::operator::Op;
use self::operators::Line;
use self::values::{Dimensions, constant_of};
use crate::error::{Error, Problem, Result};
use crate::net::{Net, Operator, TensorId};

/// Versions of the operator set whose meaning is known.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

/// Most nodes of a graph that are read. Lowering refuses nets of fewer.
const MOST_NODES: usize = 1 << 14;

/// Whether the bytes begin as ONNX files do: a version of its format, from 3 on, then who wrote the file, or what follows that.
pub(super) fn recognises(file: &[u8]) -> bool {
    matches!(file, [0x08, 3..=32, 0x12 | 0x1A | 0x22 | 0x28 | 0x32 | 0x3A | 0x42, ..])
}

/// Reads and checks the bytes of a file. Lengths that it leaves open are looked up in `dimensions`, constants that lie beside it in `folder`.
///
/// # Errors
/// [`Error::Malformed`] for damaged files, [`Error::Unsupported`] with all that keeps the file from being a net.
pub(super) fn read(file: &[u8], dimensions: &[(&str, usize)], folder: Option<&Path>) -> Result<Net> {
    let damaged =
        |what: String| Error::Malformed(format!("the file is cut off or damaged, fetch or export it again ({what})"));
    let model = proto::Model::decode(file).map_err(|error| damaged(format!("no ONNX message: {error}")))?;
    let Some(graph) = &model.graph else { return Err(damaged("no graph".into())) };
    let (opset, mut problems) = whole_model(&model, graph);
    let mut builder = Builder::new(opset);
    let mut values: HashMap<&str, Option<TensorId>> = HashMap::new();
    // A file that is missing keeps all of its constants away: one sentence for each cause.
    let mut refused: BTreeMap<(String, String), (&str, usize)> = BTreeMap::new();
    for tensor in &graph.initializers {
        match constant_of(tensor, folder) {
            Ok(constant) => {
                let id = builder.add(constant);
                values.insert(&tensor.name, Some(id));
            }
            // The names of classes: what depends on them is left out.
            Err(_) if tensor.data_type == values::TEXT => _ = values.insert(&tensor.name, None),
            Err(values::Fault::Malformed(found)) => {
                return Err(damaged(format!("constant \"{}\": {found}", tensor.name.escape_debug())));
            }
            Err(values::Fault::Unsupported(found, supported)) => {
                values.insert(&tensor.name, None);
                refused.entry((found, supported)).or_insert((&tensor.name, 0)).1 += 1;
            }
        }
    }
    problems.extend(refused.into_iter().map(|((found, supported), (first, count))| {
        let first = first.escape_debug();
        let what = match count {
            1 => format!("constant \"{first}\""),
            _ => format!("{count} constants, \"{first}\" the first of them,"),
        };
        Problem::model(format!("{what} {found}"), supported)
    }));
    let mut lengths = Dimensions::new(dimensions);
    let mut names = HashSet::new();
    for input in &graph.inputs {
        if !names.insert(&input.name[..]) {
            return Err(damaged(format!("two inputs are called \"{}\"", input.name.escape_debug())));
        }
        // Old files list constants among the inputs.
        if values.contains_key(&input.name[..]) {
            continue;
        }
        let id = lengths.input(input, &mut problems).map(|tensor| builder.add(tensor));
        builder.net.inputs.extend(id);
        values.insert(&input.name, id);
    }
    problems.extend(lengths.unused(graph));
    let needed = needed(graph);
    for (index, node) in graph.nodes.iter().enumerate() {
        if !needed[index] {
            continue;
        }
        let outputs = operator(&mut builder, &values, index, node, &mut problems)?;
        for (at, name) in node.outputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let id = outputs.get(at).copied();
            if values.insert(name, id).is_some() {
                return Err(damaged(format!("value \"{}\" is written twice", name.escape_debug())));
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::Unsupported(problems));
    }
    builder.begin(graph.nodes.len(), "Identity", "");
    for output in &graph.outputs {
        let name = output.name.escape_debug();
        let Some(&written) = values.get(&output.name[..]) else {
            return Err(damaged(format!("no operator writes the output \"{name}\"")));
        };
        // Without a problem, what is not there depends on texts: the label that goes with a classifier's probabilities.
        let Some(id) = written else { continue };
        if builder.is_constant(id) {
            let found = format!("the output \"{name}\", which depends on no input");
            let supported =
                "outputs that are computed: leave it out of the export, and write its value into the program";
            return Err(Error::Unsupported(vec![Problem::model(found, supported)]));
        }
        builder.output(id).map_err(|problem| Error::Unsupported(vec![problem]))?;
    }
    if builder.net.outputs.is_empty() && !graph.outputs.is_empty() {
        let problem = Problem::model("outputs that are texts and nothing else", "at least one output of numbers");
        return Err(Error::Unsupported(vec![problem]));
    }
    let net = builder.net;
    net.check_flow()?;
    Ok(net)
}

/// The version of the operators, and what is wrong with the model as a whole.
fn whole_model(model: &proto::Model, graph: &proto::Graph) -> (i64, Vec<Problem>) {
    let mut problems = Vec::new();
    let is_main = |set: &&proto::OperatorSet| matches!(&set.domain[..], "" | "ai.onnx");
    let opset = model.opset_import.iter().find(is_main).map_or(1, |set| set.version);
    let mut refuse = |found: String, supported: &str| problems.push(Problem::model(found, supported));
    if !OPSETS.contains(&opset) {
        let supported = format!(
            "{} to {}: export with opset_version=17, or convert with onnx.version_converter",
            OPSETS.start(),
            OPSETS.end()
        );
        refuse(format!("operators of opset {opset}"), &supported);
    }
    if !model.training_info.is_empty() {
        refuse("information for training".into(), "networks exported for inference");
    }
    if !graph.sparse_initializers.is_empty() {
        refuse("sparse constants".into(), "dense ones");
    }
    if graph.nodes.len() > MOST_NODES {
        refuse(format!("{} operators", graph.nodes.len()), "at most 16384");
    }
    let used = |function: &&proto::Function| {
        graph.nodes.iter().any(|node| (&node.op_type, &node.domain) == (&function.name, &function.domain))
    };
    for function in model.functions.iter().filter(used) {
        let name = format!("{}.{}", function.domain, function.name);
        refuse(
            format!("the function {}", name.escape_debug()),
            "graphs without functions: inline them with onnx.inliner.inline_local_functions",
        );
    }
    (opset, problems)
}

/// Which nodes an output of the graph depends on.
fn needed(graph: &proto::Graph) -> Vec<bool> {
    let mut values: HashSet<&str> = graph.outputs.iter().map(|output| &output.name[..]).collect();
    let mut needed = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        needed[index] = node.outputs.iter().any(|name| values.contains(&name[..]));
        if needed[index] {
            values.extend(node.inputs.iter().map(|name| &name[..]));
        }
    }
    needed
}

/// Adds what a node computes to the net. Gives its outputs; none where it, or an operator before it, is not supported.
fn operator(
    builder: &mut Builder,
    values: &HashMap<&str, Option<TensorId>>,
    index: usize,
    node: &proto::Node,
    problems: &mut Vec<Problem>,
) -> Result<Vec<TensorId>> {
    let name = if matches!(&node.domain[..], "" | "ai.onnx") {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    };
    let place = || Some((index, name.escape_debug().to_string()));
    let Some(line) = Line::of(&name) else {
        let (found, supported) = operators::unknown();
        problems.push(Problem { operator: place(), ..Problem::model(found, supported) });
        return Ok(Vec::new());
    };
    let mut inputs = Vec::new();
    for input in &node.inputs {
        if input.is_empty() {
            inputs.push(None);
            continue;
        }
        match values.get(&input[..]) {
            Some(&Some(id)) => inputs.push(Some(id)),
            // What is wrong was said where the value comes from.
            Some(None) => return Ok(Vec::new()),
            None => {
                let text =
                    format!("operator {index} {name} reads \"{}\" before any operator writes it", input.escape_debug());
                return Err(Error::Malformed(text));
            }
        }
    }
    builder.begin(index, &name, node.outputs.first().map_or("", |name| &name[..]));
    let mut op = Op { builder, node, inputs };
    let read = line.read(&mut op);
    if let Some(found) = builder.mistaken.take() {
        problems.push(builder.fault(found, "attributes of the types that ONNX states, as exporters write them"));
        return Ok(Vec::new());
    }
    match read {
        Ok(outputs) => Ok(outputs),
        Err(problem) => {
            problems.push(problem);
            Ok(Vec::new())
        }
    }
}

/// An operator of the net that is not one of the file's: where its outputs are outputs of the model that no operator writes.
fn alias() -> Operator {
    Operator::Reshape
}
