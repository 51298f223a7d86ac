"""What a model's kernels are worth on records: CR^-1, normalized loss and flithos of each.

Windows are cut as they were for training: their length, baseline and minimum extrema distance are
those that the model names. W is charged to every window, an activation counts on each lead.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from sancodec import models
from sancodec.errors import SancodecError
from sancodec.training.base import Base
from sancodec.training.judging import Figures, judge
from sancodec.training.network import SparselyActivatedNetwork
from sancodec.training.windows import InputConfig, WindowConfig, find_records, read_windows


def main() -> int:
    arguments = _parser().parse_args()
    network, metadata = _network(arguments.model)
    valid_range = json.loads(metadata.get("valid_range", "null"))
    config = WindowConfig(
        fs=float(metadata["fs"]),
        seconds=float(metadata["window_seconds"]),
        baseline_seconds=float(metadata["baseline_seconds"]),
        n_per_record=arguments.windows,
        inputs=InputConfig(
            channels=tuple(arguments.channels.split(",")) if arguments.channels else (),
            text_fs=arguments.csv_fs,
            valid_range=tuple(valid_range) if valid_range else None,
        ),
    )
    everything = []
    print("| record | windows | CR^-1 | normalized loss | flithos |")
    print("|---|---:|---:|---:|---:|")
    for path in find_records(arguments.records):
        try:
            record = read_windows(path, config)
        except SancodecError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        everything.append(torch.from_numpy(record.windows))
        if not arguments.total:
            _print_row(record.name, judge(network, everything[-1:]))
    if everything:
        _print_row("all windows", judge(network, everything))
    return 0 if everything else 1


def _network(name: str) -> tuple[SparselyActivatedNetwork, dict[str, str]]:
    _, metadata = models.load(name)
    distance = round(float(metadata["distance_seconds"]) * float(metadata["fs"]))
    compete = json.loads(metadata.get("compete", "true"))
    return Base.of(name).network(max(distance, 1), compete=compete), metadata


def _print_row(name: str, figures: Figures) -> None:
    numbers = (figures.inverse_cr, figures.normalized_loss, figures.flithos)
    cells = " | ".join(f"{number:.3f}" for number in numbers)
    print(f"| {name} | {figures.n_windows:,} | {cells} |", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="shipped model, or .onnx file")
    parser.add_argument("records", nargs="+", type=Path, help="as for sancodec train")
    parser.add_argument("--windows", type=int, default=60, help="of each record, evenly spread")
    parser.add_argument("--channels", help="NAME,... as for sancodec train")
    parser.add_argument("--csv-fs", type=float, help="Hz, of text files")
    parser.add_argument("--total", action="store_true", help="print the mean alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
