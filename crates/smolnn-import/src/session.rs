//! The command `run`: calls of a model on files of inputs, one call after the other.

use std::path::{Path, PathBuf};

use clap::Args;
use smolnn_import::{Backend, Element, Error, Labels, Program, Result, Runner, Tensor, TensorId, npy};

use super::wishes::{IntegerWish, StreamWish};
use super::{save, say};

/// What to run, and what to do with the outputs.
#[derive(Args)]
pub struct Session {
    /// The .tflite or .onnx file.
    model: PathBuf,
    /// A tensor per input of the model, in its order: raw little-endian bytes, or NumPy's .npy. Real values in a .npy file are quantised as the
    /// input is.
    #[arg(long, required = true)]
    input: Vec<PathBuf>,
    /// A file per output of the model, in its order: raw bytes, or .npy by its name. Without any, outputs are printed.
    #[arg(long)]
    output: Vec<PathBuf>,
    /// Run so many calls: each file holds the inputs of all of them, one behind the other. State is kept from call to call.
    #[arg(long, value_name = "N", conflicts_with = "labels")]
    calls: Option<usize>,
    /// Give outputs as real values, by their scale and zero point.
    #[arg(long)]
    dequantise: bool,
    /// Write what every layer gives to this folder, as .npy files that begin with call, step and tensor.
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Classes that are right, as numbers in a text file, one per call: says how often the first output says that one, as docs/quantise.md has it. State starts anew at each.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    integers: IntegerWish,
    #[command(flatten)]
    stream: StreamWish,
    /// The length of a dimension that an .onnx file leaves open: time=49.
    #[arg(long = "dimension", value_name = "NAME=LENGTH", value_parser = super::dimension)]
    dimensions: Vec<(String, usize)>,
}

/// An output of all calls.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    /// The first call and element that is no number.
    not_a_number: Option<(usize, usize)>,
}

impl Session {
    /// Runs the calls.
    pub fn run(&self) -> Result<()> {
        let read = [self.integers.read(&self.model), self.input.iter().map(PathBuf::as_path).collect()].concat();
        super::overwrites_none(&read, &self.output.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        let model = self.integers.apply(super::open(&self.model, &self.dimensions)?)?;
        if self.stream.streaming.is_some() && self.labels.is_some() {
            let text =
                "a stream has no label per call: leave out --streaming for the accuracy over windows, or --labels";
            return Err(Error::Environment(text.into()));
        }
        let model = self.stream.apply(model)?;
        // What is dumped is compared with other tools' tensors, which have all channels.
        let model = if self.dump.is_some() { model.keep_channels() } else { model };
        let program = model.compile(Backend::CURRENT)?;
        let net = program.net();
        self.check_counts(&program)?;
        let labels = self.labels.as_deref().map(Labels::open).transpose()?;
        let calls = labels.as_ref().map_or(self.calls.unwrap_or(1), |labels| labels.classes().len());
        if calls == 0 {
            return Err(Error::Tensor("0 calls: at least one is needed".into()));
        }
        if let Some(labels) = &labels {
            labels.check(net, calls)?;
        }
        let inputs = self.input.iter().zip(&net.inputs);
        let inputs = inputs.map(|(path, &id)| read_input(path, &net.tensors[id], calls)).collect::<Result<Vec<_>>>()?;
        if let Some(folder) = &self.dump {
            std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.clone(), source })?;
        }
        let mut runner = program.runner()?;
        let mut outputs: Vec<Collected> = net.outputs.iter().map(|_| Collected::default()).collect();
        let mut right = 0;
        for call in 0..calls {
            if labels.is_some() {
                runner.reset();
            }
            for (index, bytes) in inputs.iter().enumerate() {
                let length = bytes.len() / calls;
                runner.set_input(index, &bytes[call * length..(call + 1) * length])?;
            }
            self.one_call(&program, &mut runner, call)?;
            for (index, output) in outputs.iter_mut().enumerate() {
                let bytes = runner.output(index)?;
                let values = reals(bytes, &net.tensors[net.outputs[index]]);
                if let Some(element) = values.iter().position(|value| value.is_nan()) {
                    output.not_a_number.get_or_insert((call, element));
                }
                if let (0, Some(labels)) = (index, &labels) {
                    right += usize::from(labels.is_right(net, call, &values));
                }
                output.bytes.extend_from_slice(bytes);
            }
        }
        if labels.is_some() {
            say(&format!("{right} of {calls} right, {:.2} %", 100.0 * right as f64 / calls as f64))?;
        }
        let is_shown = labels.is_none();
        for (index, (output, &id)) in outputs.iter().zip(&net.outputs).enumerate() {
            self.give(index, &net.tensors[id], calls, output, is_shown)?;
        }
        Ok(())
    }

    /// Checks that there is a file for each input, and for each output or none.
    fn check_counts(&self, program: &Program) -> Result<()> {
        let net = program.net();
        for (given, ids, what) in
            [(self.input.len(), &net.inputs, "--input"), (self.output.len(), &net.outputs, "--output")]
        {
            if given != ids.len() && (what == "--input" || given > 0) {
                let list = ids.iter().map(|&id| &net.tensors[id]);
                let list = list
                    .map(|of| format!("\"{}\" {} {:?}", of.name.escape_debug(), of.element, of.shape))
                    .collect::<Vec<_>>();
                let expected = ids.len();
                return Err(Error::Tensor(format!(
                    "{given} times {what} given, the model has {expected}: {}",
                    list.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Runs one call, and writes what its layers give where that is asked for.
    fn one_call(&self, program: &Program, runner: &mut Runner<'_>, call: usize) -> Result<()> {
        let Some(folder) = &self.dump else { return runner.run() };
        let mut layers: Vec<(TensorId, Vec<u8>)> = Vec::new();
        runner.run_observed(|id, bytes| layers.push((id, bytes.to_vec())))?;
        for (step, (id, bytes)) in layers.iter().enumerate() {
            let tensor = &program.net().tensors[*id];
            let name: String =
                tensor.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
            let path = folder.join(format!("{call:05}_{step:04}_{name}.npy"));
            save(&path, &npy::write(bytes, tensor.element, &tensor.shape))?;
        }
        Ok(())
    }

    /// Writes or prints an output of all calls.
    fn give(&self, index: usize, tensor: &Tensor, calls: usize, output: &Collected, is_shown: bool) -> Result<()> {
        if let Some((call, element)) = output.not_a_number {
            eprintln!(
                "warning: output {index} is NaN at element {element} of call {call}: the model divides by 0, overflows, or its input is NaN"
            );
        }
        let (bytes, element) = if self.dequantise {
            (reals(&output.bytes, tensor).into_iter().flat_map(f32::to_le_bytes).collect(), Element::F32)
        } else {
            (output.bytes.clone(), tensor.element)
        };
        match self.output.get(index) {
            Some(path) if npy::is_npy(path) => {
                let shape = if calls == 1 { tensor.shape.clone() } else { [&[calls], &tensor.shape[..]].concat() };
                save(path, &npy::write(&bytes, element, &shape))
            }
            Some(path) => save(path, &bytes),
            None if is_shown => {
                let mut parts = bytes.chunks_exact(bytes.len() / calls);
                parts.try_for_each(|call| {
                    say(&format!("{index} \"{}\": {}", tensor.name.escape_debug(), npy::values(call, element)))
                })
            }
            None => Ok(()),
        }
    }
}

/// The bytes of an input of all calls.
fn read_input(path: &Path, tensor: &Tensor, calls: usize) -> Result<Vec<u8>> {
    let fault = |fault: String| Error::Tensor(format!("{}: {fault}", path.display()));
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
    if npy::is_npy(path) {
        return npy::read(&bytes, tensor, calls).map_err(fault);
    }
    let expected = calls * tensor.bytes();
    if bytes.len() == expected {
        return Ok(bytes);
    }
    let of_calls = if calls == 1 { String::new() } else { format!("of {calls} calls ") };
    Err(fault(format!(
        "{} bytes given, \"{}\" {} {:?} {of_calls}takes {expected}",
        bytes.len(),
        tensor.name.escape_debug(),
        tensor.element,
        tensor.shape
    )))
}

/// The elements as real values.
fn reals(bytes: &[u8], tensor: &Tensor) -> Vec<f32> {
    let (scale, point) = npy::scale_and_point(tensor);
    let real = |stored: i32| scale * (i64::from(stored) - i64::from(point)) as f32;
    match tensor.element {
        Element::F32 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Element::I16 => bytes.as_chunks().0.iter().map(|&bytes| real(i16::from_le_bytes(bytes).into())).collect(),
        Element::I32 => bytes.as_chunks().0.iter().map(|&bytes| real(i32::from_le_bytes(bytes))).collect(),
        Element::I8 => bytes.iter().map(|&byte| real((byte as i8).into())).collect(),
        _ => bytes.iter().map(|&byte| real(byte.into())).collect(),
    }
}
