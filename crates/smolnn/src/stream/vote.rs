//! Decisions that do not flicker: a majority of classes, two levels instead of one.

/// The class that more than half of the last `WINDOW` decisions name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Majority<const WINDOW: usize> {
    recent: [u16; WINDOW],
    filled: usize,
    oldest: usize,
}

impl<const WINDOW: usize> Majority<WINDOW> {
    /// A vote without any decision yet. A window of 0 does not compile.
    pub const fn new() -> Self {
        const { assert!(WINDOW > 0, "a majority needs at least one decision") }
        Self { recent: [0; WINDOW], filled: 0, oldest: 0 }
    }

    /// Takes a decision. Gives the class of the majority, or `None` while the window is not full or no class has more than half of it.
    pub fn push(&mut self, class: u16) -> Option<u16> {
        if let Some(place) = self.recent.get_mut(self.oldest) {
            *place = class;
        }
        self.oldest = if self.oldest + 1 < WINDOW { self.oldest + 1 } else { 0 };
        self.filled = (self.filled + 1).min(WINDOW);
        if self.filled < WINDOW {
            return None;
        }
        // A class with more than half of the votes is what remains when votes for different classes strike each other out.
        let (candidate, _) = self.recent.iter().fold((0, 0_usize), |(candidate, votes), &class| match votes {
            0 => (class, 1),
            _ if class == candidate => (candidate, votes + 1),
            _ => (candidate, votes - 1),
        });
        let votes = self.recent.iter().filter(|&&class| class == candidate).count();
        (2 * votes > WINDOW).then_some(candidate)
    }

    /// Forgets all decisions.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl<const WINDOW: usize> Default for Majority<WINDOW> {
    fn default() -> Self {
        Self::new()
    }
}

/// On above the upper level, off at or below the lower one, and as before between the two. It stays on for `hold` values more than that.
///
/// With the levels of a voice activity model this is when somebody speaks; the upper level ought to be at or above the lower one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hysteresis {
    upper: u8,
    lower: u8,
    hold: u32,
    /// Values for which it stays on although they are low.
    left: u32,
    on: bool,
}

impl Hysteresis {
    /// Off at the start.
    pub const fn new(upper: u8, lower: u8, hold: u32) -> Self {
        Self { upper, lower, hold, left: 0, on: false }
    }

    /// Takes a value and says whether it is on.
    pub fn push(&mut self, value: u8) -> bool {
        if value > self.upper {
            self.on = true;
            self.left = self.hold;
        } else if value <= self.lower && self.on {
            self.on = self.left > 0;
            self.left = self.left.saturating_sub(1);
        }
        self.on
    }

    /// Switches it off.
    pub fn reset(&mut self) {
        (self.on, self.left) = (false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::{Hysteresis, Majority};

    #[test]
    fn a_majority_is_more_than_half_of_a_full_window() {
        let mut vote = Majority::<4>::new();
        assert_eq!([7, 7, 7].map(|class| vote.push(class)), [None; 3]);
        assert_eq!(vote.push(2), Some(7));
        assert_eq!(vote.push(2), None);
        assert_eq!([2, 9, 2].map(|class| vote.push(class)), [Some(2), Some(2), Some(2)]);
        vote.reset();
        assert_eq!(vote, Majority::new());
    }

    #[test]
    fn a_majority_agrees_with_counting() {
        let (mut vote, mut all) = (Majority::<5>::new(), [0_u16; 400]);
        let mut random = 1_u32;
        for step in 0..all.len() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            all[step] = (random >> 16) as u16 % 3;
            let window = &all[step.saturating_sub(4)..=step];
            let most = (0..3).find(|class| window.iter().filter(|&other| other == class).count() >= 3);
            assert_eq!(vote.push(all[step]), most.filter(|_| step >= 4), "{window:?}");
        }
    }

    #[test]
    fn hysteresis_keeps_its_state_between_the_levels() {
        let mut speech = Hysteresis::new(200, 100, 2);
        let values = [150, 201, 150, 101, 100, 100, 100, 150, 255, 0, 0, 201, 0, 0, 0];
        let expected = [0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0].map(|on| on == 1);
        assert_eq!(values.map(|value| speech.push(value)), expected);
        speech.push(255);
        speech.reset();
        assert!(!speech.push(150));
    }
}
