"""One random model under construction: draws of shapes, quantisations and values, and the calls it is run with."""

import math

import numpy as np

from tflite_file import NUMPY_TYPES, TYPE_CODES, Graph

LIMITS = {name: (np.iinfo(kind).min, np.iinfo(kind).max) for name, kind in NUMPY_TYPES.items()
          if np.issubdtype(kind, np.integer)}
QUANTISED = ("int8", "uint8", "int16")


class Redraw(Exception):
    """The drawn combination makes no valid model; the caller draws another one."""


class Sample:
    """A graph with its random source; a small one has fewer calls, for files that are kept."""

    def __init__(self, rng, small):
        self.rng = rng
        self.graph = Graph()
        self.inputs = []
        self.outputs = []
        self.small = small
        # Calls beyond those that every model has, for models with state.
        self.more_calls = 0
        # Takes the number of a call and its outputs.
        self.clear_unwritten = lambda call, outputs: None

    # ---- draws ---------------------------------------------------------------------------------------------------

    def chance(self, probability):
        return self.rng.random() < probability

    def choose(self, values):
        return values[self.rng.integers(len(values))]

    def integer(self, low, high):
        """An integer from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def shape(self, low=1, high=5, elements=240, extent=9):
        """Lengths of a tensor of `low` to `high` dimensions, odd ones and ones included."""
        while True:
            shape = [1 if self.chance(0.2) else self.integer(1, extent) for _ in range(self.integer(low, high))]
            if math.prod(shape) <= elements:
                return shape

    def scale(self, low=1e-3, high=0.6):
        """An f32: decimal as people write them, a power of two, the quotient of a range by its steps, or any."""
        kind = self.integer(0, 3)
        if kind == 0:
            digits = self.integer(1, 3)
            value = round(float(self.rng.uniform(low, high)), digits) or 10.0**-digits
        elif kind == 1:
            value = 2.0 ** self.integer(math.ceil(math.log2(low)), math.floor(math.log2(high)))
        elif kind == 2:
            value = self.integer(1, max(1, int(high * 255))) / 255
        else:
            value = math.exp(self.rng.uniform(math.log(low), math.log(high)))
        return float(np.float32(value))

    def near(self, scale, spread=4.0):
        """A scale not further than a factor of `spread` from this one; one draw in four is the same."""
        if self.chance(0.25):
            return float(np.float32(scale))
        return float(np.float32(scale * math.exp(self.rng.uniform(-math.log(spread), math.log(spread)))))

    def zero_point(self, dtype):
        """The ends, the middle, or any; int16 and int32 tensors have none."""
        if dtype not in ("int8", "uint8"):
            return 0
        low, high = LIMITS[dtype]
        return self.choose([low, high, (low + high + 1) // 2, self.integer(low, high), self.integer(low, high)])

    def quantisation(self, dtype, scale=None, zero_point=None):
        """A pair of scale and zero point, or none for types that carry none."""
        if dtype not in (*QUANTISED, "int32") or (dtype == "int32" and scale is None):
            return None
        if scale is None:
            scale = self.scale() if dtype != "int16" else self.scale(2e-5, 2e-2)
        return scale, self.zero_point(dtype) if zero_point is None else zero_point

    def values(self, shape, dtype, low=None, high=None):
        """Random elements, with the ends of the type among them."""
        size = math.prod(shape)
        if dtype == "bool":
            return self.rng.integers(0, 2, shape).astype(np.bool_)
        if dtype in LIMITS:
            least, largest = LIMITS[dtype]
            if dtype in ("int32", "int64", "uint32"):
                least, largest = max(least, -1000), 1000
            least, largest = least if low is None else low, largest if high is None else high
            values = self.rng.integers(least, largest + 1, size)
            if self.chance(0.3):
                values = np.where(self.rng.random(size) < 0.2, self.rng.choice([least, largest], size), values)
            return values.astype(NUMPY_TYPES[dtype]).reshape(shape)
        spread = self.choose([0.5, 1.0, 4.0, 20.0])
        values = np.round(self.rng.normal(0, spread, size), self.choose([1, 3, 8]))
        if low is not None:
            values = np.clip(np.abs(values) + low if high is None else values, low, high)
        return values.astype(NUMPY_TYPES[dtype]).reshape(shape)

    # ---- the graph -----------------------------------------------------------------------------------------------

    def tensor(self, shape, dtype, quantisation=None, **more):
        scales, zero_points = ([], []) if quantisation is None else ([quantisation[0]], [quantisation[1]])
        return self.graph.tensor(shape, dtype, scales, zero_points, **more)

    def input(self, shape, dtype, quantisation=None, low=None, high=None, draw=None):
        """An input of the model; `low` and `high` bound its values, `draw` makes them instead."""
        index = self.tensor(shape, dtype, quantisation)
        self.inputs.append((index, tuple(shape), dtype, low, high, draw))
        return index

    def constant(self, values, dtype, quantisation=None):
        values = np.asarray(values)
        return self.tensor(values.shape, dtype, quantisation, data=values)

    def operand(self, shape, dtype, quantisation=None, constant=0.3, **bounds):
        """An input or, with the probability `constant`, a constant of the model."""
        if self.inputs and self.chance(constant):
            return self.constant(self.values(shape, dtype, **bounds), dtype, quantisation)
        return self.input(shape, dtype, quantisation, **bounds)

    def output(self, shape, dtype, quantisation=None):
        index = self.tensor(shape, dtype, quantisation)
        self.outputs.append((index, tuple(shape), dtype))
        return index

    def operator(self, name, inputs, outputs, **options):
        self.graph.operator(name, inputs, outputs, **options)

    # ---- the result ----------------------------------------------------------------------------------------------

    def finish(self):
        """The file, the inputs of each call, and the outputs' types."""
        model = self.graph.write([tensor[0] for tensor in self.inputs], [tensor[0] for tensor in self.outputs])
        fillings = ["ramp", "random"] if self.small else ["ramp", "random", "least", "largest", "random"]
        fillings += ["random"] * self.more_calls
        calls = [[self._filled(entry, filling) for entry in self.inputs] for filling in fillings]
        return model, calls, [dtype for _, _, dtype in self.outputs]

    def _filled(self, entry, filling):
        """The elements of an input: all values in turn, one end of the type throughout, or random ones where bounds or the type want it."""
        _, shape, dtype, low, high, draw = entry
        if draw is not None:
            return np.asarray(draw()).astype(NUMPY_TYPES[dtype]).reshape(shape)
        if filling == "random" or dtype not in QUANTISED or low is not None or self.chance(0.2):
            return self.values(shape, dtype, low, high)
        least, largest = LIMITS[dtype]
        if filling == "ramp":
            values = np.arange(math.prod(shape)) % (largest - least + 1) + least
        else:
            values = np.full(math.prod(shape), least if filling == "least" else largest)
        return values.astype(NUMPY_TYPES[dtype]).reshape(shape)

    def unary_shape(self):
        """The shape of an elementwise operator: a random one, or all values of an 8-bit type in a row."""
        return [1, 256] if not self.small and self.chance(0.3) else self.shape()


def type_code(dtype):
    return TYPE_CODES[dtype]
