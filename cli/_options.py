"""Options that several verbs share."""

from __future__ import annotations

import click

from sancodec.errors import ConfigError

provider_option = click.option(
    "--provider",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where ONNX Runtime computes the SAN layer.",
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads that work on chunks; the bytes are the same.  [default: one a processor]",
)
level_option = click.option(
    "--level",
    type=click.Choice(["fast", "default", "max"]),
    default="default",
    show_default=True,
    help="fast decodes several times as fast as default; max is smaller still, at a tenth of its "
    "speed.",
)
force_option = click.option("--force", is_flag=True, help="Overwrite files that exist.")
decoder_model_option = click.option(
    "--model",
    metavar="FILE",
    help="The model or primer that the file was written with, when the package does not ship it.",
)


def parse_position(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, bool] | None:
    """Read a place in a record: "1000" is a sample, "12.5s" is a time in seconds.

    Returns
    -------
    (float, bool) or None
        The number, and whether it counts seconds (or else samples); None for no place.

    Raises
    ------
    click.BadParameter
        The text is neither.
    """
    if text is None:
        return None
    number, in_seconds = (text[:-1], True) if text.endswith("s") else (text, False)
    try:
        position = float(number) if in_seconds else int(number)
    except ValueError:
        position = -1
    # An upper bound as well: it keeps nan and inf out.
    if not 0 <= position < 2**62:
        raise click.BadParameter(
            f"{text!r} is neither a number of samples (3600) nor of seconds (10s)",
            context,
            parameter,
        )
    return position, in_seconds


def frame_of(position: tuple[float, bool] | None, fs: float) -> int | None:
    """Give the frame of a position, None staying None; ``fs`` is in Hz.

    Raises
    ------
    ConfigError
        The position is in seconds, and the record has no sampling frequency.
    """
    if position is None:
        return None
    number, in_seconds = position
    if in_seconds and not fs > 0:
        raise ConfigError(f"{number:g}s: the record says {fs:g} Hz; give a number of samples")
    return round(number * fs) if in_seconds else int(number)
