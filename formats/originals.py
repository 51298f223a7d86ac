"""The original files of a record, as a container describes them: SPEC.md, "Restoration".

Every file is its prediction XOR a correction. The prediction of a signal file is made by rule
from the samples; that of any other file is zero everywhere, so its correction is the file itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sancodec.errors import UnsupportedError
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.corrections import Correction
from sancodec.formats.dat import DatLayout
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.flac import BITS
from sancodec.formats.output import find_name_problem
from sancodec.formats.wire import ByteReader, ByteWriter

VERSION = 1
NOT_SIGNALS = 0
MAX_FILES = 1024
MAX_FILE_BYTES = 1 << 48
MAX_PROLOG_BYTES = 1 << 24
MAX_LISTING_BYTES = 1 << 24
_MAX_CHANNELS = 256
_MAX_FRAME_SAMPLES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class OriginalFile:
    """One original file as the restoration describes it.

    Attributes
    ----------
    name : str
    n_bytes : int
    sha256 : bytes
    format : int
        Number of its WFDB format, or NOT_SIGNALS.
    samples_per_frame : tuple of int
        Of the channels that the file holds; signal files hold the channels of the record in order.
    initial : tuple of int
        For format 8, the value before the first difference of each channel.
    byte_offset : int
        Where the first frame begins.
    correction : Correction
    """

    name: str
    n_bytes: int
    sha256: bytes
    format: int
    samples_per_frame: tuple[int, ...]
    initial: tuple[int, ...]
    byte_offset: int
    correction: Correction

    @property
    def layout(self) -> DatLayout | None:
        """How the samples predict the file, or None when they do not."""
        return make_layout(self.format, self.samples_per_frame, self.initial)

    @property
    def bits_per_frame(self) -> float:
        """Bits that the file's format takes for one frame; 0 when it holds no signals."""
        return bits_per_sample(self.format) * sum(self.samples_per_frame)


@dataclass(frozen=True, kw_only=True)
class Originals:
    """The original files of a record, known from its restoration alone."""

    files: tuple[OriginalFile, ...]

    @property
    def original_n_bytes(self) -> int:
        """Bytes of all signal files together, headers not counted."""
        return sum(file.n_bytes for file in self.files if file.format != NOT_SIGNALS)

    @property
    def source_bits_per_sample(self) -> float:
        """Bits per sample of the storage formats, their mean over all samples."""
        n_samples = sum(sum(file.samples_per_frame) for file in self.files)
        return sum(file.bits_per_frame for file in self.files) / n_samples if n_samples else 0.0


def encode_originals(files: Sequence[OriginalFile]) -> bytes:
    """Give the restoration of these files."""
    listing = ByteWriter().varint(len(files))
    for file in files:
        _encode_file(listing, file)
    writer = ByteWriter().varint(VERSION).counted(compress(listing.getvalue()))
    for file in files:
        if file.correction.attached:
            writer.raw(file.correction.encoded)
    return writer.getvalue()


def describe(restoration: bytes, name: str = "") -> Originals:
    """Give the original files that a restoration stands for; ``name`` begins error messages.

    Raises
    ------
    UnsupportedError
        The restoration needs a newer version.
    CorruptError
        A field is missing or outside of its limits, or a name is no plain file name.
    """
    what = f"{name}: restoration" if name else "restoration"
    reader = ByteReader(restoration, what)
    version = reader.varint("version")
    if version != VERSION:
        raise UnsupportedError(
            f"{what}: version {version}, this sancodec reads {VERSION}; try a newer sancodec"
        )
    stored = reader.counted("list of files", MAX_LISTING_BYTES)
    listing = ByteReader(decompress(stored, MAX_LISTING_BYTES, f"{what}: list of files"), what)
    n_files = listing.varint("number of files", MAX_FILES)
    files = [_decode_file(listing, reader, f"file {i}") for i in range(n_files)]
    listing.expect_end("list of files")
    reader.expect_end("attachments")
    _check_names(files, listing)
    return Originals(files=tuple(files))


def bits_per_sample(fmt: int) -> float:
    """Give the bits that a sample takes in a file of this format; 0 for NOT_SIGNALS."""
    if fmt in FORMATS:
        return FORMATS[fmt].bits_per_sample
    return float(BITS.get(fmt, 0))


def make_layout(
    fmt: int, samples_per_frame: tuple[int, ...], initial: tuple[int, ...]
) -> DatLayout | None:
    """Give the layout of a signal file that samples predict, or None for any other file."""
    if fmt not in FORMATS:
        return None
    return DatLayout(format=fmt, samples_per_frame=samples_per_frame, initial=initial)


def _encode_file(writer: ByteWriter, file: OriginalFile) -> None:
    writer.text(file.name).varint(file.n_bytes).raw(file.sha256).varint(file.format)
    if file.format != NOT_SIGNALS:
        writer.varint(len(file.samples_per_frame))
        for n_samples in file.samples_per_frame:
            writer.varint(n_samples)
        for initial in file.initial:
            writer.zigzag(initial)
        writer.varint(file.byte_offset)
    correction = file.correction
    writer.varint(correction.n_bytes)
    if correction.n_bytes:
        writer.varint(correction.start)
        writer.varint(len(correction.encoded) if correction.attached else 0)
        writer.raw(b"" if correction.attached else correction.encoded)


def _decode_file(reader: ByteReader, attachments: ByteReader, field: str) -> OriginalFile:
    name = reader.text(f"{field}, name", 255)
    n_bytes = reader.varint(f"{field}, size", MAX_FILE_BYTES)
    sha256 = bytes(reader.take(32, f"{field}, SHA-256"))
    fmt = reader.varint(f"{field}, format")
    if fmt not in FORMATS and fmt not in BITS and fmt != NOT_SIGNALS:
        raise UnsupportedError(f"{name}: signal format {fmt} is not known to this version")
    n_channels = byte_offset = 0
    if fmt != NOT_SIGNALS:
        n_channels = reader.varint(f"{field}, number of channels", _MAX_CHANNELS)
    samples_per_frame = tuple(
        reader.varint(f"{field}, samples per frame", _MAX_FRAME_SAMPLES) for _ in range(n_channels)
    )
    n_initial = n_channels if fmt == 8 else 0
    initial = tuple(reader.zigzag(f"{field}, initial value") for _ in range(n_initial))
    if fmt != NOT_SIGNALS:
        byte_offset = reader.varint(f"{field}, byte offset", MAX_PROLOG_BYTES)
        if not n_channels or 0 in samples_per_frame:
            raise reader.corrupt(field, "a signal file without samples")
    return OriginalFile(
        name=name,
        n_bytes=n_bytes,
        sha256=sha256,
        format=fmt,
        samples_per_frame=samples_per_frame,
        initial=initial,
        byte_offset=byte_offset,
        correction=_decode_correction(reader, attachments, field, n_bytes),
    )


def _decode_correction(
    reader: ByteReader, attachments: ByteReader, field: str, n_file: int
) -> Correction:
    n_bytes = reader.varint(f"{field}, size of the correction", n_file)
    if not n_bytes:
        return Correction(start=0, n_bytes=0, attached=False, encoded=b"")
    start = reader.varint(f"{field}, start of the correction", n_file - n_bytes)
    n_attached = reader.varint(f"{field}, size of the attachment", MAX_FILE_BYTES)
    if n_attached:
        encoded = bytes(attachments.take(n_attached, f"{field}, attachment"))
    else:
        encoded = bytes(reader.take(n_bytes, f"{field}, correction"))
    return Correction(start=start, n_bytes=n_bytes, attached=bool(n_attached), encoded=encoded)


def _check_names(files: list[OriginalFile], reader: ByteReader) -> None:
    seen = set()
    for i, file in enumerate(files):
        problem = find_name_problem(file.name)
        if problem:
            raise reader.corrupt(f"file {i}", f"the name {file.name!r} {problem}")
        # Some file systems do not tell upper from lower case.
        if file.name.casefold() in seen:
            raise reader.corrupt(f"file {i}", f"a second file of the name {file.name!r}")
        seen.add(file.name.casefold())
