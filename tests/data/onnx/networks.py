"""Networks of PyTorch by both of its exporters and at several opsets, and multi-layer perceptrons of scikit-learn. `generate.py networks` calls it."""

import io
import os
import traceback

import numpy as np
import torch
from torch import nn
from torch.nn import functional as f


class Residual(nn.Module):
    def __init__(self, body, short=None):
        super().__init__()
        self.body, self.short = body, short

    def forward(self, x):
        return torch.relu((self.short(x) if self.short else x) + self.body(x))


def conv_norm(inputs, outputs, kernel=3, stride=1, groups=1, act=nn.ReLU):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs), act())


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = conv_norm(3, 12, stride=2, act=nn.Hardswish)
        self.s = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(12, 4, 1), nn.ReLU(), nn.Conv2d(4, 12, 1), nn.Hardsigmoid())
        self.f = nn.Linear(12, 5)

    def forward(self, x):
        x = self.c(x)
        return self.f((x * self.s(x)).mean((2, 3)))


class UNet(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.a, self.b = conv_norm(1, 8), conv_norm(8, 16, act=nn.SiLU)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2) if mode == "transposed" else nn.Sequential(
            nn.Upsample(scale_factor=2, mode=mode, align_corners=False if mode == "bilinear" else None), nn.Conv2d(16, 8, 1))
        self.o = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(f.max_pool2d(a, 2))
        return torch.sigmoid(self.o(torch.cat([self.up(b), a], 1)))


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.ModuleList(nn.Conv1d(4 if i == 0 else 8, 8, 3, dilation=2 ** i) for i in range(3))
        self.f = nn.Linear(8, 3)

    def forward(self, x):
        for i, c in enumerate(self.c):
            y = f.gelu(c(f.pad(x, (2 * 2 ** i, 0))))
            x = y if i == 0 else x + y
        return self.f(x[:, :, -1])


class SeparableTime(nn.Module):
    def __init__(self):
        super().__init__()
        self.d, self.p, self.n = nn.Conv1d(6, 6, 5, padding=2, groups=6), nn.Conv1d(6, 12, 1), nn.BatchNorm1d(12)
        self.f = nn.Linear(24, 4)

    def forward(self, x):
        x = torch.relu(self.n(self.p(self.d(x))))
        return f.log_softmax(self.f(torch.cat([x.mean(2), x.std(2)], 1)), -1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.n = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.LayerNorm(16)
        self.f = nn.Linear(16, 3)

    def forward(self, x):
        batch, time, width = x.shape
        heads = [p(x).reshape(batch, time, 4, 4).transpose(1, 2) for p in (self.q, self.k, self.v)]
        a = torch.softmax(heads[0] @ heads[1].transpose(-2, -1) / 2, -1) @ heads[2]
        return self.f(self.n(x + a.transpose(1, 2).reshape(batch, time, width)).mean(1))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True, norm_first=True)

    def forward(self, x):
        return self.e(x)


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.p, self.e = nn.Conv2d(3, 16, 4, 4), Encoder()
        self.t = nn.Parameter(torch.randn(1, 16, 16))
        self.f = nn.Linear(16, 4)

    def forward(self, x):
        return self.f(self.e(self.p(x).flatten(2).transpose(1, 2) + self.t).mean(1))


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.f = conv_norm(4, 8, groups=2), conv_norm(8, 8, groups=2), nn.Linear(8, 3)

    def forward(self, x):
        x = self.a(x)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        left, right = self.b(x).chunk(2, 1)
        return self.f(torch.cat([left * 2, right], 1).amax((2, 3)))


class ConvNext(nn.Module):
    def __init__(self):
        super().__init__()
        self.d, self.n, self.a, self.b = nn.Conv2d(6, 6, 7, padding=3, groups=6), nn.LayerNorm(6), nn.Linear(6, 24), nn.Linear(24, 6)

    def forward(self, x):
        y = self.n(self.d(x).permute(0, 2, 3, 1))
        return x + self.b(f.gelu(self.a(y))).permute(0, 3, 1, 2)


class Recurrent(nn.Module):
    def __init__(self, kind, two=False):
        super().__init__()
        self.r = kind(6, 10, batch_first=True, bidirectional=two)
        self.f = nn.Linear(20 if two else 10, 4)

    def forward(self, x):
        return self.f(self.r(x)[0][:, -1])


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.f = nn.Embedding(20, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.f(self.e(x).mean(1))


class Embed(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.f = conv_norm(2, 8, act=nn.PReLU), nn.Linear(8 * 16, 6)

    def forward(self, x):
        return f.normalize(self.f(f.avg_pool2d(self.c(x), 3, 2, 1, ceil_mode=True, count_include_pad=False)[:, :, :4, :4].flatten(1)), dim=1)


class Spectral(nn.Module):
    """A gate over channels and one over positions, by the largest and the mean of the channels."""

    def __init__(self):
        super().__init__()
        self.c, self.g = conv_norm(3, 6), nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        x = self.c(x)
        gate = torch.sigmoid(self.g(torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)))
        return (x * gate).flatten(1)


def cases():
    image = lambda c, s=12: (lambda: torch.randn(1, c, s, s))
    sequence = lambda c, t: (lambda: torch.randn(1, c, t))
    yield "mlp", lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3), nn.Softmax(-1)), sequence(1, 8)
    yield "cnn", lambda: nn.Sequential(conv_norm(3, 8), nn.MaxPool2d(2), conv_norm(8, 16), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 4)), image(3)
    yield "norm_after_flatten", lambda: nn.Sequential(conv_norm(2, 4, stride=2), nn.Flatten(), nn.BatchNorm1d(144), nn.ReLU(), nn.Linear(144, 4)), image(2)
    yield "resnet", lambda: nn.Sequential(conv_norm(3, 8), Residual(nn.Sequential(conv_norm(8, 8), nn.Conv2d(8, 8, 3, padding=1))), Residual(
        nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16)), nn.Conv2d(8, 16, 1, 2)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)), image(3)
    yield "dscnn", lambda: nn.Sequential(nn.Conv2d(1, 16, (10, 4), 2, (5, 1)), nn.BatchNorm2d(16), nn.ReLU6(), conv_norm(16, 16, groups=16, act=nn.ReLU6),
                                         conv_norm(16, 16, 1, act=nn.ReLU6), nn.AvgPool2d((25, 5)), nn.Flatten(), nn.Linear(16, 12), nn.Softmax(1)), lambda: torch.randn(1, 1, 49, 10)
    yield "squeeze_excite", SqueezeExcite, image(3)
    for mode in ("transposed", "bilinear", "nearest"):
        yield f"unet_{mode}", lambda mode=mode: UNet(mode), image(1, 16)
    yield "tcn", Causal, sequence(4, 24)
    yield "separable_time", SeparableTime, sequence(6, 20)
    yield "attention", Attention, lambda: torch.randn(1, 7, 16)
    yield "encoder", Encoder, lambda: torch.randn(1, 5, 16)
    yield "vision", Vision, image(3, 16)
    yield "shuffle", Shuffle, image(4, 8)
    yield "convnext", ConvNext, image(6, 8)
    yield "embed", Embed, image(2, 8)
    yield "gates", Spectral, image(3, 8)
    yield "group_norm", lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Mish(), nn.Conv2d(8, 4, 1), nn.InstanceNorm2d(4, affine=True), nn.ELU()), image(3, 8)
    yield "pixel_shuffle", lambda: nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(3, 3, 1), nn.Tanh()), image(3, 6)
    yield "autoencoder", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.SELU(), nn.Linear(16, 64), nn.Unflatten(1, (1, 8, 8)), nn.Hardtanh()), image(1, 8)
    yield "conv_autoencoder", lambda: nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.ConvTranspose2d(4, 1, 3, 2, 1, output_padding=1), nn.Softplus()), image(1, 8)
    yield "reflect", lambda: nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(2, 4, 3), nn.ReplicationPad2d((1, 0, 2, 1)), nn.Conv2d(4, 2, 3), nn.Softsign()), image(2, 6)
    yield "tokens", Tokens, lambda: torch.randint(0, 20, (1, 6))
    yield "gru", lambda: Recurrent(nn.GRU), lambda: torch.randn(1, 9, 6)
    yield "lstm", lambda: Recurrent(nn.LSTM), lambda: torch.randn(1, 9, 6)
    yield "lstm_two", lambda: Recurrent(nn.LSTM, True), lambda: torch.randn(1, 9, 6)
    yield "rnn", lambda: Recurrent(nn.RNN), lambda: torch.randn(1, 9, 6)


def randomise(network):
    """Statistics and factors as training leaves them."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, 0, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.5)


def make(folder, record):
    made, failed = 0, []
    for name, network, draw in cases():
        torch.manual_seed(7)
        network = network().eval()
        randomise(network)
        inputs = [draw() for _ in range(2)]
        for dynamo, opset in ((False, 11), (False, 13), (False, 17), (True, 18), (True, 20)):
            label = f"{name}_{'dynamo' if dynamo else 'script'}_opset{opset}"
            try:
                data = io.BytesIO()
                arguments = {} if not dynamo else {"external_data": False}
                axes = {} if dynamo else {"dynamic_axes": {"x": {0: "batch"}}}
                with torch.no_grad():
                    torch.onnx.export(network, (inputs[0],), data, input_names=["x"], output_names=["y"], opset_version=opset, dynamo=dynamo, **arguments, **axes)
                record(os.path.join(folder, label), data.getvalue(), [{"x": x.numpy()} for x in inputs])
                made += 1
            except Exception as error:
                failed.append(f"{label}: {type(error).__name__} {str(error)[:160]!r}")
    made_sklearn = sklearn(folder, record)
    print(f"{made} exports of PyTorch {torch.__version__}, {made_sklearn} of scikit-learn; not exported: {len(failed)}")
    for line in failed:
        print("  " + line)


def sklearn(folder, record):
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(3)
    x = random.normal(size=(80, 5)).astype(np.float32)
    target = (x[:, 0] + x[:, 1] ** 2 > 0.7).astype(int) + (x[:, 2] > 0.5)
    made = 0
    models = [
        ("classifier", MLPClassifier((12, 8), max_iter=60, random_state=1), target, {"zipmap": False}),
        ("binary", MLPClassifier((6,), activation="logistic", max_iter=60, random_state=1), target > 0, {"zipmap": False}),
        ("regressor", MLPRegressor(hidden_layer_sizes=(10,), activation="tanh", max_iter=60, random_state=1), x[:, 0] * 2 + x[:, 3], None),
        ("scaled", make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(10,), max_iter=60, random_state=1)), x[:, 0] * 2, None),
    ]
    for name, model, y, options in models:
        model.fit(x, y)
        onnx = to_onnx(model, x[:1], options={id(model): options} if options else None, target_opset=17)
        feed = onnx.graph.input[0].name
        record(os.path.join(folder, f"sklearn_{name}"), onnx.SerializeToString(), [{feed: x[:1]}, {feed: x[1:2]}])
        made += 1
    return made
