//! Variables of streaming models.
//!
//! A file speaks of a variable through handles: VAR_HANDLE makes one from a container and a name, READ_VARIABLE and ASSIGN_VARIABLE take it. CALL_ONCE
//! runs a subgraph before the first call, whose constants are what the variables start from. The net has the variable itself as a tensor instead, with
//! its start, and neither handles nor a second subgraph.

use std::collections::{HashMap, HashSet};

use super::{Entry, Reader};
use crate::error::{Error, Problem, Result};
use crate::net::{Constant, Element, Tensor, TensorId, from_f16};

/// A variable's container and name.
type Name = (String, String);

/// The tensors that variables start from.
pub(super) type Starts = HashMap<Name, Tensor>;

/// The handles of a subgraph, by the tensor that holds each.
#[derive(Default)]
struct Handles(HashMap<TensorId, Name>);

impl Handles {
    /// Takes a VAR_HANDLE; `false` for other operators.
    fn take(&mut self, entry: &Entry<'_>) -> bool {
        if !entry.is("VAR_HANDLE") {
            return false;
        }
        let (container, name) = entry.operator.variable().unwrap_or_default();
        for &output in &entry.outputs {
            self.0.insert(output, (container.into(), name.into()));
        }
        true
    }

    /// The variable of the handle that an operator takes first.
    fn of(&self, entry: &Entry<'_>) -> Option<&Name> {
        self.0.get(&(*entry.inputs.first()?)?)
    }
}

impl Reader<'_> {
    /// What variables start from, by the subgraph that CALL_ONCE runs.
    pub(super) fn starts(&self) -> Result<Starts> {
        let entries = self.entries()?;
        let outputs = self.ids(self.subgraph.outputs(), "the list of outputs of a subgraph that CALL_ONCE runs")?;
        let mut tensors = self.tensors(&entries, &[], &outputs)?;
        let mut handles = Handles::default();
        let mut starts = Starts::new();
        let mut problems = Vec::new();
        for entry in &entries {
            if handles.take(entry) {
                continue;
            }
            if let Some((id, constant)) = widened(entry, &tensors) {
                tensors[id].data = Some(constant);
                continue;
            }
            let value = entry.inputs.get(1).copied().flatten().map(|id| &tensors[id]);
            match (entry.is("ASSIGN_VARIABLE"), handles.of(entry), value) {
                (true, Some(name), Some(value)) if value.data.is_some() => {
                    starts.insert(name.clone(), value.clone());
                }
                _ => problems.push(Problem {
                    operator: Some((entry.index, entry.name.clone())),
                    tensor: None,
                    found: "a computation in the subgraph that CALL_ONCE runs".into(),
                    supported: "variables that start from constants".into(),
                }),
            }
        }
        if problems.is_empty() { Ok(starts) } else { Err(Error::Unsupported(problems)) }
    }
}

/// What a DEQUANTIZE makes of a constant of FLOAT16, and the tensor that it makes: so does a file of FLOAT16 state what variables start from.
fn widened(entry: &Entry<'_>, tensors: &[Tensor]) -> Option<(TensorId, Constant)> {
    let (&[Some(input)], &[output]) = (&entry.inputs[..], &entry.outputs[..]) else { return None };
    let (from, to) = (&tensors[input], &tensors[output]);
    let is_wider = entry.is("DEQUANTIZE") && (from.element, to.element) == (Element::F16, Element::F32);
    let halves = from.data.as_ref().filter(|_| is_wider && from.shape == to.shape)?.bytes().as_chunks().0;
    let bytes = halves.iter().flat_map(|&half| from_f16(u16::from_le_bytes(half)).to_le_bytes()).collect();
    Some((output, Constant::new(bytes)))
}

/// Puts variables in place of their handles: adds a tensor for each variable, gives it to the operators that read and assign it, and takes VAR_HANDLE and
/// CALL_ONCE out.
pub(super) fn resolve<'a>(
    entries: Vec<Entry<'a>>,
    tensors: &mut Vec<Tensor>,
    starts: &Starts,
) -> Result<Vec<Entry<'a>>> {
    let mut handles = Handles::default();
    let mut variables: HashMap<Name, TensorId> = HashMap::new();
    // What is read and has no start, by the operator that reads it first, until something assigns it.
    let mut without_values: Vec<(Name, Problem)> = Vec::new();
    let mut assigned: HashSet<Name> = HashSet::new();
    let mut kept = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if handles.take(&entry) || entry.is("CALL_ONCE") {
            continue;
        }
        // The value that is read or assigned says what the variable is.
        let value = if entry.is("READ_VARIABLE") {
            entry.outputs.first().copied()
        } else if entry.is("ASSIGN_VARIABLE") {
            entry.inputs.get(1).copied().flatten()
        } else {
            None
        };
        if let (Some(name), Some(value)) = (handles.of(&entry), value) {
            if entry.is("ASSIGN_VARIABLE") {
                assigned.insert(name.clone());
            } else if !starts.contains_key(name) && !variables.contains_key(name) {
                without_values.push((name.clone(), without_value(&entry, name)));
            }
            let variable = match variables.get(name) {
                Some(&variable) => variable,
                None => {
                    let tensor = variable(&entry, name, &tensors[value], starts.get(name))?;
                    tensors.push(tensor);
                    variables.insert(name.clone(), tensors.len() - 1);
                    tensors.len() - 1
                }
            };
            entry.inputs[0] = Some(variable);
        }
        kept.push(entry);
    }
    without_values.retain(|(name, _)| !assigned.contains(name));
    if without_values.is_empty() {
        Ok(kept)
    } else {
        Err(Error::Unsupported(without_values.into_iter().map(|(_, problem)| problem).collect()))
    }
}

/// A variable that is read, and that neither the file nor the model gives a value.
fn without_value(entry: &Entry<'_>, name: &Name) -> Problem {
    Problem {
        operator: Some((entry.index, entry.name.clone())),
        tensor: None,
        found: format!("the variable \"{}\", of which the file has no value", name.1),
        supported: "variables that CALL_ONCE or the model assigns; weights are lost where a concrete function is converted: convert with TFLiteConverter.from_keras_model or from_saved_model".into(),
    }
}

/// The variable of this name, of which `value` is read or assigned.
fn variable(entry: &Entry<'_>, name: &Name, value: &Tensor, start: Option<&Tensor>) -> Result<Tensor> {
    if let Some(start) = start
        && (start.element, &start.shape) != (value.element, &value.shape)
    {
        return Err(Error::Unsupported(vec![Problem {
            operator: Some((entry.index, entry.name.clone())),
            tensor: None,
            found: format!("a variable \"{}\" that starts from {} {:?}", name.1, start.element, start.shape),
            supported: format!("a start of {} {:?}, as it is used", value.element, value.shape),
        }]));
    }
    let start = start.and_then(|start| start.data.clone());
    Ok(Tensor { name: name.1.clone(), data: None, variable: true, start, ..value.clone() })
}
