"""sancodec demo: the whole road on a simulated record."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np

from sancodec.cli._options import force_option
from sancodec.cli._report import print_report
from sancodec.cli._terminal import printable, progress_bar
from sancodec.config import CodecConfig
from sancodec.errors import OutputError, VerifyError
from sancodec.files import decode_file, encode_file, open_file
from sancodec.picture import draw_layers, picture_of
from sancodec.san_file import SanFile
from sancodec.simulate import Simulation, simulate_record, write_wfdb

_SEED = 2003
_PICTURE_SECONDS = 8


@click.command()
@click.option(
    "-o", "--output", metavar="DIR", help="Folder to write to.  [default: a new temporary one]"
)
@force_option
def demo(output: str | None, force: bool) -> None:
    """Simulate a minute of ECG, encode it, decode it, compare, report and draw.

    Needs no network and no data. The record has 3 leads of 360 Hz and 11 bits, from the
    dynamical model of McSharry et al. (2003).

    \b
    Example:
      sancodec demo -o tour
    """
    folder = Path(output or tempfile.mkdtemp(prefix="sancodec-demo-"))
    originals = _simulate(folder, force=force)
    _say("simulated", "one minute of ECG, as WFDB", originals)
    encoded = folder / "demo.san"
    with progress_bar("encode") as progress:
        report = encode_file(originals[0], encoded, CodecConfig(), force=force, progress=progress)
    _say("encoded", "the SAN layer and what it leaves", [encoded])
    with progress_bar("decode") as progress:
        decoded = decode_file(encoded, folder / "decoded", force=force, progress=progress)
    _compare(originals, decoded)
    _say("decoded", "equal to the originals, byte for byte", decoded)
    picture = folder / "demo.png"
    with open_file(encoded) as file:
        assert isinstance(file, SanFile)
        draw_layers(picture_of(file, _PICTURE_SECONDS), picture)
    _say("drawn", "original, SAN layer, residual, activations", [picture])
    click.echo()
    print_report(report, as_json=False)
    click.echo("\nThe first run on a machine compiles; only later ones show the speed.", err=True)


def _simulate(folder: Path, *, force: bool) -> list[Path]:
    for name in ("demo.hea", "demo.dat", "demo.png"):
        if not force and (folder / name).exists():
            raise OutputError(f"{folder / name}: exists already; use --force to overwrite it")
    folder.mkdir(parents=True, exist_ok=True)
    return write_wfdb(simulate_record(Simulation(), np.random.default_rng(_SEED)), folder)


def _compare(originals: list[Path], decoded: list[Path]) -> None:
    restored = {path.name: path for path in decoded}
    for original in originals:
        path = restored.get(original.name)
        if path is None or path.read_bytes() != original.read_bytes():
            raise VerifyError(f"{original}: not restored byte for byte; this is a bug of sancodec")


def _say(did: str, what: str, paths: list[Path]) -> None:
    places = ", ".join(str(path) for path in paths)
    click.echo(f"{did:<10}{what}: {printable(places)}")
