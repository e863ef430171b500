//! Random single-operator models against the outputs that the reference interpreter gave them: the packs that
//! `tests/data/random_models/generate.py` writes, whose header describes the format.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use smolnn_import::{Backend, Error, Model};

/// Largest difference of f32 outputs, as a part of the largest value that the output has in any of the calls: in a single one, terms may cancel.
pub const TOLERANCE: f32 = 1e-5;

/// One model of a pack, with its calls; state is kept from call to call.
#[derive(Debug)]
pub struct Record<'a> {
    /// Operator, type and index: `ADD int8 #3`.
    pub name: &'a str,
    /// The `.tflite` file.
    pub model: &'a [u8],
    /// For each output whether it is f32, which is compared within [`TOLERANCE`].
    pub is_float: Vec<bool>,
    /// The calls, one after the other.
    pub calls: Vec<Call<'a>>,
}

/// One call of a model: tensors, little-endian and row-major.
#[derive(Debug)]
pub struct Call<'a> {
    /// The inputs.
    pub inputs: Vec<&'a [u8]>,
    /// The reference's outputs.
    pub outputs: Vec<&'a [u8]>,
}

/// The rest of a pack that was not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn number(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?) as usize)
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let name = std::str::from_utf8(self.block()?).ok()?;
        let model = self.block()?;
        let (calls, inputs, outputs) = (self.number()?, self.number()?, self.number()?);
        let is_float = (0..outputs).map(|_| Some(self.number()? == 1)).collect::<Option<_>>()?;
        let calls = (0..calls)
            .map(|_| {
                let mut blocks = |count| (0..count).map(|_| self.block()).collect::<Option<Vec<_>>>();
                Some(Call { inputs: blocks(inputs)?, outputs: blocks(outputs)? })
            })
            .collect::<Option<_>>()?;
        Some(Record { name, model, is_float, calls })
    }
}

/// The records of a pack.
///
/// # Errors
/// The number of the record that is cut off or damaged.
pub fn records(pack: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let mut reader = Reader(pack);
    let mut records = Vec::new();
    while !reader.0.is_empty() {
        records.push(reader.record().ok_or_else(|| format!("record {} of the pack is damaged", records.len()))?);
    }
    Ok(records)
}

impl Record<'_> {
    /// Operator and type, which the name has before its index.
    pub fn kind(&self) -> &str {
        self.name.split(" #").next().unwrap_or(self.name)
    }

    /// Imports the model, runs it on this machine and compares each output of each call.
    pub fn compare(&self) -> Outcome {
        match catch_unwind(AssertUnwindSafe(|| self.try_compare())) {
            Ok(Ok(None)) => Outcome::Equal,
            Ok(Ok(Some(difference))) => Outcome::Different(difference),
            Ok(Err(error)) => Outcome::Refused(error.to_string()),
            Err(_) => Outcome::Different("a panic".into()),
        }
    }

    fn try_compare(&self) -> Result<Option<String>, Error> {
        let program = Model::read("random", self.model)?.compile(Backend::CURRENT)?;
        let mut runner = program.runner()?;
        let largest_of = |index: usize| self.calls.iter().map(|call| largest(call.outputs[index])).fold(0.0, f32::max);
        for (call, Call { inputs, outputs }) in self.calls.iter().enumerate() {
            for (index, input) in inputs.iter().enumerate() {
                runner.set_input(index, input)?;
            }
            runner.run()?;
            for (index, (expected, &is_float)) in outputs.iter().zip(&self.is_float).enumerate() {
                let found = runner.output(index)?;
                let difference = match is_float {
                    true => float_difference(expected, found, largest_of(index)),
                    false => byte_difference(expected, found),
                };
                if let Some(text) = difference {
                    return Ok(Some(format!("call {call}, output {index}: {text}")));
                }
            }
        }
        Ok(None)
    }
}

fn byte_difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} bytes instead of {}", found.len(), expected.len()));
    }
    let count = expected.iter().zip(found).filter(|(a, b)| a != b).count();
    let first = expected.iter().zip(found).position(|(a, b)| a != b)?;
    let end = expected.len().min(first + 8);
    let (found, expected) = (&found[first..end], &expected[first..end]);
    Some(format!("{count} bytes, from byte {first} on {found:?} instead of {expected:?}"))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// The largest magnitude of the finite floats.
fn largest(bytes: &[u8]) -> f32 {
    floats(bytes).into_iter().filter(|value| value.is_finite()).fold(0.0, |largest, value| largest.max(value.abs()))
}

fn float_difference(expected: &[u8], found: &[u8], largest: f32) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} bytes instead of {}", found.len(), expected.len()));
    }
    let (expected, found) = (floats(expected), floats(found));
    let agree = |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * largest;
    let first = expected.iter().zip(&found).position(|(&a, &b)| !agree(a, b))?;
    Some(format!("element {first} is {} instead of {}, the largest being {largest}", found[first], expected[first]))
}

/// What came of one model.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Every output is the reference's.
    Equal,
    /// Where an output differs first.
    Different(String),
    /// Why the importer does not take the model.
    Refused(String),
}

/// Counts by operator and type.
#[derive(Debug, Default)]
pub struct Counts {
    /// Models that are equal, that differ, and that are refused.
    pub kinds: BTreeMap<String, [usize; 3]>,
    /// Names of models that differ, with the difference.
    pub differences: Vec<(String, String)>,
    /// Reasons of refusals by operator and type, the first one of each.
    pub refusals: BTreeMap<String, String>,
}

impl Counts {
    /// Compares all models of a pack.
    pub fn add(&mut self, records: &[Record<'_>]) {
        for record in records {
            let counts = self.kinds.entry(record.kind().into()).or_default();
            match record.compare() {
                Outcome::Equal => counts[0] += 1,
                Outcome::Different(text) => {
                    counts[1] += 1;
                    self.differences.push((record.name.into(), text));
                }
                Outcome::Refused(text) => {
                    counts[2] += 1;
                    self.refusals.entry(record.kind().into()).or_insert(text);
                }
            }
        }
    }

    /// Compares every pack of a folder.
    ///
    /// # Errors
    /// The file that cannot be read, or is damaged; a folder without packs.
    pub fn of_folder(folder: &Path) -> Result<Self, String> {
        let at = |path: &Path, error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let mut paths = std::fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
            .map_err(|error| at(folder, &error))?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "models"));
        paths.sort();
        if paths.is_empty() {
            return Err(format!("{}: no file *.models is there", folder.display()));
        }
        let mut counts = Self::default();
        for path in paths {
            let pack = std::fs::read(&path).map_err(|error| at(&path, &error))?;
            counts.add(&records(&pack).map_err(|error| at(&path, &error))?);
        }
        Ok(counts)
    }

    /// Models that are equal, that differ, and that are refused, over all operators.
    pub fn total(&self) -> [usize; 3] {
        self.kinds.values().fold([0; 3], |total, counts| std::array::from_fn(|index| total[index] + counts[index]))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<38} equal  different  refused", "operator and type")?;
        for (kind, [equal, different, refused]) in &self.kinds {
            writeln!(f, "{kind:<38} {equal:>5}  {different:>9}  {refused:>7}")?;
        }
        let [equal, different, refused] = self.total();
        writeln!(f, "{:<38} {equal:>5}  {different:>9}  {refused:>7}", "all")
    }
}
