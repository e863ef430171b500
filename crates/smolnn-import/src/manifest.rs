//! The manifest of a published wake word: a JSON file beside the model that says when its probabilities mean the word.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};

/// What a `micro_wake_word` manifest of version 2 says.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The word, for people.
    pub wake_word: String,
    /// The model's file, beside the manifest.
    pub model: String,
    /// What the mean of the last probabilities must exceed, 0 to 1.
    pub probability_cutoff: f64,
    /// Probabilities of which the mean is taken.
    pub sliding_window: u64,
    /// Milliseconds from one frame of features to the next.
    pub feature_step_ms: u64,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no JSON, of another kind or version, or lacks a value.
    pub fn read(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::Malformed(format!("the manifest is no JSON: {error}")))?;
        if json["type"].is_null() {
            let text = "no manifest of a wake word: it has no type. Give the .tflite or .onnx file of a model";
            return Err(Error::Malformed(text.into()));
        }
        let (kind, version) = (json["type"].as_str().unwrap_or("none"), json["version"].as_u64().unwrap_or(0));
        if kind != "micro" || version != 2 {
            let text = format!("a manifest of type {kind}, version {version}: type micro, version 2 is read");
            return Err(Error::Malformed(text));
        }
        let text = |name: &str| json[name].as_str().map(str::to_owned).ok_or_else(|| missing(name, "a text"));
        let micro = &json["micro"];
        let number =
            |name: &str| micro[name].as_u64().ok_or_else(|| missing(&format!("micro.{name}"), "a whole number"));
        let manifest = Self {
            wake_word: text("wake_word")?,
            model: text("model")?,
            probability_cutoff: micro["probability_cutoff"]
                .as_f64()
                .filter(|cutoff| (0.0..=1.0).contains(cutoff))
                .ok_or_else(|| missing("micro.probability_cutoff", "a number from 0 to 1"))?,
            sliding_window: number("sliding_window_size")?,
            feature_step_ms: number("feature_step_size")?,
        };
        if manifest.model.contains("://") {
            let text =
                format!("the model is at {}: put its file beside the manifest, and its name here", manifest.model);
            return Err(Error::Malformed(text));
        }
        Ok(manifest)
    }

    /// Whether this is the name of a manifest.
    pub(crate) fn is_named(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    }

    /// What the generated module has of it. An impossible detector does not compile there.
    pub(crate) fn items(&self) -> String {
        let mut text = String::new();
        let Self { wake_word, probability_cutoff, sliding_window, feature_step_ms, .. } = self;
        let _ = writeln!(text, "\n/// The word, as its manifest calls it.\npub const WAKE_WORD: &str = {wake_word:?};");
        let _ = writeln!(
            text,
            "/// The detector that the manifest asks for.\npub const DETECTOR: ::smolnn::stream::Detector =\n    \
             ::smolnn::shape!(::smolnn::stream::Detector::new({probability_cutoff:?}, {sliding_window}));"
        );
        let _ = writeln!(
            text,
            "/// Milliseconds from one frame of features to the next, to be that of the front end.\npub const FEATURE_STEP_MS: u32 = \
             {feature_step_ms};"
        );
        text
    }
}

fn missing(name: &str, what: &str) -> Error {
    Error::Malformed(format!("the manifest has no {name}, which is {what}"))
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    const TEXT: &str = r#"{ "type": "micro", "wake_word": "Hello Ferris", "author": "", "model": "hello.tflite", "version": 2, "micro":
        { "probability_cutoff": 0.97, "feature_step_size": 10, "sliding_window_size": 5, "tensor_arena_size": 1 } }"#;

    #[test]
    fn a_manifest_is_read() {
        let manifest = Manifest::read(TEXT).unwrap();
        assert_eq!((&*manifest.wake_word, &*manifest.model), ("Hello Ferris", "hello.tflite"));
        assert_eq!((manifest.probability_cutoff, manifest.sliding_window, manifest.feature_step_ms), (0.97, 5, 10));
        let items = manifest.items();
        assert!(items.contains("Detector::new(0.97, 5)"), "{items}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (from, to, expected) in [
            ("{ \"type\"", "[ \"type\"", "no JSON"),
            ("\"micro\",", "\"openWakeWord\",", "type openWakeWord, version 2"),
            ("2, \"micro\"", "1, \"micro\"", "type micro, version 1"),
            ("0.97", "1.5", "micro.probability_cutoff"),
            ("\"sliding_window_size\": 5", "\"sliding_window_size\": -5", "micro.sliding_window_size"),
            ("\"wake_word\"", "\"word\"", "no wake_word"),
            ("hello.tflite", "https://example.org/hello.tflite", "beside the manifest"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = Manifest::read(&TEXT.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
