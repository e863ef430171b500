"""Makes random single-operator models, runs them in the reference interpreter and packs both for the comparison.

    generate.py goldens                     the files beside this script, which are part of the tree
    generate.py models FOLDER [--count N] [--seed S] [--operators ADD,CONV_2D]
                                            N models per operator and type, for `cargo run --release -p host-tests --bin compare -- FOLDER`
    generate.py check PACK                  runs the models of a pack whose outputs are ours (`mutate` writes such) and compares the reference's
    The first two take --reference tensorflow: the operators and types that only TensorFlow runs.

Packs are named OPERATOR.models, those of TensorFlow OPERATOR.tensorflow.models. A pack is a sequence of records, all numbers little-endian and of 32 bits:
    name (length, bytes), model (length, bytes), numbers of calls, inputs and outputs,
    per output its kind (0: every bit counts, 1: f32 within a tolerance),
    per call the inputs and then the outputs (length, bytes), row-major. State is kept from call to call.
"""

import argparse
import collections
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

import audio  # noqa: F401  (adds to FAMILIES)
from operators import FAMILIES, TENSORFLOW
from reference import Refused, generator, run_all
from sample import Redraw, Sample

HERE = Path(__file__).parent
GOLDEN_COUNT, GOLDEN_SEED = 3, 1
REFERENCES = {"tflite-micro": FAMILIES, "tensorflow": TENSORFLOW}


def draw(families, seed, name, dtype, index, small):
    """The model with this index: file, calls, output types, and what clears outputs that the reference leaves unwritten. The index alone decides, not the models before it."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{name} {dtype}".encode()), index])
    while True:
        sample = Sample(rng, small)
        try:
            families[name][0](sample, name, dtype)
        except Redraw:
            continue
        return *sample.finish(), sample.clear_unwritten


def record(name, model, calls, outputs, kinds):
    """One model of a pack."""
    def part(data):
        return struct.pack("<I", len(data)) + data

    blocks = [part(name.encode()), part(model), struct.pack("<3I", len(calls), len(calls[0]), len(kinds)),
              struct.pack(f"<{len(kinds)}I", *(int(kind == "f32") for kind in kinds))]
    for inputs, results in zip(calls, outputs):
        blocks += [part(np.ascontiguousarray(array).tobytes()) for array in (*inputs, *results)]
    return b"".join(blocks)


def write(folder, reference, count, seed, names, small):
    """Writes the packs and the manifest; tells how many models the reference refused."""
    families = REFERENCES[reference]
    suffix = "" if reference == "tflite-micro" else f".{reference}"
    lines = [f"generator {generator(reference)}", f"seed {seed}", f"count {count} per operator and type"]
    total = size = 0
    for name in names:
        pack, kept, why = b"", [], collections.Counter()
        for dtype in families[name][1]:
            models = [draw(families, seed, name, dtype, index, small) for index in range(count)]
            answers = run_all([(model, calls, len(kinds)) for model, calls, kinds, _ in models], reference)
            good = 0
            for index, ((model, calls, kinds, clear_unwritten), answer) in enumerate(zip(models, answers)):
                if isinstance(answer, Refused):
                    why[str(answer)[:120]] += 1
                    continue
                for call, outputs in enumerate(answer):
                    clear_unwritten(call, outputs)
                pack += record(f"{name} {dtype} #{index}", model, calls, answer, kinds)
                good += 1
            kept.append(f"{dtype.replace(' ', '_')}={good}")
            total += good
        (folder / f"{name}{suffix}.models").write_bytes(pack)
        size += len(pack)
        lines.append(f"file {name}{suffix}.models {' '.join(kept)} bytes={len(pack)} crc32={zlib.crc32(pack):08x}")
        refused = "".join(f"\n    {count} refused by the reference: {text}" for text, count in why.most_common())
        print(f"{name}: {' '.join(kept)}{refused}", flush=True)
    (folder / f"manifest{suffix}.txt").write_text("\n".join(lines) + "\n")
    print(f"{total} models, {size} bytes, {generator(reference)}, seed {seed}")


def records(pack):
    """The records of a pack, as `record` writes them: name, model, the inputs of each call, outputs as bytes, kinds."""
    position = 0

    def number():
        nonlocal position
        position += 4
        return struct.unpack_from("<I", pack, position - 4)[0]

    def block():
        nonlocal position
        length = number()
        position += length
        return pack[position - length:position]

    while position < len(pack):
        name, model = block().decode(), block()
        calls, inputs, outputs = number(), number(), number()
        kinds = ["f32" if number() else "" for _ in range(outputs)]
        yield name, model, [([block() for _ in range(inputs)], [block() for _ in range(outputs)]) for _ in range(calls)], kinds


def differs(expected, found, kind):
    """Whether two outputs are not the same: bytes, or floats but for a part of the largest one."""
    if kind != "f32" or len(expected) != len(found):
        return expected != found
    with np.errstate(all="ignore"):
        a, b = np.frombuffer(expected, np.float32).astype(np.float64), np.frombuffer(found, np.float32).astype(np.float64)
        largest = np.max(np.abs(a[np.isfinite(a)]), initial=0)
        return not np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 1e-5 * largest))


def check(path):
    """Compares the outputs of a pack with the reference's."""
    pack = list(records(path.read_bytes()))
    answers = run_all([(model, [inputs for inputs, _ in calls], len(kinds)) for _, model, calls, kinds in pack], "tflite-micro")
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    different = 0
    for (name, _, calls, kinds), answer in zip(pack, answers):
        if isinstance(answer, Refused):
            continue
        pairs = [(ours, theirs.tobytes(), kind) for (_, outputs), found in zip(calls, answer) for ours, theirs, kind in zip(outputs, found, kinds)]
        if any(differs(theirs, ours, kind) for ours, theirs, kind in pairs):
            different += 1
            print(f"{name} differs")
    print(f"{len(pack)} models: {len(pack) - len(refused) - different} equal, {different} different, {len(refused)} refused by the reference")
    return different == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    goldens, models = commands.add_parser("goldens"), commands.add_parser("models")
    for command in (goldens, models):
        command.add_argument("--reference", choices=REFERENCES, default="tflite-micro")
    models.add_argument("folder", type=Path)
    models.add_argument("--count", type=int, default=40)
    models.add_argument("--seed", type=int, default=2)
    models.add_argument("--operators")
    commands.add_parser("check").add_argument("pack", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "check":
        sys.exit(not check(arguments.pack))
    families = REFERENCES[arguments.reference]
    if arguments.command == "goldens":
        write(HERE, arguments.reference, GOLDEN_COUNT, GOLDEN_SEED, list(families), small=True)
        return
    names = arguments.operators.split(",") if arguments.operators else list(families)
    if unknown := set(names) - set(families):
        sys.exit(f"no such operator: {', '.join(sorted(unknown))}; there are {', '.join(families)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write(arguments.folder, arguments.reference, arguments.count, arguments.seed, names, small=False)


if __name__ == "__main__":
    main()
