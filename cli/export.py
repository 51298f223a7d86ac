"""sancodec export: .san files as ONNX graphs and arrays."""

from __future__ import annotations

from pathlib import Path

import click

from sancodec.cli._options import decoder_model_option, force_option, provider_option
from sancodec.cli._source import opened
from sancodec.cli._terminal import printable
from sancodec.export import export_file
from sancodec.files import open_file


@click.command()
@click.argument("source", metavar="FILE.san")
@click.option(
    "-o", "--output", "directory", required=True, metavar="DIR", help="Folder to write to."
)
@click.option("--page", is_flag=True, help="Write san.html, too: 5 MB, for a browser, offline.")
@provider_option
@decoder_model_option
@force_option
def export(  # noqa: PLR0917
    source: str, directory: str, page: bool, provider: str, model: str | None, force: bool
) -> None:
    """Take a .san file apart into ONNX graphs and arrays, which need nothing of sancodec.

    \b
    DIR then holds
      activations.npz   positions, kernels and amplitudes of the SAN layer, and its kernels
      san.onnx          the graph that makes the SAN layer of them
      coefficients.npz  of a lossy file what its transform layer keeps
      transform.onnx    the graph that makes samples of that and of the SAN layer
      san.html          with --page: a page that makes the SAN layer in a browser, by the same graph
      reconstruct.py    a script that does so, with NumPy and ONNX Runtime alone

    The SAN layer comes out as decode --layer san gives it, to the last unit. So do the samples on
    ONNX Runtime's CPU provider; what a file promises is counted on what decode gives. FILE.san may
    be - for stdin.

    \b
    Example:
      sancodec export 100.san -o parts
      python parts/reconstruct.py
      sancodec export 100.san -o parts --page
    """
    with opened(source) as stream, open_file(stream, provider=provider, model=model) as file:
        exported = export_file(file, Path(directory), force=force, page=page)
    for path in exported.paths:
        click.echo(printable(str(path)))
    if exported.left_out:
        click.echo(f"sancodec: the SAN layer alone: {printable(exported.left_out)}", err=True)
