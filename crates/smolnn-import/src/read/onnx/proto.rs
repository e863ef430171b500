//! The messages of ONNX files that a net is made of, with the numbers that the format gives their fields. Fields that nothing here needs are left out:
//! the decoder skips them.
//!
//! They are declared by a macro of our own over prost's encodings: prost's derive would bring four crates that work on syntax trees, which take longer to
//! compile than the rest of the reader.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType, skip_field};
use prost::{DecodeError, Message};

/// Declares messages: each field with its type, how often it occurs in the file, its type there and its number.
macro_rules! messages {
    ($($(#[$about:meta])* struct $name:ident { $($field:ident: $type:ty = $often:ident $kind:ident $tag:literal,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(super) struct $name {
            $(pub $field: $type,)*
        }

        impl Message for $name {
            #[allow(unused_variables)] // Of a message without fields.
            fn encode_raw(&self, buffer: &mut impl BufMut) {
                $(encode!($often $kind, $tag, self.$field, buffer);)*
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire: WireType,
                buffer: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                match tag {
                    $($tag => merge!($often $kind, self.$field, wire, buffer, context).map_err(|mut error| {
                        error.push(stringify!($name), stringify!($field));
                        error
                    }),)*
                    _ => skip_field(wire, tag, buffer, context),
                }
            }

            fn encoded_len(&self) -> usize {
                0 $(+ length!($often $kind, $tag, self.$field))*
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    )*};
}

/// Reads a field: `one` value, an `optional` one, `many` values, or `packed` numbers, which may stand one by one as well.
macro_rules! merge {
    (one $kind:ident, $field:expr, $wire:ident, $buffer:ident, $context:ident) => {
        encoding::$kind::merge($wire, &mut $field, $buffer, $context)
    };
    (optional $kind:ident, $field:expr, $wire:ident, $buffer:ident, $context:ident) => {
        encoding::$kind::merge($wire, $field.get_or_insert_default(), $buffer, $context)
    };
    ($often:ident $kind:ident, $field:expr, $wire:ident, $buffer:ident, $context:ident) => {
        encoding::$kind::merge_repeated($wire, &mut $field, $buffer, $context)
    };
}

/// Writes a field; a value that is the type's default is left out.
macro_rules! encode {
    (one $kind:ident, $tag:literal, $field:expr, $buffer:ident) => {
        if !is_default(&$field) {
            encoding::$kind::encode($tag, &$field, $buffer);
        }
    };
    (optional $kind:ident, $tag:literal, $field:expr, $buffer:ident) => {
        $field.iter().for_each(|value| encoding::$kind::encode($tag, value, $buffer))
    };
    (many $kind:ident, $tag:literal, $field:expr, $buffer:ident) => {
        encoding::$kind::encode_repeated($tag, &$field, $buffer)
    };
    (packed $kind:ident, $tag:literal, $field:expr, $buffer:ident) => {
        encoding::$kind::encode_packed($tag, &$field, $buffer)
    };
}

/// The bytes of a field.
macro_rules! length {
    (one $kind:ident, $tag:literal, $field:expr) => {
        if is_default(&$field) { 0 } else { encoding::$kind::encoded_len($tag, &$field) }
    };
    (optional $kind:ident, $tag:literal, $field:expr) => {
        $field.as_ref().map_or(0, |value| encoding::$kind::encoded_len($tag, value))
    };
    (many $kind:ident, $tag:literal, $field:expr) => {
        encoding::$kind::encoded_len_repeated($tag, &$field)
    };
    (packed $kind:ident, $tag:literal, $field:expr) => {
        encoding::$kind::encoded_len_packed($tag, &$field)
    };
}

/// Whether a value is what a field that the file leaves out has.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

messages! {
    /// The file.
    struct Model {
        ir_version: i64 = one int64 1,
        producer_name: String = one string 2,
        graph: Option<Graph> = optional message 7,
        opset_import: Vec<OperatorSet> = many message 8,
        training_info: Vec<Nothing> = many message 20,
        functions: Vec<Function> = many message 25,
    }

    /// A set of operators, and its version.
    struct OperatorSet {
        domain: String = one string 1,
        version: i64 = one int64 2,
    }

    /// A message of which only its presence counts.
    struct Nothing {}

    /// An operator that the file itself defines.
    struct Function {
        name: String = one string 1,
        domain: String = one string 10,
    }

    /// Nodes, constants, inputs and outputs.
    struct Graph {
        nodes: Vec<Node> = many message 1,
        initializers: Vec<Tensor> = many message 5,
        inputs: Vec<ValueInfo> = many message 11,
        outputs: Vec<ValueInfo> = many message 12,
        sparse_initializers: Vec<Nothing> = many message 15,
    }

    /// A node: an operator with its operands by name.
    struct Node {
        inputs: Vec<String> = many string 1,
        outputs: Vec<String> = many string 2,
        name: String = one string 3,
        op_type: String = one string 4,
        attributes: Vec<Attribute> = many message 5,
        domain: String = one string 7,
    }

    /// An attribute of a node. Which field holds its value, its kind says.
    struct Attribute {
        name: String = one string 1,
        float: f32 = one float 2,
        int: i64 = one int64 3,
        string: Vec<u8> = one bytes 4,
        tensor: Option<Box<Tensor>> = optional message 5,
        graph: Option<Nothing> = optional message 6,
        floats: Vec<f32> = packed float 7,
        ints: Vec<i64> = packed int64 8,
        strings: Vec<Vec<u8>> = many bytes 9,
        kind: i32 = one int32 20,
        sparse_tensor: Option<Nothing> = optional message 22,
    }

    /// The values of a constant: as raw bytes, or in the list of their type.
    struct Tensor {
        dims: Vec<i64> = packed int64 1,
        data_type: i32 = one int32 2,
        float_data: Vec<f32> = packed float 4,
        int32_data: Vec<i32> = packed int32 5,
        int64_data: Vec<i64> = packed int64 7,
        name: String = one string 8,
        raw_data: Vec<u8> = one bytes 9,
        double_data: Vec<f64> = packed double 10,
        uint64_data: Vec<u64> = packed uint64 11,
        external_data: Vec<Entry> = many message 13,
        data_location: i32 = one int32 14,
    }

    /// A key with its value.
    struct Entry {
        key: String = one string 1,
        value: String = one string 2,
    }

    /// The name and the type of an input or output.
    struct ValueInfo {
        name: String = one string 1,
        kind: Option<Type> = optional message 2,
    }

    /// A type: that of a tensor, if it is one.
    struct Type {
        tensor: Option<TensorType> = optional message 1,
    }

    /// Element type and shape of a tensor.
    struct TensorType {
        element: i32 = one int32 1,
        shape: Option<Shape> = optional message 2,
    }

    /// The dimensions of a tensor.
    struct Shape {
        dimensions: Vec<Dimension> = many message 1,
    }

    /// A dimension: its length, the name of a length that is open, or neither.
    struct Dimension {
        length: Option<i64> = optional int64 1,
        name: Option<String> = optional string 2,
    }
}
