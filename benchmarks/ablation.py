"""What each step of the default level is worth: switch it off, encode, and count the bytes.

A step is switched off by an edit of a copy of the package, since the core is compiled; the edits
stand in the table below, and one that no longer finds its place in the sources is an error. Each
variant encodes the first minutes of the records, with verification, in a process of its own.

Example: python benchmarks/ablation.py data/mitdb/{100,101,106} --seconds 300
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
from lossless import excerpt

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("sancodec", "cli", "formats", "models")


@dataclass(frozen=True)
class Step:
    """A step, and how to switch it off: a text of a file to replace, or settings."""

    name: str
    file: str = ""
    text: str = ""
    without: str = ""
    settings: tuple[tuple[str, str], ...] = ()


STEPS = (
    Step("nothing switched off"),
    Step("SAN layer", settings=(("model", "none"),)),
    Step(
        "kernels fitted to the record (else those of the model)", settings=(("kernels", "model"),)
    ),
    Step(
        "more than one kernel",
        "sancodec/san/fitting.py",
        "MAX_KERNELS = 4",
        "MAX_KERNELS = 1",
    ),
    Step(
        "positions to a quarter of a sample",
        "sancodec/san/analysis.py",
        "    return inner * 4 + np.rint(4.0 * np.clip(shift, -0.5, 0.5)).astype(np.int64)",
        "    return inner * 4 + 0 * np.rint(shift).astype(np.int64)",
    ),
    Step(
        "activations worth their bits beyond what stronger ones explain",
        "sancodec/san/analysis.py",
        "    strength = _unexplained(maps[kernel, sample], sample, kernel, table)",
        "    strength = maps[kernel, sample]",
    ),
    Step(
        "look-ahead into the SAN reconstruction",
        "sancodec/residual/context.py",
        "(san, FEW_SAN_BACK if few else MANY_SAN_BACK, LOOK_AHEAD)",
        "(san, FEW_SAN_BACK if few else MANY_SAN_BACK, 0)",
    ),
    Step(
        "SAN reconstruction of leads coded before",
        "sancodec/residual/context.py",
        "others_san = self._san_differences if few else []",
        "others_san = self._san_differences[:0]",
    ),
    Step(
        "template learned from past beats",
        "sancodec/residual/wide.py",
        "next_beat, context.expected, context.loud",
        "next_beat, np.zeros_like(context.expected), context.loud",
    ),
    Step(
        "loudness of past beats in the scale",
        "sancodec/residual/wide.py",
        "prepare_scales(lead.loudness, context.loud, context.near,",
        "prepare_scales(lead.loudness, context.near, context.near,",
    ),
    Step(
        "loudness of the other leads in the scale",
        "sancodec/residual/context.py",
        "near_and_around(self._magnitudes, self._n_samples)",
        "near_and_around([], self._n_samples)",
    ),
    Step(
        "what is predicted as features of the scale",
        "sancodec/residual/scale.py",
        "row[STEP], row[CORRECTION] = abs(step), abs(correction)",
        "row[STEP], row[CORRECTION] = 0.0 * step, 0.0 * correction",
    ),
    Step(
        "look-ahead into leads coded before",
        "sancodec/residual/context.py",
        "(other, FEW_BACK if few else MANY_BACK, LOOK_AHEAD)",
        "(other, FEW_BACK if few else MANY_BACK, 0)",
    ),
    Step(
        "more than 16 own samples",
        "sancodec/residual/context.py",
        "FEW_OWN, MANY_OWN = 47, 15",
        "FEW_OWN, MANY_OWN = 16, 15",
    ),
    Step(
        "more than 8 samples back of the SAN reconstruction",
        "sancodec/residual/context.py",
        "FEW_SAN_BACK, MANY_SAN_BACK = 29, 5",
        "FEW_SAN_BACK, MANY_SAN_BACK = 8, 5",
    ),
    Step(
        "more than 5 samples back of leads coded before",
        "sancodec/residual/context.py",
        "FEW_BACK, MANY_BACK = 13, 2",
        "FEW_BACK, MANY_BACK = 5, 2",
    ),
    Step(
        "order of the leads by trial",
        "sancodec/planning.py",
        "orders = [group] if len(group.channels) == 1 else [group, group.reversed()]",
        "orders = [group]",
    ),
    Step(
        "normalised LMS after the least squares",
        "sancodec/residual/widepredictor.py",
        "return correction if abs(correction) < _LIMIT else 0.0",
        "return 0.0 * correction",
    ),
    Step(
        "samples weighed by their scale",
        "sancodec/residual/wide.py",
        "n_rows, n_rows / total)",
        "n_rows, 1.0 + 0.0 * total)",
    ),
    Step(
        "shocks forgotten",
        "sancodec/residual/widepredictor.py",
        "SHOCK, CALM = 0.1, 0.05",
        "SHOCK, CALM = 0.0, 0.05",
    ),
    Step(
        "regressors further away expected to matter less",
        "sancodec/residual/widepredictor.py",
        "_RIDGE, _RIDGE_GROWS = 3.0, 1.5",
        "_RIDGE, _RIDGE_GROWS = 10.0, 0.0",
    ),
    Step(
        "short blocks at first",
        "sancodec/residual/widepredictor.py",
        "FIRST_BLOCK, FIRST_SAMPLES = 8, 256",
        "FIRST_BLOCK, FIRST_SAMPLES = 32, 256",
    ),
    Step(
        "soon and often solved at first",
        "sancodec/residual/widepredictor.py",
        "_SOLVE_FIRST, _SOLVE_SHARE, _SOLVE_EVERY = 8, 16, 384",
        "_SOLVE_FIRST, _SOLVE_SHARE, _SOLVE_EVERY = 384, 16, 384",
    ),
    Step(
        "blockwise where it is smaller (short chunks)",
        "sancodec/chunk.py",
        "in tried if samples.shape[1] <= _SHORT else tried[:1]:",
        "in tried[:1]:",
    ),
)


@click.command()
@click.argument("records", nargs=-1, required=True, metavar="RECORD...", type=Path)
@click.option("--seconds", default=300.0, show_default=True, help="Of each record, in seconds.")
def main(records: tuple[Path, ...], seconds: float) -> None:
    """Print what each step is worth as a Markdown table, in bits per sample."""
    with tempfile.TemporaryDirectory() as folder:
        excerpts = [excerpt(record, seconds, Path(folder)) for record in records]
        print("| switched off | bits/sample | costs |\n| --- | ---: | ---: |", flush=True)
        whole = None
        for step in STEPS:
            bits = _measure(step, excerpts)
            whole = bits if whole is None else whole
            print(f"| {step.name} | {bits:.4f} | {bits - whole:+.4f} |", flush=True)


def _measure(step: Step, records: list[Path]) -> float:
    """Give the mean bits per sample over the records, without the step."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.nb?"))
        if step.file:
            _edit(copy / step.file, step)
        output = copy / "out"
        output.mkdir()
        settings = [word for name, value in step.settings for word in (f"--{name}", value)]
        command = [sys.executable, "-m", "sancodec.cli.main", "encode", *map(str, records)]
        command += [*settings, "-o", f"{output}{os.sep}", "--json", "--jobs", "1"]
        environment = os.environ | {"PYTHONPATH": folder}
        run = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    if run.returncode:
        raise click.ClickException(f"{step.name}: {run.stderr}")
    reports = [json.loads(line) for line in run.stdout.splitlines()]
    return sum(report["bits_per_sample"] for report in reports) / len(reports)


def _edit(path: Path, step: Step) -> None:
    source = path.read_text("utf-8")
    if source.count(step.text) != 1:
        raise click.ClickException(
            f"{step.name}: {step.file} holds {source.count(step.text)} times: {step.text}"
        )
    path.write_text(source.replace(step.text, step.without), "utf-8")


if __name__ == "__main__":
    main()
