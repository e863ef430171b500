//! The lines of a project's `main.rs` that feed its model and tell what it gives.

use smolnn_import::ReportedTensor;

use super::Source;
use crate::wishes::Interface;

const DIGITS_ITEMS: &str = "\
/// 8×8 pixels of ink, 0 to 16: a handwritten zero.
const PICTURE: [u8; 64] = [
    0, 0, 5, 12, 1, 6, 0, 0, //
    0, 0, 11, 12, 0, 16, 2, 0, //
    0, 0, 16, 5, 0, 12, 4, 0, //
    0, 3, 15, 0, 0, 8, 4, 0, //
    0, 7, 12, 0, 0, 4, 7, 0, //
    0, 2, 15, 1, 1, 12, 5, 0, //
    0, 0, 16, 11, 12, 15, 3, 0, //
    0, 0, 4, 12, 12, 3, 0, 0, //
];

";

/// From so many elements on an input is filled in place: real numbers beside it would take four bytes of stack for each.
const MANY: usize = 256;

/// What `main.rs` imports for the model.
pub fn uses(source: &Source) -> &'static str {
    match source {
        Source { is_digits: true, .. } => "use smolnn::Argmax;",
        Source { is_wake_word: true, .. } => "use smolnn::signal::micro::MicroFrontend;\nuse smolnn::stream::WakeWord;",
        _ => "",
    }
}

/// What stands beside the model: its picture, or the inputs that it reads where they lie.
pub fn items(source: &Source, interface: Interface) -> String {
    if source.is_digits {
        return DIGITS_ITEMS.into();
    }
    if !interface.input_in_place {
        return String::new();
    }
    let report = source.program.report();
    let module = &source.module;
    let statics = named(&report.inputs).into_iter().map(|(suffix, tensor)| {
        let (name, kind) = (format!("INPUT{suffix}"), format!("Input{}", suffix.replace('_', "")));
        format!(
            "/// The model reads it where it lies. Put the buffer here that a camera or a DMA fills: {}.\nstatic {name}: {module}::{kind} = [{}; {}];\n",
            described(tensor, &tensor.shape),
            zero(tensor),
            length(&tensor.shape)
        )
    });
    statics.collect::<String>() + "\n"
}

/// What is made of the model before it runs.
pub fn listen(source: &Source) -> String {
    if !source.is_wake_word {
        return String::new();
    }
    let module = &source.module;
    format!(
        "// Sound becomes features, features probabilities, and the detector of the manifest decides.\n\
         let mut ears = WakeWord::new(MicroFrontend::default(), model, {module}::DETECTOR);"
    )
}

/// The lines that run the model once and tell what it gives; `print` is the macro that tells it.
pub fn infer(source: &Source, interface: Interface, print: &str) -> String {
    if source.is_digits {
        return format!(
            "let scores = model.infer(&PICTURE.map(|ink| (i16::from(ink) * 255 / 16 - 128) as i8));\n\
             {print}!(\"this is a {{}}\", scores.argmax());"
        );
    }
    if source.is_wake_word {
        return format!(
            "// 10 ms of sound, 16 000 samples per second: put the microphone's here. A block may have any length.\n\
             let block = [0_i16; 160];\n\
             if let Some(heard) = ears.push(&block) {{\n    {print}!(\"heard at {{}} ms\", heard.milliseconds(16_000));\n}}"
        );
    }
    let report = source.program.report();
    let rows = format!("|index, row| {print}!(\"row {{}}: {{:?}}\", index, row)");
    let outputs = || -> String {
        let tell = |(suffix, _)| format!("{print}!(\"output{suffix}: {{:?}}\", model.output{suffix}());\n");
        named(&report.outputs).into_iter().map(tell).collect()
    };
    if let (true, [input]) = (interface.input_by_rows, &*report.inputs) {
        let module = &source.module;
        let shape = &input.shape[input.shape.len().min(2)..];
        let row = format!(
            "// Rows come one by one: put the values of each here, {}.\nlet row = [{}; {}];\n",
            described(input, shape),
            zero(input),
            length(shape)
        );
        let push = if interface.output_by_rows {
            format!("model.push_row(&row, {rows});")
        } else {
            format!(
                "if let Some(output) = model.push_row(&row) {{\n        {print}!(\"output: {{:?}}\", output);\n    }}"
            )
        };
        return format!("{row}for _ in 0..{module}::ROWS {{\n    {push}\n}}");
    }
    let of_stream = if interface.streaming { " that are new in the stream" } else { "" };
    let inputs = named(&report.inputs).into_iter().map(|(suffix, tensor)| {
        let count = length(&tensor.shape);
        let is_real = &*tensor.element == "FLOAT32" || (tensor.zero_points.len() == 1 && count < MANY);
        if is_real {
            let shape = &tensor.shape;
            format!("model.set_input{suffix}(&[0.0; {count}]); // put the values here{of_stream}, as real numbers: {shape:?}, the last dimension fastest\n")
        } else {
            let about = described(tensor, &tensor.shape);
            format!("model.input{suffix}_mut().fill({}); // put the values here{of_stream}: {about}\n", zero(tensor))
        }
    });
    let lent = named(&report.inputs).into_iter().map(|(suffix, _)| format!("&INPUT{suffix}"));
    let (inputs, mut arguments) = match interface.input_in_place {
        true => (String::new(), lent.collect::<Vec<_>>()),
        false => (inputs.collect(), Vec::new()),
    };
    arguments.extend(interface.output_by_rows.then_some(rows));
    let told = if interface.output_by_rows { String::new() } else { outputs() };
    format!("{inputs}model.run({});\n{told}", arguments.join(", ")).trim_end().into()
}

/// What the names of tensors end in: nothing where there is one alone.
fn named(tensors: &[ReportedTensor]) -> Vec<(String, &ReportedTensor)> {
    let suffix = |index: usize| if tensors.len() == 1 { String::new() } else { format!("_{index}") };
    tensors.iter().enumerate().map(|(index, tensor)| (suffix(index), tensor)).collect()
}

fn length(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The number, the type and the shape of values, and what they stand for.
fn described(tensor: &ReportedTensor, shape: &[usize]) -> String {
    let meaning = match (&*tensor.scales, &*tensor.zero_points) {
        ([scale], &[zero_point]) => {
            let sign = if zero_point < 0 { '+' } else { '−' };
            format!("; a real value is {scale:?} · (value {sign} {})", zero_point.unsigned_abs())
        }
        _ => String::new(),
    };
    format!("{} of {}, {shape:?}, the last dimension fastest{meaning}", length(shape), tensor.element)
}

/// The literal of a zero.
fn zero(tensor: &ReportedTensor) -> &'static str {
    if &*tensor.element == "FLOAT32" { "0.0" } else { "0" }
}
