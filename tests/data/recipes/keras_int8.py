import numpy as np
import tensorflow as tf

# A small network, trained as usual. Fixed input shape: batch 1 is what a microcontroller runs.
images = tf.keras.Input(shape=(8, 8, 1), batch_size=1)
x = tf.keras.layers.Conv2D(8, 3, padding="same", activation="relu")(images)
x = tf.keras.layers.MaxPooling2D(2)(x)
x = tf.keras.layers.Flatten()(x)
scores = tf.keras.layers.Dense(10, activation="softmax")(x)
model = tf.keras.Model(images, scores)

# A few hundred inputs as the sensor gives them, scaled as in training: they set the ranges of the integers.
samples = np.random.default_rng(1).random((200, 8, 8, 1), dtype=np.float32)


def representative_data():
    for sample in samples:
        yield [sample[None]]


converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = representative_data
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = tf.int8
converter.inference_output_type = tf.int8
with open("model.tflite", "wb") as file:
    file.write(converter.convert())
