"""Makes single-operator models with corner cases, and the reference's outputs. `python make.py [NAME..]`

    pip install tflite-micro numpy
"""

import math
import os
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import numpy as np

import golden
from golden import schema

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
NONE, RELU, RELU6, N1_TO_1 = (getattr(schema.ActivationFunctionType, n) for n in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"))
TANH = schema.ActivationFunctionType.TANH
MODELS = {}


class Graph:
    """A model under construction; tensors are added as they are named, operators in order."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = b"smolnn"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, name, shape, dtype, scale=None, zero_point=0, data=None, axis=0, variable=False):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.isVariable, t.buffer = name.encode(), list(shape), golden.DTYPES[dtype], variable, 0
        if scale is not None:
            q = schema.QuantizationParametersT()
            q.scale = np.atleast_1d(np.asarray(scale, np.float32))
            q.zeroPoint = np.full(len(q.scale), zero_point, np.int64)
            q.quantizedDimension = axis
            t.quantization = q
        if data is not None:
            b = schema.BufferT()
            b.data = np.frombuffer(np.ascontiguousarray(data, golden.NUMPY[dtype]).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(b)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, *args, **kwargs):
        index = self.tensor(*args, **kwargs)
        self.graph.inputs.append(index)
        return index

    def output(self, *args, **kwargs):
        index = self.tensor(*args, **kwargs)
        self.graph.outputs.append(index)
        return index

    def operator(self, name, inputs, outputs, version=1, kind=None, **options):
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        op = schema.OperatorT()
        op.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        op.inputs, op.outputs = list(inputs), list(outputs)
        if kind is not None:
            op.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            op.builtinOptions = getattr(schema, kind + "T")()
            for key, value in options.items():
                assert hasattr(op.builtinOptions, key), key
                setattr(op.builtinOptions, key, value)
        self.graph.operators.append(op)

    def bytes(self):
        return golden.pack(self.model)


def register(name, function, *args, **kwargs):
    assert name not in MODELS, name
    MODELS[name] = lambda random: function(random, *args, **kwargs)


# ---- convolutions --------------------------------------------------------------------------------------------------

def spread(count, s_in, s_w, low=-128, high=127):
    """An output scale at which sums of `count` products of uniform int8 values use most of the range."""
    reach = 74.0 * (high - low) / 3.46 * math.sqrt(count) * s_in * s_w
    return reach / 40 if high == 127 else reach / 10000


def channel_scales(random, count):
    return np.exp(random.uniform(math.log(0.002), math.log(0.02), count)).astype(np.float32)


def clamped(activation, s_in, s_out):
    """Scales of input and output such that the activation's limits lie well inside the output's range."""
    wanted = {RELU6: 0.035, N1_TO_1: 0.012}.get(activation, s_out)
    return s_in * wanted / s_out, wanted


def padded_output(size, kernel, stride, dilation, padding):
    return -(-size // stride) if padding == SAME else -(-(size - (kernel - 1) * dilation) // stride)


def convolution(random, x, kernel, out=None, multiplier=None, stride=(1, 1), dilation=(1, 1), padding=SAME, activation=NONE, bias=True,
                zero_point=3, out_zero_point=-7, dtype="INT8", groups=1, extreme=False, per_tensor=False):
    """CONV_2D, or DEPTHWISE_CONV_2D where a multiplier is given."""
    g = Graph()
    batch, height, width, channels = x
    sixteen = dtype == "INT16"
    s_in = 0.05 if not sixteen else 0.0005
    zero_point, out_zero_point = (0, 0) if sixteen else (zero_point, out_zero_point)
    depthwise = multiplier is not None
    out = channels * multiplier if depthwise else out
    per_sum = kernel[0] * kernel[1] * (1 if depthwise else channels // groups)
    s_w = np.full(out, 0.01, np.float32) if extreme or per_tensor else channel_scales(random, out)
    shape = (1, *kernel, out) if depthwise else (out, *kernel, channels // groups)
    weights = random.integers(-127, 128, shape)
    if extreme:
        weights = np.where(np.arange(weights.size).reshape(shape) % 2 == 0, 127, -127)
        weights[..., : max(1, shape[-1] // 2)] = 127
    low, high = (-32768, 32767) if sixteen else (-128, 127)
    s_in, s_out = clamped(activation, s_in, spread(per_sum, s_in, float(np.median(s_w)), low, high))
    h, w = (padded_output(n, k, s, d, padding) for n, k, s, d in zip((height, width), kernel, stride, dilation))
    a = g.input("x", x, dtype, s_in, zero_point)
    wt = g.tensor("w", shape, "INT8", s_w[:1] if per_tensor else s_w, 0, weights, 3 if depthwise else 0)
    inputs = [a, wt]
    if bias:
        reach = int(s_out * (high - low) / 4 / s_in / float(np.median(s_w)))
        values = random.integers(-reach, reach + 1, out)
        inputs.append(g.tensor("b", (out,), "INT64" if sixteen else "INT32", (s_in * s_w)[:1] if per_tensor else s_in * s_w, 0, values))
    elif not depthwise:
        inputs.append(-1)
    y = g.output("y", (batch, h, w, out), dtype, s_out, out_zero_point)
    common = dict(padding=padding, strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0], dilationWFactor=dilation[1],
                  fusedActivationFunction=activation)
    if depthwise:
        g.operator("DEPTHWISE_CONV_2D", inputs, [y], 3, "DepthwiseConv2DOptions", depthMultiplier=multiplier, **common)
    else:
        g.operator("CONV_2D", inputs, [y], 3, "Conv2DOptions", **common)
    return g


for name, arguments in {
    "conv_1x1_3_to_5": dict(x=(1, 4, 5, 3), kernel=(1, 1), out=5),
    "conv_1x1_16_to_17_relu": dict(x=(1, 3, 5, 16), kernel=(1, 1), out=17, activation=RELU),
    "conv_1x1_13_to_1": dict(x=(1, 3, 3, 13), kernel=(1, 1), out=1),
    "conv_1x1_stride2": dict(x=(1, 5, 6, 8), kernel=(1, 1), out=4, stride=(2, 2)),
    "conv_stride_beyond_kernel": dict(x=(1, 8, 9, 3), kernel=(2, 2), out=4, stride=(3, 4), padding=VALID),
    "conv_stride_beyond_kernel_same": dict(x=(1, 7, 8, 3), kernel=(2, 1), out=4, stride=(3, 3)),
    "conv_kernel_beyond_input": dict(x=(1, 2, 3, 4), kernel=(5, 7), out=6),
    "conv_one_pixel": dict(x=(1, 1, 1, 5), kernel=(3, 3), out=7),
    "conv_even_kernel_same": dict(x=(1, 5, 6, 2), kernel=(4, 2), out=3),
    "conv_even_size_stride2_same": dict(x=(1, 8, 6, 4), kernel=(3, 3), out=8, stride=(2, 2)),
    "conv_dilation_same": dict(x=(1, 9, 8, 3), kernel=(3, 3), out=4, dilation=(2, 3)),
    "conv_tall": dict(x=(1, 11, 1, 4), kernel=(5, 1), out=6, stride=(2, 1)),
    "conv_batch3": dict(x=(3, 4, 4, 3), kernel=(3, 3), out=4),
    "conv_zero_point_min": dict(x=(1, 5, 5, 7), kernel=(3, 3), out=5, zero_point=-128, out_zero_point=-128, activation=RELU6),
    "conv_zero_point_max": dict(x=(1, 5, 5, 6), kernel=(3, 3), out=5, zero_point=127, out_zero_point=127),
    "conv_saturating": dict(x=(1, 6, 6, 9), kernel=(3, 3), out=4, extreme=True),
    "conv_groups2": dict(x=(1, 5, 5, 6), kernel=(3, 3), out=8, groups=2),
    "conv_int16_1x1_relu": dict(x=(1, 3, 4, 7), kernel=(1, 1), out=5, dtype="INT16", activation=RELU),
    "conv_int16_stride2_nobias": dict(x=(1, 6, 5, 4), kernel=(3, 2), out=5, dtype="INT16", stride=(2, 1), bias=False),
    "depthwise_3x3": dict(x=(1, 6, 5, 7), kernel=(3, 3), multiplier=1),
    "depthwise_3x3_valid_relu6": dict(x=(1, 6, 6, 16), kernel=(3, 3), multiplier=1, padding=VALID, activation=RELU6),
    "depthwise_even_size_stride2": dict(x=(1, 8, 6, 5), kernel=(3, 3), multiplier=1, stride=(2, 2)),
    "depthwise_one_channel_multiplier8": dict(x=(1, 9, 6, 1), kernel=(5, 4), multiplier=8, stride=(2, 2), activation=RELU),
    "depthwise_multiplier2_dilation": dict(x=(1, 8, 7, 3), kernel=(3, 3), multiplier=2, dilation=(2, 2)),
    "depthwise_multiplier5_valid": dict(x=(1, 4, 5, 2), kernel=(2, 3), multiplier=5, padding=VALID),
    "depthwise_dilation_valid": dict(x=(1, 9, 9, 4), kernel=(3, 3), multiplier=1, dilation=(3, 2), padding=VALID),
    "depthwise_stride_beyond_kernel": dict(x=(1, 9, 8, 4), kernel=(2, 2), multiplier=1, stride=(3, 3), padding=VALID),
    "depthwise_kernel_beyond_input": dict(x=(1, 2, 2, 5), kernel=(5, 5), multiplier=1),
    "depthwise_1d": dict(x=(1, 1, 15, 6), kernel=(1, 7), multiplier=1),
    "depthwise_1d_causal_size": dict(x=(1, 12, 1, 10), kernel=(4, 1), multiplier=1, padding=VALID),
    "depthwise_nobias": dict(x=(1, 4, 4, 6), kernel=(3, 3), multiplier=1, bias=False),
    "depthwise_batch2": dict(x=(2, 4, 4, 3), kernel=(3, 3), multiplier=2),
    "depthwise_zero_point_min": dict(x=(1, 4, 4, 9), kernel=(3, 3), multiplier=1, zero_point=-128, out_zero_point=-128, activation=RELU),
    "depthwise_int16": dict(x=(1, 5, 6, 6), kernel=(3, 3), multiplier=1, dtype="INT16"),
    "depthwise_int16_multiplier2_stride2": dict(x=(1, 6, 6, 3), kernel=(3, 3), multiplier=2, stride=(2, 2), dtype="INT16"),
}.items():
    register(name, convolution, **arguments)


def transpose_convolution(random, x, kernel, out, stride, padding, dtype="INT8"):
    g = Graph()
    sixteen = dtype == "INT16"
    s_in = 0.0005 if sixteen else 0.05
    batch, height, width, channels = x
    size = [n * s if padding == SAME else (n - 1) * s + max(k, s) for n, k, s in zip((height, width), kernel, stride)]
    s_w = channel_scales(random, out)
    low, high = golden.RANGES[np.dtype(golden.NUMPY[dtype])]
    s_out = spread(channels * kernel[0] * kernel[1] / stride[0] / stride[1], s_in, float(np.median(s_w)), low, high)
    shape = g.tensor("shape", (4,), "INT32", data=[batch, *size, out])
    w = g.tensor("w", (out, *kernel, channels), "INT8", s_w, 0, random.integers(-127, 128, (out, *kernel, channels)))
    a = g.input("x", x, dtype, s_in, 0 if sixteen else -5)
    reach = int(s_out * (high - low) / 4 / s_in / float(np.median(s_w)))
    b = g.tensor("b", (out,), "INT64" if sixteen else "INT32", s_in * s_w, 0, random.integers(-reach, reach, out))
    y = g.output("y", (batch, *size, out), dtype, s_out, 0 if sixteen else 9)
    g.operator("TRANSPOSE_CONV", [shape, w, a, b], [y], 3, "TransposeConvOptions", padding=padding, strideH=stride[0], strideW=stride[1])
    return g


register("transpose_conv_stride_beyond_kernel", transpose_convolution, (1, 3, 3, 4), (2, 2), 3, (3, 3), VALID)
register("transpose_conv_stride1_same", transpose_convolution, (1, 4, 5, 3), (3, 4), 5, (1, 1), SAME)
register("transpose_conv_int16", transpose_convolution, (1, 3, 4, 3), (3, 3), 4, (2, 2), SAME, "INT16")


# ---- dense ---------------------------------------------------------------------------------------------------------

def dense(random, x, out, per_channel=False, bias=True, activation=NONE, keep=False, dtype="INT8", zero_point=-9):
    g = Graph()
    sixteen = dtype == "INT16"
    s_in, zp = (0.0004, 0) if sixteen else (0.04, zero_point)
    s_w = channel_scales(random, out) if per_channel else np.array([0.013], np.float32)
    low, high = golden.RANGES[np.dtype(golden.NUMPY[dtype])]
    s_in, s_out = clamped(activation, s_in, spread(x[-1], s_in, float(np.median(s_w)), low, high))
    a = g.input("x", x, dtype, s_in, zp)
    w = g.tensor("w", (out, x[-1]), "INT8", s_w, 0, random.integers(-127, 128, (out, x[-1])))
    reach = int(s_out * (high - low) / 4 / s_in / float(np.median(s_w)))
    b = g.tensor("b", (out,), "INT64" if sixteen else "INT32", s_in * s_w, 0, random.integers(-reach, reach, out)) if bias else -1
    shape = (*x[:-1], out) if keep else (math.prod(x[:-1]), out)
    y = g.output("y", shape, dtype, s_out, 0 if sixteen else 5)
    g.operator("FULLY_CONNECTED", [a, w, b], [y], 4, "FullyConnectedOptions", fusedActivationFunction=activation, keepNumDims=keep)
    return g


register("dense_1_to_1", dense, (1, 1), 1)
register("dense_7_to_3", dense, (1, 7), 3)
register("dense_33_to_5_relu6", dense, (1, 33), 5, activation=RELU6)
register("dense_64_to_16_per_channel_nobias", dense, (1, 64), 16, per_channel=True, bias=False)
register("dense_batch3_n1_to_1", dense, (3, 10), 6, activation=N1_TO_1)
register("dense_keep_dimensions", dense, (1, 3, 4, 6), 5, keep=True, per_channel=True)
register("dense_zero_point_min_relu", dense, (1, 31), 9, zero_point=-128, activation=RELU)
register("dense_int16_per_channel", dense, (1, 19), 7, per_channel=True, dtype="INT16")
register("dense_int16_nobias_relu", dense, (2, 8), 4, bias=False, dtype="INT16", activation=RELU)


# ---- pooling -------------------------------------------------------------------------------------------------------

def pool(random, name, x, kernel, stride, padding, activation=NONE, dtype="INT8", zero_point=-11):
    g = Graph()
    s, zp = (0.001, 0) if dtype == "INT16" else (0.06, zero_point)
    h, w = (padded_output(n, k, t, 1, padding) for n, k, t in zip(x[1:3], kernel, stride))
    a = g.input("x", x, dtype, s, zp)
    y = g.output("y", (x[0], h, w, x[3]), dtype, s, zp)
    g.operator(name, [a], [y], 3, "Pool2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], filterHeight=kernel[0],
               filterWidth=kernel[1], fusedActivationFunction=activation)
    return g


for name, kind in {"max_pool": "MAX_POOL_2D", "average_pool": "AVERAGE_POOL_2D"}.items():
    register(f"{name}_2x2", pool, kind, (1, 6, 8, 5), (2, 2), (2, 2), VALID)
    register(f"{name}_3x3_stride2_same_relu6", pool, kind, (1, 7, 6, 4), (3, 3), (2, 2), SAME, activation=RELU6)
    register(f"{name}_3x2_stride1_same", pool, kind, (1, 5, 5, 3), (3, 2), (1, 1), SAME)
    register(f"{name}_whole", pool, kind, (1, 7, 5, 17), (7, 5), (1, 1), VALID)
    register(f"{name}_stride_beyond_window", pool, kind, (1, 9, 9, 2), (2, 2), (4, 3), VALID, activation=RELU)
    register(f"{name}_batch2_n1_to_1", pool, kind, (2, 4, 4, 3), (2, 2), (1, 1), SAME, activation=N1_TO_1)
    register(f"{name}_int16_stride2", pool, kind, (1, 5, 6, 3), (3, 3), (2, 2), SAME, activation=RELU, dtype="INT16")


# ---- element-wise --------------------------------------------------------------------------------------------------

BINARY = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions"}


def binary(random, name, a_shape, b_shape, s, zp, activation=NONE, dtype="INT8", constant=False, twice=False):
    g = Graph()
    out = np.broadcast_shapes(a_shape, b_shape)
    a = g.input("a", a_shape, dtype, s[0], zp[0])
    low, high = golden.RANGES[np.dtype(golden.NUMPY[dtype])]
    if twice:
        b = a
    elif constant:
        b = g.tensor("b", b_shape, dtype, s[1], zp[1], random.integers(low, high + 1, b_shape))
    else:
        b = g.input("b", b_shape, dtype, s[1], zp[1])
    y = g.output("y", out, dtype, s[2], zp[2])
    options = {} if name.endswith("MUM") else {"fusedActivationFunction": activation}
    g.operator(name, [a, b], [y], 2, BINARY[name], **options)
    return g


SCALES, ZEROS = (0.031, 0.047, 0.06), (4, -11, 9)
for name in ("ADD", "SUB", "MUL"):
    lower = name.lower()
    s = SCALES if name != "MUL" else (0.031, 0.047, 0.1)
    register(f"{lower}_broadcast_channel", binary, name, (1, 4, 5, 6), (6,), s, ZEROS, constant=True)
    register(f"{lower}_broadcast_scalar", binary, name, (1, 3, 4, 5), (1,), s, ZEROS, constant=True, activation=RELU)
    register(f"{lower}_broadcast_first", binary, name, (1, 1, 1, 7), (1, 4, 3, 7), s, ZEROS)
    register(f"{lower}_relu6_odd_length", binary, name, (1, 37), (1, 37), s, ZEROS, activation=RELU6)
register("add_same_scales", binary, "ADD", (1, 50), (1, 50), (0.05, 0.05, 0.05), (0, 0, 0))
register("add_very_different_scales", binary, "ADD", (1, 64), (1, 64), (0.0009, 0.7, 0.5), (-128, 127, 3))
register("add_to_itself", binary, "ADD", (1, 5, 5, 3), (1, 5, 5, 3), (0.04, 0.04, 0.07), (6, 6, -2), twice=True)
register("add_int16_relu", binary, "ADD", (1, 6, 7), (1, 6, 7), (0.0003, 0.0004, 0.0005), (0, 0, 0), activation=RELU, dtype="INT16")
register("mul_int16_broadcast", binary, "MUL", (1, 6, 7), (7,), (0.0003, 0.0004, 0.003), (0, 0, 0), constant=True, dtype="INT16")
register("maximum_broadcast", binary, "MAXIMUM", (1, 4, 6), (6,), (0.05, 0.05, 0.05), (3, 3, 3), constant=True)
register("minimum_broadcast", binary, "MINIMUM", (1, 4, 6), (1,), (0.05, 0.05, 0.05), (3, 3, 3), constant=True)


def unary(random, name, s, zp, version=1, kind=None, dtype="INT8", out_dtype=None, shape=None, **options):
    """An activation: all 256 values in int8, a dense sweep in int16."""
    g = Graph()
    shape = shape or ((1, 256) if dtype == "INT8" else (1, 1025))
    a = g.input("x", shape, dtype, s[0], zp[0])
    y = g.output("y", shape, out_dtype or dtype, s[1], zp[1])
    g.operator(name, [a], [y], version, kind, **options)
    return g


register("relu_rescaling", unary, "RELU", (0.05, 0.031), (-20, -128))
register("leaky_relu_steep", unary, "LEAKY_RELU", (0.05, 0.06), (12, -30), kind="LeakyReluOptions", alpha=1.7)
register("leaky_relu_negative_slope", unary, "LEAKY_RELU", (0.05, 0.05), (12, 12), kind="LeakyReluOptions", alpha=-0.4)
register("leaky_relu_int16_small", unary, "LEAKY_RELU", (0.0003, 0.0003), (0, 0), 2, dtype="INT16", kind="LeakyReluOptions", alpha=0.01)
register("leaky_relu_int16_steep", unary, "LEAKY_RELU", (0.0003, 0.0007), (0, 0), 2, dtype="INT16", kind="LeakyReluOptions", alpha=1.9)
register("elu_coarse", unary, "ELU", (0.2, 0.1), (40, -118))
register("hard_swish_shifted", unary, "HARD_SWISH", (0.04, 0.025), (30, -113), kind="HardSwishOptions")
register("hard_swish_growing", unary, "HARD_SWISH", (0.11, 0.02), (-60, -100), kind="HardSwishOptions")
register("abs", unary, "ABS", (0.05, 0.04), (7, -128), kind="AbsOptions")
register("logistic_zero_point", unary, "LOGISTIC", (0.043, 1 / 256), (90, -128))
register("tanh_zero_point", unary, "TANH", (0.023, 1 / 128), (-77, 0))
register("log_softmax", unary, "LOG_SOFTMAX", (0.1, 16 / 256), (5, 127), shape=(6, 10), kind="LogSoftmaxOptions")
register("log_softmax_fine", unary, "LOG_SOFTMAX", (0.012, 16 / 256), (-40, 127), shape=(8, 3), kind="LogSoftmaxOptions")
register("log_softmax_wide", unary, "LOG_SOFTMAX", (0.6, 16 / 256), (0, 127), shape=(4, 17), kind="LogSoftmaxOptions")
register("softmax_one_class", unary, "SOFTMAX", (0.1, 1 / 256), (5, -128), 2, shape=(4, 1), kind="SoftmaxOptions", beta=1.0)
register("softmax_two_classes", unary, "SOFTMAX", (0.07, 1 / 256), (5, -128), 2, shape=(16, 2), kind="SoftmaxOptions", beta=1.0)
register("softmax_100_classes", unary, "SOFTMAX", (0.05, 1 / 256), (5, -128), 2, shape=(1, 100), kind="SoftmaxOptions", beta=1.0)
register("softmax_4d", unary, "SOFTMAX", (0.1, 1 / 256), (-3, -128), 2, shape=(1, 3, 2, 5), kind="SoftmaxOptions", beta=1.0)
register("softmax_fine", unary, "SOFTMAX", (0.003, 1 / 256), (0, -128), 2, shape=(2, 9), kind="SoftmaxOptions", beta=1.0)
register("softmax_coarse", unary, "SOFTMAX", (3.0, 1 / 256), (0, -128), 2, shape=(2, 9), kind="SoftmaxOptions", beta=1.0)
for source, target, s, zp in (("FLOAT32", "INT16", (None, 0.0002), (0, 0)), ("INT8", "INT16", (0.05, 0.0003), (7, 0)),
                              ("INT16", "INT16", (0.0003, 0.0005), (0, 0)), ("INT16", "INT32", (0.0003, 0.00001), (0, 0)),
                              ("UINT8", "INT8", (0.05, 0.05), (130, 2))):
    register(f"quantize_{source.lower()}_{target.lower()}", unary, "QUANTIZE", s, zp, dtype=source, out_dtype=target, shape=(1, 129))
register("dequantize_int16", unary, "DEQUANTIZE", (0.0003, None), (0, 0), 3, dtype="INT16", out_dtype="FLOAT32", shape=(1, 129))


def prelu(random, x, slope, dtype="INT8"):
    g = Graph()
    a = g.input("x", x, dtype, 0.05, 3)
    alpha = g.tensor("alpha", slope, "INT8", 0.01, 2, random.integers(-128, 128, slope))
    y = g.output("y", x, dtype, 0.045, -4)
    g.operator("PRELU", [a, alpha], [y])
    return g


register("prelu_scalar", prelu, (1, 5, 5, 3), (1, 1, 1))
register("prelu_full", prelu, (1, 3, 4, 5), (3, 4, 5))


# ---- reductions, padding, moving -----------------------------------------------------------------------------------

def reduction(random, name, x, axes, keep, s, zp, dtype="INT8"):
    g = Graph()
    a = g.input("x", x, dtype, s[0], zp[0])
    ax = g.tensor("axes", (len(axes),), "INT32", data=axes)
    gone = {i % len(x) for i in axes}
    shape = [1 if i in gone else n for i, n in enumerate(x) if keep or i not in gone]
    y = g.output("y", shape, dtype, s[1], zp[1])
    g.operator(name, [a, ax], [y], 2, "ReducerOptions", keepDims=keep)
    return g


register("mean_height_width_keep", reduction, "MEAN", (1, 5, 7, 9), (1, 2), True, (0.031, 0.017), (5, -14))
register("mean_height_width_same_scale", reduction, "MEAN", (1, 4, 4, 6), (1, 2), False, (0.031, 0.031), (5, 5))
register("mean_same_scale_other_zero_point", reduction, "MEAN", (1, 3, 5, 6), (1, 2), False, (0.031, 0.031), (5, -60))
register("mean_height", reduction, "MEAN", (1, 6, 3, 4), (1,), False, (0.04, 0.02), (-128, -128))
register("mean_width_negative_axis", reduction, "MEAN", (1, 6, 3, 4), (-2,), True, (0.04, 0.03), (0, 0))
register("mean_large", reduction, "MEAN", (1, 24, 24, 2), (1, 2), False, (0.02, 0.003), (2, -20))
register("mean_one_pixel", reduction, "MEAN", (1, 1, 1, 8), (1, 2), False, (0.02, 0.03), (1, 2))
register("mean_batch2", reduction, "MEAN", (2, 3, 3, 5), (1, 2), True, (0.02, 0.012), (1, 2))
register("mean_time", reduction, "MEAN", (1, 9, 5), (1,), False, (0.02, 0.011), (1, 2))
register("mean_int16_keep", reduction, "MEAN", (1, 5, 5, 3), (1, 2), True, (0.0004, 0.0003), (0, 0), dtype="INT16")


def pad(random, x, amounts, value=None, dtype="INT8"):
    g = Graph()
    s, zp = (0.001, 0) if dtype == "INT16" else (0.05, -17)
    a = g.input("x", x, dtype, s, zp)
    p = g.tensor("paddings", np.shape(amounts), "INT32", data=amounts)
    shape = [n + before + after for n, (before, after) in zip(x, amounts)]
    inputs = [a, p]
    if value is not None:
        inputs.append(g.tensor("value", (1,), dtype, s, zp, [value]))
    y = g.output("y", shape, dtype, s, zp)
    g.operator("PAD" if value is None else "PADV2", inputs, [y], 2, "PadOptions" if value is None else "PadV2Options")
    return g


register("pad_height_width", pad, (1, 3, 4, 5), ((0, 0), (1, 2), (0, 3), (0, 0)))
register("pad_channels", pad, (1, 2, 3, 4), ((0, 0), (0, 0), (0, 0), (1, 2)))
register("pad_batch", pad, (1, 2, 3, 2), ((1, 1), (1, 0), (0, 1), (0, 0)))
register("pad_time", pad, (1, 6, 3), ((0, 0), (4, 0), (0, 0)))
register("pad_nothing", pad, (1, 2, 3, 2), ((0, 0), (0, 0), (0, 0), (0, 0)))
register("pad_int16", pad, (1, 3, 3, 2), ((0, 0), (1, 1), (2, 1), (0, 0)), dtype="INT16")
register("padv2_min", pad, (1, 3, 4, 2), ((0, 0), (1, 2), (3, 0), (0, 0)), value=-128)
register("padv2_channels", pad, (1, 2, 2, 3), ((0, 0), (1, 0), (0, 1), (2, 1)), value=45)


def strided_slice(random, x, begin, end, stride, out, begin_mask=0, end_mask=0, shrink=0, dtype="INT8"):
    g = Graph()
    s, zp = (0.001, 0) if dtype == "INT16" else (0.05, -17)
    inputs = [g.input("x", x, dtype, s, zp)]
    inputs += [g.tensor(n, (len(v),), "INT32", data=v) for n, v in (("begin", begin), ("end", end), ("strides", stride))]
    y = g.output("y", out, dtype, s, zp)
    g.operator("STRIDED_SLICE", inputs, [y], 2, "StridedSliceOptions", beginMask=begin_mask, endMask=end_mask, shrinkAxisMask=shrink)
    return g


register("strided_slice_last_frame", strided_slice, (1, 7, 5), (0, -1, 0), (0, 0, 0), (1, 1, 1), (1, 5), 5, 5, 2)
register("strided_slice_window", strided_slice, (1, 6, 7, 3), (0, 1, 2, 0), (1, 5, 6, 3), (1, 2, 1, 1), (1, 2, 4, 3))
register("strided_slice_int16", strided_slice, (1, 6, 4), (0, 1, 0), (1, 6, 4), (1, 2, 2), (1, 3, 2), dtype="INT16")


def concatenation(random, shapes, axis, dtype="INT8"):
    g = Graph()
    s, zp = (0.001, 0) if dtype == "INT16" else (0.05, 3)
    inputs = [g.input(f"x{i}", shape, dtype, s, zp) for i, shape in enumerate(shapes)]
    out = list(shapes[0])
    out[axis] = sum(shape[axis] for shape in shapes)
    y = g.output("y", out, dtype, s, zp)
    g.operator("CONCATENATION", inputs, [y], 2, "ConcatenationOptions", axis=axis)
    return g


register("concatenation_channels", concatenation, ((1, 3, 4, 2), (1, 3, 4, 5), (1, 3, 4, 1)), 3)
register("concatenation_height", concatenation, ((1, 2, 3, 4), (1, 3, 3, 4)), 1)
register("concatenation_last_negative", concatenation, ((1, 5), (1, 7)), -1)
register("concatenation_int16", concatenation, ((1, 3, 2), (1, 3, 4)), 2, "INT16")


def reshape(random, x, out, dtype="INT8"):
    g = Graph()
    s, zp = (0.001, 0) if dtype == "INT16" else (0.05, 3)
    a = g.input("x", x, dtype, s, zp)
    shape = g.tensor("shape", (len(out),), "INT32", data=out)
    size = math.prod(x) // -math.prod(out) if -1 in out else 0
    y = g.output("y", [size if n == -1 else n for n in out], dtype, s, zp)
    g.operator("RESHAPE", [a, shape], [y], 1, "ReshapeOptions", newShape=list(out))
    return g


register("reshape_flatten", reshape, (1, 3, 2, 4), (1, 24))
register("reshape_minus_one", reshape, (2, 3, 4), (2, -1))


# ---- recurrent -----------------------------------------------------------------------------------------------------

def svdf(random, features, units, rank, memory, activation=NONE, batch=1, state="INT16"):
    g = Graph()
    filters = units * rank
    s_state, s_time = (0.0005, 0.0002) if state == "INT16" else (0.05, 0.01)
    low, high = golden.RANGES[np.dtype(golden.NUMPY[state])]
    x = g.input("x", (batch, features), "INT8", 0.04, 3)
    wf = g.tensor("w_feature", (filters, features), "INT8", 0.01, 0, random.integers(-127, 128, (filters, features)))
    wt = g.tensor("w_time", (filters, memory), state, s_time, 0, random.integers(low // 2, high // 2, (filters, memory)))
    b = g.tensor("b", (units,), "INT32", s_state * s_time, 0, random.integers(-2000, 2000, units) * (1 if state == "INT8" else 1000))
    st = g.tensor("state", (batch, memory * filters), state, s_state, 0, variable=True)
    reach = 74 * 74 * math.sqrt(features) * 0.04 * 0.01 * (high / 2 * s_time) * math.sqrt(memory * rank) / 1.7
    y = g.output("y", (batch, units), "INT8", reach / 50, -4)
    g.operator("SVDF", [x, wf, wt, b, st], [y], 4, "SVDFOptions", rank=rank, fusedActivationFunction=activation)
    return g


register("svdf_rank1_relu", svdf, 9, 7, 1, 8, RELU)
register("svdf_rank3_batch2", svdf, 6, 3, 3, 5, batch=2)
register("svdf_int8_state", svdf, 10, 5, 2, 6, RELU, state="INT8")
register("svdf_int8_state_no_activation", svdf, 11, 8, 1, 4, state="INT8")


def lstm(random, features, units, steps, batch=1, clip=0.0, cell_bits=-11, time_major=False, activations="INT8", zero_point=7, hidden_zero_point=-3):
    g = Graph()
    sixteen = activations == "INT16"
    s_x, s_h = (0.0002, 2.0 ** -15) if sixteen else (0.04, 1 / 127)
    zx, zh = (0, 0) if sixteen else (zero_point, hidden_zero_point)
    bias = "INT64" if sixteen else "INT32"
    time_shape = lambda n: (steps, batch, n) if time_major else (batch, steps, n)
    x = g.input("x", time_shape(features), activations, s_x, zx)
    s_w, s_r = (np.float32(2.0 / math.sqrt(n) / 127 * v) for n, v in ((features, 1.0), (units, 1.3)))
    w = [g.tensor(f"w_{n}", (units, features), "INT8", s_w * (1 + 0.1 * i), 0, random.integers(-127, 128, (units, features)))
         for i, n in enumerate("ifco")]
    r = [g.tensor(f"r_{n}", (units, units), "INT8", s_r * (1 + 0.07 * i), 0, random.integers(-127, 128, (units, units)))
         for i, n in enumerate("ifco")]
    b = [g.tensor(f"b_{n}", (units,), bias, np.float32(s_x) * s_w * np.float32(1 + 0.1 * i), 0,
                  (random.normal(0.3 if n == "f" else 0, 0.3, units) / (s_x * float(s_w))).round()) for i, n in enumerate("ifco")]
    h = g.tensor("h", (batch, units), activations, s_h, zh, variable=True)
    c = g.tensor("c", (batch, units), "INT16", 2.0 ** cell_bits, 0, variable=True)
    y = g.output("y", time_shape(units), activations, s_h, zh)
    inner = []
    for i in range(4):
        inner.append(g.tensor(f"intermediate_{i}", (0,), "FLOAT32"))
    inner.append(g.tensor("intermediate_4", (0,), activations, s_h, zh))
    g.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *w, *r, -1, -1, -1, *b, -1, -1, h, c, -1, -1, -1, -1], [y], 1,
               "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=TANH, cellClip=clip, timeMajor=time_major)
    g.graph.operators[-1].intermediates = inner
    return g


register("lstm_odd_sizes", lstm, 5, 7, 9)
register("lstm_one_unit", lstm, 1, 1, 12)
register("lstm_batch2", lstm, 6, 5, 4, batch=2)
register("lstm_time_major", lstm, 6, 5, 4, batch=2, time_major=True)
register("lstm_cell_2_pow_9_clip", lstm, 4, 9, 10, clip=3.0, cell_bits=-9)
register("lstm_int16", lstm, 6, 8, 6, activations="INT16")
register("lstm_int16_clip_cell_2_pow_12", lstm, 5, 4, 8, activations="INT16", clip=2.0, cell_bits=-12)
register("lstm_16_units", lstm, 12, 16, 6)
# The sizes for which others' instruction counts are known (baseline).
register("lstm_28_to_20", lstm, 28, 20, 28)
register("lstm_40_to_64", lstm, 40, 64, 49)
register("lstm_int16_28_to_20", lstm, 28, 20, 28, activations="INT16")
register("svdf_40_to_64", svdf, 40, 64, 1, 10)


# ---- writing -------------------------------------------------------------------------------------------------------

def cases(name, model, random):
    graph = golden.parse(model).subgraphs[0]
    shapes = golden.input_shapes(model)
    operator = golden.operator_name(golden.parse(model), graph.operators[0])
    elements = [math.prod(shape) for shape, _ in shapes]
    stateful = operator in ("SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM")

    def uniform(count):
        arrays = []
        for shape, dtype in shapes:
            if dtype == np.float32:
                arrays.append(random.uniform(-8, 8, (count, *shape)).astype(np.float32))
            else:
                low, high = (0, 255) if dtype == np.uint8 else golden.RANGES[np.dtype(dtype)]
                arrays.append(random.integers(low, high + 1, (count, *shape)).astype(dtype))
        return arrays

    if stateful and "_to_" in name:
        return [("random", uniform(1 if "lstm" in name else 12))]
    if stateful:
        return [("random", uniform(12 if operator == "SVDF" else 1)), ("random_calls", uniform(3)), ("all_max", ["GEN:all_max"])]
    if len(shapes) == 1 and shapes[0][1] == np.int8 and elements[0] == 256:
        return [("all256", ["GEN:ramp"])]
    if len(shapes) == 1 and shapes[0][1] == np.int16 and elements[0] == 1025:
        sweep = (np.arange(1025) * 65535 // 1024 - 32768).astype(np.int16)
        return [("sweep", [sweep.reshape(1, 1, -1)])]
    if shapes[0][1] in (np.float32, np.uint8):
        return [("random", uniform(1))]
    moving = operator in ("PAD", "PADV2", "STRIDED_SLICE", "CONCATENATION", "RESHAPE")
    found = [("random0", uniform(1))]
    if not moving:
        found += [("random1", uniform(1)), ("all_min", ["GEN:all_min"] * len(shapes)), ("all_max", ["GEN:all_max"] * len(shapes))]
    return found


def main(chosen):
    unsupported, total = [], 0
    for name, function in MODELS.items():
        if chosen and name not in chosen:
            continue
        random = np.random.default_rng(zlib.crc32(name.encode()))
        model = function(random).bytes()
        directory = os.path.join(HERE, name)
        try:
            results = golden.write(directory, model, cases(name, model, random))
        except RuntimeError as error:
            print(f"{name}: not supported by the reference: {error}")
            unsupported.append(name)
            for file in os.listdir(directory):
                os.remove(os.path.join(directory, file))
            os.rmdir(directory)
            continue
        size = sum(os.path.getsize(os.path.join(directory, f)) for f in os.listdir(directory))
        total += size
        first = results[0][0]
        print(f"{name}: {size} bytes, {len(np.unique(first))} distinct of {first.size} outputs in {first.min()} ..= {first.max()}")
    print(f"{len(MODELS)} models, {total} bytes, {len(unsupported)} unsupported: {', '.join(unsupported)}")


main(sys.argv[1:])
