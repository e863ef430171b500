"""Makes the recordings that the keyword network learns and is judged with: a second of sound each, as features of the micro front end.

    python3 words.py FOLDER

Needs espeak-ng, NumPy and pymicro-features. Writes FOLDER/train.npz, FOLDER/calibration.npz and FOLDER/test.npz with the arrays `x`, uint8
[recordings, FRAMES, CHANNELS], and `y`, the classes. No voice of the test speaks in the two others.
"""

import multiprocessing
import os
import pathlib
import random
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, os.fspath(pathlib.Path(__file__).parent.parent / "hello_ferris"))
import speech

COMMANDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
OTHERS = [word for word in speech.WORDS if word not in COMMANDS]
CLASSES = COMMANDS + ["(another word)", "(silence)"]
TOGETHER = 3  # frames of 10 ms of the front end that become one
FRAMES, CHANNELS = 32, 20
LENGTH = (TOGETHER * FRAMES + 2) * speech.FRAME  # samples; a window of the front end is 30 ms long


def image(samples):
    """Features in the 256 steps that `smolnn::signal::micro::to_int8` has: the means of TOGETHER frames and of two neighbouring bands."""
    frames = np.minimum((256 * speech.features(samples).astype(np.int64) + 333) // 666, 255)
    frames = frames[:TOGETHER * FRAMES].reshape(FRAMES, TOGETHER, CHANNELS, -1)
    return np.round(frames.mean((1, 3))).astype(np.uint8)


def microphone(sound, level, chance):
    """What a microphone in a room gives for a sound, as i16: an echo, noise 12 to 40 dB below `level`, and a gain."""
    if chance.random() < 0.5:
        sound = speech.room(sound, chance)
    sound = sound + speech.noise(len(sound), chance) * level * 10 ** (-chance.uniform(12, 40) / 20)
    gain = 10 ** (-chance.uniform(0, 24) / 20) / max(np.abs(sound).max(), level)
    return np.round(sound * gain * 32767).astype("<i2")


def recordings(label, voices, takes, chance):
    """One word, recorded `takes` times: somewhere else in the second, in another room and other noise."""
    spoken = np.zeros(0, np.float32)
    while label != CLASSES.index("(silence)") and not 0 < len(spoken) <= LENGTH:
        # Some voices say nothing, some take longer than a second.
        word = chance.choice(OTHERS) if label == CLASSES.index("(another word)") else COMMANDS[label]
        made = speech.speak(word, chance.choice(voices), chance)
        spoken = spoken if made is None else made
    loud = np.abs(spoken) > 0.02
    level = np.sqrt(np.mean(spoken[loud] ** 2)) if loud.any() else 0.2
    images = []
    for _ in range(takes):
        before = chance.randint(0, LENGTH - len(spoken))
        sound = np.pad(spoken, (before, LENGTH - len(spoken) - before))
        images.append(image(microphone(sound, level, chance)))
    return images


def make(task):
    name, index, voices, takes = task
    label = index % len(CLASSES)
    return recordings(label, voices, takes, random.Random(f"{name} {index}")), [label] * takes


def write(folder, name, voices, words, takes):
    with multiprocessing.Pool() as pool:
        made = pool.map(make, [(name, index, voices, takes) for index in range(words)], 24)
    images, labels = zip(*made)
    path = folder / f"{name}.npz"
    np.savez_compressed(path, x=np.concatenate(images), y=np.concatenate(labels).astype(np.uint8))
    print(path, words * takes, flush=True)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    names = speech.variants()
    unheard = names[2::6]
    voices = lambda names: [f"{accent}+{name}" for accent in speech.ACCENTS for name in names]
    heard = voices([name for name in names if name not in unheard])
    write(folder, "test", voices(unheard), 5400, 1)
    write(folder, "calibration", heard, 240, 1)
    write(folder, "train", heard, 7200, 3)


if __name__ == "__main__":
    main()
