//! A float net and the ranges of its tensors become an integer net.
//!
//! Every tensor of the float net keeps its index; its integer forms stand behind them. A node asks for each operand in the form that its kernel
//! takes, and where the operand has another form, a QUANTIZE or DEQUANTIZE is put between, once for all readers.

use std::collections::HashMap;

use smolnn_fixed::quantise::Affine;

use super::layers::IntegerRows;
use super::range::affine;
use super::scheme::{Scheme, scheme};
use crate::error::{Error, Problem, Result};
use crate::net::{
    Axis, BinaryKind, Constant, Element, Layer, Net, Node, Operator, Quantisation, Tensor, TensorId, View,
};

/// What a node computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Real numbers.
    Real,
    /// int8.
    Int8,
    /// int16 activations, int8 weights.
    Int16,
}

/// What is decided about a float net before it is converted.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    /// The range of every real tensor that is computed, by its index.
    pub ranges: Vec<(f64, f64)>,
    /// Tensors that are kept in int16, by their index: what writes and what reads them computes with int16.
    pub wide: Vec<bool>,
    /// Nodes that stay with real numbers, and those that may not compute with int16, by their position.
    pub real: Vec<bool>,
    pub narrow: Vec<bool>,
    /// Weights of a layer that are rounded for the data, by its position; those of other layers go to the nearest integers.
    pub weights: HashMap<usize, Vec<f32>>,
    /// What is added to the bias of a layer, by its position, per channel.
    pub corrections: HashMap<usize, Vec<f32>>,
    /// Inputs and outputs of the model stay real numbers.
    pub real_ends: bool,
}

impl Decisions {
    /// Ranges, and nothing else that is out of the ordinary.
    pub fn new(net: &Net, ranges: Vec<(f64, f64)>) -> Self {
        Self {
            ranges,
            wide: vec![false; net.tensors.len()],
            real: vec![false; net.nodes.len()],
            narrow: vec![false; net.nodes.len()],
            weights: HashMap::new(),
            corrections: HashMap::new(),
            real_ends: false,
        }
    }
}

/// The form in which a tensor is there: real (`None`), or integers of a type with scale and zero point.
type Form = Option<(Element, Affine)>;

/// An integer net that is being built from a float one.
pub(crate) struct Integers<'a> {
    float: &'a Net,
    decisions: &'a Decisions,
    groups: Groups,
    net: Net,
    /// Per tensor of the float net its forms: the first is the one that its writer gives.
    forms: Vec<Vec<(Form, TensorId)>>,
}

/// An integer net with where its parts come from.
#[derive(Clone, Debug)]
pub(crate) struct Converted {
    pub net: Net,
    /// Per tensor of the float net that is computed, the tensor that its writer gives.
    pub tensors: HashMap<TensorId, TensorId>,
    /// Per node of the float net, what it computes with.
    pub numbers: Vec<Numbers>,
}

/// Converts a float net.
///
/// # Errors
/// [`Error::Unsupported`] with the nodes that could not be converted.
pub(crate) fn convert(float: &Net, decisions: &Decisions) -> Result<Converted> {
    let groups = Groups::of(float, decisions);
    let mut net = float.clone();
    net.nodes.clear();
    let forms = vec![Vec::new(); float.tensors.len()];
    let mut integers = Integers { float, decisions, groups, net, forms };
    let numbers: Vec<Numbers> = (0..float.nodes.len()).map(|position| numbers(float, decisions, position)).collect();
    for position in 0..float.inputs.len() {
        integers.input(position, &numbers);
    }
    let mut problems = Vec::new();
    for (position, node) in float.nodes.iter().enumerate() {
        problems.extend(integers.node(position, node, numbers[position]).err());
    }
    if !problems.is_empty() {
        return Err(Error::Unsupported(problems));
    }
    for position in 0..float.outputs.len() {
        integers.output(position);
    }
    let Integers { forms, net, .. } = integers;
    let tensors = forms.iter().enumerate().filter_map(|(id, forms)| Some((id, forms.first()?.1))).collect();
    Ok(Converted { net: without_unused_constants(net), tensors, numbers })
}

/// What a node computes with: int16 where one of its real tensors is kept in int16.
fn numbers(float: &Net, decisions: &Decisions, position: usize) -> Numbers {
    let node = &float.nodes[position];
    if decisions.real[position] || matches!(scheme(&View { net: float, node }), Scheme::Real) {
        return Numbers::Real;
    }
    let is_wide = node.inputs.iter().flatten().chain(&node.outputs).any(|&id| decisions.wide[id]);
    if is_wide && !decisions.narrow[position] { Numbers::Int16 } else { Numbers::Int8 }
}

/// Float constants that no node reads any more become placeholders.
fn without_unused_constants(mut net: Net) -> Net {
    let mut used = vec![false; net.tensors.len()];
    let reads = net.nodes.iter().flat_map(|node| node.inputs.iter().flatten().chain(&node.outputs));
    reads.chain(&net.inputs).chain(&net.outputs).for_each(|&id| used[id] = true);
    for (tensor, used) in net.tensors.iter_mut().zip(used) {
        if !used {
            (tensor.data, tensor.shape) = (None, vec![1]);
        }
    }
    net
}

impl<'a> Integers<'a> {
    /// The quantisation of a real tensor in a type of integers.
    pub(crate) fn affine(&self, id: TensorId, element: Element) -> Affine {
        self.groups.affine(id, element)
    }

    /// A node with the float net around it.
    pub(crate) fn view<'n>(&self, node: &'n Node) -> View<'n>
    where
        'a: 'n,
    {
        View { net: self.float, node }
    }

    /// The range of a real tensor over the data.
    pub(crate) fn range(&self, id: TensorId) -> (f64, f64) {
        self.decisions.ranges[id]
    }

    /// The type of a tensor's integers between nodes.
    fn element(&self, id: TensorId) -> Element {
        if self.decisions.wide[id] { Element::I16 } else { Element::I8 }
    }

    /// Adds a tensor of the integer net.
    pub(crate) fn add(&mut self, tensor: Tensor) -> TensorId {
        self.net.tensors.push(tensor);
        self.net.tensors.len() - 1
    }

    /// Adds a node of the integer net.
    pub(crate) fn push(&mut self, node: Node) {
        self.net.nodes.push(node);
    }

    /// The tensor of the integer net that holds float tensor `id` in this form, as a node writes it.
    pub(crate) fn written(&mut self, id: TensorId, form: Form) -> TensorId {
        let to = match form {
            None => id,
            Some((element, affine)) => {
                let tensor = integer_tensor(&self.float.tensors[id], element, affine);
                self.add(tensor)
            }
        };
        self.forms[id].push((form, to));
        to
    }

    /// Float tensor `id` in this form, converted where it has another one.
    pub(crate) fn read(&mut self, id: TensorId, form: Form, reader: usize) -> TensorId {
        if self.float.tensors[id].data.is_some() {
            return match form {
                None => id,
                Some((element, affine)) => {
                    let constant = quantised_constant(&self.float.tensors[id], element, affine);
                    self.add(constant)
                }
            };
        }
        if let Some(&(_, there)) = self.forms[id].iter().find(|(there, _)| *there == form) {
            return there;
        }
        let Some(&(from, source)) = self.forms[id].first() else {
            // A variable, which is read before anything writes it; nodes with variables compute with real numbers.
            return id;
        };
        let (operator, name) = match (from, form) {
            (_, None) => (Operator::Dequantise, "DEQUANTIZE"),
            _ => (Operator::Quantise, "QUANTIZE"),
        };
        let to = self.written(id, form);
        self.push(Node { index: reader, name: name.into(), operator, inputs: vec![Some(source)], outputs: vec![to] });
        to
    }

    fn is_real(&self, id: TensorId) -> bool {
        self.float.tensors[id].element == Element::F32
    }

    /// An input of the model: real where only nodes that compute with real numbers read it.
    fn input(&mut self, position: usize, numbers: &[Numbers]) {
        let id = self.float.inputs[position];
        let readers = || self.float.nodes.iter().zip(numbers).filter(|(node, _)| node.inputs.contains(&Some(id)));
        let is_real = self.decisions.real_ends || readers().all(|(_, &numbers)| numbers == Numbers::Real);
        if self.is_real(id) {
            let element = self.element(id);
            let form = (!is_real).then(|| (element, self.affine(id, element)));
            self.net.inputs[position] = self.written(id, form);
        }
    }

    /// An output of the model: real where it is computed with real numbers.
    fn output(&mut self, position: usize) {
        let id = self.float.outputs[position];
        let is_real = self.decisions.real_ends || self.forms[id].first().is_some_and(|(form, _)| form.is_none());
        if self.is_real(id) {
            let element = self.element(id);
            let form = (!is_real).then(|| (element, self.affine(id, element)));
            let reader = self.float.nodes.last().map_or(0, |node| node.index);
            self.net.outputs[position] = self.read(id, form, reader);
        }
    }

    fn node(&mut self, position: usize, node: &Node, numbers: Numbers) -> std::result::Result<(), Problem> {
        let view = View { net: self.float, node };
        let element = match numbers {
            Numbers::Real => None,
            Numbers::Int8 => Some(Element::I8),
            Numbers::Int16 => Some(Element::I16),
        };
        let (scheme, Some(element)) = (scheme(&view), element) else {
            self.plain(node, |_, _| None);
            return Ok(());
        };
        match scheme {
            Scheme::Untouched | Scheme::Real => self.plain(node, |_, _| None),
            Scheme::Own { build, .. } => return build(self, node),
            Scheme::Layer(layer) => return self.layer(position, node, layer, element),
            Scheme::Rescaled | Scheme::Fixed { .. } => self.plain(node, |integers, id| {
                let affine = match integers.float.tensors[id].data {
                    Some(_) => affine(bounds(&integers.float.tensors[id]), element),
                    None => integers.affine(id, element),
                };
                Some((element, affine))
            }),
            Scheme::Moved => {
                // Constants among the operands take part in the group of the computed ones.
                let of = node.outputs.iter().chain(node.inputs.iter().flatten()).copied();
                let Some(of) = of.into_iter().find(|&id| self.is_real(id) && self.float.tensors[id].data.is_none())
                else {
                    return Err(view.fault("no real operand that is computed", "one to take the scale from"));
                };
                let affine = self.groups.shared(of, element);
                self.plain(node, |_, _| Some((element, affine)));
            }
        }
        Ok(())
    }

    /// A node with the same operator, its real tensors in the forms that are asked for.
    fn plain(&mut self, node: &Node, form: impl Fn(&Self, TensorId) -> Form) {
        let mut made = node.clone();
        for input in made.inputs.iter_mut().flatten() {
            if self.is_real(*input) {
                let form = form(self, *input);
                *input = self.read(*input, form, node.index);
            }
        }
        for output in &mut made.outputs {
            if self.is_real(*output) {
                let form = form(self, *output);
                *output = self.written(*output, form);
            }
        }
        self.push(made);
    }

    /// A layer with weights.
    fn layer(
        &mut self,
        position: usize,
        node: &Node,
        layer: Layer,
        element: Element,
    ) -> std::result::Result<(), Problem> {
        let Layer { input, weights, bias, axis } = layer;
        let view = View { net: self.float, node };
        let mut made = node.clone();
        let of = view.input(input)?;
        let x = self.affine(of, element);
        made.inputs[input] = Some(self.read(of, Some((element, x)), node.index));

        let of_weights = view.tensor(view.input(weights)?);
        let values = self.decisions.weights.get(&position).cloned().unwrap_or_else(|| reals(of_weights));
        let mut biases = view.optional_input(bias).map_or(Vec::new(), |id| reals(view.tensor(id)));
        if let Some(correction) = self.decisions.corrections.get(&position) {
            biases.resize(axis.channels(), 0.0);
            biases.iter_mut().zip(correction).for_each(|(bias, &correction)| *bias += correction);
        }
        let rows = IntegerRows::new(&values, &biases, axis, x.scale);
        let dimension = if matches!(axis, Axis::First(_)) { 0 } else { of_weights.shape.len() - 1 };
        let quantisation = Quantisation { zero_points: vec![0; rows.scales.len()], scales: rows.scales, dimension };
        made.inputs[weights] = Some(self.add(Tensor {
            element: Element::I8,
            quantisation: Some(quantisation),
            data: Some(Constant::new(rows.values.iter().map(|&value| value as u8).collect())),
            ..of_weights.clone()
        }));
        if !rows.bias.is_empty() {
            let name = view.optional_input(bias).map_or_else(|| "bias".into(), |id| view.tensor(id).name.clone());
            let (element, bytes) = if element == Element::I16 {
                (Element::I64, rows.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect())
            } else {
                (Element::I32, rows.bias.iter().flat_map(|&bias| (bias as i32).to_le_bytes()).collect())
            };
            let tensor = Tensor::new(name, element, vec![rows.bias.len()], Some(Constant::new(bytes)));
            made.inputs.resize(made.inputs.len().max(bias + 1), None);
            made.inputs[bias] = Some(self.add(tensor));
        }
        let output = view.output(0)?;
        made.outputs[0] = self.written(output, Some((element, self.affine(output, element))));
        self.push(made);
        Ok(())
    }
}

/// The tensor in integers.
fn integer_tensor(of: &Tensor, element: Element, affine: Affine) -> Tensor {
    let quantisation = Quantisation { scales: vec![affine.scale], zero_points: vec![affine.zero_point], dimension: 0 };
    Tensor { element, quantisation: Some(quantisation), ..of.clone() }
}

/// The values of a constant of real numbers.
pub(crate) fn reals(tensor: &Tensor) -> Vec<f32> {
    let bytes = tensor.data.as_ref().map_or(&[][..], Constant::bytes);
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Real numbers as the bytes of integers: to the nearest step, halves away from zero, clamped.
pub(crate) fn quantised(values: &[f32], element: Element, affine: Affine) -> Vec<u8> {
    let (least, largest) = element.range().unwrap_or((-128, 127));
    let step = |&value: &f32| {
        let steps = (f64::from(value) / f64::from(affine.scale)).round() + f64::from(affine.zero_point);
        steps.clamp(least as f64, largest as f64) as i64
    };
    let width = element.bits() / 8;
    values.iter().flat_map(|value| step(value).to_le_bytes().into_iter().take(width).collect::<Vec<_>>()).collect()
}

fn quantised_constant(of: &Tensor, element: Element, affine: Affine) -> Tensor {
    let data = Some(Constant::new(quantised(&reals(of), element, affine)));
    Tensor { data, ..integer_tensor(of, element, affine) }
}

/// The least and the largest value of a constant.
fn bounds(tensor: &Tensor) -> (f64, f64) {
    let values = reals(tensor);
    let fold =
        |start: f64, function: fn(f64, f64) -> f64| values.iter().map(|&value| f64::from(value)).fold(start, function);
    (fold(0.0, f64::min), fold(0.0, f64::max))
}

/// Tensors that share a scale, since operators move values between them without rescaling.
struct Groups {
    /// Per tensor the one that stands for its group.
    of: Vec<TensorId>,
    /// Per group (at the index of its tensor) the quantisation in int8 and int16.
    shared: Vec<[Affine; 2]>,
    /// Tensors whose writer fixes their quantisation.
    fixed: HashMap<TensorId, [Option<(f32, i32)>; 2]>,
}

impl Groups {
    fn of(net: &Net, decisions: &Decisions) -> Self {
        let mut of: Vec<TensorId> = (0..net.tensors.len()).collect();
        let is_computed = |id: TensorId| net.tensors[id].element == Element::F32 && net.tensors[id].data.is_none();
        let mut fixed = HashMap::new();
        // Outputs of nodes that only move values: what they hold is known from their operands.
        let mut moved = vec![false; net.tensors.len()];
        let mut constants: Vec<(TensorId, f64, f64)> = Vec::new();
        for (position, node) in net.nodes.iter().enumerate() {
            if decisions.real[position] {
                continue;
            }
            match scheme(&View { net, node }) {
                Scheme::Moved => {
                    let tensors = node.outputs.iter().chain(node.inputs.iter().flatten()).copied();
                    let mut tensors = tensors.filter(|&id| is_computed(id));
                    let Some(first) = tensors.next() else { continue };
                    for other in tensors {
                        let (a, b) = (root(&of, first), root(&of, other));
                        of[a.max(b)] = a.min(b);
                    }
                    node.outputs.iter().for_each(|&id| moved[id] = true);
                    // A bound may lie beyond all values, and then is none.
                    if !matches!(node.operator, Operator::Binary(BinaryKind::Minimum | BinaryKind::Maximum, _)) {
                        let of_constants =
                            node.inputs.iter().flatten().filter(|&&id| {
                                net.tensors[id].element == Element::F32 && net.tensors[id].data.is_some()
                            });
                        constants.extend(of_constants.map(|&id| {
                            let (least, largest) = bounds(&net.tensors[id]);
                            (first, least, largest)
                        }));
                    }
                }
                Scheme::Own { int8, alike, .. } => {
                    for &other in node.outputs.iter().take(alike).skip(1) {
                        let (a, b) = (root(&of, node.outputs[0]), root(&of, other));
                        of[a.max(b)] = a.min(b);
                    }
                    fixed.extend(node.outputs.iter().zip(int8).map(|(&id, &int8)| (id, [Some(int8), None])));
                }
                Scheme::Fixed { int8, int16 } => {
                    node.outputs.iter().for_each(|&id| {
                        fixed.insert(id, [Some(int8), int16]);
                    });
                }
                _ => {}
            }
        }
        for id in 0..of.len() {
            of[id] = root(&of, id);
        }
        let mut hulls = vec![(0.0_f64, 0.0_f64); of.len()];
        for id in (0..of.len()).filter(|&id| is_computed(id) && !moved[id]) {
            let (hull, (least, largest)) = (&mut hulls[of[id]], decisions.ranges[id]);
            *hull = (hull.0.min(least), hull.1.max(largest));
        }
        for (id, least, largest) in constants {
            let hull = &mut hulls[of[id]];
            // What stands for minus infinity around an image is clamped instead. A table whose rows are looked up has nothing beside it.
            let bound = FARTHEST_CONSTANT * hull.1.max(-hull.0);
            if bound == 0.0 || least >= -bound && largest <= bound {
                *hull = (hull.0.min(least), hull.1.max(largest));
            }
        }
        let mut shared: Vec<[Affine; 2]> =
            hulls.iter().map(|&hull| [affine(hull, Element::I8), affine(hull, Element::I16)]).collect();
        // A group whose values all come from writers that fix the same quantisation has that one.
        let mut sources: HashMap<TensorId, Vec<TensorId>> = HashMap::new();
        for id in (0..of.len()).filter(|&id| is_computed(id) && !moved[id]) {
            sources.entry(of[id]).or_default().push(id);
        }
        for (group, sources) in sources {
            for (at, shared) in shared[group].iter_mut().enumerate() {
                let of_source = |id: &TensorId| fixed.get(id).and_then(|fixed| fixed[at]);
                if let Some((scale, zero_point)) = of_source(&sources[0])
                    && sources.iter().all(|id| of_source(id) == Some((scale, zero_point)))
                {
                    *shared = Affine::new(scale, zero_point);
                }
            }
        }
        Self { of, shared, fixed }
    }

    /// The quantisation of a tensor as its writer gives it.
    fn affine(&self, id: TensorId, element: Element) -> Affine {
        match self.fixed.get(&id).and_then(|fixed| fixed[usize::from(element == Element::I16)]) {
            Some((scale, zero_point)) => Affine::new(scale, zero_point),
            None => self.shared(id, element),
        }
    }

    /// The quantisation of a tensor's group.
    fn shared(&self, id: TensorId, element: Element) -> Affine {
        self.shared[self.of[id]][usize::from(element == Element::I16)]
    }
}

/// A constant among moved values counts for their range up to this multiple of their largest magnitude.
const FARTHEST_CONSTANT: f64 = 16.0;

/// The tensor that stands for the group of another.
fn root(of: &[TensorId], mut id: TensorId) -> TensorId {
    while of[id] != id {
        id = of[id];
    }
    id
}
