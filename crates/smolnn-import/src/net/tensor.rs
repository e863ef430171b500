//! Tensors: element type, shape, quantisation, and the values of constants.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Index of a tensor in [`Net::tensors`](crate::Net::tensors): for those that a file has, the index it gives them.
pub type TensorId = usize;

/// Declares [`Element`] with the name of each type for people and its size.
macro_rules! elements {
    ($($name:ident $text:literal $bits:literal),* $(,)?) => {
        /// The element type of a tensor.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Element { $($name),* }

        impl Element {
            /// Size of one element in bits.
            pub fn bits(self) -> usize {
                match self { $(Element::$name => $bits),* }
            }
        }

        impl fmt::Display for Element {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Element::$name => $text),* })
            }
        }
    };
}

elements! {
    F32 "FLOAT32" 32, F16 "FLOAT16" 16, I32 "INT32" 32, U8 "UINT8" 8, I64 "INT64" 64, String "STRING" 8, Bool "BOOL" 8, I16 "INT16" 16,
    Complex64 "COMPLEX64" 64, I8 "INT8" 8, F64 "FLOAT64" 64, Complex128 "COMPLEX128" 128, U64 "UINT64" 64, Resource "RESOURCE" 8,
    Variant "VARIANT" 8, U32 "UINT32" 32, U16 "UINT16" 16, I4 "INT4" 4, BF16 "BFLOAT16" 16, I2 "INT2" 2, U4 "UINT4" 4,
    F8E4M3 "FLOAT8_E4M3FN" 8, F8E5M2 "FLOAT8_E5M2" 8,
}

impl Element {
    /// Whether this is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Element::F32 | Element::F16 | Element::F64 | Element::BF16 | Element::F8E4M3 | Element::F8E5M2)
    }

    /// The least and the largest value of an integer type of up to 32 bits.
    pub fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Element::I8 => (-128, 127),
            Element::U8 => (0, 255),
            Element::I16 => (-32768, 32767),
            Element::U16 => (0, 65535),
            Element::I32 => (i32::MIN.into(), i32::MAX.into()),
            _ => return None,
        })
    }
}

/// Affine quantisation: real = scale · (stored − zero point).
#[derive(Clone, Debug, PartialEq)]
pub struct Quantisation {
    /// One scale, or one per index along [`dimension`](Self::dimension). Positive and finite.
    pub scales: Vec<f32>,
    /// As many zero points as scales, each in the range of the element type.
    pub zero_points: Vec<i32>,
    /// The dimension the scales run along; without meaning when there is one scale.
    pub dimension: usize,
}

/// Bytes of a constant, shared with the file they come from.
#[derive(Clone)]
pub struct Constant {
    bytes: Arc<[u8]>,
    range: Range<usize>,
}

impl Constant {
    /// A constant with these bytes (little endian, row-major).
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { bytes: bytes.into(), range }
    }

    /// A constant that is a part of shared bytes; `None` where the part leaves them.
    pub(crate) fn part(bytes: Arc<[u8]>, range: Range<usize>) -> Option<Self> {
        bytes.get(range.clone())?;
        Some(Self { bytes, range })
    }

    /// The bytes, little endian, row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.range.len())
    }
}

/// A tensor of the net. Only tensors that a node, an input or an output uses are checked and kept complete; others are placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The name in the file: for people, not unique.
    pub name: String,
    /// The element type.
    pub element: Element,
    /// The static shape; no dimension is zero.
    pub shape: Vec<usize>,
    /// Dimensions of a computed tensor that the file leaves open: their lengths in `shape` hold their place until inference finds the right ones.
    pub open: Vec<usize>,
    /// Quantisation parameters, if any.
    pub quantisation: Option<Quantisation>,
    /// The values of a constant.
    pub data: Option<Constant>,
    /// Whether the tensor keeps its value from one run to the next.
    pub variable: bool,
    /// What a variable starts from; real 0 where nothing is stated.
    pub start: Option<Constant>,
}

impl Tensor {
    /// A tensor without quantisation, of a shape that is known, which keeps nothing from run to run.
    pub(crate) fn new(name: String, element: Element, shape: Vec<usize>, data: Option<Constant>) -> Self {
        Self { name, element, shape, open: Vec::new(), quantisation: None, data, variable: false, start: None }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements: never, in a checked net.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        (self.len() * self.element.bits()).div_ceil(8)
    }

    /// The real values of a constant of scaled integers; `None` where it has no scales, or such that do not fit its shape.
    pub(crate) fn dequantised(&self) -> Option<Vec<f32>> {
        let quantisation = self.quantisation.as_ref()?;
        let count = quantisation.scales.len();
        let inner: usize = self.shape.iter().skip(quantisation.dimension + 1).product();
        if count != 1 && self.shape.get(quantisation.dimension) != Some(&count) {
            return None;
        }
        let channel = |index: usize| if count == 1 { 0 } else { index / inner % count };
        let value = |(index, &stored): (usize, &i64)| {
            let channel = channel(index);
            quantisation.scales[channel] * (stored - i64::from(quantisation.zero_points[channel])) as f32
        };
        Some(self.integers()?.iter().enumerate().map(value).collect())
    }

    /// The values of a constant of FLOAT32.
    pub(crate) fn reals(&self) -> Option<Vec<f32>> {
        let bytes = self.data.as_ref().filter(|_| self.element == Element::F32)?.bytes();
        Some(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }

    /// The values of an integer constant of 8, 16, 32 or 64 bits; truth values are 0 and others.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let bytes = self.data.as_ref()?.bytes();
        match self.element {
            Element::I8 => Some(bytes.iter().map(|&b| b as i8 as i64).collect()),
            Element::U8 | Element::Bool => Some(bytes.iter().map(|&b| b.into()).collect()),
            Element::I16 => Some(bytes.as_chunks().0.iter().map(|&b| i16::from_le_bytes(b).into()).collect()),
            Element::I32 => Some(bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect()),
            Element::I64 => Some(bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect()),
            _ => None,
        }
    }
}

/// The value of a binary16 number.
pub(crate) fn from_f16(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction as f32 / 16_777_216.0,
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}
