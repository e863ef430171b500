//! Perturbed kernels: each is a kernel with one thing wrong, a sign, an index, a missing bias, Wᵀ in place of rot180(W),
//! and each must make a test fail that is named here. The change is made in a copy of the sources, so that what is proved
//! is proved of the kernels themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, say};
use crate::suite::Tally;

/// One thing wrong in one file, and who must notice.
struct Perturbation {
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    /// Test program of `host-tests`.
    target: &'static str,
    /// The test in it that must fail; others are not run.
    test: &'static str,
}

const fn kernel(
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    target: &'static str,
    test: &'static str,
) -> Perturbation {
    Perturbation { what, file, right, wrong, target, test }
}

#[rustfmt::skip] // One perturbation per paragraph.
const PERTURBATIONS: &[Perturbation] = &[
    kernel("a sign in the forward pass of four rows", "arch/portable.rs",
        "y2 += w2 * x;", "y2 -= w2 * x;", "gradient", "layers::dense_adjoint_is_exact"),
    kernel("a sign in the input gradient", "arch/portable.rs",
        "+ w3 * g3;", "- w3 * g3;", "gradient", "layers::dense_differences"),
    kernel("a sign in the weight gradient", "arch/portable.rs",
        "*w += x * g;", "*w -= x * g;", "gradient", "layers::conv2d_is_exact_in_integers"),
    kernel("a row index", "arch/portable.rs",
        "(first + row) * stride", "(first + (row ^ 1)) * stride", "gradient", "layers::dense_adjoint_is_exact"),
    kernel("a missing bias", "number.rs",
        "*y = b;", "*y = Self::default() * b;", "gradient", "layers::dense_differences"),
    kernel("a missing bias of a convolution", "dense.rs",
        "Some(bias) => T::rows_fill(bias, output),", "Some(_) => output.fill(T::default()),",
        "gradient", "layers::conv2d_is_exact_in_integers"),
    kernel("a missing gradient of the bias", "conv/conv2d.rs",
        "Accumulate.rows_sum(d_output, d_bias);", "let _ = d_bias;", "gradient", "layers::conv2d_differences"),
    kernel("an input index", "conv/plan.rs",
        "row + shape.columns().position(self.x, left) * inputs", "row + shape.columns().position(self.y, left) * inputs",
        "gradient", "layers::conv2d_is_exact_in_integers"),
    kernel("the transposed kernel in place of the rotated one", "conv/plan.rs",
        "last_tap - (u * width + v)", "(v * shape.rows().kernel() + u) % (last_tap + 1)",
        "textbook", "row_5_1::row_5_1_figures"),
    kernel("a group's weights", "conv/plan.rs",
        "weights: group * outputs * depth + tap * inputs", "weights: group * depth + tap * inputs",
        "gradient", "layers::conv2d_is_exact_in_integers"),
    kernel("a step of descent uphill", "sink.rs",
        "*step = -(self.rate * g);", "*step = self.rate * g;",
        "gradient", "layers::fused_descent_is_backward_then_step"),
    kernel("the wrong tap of a depthwise convolution", "conv/depthwise.rs",
        "[tap.output, tap.index * outputs]", "[tap.output, (tap.index ^ 1) * outputs]",
        "gradient", "layers::depthwise_is_exact_in_integers"),
    kernel("a tap of a first layer", "conv/plan.rs",
        "if Self::TAPS == Taps::InOrder { in_order }", "if Self::TAPS == Taps::Rotated { in_order }", "gradient", "layers::conv2d_is_exact_in_integers"),
    kernel("a sign in the input gradient of a first layer", "arch/portable.rs",
        "*b += a * factor;", "*b -= a * factor;", "gradient", "layers::conv2d_is_exact_in_integers"),
    kernel("the taps of a panel the wrong way round", "panels.rs",
        "[number, stride.wrapping_neg()]", "[number, stride]", "gradient", "layers::panels_are_exact_in_integers"),
    kernel("a plane that is not rotated", "conv/plane.rs",
        "rotated: !self.rotated", "rotated: self.rotated", "textbook", "row_5_1::row_5_1_wide_convolution_commutes"),
    kernel("the last of equal maxima", "pool/max.rs",
        "x > most ||", "x >= most ||", "textbook", "row_5_5::row_5_5_ties_go_to_the_first"),
    kernel("overwriting where windows overlap", "pool/max.rs",
        "*dx += g;", "*dx = g;", "textbook", "row_5_5::row_5_5_overlapping_windows_add"),
    kernel("the mean's share of a batch norm's gradient", "norm/batch.rs",
        "(sum + (x - m) * s * product) * scale", "((x - m) * s * product) * scale", "gradient", "layers::batch_norm_differences"),
    kernel("the sign of the label in cross-entropy", "loss/cross_entropy.rs",
        "*d * normaliser - wanted", "*d * normaliser + wanted", "gradient", "training::loss_differences"),
    kernel("Adam's bias correction", "optimiser/adam.rs",
        "self.rate / (T::ONE - self.powers.0)", "self.rate", "gradient", "training::optimisers_follow_their_rules"),
    kernel("weight decay of biases", "optimiser/mod.rs",
        "parameter.decays && decay", "decay", "textbook", "row_4_7::row_4_7_decoupled_step"),
];

/// Perturbs every kernel in turn; counts those that were noticed.
pub fn run() -> Result<Tally> {
    let copy = shell::root().join("target/selftest/perturbed");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_sources(&copy)?;
    let mut targets: Vec<_> = PERTURBATIONS.iter().map(|perturbation| perturbation.target).collect();
    targets.sort_unstable();
    targets.dedup();
    for target in targets {
        let (passed, output) = test(&copy, target, &[])?;
        ensure!(passed, "`{target}` fails without a perturbation:\n{output}");
    }
    let mut tally = Tally::default();
    for perturbation in PERTURBATIONS {
        match noticed(&copy, perturbation) {
            Ok(()) => {
                say!("{}: noticed by {}::{}", perturbation.what, perturbation.target, perturbation.test);
                tally.passed += 1;
            }
            Err(error) => {
                say!("{}: {error:#}", perturbation.what);
                tally.failed += 1;
            }
        }
    }
    Ok(tally)
}

/// Makes the change, runs the test, and takes the change back.
fn noticed(copy: &Path, perturbation: &Perturbation) -> Result<()> {
    let path = copy.join("crates/smolnn-float/src").join(perturbation.file);
    let right = fs::read_to_string(&path).with_context(|| format!("{} is not there", perturbation.file))?;
    let places = right.matches(perturbation.right).count();
    ensure!(places > 0, "`{}` is not in {}", perturbation.right, perturbation.file);
    fs::write(&path, right.replace(perturbation.right, perturbation.wrong))?;
    let run = test(copy, perturbation.target, &["--exact", perturbation.test]);
    fs::write(&path, &right)?;
    let (passed, output) = run?;
    if passed {
        bail!("nothing notices it");
    }
    let failed = format!("test {} ... FAILED", perturbation.test);
    ensure!(output.contains(&failed), "{} does not fail, or nothing compiles:\n{output}", perturbation.test);
    Ok(())
}

/// Whether a test target, or what `filter` leaves of it, passes, and what it printed.
fn test(copy: &Path, target: &str, filter: &[&str]) -> Result<(bool, String)> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(copy)
        .args(["test", "--quiet", "-p", "host-tests", "--test", target, "--", "--format", "pretty"])
        .args(filter);
    // What is never debugged compiles and links sooner without.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.env("CARGO_TARGET_DIR", shell::root().join("target/selftest/perturbed-build")).env("RUST_BACKTRACE", "0");
    // The tests at hand compare with nothing outside of the copy.
    cargo.env_remove("CI");
    let output = cargo.output().context("cannot start cargo")?;
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    ))
}

/// Copies the project, without what was built and without git's own folder.
fn copy_sources(to: &Path) -> Result<()> {
    for entry in fs::read_dir(shell::root())? {
        let entry = entry?;
        if entry.file_name() != ".git" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        fs::copy(from, to)?;
    } else if from.is_dir() && from.file_name() != Some("target".as_ref()) {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of a kernel may take away the place of its perturbation, which `selftest` would tell much later.
    #[test]
    fn every_perturbation_has_a_place() {
        for perturbation in PERTURBATIONS {
            let path = shell::root().join("crates/smolnn-float/src").join(perturbation.file);
            let source = fs::read_to_string(&path).unwrap();
            assert!(source.contains(perturbation.right), "{}: {}", perturbation.file, perturbation.what);
        }
    }
}
