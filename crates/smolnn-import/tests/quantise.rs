//! Float networks of tests/data/quantise become networks of integers: as accurate as they were, and as TensorFlow's own converter makes them.

use std::path::{Path, PathBuf};

use smolnn_import::npy::Array;
use smolnn_import::{Backend, Element, Error, Model};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/quantise").join(name)
}

/// The array of a file that holds one.
fn array(name: &str) -> Array {
    Array::open(&data(name)).unwrap().remove(0).1
}

fn classes(name: &str) -> Vec<usize> {
    array(name).values.iter().map(|&value| value as usize).collect()
}

/// The outputs of a model over samples, as real numbers.
fn outputs(model: &Model, samples: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let program = model.compile(Backend::CURRENT).unwrap();
    let net = program.net();
    let (input, output) = (&net.tensors[net.inputs[0]], &net.tensors[net.outputs[0]]);
    let affine = |tensor: &smolnn_import::Tensor| {
        tensor.quantisation.as_ref().map_or((1.0, 0), |of| (of.scales[0], of.zero_points[0]))
    };
    let ((x_scale, x_point), (y_scale, y_point)) = (affine(input), affine(output));
    let mut runner = program.runner().unwrap();
    let run = |sample: &Vec<f32>| {
        let bytes: Vec<u8> = match input.element {
            Element::I8 => {
                let step = |value: &f32| ((value / x_scale).round() as i32 + x_point).clamp(-128, 127) as i8 as u8;
                sample.iter().map(step).collect()
            }
            _ => sample.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
        runner.set_input(0, &bytes).unwrap();
        runner.run().unwrap();
        let bytes = runner.output(0).unwrap();
        match output.element {
            Element::I8 => bytes.iter().map(|&byte| y_scale * (i32::from(byte as i8) - y_point) as f32).collect(),
            _ => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        }
    };
    samples.iter().map(run).collect()
}

fn samples(array: &Array) -> Vec<Vec<f32>> {
    let length = array.values.len() / array.shape[0];
    array.values.chunks_exact(length).map(|sample| sample.iter().map(|&value| value as f32).collect()).collect()
}

fn argmax(values: &[f32]) -> usize {
    (0..values.len()).reduce(|best, at| if values[at] > values[best] { at } else { best }).unwrap()
}

#[test]
fn digits_stay_as_accurate_and_two_runs_give_the_same_bytes() {
    let quantise = || {
        let model = Model::open(data("digits.tflite")).unwrap().calibrate(data("digits.npz")).unwrap();
        let model = model.evaluate(data("digits_test.npz"), classes("digits_labels.npy")).unwrap();
        model.int8().unwrap()
    };
    let (first, second) = (quantise(), quantise());
    assert_eq!(first.net(), second.net());
    let source = |model: &Model| model.compile(Backend::Dsp).unwrap().source();
    assert_eq!(source(&first), source(&second));

    let report = first.quantisation_report().unwrap();
    let accuracy = |name: &str| report.variant(name).unwrap().accuracy.unwrap();
    assert!(accuracy("float") - accuracy("int8") <= 0.005, "{} {}", accuracy("float"), accuracy("int8"));
    assert!(report.output_snr.unwrap() > 25.0, "{report:?}");
    assert!(report.layers.iter().all(|layer| layer.numbers == "int8"), "{report:?}");
    let shares: f64 = report.layers.iter().map(|layer| layer.error_share).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    assert!(report.variant("int8").unwrap().flash_bytes * 3 < report.variant("float").unwrap().flash_bytes * 2);
    assert_eq!(report.warnings, [""; 0]);

    // The accuracy of the report is that of the model.
    let (test, labels) = (samples(&array("digits_test.npz")), classes("digits_labels.npy"));
    let right = outputs(&first, &test).iter().zip(&labels).filter(|(scores, label)| argmax(scores) == **label).count();
    assert_eq!(right as f64 / labels.len() as f64, accuracy("int8"));
}

#[test]
fn calibration_data_of_another_scale_than_the_test_are_named() {
    let raw: Vec<Vec<f32>> = samples(&array("digits.npz"))
        .into_iter()
        .take(40)
        .map(|sample| sample.into_iter().map(|value| 1000.0 * value).collect())
        .collect();
    let model = Model::open(data("digits.tflite")).unwrap().calibrate_with(&raw).unwrap();
    let model = model.evaluate(data("digits_test.npz"), classes("digits_labels.npy")).unwrap().int8().unwrap();
    let warnings = &model.quantisation_report().unwrap().warnings;
    assert!(warnings[0].contains("scale both alike"), "{warnings:?}");
}

/// Utterances of one length, zeros in front, and who speaks.
fn vowels(split: &str) -> (Vec<Vec<f32>>, Vec<usize>) {
    const LONGEST: usize = 29;
    const FEATURES: usize = 12;
    let read = |what: &str| std::fs::read(data(&format!("../japanese_vowels/{split}_{what}.bin"))).unwrap();
    let frames = read("frames");
    let frames = frames.as_chunks().0.iter().map(|&bytes| f32::from(i16::from_le_bytes(bytes)) / 4096.0);
    let frames: Vec<f32> = frames.collect();
    let mut rest = &frames[..];
    let padded = read("lengths").into_iter().map(|length| {
        let (own, others) = rest.split_at(usize::from(length) * FEATURES);
        rest = others;
        [vec![0.0; LONGEST * FEATURES - own.len()], own.to_vec()].concat()
    });
    (padded.collect(), read("labels").iter().map(|&label| label.into()).collect())
}

/// The share of pairs of an anomaly and a normal sample in which the anomaly is copied worse; ties count half.
fn area_under_curve(outputs: &[Vec<f32>], samples: &[Vec<f32>], is_anomaly: &[usize]) -> f64 {
    let error = |(output, sample): (&Vec<f32>, &Vec<f32>)| -> f32 {
        output.iter().zip(sample).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let errors: Vec<f32> = outputs.iter().zip(samples).map(error).collect();
    let of = |class: usize| (0..errors.len()).filter(move |&at| is_anomaly[at] == class).map(|at| errors[at]);
    let wins = of(1).flat_map(|high| {
        of(0).map(move |low| f64::from(u8::from(high > low)) + f64::from(u8::from(high == low)) / 2.0)
    });
    wins.sum::<f64>() / (of(0).count() * of(1).count()) as f64
}

/// Networks of TensorFlow's and of PyTorch's against TensorFlow's own converter: the same float weights, calibration data and test data.
#[test]
fn int8_loses_less_than_half_a_point_and_is_not_below_tensorflow() {
    const FOLDERS: [&str; 3] = [".", "../pytorch_vowels", "../pytorch_keywords"];
    let of_folder = |folder| {
        let text = std::fs::read_to_string(data(&format!("{folder}/tensorflow.txt"))).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| (folder, line.to_owned())).collect::<Vec<_>>()
    };
    let mut table =
        String::from("# network, measure, float, TensorFlow's int8, smolnn's int8, output SNR of the latter in dB\n");
    for (folder, line) in FOLDERS.into_iter().flat_map(of_folder) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [network, what, _, theirs] = words[..] else { panic!("{line}") };
        let own = |ending: &str| format!("{folder}/{network}{ending}");
        let (calibration, test, labels) = if data(&own(".npz")).is_file() {
            let of = |ending: &str| samples(&array(&own(ending)));
            (of(".npz"), of("_test.npz"), classes(&own("_labels.npy")))
        } else {
            let ((calibration, _), (test, labels)) = (vowels("train"), vowels("test"));
            (calibration, test, labels)
        };
        let pytorch = data(&own(".onnx"));
        let file = if pytorch.is_file() { pytorch } else { data(&own(".tflite")) };
        let float = Model::open(file).unwrap();
        let integer = float.clone().calibrate_with(&calibration).unwrap().int8().unwrap();
        let measure = |model: &Model| {
            let outputs = outputs(model, &test);
            if what == "accuracy" {
                let right = outputs.iter().zip(&labels).filter(|(scores, label)| argmax(scores) == **label).count();
                right as f64 / labels.len() as f64
            } else {
                area_under_curve(&outputs, &test, &labels)
            }
        };
        let (exact, ours) = (measure(&float), measure(&integer));
        let report = integer.quantisation_report().unwrap();
        table += &format!("{network} {what} {exact:.4} {theirs} {ours:.4} {:.1}\n", report.output_snr.unwrap());
        assert!(exact - ours <= 0.005, "{network}: {exact} {ours}");
        // Four digits are in the file.
        assert!(ours >= theirs.parse::<f64>().unwrap() - 0.000_05, "{network}: {ours}, TensorFlow's {theirs}");
    }
    let path = data("../../expected/quantise.txt");
    if std::env::var_os("SMOLNN_BLESS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), table, "SMOLNN_BLESS=1 writes {}", path.display());
}

#[test]
fn slices_are_data_as_files_are() {
    let model = || Model::open(data("digits.tflite")).unwrap();
    let calibration = samples(&array("digits.npz"));
    let from_slices = model().calibrate_with(&calibration).unwrap().int8().unwrap();
    let from_file = model().calibrate(data("digits.npz")).unwrap().int8().unwrap();
    assert_eq!(from_slices.net(), from_file.net());
}

#[test]
fn wrong_data_are_refused_with_the_reason() {
    let model = || Model::open(data("digits.tflite")).unwrap();
    let refused = |samples: Vec<Vec<f32>>| match model().calibrate_with(samples) {
        Err(error @ Error::Calibration(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(vec![]).contains("empty"), "{}", refused(vec![]));
    assert!(refused(vec![vec![0.0; 63]]).contains("sample 0 has 63 values"), "{}", refused(vec![vec![0.0; 63]]));
    let mut not_finite = vec![vec![0.0; 64]; 3];
    not_finite[1][5] = f32::NAN;
    assert!(refused(not_finite).contains("NaN in sample 1"));
    let other_shape = model().calibrate(data("motions.npz")).unwrap_err().to_string();
    assert!(other_shape.contains("shape [40, 100, 6]") && other_shape.contains("[1, 8, 8, 1]"), "{other_shape}");
    let labels = model().calibrate(data("digits.npz")).unwrap().labels(vec![0; 3]).int8().unwrap_err().to_string();
    assert!(labels.contains("3 labels for 150 samples"), "{labels}");
    let labels = model().calibrate(data("digits.npz")).unwrap().labels(vec![10; 150]).int8().unwrap_err().to_string();
    assert!(labels.contains("label 10 of sample 0, but the model has 10 classes"), "{labels}");
    let layer = model().calibrate(data("digits.npz")).unwrap().int16(["99"]).int8().unwrap_err().to_string();
    assert!(layer.contains("no layer \"99\"") && layer.contains("5 (FULLY_CONNECTED \""), "{layer}");
    let twice = model().calibrate(data("digits.npz")).unwrap().int8().unwrap();
    let twice = twice.calibrate(data("digits.npz")).unwrap_err().to_string();
    assert!(twice.contains("quantised already"), "{twice}");
    // A stream sees a few rows of a sample per call.
    let stream = Model::open(data("motions.tflite")).unwrap().streaming(1, 8).unwrap();
    let stream = stream.calibrate(data("motions.npz")).unwrap_err().to_string();
    assert!(stream.contains(".calibrate(…)?.int8()?.streaming(…)"), "{stream}");
}

/// The digits network with the values of a constant changed, by the number of the operator that reads it and the constant's place among its inputs.
fn changed(operator: usize, input: usize, change: impl Fn(f32) -> f32) -> Model {
    let mut bytes = std::fs::read(data("digits.tflite")).unwrap();
    change_constant(&mut bytes, operator, input, |_, value| change(value));
    Model::read("digits", &bytes).unwrap()
}

/// Changes the values of a constant in the digits network's file, each by its position.
fn change_constant(bytes: &mut [u8], operator: usize, input: usize, change: impl Fn(usize, f32) -> f32) {
    let net = Model::read("digits", bytes).unwrap().net().clone();
    let node = net.nodes.iter().find(|node| node.index == operator).unwrap();
    let of_file = net.tensors[node.inputs[input].unwrap()].data.as_ref().unwrap().bytes().to_vec();
    let at = bytes.windows(of_file.len()).position(|window| window == of_file).expect("the constant lies in the file");
    for (index, (to, from)) in bytes[at..].chunks_exact_mut(4).zip(of_file.as_chunks().0).enumerate() {
        to.copy_from_slice(&change(index, f32::from_le_bytes(*from)).to_le_bytes());
    }
}

/// The digits network with a unit that is never active, and weights for it that are hundreds of times as large as all others: the scales of the int8
/// weights of layer 6 are then too coarse, whatever the activations are.
fn coarse() -> Model {
    let mut bytes = std::fs::read(data("digits.tflite")).unwrap();
    change_constant(&mut bytes, 5, 2, |unit, bias| if unit == 0 { -1e3 } else { bias });
    change_constant(&mut bytes, 6, 1, |index, weight| if index % 24 == 0 { 120.0 } else { weight });
    Model::read("digits", &bytes).unwrap()
}

#[test]
fn weights_and_activations_that_are_not_finite_are_named() {
    let infinite = changed(5, 1, |_| f32::INFINITY).calibrate(data("digits.npz")).unwrap_err().to_string();
    assert!(infinite.contains("of operator 5 FULLY_CONNECTED holds inf"), "{infinite}");
    let overflow = changed(2, 1, |weight| weight * 1e38).calibrate(data("digits.npz")).unwrap().int8();
    let overflow = overflow.unwrap_err().to_string();
    assert!(overflow.contains("of operator 2 CONV_2D is") && overflow.contains("sample 0"), "{overflow}");
}

/// The state of a GRU ends at -1 and 1, where data that are scaled wrongly keep it.
#[test]
fn a_layer_at_its_bounds_deserves_a_warning() {
    let model = Model::open(data("../converter/recurrent_loops/model.tflite")).unwrap();
    let input = &model.net().tensors[model.net().inputs[0]];
    let length: usize = input.shape.iter().product();
    let mut seed = 1_u32;
    let mut values = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed as f32 / u32::MAX as f32 - 0.5
    };
    let samples: Vec<Vec<f32>> = (0..40).map(|_| (0..length).map(|_| values()).collect()).collect();
    let warnings = |factor: f32| {
        let scaled = samples.iter().map(|sample| sample.iter().map(|value| value * factor).collect::<Vec<f32>>());
        let model = model.clone().calibrate_with(scaled).unwrap().int8().unwrap();
        model.quantisation_report().unwrap().warnings.join("\n")
    };
    let (usual, scaled) = (warnings(1.0), warnings(1000.0));
    assert!(!usual.contains("at the bounds"), "{usual}");
    assert!(scaled.contains("GRU") && scaled.contains("is the calibration data scaled as the network was"), "{scaled}");
}

#[test]
fn a_layer_that_never_changes_deserves_a_warning() {
    // No sum gets above 0, so that RELU gives zeros.
    let model = changed(5, 2, |_| -1e3).calibrate(data("digits.npz")).unwrap().int8().unwrap();
    let warnings = &model.quantisation_report().unwrap().warnings;
    assert!(
        warnings.iter().any(|text| text.contains("of operator 5 FULLY_CONNECTED is 0 for all samples")),
        "{warnings:?}"
    );
}

#[test]
fn a_layer_that_int8_weights_limit_is_named_with_what_helps() {
    let quantised = |real: &[&str]| coarse().calibrate(data("digits.npz")).unwrap().keep_float(real.to_vec()).int8();
    let model = quantised(&[]).unwrap();
    let report = model.quantisation_report().unwrap();
    let [advice] = &report.advice[..] else { panic!("{:?}", report.advice) };
    assert!(advice.starts_with("layer 6 FULLY_CONNECTED makes") && !advice.contains("--int16"), "{advice}");
    // What is promised is what comes, but for the samples that ways are not compared with.
    let (_, promised) = advice.split_once("--float 6 gives ").expect("the way out");
    let promised: f64 = promised.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    let real = quantised(&["6"]).unwrap();
    let reached = real.quantisation_report().unwrap().output_snr.unwrap();
    assert!((reached - promised).abs() < 3.0 && promised > report.output_snr.unwrap() + 1.0, "{advice}: {reached}");
    let good = Model::open(data("digits.tflite")).unwrap().calibrate(data("digits.npz")).unwrap().int8().unwrap();
    assert!(good.quantisation_report().unwrap().advice.is_empty());
}

/// Layers stay as small as they were where int16 brings nothing.
#[test]
fn int16_layers_that_bring_nothing_are_narrow_again() {
    let mixed = coarse().calibrate(data("digits.npz")).unwrap().int16_up_to(90.0).int8().unwrap();
    let report = mixed.quantisation_report().unwrap();
    let wide: Vec<_> = report.layers.iter().filter(|layer| layer.numbers == "int16").map(|layer| layer.index).collect();
    // int16 takes away the rounding of the scores and of the softmax; behind weights so coarse five other layers would bring nothing.
    assert_eq!(wide, [Some(6), Some(7)], "{:?}", report.variants);
    assert!(report.warnings.iter().any(|text| text.contains("90 dB are not reached")), "{:?}", report.warnings);
}

#[test]
fn one_wild_value_is_named_and_does_not_decide_the_ranges() {
    let mut wild = samples(&array("digits.npz"));
    wild[3][18] = 1000.0;
    let model = Model::open(data("digits.tflite")).unwrap().calibrate_with(&wild).unwrap();
    let model = model.evaluate(data("digits_test.npz"), classes("digits_labels.npy")).unwrap().int8().unwrap();
    let report = model.quantisation_report().unwrap();
    let accuracy = |name: &str| report.variant(name).unwrap().accuracy.unwrap();
    assert!(accuracy("float") - accuracy("int8") <= 0.01, "{report:?}");
    assert!(report.warnings.iter().any(|text| text.contains("reaches 1000 in sample 3")), "{:?}", report.warnings);
}

#[test]
fn layers_stay_real_and_ends_stay_real_where_that_is_asked_for() {
    let model = || Model::open(data("digits.tflite")).unwrap().calibrate(data("digits.npz")).unwrap();
    let part = model().keep_float(["5"]).int8().unwrap();
    let report = part.quantisation_report().unwrap();
    let numbers = |index: usize| report.layers.iter().find(|layer| layer.index == Some(index)).unwrap().numbers;
    assert_eq!((numbers(2), numbers(5), numbers(6)), ("int8", "float", "int8"));
    assert!(report.warnings.iter().any(|text| text.contains("operator 5 FULLY_CONNECTED stays with real numbers")));
    let ends = model().real_ends().int8().unwrap();
    let element = |id: usize| ends.net().tensors[id].element;
    assert_eq!((element(ends.net().inputs[0]), element(ends.net().outputs[0])), (Element::F32, Element::F32));
}
