//! Models as the build script compiled them to Rust: the very code that firmware includes, run on the host.

use smolnn::signal::micro::MicroFrontend;
use smolnn::stream::{Detection, Detector, Event, StreamingModel, WakeWord};

/// Runs a model from its start on the inputs of one call after the other; gives the outputs of each.
pub type Run = fn(&[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>>;

/// Listens to sound in blocks of the given length, with a detector: the probability of each call, and the detections.
pub type Listen = fn(Detector, &[i16], usize) -> (Vec<u8>, Vec<Detection>);

fn listen<M: StreamingModel + Default>(detector: Detector, sound: &[i16], block: usize) -> (Vec<u8>, Vec<Detection>) {
    let mut ears = WakeWord::new(MicroFrontend::default(), M::default(), detector);
    let (mut probabilities, mut detections) = (Vec::new(), Vec::new());
    for samples in sound.chunks(block) {
        ears.listen(samples, |event| match event {
            Event::Features(_) => {}
            Event::Probability(probability) => probabilities.push(probability),
            Event::Detected(detection) => detections.push(detection),
        });
    }
    (probabilities, detections)
}

/// An arena that others have left their tensors in.
fn shared_arena<const WORDS: usize>() -> Box<smolnn::Arena<WORDS>> {
    let mut arena = Box::new(smolnn::Arena::new());
    arena.words().fill(0xA5C3_5A3C);
    arena
}

/// The bytes of an output.
fn bits<T: bytemuck::NoUninit>(output: &[T]) -> &[u8] {
    bytemuck::cast_slice(output)
}

/// The rows of an output that are given one by one, in their order.
#[derive(Default)]
struct Rows {
    count: usize,
    bytes: Vec<u8>,
}

impl Rows {
    fn take<T: bytemuck::NoUninit>(&mut self, index: usize, row: &[T]) {
        assert_eq!(index, self.count, "rows come in order");
        self.count += 1;
        self.bytes.extend_from_slice(bits(row));
    }
}

/// The error function of every element, as a user would write it for the custom operator FlexErf.
pub fn error_function(operator: &smolnn::CustomOperator<'_>, input: &[f32], output: &mut [f32]) {
    assert_eq!((operator.inputs[0].shape, operator.outputs[0].shape), (&[1, 6][..], &[1, 6][..]));
    for (output, &input) in output.iter_mut().zip(input) {
        *output = smolnn::float::elementary::erf(input);
    }
}

smolnn::include_model!(pub custom_operator);

include!(concat!(env!("OUT_DIR"), "/models.rs"));
