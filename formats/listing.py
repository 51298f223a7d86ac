"""The list of original files in a container: SPEC.md, "Restoration"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sancodec.errors import UnsupportedError
from sancodec.formats.blocks import MAX_BLOCK_BYTES, MAX_HOLE_BYTES, BlockLayout, Blocks
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.corrections import MAX_INLINE_BYTES, Correction
from sancodec.formats.dat_formats import FORMATS
from sancodec.formats.flac import BITS
from sancodec.formats.listing1 import decode_originals_1
from sancodec.formats.originals import (
    IN_BLOCKS,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_PROLOG_BYTES,
    MAX_SIDE_FILE_BYTES,
    NOT_SIGNALS,
    SIDE_FILE,
    OriginalFile,
    Originals,
    RecordShape,
    check_names,
    make_mat_prolog,
)
from sancodec.formats.phrases import phrases
from sancodec.formats.predicted import MAX_HEADER_TEXT, N_STYLES
from sancodec.formats.wire import ByteReader, ByteWriter

VERSION = 2
OLD_VERSION = 1
FILE_HASH_BYTES = 8

# Number of a name that is the record's and one of these; 0 for one that is spelled.
_SUFFIXES = {1: ".hea", 2: ".dat", 3: ".mat"}
_ZEROS, _MAT = 0, 1
_BLOCK_FORMATS = (16, 24)
_OTHER_FORMATS = (NOT_SIGNALS, SIDE_FILE, IN_BLOCKS)


def encode_originals(files: Sequence[OriginalFile], shape: RecordShape) -> bytes:
    """Give the restoration of these files of a record."""
    writer = ByteWriter().varint(VERSION).varint(len(files))
    for file in files:
        _encode_file(writer, file, shape)
    for file in files:
        if file.correction.attached:
            writer.raw(file.correction.encoded)
    return writer.getvalue()


def describe(restoration: bytes, shape: RecordShape, name: str = "") -> Originals:
    """Give the original files that a restoration stands for.

    Parameters
    ----------
    restoration : bytes
    shape : RecordShape
    name : str
        Of the .san file; it begins error messages.

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
    if version == OLD_VERSION:
        return decode_originals_1(reader, what)
    if version != VERSION:
        raise UnsupportedError(
            f"{what}: version {version}, this sancodec reads {OLD_VERSION} and {VERSION}; "
            "try a newer sancodec"
        )
    n_files = reader.varint("number of files", MAX_FILES)
    listed: list[tuple[OriginalFile, int]] = []
    first = 0
    for i in range(n_files):
        file, n_attached = _decode_file(reader, f"file {i}", shape, first)
        listed.append((file, n_attached))
        first += len(file.samples_per_frame)
    files = [_attach(reader, file, n_attached) for file, n_attached in listed]
    reader.expect_end("attachments")
    check_names(files, reader)
    return Originals(files=tuple(files))


def _encode_file(writer: ByteWriter, file: OriginalFile, shape: RecordShape) -> None:
    number = next((n for n, own in _SUFFIXES.items() if file.name == shape.name + own), 0)
    writer.varint(number)
    if not number:
        writer.text(file.name)
    writer.varint(file.n_bytes).raw(file.sha256[:FILE_HASH_BYTES]).varint(file.format)
    if file.style is not None:
        writer.varint(1 + file.style).counted(file.text)
        return
    if file.format == NOT_SIGNALS:
        writer.varint(0)
    elif file.blocks is not None:
        _encode_blocks(writer, file, file.blocks)
    elif file.format != SIDE_FILE:
        _encode_signals(writer, file)
    correction = file.correction
    writer.varint(correction.n_bytes)
    if correction.n_bytes:
        writer.varint(correction.start)
        writer.varint(len(correction.encoded) if correction.attached else 0)
        if not correction.attached:
            writer.counted(compress(correction.encoded, phrases()))


def _encode_signals(writer: ByteWriter, file: OriginalFile) -> None:
    writer.varint(len(file.samples_per_frame))
    for initial in file.initial:
        writer.zigzag(initial)
    writer.varint(file.byte_offset)
    if file.byte_offset:
        writer.u8(_MAT if file.prolog else _ZEROS)


def _encode_blocks(writer: ByteWriter, file: OriginalFile, blocks: Blocks) -> None:
    writer.varint(len(file.samples_per_frame)).varint(file.byte_offset)
    writer.varint(blocks.format).varint(blocks.n_frames).varint(len(blocks.holes))
    before = 0
    for channel, n_bytes in blocks.holes:
        writer.varint(channel - before).varint(n_bytes)
        before = channel


def _decode_file(
    reader: ByteReader, field: str, shape: RecordShape, first: int
) -> tuple[OriginalFile, int]:
    """Give a file, and the size of its attachment; ``first`` is the first channel it may hold."""
    number = reader.varint(f"{field}, name", len(_SUFFIXES))
    name = shape.name + _SUFFIXES[number] if number else reader.text(f"{field}, name", 255)
    n_bytes = reader.varint(f"{field}, size", MAX_FILE_BYTES)
    sha256 = bytes(reader.take(FILE_HASH_BYTES, f"{field}, SHA-256"))
    fmt = reader.varint(f"{field}, format")
    if fmt not in FORMATS and fmt not in BITS and fmt not in _OTHER_FORMATS:
        raise UnsupportedError(f"{name}: signal format {fmt} is not known to this version")
    file = OriginalFile(name=name, n_bytes=n_bytes, sha256=sha256, format=fmt)
    if fmt == SIDE_FILE:
        if n_bytes > MAX_SIDE_FILE_BYTES:
            raise reader.corrupt(field, f"{n_bytes} bytes, at most {MAX_SIDE_FILE_BYTES}")
    elif fmt == IN_BLOCKS:
        file = _decode_blocks(reader, field, file, shape, first)
    elif fmt != NOT_SIGNALS:
        file = _decode_signals(reader, field, file, shape, first)
    elif style := reader.varint(f"{field}, style", N_STYLES):
        if n_bytes > MAX_HEADER_TEXT:
            raise reader.corrupt(field, f"a header of {n_bytes} bytes, at most {MAX_HEADER_TEXT}")
        text = reader.counted(f"{field}, text", MAX_HEADER_TEXT + 1)
        return replace(file, style=style - 1, text=text), 0
    return _decode_correction(reader, field, file)


def _decode_signals(
    reader: ByteReader, field: str, file: OriginalFile, shape: RecordShape, first: int
) -> OriginalFile:
    n_channels = _take_n_channels(reader, field, shape, first)
    n_initial = n_channels if file.format == 8 else 0
    initial = tuple(reader.zigzag(f"{field}, initial value") for _ in range(n_initial))
    byte_offset = reader.varint(f"{field}, byte offset", MAX_PROLOG_BYTES)
    kind = reader.u8(f"{field}, prolog") if byte_offset else _ZEROS
    prolog = make_mat_prolog(n_channels, shape.n_frames) if kind == _MAT else b""
    if kind not in {_ZEROS, _MAT} or len(prolog) not in {0, byte_offset}:
        raise reader.corrupt(field, f"prolog {kind} of {byte_offset} bytes")
    return replace(
        file,
        samples_per_frame=shape.samples_per_frame[first : first + n_channels],
        initial=initial,
        byte_offset=byte_offset,
        prolog=prolog,
    )


def _decode_blocks(
    reader: ByteReader, field: str, file: OriginalFile, shape: RecordShape, first: int
) -> OriginalFile:
    n_channels = _take_n_channels(reader, field, shape, first)
    byte_offset = reader.varint(f"{field}, byte offset", MAX_PROLOG_BYTES)
    fmt = reader.varint(f"{field}, format of the samples")
    if fmt not in _BLOCK_FORMATS:
        raise reader.corrupt(field, f"samples of format {fmt}, expected 16 or 24")
    n_frames = reader.varint(f"{field}, frames in a block", MAX_BLOCK_BYTES)
    holes, before = [], 0
    for _ in range(reader.varint(f"{field}, number of holes", n_channels + 1)):
        before += reader.varint(f"{field}, channels before a hole", n_channels - before)
        holes.append((before, reader.varint(f"{field}, bytes of a hole", MAX_HOLE_BYTES)))
    blocks = Blocks(format=fmt, n_frames=n_frames, holes=tuple(holes))
    spf = shape.samples_per_frame[first : first + n_channels]
    n_bytes = BlockLayout(blocks=blocks, samples_per_frame=spf).block_bytes
    if not n_frames or n_bytes > MAX_BLOCK_BYTES or shape.n_frames % n_frames:
        raise reader.corrupt(
            field, f"blocks of {n_frames} frames, {n_bytes} bytes, for {shape.n_frames} frames"
        )
    # What the samples predict is in the file: it costs no more to write than was said.
    if byte_offset + shape.n_frames // n_frames * n_bytes > file.n_bytes:
        raise reader.corrupt(field, f"blocks for {shape.n_frames} frames do not fit its size")
    return replace(file, samples_per_frame=spf, byte_offset=byte_offset, blocks=blocks)


def _take_n_channels(reader: ByteReader, field: str, shape: RecordShape, first: int) -> int:
    n_channels = reader.varint(f"{field}, number of channels", len(shape.samples_per_frame) - first)
    if not n_channels:
        raise reader.corrupt(field, "a signal file without samples")
    return n_channels


def _decode_correction(
    reader: ByteReader, field: str, file: OriginalFile
) -> tuple[OriginalFile, int]:
    n_bytes = reader.varint(f"{field}, size of the correction", file.n_bytes)
    if not n_bytes:
        return file, 0
    start = reader.varint(f"{field}, start of the correction", file.n_bytes - n_bytes)
    n_attached = reader.varint(f"{field}, size of the attachment", MAX_FILE_BYTES)
    encoded = b""
    if not n_attached:
        limit = min(n_bytes, MAX_INLINE_BYTES)
        stored = reader.counted(f"{field}, correction", limit + 1)
        encoded = decompress(stored, limit, f"{field}, correction", phrases())
        if len(encoded) != n_bytes:
            raise reader.corrupt(field, f"a correction of {len(encoded)} bytes, not {n_bytes}")
    correction = Correction(
        start=start, n_bytes=n_bytes, attached=bool(n_attached), encoded=encoded
    )
    return replace(file, correction=correction), n_attached


def _attach(reader: ByteReader, file: OriginalFile, n_attached: int) -> OriginalFile:
    if not n_attached:
        return file
    encoded = bytes(reader.take(n_attached, f"{file.name}, attachment"))
    return replace(file, correction=replace(file.correction, encoded=encoded))
