"""Random models of one operator each. `FAMILIES` has them all: name -> (function, types that the reference runs). `TENSORFLOW` has what only TensorFlow runs.

A type is that of the activations, then `>` and the output's type where it is another one, or a variant of the operator.
"""

import math

import numpy as np

from sample import LIMITS, Redraw, type_code
from tflite_file import ACTIVATIONS, PADDINGS

FAMILIES, TENSORFLOW = {}, {}
# The types of operators that move elements of any kind.
EVERY = ("int8", "uint8", "int16", "int32", "int64", "bool", "f32")


def family(types, families=FAMILIES):
    """Registers a function for several operators: a dictionary from space-separated names to space-separated types."""
    def register(function):
        for names, kinds in types.items():
            for name in names.split():
                families[name] = (function, tuple(kinds.split()) if isinstance(kinds, str) else tuple(kinds))
        return function
    return register


def tensorflow(types):
    """As `family`, for operators and types that TensorFlow's reference kernels run and the other reference does not."""
    return family(types, TENSORFLOW)


# ---- elementwise -----------------------------------------------------------------------------------------------------

def broadcast_pair(s):
    """Two shapes that broadcast, and the result's: mostly equal ones, a scalar, ones within, fewer dimensions."""
    shape = s.shape(high=5)
    kind = s.integer(0, 5)
    first, second = list(shape), list(shape)
    if kind == 1:
        second = s.choose([[], [1], [1] * len(shape)])
    elif kind == 2:
        second = shape[s.integer(0, len(shape)):]
    elif kind >= 3:
        for operand in (first, second)[kind == 3:]:
            for axis in range(len(shape)):
                if s.chance(0.4):
                    operand[axis] = 1
        if kind == 5:
            second = second[s.integer(0, len(second) - 1):]
    if s.chance(0.3):
        first, second = second, first
    return first, second, list(np.broadcast_shapes(first, second))


def activation(s):
    """A fused activation; half of the layers have none."""
    return ACTIVATIONS[s.choose(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])]


def quotient_bounds(s, dtype, q1, q2, q3):
    """Draws of numerators by shape, and bounds of denominators, which are never 0.

    The reference's int8 quotient shifts by more than a word's bits where the numerator is small against the denominator and the scales;
    what comes out then is undefined, so such numerators are not drawn.
    """
    if dtype != "int8":
        return lambda shape: None, {"low": 1, "high": 50} if dtype == "int32" else {"low": 0.05, "high": None}
    low, high = LIMITS[dtype]
    denominators = {"low": q2[1] + 1, "high": high} if q2[1] < 0 else {"low": low, "high": q2[1] - 1}
    largest = max(abs(bound - q2[1]) for bound in denominators.values())
    shift = math.frexp(q1[0] / (q2[0] * q3[0]))[1]
    least = 2 ** max(0, largest.bit_length() - 1 - shift)
    values = np.array([value for value in range(low, high + 1) if abs(value - q1[1]) >= least])
    if len(values) < 2:
        raise Redraw
    return lambda shape: lambda: s.rng.choice(values, math.prod(shape)), denominators


@family({"ADD SUB MUL": "int8 int16 int32 f32", "DIV": "int8 int32 f32"})
def arithmetic(s, name, dtype):
    first, second, result = broadcast_pair(s)
    q1 = s.quantisation(dtype)
    q2 = q1 and s.quantisation(dtype, s.near(q1[0], 8))
    if name == "MUL":
        q3 = q1 and s.quantisation(dtype, s.near(q1[0] * q2[0] * s.choose([1, 30, 128]), 4))
    elif name == "DIV":
        q3 = q1 and s.quantisation(dtype, s.near(q1[0] / q2[0] / s.choose([1, 10, 100]), 4))
    else:
        q3 = q1 and s.quantisation(dtype, s.near(q1[0], 8))
    if name == "DIV":
        numerators, denominators = quotient_bounds(s, dtype, q1, q2, q3)
        operands = [s.input(first, dtype, q1, draw=numerators(first)), s.operand(second, dtype, q2, **denominators)]
    else:
        operands = [s.operand(first, dtype, q1, constant=0.0), s.operand(second, dtype, q2)]
        if s.chance(0.3):
            operands.reverse()
    y = s.output(result, dtype, q3)
    options = {"activation": activation(s)}
    if name in ("ADD", "SUB") and s.chance(0.5):
        options["pot_scale_int16"] = s.chance(0.5)
    s.operator(name, operands, [y], **options)


@family({"MAXIMUM MINIMUM": "int8 int16 int32 int64 f32", "SQUARED_DIFFERENCE": "int8 int16 int32 f32", "FLOOR_DIV FLOOR_MOD": "f32"})
def binary(s, name, dtype):
    first, second, result = broadcast_pair(s)
    q1 = s.quantisation(dtype)
    q2 = q3 = q1
    if name == "SQUARED_DIFFERENCE" or s.chance(0.3):
        q2 = q1 and s.quantisation(dtype, s.near(q1[0], 8))
        q3 = q1 and s.quantisation(dtype, s.near(q1[0] if name != "SQUARED_DIFFERENCE" else q1[0] ** 2 * s.choose([1, 60]), 4))
    bounds = {}
    if name.startswith("FLOOR"):
        bounds = {"low": 1, "high": 50} if dtype != "f32" else {"low": 0.05, "high": None}
    a, b = s.input(first, dtype, q1), s.operand(second, dtype, q2, **bounds)
    y = s.output(result, dtype, q3)
    s.operator(name, [a, b] if name.startswith("FLOOR") or s.chance(0.8) else [b, a], [y])


@family({"EQUAL NOT_EQUAL": "int8 int32 int64 bool f32", "GREATER GREATER_EQUAL LESS LESS_EQUAL": "int8 int32 int64 f32"})
def comparison(s, name, dtype):
    first, second, result = broadcast_pair(s)
    q1 = s.quantisation(dtype)
    q2 = q1 and (q1 if s.chance(0.3) else s.quantisation(dtype, min(0.99, s.near(q1[0]))))  # scales of 1 and more end the reference's process
    a, b = s.input(first, dtype, q1), s.operand(second, dtype, q2)
    s.operator(name, [a, b], [s.output(result, "bool")])


@family({"LOGICAL_AND LOGICAL_OR": "bool"})
def logical(s, name, dtype):
    first, second, result = broadcast_pair(s)
    a, b = s.input(first, dtype), s.operand(second, dtype)
    s.operator(name, [a, b], [s.output(result, dtype)])


@family({"LOGICAL_NOT": "bool"})
def logical_not(s, name, dtype):
    shape = s.shape()
    s.operator(name, [s.input(shape, dtype)], [s.output(shape, dtype)])


@family({"NEG SQUARE SQRT EXP LOG SIN COS FLOOR CEIL ROUND": "f32", "ABS RSQRT RELU RELU6 LEAKY_RELU": "int8 int16 f32",
         "ELU HARD_SWISH": "int8 f32", "ZEROS_LIKE": "int8 int32 int64 f32"})
def unary(s, name, dtype):
    shape = s.unary_shape()
    q1 = s.quantisation(dtype)
    # RELU6 alone ignores the output's scale: what it makes of another one is no arithmetic (docs/numerics.md).
    q2 = q1 and (q1 if name in ("RELU6", "ZEROS_LIKE") or s.chance(0.3) else s.quantisation(dtype, s.near(q1[0], 8)))
    bounds = {}
    if name in ("SQRT", "RSQRT", "LOG") and q1:
        bounds = {"low": q1[1], "high": LIMITS[dtype][1]}
    elif name in ("SQRT", "RSQRT", "LOG") and dtype == "f32":
        bounds = {"low": 0.001, "high": None}
    x, y = s.input(shape, dtype, q1, **bounds), s.output(shape, dtype, q2)
    options = {}
    if name == "LEAKY_RELU":
        options = {"alpha": float(np.float32(s.choose([0.1, 0.2, 0.3, 0.01, round(float(s.rng.uniform(0, 1.2)), 3), -0.1, -0.5])))}
    s.operator(name, [x], [y], **options)


@family({"LOGISTIC TANH": "int8 int16 f32"})
def squashing(s, name, dtype):
    shape = s.unary_shape()
    q1 = s.quantisation(dtype)
    q2 = q1 and {"int16": (1 / 32768, 0), "int8": (1 / 256, -128) if name == "LOGISTIC" else (1 / 128, 0)}[dtype]
    s.operator(name, [s.input(shape, dtype, q1)], [s.output(shape, dtype, q2)])


@family({"PRELU": "int8 f32"})
def prelu(s, name, dtype):
    shape = s.shape(low=1, high=4)
    slopes = s.choose([[1] * (len(shape) - 1) + shape[-1:], shape[-1:], shape[1:] or shape, shape, [1]])
    q1, q2 = s.quantisation(dtype), s.quantisation(dtype, s.scale(1e-3, 1e-2))
    q3 = q1 and s.quantisation(dtype, s.near(q1[0], 4))
    x = s.input(shape, dtype, q1)
    alpha = s.constant(s.values(slopes, dtype), dtype, q2)
    s.operator(name, [x, alpha], [s.output(shape, dtype, q3)])


@family({"ADD_N": "int8 f32"})
def add_n(s, name, dtype):
    shape, q = s.shape(), s.quantisation(dtype)
    inputs = [s.input(shape, dtype, q) for _ in range(s.integer(2, 5))]
    s.operator(name, inputs, [s.output(shape, dtype, q and s.quantisation(dtype, s.near(q[0] * len(inputs), 3)))])


@family({"SELECT_V2": "int8 int16 f32"})
def select(s, name, dtype):
    first, second, _ = broadcast_pair(s)
    result = list(np.broadcast_shapes(first, second))
    condition = s.choose([result, result, [1], [1] * len(result), result[s.integer(0, len(result) - 1):]])
    q = s.quantisation(dtype)
    c, a, b = s.operand(condition, "bool"), s.operand(first, dtype, q), s.operand(second, dtype, q)
    s.operator(name, [c, a, b], [s.output(list(np.broadcast_shapes(result, condition)), dtype, q)])


_CAST = ("int8", "int16", "int32", "bool", "f32")


@family({"CAST": [f"{a}>{b}" for a in _CAST for b in _CAST if a != b]})
def cast(s, name, dtype):
    source, target = dtype.split(">")
    shape = s.shape()
    # What a float outside the integer's range becomes is undefined.
    bounds = {"low": -100, "high": 100} if source == "f32" and target in LIMITS else {}
    s.operator(name, [s.input(shape, source, **bounds)], [s.output(shape, target)], in_type=type_code(source), out_type=type_code(target))


@family({"QUANTIZE": "f32>int8 f32>int16 int8>int8 int8>uint8 int8>int16 int8>int32 uint8>int8 int16>int8 int16>int16 int16>int32 "
                     "int32>int8 int32>int16"})
def quantize(s, name, dtype):
    source, target = dtype.split(">")
    shape = s.unary_shape()
    q2 = s.quantisation(target) or (s.scale(), 0)
    q1 = None if source == "f32" else s.quantisation(source, s.near(q2[0], 64 if "int32" in dtype or "int16" in dtype else 8))
    draw = None
    if source == "f32":
        low, high = LIMITS[target]

        def draw():
            steps = s.rng.uniform(low - 20, high + 20, math.prod(shape))
            steps = np.where(s.rng.random(steps.size) < 0.3, np.round(steps * 2) / 2, steps)
            return ((steps - q2[1]) * q2[0]).astype(np.float32)
    elif source == "int32":
        def draw():
            return s.rng.integers(-s.choose([200, 70000, 2**31]), s.choose([200, 70000, 2**31]), math.prod(shape))
    s.operator(name, [s.input(shape, source, q1, draw=draw)], [s.output(shape, target, q2)])


@family({"DEQUANTIZE": "int8 uint8 int16"})
def dequantize(s, name, dtype):
    shape = s.unary_shape()
    s.operator(name, [s.input(shape, dtype, s.quantisation(dtype, s.scale()))], [s.output(shape, "f32")])


# ---- rows ------------------------------------------------------------------------------------------------------------

@family({"SOFTMAX": "int8 int16 int8>int16 f32"})
def softmax(s, name, dtype):
    source, _, target = dtype.partition(">")
    target = target or source
    shape = s.shape(high=4) if s.chance(0.9) else [1, 300]
    # The reference takes an int16 scale that is off by less than 0.1 %.
    q2 = {"int8": (1 / 256, -128), "int16": (s.choose([1 / 32768, 1 / 32768, 1 / 32767]), 0)}.get(target)
    if dtype == "int8>int16":
        q2 = (1 / 65536, -32768)
    beta = s.choose([1.0, 1.0, 1.0, 0.5, 2.0, 0.1])
    s.operator(name, [s.input(shape, source, s.quantisation(source))], [s.output(shape, target, q2)], beta=beta)


@family({"LOG_SOFTMAX": "int8 f32"})
def log_softmax(s, name, dtype):
    shape = s.shape(high=4)
    q2 = {"int8": (16 / 256, 127)}.get(dtype)
    s.operator(name, [s.input(shape, dtype, s.quantisation(dtype))], [s.output(shape, dtype, q2)])


@family({"L2_NORMALIZATION": "int8 f32"})
def l2_normalization(s, name, dtype):
    shape = s.shape(high=4)
    q2 = {"int8": (1 / 128, 0)}.get(dtype)
    s.operator(name, [s.input(shape, dtype, s.quantisation(dtype))], [s.output(shape, dtype, q2)], activation=0)


@family({"CUMSUM": "int8 f32"})
def cumsum(s, name, dtype):
    shape = s.shape()
    axis = s.integer(-len(shape), len(shape) - 1)
    q = s.quantisation(dtype)
    q2 = q and s.choose([q, s.quantisation(dtype, s.near(q[0] * 2))])
    s.operator(name, [s.input(shape, dtype, q), s.constant(s.choose([axis, [axis]]), "int32")], [s.output(shape, dtype, q2)],
               exclusive=s.chance(0.5), reverse=s.chance(0.5))


@family({"MEAN SUM": "int8 int16 f32", "REDUCE_MAX REDUCE_MIN": "int8 f32", "REDUCE_ALL": "bool"})
def reduction(s, name, dtype):
    shape = s.shape(low=1, high=5)
    axes = sorted(s.rng.permutation(len(shape))[:s.integer(1, len(shape))].tolist())
    if len(shape) == 4 and s.chance(0.3):
        axes = [1, 2]
    keep = s.chance(0.5)
    result = [1 if axis in axes else n for axis, n in enumerate(shape) if keep or axis not in axes]
    count = math.prod(shape[axis] for axis in axes)
    q = s.quantisation(dtype)
    if name.startswith("REDUCE") or s.chance(0.2):
        q2 = q
    elif name == "SUM":
        q2 = q and s.quantisation(dtype, s.near(q[0] * math.sqrt(count), 3))
    else:
        q2 = q and s.quantisation(dtype, s.near(q[0], 3))
    written = [axis - len(shape) if s.chance(0.4) else axis for axis in axes]
    s.rng.shuffle(written)
    if len(written) == 1 and s.chance(0.2):
        written = written[0]
    s.operator(name, [s.input(shape, dtype, q), s.constant(written, "int32")], [s.output(result, dtype, q2)], keep_dims=keep)


@family({"ARG_MAX ARG_MIN": "int8 f32"})
def arg(s, name, dtype):
    shape = s.shape()
    axis = s.integer(-len(shape), len(shape) - 1)
    draw = None
    if s.chance(0.5) and dtype in LIMITS:
        def draw():
            return s.rng.integers(0, 4, math.prod(shape))  # equal elements: the first one counts
    x = s.input(shape, dtype, s.quantisation(dtype), draw=draw)
    result = [n for index, n in enumerate(shape) if index != axis % len(shape)]
    s.operator(name, [x, s.constant(s.choose([axis, [axis]]), "int32")], [s.output(result, "int32")], output_type=type_code("int32"))


# ---- windows ---------------------------------------------------------------------------------------------------------

def window(s, most=4, dilated=True):
    """Kernel, stride, dilation, padding and an image that a VALID window fits into."""
    kernel = [s.integer(1, most), s.integer(1, most)]
    stride = [s.integer(1, 3), s.integer(1, 3)] if s.chance(0.5) else [1, 1]
    dilation = [s.integer(1, 3), s.integer(1, 3)] if dilated and stride == [1, 1] and s.chance(0.3) else [1, 1]
    padding = s.choose(["SAME", "VALID"])
    if padding == "SAME":
        image = [s.integer(1, 9), s.integer(1, 9)]
        out = [-(-n // step) for n, step in zip(image, stride)]
    else:
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
        image = [r + s.integer(0, 6) for r in reach]
        out = [(n - r) // step + 1 for n, r, step in zip(image, reach, stride)]
    return kernel, stride, dilation, padding, image, out


def weights(s, dtype, shape, axis, scale_x, outputs, groups=None):
    """int8 (or f32) weights, per tensor or per channel: constant tensor, and the scales of the products."""
    if dtype == "f32":
        taps = math.prod(shape) // outputs
        return s.constant(s.values(shape, "f32", -1, 1) / math.sqrt(taps), "f32"), None
    per_channel = s.chance(0.7)
    scales = [s.scale(1e-3, 2e-2) for _ in range(outputs if per_channel else 1)]
    if per_channel and outputs > 1 and s.chance(0.1):
        scales[s.integer(0, outputs - 1)] = float(np.float32(1e-7))
    values = s.values(shape, "int8", -127, 127)
    index = s.graph.tensor(shape, "int8", scales, [0] * len(scales), axis if per_channel else 0, data=values)
    return index, [float(np.float32(scale_x) * np.float32(scale)) for scale in scales]


def near_halves(s, factor):
    """An integer, of 2^30 at most, that `factor` turns into about half a step: there it shows in which precision the factor was made."""
    reach = 2**30 * factor
    return int(np.clip(round((s.rng.integers(-reach, reach + 1) + 0.5) / factor) + s.integer(-60, 60), -(2**30), 2**30))


def bias(s, dtype, outputs, q, q2, products, bias_dtype=None):
    """A bias of the type that belongs to the activations, or −1; the output's quantisation; bounds of the input.

    One layer in eight adds nothing to its bias: the input is its zero point, the output's scale large, and the biases lie near halves.
    Floats are small, so that a fused activation leaves outputs beside which the rounding of the sums is small as well.
    """
    bounds = {"low": -4, "high": 4} if dtype == "f32" else {}
    if s.chance(0.25):
        return -1, q2, bounds
    if dtype == "f32":
        return s.constant(s.values([outputs], "f32", -4, 4), "f32"), q2, bounds
    bias_dtype = bias_dtype or {"int16": "int64"}.get(dtype, "int32")
    if s.chance(0.125):
        q2, bounds = (float(np.float32(max(products) * 2.0**30 / 100)), q2[1]), {"low": q[1], "high": q[1]}
        values = [near_halves(s, product / q2[0]) for product in np.broadcast_to(products, [outputs])]
    else:
        values = s.rng.integers(-2000, 2001, outputs) * s.choose([1] * 9 + [1000])
    return s.graph.tensor([outputs], bias_dtype, products, [0] * len(products), 0, data=values), q2, bounds


def output_scale(s, dtype, q, products, taps):
    """A scale that the sums of `taps` products fill in part."""
    if dtype == "f32":
        return None
    typical = float(np.max(products)) * 127 * (40 if dtype != "int16" else 8000) * math.sqrt(taps)
    return s.quantisation(dtype, s.near(typical / (100 if dtype != "int16" else 30000), 4))


def layer_type(dtype):
    """The activations' type, and the variant of the layer."""
    base, _, more = dtype.partition(" ")
    return base, more


def bias_type(s):
    """The attribute `quantized_bias_type`, which counts where int16 activations have no bias."""
    kind = s.choose([None, None, "int32", "int64"])
    return {} if kind is None else {"bias_type": type_code(kind)}


@family({"CONV_2D": ["int8", "int16", "int16 bias32", "f32", "int8 groups", "int16 groups", "f32 groups"]})
def conv_2d(s, name, dtype):
    base, more = layer_type(dtype)
    kernel, stride, dilation, padding, image, out = window(s)
    batch, inputs, outputs, groups = s.choose([1, 1, 1, 2]), s.integer(1, 8), s.integer(1, 9), 1
    if more == "groups":
        groups = s.integer(2, 4)
        inputs, outputs = groups * s.integer(1, 3), groups * s.integer(1, 3)
    q = s.quantisation(base)
    filter_shape = [outputs, *kernel, inputs // groups]
    w, products = weights(s, base, filter_shape, 0, q and q[0], outputs)
    q2 = output_scale(s, base, q, products, math.prod(filter_shape[1:]))
    b, q2, bounds = bias(s, base, outputs, q, q2, products, "int32" if more == "bias32" else None)
    x, y = s.input([batch, *image, inputs], base, q, **bounds), s.output([batch, *out, outputs], base, q2)
    s.operator(name, [x, w, b] if b >= 0 or s.chance(0.5) else [x, w], [y], padding=PADDINGS[padding], stride_h=stride[0], stride_w=stride[1],
               dilation_h=dilation[0], dilation_w=dilation[1], activation=activation(s), **bias_type(s))


@family({"DEPTHWISE_CONV_2D": "int8 int16 f32"})
def depthwise_conv_2d(s, name, dtype):
    kernel, stride, dilation, padding, image, out = window(s)
    batch, inputs, multiplier = s.choose([1, 1, 1, 2]), s.integer(1, 9), s.choose([1, 1, 1, 2, 3])
    outputs = inputs * multiplier
    q = s.quantisation(dtype)
    w, products = weights(s, dtype, [1, *kernel, outputs], 3, q and q[0], outputs)
    q2 = output_scale(s, dtype, q, products, math.prod(kernel))
    b, q2, bounds = bias(s, dtype, outputs, q, q2, products)
    x, y = s.input([batch, *image, inputs], dtype, q, **bounds), s.output([batch, *out, outputs], dtype, q2)
    s.operator(name, [x, w, b] if b >= 0 else [x, w], [y], padding=PADDINGS[padding], stride_h=stride[0], stride_w=stride[1],
               dilation_h=dilation[0], dilation_w=dilation[1], activation=activation(s), depth_multiplier=multiplier)


@family({"TRANSPOSE_CONV": "int8 int16 f32"})
def transpose_conv(s, name, dtype):
    kernel, stride = [s.integer(1, 4), s.integer(1, 4)], [s.integer(1, 3), s.integer(1, 3)]
    padding = s.choose(["SAME", "VALID"])
    small = [s.integer(1, 6), s.integer(1, 6)]
    if padding == "SAME":
        out = [n * step - s.integer(0, step - 1) for n, step in zip(small, stride)]
    else:
        out = [(n - 1) * step + k + s.integer(0, step - 1) for n, step, k in zip(small, stride, kernel)]
        small = [(n - k) // step + 1 for n, k, step in zip(out, kernel, stride)]
    batch, inputs, outputs = s.choose([1, 1, 1, 2]), s.integer(1, 6), s.integer(1, 6)
    q = s.quantisation(dtype)
    w, products = weights(s, dtype, [outputs, *kernel, inputs], 0, q and q[0], outputs)
    q2 = output_scale(s, dtype, q, products, math.prod(kernel) * inputs)
    b, q2, bounds = bias(s, dtype, outputs, q, q2, products)
    shape = s.constant([batch, *out, outputs], "int32")
    x, y = s.input([batch, *small, inputs], dtype, q, **bounds), s.output([batch, *out, outputs], dtype, q2)
    s.operator(name, [shape, w, x, b] if b >= 0 or s.chance(0.5) else [shape, w, x], [y], padding=PADDINGS[padding], stride_h=stride[0],
               stride_w=stride[1], activation=activation(s), **bias_type(s))


@family({"FULLY_CONNECTED": ["int8", "int16", "int16 bias32", "f32", "int8 weight zero points", "int8 computed weights", "int16 computed weights",
                             "f32 computed weights"]})
def fully_connected(s, name, dtype):
    base, more = layer_type(dtype)
    outputs, inputs = s.integer(1, 20), s.integer(1, 40)
    lead = s.shape(high=3, elements=12) if s.chance(0.6) else [1]
    q = s.quantisation(base)
    computed = more == "computed weights"
    keep = len(lead) > 1 and s.chance(0.8)
    if base == "f32":
        products = None
        w = s.input([outputs, inputs], "f32", low=-1, high=1) if computed else weights(s, "f32", [outputs, inputs], 0, None, outputs)[0]
    elif more in ("weight zero points", "computed weights"):
        wq = s.scale(1e-3, 2e-2), s.integer(-128, 127) if more == "weight zero points" or s.chance(0.3) else 0
        products = [float(np.float32(q[0]) * np.float32(wq[0]))]
        w = s.input([outputs, inputs], "int8", wq) if computed else s.constant(s.values([outputs, inputs], "int8"), "int8", wq)
    else:
        w, products = weights(s, base, [outputs, inputs], 0, q[0], outputs)
    q2 = output_scale(s, base, q, products, inputs)
    b, q2, bounds = bias(s, base, outputs, q, q2, products, "int32" if more == "bias32" else None)
    x = s.input([*lead, inputs], base, q, **bounds)
    y = s.output([*lead, outputs] if keep else [math.prod(lead), outputs], base, q2)
    s.operator(name, [x, w, b] if b >= 0 or s.chance(0.7) else [x, w], [y], activation=activation(s), keep_num_dims=keep, **bias_type(s))


@family({"BATCH_MATMUL": "int8 int16 f32"})
def batch_matmul(s, name, dtype):
    rank = s.choose([2, 3, 3, 4])
    rows, inner, columns = s.integer(1, 9), s.integer(1, 20), s.integer(1, 9)
    batch = [s.integer(1, 3) for _ in range(rank - 2)]
    left, right = list(batch), list(batch)
    if s.chance(0.3):
        for operand in (left, right):
            for axis in range(len(batch)):
                if s.chance(0.3):
                    operand[axis] = 1
        if s.chance(0.3):
            right = right[1:]
    result = list(np.broadcast_shapes(left, right))
    adj_x, adj_y = s.chance(0.3), s.chance(0.4)
    q1 = s.quantisation(dtype)
    q2 = q1 and s.quantisation(dtype, s.scale() * (1 if dtype != "int16" else 0.01))
    q3 = q1 and s.quantisation(dtype, s.near(q1[0] * q2[0] * (60 if dtype != "int16" else 15000) * math.sqrt(inner), 4))
    a = s.input([*left, inner, rows] if adj_x else [*left, rows, inner], dtype, q1)
    b = s.operand([*right, columns, inner] if adj_y else [*right, inner, columns], dtype, q2)
    s.operator(name, [a, b], [s.output([*result, rows, columns], dtype, q3)], adj_x=adj_x, adj_y=adj_y)


@family({"AVERAGE_POOL_2D MAX_POOL_2D": "int8 int16 f32", "L2_POOL_2D": "f32"})
def pool(s, name, dtype):
    kernel, stride, _, padding, image, out = window(s, most=5, dilated=False)
    batch, channels = s.choose([1, 1, 1, 2]), s.integer(1, 9)
    q = s.quantisation(dtype)
    x, y = s.input([batch, *image, channels], dtype, q), s.output([batch, *out, channels], dtype, q)
    s.operator(name, [x], [y], padding=PADDINGS[padding], stride_h=stride[0], stride_w=stride[1], filter_h=kernel[0], filter_w=kernel[1],
               activation=activation(s))


@family({"RESIZE_BILINEAR": "int8 f32", "RESIZE_NEAREST_NEIGHBOR": "int8 int16 f32"})
def resize(s, name, dtype):
    image, size = [s.integer(1, 9), s.integer(1, 9)], [s.integer(1, 16), s.integer(1, 16)]
    if s.chance(0.4):
        factor = s.integer(1, 3)
        size = [n * factor for n in image]
    batch, channels = s.choose([1, 1, 2]), s.integer(1, 5)
    q = s.quantisation(dtype)
    corners = s.chance(0.35)
    half = not corners and s.chance(0.5) or (name == "RESIZE_NEAREST_NEIGHBOR" and s.chance(0.2))
    x = s.input([batch, *image, channels], dtype, q)
    s.operator(name, [x, s.constant(size, "int32")], [s.output([batch, *size, channels], dtype, q)], align_corners=corners, half_pixel_centers=half)


# ---- movement --------------------------------------------------------------------------------------------------------

@family({"CONCATENATION": "int8 int16 int32 int64 bool f32"})
def concatenation(s, name, dtype):
    shape = s.shape(high=5, elements=60)
    axis = s.integer(0, len(shape) - 1)
    q = s.quantisation(dtype)
    inputs, total = [], 0
    for _ in range(s.integer(1, 5)):
        part = list(shape)
        part[axis] = s.integer(1, 4)
        total += part[axis]
        inputs.append(s.operand(part, dtype, q, constant=0.15))
    result = [total if index == axis else n for index, n in enumerate(shape)]
    s.operator(name, inputs, [s.output(result, dtype, q)], axis=axis - len(shape) if s.chance(0.4) else axis)


@family({"PACK": "int8 int16 int32 int64 f32"})
def pack(s, name, dtype):
    shape = s.shape(low=0, high=4, elements=60)
    axis = s.integer(0, len(shape))
    count = s.integer(1, 4)
    q = s.quantisation(dtype)
    inputs = [s.operand(shape, dtype, q, constant=0.2) for _ in range(count)]
    result = [*shape[:axis], count, *shape[axis:]]
    s.operator(name, inputs, [s.output(result, dtype, q)], values_count=count, axis=axis - len(result) if s.chance(0.4) else axis)


@family({"UNPACK": "int8 int16 int32 f32"})
def unpack(s, name, dtype):
    shape = s.shape(low=1, high=5, extent=6)
    axis = s.integer(0, len(shape) - 1)
    q = s.quantisation(dtype)
    part = [n for index, n in enumerate(shape) if index != axis]
    x = s.input(shape, dtype, q)
    outputs = [s.output(part, dtype, q) for _ in range(shape[axis])]
    s.operator(name, [x], outputs, num=shape[axis], axis=axis - len(shape) if s.chance(0.4) else axis)


@family({"SPLIT": "int8 int16 int32 f32"})
def split(s, name, dtype):
    shape = s.shape(low=1, high=5, elements=80, extent=5)
    axis, count = s.integer(0, len(shape) - 1), s.integer(1, 4)
    q = s.quantisation(dtype)
    whole = [n * count if index == axis else n for index, n in enumerate(shape)]
    written = s.constant(s.choose([axis, axis - len(shape)]), "int32")
    x = s.input(whole, dtype, q)
    s.operator(name, [written, x], [s.output(shape, dtype, q) for _ in range(count)], num_splits=count)


@family({"SPLIT_V": "int8 int16 int32 f32"})
def split_v(s, name, dtype):
    shape = s.shape(low=1, high=5, elements=80, extent=5)
    axis, count = s.integer(0, len(shape) - 1), s.integer(1, 4)
    q = s.quantisation(dtype)
    sizes = [s.integer(1, 4) for _ in range(count)]
    parts = [[size if index == axis else n for index, n in enumerate(shape)] for size in sizes]
    whole = [sum(sizes) if index == axis else n for index, n in enumerate(shape)]
    if s.chance(0.2):
        sizes[s.integer(0, count - 1)] = -1
    x = s.input(whole, dtype, q)
    operands = [x, s.constant(sizes, "int32"), s.constant(s.choose([axis, axis - len(shape)]), "int32")]
    s.operator(name, operands, [s.output(part, dtype, q) for part in parts], num_splits=count)


@family({"RESHAPE": EVERY})
def reshape(s, name, dtype):
    shape = s.shape(high=5)
    total = math.prod(shape)
    result = s.choose([[total], [1, total], [total, 1], shape[::-1], [*shape, 1], [1, *shape]])
    written = list(result)
    if s.chance(0.3):
        written[s.integer(0, len(written) - 1)] = -1
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant(written, "int32")], [s.output(result, dtype, q)], new_shape=written)


@family({"SQUEEZE": EVERY})
def squeeze(s, name, dtype):
    shape = s.shape(high=5)
    ones = [axis for axis, n in enumerate(shape) if n == 1]
    chosen = [axis for axis in ones if s.chance(0.6)] if s.chance(0.7) else []
    result = [n for axis, n in enumerate(shape) if axis not in (chosen or ones)]
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    s.operator(name, [x], [s.output(result, dtype, q)], squeeze_dims=[a - len(shape) if s.chance(0.3) else a for a in chosen])


@family({"EXPAND_DIMS": "int8 int16 f32"})
def expand_dims(s, name, dtype):
    shape = s.shape(low=0, high=4)
    axis = s.integer(0, len(shape))
    result = [*shape[:axis], 1, *shape[axis:]]
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    axis = s.choose([axis, axis - len(result)])
    s.operator(name, [x, s.constant(s.choose([axis, [axis]]), "int32")], [s.output(result, dtype, q)])


@family({"TRANSPOSE": "int8 int16 f32"})
def transpose(s, name, dtype):
    shape = s.shape(high=5)
    order = s.rng.permutation(len(shape)).tolist()
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant(order, "int32")], [s.output([shape[a] for a in order], dtype, q)])


@family({"PAD PADV2": "int8 int16 int32 f32", "MIRROR_PAD": "int8 f32"})
def pad(s, name, dtype):
    shape = s.shape(high=5 if name != "MIRROR_PAD" else 4, elements=100, extent=6)
    mirror = s.integer(0, 1)
    q = s.quantisation(dtype)
    pads = [[s.integer(0, 3), s.integer(0, 3)] if s.chance(0.6) else [0, 0] for _ in shape]
    if name == "MIRROR_PAD":
        pads = [[min(a, n - (1 - mirror)), min(b, n - (1 - mirror))] for (a, b), n in zip(pads, shape)]
    result = [n + a + b for n, (a, b) in zip(shape, pads)]
    if math.prod(result) > 2000:
        raise Redraw
    operands = [s.input(shape, dtype, q), s.constant(pads, "int32")]
    options = {"mode": mirror} if name == "MIRROR_PAD" else {}
    if name == "PADV2":
        operands.append(s.constant(s.values(s.choose([[], [1]]), dtype), dtype, q))
    s.operator(name, operands, [s.output(result, dtype, q)], **options)


@family({"SLICE": "int8 int16 int32 bool f32"})
def slice_(s, name, dtype):
    shape = s.shape(high=5)
    begin = [s.integer(0, n - 1) for n in shape]
    size = [s.integer(1, n - b) for n, b in zip(shape, begin)]
    written = [-1 if b + k == n and s.chance(0.5) else k for n, b, k in zip(shape, begin, size)]
    q, index = s.quantisation(dtype), s.choose(["int32", "int32", "int64"])
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant(begin, index), s.constant(written, index)], [s.output(size, dtype, q)])


@family({"STRIDED_SLICE": "int8 int16 int32 bool f32"})
def strided_slice(s, name, dtype):
    shape = s.shape(high=4)
    begin, end, step, result = [], [], [], []
    begin_mask = end_mask = shrink = 0
    for axis, n in enumerate(shape):
        stride = s.choose([1, 1, 1, 2, 3, -1, -2])
        if s.chance(0.2):
            stride = 1
            shrink |= 1 << axis
            first = s.integer(0, n - 1)
            last = first + 1
        elif stride > 0:
            first = s.integer(0, n - 1)
            last = s.integer(first + 1, n + 1)
        else:
            first = s.integer(0, n - 1)
            last = s.integer(-1, first - 1)
        if not shrink >> axis & 1:
            if s.chance(0.3):
                begin_mask |= 1 << axis
                first = 0 if stride > 0 else n - 1
            if s.chance(0.3) or last < 0:
                end_mask |= 1 << axis
                last = n if stride > 0 else -1
            length = max(0, -(-(min(last, n) - first) // stride))
            if length == 0:
                raise Redraw
            result.append(length)
        begin.append(first - n if s.chance(0.3) else first)
        end.append(last - n if 0 <= last < n and s.chance(0.3) else last)
        step.append(stride)
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant(begin, "int32"), s.constant(end, "int32"), s.constant(step, "int32")], [s.output(result, dtype, q)],
               begin_mask=begin_mask, end_mask=end_mask, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=shrink)


@family({"GATHER": "int8 f32"})
def gather(s, name, dtype):
    shape = s.shape(high=4, elements=100)
    axis = s.integer(0, len(shape) - 1)
    batch_dims = s.integer(0, axis) if s.chance(0.3) else 0
    indices = [*shape[:batch_dims], *s.shape(low=0, high=2, elements=12, extent=5)]
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    at = s.operand(indices, "int32", low=0, high=shape[axis] - 1, constant=0.4)
    result = [*shape[:axis], *indices[batch_dims:], *shape[axis + 1:]]
    if math.prod(result) > 2000:
        raise Redraw
    s.operator(name, [x, at], [s.output(result, dtype, q)], axis=axis - len(shape) if s.chance(0.3) else axis, batch_dims=batch_dims)


@family({"GATHER_ND": "int8 f32"})
def gather_nd(s, name, dtype):
    shape = s.shape(high=4, elements=100)
    depth = s.integer(1, len(shape))
    lead = s.shape(low=1, high=2, elements=12, extent=5)
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)

    def draw():
        return np.stack([s.rng.integers(0, n, lead) for n in shape[:depth]], -1)

    at = s.constant(draw(), "int32") if s.chance(0.4) else s.input([*lead, depth], "int32", draw=draw)
    s.operator(name, [x, at], [s.output([*lead, *shape[depth:]], dtype, q)])


@family({"FILL": "int8 int32 f32"})
def fill(s, name, dtype):
    shape = s.shape()
    q = s.quantisation(dtype)
    dims = s.constant(shape, s.choose(["int32", "int64"]))
    s.operator(name, [dims, s.input([], dtype, q)], [s.output(shape, dtype, q)])


@family({"BROADCAST_TO": EVERY})
def broadcast_to(s, name, dtype):
    first, second, result = broadcast_pair(s)
    q = s.quantisation(dtype)
    shape = s.choose([first, second])
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant(result, s.choose(["int32", "int32", "int64"]))], [s.output(result, dtype, q)])


@family({"REVERSE_V2": EVERY})
def reverse(s, name, dtype):
    shape = s.shape()
    axes = [s.integer(0, len(shape) - 1)]
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant([a - len(shape) if s.chance(0.3) else a for a in axes], "int32")], [s.output(shape, dtype, q)])


@family({"SPACE_TO_DEPTH DEPTH_TO_SPACE": "int8 f32"})
def space_depth(s, name, dtype):
    block = s.integer(1, 3)
    small = [s.choose([1, 1, 2]), s.integer(1, 4), s.integer(1, 4), s.integer(1, 3)]
    wide = [small[0], small[1] * block, small[2] * block, small[3]]
    deep = [*small[:3], small[3] * block * block]
    source, target = (wide, deep) if name == "SPACE_TO_DEPTH" else (deep, wide)
    q = s.quantisation(dtype)
    s.operator(name, [s.input(source, dtype, q)], [s.output(target, dtype, q)], block_size=block)


@family({"SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND": "int8 f32"})
def space_batch(s, name, dtype):
    spatial = s.choose([1, 2, 2])
    block = [s.integer(1, 3) for _ in range(spatial)]
    small = [s.integer(1, 4) for _ in range(spatial)]
    # The reference never sets the value that it pads with.
    crops = name == "BATCH_TO_SPACE_ND"
    edges = [[s.integer(0, 2), s.integer(0, 2)] if crops and s.chance(0.5) else [0, 0] for _ in range(spatial)]
    batch = s.integer(1, 2)
    image = [n * b - before - after for n, b, (before, after) in zip(small, block, edges)]
    if min(image) < 1:
        raise Redraw
    # Of three dimensions the reference always blocks one.
    rest = [s.integer(1, 4)]
    deep, wide = [batch * math.prod(block), *small, *rest], [batch, *image, *rest]
    source, target = (wide, deep) if name == "SPACE_TO_BATCH_ND" else (deep, wide)
    q = s.quantisation(dtype)
    x = s.input(source, dtype, q)
    s.operator(name, [x, s.constant(block, "int32"), s.constant(edges, "int32")], [s.output(target, dtype, q)])


@family({"SHAPE": EVERY})
def shape_of(s, name, dtype):
    shape = s.shape()
    x = s.input(shape, dtype, s.quantisation(dtype))
    s.operator(name, [x], [s.output([len(shape)], "int32")], out_type=type_code("int32"))


@family({"EMBEDDING_LOOKUP": "f32 int8 int8>f32"})
def embedding_lookup(s, name, dtype):
    source, _, target = dtype.partition(">")
    rows, width, count = s.integer(1, 10), s.integer(1, 8), s.integer(1, 6)
    q = s.quantisation(source, zero_point=0)
    at = s.input([count], "int32", low=0, high=rows - 1)
    table = s.constant(s.values([rows, width], source), source, q)
    target = target or source
    s.operator(name, [at, table], [s.output([count, width], target, q if target != "f32" else None)])


@family({"DYNAMIC_UPDATE_SLICE": "int8 int16 int32 f32"})
def dynamic_update_slice(s, name, dtype):
    shape = s.shape(high=4)
    part = [s.integer(1, n) for n in shape]
    q = s.quantisation(dtype)
    x, update = s.input(shape, dtype, q), s.operand(part, dtype, q)
    start = s.operand([len(shape)], "int32", low=-1, high=4)
    s.operator(name, [x, update, start], [s.output(shape, dtype, q)])


# ---- recurrent -------------------------------------------------------------------------------------------------------

@family({"SVDF": ["int8 state16", "int8 state8", "f32"]})
def svdf(s, name, dtype):
    base, more = layer_type(dtype)
    batch, inputs, rank, units, memory = s.choose([1, 1, 2]), s.integer(1, 9), s.integer(1, 3), s.integer(1, 5), s.integer(1, 7)
    # Without a bias the reference's process ends.
    filters = rank * units
    q = s.quantisation(base)
    # Small floats, so that sums stay near the activation's range; now and then nothing but the zero point, so that the bias is the sum.
    bounds = [-2, 2] if base == "f32" else [q[1], q[1]] if s.chance(0.125) else []
    x = s.input([batch, inputs], base, q, *bounds)
    if base == "f32":
        feature = s.constant(s.values([filters, inputs], "f32", -1, 1), "f32")
        time = s.constant(s.values([filters, memory], "f32", -1, 1), "f32")
        b = s.constant(s.values([units], "f32"), "f32")
        state = s.tensor([batch, memory * filters], "f32", variable=True)
        y = s.output([batch, units], "f32")
    else:
        state_type, reach = {"state16": ("int16", 8000), "state8": ("int8", 30)}[more]
        feature_scale, time_scale = s.scale(1e-3, 2e-2), s.scale(1e-4, 2e-2)
        state_q = float(np.float32(q[0] * feature_scale * math.sqrt(inputs) * 3600 / reach)), s.choose([0, s.integer(-20, 20)]) if reach == 30 else 0
        feature = s.constant(s.values([filters, inputs], "int8", -127, 127), "int8", (feature_scale, 0))
        time = s.constant(s.values([filters, memory], state_type, -127, 127), state_type, (time_scale, 0))
        product = state_q[0] * time_scale
        q2 = s.quantisation(base, s.near(product * math.sqrt(rank * memory) * reach * 0.6, 4))
        values = s.rng.integers(-2000, 2001, units)
        if bounds:
            q2 = float(np.float32(product * 2.0**30 / 100)), q2[1]
            values = np.array([near_halves(s, product / q2[0]) for _ in range(units)])
        b = s.constant(values, "int32", (product, 0))
        state = s.tensor([batch, memory * filters], state_type, state_q, variable=True)
        y = s.output([batch, units], base, q2)
    # The reference ignores the activation of an integer SVDF, and so do we; it applies that of a float one.
    s.operator(name, [x, feature, time, b, state], [y], rank=rank, activation=activation(s))


@family({"UNIDIRECTIONAL_SEQUENCE_LSTM": "int8 int16 f32"})
def lstm(s, name, dtype):
    batch, steps, inputs, units = s.choose([1, 1, 2]), s.integer(1, 5), s.integer(1, 7), s.integer(1, 7)
    time_major = s.chance(0.4)
    lead = [steps, batch] if time_major else [batch, steps]
    q = s.quantisation(dtype)
    state_q = None
    if dtype == "int8":
        state_q = s.choose([1 / 128, 1 / 127, 1 / 100]), s.choose([0, 0, -1, s.integer(-20, 20)])
    elif dtype == "int16":
        state_q = s.choose([1 / 32768, 1 / 30000]), 0
    # Small floats, so that gates are not all closed; now and then nothing but the zero point, so that the biases are the first sums.
    bounds = [-2, 2] if dtype == "f32" else []
    if dtype == "int8" and s.chance(0.125):
        q = float(np.float32(q[0] * 1e-6)), q[1]
        bounds = [q[1], q[1]]
    x = s.input([*lead, inputs], dtype, q, *bounds)

    def gate(width):
        if dtype == "f32":
            return s.constant(s.values([units, width], "f32", -1, 1), "f32"), None
        scale = s.scale(1e-3, 2e-2)
        return s.constant(s.values([units, width], "int8", -127, 127), "int8", (scale, 0)), scale

    kernels, recurrent = [gate(inputs) for _ in range(4)], [gate(units) for _ in range(4)]
    if dtype == "f32":
        biases = [s.constant(s.values([units], "f32", -1, 1), "f32") for _ in range(4)]
    else:
        kind = "int32" if dtype == "int8" else "int64"
        values = [[near_halves(s, q[0] * scale * 4096) if bounds else s.integer(-3000, 3000) for _ in range(units)] for _, scale in kernels]
        biases = [s.constant(row, kind, (q[0] * scale, 0)) for row, (_, scale) in zip(values, kernels)]
    state = s.tensor([batch, units], dtype, state_q, variable=True)
    cell = s.tensor([batch, units], "int16" if q else "f32", q and (2.0 ** -s.integer(9, 15), 0), variable=True)
    # Converters may give the output a scale of its own; the reference moves the state's integers.
    output_q = state_q if s.chance(0.7) or dtype == "f32" else s.quantisation(dtype, s.near(state_q[0], 1.5))
    y = s.output([*lead, units], dtype, output_q)
    operands = [x, *(k[0] for k in kernels), *(r[0] for r in recurrent), -1, -1, -1, *biases, -1, -1, state, cell, -1, -1, -1, -1]
    s.operator(name, operands, [y], activation=ACTIVATIONS["TANH"], cell_clip=s.choose([0.0, 0.0, 10.0, 0.5]), proj_clip=0.0, time_major=time_major)


# ---- TensorFlow alone ------------------------------------------------------------------------------------------------

@tensorflow({"EXP LOG": "int8 int16", "SQRT": "int8"})
def tabulated(s, name, dtype):
    shape = s.unary_shape()
    zero_point = s.zero_point(dtype)
    # SQRT and LOG of what is not positive is undefined, and EXP must not leave f32.
    low = zero_point + (name == "LOG") if name in ("SQRT", "LOG") else LIMITS[dtype][0]
    if LIMITS[dtype][1] - low < 2:
        raise Redraw
    reach = max(abs(LIMITS[dtype][1] - zero_point), abs(low - zero_point))
    scale = s.scale(0.1, 8.0) / reach
    q1 = float(np.float32(scale)), zero_point
    largest = {"EXP": math.exp(min(scale * reach, 20.0)), "LOG": abs(math.log(scale)) + 1.0, "GELU": scale * reach, "SQRT": math.sqrt(scale * reach)}[name]
    q2 = s.quantisation(dtype, s.near(largest / (100 if dtype == "int8" else 30000), 3))
    options = {"approximate": s.chance(0.5)} if name == "GELU" else {}
    x = s.input(shape, dtype, q1, **({} if low == LIMITS[dtype][0] else {"low": low, "high": LIMITS[dtype][1]}))
    s.operator(name, [x], [s.output(shape, dtype, q2)], version=2 if name == "SQRT" else 1, **options)


@tensorflow({"SIGN RELU_N1_TO_1": "f32"})
def real_unary(s, name, dtype):
    shape = s.unary_shape()
    # Far below 0 GELU is what is left of 1 - 1, whose last bits are anybody's.
    options, bounds = ({"approximate": s.chance(0.5)}, {"low": -1, "high": 20}) if name == "GELU" else ({}, {})
    s.operator(name, [s.input(shape, dtype, **bounds)], [s.output(shape, dtype)], **options)


TENSORFLOW["GELU"] = (lambda s, name, dtype: (real_unary if dtype == "f32" else tabulated)(s, name, dtype), ("int8", "int16", "f32"))


@tensorflow({"POW": "f32"})
def power(s, name, dtype):
    first, second, result = broadcast_pair(s)
    if s.chance(0.5):
        a = s.input(first, dtype, draw=lambda: s.rng.uniform(0.01, 5, math.prod(first)))
        b = s.constant(s.choose([2, 3, 0.5, -1, 1.7]) * np.ones(second), dtype)
    else:
        a = s.input(first, dtype, draw=lambda: s.rng.normal(0, 3, math.prod(first)))
        b = s.input(second, dtype, draw=lambda: s.rng.integers(-3, 4, math.prod(second)))
    s.operator(name, [a, b], [s.output(result, dtype)])


@tensorflow({"TILE": "int8 int32 bool f32"})
def tile(s, name, dtype):
    shape = s.shape(high=4, elements=60, extent=5)
    times = [s.integer(1, 3) for _ in shape]
    q = s.quantisation(dtype)
    x = s.input(shape, dtype, q)
    s.operator(name, [x, s.constant(times, "int32")], [s.output([n * t for n, t in zip(shape, times)], dtype, q)])


@tensorflow({"REDUCE_ANY": "bool"})
def any_(s, name, dtype):
    reduction(s, name, dtype)


@tensorflow({"SELECT": "int8 int16 int32 bool f32"})
def select_v1(s, name, dtype):
    shape, q = s.shape(high=4), s.quantisation(dtype)
    c, a, b = s.operand(shape, "bool"), s.operand(shape, dtype, q), s.operand(shape, dtype, q)
    s.operator(name, [c, a, b], [s.output(shape, dtype, q)])
