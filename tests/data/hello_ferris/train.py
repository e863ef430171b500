"""Trains the wake word "hello ferris" on what speech.py made, writes its streaming int8 model, and measures it on voices it never heard.

    python3 train.py FOLDER

Needs TensorFlow. Reads FOLDER/train.npz and FOLDER/held_out.npz; writes hello_ferris.tflite and hello_ferris.json beside this file and prints the
figures of README.md.

The network has the form of micro_wake_word models: a convolution over 5 frames every 3, then depthwise convolutions over time with
pointwise ones behind them, a dense layer, a sigmoid. It is trained on whole windows. The streaming model computes one step of every layer per
call, over variables that hold what each layer has seen before.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

HERE = pathlib.Path(__file__).parent
CHANNELS, WIDTH, STEP, FIRST = 40, 48, 3, 5
KERNELS = [5, 9, 13, 17]  # calls of 30 ms that each depthwise convolution sees
TAPS = 1 + sum(kernel - 1 for kernel in KERNELS)  # calls that one output depends on
FRAMES = FIRST + STEP * (TAPS - 1)  # frames that one output depends on
CUTOFF, WINDOW = 0.9, 5  # of the detector
REFRACTORY = 100


def int8(features):
    """The model's input, as smolnn::signal::micro::to_int8 gives it."""
    return np.minimum((256 * features.astype(np.int64) + 333) // 666, 255) - 128


def load(path):
    data = np.load(path)
    split = lambda name: np.split(data[name], np.cumsum(data[name + "_lengths"])[:-1])
    return split("positive"), data["ends"], split("negative")


def real(features):
    return ((int8(features) + 128) * (26 / 256)).astype(np.float32)


class Batches:
    """Windows of FRAMES frames, half of them ending where the word does."""

    def __init__(self, path, seed):
        positive, ends, negative = load(path)
        pad = lambda clip: np.concatenate([np.zeros((FRAMES, CHANNELS), np.float32), real(clip)])
        self.positive, self.ends = [pad(clip) for clip in positive], ends + FRAMES
        self.negative = [pad(clip) for clip in negative]
        self.random = np.random.default_rng(seed)

    def window(self, clip, end):
        return clip[end - FRAMES:end]

    def batch(self, size):
        windows, labels = [], []
        for index in range(size):
            kind = self.random.random()
            if kind < 0.45:
                clip = self.random.integers(len(self.positive))
                # From 30 ms before the end of the word to 240 ms behind it.
                end = self.ends[clip] + self.random.integers(0, 28)
                windows.append(self.window(self.positive[clip], min(end, len(self.positive[clip]))))
                labels.append(1.0)
            elif kind < 0.6:
                # In the word's first half, and long behind it.
                clip = self.random.integers(len(self.positive))
                end = self.ends[clip] + (-self.random.integers(40, 80) if self.random.random() < 0.7 else self.random.integers(75, 88))
                windows.append(self.window(self.positive[clip], int(np.clip(end, FRAMES, len(self.positive[clip])))))
                labels.append(0.0)
            else:
                clip = self.negative[self.random.integers(len(self.negative))]
                windows.append(self.window(clip, self.random.integers(FRAMES, len(clip) + 1)))
                labels.append(0.0)
        windows = np.stack(windows)
        # Masks over time and frequency, so that no single sound is the word.
        for index in np.flatnonzero(self.random.random(size) < 0.5):
            first, width = self.random.integers(CHANNELS), self.random.integers(1, 7)
            windows[index, :, first:first + width] = 0
            first, width = self.random.integers(FRAMES), self.random.integers(1, 12)
            windows[index, first:first + width] = 0
        return windows[:, :, None, :], np.array(labels, np.float32)[:, None]


def network():
    layers = tf.keras.layers
    x = inputs = layers.Input((FRAMES, 1, CHANNELS))
    x = layers.Conv2D(WIDTH, (FIRST, 1), (STEP, 1), use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for kernel in KERNELS:
        x = layers.DepthwiseConv2D((kernel, 1), use_bias=False)(x)
        x = layers.Conv2D(WIDTH, 1, use_bias=False)(layers.BatchNormalization()(x))
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dense(1)(layers.Dropout(0.2)(layers.Flatten()(x)))
    return tf.keras.Model(inputs, x)


def folded(model):
    """Weights and biases of the layers, normalisations folded in."""
    weights = []
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            gamma, beta, mean, variance = [value.numpy() for value in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)]
            scale = gamma / np.sqrt(variance + layer.epsilon)
            kernel, _ = weights[-1]
            shape = (1, 1, -1, 1) if kernel.shape[-1] == 1 else (1, 1, 1, -1)
            weights[-1] = (kernel * scale.reshape(shape), beta - mean * scale)
        elif isinstance(layer, tf.keras.layers.Dense):
            weights.append((layer.kernel.numpy(), layer.bias.numpy()))
        elif layer.weights:
            weights.append((layer.weights[0].numpy(), None))
    return weights


class Streaming(tf.Module):
    """One call of the network: 3 frames in, a probability out."""

    def __init__(self, weights):
        self.layers = [(tf.constant(kernel), tf.constant(bias)) for kernel, bias in weights]
        lengths = [FIRST - STEP] + [kernel - 1 for kernel in KERNELS]
        widths = [CHANNELS] + [WIDTH] * len(KERNELS)
        self.states = [tf.Variable(tf.zeros((1, length, 1, width)), name=f"state{index}") for index, (length, width) in enumerate(zip(lengths, widths))]

    def seen(self, index, new):
        """What the layer sees: what it saw before and what is new."""
        joined = tf.concat([self.states[index], new], 1)
        self.states[index].assign(joined[:, joined.shape[1] - self.states[index].shape[1]:])
        return joined

    @tf.function(input_signature=[tf.TensorSpec((1, STEP, CHANNELS), tf.float32)])
    def call(self, features):
        kernel, bias = self.layers[0]
        x = tf.reshape(features, (1, STEP, 1, CHANNELS))
        x = tf.nn.relu(tf.nn.conv2d(self.seen(0, x), kernel, 1, "VALID") + bias)
        for index in range(len(KERNELS)):
            (depthwise, shift), (pointwise, bias) = self.layers[1 + 2 * index:3 + 2 * index]
            x = tf.nn.depthwise_conv2d(self.seen(1 + index, x), depthwise, (1, 1, 1, 1), "VALID") + shift
            x = tf.nn.relu(tf.nn.conv2d(x, pointwise, 1, "VALID") + bias)
        kernel, bias = self.layers[-1]
        return tf.sigmoid(tf.matmul(tf.reshape(x, (1, WIDTH)), kernel) + bias)


def converted(weights, clips):
    """The streaming model as an int8 .tflite file, calibrated on clips."""
    module = Streaming(weights)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_variable_quantization = True
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.int8, tf.uint8

    def calls():
        # Both ends of the input's range, so that its scale is 26/255.
        yield [np.zeros((1, STEP, CHANNELS), np.float32)]
        yield [np.full((1, STEP, CHANNELS), 26, np.float32)]
        for clip in clips:
            frames = real(clip)
            for start in range(0, len(frames) - STEP + 1, STEP):
                yield [frames[None, start:start + STEP]]

    converter.representative_dataset = calls
    return converter.convert()


def probabilities(model, clip):
    """What the quantised model gives for each call, from a fresh state."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found, frames = [], int8(clip).astype(np.int8)
    for start in range(0, len(frames) - STEP + 1, STEP):
        interpreter.set_tensor(source["index"], frames[None, start:start + STEP])
        interpreter.invoke()
        found.append(int(interpreter.get_tensor(sink["index"])[0, 0]))
    return found


def detections(row, cutoff):
    """Frames at which smolnn::stream::Detector detects."""
    found, recent, waiting = [], [0] * WINDOW, REFRACTORY
    for call, probability in enumerate(row):
        recent = recent[1:] + [probability]
        waiting = max(waiting - STEP, 0)
        if waiting == 0 and sum(recent) > int(cutoff * 255) * WINDOW:
            found.append((call + 1) * STEP)
            recent, waiting = [0] * WINDOW, REFRACTORY
    return found


def measure(model, path):
    positive, ends, negative = load(path)
    spoken = [probabilities(model, clip) for clip in positive]
    others = [probabilities(model, clip) for clip in negative]
    hours = sum(map(len, negative)) / 360_000
    for cutoff in (0.5, 0.7, 0.8, CUTOFF, 0.97):
        # The word counts as heard when it is detected from 0.3 s before its end to 0.7 s behind it.
        heard = sum(any(-30 <= time - end <= 70 for time in detections(row, cutoff)) for row, end in zip(spoken, ends))
        false = sum(len(detections(row, cutoff)) for row in others)
        print(f"cutoff {cutoff}: {len(positive) - heard} of {len(positive)} words missed ({100 - 100 * heard / len(positive):.1f} %), "
              f"{false} false detections in {hours:.2f} hours ({false / hours:.1f} per hour)")


def main():
    folder = pathlib.Path(sys.argv[1])
    tf.keras.utils.set_random_seed(1)
    batches = Batches(folder / "train.npz", 1)
    model = network()
    model.summary()
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 11000
    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, steps)
    optimiser = tf.keras.optimizers.Adam(rate)

    @tf.function
    def train(windows, labels):
        with tf.GradientTape() as tape:
            logits = model(windows, training=True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
            # A false detection is dearer than a missed word.
            loss = tf.reduce_mean(losses * (1 + 3 * (1 - labels)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimiser.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    mean = 1.0
    for step in range(steps):
        mean += 0.01 * (float(train(*batches.batch(128))) - mean)
        if step % 200 == 199:
            print("step", step + 1, "loss", round(mean, 4), flush=True)
    weights = folded(model)
    positive, _, negative = load(folder / "train.npz")
    model = converted(weights, positive[:60] + negative[:20])
    (HERE / "hello_ferris.tflite").write_bytes(model)
    manifest = {"type": "micro", "wake_word": "Hello Ferris", "author": "smolnn", "model": "hello_ferris.tflite", "trained_languages": ["en"],
                "version": 2, "micro": {"probability_cutoff": CUTOFF, "feature_step_size": 10, "sliding_window_size": WINDOW}}
    (HERE / "hello_ferris.json").write_text(json.dumps(manifest, indent=2) + "\n")
    measure(model, folder / "held_out.npz")


if __name__ == "__main__":
    main()
