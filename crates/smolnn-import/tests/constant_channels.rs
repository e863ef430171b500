//! Channels that cannot change are taken out of a model without a difference in any bit of its outputs: models with biases that force channels to
//! their bounds, against the same models with all channels.

use std::path::{Path, PathBuf};

use smolnn_import::{Backend, Element, Model, Operator};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A generator of Marsaglia's: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Models of int8 with several layers: the project's own, and the golden ones where they are.
fn models() -> Vec<PathBuf> {
    let mut models: Vec<PathBuf> =
        ["residual", "branches", "padding_layer", "global_average_pool", "flatten", "relu6", "two_inputs_two_outputs"]
            .iter()
            .map(|name| root().join("tests/data/converter").join(name).join("model.tflite"))
            .filter(|path| path.is_file())
            .collect();
    models.push(root().join("tests/data/digits/digits.tflite"));
    let golden = root().join("../shared/golden/models");
    if !golden.is_dir() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", golden.display());
        println!("{} is missing: the golden models are not looked at", golden.display());
    }
    for name in ["kws_ref_model", "str_ww_ref_model", "vww_96_int8", "ad01_int8"] {
        models.push(golden.join(name).join("model.tflite"));
    }
    models.retain(|path| path.is_file());
    models
}

/// The file with biases of layers changed: some of each tensor to values far below or above, so that their channels stand at a bound.
fn forced(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut forced = file.to_vec();
    let model = Model::read("forced", file).expect("the model is read");
    for node in &model.net().nodes {
        let is_layer = matches!(
            node.operator,
            Operator::Conv2d { .. } | Operator::DepthwiseConv2d { .. } | Operator::Dense { .. }
        );
        let Some(Some(bias)) = node.inputs.get(2).filter(|_| is_layer) else { continue };
        let tensor = &model.net().tensors[*bias];
        let Some(data) = tensor.data.as_ref().filter(|_| tensor.element == Element::I32) else { continue };
        let bytes = data.bytes();
        // Biases that stand twice are left alone.
        let places: Vec<usize> =
            file.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes).map(|(at, _)| at).collect();
        let &[place] = &places[..] else { continue };
        for channel in 0..bytes.len() / 4 {
            let value: i32 = match random.below(5) {
                0 | 1 => -30_000_000,
                2 => 30_000_000,
                _ => continue,
            };
            forced[place + 4 * channel..place + 4 * channel + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    forced
}

/// The outputs of a model, one after the other.
fn outputs(model: &Model, inputs: &[Vec<u8>]) -> Vec<u8> {
    let program = model.compile(Backend::CURRENT).expect("the model compiles");
    let mut runner = program.runner().expect("the program runs");
    for (index, input) in inputs.iter().enumerate() {
        runner.set_input(index, input).expect("an input of the model");
    }
    runner.run().expect("the run succeeds");
    (0..program.net().outputs.len()).flat_map(|index| runner.output(index).expect("an output").to_vec()).collect()
}

#[test]
fn outputs_are_the_same_without_constant_channels() {
    let mut random = Random(20);
    for path in models() {
        let file = std::fs::read(&path).expect("the file is read");
        let folder = path.parent().and_then(Path::file_name).expect("a file in a folder");
        let name = folder.to_string_lossy().into_owned();
        let runs = if file.len() > 200_000 { 4 } else { 40 };
        let (mut channels, mut of) = (0, 0);
        for _ in 0..runs {
            let file = forced(&file, &mut random);
            let model = Model::read(&name, &file).expect("the model is read");
            let removed = model.compile(Backend::CURRENT).expect("the model compiles").net().removed;
            (channels, of) = (channels + removed.channels, of + removed.of);
            let whole = model.clone().keep_channels();
            assert_eq!(whole.compile(Backend::CURRENT).expect("the model compiles").net().removed, Default::default());
            let net = model.net();
            for _ in 0..3 {
                let inputs: Vec<Vec<u8>> = net
                    .inputs
                    .iter()
                    .map(|&input| (0..net.tensors[input].bytes()).map(|_| random.next() as u8).collect())
                    .collect();
                assert_eq!(outputs(&model, &inputs), outputs(&whole, &inputs), "{name} differs");
            }
        }
        println!("{name}: {channels} of {of} channels were taken out in {runs} variants");
        assert!(channels > 0 || of == 0 && name != "digits", "{name}: nothing was taken out");
    }
}

/// Whole models as they are trained: what goes is known.
#[test]
fn a_trained_model_loses_the_channels_that_training_left_dead() {
    let path = root().join("../shared/golden/models/vww_96_int8/model.tflite");
    let Ok(file) = std::fs::read(&path) else { return };
    let model = Model::read("vww", &file).expect("the model is read");
    let (less, all) = (model.compile(Backend::Dsp), model.clone().keep_channels().compile(Backend::Dsp));
    let (less, all) = (less.expect("the model compiles"), all.expect("the model compiles"));
    println!("vww: {:?}, {} of {} MACs", less.net().removed, less.macs(), all.macs());
    assert!(less.macs() * 10 < all.macs() * 6, "{} of {} MACs", less.macs(), all.macs());
    assert!(less.arena_bytes() <= all.arena_bytes());
}
