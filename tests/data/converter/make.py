"""Makes small models as today's TensorFlow converter emits them, with inputs and the reference's outputs.

    pip install tensorflow-cpu==2.21.0 tflite-micro
    python make.py [NAME..]
"""

import os
import sys
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import keras
import numpy as np
import tensorflow as tf

import golden
from golden import schema

layers = keras.layers
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
MODELS, REAL, UNSUPPORTED = {}, {}, {}


def model(function):
    MODELS[function.__name__] = function
    return function


def real(function):
    REAL[function.__name__] = function
    return function


def unsupported(function):
    UNSUPPORTED[function.__name__] = function
    return function


def samples(shapes, count, seed):
    random = np.random.default_rng(seed)
    return [[random.normal(0, 1, (1, *shape)).astype(np.float32) for shape in shapes] for _ in range(count)]


def convert(network, mode="int8", io=tf.int8):
    """The converter's output for a Keras model or a tf.function with a signature."""
    if isinstance(network, keras.Model):
        random = np.random.default_rng(2)
        for variable in network.weights:  # Keras starts biases and batch normalisation at 0 and 1
            if len(variable.shape) == 1:
                variable.assign(variable + random.uniform(-0.4, 0.4, variable.shape))
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        shapes = [tuple(size or 6 for size in tensor.shape[1:]) for tensor in network.inputs]
    else:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], network)
        shapes = [tuple(spec.shape[1:]) for spec in network.input_signature]
    if mode == "float":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "hybrid":
        return converter.convert()
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
    converter.representative_dataset = lambda: iter(samples(shapes, 64, 1))
    operators = tf.lite.OpsSet
    converter.target_spec.supported_ops = {
        "int8": [operators.TFLITE_BUILTINS_INT8],
        "int16": [operators.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8],
        "mixed": [operators.TFLITE_BUILTINS_INT8, operators.TFLITE_BUILTINS],
        "flex": [operators.TFLITE_BUILTINS_INT8, operators.TFLITE_BUILTINS, operators.SELECT_TF_OPS],
    }[mode]
    converter.inference_input_type = converter.inference_output_type = io
    return converter.convert()


def sequential(shape, *stack, batch=1):
    return keras.Sequential([keras.Input(shape, batch_size=batch), *stack])


# ---- models that must import ---------------------------------------------------------------------------------------

@model
def flatten():
    """Batch left open, as from_keras_model does it by default: SHAPE, STRIDED_SLICE, PACK and RESHAPE for the Flatten."""
    return convert(sequential((5, 4, 2), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(),
                              layers.Dense(6, activation="relu"), layers.Dense(3), layers.Softmax(), batch=None))


@model
def dense_per_channel():
    """Dense layers, whose weights the converter quantises per channel; the second has no bias."""
    return convert(sequential((20,), layers.Dense(12, activation="relu"), layers.Dense(7, use_bias=False)))


@model
def residual():
    """Two branches and an ADD with a fused RELU."""
    x = keras.Input((6, 6, 3), batch_size=1)
    a = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(8, 3, padding="same")(a)
    y = layers.ReLU()(layers.Add()([a, b]))
    return convert(keras.Model(x, layers.Conv2D(4, 1)(y)))


@model
def global_average_pool():
    """MEAN over height and width, batch left open."""
    return convert(sequential((7, 5, 3), layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
                              layers.GlobalAveragePooling2D(), layers.Dense(4), layers.Softmax(), batch=None))


@model
def padding_layer():
    """ZeroPadding2D, asymmetric, before a strided VALID convolution."""
    return convert(sequential((6, 7, 2), layers.ZeroPadding2D(((1, 0), (2, 1))), layers.Conv2D(5, 3, strides=2, activation="relu"),
                              layers.MaxPooling2D(2, padding="same")))


@model
def depth_multiplier():
    """Depthwise with multiplier 2 and stride 2, then pointwise."""
    return convert(sequential((8, 8, 3), layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="relu"),
                              layers.Conv2D(4, 1)))


@model
def dilation():
    """Dilated convolution, SAME, and dilated depthwise, VALID."""
    return convert(sequential((9, 9, 2), layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="relu"),
                              layers.DepthwiseConv2D(3, dilation_rate=2)))


@model
def relu6():
    """An inverted residual block with RELU6, batch normalisation folded."""
    def normalised(tensor, convolution):
        return layers.ReLU(6.0)(layers.BatchNormalization()(convolution(tensor)))
    x = keras.Input((8, 8, 4), batch_size=1)
    y = normalised(x, layers.Conv2D(12, 1, use_bias=False))
    y = normalised(y, layers.DepthwiseConv2D(3, padding="same", use_bias=False))
    y = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False)(y))])
    return convert(keras.Model(x, y))


@model
def convolution_1d():
    """Conv1D, causal with dilation, and pooling over time, as sensor networks have them: RESHAPE or EXPAND_DIMS around."""
    return convert(sequential((16, 3), layers.Conv1D(6, 3, padding="same", activation="relu"), layers.MaxPooling1D(2),
                              layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
                              layers.GlobalAveragePooling1D(), layers.Dense(3)))


@model
def float_input_output():
    """The converter's default: float at the edges, QUANTIZE and DEQUANTIZE around the int8 network."""
    return convert(sequential((10,), layers.Dense(6, activation="relu"), layers.Dense(4), layers.Softmax()), io=tf.float32)


@model
def activations():
    """TANH, LOGISTIC, LEAKY_RELU and HARD_SWISH between dense layers."""
    x = keras.Input((8,), batch_size=1)
    y = layers.Dense(8, activation="tanh")(x)
    y = layers.Dense(8, activation="sigmoid")(y)
    y = layers.LeakyReLU(0.2)(layers.Dense(8)(y))
    y = layers.Activation("hard_swish")(layers.Dense(8)(y))
    return convert(keras.Model(x, layers.Dense(3)(y)))


@model
def branches():
    """Concatenation of three branches: pointwise, 3x3, average pooling."""
    x = keras.Input((6, 6, 4), batch_size=1)
    y = layers.Concatenate()([layers.Conv2D(3, 1, activation="relu")(x), layers.Conv2D(2, 3, padding="same")(x),
                              layers.AveragePooling2D(3, strides=1, padding="same")(x)])
    return convert(keras.Model(x, layers.AveragePooling2D(2)(y)))


@model
def two_inputs_two_outputs():
    """A model with several inputs and outputs, SUB and MUL."""
    a, b = keras.Input((5,), batch_size=1, name="a"), keras.Input((5,), batch_size=1, name="b")
    return convert(keras.Model([a, b], [layers.Dense(4)(layers.Multiply()([a, b])), layers.Subtract()([a, b])]))


@model
def transpose_convolution():
    """Conv2DTranspose, then a convolution."""
    return convert(sequential((4, 4, 3), layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
                              layers.Conv2D(2, 1)))


@model
def int16_activations():
    """int16 activations with int8 weights (16x8): convolution, depthwise, pooling, dense, softmax."""
    return convert(sequential((6, 6, 2), layers.Conv2D(4, 3, padding="same", activation="relu"), layers.DepthwiseConv2D(3),
                              layers.MaxPooling2D(2), layers.Reshape((16,)), layers.Dense(5, activation="relu"), layers.Dense(3),
                              layers.Softmax()), mode="int16", io=tf.int16)


@model
def oddities():
    """The model `flatten` with what real files carry besides: an unused tensor, a tensor twice, an unused operator code, empty
    buffers, several metadata entries, and a quantized_dimension out of range on per-tensor tensors (which means nothing)."""
    changed = golden.parse(flatten())
    graph = changed.subgraphs[0]
    constant = next(t for t in graph.tensors if t.type == schema.TensorType.INT8 and changed.buffers[t.buffer].data is not None)
    copy, unused = schema.TensorT(), schema.TensorT()
    vars(copy).update(vars(constant))
    vars(unused).update(vars(constant))
    unused.name, unused.shape, unused.shapeSignature, unused.buffer = b"unused", [2, 3], None, len(changed.buffers)
    unused.quantization = None
    graph.tensors += [copy, unused]
    changed.buffers += [schema.BufferT(), schema.BufferT(), schema.BufferT()]
    changed.buffers[-1].data = np.frombuffer(b"anything at all", np.uint8)
    for name, number in ((b"a_note", 1), (b"TFLITE_METADATA", 2), (b"a_note", 1)):
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(changed.buffers) - number
        changed.metadata.append(entry)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.COS
    changed.operatorCodes.append(code)
    dense = next(op for op in graph.operators if golden.operator_name(changed, op) == "FULLY_CONNECTED")
    graph.tensors[dense.inputs[0]].quantization.quantizedDimension = 7
    graph.tensors[graph.inputs[0]].quantization.quantizedDimension = 9
    users = [op for op in graph.operators if golden.operator_name(changed, op) == "CONV_2D"]
    users[0].inputs = [len(graph.tensors) - 2 if graph.tensors[i] is constant else i for i in users[0].inputs]
    return golden.pack(changed)


@model
def weight_zero_point():
    """`dense_per_channel` made per tensor, with weights whose zero point is not 0: the reference subtracts it."""
    changed = golden.parse(dense_per_channel())
    graph = changed.subgraphs[0]
    for op in graph.operators:
        quantisation = graph.tensors[op.inputs[1]].quantization
        quantisation.scale, quantisation.zeroPoint = quantisation.scale[:1], [3]
    return golden.pack(changed)


@model
def reversed_scales():
    """A sequence that is reversed, with another scale behind than before, as the converter writes it in bidirectional networks: what is stored is moved."""
    frames = keras.Input((4, 3), batch_size=1)
    reverse = layers.Lambda(lambda tensor: tf.reverse(tensor, [1]))
    changed = golden.parse(convert(keras.Model(frames, layers.Conv1D(2, 1)(reverse(layers.Conv1D(3, 1)(frames))))))
    graph = changed.subgraphs[0]
    for op in graph.operators:
        if golden.operator_name(changed, op) == "REVERSE_V2":
            quantisation = graph.tensors[op.outputs[0]].quantization
            quantisation.scale, quantisation.zeroPoint = [quantisation.scale[0] * 1.25], [quantisation.zeroPoint[0] + 3]
    return golden.pack(changed)


# ---- float models --------------------------------------------------------------------------------------------------

@real
def float_model():
    """Not quantised at all."""
    return convert(sequential((6, 6, 2), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(4)), mode="float")


@real
def hybrid_weights():
    """Dynamic-range quantisation: int8 weights, float activations."""
    return convert(sequential((48,), layers.Dense(40, activation="relu"), layers.Dense(4)), mode="hybrid")


@real
def float16_weights():
    """Weights in float16, behind DEQUANTIZE."""
    return convert(sequential((8,), layers.Dense(6)), mode="float16")


@real
def two_operators():
    """COS and CUMSUM, in float, in the middle of an int8 network."""
    x = keras.Input((6,), batch_size=1)
    y = layers.Dense(6)(x)
    y = keras.ops.cumsum(keras.ops.cos(y), axis=1)
    return convert(keras.Model(x, layers.Dense(3)(y)), mode="mixed")


# ---- models that must be refused -----------------------------------------------------------------------------------

@unsupported
def dynamic_size():
    """Height and width left open: shape [1, 1, 1, 2] with the signature [-1, -1, -1, 2]."""
    return convert(sequential((None, None, 2), layers.Conv2D(3, 3, padding="same"), layers.Conv2D(2, 1), batch=None))


@unsupported
def custom_operator():
    """An operator of TensorFlow itself (Flex), which only the converter's SELECT_TF_OPS lets through."""
    @tf.function(input_signature=[tf.TensorSpec((1, 6), tf.float32)])
    def network(x):
        return tf.math.erf(x)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], network)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    return converter.convert()


@real
def counted_loop():
    """A loop of three rounds: WHILE with its condition and its body as further subgraphs."""
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def network(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y + x)), (0, x))[1]
    return convert(network, mode="float")


@real
def dilation_open_batch():
    """Dilated convolutions, SAME, of a batch that is left open: SPACE_TO_BATCH_ND, the convolution, BATCH_TO_SPACE_ND. In front a RELU, so that 0 is not the stored 0."""
    return convert(sequential((9, 9, 2), layers.ReLU(), layers.Conv2D(3, 3, dilation_rate=2, padding="same", activation="relu"),
                              layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"), batch=None))


@real
def dilation_of_a_sequence():
    """The same of a sequence, with a length that the dilation does not divide."""
    return convert(sequential((21, 2), layers.ReLU(), layers.Conv1D(3, 3, dilation_rate=4, padding="same"), batch=None))


@real
def upsampling():
    """UpSampling2D between convolutions, by 2 in both directions and by 3 along the height: RESHAPE and TILE in pairs."""
    return convert(sequential((4, 3, 2), layers.Conv2D(3, 3, padding="same", activation="relu"), layers.UpSampling2D(2),
                              layers.Conv2D(2, 3, padding="same"), layers.UpSampling2D((3, 1)), layers.Conv2D(2, 1)))


@real
def recurrent_loops():
    """A Keras GRU that gives its sequence and an LSTM behind it, as the converter writes them without `unroll`: a WHILE each."""
    frames = keras.Input((5, 3), batch_size=1)
    return convert(keras.Model(frames, layers.LSTM(3)(layers.GRU(4, return_sequences=True)(frames))), mode="float")


@real
def recurrent_layers():
    """Each kind of recurrent layer that a loop can be: a GRU with the reset before the product, a GRU without biases, simple RNNs with tanh and RELU, an LSTM in both
    directions, and one that starts from the states of another."""
    frames = keras.Input((6, 3), batch_size=1)
    sequence = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(
        layers.SimpleRNN(4, activation="relu", return_sequences=True)(
            layers.GRU(4, reset_after=False, return_sequences=True)(frames)))
    last, hidden, cell = layers.LSTM(3, return_state=True)(sequence)
    others = [layers.LSTM(3)(frames, initial_state=[hidden, cell]), layers.GRU(3, use_bias=False)(frames), layers.SimpleRNN(3)(frames)]
    return convert(keras.Model(frames, layers.Concatenate()([last, cell, *others])), mode="float")


@real
def recurrent_behind_convolutions():
    """A GRU and an LSTM behind convolutions without padding, whose first rows a stream makes before those of its first window."""
    return convert(sequential((12, 3), layers.Conv1D(4, 3, activation="relu"), layers.GRU(4, return_sequences=True), layers.Conv1D(3, 2),
                              layers.LSTM(3)), mode="float")


@real
def recurrent_behind_causal():
    """A GRU behind causal convolutions, the second one dilated: PAD, and around the convolution the shapes of a sequence."""
    return convert(sequential((12, 3), layers.Conv1D(4, 3, padding="causal", activation="relu"),
                              layers.Conv1D(4, 2, padding="causal", dilation_rate=2), layers.GRU(4)), mode="float")


@real
def recurrent_dropout():
    """A GRU with dropout, as it was trained: the converter leaves the counter of its random numbers in the file, a variable of INT64 that no output needs."""
    return convert(sequential((6, 3), layers.GRU(4, dropout=0.2)), mode="float")


@real
def recurrent_stateful_float16():
    """A GRU that goes on from call to call, with weights in float16, as is what its state starts from: a DEQUANTIZE in the subgraph of CALL_ONCE."""
    frames = keras.Input((4, 3), batch_size=1)
    return convert(keras.Model(frames, layers.GRU(3, stateful=True)(frames)), mode="float16")


@real
def other_loops():
    """Recurrent layers whose formulas no kernel has: a GRU with ELU, an LSTM with hard sigmoids, a GRU that passes over masked steps."""
    frames = keras.Input((5, 3), batch_size=1)
    sequence = layers.GRU(4, activation="elu", return_sequences=True)(frames)
    masked = layers.GRU(2)(layers.Masking()(frames))
    return convert(keras.Model(frames, layers.Concatenate()([layers.LSTM(3, recurrent_activation="hard_sigmoid")(sequence), masked])), mode="float")


@unsupported
def variables_without_values():
    """A Keras model's function, converted with the model as the holder of its variables: Keras 3 does not hand them over."""
    frames = keras.Input((4,), batch_size=1)
    network = keras.Model(frames, layers.Dense(2)(frames))
    function = tf.function(lambda x: network(x)).get_concrete_function(tf.TensorSpec((1, 4), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], network).convert()


@unsupported
def several_subgraphs():
    """A loop that goes on until its values are large: how often depends on the input."""
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def network(x):
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 3.0, lambda y: (y + tf.exp(y),), (x,))[0]
    return convert(network, mode="float")


@unsupported
def uint8_input():
    """uint8 at the edges, through QUANTIZE."""
    return convert(sequential((6,), layers.Dense(3)), io=tf.uint8)


# ---- writing -------------------------------------------------------------------------------------------------------

def cases(model_bytes):
    graph = golden.parse(model_bytes).subgraphs[0]
    shapes = golden.input_shapes(model_bytes)
    random = np.random.default_rng(3)
    natural, uniform = [], []
    for index, (shape, dtype) in zip(graph.inputs, shapes):
        reals = random.normal(0, 1, (4, *shape)).astype(np.float32)
        if dtype == np.float32:
            natural.append(reals)
            uniform.append(random.uniform(-4, 4, (1, *shape)).astype(np.float32))
        else:
            tensor = graph.tensors[index]
            natural.append(golden.quantized(reals, float(golden.scales(tensor)[0]), golden.zero_point(tensor), dtype))
            low, high = golden.RANGES[np.dtype(dtype)]
            uniform.append(random.integers(low, high + 1, (1, *shape)).astype(dtype))
    return [("normal", natural), ("uniform", uniform)]


def with_real_weights(data):
    """The model with all of its weights in FLOAT32, as the reference runs it."""
    model = golden.parse(data)
    graph = model.subgraphs[0]
    float32, float16, int8 = (golden.DTYPES[name] for name in ("FLOAT32", "FLOAT16", "INT8"))
    for tensor in graph.tensors:
        stored = model.buffers[tensor.buffer].data
        if stored is None or tensor.type not in (float16, int8):
            continue
        stored = np.asarray(stored, np.uint8).tobytes()
        if tensor.type == float16:
            values = np.frombuffer(stored, np.float16).astype(np.float32)
        else:
            values = np.frombuffer(stored, np.int8).reshape(tensor.shape).astype(np.float32)
            scale = np.asarray(golden.scales(tensor), np.float32)
            axis = [1] * values.ndim
            axis[tensor.quantization.quantizedDimension] = len(scale)
            values = (values * scale.reshape(axis)).astype(np.float32)
        model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
        tensor.type, tensor.quantization = float32, None
    same, operators = {}, []
    for operator in graph.operators:
        if golden.operator_name(model, operator) == "DEQUANTIZE":
            same[operator.outputs[0]] = operator.inputs[0]
        else:
            operator.inputs = [same.get(index, index) for index in operator.inputs]
            operators.append(operator)
    graph.operators = operators
    return golden.pack(model)


def run_in_tensorflow(data, inputs):
    """As `golden.run` by TensorFlow's reference kernels: the reference has no tensors whose lengths change from round to round of a loop. TILE and ELU are
    in its other kernels alone."""
    kinds = tf.lite.experimental.OpResolverType
    model = golden.parse(data)
    names = {golden.operator_name(model, operator) for graph in model.subgraphs for operator in graph.operators}
    kernels = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if names & {"TILE", "ELU"} else kinds.BUILTIN_REF
    interpreter = tf.lite.Interpreter(model_content=data, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    outputs = []
    for arrays in inputs:
        for detail, array in zip(interpreter.get_input_details(), arrays):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        outputs.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
    return outputs


# What the reference does not run as it is meant: loops, batches that are left open, and TILE.
IN_TENSORFLOW = ["recurrent_loops", "recurrent_layers", "recurrent_behind_convolutions", "recurrent_behind_causal", "recurrent_dropout",
                 "recurrent_stateful_float16", "other_loops", "dilation_open_batch", "dilation_of_a_sequence", "upsampling"]


def write_real(directory, data, run):
    """Writes a float model with `io.txt`: inputs and outputs without a manifest."""
    os.makedirs(directory, exist_ok=True)
    (_, (inputs,)), = cases(data)[:1]
    reference = with_real_weights(data) if inputs.dtype == np.float32 else data
    files = {"model.tflite": data}
    lines = ["calls 1", f"in 0 {inputs.dtype} {','.join(str(size) for size in inputs[0].shape)}"]
    for case, array in enumerate(inputs):
        (output,), = run(reference, [[array]])
        files[f"c{case}_in0.bin"], files[f"c{case}_out0.bin"] = array.tobytes(), output.tobytes()
    lines.append(f"out 0 {output.dtype} {','.join(str(size) for size in output.shape)}")
    files["io.txt"] = ("\n".join(lines) + "\n").encode()
    for name, content in files.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(content)


def main(chosen):
    rows = []
    for name, function in {**MODELS, **REAL, **UNSUPPORTED}.items():
        if chosen and name not in chosen:
            continue
        keras.utils.set_random_seed(zlib.crc32(name.encode()))
        keras.backend.clear_session()
        data = function()
        parsed = golden.parse(data)
        operators = ", ".join(dict.fromkeys(golden.operator_name(parsed, op) for g in parsed.subgraphs for op in g.operators))
        rows.append(f"| `{name}` | {' '.join(function.__doc__.split())} | {operators} | {len(data)} |")
        if name in UNSUPPORTED:
            os.makedirs(os.path.join(HERE, "unsupported"), exist_ok=True)
            with open(os.path.join(HERE, "unsupported", f"{name}.tflite"), "wb") as file:
                file.write(data)
            continue
        if name in REAL:
            write_real(os.path.join(HERE, name), data, run_in_tensorflow if name in IN_TENSORFLOW else golden.run)
            continue
        results = golden.write(os.path.join(HERE, name), data, cases(data))
        spread = [len(np.unique(output)) for case in results for output in case]
        print(name, "distinct output values", spread)
    print("\n".join(rows))


main(sys.argv[1:])
