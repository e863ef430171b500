//! Operators that only give a tensor another shape: RESHAPE, SQUEEZE, EXPAND_DIMS. They cost nothing.

use super::{Check, Definition, Lowered};
use crate::error::Problem;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "RESHAPE", versions: 1..=1, lower: alias },
    Definition { name: "SQUEEZE", versions: 1..=2, lower: alias },
    Definition { name: "EXPAND_DIMS", versions: 1..=1, lower: alias },
];

/// The new shape is that of the output tensor; the operator's own statement of it (option or second input) adds nothing.
fn alias(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=2, 1)?;
    let (input, output) = (check.input(0)?, check.output(0)?);
    let (from, to) = (check.tensor(input), check.tensor(output));
    check.element(output, &[from.element])?;
    if from.len() != to.len() {
        return Err(check.tensor_fault(
            output,
            format!("shape {:?}", to.shape),
            &format!("{} elements, as the input has", from.len()),
        ));
    }
    Ok(Lowered::Alias { input, output })
}
