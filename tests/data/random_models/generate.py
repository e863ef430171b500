"""Makes random single-operator models, runs them in the reference interpreter and packs both for the comparison.

    generate.py goldens                     the files beside this script, which are part of the tree
    generate.py models FOLDER [--count N] [--seed S] [--operators ADD,CONV_2D]
                                            N models per operator and type, for `cargo run --release -p host-tests --bin compare -- FOLDER`

Packs are named OPERATOR.models. A pack is a sequence of records, all numbers little-endian and of 32 bits:
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

from operators import FAMILIES
from reference import GENERATOR, Refused, run_all
from sample import Redraw, Sample

HERE = Path(__file__).parent
GOLDEN_COUNT, GOLDEN_SEED = 3, 1


def draw(seed, name, dtype, index, small):
    """The model with this index: file, calls, output types. The index alone decides, not the models before it."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{name} {dtype}".encode()), index])
    while True:
        sample = Sample(rng, small)
        try:
            FAMILIES[name][0](sample, name, dtype)
        except Redraw:
            continue
        return sample.finish()


def record(name, model, calls, outputs, kinds):
    """One model of a pack."""
    def part(data):
        return struct.pack("<I", len(data)) + data

    blocks = [part(name.encode()), part(model), struct.pack("<3I", len(calls), len(calls[0]), len(kinds)),
              struct.pack(f"<{len(kinds)}I", *(int(kind == "f32") for kind in kinds))]
    for inputs, results in zip(calls, outputs):
        blocks += [part(np.ascontiguousarray(array).tobytes()) for array in (*inputs, *results)]
    return b"".join(blocks)


def write(folder, count, seed, names, small):
    """Writes the packs and the manifest; tells how many models the reference refused."""
    lines = [f"generator {GENERATOR}", f"seed {seed}", f"count {count} per operator and type"]
    total = size = 0
    for name in names:
        pack, kept, why = b"", [], collections.Counter()
        for dtype in FAMILIES[name][1]:
            models = [draw(seed, name, dtype, index, small) for index in range(count)]
            answers = run_all([(model, calls, len(kinds)) for model, calls, kinds in models])
            good = 0
            for index, ((model, calls, kinds), answer) in enumerate(zip(models, answers)):
                if isinstance(answer, Refused):
                    why[str(answer)[:120]] += 1
                    continue
                pack += record(f"{name} {dtype} #{index}", model, calls, answer, kinds)
                good += 1
            kept.append(f"{dtype.replace(' ', '_')}={good}")
            total += good
        (folder / f"{name}.models").write_bytes(pack)
        size += len(pack)
        lines.append(f"file {name}.models {' '.join(kept)} bytes={len(pack)} crc32={zlib.crc32(pack):08x}")
        refused = "".join(f"\n    {count} refused by the reference: {text}" for text, count in why.most_common())
        print(f"{name}: {' '.join(kept)}{refused}", flush=True)
    (folder / "manifest.txt").write_text("\n".join(lines) + "\n")
    print(f"{total} models, {size} bytes, {GENERATOR}, seed {seed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("goldens")
    models = commands.add_parser("models")
    models.add_argument("folder", type=Path)
    models.add_argument("--count", type=int, default=40)
    models.add_argument("--seed", type=int, default=2)
    models.add_argument("--operators", default=",".join(FAMILIES))
    arguments = parser.parse_args()
    if arguments.command == "goldens":
        write(HERE, GOLDEN_COUNT, GOLDEN_SEED, list(FAMILIES), small=True)
        return
    names = arguments.operators.split(",")
    if unknown := set(names) - set(FAMILIES):
        sys.exit(f"no such operator: {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write(arguments.folder, arguments.count, arguments.seed, names, small=False)


if __name__ == "__main__":
    main()
