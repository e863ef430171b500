//! Who writes and who reads each tensor.

use crate::net::Net;

/// Who writes and who reads each tensor, counted before a pass fuses anything: fusing gives the reader of an operator's output to that operator's
/// input, which it reads already, so that no other operator loses its only reader.
pub(crate) struct Uses {
    /// Per tensor, the position of the node that writes it as its only output.
    pub writers: Vec<Option<usize>>,
    /// Per tensor, how often it is read, by nodes and as an output of the model.
    pub readers: Vec<usize>,
    /// Per tensor, the position of the last node that reads it.
    pub reader: Vec<Option<usize>>,
}

impl Uses {
    pub fn of(net: &Net) -> Self {
        let count = net.tensors.len();
        let mut uses = Self { writers: vec![None; count], readers: vec![0; count], reader: vec![None; count] };
        for (position, node) in net.nodes.iter().enumerate() {
            if let &[output] = &node.outputs[..] {
                uses.writers[output] = Some(position);
            }
            for &input in node.inputs.iter().flatten() {
                uses.reader[input] = Some(position);
            }
        }
        let reads = net.nodes.iter().flat_map(|node| node.inputs.iter().flatten());
        for &tensor in reads.chain(&net.outputs) {
            uses.readers[tensor] += 1;
        }
        uses
    }
}
