//! What a file is that is no model: formats that people have at hand, by their first bytes, and what to do with each.

const KERAS: &str = "convert it with TFLiteConverter, as docs/models.md shows";
const PYTORCH: &str = "export the network with torch.onnx.export, as docs/models.md shows";
const NO_MODEL: &str = "give the .tflite or .onnx file of the network";

/// First bytes, what begins so, and what to do.
const FORMATS: [(&[u8], &str, &str); 22] = [
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file with `git lfs pull`"),
    (b"\x89HDF", "an HDF5 file, as Keras saved models before .keras", KERAS),
    (b"\xFF\xD8\xFF", "a JPEG picture", NO_MODEL),
    (b"\x89PNG", "a PNG picture", NO_MODEL),
    (b"GIF8", "a GIF picture", NO_MODEL),
    (b"RIFF", "a RIFF file, as WAV sound is", NO_MODEL),
    (
        b"\x93NUMPY",
        "a NumPy array",
        "give the .tflite or .onnx file of the network; `smolnn run` takes arrays as its --input",
    ),
    (b"\x7FELF", "an ELF file: a program, or firmware", "give the .tflite file that it was built from"),
    (b"\x1F\x8B", "a gzip archive", "unpack it"),
    (b"BZh", "a bzip2 archive", "unpack it"),
    (b"\xFD7zXZ", "an xz archive", "unpack it"),
    (b"7z\xBC\xAF", "a 7-Zip archive", "unpack it"),
    (b"%PDF", "a PDF document", NO_MODEL),
    (b"GGUF", "a GGUF file, a language model's weights", "such models are far beyond a microcontroller"),
    (b"\x80\x02", "a Python pickle, as PyTorch saved models before 1.6", PYTORCH),
    (b"\x80\x04", "a Python pickle", "convert the network in Python: docs/models.md"),
    (b"<!", "a web page", "download the file itself: on GitHub, by `Raw`"),
    (b"<html", "a web page", "download the file itself: on GitHub, by `Raw`"),
    (b"{", "JSON text", "a wake word's manifest has a name that ends in .json"),
    (b"\x08\x01\x12", "a SavedModel of TensorFlow", "convert its folder with TFLiteConverter.from_saved_model"),
    (b"MZ", "a program for Windows", NO_MODEL),
    (b"\xCA\xFE\xBA\xBE", "a program for macOS, or Java", NO_MODEL),
];

/// Names of files that stand in the archives which these formats are.
const ARCHIVES: [(&[u8], &str, &str); 5] = [
    (b"data.pkl", "a PyTorch model", PYTORCH),
    (b"model_config", "a PyTorch program", PYTORCH),
    (b"config.json", "a Keras model", KERAS),
    (b".npy", "an archive of NumPy arrays", NO_MODEL),
    (b".tflite", "an archive with a .tflite file in it", "unpack it"),
];

/// Whether the text stands somewhere in the bytes.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// What the file is instead of a model, as far as its first bytes tell, and what to do.
pub(super) fn no_model(file: &[u8]) -> String {
    let looks_like = |what: &str, to_do: &str| format!("this looks like {what}; {to_do}");
    let start = &file[..file.len().min(1 << 16)];
    if file.is_empty() {
        return "the file is empty".into();
    }
    if file.starts_with(b"PK\x03\x04") {
        let known = ARCHIVES.into_iter().find(|(name, ..)| contains(start, name));
        let (_, what, to_do) = known.unwrap_or((
            b"",
            "a ZIP archive, as Keras and PyTorch save models",
            "convert the network: docs/models.md",
        ));
        return looks_like(what, to_do);
    }
    if let Some((_, what, to_do)) = FORMATS.into_iter().find(|(magic, ..)| file.starts_with(magic)) {
        return looks_like(what, to_do);
    }
    // Eight bytes of length, then JSON.
    if file.get(8) == Some(&b'{') && contains(start, b"data_offsets") {
        return looks_like("a safetensors file: weights without a network", PYTORCH);
    }
    if contains(start, b"unsigned char") || contains(start, b"uint8_t") {
        let to_do = "give the .tflite file that it was made from, or the bytes of the array as a file";
        return looks_like("C source with a model as an array", to_do);
    }
    if str::from_utf8(start).is_ok_and(|text| !text.contains('\0')) {
        return looks_like("text, not a model", "give the .tflite or .onnx file");
    }
    "the file identifier TFL3 is missing at byte 4".into()
}
