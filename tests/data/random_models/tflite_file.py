"""Writes `.tflite` files: one subgraph, described by tensors and operators.

Field numbers and type codes are those of TensorFlow's `schema.fbs` (version 3, file identifier `TFL3`). Only the tables
that random models need are written.
"""

from pathlib import Path

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

# The operators' names in the order of their codes: the importer's own list.
_NAMES = Path(__file__).parents[3] / "crates/smolnn-import/src"
OPERATOR_CODES = {
    name: code
    for code, name in enumerate(next(_NAMES.rglob("builtin_operators.txt")).read_text().split())
}

# Codes of `TensorType`, and the numpy types that hold their elements.
TYPE_CODES = {"f32": 0, "f16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9, "f64": 10,
              "uint64": 12, "uint32": 15, "uint16": 16}
NUMPY_TYPES = {"f32": np.float32, "f16": np.float16, "int32": np.int32, "uint8": np.uint8, "int64": np.int64,
               "bool": np.bool_, "int16": np.int16, "int8": np.int8, "f64": np.float64, "uint32": np.uint32,
               "uint64": np.uint64, "uint16": np.uint16}

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3, "TANH": 4, "SIGN_BIT": 5}
PADDINGS = {"SAME": 0, "VALID": 1}

# Options of the operators that have some: code in the union `BuiltinOptions`, then field -> (slot, type).
_BINARY = {"activation": (0, "int8")}
_NO_FIELDS = {}
OPTIONS = {
    "CONV_2D": (1, {"padding": (0, "int8"), "stride_w": (1, "int32"), "stride_h": (2, "int32"), "activation": (3, "int8"),
                    "dilation_w": (4, "int32"), "dilation_h": (5, "int32"), "bias_type": (6, "int8")}),
    "DEPTHWISE_CONV_2D": (2, {"padding": (0, "int8"), "stride_w": (1, "int32"), "stride_h": (2, "int32"),
                              "depth_multiplier": (3, "int32"), "activation": (4, "int8"), "dilation_w": (5, "int32"),
                              "dilation_h": (6, "int32")}),
    "AVERAGE_POOL_2D": (5, {"padding": (0, "int8"), "stride_w": (1, "int32"), "stride_h": (2, "int32"),
                            "filter_w": (3, "int32"), "filter_h": (4, "int32"), "activation": (5, "int8")}),
    "SVDF": (6, {"rank": (0, "int32"), "activation": (1, "int8"), "asymmetric_quantize_inputs": (2, "bool")}),
    "FULLY_CONNECTED": (8, {"activation": (0, "int8"), "keep_num_dims": (2, "bool"), "bias_type": (4, "int8")}),
    "SOFTMAX": (9, {"beta": (0, "f32")}),
    "CONCATENATION": (10, {"axis": (0, "int32"), "activation": (1, "int8")}),
    "ADD": (11, {"activation": (0, "int8"), "pot_scale_int16": (1, "bool")}),
    "L2_NORMALIZATION": (12, _BINARY),
    "RESIZE_BILINEAR": (15, {"align_corners": (2, "bool"), "half_pixel_centers": (3, "bool")}),
    "RESHAPE": (17, {"new_shape": (0, "int32 vector")}),
    "SPACE_TO_DEPTH": (19, {"block_size": (0, "int32")}),
    "MUL": (21, _BINARY),
    "PAD": (22, _NO_FIELDS),
    "GATHER": (23, {"axis": (0, "int32"), "batch_dims": (1, "int32")}),
    "BATCH_TO_SPACE_ND": (24, _NO_FIELDS),
    "SPACE_TO_BATCH_ND": (25, _NO_FIELDS),
    "TRANSPOSE": (26, _NO_FIELDS),
    "MEAN": (27, {"keep_dims": (0, "bool")}),
    "SUB": (28, {"activation": (0, "int8"), "pot_scale_int16": (1, "bool")}),
    "DIV": (29, _BINARY),
    "SQUEEZE": (30, {"squeeze_dims": (0, "int32 vector")}),
    "STRIDED_SLICE": (32, {"begin_mask": (0, "int32"), "end_mask": (1, "int32"), "ellipsis_mask": (2, "int32"),
                           "new_axis_mask": (3, "int32"), "shrink_axis_mask": (4, "int32"), "offset": (5, "bool")}),
    "EXP": (33, _NO_FIELDS),
    "SPLIT": (35, {"num_splits": (0, "int32")}),
    "LOG_SOFTMAX": (36, _NO_FIELDS),
    "CAST": (37, {"in_type": (0, "int8"), "out_type": (1, "int8")}),
    "DEQUANTIZE": (38, _NO_FIELDS),
    "MAXIMUM": (39, _NO_FIELDS),
    "ARG_MAX": (40, {"output_type": (0, "int8")}),
    "LESS": (41, _NO_FIELDS),
    "NEG": (42, _NO_FIELDS),
    "PADV2": (43, _NO_FIELDS),
    "GREATER": (44, _NO_FIELDS),
    "GREATER_EQUAL": (45, _NO_FIELDS),
    "LESS_EQUAL": (46, _NO_FIELDS),
    "SLICE": (48, _NO_FIELDS),
    "TRANSPOSE_CONV": (49, {"padding": (0, "int8"), "stride_w": (1, "int32"), "stride_h": (2, "int32"),
                            "activation": (3, "int8"), "bias_type": (4, "int8")}),
    "TILE": (51, _NO_FIELDS),
    "EXPAND_DIMS": (52, _NO_FIELDS),
    "EQUAL": (53, _NO_FIELDS),
    "NOT_EQUAL": (54, _NO_FIELDS),
    "SHAPE": (55, {"out_type": (0, "int8")}),
    "ARG_MIN": (57, {"output_type": (0, "int8")}),
    "PACK": (59, {"values_count": (0, "int32"), "axis": (1, "int32")}),
    "LOGICAL_OR": (60, _NO_FIELDS),
    "LOGICAL_AND": (62, _NO_FIELDS),
    "LOGICAL_NOT": (63, _NO_FIELDS),
    "UNPACK": (64, {"num": (0, "int32"), "axis": (1, "int32")}),
    "FLOOR_DIV": (65, _NO_FIELDS),
    "SQUARE": (66, _NO_FIELDS),
    "ZEROS_LIKE": (67, _NO_FIELDS),
    "FILL": (68, _NO_FIELDS),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (71, {"activation": (0, "int8"), "cell_clip": (1, "f32"), "proj_clip": (2, "f32"),
                                          "time_major": (3, "bool")}),
    "FLOOR_MOD": (72, _NO_FIELDS),
    "RESIZE_NEAREST_NEIGHBOR": (74, {"align_corners": (0, "bool"), "half_pixel_centers": (1, "bool")}),
    "LEAKY_RELU": (75, {"alpha": (0, "f32")}),
    "SQUARED_DIFFERENCE": (76, _NO_FIELDS),
    "MIRROR_PAD": (77, {"mode": (0, "int8")}),
    "ABS": (78, _NO_FIELDS),
    "SPLIT_V": (79, {"num_splits": (0, "int32")}),
    "REVERSE_V2": (81, _NO_FIELDS),
    "ADD_N": (82, _NO_FIELDS),
    "GATHER_ND": (83, _NO_FIELDS),
    "COS": (84, _NO_FIELDS),
    "QUANTIZE": (89, _NO_FIELDS),
    "HARD_SWISH": (91, _NO_FIELDS),
    "DEPTH_TO_SPACE": (94, {"block_size": (0, "int32")}),
    "SELECT_V2": (98, _NO_FIELDS),
    "BATCH_MATMUL": (101, {"adj_x": (0, "bool"), "adj_y": (1, "bool"), "asymmetric_quantize_inputs": (2, "bool")}),
    "CUMSUM": (102, {"exclusive": (0, "bool"), "reverse": (1, "bool")}),
    "BROADCAST_TO": (104, _NO_FIELDS),
    "GELU": (116, {"approximate": (0, "bool")}),
    "DYNAMIC_UPDATE_SLICE": (117, _NO_FIELDS),
}
for _alias, _name in {"MAX_POOL_2D": "AVERAGE_POOL_2D", "L2_POOL_2D": "AVERAGE_POOL_2D", "MINIMUM": "MAXIMUM", "SUM": "MEAN",
                      "REDUCE_MAX": "MEAN", "REDUCE_MIN": "MEAN", "REDUCE_PROD": "MEAN", "REDUCE_ANY": "MEAN",
                      "REDUCE_ALL": "MEAN"}.items():
    OPTIONS[_alias] = OPTIONS[_name]


class Graph:
    """Tensors and operators, in the order in which they are written."""

    def __init__(self):
        self.tensors = []
        self.operators = []
        self.versions = {}

    def tensor(self, shape, dtype, scales=(), zero_points=(), axis=0, data=None, variable=False):
        """Adds a tensor and gives its index; `data` makes it a constant."""
        if data is not None:
            data = np.ascontiguousarray(data, NUMPY_TYPES[dtype])
            assert data.size == np.prod(shape, dtype=np.int64), (data.shape, shape)
        self.tensors.append((tuple(int(n) for n in shape), dtype, list(scales), list(zero_points), int(axis), data, variable))
        return len(self.tensors) - 1

    def operator(self, name, inputs, outputs, version=1, **options):
        """Adds an operator; an input of −1 is left out."""
        self.operators.append((name, [int(i) for i in inputs], [int(i) for i in outputs], options))
        self.versions[name] = version

    def write(self, inputs, outputs):
        """The bytes of the file."""
        builder = flatbuffers.Builder(1024)
        constants = [tensor[5] for tensor in self.tensors if tensor[5] is not None]
        # Buffer 0 is the empty one, which tensors that are computed refer to.
        buffers = _tables(builder, [{}] + [{0: _bytes(builder, data.tobytes())} for data in constants])
        tensors, constant = [], 0
        for index, (shape, dtype, scales, zero_points, axis, data, variable) in enumerate(self.tensors):
            fields = {0: _vector(builder, "int32", shape), 1: ("int8", TYPE_CODES[dtype]), 3: builder.CreateString(f"t{index}"),
                      5: ("bool", variable)}
            if data is not None:
                constant += 1
                fields[2] = ("uint32", constant)
            if scales:
                quantisation = {2: _vector(builder, "f32", scales), 3: _vector(builder, "int64", zero_points), 6: ("int32", axis)}
                fields[4] = _table(builder, quantisation)
            tensors.append(fields)
        tensors = _tables(builder, tensors)
        names = sorted({operator[0] for operator in self.operators})
        codes = _tables(builder, [_code(builder, name, self.versions[name]) for name in names])
        operators = []
        for name, arguments, results, options in self.operators:
            fields = {0: ("uint32", names.index(name)), 1: _vector(builder, "int32", arguments), 2: _vector(builder, "int32", results)}
            if name in OPTIONS:
                code, slots = OPTIONS[name]
                table = {}
                for option, value in options.items():
                    slot, kind = slots[option]
                    table[slot] = _vector(builder, "int32", value) if kind == "int32 vector" else (kind, value)
                fields[3], fields[4] = ("uint8", code), _table(builder, table)
            elif name not in OPERATOR_CODES:
                fields[5] = _bytes(builder, bytes(flexbuffers.Dumps(options)))
            else:
                assert not options, (name, options)
            operators.append(fields)
        operators = _tables(builder, operators)
        subgraph = {0: tensors, 1: _vector(builder, "int32", inputs), 2: _vector(builder, "int32", outputs), 3: operators}
        subgraphs = _tables(builder, [subgraph])
        builder.Finish(_table(builder, {0: ("uint32", 3), 1: codes, 2: subgraphs, 4: buffers}), b"TFL3")
        return bytes(builder.Output())


_PREPEND = {"int8": "Int8", "uint8": "Uint8", "bool": "Bool", "int32": "Int32", "uint32": "Uint32", "int64": "Int64", "f32": "Float32"}
_WIDTHS = {"int32": 4, "f32": 4, "int64": 8}


def _code(builder, name, version):
    """An entry of the table of operator codes; what is no builtin operator is a custom one."""
    code = OPERATOR_CODES.get(name, OPERATOR_CODES["CUSTOM"])
    fields = {0: ("int8", min(code, 127)), 2: ("int32", version), 3: ("int32", code)}
    if name not in OPERATOR_CODES:
        fields[1] = builder.CreateString(name)
    return fields


def _table(builder, fields):
    """A table of fields by slot: an offset, or a pair of type and value, which is written even when it is the default."""
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, field in fields.items():
        if isinstance(field, tuple):
            kind, value = field
            getattr(builder, f"Prepend{_PREPEND[kind]}")(value)
            builder.Slot(slot)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, field, 0)
    return builder.EndObject()


def _tables(builder, tables):
    offsets = [_table(builder, fields) for fields in tables]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _vector(builder, kind, values):
    width = _WIDTHS[kind]
    builder.StartVector(width, len(values), width)
    for value in reversed(values):
        getattr(builder, f"Prepend{_PREPEND[kind]}")(float(value) if kind == "f32" else int(value))
    return builder.EndVector()


def _bytes(builder, data):
    """A vector of bytes, aligned to 16 as the schema demands of constants."""
    builder.StartVector(1, len(data), 16)
    builder.head -= len(data)
    builder.Bytes[builder.Head():builder.Head() + len(data)] = data
    return builder.EndVector()
