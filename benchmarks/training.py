"""What each option of training does to flithos: on windows held back, and on other records.

Each variant is trained with each seed on the same windows; figures are means over the seeds with
one standard deviation, and the difference to the first variant, seed by seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sancodec.errors import SancodecError
from sancodec.training.base import Base
from sancodec.training.judging import judge, judge_parts
from sancodec.training.resources import Resources
from sancodec.training.results import TrainResult
from sancodec.training.trainer import TrainConfig, train
from sancodec.training.windows import RecordWindows, WindowConfig, find_records, read_windows


def main() -> int:
    arguments = _parser().parse_args()
    windows = WindowConfig(
        fs=arguments.fs,
        seconds=arguments.window,
        baseline_seconds=arguments.baseline,
        n_per_record=arguments.windows,
    )
    config = TrainConfig(
        fs=arguments.fs,
        before_seconds=arguments.before,
        after_seconds=arguments.after,
        distance_seconds=arguments.distance,
        n_kernels=arguments.kernels,
        n_epochs=arguments.epochs,
    )
    training = _read(arguments.train, windows)
    others = {}
    for named in arguments.judge:
        name, _, paths = named.partition("=")
        others[name] = _read([Path(path) for path in paths.split(",")], windows)
    base = Base.of(arguments.extend) if arguments.extend else None
    rows = []
    for variant in ["{}", *arguments.variant]:
        for seed in arguments.seeds:
            changed = _changed(replace(config, seed=seed), json.loads(variant))
            rows.append(_measure(changed, training, others, base))
            rows[-1]["variant"] = variant.strip("{}").replace('"', "") or "as given"
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(_table(rows))
    return 0


def _changed(config: TrainConfig, fields: dict[str, Any]) -> TrainConfig:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return replace(config, **values)


def _measure(
    config: TrainConfig,
    training: Sequence[RecordWindows],
    others: dict[str, list[RecordWindows]],
    base: Base | None,
) -> dict[str, Any]:
    begin = time.process_time()
    result = train(training, config, None, base, Resources(n_threads=1))
    row: dict[str, Any] = {
        "seed": config.seed,
        "kernels": result.n_learned,
        "CR^-1": result.best.inverse_cr,
        "loss": result.best.normalized_loss,
        "CPU s": time.process_time() - begin,
        "flithos": {"held back": result.best.flithos},
    }
    model = _model(result, config, base)
    parts = [part.network(config.shape.distance, compete=config.compete) for part in model.parts()]
    for name, records in others.items():
        windows = [torch.from_numpy(record.windows) for record in records]
        row["flithos"][name] = judge(parts[-1], windows).flithos
        if base is not None:
            row["flithos"][f"{name}, by parts"] = judge_parts(parts, windows).flithos
            row["flithos"][f"{name}, before"] = judge(parts[-2], windows).flithos
    if base is not None:
        row["flithos"]["held back, before"] = result.base_flithos
    return row


def _model(result: TrainResult, config: TrainConfig, base: Base | None) -> Base:
    """Give the integer kernels as a model file has them."""
    learned = ("learned", result.n_learned * len(config.time_scales))
    return Base(
        bank=result.bank,
        n_taps=config.shape.n_taps,
        centre=config.shape.centre,
        time_scales=config.time_scales,
        row_types=(*(base.row_types if base else ()), learned),
    )


def _table(rows: list[dict[str, Any]]) -> str:
    """Give a Markdown table: a row for each variant, means over the seeds."""
    sets = list(rows[0]["flithos"])
    columns = ["variant", "kernels", "CR^-1", "loss", *sets]
    columns += [*(f"{name}: less the first" for name in sets), "CPU s"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    first = [row["flithos"] for row in rows if row["variant"] == variants[0]]
    for variant in variants:
        own = [row for row in rows if row["variant"] == variant]
        flithos = [row["flithos"] for row in own]
        cells = [variant, f"{_mean(own, 'kernels'):g}"]
        cells += [f"{_mean(own, name):.3f}" for name in ("CR^-1", "loss")]
        cells += [_spread([figures[name] for figures in flithos]) for name in sets]
        for name in sets:
            pairs = zip(flithos, first, strict=True)
            differences = [figures[name] - other[name] for figures, other in pairs]
            cells.append("" if flithos == first else _spread(differences, sign="+"))
        cells.append(f"{_mean(own, 'CPU s'):.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _spread(values: Sequence[float], sign: str = "") -> str:
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):{sign}.4f} ± {deviation:.4f}"


def _read(sources: Sequence[Path], config: WindowConfig) -> list[RecordWindows]:
    records = []
    for path in find_records(sources):
        try:
            records.append(read_windows(path, config))
        except SancodecError as error:
            print(f"skipped: {error}", file=sys.stderr)
    return records


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", nargs="+", type=Path, help="records or folders to train on")
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="NAME=PATH,PATH",
        help="records not trained on, all of whose windows are judged",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="JSON",
        help='fields of TrainConfig that differ, as {"dropout": 0.1}',
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--extend", metavar="MODEL", help="model whose kernels are kept")
    parser.add_argument("--kernels", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--windows", type=int, default=20, help="windows of each record")
    parser.add_argument("--fs", type=float, default=360.0, help="in Hz")
    for name, seconds in (
        ("before", 96 / 360),
        ("after", 160 / 360),
        ("distance", 0.3),
        ("window", 10.0),
        ("baseline", 1.0),
    ):
        parser.add_argument(f"--{name}", type=float, default=seconds, help="in seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
