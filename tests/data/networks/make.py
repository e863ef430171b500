"""Makes the networks that the page on memory has figures of, as int8 models with seeded weights.

    pip install tensorflow-cpu==2.21.0 tflite-micro
    python make.py FOLDER

Each has a folder of its own, with a recorded run of a random image: `cargo xtask --models FOLDER bench` measures them.

`person_detection`: MobileNet, a quarter of the channels, 96 x 96 x 1, two classes, as TensorFlow Lite Micro's person detection.
`mobilenet_v2`: MobileNetV2, 0.35 of the channels, 144 x 144 x 3, 1 000 classes.

Plans depend on shapes only. The weights are random, so that the outputs say nothing.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import golden

layers = keras.layers


def person_detection():
    def block(image, filters, stride):
        image = layers.DepthwiseConv2D(3, stride, "same")(image)
        image = layers.ReLU(6.0)(layers.BatchNormalization()(image))
        image = layers.Conv2D(filters, 1)(image)
        return layers.ReLU(6.0)(layers.BatchNormalization()(image))

    image = inputs = keras.Input((96, 96, 1))
    image = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, 2, "same")(image)))
    for filters, stride in [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *5 * [(128, 1)], (256, 2), (256, 1)]:
        image = block(image, filters, stride)
    image = layers.Conv2D(2, 1)(layers.AveragePooling2D(3)(image))
    return keras.Model(inputs, layers.Softmax()(layers.Reshape((2,))(image)))


def mobilenet_v2():
    return keras.applications.MobileNetV2((144, 144, 3), alpha=0.35, weights=None, classes=1000)


def convert(network):
    shape = (1, *network.inputs[0].shape[1:])
    random = np.random.default_rng(1)
    # One pass gives every normalisation the statistics of its inputs: no channel is constant, which the importer would take out.
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    network(random.uniform(-1, 1, (8, *shape[1:])).astype(np.float32), training=True)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: ([random.uniform(-1, 1, shape).astype(np.float32)] for _ in range(4))
    return converter.convert()


def main():
    for make in (person_detection, mobilenet_v2):
        keras.utils.set_random_seed(1)
        folder = os.path.join(sys.argv[1], make.__name__)
        model = convert(make())
        [(shape, dtype)] = golden.input_shapes(model)
        image = np.random.default_rng(2).integers(-128, 128, (1, *shape)).astype(dtype)
        golden.write(folder, model, [("random", [image])], hash_steps=0)
        print(folder, len(model), "bytes")


if __name__ == "__main__":
    main()
