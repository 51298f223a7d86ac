"""The files of a record as they are after loss: the same names and formats, other samples.

The header keeps all its text but the initial values and checksums of the signals, which are those
of the decoded samples. A signal file is what the decoded samples predict and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace

from sancodec.formats.dat import DatPacker
from sancodec.formats.listing import FILE_HASH_BYTES, encode_originals
from sancodec.formats.originals import OriginalFile, RecordShape, make_layout
from sancodec.formats.predicted import SampleFacts, compress_header
from sancodec.formats.source_files import SourceFile, known_prolog
from sancodec.recording import Recording

# File, format, gain, resolution and zero; then the initial value, and the checksum.
_SIGNAL_LINE = re.compile(
    rb"(\s*\S+\s+\S+\s+\S+\s+[-+]?\d+\s+[-+]?\d+\s+)([-+]?\d+)(?:(\s+)([-+]?\d+))?(?=\s|$)"
)
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")
# The numbers of other samples may compress to a few bytes more.
_SLACK = 4


class Remaker:
    """Collects what is needed to give back a record's files, its samples being the decoded ones.

    Parameters
    ----------
    header_name : str
        Name of the header file.
    header : bytes
        Its content.
    files : sequence of SourceFile
        Signal files in the order of the channels that they hold; each of a format that samples
        predict.
    first_frame : Recording
        Of the record as it was.
    shape : RecordShape
    side_files : sequence of OriginalFile
        That travel along.
    """

    def __init__(
        self,
        header_name: str,
        header: bytes,
        files: Sequence[SourceFile],
        first_frame: Recording,
        shape: RecordShape,
        *,
        side_files: Sequence[OriginalFile] = (),
    ) -> None:
        self._side_files = side_files
        self._header_name = header_name
        self._header = header
        self._shape = shape
        self._first_frame = first_frame
        self._facts = SampleFacts()
        self._files = [_Made(file, shape.n_frames) for file in files]
        n_signals = sum(len(file.samples_per_frame) for file in files)
        self._first: list[int | None] = [None] * n_signals
        self._total = [0] * n_signals

    @property
    def n_bytes(self) -> int:
        """About how many bytes ``finish`` will give: never fewer."""
        frame = self._first_frame
        others = replace(frame, signals=tuple(~signal // 3 for signal in frame.signals))
        return max(map(self._n_bytes_with, (frame, others))) + _SLACK

    def _n_bytes_with(self, frame: Recording) -> int:
        """Give the bytes of ``finish`` if these samples were all."""
        blank = [made.described(os.urandom(FILE_HASH_BYTES), 1 << 40) for made in self._files]
        facts = SampleFacts()
        facts.feed(frame)
        first = [int(signal[0]) for signal in frame.signals]
        totals = [int(signal.sum(dtype="int64")) for signal in frame.signals]
        text = _with_values(self._header, first, totals)
        header = self._header_file(text, compress_header(text, facts, blank))
        return len(encode_originals([header, *blank, *self._side_files], self._shape))

    def feed(self, span: Recording) -> None:
        """Take the next span as it is decoded."""
        self._facts.feed(span)
        first = 0
        for i, signal in enumerate(span.signals):
            if self._first[i] is None and signal.size:
                self._first[i] = int(signal[0])
            self._total[i] += int(signal.sum(dtype="int64"))
        for made in self._files:
            stop = first + len(made.source.samples_per_frame)
            made.feed(span, slice(first, stop))
            first = stop

    def finish(self) -> bytes:
        """Give the restoration, after the last span."""
        text = _with_values(self._header, [first or 0 for first in self._first], self._total)
        files = [made.finish() for made in self._files]
        header = self._header_file(text, compress_header(text, self._facts, files))
        return encode_originals([header, *files, *self._side_files], self._shape)

    def _header_file(self, content: bytes, compressed: tuple[int, bytes]) -> OriginalFile:
        style, text = compressed
        return OriginalFile(
            name=self._header_name,
            n_bytes=len(content),
            sha256=hashlib.sha256(content).digest()[:FILE_HASH_BYTES],
            style=style,
            text=text,
        )


class _Made:
    """One signal file while it is made."""

    def __init__(self, source: SourceFile, n_frames: int) -> None:
        self.source = source
        layout = make_layout(source.format, source.samples_per_frame, source.initial)
        assert layout is not None
        self._packer = DatPacker(layout)
        self._hash = hashlib.sha256()
        self._n_bytes = 0
        self._prolog = known_prolog(source, n_frames)
        self._take(self._prolog or bytes(source.byte_offset))

    def feed(self, span: Recording, channels: slice) -> None:
        self._take(self._packer.feed(span.signals[channels]).tobytes())

    def finish(self) -> OriginalFile:
        self._take(self._packer.finish().tobytes())
        return self.described(self._hash.digest()[:FILE_HASH_BYTES], self._n_bytes)

    def described(self, digest: bytes, n_bytes: int) -> OriginalFile:
        return OriginalFile(
            name=self.source.path.name,
            n_bytes=n_bytes,
            sha256=digest,
            format=self.source.format,
            samples_per_frame=self.source.samples_per_frame,
            byte_offset=self.source.byte_offset,
            prolog=self._prolog,
        )

    def _take(self, octets: bytes) -> None:
        self._hash.update(octets)
        self._n_bytes += len(octets)


def _with_values(header: bytes, initial: Sequence[int], totals: Sequence[int]) -> bytes:
    """Give the header with other initial values and checksums, where its lines have them."""
    lines = _LINE.findall(header)
    signals = [
        i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(b"#")
    ][1 : len(initial) + 1]
    for number, first, total in zip(signals, initial, totals, strict=True):
        checksum = (total + (1 << 15)) % (1 << 16) - (1 << 15)
        found = _SIGNAL_LINE.match(lines[number])
        if found is None:
            continue
        text = found[1] + str(first).encode()
        if found[4] is not None:
            text += found[3] + str(checksum).encode()
        lines[number] = text + lines[number][found.end() :]
    return b"".join(lines)
