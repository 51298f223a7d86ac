"""The list of original files in version 1, which is only read any more: SPEC.md, "Version 1"."""

from __future__ import annotations

from sancodec.errors import UnsupportedError
from sancodec.formats.compressed import decompress
from sancodec.formats.corrections import Correction
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.flac import BITS
from sancodec.formats.originals import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_LISTING_BYTES,
    MAX_PROLOG_BYTES,
    NOT_SIGNALS,
    OriginalFile,
    Originals,
    check_names,
)
from sancodec.formats.wire import ByteReader

_MAX_CHANNELS = 256
_MAX_FRAME_SAMPLES = 1 << 16


def decode_originals_1(reader: ByteReader, what: str) -> Originals:
    """Give the original files; ``reader`` stands behind the version. Errors as of ``describe``."""
    stored = reader.counted("list of files", MAX_LISTING_BYTES)
    listing = ByteReader(decompress(stored, MAX_LISTING_BYTES, f"{what}: list of files"), what)
    n_files = listing.varint("number of files", MAX_FILES)
    files = [_decode_file(listing, reader, f"file {i}") for i in range(n_files)]
    listing.expect_end("list of files")
    reader.expect_end("attachments")
    check_names(files, listing)
    return Originals(files=tuple(files))


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
