"""Makes the sounds that the wake word "hello ferris" is trained and judged with, as features of the micro front end.

    python3 speech.py FOLDER

Needs espeak-ng, NumPy and pymicro-features. Writes FOLDER/train.npz and FOLDER/held_out.npz; the two share no voice and no accent.
"""

import pathlib
import random
import subprocess
import sys
import wave

import numpy as np
from pymicro_features import MicroFrontend

RATE = 16_000
FRAME = 160  # samples per frame of features
WORD = "hello ferris"

ACCENTS = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-us-nyc"]
HELD_OUT_ACCENTS = ["en-us", "en-gb-x-gbcwmd", "en-029"]
OTHER_LANGUAGES = ["de", "fr", "es", "it", "nl", "sv", "pl", "pt"]

# Words that share sounds with the wake word: the ones a model confuses first.
NEAR = """hello|ferris|hello paris|hello alice|hello harris|yellow ferris|hello terrace|hello fairy|hello ferry|fellow ferris|
hello boris|hello chris|hello francis|hello forest|hello everyone|hello there|ferris hello|the ferris wheel|hello doris|
well ferris|hell of a mess|a ferrous metal|hello phyllis|hallow ferns|hello kitty|hello fred|hello fella|mellow berries|
hello harry|harris|paris|ferry us|hello world|hollow ferris|oh ferris|hey ferris|hello maurice|hello farris hill""".replace("\n", "").split("|")

WORDS = """time year people way day man thing woman life child world school state family student group country problem hand part place case
week company system program question work government number night point home water room mother area money story fact month lot right study
book eye job word business issue side kind head house service friend father power hour game line end member law car city community name
president team minute idea kid body information back parent face level office door health person art war history party result change morning
reason research girl guy moment air teacher force education foot boy age policy music market sense nation plan college interest death
experience effect use class control care field development role effort rate heart drug show leader light voice wife police mind price
report decision son view relationship town road arm difference value building action season society tax director position player record
paper space ground form event official matter center couple site project activity star table need court american oil situation cost
industry figure street image phone data picture practice piece land product doctor wall patient worker news test movie north love
please turn open close kitchen lamp volume louder stop start weather today tomorrow seven three nine zero eleven forty hundred yellow
feather ferret felt fellow fairness very hers heresy heaven elephant lorry sorry ferment verify terrible berries cherry marry""".split()


def variants():
    """The names of espeak-ng's voice variants."""
    listing = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout
    return sorted({line.split("!v/")[1].split()[0] for line in listing.splitlines() if "!v/" in line})


def speak(text, voice, chance):
    """Speech as floats of about ±1, without silence around it, or None where a voice says nothing."""
    command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(chance.randint(110, 220)), "-p", str(chance.randint(10, 90)),
               "-g", str(chance.choice([0, 0, 0, 1, 3, 6])), text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.frombuffer(sound[44:len(sound) & ~1], "<i2").astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    if len(loud) < 2000:
        return None
    samples = samples[loud[0]:loud[-1] + 1]
    # From 22 050 Hz to 16 kHz by cutting the spectrum; a factor beside it makes larger and smaller speakers.
    count = int(len(samples) * RATE / 22_050 * chance.uniform(0.88, 1.14))
    spectrum = np.fft.rfft(samples)
    bins = count // 2 + 1
    spectrum = spectrum[:bins] if bins <= len(spectrum) else np.pad(spectrum, (0, bins - len(spectrum)))
    samples = np.fft.irfft(spectrum, count)
    return (samples / (np.abs(samples).max() + 1e-9)).astype(np.float32)


def noise(count, chance):
    """Noise with a random slope of its spectrum, hum and slow swell, at a level of 1."""
    spectrum = np.fft.rfft(np.random.default_rng(chance.getrandbits(32)).standard_normal(count))
    frequency = np.maximum(np.arange(len(spectrum)) * RATE / count, 20.0)
    sound = np.fft.irfft(spectrum * frequency ** -chance.choice([0, 0.3, 0.5, 1, 1.5]), count)
    sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    time = np.arange(count) / RATE
    if chance.random() < 0.3:
        sound += chance.uniform(0.2, 1) * np.sin(2 * np.pi * chance.choice([50, 60, 100, 120, 440]) * time)
    return (sound * (1 + chance.uniform(0, 0.6) * np.sin(2 * np.pi * chance.uniform(0.1, 3) * time))).astype(np.float32)


def room(samples, chance):
    """The sound in a room: an echo of noise that decays over 50 to 600 ms."""
    decay = chance.uniform(0.05, 0.6)
    length = int(decay * RATE)
    echo = np.random.default_rng(chance.getrandbits(32)).standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    echo *= chance.uniform(0.05, 0.5) / np.sqrt(np.sum(echo**2))
    echo[0] = 1
    size = 1 << (len(samples) + length).bit_length()
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(echo, size), size)[:len(samples)].astype(np.float32)


def record(samples, chance):
    """What a microphone gives for a sound: room, noise, level. i16."""
    if chance.random() < 0.5:
        samples = room(samples, chance)
    level = np.sqrt(np.mean(samples[np.abs(samples) > 0.02] ** 2)) if np.any(np.abs(samples) > 0.02) else 0.1
    if chance.random() < 0.85:
        samples = samples + noise(len(samples), chance) * level * 10 ** (-chance.uniform(3, 35) / 20)
    peak = 10 ** (-chance.uniform(0, 30) / 20)
    samples = samples / (np.abs(samples).max() + 1e-9) * peak
    if chance.random() < 0.05:
        samples = np.clip(samples * 3, -1, 1)
    return np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")


def features(samples):
    """The features of the micro front end: u16 [frames][40], one frame per 10 ms."""
    frontend, data, frames = MicroFrontend(), samples.tobytes(), []
    for start in range(0, len(data) - 2 * FRAME + 1, 2 * FRAME):
        frame = frontend.process_samples(data[start:start + 2 * FRAME]).features
        if frame:
            frames.append(np.round(np.array(frame) / 0.0390625).astype(np.uint16))
    return np.stack(frames)


def silence(chance, low, high):
    return np.zeros(int(chance.uniform(low, high) * RATE), np.float32)


def sentence(chance):
    kind = chance.random()
    if kind < 0.25:
        return chance.choice(NEAR)
    return " ".join(chance.choice(WORDS + NEAR if kind < 0.5 else WORDS) for _ in range(chance.randint(2, 12)))


def with_word(voices, chance):
    """A recording with the word in it, and the frame in which the word ends."""
    voice = chance.choice(voices)
    word = speak(chance.choice([WORD, WORD, WORD, WORD + "!", WORD + "?", "Hello, Ferris."]), voice, chance)
    if word is None:
        return None
    parts = [silence(chance, 0.3, 2.0)]
    if chance.random() < 0.3:
        before = speak(sentence(chance), voice, chance)
        parts += [] if before is None else [before, silence(chance, 0.05, 0.6)]
    parts.append(word)
    end = sum(map(len, parts))
    if chance.random() < 0.3:
        behind = speak(sentence(chance), voice, chance)
        parts += [] if behind is None else [silence(chance, 0.1, 0.5), behind]
    parts.append(silence(chance, 0.9, 1.2))
    # A window of 30 ms ends two frames behind its start.
    return features(record(np.concatenate(parts), chance)), max(end // FRAME - 2, 0)


def without_word(voices, chance, seconds):
    """A recording without the word: sentences, near words, other languages, noise alone."""
    parts, count = [], 0
    alone = chance.random() < 0.1
    while count < seconds * RATE:
        voice = chance.choice(voices)
        if chance.random() < 0.15:
            voice = chance.choice(OTHER_LANGUAGES) + "+" + voice.split("+")[1]
        spoken = None if alone else speak(sentence(chance), voice, chance)
        part = np.concatenate([silence(chance, 0.1, 1.0)] + ([] if spoken is None else [spoken * chance.uniform(0.3, 1)]))
        parts.append(part)
        count += len(part)
    return features(record(np.concatenate(parts), chance))


def write(path, voices, chance, words, others, seconds):
    positive = [made for made in (with_word(voices, chance) for _ in range(words)) if made]
    negative = [without_word(voices, chance, seconds) for _ in range(others)]
    np.savez(path, positive=np.concatenate([f for f, _ in positive]), positive_lengths=[len(f) for f, _ in positive],
             ends=[end for _, end in positive], negative=np.concatenate(negative), negative_lengths=[len(f) for f in negative])
    print(path, len(positive), "with the word,", sum(map(len, negative)) / 360_000, "hours without")


def demonstration(path):
    """The sound of the demo: a voice of the held-out set says the word among other words, in light noise."""
    chance, voice = random.Random(7), "en-us+f3"
    parts = [silence(chance, 0.3, 0.3), speak("hello, how is the weather?", voice, chance), silence(chance, 0.4, 0.4),
             speak(WORD, voice, chance), silence(chance, 0.8, 0.8)]
    sound = np.concatenate(parts) * 0.4
    sound = np.round((sound + noise(len(sound), chance) * 0.004) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())


def main():
    demonstration(pathlib.Path(__file__).parent / "hello_ferris.wav")
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    names = variants()
    held_out = names[2::6]
    trained = [name for name in names if name not in held_out]
    write(folder / "held_out.npz", [f"{a}+{v}" for a in HELD_OUT_ACCENTS for v in held_out], random.Random(2), 500, 300, 12)
    write(folder / "train.npz", [f"{a}+{v}" for a in ACCENTS for v in trained], random.Random(1), 3000, 1000, 12)


if __name__ == "__main__":
    main()
