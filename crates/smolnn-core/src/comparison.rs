//! Comparisons of two numbers.

use core::cmp::Ordering;

/// What is asked of left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// left = right.
    Equal,
    /// left ≠ right.
    NotEqual,
    /// left < right.
    Less,
    /// left ≤ right.
    LessEqual,
    /// left > right.
    Greater,
    /// left ≥ right.
    GreaterEqual,
}

impl Comparison {
    /// Whether it holds of operands in this order.
    #[inline(always)]
    pub const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => matches!(order, Ordering::Equal),
            Self::NotEqual => !matches!(order, Ordering::Equal),
            Self::Less => matches!(order, Ordering::Less),
            Self::LessEqual => !matches!(order, Ordering::Greater),
            Self::Greater => matches!(order, Ordering::Greater),
            Self::GreaterEqual => !matches!(order, Ordering::Less),
        }
    }
}
