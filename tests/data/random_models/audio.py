"""Random models of the signal operators, the stages of audio front ends. Sums of a filter bank are uint64, which no model
gives out, so that the bank and the roots of its sums are one model."""

import numpy as np

from operators import family

FFT_POINTS = [64, 128, 256, 512, 1024, 2048]


def sound(s, length):
    """Draws of samples: loud, quiet, clipped, silent."""
    def draw():
        kind = s.integer(0, 5)
        if kind == 0:
            return np.zeros(length, np.int64)
        if kind == 1:
            return s.rng.choice([-32768, 32767], length)
        values = s.rng.integers(-32768, 32768, length) >> s.integer(0, 12)
        return np.where(s.rng.random(length) < 0.1, s.rng.choice([-32768, 32767, 0], length), values) if kind == 2 else values
    return draw


def words(s, length, bits=32):
    """Draws of unsigned numbers of all sizes up to so many bits."""
    return lambda: s.rng.integers(0, 1 << bits, length) >> s.rng.integers(0, bits, length)


def samples(s, shape):
    return s.input(shape, "int16", draw=sound(s, int(np.prod(shape))))


def rows(s):
    """Leading dimensions."""
    return s.choose([[], [], [1], [2], [2, 2]])


@family({"SignalWindow": "int16"})
def window(s, name, dtype):
    length = s.integer(1, 40)
    lead = rows(s)
    factors = s.constant(s.values([length], "int16"), "int16")
    x = samples(s, [*lead, length])
    s.operator(name, [x, factors], [s.output([*lead, length], "int16")], shift=s.integer(8, 15))


@family({"SignalFftAutoScale": "int16"})
def auto_scale(s, name, dtype):
    length = s.integer(1, 40)
    s.more_calls = 4
    s.operator(name, [samples(s, [length])], [s.output([length], "int16"), s.output([], "int32")])


@family({"SignalRfft": "int16"})
def real_fft(s, name, dtype):
    points = s.choose(FFT_POINTS[:3] if s.small else FFT_POINTS)
    lead, length = rows(s) if points == 64 else [], points - s.choose([0, 0, 1, points // 3])
    y = s.output([*lead, points + 2], "int16")
    s.operator(name, [samples(s, [*lead, length])], [y], fft_length=points, T=7)


@family({"SignalIrfft": "int16"})
def inverse_real_fft(s, name, dtype):
    points = s.choose(FFT_POINTS[:3] if s.small else FFT_POINTS)
    lead = rows(s) if points == 64 else []
    y = s.output([*lead, points], "int16")
    s.operator(name, [samples(s, [*lead, points + 2])], [y], fft_length=points, T=7)


@family({"SignalEnergy": "int16"})
def energy(s, name, dtype):
    bins = s.integer(1, 40)
    start = s.integer(0, bins)
    end = s.integer(start, bins)
    y = s.output([bins], "uint32")
    s.operator(name, [samples(s, [2 * bins])], [y], start_index=start, end_index=end)

    def clear(call, outputs):
        outputs[0][:start] = outputs[0][end:] = 0
    s.clear_unwritten = clear


@family({"SignalFilterBank SignalFilterBankSquareRoot": "uint32"})
def filter_bank(s, name, dtype):
    channels, bins = s.integer(1, 8), s.integer(10, 60)
    widths = [s.integer(0, 8) for _ in range(channels + 1)]
    weights = sum(widths) + s.integer(1, 4)
    constant = lambda values: s.constant(np.asarray(values), "int16")
    first_bins = [s.integer(0, bins - width) for width in widths]
    first_weights = [s.integer(0, weights - width) for width in widths]
    high = s.choose([1, 4096, 32767])
    shares = [constant(s.rng.integers(0, high + 1, weights)) for _ in range(2)]
    x = s.input([bins], "uint32", draw=words(s, bins))
    scale = s.input([], "int32", draw=lambda: s.integer(0, 15))
    sums = s.tensor([channels], "uint64")
    y = s.output([channels], "uint32")
    s.operator("SignalFilterBank", [x, *shares, constant(first_bins), constant(first_weights), constant(widths)], [sums], num_channels=channels)
    s.operator("SignalFilterBankSquareRoot", [sums, scale], [y])


@family({"SignalFilterBankSpectralSubtraction": "uint32"})
def spectral_subtraction(s, name, dtype):
    channels, bits = s.integer(1, 20), s.choose([14, 14, 12, 15])
    share = lambda: s.integer(0, 1 << bits)
    even, odd, smoothing_bits = share(), share(), s.choose([10, 10, 0, 6])
    s.more_calls = 4
    x = s.input([channels], "uint32", draw=words(s, channels, 32 - smoothing_bits if s.chance(0.8) else 32))
    outputs = [s.output([channels], "uint32"), s.output([channels], "uint32")]
    s.operator(name, [x], outputs, alternate_one_minus_smoothing=(1 << bits) - odd, alternate_smoothing=odd, clamping=s.chance(0.4),
               min_signal_remaining=share(), num_channels=channels, one_minus_smoothing=(1 << bits) - even, smoothing=even,
               smoothing_bits=smoothing_bits, spectral_subtraction_bits=bits)


@family({"SignalPCAN": "uint32"})
def gain_control(s, name, dtype):
    channels = s.integer(1, 30)
    table = s.rng.integers(-5000, 5000, 125)
    table[[0, 1, *range(2, 125, 4)]] = s.rng.integers(0, 32768, 33)
    x, noise = (s.input([channels], "uint32", draw=words(s, channels)) for _ in range(2))
    y = s.output([channels], "uint32")
    s.operator(name, [x, noise, s.constant(table, "int16")], [y], snr_shift=s.integer(0, 12))


@family({"SignalFilterBankLog": "uint32"})
def logarithm(s, name, dtype):
    channels = s.integer(1, 40)
    x = s.input([channels], "uint32", draw=words(s, channels))
    y = s.output([channels], "int16")
    s.operator(name, [x], [y], input_correction_bits=s.integer(0, 8), output_scale=s.choose([64, 64, 1, 100, 1600]))


@family({"SignalStacker": "int16"})
def stacker(s, name, dtype):
    channels, left, right = s.integer(1, 6), s.integer(0, 3), s.integer(0, 3)
    s.more_calls = 6
    outputs = [s.output([channels * (left + right + 1)], "int16"), s.output([], "bool")]
    s.operator(name, [samples(s, [channels])], outputs, num_channels=channels, stacker_left_context=left,
               stacker_right_context=right, stacker_step=s.integer(1, left + right + 1))

    def clear(call, outputs):
        outputs[0] *= np.int16(outputs[1])
    s.clear_unwritten = clear


@family({"SignalDelay": "int16"})
def delay(s, name, dtype):
    lead, length = rows(s), s.integer(1, 12)
    s.more_calls = 4
    y = s.output([*lead, length], "int16")
    s.operator(name, [samples(s, [*lead, length])], [y], delay_length=s.integer(0, 30))


@family({"SignalFramer": "int16"})
def framer(s, name, dtype):
    lead, step, steps = rows(s), s.integer(1, 6), s.integer(1, 4)
    size = s.integer(step, 15)
    s.more_calls = 4
    outputs = [s.output([*lead, steps, size], "int16"), s.output([], "bool")]
    prefill = s.chance(0.5)
    s.operator(name, [samples(s, [*lead, step * steps])], outputs, frame_size=size, frame_step=step, prefill=prefill)

    def clear(call, outputs):
        for frame in range(steps):
            if not prefill and (call * steps + frame + 1) * step < size:
                outputs[0][..., frame, :] = 0
    s.clear_unwritten = clear


@family({"SignalOverlapAdd": "int16 f32"})
def overlap_add(s, name, dtype):
    lead, size, frames = rows(s), s.integer(1, 12), s.integer(1, 4)
    step = s.integer(1, size)
    s.more_calls = 4
    shape = [*lead, frames, size]
    x = samples(s, shape) if dtype == "int16" else s.input(shape, "f32")
    y = s.output([*lead, frames * step], dtype)
    s.operator(name, [x], [y], frame_step=step, T=7 if dtype == "int16" else 0)
