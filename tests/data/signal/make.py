"""Records what librosa, torchaudio and scipy make of one seeded sound, for the tests of smolnn-signal.

    python3 make.py

writes beside itself: input.bin (int16), one blob of float32 per recording, manifest.txt with shapes, versions and seed.
"""

import pathlib

import librosa
import numpy as np
import scipy
import scipy.signal
import torch
import torchaudio

SEED = 2026
RATE = 16_000
LENGTH = 5_000
HERE = pathlib.Path(__file__).parent


def sound():
    """A chirp, two tones and noise that fade in and out, and a stretch of silence."""
    random = np.random.default_rng(SEED)
    t = np.arange(LENGTH) / RATE
    chirp = 0.3 * scipy.signal.chirp(t, 100, t[-1], 7000)
    tones = 0.2 * np.sin(2 * np.pi * 440 * t) + 0.05 * np.sin(2 * np.pi * 3300 * t)
    noise = 0.1 * random.standard_normal(LENGTH) * np.sin(np.pi * t / t[-1]) ** 2
    mixed = chirp + tones + noise
    mixed[3_600:4_400] = 0
    return np.round(np.clip(mixed, -1, 1) * 32_767).astype(np.int16)


INPUT = sound()
Y = INPUT.astype(np.float32) / 32_768
TENSOR = torch.from_numpy(Y)
MADE = []


def keep(name, array, of):
    """Frames come first, so that each lies in one piece."""
    array = np.ascontiguousarray(np.asarray(array, dtype=np.float32))
    array.tofile(HERE / f"{name}.bin")
    MADE.append((name, "x".join(map(str, array.shape)), of))


def by_librosa(name, *, log=None, mfcc=None, **settings):
    """A mel spectrogram, its logarithm and its cosine transform."""
    arguments = dict(sr=RATE, n_fft=512, hop_length=160, n_mels=40) | settings
    mel = librosa.feature.melspectrogram(y=Y, **arguments)
    if log is not None:
        mel = log(mel)
    if mfcc is not None:
        mel = librosa.feature.mfcc(S=mel, **mfcc)
    said = {key: "array" if isinstance(value, np.ndarray) else value for key, value in settings.items()}
    keep(name, mel.T, f"librosa {said} {mfcc or ''}".rstrip())


def by_torchaudio(name, transform):
    keep(name, transform(TENSOR).T, f"torchaudio {name}")


def spectrograms():
    by_librosa("librosa_power")
    by_librosa("librosa_decibel", log=lambda mel: librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None))
    by_librosa("librosa_top_db", log=lambda mel: librosa.power_to_db(mel, ref=0.5, amin=1e-10, top_db=80.0))
    by_librosa(
        "librosa_htk_log",
        log=lambda mel: np.log(mel + 1e-6),
        htk=True, norm=None, center=False, fmin=125.0, fmax=7500.0,
    )
    by_librosa(
        "librosa_magnitude",
        log=lambda mel: librosa.amplitude_to_db(mel, ref=1.0, amin=1e-5, top_db=None),
        power=1.0, win_length=400, window="hamming", fmin=20.0,
    )
    by_librosa(
        "librosa_symmetric",
        log=lambda mel: np.log(np.maximum(mel, 1e-5)),
        window=scipy.signal.get_window("blackman", 512, fftbins=False),
    )
    by_librosa("librosa_wide", n_fft=2048, hop_length=512, n_mels=64)
    by_librosa(
        "librosa_mfcc",
        log=lambda mel: librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None),
        mfcc=dict(n_mfcc=13),
    )
    by_librosa(
        "librosa_mfcc_lifter",
        log=lambda mel: librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=80.0),
        mfcc=dict(n_mfcc=20, lifter=22),
    )
    transforms = torchaudio.transforms
    mel = dict(n_fft=512, win_length=400, hop_length=160, n_mels=40)
    by_torchaudio("torchaudio_power", transforms.MelSpectrogram(RATE, **mel))
    by_torchaudio("torchaudio_slaney", transforms.MelSpectrogram(
        RATE, n_fft=256, hop_length=100, n_mels=23, mel_scale="slaney", norm="slaney", power=1.0,
        window_fn=torch.hann_window, wkwargs={"periodic": False},
    ))
    by_torchaudio("torchaudio_mfcc_log", transforms.MFCC(RATE, n_mfcc=13, log_mels=True, melkwargs=mel))
    by_torchaudio("torchaudio_mfcc_decibel", transforms.MFCC(RATE, n_mfcc=13, melkwargs=mel))


def filters():
    """Coefficients, and the first 1 500 samples behind the filters."""
    signal = scipy.signal
    short = Y[:1_500].astype(np.float64)
    low = signal.butter(2, 1000, fs=RATE)
    high = signal.butter(2, 200, "highpass", fs=RATE)
    keep("butter_coefficients", np.array([*low[0], *low[1][1:], *high[0], *high[1][1:]]), "scipy butter(2), 1000 and 200 Hz")
    keep("butter_low", signal.lfilter(*low, short), "scipy lfilter")
    keep("butter_band", signal.lfilter(*high, signal.lfilter(*low, short)), "scipy lfilter, low-pass and high-pass")
    taps = signal.firwin(31, 2400, fs=RATE)
    keep("firwin", taps, "scipy firwin(31), 2400 Hz")
    keep("fir", signal.lfilter(taps, 1, short), "scipy lfilter")
    window = Y[:256].astype(np.float64)
    powers = np.abs(np.fft.rfft((window - window.mean()) * signal.get_window("hann", 256)))[:128] ** 2
    peaks, _ = signal.find_peaks(powers)
    strongest = peaks[np.argsort(-powers[peaks])][:5]
    keep("powers", powers, "numpy rfft of the first 256 samples without their mean, scipy hann")
    keep("peaks", strongest, "scipy find_peaks")


def deltas():
    mfcc = np.fromfile(HERE / "librosa_mfcc.bin", dtype=np.float32).reshape(-1, 13).T
    for order in (1, 2):
        delta = librosa.feature.delta(mfcc, width=9, order=order, mode="nearest")
        keep(f"delta_{order}", delta.T, f"librosa delta(width=9, order={order}, mode=nearest) of librosa_mfcc")
    kaldi = torchaudio.functional.compute_deltas
    twice = kaldi(kaldi(torch.from_numpy(mfcc)))
    keep("delta_of_delta", twice.T, "torchaudio compute_deltas(compute_deltas()) of librosa_mfcc")


if __name__ == "__main__":
    INPUT.tofile(HERE / "input.bin")
    spectrograms()
    filters()
    deltas()
    versions = {module.__name__: module.__version__ for module in (librosa, torchaudio, torch, scipy, np)}
    lines = [f"# seed {SEED}; {versions}"] + [" ".join(row[:2]) + f"  # {row[2]}" for row in MADE]
    (HERE / "manifest.txt").write_text("\n".join(lines) + "\n")
