"""The options of encoding that verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sancodec.cli._options import level_option
from sancodec.config import CodecConfig
from sancodec.fidelity import (
    Fidelity,
    Lossless,
    MaxError,
    MeanPrdn,
    SanOnly,
    TargetPrdn,
    TargetSize,
)

Command = TypeVar("Command", bound=Callable[..., Any])

_SETTINGS = ("model", "kernels", "primer", "level")
_LOSSES = ("prdn", "mean_prdn", "max_error", "ratio", "bits_per_sample", "san_only")

_CODING = (
    click.option(
        "--model",
        default="auto",
        show_default=True,
        metavar="auto|none|NAME|FILE.onnx",
        help="Model of the SAN layer: for each signal by its type and by trial, no SAN layer, a "
        "shipped one, a file.",
    ),
    click.option(
        "--kernels",
        type=click.Choice(["auto", "model", "fit"]),
        default="auto",
        show_default=True,
        help="Kernels from the model, or fitted to the record and kept in its file.",
    ),
    level_option,
    click.option(
        "--primer",
        default="auto",
        show_default=True,
        metavar="auto|none|PATH",
        help="What short records begin with that others taught: a shipped primer where it pays.",
    ),
    click.option(
        "--chunk",
        type=float,
        metavar="SECONDS",
        help="Length of the chunks that decode alone, in seconds.  [default: about a minute]",
    ),
    click.option(
        "--prdn",
        type=click.FloatRange(0, 100, min_open=True),
        metavar="PERCENT",
        help="Lose as much as this allows: root-mean-square error of each channel, in percent of "
        "its deviation from its mean.",
    ),
    click.option(
        "--mean-prdn",
        type=click.FloatRange(0, 100, min_open=True),
        metavar="PERCENT",
        help="The same for the mean over the channels, some of which may then lose more.",
    ),
    click.option(
        "--max-error",
        metavar="N|NuV[,...]",
        help="No sample off by more than this: ADC units (3), or a unit of the channel (10uV); one "
        "for all channels, or one for each.",
    ),
    click.option(
        "--ratio",
        type=float,
        metavar="N",
        help="As good as N times fewer bits than in the signal files allow.",
    ),
    click.option(
        "--bits-per-sample",
        type=float,
        metavar="BITS",
        help="As good as so many bits a sample, everything counted, allow.",
    ),
    click.option(
        "--san-only",
        is_flag=True,
        help="Keep the SAN layer alone, as the paper does: kernels and activations.",
    ),
)
with_annotations_option = click.option(
    "--with-annotations",
    is_flag=True,
    help="Take the annotation files of the record (100.atr) into its file, too.",
)
remove_original_option = click.option(
    "--remove-original",
    is_flag=True,
    help="Delete the record's files in the end: once the written file was read back from the disk "
    "and gives all of them back, byte for byte.",
)
no_verify_option = click.option(
    "--no-verify", is_flag=True, help="Do not decode and compare before saying done."
)


def coding_options(command: Command) -> Command:
    """Give a command all that decides how samples are coded."""
    for option in reversed(_CODING):
        command = option(command)
    return command


def take_config(options: dict[str, Any]) -> CodecConfig:
    """Take what ``coding_options`` gave out of the options of a command, as settings.

    Raises
    ------
    click.UsageError
        Several losses were asked for.
    ConfigError
        A setting is out of range.
    """
    loss = {name: options.pop(name) for name in _LOSSES}
    return CodecConfig(
        **{name: options.pop(name) for name in _SETTINGS},
        chunk_seconds=options.pop("chunk"),
        fidelity=_fidelity(**loss),
    )


def _fidelity(
    *,
    prdn: float | None,
    mean_prdn: float | None,
    max_error: str | None,
    ratio: float | None,
    bits_per_sample: float | None,
    san_only: bool,
) -> Fidelity:
    """Give the one fidelity that was asked for."""
    asked: list[Fidelity] = []
    if prdn is not None:
        asked.append(TargetPrdn(prdn))
    if mean_prdn is not None:
        asked.append(MeanPrdn(mean_prdn))
    if max_error is not None:
        asked.append(MaxError(tuple(max_error.split(","))))
    if ratio is not None:
        asked.append(TargetSize(ratio=ratio))
    if bits_per_sample is not None:
        asked.append(TargetSize(bits_per_sample=bits_per_sample))
    if san_only:
        asked.append(SanOnly())
    if len(asked) > 1:
        raise click.UsageError(
            "--prdn, --mean-prdn, --max-error, --ratio, --bits-per-sample, --san-only: choose one "
            "of them"
        )
    return asked[0] if asked else Lossless()
