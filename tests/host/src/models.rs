//! Golden models, whole networks with recorded inputs and outputs, against what the importer makes of them.

use smolnn_import::{Backend, Error, Model, Program};
use smolnn_testkit::golden::{Golden, hash};

/// What became of the cases of a golden model that compiles.
#[derive(Debug)]
pub enum Outcome {
    /// So many tensors are equal.
    Equal(usize),
    /// The first that is not.
    Different(String),
}

/// Runs all cases of a golden model, by the plan that generated code follows too.
///
/// # Errors
/// When the model is refused.
///
/// # Panics
/// When a tensor between differs, where those are recorded.
pub fn compare(golden: &Golden) -> Result<Outcome, Error> {
    let model = Model::read(&golden.name, &golden.model)?;
    let program = model.compile(Backend::CURRENT)?;
    let removed = program.net().removed.channels > 0;
    let outcome = compare_program(golden, &program, removed)?;
    // The tensors between have all their channels in a model that keeps them.
    let (Outcome::Equal(compared), true) = (&outcome, removed) else { return Ok(outcome) };
    let kept = compare_program(golden, &model.keep_channels().compile(Backend::CURRENT)?, false)?;
    Ok(if let Outcome::Equal(more) = kept { Outcome::Equal(compared + more) } else { kept })
}

/// Runs all cases of a golden model by its program; tensors between are compared unless their channels were taken out.
fn compare_program(golden: &Golden, program: &Program, removed: bool) -> Result<Outcome, Error> {
    let mut runner = program.runner()?;
    let mut compared = 0;
    for case in &golden.cases {
        runner.reset();
        for step in 0..case.steps {
            let part = |bytes: &[u8]| {
                let length = bytes.len() / case.steps;
                bytes[step * length..(step + 1) * length].to_vec()
            };
            for (index, &tensor) in golden.inputs.iter().enumerate() {
                runner.set_input(index, &part(case.input(tensor)))?;
            }
            let mut between = Vec::new();
            runner.run_observed(|tensor, bytes| {
                if let Some(&(_, _, expected)) =
                    case.between.iter().find(|&&(at, id, _)| !removed && (at, id) == (step, tensor))
                {
                    between.push((tensor, hash(bytes) == expected));
                }
            })?;
            for (tensor, same) in between {
                assert!(same, "{} case {} step {step}: tensor {tensor} differs", golden.name, case.label);
                compared += 1;
            }
            for (index, &tensor) in golden.outputs.iter().enumerate() {
                let (expected, found) = (part(case.output(tensor)), runner.output(index)?);
                if let Some(difference) = golden.difference(tensor, &expected, found) {
                    let (name, label) = (&golden.name, &case.label);
                    let text = format!("{name} case {label} step {step}: output {tensor}: {difference}");
                    return Ok(Outcome::Different(text));
                }
                compared += 1;
            }
        }
    }
    Ok(Outcome::Equal(compared))
}
