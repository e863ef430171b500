//! The project's own text, for tests that hold a list against it: kernels in the source of a crate, files, places in a page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use smolnn_testkit::golden::project;

/// Folders of a crate that hold bodies and layouts of kernels, not kernels that are called.
const INNER: [&str; 3] = ["arch", "backend", "pack"];

/// Traits whose implementations are kernels, as public functions are.
const KERNEL_TRAITS: [&str; 3] = ["Activation<T>", "Cell<T>", "Optimiser<T>"];

/// A text file of the project, by its path from the root.
///
/// # Panics
/// When it cannot be read.
pub fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder whose names end in `.ending`, in order.
///
/// # Panics
/// When a folder cannot be listed.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(files(&path, ending));
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The path of a file below a folder, with `/` between its parts.
///
/// # Panics
/// When it does not lie there.
pub fn below(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).expect("the file lies in the folder");
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// A kernel of a crate: a public function that stands by itself, or a type that implements an activation, a recurrent cell
/// or an optimiser. Constant functions are sizes and tables, and no kernels; what a macro makes is not found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    /// Its file, below the crate's `src`.
    pub file: String,
    /// Function or type.
    pub name: String,
}

impl Kernel {
    /// `FILE::NAME`, the name that registries have for it.
    pub fn key(&self) -> String {
        format!("{}::{}", self.file, self.name)
    }

    /// The names of its module and of the modules around it, innermost first.
    fn modules(&self) -> Vec<&str> {
        let path = self.file.trim_end_matches(".rs").trim_end_matches("/mod");
        path.rsplit('/').collect()
    }

    /// What a call may name it: function or type with its module, or with the module around that, which re-exports it.
    fn qualified(&self) -> Vec<String> {
        self.modules().iter().take(2).map(|module| format!("{module}::{}", self.name)).collect()
    }

    /// Whether `text` calls it, one of the kernels of its crate: by its name where no other has that, otherwise with a
    /// module that tells it apart.
    pub fn is_called(&self, text: &str, kernels: &BTreeSet<Self>) -> bool {
        let mut same = kernels.iter().filter(|other| other.name == self.name && *other != self).peekable();
        if same.peek().is_none() {
            return names(text, &self.name);
        }
        let taken: Vec<String> = same.flat_map(Self::qualified).collect();
        self.qualified().iter().any(|path| !taken.contains(path) && names(text, path))
    }
}

/// The kernels below the `src` of a crate.
///
/// # Panics
/// When a file cannot be read.
pub fn kernels(source: &Path) -> BTreeSet<Kernel> {
    let mut found = BTreeSet::new();
    for path in files(source, "rs") {
        let file = below(source, &path);
        if file.split('/').any(|part| INNER.contains(&part.trim_end_matches(".rs"))) {
            continue;
        }
        for line in fs::read_to_string(&path).expect("the file can be read").lines() {
            if let Some(name) = kernel_of(line) {
                found.insert(Kernel { file: file.clone(), name: name.to_owned() });
            }
        }
    }
    found
}

/// The kernel that begins in a line of source.
fn kernel_of(line: &str) -> Option<&str> {
    let end = |text: &'static str| move |c: char| text.contains(c);
    if let Some(rest) = line.strip_prefix("pub fn ") {
        return rest.split(end("(<")).next();
    }
    let implementation = line.starts_with("impl<").then_some(line)?;
    let (head, of) = implementation.split_once(" for ")?;
    let is_kernel = KERNEL_TRAITS.iter().any(|kind| head.ends_with(&format!(" {kind}")));
    is_kernel.then(|| of.split(end("< {")).next()).flatten()
}

/// True where `text` has `path` as a whole.
pub fn names(text: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(path)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + path.len()..].starts_with(is_part))
}

/// Text of Rust without the lines that are comments.
pub fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |text, line| text + line + "\n")
}
