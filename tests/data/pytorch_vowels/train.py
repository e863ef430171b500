"""Trains recurrent classifiers of the JapaneseVowels utterances in PyTorch and exports them.

    python3 train.py            # writes gru.onnx, lstm.onnx, bidirectional.onnx, rnn.onnx and the recordings here
    python3 train.py WEIGHTS    # and the weights as NAME.npz to that folder, for tensorflow.py

An utterance is 29 frames of 12 coefficients, zeros in front. Seed 14, one thread.
"""

import os
import sys

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 14


def read(split):
    folder = os.path.join(HERE, "..", "japanese_vowels")
    frames = np.fromfile(os.path.join(folder, f"{split}_frames.bin"), "<i2").reshape(-1, 12) / 4096
    ends = np.cumsum(np.fromfile(os.path.join(folder, f"{split}_lengths.bin"), np.uint8).astype(int))
    padded = np.zeros((len(ends), 29, 12), np.float32)
    for to, sequence in zip(padded, np.split(frames, ends[:-1])):
        to[29 - len(sequence):] = sequence
    labels = np.fromfile(os.path.join(folder, f"{split}_labels.bin"), np.uint8)
    return torch.from_numpy(padded), torch.from_numpy(labels.astype(np.int64))


class Classifier(nn.Module):
    """A recurrent layer over the utterance; its states behind the last step tell the speaker."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(layer.hidden_size * (2 if layer.bidirectional else 1), 9)

    def forward(self, x):
        sequence, last = self.layer(x)
        if self.layer.bidirectional:
            h = last[0] if isinstance(last, tuple) else last
            return self.head(self.dropout(torch.cat([h[0], h[1]], dim=1)))
        return self.head(self.dropout(sequence[:, -1]))


def train(layer):
    torch.manual_seed(SEED)
    model = Classifier(layer())
    x, y = read("train")
    optimiser = torch.optim.Adam(model.parameters(), 4e-3)
    epochs = 80
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            optimiser.zero_grad()
            inputs = x[batch] + 0.1 * torch.randn(len(batch), 29, 12) * (x[batch] != 0)
            loss = nn.functional.cross_entropy(model(inputs), y[batch], label_smoothing=0.1)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        schedule.step()
    return model.eval()


def recordings():
    """Utterances for calibration, and others for the example, with who speaks."""
    (x, _), (test, speakers) = read("train"), read("test")
    np.save(os.path.join(HERE, "calibration.npy"), x[::4].numpy().astype(np.float16))
    np.save(os.path.join(HERE, "utterances.npy"), test[::18].numpy().astype(np.float16))
    np.save(os.path.join(HERE, "speakers.npy"), speakers[::18].numpy().astype(np.uint8))


def main():
    torch.set_num_threads(1)
    recordings()
    layers = {
        "gru": lambda: nn.GRU(12, 24, batch_first=True),
        "lstm": lambda: nn.LSTM(12, 24, batch_first=True),
        "bidirectional": lambda: nn.LSTM(12, 16, batch_first=True, bidirectional=True),
        "rnn": lambda: nn.RNN(12, 32, batch_first=True),
    }
    x, y = read("test")
    for name, layer in layers.items():
        model = train(layer)
        with torch.no_grad():
            accuracy = (model(x).argmax(1) == y).double().mean().item()
        print(f"{name} {accuracy:.4f}", flush=True)
        torch.onnx.export(model, x[:1], os.path.join(HERE, f"{name}.onnx"), opset_version=17, input_names=["frames"])
        if len(sys.argv) > 1:
            np.savez(os.path.join(sys.argv[1], f"{name}.npz"), **{k: v.numpy() for k, v in model.state_dict().items()})


if __name__ == "__main__":
    main()
