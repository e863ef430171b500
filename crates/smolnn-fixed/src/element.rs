//! The integer types of tensors.

mod sealed {
    pub trait Sealed {}
    impl Sealed for i8 {}
    impl Sealed for i16 {}
}

/// An element of a tensor: int8 or int16.
pub trait Element: Copy + Default + Into<i32> + sealed::Sealed + 'static {
    /// Least value.
    const LEAST: i32;
    /// Largest value.
    const LARGEST: i32;
    /// The element of a value that lies in the type's range; other values wrap.
    fn wrap(value: i32) -> Self;
}

impl Element for i8 {
    const LEAST: i32 = -128;
    const LARGEST: i32 = 127;
    #[inline(always)]
    fn wrap(value: i32) -> Self {
        value as Self
    }
}

impl Element for i16 {
    const LEAST: i32 = -32768;
    const LARGEST: i32 = 32767;
    #[inline(always)]
    fn wrap(value: i32) -> Self {
        value as Self
    }
}
