//! The integer types of tensors.

mod sealed {
    pub trait Sealed {}
    impl Sealed for i8 {}
    impl Sealed for u8 {}
    impl Sealed for i16 {}
    impl Sealed for i32 {}
}

/// An element of a tensor: int8, uint8, int16 or int32.
pub trait Element: Copy + Default + Into<i32> + sealed::Sealed + 'static {
    /// Least value.
    const LEAST: i32;
    /// Largest value.
    const LARGEST: i32;
    /// The element of a value that lies in the type's range; other values wrap.
    fn wrap(value: i32) -> Self;
}

macro_rules! elements {
    ($($T:ty),*) => {$(
        impl Element for $T {
            const LEAST: i32 = <$T>::MIN as i32;
            const LARGEST: i32 = <$T>::MAX as i32;
            #[inline(always)]
            fn wrap(value: i32) -> Self {
                value as Self
            }
        }
    )*};
}

elements!(i8, u8, i16, i32);
