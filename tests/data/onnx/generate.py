"""Makes ONNX models with outputs of onnxruntime, as folders that the program `compare` of tests/host reads.

    generate.py networks FOLDER          exports of PyTorch by both exporters, and scikit-learn's, at several opsets
    generate.py operators FOLDER COUNT [SEED]   COUNT random models of one or a few operators, made with the package onnx

Each folder has model.onnx, io.txt and the data of its cases: the format of the golden data. Then:

    cargo run --release -p host-tests --bin compare -- FOLDER

Packages: onnx, onnxruntime, numpy; for networks also torch, onnxscript, scikit-learn, skl2onnx.
"""

import io
import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)

NAMES = {np.dtype(np.float32): "float32", np.dtype(np.int32): "int32", np.dtype(np.bool_): "bool", np.dtype(np.int8): "int8",
         np.dtype(np.uint8): "uint8"}


def session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def narrow(array):
    """int64 is int32 in a net."""
    return array.astype(np.int32) if array.dtype == np.int64 else array


def anonymous(data):
    """The model without where it was made: the exporters write paths of their machine beside the nodes."""
    model = onnx.load_from_string(data)
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    return model.SerializeToString()


def record(folder, data, feeds):
    """Writes a model with the outputs of these inputs; raises where onnxruntime does not run it."""
    run = session(data)
    outputs = [run.run(None, feed) for feed in feeds]
    if any(array.size == 0 or array.dtype not in NAMES for case in outputs for array in map(narrow, case)):
        raise ValueError("outputs that no board has")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(anonymous(data))
    lines = ["calls 1"]
    for kind, arrays in (("in", list(feeds[0].values())), ("out", outputs[0])):
        for index, array in enumerate(map(narrow, arrays)):
            shape = ",".join(str(length) for length in array.shape) or "1"
            lines.append(f"{kind} {index} {NAMES[array.dtype]} {shape}")
    for case, (feed, found) in enumerate(zip(feeds, outputs)):
        for kind, arrays in (("in", feed.values()), ("out", found)):
            for index, array in enumerate(map(narrow, arrays)):
                narrow(array).tofile(os.path.join(folder, f"c{case}_{kind}{index}.bin"))
    with open(os.path.join(folder, "io.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


# Models of one or a few operators

class Draw:
    """A random model under construction."""

    def __init__(self, random, opset):
        self.random, self.opset = random, opset
        self.nodes, self.initializers, self.inputs, self.feeds = [], [], [], []
        self.count = 0

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def pick(self, *values):
        return values[self.random.integers(len(values))]

    def length(self, low=1, high=6):
        return int(self.random.integers(low, high + 1))

    def shape(self, low=1, high=5):
        return [self.length() for _ in range(self.length(low, high))]

    def reals(self, shape, positive=False):
        values = self.random.normal(size=shape).astype(np.float32) * self.pick(0.5, 1, 3)
        return np.abs(values).astype(np.float32) + np.float32(0.1) if positive else values.astype(np.float32)

    def input(self, shape, positive=False, values=None):
        name = self.name()
        values = self.reals(shape, positive) if values is None else values
        self.inputs.append((name, values))
        return name

    def constant(self, values):
        name = self.name()
        values = np.asarray(values)
        if self.random.integers(4):
            self.initializers.append(numpy_helper.from_array(values, name))
        else:
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values)))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, dtype=np.int64))

    def node(self, kind, inputs, outputs=1, **attributes):
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names if outputs > 1 else names[0]

    def either(self, shape, positive=False):
        """An input, or a constant."""
        return self.input(shape, positive) if self.random.integers(2) else self.constant(self.reals(shape, positive))

    def model(self, outputs):
        inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape) for name, values in self.inputs]
        infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", inputs, infos, self.initializers)
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()


def broadcasts(d, shape):
    """A shape that repeats to this one."""
    part = shape[d.length(0, len(shape)) if len(shape) else 0:]
    return [length if d.random.integers(3) else 1 for length in part]


def unary(d):
    shape = d.shape()
    kind = d.pick("Abs", "Neg", "Sqrt", "Exp", "Log", "Relu", "Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "Reciprocal", "Floor", "Ceil",
                  "Round", "Sign", "Sin", "Cos", "LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "ThresholdedRelu", "Gelu", "Mish",
                  "Identity", "Dropout")
    least = {"Celu": 12, "HardSwish": 14, "Gelu": 20, "Mish": 18}
    d.opset = max(d.opset, least.get(kind, 0))
    attributes = {}
    if kind in ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu") and d.random.integers(3):
        attributes["alpha"] = float(d.pick(0.1, 0.3, 1.0, 1.7))
    if kind == "HardSigmoid" and d.random.integers(2):
        attributes.update(alpha=1 / 6, beta=0.5)
    if kind == "Selu" and d.random.integers(2):
        attributes.update(alpha=1.5, gamma=1.2)
    if kind == "Gelu" and d.random.integers(2):
        attributes["approximate"] = "tanh"
    return [d.node(kind, [d.input(shape, kind in ("Sqrt", "Log", "Reciprocal"))], **attributes)]


def binary(d):
    shape = d.shape()
    kind = d.pick("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Min", "Max", "Sum", "Mean", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")
    if kind in ("LessOrEqual", "GreaterOrEqual"):
        d.opset = max(d.opset, 12)
    other = broadcasts(d, shape)
    left = d.input(shape, kind == "Pow")
    right = d.either(other, kind == "Div")
    if kind == "PRelu":
        return [d.node(kind, [left, right])]
    if kind in ("Min", "Max", "Sum", "Mean"):
        more = [d.either(broadcasts(d, shape)) for _ in range(d.length(0, 2))]
        return [d.node(kind, [left, right] + more)]
    if kind == "Pow" and d.random.integers(2):
        return [d.node(kind, [left, d.constant(np.float32(d.pick(2, 0.5, 3, 1.5, -1)))])]
    operands = [left, right] if d.random.integers(2) or kind in ("Pow", "Div") else [right, left]
    return [d.node(kind, operands)]


def logic(d):
    shape = d.shape(1, 4)
    zero = d.constant(np.float32(0))
    left, right = (d.node("Greater", [d.input(shape), zero]) for _ in range(2))
    kind = d.pick("And", "Or", "Xor", "Not", "Where")
    if kind == "Not":
        return [d.node(kind, [left])]
    if kind == "Where":
        return [d.node(kind, [left, d.either(broadcasts(d, shape)), d.either(shape)])]
    return [d.node(kind, [left, right])]


def clip(d):
    shape = d.shape()
    low, high = (np.float32(value) for value in d.pick((0, 6), (-1, 1), (0, 1), (-0.5, 0.7)))
    if d.opset < 11:
        return [d.node("Clip", [d.input(shape)], min=float(low), max=float(high))]
    names = [d.constant(low) if d.random.integers(4) else "", d.constant(high) if d.random.integers(4) else ""]
    return [d.node("Clip", [d.input(shape)] + names)]


def cast(d):
    to = d.pick(TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL)
    between = d.node("Cast", [d.input(d.shape())], to=to)
    return [between] if d.random.integers(2) else [d.node("Cast", [between], to=TensorProto.FLOAT)]


def sliding(d, rank, kernel, size):
    """Attributes of a kernel that slides, and a few that fit no image."""
    attributes = {"kernel_shape": kernel}
    if d.random.integers(2):
        attributes["strides"] = [d.length(1, 3) for _ in range(rank)]
    if d.random.integers(3) == 0:
        attributes["auto_pad"] = d.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    elif d.random.integers(2):
        attributes["pads"] = [d.length(0, kernel[axis % rank] - 1) for axis in range(2 * rank)]
    return attributes


def conv(d):
    rank = d.length(1, 2)
    groups = d.pick(1, 1, 1, 2, 3)
    each, outputs = d.length(1, 4), d.length(1, 4)
    if d.random.integers(3) == 0:
        groups, each, outputs = d.length(2, 5), 1, d.length(1, 2)
    kernel = [d.length(1, 4) for _ in range(rank)]
    size = [d.length(5, 9) for _ in range(rank)]
    attributes = sliding(d, rank, kernel, size)
    if d.random.integers(3) == 0 and "auto_pad" not in attributes:
        attributes["dilations"] = [d.length(1, 2) for _ in range(rank)]
    x = d.input([d.length(1, 2), groups * each] + size)
    w = d.constant(d.reals([groups * outputs, each] + kernel))
    bias = [d.constant(d.reals([groups * outputs]))] if d.random.integers(2) else []
    y = d.node("Conv", [x, w] + bias, group=groups, **attributes)
    return [then(d, y, rank, groups * outputs)]


def conv_transpose(d):
    rank = d.length(1, 2)
    groups = d.pick(1, 1, 2)
    inputs, outputs = d.length(1, 4), d.length(1, 3)
    kernel = [d.length(1, 4) for _ in range(rank)]
    size = [d.length(2, 5) for _ in range(rank)]
    attributes = sliding(d, rank, kernel, size)
    strides = attributes.get("strides", [1] * rank)
    if d.random.integers(3) == 0:
        attributes["output_padding"] = [d.length(0, stride - 1) for stride in strides]
    if d.random.integers(3) == 0 and "auto_pad" not in attributes:
        attributes["dilations"] = [d.length(1, 2) for _ in range(rank)]
    x = d.input([1, groups * inputs] + size)
    w = d.constant(d.reals([groups * inputs, outputs] + kernel))
    bias = [d.constant(d.reals([groups * outputs]))] if d.random.integers(2) else []
    return [d.node("ConvTranspose", [x, w] + bias, group=groups, **attributes)]


def then(d, name, rank, channels):
    """What often follows a layer with channels in front."""
    for _ in range(d.length(0, 3)):
        kind = d.pick("Relu", "Sigmoid", "norm", "scale", "global", "flatten", "self", "max", "concat", "transpose")
        if kind in ("Relu", "Sigmoid"):
            name = d.node(kind, [name])
        elif kind == "norm":
            numbers = [d.constant(d.reals([channels], index == 3)) for index in range(4)]
            name = d.node("BatchNormalization", [name] + numbers)
        elif kind == "scale":
            name = d.node("Mul", [name, d.constant(d.reals([1, channels] + [1] * rank))])
        elif kind == "self":
            name = d.node("Mul", [name, d.node("GlobalAveragePool", [name])])
        elif kind == "max":
            name = d.node("MaxPool", [name], kernel_shape=[1] * rank)
        elif kind == "concat":
            name, channels = d.node("Concat", [name, d.node("Abs", [name])], axis=1), 2 * channels
        elif kind == "transpose":
            name = d.node("Softmax", [name], axis=d.pick(1, -1))
        elif kind == "global":
            return d.node("Flatten", [d.node("GlobalAveragePool", [name])])
        elif kind == "flatten":
            return d.node("Flatten", [name])
    return name


def pool(d):
    rank = d.length(1, 2)
    kind = d.pick("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
    size = [d.length(4, 9) for _ in range(rank)]
    channels = d.length(1, 4)
    x = d.input([d.length(1, 2), channels] + size)
    if kind.startswith("Global"):
        return [d.node(kind, [x])]
    kernel = [d.length(1, 3) for _ in range(rank)]
    attributes = sliding(d, rank, kernel, size)
    if d.random.integers(2) and "auto_pad" not in attributes:
        d.opset = max(d.opset, 10)
        attributes["ceil_mode"] = 1
    if kind == "AveragePool" and d.random.integers(2):
        attributes["count_include_pad"] = 1
    if kind == "MaxPool" and d.random.integers(4) == 0 and "auto_pad" not in attributes:
        d.opset = max(d.opset, 10)
        attributes["dilations"] = [d.length(1, 2) for _ in range(rank)]
    return [then(d, d.node(kind, [x], **attributes), rank, channels)]


def product(d):
    if d.random.integers(2):
        rows, depth, columns = d.length(), d.length(), d.length()
        trans = d.random.integers(2), d.random.integers(2)
        left = d.input([depth, rows] if trans[0] else [rows, depth])
        right = d.either([columns, depth] if trans[1] else [depth, columns])
        bias = [d.either(d.pick([columns], [1, columns], [rows, 1], [rows, columns], []))] if d.random.integers(2) or d.opset < 11 else []
        return [d.node("Gemm", [left, right] + bias, transA=int(trans[0]), transB=int(trans[1]), alpha=float(d.pick(1, 0.5)), beta=float(d.pick(1, 2)))]
    depth = d.length()
    batch = d.shape(1, 3)[: d.length(0, 2)]
    left = broadcasts(d, batch) + [d.length(), depth] if d.random.integers(4) else [depth]
    right = batch + [depth, d.length()] if d.random.integers(4) else [depth]
    return [d.node("MatMul", [d.input(left), d.either(right)])]


def einsum(d):
    d.opset = max(d.opset, 12)
    equation, left, right = d.pick(("bij,bjk->bik", "bij", "bjk"), ("bhid,bhjd->bhij", "bhid", "bhjd"), ("ij,jk->ik", "ij", "jk"),
                                   ("bhij,bhjd->bihd", "bhij", "bhjd"), ("nchw,oc->nohw", "nchw", "oc"), ("bi,bj->bij", "bi", "bj"))
    lengths = {c: d.length() for c in "bijkhdncwo"}
    return [d.node("Einsum", [d.input([lengths[c] for c in left]), d.either([lengths[c] for c in right])], equation=equation)]


def reduce(d):
    shape = d.shape()
    kind = d.pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")
    axes = sorted(set(int(a) for a in d.random.integers(0, len(shape), size=d.length(1, 3))))
    axes = [axis - len(shape) if d.random.integers(3) == 0 else axis for axis in axes]
    keep = int(d.random.integers(2))
    x = d.input(shape, kind == "ReduceLogSum")
    as_input = d.opset >= (13 if kind == "ReduceSum" else 18)
    if d.random.integers(5) == 0:
        attributes = {"noop_with_empty_axes": 1} if as_input and d.random.integers(2) else {}
        return [d.node(kind, [x], keepdims=keep, **attributes)]
    if as_input:
        return [d.node(kind, [x, d.ints(*axes)], keepdims=keep)]
    return [d.node(kind, [x], axes=axes, keepdims=keep)]


def along(d):
    shape = d.shape(1, 4)
    axis = int(d.random.integers(-len(shape), len(shape)))
    kind = d.pick("Softmax", "LogSoftmax", "ArgMax", "ArgMin", "CumSum", "LpNormalization")
    x = d.input(shape)
    if kind.startswith("Arg"):
        return [d.node(kind, [x], axis=axis if d.opset >= 11 else axis % len(shape), keepdims=int(d.random.integers(2)))]
    if kind == "CumSum":
        d.opset = max(d.opset, 11)
        return [d.node(kind, [x, d.constant(np.int64(axis))], exclusive=int(d.random.integers(2)), reverse=int(d.random.integers(2)))]
    if kind == "LpNormalization":
        return [d.node(kind, [x], axis=axis, p=d.pick(1, 2))]
    return [d.node(kind, [x], axis=axis if d.opset >= 11 else axis % len(shape))]


def norm(d):
    rank = d.length(1, 3)
    channels = d.pick(2, 4, 6)
    shape = [d.length(1, 2), channels] + [d.length(2, 5) for _ in range(rank)]
    kind = d.pick("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization")
    x = d.input(shape)
    if kind == "BatchNormalization":
        return [d.node(kind, [x] + [d.constant(d.reals([channels], index == 3)) for index in range(4)])]
    if kind == "InstanceNormalization":
        return [d.node(kind, [x] + [d.constant(d.reals([channels])) for _ in range(2)])]
    if kind == "GroupNormalization":
        d.opset = 21
        return [d.node(kind, [x] + [d.constant(d.reals([channels])) for _ in range(2)], num_groups=d.pick(1, 2, channels))]
    d.opset = max(d.opset, 17)
    axis = int(d.random.integers(1, len(shape)))
    numbers = [d.constant(d.reals(shape[axis:])) for _ in range(d.length(1, 2))]
    return [d.node(kind, [x] + numbers, axis=axis if d.random.integers(2) else axis - len(shape))]


def reshape(d):
    shape = d.shape()
    x = d.input(shape)
    kind = d.pick("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "chain")
    if kind == "Flatten":
        return [d.node(kind, [x], axis=int(d.random.integers(0, len(shape) + 1)))]
    if kind == "Transpose":
        return [d.node(kind, [x], perm=[int(a) for a in d.random.permutation(len(shape))])]
    if kind == "Reshape":
        wanted = [0, -1] if len(shape) > 1 else [-1, 1]
        return [d.node(kind, [x, d.ints(*wanted)])]
    if kind == "chain":
        of = d.node("Shape", [x])
        first = d.node("Gather", [of, d.constant(np.int64(0))], axis=0)
        first = d.node("Unsqueeze", [first, d.ints(0)]) if d.opset >= 13 else d.node("Unsqueeze", [first], axes=[0])
        wanted = d.node("Concat", [first, d.ints(-1)], axis=0)
        return [d.node("Reshape", [x, wanted])]
    if kind == "Squeeze":
        x = d.node("Unsqueeze", [x, d.ints(0, 2)]) if d.opset >= 13 else d.node("Unsqueeze", [x], axes=[0, 2])
        if d.random.integers(2):
            return [d.node("Squeeze", [x])]
        return [d.node("Squeeze", [x, d.ints(0)]) if d.opset >= 13 else d.node("Squeeze", [x], axes=[0])]
    axis = int(d.random.integers(0, len(shape) + 1))
    return [d.node(kind, [x, d.ints(axis)]) if d.opset >= 13 else d.node(kind, [x], axes=[axis])]


def slices(d):
    shape = d.shape()
    x = d.input(shape)
    axes = sorted(set(int(a) for a in d.random.integers(0, len(shape), size=d.length(1, 3))))
    starts, ends, steps = [], [], []
    for axis in axes:
        length = shape[axis]
        if d.opset >= 10 and d.random.integers(4) == 0:
            starts.append(-1), ends.append(-(2 ** 31) + 1), steps.append(-d.length(1, 2))
        else:
            start = int(d.random.integers(0, length))
            starts.append(start - length if d.random.integers(3) == 0 else start)
            ends.append(d.pick(length, 2 ** 31 - 1, int(d.random.integers(start + 1, length + 1))))
            steps.append(d.length(1, 2) if d.opset >= 10 else 1)
    if d.opset < 10:
        return [d.node("Slice", [x], axes=axes, starts=starts, ends=ends)]
    return [d.node("Slice", [x, d.ints(*starts), d.ints(*ends), d.ints(*axes), d.ints(*steps)])]


def joins(d):
    shape = d.shape(1, 4)
    axis = int(d.random.integers(0, len(shape)))
    kind = d.pick("Concat", "Split", "Gather", "Expand", "Tile", "Range", "ConstantOfShape")
    if kind == "Concat":
        parts = [shape[:axis] + [d.length()] + shape[axis + 1:] for _ in range(d.length(1, 3))]
        return [d.node(kind, [d.input(parts[0])] + [d.either(part) for part in parts[1:]], axis=axis)]
    x = d.input(shape)
    if kind == "Split":
        if shape[axis] < 2:
            return [d.node("Identity", [x])]
        first = d.length(1, shape[axis] - 1)
        sizes = [first, shape[axis] - first]
        if d.opset >= 13:
            return d.node(kind, [x, d.ints(*sizes)], 2, axis=axis)
        return d.node(kind, [x], 2, axis=axis, split=sizes)
    if kind == "Gather":
        indices = d.random.integers(-shape[axis] if d.opset >= 11 else 0, shape[axis], size=d.pick([], [1], [3], [2, 2]))
        return [d.node(kind, [x, d.constant(np.asarray(indices, dtype=np.int64))], axis=axis)]
    if kind == "Expand":
        wanted = [d.length(1, 3)] + [length if length > 1 else d.length(1, 3) for length in shape]
        return [d.node(kind, [x, d.ints(*wanted)])]
    if kind == "Tile":
        return [d.node(kind, [x, d.ints(*[d.length(1, 3) for _ in shape])])]
    if kind == "Range":
        d.opset = max(d.opset, 11)
        numbers = d.node(kind, [d.constant(np.float32(0)), d.constant(np.float32(shape[-1])), d.constant(np.float32(1))])
        return [d.node("Add", [x, numbers])]
    filled = d.node(kind, [d.ints(*shape)], value=helper.make_tensor("value", TensorProto.FLOAT, [1], [2.5]))
    return [d.node("Add", [x, filled])]


def pad(d):
    shape = d.shape(2, 4)
    x = d.input(shape)
    mode = d.pick("constant", "constant", "reflect", "edge")
    amounts = [0] * (2 * len(shape))
    for axis, length in enumerate(shape):
        most = length - 1 if mode == "reflect" else 3
        if d.random.integers(2) and most > 0:
            amounts[axis], amounts[len(shape) + axis] = d.length(0, most), d.length(0, most)
    if d.opset < 11:
        return [d.node("Pad", [x], pads=amounts, mode=mode, value=float(d.pick(0, 1.5)))]
    value = [d.constant(np.float32(1.5))] if mode == "constant" and d.random.integers(2) else []
    return [d.node("Pad", [x, d.ints(*amounts)] + value, mode=mode)]


def resize(d):
    rank = d.length(1, 2)
    shape = [1, d.length(1, 3)] + [d.length(2, 6) for _ in range(rank)]
    x = d.input(shape)
    mode = d.pick("nearest", "nearest", "linear", "cubic" if rank == 2 else "linear")
    if d.opset < 11:
        d.opset = 10
        scales = np.array([1, 1] + [d.pick(1, 2, 3) for _ in range(rank)], dtype=np.float32)
        return [d.node("Resize", [x, d.constant(scales)], mode="nearest" if mode == "cubic" else mode)]
    attributes = {"mode": mode, "coordinate_transformation_mode": d.pick("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")}
    if mode == "nearest":
        attributes["nearest_mode"] = d.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    empty = d.constant(np.array([], dtype=np.float32))
    if d.random.integers(2):
        scales = np.array([1, 1] + [d.pick(1, 2, 3, 0.5, 1.5) for _ in range(rank)], dtype=np.float32)
        return [d.node("Resize", [x, "" if d.opset >= 13 else empty, d.constant(scales)], **attributes)]
    sizes = shape[:2] + [d.length(1, 9) for _ in range(rank)]
    return [d.node("Resize", [x, "" if d.opset >= 13 else empty, "" if d.opset >= 13 else empty, d.ints(*sizes)], **attributes)]


def blocks(d):
    block = d.length(1, 3)
    size = [d.length(1, 3), d.length(1, 3)]
    if d.random.integers(2):
        attributes = {"mode": d.pick("DCR", "CRD")} if d.opset >= 11 else {}
        return [d.node("DepthToSpace", [d.input([1, block * block * d.length(1, 3)] + size)], blocksize=block, **attributes)]
    return [d.node("SpaceToDepth", [d.input([1, d.length(1, 3), size[0] * block, size[1] * block])], blocksize=block)]


KINDS = [unary, unary, binary, binary, logic, clip, cast, conv, conv, conv, conv_transpose, pool, pool, product, einsum, reduce, along, norm, reshape, slices,
         joins, pad, resize, blocks]


def operators(folder, count, seed):
    made, refused = 0, {}
    index = 0
    while made < count:
        random = np.random.default_rng([seed, index])
        index += 1
        kind = KINDS[random.integers(len(KINDS))]
        d = Draw(random, int(random.choice([9, 11, 12, 13, 15, 17, 18, 21, 22])))
        try:
            data = d.model(kind(d))
            feed = dict(d.inputs)
            second = {name: (values[..., ::-1] if values.ndim else values).copy() for name, values in feed.items()}
            record(os.path.join(folder, f"{kind.__name__}_{index:05}"), data, [feed, second])
            made += 1
        except Exception as error:  # onnxruntime refuses what it does not implement, such as some opsets of an operator
            refused.setdefault(kind.__name__, []).append(str(error)[:160].replace("\n", " "))
    print(f"seed {seed}: {made} models of {index} drawn; onnxruntime refused {sum(map(len, refused.values()))}")
    for kind, errors in sorted(refused.items()):
        print(f"  {kind}: {len(errors)}, as: {errors[0]}")


if __name__ == "__main__":
    if len(sys.argv) >= 4 and sys.argv[1] == "operators":
        operators(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    elif len(sys.argv) == 3 and sys.argv[1] == "networks":
        import networks

        networks.make(sys.argv[2], record)
    else:
        print(__doc__)
        sys.exit(2)
