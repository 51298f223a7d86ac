"""Compression ratios at the same PRDN or the same largest error, beside SZ3, zfp and JPEG 2000.

All are real bytes of whole files or streams, decoded again and measured on rounded samples. The
others code each channel alone, as they are made for one array; each has the coarsest setting, found
by bisection, with which that channel keeps the target. JPEG 2000 codes an image with a beat in
each row, aligned at the beats that sancodec finds; two bytes a beat for their places are counted.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sancodec
from sancodec.fidelity import Fidelity, MaxError, SanOnly, TargetPrdn
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording

Lead = NDArray[np.float64]
Coder = Callable[[Lead, float], tuple[int, Lead]]
"""Codes a lead with a setting, the coarser the larger it is: its bytes, and what comes back."""
Keeps = Callable[[Lead, Lead], bool]

_HALVINGS = 14
_COARSEST = 4096.0


def main() -> None:
    arguments = _parser().parse_args()
    targets: list[tuple[str, Fidelity, Keeps]] = [
        (f"PRDN {percent:g} %", TargetPrdn(percent), _prdn_within(percent))
        for percent in arguments.prdn
    ]
    targets += [
        (f"error {bound}", MaxError((str(bound),)), _error_within(bound))
        for bound in arguments.max_error
    ]
    names = ["sancodec", "no SAN", "SZ3", "zfp", "JPEG 2000"]
    print(f"CR against {arguments.bits:g} bits/sample, first {arguments.seconds:g} s")
    print("| record | target | " + " | ".join(names) + " |")
    print("|---" * (2 + len(names)) + "|")
    ratios: dict[str, list[list[float]]] = {name: [] for name, _, _ in targets}
    for path in arguments.records:
        source = WfdbRecord.open(path)
        record = source.read(0, min(round(arguments.seconds * source.fs), source.n_frames))
        beats = _beats(record)
        for name, fidelity, keeps in targets:
            sizes = [_own(record, fidelity, model) for model in ("auto", "none")]
            coders = (_sz3, _zfp, _jpeg2000(beats))
            sizes += [_other(record, coder, keeps) for coder in coders]
            found = [record.n_samples * arguments.bits / 8 / size for size in sizes]
            ratios[name].append(found)
            _print_row(path.stem, name, found)
    for name, rows in ratios.items():
        _print_row("geometric mean", name, list(np.exp(np.log(rows).mean(axis=0))))


def _print_row(record: str, target: str, ratios: list[float]) -> None:
    cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"| {record} | {target} | {cells} |", flush=True)


def _prdn_within(percent: float) -> Keeps:
    def keeps(lead: Lead, decoded: Lead) -> bool:
        deviation = np.square(lead - lead.mean()).sum()
        error = np.square(decoded - lead).sum()
        return bool(error <= (percent / 100) ** 2 * deviation)

    return keeps


def _error_within(bound: int) -> Keeps:
    return lambda lead, decoded: bool(np.abs(decoded - lead).max() <= bound)


def _own(record: Recording, fidelity: Fidelity, model: str) -> int:
    config = sancodec.CodecConfig(fidelity=fidelity, model=model)
    return len(sancodec.encode(record, config=config))


def _other(record: Recording, coder: Coder, keeps: Keeps) -> float:
    """Give the bytes of all channels, each with the coarsest setting that keeps the target.

    Infinite where none does.
    """
    total = 0.0
    for signal in record.signals:
        # Around 0: none of them knows of offsets.
        lead = signal.astype(np.float64) - np.rint(signal.mean())
        fine, coarse = 0.0, float(np.log2(_COARSEST))
        best = math.inf
        for _ in range(_HALVINGS):
            middle = (fine + coarse) / 2
            size, decoded = coder(lead, 2.0**middle / 16)
            if keeps(lead, np.rint(decoded)):
                fine, best = middle, size
            else:
                coarse = middle
        total += best
    return total


def _sz3(lead: Lead, setting: float) -> tuple[int, Lead]:
    from pysz import sz, szConfig, szErrorBoundMode

    config = szConfig()
    config.errorBoundMode = szErrorBoundMode.ABS
    config.absErrorBound = setting
    values = lead.astype(np.float32)
    config.setDims(values.size)
    encoded, _ = sz.compress(values, config)
    decoded, _ = sz.decompress(encoded, np.float32, values.shape)
    return encoded.size, decoded.astype(np.float64)


def _zfp(lead: Lead, setting: float) -> tuple[int, Lead]:
    import zfpy

    encoded = zfpy.compress_numpy(lead.astype(np.float32), tolerance=setting)
    return len(encoded), zfpy.decompress_numpy(encoded).astype(np.float64)


def _jpeg2000(beats: NDArray[np.int64]) -> Coder:
    """Give the coder of leads that are cut at these samples."""

    def code(lead: Lead, setting: float) -> tuple[int, Lead]:
        import imagecodecs

        edges = np.concatenate([[0], beats[(beats > 0) & (beats < lead.size)], [lead.size]])
        rows = [lead[a:b] for a, b in itertools.pairwise(edges)]
        width = max(row.size for row in rows)
        low = lead.min()
        image = np.stack([np.pad(row, (0, width - row.size), mode="edge") for row in rows]) - low
        options: dict[str, Any] = {"codecformat": "j2k", "reversible": False}
        # In decibels below the largest sample of 16 bits.
        quality = 20.0 * np.log10(65_535.0 / setting)
        encoded = imagecodecs.jpeg2k_encode(image.astype(np.uint16), level=quality, **options)
        decoded = imagecodecs.jpeg2k_decode(encoded).astype(np.float64) + low
        back = [row[: own.size] for row, own in zip(decoded, rows, strict=True)]
        return len(encoded) + 2 * len(rows), np.concatenate(back)

    return code


def _beats(record: Recording) -> NDArray[np.int64]:
    """Give the samples at which rows begin: beats that the SAN layer has, else every second."""
    try:
        encoded = sancodec.encode(record, config=sancodec.CodecConfig(fidelity=SanOnly()))
    except sancodec.SancodecError:
        return np.arange(0, record.n_frames, max(round(record.fs), 1), dtype=np.int64)
    found = []
    with sancodec.open(encoded) as file:
        for i, entry in enumerate(file.container.chunks):
            layer = file.layers(i)[0]
            found.append(entry.start + (layer.activations.position >> 2))
    before = round(0.25 * record.fs)
    return np.unique(np.concatenate(found) - before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0, help="from the start of each")
    parser.add_argument("--prdn", nargs="*", type=float, default=[2.0, 3.0, 5.0, 9.0])
    parser.add_argument("--max-error", nargs="*", type=int, default=[], help="in ADC units")
    parser.add_argument("--bits", type=float, default=12.0, help="what ratios are against")
    return parser


if __name__ == "__main__":
    main()
