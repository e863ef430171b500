"""Runs models in the reference interpreter, PyPI's `tflite-micro`, or in TensorFlow's reference kernels, each in a process that may die of it.

The interpreter ends the whole process when one of its own assertions fails, so a child process runs the models and its
parent starts another one for those that are left.
"""

import os
import pickle
import re
import struct
import sys
import tempfile
from importlib import metadata

import numpy as np


def generator(reference):
    """Name and version of a reference."""
    package = {"tflite-micro": "tflite_micro", "tensorflow": "tensorflow_cpu"}[reference]
    return f"{reference} {metadata.version(package)}"


ARENA_BYTES = 1 << 20


class Refused(Exception):
    """The interpreter does not run this model; the text is what it said."""


def run(model, calls, output_count):
    """Outputs of each call (a list of arrays per call, state kept from call to call)."""
    from tflite_micro.python.tflite_micro import runtime

    try:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
        outputs = []
        for inputs in calls:
            for index, value in enumerate(inputs):
                if isinstance(value, bytes):
                    detail = interpreter.get_input_details(index)
                    value = np.frombuffer(value, detail["dtype"]).reshape(detail["shape"])
                interpreter.set_input(value, index)
            interpreter.invoke()
            outputs.append([np.array(interpreter.get_output(index)) for index in range(output_count)])
        return outputs
    except Exception as error:
        raise Refused(str(error)) from error


def run_in_tensorflow(model, calls, output_count):
    """As `run`, by TensorFlow's reference kernels."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    try:
        kernels = tf.lite.experimental.OpResolverType.BUILTIN_REF
        interpreter = tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        outputs = []
        for inputs in calls:
            for detail, value in zip(interpreter.get_input_details(), inputs):
                interpreter.set_tensor(detail["index"], value)
            interpreter.invoke()
            outputs.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
        return outputs
    except Exception as error:
        raise Refused(str(error)) from error


RUNNERS = {"tflite-micro": run, "tensorflow": run_in_tensorflow}


def run_all(samples, reference, progress=None):
    """For each model, its calls and its count of outputs: the outputs, or a `Refused`."""
    results = []
    with tempfile.TemporaryFile() as said:
        while len(results) < len(samples):
            _run_child(samples, results, said, RUNNERS[reference], progress)
    return results


def _run_child(samples, results, said, run, progress):
    """Runs samples from `len(results)` on in one child; a death counts as the answer of the model it was at."""
    source, sink = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(source)
        _serve(samples[len(results):], sink, said, run)
    os.close(sink)
    with os.fdopen(source, "rb") as stream:
        while len(header := stream.read(4)) == 4:
            results.append(pickle.loads(stream.read(struct.unpack("<I", header)[0])))
            if progress:
                progress(len(results))
    _, status = os.waitpid(child, 0)
    if status and len(results) < len(samples):
        results.append(Refused(f"process ended by signal {os.WTERMSIG(status)}: {_text(said)}"))


def _serve(samples, sink, said, run):
    """The child: answers go into the pipe, what the interpreter prints becomes the text of a refusal."""
    os.dup2(said.fileno(), 1)
    os.dup2(said.fileno(), 2)
    for model, calls, output_count in samples:
        said.seek(0)
        said.truncate()
        try:
            answer = run(model, calls, output_count)
        except Refused as error:
            answer = Refused(_text(said) or str(error))
        data = pickle.dumps(answer)
        data = struct.pack("<I", len(data)) + data
        while data:
            data = data[os.write(sink, data):]
    os._exit(0)


def _text(said):
    """What the interpreter printed about its latest model, without the names of its source files."""
    said.seek(0)
    return " | ".join(re.sub(r"\S*tensorflow/lite/\S*/", "", line) for line in said.read().decode(errors="replace").splitlines())
