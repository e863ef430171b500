//! Arguments of a call, each with two readings: the value that the kernel takes when the call runs here, and the Rust that gives the same value
//! in generated code. [`call!`](super::call::call) makes both out of one list of arguments.

use smolnn_core::{Image, SequenceOrder, ShapeError, WindowSize};
use smolnn_fixed::Channel;
use smolnn_fixed::conv::Sums;
use smolnn_fixed::elementwise::{Arithmetic, Comparison};
use smolnn_fixed::matmul::MatmulShape;
use smolnn_fixed::movement::Walk;
use smolnn_fixed::pack::Layout;
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};
use smolnn_fixed::resize::Sampling;
use smolnn_float as float;

use super::source::Source;

/// An argument of a kernel or of a layer's constructor.
pub(crate) trait Argument {
    /// What the kernel takes.
    type Value<'a>
    where
        Self: 'a;

    /// The value.
    ///
    /// # Errors
    /// Those of the layer or shape that the argument stands for.
    fn value(&self) -> Result<Self::Value<'_>, ShapeError>;

    /// The value as a Rust expression; arrays become constants of the module.
    fn text(&self, source: &mut Source) -> String;

    /// Bytes of the arrays.
    fn bytes(&self) -> usize {
        0
    }

    /// Whether this machine can use the value: weights that are packed for another backend it cannot.
    fn runs_here(&self) -> bool {
        true
    }
}

/// A float as Rust that gives the same bits.
pub(crate) fn float_text(value: f32) -> String {
    if value.is_finite() { format!("{value:?}") } else { format!("f32::from_bits({:#x})", value.to_bits()) }
}

/// Arguments that are small values: what is written is the value's text.
macro_rules! plain {
    ($($kind:ty: $value:ident => $text:expr;)*) => {
        $(impl Argument for $kind {
            type Value<'a> = Self;

            fn value(&self) -> Result<Self, ShapeError> {
                Ok(*self)
            }

            fn text(&self, _: &mut Source) -> String {
                let $value = self;
                $text
            }
        })*
    };
}

plain! {
    usize: value => value.to_string();
    i8: value => format!("{value}_i8");
    i16: value => format!("{value}_i16");
    i32: value => value.to_string();
    u32: value => value.to_string();
    bool: value => value.to_string();
    f32: value => float_text(*value);
    (usize, usize): value => format!("{value:?}");
    (usize, usize, usize): value => format!("{value:?}");
    Affine: value => format!("Affine::new({:?}, {})", value.scale, value.zero_point);
    OutputRange: value => format!(
        "OutputRange {{ zero_point: {}, minimum: {}, maximum: {} }}",
        value.zero_point, value.minimum, value.maximum
    );
    (i32, i32): value => format!("{value:?}");
    Comparison: value => format!("Comparison::{value:?}");
    Arithmetic: value => format!("Arithmetic::{value:?}");
    FusedActivation: value => format!("FusedActivation::{value:?}");
    Multiplier: value => format!("Multiplier {{ mantissa: {}, shift: {} }}", value.mantissa, value.shift);
    Sums: value => format!("Sums::{value:?}");
    Image: value => format!("Image::hwc({}, {}, {})", value.height, value.width, value.channels);
    WindowSize: value => format!("WindowSize::hw({}, {})", value.height, value.width);
    Sampling: value => format!("{value:?}");
    float::pool::average::Divisor: value => format!("float::pool::average::Divisor::{value:?}");
    float::resize::Sampling: value => format!("float::resize::{value:?}");
    SequenceOrder: value => format!("{value:?}");
    MatmulShape: value => format!("{value:?}");
    Walk: value => format!("Walk {{ length: {}, start: {}, strides: {:?} }}", value.length, value.start, value.strides);
}

impl<const N: usize> Argument for [usize; N] {
    type Value<'a> = Self;

    fn value(&self) -> Result<Self, ShapeError> {
        Ok(*self)
    }

    fn text(&self, _: &mut Source) -> String {
        format!("{self:?}")
    }
}

impl Argument for Layout {
    type Value<'a> = Self;

    fn value(&self) -> Result<Self, ShapeError> {
        Ok(*self)
    }

    fn text(&self, _: &mut Source) -> String {
        format!("Layout::{self:?}")
    }

    fn runs_here(&self) -> bool {
        Layout::runs_here(*self)
    }
}

/// Elements of static arrays: the part of the array's name that says what they are, their type and their values as Rust.
pub(crate) trait Entry {
    const ROLE: &'static str;
    const TYPE: &'static str;
    fn entry(&self) -> String;
}

/// Declares entries.
macro_rules! entries {
    ($($kind:ident $role:literal: $value:ident => $text:expr;)*) => {
        $(impl Entry for $kind {
            const ROLE: &'static str = $role;
            const TYPE: &'static str = stringify!($kind);

            fn entry(&self) -> String {
                let $value = self;
                $text
            }
        })*
    };
}

entries! {
    u32 "WORDS": value => format!("{value:#010x}");
    i8 "WEIGHTS": value => value.to_string();
    i16 "WEIGHTS": value => value.to_string();
    usize "LENGTHS": value => value.to_string();
    u16 "POSITIONS": value => value.to_string();
    i32 "BIAS": value => value.to_string();
    i64 "BIAS": value => value.to_string();
    f32 "VALUES": value => float_text(*value);
    Channel "CHANNELS": value => format!("channel({}, {}, {})", value.bias, value.multiplier, value.shift);
    Multiplier "MULTIPLIERS": value => format!("multiplier({}, {})", value.mantissa, value.shift);
}

impl<T: Entry> Argument for Vec<T> {
    type Value<'a>
        = &'a [T]
    where
        Self: 'a;

    fn value(&self) -> Result<&[T], ShapeError> {
        Ok(self)
    }

    fn text(&self, source: &mut Source) -> String {
        let values: Vec<_> = self.iter().map(T::entry).collect();
        format!("&{}", source.array(T::ROLE, (T::TYPE, size_of::<T>()), &values))
    }

    fn bytes(&self) -> usize {
        size_of_val(&self[..])
    }
}

/// A small value that a constructor made, with the constructor's call as Rust: a shape, a pairing. See [`made!`](super::call::made).
#[derive(Clone, Debug)]
pub(crate) struct Made<T> {
    pub value: T,
    /// An expression of type `Result<T, ShapeError>`.
    pub text: String,
}

impl<T> std::ops::Deref for Made<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Copy> Made<T> {
    /// The value as an argument that the kernel takes by reference.
    pub(crate) fn by_reference(self) -> ByReference<T> {
        ByReference(self)
    }
}

/// A small value that the kernel takes by reference.
#[derive(Clone, Debug)]
pub(crate) struct ByReference<T>(Made<T>);

impl<T: Copy> Argument for ByReference<T> {
    type Value<'a>
        = &'a T
    where
        Self: 'a;

    fn value(&self) -> Result<&T, ShapeError> {
        Ok(&self.0.value)
    }

    fn text(&self, _: &mut Source) -> String {
        format!("const {{ &shape!({}) }}", self.0.text)
    }
}

/// A shape, or a list of axes, for constructors: it stands in its place and is no array of the module.
#[derive(Clone, Debug)]
pub(crate) struct Lengths(pub Vec<usize>);

impl Argument for Lengths {
    type Value<'a> = &'a [usize];

    fn value(&self) -> Result<&[usize], ShapeError> {
        Ok(&self.0)
    }

    fn text(&self, _: &mut Source) -> String {
        format!("&{:?}", self.0)
    }
}

impl<const N: usize> Argument for [Lengths; N] {
    type Value<'a> = [&'a [usize]; N];

    fn value(&self) -> Result<[&[usize]; N], ShapeError> {
        Ok(self.each_ref().map(|lengths| &lengths.0[..]))
    }

    fn text(&self, _: &mut Source) -> String {
        format!("[{}]", self.each_ref().map(|lengths| format!("&{:?}", lengths.0)).join(", "))
    }
}

impl<T: Copy> Argument for Made<T> {
    type Value<'a>
        = T
    where
        Self: 'a;

    fn value(&self) -> Result<T, ShapeError> {
        Ok(self.value)
    }

    fn text(&self, _: &mut Source) -> String {
        format!("shape!({})", self.text)
    }
}

/// A value without a constructor that the kernel takes by reference, with the Rust that gives it.
#[derive(Clone, Debug)]
pub(crate) struct Borrowed<T> {
    value: T,
    text: String,
}

impl<T> Borrowed<T> {
    /// A value that needs no check.
    pub(crate) fn new(value: T, text: impl Into<String>) -> Self {
        Self { value, text: text.into() }
    }
}

impl<T> Argument for Borrowed<T> {
    type Value<'a>
        = &'a T
    where
        T: 'a;

    fn value(&self) -> Result<&T, ShapeError> {
        Ok(&self.value)
    }

    fn text(&self, _: &mut Source) -> String {
        format!("const {{ &{} }}", self.text)
    }
}

/// The bias of a float layer; empty where it has none.
#[derive(Clone, Debug)]
pub(crate) struct Bias(pub Vec<f32>);

impl Argument for Bias {
    type Value<'a> = Option<&'a [f32]>;

    fn value(&self) -> Result<Option<&[f32]>, ShapeError> {
        Ok((!self.0.is_empty()).then_some(&self.0))
    }

    fn text(&self, source: &mut Source) -> String {
        if self.0.is_empty() {
            return "None".into();
        }
        let values: Vec<_> = self.0.iter().map(|&value| float_text(value)).collect();
        format!("Some(&{})", source.array("BIAS", ("f32", size_of::<f32>()), &values))
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}
