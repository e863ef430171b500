//! What can go wrong on the way from a `.tflite` file to Rust source, said so that the reader knows what to change.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a model could not be read, compiled or run.
///
/// `Debug` gives the same text as `Display`: it is what a build script's `fn main() -> Result<()>` shows.
pub enum Error {
    /// A file could not be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is wrong with the model in this file.
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// The bytes are no `.tflite` or `.onnx` model, or a damaged one.
    Malformed(String),
    /// The model is well formed, but holds things smolnn does not run. All of them are listed.
    Unsupported(Vec<Problem>),
    /// A tensor file handed to `run` does not fit the model.
    Tensor(String),
    /// Calibration data, or a float net that is to become one of integers, are not as they have to be.
    Calibration(String),
    /// The build environment lacks something (`OUT_DIR` outside a build script, an unknown backend).
    Environment(String),
}

impl Error {
    /// The error, with the file that the model came from.
    pub(crate) fn of(self, path: Option<&Path>) -> Self {
        match path {
            Some(path) => Error::Model { path: path.into(), error: Box::new(self) },
            None => self,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Model { path, error } => write!(f, "{}: {error}", path.display()),
            Error::Malformed(text) => write!(f, "not a readable model: {text}"),
            Error::Unsupported(problems) => write!(f, "the model cannot be compiled:\n{}", list(problems)),
            Error::Tensor(text) | Error::Calibration(text) | Error::Environment(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Most operators that are named beside the first one with a problem of the same kind.
const MOST_SHOWN: usize = 12;

/// Longest text of what is supported that stands in its own line, in characters; longer ones follow once, below all problems.
const LONGEST_SUPPORTED: usize = 200;

fn list(problems: &[Problem]) -> String {
    // Problems of one cause stand in one line.
    let mut causes: Vec<(&Problem, Vec<&Problem>)> = Vec::new();
    let mut known = HashMap::new();
    for problem in problems {
        let cause = *known.entry((&problem.found, &problem.supported)).or_insert(causes.len());
        match causes.get_mut(cause) {
            Some((_, others)) => others.push(problem),
            None => causes.push((problem, Vec::new())),
        }
    }
    let mut lines: Vec<String> = causes
        .into_iter()
        .map(|(first, others)| {
            let (shown, rest) = others.split_at(others.len().min(MOST_SHOWN));
            let shown: String = shown.iter().map(|other| format!(", {}", other.place())).collect();
            let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("  - {}{shown}{rest}: {}", first.whole_place(), first.what())
        })
        .collect();
    for Problem { supported, .. } in problems.iter().filter(|problem| problem.is_long()) {
        let line = format!("supported {supported}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// One thing in a model that smolnn does not run: where it is, what was found, what would work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Index and name of the operator; `None` for a problem of the model as a whole.
    pub operator: Option<(usize, String)>,
    /// Index and name of the tensor; `None` when the operator itself is the problem.
    pub tensor: Option<(usize, String)>,
    /// What was found.
    pub found: String,
    /// What is supported, or what to do.
    pub supported: String,
}

impl Problem {
    /// A problem of the model as a whole.
    pub(crate) fn model(found: impl Into<String>, supported: impl Into<String>) -> Self {
        Self { operator: None, tensor: None, found: found.into(), supported: supported.into() }
    }

    /// The operator, or the model.
    fn place(&self) -> String {
        match &self.operator {
            Some((index, name)) => format!("operator {index} {name}"),
            None => "model".into(),
        }
    }

    /// Operator and tensor.
    fn whole_place(&self) -> String {
        match &self.tensor {
            Some((index, name)) => format!("{}, tensor {index} \"{}\"", self.place(), shorten(name)),
            None => self.place(),
        }
    }

    /// What was found, and what is supported.
    fn what(&self) -> String {
        let supported = if self.is_long() { "see below" } else { &self.supported };
        format!("found {}; supported: {supported}", self.found)
    }

    /// Whether what is supported is too long for a line.
    fn is_long(&self) -> bool {
        self.supported.len() > LONGEST_SUPPORTED
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.whole_place(), self.what())
    }
}

/// Tensor names of fused layers run to hundreds of characters: the first ones are enough to find it.
fn shorten(name: &str) -> String {
    const LONGEST: usize = 80;
    if name.chars().count() <= LONGEST {
        name.escape_debug().to_string()
    } else {
        name.chars().take(LONGEST).collect::<String>().escape_debug().to_string() + "…"
    }
}
