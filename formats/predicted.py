"""The header that follows from channels and samples: the real one is coded after it."""

from __future__ import annotations

from collections.abc import Sequence

from sancodec.formats.compressed import compress, decompress
from sancodec.formats.decimals import spell
from sancodec.formats.originals import OriginalFile
from sancodec.formats.phrases import phrases
from sancodec.recording import Channel, Recording

MAX_HEADER_TEXT = 1 << 16
"""Bytes of the longest header that is compared with anything."""

PER_FRAME = 1
"""The number of samples per frame is written even where it is 1."""
POINT = 2
"""Whole gains end in ``.0``."""
BASELINE = 4
"""The baseline is written."""
UNITS = 8
"""The units are written."""
UNSIGNED = 16
"""Checksums are 0 to 65535; without this -32768 to 32767."""
CRLF = 32
"""Lines end in CR LF; without this in LF."""
N_STYLES = 64


class SampleFacts:
    """What a header says of samples, gathered span after span."""

    def __init__(self) -> None:
        self._record: Recording | None = None
        self._n_frames = 0
        self._initial: list[int] = []
        self._sums: list[int] = []

    def feed(self, span: Recording) -> None:
        """See the next span."""
        if not span.n_frames:
            return
        if not self._n_frames:
            self._record = span.frames(0, 0)
            self._initial = [int(signal[0]) for signal in span.signals]
            self._sums = [0] * len(span.signals)
        for i, signal in enumerate(span.signals):
            self._sums[i] += int(signal.sum(dtype="int64"))
        self._n_frames += span.n_frames

    def predict(self, files: Sequence[OriginalFile], style: int) -> bytes:
        """Give a header of these files in one style; nothing for a record without samples."""
        record = self._record
        if record is None:
            return b""
        lines = [f"{record.name} {len(record.channels)} {spell(record.fs)} {self._n_frames}"]
        owners = [file for file in files for _ in file.samples_per_frame]
        for i, file in enumerate(owners[: len(record.channels)]):
            channel, total = record.channels[i], self._sums[i]
            checksum = total % (1 << 16)
            if checksum >= 1 << 15 and not style & UNSIGNED:
                checksum -= 1 << 16
            lines.append(
                f"{_spell_format(file, channel, style)} {_spell_gain(channel, style)} "
                f"{channel.adc_res} {channel.adc_zero} {self._initial[i]} {checksum} 0 "
                f"{channel.name}"
            )
        end = "\r\n" if style & CRLF else "\n"
        return "".join(line + end for line in lines).encode("utf-8")


def compress_header(
    content: bytes, facts: SampleFacts, files: Sequence[OriginalFile]
) -> tuple[int, bytes]:
    """Give the style that a header is closest to, and the header compressed."""
    lines = set(content.splitlines(keepends=True))

    def count_equal(style: int) -> int:
        return sum(line in lines for line in facts.predict(files, style).splitlines(keepends=True))

    style = max(range(N_STYLES), key=count_equal)
    return style, compress(content, phrases() + facts.predict(files, style))


def decompress_header(
    file: OriginalFile, facts: SampleFacts, files: Sequence[OriginalFile]
) -> bytes:
    """Give back the content of a header; CorruptError when it is damaged."""
    assert file.style is not None
    known = phrases() + facts.predict(files, file.style)
    return decompress(file.text, file.n_bytes, file.name, known)


def _spell_format(file: OriginalFile, channel: Channel, style: int) -> str:
    n = channel.samples_per_frame
    per_frame = f"x{n}" if n > 1 or style & PER_FRAME else ""
    offset = f"+{file.byte_offset}" if file.byte_offset else ""
    return f"{file.name} {file.format}{per_frame}{offset}"


def _spell_gain(channel: Channel, style: int) -> str:
    gain = spell(channel.adc_gain, with_point=bool(style & POINT))
    baseline = f"({channel.baseline})" if style & BASELINE else ""
    units = f"/{channel.units}" if style & UNITS else ""
    return f"{gain}{baseline}{units}"
