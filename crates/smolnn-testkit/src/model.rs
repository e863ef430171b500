//! Compiled models behind one interface, with their recorded runs: what firmware shows to a test or to a bench, one after the
//! other. `tests/firmware/embed` writes the implementations.

/// What is known of a model before it runs.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Name of its folder in the golden data.
    pub name: &'static str,
    /// Shape of its inputs.
    pub shape: &'static str,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// Bytes of states kept from run to run.
    pub state_bytes: usize,
    /// Bytes of weights and tables in flash.
    pub constant_bytes: usize,
    /// For each output whether it is f32, which is compared within [`TOLERANCE`].
    pub float_outputs: &'static [bool],
}

/// How far an f32 output may be off, as a part of the largest finite one: sums of floats depend on their order, and on whether
/// multiplications and additions are fused.
pub const TOLERANCE: f32 = 1e-5;

/// The floats of little-endian bytes.
pub fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + Clone {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
}

/// The first element of an f32 output that is off by more than [`TOLERANCE`] of the largest finite recorded one: its index, the
/// recorded and the found value.
pub fn float_difference(
    recorded: impl Iterator<Item = f32> + Clone,
    found: impl Iterator<Item = f32>,
) -> Option<(usize, f32, f32)> {
    let finite = recorded.clone().filter(|value| value.is_finite());
    let largest = finite.fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let agree = |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * largest;
    let mut pairs = recorded.zip(found).enumerate();
    let (index, (recorded, found)) = pairs.find(|&(_, (recorded, found))| !agree(recorded, found))?;
    Some((index, recorded, found))
}

/// A recorded run: inputs and outputs in the model's order, those of several steps one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Recording {
    /// Label.
    pub label: &'static str,
    /// Calls in a row from a fresh state.
    pub steps: usize,
    /// Bytes of each input.
    pub inputs: &'static [&'static [u8]],
    /// Bytes of each output; where there are fewer than the steps give, those of the last ones.
    pub outputs: &'static [&'static [u8]],
}

/// A compiled model behind raw bytes.
pub trait Runnable {
    /// Back to a fresh state.
    fn reset(&mut self);
    /// Bytes of an input, to be written before each run.
    fn input(&mut self, index: usize) -> &mut [u8];
    /// Runs.
    fn run(&mut self);
    /// Bytes of an output.
    fn output(&self, index: usize) -> &[u8];
}

/// Takes models one after the other.
pub trait Visitor {
    /// False when this model is not wanted.
    fn wants(&self, info: &Info) -> bool;
    /// A model in a fresh state.
    fn model(&mut self, info: &Info, cases: &'static [Recording], model: &mut dyn Runnable);
}

/// Copies step `step` of a recording's inputs into the model.
pub fn load(model: &mut dyn Runnable, recording: &Recording, step: usize) {
    for (index, bytes) in recording.inputs.iter().enumerate() {
        let input = model.input(index);
        let start = step * input.len();
        if let Some(bytes) = bytes.get(start..start + input.len()) {
            input.copy_from_slice(bytes);
        }
    }
}
