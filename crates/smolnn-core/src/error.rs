//! The errors of a shape: found when it is made or bound to slices, never later.

use core::fmt;

/// What is wrong with a shape, or with the slices given for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ShapeError {
    /// A dimension, stride or dilation is 0.
    Zero(&'static str),
    /// The dilated kernel is longer than the padded input, so that there is no output.
    KernelTooLarge {
        /// Length of the kernel with its dilation.
        kernel: usize,
        /// Length of the input with its padding.
        input: usize,
    },
    /// A product of dimensions does not fit in 31 bits.
    TooLarge,
    /// A slice has another length than its shape says.
    Length {
        /// Which slice.
        what: &'static str,
        /// How many elements the shape asks for.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Input and output lie in one buffer so that the output would overwrite input that is still needed.
    Overlap {
        /// The least distance from the output's first element to the input's.
        least_gap: usize,
    },
    /// A value is outside of what the kernel can take.
    Range(&'static str),
}

impl ShapeError {
    /// Panics with the error's text. Only [`shape!`](crate::shape) calls it, at compile time.
    #[doc(hidden)]
    pub const fn fail(&self) -> ! {
        match self {
            Self::Zero(_) => panic!("a dimension, stride or dilation is 0"),
            Self::KernelTooLarge { .. } => panic!("the kernel is larger than the padded input"),
            Self::TooLarge => panic!("a product of dimensions does not fit in 31 bits"),
            Self::Length { .. } => panic!("a slice has another length than its shape says"),
            Self::Overlap { .. } => panic!("the output would overwrite input that is still needed"),
            Self::Range(what) => panic!("{}", *what),
        }
    }

    /// [`ShapeError::Length`] unless `found` is `expected`.
    pub const fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::Length { what, expected, found }) }
    }

    /// [`ShapeError::TooLarge`] unless the product of the lengths stays below 2^31, so that neither it nor the sum of two such
    /// products wraps on a target of 32 bits.
    pub const fn check_product(lengths: &[usize]) -> Result<(), Self> {
        let mut product: usize = 1;
        let mut index = 0;
        while index < lengths.len() {
            product = match product.checked_mul(lengths[index]) {
                Some(product) if product < 1 << 31 => product,
                _ => return Err(Self::TooLarge),
            };
            index += 1;
        }
        Ok(())
    }

    /// [`ShapeError::Length`] unless `found` is at least `expected`; for scratch memory.
    pub const fn check_capacity(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected <= found { Ok(()) } else { Err(Self::Length { what, expected, found }) }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero(what) => write!(f, "{what} is 0"),
            Self::KernelTooLarge { kernel, input } => {
                write!(f, "the dilated kernel takes {kernel} positions, the padded input has {input}")
            }
            Self::TooLarge => f.write_str("a product of dimensions does not fit in 31 bits"),
            Self::Length { what, expected, found } => {
                write!(f, "{what}: {expected} elements expected, {found} given")
            }
            Self::Overlap { least_gap } => {
                write!(f, "the output must start at least {least_gap} elements before the input it overwrites")
            }
            Self::Range(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for ShapeError {}

/// Unwraps a `Result<_, ShapeError>` at compile time: a wrong shape does not compile.
#[macro_export]
macro_rules! shape {
    ($checked:expr) => {
        const {
            match $checked {
                Ok(value) => value,
                Err(error) => error.fail(),
            }
        }
    };
}

/// The value of a branch that the check of shapes and lengths excludes: the one place where tests see a kernel that reads past
/// them. Firmware has neither a panic nor the text of one.
#[doc(hidden)]
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub fn excluded<T: Default>() -> T {
    debug_assert!(false, "a kernel reads past what it has checked");
    T::default()
}

/// [`excluded`] in kernels that give a result: what is left of the run does not happen.
#[doc(hidden)]
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub fn excluded_run<E>() -> Result<(), E> {
    excluded::<()>();
    Ok(())
}
