//! The f32 kernels against recorded outputs and gradients: a table of the worst difference per case, and its tolerance.
//! `SMOLNN_BLESS=1` writes it to tests/expected/float-golden.txt.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use smolnn_testkit::float_cases::{self, Outcome};
use smolnn_testkit::golden;

#[test]
fn recorded_outputs_and_gradients() {
    let Some(folder) = golden::folder("../shared/golden/float") else { return };
    let manifest = fs::read_to_string(folder.join("manifest.txt")).unwrap();
    let mut blobs = BTreeMap::new();
    for line in manifest.lines().filter(|line| line.starts_with("case ")) {
        let name = line.split(' ').nth(1).unwrap();
        blobs.insert(name, fs::read(folder.join(format!("{name}.bin"))).unwrap());
    }
    let mut memory = vec![0.0; 16 * 1024];
    let (mut compared, mut failed) = (0, Vec::new());
    let mut elsewhere = BTreeMap::<&str, usize>::new();
    let mut table = String::from("case                      elements  worst     tolerance\n");
    let blob = |name: &str| blobs.get(name).map(Vec::as_slice);
    float_cases::run(&manifest, blob, &mut memory, &mut |case, outcome| {
        match outcome {
            Outcome::Compared { worst, tolerance, elements } => {
                compared += 1;
                writeln!(table, "{:<25} {elements:>8}  {worst:<8.1e}  {tolerance:.0e}", case.name).unwrap();
            }
            Outcome::NotHere => {
                *elsewhere.entry(case.op).or_default() += 1;
                return;
            }
            Outcome::Refused(_) | Outcome::Incomplete => {}
        }
        if !outcome.passed() {
            failed.push(format!("{}: {outcome:?}", case.name));
        }
    });
    println!("{table}");
    println!("cases of other tests: {elsewhere:?}");
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(compared >= 70, "only {compared} cases were compared");
    assert_eq!(
        compared + elsewhere.values().sum::<usize>(),
        blobs.len(),
        "every case is compared or said to be elsewhere"
    );

    let path = golden::project().join("tests/expected/float-golden.txt");
    if std::env::var_os("SMOLNN_BLESS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap();
    assert_eq!(recorded.lines().count(), table.lines().count(), "{BLESS}");
    for (recorded, now) in recorded.lines().zip(table.lines()).skip(1) {
        let (recorded, now): (Vec<_>, Vec<_>) =
            (recorded.split_whitespace().collect(), now.split_whitespace().collect());
        assert_eq!((recorded[0], recorded[1], recorded[3]), (now[0], now[1], now[3]), "{BLESS}");
        let worst = |field: &str| field.parse::<f64>().unwrap();
        assert!(
            worst(now[2]) <= 2.0 * worst(recorded[2]) + 1e-7,
            "{}: {} was {}; {BLESS}",
            now[0],
            now[2],
            recorded[2]
        );
    }
}

const BLESS: &str = "the table differs from tests/expected/float-golden.txt: run with SMOLNN_BLESS=1 if it shall";

/// The passes that this build uses, against the portable ones: the firmware runs the same comparison.
#[test]
fn passes_are_the_portable_ones() {
    let (cases, worst) = float_cases::compare_passes();
    assert!(cases > 200);
    assert_eq!(worst, 0.0);
}
