//! Files that ONNX does not allow, or that must not make the reader panic, wait or fill the memory.

use prost::Message;

use super::proto::{self, Attribute, Dimension, Entry, Graph, Node, OperatorSet, Shape, Tensor, TensorType, ValueInfo};
use super::read;
use crate::error::Result;
use crate::net::{Element, Net, Operator};

fn attribute(name: &str) -> Attribute {
    Attribute { name: name.into(), ..Attribute::default() }
}

fn integers(name: &str, values: &[i64]) -> Attribute {
    Attribute { ints: values.into(), kind: 7, ..attribute(name) }
}

fn integer(name: &str, value: i64) -> Attribute {
    Attribute { int: value, kind: 2, ..attribute(name) }
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute { string: value.into(), kind: 3, ..attribute(name) }
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: Vec<Attribute>) -> Node {
    Node {
        op_type: operator.into(),
        inputs: inputs.iter().map(|&name| name.into()).collect(),
        outputs: vec![output.into()],
        attributes,
        ..Node::default()
    }
}

fn list(name: &str, values: &[i64]) -> Tensor {
    Tensor {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: 7,
        int64_data: values.into(),
        ..Tensor::default()
    }
}

fn reals(name: &str, dims: &[i64]) -> Tensor {
    let count: i64 = dims.iter().product();
    let float_data = (0..count).map(|index| index as f32).collect();
    Tensor { name: name.into(), dims: dims.into(), data_type: 1, float_data, ..Tensor::default() }
}

fn value(name: &str, element: i32, lengths: &[i64]) -> ValueInfo {
    let dimension = |&length: &i64| Dimension { length: Some(length), name: None };
    let shape = Some(Shape { dimensions: lengths.iter().map(dimension).collect() });
    ValueInfo { name: name.into(), kind: Some(proto::Type { tensor: Some(TensorType { element, shape }) }) }
}

/// A graph from "x", real numbers of this shape, to "y".
fn graph(shape: &[i64], initializers: Vec<Tensor>, nodes: Vec<Node>) -> Graph {
    let inputs = vec![value("x", 1, shape)];
    let outputs = vec![ValueInfo { name: "y".into(), kind: None }];
    Graph { nodes, initializers, inputs, outputs, ..Graph::default() }
}

fn file(graph: Graph) -> Vec<u8> {
    let opset_import = vec![OperatorSet { domain: String::new(), version: 13 }];
    proto::Model { graph: Some(graph), opset_import, ..proto::Model::default() }.encode_to_vec()
}

fn net(graph: Graph) -> Result<Net> {
    read(&file(graph), &[], None)
}

/// The words with which a graph is refused.
fn refusal(graph: Graph) -> String {
    net(graph).expect_err("a refusal").to_string()
}

#[test]
fn edges_of_tensors_without_elements_are_refused() {
    for mode in ["edge", "wrap"] {
        let constants = vec![list("none", &[0]), list("pads", &[0, 1, 0, 1])];
        let cut = Tensor { dims: vec![0, 3], data_type: 1, name: "empty".into(), ..Tensor::default() };
        let pad = node("Pad", &["empty", "pads"], "p", vec![text("mode", mode)]);
        let nodes = vec![pad, node("Concat", &["x", "p"], "y", vec![integer("axis", 0)])];
        let found = refusal(graph(&[1, 5], [constants, vec![cut]].concat(), nodes));
        assert!(found.contains(&format!("mode {mode} of shape [0, 3]")), "{found}");
    }
    let constants = vec![list("pads", &[0, 1 << 24, 0, 1 << 24])];
    let pad = node("Pad", &["x", "pads"], "y", vec![text("mode", "edge")]);
    let found = refusal(graph(&[4, 5], constants, vec![pad]));
    assert!(found.contains("2^26"), "{found}");
}

#[test]
fn transposed_convolutions_of_many_groups_are_refused() {
    let layer = node("ConvTranspose", &["x", "w"], "y", vec![integer("group", 8192)]);
    let found = refusal(graph(&[1, 8192, 1, 1], vec![reals("w", &[8192, 1, 1, 1])], vec![layer]));
    assert!(found.contains("8192 groups") && found.contains("2^24"), "{found}");
}

#[test]
fn constants_beside_the_model_are_regular_files_of_its_folder() {
    let folder = std::env::temp_dir().join(format!("smolnn-external-{}", std::process::id()));
    let inner = folder.join("model");
    std::fs::create_dir_all(&inner).expect("a folder");
    for file in [folder.join("outside.bin"), inner.join("w.bin")] {
        std::fs::write(file, 3_f32.to_le_bytes()).expect("a file");
    }
    std::fs::create_dir_all(inner.join("folder.bin")).expect("a folder");
    let at = |location: &str| {
        let entry = Entry { key: "location".into(), value: location.into() };
        let float_data = Vec::new();
        let constant = Tensor { data_location: 1, external_data: vec![entry], float_data, ..reals("w", &[1]) };
        let add = node("Add", &["x", "w"], "y", Vec::new());
        read(&file(graph(&[1, 1], vec![constant], vec![add])), &[], Some(&inner))
    };
    let words = |location: &str| at(location).expect_err("a refusal").to_string();
    assert!(at("w.bin").is_ok() && at("./w.bin").is_ok());
    assert!(words("../outside.bin").contains("outside of the model's folder"));
    assert!(words("folder.bin").contains("no regular file"));
    let sought = inner.join("none.bin").display().to_string();
    assert!(words("none.bin").contains(&sought), "{}", words("none.bin"));
    // All constants of a file that is missing: the cause once.
    let missing = |name: &str| {
        let entry = Entry { key: "location".into(), value: "none.bin".into() };
        Tensor { data_location: 1, external_data: vec![entry], float_data: Vec::new(), ..reals(name, &[1]) }
    };
    let adds = vec![node("Add", &["x", "w"], "m", Vec::new()), node("Add", &["m", "v"], "y", Vec::new())];
    let both = read(&file(graph(&[1, 1], vec![missing("w"), missing("v")], adds)), &[], Some(&inner));
    let both = both.expect_err("a refusal").to_string();
    assert!(both.contains("2 constants, \"w\" the first of them") && both.matches(&sought).count() == 1, "{both}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&folder, inner.join("link")).expect("a link");
        assert!(words("link/outside.bin").contains("outside of the model's folder"));
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    let one = |operator: &str, constants: Vec<Tensor>, attributes: Vec<Attribute>| {
        let names: Vec<String> = constants.iter().map(|constant| constant.name.clone()).collect();
        let inputs: Vec<&str> = std::iter::once("x").chain(names.iter().map(|name| &name[..])).collect();
        refusal(graph(&[1, 2, 5, 5], constants.clone(), vec![node(operator, &inputs, "y", attributes)]))
    };
    let cases = [
        (one("Transpose", vec![], vec![integers("perm", &[0, 1])]), "perm [0, 1] of 4 dimensions"),
        (one("Transpose", vec![], vec![integers("perm", &[0, 1, 1, 2])]), "some of them twice"),
        (one("Unsqueeze", vec![list("axes", &[0, 0])], vec![]), "some of them twice"),
        (one("Slice", vec![list("s", &[0, 1]), list("e", &[4, 3]), list("a", &[2, -2])], vec![]), "some of them twice"),
        (
            one("Conv", vec![reals("w", &[1, 2, 3, 3])], vec![integers("kernel_shape", &[5, 5])]),
            "kernel_shape [5, 5] with weights of shape [1, 2, 3, 3]",
        ),
        (one("Softmax", vec![], vec![text("axis", "last")]), "the attribute axis of attribute type 3"),
    ];
    for (found, expected) in cases {
        assert!(found.contains(expected), "{found}");
    }
    let mut twice = graph(&[1, 2], vec![], vec![node("Relu", &["x"], "y", vec![])]);
    twice.inputs.push(value("x", 1, &[1, 2]));
    assert!(refusal(twice).contains("two inputs are called \"x\""));
}

#[test]
fn positions_of_the_run_count_from_the_end_where_negative() {
    let mut tokens = graph(&[3], vec![reals("table", &[5, 2])], vec![node("Gather", &["table", "x"], "y", vec![])]);
    tokens.inputs = vec![value("x", 7, &[3])];
    let net = net(tokens).expect("a net");
    let operators: Vec<&Operator> = net.nodes.iter().map(|node| &node.operator).collect();
    assert!(
        matches!(
            operators[..],
            [Operator::Compare(_), Operator::Binary(..), Operator::Select { .. }, Operator::Gather { .. }]
        ),
        "{operators:?}"
    );
}

#[test]
fn uint8_is_padded_with_the_stored_value_that_the_file_states() {
    for (stated, expected) in [(Some(7), 7 - 128), (Some(200), 200 - 128), (None, -128)] {
        let byte = |name: &str, value: i32, dims: Vec<i64>| {
            let raw_data = vec![value as u8];
            Tensor { name: name.into(), dims, data_type: 2, raw_data, ..Tensor::default() }
        };
        let mut constants = vec![
            Tensor { dims: vec![], float_data: vec![0.5], ..reals("scale", &[1]) },
            byte("zero", 7, vec![]),
            list("pads", &[0, 1, 0, 1]),
        ];
        constants.extend(stated.map(|value| byte("value", value, vec![])));
        let pad: &[&str] = if stated.is_some() { &["q", "pads", "value"] } else { &["q", "pads"] };
        let nodes = vec![
            node("QuantizeLinear", &["x", "scale", "zero"], "q", vec![]),
            node("Pad", pad, "p", vec![]),
            node("DequantizeLinear", &["p", "scale", "zero"], "y", vec![]),
        ];
        let net = net(graph(&[1, 3], constants, nodes)).expect("a net");
        let pad = net.nodes.iter().find(|node| node.operator == Operator::Pad).expect("a pad");
        let value = &net.tensors[pad.inputs[2].expect("a value")];
        assert_eq!((value.element, value.integers()), (Element::I8, Some(vec![expected])), "{stated:?}");
    }
}

#[test]
fn triangles_of_constants_are_constants() {
    let nodes =
        vec![node("Trilu", &["w", "k"], "mask", vec![integer("upper", 0)]), node("Add", &["x", "mask"], "y", vec![])];
    let diagonal = Tensor { dims: vec![], ..list("k", &[1]) };
    let net = net(graph(&[2, 3], vec![reals("w", &[2, 3]), diagonal], nodes)).expect("a net");
    assert_eq!(net.nodes.len(), 1);
    let values = net.nodes[0].inputs[1].and_then(|id| net.tensors[id].reals()).expect("a constant");
    assert_eq!(values, [0.0, 1.0, 0.0, 3.0, 4.0, 5.0]);
}

#[test]
fn what_depends_on_texts_is_left_out() {
    let classes = Tensor { name: "classes".into(), dims: vec![2], data_type: 8, ..Tensor::default() };
    let label = Node { domain: "ai.onnx.ml".into(), ..node("ArrayFeatureExtractor", &["classes", "at"], "l", vec![]) };
    let map = Node { domain: "ai.onnx.ml".into(), ..node("ZipMap", &["p"], "y", vec![]) };
    let nodes =
        vec![node("Softmax", &["x"], "p", vec![]), node("ArgMax", &["p"], "at", vec![integer("axis", 1)]), label, map];
    let mut of_both = graph(&[1, 2], vec![classes], nodes);
    of_both.outputs.insert(0, ValueInfo { name: "l".into(), kind: None });
    let found = net(of_both.clone()).expect("a net");
    assert_eq!(found.outputs.len(), 1);
    assert_eq!(found.tensors[found.outputs[0]].shape, [1, 2]);
    of_both.outputs.pop();
    assert!(refusal(of_both).contains("texts and nothing else"));
}

#[test]
fn constant_outputs_are_named() {
    let mut fixed = graph(&[1, 2], vec![reals("w", &[2])], vec![node("Relu", &["x"], "y", vec![])]);
    fixed.outputs.push(ValueInfo { name: "w".into(), kind: None });
    assert!(refusal(fixed).contains("the output \"w\", which depends on no input"));
}

#[test]
fn weights_that_are_standardised_are_constants() {
    let nodes = vec![
        node("ReduceMean", &["w"], "mean", vec![integers("axes", &[1, 2, 3])]),
        node("Sub", &["w", "mean"], "centred", vec![]),
        node("Mul", &["centred", "centred"], "squares", vec![]),
        node("ReduceMean", &["squares"], "variance", vec![integers("axes", &[1, 2, 3])]),
        node("Sqrt", &["variance"], "deviation", vec![]),
        node("Div", &["centred", "deviation"], "weights", vec![]),
        node("Conv", &["x", "weights"], "y", vec![]),
    ];
    let net = net(graph(&[1, 1, 4, 4], vec![reals("w", &[2, 1, 2, 2])], nodes)).expect("a net");
    let layer = net.nodes.iter().find(|node| matches!(node.operator, Operator::Conv2d { .. })).expect("a layer");
    let values = layer.inputs[1].and_then(|id| net.tensors[id].reals()).expect("constant weights");
    // Both kernels are four numbers in steps of 1: ∓1.5 and ∓0.5, over √1.25.
    let expected = [-1.341_640_8, -0.447_213_6, 0.447_213_6, 1.341_640_8];
    assert!(
        values.len() == 8 && values.iter().zip(expected.iter().cycle()).all(|(a, b)| (a - b).abs() < 1e-6),
        "{values:?}"
    );
}
