"""Makes the recurrent networks of this folder, and as many random ones as wanted.

    python3 make.py networks .        # PyTorch 1.13 and onnx: exports networks, one folder each
    python3 make.py random . 24       # onnx: random single operators
    python3 make.py record .          # onnxruntime: inputs and outputs of every folder

Each folder has model.onnx, io.txt and the data of three cases, as ../../../../shared/golden/onnx has them.
"""

import os
import sys

import numpy as np

SEED = 14
CASES = 3


def save(folder, name, model):
    import onnx

    os.makedirs(os.path.join(folder, name), exist_ok=True)
    onnx.save(model, os.path.join(folder, name, "model.onnx"))


def random_operator(random, index):
    """One RNN, GRU or LSTM with attributes and optional operands drawn at random."""
    from onnx import TensorProto, helper, numpy_helper

    kind = ["RNN", "GRU", "LSTM"][index % 3]
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    states = 2 if kind == "LSTM" else 1
    steps, batch, inputs, hidden = (int(random.integers(1, most + 1)) for most in (9, 3, 7, 9))
    direction = ["forward", "reverse", "bidirectional"][int(random.integers(3))]
    directions = 2 if direction == "bidirectional" else 1
    opset = int(random.choice([7, 9, 11, 13, 14, 17, 20, 22]))

    def uniform(*shape):
        return random.uniform(-1, 1, shape).astype(np.float32)

    constants, graph_inputs = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(values, name))
        return name

    operands = ["x", constant("w", uniform(directions, gates * hidden, inputs)),
                constant("r", uniform(directions, gates * hidden, hidden))]
    operands.append(constant("b", uniform(directions, 2 * gates * hidden)) if random.random() < 0.7 else "")
    full = random.random() < 0.2
    operands.append(constant("lengths", np.full(batch, steps, np.int32)) if full else "")
    graph_inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, batch, inputs]))
    for state in range(states):
        name, shape, draw = f"start{state}", [directions, batch, hidden], random.random()
        if draw < 0.3:
            operands.append("")
        elif draw < 0.6:
            operands.append(constant(name, uniform(*shape)))
        else:
            operands.append(name)
            graph_inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    if kind == "LSTM" and random.random() < 0.1:
        operands.append(constant("p", np.zeros((directions, 3 * hidden), np.float32)))
    attributes = {"hidden_size": hidden, "direction": direction}
    if kind == "GRU":
        attributes["linear_before_reset"] = int(random.integers(2))
    if kind == "RNN" and random.random() < 0.6:
        attributes["activations"] = [str(random.choice(["Tanh", "Relu"])) for _ in range(directions)]
    if kind == "GRU" and random.random() < 0.3:
        attributes["activations"] = ["Sigmoid", "Tanh"] * directions
    if kind == "LSTM" and random.random() < 0.3:
        attributes["activations"] = ["Sigmoid", "Tanh", "Tanh"] * directions
    while not operands[-1]:
        operands.pop()
    wanted = [random.random() < 0.7 for _ in range(1 + states)]
    wanted[int(random.integers(1 + states))] = True
    outputs = [name if asked else "" for name, asked in zip(("y", "y_h", "y_c"), wanted)]
    shapes = [[steps, directions, batch, hidden]] + [[directions, batch, hidden]] * states
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
             for name, shape in zip(outputs, shapes) if name]
    while not outputs[-1]:
        outputs.pop()
    node = helper.make_node(kind, operands, outputs, **attributes)
    graph = helper.make_graph([node], "random", graph_inputs, infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return f"{index:03}_{kind.lower()}_opset{opset}", model


def networks(folder):
    """Networks as people build them, exported by PyTorch."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)

    class Head(nn.Module):
        """A recurrent layer and a dense one behind its last step, its last states, or all steps."""

        def __init__(self, layer, take, batch_first=True, outputs=4):
            super().__init__()
            self.layer, self.take, self.batch_first = layer, take, batch_first
            width = layer.hidden_size * (2 if layer.bidirectional else 1)
            self.dense = nn.Linear(width, outputs)

        def forward(self, x, *start):
            sequence, last = self.layer(x, *start)
            h = last[0] if isinstance(last, tuple) else last
            if self.take == "last":
                return self.dense(sequence[:, -1] if self.batch_first else sequence[-1])
            if self.take == "states":
                if self.layer.bidirectional:
                    return self.dense(torch.cat([h[-2], h[-1]], dim=1))
                return self.dense(h[-1])
            if self.take == "mean":
                return self.dense(sequence.mean(1 if self.batch_first else 0))
            if self.take == "maximum":
                return self.dense(sequence.max(1 if self.batch_first else 0).values)
            if self.take == "carried":
                return (self.dense(sequence), *(last if isinstance(last, tuple) else (last,)))
            return self.dense(sequence)

    class Convolved(nn.Module):
        """A convolution over time before a bidirectional GRU, as keyword and ECG networks have it."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(6, 8, 3, padding=1)
            self.norm = nn.BatchNorm1d(8)
            self.gru = nn.GRU(8, 7, batch_first=True, bidirectional=True)
            self.dense = nn.Linear(14, 4)

        def forward(self, x):
            x = torch.relu(self.norm(self.conv(x))).transpose(1, 2)
            return torch.softmax(self.dense(self.gru(x)[0][:, -1]), dim=1)

    class Cells(nn.Module):
        """A loop over an LSTMCell, which the exporter unrolls."""

        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(6, 5)
            self.dense = nn.Linear(5, 4)

        def forward(self, x):
            h, c = torch.zeros(x.shape[0], 5), torch.zeros(x.shape[0], 5)
            for step in range(x.shape[1]):
                h, c = self.cell(x[:, step], (h, c))
            return self.dense(h)

    sequence = torch.randn(1, 10, 6)
    first = dict(batch_first=True)
    two = dict(num_layers=2)
    both = dict(bidirectional=True)
    state = torch.randn(1, 1, 8)
    exports = [
        ("gru_stacked_opset17", Head(nn.GRU(6, 8, **first, **two), "last"), (sequence,), 17, {}),
        ("gru_bidirectional_opset14", Head(nn.GRU(6, 7, **first, **two, **both), "last"), (sequence,), 14, {}),
        ("gru_states_opset9", Head(nn.GRU(6, 8, **first, **both), "states"), (sequence,), 9, {}),
        ("gru_sequence_opset12", Head(nn.GRU(6, 8), "all", False), (torch.randn(10, 1, 6),), 12, {}),
        ("gru_step_opset16", Head(nn.GRU(6, 8), "carried", False), (torch.randn(1, 1, 6), state), 16, {}),
        ("gru_no_bias_opset11", Head(nn.GRU(6, 8, bias=False, **first), "mean"), (sequence,), 11, {}),
        ("lstm_stacked_opset15", Head(nn.LSTM(6, 8, **first, **two), "last"), (sequence,), 15, {}),
        ("lstm_bidirectional_opset10", Head(nn.LSTM(6, 7, **first, **two, **both), "maximum"), (sequence,), 10, {}),
        ("lstm_carried_opset17", Head(nn.LSTM(6, 8), "carried", False),
         (torch.randn(3, 1, 6), (state, torch.randn(1, 1, 8))), 17, {}),
        ("lstm_batch_opset13", Head(nn.LSTM(6, 8, **first), "states"), (torch.randn(3, 10, 6),), 13, {}),
        ("lstm_dynamic_opset17", Head(nn.LSTM(6, 8, **first), "last"), (sequence,), 17, {"x": {0: "batch"}}),
        ("gru_given_opset7", Head(nn.GRU(6, 8), "last", False), (torch.randn(10, 1, 6), state), 7, {}),
        ("rnn_tanh_opset17", Head(nn.RNN(6, 8, **first, **two), "last"), (sequence,), 17, {}),
        ("rnn_relu_opset13", Head(nn.RNN(6, 8, nonlinearity="relu", **first, **both), "last"), (sequence,), 13, {}),
        ("convolution_gru_opset17", Convolved(), (torch.randn(1, 6, 10),), 17, {}),
        ("lstm_cells_opset17", Cells(), (torch.randn(1, 4, 6),), 17, {}),
    ]
    for name, module, inputs, opset, dynamic in exports:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        path = os.path.join(folder, name, "model.onnx")
        flat = [tensor for value in inputs for tensor in (value if isinstance(value, tuple) else (value,))]
        names = ["x", "h", "c"][:len(flat)]
        torch.onnx.export(module.eval(), inputs, path, opset_version=opset, input_names=names, dynamic_axes=dynamic)


def record(folder):
    """Runs every model on random inputs and writes what it takes and gives."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not os.path.isfile(os.path.join(path, "model.onnx")):
            continue
        session = onnxruntime.InferenceSession(os.path.join(path, "model.onnx"))
        random = np.random.default_rng([SEED, *name.encode()])
        lines = ["calls 1"]
        for case in range(CASES):
            feed = {}
            for info in session.get_inputs():
                shape = [length if isinstance(length, int) else 1 for length in info.shape]
                feed[info.name] = random.normal(size=shape).astype(np.float32)
            outputs = session.run(None, feed)
            for kind, arrays in (("in", feed.values()), ("out", outputs)):
                for index, values in enumerate(arrays):
                    values.tofile(os.path.join(path, f"c{case}_{kind}{index}.bin"))
                    if case == 0:
                        lines.append(f"{kind} {index} float32 {','.join(map(str, values.shape))}")
        with open(os.path.join(path, "io.txt"), "w") as file:
            file.write("\n".join(lines) + "\n")


def main():
    what, folder = sys.argv[1:3]
    if what == "networks":
        networks(folder)
    elif what == "random":
        random = np.random.default_rng(SEED)
        for index in range(int(sys.argv[3])):
            save(folder, *random_operator(random, index))
    else:
        record(folder)


if __name__ == "__main__":
    main()
