//! The public models that figures are measured with. They are not part of the project: this is the one list of their names and digests.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::bench;
use crate::expected::Table;
use crate::shell::{self, Kind, fault};
use crate::suite::{Lane, Suite, Tally};

/// A public model: the name of its folder, where it is published, and the SHA-256 of `model.tflite`.
struct Public {
    name: &'static str,
    published: &'static str,
    digest: &'static str,
}

const TINY: &str = "github.com/mlcommons/tiny";

const PUBLIC: [Public; 6] = [
    Public {
        name: "ad01_int8",
        published: TINY,
        digest: "87cf24194ef93d1d9b11a591d805526b98008e351655d29883c825c9c106ba24",
    },
    Public {
        name: "hello_world_int8",
        published: "github.com/tensorflow/tflite-micro",
        digest: "505ee4fae7fa46ab67bea4c08b4969eb3eb8b9114c50595ec4a29d9a27993202",
    },
    Public {
        name: "kws_ref_model",
        published: TINY,
        digest: "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae",
    },
    Public {
        name: "pretrainedResnet_quant",
        published: TINY,
        digest: "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415",
    },
    Public {
        name: "str_ww_ref_model",
        published: TINY,
        digest: "3af8550895ba7d5c584277102b5075c52dcfa63ba9d2b2240f37c4e6abd5dd2b",
    },
    Public {
        name: "vww_96_int8",
        published: TINY,
        digest: "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b",
    },
];

/// The public models' names and the places where they are published.
pub fn published() -> impl Iterator<Item = (&'static str, &'static str)> {
    PUBLIC.iter().map(|model| (model.name, model.published))
}

/// The variable by which build scripts and tests know the folder.
pub const VARIABLE: &str = "SMOLNN_MODELS";

/// What `--models` says.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Takes the models from this folder, here and in all commands that [`shell::cargo`] starts.
pub fn set_folder(folder: &Path) -> Result<()> {
    let missing = |_| fault(Kind::Usage, format!("--models {}: there is no such folder", folder.display()));
    FOLDER.get_or_init(|| folder.canonicalize().unwrap_or_default());
    folder.canonicalize().map(drop).map_err(missing)
}

/// The folder that `--models` names, or the environment.
pub fn elsewhere() -> Option<PathBuf> {
    FOLDER.get().cloned().or_else(|| env::var_os(VARIABLE).map(PathBuf::from))
}

/// The folder that holds a folder for each model, with `model.tflite` in it.
pub fn folder() -> PathBuf {
    elsewhere().unwrap_or_else(|| shell::root().join("../shared/golden/models"))
}

/// Models of the tree that are measured beside the public ones.
const OWN: [&str; 2] = ["digits", "float_model"];

/// The networks of tests/data/networks, which are measured again with an input that comes row by row, or, where [`WAY`] is `split`, split along the width.
const NETWORKS: [&str; 2] = ["mobilenet_v2", "person_detection"];

/// Names the way in which the networks are there a second time to the build script of tests/firmware.
const WAY: &str = "SMOLNN_WAY";

/// Whether figures of this model can be measured here. CI does not allow that one is missing.
pub fn is_here(name: &str) -> bool {
    let of_networks = || name == "cnn_float" && shell::root().join("../shared/golden/tf/cnn_float").is_dir();
    // The same model by rows is measured too, over a stream, or split along the width.
    let model =
        ["_rows", "_stream", "_pushed", "_split"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    OWN.contains(&name) || shell::is_ci() || names().iter().any(|other| other == model) || of_networks()
}

/// The models that `bench` and `cycles` can measure here.
pub fn measured() -> Result<Vec<String>> {
    let mut models: BTreeSet<String> = OWN.map(Into::into).into();
    models.extend(named("model")?.into_iter().filter(|name| is_here(name)));
    let there = names();
    let networks = there.iter().filter(|name| NETWORKS.contains(&&***name));
    // One of the two: both together would not fit into the code memory.
    let way = if std::env::var(WAY).is_ok_and(|way| way == "split") { "split" } else { "pushed" };
    models.extend(networks.map(|name| format!("{name}_{way}")));
    models.extend(there);
    Ok(models.into_iter().collect())
}

/// The kernels that `bench` and `cycles` measure.
pub fn kernels() -> Result<Vec<String>> {
    Ok(named("kernel")?.into_iter().collect())
}

/// The names of a kind in the expected figures.
fn named(kind: &str) -> Result<BTreeSet<String>> {
    let table = Table::read(bench::FILE)?;
    let name = |key: &str| {
        let mut words = key.split_whitespace().skip(1);
        (words.next() == Some(kind)).then(|| words.next().map(str::to_owned)).flatten()
    };
    Ok(table.rows().filter_map(|(key, _)| name(key)).collect())
}

/// The names of the models that are there, in order.
pub fn names() -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder()) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("model.tflite").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What to do for the figures of public models that are not there; `None` where all are.
pub fn missing() -> Option<String> {
    let there = names();
    let absent: Vec<&Public> = PUBLIC.iter().filter(|model| !there.iter().any(|name| name == model.name)).collect();
    if absent.is_empty() {
        return None;
    }
    let mut text = String::from(
        "Public models are not there, and no figures are given of them. Put each as NAME/model.tflite, with the recorded runs of tests/data/golden.py, into",
    );
    text += &format!(" {}, or name another folder with --models DIR:", folder().display());
    for Public { name, published, digest } in absent {
        text += &format!("\n  {name:<22} {published:<33} sha256 {digest}");
    }
    Some(text)
}

/// Checks that the public models which are there are those of the list: the expected figures are of these bytes.
///
/// # Errors
/// The files that are others, with both digests.
pub fn verify() -> Result<()> {
    let mut wrong = Vec::new();
    for Public { name, published, digest } in PUBLIC {
        let path = file(name);
        if path.is_file() {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            wrong.extend(
                other_digest(&bytes, digest).map(|found| {
                    format!("{} has the SHA-256 {found}, that of {published} has {digest}", path.display())
                }),
            );
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let text = "figures are expected of other files; put those in place, or give these another name";
    Err(fault(Kind::Failed, format!("{}: {text}", wrong.join("; "))))
}

/// The SHA-256 of bytes, as 64 hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The digest of bytes that should have another one.
fn other_digest(bytes: &[u8], listed: &str) -> Option<String> {
    Some(sha256(bytes)).filter(|found| found != listed)
}

/// Says in the summary of a suite which public models it ran without, and checks those that are there.
pub fn steps(suite: &mut Suite<'_>) {
    suite.step("public models", Lane::Host, &[], || {
        verify()?;
        Ok(Tally::ONE)
    });
    if let Some(text) = missing() {
        suite.absent("public models", &text);
    }
}

/// Whether a model has a feature of its own in the package `size`.
pub fn has_feature(name: &str) -> bool {
    name == "digits" || PUBLIC.iter().any(|public| public.name == name)
}

/// The file of a model.
pub fn file(name: &str) -> PathBuf {
    folder().join(name).join("model.tflite")
}

#[cfg(test)]
mod tests {
    use super::{PUBLIC, fs, other_digest, sha256, shell, verify};

    #[test]
    fn every_measured_model_is_in_the_list() {
        let sizes = fs::read_to_string(shell::root().join("tests/expected/size.txt")).expect("the sizes");
        let rows = sizes.lines().filter(|line| !line.starts_with('#'));
        for model in rows.filter_map(|row| row.split_whitespace().nth(5)) {
            let own = ["none", "digits"].contains(&model);
            assert!(own || PUBLIC.iter().any(|public| public.name == model), "{model} is not in the list");
        }
        assert!(PUBLIC.iter().all(|public| public.digest.len() == 64));
    }

    /// The examples of FIPS 180-4, and the empty text.
    #[test]
    fn digests_are_those_of_the_standard() {
        let known: [(&[u8], &str); 3] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ];
        for (bytes, digest) in known {
            assert_eq!(sha256(bytes), digest);
        }
    }

    #[test]
    fn a_public_model_that_was_changed_is_found() {
        verify().expect("the models that are here are those of the list");
        let digits = fs::read(shell::root().join("tests/data/digits/digits.tflite")).expect("a model");
        let listed = sha256(&digits);
        assert_eq!(other_digest(&digits, &listed), None);
        let mut changed = digits;
        *changed.last_mut().expect("bytes") ^= 1;
        assert!(other_digest(&changed, &listed).is_some());
    }
}
