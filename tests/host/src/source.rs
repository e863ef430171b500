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

/// The cells of a row of a table in Markdown.
#[derive(Clone, Debug)]
pub struct Cells(pub Vec<String>);

/// The rows of the table below a heading, without its head.
pub fn table(page: &str, heading: &str) -> Vec<Cells> {
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    let rows = lines.take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(|line| Cells(cells(line))).collect()
}

/// What stands between backquotes.
pub fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The part of a Rust file that is compiled outside of tests, without comments.
fn shipped(text: &str) -> String {
    let without: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    match without.find("#[cfg(test)]\nmod ") {
        Some(at) => without[..at].to_owned(),
        None => without,
    }
}

/// The names that begin the branches of a path or of a group of paths, with what follows each.
fn branches(text: &str) -> Vec<&str> {
    let Some(group) = text.strip_prefix('{') else { return vec![text] };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(group[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|branch| !branch.is_empty());
    found
}

/// The modules of the crate's root, or items of it, that a file names by `crate::` and `super::`. `file` lies below the
/// crate's `src`.
pub fn imports(file: &str, text: &str) -> BTreeSet<String> {
    let mut modules: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if modules.last() == Some(&"mod") {
        modules.pop();
    }
    let text = shipped(text);
    let mut found = BTreeSet::new();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':';
    for word in ["crate::", "super::"] {
        for (at, _) in text.match_indices(word) {
            if !text[..at].ends_with(is_part) {
                let depth = if word == "crate::" { 0 } else { modules.len().saturating_sub(1) };
                follow(&text[at + word.len()..], &modules, depth, &mut found);
            }
        }
    }
    found
}

/// Notes where a path leads that continues in the first `depth` of `modules`.
fn follow(path: &str, modules: &[&str], depth: usize, found: &mut BTreeSet<String>) {
    for branch in branches(path) {
        if let Some(rest) = branch.strip_prefix("super::") {
            follow(rest, modules, depth.saturating_sub(1), found);
        } else if depth > 0 {
            found.insert(modules[0].to_owned());
        } else {
            let name: String = branch.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
}

/// The names that a crate's root exports, with the module that each comes from.
pub fn exports(root: &str) -> std::collections::BTreeMap<String, String> {
    let mut found = std::collections::BTreeMap::new();
    let text = shipped(root);
    for (at, word) in text.match_indices("use ") {
        let Some((path, _)) = text[at + word.len()..].split_once(';') else { continue };
        let Some((module, names)) = path.split_once("::") else { continue };
        for name in names.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty()) {
            found.insert(name.to_owned(), module.to_owned());
        }
    }
    found
}
