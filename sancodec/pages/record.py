"""The page of a record: overview, paper with zoom, beats, kernels, figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.activation_beats import beats_of, table_of
from sancodec.activation_table import ActivationTable, Kernel, names_of
from sancodec.errors import ConfigError, RecordError
from sancodec.pages.building import build_page, definitions, escape, packed, shipped
from sancodec.record_file import RecordFile, is_missing, missing_values
from sancodec.recording import NO_SAMPLE, Channel
from sancodec.segmented_file import SegmentedFile

MAX_SAMPLES = 4_000_000
"""Samples of all channels that a page holds; of longer records it has extremes."""

_NO_INT16 = -(1 << 15)
_DIGITS = 4


def record_page(
    file: RecordFile, figures: Sequence[tuple[str, str]], *, max_samples: int = MAX_SAMPLES
) -> str:
    """Give the page of a record as HTML, in one file that fetches nothing.

    Parameters
    ----------
    file : RecordFile
        Decoded as a whole.
    figures : sequence of (str, str)
        Names and values that are listed on the page.
    max_samples : int
        Of a record that has more, over all channels, the page has the least and the largest of so
        many samples each that it keeps to this.

    Raises
    ------
    ConfigError
        ``max_samples`` is not at least 2 for each channel.
    RecordError
        The record has no channels.
    CorruptError
        A chunk is damaged.
    """
    if not file.channels:
        raise RecordError(f"{file.name}: no channels to show")
    if max_samples < 2 * len(file.channels):
        raise ConfigError(f"max_samples: {max_samples}, expected 2 for each channel or more")
    step = _step(file, max_samples)
    table, of_beats = _beats(file)
    name = file.record_name
    body = shipped("record.html").format(
        name=escape(name),
        summary=escape(_summary(file)),
        note=escape(_note(step)),
        figures=definitions(figures),
    )
    embedded = {
        "name": name,
        "seconds": file.n_frames / file.fs,
        "channels": _channels(file, step),
        "kernels": [_kernel(kernel) for kernel in file.kernels],
        "beats": _columns(table),
        "areBeats": of_beats,
        "activations": _columns(file.activations),
    }
    return build_page(
        f"{name} - sancodec",
        body=body,
        style=shipped("record.css"),
        script=shipped("record.js"),
        embedded=embedded,
    )


def _beats(file: RecordFile) -> tuple[ActivationTable, bool]:
    """Give the beats, or all activations where these are of no ECG; and which of them it is."""
    try:
        return table_of(beats_of(file), file.activations), True
    except ConfigError:
        return file.activations, False


def _step(file: RecordFile, max_samples: int) -> int:
    """Give of how many samples there are a least and a largest one; 1 where all are there."""
    n_samples = file.n_frames * sum(channel.samples_per_frame for channel in file.channels)
    return 1 if n_samples <= max_samples else -(-2 * n_samples // max_samples)


def _channels(file: RecordFile, step: int) -> list[dict[str, Any]]:
    """Give the samples of all channels, read span by span, with what they are."""
    blocks: list[list[NDArray[np.int32]]] = [[] for _ in file.channels]
    missing = [NO_SAMPLE] * len(file.channels)
    if not isinstance(file, SegmentedFile):
        own = missing_values(file.originals, len(file.channels))
        missing = [NO_SAMPLE if value is None else value for value in own]
    left = [np.zeros(0, np.int32)] * len(file.channels)
    for span in file.hashed(file.spans()):
        for i, signal in enumerate(span.signals):
            marked = np.where(is_missing(signal, missing[i]), np.int32(NO_SAMPLE), signal)
            joined = np.concatenate([left[i], marked])
            whole = joined.size // step * step
            blocks[i].append(_extremes(joined[:whole], step))
            left[i] = joined[whole:]
    for i, rest in enumerate(left):
        if rest.size:
            blocks[i].append(_extremes(rest, rest.size) if step > 1 else rest)
    names = names_of(file.channels)
    return [
        _channel(file, channel, names[i], np.concatenate([np.zeros(0, np.int32), *blocks[i]]), step)
        for i, channel in enumerate(file.channels)
    ]


def _extremes(signal: NDArray[np.int32], step: int) -> NDArray[np.int32]:
    """Give the least and the largest of each ``step`` samples; missing where all are missing."""
    if step == 1 or not signal.size:
        return signal
    rows = signal.reshape(-1, step)
    largest = rows.max(axis=1)
    there = np.where(rows == NO_SAMPLE, np.iinfo(np.int32).max, rows).min(axis=1)
    least = np.where(largest == NO_SAMPLE, NO_SAMPLE, there)
    return np.stack([least, largest], axis=1).astype(np.int32).ravel()


def _channel(
    file: RecordFile, channel: Channel, name: str, values: NDArray[np.int32], step: int
) -> dict[str, Any]:
    there = values[values != NO_SAMPLE]
    low, high = (int(there.min()), int(there.max())) if there.size else (0, 0)
    narrow = low > _NO_INT16 and high < 1 << 15
    if narrow:
        values = np.where(values == NO_SAMPLE, _NO_INT16, values).astype(np.int16)
    return {
        "name": name,
        "units": channel.units,
        "fs": file.fs * channel.samples_per_frame,
        "n": file.n_frames * channel.samples_per_frame,
        "gain": channel.adc_gain,
        "baseline": channel.baseline,
        "step": step,
        "type": "int16" if narrow else "int32",
        "missing": _NO_INT16 if narrow else NO_SAMPLE,
        "samples": packed(values),
    }


def _columns(table: ActivationTable) -> dict[str, Any]:
    return {
        "seconds": packed(table.seconds),
        "kernel": packed(table.kernel.astype(np.int32)),
        "amplitude": [packed(own.astype(np.float32)) for own in table.amplitude.T],
    }


def _kernel(kernel: Kernel) -> dict[str, Any]:
    return {
        "channels": kernel.channels,
        "fs": kernel.fs,
        "centre": kernel.centre,
        "shape": np.round(kernel.shape, _DIGITS).tolist(),
        "typical": np.round(kernel.typical, _DIGITS + 2).tolist(),
        "n": kernel.n_activations,
    }


def _summary(file: RecordFile) -> str:
    report = file.report
    minutes, seconds = divmod(round(report.duration_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    leads = ", ".join(names_of(file.channels)[:12]) + ("..." if len(file.channels) > 12 else "")
    bits = report.bits_per_sample
    said = [
        f"{hours}:{minutes:02}:{seconds:02}",
        f"{report.fs:g} Hz",
        leads,
        f"{report.n_bytes:,} bytes" + ("" if bits is None else f", {bits:.3f} bits/sample"),
        report.fidelity,
    ]
    return " \N{MIDDLE DOT} ".join(said)


def _note(step: int) -> str:
    if step == 1:
        return ""
    return (
        "This record is too long for a page of all samples: drawn are the least and the largest "
        f"of each {step}."
    )
