"""Pictures of a coded record: what each layer carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError, OutputError
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.san.synthesis import N_PHASES
from sancodec.san_file import SanFile


@dataclass(frozen=True, kw_only=True)
class LayerPicture:
    """One channel of a coded record, taken apart into its layers.

    Attributes
    ----------
    title : str
    fs : float
        Sampling frequency, in Hz.
    adc_gain : float
        ADC units per physical unit.
    units : str
        Physical unit.
    original, san_layer : (n_samples,) int32
        In ADC units; what the SAN layer leaves is their difference.
    positions : (n_activations,) float64
        Of each activation, in samples.
    amplitudes : (n_activations,) float64
        Of each activation, in units of its kernel.
    kernel_indices : (n_activations,) int64
        Kernel of each activation, for its colour.
    """

    title: str
    fs: float
    adc_gain: float
    units: str
    original: NDArray[np.int32]
    san_layer: NDArray[np.int32]
    positions: NDArray[np.float64]
    amplitudes: NDArray[np.float64]
    kernel_indices: NDArray[np.int64]


def picture_of(file: SanFile, seconds: float) -> LayerPicture:
    """Give the layers of the first lead that has activations, from the start of its record.

    Parameters
    ----------
    file : SanFile
    seconds : float
        Length of the picture; at most the first chunk is shown.

    Raises
    ------
    ConfigError
        The file has no SAN layer.
    CorruptError
        The first chunk is damaged.
    """
    recording, layers = file.chunk(0)
    if not layers:
        raise ConfigError(f"{file.name}: has no SAN layer to draw; encode it with a model")
    plan = layers[0].plan
    group = file.plan.groups[plan.group]
    number = group.channels[plan.leads[0]]
    fs, structure = group.fs, file.plan.structure
    if structure is not None:
        number, fs = structure.kept[number], file.header.fs
    channel = file.header.channels[number]
    preview = next(file.spans(0, recording.n_frames, layer="san"))
    stop = min(recording.signals[number].size, round(seconds * fs))
    activations = layers[0].activations
    positions = activations.position * (fs / group.fs) / N_PHASES
    shown = positions < stop
    return LayerPicture(
        title=f"{recording.name}, {channel.name}",
        fs=fs,
        adc_gain=channel.adc_gain,
        units=channel.units,
        original=recording.signals[number][:stop],
        san_layer=preview.signals[number][:stop],
        positions=positions[shown],
        amplitudes=activations.amplitude[shown, 0].astype(np.float64),
        kernel_indices=activations.kernel[shown],
    )


def draw_layers(picture: LayerPicture, target: Path) -> None:
    """Draw original, SAN layer, residual and activations below each other, as a PNG or SVG.

    Parameters
    ----------
    picture : LayerPicture
    target : Path
        File to write; its suffix chooses the format.

    Raises
    ------
    OSError
        ``target`` cannot be written.
    """
    figure = new_figure(10, 7)
    figure.suptitle(picture.title)
    axes = figure.subplots(4, 1, sharex=True)
    time = np.arange(picture.original.size) / picture.fs
    signals = {
        "original": picture.original,
        "SAN layer": picture.san_layer,
        "residual": picture.original.astype(np.int64) - picture.san_layer,
    }
    for axis, (name, signal) in zip(axes, signals.items(), strict=False):
        # The offset of the ADC says nothing here; the median is where the baseline is.
        axis.plot(time, (signal - np.median(signal)) / picture.adc_gain, linewidth=0.8)
        axis.set_ylabel(f"{name}\n({picture.units})")
    for axis in axes[1:3]:
        axis.set_ylim(axes[0].get_ylim())
    _draw_activations(axes[3], picture)
    axes[3].set_xlabel("seconds")
    figure.savefig(target, dpi=110, metadata=_WITHOUT_DATE.get(target.suffix.lower()))


def draw_kernels(bank: KernelBank, title: str, target: Path) -> None:
    """Draw the kernels of a model beside each other, as a PNG or SVG.

    Parameters
    ----------
    bank : KernelBank
        Of its kernel leads the first is drawn.
    target : Path
        File to write; its suffix chooses the format.

    Raises
    ------
    OutputError
        The file cannot be written, or its suffix names no format.
    """
    n_columns = min(bank.n_kernels, _MAX_COLUMNS)
    n_rows = -(-bank.n_kernels // n_columns)
    figure = new_figure(0.4 + 2.0 * n_columns, 0.4 + 1.3 * n_rows)
    figure.suptitle(title)
    axes = np.ravel(figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False))
    seconds = (np.arange(bank.n_taps) - bank.centre) / bank.fs
    for axis, kernel in zip(axes, bank.kernels[:, 0], strict=False):
        axis.axvline(0.0, color="0.8", linewidth=0.6)
        axis.plot(seconds, kernel / UNIT, linewidth=1.0)
        axis.set_yticks([])
    for axis in axes[bank.n_kernels :]:
        axis.set_axis_off()
    figure.supxlabel("seconds")
    save_figure(figure, target, dpi=70)


def draw_rates(curves: Mapping[str, Sequence[tuple[float, float]]], target: Path) -> None:
    """Draw rate against distortion, as a PNG or SVG.

    Parameters
    ----------
    curves : mapping of str to sequence of (float, float)
        Of each record and kind of target, bits/sample and mean PRDN in percent.
    target : Path
        File to write; its suffix chooses the format.

    Raises
    ------
    OutputError
        The file cannot be written, or its suffix names no format.
    """
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    figure = new_figure(7, 5)
    axis = figure.subplots()
    for name, points in curves.items():
        rates, errors = zip(*sorted(points), strict=True)
        axis.plot(rates, errors, marker="o", markersize=3.5, linewidth=1.0, label=name)
    axis.set_xscale("log")
    plain = FuncFormatter(lambda rate, _: f"{rate:g}")
    axis.xaxis.set_major_formatter(plain)
    axis.xaxis.set_minor_formatter(plain)
    axis.set_ylim(bottom=0.0)
    axis.grid(which="both", linewidth=0.3)
    axis.set_xlabel("bits/sample, whole files")
    axis.set_ylabel("PRDN (%), mean of the leads")
    axis.legend(fontsize="small", ncols=1 + (len(curves) - 1) // _LEGEND_ROWS)
    save_figure(figure, target)


_MAX_COLUMNS = 4
_LEGEND_ROWS = 16

# Same samples, same picture: the date stays out of the file.
_WITHOUT_DATE: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {"Software": None}}


def new_figure(width: float, height: float) -> Any:
    """Give an empty figure of so many inches."""
    # Imported here: decoding and inspecting never draw, and must start at once.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, target: Path | BinaryIO, dpi: int = 110, fmt: str = "") -> None:
    """Write a figure; the suffix of its file, or ``fmt``, chooses the format.

    Raises
    ------
    OutputError
        The file cannot be written, or its suffix names no format.
    """
    suffix = f".{fmt}" if fmt else Path(str(target)).suffix.lower()
    try:
        metadata = _WITHOUT_DATE.get(suffix)
        figure.savefig(target, dpi=dpi, format=suffix[1:] or None, metadata=metadata)
    except (OSError, ValueError) as error:
        raise OutputError(f"{target}: cannot be written ({error})") from error


def _draw_activations(axis: Any, picture: LayerPicture) -> None:
    for kernel in np.unique(picture.kernel_indices):
        chosen = picture.kernel_indices == kernel
        seconds = picture.positions[chosen] / picture.fs
        heights = picture.amplitudes[chosen]
        axis.stem(
            seconds, heights, linefmt=f"C{kernel % 10}-", markerfmt=f"C{kernel % 10}.", basefmt=" "
        )
    axis.axhline(0.0, color="0.7", linewidth=0.6)
    axis.set_ylabel("activations")
