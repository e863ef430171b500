import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe

# A small network, trained as usual.
network = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(8 * 4 * 4, 10),
    torch.nn.Softmax(dim=1),
).eval()

# Images with channels last, as cameras give them and microcontrollers store them.
network = litert_torch.to_channel_last_io(network, args=[0])
litert_torch.convert(network, (torch.zeros(1, 8, 8, 1),)).export("float.tflite")

# A few hundred inputs as the sensor gives them, scaled as in training: they set the ranges of the integers.
samples = np.random.default_rng(1).random((200, 8, 8, 1), dtype=np.float32)

quantise = quantizer.Quantizer("float.tflite")
quantise.load_quantization_recipe(recipe.static_wi8_ai8())
ranges = quantise.calibrate({"serving_default": [{"args_0": sample[None]} for sample in samples]})
quantise.quantize(ranges).export_model("model.tflite", overwrite=True)
