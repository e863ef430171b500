//! Random single-operator models of every operator and type that the reference runs, against its recorded outputs: bit for bit, f32 within
//! a part of the largest output. What is equal has to stay equal: tests/expected/random-models.txt has the counts, and
//! `SMOLNN_BLESS=1` rewrites it when more models are.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use host_tests::random_models::{Counts, Outcome, records};
use smolnn_testkit::golden::project;

/// Models whose outputs differ and are known to: the accumulator of 32 bits that `quantized_bias_type` INT32 asks for. One that is equal by now
/// fails the test.
const DIFFERENT: &[&str] = &[];

const BLESS: &str = "run with SMOLNN_BLESS=1 if it shall be so";

#[test]
fn every_output_is_the_references() {
    let counts =
        Counts::of_folder(&project().join("tests/data/random_models")).unwrap_or_else(|error| panic!("{error}"));
    println!("{counts}");
    let different: Vec<&str> = counts.differences.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(different, DIFFERENT, "{:#?}", counts.differences);

    let mut table = String::from("# Random models by operator and type: equal, refused by the importer.\n");
    for (kind, [equal, _, refused]) in &counts.kinds {
        writeln!(table, "{kind}\t{equal}\t{refused}").expect("a string takes any text");
    }
    let path = project().join("tests/expected/random-models.txt");
    if std::env::var_os("SMOLNN_BLESS").is_some() {
        fs::write(&path, &table).expect("the table can be written");
    }
    let text = fs::read_to_string(&path).expect("the table can be read");
    operators_of_the_guide(&text);
    let recorded: BTreeMap<&str, usize> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().expect("a kind"), fields.next().expect("a count").parse().expect("a number"))
        })
        .collect();
    assert!(recorded.values().sum::<usize>() > 0, "no model is expected to be equal");
    assert_eq!(recorded.len(), counts.kinds.len(), "other operators and types than recorded; {BLESS}");
    for (kind, [equal, _, _]) in &counts.kinds {
        let expected = recorded.get(kind.as_str()).unwrap_or_else(|| panic!("{kind} is not recorded; {BLESS}"));
        assert!(equal >= expected, "{kind}: {equal} models are equal, {expected} were; {}", counts.refusals[kind]);
        if equal > expected {
            println!("{kind}: {equal} models are equal, {expected} were; {BLESS}");
        }
    }
}

/// What the operators' names in the README are, in its order.
fn operators_of_the_readme() -> Vec<String> {
    let readme = fs::read_to_string(project().join("README.md")).expect("the README can be read");
    let (_, list) = readme.split_once("**Operators of `.tflite` files**").expect("the README lists operators");
    let list = list.split("\n\n").nth(1).expect("the list is a paragraph of its own");
    let names =
        list.split([',', ' ', '\n', '.']).map(|word| word.trim_end_matches(['¹', '²'])).filter(|word| !word.is_empty());
    names.map(String::from).collect()
}

/// The table of docs/operators.md is that of the counts: a type stands there when random models of it are equal.
fn operators_of_the_guide(counts: &str) {
    let mut types: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in counts.lines().filter(|line| !line.starts_with('#')) {
        let (kind, numbers) = line.split_once('\t').expect("a kind and numbers");
        let (name, kind) = kind.split_once(' ').expect("an operator and a type");
        let known = types.entry(name).or_default();
        if !numbers.starts_with("0\t") {
            known.push(kind);
        }
    }
    let mut table = String::from("| operator | int8 | int16 | f32 | other |\n|---|---|---|---|---|\n");
    for name in operators_of_the_readme() {
        let Some(known) = types.get(name.as_str()) else {
            writeln!(table, "| {name} | | | | no random models |").expect("a string takes any text");
            continue;
        };
        let mark = |wanted: &str| if known.contains(&wanted) { "●" } else { "" };
        let others: Vec<&str> = known.iter().copied().filter(|kind| !["int8", "int16", "f32"].contains(kind)).collect();
        let (int8, int16, real) = (mark("int8"), mark("int16"), mark("f32"));
        writeln!(table, "| {name} | {int8} | {int16} | {real} | {} |", others.join(", ").replace('>', " → "))
            .expect("a string takes any text");
    }
    let path = project().join("docs/operators.md");
    let guide = fs::read_to_string(&path).expect("the guide can be read");
    let (before, rest) = guide.split_once("<!-- table -->\n").expect("the table begins");
    let (recorded, behind) = rest.split_once("<!-- end -->").expect("the table ends");
    if std::env::var_os("SMOLNN_BLESS").is_some() {
        fs::write(&path, format!("{before}<!-- table -->\n{table}<!-- end -->{behind}"))
            .expect("the guide can be written");
        return;
    }
    assert_eq!(recorded, table, "docs/operators.md; {BLESS}");
}

/// A wrong output and a damaged model do not count as equal, and a cut pack is an error.
#[test]
fn comparison_sees_what_is_wrong() {
    let pack = fs::read(project().join("tests/data/random_models/ADD.models")).expect("the pack can be read");
    let models = records(&pack).unwrap_or_else(|error| panic!("{error}"));
    let model = models.iter().find(|record| record.compare() == Outcome::Equal).expect("one is equal");
    let at =
        pack.windows(model.model.len()).position(|bytes| bytes == model.model).expect("the model is part of the pack");

    // The model's last output byte ends its record.
    let last = model.calls.last().expect("a call").outputs.last().expect("an output");
    let end = last.as_ptr() as usize + last.len() - pack.as_ptr() as usize;
    let mut wrong = pack.clone();
    wrong[end - 1] ^= 1;
    let mut damaged = pack.clone();
    damaged[at + 4] ^= 0xff;
    let outcome = |pack: &[u8]| {
        let models = records(pack).unwrap_or_else(|error| panic!("{error}"));
        models.iter().find(|record| record.name == model.name).expect("the model is there").compare()
    };
    assert!(matches!(outcome(&wrong), Outcome::Different(_)));
    assert!(matches!(outcome(&damaged), Outcome::Refused(_)));
    assert!(records(&pack[..pack.len() - 1]).is_err());
}
