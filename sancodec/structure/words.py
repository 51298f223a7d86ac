"""A structure in words, for reports."""

from __future__ import annotations

from collections.abc import Sequence

from sancodec.recording import Channel
from sancodec.structure.grids import Grids
from sancodec.structure.resampling import CUBIC, LINEAR, REPEATED
from sancodec.structure.rules import Derivation
from sancodec.structure.structure import Structure

_SPLINES = {CUBIC: "by cubic spline", LINEAR: "by straight lines", REPEATED: "by repetition"}


def describe(structure: Structure, channels: Sequence[Channel], fs: float) -> str:
    """Say what a structure is, such as "400 Hz on a 5 uV grid, resampled 5:4 by cubic spline".

    Parameters
    ----------
    channels : sequence of Channel
        The leads outside.
    fs : float
        Their sampling frequency, in Hz.
    """
    left = list(range(len(channels)))
    steps = [1.0] * len(channels)
    derived: list[int] = []
    constant: list[int] = []
    for stage in structure.stages:
        if isinstance(stage, Derivation):
            for i, rule in stage.rules.items():
                (derived if rule.terms else constant).append(left[i])
            left = [left[i] for i in stage.kept]
        elif isinstance(stage, Grids):
            for lead, grid in zip(left, stage.grids, strict=True):
                steps[lead] *= 1.0 if grid is None else grid.step
    if structure.resampling is not None:
        steps = [step * structure.resampling.values.step for step in steps]
    parts = [_say_rate(structure, fs, _say_grids(left, steps, channels))]
    parts += [
        f"{_say_names(leads, channels)} {how}"
        for leads, how in ((derived, "derived"), (constant, "constant"))
        if leads
    ]
    return "; ".join(part for part in parts if part)


def _say_rate(structure: Structure, fs: float, grids: str) -> str:
    stage = structure.resampling
    if stage is None:
        return grids
    rate = " ".join(part for part in (f"{structure.fs_base(fs):.6g} Hz", grids) if part)
    return f"{rate}, resampled {stage.up}:{stage.down} {_SPLINES[stage.degree]}"


def _say_grids(left: Sequence[int], steps: Sequence[float], channels: Sequence[Channel]) -> str:
    on_grid = [lead for lead in left if steps[lead] != 1.0]
    said = sorted({_say_step(steps[lead], channels[lead]) for lead in on_grid})
    if not said:
        return ""
    many = "a grid of" if len(said) == 1 else "grids of"
    whose = "" if len(on_grid) == len(left) else f"{_say_names(on_grid, channels)} "
    if not whose and len(said) == 1:
        return f"on a {said[0]} grid"
    return f"{whose}on {many} {_enumerate(said)}"


def _say_step(step: float, channel: Channel) -> str:
    size = abs(step / channel.adc_gain)
    if channel.units.lower() == "mv":
        return f"{1000.0 * size:.4g} uV"
    return f"{size:.4g} {channel.units}".rstrip()


def _say_names(leads: Sequence[int], channels: Sequence[Channel]) -> str:
    return ", ".join(channels[lead].name or f"lead {lead}" for lead in sorted(leads))


def _enumerate(said: Sequence[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
