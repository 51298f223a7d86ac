"""How far wfdb's xqrs agrees with itself when a record changes by next to nothing.

Each sample moves by -1, 0 or 1 ADC unit, drawn at random, or by white noise of a given PRDN: a
floor for what any loss does to beats. Compare with ``sancodec evaluate``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from sancodec.beat_comparison import judge_of
from sancodec.beats import Agreement
from sancodec.formats.wfdb import WfdbRecord


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0, help="from the start of each")
    parser.add_argument("--noise", type=float, help="PRDN of white noise, in percent")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    total = Agreement()
    for path in arguments.records:
        source = WfdbRecord.open(path)
        n_frames = min(source.n_frames, round(arguments.seconds * source.fs))
        source = replace(source, n_frames=n_frames)
        judge, reason = judge_of(source)
        if judge is None:
            print(f"{source.name}: {reason}")
            continue
        samples = source.read(0, n_frames).signals[judge.channel]
        rng = np.random.default_rng(arguments.seed)
        if arguments.noise is None:
            moves = rng.integers(-1, 2, samples.size, np.int32)
        else:
            scale = samples.std() * arguments.noise / 100.0
            moves = np.rint(rng.normal(0.0, scale, samples.size)).astype(np.int32)
        agreement = judge.report(samples + moves).decoded
        _print(source.name, agreement)
        total += agreement
    _print("all", total)


def _print(name: str, agreement: Agreement) -> None:
    ratios = (agreement.sensitivity, agreement.positive_predictivity)
    said = " ".join("-" if ratio is None else f"{100 * ratio:.2f}" for ratio in ratios)
    print(f"{name}: missed {agreement.n_missed}, extra {agreement.n_extra}: {said} %", flush=True)


if __name__ == "__main__":
    main()
