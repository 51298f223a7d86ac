"""Records written as EDF files, whose header says physical values as well as 8 characters can."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from sancodec.errors import RecordError
from sancodec.formats.blocks import BlockLayout, BlockPacker, Blocks
from sancodec.recording import Channel, Recording, RecordSpans

_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_MAX_RECORDS = 99_999_999
_MAX_RECORD_BYTES = 61_440
_REMEDY = "write WFDB or an array instead"


def write_edf(stream: BinaryIO, record: RecordSpans) -> None:
    """Write samples as an EDF file, span by span.

    EDF has whole data records: the last one is filled up with the last sample of each channel
    where no duration of 8 characters divides the length.

    Raises
    ------
    RecordError
        A sample does not fit into 16 bits, or a number of the header into its field.
    """
    name, channels, n_frames = record.name, record.channels, record.n_frames
    frame_samples = sum(channel.samples_per_frame for channel in channels)
    n, duration = _choose_record(record.fs, n_frames, frame_samples, name)
    blocks = Blocks(format=16, n_frames=n)
    layout = BlockLayout(
        blocks=blocks, samples_per_frame=tuple(channel.samples_per_frame for channel in channels)
    )
    n_records = -(-n_frames // n)
    if n_records > _MAX_RECORDS:
        raise RecordError(f"{name}: {n_records} data records do not fit EDF; {_REMEDY}")
    stream.write(_make_header(channels, n, n_records, duration, name))
    packer = BlockPacker(layout)
    for span in _filled_up(record.spans, n_records * n - n_frames):
        for channel, signal in zip(channels, span.signals, strict=True):
            if signal.size and not _LOW <= signal.min() <= signal.max() <= _HIGH:
                raise RecordError(
                    f"{name}, {channel.name}: samples of {signal.min()} to {signal.max()} do not "
                    f"fit the 16 bits of EDF; {_REMEDY}"
                )
        for octets in packer.feed(span.signals):
            stream.write(octets.data)


def _choose_record(fs: float, n_frames: int, frame_samples: int, name: str) -> tuple[int, str]:
    """Give frames and duration of a data record: about a second, and a divisor of all if any is."""
    exact = Fraction(repr(fs))
    # The least number of frames that take a time with an end behind the point.
    least = exact.numerator
    for prime in (2, 5):
        while least % prime == 0:
            least //= prime
    least //= math.gcd(least, exact.denominator)
    most = min(math.ceil(fs), max(1, _MAX_RECORD_BYTES // (2 * frame_samples)))
    fitting = [
        (n, spelled)
        for n in range(least, max(most, least) + 1, least)
        if (spelled := _spell_exactly(n / exact)) is not None
    ]
    if not fitting:
        raise RecordError(f"{name}: {fs!r} Hz has no duration of 8 characters in EDF; {_REMEDY}")
    return max((own for own in fitting if n_frames % own[0] == 0), default=fitting[-1])


def _filled_up(spans: Iterable[Recording], n_missing: int) -> Iterator[Recording]:
    last = None
    for last in spans:
        yield last
    if last is None or not n_missing:
        return
    signals = tuple(
        np.full(n_missing * channel.samples_per_frame, signal[-1])
        for channel, signal in zip(last.channels, last.signals, strict=True)
    )
    yield Recording(name=last.name, fs=last.fs, channels=last.channels, signals=signals)


def _make_header(
    channels: Sequence[Channel], n_frames: int, n_records: int, duration: str, name: str
) -> bytes:
    bounds = [_bounds(channel, name) for channel in channels]
    columns = (
        (16, [channel.name for channel in channels]),
        (80, [""] * len(channels)),
        (8, [channel.units for channel in channels]),
        (8, [least for least, _ in bounds]),
        (8, [most for _, most in bounds]),
        (8, [str(_LOW)] * len(channels)),
        (8, [str(_HIGH)] * len(channels)),
        (80, [""] * len(channels)),
        (8, [str(n_frames * channel.samples_per_frame) for channel in channels]),
        (32, [""] * len(channels)),
    )
    fixed = (
        (8, "0"),
        (80, "X X X X"),
        (80, "Startdate X X X X"),
        (8, "01.01.85"),
        (8, "00.00.00"),
        (8, str(256 * (1 + len(channels)))),
        (44, ""),
        (8, str(n_records)),
        (8, duration),
        (4, str(len(channels))),
    )
    texts = [_fill(text, width) for width, text in fixed]
    texts += [_fill(text, width) for width, column in columns for text in column]
    return b"".join(texts)


def _fill(text: str, width: int) -> bytes:
    plain = text.replace("µ", "u").replace("μ", "u").encode("ascii", "replace")
    return bytes(c if 32 <= c < 127 else 63 for c in plain)[:width].ljust(width)


def _bounds(channel: Channel, name: str) -> tuple[str, str]:
    """Give the physical values of the least and the largest integer."""
    gain = Fraction(channel.adc_gain)
    least, most = (_spell_nearly((end - channel.baseline) / gain) for end in (_LOW, _HIGH))
    if least is None or most is None or Fraction(least) == Fraction(most):
        raise RecordError(
            f"{name}, {channel.name}: a gain of {channel.adc_gain:g} and a baseline of "
            f"{channel.baseline} do not fit 8 characters of EDF; {_REMEDY}"
        )
    return least, most


def _spell_exactly(number: Fraction) -> str | None:
    spelled = _spell_nearly(number)
    return spelled if spelled is not None and Fraction(spelled) == number else None


def _spell_nearly(number: Fraction) -> str | None:
    """Give a number in at most 8 characters, with as many digits as these take."""
    for places in range(7, -1, -1):
        scaled = round(abs(number) * 10**places)
        digits = str(scaled).zfill(places + 1)
        if places:
            digits = f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
        text = f"-{digits}" if number < 0 < scaled else digits
        if len(text) <= 8:
            return text
    return None
