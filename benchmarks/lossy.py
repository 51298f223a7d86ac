"""Compression ratios at the same PRDN or the same largest error, beside SZ3, zfp and JPEG 2000.

All are real bytes of whole files or streams, decoded again and measured on rounded samples. The
others code each channel alone, as they are made for one array; each has the coarsest setting, found
by bisection, with which that channel keeps the target. JPEG 2000 codes an image with a beat in
each row, aligned at the beats that sancodec finds; two bytes a beat for their places are counted.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _lossy_peers import Keeps, Lead, beats_of, coarsest, jpeg2000, sz3, zfp

import sancodec
from sancodec.fidelity import Fidelity, MaxError, TargetPrdn
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording


@dataclass(frozen=True)
class Figure:
    """Records, what is taken of them, and the targets.

    ``wanted`` is, by record or target, what the geometric mean of ratios should reach.
    """

    records: str
    seconds: float
    wanted: dict[str, float]
    prdn: tuple[float, ...] = ()
    max_error: tuple[int, ...] = ()


FIGURES = {
    "nine": Figure(
        "100 101 103 107 109 111 117 119 208",
        600.0,
        {"PRDN 2 %": 10.1, "PRDN 3 %": 17.6, "PRDN 5 %": 38.6, "PRDN 9 %": 101.0},
        prdn=(2.0, 3.0, 5.0, 9.0),
    ),
    "bounds": Figure(
        "100 103 117 119 208",
        200.0,
        {"error 1": 6.2, "error 2": 9.1, "error 3": 12.1, "error 5": 20.5},
        max_error=(1, 2, 3, 5),
    ),
    "whole": Figure(
        "100 117 119 208",
        math.inf,
        {"100": 29.0, "117": 59.0, "119": 89.0, "208": 30.0},
        prdn=(5.0,),
    ),
}
"""By name what ``--figure`` runs on the folder of the MIT-BIH Arrhythmia Database."""

Sizes = dict[tuple[str, str, str, str], float]
"""Bytes by record, seconds, target and coder."""


@dataclass(frozen=True)
class Target:
    """A target, and how to tell whether another's lead keeps it."""

    name: str
    fidelity: Fidelity
    keeps: Keeps


class Bench:
    """Sizes of records, each measured once: a CSV file keeps them from run to run.

    Parameters
    ----------
    seconds : float
    bits : float
        What ratios are against, in bits a sample.
    table : Path or None
        Sizes are read from it, and added to it as they are found.
    """

    def __init__(self, seconds: float, bits: float, table: Path | None) -> None:
        self._seconds = seconds
        self._bits = bits
        self._table = table
        self._sizes: Sizes = {}
        if table is not None and table.is_file():
            for *key, size in csv.reader(table.read_text().splitlines()):
                self._sizes[key[0], key[1], key[2], key[3]] = float(size)

    def ratios(self, path: Path, target: Target, names: Sequence[str]) -> dict[str, float]:
        """Give the compression ratio of each coder, measuring what is not known yet."""
        source = WfdbRecord.open(path)
        n_frames = source.n_frames
        if math.isfinite(self._seconds):
            n_frames = min(n_frames, round(self._seconds * source.fs))
        n_samples = n_frames * sum(channel.samples_per_frame for channel in source.channels)
        keys = [(path.stem, f"{self._seconds:g}", target.name, name) for name in names]
        if any(key not in self._sizes for key in keys):
            record = source.read(0, n_frames)
            for key in keys:
                if key not in self._sizes:
                    self._keep(key, CODERS[key[3]](record, target))
        return {key[3]: n_samples * self._bits / 8 / self._sizes[key] for key in keys}

    def _keep(self, key: tuple[str, str, str, str], size: float) -> None:
        self._sizes[key] = size
        if self._table is not None:
            with self._table.open("a", newline="") as file:
                csv.writer(file).writerow([*key, size])


@dataclass(frozen=True)
class Row:
    """The ratios of one record at one target, by coder."""

    record: str
    target: str
    ratios: dict[str, float]


def main() -> None:
    arguments = _parser().parse_args()
    wanted: dict[str, float] = {}
    records = arguments.records
    if arguments.figure is not None:
        figure = FIGURES[arguments.figure]
        records = [records[0] / name for name in figure.records.split()]
        arguments.seconds, wanted = figure.seconds, figure.wanted
        arguments.prdn, arguments.max_error = figure.prdn, figure.max_error
    names = ["sancodec"] if arguments.own else list(CODERS)
    bench = Bench(arguments.seconds, arguments.bits, arguments.csv)
    taken = f"first {arguments.seconds:g} s" if math.isfinite(arguments.seconds) else "whole"
    print(f"CR against {arguments.bits:g} bits/sample, {taken}")
    print("| record | target | " + " | ".join(names) + " |")
    print("|---" * (2 + len(names)) + "|")
    targets = _targets(arguments.prdn, arguments.max_error)
    rows = []
    for path, target in itertools.product(records, targets):
        rows.append(Row(path.stem, target.name, bench.ratios(path, target, names)))
        _print_row(rows[-1])
    for target in targets:
        own = [row for row in rows if row.target == target.name]
        means = {name: _mean(own, name) for name in names}
        _print_row(Row("geometric mean", target.name, means))
    for what, least in wanted.items():
        own = [row for row in rows if what in {row.record, row.target}]
        print(f"{what}: {_mean(own, 'sancodec'):.2f}, wanted at least {least:g}")
    if not arguments.own:
        _say_where_behind(rows)


def _mean(rows: Sequence[Row], name: str) -> float:
    """Give the geometric mean of one coder."""
    ratios = [row.ratios[name] for row in rows]
    # What never keeps a bound has no ratio.
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if min(ratios) > 0 else 0.0


def _say_where_behind(rows: Sequence[Row]) -> None:
    """Say at which points others are as good, or the SAN layer costs more than it saves."""
    for names, factor, said in (
        (PEERS, 1.0, "another codec is as small"),
        (["no SAN"], 1.005, "smaller by more than 0.5 % without SAN layer"),
    ):
        points = [
            f"{row.record} {row.target}"
            for row in rows
            if max(row.ratios[name] for name in names) >= factor * row.ratios["sancodec"]
        ]
        print(f"{said}: {', '.join(points) or 'nowhere'} ({len(rows)} points)")


def _targets(prdn: Sequence[float], max_error: Sequence[int]) -> list[Target]:
    targets = [
        Target(f"PRDN {percent:g} %", TargetPrdn(percent), _prdn_within(percent))
        for percent in prdn
    ]
    return targets + [
        Target(f"error {bound}", MaxError((str(bound),)), _error_within(bound))
        for bound in max_error
    ]


def _print_row(row: Row) -> None:
    cells = " | ".join(f"{ratio:.2f}" for ratio in row.ratios.values())
    print(f"| {row.record} | {row.target} | {cells} |", flush=True)


def _prdn_within(percent: float) -> Keeps:
    def keeps(lead: Lead, decoded: Lead) -> bool:
        deviation = np.square(lead - lead.mean()).sum()
        error = np.square(decoded - lead).sum()
        return bool(error <= (percent / 100) ** 2 * deviation)

    return keeps


def _error_within(bound: int) -> Keeps:
    return lambda lead, decoded: bool(np.abs(decoded - lead).max() <= bound)


def _own(record: Recording, target: Target, model: str = "auto") -> int:
    config = sancodec.CodecConfig(fidelity=target.fidelity, model=model)
    return len(sancodec.encode(record, config=config))


CODERS: dict[str, Callable[[Recording, Target], float]] = {
    "sancodec": _own,
    "no SAN": lambda record, target: _own(record, target, "none"),
    "SZ3": lambda record, target: coarsest(record, sz3, target.keeps),
    "zfp": lambda record, target: coarsest(record, zfp, target.keeps),
    "JPEG 2000": lambda record, target: coarsest(record, jpeg2000(beats_of(record)), target.keeps),
}
PEERS = ("SZ3", "zfp", "JPEG 2000")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="with --figure the folder of mitdb")
    parser.add_argument("--figure", choices=FIGURES, help="one of the figures of lossy.md")
    parser.add_argument("--own", action="store_true", help="sancodec alone, and none beside it")
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="keep sizes, and take those that are there as found",
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="from the start of each")
    parser.add_argument("--prdn", nargs="*", type=float, default=[2.0, 3.0, 5.0, 9.0])
    parser.add_argument("--max-error", nargs="*", type=int, default=[], help="in ADC units")
    parser.add_argument("--bits", type=float, default=12.0, help="what ratios are against")
    return parser


if __name__ == "__main__":
    main()
