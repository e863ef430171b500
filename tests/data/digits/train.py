"""Trains the digits network, quantises it to int8 and writes the model, the held-out split and the expected outputs.

    pip install tensorflow-cpu==2.21.0 tflite-micro scikit-learn
    python train.py
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import golden

SEED = 20
TRAIN = 1347  # of 1 797 images; the other 450 are held out
EPOCHS = 150
RATE = 2e-3

keras.utils.set_random_seed(SEED)
tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def network(batch=None):
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 1), batch_size=batch),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(48, 1, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Reshape((192,)),
        layers.Dropout(0.3),
        layers.Dense(48, activation="relu"),
        layers.Dense(10),
        layers.Softmax(),
    ])


def varied(images, random):
    """Each image slightly turned, sheared, scaled and moved (bilinear, zeros come in from outside)."""
    count = len(images)
    angle, shear = random.normal(0, 0.1, (2, count, 1, 1))
    scale = np.exp(random.normal(0, 0.06, (count, 1, 1)))
    down, right = random.normal(0, 0.1, (2, count, 1, 1))
    y, x = np.mgrid[0:8, 0:8] - 3.5
    border = 3
    source_y = np.clip(scale * (np.cos(angle) * y - np.sin(angle) * x) + down + 3.5 + border, 0, 12.999)
    source_x = np.clip(scale * (np.sin(angle) * y + np.cos(angle) * x) + shear * y + right + 3.5 + border, 0, 12.999)
    padded = np.pad(images[..., 0], ((0, 0), (border, border), (border, border)))
    y0, x0 = source_y.astype(int), source_x.astype(int)
    fy, fx, i = source_y - y0, source_x - x0, np.arange(count)[:, None, None]
    upper = padded[i, y0, x0] * (1 - fx) + padded[i, y0, x0 + 1] * fx
    lower = padded[i, y0 + 1, x0] * (1 - fx) + padded[i, y0 + 1, x0 + 1] * fx
    return (upper * (1 - fy) + lower * fy)[..., None].astype(np.float32)


def main():
    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)[..., None]
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order], data.target[order]
    x_train, y_train, x_test, y_test = images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:]

    random = np.random.default_rng(SEED)
    model = network()
    model.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(EPOCHS):
        model.optimizer.learning_rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        model.fit(varied(x_train, random), y_train, batch_size=32, verbose=0)
    float_accuracy = model.evaluate(x_test, y_test, verbose=0)[1]

    fixed = network(batch=1)  # static shapes: no SHAPE or STRIDED_SLICE around the flattening
    fixed.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in x_train[:500])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    quantised = converter.convert()

    graph = golden.parse(quantised).subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    inputs = golden.quantized(x_test, float(golden.scales(tensor)[0]), golden.zero_point(tensor), np.int8)
    [[outputs]] = golden.write(
        HERE, quantised, [("held_out", [inputs[:, None]])], "digits.tflite",
        {"in": ["images.bin"], "out": ["outputs.bin"], "keep": ["labels.bin"]})
    y_test.astype(np.uint8).tofile(os.path.join(HERE, "labels.bin"))
    right = outputs[:, 0].argmax(-1) == y_test
    print(f"held-out images {len(y_test)}: float {float_accuracy:.4f}, int8 {right.mean():.4f} ({right.sum()} right), "
          f"of the first 64: {right[:64].sum()}; parameters {fixed.count_params()}; file {len(quantised)} bytes")


main()
