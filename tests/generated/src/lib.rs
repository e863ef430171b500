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

include!(concat!(env!("OUT_DIR"), "/models.rs"));
