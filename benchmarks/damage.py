"""Damage .san files in every place: what is noticed, and what is given in spite of it.

Every prefix of each file, and each of its bytes changed in three ways, is read as a whole; and
every file is salvaged with one byte changed in so many places. What comes back has to be right.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from pathlib import Path

import numpy as np

import sancodec
from sancodec.errors import CorruptError, SancodecError, TruncatedError
from sancodec.formats.bundle import is_bundle
from sancodec.formats.container import ContainerReader
from sancodec.recording import NO_SAMPLE, Recording
from sancodec.salvage import Salvage
from sancodec.san_file import SanFile

_MASKS = (0x01, 0x55, 0xFF)
_GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"


def main() -> None:
    arguments = _parser().parse_args()
    totals: Counter[str] = Counter()
    generator = np.random.default_rng(1)
    for path in arguments.files or sorted(_GOLDEN.glob("*.san")):
        whole = path.read_bytes()
        original = sancodec.decode(whole)
        counts = _prefixes(whole, original) + _flips(whole, original)
        places = generator.integers(0, len(whole), arguments.salvages)
        for place in places:
            counts += _salvage(_flipped(whole, int(place), 0x55), original)
        print(f"{path.name}: {dict(counts)}", flush=True)
        totals += counts
    print(f"all: {dict(totals)}")
    if totals["wrong"]:
        raise SystemExit(1)


def _prefixes(whole: bytes, original: Recording) -> Counter[str]:
    return sum(
        (_read(whole[:size], original, "prefixes", TruncatedError) for size in range(len(whole))),
        Counter(),
    )


def _flips(whole: bytes, original: Recording) -> Counter[str]:
    counts: Counter[str] = Counter()
    for place in range(len(whole)):
        for mask in _MASKS:
            counts += _read(_flipped(whole, place, mask), original, "flips", CorruptError)
    return counts


def _flipped(whole: bytes, place: int, mask: int) -> bytes:
    damaged = bytearray(whole)
    damaged[place] ^= mask
    return bytes(damaged)


def _read(
    damaged: bytes, original: Recording, what: str, expected: type[CorruptError]
) -> Counter[str]:
    """Read all sections, and decode them where no checksum told; count what happened."""
    try:
        if not is_bundle(io.BytesIO(damaged)):
            reader = ContainerReader(io.BytesIO(damaged), "damaged.san")
            for i in range(len(reader.chunks)):
                reader.read_chunk(i)
        same = _same(sancodec.decode(damaged), original)
    except expected:
        return Counter({what: 1, "refused": 1})
    except SancodecError:
        return Counter({what: 1, "refused with another error": 1})
    return Counter({what: 1, "decoded all the same" if same else "wrong": 1})


def _same(found: Recording, original: Recording) -> bool:
    return found.channels == original.channels and all(
        np.array_equal(a, b) for a, b in zip(found.signals, original.signals, strict=True)
    )


def _salvage(damaged: bytes, original: Recording) -> Counter[str]:
    try:
        file = SanFile(io.BytesIO(damaged), "damaged.san", damaged=True)
        spans = list(Salvage(file).spans(0, file.n_frames))
    except CorruptError:
        return Counter({"salvages": 1, "nothing left": 1})
    counts = Counter({"salvages": 1})
    for i, signal in enumerate(original.signals):
        found = np.concatenate([span.signals[i] for span in spans])
        lost = found == NO_SAMPLE
        counts["samples salvaged"] += int((~lost).sum())
        counts["samples lost"] += int(lost.sum())
        counts["wrong"] += int((found != signal)[~lost].sum())
    return counts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="the golden files when left out")
    parser.add_argument("--salvages", type=int, default=20, help="of each file")
    return parser


if __name__ == "__main__":
    main()
