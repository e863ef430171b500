//! The position of the largest of several values.

/// The position of the largest value: the class that a classifier has chosen.
pub trait Argmax {
    /// The position of the largest value, the first of equal ones; 0 where there are none. A NaN is less than anything.
    ///
    /// ```
    /// use smolnn::Argmax;
    ///
    /// assert_eq!([-128_i8, 90, 12].argmax(), 1);
    /// assert_eq!([f32::NAN, 0.1, 0.7, 0.7].argmax(), 2);
    /// ```
    fn argmax(&self) -> usize;
}

impl<T: PartialOrd> Argmax for [T] {
    fn argmax(&self) -> usize {
        let is_number = |value: &T| value.partial_cmp(value).is_some();
        let mut best = None;
        for (index, value) in self.iter().enumerate().filter(|(_, value)| is_number(value)) {
            match best {
                Some((_, largest)) if value <= largest => {}
                _ => best = Some((index, value)),
            }
        }
        best.map_or(0, |(index, _)| index)
    }
}
