//! Figures that reviewers read: text files in tests/expected, rewritten by `--bless`, compared otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::boards::{BOARDS, Name};
use crate::models;
use crate::shell::{self, Kind, fault, say};

/// What `bench` and `size` both take.
#[derive(clap::Args)]
#[group(skip)] // Its group would have the name of those that flatten it.
pub struct Arguments {
    /// The boards; all that have expected figures when none is named.
    #[arg(long = "board", value_enum)]
    pub boards: Vec<Name>,
    /// One model alone; without a name it lists the models.
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    pub model: Option<String>,
    /// Prints a JSON list of objects instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Rewrites the measured rows of the file in tests/expected.
    #[arg(long)]
    pub bless: bool,
    /// Fails where a figure has grown by more than 2 % against the file in tests/expected.
    #[arg(long)]
    pub gate: bool,
}

impl Arguments {
    /// Blesses the figures, or holds them against the file, as is wanted. `scope` are the rows that should be measured.
    pub fn settle(&self, file: &str, head: &str, margin: f64, scope: &Table, measured: &Table) -> Result<()> {
        if self.bless {
            Table::read(file)?.update(scope, measured).write(file, head)?;
        }
        if self.gate {
            judge(&scope.compare(measured, margin), file)?;
        }
        Ok(())
    }
}

/// A table of figures: a key and its numbers per line, the key last since it may hold blanks.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: BTreeMap<String, Vec<f64>>,
    /// Keys in the order of the file or of measuring.
    order: Vec<String>,
}

/// What a comparison found: lines to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What fails.
    pub failures: Vec<String>,
    /// What is better than the file says.
    pub gains: usize,
}

impl Table {
    /// Adds a row, or replaces the numbers of one.
    pub fn set(&mut self, key: String, numbers: Vec<f64>) {
        if self.rows.insert(key.clone(), numbers).is_none() {
            self.order.push(key);
        }
    }

    /// The table in a file of tests/expected; empty when there is none.
    pub fn read(file: &str) -> Result<Self> {
        let mut table = Self::default();
        let Ok(text) = fs::read_to_string(path(file)) else { return Ok(table) };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let mut numbers = Vec::new();
            let mut rest = line.trim_start();
            while let Some((word, after)) = rest.split_once(' ') {
                let Ok(number) = word.parse() else { break };
                numbers.push(number);
                rest = after.trim_start();
            }
            table.set(rest.to_owned(), numbers);
        }
        Ok(table)
    }

    /// Writes the file: `head` as comments, then a line per row.
    pub fn write(&self, file: &str, head: &str) -> Result<()> {
        let mut text: String = head.lines().map(|line| format!("# {line}\n")).collect();
        for key in &self.order {
            for number in &self.rows[key] {
                let shown = if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") };
                text += &format!("{shown:>12} ");
            }
            text += &format!(" {key}\n");
        }
        let path = path(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        say!("wrote {}", path.display());
        Ok(())
    }

    /// This table with the rows of `scope` replaced by those `measured`; boards in the order of their table.
    pub fn update(mut self, scope: &Self, measured: &Self) -> Self {
        for key in &measured.order {
            self.set(key.clone(), measured.rows[key].clone());
        }
        self.retain(|key| measured.contains(key) || !scope.contains(key));
        let place = |key: &String| {
            let label = key.split(' ').next().unwrap_or("");
            BOARDS.iter().position(|board| board.label() == label)
        };
        self.order.sort_by_key(place);
        self
    }

    /// Drops rows.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.order.retain(|key| keep(key));
        self.rows.retain(|key, _| keep(key));
    }

    /// Every number multiplied (zeros stay): what the self-test shows to the gate.
    pub fn scaled(&self, factor: f64) -> Self {
        let mut table = self.clone();
        for numbers in table.rows.values_mut() {
            for number in numbers {
                *number *= factor;
            }
        }
        table
    }

    /// Keys and numbers, in order.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.order.iter().map(|key| (key.as_str(), self.rows[key].as_slice()))
    }

    /// True when there is such a row.
    pub fn contains(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }

    /// Holds `measured` against this table: a number may grow by `margin` (0.02: 2 %), rows must be the same.
    pub fn compare(&self, measured: &Self, margin: f64) -> Findings {
        let mut findings = Findings::default();
        for key in &measured.order {
            let found = &measured.rows[key];
            let Some(expected) = self.rows.get(key) else {
                findings.failures.push(format!("{key}: new, not in the file"));
                continue;
            };
            if expected.len() != found.len() {
                findings.failures.push(format!("{key}: {} numbers instead of {}", found.len(), expected.len()));
            }
            for (&expected, &found) in expected.iter().zip(found) {
                if found > expected * (1.0 + margin) {
                    let growth = 100.0 * (found / expected - 1.0);
                    findings.failures.push(format!("{key}: {found} instead of {expected}, {growth:+.1} %"));
                }
                findings.gains += usize::from(found < expected * (1.0 - margin));
            }
        }
        for key in self.order.iter().filter(|key| !measured.rows.contains_key(*key)) {
            findings.failures.push(format!("{key}: in the file, but not measured"));
        }
        findings
    }
}

/// Says what a gate found; an error when it refuses.
pub fn judge(findings: &Findings, file: &str) -> Result<()> {
    for failure in &findings.failures {
        say!("{failure}");
    }
    if findings.gains > 0 {
        say!("{} figures are better than tests/expected/{file} says", findings.gains);
    }
    if findings.failures.is_empty() {
        Ok(())
    } else {
        bail!("{} rows differ from tests/expected/{file}; `--bless` rewrites it", findings.failures.len())
    }
}

/// Shows a gate figures that have grown by a factor: it must refuse each row, and none that is unchanged. Gives their number.
pub fn prove_gate(file: &str, margin: f64, factor: f64) -> Result<usize> {
    let expected = Table::read(file)?;
    let refused = expected.compare(&expected.scaled(factor), margin).failures.len();
    if refused < expected.rows.len() || refused == 0 {
        bail!("{refused} of {} grown rows were refused", expected.rows.len());
    }
    if !expected.compare(&expected, margin).failures.is_empty() {
        bail!("unchanged rows were refused");
    }
    Ok(refused)
}

/// The geometric mean of ratios, where there are any.
pub fn geometric_mean(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = ratios.map(f64::ln).collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

/// What is asked for: one of these names, or all where none is given. An option without a name lists them: then there is nothing to measure.
pub fn chosen<'a>(what: &str, name: Option<&'a str>, names: &[String]) -> Result<Chosen<'a>> {
    match name {
        None => Ok(Chosen::All),
        Some("") => {
            names.iter().for_each(|name| println!("{name}"));
            Ok(Chosen::Listed)
        }
        Some(name) if names.iter().any(|other| other == name) => Ok(Chosen::One(name)),
        Some(name) => Err(fault(Kind::Usage, format!("no {what} is called {name}; there are {}", names.join(", ")))),
    }
}

/// What is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen<'a> {
    All,
    One(&'a str),
    /// The names were printed.
    Listed,
}

/// Says which public models are missing, though not among JSON, which programs read.
///
/// # Errors
/// Those that are there and are not the listed ones.
pub fn check_models(is_json: bool) -> Result<()> {
    if let Some(text) = models::missing().filter(|_| !is_json) {
        println!("{text}\n");
    }
    models::verify()
}

fn path(file: &str) -> PathBuf {
    shell::root().join("tests/expected").join(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_one_of_the_names() {
        let names = ["digits".to_owned()];
        assert_eq!(chosen("model", None, &names).unwrap(), Chosen::All);
        assert_eq!(chosen("model", Some(""), &names).unwrap(), Chosen::Listed);
        assert_eq!(chosen("model", Some("digits"), &names).unwrap(), Chosen::One("digits"));
        let error = chosen("model", Some("digit"), &names).unwrap_err();
        assert_eq!(shell::kind(&error), Kind::Usage);
        assert!(error.to_string().contains("there are digits"), "{error}");
    }
}
