"""Bits per sample of records with the kernels of model files, which flithos does not foretell.

The kernels themselves are left out: a model that is shipped is not in the bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import sancodec
from sancodec import models
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording
from sancodec.san.coding import encode_taps
from sancodec.san.synthesis import resample


def main() -> None:
    arguments = _parser().parse_args()
    rates: dict[str, list[float]] = {model: [] for model in ["none", *arguments.model]}
    for path in arguments.records:
        with_header = WfdbRecord.open(path)
        start, n_frames = (round(s * with_header.fs) for s in (arguments.start, arguments.seconds))
        record = with_header.read(start, min(start + n_frames, with_header.n_frames))
        for model, all_rates in rates.items():
            all_rates.append(_rate(record, model))
    for model, all_rates in rates.items():
        print(f"{np.mean(all_rates):.4f} bits/sample  {model}")


def _rate(record: Recording, model: str) -> float:
    n_samples = record.n_frames * len(record.channels)
    if model == "none":
        config = sancodec.CodecConfig(model="none")
        return 8 * len(sancodec.encode(record, config=config, verify=False)) / n_samples
    config = sancodec.CodecConfig(model=model, kernels="model")
    n_bytes = len(sancodec.encode(record, config=config, verify=False))
    if model not in models.list_models():
        bank, _ = models.load(model)
        n_bytes -= len(encode_taps(resample(bank, record.fs).kernels))
    return 8 * n_bytes / n_samples


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="WFDB records")
    parser.add_argument(
        "--model", action="append", default=[], help="file or name of a model; may be given again"
    )
    parser.add_argument("--start", type=float, default=0.0, help="in seconds")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each record, in seconds")
    return parser


if __name__ == "__main__":
    main()
