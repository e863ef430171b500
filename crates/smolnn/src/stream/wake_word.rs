//! Front end, model and detector as one value that samples are pushed into.

use smolnn_signal::micro::{MicroFrontend, to_int8};

use super::Detector;

/// A model that keeps its state between calls, takes int8 features and gives one probability.
///
/// Models that `smolnn-import` generates implement it when they have one int8 input and one uint8 or int8 output with a single value of
/// scale 1/256. [`FromFn`] makes one of a closure.
pub trait StreamingModel {
    /// Features per call: one frame or several, one after the other.
    const FEATURES: usize;

    /// The input of the next call, [`FEATURES`](Self::FEATURES) long. What is written there stays until [`call`](Self::call).
    fn features(&mut self) -> &mut [i8];

    /// Takes the features that were written and gives the probability, 0 to 255.
    fn call(&mut self) -> u8;

    /// Sets the state back to its start.
    fn reset(&mut self);
}

impl<M: StreamingModel> StreamingModel for &mut M {
    const FEATURES: usize = M::FEATURES;

    fn features(&mut self) -> &mut [i8] {
        M::features(self)
    }

    fn call(&mut self) -> u8 {
        M::call(self)
    }

    fn reset(&mut self) {
        M::reset(self);
    }
}

/// A closure as a [`StreamingModel`] of `FEATURES` features. Whatever state it captures is its own: `reset` does not reach it.
#[derive(Clone, Debug)]
pub struct FromFn<F, const FEATURES: usize> {
    features: [i8; FEATURES],
    call: F,
}

impl<F: FnMut(&[i8; FEATURES]) -> u8, const FEATURES: usize> FromFn<F, FEATURES> {
    /// The closure takes the features and gives the probability.
    pub const fn new(call: F) -> Self {
        Self { features: [0; FEATURES], call }
    }
}

impl<F: FnMut(&[i8; FEATURES]) -> u8, const FEATURES: usize> StreamingModel for FromFn<F, FEATURES> {
    const FEATURES: usize = FEATURES;

    fn features(&mut self) -> &mut [i8] {
        &mut self.features
    }

    fn call(&mut self) -> u8 {
        (self.call)(&self.features)
    }

    fn reset(&mut self) {}
}

/// The word was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Detection {
    /// Samples that had been heard since the start, up to the end of the window that decided.
    pub samples: u64,
    /// Mean of the probabilities in the detector's window, 255 for 1.
    pub probability: u8,
}

impl Detection {
    /// Time since the start of the stream.
    pub const fn milliseconds(&self, sample_rate: u32) -> u64 {
        self.samples * 1000 / sample_rate as u64
    }
}

/// What happens while a block of samples is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a, const CHANNELS: usize> {
    /// A frame of features.
    Features(&'a [u16; CHANNELS]),
    /// The probability that the model gave, 255 for 1.
    Probability(u8),
    /// The word was heard.
    Detected(Detection),
}

/// A wake word: samples are pushed in, detections come out. They do not depend on how the sound is cut into blocks.
///
/// It holds the front end's state and the model; frames of features are written straight into the model's input.
#[derive(Clone, Debug)]
pub struct WakeWord<M, const WINDOW: usize = 480, const HALF: usize = 256, const CHANNELS: usize = 40> {
    frontend: MicroFrontend<WINDOW, HALF, CHANNELS>,
    hearing: Hearing<M>,
}

/// Everything behind the front end.
#[derive(Clone, Debug)]
struct Hearing<M> {
    model: M,
    detector: Detector,
    /// Features that the model's input holds already.
    filled: usize,
    /// Samples up to the end of the next window.
    samples: u64,
}

impl<M: StreamingModel, const WINDOW: usize, const HALF: usize, const CHANNELS: usize>
    WakeWord<M, WINDOW, HALF, CHANNELS>
{
    /// A wake word that has heard nothing yet. A model that does not take whole frames does not compile.
    pub const fn new(frontend: MicroFrontend<WINDOW, HALF, CHANNELS>, model: M, detector: Detector) -> Self {
        const {
            assert!(
                M::FEATURES > 0 && M::FEATURES.is_multiple_of(CHANNELS),
                "the model takes no whole number of the front end's frames"
            );
        }
        Self { frontend, hearing: Hearing { model, detector, filled: 0, samples: WINDOW as u64 } }
    }

    /// Takes a block of samples of any size. Gives the first detection in it, if there is one; a block that is shorter than the
    /// refractory time has one at most. [`listen`](Self::listen) gives all.
    pub fn push(&mut self, samples: &[i16]) -> Option<Detection> {
        let mut first = None;
        self.listen(samples, |event| {
            if let Event::Detected(detection) = event {
                first.get_or_insert(detection);
            }
        });
        first
    }

    /// Takes a block of samples of any size and calls `on_event` with all that happens, in order.
    pub fn listen(&mut self, samples: &[i16], mut on_event: impl FnMut(Event<'_, CHANNELS>)) {
        let (hearing, step) = (&mut self.hearing, self.frontend.step());
        self.frontend.push(samples, |frame| hearing.frame(frame, step, &mut on_event));
    }

    /// Forgets all that was heard. Time starts again at 0.
    pub fn reset(&mut self) {
        self.frontend.reset();
        self.hearing.model.reset();
        self.hearing.detector.reset();
        self.hearing.filled = 0;
        self.hearing.samples = WINDOW as u64;
    }

    /// The front end.
    pub const fn frontend(&self) -> &MicroFrontend<WINDOW, HALF, CHANNELS> {
        &self.frontend
    }

    /// The model.
    pub const fn model(&mut self) -> &mut M {
        &mut self.hearing.model
    }

    /// The detector.
    pub const fn detector(&self) -> &Detector {
        &self.hearing.detector
    }
}

impl<M: StreamingModel> Hearing<M> {
    /// Takes a frame of features; `step` samples lie between a frame and the next.
    fn frame<const CHANNELS: usize>(
        &mut self,
        frame: &[u16; CHANNELS],
        step: usize,
        on_event: &mut impl FnMut(Event<'_, CHANNELS>),
    ) {
        on_event(Event::Features(frame));
        let heard = self.samples;
        self.samples += step as u64;
        let places = self.model.features().iter_mut().skip(self.filled);
        places.zip(frame).for_each(|(place, &feature)| *place = to_int8(feature));
        self.filled += CHANNELS;
        if self.filled < M::FEATURES {
            return;
        }
        self.filled = 0;
        let probability = self.model.call();
        on_event(Event::Probability(probability));
        if let Some(probability) = self.detector.push(probability, (M::FEATURES / CHANNELS.max(1)) as u32) {
            on_event(Event::Detected(Detection { samples: heard, probability }));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Detection, Event, FromFn, WakeWord};
    use crate::stream::Detector;
    use smolnn_signal::micro::MicroFrontend;
    use std::vec::Vec;

    fn sound() -> Vec<i16> {
        (0..80_000_i64).map(|t| if t % 32_000 < 16_000 { 0 } else { (t * t % 7919 * 8 - 31_000) as i16 }).collect()
    }

    /// Calls a frame with much in it the word.
    fn loud(features: &[i8; 80]) -> u8 {
        if features.iter().filter(|&&feature| feature > 0).count() > 30 { 255 } else { 0 }
    }

    #[test]
    fn detections_do_not_depend_on_how_the_sound_is_cut() {
        let hear = |block: usize| {
            let detector = Detector::new(0.9, 4).unwrap();
            let mut ears = WakeWord::new(MicroFrontend::default(), FromFn::<_, 80>::new(loud), detector);
            let mut heard = Vec::new();
            for samples in sound().chunks(block) {
                ears.listen(samples, |event| match event {
                    Event::Detected(detection) => heard.push((0, detection)),
                    Event::Probability(probability) => heard.push((1, Detection { samples: 0, probability })),
                    Event::Features(_) => {}
                });
            }
            heard
        };
        let whole = hear(80_000);
        let detections: Vec<u64> = whole.iter().filter(|event| event.0 == 0).map(|event| event.1.samples).collect();
        // Loud are seconds 1 to 2 and 3 to 4.
        assert!(detections.first().is_some_and(|&first| (16_000..20_000).contains(&first)), "{detections:?}");
        assert!(detections.iter().any(|&time| (48_000..52_000).contains(&time)), "{detections:?}");
        for block in [1, 159, 160, 161, 480, 5000] {
            assert_eq!(hear(block), whole, "blocks of {block}");
        }
    }

    #[test]
    fn push_gives_the_first_detection_and_reset_forgets() {
        let detector = Detector::new(0.9, 4).unwrap();
        let mut ears = WakeWord::new(MicroFrontend::default(), FromFn::<_, 80>::new(loud), detector);
        let first = ears.push(&sound());
        assert!(first.is_some());
        assert_ne!(ears.push(&sound()), first, "time goes on");
        ears.reset();
        assert_eq!(ears.push(&sound()), first);
    }

    #[test]
    fn silence_and_clipped_sound_are_defined() {
        for sound in [[0; 160], [i16::MAX; 160], [i16::MIN; 160]] {
            let model = FromFn::<_, 40>::new(|_: &[i8; 40]| 255);
            let mut ears = WakeWord::new(MicroFrontend::default(), model, Detector::new(0.9, 4).unwrap());
            let heard = (0..250).filter(|_| ears.push(&sound).is_some()).count();
            assert_eq!(heard, 2, "one detection per second of refractory time");
        }
    }
}
