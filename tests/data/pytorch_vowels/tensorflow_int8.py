"""What TensorFlow's converter makes of the networks of this folder: Keras twins with PyTorch's weights, the same calibration and test data.

    python3 tensorflow_int8.py WEIGHTS     # the folder that train.py wrote; writes tensorflow.txt here

The LSTM becomes UNIDIRECTIONAL_SEQUENCE_LSTM. Of a GRU and a simple RNN the converter makes integers only when they are unrolled, step by step.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
HERE = os.path.dirname(os.path.abspath(__file__))

import numpy as np
import tensorflow as tf
import tf_keras as keras


def read(split):
    folder = os.path.join(HERE, "..", "japanese_vowels")
    frames = np.fromfile(os.path.join(folder, f"{split}_frames.bin"), "<i2").reshape(-1, 12) / 4096
    ends = np.cumsum(np.fromfile(os.path.join(folder, f"{split}_lengths.bin"), np.uint8).astype(int))
    padded = np.zeros((len(ends), 29, 12), np.float32)
    for to, sequence in zip(padded, np.split(frames, ends[:-1])):
        to[29 - len(sequence):] = sequence
    return padded, np.fromfile(os.path.join(folder, f"{split}_labels.bin"), np.uint8)


def lstm(weights, suffix=""):
    """PyTorch's gates i, f, g, o are Keras's i, f, c, o; Keras has one bias."""
    of = lambda name: weights[f"layer.{name}_l0{suffix}"]
    return [of("weight_ih").T, of("weight_hh").T, of("bias_ih") + of("bias_hh")]


def gru(weights):
    """PyTorch's gates r, z, n become Keras's z, r, h."""
    order = lambda rows: np.concatenate([np.split(rows, 3)[gate] for gate in (1, 0, 2)])
    of = lambda name: order(weights[f"layer.{name}_l0"])
    return [of("weight_ih").T, of("weight_hh").T, np.stack([of("bias_ih"), of("bias_hh")])]


def simple(weights):
    of = lambda name: weights[f"layer.{name}_l0"]
    return [of("weight_ih").T, of("weight_hh").T, of("bias_ih") + of("bias_hh")]


def build(name, weights):
    layers = keras.layers
    given = layers.Input((29, 12), batch_size=1)
    if name == "gru":
        layer, values = layers.GRU(24, unroll=True), gru(weights)
    elif name == "rnn":
        layer, values = layers.SimpleRNN(32, unroll=True), simple(weights)
    elif name == "lstm":
        layer, values = layers.LSTM(24), lstm(weights)
    else:
        layer = layers.Bidirectional(layers.LSTM(16))
        values = lstm(weights) + lstm(weights, "_reverse")
    head = layers.Dense(9)
    model = keras.Model(given, head(layer(given)))
    layer.set_weights(values)
    head.set_weights([weights["head.weight"].T, weights["head.bias"]])
    return model


def run(name, content, inputs):
    # The reference kernels lack the int8 REVERSE_V2 of the bidirectional twin.
    kinds = tf.lite.experimental.OpResolverType
    kernels = kinds.AUTO if name == "bidirectional" else kinds.BUILTIN_REF
    interpreter = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    outputs = []
    for x in inputs:
        # States are variables, which a new start resets.
        interpreter.allocate_tensors()
        interpreter.reset_all_variables()
        [source], [sink] = interpreter.get_input_details(), interpreter.get_output_details()
        if source["dtype"] == np.int8:
            scale, point = source["quantization"]
            x = np.clip(np.round(x / scale) + point, -128, 127)
        interpreter.set_tensor(source["index"], x[None].astype(source["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(sink["index"])[0].astype(np.int32))
    return np.array(outputs)


def main():
    (calibration, _), (x, y) = read("train"), read("test")
    lines = "# network, measure, float, TensorFlow's int8\n"
    for name in ("gru", "lstm", "bidirectional", "rnn"):
        model = build(name, np.load(os.path.join(sys.argv[1], f"{name}.npz")))
        exact = np.concatenate([model(x[at:at + 1]).numpy() for at in range(len(x))])
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[None]] for sample in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        twin = run(name, converter.convert(), x)
        lines += f"{name} accuracy {(exact.argmax(1) == y).mean():.4f} {(twin.argmax(1) == y).mean():.4f}\n"
        print(lines.splitlines()[-1], flush=True)
    with open(os.path.join(HERE, "tensorflow.txt"), "w") as file:
        file.write(lines)


if __name__ == "__main__":
    main()
