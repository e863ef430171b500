"""Packs the JapaneseVowels recordings, trains a GRU, an LSTM and a simple RNN on them, quantises the LSTM.

    pip install tensorflow-cpu==2.21.0 tf_keras==2.21.0 tflite-micro aeon==1.6.0
    python train.py

tf_keras, since the converter fuses its LSTM into one UNIDIRECTIONAL_SEQUENCE_LSTM, which it does not for Keras 3.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_USE_LEGACY_KERAS"] = "1"
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import numpy as np
import tensorflow as tf
import tf_keras as keras
from aeon.datasets import load_japanese_vowels

import golden

SEED = 6
FEATURES, UNITS, SPEAKERS, LONGEST = 12, 16, 9, 29
FRACTION_BITS = 12
MASKED = 99.0
EPOCHS, RATE, NOISE, BATCH = 120, 1e-2, 0.4, 30

tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def save(name, array):
    array.tofile(os.path.join(HERE, name))


# ---- data ----------------------------------------------------------------------------------------------------------

def recordings():
    """Standardised with the training set's mean and deviation, rounded to Q3.12, as (sequences, labels) per split."""
    splits = {}
    for split in ("train", "test"):
        sequences, labels = load_japanese_vowels(split=split)
        splits[split] = [s.T for s in sequences], labels.astype(int) - 1
    frames = np.concatenate(splits["train"][0])
    mean, deviation = frames.mean(0), frames.std(0)
    for split, (sequences, labels) in splits.items():
        fixed = [np.round((s - mean) / deviation * 2**FRACTION_BITS) for s in sequences]
        packed = np.concatenate(fixed)
        assert abs(packed).max() < 32767 and max(map(len, fixed)) <= LONGEST
        save(f"{split}_frames.bin", packed.astype("<i2"))
        save(f"{split}_lengths.bin", np.array([len(s) for s in fixed], np.uint8))
        save(f"{split}_labels.bin", labels.astype(np.uint8))
        splits[split] = [s / 2**FRACTION_BITS for s in fixed], labels
    return splits, mean, deviation


def padded(sequences):
    """Zeros (the mean of each feature) in front, up to the longest."""
    return np.stack([np.pad(s, ((LONGEST - len(s), 0), (0, 0))) for s in sequences]).astype(np.float32)


def masked(sequences):
    """Marks in front that the network's masking layer skips."""
    marks = [np.pad(s, ((LONGEST - len(s), 0), (0, 0)), constant_values=MASKED) for s in sequences]
    return np.stack(marks).astype(np.float32)


def varied(sequences, random, zeros_in_front):
    """Noise on every value, an offset on every feature, up to two frames cut at either end; zeros in front if asked."""
    changed = []
    for s in sequences:
        s = s + random.normal(0, NOISE, s.shape) + random.normal(0, NOISE, (1, FEATURES))
        start, end = random.integers(0, 3, 2)
        s = s[start:len(s) - end] if len(s) > 10 else s
        front = random.integers(0, LONGEST - len(s) + 1) if zeros_in_front else 0
        changed.append(np.pad(s, ((front, 0), (0, 0))))
    return masked(changed)


# ---- networks ------------------------------------------------------------------------------------------------------

def cell_layer(kind):
    if kind == "gru":
        return keras.layers.GRU(UNITS, reset_after=True)
    return {"lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}[kind](UNITS)


def trained(kind, sequences, labels):
    keras.utils.set_random_seed(SEED)
    random = np.random.default_rng(SEED)
    model = keras.Sequential([keras.Input((LONGEST, FEATURES)), keras.layers.Masking(MASKED), cell_layer(kind),
                              keras.layers.Dropout(0.2), keras.layers.Dense(SPEAKERS)])
    optimiser = keras.optimizers.Adam(RATE)
    model.compile(optimiser, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for epoch in range(EPOCHS):
        optimiser.learning_rate.assign(RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS)))
        model.fit(varied(sequences, random, kind == "lstm"), labels, batch_size=BATCH, verbose=0)
    return model


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def states(kind, cell, sequence):
    """h after each frame, in f64, from the equations: the check of what Keras means by its weights."""
    h, c, out = np.zeros(UNITS), np.zeros(UNITS), []
    w, u, b = (np.asarray(a, np.float64) for a in cell)
    for x in sequence:
        if kind == "rnn":
            h = np.tanh(x @ w + h @ u + b)
        elif kind == "gru":
            from_x, from_h = np.split(x @ w + b[0], 3), np.split(h @ u + b[1], 3)
            z, r = sigmoid(from_x[0] + from_h[0]), sigmoid(from_x[1] + from_h[1])
            h = z * h + (1 - z) * np.tanh(from_x[2] + r * from_h[2])
        else:
            i, f, g, o = np.split(x @ w + h @ u + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def save_weights(kind, model, mean, deviation):
    """NAME.bin: f32 one after the other; NAME.txt: what lies where."""
    cell, dense = model.layers[1].get_weights(), model.layers[-1].get_weights()
    tensors = [("kernel", cell[0]), ("recurrent_kernel", cell[1]), ("bias", cell[2]), ("dense_kernel", dense[0]),
               ("dense_bias", dense[1]), ("feature_mean", mean), ("feature_deviation", deviation)]
    gates = {"gru": "z,r,h", "lstm": "i,f,g,o", "rnn": "h"}[kind]
    lines = ["# tensor NAME SHAPE OFFSET LENGTH, both in f32 units; row-major; gates side by side in the last axis",
             f"model {kind} features={FEATURES} units={UNITS} classes={SPEAKERS} gates={gates}"
             + (" reset=after update=z*h+(1-z)*candidate bias=input,recurrent" if kind == "gru" else "")]
    offset = 0
    for name, array in tensors:
        lines.append(f"tensor {name} {','.join(map(str, array.shape))} {offset} {array.size}")
        offset += array.size
    with open(os.path.join(HERE, f"{kind}.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")
    save(f"{kind}.bin", np.concatenate([a.ravel() for _, a in tensors]).astype("<f4"))
    return cell, dense


# ---- the LSTM in TensorFlow Lite ------------------------------------------------------------------------------------

def quantised_lstm(model, calibration):
    """Fixed batch, 29 frames; the last state goes through the dense layer."""
    fixed = keras.Sequential([keras.Input((LONGEST, FEATURES), batch_size=1), cell_layer("lstm"), keras.layers.Dense(SPEAKERS)])
    fixed.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([s[None]] for s in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def one_frame(model_bytes):
    """The same model taking one frame a call: its state is variable tensors, which live on between calls."""
    changed = golden.parse(model_bytes)
    for tensor in changed.subgraphs[0].tensors:
        if tensor.shape is not None and len(tensor.shape) == 3 and tensor.shape[1] == LONGEST:
            tensor.shape = [1, 1, int(tensor.shape[2])]
            if tensor.shapeSignature is not None:
                tensor.shapeSignature = tensor.shape
    return golden.pack(changed)


def input_steps(model_bytes, sequence):
    """A sequence as the model's inputs: [calls, 1, frames a call, features]."""
    graph = golden.parse(model_bytes).subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    q = golden.quantized(sequence, float(golden.scales(tensor)[0]), golden.zero_point(tensor), np.int8)
    return q.reshape(-1, *tensor.shape)


def write_lstm(name, model_bytes, sequences, labels, shown):
    steps = [input_steps(model_bytes, s) for s in sequences]
    cases = [(f"test{i}", [steps[i]]) for i in range(shown)] + [("two_sequences_without_reset", [np.concatenate(steps[:2])])]
    golden.write(os.path.join(HERE, name), model_bytes, cases, hash_steps=1)
    last = [golden.run(model_bytes, [[x] for x in s])[-1][0].argmax() for s in steps]
    right = np.sum(last == labels)
    print(f"{name}: {len(model_bytes)} bytes, {right} of {len(labels)} right: {right / len(labels):.4f}")


def main():
    splits, mean, deviation = recordings()
    (train, train_labels), (test, test_labels) = splits["train"], splits["test"]
    for kind in ("gru", "lstm", "rnn"):
        model = trained(kind, train, train_labels)
        cell, dense = save_weights(kind, model, mean, deviation)
        traces = [states(kind, cell, s) for s in test]
        logits = np.stack([t[-1] for t in traces]) @ dense[0].astype(np.float64) + dense[1]
        difference = abs(logits - model.predict(masked(test), verbose=0)).max()
        assert difference < 1e-3, difference
        save(f"{kind}_logits.bin", logits.astype("<f4"))
        save(f"{kind}_states.bin", np.concatenate(traces[:10]).astype("<f4"))
        right = (logits.argmax(1) == test_labels).sum()
        line = f"{kind}: {right} of {len(test)} right: {right / len(test):.4f}; equations against Keras {difference:.1e}"
        if kind == "lstm":
            right = (model.predict(padded(test), verbose=0).argmax(1) == test_labels).sum()
            line += f"; with zeros in front {right}: {right / len(test):.4f}"
        print(line)
        if kind == "lstm":
            int8 = quantised_lstm(model, padded(train))
            write_lstm("lstm_int8", int8, padded(test), test_labels, 12)
            write_lstm("lstm_int8_step", one_frame(int8), test, test_labels, 6)


main()
