"""What it costs that every chunk decodes alone: bits per sample for chunks of several lengths.

Example: python benchmarks/chunks.py data/mitdb/{100,101,106} --level default
"""

from __future__ import annotations

import io
from pathlib import Path

import click

from sancodec.config import CodecConfig
from sancodec.files import encode_file

LENGTHS = (("10 s", 10.0), ("1 min", 60.0), ("5 min", 300.0), ("whole", 1e7))


@click.command()
@click.argument("records", nargs=-1, required=True, metavar="RECORD...", type=Path)
@click.option(
    "--level",
    "levels",
    multiple=True,
    default=("fast", "default", "max"),
    show_default=True,
    type=click.Choice(["fast", "default", "max"]),
)
def main(records: tuple[Path, ...], levels: tuple[str, ...]) -> None:
    """Print the mean over the records for each level and length as a Markdown table."""
    print(f"| chunks of | {' | '.join(name for name, _ in LENGTHS)} |")
    print(f"|---|{'---:|' * len(LENGTHS)}")
    for level in levels:
        means = [_mean(records, CodecConfig(level=level, chunk_seconds=s)) for _, s in LENGTHS]
        print(f"| {level} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


def _mean(records: tuple[Path, ...], config: CodecConfig) -> float:
    reports = [encode_file(record, io.BytesIO(), config, verify=False) for record in records]
    return sum(report.bits_per_sample for report in reports) / len(reports)


if __name__ == "__main__":
    main()
