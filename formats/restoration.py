"""Original files given back byte for byte: what is kept while encoding, and how it is used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sancodec.errors import ChecksumError, CorruptError, RecordError
from sancodec.formats.blocks import BlockLayout, BlockPacker
from sancodec.formats.corrections import Correction, CorrectionCollector, CorrectionReader
from sancodec.formats.dat import DatLayout, DatPacker
from sancodec.formats.dat_formats import Octets, Samples
from sancodec.formats.listing import FILE_HASH_BYTES, describe, encode_originals
from sancodec.formats.originals import (
    NOT_SIGNALS,
    OriginalFile,
    Originals,
    RecordShape,
)
from sancodec.formats.output import PendingFiles
from sancodec.formats.predicted import SampleFacts, compress_header, decompress_header
from sancodec.formats.side_files import read_whole
from sancodec.formats.source_files import SourceFile, known_prolog
from sancodec.recording import Recording

__all__ = [
    "RecordShape",
    "Restorer",
    "SourceFile",
    "check",
    "describe",
    "describe_whole",
    "read_beginning",
    "read_header",
    "restore",
]

_PIECE_BYTES = 1 << 20


class Restorer:
    """Collects what is needed to give back the files of a record while it is encoded.

    Parameters
    ----------
    files : sequence of SourceFile
        Signal files in the order of the channels that they hold.
    shape : RecordShape
    """

    def __init__(self, files: Sequence[SourceFile], shape: RecordShape) -> None:
        self._shape = shape
        self._facts = SampleFacts()
        self._scans: list[_Scan] = []
        first = 0
        for file in files:
            stop = first + len(file.samples_per_frame)
            self._scans.append(_Scan(file, slice(first, stop), shape.n_frames))
            first = stop

    @property
    def n_bytes(self) -> int:
        """Bytes that ``finish`` will give: 0, not known before."""
        return 0

    def feed(self, span: Recording) -> None:
        """Compare the next span of the record with its files.

        Raises
        ------
        RecordError
            A file cannot be read any more.
        """
        self._facts.feed(span)
        for scan in self._scans:
            scan.feed(span)

    def finish(self) -> bytes:
        """Give the restoration, after the last span."""
        files = [scan.finish() for scan in self._scans]
        return encode_originals([self._with_text(file, files) for file in files], self._shape)

    def _with_text(self, file: OriginalFile, files: Sequence[OriginalFile]) -> OriginalFile:
        """Give a file that is no signal and not large as text; any other as it is."""
        if file.format != NOT_SIGNALS or file.correction.attached:
            return file
        style, text = compress_header(file.correction.encoded, self._facts, files)
        return replace(file, style=style, text=text, correction=Correction())


def describe_whole(sources: Sequence[SourceFile]) -> list[OriginalFile]:
    """Give the description of files that no samples predict.

    Raises
    ------
    RecordError
        A file cannot be read any more.
    """
    return [_Scan(source, slice(0), 0).finish() for source in sources]


def restore(
    originals: Originals,
    spans: Iterable[Recording],
    directory: Path,
    *,
    force: bool,
    name: str = "",
) -> list[Path]:
    """Write the original files of a record and give their paths.

    Parameters
    ----------
    originals : Originals
        What ``describe`` gives for what ``Restorer.finish`` gave.
    spans : iterable of Recording
        The whole record, span after span, in order.
    directory : Path
        Where the files go; made when it is missing.
    force : bool
        Whether existing files are overwritten.
    name : str
        Name of the .san file, for messages.

    Raises
    ------
    OutputError
        A file exists already, or cannot be written; found before the first span is asked for.
    ChecksumError
        A file differs from its original; nothing is left behind.
    CorruptError
        The restoration contradicts itself or the samples.
    """
    files = originals.files
    with PendingFiles([directory / file.name for file in files], force=force) as pending:
        builds = [
            _Build(file, target, name) for file, target in zip(files, pending.files, strict=True)
        ]
        _build_all(builds, spans, name)
        return pending.commit()


def check(originals: Originals, spans: Iterable[Recording], name: str = "") -> None:
    """Rebuild the original files without keeping them; parameters and errors as of ``restore``."""
    with Path(os.devnull).open("wb") as nowhere:
        _build_all([_Build(file, nowhere, name) for file in originals.files], spans, name)


def read_header(originals: Originals, spans: Iterable[Recording], record: str, name: str) -> bytes:
    """Give the content of a WFDB record's own header; nothing where it has none.

    Parameters
    ----------
    spans : iterable of Recording
        The whole record: a header is coded after what its samples say.
    record, name : str
        Of the record, and of the .san file for messages.

    Raises
    ------
    CorruptError
        It is damaged.
    """
    headers = [
        file
        for file in originals.record_files
        if file.format == NOT_SIGNALS and file.name.casefold().endswith(".hea")
    ]
    # Of several segments, the layout has a header, too.
    headers.sort(key=lambda file: file.name != f"{record}.hea")
    if not headers:
        return b""
    (header, *_), what = headers, f"{name}: {headers[0].name}"
    if header.style is None:
        return read_whole(header, name)
    facts = SampleFacts()
    for span in spans:
        facts.feed(span)
    content = decompress_header(header, facts, originals.files)
    if not hashlib.sha256(content).digest().startswith(header.sha256):
        raise ChecksumError(f"{what}: SHA-256 of the restored file differs from the original's")
    return content


def read_beginning(file: OriginalFile, n_bytes: int, name: str) -> bytes:
    """Give the first bytes of a file as far as no samples stand in them."""
    if file.correction.start:
        return b""
    n_bytes = min(n_bytes, file.byte_offset, file.correction.n_bytes)
    return CorrectionReader(file.correction, f"{name}: {file.name}").take(n_bytes).tobytes()


def _build_all(builds: Sequence[_Build], spans: Iterable[Recording], name: str) -> None:
    facts = SampleFacts()
    for span in spans:
        _feed(builds, span, name)
        facts.feed(span)
    files = [build.original for build in builds]
    # Signal files first: a header follows from the samples, and is wrong whenever they are.
    for build in sorted(builds, key=lambda own: own.original.style is not None):
        if build.original.style is not None:
            build.put(decompress_header(build.original, facts, files))
        build.finish()


def _feed(builds: Sequence[_Build], span: Recording, name: str) -> None:
    expected = tuple(n for build in builds for n in build.original.samples_per_frame)
    found = tuple(channel.samples_per_frame for channel in span.channels)
    if found != expected:
        raise CorruptError(
            f"{name}: restoration: files of {len(expected)} channels with {sum(expected)} samples "
            f"a frame, the record has {len(found)} with {sum(found)}"
        )
    first = 0
    for build in builds:
        stop = first + len(build.original.samples_per_frame)
        build.feed(span.signals[first:stop])
        first = stop


class _Packer:
    """Gives what samples predict of a file, piece by piece, whatever its layout."""

    def __init__(self, packer: DatPacker | BlockPacker) -> None:
        self._packer = packer

    @classmethod
    def of(cls, layout: DatLayout | BlockLayout | None) -> _Packer | None:
        if layout is None:
            return None
        if isinstance(layout, BlockLayout):
            return cls(BlockPacker(layout))
        return cls(DatPacker(layout))

    def feed(self, signals: Sequence[Samples]) -> Iterator[Octets]:
        if isinstance(self._packer, BlockPacker):
            yield from self._packer.feed(signals)
        else:
            yield self._packer.feed(signals)

    def finish(self) -> Iterator[Octets]:
        # There are whole blocks, and nothing but these.
        if isinstance(self._packer, DatPacker):
            yield self._packer.finish()


class _Scan:
    """One pass over an original file: its hash, and how it differs from its prediction."""

    def __init__(self, source: SourceFile, channels: slice, n_frames: int) -> None:
        self._source = source
        self._prolog = known_prolog(source, n_frames)
        self._channels = channels
        self._packer = _Packer.of(source.layout)
        self._hash = hashlib.sha256()
        self._position = 0
        self._collector = CorrectionCollector()

    def feed(self, span: Recording) -> None:
        if self._packer is None:
            return
        if self._position < self._source.byte_offset:
            self._compare(_octets(self._prolog, self._source.byte_offset), solid=False)
        for octets in self._packer.feed(span.signals[self._channels]):
            self._compare(octets, solid=False)

    def finish(self) -> OriginalFile:
        if self._packer is not None:
            for octets in self._packer.finish():
                self._compare(octets, solid=False)
        # What no sample predicts is kept with its zeros, so that the file's length needs no trust.
        while self._compare(np.zeros(_PIECE_BYTES, np.uint8), solid=True):
            pass
        return OriginalFile(
            name=self._source.path.name,
            n_bytes=self._position,
            sha256=self._hash.digest()[:FILE_HASH_BYTES],
            format=self._source.format,
            samples_per_frame=self._source.samples_per_frame,
            initial=self._source.initial if self._source.format == 8 else (),
            byte_offset=self._source.byte_offset if self._packer else 0,
            prolog=self._prolog if self._packer else b"",
            blocks=self._source.blocks,
            correction=self._collector.finish(),
        )

    def _compare(self, predicted: Octets, *, solid: bool) -> int:
        """Take as many bytes of the file as were predicted, or all that are left."""
        try:
            with self._source.path.open("rb") as file:
                file.seek(self._position)
                taken = file.read(predicted.size)
        except OSError as error:
            raise RecordError(f"{self._source.path}: cannot be read ({error.strerror})") from error
        self._hash.update(taken)
        self._collector.push(np.frombuffer(taken, np.uint8) ^ predicted[: len(taken)], solid=solid)
        self._position += len(taken)
        return len(taken)


def _octets(prolog: bytes, n_bytes: int) -> Octets:
    return np.frombuffer(prolog or bytes(n_bytes), np.uint8)


class _Build:
    """One original file while it is rebuilt; the counterpart of _Scan."""

    def __init__(self, original: OriginalFile, target: BinaryIO, name: str) -> None:
        self.original = original
        self._target = target
        self._what = f"{name}: {original.name}" if name else original.name
        self._packer = _Packer.of(original.layout)
        self._correction = CorrectionReader(original.correction, self._what)
        self._hash = hashlib.sha256()
        self._position = 0

    def feed(self, signals: Sequence[Samples]) -> None:
        if self._packer is None:
            return
        if self._position < self.original.byte_offset:
            self._write(_octets(self.original.prolog, self.original.byte_offset))
        for octets in self._packer.feed(signals):
            self._write(octets)

    def put(self, content: bytes) -> None:
        """Write a file that no samples predict."""
        self._write(np.frombuffer(content, np.uint8))

    def finish(self) -> None:
        if self._packer is not None:
            for octets in self._packer.finish():
                self._write(octets)
        correction = self.original.correction
        if self._position < self.original.n_bytes and correction.start > self._position:
            raise CorruptError(f"{self._what}: the samples end at byte {self._position} of it")
        stop = correction.start + correction.n_bytes
        while self._position < stop:
            self._write(np.zeros(min(_PIECE_BYTES, stop - self._position), np.uint8))
        if self._position != self.original.n_bytes:
            raise CorruptError(
                f"{self._what}: {self._position} bytes restored, expected {self.original.n_bytes}"
            )
        if not self._hash.digest().startswith(self.original.sha256):
            raise ChecksumError(
                f"{self._what}: SHA-256 of the restored file differs from that of the original"
            )

    def _write(self, predicted: Octets) -> None:
        octets = predicted[: self.original.n_bytes - self._position].copy()
        correction = self.original.correction
        first = max(0, correction.start - self._position)
        last = min(octets.size, correction.start + correction.n_bytes - self._position)
        if first < last:
            octets[first:last] ^= self._correction.take(last - first)
        self._position += octets.size
        self._hash.update(octets.data)
        self._target.write(octets.data)
