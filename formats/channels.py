"""The table of channels of a container, column by column: a column of equal values is one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sancodec.formats.decimals import put_decimal, take_decimal
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel

MAX_CHANNELS = 256
MAX_FRAME_SAMPLES = 1 << 16
MAX_TEXT_BYTES = 1 << 10
MAX_ADC_RES = 64

_OWN, _SAME = 0, 1

_T = TypeVar("_T")


def put_channels(writer: ByteWriter, channels: Sequence[Channel]) -> None:
    """Write the table, and the number of channels before it."""
    writer.varint(len(channels))
    _put(channels, "name", writer, writer.text)
    _put(channels, "units", writer, writer.text)
    _put(channels, "adc_gain", writer, lambda gain: put_decimal(writer, gain))
    _put(channels, "baseline", writer, writer.zigzag)
    _put(channels, "adc_res", writer, writer.varint)
    _put(channels, "adc_zero", writer, writer.zigzag)
    _put(channels, "samples_per_frame", writer, writer.varint)


def take_channels(reader: ByteReader) -> tuple[Channel, ...]:
    """Give the channels of ``put_channels``; their values are not judged beyond single fields.

    Raises
    ------
    CorruptError
        A field is missing or above its limit.
    """
    n = reader.varint("number of channels", MAX_CHANNELS)
    text, decimal = reader.text, take_decimal
    columns = (
        _take(reader, n, "name", lambda field: text(field, MAX_TEXT_BYTES)),
        _take(reader, n, "units", lambda field: text(field, MAX_TEXT_BYTES)),
        _take(reader, n, "ADC gain", lambda field: decimal(reader, field)),
        _take(reader, n, "baseline", reader.zigzag),
        _take(reader, n, "ADC resolution", lambda field: reader.varint(field, MAX_ADC_RES)),
        _take(reader, n, "ADC zero", reader.zigzag),
        _take(reader, n, "frame samples", lambda field: reader.varint(field, MAX_FRAME_SAMPLES)),
    )
    return tuple(
        Channel(
            name=name,
            units=units,
            adc_gain=gain,
            baseline=baseline,
            adc_res=adc_res,
            adc_zero=adc_zero,
            samples_per_frame=per_frame,
        )
        for name, units, gain, baseline, adc_res, adc_zero, per_frame in zip(*columns, strict=True)
    )


def _put(
    channels: Sequence[Channel], field: str, writer: ByteWriter, put: Callable[[Any], object]
) -> None:
    column = [getattr(channel, field) for channel in channels]
    # By their spelling: 0.0 and -0.0 are equal, and are not the same bytes.
    same = len({repr(value) for value in column}) == 1
    writer.u8(_SAME if same else _OWN)
    for value in column[:1] if same else column:
        put(value)


def _take(reader: ByteReader, n: int, what: str, take: Callable[[str], _T]) -> list[_T]:
    kind = reader.u8(f"{what} of the channels, kind")
    if kind == _SAME:
        return [take(f"{what} of all channels")] * n
    if kind != _OWN:
        raise reader.corrupt(f"{what} of the channels", f"kind {kind}, expected 0 or 1")
    return [take(f"channel {i}, {what}") for i in range(n)]
