"""Trains the keyword network in PyTorch on what words.py made and exports it.

    python3 train.py FOLDER     # writes keywords.onnx and recordings here, and the weights to FOLDER/weights.npz for tensorflow_int8.py

The recordings are those that calibrate, and the first of the test.

A temporal convolutional network: causal convolutions, each block with twice the dilation of the one before. Seed 14, one thread.
"""

import os
import sys

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 14
WIDTH, DILATIONS, CLASSES = 32, (1, 2, 4, 8), 12
EPOCHS, BATCH, RATE = 30, 64, 4e-3
KEPT = 600  # recordings of the test are kept here


class Causal(nn.Module):
    """A convolution that sees nothing of the future, its normalisation and a ReLU."""

    def __init__(self, inputs, dilation):
        super().__init__()
        self.padding = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.convolution = nn.Conv1d(inputs, WIDTH, 3, dilation=dilation, bias=False)
        self.normalisation = nn.BatchNorm1d(WIDTH)

    def forward(self, x):
        return torch.relu(self.normalisation(self.convolution(self.padding(x))))


class Block(nn.Module):
    def __init__(self, dilation):
        super().__init__()
        self.causal = Causal(WIDTH, dilation)
        self.pointwise = nn.Conv1d(WIDTH, WIDTH, 1, bias=False)
        self.normalisation = nn.BatchNorm1d(WIDTH)

    def forward(self, x):
        return torch.relu(x + self.normalisation(self.pointwise(self.causal(x))))


class Network(nn.Module):
    """Features [N, frames, channels] to the scores of the classes."""

    def __init__(self, channels):
        super().__init__()
        self.first = Causal(channels, 1)
        self.blocks = nn.Sequential(*(Block(dilation) for dilation in DILATIONS))
        self.dropout = nn.Dropout(0.2)
        self.scores = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.blocks(self.first(x.transpose(1, 2)))
        return self.scores(self.dropout(x.mean(2)))


def read(folder, name):
    data = np.load(os.path.join(folder, f"{name}.npz"))
    return torch.from_numpy(data["x"].astype(np.float32)), torch.from_numpy(data["y"].astype(np.int64))


def recordings(folder):
    """What the tests of the project read."""
    for name, ending, count in (("calibration", "", None), ("test", "_test", KEPT)):
        data = np.load(os.path.join(folder, f"{name}.npz"))
        np.savez_compressed(os.path.join(HERE, f"keywords{ending}.npz"), x=data["x"][:count])
    np.save(os.path.join(HERE, "keywords_labels.npy"), data["y"][:KEPT])


def masked(x):
    """A few bands and frames without sound, in every second recording, so that no single sound is the word."""
    x = x.clone()
    for image in x[::2]:
        for axis, widest in ((0, 5), (1, 4)):
            width = int(torch.randint(widest, ()))
            first = int(torch.randint(image.shape[axis] - width, ()))
            image.narrow(axis, first, width).zero_()
    return x


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).double().mean().item()


def main():
    folder = sys.argv[1]
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    recordings(folder)
    (x, y), (test, labels) = read(folder, "train"), read(folder, "test")
    model = Network(x.shape[2])
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    for epoch in range(EPOCHS):
        mean = 0.0
        for batch in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(masked(x[batch])), y[batch], label_smoothing=0.05)
            loss.backward()
            optimiser.step()
            schedule.step()
            mean += loss.item() * len(batch) / len(x)
        print(f"epoch {epoch + 1} loss {mean:.4f}", flush=True)
    model.eval()
    parameters = sum(value.numel() for value in model.parameters())
    print(f"{parameters} parameters, accuracy {accuracy(model, test, labels):.4f}, of training {accuracy(model, x, y):.4f}")
    with torch.no_grad():
        found = model(test).argmax(1)
    print("right of each class:", [f"{(found == label)[labels == label].double().mean().item():.3f}" for label in range(CLASSES)])
    torch.onnx.export(model, test[:1], os.path.join(HERE, "keywords.onnx"), opset_version=17, input_names=["features"],
                      output_names=["scores"], dynamo=False)
    np.savez(os.path.join(folder, "weights.npz"), **{name: value.numpy() for name, value in model.state_dict().items()})


if __name__ == "__main__":
    main()
