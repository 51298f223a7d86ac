"""The files of the record, byte for byte ("Restoration")."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from .header import PHRASES, Header
from .headers import header_by_rule
from .packing import FLAC, FORMATS, Blocks, Signals, predict, predict_blocks
from .record import Record
from .wire import Fields, check, check_known, expand, unpack

SIDE_FILE = 1
IN_BLOCKS = 2
EXTENSIONS = {1: ".hea", 2: ".dat", 3: ".mat"}
FORBIDDEN = set('/\\:*?"<>|')
DEVICES = {"CON", "PRN", "AUX", "NUL"} | {f"{d}{i}" for d in ("COM", "LPT") for i in range(1, 10)}


@dataclass
class File:
    name: str
    size: int
    hash: bytes
    format: int
    style: int = 0
    text: bytes = b""
    channels: range = range(0)
    initial: list[int] = field(default_factory=list)
    offset: int = 0
    prolog: int = 0
    correction_size: int = 0
    correction_start: int = 0
    attached: int = 0
    correction: bytes = b""
    blocks: Blocks | None = None


def restore(record: Record) -> dict[str, bytes]:
    """Give the files of a record, and of all of its segments, by their names."""
    contents: dict[str, bytes] = {}
    for part in [record, *record.members]:
        if part.restoration:
            files = list_files(part.restoration, part.header)
            whole = Record(part.header, part.samples, part.restoration, part.version)
            made = {file.name: _content(file, files, whole) for file in files}
            spelled = {name.casefold(): name for name in contents}
            for name, content in made.items():
                other = spelled.get(name.casefold(), name)
                check(other == name, f"two files of the name {name}")
                check(contents.setdefault(name, content) == content, f"two contents of {name}")
    return contents


def list_files(restoration: bytes, header: Header) -> list[File]:
    """Give the files that a restoration tells of."""
    fields = Fields(restoration, "restoration")
    version = fields.varint()
    check_known(version in (1, 2), f"restoration of version {version}")
    if version == 1:
        content = expand(fields.counted(2**24), 2**24, 1, b"", "list of files")
        listing = Fields(content, "list of files")
        files = _read_files(listing, header, _read_file_1)
        listing.end()
    else:
        files = _read_files(fields, header, _read_file_2)
    for file in files:
        if file.attached:
            window = 2**27
            frame = fields.take(file.attached)
            file.correction = unpack(frame, file.correction_size, b"", file.name, window)
            check(len(file.correction) == file.correction_size, "size of an attachment")
    fields.end()
    check_names([file.name for file in files])
    return files


ReadFile = Callable[[Fields, Header, int], File]


def _read_files(fields: Fields, header: Header, read_file: ReadFile) -> list[File]:
    files, n_channels = [], 0
    for _ in range(fields.varint(2**10)):
        files.append(read_file(fields, header, n_channels))
        n_channels += len(files[-1].channels)
    # Of a record of several segments, or whose files are new ones, all files are such.
    apart = all(file.format in (0, SIDE_FILE) for file in files)
    check(apart or n_channels == len(header.channels), "channels that are in no file")
    return files


def _read_file_2(fields: Fields, header: Header, first: int) -> File:
    kind = fields.varint(3)
    name = header.record + EXTENSIONS[kind] if kind else fields.text(255)
    file = File(name, fields.varint(2**48), fields.take(8), fields.varint())
    known = file.format in (0, SIDE_FILE, IN_BLOCKS) or file.format in FORMATS
    check_known(known, f"format {file.format}")
    if file.format == SIDE_FILE:
        check(file.size <= 2**28, f"a side file of {file.size} bytes")
    elif file.format == 0:
        file.style = fields.varint(64)
        if file.style:
            check(file.size <= 2**16, f"a text of {file.size} bytes")
            file.text = fields.counted(2**16 + 1)
            return file
    elif file.format == IN_BLOCKS:
        file.channels = range(first, first + fields.varint(len(header.channels) - first, 1))
        _read_blocks(fields, file, header)
    else:
        file.channels = range(first, first + fields.varint(len(header.channels) - first, 1))
        _read_layout(fields, file)
        if file.offset:
            file.prolog = fields.u8()
            check(file.prolog in (0, 1), f"prolog {file.prolog}")
            check(file.prolog == 0 or file.offset == 24, "a prolog of another size")
    _read_correction(fields, file, 2)
    return file


def _read_file_1(fields: Fields, header: Header, first: int) -> File:
    file = File(fields.text(255), fields.varint(2**48), fields.take(32), fields.varint())
    check_known(file.format == 0 or file.format in FORMATS, f"format {file.format}")
    if file.format:
        file.channels = range(first, first + fields.varint(256, 1))
        check(file.channels.stop <= len(header.channels), "more channels than the record has")
        for channel in header.channels[first : file.channels.stop]:
            per_frame = fields.varint(2**16, 1)
            check(per_frame == channel.samples_per_frame, "samples per frame")
        _read_layout(fields, file)
    _read_correction(fields, file, 1)
    return file


def _read_layout(fields: Fields, file: File) -> None:
    if file.format == 8:
        file.initial = [fields.zigzag() for _ in file.channels]
    file.offset = fields.varint(2**24)
    check(file.offset == 0 or file.format not in FLAC, "a byte offset of a FLAC file")


def _read_blocks(fields: Fields, file: File, header: Header) -> None:
    file.offset = fields.varint(2**24)
    width = fields.varint()
    check(width in (16, 24), f"samples of format {width}")
    blocks = Blocks(width // 8, fields.varint(2**26, 1), [0] * (len(file.channels) + 1))
    place = 0
    for _ in range(fields.varint(len(blocks.holes))):
        place += fields.varint(len(file.channels) - place)
        blocks.holes[place] += fields.varint(2**24)
    n_samples = sum(header.channels[i].samples_per_frame for i in file.channels)
    size = blocks.n_frames * n_samples * blocks.n_bytes + sum(blocks.holes)
    check(size <= 2**26, f"blocks of {size} bytes")
    check(header.n_frames % blocks.n_frames == 0, "frames that are in no block")
    check(file.offset + header.n_frames // blocks.n_frames * size <= file.size, "too many blocks")
    file.blocks = blocks


def _read_correction(fields: Fields, file: File, version: int) -> None:
    file.correction_size = fields.varint(file.size)
    if file.correction_size == 0:
        return
    file.correction_start = fields.varint(file.size - file.correction_size)
    file.attached = fields.varint(2**48)
    if file.attached:
        return
    if version == 1:
        file.correction = fields.take(file.correction_size)
        return
    check(file.correction_size <= 2**16, "a correction that has to be attached")
    file.correction = expand(fields.counted(), file.correction_size, 2, PHRASES, file.name)
    check(len(file.correction) == file.correction_size, "size of a correction")


def _content(file: File, files: list[File], record: Record) -> bytes:
    if file.style:
        made = header_by_rule(record, files, file.style - 1)
        content = expand(file.text, file.size, 2, PHRASES + made, file.name)
    else:
        return corrected(file, _prediction(file, record)[: file.size])
    return _hashed(file, content)


def _hashed(file: File, content: bytes) -> bytes:
    check(len(content) == file.size, f"{file.name}: {len(content)} bytes of {file.size}")
    digest = hashlib.sha256(content).digest()[: len(file.hash)]
    check(digest == file.hash, f"{file.name}: does not have its hash")
    return content


def _prediction(file: File, record: Record) -> bytes:
    if file.format in (0, SIDE_FILE) or file.format in FLAC:
        return bytes(file.size)
    channels = [record.header.channels[i] for i in file.channels]
    counts = [channel.samples_per_frame for channel in channels]
    samples = [record.samples[i] for i in file.channels]
    signals = Signals(record.header.n_frames, counts, samples, file.initial)
    if file.blocks is not None:
        return predict_blocks(file.blocks, signals, file.offset)
    return predict(file.format, signals, file.offset, file.prolog)


def corrected(file: File, prediction: bytes) -> bytes:
    """Give the content of a file from what is predicted of it."""
    start, stop = file.correction_start, file.correction_start + file.correction_size
    if len(prediction) < file.size:
        check(stop == file.size and len(prediction) >= start, f"{file.name}: bytes of nowhere")
    content = bytearray(prediction.ljust(file.size, b"\0"))
    for i, byte in enumerate(file.correction, start):
        content[i] ^= byte
    return _hashed(file, bytes(content))


def check_names(names: list[str]) -> None:
    for name in names:
        check(bool(name) and len(name.encode()) <= 255, f"the length of the name {name!r}")
        check(name[0] != "." and name[-1] not in ". ", f"the ends of the name {name!r}")
        check(name.isprintable() and not FORBIDDEN & set(name), f"a character of {name!r}")
        check(name.split(".")[0].upper() not in DEVICES, f"{name!r} is a device")
    check(len({name.casefold() for name in names}) == len(names), "two files of one name")
