"""What TensorFlow's converter makes of the keyword network: a Keras twin with PyTorch's weights, the same calibration data and recordings.

    python3 tensorflow_int8.py FOLDER     # where words.py and train.py wrote; writes tensorflow.txt here

tensorflow.txt is about the recordings of the test that are kept here; what all of them give is printed.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = os.path.dirname(os.path.abspath(__file__))

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers
DILATIONS = (1, 2, 4, 8)
KEPT = 600  # as in train.py


def read(name):
    data = np.load(os.path.join(sys.argv[1], f"{name}.npz"))
    return data["x"], data["y"]


def twin(weights, shape):
    """PyTorch's kernels are [out, in, taps], Keras's [taps, in, out]."""
    values = []

    def convolution(t, name, taps, dilation=1):
        values.append([weights[f"{name}.weight"].transpose(2, 1, 0)])
        width = weights[f"{name}.weight"].shape[0]
        return layers.Conv1D(width, taps, padding="causal", dilation_rate=dilation, use_bias=False)(t)

    def normalisation(t, name):
        values.append([weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        return layers.BatchNormalization(epsilon=1e-5)(t)

    def causal(t, name, dilation):
        return layers.ReLU()(normalisation(convolution(t, f"{name}.convolution", 3, dilation), f"{name}.normalisation"))

    given = keras.Input(shape, batch_size=1)
    t = causal(given, "first", 1)
    for index, dilation in enumerate(DILATIONS):
        name = f"blocks.{index}"
        branch = convolution(causal(t, f"{name}.causal", dilation), f"{name}.pointwise", 1)
        t = layers.ReLU()(layers.Add()([t, normalisation(branch, f"{name}.normalisation")]))
    values.append([weights["scores.weight"].T, weights["scores.bias"]])
    scores = layers.Dense(len(weights["scores.bias"]))(layers.GlobalAveragePooling1D()(t))
    model = keras.Model(given, scores)
    with_weights = [layer for layer in model.layers if layer.weights]
    # The layers of a model stand in the order of the calls that made them.
    for layer, value in zip(with_weights, values, strict=True):
        layer.set_weights(value)
    return model


def run(content, inputs):
    """Outputs of a .tflite file by the reference kernels."""
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    [source], [sink] = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for x in inputs:
        if source["dtype"] == np.int8:
            scale, point = source["quantization"]
            x = np.clip(np.round(x / scale) + point, -128, 127)
        interpreter.set_tensor(source["index"], x[None].astype(source["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(sink["index"])[0])
    return np.array(outputs)


def main():
    (calibration, _), (x, y) = read("calibration"), read("test")
    calibration, x = calibration.astype(np.float32), x.astype(np.float32)
    model = twin(np.load(os.path.join(sys.argv[1], "weights.npz")), x.shape[1:])
    exact = run(tf.lite.TFLiteConverter.from_keras_model(model).convert(), x)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    integer = run(converter.convert(), x)
    right = lambda scores, count: (scores.argmax(1) == y)[:count].mean()
    print(f"all {len(x)}: {right(exact, None):.4f} {right(integer, None):.4f}")
    with open(os.path.join(HERE, "tensorflow.txt"), "w") as file:
        file.write("# network, measure, float, TensorFlow's int8\n")
        file.write(f"keywords accuracy {right(exact, KEPT):.4f} {right(integer, KEPT):.4f}\n")


if __name__ == "__main__":
    main()
