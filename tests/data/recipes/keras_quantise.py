import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

tf.keras.utils.set_random_seed(1)
data = load_digits()
images, labels = (data.images / 16).astype(np.float32)[..., None], data.target
order = np.random.default_rng(1).permutation(len(images))
images, labels = images[order], labels[order]

# A small network, trained as usual, with batch normalisation. Batch 1 is what a microcontroller runs.
inputs = tf.keras.Input(shape=(8, 8, 1), batch_size=1)
x = tf.keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs)
x = tf.keras.layers.ReLU()(tf.keras.layers.BatchNormalization()(x))
x = tf.keras.layers.Flatten()(tf.keras.layers.MaxPooling2D(2)(x))
fixed = tf.keras.Model(inputs, tf.keras.layers.Dense(10, activation="softmax")(x))

# The same layers with a free batch, to train with.
given = tf.keras.Input(shape=(8, 8, 1))
y = given
for layer in fixed.layers[1:]:
    y = layer(y)
model = tf.keras.Model(given, y)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images[:1347], labels[:1347], epochs=30, verbose=0)

# Float, as it is: no representative dataset, no optimisations. The data go beside it.
with open("model.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())
np.save("calibration.npy", images[:300])
np.save("test.npy", images[1347:])
np.save("labels.npy", labels[1347:])
