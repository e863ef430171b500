//! Quantises the float weights of a GRU or simple RNN for `smolnn_fixed::rnn`: int8 weights with a scale per row, an input
//! scale from calibration data, biases and multipliers in the kernel's formats (the header of `rnn/gru.rs` is the
//! specification).

use smolnn_core::{DenseShape, ShapeError};
pub use smolnn_core::{Reset, Update};
use smolnn_fixed::dense::DenseToInt16;
use smolnn_fixed::pack::{self, Layout};
use smolnn_fixed::quantise::{Affine, Multiplier, round};
use smolnn_fixed::rnn::gru::{Gru, GruRecurrent};
use smolnn_fixed::rnn::simple::SimpleRnn;
use smolnn_fixed::{Backend, Channel, Weights};

use crate::error::{Error, Result};

/// Steps of Q3.12 in 1.
const PRE_ACTIVATION: f64 = 4096.0;
/// Scale of the state in 8 bits.
const STATE: f64 = 1.0 / 128.0;

/// Float weights of a cell with `gates` gates: rows of the gates one behind the other.
#[derive(Clone, Debug)]
pub struct CellWeights {
    /// Length of an input vector.
    pub inputs: usize,
    /// Length of the state.
    pub hidden: usize,
    /// `[gates · hidden][inputs]`.
    pub input: Vec<f32>,
    /// `[gates · hidden][hidden]`.
    pub recurrent: Vec<f32>,
    /// `[gates · hidden]`, added to the product with the input.
    pub input_bias: Vec<f32>,
    /// `[gates · hidden]`, added to the product with the state.
    pub recurrent_bias: Vec<f32>,
}

impl CellWeights {
    /// From Keras: `kernel` `[inputs][gates · hidden]` and `recurrent_kernel` `[hidden][gates · hidden]`, gates side by side;
    /// `bias` holds the input's biases and, with two rows, the recurrent ones behind them.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a length does not fit.
    pub fn from_keras(inputs: usize, hidden: usize, kernel: &[f32], recurrent: &[f32], bias: &[f32]) -> Result<Self> {
        let rows = recurrent.len().checked_div(hidden).unwrap_or(0);
        let transposed = |columns: usize, values: &[f32]| -> Vec<f32> {
            (0..rows * columns).map(|at| values[at % columns * rows + at / columns]).collect()
        };
        if rows == 0
            || !rows.is_multiple_of(hidden)
            || recurrent.len() != rows * hidden
            || kernel.len() != rows * inputs
        {
            return Err(mismatch("the kernels", rows * inputs, kernel.len()));
        }
        let (input_bias, recurrent_bias) = match bias.len() {
            length if length == rows => (bias.to_vec(), vec![0.0; rows]),
            length if length == 2 * rows => (bias[..rows].to_vec(), bias[rows..].to_vec()),
            length => return Err(mismatch("the bias", rows, length)),
        };
        let (input, recurrent) = (transposed(inputs, kernel), transposed(hidden, recurrent));
        Ok(Self { inputs, hidden, input, recurrent, input_bias, recurrent_bias })
    }

    fn check(&self, gates: usize) -> Result<()> {
        let rows = gates * self.hidden;
        for (what, expected, found) in [
            ("the input weights", rows * self.inputs, self.input.len()),
            ("the recurrent weights", rows * self.hidden, self.recurrent.len()),
            ("the input biases", rows, self.input_bias.len()),
            ("the recurrent biases", rows, self.recurrent_bias.len()),
        ] {
            if expected != found || expected == 0 {
                return Err(mismatch(what, expected, found));
            }
        }
        let values = self.input.iter().chain(&self.recurrent).chain(&self.input_bias).chain(&self.recurrent_bias);
        if values.clone().any(|value| !value.is_finite()) {
            return Err(Error::Tensor("a weight of the recurrent cell is not finite".into()));
        }
        Ok(())
    }
}

fn mismatch(what: &str, expected: usize, found: usize) -> Error {
    Error::Tensor(format!("{what} of the recurrent cell: {expected} values expected, {found} given"))
}

/// The int8 quantisation whose range covers the calibration data and 0.
///
/// # Errors
/// [`Error::Tensor`] when the data are empty, all 0, or not finite.
pub fn calibrate(data: &[f32]) -> Result<Affine> {
    let least = data.iter().copied().fold(0.0_f32, f32::min);
    let largest = data.iter().copied().fold(0.0_f32, f32::max);
    let scale = (f64::from(largest) - f64::from(least)) / 255.0;
    if data.iter().any(|value| !value.is_finite()) || scale <= 0.0 {
        return Err(Error::Tensor("the calibration data need finite values that are not all 0".into()));
    }
    Ok(Affine::new(scale as f32, round(-128.0 - f64::from(least) / scale)))
}

/// An int8 value, halves away from zero, saturated.
pub fn quantise(value: f32, affine: Affine) -> i8 {
    (round(f64::from(value) / f64::from(affine.scale)).saturating_add(affine.zero_point)).clamp(-128, 127) as i8
}

/// Rows of weights in int8 as TensorFlow Lite has them, for an output in Q3.12.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Columns of a row.
    pub inputs: usize,
    /// `[rows][inputs]`.
    pub values: Vec<i8>,
    /// One per row.
    pub bias: Vec<i32>,
    /// One per row.
    pub multipliers: Vec<Multiplier>,
    /// Zero point of the input.
    pub input_zero_point: i32,
}

impl Rows {
    fn new(inputs: usize, input: Affine, values: &[f32], bias: &[f32]) -> Self {
        let input_scale = f64::from(input.scale);
        let mut rows = Self {
            inputs,
            values: Vec::with_capacity(values.len()),
            bias: Vec::with_capacity(bias.len()),
            multipliers: Vec::with_capacity(bias.len()),
            input_zero_point: input.zero_point,
        };
        for (row, &bias) in values.chunks_exact(inputs).zip(bias) {
            let largest = row.iter().fold(0.0_f64, |largest, &w| largest.max(f64::from(w).abs()));
            // A bias must fit in 31 bits as well: rows of tiny weights get a coarser scale.
            let scale = (largest / 127.0).max(f64::from(bias).abs() / input_scale / f64::from(1 << 30)).max(1e-12);
            rows.values.extend(row.iter().map(|&w| round(f64::from(w) / scale) as i8));
            rows.bias.push(round(f64::from(bias) / (input_scale * scale)));
            rows.multipliers.push(Multiplier::from_f64(input_scale * scale * PRE_ACTIVATION));
        }
        rows
    }

    /// As the kernels' packing takes them.
    pub fn weights(&self) -> Weights<'_> {
        Weights {
            values: &self.values,
            bias: &self.bias,
            multipliers: &self.multipliers,
            input_zero_point: self.input_zero_point,
        }
    }

    fn pack(self, backend: Backend) -> Result<Packed> {
        let fit = |error: ShapeError| Error::Tensor(format!("the recurrent cell: {error}"));
        let shape = DenseShape::new(1, self.inputs, self.bias.len()).map_err(fit)?;
        let mut words = vec![0; pack::dense_to_int16_words(backend, &shape)];
        let mut channels = vec![Channel::default(); shape.outputs()];
        let packed = pack::dense_to_int16(backend, &shape, &self.weights(), &mut words, &mut channels).map_err(fit)?;
        words.truncate(packed.words);
        channels.truncate(packed.channels);
        Ok(Packed { shape, words, channels, layout: packed.layout, rows: self })
    }
}

/// A dense layer to int16 that owns its packed weights.
#[derive(Clone, Debug)]
struct Packed {
    shape: DenseShape,
    words: Vec<u32>,
    channels: Vec<Channel>,
    layout: Layout,
    rows: Rows,
}

impl Packed {
    fn layer(&self) -> std::result::Result<DenseToInt16<'_>, ShapeError> {
        DenseToInt16::new(self.shape, &self.words, &self.channels, self.layout)
    }

    /// The expression of the layer over constants named `name`, which are added to `text`.
    fn source(&self, name: &str, text: &mut String) -> String {
        let list = |values: Vec<String>| values.join(", ");
        let words = list(self.words.iter().map(|word| format!("{word:#x}")).collect());
        let channel =
            |c: &Channel| format!("Channel {{ bias: {}, multiplier: {}, shift: {} }}", c.bias, c.multiplier, c.shift);
        *text += &format!("static {name}_WORDS: [u32; {}] = [{words}];\n", self.words.len());
        let channels = list(self.channels.iter().map(channel).collect());
        *text += &format!("static {name}_CHANNELS: [Channel; {}] = [{channels}];\n", self.channels.len());
        format!(
            "shape!(DenseToInt16::new(shape!(DenseShape::new(1, {}, {})), &{name}_WORDS, &{name}_CHANNELS, Layout::{:?}))",
            self.shape.inputs(),
            self.shape.outputs(),
            self.layout
        )
    }
}

/// A quantised GRU: its weights packed for a backend.
#[derive(Clone, Debug)]
pub struct QuantisedGru {
    /// Quantisation of the input.
    pub input: Affine,
    from_input: Packed,
    recurrent: Packed,
    candidate: Option<Packed>,
}

impl QuantisedGru {
    /// Quantises `weights`, rows of the gates z, r, n, for inputs that look like `calibration`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when lengths do not fit or values are not finite.
    pub fn new(
        weights: &CellWeights,
        reset: Reset,
        update: Update,
        calibration: &[f32],
        backend: Backend,
    ) -> Result<Self> {
        weights.check(3)?;
        let mut weights = weights.clone();
        let (inputs, hidden) = (weights.inputs, weights.hidden);
        if update == Update::HoldIsZero {
            // 1 − σ(a) = σ(−a), exactly.
            for (values, count) in [
                (&mut weights.input, hidden * inputs),
                (&mut weights.recurrent, hidden * hidden),
                (&mut weights.input_bias, hidden),
                (&mut weights.recurrent_bias, hidden),
            ] {
                values[..count].iter_mut().for_each(|value| *value = -*value);
            }
        }
        let input = calibrate(calibration)?;
        let state = Affine::new(STATE as f32, 0);
        let recurrent = Rows::new(hidden, state, &weights.recurrent, &weights.recurrent_bias);
        let (recurrent, candidate) = match reset {
            Reset::After => (recurrent.pack(backend)?, None),
            Reset::Before => {
                let rows = |from: usize, to: usize| Rows {
                    values: recurrent.values[from * hidden..to * hidden].to_vec(),
                    bias: recurrent.bias[from..to].to_vec(),
                    multipliers: recurrent.multipliers[from..to].to_vec(),
                    ..recurrent.clone()
                };
                (rows(0, 2 * hidden).pack(backend)?, Some(rows(2 * hidden, 3 * hidden).pack(backend)?))
            }
        };
        let from_input = Rows::new(inputs, input, &weights.input, &weights.input_bias).pack(backend)?;
        Ok(Self { input, from_input, recurrent, candidate })
    }

    /// The layer over `steps` steps, on this machine: the backend it was quantised for has to be this build's.
    ///
    /// # Errors
    /// [`ShapeError`] when steps are 0 or the backend is another.
    pub fn layer(&self, steps: usize) -> std::result::Result<Gru<'_>, ShapeError> {
        let recurrent = match &self.candidate {
            None => GruRecurrent::After(self.recurrent.layer()?),
            Some(candidate) => GruRecurrent::Before { gates: self.recurrent.layer()?, candidate: candidate.layer()? },
        };
        Gru::new(steps, self.from_input.layer()?, recurrent)
    }

    /// Weights of the input, of the state and, with the reset before, of the candidate.
    pub fn rows(&self) -> (&Rows, &Rows, Option<&Rows>) {
        (&self.from_input.rows, &self.recurrent.rows, self.candidate.as_ref().map(|packed| &packed.rows))
    }

    /// Rust source of a module with the layer over `steps` steps as `GRU` and the input's quantisation as `INPUT`. Include it
    /// in firmware that depends on `smolnn`.
    pub fn source(&self, steps: usize) -> String {
        let mut text = HEADER.to_string();
        let input = self.from_input.source("INPUT", &mut text);
        let recurrent = self.recurrent.source("RECURRENT", &mut text);
        let recurrent = match &self.candidate {
            None => format!("GruRecurrent::After({recurrent})"),
            Some(candidate) => {
                let candidate = candidate.source("CANDIDATE", &mut text);
                format!("GruRecurrent::Before {{ gates: {recurrent}, candidate: {candidate} }}")
            }
        };
        text += &format!(
            "/// The layer over {steps} steps.\npub static GRU: Gru<'static> = shape!(Gru::new({steps}, {input}, {recurrent}));\n"
        );
        text + &format!(
            "/// Quantisation of the input.\npub const INPUT: Affine = Affine::new({:?}, {});\n",
            self.input.scale, self.input.zero_point
        )
    }
}

const HEADER: &str = "#[allow(unused_imports)]\nuse smolnn::{DenseShape, shape};\n#[allow(unused_imports)]\nuse smolnn::fixed::{Channel, \
     dense::DenseToInt16, pack::Layout, quantise::Affine, rnn::gru::{Gru, GruRecurrent}};\n";

/// A quantised simple RNN: its weights packed for a backend.
#[derive(Clone, Debug)]
pub struct QuantisedSimpleRnn {
    /// Quantisation of the input.
    pub input: Affine,
    from_input: Packed,
    recurrent: Packed,
}

impl QuantisedSimpleRnn {
    /// Quantises `weights` for inputs that look like `calibration`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when lengths do not fit or values are not finite.
    pub fn new(weights: &CellWeights, calibration: &[f32], backend: Backend) -> Result<Self> {
        weights.check(1)?;
        let input = calibrate(calibration)?;
        let state = Affine::new(STATE as f32, 0);
        Ok(Self {
            input,
            from_input: Rows::new(weights.inputs, input, &weights.input, &weights.input_bias).pack(backend)?,
            recurrent: Rows::new(weights.hidden, state, &weights.recurrent, &weights.recurrent_bias).pack(backend)?,
        })
    }

    /// The layer over `steps` steps, on this machine: the backend it was quantised for has to be this build's.
    ///
    /// # Errors
    /// [`ShapeError`] when steps are 0 or the backend is another.
    pub fn layer(&self, steps: usize) -> std::result::Result<SimpleRnn<'_>, ShapeError> {
        SimpleRnn::new(steps, self.from_input.layer()?, self.recurrent.layer()?)
    }

    /// Weights of the input and of the state.
    pub fn rows(&self) -> (&Rows, &Rows) {
        (&self.from_input.rows, &self.recurrent.rows)
    }
}
