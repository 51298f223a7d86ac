"""The options of ``sancodec train``, in groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)


def parse_scales(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, ...] | None:
    """Read numbers between commas, as 0.8,1,1.25; None stays None.

    Raises
    ------
    click.BadParameter
        One of them is no number.
    """
    if text is None:
        return None
    try:
        return tuple(float(scale) for scale in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no list of numbers as 0.8,1,1.25", context, parameter
        ) from None


_KERNELS = (
    click.option(
        "--kernels",
        default=4,
        show_default=True,
        help="Number of kernels; with --grow the most.",
    ),
    click.option(
        "--fs",
        type=float,
        metavar="HZ",
        help="Of the model, in Hz.  [default: 360, or that of --extend]",
    ),
    click.option(
        "--before",
        type=float,
        metavar="SECONDS",
        help="Length of the kernels before their centre, in seconds.  "
        "[default: 0.267, or that of --extend]",
    ),
    click.option(
        "--after",
        type=float,
        metavar="SECONDS",
        help="Length of the kernels from their centre on, in seconds.  "
        "[default: 0.444, or that of --extend]",
    ),
    click.option(
        "--distance",
        default=0.3,
        show_default=True,
        metavar="SECONDS",
        help="Minimum extrema distance, in seconds.",
    ),
    click.option(
        "--compete/--no-compete",
        default=True,
        show_default=True,
        help="Keep the distance across all kernels, or among the activations of each alone.",
    ),
    click.option(
        "--time-scales",
        callback=parse_scales,
        metavar="LIST",
        help="Scales in time of each kernel, as 0.8,1,1.25; each is a row of the model.  "
        "[default: 1, or those of --extend]",
    ),
    click.option(
        "--grow",
        is_flag=True,
        help="Add kernels one by one, as long as flithos falls on held-back windows.",
    ),
    click.option(
        "--extend",
        metavar="MODEL",
        help="Keep the kernels of this model (name or file), and learn others beside them.",
    ),
)

_COURSE = (
    click.option("--epochs", default=12, show_default=True, help="Number of epochs."),
    click.option(
        "--patience",
        type=int,
        metavar="N",
        help="Stop after N epochs that did not lower the held-back flithos.  [default: never]",
    ),
    click.option(
        "--starts",
        default=6,
        show_default=True,
        help="Sets of kernels tried for an epoch; the best one is trained on.",
    ),
    click.option(
        "--batch", default=10, show_default=True, metavar="N", help="Windows of a training step."
    ),
    click.option(
        "--loss",
        type=click.Choice(["mae", "mse"]),
        default="mae",
        show_default=True,
        help="Error that is lowered: mean absolute, or mean squared.",
    ),
    click.option(
        "--distance-annealing",
        type=float,
        metavar="SECONDS",
        help="Extrema distance to begin with, in seconds; it goes to --distance by a cosine.",
    ),
    click.option(
        "--dropout",
        default=0.0,
        show_default=True,
        metavar="P",
        help="Chance of each activation to be left out of a training step, 0 to 1.",
    ),
    click.option(
        "--seed", default=0, show_default=True, help="Same seed, same records, same bytes."
    ),
)


def parse_names(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...]:
    """Read names between commas; no text is no name."""
    return tuple(name.strip() for name in text.split(",")) if text is not None else ()


def parse_range(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[float, float] | None:
    """Read two numbers between commas, as 50,240; None stays None.

    Raises
    ------
    click.BadParameter
        There are not two numbers.
    """
    numbers = parse_scales(context, parameter, text)
    if numbers is not None and len(numbers) != 2:
        raise click.BadParameter(f"{text!r} is not two numbers as 50,240", context, parameter)
    return None if numbers is None else (numbers[0], numbers[1])


_INPUTS = (
    click.option(
        "--channels",
        callback=parse_names,
        metavar="NAME,...",
        help="Channels of the records, or columns of text files, to train on.  [default: all]",
    ),
    click.option(
        "--csv-fs",
        type=float,
        metavar="HZ",
        help="Sampling frequency of text files, in Hz; they do not say it.",
    ),
    click.option(
        "--range",
        "valid_range",
        callback=parse_range,
        metavar="LOW,HIGH",
        help="Values that can be right, in physical units: others are bridged, and windows with "
        "many of them left out.  [default: all]",
    ),
)

_WINDOWS = (
    click.option(
        "--baseline",
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help="Running mean that is taken off as baseline, in seconds; 0 takes off the mean alone.",
    ),
    click.option(
        "--window",
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="Length of the windows that are trained on, in seconds.",
    ),
    click.option(
        "--windows", default=60, show_default=True, help="Windows of each record, evenly spread."
    ),
)

_RESOURCES = (
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to train; auto is CUDA where it works. Each has kernels of its own.",
    ),
    click.option(
        "--threads",
        type=int,
        metavar="N",
        help="Threads of the processor; the kernels are the same.  [default: as PyTorch]",
    ),
    click.option(
        "--checkpoint",
        type=_FILE,
        metavar="FILE",
        help="Written after each epoch; if it exists, training goes on from it.",
    ),
)


def training_options(command: Command) -> Command:
    """Give a command all that decides how kernels are trained."""
    for option in reversed(_INPUTS + _KERNELS + _COURSE + _WINDOWS + _RESOURCES):
        command = option(command)
    return command
