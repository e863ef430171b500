//! The constants of a module under construction.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// Static arrays, equal ones written once.
#[derive(Debug, Default)]
pub(crate) struct Source {
    items: String,
    /// What stands before each static.
    attributes: String,
    names: HashSet<String>,
    known: HashMap<String, String>,
    /// Position of the call whose constants come next: it makes names unique.
    call: usize,
    /// Bytes of all arrays.
    bytes: usize,
}

impl Source {
    /// No constants yet; those to come go to a section of the linker's, if one is named.
    pub(crate) fn new(link_section: Option<&str>) -> Self {
        let attribute = |section: &str| format!("#[allow(unsafe_code)]\n#[unsafe(link_section = {section:?})]\n");
        Self { attributes: link_section.map_or_else(String::new, attribute), ..Self::default() }
    }

    /// From here on, constants belong to the call at this position of the program.
    pub(crate) fn begin_call(&mut self, position: usize) {
        self.call = position;
    }

    /// Bytes of all arrays so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The name of a static array with these values as Rust, whose elements have so many bytes: a new one, or the earlier one of the same type and values.
    pub(crate) fn array(&mut self, role: &str, (element, bytes): (&str, usize), values: &[String]) -> String {
        let mut body = String::new();
        let mut column = usize::MAX;
        for value in values {
            if column.saturating_add(value.len()) > 116 {
                body += "\n    ";
                column = 4;
            }
            let _ = write!(body, "{value}, ");
            column += value.len() + 2;
        }
        let contents = format!("[{element}; {}] = [{}\n];", values.len(), body.replace(", \n", ",\n").trim_end());
        if let Some(known) = self.known.get(&contents) {
            return known.clone();
        }
        let first = format!("{role}_{}", self.call);
        let more = (2..).map(|count| format!("{first}_{count}"));
        let name = std::iter::once(first.clone()).chain(more).find(|name| !self.names.contains(name)).unwrap_or(first);
        let _ = writeln!(self.items, "{}static {name}: {contents}\n", self.attributes);
        self.names.insert(name.clone());
        self.bytes += bytes * values.len();
        self.known.insert(contents, name.clone());
        name
    }

    /// All constants as Rust.
    pub(crate) fn items(&self) -> &str {
        &self.items
    }
}
