"""A part of a record on ECG paper: signals, SAN layer, residual, activations, kernels.

All panels have the scale of paper: 25 mm for a second and 10 mm for a millivolt where they fit.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.activation_table import ActivationTable, Kernel, names_of
from sancodec.errors import ConfigError, RecordError
from sancodec.formats.segmented import SegmentedRecord, open_record
from sancodec.pages.building import build_page, escape, packed
from sancodec.picture import new_figure, save_figure
from sancodec.record_file import RecordFile, in_units
from sancodec.san_file import SanFile

Signal = NDArray[np.float64]

PAPER_SPEED, PAPER_GAIN = 25.0, 10.0
_MAX_SECONDS = 600.0
_MAX_WIDTH, _MAX_HEIGHT, _LEAST_HEIGHT = 400.0, 60.0, 10.0
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM, _STEMS = 17.0, 10.0, 13.0, 7.0, 11.0, 16.0
_DPI = 150
_APART = 16.0
# On leads up to so many each layer has a panel; on more it is drawn over the signal.
_N_APART = 3
_MAX_KERNELS = 8
_MILLIVOLTS = {"V": 1e-3, "mV": 1.0, "uV": 1e3, "µV": 1e3, "μV": 1e3, "nV": 1e6}
_PER_SECOND = (0.04, 0.2, 1.0, 5.0, 10.0, 60.0, 300.0)
_MINOR, _MAJOR = "#f8dedc", "#ecb0ab"
_INK, _LAYER, _OTHER = "#16181d", "#1e88e5", "#c62828"


@dataclass(frozen=True, kw_only=True)
class PaperLead:
    """One lead, in its physical units, NaN where there is no sample.

    Attributes
    ----------
    name, units : str
    fs : float
        Sampling frequency, in Hz.
    decoded : (n_samples,) float64
    layer : (n_samples,) float64 or None
        The SAN layer, where the file has one.
    against : (n_samples,) float64 or None
        The original, where there is one to compare with.
    """

    name: str
    units: str
    fs: float
    decoded: Signal
    layer: Signal | None = None
    against: Signal | None = None


@dataclass(frozen=True, kw_only=True)
class PaperPicture:
    """A part of a record, as it is drawn.

    Attributes
    ----------
    title : str
    start, seconds : float
        Where it begins, and how long it is.
    leads : tuple of PaperLead
    channels : tuple of int
        The leads' numbers in the record.
    activations : ActivationTable
    kernels : tuple of Kernel
    """

    title: str
    start: float
    seconds: float
    leads: tuple[PaperLead, ...]
    channels: tuple[int, ...]
    activations: ActivationTable
    kernels: tuple[Kernel, ...]


def paper_of(
    file: RecordFile,
    start: int,
    stop: int,
    *,
    leads: Sequence[str | int] = (),
    against: Path | None = None,
) -> PaperPicture:
    """Give the frames ``start`` to ``stop`` of a record as a picture.

    Parameters
    ----------
    leads : sequence of (str or int)
        Names or numbers; all where empty.
    against : Path or None
        The original record of a lossy file.

    Raises
    ------
    ConfigError
        The span is empty, too long for a picture, or outside of the record; or there is no such
        lead.
    RecordError
        The original cannot be read, or is of other channels or another length.
    CorruptError
        A chunk is damaged.
    """
    seconds = (stop - start) / file.fs
    if not 0 < seconds <= _MAX_SECONDS:
        raise ConfigError(
            f"{file.name}: {seconds:g} s to draw, expected above 0 and at most {_MAX_SECONDS:g}; "
            "choose a part with --start and --stop"
        )
    chosen = tuple(file.signal.column(lead) for lead in leads) or tuple(range(len(file.channels)))
    if not chosen:
        raise RecordError(f"{file.name}: no channels to draw")
    decoded = file.physical(start, stop)
    layers = _layers(file, start, stop)
    others = None if against is None else _original(file, against, start, stop)
    names = names_of(file.channels)
    return PaperPicture(
        title=file.record_name,
        start=start / file.fs,
        seconds=seconds,
        leads=tuple(
            PaperLead(
                name=names[i],
                units=file.channels[i].units,
                fs=file.fs * file.channels[i].samples_per_frame,
                decoded=decoded[i],
                layer=None if layers is None else layers[i],
                against=None if others is None else others[i],
            )
            for i in chosen
        ),
        channels=chosen,
        activations=file.activations.between(start, stop),
        kernels=file.kernels,
    )


def _layers(file: RecordFile, start: int, stop: int) -> list[Signal] | None:
    """Give the SAN layer of each channel; None where there is none."""
    if not isinstance(file, SanFile) or not file.plan.layers:
        return None
    spans = list(file.spans(start, stop, layer="san"))
    return [
        in_units(np.concatenate([span.signals[i] for span in spans]), channel)
        for i, channel in enumerate(file.channels)
    ]


def _original(file: RecordFile, path: Path, start: int, stop: int) -> list[Signal]:
    source = open_record(path)
    if isinstance(source, SegmentedRecord):
        raise RecordError(f"{path}: of several segments; there is nothing of that kind to compare")
    channels = tuple(channel.samples_per_frame for channel in source.channels)
    own = tuple(channel.samples_per_frame for channel in file.channels)
    if (source.n_frames, channels) != (file.n_frames, own):
        raise RecordError(
            f"{path}: {source.n_frames} frames of {len(channels)} channels, {file.name} has "
            f"{file.n_frames} of {len(own)}"
        )
    span = source.read(start, stop)
    missing = source.missing
    return [
        np.where(signal == missing[i], np.nan, in_units(signal, source.channels[i]))
        if missing[i] is not None
        else in_units(signal, source.channels[i])
        for i, signal in enumerate(span.signals)
    ]


@dataclass(frozen=True)
class _Panel:
    """What is drawn on one piece of paper; ``per_mm`` are the units of a millimetre of it."""

    label: str
    units: str
    fs: float
    curves: tuple[tuple[Signal, str, float], ...]
    per_mm: float
    low: float
    high: float

    @property
    def height(self) -> float:
        """Millimetres."""
        return (self.high - self.low) / self.per_mm


def draw_paper(picture: PaperPicture, target: Path) -> None:
    """Draw a picture as a file: PNG, SVG, PDF, or a page of HTML, by its suffix.

    Raises
    ------
    OutputError
        The file cannot be written, or its suffix names no format.
    """
    figure = _draw(picture)
    if target.suffix.lower() not in {".html", ".htm"}:
        save_figure(figure, target, _DPI)
        return
    drawn = io.BytesIO()
    save_figure(figure, drawn, fmt="svg")
    held = packed(np.frombuffer(drawn.getvalue(), np.uint8))
    body = f'<img alt="{escape(picture.title)}" src="data:image/svg+xml;base64,{held}">'
    style = "body { margin: 16px; background: #fff; } img { max-width: 100%; height: auto; }"
    page = build_page(picture.title, body=body, style=style, script="", embedded={})
    target.write_text(page, encoding="utf-8")


def _draw(picture: PaperPicture) -> Any:
    panels = [panel for lead in picture.leads for panel in _panels(lead, len(picture.leads))]
    speed = min(PAPER_SPEED, _MAX_WIDTH / picture.seconds)
    wide = max(picture.seconds * speed, 60.0)
    used = [number for number, own in enumerate(picture.kernels) if own.n_activations]
    kernels = [picture.kernels[number] for number in used[:_MAX_KERNELS]]
    shapes = [_shape_panel(picture, number) for number in used[:_MAX_KERNELS]]
    stems = _STEMS + _GAP if len(picture.activations) else 0.0
    below = max((panel.height for panel in shapes), default=0.0)
    tall = _TOP + sum(panel.height + _GAP for panel in panels) + stems + _BOTTOM
    tall += below + _GAP if shapes else 0.0
    width = _LEFT + max(wide, _row_width(kernels, speed)) + _RIGHT
    sheet = _Sheet(new_figure(width / 25.4, tall / 25.4), width, tall)
    gains = sorted({_say_gain(panel) for panel in panels})
    sheet.text(_LEFT, 6.0, f"{picture.title}    {speed:.3g} mm/s, {', '.join(gains)}", 10.0)
    top, axis = _TOP, None
    for panel in panels:
        axis = sheet.axes(_LEFT, top, wide, panel.height)
        _draw_panel(axis, panel, picture.start, wide / speed, speed)
        axis.tick_params(labelbottom=False)
        top += panel.height + _GAP
    if stems:
        axis = sheet.axes(_LEFT, top, wide, _STEMS)
        _draw_stems(axis, picture, wide / speed)
        top += stems
    if axis is not None:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("seconds", fontsize=7)
    _draw_shapes(sheet, kernels, shapes, top, speed)
    return sheet.figure


class _Sheet:
    """A figure in millimetres from its upper left corner."""

    def __init__(self, figure: Any, width: float, height: float) -> None:
        figure.set_layout_engine(None)
        self.figure, self._width, self._height = figure, width, height

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        bottom = self._height - top - height
        place = left / self._width, bottom / self._height
        axis = self.figure.add_axes((*place, width / self._width, height / self._height))
        axis.tick_params(labelsize=6, length=2, pad=1.5, width=0.5)
        for spine in axis.spines.values():
            spine.set_linewidth(0.5)
            spine.set_color("0.6")
        return axis

    def text(self, left: float, top: float, text: str, size: float) -> None:
        place = left / self._width, 1.0 - top / self._height
        self.figure.text(*place, plain(text), fontsize=size, parse_math=False, va="center")


def plain(text: str) -> str:
    """Give text without characters that no font has."""
    return "".join(character if character.isprintable() else " " for character in text)


def _panels(lead: PaperLead, n_leads: int) -> Iterator[_Panel]:
    signal = [(lead.decoded, _INK, 0.7)]
    name = lead.name
    if lead.against is not None:
        name += ", decoded on the original"
        signal.insert(0, (lead.against, _OTHER, 1.5))
    if n_leads > _N_APART and lead.layer is not None:
        offset = float(np.nanmedian(lead.decoded)) - float(np.median(lead.layer))
        signal.insert(0, (lead.layer + offset, _LAYER, 1.2))
    curves = [(name, signal)]
    if n_leads <= _N_APART:
        if lead.layer is not None:
            curves.append((f"{lead.name}, SAN layer", [(lead.layer, _LAYER, 0.8)]))
            curves.append((f"{lead.name}, residual", [(lead.decoded - lead.layer, _INK, 0.6)]))
        if lead.against is not None:
            error = lead.decoded - lead.against
            curves.append((f"{lead.name}, decoded less original", [(error, _OTHER, 0.6)]))
    per_mm = _units_per_mm(lead)
    for label, own in curves:
        yield _panel(label, lead, own, per_mm)


def _panel(
    label: str, lead: PaperLead, curves: Sequence[tuple[Signal, str, float]], per_mm: float
) -> _Panel:
    """Give a panel whose edges are lines of the paper, five millimetres apart."""
    values = np.concatenate([signal for signal, _, _ in curves] or [np.zeros(1)])
    there = values[np.isfinite(values)]
    low, high = (float(there.min()), float(there.max())) if there.size else (0.0, 0.0)
    square = 5.0 * per_mm
    bottom, top = math.floor(low / square - 0.2), math.ceil(high / square + 0.2)
    missing = max(_LEAST_HEIGHT / 5.0 - (top - bottom), 0.0)
    bottom -= math.ceil(missing / 2)
    top += math.ceil(missing / 2)
    return _Panel(label, lead.units, lead.fs, tuple(curves), per_mm, bottom * square, top * square)


def _units_per_mm(lead: PaperLead) -> float:
    """Give the units of a millimetre: 0.1 mV, or more where the signal would be too tall."""
    drawn = [lead.decoded] if lead.against is None else [lead.decoded, lead.against]
    values = np.concatenate(drawn)
    there = values[np.isfinite(values)]
    span = float(np.ptp(there)) if there.size else 0.0
    millivolt = _MILLIVOLTS.get(lead.units.strip())
    if millivolt is not None and span > 0.02 * millivolt:
        per_mm = millivolt / PAPER_GAIN
        while span / per_mm > _MAX_HEIGHT:
            per_mm *= 2.0
        return per_mm
    wanted = (span or 1.0) / 30.0
    decade = 10.0 ** math.floor(math.log10(wanted))
    return next(digit * decade for digit in (1, 2, 5, 10) if digit * decade >= 0.999 * wanted)


def _say_gain(panel: _Panel) -> str:
    millivolt = _MILLIVOLTS.get(panel.units.strip())
    if millivolt is not None:
        return f"{millivolt / panel.per_mm:.3g} mm/mV"
    return f"{1 / panel.per_mm:.3g} mm/{panel.units}"


def _draw_panel(axis: Any, panel: _Panel, start: float, seconds: float, speed: float) -> None:
    axis.set_xlim(start, start + seconds)
    axis.set_ylim(panel.low, panel.high)
    _draw_grid(axis, speed, panel.per_mm)
    for signal, colour, width in panel.curves:
        times = start + np.arange(signal.size) / panel.fs
        axis.plot(times, signal, color=colour, linewidth=width, solid_joinstyle="round")
    axis.set_title(plain(panel.label), loc="left", fontsize=7, pad=2.0, parse_math=False)
    axis.set_ylabel(plain(panel.units), fontsize=7, labelpad=1.5, parse_math=False)


def _draw_grid(axis: Any, speed: float, per_mm: float) -> None:
    """Rule the paper: lines of which two are closer than 0.8 mm are left out."""
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    axis.set_facecolor("#fffafa")
    steps = [step for step in _PER_SECOND if step * speed >= 0.8]
    ruled = zip(steps[:2], (per_mm, 5 * per_mm), ((_MINOR, 0.35), (_MAJOR, 0.55)), strict=False)
    for step, height, (colour, width) in ruled:
        upright = np.arange(math.ceil(left / step - 1e-9), right / step + 1e-9) * step
        level = np.arange(math.ceil(low / height - 1e-9), high / height + 1e-9) * height
        axis.vlines(upright, low, high, color=colour, linewidth=width, zorder=0)
        axis.hlines(level, left, right, color=colour, linewidth=width, zorder=0)


def _draw_stems(axis: Any, picture: PaperPicture, seconds: float) -> None:
    """Draw the amplitudes of activations on the first lead that has any."""
    table = picture.activations
    own = [i for i in picture.channels if np.isfinite(table.amplitude[:, i]).any()]
    heights = table.amplitude[:, own[0]] if own else np.ones(len(table))
    for kernel in np.unique(table.kernel):
        chosen = table.kernel == kernel
        colour = f"C{kernel % 10}"
        axis.vlines(table.seconds[chosen], 0.0, heights[chosen], color=colour, linewidth=1.0)
        axis.plot(
            table.seconds[chosen],
            heights[chosen],
            ".",
            color=colour,
            markersize=4,
            label=str(kernel),
        )
    axis.axhline(0.0, color="0.7", linewidth=0.5)
    axis.set_xlim(picture.start, picture.start + seconds)
    axis.margins(y=0.15)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=6, frameon=False)
    where = f"amplitudes on {names_of(table.channels)[own[0]]}" if own else "places"
    label = f"activations: {where}, coloured by kernel"
    axis.set_title(plain(label), loc="left", fontsize=7, pad=2.0, parse_math=False)
    if own:
        units = plain(table.channels[own[0]].units)
        axis.set_ylabel(units, fontsize=7, labelpad=1.5, parse_math=False)


def _shape_panel(picture: PaperPicture, number: int) -> _Panel:
    """Give a kernel as a panel: those leads that are drawn, and in the units of the first."""
    kernel = picture.kernels[number]
    rows = [row for row, own in enumerate(kernel.channels) if own in picture.channels]
    leads = [picture.leads[picture.channels.index(kernel.channels[row])] for row in rows]
    first = leads[0] if leads else picture.leads[0]
    curves = [
        (kernel.physical[row], f"C{number % 10}", 0.9 if lead is first else 0.4)
        for row, lead in zip(rows, leads, strict=True)
        if lead.units == first.units
    ]
    label = f"kernel {number}: {kernel.n_activations:,} times"
    return _panel(label, first, curves, _units_per_mm(first))


def _row_width(kernels: Sequence[Kernel], speed: float) -> float:
    return sum(_shape_width(kernel, speed) + _APART for kernel in kernels)


def _shape_width(kernel: Kernel, speed: float) -> float:
    return max(float(np.ptp(kernel.seconds)) * speed, 14.0)


def _draw_shapes(
    sheet: _Sheet, kernels: Sequence[Kernel], panels: Sequence[_Panel], top: float, speed: float
) -> None:
    left, below = _LEFT, top + _GAP
    for kernel, panel in zip(kernels, panels, strict=True):
        width = _shape_width(kernel, speed)
        axis = sheet.axes(left, below, width, panel.height)
        axis.set_xlim(kernel.seconds[0], kernel.seconds[-1])
        axis.set_ylim(panel.low, panel.high)
        _draw_grid(axis, width / max(float(np.ptp(kernel.seconds)), 1e-9), panel.per_mm)
        for curve, colour, weight in panel.curves:
            axis.plot(kernel.seconds, curve, color=colour, linewidth=weight)
        axis.set_title(plain(panel.label), loc="left", fontsize=6, pad=2.0, parse_math=False)
        axis.locator_params(axis="x", nbins=3)
        left += width + _APART
