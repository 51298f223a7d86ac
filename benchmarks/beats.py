"""Beats from activations alone, against reference annotations, beside wfdb's xqrs.

Each record is encoded without loss at the default level, unless its .san file is in --cache.
The rules of ``sancodec.activation_beats`` were chosen on the first, third, fifth ... record of the
MIT-BIH database in the order of names; the others are those that were not seen.

``python benchmarks/beats.py mitdb --cache FOLDER --markdown``
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sancodec.activation_beats import beats_of
from sancodec.beats import Agreement, compare_beats, find_beats, reference_beats
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError
from sancodec.files import encode_file, open_file
from sancodec.formats.wfdb import WfdbRecord


@dataclass
class Row:
    """Of one record, or of several, the beats and who found them."""

    name: str
    n_beats: int
    activations: Agreement | None
    xqrs: Agreement
    seconds: float
    xqrs_seconds: float


def measure(header: Path, cache: Path) -> Row:
    encoded = cache / f"{header.stem}.san"
    if not encoded.exists():
        encode_file(header, encoded, CodecConfig(), verify=False)
    source = WfdbRecord.open(header)
    reference = reference_beats(header, source.n_frames)
    assert reference is not None, f"{header}: no reference annotations"
    started = time.perf_counter()
    try:
        with open_file(encoded) as file:
            own = compare_beats(reference, beats_of(file).frame, source.fs)
    except ConfigError as error:
        # Told in the table, and counted as beats that were missed.
        print(error)
        own = None
    taken = time.perf_counter() - started
    started = time.perf_counter()
    samples = source.read(0, source.n_frames).signals[0]
    found = find_beats(samples, source.channels[0], source.fs)
    xqrs = compare_beats(reference, found, source.fs)
    return Row(header.stem, reference.size, own, xqrs, taken, time.perf_counter() - started)


def total(name: str, rows: Sequence[Row]) -> Row:
    missing = (Agreement(0, row.n_beats, 0) for row in rows if row.activations is None)
    there = (row.activations for row in rows if row.activations is not None)
    return Row(
        name,
        sum(row.n_beats for row in rows),
        sum([*there, *missing], Agreement()),
        sum((row.xqrs for row in rows), Agreement()),
        sum(row.seconds for row in rows),
        sum(row.xqrs_seconds for row in rows),
    )


def line(row: Row, markdown: bool) -> str:
    cells = [row.name, f"{row.n_beats:,}", *say(row.activations), *say(row.xqrs)]
    cells += [f"{row.seconds:.2f}", f"{row.xqrs_seconds:.1f}"]
    return f"| {' | '.join(cells)} |" if markdown else "  ".join(f"{cell:>8}" for cell in cells)


def say(agreement: Agreement | None) -> list[str]:
    if agreement is None:
        return ["no layer", "", "", ""]
    ratios = agreement.sensitivity, agreement.positive_predictivity
    counts = f"{agreement.n_missed}", f"{agreement.n_extra}"
    return [*counts, *("-" if ratio is None else f"{100 * ratio:.2f}" for ratio in ratios)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with the records and their .atr files")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the .san files")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    headings = ["record", "beats", *["missed", "extra", "Se %", "+P %"] * 2, "s", "s, xqrs"]
    if arguments.markdown:
        print(f"| {' | '.join(headings)} |")
        print("|---|" + "---:|" * (len(headings) - 1))
    rows = []
    for header in sorted(arguments.folder.glob("*.hea")):
        rows.append(measure(header, arguments.cache))
        print(line(rows[-1], arguments.markdown), flush=True)
    for name, own in (("half chosen on", rows[::2]), ("other half", rows[1::2]), ("all", rows)):
        print(line(total(name, own), arguments.markdown))


if __name__ == "__main__":
    main()
