"""Quantises exported networks with onnxruntime, and counts by how many steps smolnn's outputs differ: `quantised.py NETWORKS SMOLNN`.

NETWORKS is a folder of `generate.py networks`, SMOLNN the program. A step is the scale of the network's last quantised tensor. onnxruntime computes
with real numbers between DequantizeLinear and QuantizeLinear, and rounds halves to even; smolnn computes with integers, rounding as TensorFlow Lite does.
"""

import collections
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from generate import session

NETWORKS = ["mlp_script_opset17", "cnn_script_opset17", "resnet_script_opset17", "dscnn_script_opset17", "unet_nearest_script_opset17",
            "unet_transposed_script_opset17", "separable_time_script_opset17", "tcn_script_opset17", "squeeze_excite_script_opset17"]


class Random(CalibrationDataReader):
    def __init__(self, shape):
        random = np.random.default_rng(5)
        self.inputs = [random.normal(size=shape).astype(np.float32) for _ in range(24)]
        self.left = iter(self.inputs)

    def get_next(self):
        array = next(self.left, None)
        return None if array is None else {"x": array}


def last_scale(path):
    """The scale of the last tensor that is quantised."""
    graph = onnx.load(path).graph
    scales = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = [scales[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear" and scales[node.input[1]].size == 1]
    return float(found[-1])


def main(networks, program):
    kinds = [("QDQ uint8", QuantFormat.QDQ, QuantType.QUInt8), ("QDQ int8", QuantFormat.QDQ, QuantType.QInt8),
             ("QOperator uint8", QuantFormat.QOperator, QuantType.QUInt8)]
    for name in NETWORKS:
        source = os.path.join(networks, name, "model.onnx")
        fixed = onnx.load(source)
        fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        shape = [d.dim_value for d in fixed.graph.input[0].type.tensor_type.shape.dim]
        for kind, form, activation in kinds:
            with tempfile.TemporaryDirectory() as folder:
                model, path = os.path.join(folder, "float.onnx"), os.path.join(folder, "model.onnx")
                onnx.save(fixed, model)
                calibration = Random(shape)
                quantize_static(model, path, calibration, quant_format=form, per_channel=True, activation_type=activation, weight_type=QuantType.QInt8)
                run, counts = session(open(path, "rb").read()), collections.Counter()
                step = last_scale(path)
                for x in calibration.inputs[:6]:
                    expected = run.run(None, {"x": x})[0]
                    given, found = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
                    np.save(given, x)
                    done = subprocess.run([program, "run", path, "--input", given, "--output", found], capture_output=True, text=True, check=False)
                    if done.returncode:
                        print(f"{name} {kind}: {done.stderr.strip()[:300]}")
                        break
                    counts.update(np.rint(np.abs(np.load(found).reshape(expected.shape) - expected) / step).astype(int).ravel().tolist())
                else:
                    total = sum(counts.values())
                    shares = ", ".join(f"{steps} steps {100 * count / total:.1f} %" for steps, count in sorted(counts.items())[:6])
                    print(f"{name} {kind}: {shares}; largest {max(counts)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__)
        sys.exit(2)
    main(*sys.argv[1:])
