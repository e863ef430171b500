//! Classes that are right, and how the class that a model finds is read off its output.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::net::{Element, Net, Node, Operator, TensorId, UnaryKind};
use crate::npy::{Array, is_npy, is_npz};

/// The class of each sample, counted from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    classes: Vec<usize>,
    /// The file that they come from.
    path: Option<PathBuf>,
}

impl From<Vec<usize>> for Labels {
    fn from(classes: Vec<usize>) -> Self {
        Self { classes, path: None }
    }
}

impl From<&[usize]> for Labels {
    fn from(classes: &[usize]) -> Self {
        classes.to_vec().into()
    }
}

impl Labels {
    /// Reads a `.npy` file, a `.npz` file that holds one array, or numbers in a text file.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Calibration`] when what it holds is no list of classes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fault = |text: String| Error::Calibration(format!("{}: {text}", path.display()));
        let no_class =
            |value: &dyn std::fmt::Display| fault(format!("{value} is no class: whole numbers from 0 on are"));
        if path.is_dir() {
            return Err(fault("is a folder; a file with labels is needed: .npy, .npz or text".into()));
        }
        let classes = if is_npy(path) || is_npz(path) {
            let arrays = Array::open(path)?;
            let [(_, Array { shape, values })] = &arrays[..] else {
                return Err(fault(format!("holds {} arrays; labels are one array", arrays.len())));
            };
            if shape.iter().filter(|&&length| length != 1).count() > 1 {
                return Err(fault(format!(
                    "has shape {shape:?}; one class per sample is needed: of one-hot labels, numpy's argmax(axis=1) gives them"
                )));
            }
            let class = |&value: &f64| {
                let is_class = value >= 0.0 && value.trunc() == value && value <= f64::from(u32::MAX);
                if is_class { Ok(value as usize) } else { Err(no_class(&value)) }
            };
            values.iter().map(class).collect::<Result<_>>()?
        } else {
            let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
            let text = String::from_utf8(bytes)
                .map_err(|_| fault("is no text; labels are read from .npy, .npz and text files".into()))?;
            let class = |word: &str| word.parse().map_err(|_| no_class(&format!("{word:?}")));
            text.split_whitespace().map(class).collect::<Result<_>>()?
        };
        Ok(Self { classes, path: Some(path.into()) })
    }

    /// The classes.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Checks that there is a label per sample, and that the net has these classes.
    ///
    /// # Errors
    /// [`Error::Calibration`], with the file of the labels.
    pub fn check(&self, net: &Net, samples: usize) -> Result<()> {
        self.fault(net, samples).map_or(Ok(()), |text| Err(Error::Calibration(text).of(self.path.as_deref())))
    }

    /// Whether the values of the net's first output say the class of a sample.
    pub fn is_right(&self, net: &Net, sample: usize, values: &[f32]) -> bool {
        let found = Scoring::of(net).ok().and_then(|scoring| scoring.class(values));
        found.is_some() && found == self.classes.get(sample).copied()
    }

    /// What does not fit.
    fn fault(&self, net: &Net, samples: usize) -> Option<String> {
        if self.classes.len() != samples {
            return Some(format!("{} labels for {samples} samples", self.classes.len()));
        }
        let classes = match Scoring::of(net) {
            Ok(scoring) => scoring.classes()?,
            Err(text) => return Some(text),
        };
        let beyond = self.classes.iter().position(|&class| class >= classes)?;
        let class = self.classes[beyond];
        Some(format!("label {class} of sample {beyond}, but the model has {classes} classes, 0 to {}", classes - 1))
    }
}

/// How the class that a model finds follows from its first output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scoring {
    /// The position of the largest of so many scores.
    Largest(usize),
    /// A probability: above a half is class 1.
    Probability,
    /// The output is the class itself, one of so many where that is known.
    Class(Option<usize>),
}

impl Scoring {
    /// By the type of the net's first output and the operator that gives it.
    ///
    /// # Errors
    /// Why the output gives no class, and the way out.
    pub fn of(net: &Net) -> std::result::Result<Self, String> {
        let Some(&id) = net.outputs.first() else { return Err("labels, but the model has no output".into()) };
        let output = &net.tensors[id];
        let name = output.name.escape_debug();
        if output.shape.iter().filter(|&&length| length != 1).count() > 1 {
            return Err(format!(
                "labels are one class per sample, but the output \"{name}\" has shape {:?}: leave the labels out",
                output.shape
            ));
        }
        let writer = writer(net, id);
        let is_real = output.element == Element::F32 || output.quantisation.is_some();
        match (output.len(), is_real) {
            (1, false) => Ok(Self::Class(writer.and_then(|node| classes_of(net, node)))),
            (1, true) if writer.is_some_and(|node| node.operator == Operator::Unary(UnaryKind::Logistic)) => {
                Ok(Self::Probability)
            }
            (1, true) => Err(format!(
                "the output \"{name}\" is one real number that does not come from a sigmoid, so that no class follows from it: \
                 put a sigmoid at the end of a classifier, or leave the labels of a regression out"
            )),
            (count, true) => Ok(Self::Largest(count)),
            (count, false) => Err(format!(
                "labels are one class per sample, but the output \"{name}\" is {count} integers: leave the labels out"
            )),
        }
    }

    /// The number of classes, where it is known.
    fn classes(self) -> Option<usize> {
        match self {
            Self::Largest(count) => Some(count),
            Self::Probability => Some(2),
            Self::Class(count) => count,
        }
    }

    /// The class by the values of the output.
    pub fn class(self, values: &[f32]) -> Option<usize> {
        match self {
            Self::Largest(_) => (0..values.len()).reduce(|best, at| if values[at] > values[best] { at } else { best }),
            Self::Probability => values.first().map(|&value| usize::from(value > 0.5)),
            Self::Class(_) => values.first().map(|&value| value as usize),
        }
    }
}

/// The node that computes a tensor, behind what only moves its values or stores them otherwise.
fn writer(net: &Net, mut id: TensorId) -> Option<&Node> {
    loop {
        let node = net.nodes.iter().find(|node| node.outputs.contains(&id))?;
        let moves = matches!(
            node.operator,
            Operator::Reshape
                | Operator::ExpandDims
                | Operator::Transpose
                | Operator::Cast
                | Operator::Quantise
                | Operator::Dequantise
        );
        match node.inputs.first() {
            Some(&Some(input)) if moves => id = input,
            _ => return Some(node),
        }
    }
}

/// The number of classes that the output of this node can be.
fn classes_of(net: &Net, node: &Node) -> Option<usize> {
    let tensor = |input: usize| node.inputs.get(input).copied().flatten().map(|id| &net.tensors[id]);
    match node.operator {
        Operator::Compare(_) => Some(2),
        Operator::ArgExtreme { .. } => {
            let (scores, axis) = (tensor(0)?, tensor(1)?.integers()?.first().copied()?);
            let axis = if axis < 0 { axis + scores.shape.len() as i64 } else { axis };
            scores.shape.get(usize::try_from(axis).ok()?).copied()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Constant, Tensor};

    /// A net whose output of this shape comes from these operators, one after the other.
    fn net(operators: Vec<Operator>, scores: &[usize], shape: &[usize], element: Element) -> Net {
        let tensor = |shape: &[usize], element| Tensor::new("scores".into(), element, shape.to_vec(), None);
        let axis = Constant::new(1_i32.to_le_bytes().to_vec());
        let mut net = Net {
            tensors: vec![tensor(scores, Element::F32), Tensor { data: Some(axis), ..tensor(&[1], Element::I32) }],
            nodes: vec![],
            inputs: vec![0],
            outputs: vec![0],
            removed: Default::default(),
        };
        for (index, operator) in operators.into_iter().enumerate() {
            net.tensors.push(tensor(shape, element));
            let inputs = vec![Some(net.outputs[0]), Some(1)];
            net.outputs = vec![net.tensors.len() - 1];
            net.nodes.push(Node { index, name: "OPERATOR".into(), operator, inputs, outputs: net.outputs.clone() });
        }
        net
    }

    #[test]
    fn the_class_is_the_largest_score_or_a_probability_above_a_half_or_the_output_itself() {
        let largest = Operator::ArgExtreme { largest: true };
        let class = Scoring::of(&net(vec![largest, Operator::Cast], &[1, 4], &[1], Element::I32)).unwrap();
        assert_eq!((class, class.class(&[3.0])), (Scoring::Class(Some(4)), Some(3)));
        let sigmoid = Operator::Unary(UnaryKind::Logistic);
        let half = Scoring::of(&net(vec![sigmoid, Operator::Reshape], &[1, 1], &[1], Element::F32)).unwrap();
        assert_eq!((half, half.class(&[0.4]), half.class(&[0.6])), (Scoring::Probability, Some(0), Some(1)));
        let scores = Scoring::of(&net(vec![], &[1, 3], &[], Element::F32)).unwrap();
        assert_eq!((scores, scores.class(&[0.1, 0.7, 0.7])), (Scoring::Largest(3), Some(1)));
    }

    #[test]
    fn labels_that_fit_no_class_are_refused() {
        let refused = |net: &Net, labels: Vec<usize>| Labels::from(labels).check(net, 2).unwrap_err().to_string();
        let scores = net(vec![], &[1, 3], &[], Element::F32);
        assert_eq!(refused(&scores, vec![2, 5]), "label 5 of sample 1, but the model has 3 classes, 0 to 2");
        assert_eq!(refused(&scores, vec![0; 3]), "3 labels for 2 samples");
        assert!(refused(&net(vec![], &[1, 1], &[], Element::F32), vec![0, 1]).contains("does not come from a sigmoid"));
        assert!(refused(&net(vec![], &[1, 9, 3], &[], Element::F32), vec![0, 1]).contains("has shape [1, 9, 3]"));
        assert!(Labels::from(vec![2, 0]).check(&scores, 2).is_ok());
    }
}
