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
        "sancodec/residual/lead.py",
        "row[column + j] = context.san[first + j]",
        "row[column + j] = context.san[first + j] if j <= SAN_BACK else 0.0",
    ),
    Step(
        "SAN reconstruction of leads coded before",
        "sancodec/residual/predictive.py",
        "san_before = self._san_differences if few and self._beats[lead].start.size > 0 else []",
        "san_before = []",
    ),
    Step(
        "template learned from past beats",
        "sancodec/residual/lead.py",
        "row[column + j] = context.expected[first + j]",
        "row[column + j] = 0.0 * context.expected[first + j]",
    ),
    Step(
        "loudness of past beats in the scale",
        "sancodec/residual/predictive.py",
        "prepare_scales(lead.loudness, context.loud, context.near,",
        "prepare_scales(lead.loudness, context.near, context.near,",
    ),
    Step(
        "loudness of the other leads in the scale",
        "sancodec/residual/predictive.py",
        "near_and_around(self._magnitudes, self._n_samples)",
        "near_and_around([], self._n_samples)",
    ),
    Step(
        "look-ahead into leads coded before",
        "sancodec/residual/lead.py",
        "row[column + j] = context.others[lead, first + j]",
        "row[column + j] = context.others[lead, first + j] if j <= context.n_back else 0.0",
    ),
    Step(
        "order of the leads by trial",
        "sancodec/planning.py",
        "candidates = [group] if len(group.channels) == 1 else [group, group.reversed()]",
        "candidates = [group]",
    ),
    Step(
        "normalised LMS after the least squares",
        "sancodec/residual/predictive.py",
        "correction = predict_error(predictor, trace.error, t)",
        "correction = 0.0 * predict_error(predictor, trace.error, t)",
    ),
    Step(
        "samples weighed by their scale",
        "sancodec/residual/predictive.py",
        "predictor.weights[k] = 1.0 / (scale * scale + _SHOCK * shock)",
        "predictor.weights[k] = 1.0 / (1.0 + 0.0 * shock)",
    ),
    Step(
        "shocks forgotten",
        "sancodec/residual/predictive.py",
        "_SHOCK = 0.01",
        "_SHOCK = 0.0",
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
