//! The public models that figures are measured with. They are not part of the project: this is the one list of their names and digests.

use std::fs;
use std::path::PathBuf;

use crate::shell;

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

/// The folder that holds a folder for each model, with `model.tflite` in it.
pub fn folder() -> PathBuf {
    shell::root().join("../shared/golden/models")
}

/// The names of the models that are there, in order.
pub fn names() -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder()) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
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
    text += &format!(" {}:", folder().display());
    for Public { name, published, digest } in absent {
        text += &format!("\n  {name:<22} {published:<33} sha256 {digest}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{PUBLIC, fs, shell};

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
}
