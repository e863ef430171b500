//! Loops. WHILE names two subgraphs, its condition and its body; each becomes a net of its own in the operator.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Entry, File, Reader, schema, variables};
use crate::error::{Error, Problem, Result};
use crate::net::Net;

/// Most loops inside of one another.
const DEEPEST: usize = 4;

/// Reads the subgraphs of loops, each once.
pub(super) struct Loops<'a> {
    file: &'a File,
    subgraphs: &'a [schema::SubGraph<'a>],
    /// What was read, by subgraph; nothing yet where reading goes on.
    nets: HashMap<usize, Option<Arc<Net>>>,
}

impl<'a> Loops<'a> {
    pub(super) fn new(file: &'a File, subgraphs: &'a [schema::SubGraph<'a>]) -> Self {
        Self { file, subgraphs, nets: HashMap::new() }
    }

    /// Whether a loop was found that has this subgraph.
    pub(super) fn has_read(&self, index: usize) -> bool {
        self.nets.contains_key(&index)
    }

    /// Condition and body of a WHILE; `None` for other operators.
    pub(super) fn parts(&mut self, entry: &Entry<'_>) -> Result<Option<[Arc<Net>; 2]>> {
        match entry.operator.options() {
            schema::Options::While(options) if entry.is("WHILE") => {
                Ok(Some([self.net(entry, options.condition)?, self.net(entry, options.body)?]))
            }
            _ => Ok(None),
        }
    }

    /// The net of a subgraph.
    fn net(&mut self, entry: &Entry<'_>, index: i32) -> Result<Arc<Net>> {
        let who = format!("operator {} {}", entry.index, entry.name);
        let found = usize::try_from(index).ok().and_then(|index| Some((index, *self.subgraphs.get(index)?)));
        let Some((index, subgraph)) = found else {
            return Err(Error::Malformed(format!("{who} refers to subgraph {index} of {}", self.subgraphs.len())));
        };
        match self.nets.get(&index) {
            Some(Some(net)) => return Ok(net.clone()),
            Some(None) => {
                return Err(Error::Malformed(format!("{who} refers to subgraph {index}, which it is a part of")));
            }
            None => {}
        }
        let refused = |found: String, supported: String| {
            let operator = Some((entry.index, entry.name.clone()));
            Err(Error::Unsupported(vec![Problem { operator, tensor: None, found, supported }]))
        };
        if self.nets.values().filter(|net| net.is_none()).count() >= DEEPEST {
            return refused(format!("more than {DEEPEST} loops inside of one another"), format!("at most {DEEPEST}"));
        }
        self.nets.insert(index, None);
        let reader = Reader { file: self.file, subgraph };
        let entries = reader.entries()?;
        // A variable has one memory, which a loop would share with what is around it.
        let holds_state = entries.iter().any(|entry| entry.is("VAR_HANDLE") || entry.is("CALL_ONCE"));
        let net = reader.read(entries, &variables::Starts::new(), self)?;
        if holds_state || net.tensors.iter().any(|tensor| tensor.variable) {
            return refused("a variable inside of a loop".into(), "variables outside of loops".into());
        }
        let net = Arc::new(net);
        self.nets.insert(index, Some(net.clone()));
        Ok(net)
    }
}
