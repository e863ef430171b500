//! The JapaneseVowels sequences and the networks trained on them (tests/data/japanese_vowels).

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, fs, panic};

use crate::golden::{project, to_f32, to_i16};

/// Values of a frame.
pub const FEATURES: usize = 12;
/// Units of the recurrent cells.
pub const UNITS: usize = 16;
/// Speakers.
pub const CLASSES: usize = 9;

/// A file of the folder.
///
/// # Panics
/// When it cannot be read: it is part of the project.
pub fn file(name: &str) -> Vec<u8> {
    let path = project().join("tests/data/japanese_vowels").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The utterances to train or to test with.
#[derive(Clone, Debug)]
pub struct Split {
    /// `[frames][FEATURES]`, standardised, those of all utterances one behind the other.
    pub frames: Vec<f32>,
    /// Frames of each utterance.
    pub lengths: Vec<usize>,
    /// Speaker of each utterance.
    pub labels: Vec<u8>,
}

impl Split {
    /// `train` or `test`.
    ///
    /// # Panics
    /// As [`file()`].
    pub fn read(name: &str) -> Self {
        let frames = to_i16(&file(&format!("{name}_frames.bin")));
        Self {
            frames: frames.iter().map(|&value| f32::from(value) / 4096.0).collect(),
            lengths: file(&format!("{name}_lengths.bin")).iter().map(|&length| length.into()).collect(),
            labels: file(&format!("{name}_labels.bin")),
        }
    }

    /// Frames and speaker of each utterance.
    pub fn utterances(&self) -> impl Iterator<Item = (&[f32], u8)> {
        let mut rest = &self.frames[..];
        self.lengths.iter().zip(&self.labels).map(move |(&length, &label)| {
            let (utterance, behind) = rest.split_at(length * FEATURES);
            rest = behind;
            (utterance, label)
        })
    }
}

/// Float weights of `gru`, `lstm` or `rnn` with their dense head, as Keras keeps them.
#[derive(Clone, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Weights {
    /// The network of the given name.
    ///
    /// # Panics
    /// As [`file()`].
    pub fn read(name: &str) -> Self {
        let values = to_f32(&file(&format!("{name}.bin")));
        let text = String::from_utf8(file(&format!("{name}.txt"))).expect("the description is text");
        let tensor = |line: &str| {
            let words: Vec<&str> = line.strip_prefix("tensor ")?.split(' ').collect();
            let (offset, length): (usize, usize) = (words.get(2)?.parse().ok()?, words.get(3)?.parse().ok()?);
            Some((words.first()?.to_string(), values.get(offset..offset + length)?.to_vec()))
        };
        Self { tensors: text.lines().filter_map(tensor).collect() }
    }

    /// A tensor, row-major.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn tensor(&self, name: &str) -> &[f32] {
        self.tensors.get(name).unwrap_or_else(|| panic!("the network has no tensor {name}"))
    }
}
