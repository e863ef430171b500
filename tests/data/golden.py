"""Golden files: a .tflite model, inputs, and the outputs of the reference interpreter, with a manifest.

The reference is TensorFlow Lite Micro's reference kernels (PyPI `tflite-micro`): double rounding. Later LiteRT
differs by a unit or two in the last place and must not be used here (see docs/numerics.md).

manifest.txt, space-separated lines:
  model NAME GENERATOR
  inputs I,..                 outputs I,..
  tensor IDX DTYPE SHAPE CONST_OFF CONST_LEN SCALES ZPS QDIM NAME
      SHAPE is d0,d1,.. (0: scalar); DTYPE ends in v for a variable tensor; the constant's byte offset and length are
      inside the model's file (0 0: none); SCALES are the bits of f32 in hex; - where there are none.
  op IDX NAME VERSION INPUTS OUTPUTS k=v.. [qm=FILE]
      FILE holds little-endian i32 pairs (multiplier, shift): per output channel for CONV_2D, DEPTHWISE_CONV_2D,
      TRANSPOSE_CONV and FULLY_CONNECTED (one pair if per tensor); input 1, input 2, output for ADD and SUB;
      alpha, identity for LEAKY_RELU; one pair for MUL, MEAN, QUANTIZE and SOFTMAX; feature, time for SVDF.
  case IDX LABEL STEPS        one call of the interpreter per step, state kept from step to step, reset at each case
  in CASE TENSOR FILE         out CASE TENSOR FILE
      raw, little-endian, row-major, the steps one after the other. GEN:all_min|all_max|ramp instead of an input's file:
      -128 | 127 | (i mod 256) - 128, in int16 -32768 | 32767 | (i mod 65536) - 32768.
  inter CASE STEP TENSOR FNV1A64 -
      hash (FNV-1a, 64 bits, hex) of an intermediate tensor's bytes, to find the first operator that differs.
"""

import math
import os
import struct
from importlib import metadata

import flatbuffers
import numpy as np
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

GENERATOR = f"tflite-micro_{metadata.version('tflite_micro')}"
DTYPES = {name: value for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
DTYPE_NAMES = {value: name for name, value in DTYPES.items()}
NUMPY = {"FLOAT32": np.float32, "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
         "BOOL": np.bool_}
OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
RANGES = {np.dtype(np.int8): (-128, 127), np.dtype(np.int16): (-32768, 32767)}


def operator_name(model, operator):
    code = model.operatorCodes[operator.opcodeIndex]
    return OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def parse(model_bytes):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model_bytes, 0))


def fnv1a64(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


# ---- what an operator derives from its tensors (docs/numerics.md) ---------------------------------------------------

def quantize_multiplier(real):
    """A positive real as (multiplier, shift): real = multiplier * 2^(shift - 31), half away from zero."""
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def scales(tensor):
    q = tensor.quantization
    return None if q is None or q.scale is None or len(q.scale) == 0 else np.asarray(q.scale, np.float32)


def zero_point(tensor):
    return int(tensor.quantization.zeroPoint[0])


def multipliers(name, options, tensors, inputs, outputs, constants):
    """The (multiplier, shift) pairs of one operator, [] where it has none or this script does not derive them."""
    if outputs[0] < 0 or scales(tensors[outputs[0]]) is None:
        return []
    s_out = float(scales(tensors[outputs[0]])[0])
    s_in = [float(scales(tensors[i])[0]) if i >= 0 and scales(tensors[i]) is not None else None for i in inputs]
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return [quantize_multiplier(s_in[0] * float(s) / s_out) for s in scales(tensors[inputs[1]])]
    if name == "TRANSPOSE_CONV":
        return [quantize_multiplier(s_in[2] * float(s) / s_out) for s in scales(tensors[inputs[1]])]
    if name == "FULLY_CONNECTED":
        weights = scales(tensors[inputs[1]])
        if len(weights) > 1:
            return [quantize_multiplier(s_in[0] * float(s) / s_out) for s in weights]
        return [quantize_multiplier(float(np.float32(s_in[0]) * weights[0]) / s_out)]
    if name in ("ADD", "SUB"):
        left = 15 if tensors[outputs[0]].type == DTYPES["INT16"] else 20
        twice = 2 * max(s_in[0], s_in[1])
        return [quantize_multiplier(r) for r in (s_in[0] / twice, s_in[1] / twice, twice / (2**left * s_out))]
    if name == "MUL":
        return [quantize_multiplier(s_in[0] * s_in[1] / s_out)]
    if name in ("MEAN", "QUANTIZE") and s_in[0] is not None:
        return [quantize_multiplier(s_in[0] / s_out)]
    if name == "LEAKY_RELU":
        alpha = np.float32(s_in[0]) * np.float32(options.alpha) / np.float32(s_out)
        return [quantize_multiplier(float(alpha)), quantize_multiplier(float(np.float32(s_in[0]) / np.float32(s_out)))]
    if name == "SOFTMAX" and tensors[inputs[0]].type == DTYPES["INT8"]:
        return [quantize_multiplier(min(float(np.float32(options.beta)) * s_in[0] * 2**26, 2.0**31 - 1))]
    if name == "SVDF":
        f32 = np.float32
        state = f32(s_in[4])
        return [quantize_multiplier(float(f32(s_in[0]) * f32(s_in[1]) / state)),
                quantize_multiplier(float(state * f32(s_in[2]) / f32(s_out)))]
    return []


def activation_range(activation, tensor):
    low, high = RANGES[np.dtype(NUMPY[DTYPE_NAMES[tensor.type]])]
    s, zp = scales(tensor)[0], zero_point(tensor)
    quantize = lambda value: zp + int(np.sign(value) * math.floor(abs(float(np.float32(value) / s)) + 0.5))
    if activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
        low = max(low, quantize(-1.0) if activation == "RELU_N1_TO_1" else zp)
    if activation == "RELU6":
        high = min(high, quantize(6.0))
    if activation == "RELU_N1_TO_1":
        high = min(high, quantize(1.0))
    return low, high


ENUMS = {"padding": schema.Padding, "fusedActivationFunction": schema.ActivationFunctionType, "quantizedBiasType": schema.TensorType,
         "inDataType": schema.TensorType, "outDataType": schema.TensorType, "outType": schema.TensorType,
         "mode": schema.MirrorPadMode}


def option_text(options):
    text = []
    for key, value in vars(options).items() if options is not None else ():
        if key == "quantSpec":
            continue
        if key in ENUMS:
            value = next(n for n, v in vars(ENUMS[key]).items() if v == value and not n.startswith("_"))
        if value is None or isinstance(value, (list, np.ndarray)):
            value = ",".join(map(str, value)) if value is not None and len(value) else "-"
        text.append(f"{key}={value}")
    return text


def convolution_padding(name, options, tensors, inputs):
    x = tensors[inputs[0]].shape
    pool = name.endswith("POOL_2D")
    kernel = (options.filterHeight, options.filterWidth) if pool else tensors[inputs[1]].shape[1:3]
    dilation = (getattr(options, "dilationHFactor", 1), getattr(options, "dilationWFactor", 1))
    before = []
    for size, k, s, d in zip(x[1:3], kernel, (options.strideH, options.strideW), dilation):
        out = -(-size // s)
        before.append(max(0, (out - 1) * s + (k - 1) * d + 1 - size) // 2 if options.padding == schema.Padding.SAME else 0)
    return before


# ---- running -------------------------------------------------------------------------------------------------------

def quantized(values, scale, zp, dtype):
    """Reals to integers as a user's front end does it: nearest, half away from zero, clamped."""
    q = np.asarray(values, np.float64) / scale
    q = np.sign(q) * np.floor(np.abs(q) + 0.5) + zp
    low, high = RANGES[np.dtype(dtype)]
    return np.clip(q, low, high).astype(dtype)


def generated(kind, shape, dtype):
    """The inputs that need no file."""
    low, high = RANGES[np.dtype(dtype)]
    if kind == "all_min":
        return np.full(shape, low, dtype)
    if kind == "all_max":
        return np.full(shape, high, dtype)
    assert kind == "ramp", kind
    i = np.arange(math.prod(shape))
    ramp = i % (high - low + 1) + low
    return ramp.astype(dtype).reshape(shape)


def run(model_bytes, steps):
    """Runs the reference: `steps` is a list of lists of input arrays. Returns the outputs of each step."""
    interpreter = runtime.Interpreter.from_bytes(model_bytes, arena_size=40 * len(model_bytes) + 400_000)
    count = len(parse(model_bytes).subgraphs[0].outputs)
    outputs = []
    for arrays in steps:
        for index, array in enumerate(arrays):
            interpreter.set_input(array, index)
        interpreter.invoke()
        outputs.append([np.array(interpreter.get_output(i)) for i in range(count)])
    return outputs


def pack(model):
    """A model object as the bytes of a .tflite file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_outputs(model_bytes, more):
    """The model with further tensors declared as outputs: the interpreter then keeps them to the end."""
    model = parse(model_bytes)
    graph = model.subgraphs[0]
    graph.outputs = [int(i) for i in graph.outputs] + list(more)
    return pack(model)


def constant_span(view, buffer_index):
    """Byte offset and length of a buffer's data inside the model's file."""
    buffer = view.Buffers(buffer_index)
    length = buffer.DataLength()
    if length == 0:
        return 0, 0
    return buffer._tab.Vector(buffer._tab.Offset(4)), length


def input_shapes(model_bytes):
    graph = parse(model_bytes).subgraphs[0]
    return [(tuple(graph.tensors[i].shape), NUMPY[DTYPE_NAMES[graph.tensors[i].type]]) for i in graph.inputs]


def write(directory, model_bytes, cases, model_file="model.tflite", names=None, hash_steps=4):
    """Writes the model, inputs, outputs, multipliers and manifest of `cases` into `directory`.

    A case is (label, inputs): one entry per input of the model, either an array with the steps as its first axis or
    "GEN:kind". `names` overrides the names of case 0's files: {"in": [..], "out": [..]}. Intermediate tensors are
    hashed in the first `hash_steps` steps of each case. Returns the outputs: [case][output] with steps first.
    """
    os.makedirs(directory, exist_ok=True)
    for old in os.listdir(directory):
        if old.endswith((".bin", "manifest.txt")) and not (names and old in names.get("keep", [])):
            os.remove(os.path.join(directory, old))

    def save(name, data):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)

    save(model_file, model_bytes)
    view = schema.Model.GetRootAsModel(model_bytes, 0)
    model = parse(model_bytes)
    assert len(model.subgraphs) == 1
    graph = model.subgraphs[0]
    tensors = graph.tensors
    spans = [constant_span(view, t.buffer) for t in tensors]
    comma = lambda values: ",".join(str(int(v)) for v in values)
    lines = ["# line formats: see golden.py in tests/data",
             f"model {os.path.basename(os.path.abspath(directory))} {GENERATOR}",
             f"inputs {comma(graph.inputs)}", f"outputs {comma(graph.outputs)}"]
    for index, t in enumerate(tensors):
        s = scales(t)
        bits = "-" if s is None else ",".join(f"{struct.unpack('<I', struct.pack('<f', x))[0]:08x}" for x in s)
        zps = "-" if s is None else ",".join(str(z) for z in dict.fromkeys(int(z) for z in t.quantization.zeroPoint))
        qdim = 0 if t.quantization is None else t.quantization.quantizedDimension
        shape = "0" if t.shape is None or len(t.shape) == 0 else comma(t.shape)
        name = (t.name or b"").decode(errors="replace").replace(" ", "_") or "-"
        lines.append(f"tensor {index} {DTYPE_NAMES[t.type]}{'v' if t.isVariable else ''} {shape} {spans[index][0]} "
                     f"{spans[index][1]} {bits} {zps} {qdim} {name}")
    written = set()
    for index, op in enumerate(graph.operators):
        name = operator_name(model, op)
        inputs, outputs = list(op.inputs), list(op.outputs)
        written.update(outputs)
        text = option_text(op.builtinOptions)
        output = tensors[outputs[0]]
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"):
            pad = convolution_padding(name, op.builtinOptions, tensors, inputs)
            text.append(f"pad=[{pad[0]},{pad[1]}]")
        if hasattr(op.builtinOptions, "fusedActivationFunction") and scales(output) is not None and "LSTM" not in name:
            activation = next(n for n, v in vars(schema.ActivationFunctionType).items()
                              if v == op.builtinOptions.fusedActivationFunction and not n.startswith("_"))
            low, high = activation_range(activation, output)
            text += [f"act_min={low}", f"act_max={high}"]
        pairs = multipliers(name, op.builtinOptions, tensors, inputs, outputs, spans)
        if pairs:
            file = f"op{index}_qm.bin"
            save(file, b"".join(struct.pack("<ii", m, s) for m, s in pairs))
            text.append(f"qm={file}")
        version = model.operatorCodes[op.opcodeIndex].version
        lines.append(" ".join([f"op {index} {name} {version} {comma(inputs)} {comma(outputs)}"] + text))
    hashed = sorted(t for t in written if t not in set(graph.outputs) and not tensors[t].isVariable)
    results, inter = [], []
    for number, (label, inputs) in enumerate(cases):
        arrays, files = [], []
        for position, (given, index) in enumerate(zip(inputs, graph.inputs, strict=True)):
            shape, dtype = tuple(tensors[index].shape), NUMPY[DTYPE_NAMES[tensors[index].type]]
            if isinstance(given, str):
                arrays.append(generated(given.removeprefix("GEN:"), shape, dtype)[None])
                files.append(given)
            else:
                given = np.asarray(given)
                assert given.dtype == dtype and given.shape[1:] == shape, (label, given.dtype, given.shape, dtype, shape)
                arrays.append(given)
                files.append(names["in"][position] if names and number == 0 else f"c{number}_in{position}.bin")
                save(files[-1], given.tobytes())
        count = len(arrays[0])
        assert all(len(a) == count for a in arrays)
        steps = [[a[step] for a in arrays] for step in range(count)]
        outputs = run(model_bytes, steps)
        if hashed:
            for step, arrays in enumerate(run(with_outputs(model_bytes, hashed), steps[:hash_steps])):
                assert all(np.array_equal(a, b) for a, b in zip(arrays, outputs[step]))
                inter += [f"inter {number} {step} {t} {fnv1a64(a.tobytes()):016x} -"
                          for t, a in zip(hashed, arrays[len(graph.outputs):])]
        lines.append(f"case {number} {label} {count}")
        lines += [f"in {number} {index} {file}" for index, file in zip(graph.inputs, files)]
        stacked = [np.stack([o[i] for o in outputs]) for i in range(len(graph.outputs))]
        for position, index in enumerate(graph.outputs):
            file = names["out"][position] if names and number == 0 else f"c{number}_out{position}.bin"
            save(file, stacked[position].tobytes())
            lines.append(f"out {number} {index} {file}")
        results.append(stacked)
    save("manifest.txt", "\n".join(lines + inter + [""]).encode())
    return results
