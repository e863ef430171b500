"""Trains four small float networks, writes them as float .tflite files with their data, and measures TensorFlow's own int8 twins.

    pip install tensorflow-cpu==2.21.0 scikit-learn==1.9.1 aeon==1.6.0
    python train.py

The float files and the data are the input of smolnn's quantiser; `tensorflow.txt` holds what TensorFlow's converter reaches from the
same network, the same calibration data and the same test data.
"""

import io
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
HERE = os.path.dirname(os.path.abspath(__file__))
VOWELS = os.path.join(HERE, "..", "japanese_vowels")

import keras
import numpy as np
import tensorflow as tf

SEED = 14
layers = keras.layers

keras.utils.set_random_seed(SEED)
tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def accuracy(outputs, labels):
    return (outputs.reshape(len(labels), -1).argmax(1) == labels).mean()


def area_under_curve(scores, is_anomaly):
    """The share of pairs of an anomaly and a normal sample in which the anomaly scores higher; ties count half."""
    high, low = scores[is_anomaly][:, None], scores[~is_anomaly][None]
    return ((high > low) + 0.5 * (high == low)).mean()


def fit(model, loss, x, y, epochs, batch=32, rate=2e-3, vary=None):
    random = np.random.default_rng(SEED)
    model.compile(keras.optimizers.Adam(rate), loss)
    for epoch in range(epochs):
        model.optimizer.learning_rate = rate * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        model.fit(vary(x, random) if vary else x, y, batch_size=batch, verbose=0)


def save_data(name, **arrays):
    np.savez_compressed(os.path.join(HERE, f"{name}.npz"), **arrays)


def run(content, inputs):
    """Real outputs of a .tflite file, whatever type its ends have, by the reference kernels."""
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
        y = interpreter.get_tensor(sink["index"])[0]
        if sink["dtype"] == np.int8:
            scale, point = sink["quantization"]
            y = scale * (y.astype(np.float32) - point)
        outputs.append(y)
    return np.array(outputs)


def convert(name, model, calibration):
    """The float file, which is kept, and TensorFlow's int8 twin."""
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    with open(os.path.join(HERE, f"{name}.tflite"), "wb") as file:
        file.write(content)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return content, converter.convert()


def measured(name, what, content, twin, x, measure):
    line = f"{name} {what} {measure(run(content, x)):.4f} {measure(run(twin, x)):.4f}"
    print(line, flush=True)
    return line + "\n"


def twin_of(build, model):
    """The same network with a batch of 1: no SHAPE or STRIDED_SLICE around a flattening."""
    fixed = build(1)
    fixed.set_weights(model.get_weights())
    return fixed


def digits():
    """A convolutional network with batch normalisation over 8×8 images of digits."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = (data.images / 16.0).astype(np.float32)[..., None], data.target
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order], labels[order]
    x, y, x_test, y_test = images[:1347], labels[:1347], images[1347:], labels[1347:]

    def build(batch=None):
        return keras.Sequential([
            keras.Input((8, 8, 1), batch_size=batch),
            layers.Conv2D(12, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU(),
            layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU(),
            layers.Conv2D(24, 1, use_bias=False), layers.BatchNormalization(), layers.ReLU(),
            layers.MaxPooling2D(2), layers.Reshape((96,)), layers.Dropout(0.2),
            layers.Dense(24, activation="relu"), layers.Dense(10), layers.Softmax(),
        ])

    def vary(images, random):
        shifts = random.integers(-1, 2, (len(images), 2))
        keep = random.random(len(images)) < 0.6
        moved = [image if k else np.roll(image, s, (0, 1)) for image, s, k in zip(images, shifts, keep)]
        return np.array(moved) + random.normal(0, 0.03, images.shape).astype(np.float32)

    model = build()
    fit(model, "sparse_categorical_crossentropy", x, y, 60, vary=vary)
    calibration = x[:150]
    content, twin = convert("digits", twin_of(build, model), calibration)
    save_data("digits", calibration=calibration)
    save_data("digits_test", x=x_test)
    np.save(os.path.join(HERE, "digits_labels.npy"), y_test.astype(np.uint8))
    return measured("digits", "accuracy", content, twin, x_test, lambda out: accuracy(out, y_test))


def anomalies():
    """An autoencoder of images of the digits 0 and 1: how badly it copies an image says whether it shows another digit."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = (data.data / 16.0).astype(np.float32), data.target
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order], labels[order]
    normal = labels < 2
    x = images[:1347][normal[:1347]]
    x_test, anomaly = images[1347:], ~normal[1347:]

    def build(batch=None):
        return keras.Sequential([
            keras.Input((64,), batch_size=batch),
            layers.Dense(32, activation="relu"), layers.Dense(6, activation="relu"),
            layers.Dense(32, activation="relu"), layers.Dense(64, activation="sigmoid"),
        ])

    model = build()
    fit(model, "mse", x, x, 150)
    calibration = x[:150]
    content, twin = convert("anomalies", twin_of(build, model), calibration)
    save_data("anomalies", calibration=calibration)
    save_data("anomalies_test", x=x_test)
    np.save(os.path.join(HERE, "anomalies_labels.npy"), anomaly.astype(np.uint8))
    measure = lambda out: area_under_curve(((out - x_test) ** 2).mean(1), anomaly)
    return measured("anomalies", "area_under_curve", content, twin, x_test, measure)


def vowels():
    """A temporal convolutional network over utterances of 29 frames, zeros in front: which of nine men speaks."""
    def read(split):
        frames = np.fromfile(os.path.join(VOWELS, f"{split}_frames.bin"), "<i2").reshape(-1, 12) / 4096
        ends = np.cumsum(np.fromfile(os.path.join(VOWELS, f"{split}_lengths.bin"), np.uint8).astype(int))
        sequences = np.split(frames, ends[:-1])
        padded = np.zeros((len(sequences), 29, 12), np.float32)
        for to, sequence in zip(padded, sequences):
            to[29 - len(sequence):] = sequence
        return padded, np.fromfile(os.path.join(VOWELS, f"{split}_labels.bin"), np.uint8)

    (x, y), (x_test, y_test) = read("train"), read("test")

    def build(batch=None):
        def block(t, dilation):
            branch = layers.Conv1D(24, 3, padding="causal", dilation_rate=dilation)(t)
            branch = layers.ReLU()(layers.BatchNormalization()(branch))
            return layers.ReLU()(layers.Add()([t, layers.Conv1D(24, 1)(branch)]))

        given = keras.Input((29, 12), batch_size=batch)
        t = layers.Conv1D(24, 1, activation="relu")(given)
        for dilation in (1, 2, 4):
            t = block(t, dilation)
        t = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(t))
        return keras.Model(given, layers.Softmax()(layers.Dense(9)(t)))

    model = build()
    vary = lambda x, random: x + random.normal(0, 0.3, x.shape).astype(np.float32) * (x != 0)
    fit(model, "sparse_categorical_crossentropy", x, y, 100, rate=5e-3, vary=vary)
    content, twin = convert("vowels", twin_of(build, model), x)
    return measured("vowels", "accuracy", content, twin, x_test, lambda out: accuracy(out, y_test))


def motions():
    """A network over ten seconds of an accelerometer and a gyroscope: standing, walking, running, badminton."""
    import importlib.util

    folder = os.path.join(os.path.dirname(importlib.util.find_spec("aeon").origin), "datasets", "data", "BasicMotions")

    def read(split):
        lines = io.open(os.path.join(folder, f"BasicMotions_{split}.ts")).read().split("@data\n")[1].split()
        rows = [line.split(":") for line in lines]
        names = sorted({row[-1].lower() for row in rows})
        x = np.array([[list(map(float, channel.split(","))) for channel in row[:-1]] for row in rows])
        return x.transpose(0, 2, 1).astype(np.float16), np.array([names.index(row[-1].lower()) for row in rows])

    (x, y), (x_test, y_test) = read("TRAIN"), read("TEST")

    def build(batch=None):
        return keras.Sequential([
            keras.Input((100, 6), batch_size=batch),
            layers.BatchNormalization(),
            layers.Conv1D(16, 7, strides=2, activation="relu"),
            layers.Conv1D(24, 5, strides=2, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(negative_slope=0.1),
            layers.MaxPooling1D(2), layers.Conv1D(24, 3, activation="tanh"),
            layers.GlobalAveragePooling1D(), layers.Dense(4), layers.Softmax(),
        ])

    model = build()
    vary = lambda x, random: x * random.normal(1, 0.1, (len(x), 1, 6)).astype(np.float32)
    fit(model, "sparse_categorical_crossentropy", x.astype(np.float32), y, 120, batch=8, vary=vary)
    content, twin = convert("motions", twin_of(build, model), x.astype(np.float32))
    save_data("motions", calibration=x)
    save_data("motions_test", x=x_test)
    np.save(os.path.join(HERE, "motions_labels.npy"), y_test.astype(np.uint8))
    measure = lambda out: accuracy(out, y_test)
    return measured("motions", "accuracy", content, twin, x_test.astype(np.float32), measure)


lines = "".join(part() for part in (digits, anomalies, vowels, motions))
with open(os.path.join(HERE, "tensorflow.txt"), "w") as file:
    file.write("# network, measure, float, TensorFlow's int8\n" + lines)
