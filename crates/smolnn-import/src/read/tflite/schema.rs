//! The `.tflite` tables this crate reads, over the `flatbuffers` crate.
//!
//! Field slots are those of TensorFlow's `schema.fbs` (version 3, file identifier `TFL3`); tables and fields nobody here needs are left
//! out. [`root`] runs the verifier over every offset of every declared field once; only then are accessors reachable. Limits on the number
//! of tables, the depth and the apparent size keep hostile files from costing more than their length warrants.
//!
//! This is the only module of the crate with `unsafe`: reading a field of a flatbuffers table is `unsafe` in that crate, since it trusts
//! that the verifier ran.
#![allow(unsafe_code)]

use flatbuffers::{
    Follow, ForwardsUOffset, InvalidFlatbuffer, SimpleToVerifyInSlice, Table, Vector, Verifiable, Verifier,
    VerifierOptions,
};

/// A vector of tables.
type Tables<'a, T> = Vector<'a, ForwardsUOffset<T>>;

/// A 64-bit integer that need not be aligned: some writers of files, for OpenMV and Silicon Labs among others, do not align their zero points.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Long(#[allow(dead_code)] [u8; 8]);

impl<'a> Follow<'a> for Long {
    type Inner = i64;
    unsafe fn follow(buffer: &'a [u8], position: usize) -> i64 {
        // The verifier checked that the vector's elements lie inside of the file.
        let bytes = buffer.get(position..).and_then(|bytes| bytes.first_chunk());
        debug_assert!(bytes.is_some(), "the verifier checked the vector");
        i64::from_le_bytes(bytes.copied().unwrap_or_default())
    }
}

// Any eight bytes are an integer.
impl SimpleToVerifyInSlice for Long {}

/// Byte position of field `slot` in a vtable.
const fn slot(slot: u16) -> u16 {
    4 + 2 * slot
}

/// Declares a table: `scalar SLOT NAME TYPE DEFAULT;` and `offset SLOT NAME TYPE;` (absent = `None`).
macro_rules! table {
    ($a:lifetime, $name:ident { $(scalar $s_slot:literal $s_name:ident $s_type:ty = $default:expr;)* $(offset $o_slot:literal $o_name:ident $o_type:ty;)* }) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name<$a>(#[allow(dead_code)] Table<$a>);

        impl<$a> Follow<$a> for $name<$a> {
            type Inner = Self;
            unsafe fn follow(buffer: &$a [u8], position: usize) -> Self {
                // SAFETY: the caller's duty is ours: `position` holds a table that the verifier accepted.
                Self(unsafe { Table::new(buffer, position) })
            }
        }

        impl<$a> Verifiable for $name<$a> {
            fn run_verifier(verifier: &mut Verifier, position: usize) -> Result<(), InvalidFlatbuffer> {
                let table = verifier.visit_table(position)?;
                $(let table = table.visit_field::<$s_type>(stringify!($s_name), slot($s_slot), false)?;)*
                $(let table = table.visit_field::<ForwardsUOffset<$o_type>>(stringify!($o_name), slot($o_slot), false)?;)*
                table.finish();
                Ok(())
            }
        }

        #[allow(dead_code)]
        impl<$a> $name<$a> {
            $(pub(crate) fn $s_name(&self) -> $s_type {
                // SAFETY: the verifier checked this field as this type (`run_verifier` above).
                unsafe { self.0.get::<$s_type>(slot($s_slot), None) }.unwrap_or($default)
            })*
            $(pub(crate) fn $o_name(&self) -> Option<<$o_type as Follow<$a>>::Inner> {
                // SAFETY: the verifier checked this field as this type (`run_verifier` above).
                unsafe { self.0.get::<ForwardsUOffset<$o_type>>(slot($o_slot), None) }
            })*
        }
    };
}

table!('a, Model {
    scalar 0 version u32 = 0;
    offset 1 operator_codes Tables<'a, OperatorCode<'a>>;
    offset 2 subgraphs Tables<'a, SubGraph<'a>>;
    offset 3 description &'a str;
    offset 4 buffers Tables<'a, Buffer<'a>>;
});
table!('a, OperatorCode {
    scalar 0 deprecated_builtin_code i8 = 0;
    scalar 2 version i32 = 1;
    scalar 3 builtin_code i32 = 0;
    offset 1 custom_code &'a str;
});
table!('a, SubGraph {
    offset 0 tensors Tables<'a, Tensor<'a>>;
    offset 1 inputs Vector<'a, i32>;
    offset 2 outputs Vector<'a, i32>;
    offset 3 operators Tables<'a, Operator<'a>>;
});
table!('a, Buffer {
    scalar 1 offset u64 = 0;
    scalar 2 size u64 = 0;
    offset 0 data Vector<'a, u8>;
});
table!('a, Tensor {
    scalar 1 element i8 = 0;
    scalar 2 buffer u32 = 0;
    scalar 5 is_variable bool = false;
    scalar 10 external_buffer u32 = 0;
    offset 0 shape Vector<'a, i32>;
    offset 3 name &'a str;
    offset 4 quantization QuantizationParameters<'a>;
    offset 6 sparsity Empty<'a>;
    offset 7 shape_signature Vector<'a, i32>;
});
table!('a, QuantizationParameters {
    scalar 4 details_type u8 = 0;
    scalar 6 quantized_dimension i32 = 0;
    offset 2 scale Vector<'a, f32>;
    offset 3 zero_point Vector<'a, Long>;
});
table!('a, Empty {});
table!('a, VarHandle {
    offset 0 container &'a str;
    offset 1 shared_name &'a str;
});

/// The type code of the options of VAR_HANDLE, which are strings and no part of [`Options`].
const VAR_HANDLE: u8 = 111;

/// An operator of a subgraph. Its options are a union, which [`table!`] does not cover.
#[derive(Clone, Copy)]
pub(crate) struct Operator<'a>(Table<'a>);

impl<'a> Follow<'a> for Operator<'a> {
    type Inner = Self;
    unsafe fn follow(buffer: &'a [u8], position: usize) -> Self {
        // SAFETY: the caller's duty is ours: `position` holds a table that the verifier accepted.
        Self(unsafe { Table::new(buffer, position) })
    }
}

const OPCODE_INDEX: u16 = slot(0);
const INPUTS: u16 = slot(1);
const OUTPUTS: u16 = slot(2);
const OPTIONS_TYPE: u16 = slot(3);
const OPTIONS: u16 = slot(4);
const CUSTOM_OPTIONS: u16 = slot(5);

impl Verifiable for Operator<'_> {
    fn run_verifier(verifier: &mut Verifier, position: usize) -> Result<(), InvalidFlatbuffer> {
        let mut table = verifier
            .visit_table(position)?
            .visit_field::<u32>("opcode_index", OPCODE_INDEX, false)?
            .visit_field::<u8>("builtin_options_type", OPTIONS_TYPE, false)?
            .visit_field::<ForwardsUOffset<Vector<'_, i32>>>("inputs", INPUTS, false)?
            .visit_field::<ForwardsUOffset<Vector<'_, i32>>>("outputs", OUTPUTS, false)?
            .visit_field::<ForwardsUOffset<Vector<'_, u8>>>("custom_options", CUSTOM_OPTIONS, false)?;
        if let (Some(key), Some(value)) = (table.deref(OPTIONS_TYPE)?, table.deref(OPTIONS)?) {
            match table.verifier().get_u8(key)? {
                VAR_HANDLE => <ForwardsUOffset<VarHandle<'_>>>::run_verifier(table.verifier(), value)?,
                key => Options::verify(key, table.verifier(), value)?,
            }
        }
        table.finish();
        Ok(())
    }
}

impl<'a> Operator<'a> {
    pub(crate) fn opcode_index(&self) -> u32 {
        // SAFETY: verified as u32 above.
        unsafe { self.0.get::<u32>(OPCODE_INDEX, None) }.unwrap_or(0)
    }

    pub(crate) fn inputs(&self) -> Option<Vector<'a, i32>> {
        // SAFETY: verified as a vector of i32 above.
        unsafe { self.0.get::<ForwardsUOffset<Vector<'a, i32>>>(INPUTS, None) }
    }

    pub(crate) fn outputs(&self) -> Option<Vector<'a, i32>> {
        // SAFETY: verified as a vector of i32 above.
        unsafe { self.0.get::<ForwardsUOffset<Vector<'a, i32>>>(OUTPUTS, None) }
    }

    /// The options of a custom operator.
    pub(crate) fn custom_options(&self) -> &'a [u8] {
        // SAFETY: verified as a vector of u8 above.
        let options = unsafe { self.0.get::<ForwardsUOffset<Vector<'a, u8>>>(CUSTOM_OPTIONS, None) };
        options.map_or(&[], |options| options.bytes())
    }

    /// The variable that a handle is of: container and name. `None` for other operators.
    pub(crate) fn variable(&self) -> Option<(&'a str, &'a str)> {
        // SAFETY: verified as u8 above.
        let key = unsafe { self.0.get::<u8>(OPTIONS_TYPE, None) }?;
        if key != VAR_HANDLE {
            return None;
        }
        // SAFETY: with this key, the verifier followed this offset to a table of handle options.
        let options = unsafe { self.0.get::<ForwardsUOffset<VarHandle<'a>>>(OPTIONS, None) }?;
        Some((options.container().unwrap_or(""), options.shared_name().unwrap_or("")))
    }

    /// The options; [`Options::None`] when there are none or none that this crate reads.
    pub(crate) fn options(&self) -> Options {
        // SAFETY: verified as u8 above.
        let key = unsafe { self.0.get::<u8>(OPTIONS_TYPE, None) }.unwrap_or(0);
        if key == 0 {
            return Options::None;
        }
        // SAFETY: with the key present, the verifier followed this offset to a table of type `key` (`Options::verify`).
        match unsafe { self.0.get::<ForwardsUOffset<Table<'a>>>(OPTIONS, None) } {
            Some(table) => Options::read(key, table),
            None => Options::None,
        }
    }
}

/// Declares the option tables: `TYPE-CODE NAME { SLOT FIELD: TYPE = DEFAULT, … }` as plain owned structs, and their union.
macro_rules! options {
    ($($code:literal $name:ident { $($slot:literal $field:ident: $type:ty = $default:expr),* $(,)? })*) => {
        $(
            #[doc = concat!("The options of `", stringify!($name), "` operators, as the file states them (unchecked).")]
            #[derive(Clone, Copy, Debug, PartialEq)]
            #[allow(missing_docs)]
            pub struct $name { $(pub $field: $type),* }
        )*

        /// The options of an operator, as the file states them.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Options { None, $($name($name)),* }

        impl Options {
            fn verify(key: u8, verifier: &mut Verifier, position: usize) -> Result<(), InvalidFlatbuffer> {
                match key {
                    $($code => {
                        struct Fields;
                        impl Verifiable for Fields {
                            fn run_verifier(verifier: &mut Verifier, position: usize) -> Result<(), InvalidFlatbuffer> {
                                let table = verifier.visit_table(position)?;
                                $(let table = table.visit_field::<$type>(stringify!($field), slot($slot), false)?;)*
                                table.finish();
                                Ok(())
                            }
                        }
                        <ForwardsUOffset<Fields>>::run_verifier(verifier, position)
                    })*
                    // Options of a kind this crate does not read: still a table.
                    _ => <ForwardsUOffset<Empty<'_>>>::run_verifier(verifier, position),
                }
            }

            fn read(key: u8, table: Table<'_>) -> Self {
                match key {
                    $($code => {
                        let _ = &table;
                        Options::$name($name {
                            // SAFETY: `verify` checked this field as this type for this key.
                            $($field: unsafe { table.get::<$type>(slot($slot), None) }.unwrap_or($default)),*
                        })
                    })*
                    _ => Options::None,
                }
            }
        }
    };
}

options! {
    1 Conv2d { 0 padding: i8 = 0, 1 stride_w: i32 = 0, 2 stride_h: i32 = 0, 3 activation: i8 = 0, 4 dilation_w: i32 = 1, 5 dilation_h: i32 = 1,
        6 bias_type: i8 = 0 }
    2 DepthwiseConv2d { 0 padding: i8 = 0, 1 stride_w: i32 = 0, 2 stride_h: i32 = 0, 3 depth_multiplier: i32 = 0, 4 activation: i8 = 0,
        5 dilation_w: i32 = 1, 6 dilation_h: i32 = 1 }
    5 Pool2d { 0 padding: i8 = 0, 1 stride_w: i32 = 0, 2 stride_h: i32 = 0, 3 filter_width: i32 = 0, 4 filter_height: i32 = 0,
        5 activation: i8 = 0 }
    6 Svdf { 0 rank: i32 = 0, 1 activation: i8 = 0, 2 asymmetric_quantize_inputs: bool = false }
    8 FullyConnected { 0 activation: i8 = 0, 1 weights_format: i8 = 0, 2 keep_num_dims: bool = false, 3 asymmetric_quantize_inputs: bool = false,
        4 bias_type: i8 = 0 }
    9 Softmax { 0 beta: f32 = 0.0 }
    10 Concatenation { 0 axis: i32 = 0, 1 activation: i8 = 0 }
    11 Add { 0 activation: i8 = 0, 1 pot_scale_int16: bool = true }
    12 L2Norm { 0 activation: i8 = 0 }
    15 ResizeBilinear { 2 align_corners: bool = false, 3 half_pixel_centers: bool = false }
    19 SpaceToDepth { 0 block_size: i32 = 0 }
    21 Mul { 0 activation: i8 = 0 }
    23 Gather { 0 axis: i32 = 0, 1 batch_dims: i32 = 0 }
    27 Reducer { 0 keep_dims: bool = false }
    28 Sub { 0 activation: i8 = 0, 1 pot_scale_int16: bool = true }
    29 Div { 0 activation: i8 = 0 }
    32 StridedSlice { 0 begin_mask: i32 = 0, 1 end_mask: i32 = 0, 2 ellipsis_mask: i32 = 0, 3 new_axis_mask: i32 = 0, 4 shrink_axis_mask: i32 = 0,
        5 offset: bool = false }
    35 Split { 0 num_splits: i32 = 0 }
    37 Cast { 0 input: i8 = 0, 1 output: i8 = 0 }
    49 TransposeConv { 0 padding: i8 = 0, 1 stride_w: i32 = 0, 2 stride_h: i32 = 0, 3 activation: i8 = 0, 4 bias_type: i8 = 0 }
    55 Shape { 0 output: i8 = 0 }
    59 Pack { 0 values_count: i32 = 0, 1 axis: i32 = 0 }
    64 Unpack { 0 num: i32 = 0, 1 axis: i32 = 0 }
    71 UnidirectionalSequenceLstm { 0 activation: i8 = 0, 1 cell_clip: f32 = 0.0, 2 proj_clip: f32 = 0.0, 3 time_major: bool = false,
        4 asymmetric_quantize_inputs: bool = false, 5 diagonal_recurrent_tensors: bool = false }
    74 ResizeNearestNeighbor { 0 align_corners: bool = false, 1 half_pixel_centers: bool = false }
    75 LeakyRelu { 0 alpha: f32 = 0.0 }
    77 MirrorPad { 0 mode: i8 = 0 }
    79 SplitV { 0 num_splits: i32 = 0 }
    93 While { 0 condition: i32 = 0, 1 body: i32 = 0 }
    94 DepthToSpace { 0 block_size: i32 = 0 }
    101 BatchMatMul { 0 adj_x: bool = false, 1 adj_y: bool = false, 2 asymmetric_quantize_inputs: bool = false }
    102 Cumsum { 0 exclusive: bool = false, 1 reverse: bool = false }
    103 CallOnce { 0 subgraph: i32 = 0 }
    116 Gelu { 0 approximate: bool = false }
}

/// Most tables of a file: operators, tensors, and what describes them.
pub(crate) const MOST_TABLES: usize = 200_000;

/// Verifies `file` and returns its root table.
///
/// # Errors
/// What the verifier found, in its words.
pub(crate) fn root(file: &[u8]) -> Result<Model<'_>, InvalidFlatbuffer> {
    let options = VerifierOptions {
        max_depth: 16,
        max_tables: MOST_TABLES,
        max_apparent_size: file.len().saturating_mul(4).saturating_add(1 << 20),
        ignore_missing_null_terminator: true,
    };
    flatbuffers::root_with_opts::<Model<'_>>(&options, file)
}
