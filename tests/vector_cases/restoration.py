"""Files whose restoration gives back no files, or such as no folder should get."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from .parts import RAMP, Cases, Draft, counted, run_frame, varint

PLAIN = Draft()
SIGNALS = b"".join(
    sample.to_bytes(2, "little", signed=True)
    for frame in zip(*RAMP, strict=True)
    for sample in frame
)
HEADER = b"ramp 2 250 8\nramp.dat 16 200 12 0 0 28 0 up\nramp.dat 16 200 12 0 -8 -36 0 down\n"
NAMES = {b".hea": 1, b".dat": 2, b".mat": 3}


def entry(name: bytes, content: bytes, rest: bytes, form: int = 16) -> bytes:
    """Give a file of the list, by what is in it; a name with a dot ahead is the record's."""
    named = varint(NAMES[name]) if name in NAMES else b"\0" + counted(name)
    return named + varint(len(content)) + hashlib.sha256(content).digest()[:8] + varint(form) + rest


def dat(content: bytes = SIGNALS, rest: bytes = varint(2) + varint(0) + varint(0)) -> bytes:
    return entry(b".dat", content, rest)


def spelled(name: bytes) -> bytes:
    """Give a file of three bytes that holds no signals."""
    own = varint(3) + varint(0) + varint(0) + counted(b"\0one")
    return entry(name, b"one", varint(0) + own, 0)


def hea(style: int = 1, content: bytes = HEADER) -> bytes:
    return entry(b".hea", content, varint(style) + counted(b"\0" + content), 0)


def listed(*files: bytes, behind: bytes = b"") -> bytes:
    return b"\2" + varint(len(files)) + b"".join(files) + behind


def _of(*files: bytes, behind: bytes = b"") -> bytes:
    return replace(PLAIN, restoration=listed(*files, behind=behind)).build()


def _named(name: bytes) -> bytes:
    return _of(dat(), spelled(name))


def corrected(size: int, start: int, attached: int, rest: bytes = b"") -> bytes:
    return varint(size) + varint(start) + varint(attached) + rest


def _corrected(correction: bytes, content: bytes = SIGNALS, behind: bytes = b"") -> bytes:
    return _of(dat(content, varint(2) + varint(0) + correction), behind=behind)


def _alone(restoration: bytes) -> bytes:
    return replace(PLAIN, restoration=restoration).build()


_LONGER = SIGNALS + b"behind"

CASES: Cases = {
    "name-of-parent": ("a name that leads out of the folder", _named(b"../one")),
    "name-of-root": ("a name that begins at the root", _named(b"/one")),
    "name-with-backslash": ("a name that leads elsewhere on Windows", _named(b"..\\one")),
    "name-of-drive": ("a name with a drive of Windows", _named(b"c:one")),
    "name-hidden": ("a name that begins with a dot", _named(b".one")),
    "name-of-device": (
        "a device of Windows, in lower case and with an ending",
        _named(b"com1.dat"),
    ),
    "name-with-escape": ("a name that a terminal obeys", _named(b"one\x1b[2J")),
    "name-with-newline": ("a name of two lines", _named(b"one\ntwo")),
    "name-empty": ("a file without a name", _named(b"")),
    "name-ends-in-space": ("a name that ends in a space", _named(b"one ")),
    "name-of-256-bytes": ("a name of 256 bytes", _named(b"x" * 256)),
    "names-but-for-case": ("two names that differ by case alone", _of(dat(), spelled(b"RAMP.dat"))),
    "name-number-unknown": (
        "a name of number 4",
        _of(varint(4) + dat()[1:]),
    ),
    "files-hostile": ("2^40 files", _alone(b"\2" + varint(1 << 40))),
    "files-too-many": ("1,025 files", _alone(b"\2" + varint(1025) + bytes(1025))),
    "restoration-cut": ("a restoration that ends within its only file", _alone(listed(dat())[:-2])),
    "restoration-and-a-byte": ("a byte follows the last file", _of(dat(), behind=b"\0")),
    "channels-of-no-file": (
        "a channel that no file holds",
        _of(dat(SIGNALS[:16], varint(1) + varint(0) + varint(0))),
    ),
    "channels-too-many": (
        "a file of three channels, of a record of two",
        _of(dat(rest=varint(3) + b"\0\0")),
    ),
    "channels-none": ("a signal file of no channels", _of(dat(rest=varint(0) + b"\0\0"), dat())),
    "hash-of-another-file": ("the hash is not that of the file", _of(dat(SIGNALS[::-1]))),
    "file-too-long": ("a file longer than its samples, without a correction", _of(dat(_LONGER))),
    "file-of-hostile-size": (
        "a file said to have 2^48 + 1 bytes",
        _of(b"\2" + varint((1 << 48) + 1) + bytes(8) + varint(16) + varint(2) + b"\0\0"),
    ),
    "offset-hostile": (
        "a first frame behind 2^40 bytes",
        _of(dat(rest=varint(2) + varint(1 << 40) + b"\0" + varint(0))),
    ),
    "prolog-unknown": (
        "a prolog of kind 2",
        _of(dat(bytes(24) + SIGNALS, varint(2) + varint(24) + b"\2" + varint(0))),
    ),
    "prolog-of-another-size": (
        "the header of a MATLAB file in 23 bytes",
        _of(dat(bytes(23) + SIGNALS, varint(2) + varint(23) + b"\1" + varint(0))),
    ),
    "correction-longer-than-file": (
        "a correction longer than its file",
        _corrected(corrected(33, 0, 0, counted(b"\0" + bytes(33)))),
    ),
    "correction-behind-file": (
        "a correction that ends behind its file",
        _corrected(corrected(2, 31, 0, counted(b"\0\0\0"))),
    ),
    "correction-of-nowhere": (
        "a correction that begins behind the samples, ahead of the end",
        _corrected(corrected(5, 33, 0, counted(b"\0ehind")), _LONGER),
    ),
    "correction-of-another-size": (
        "a correction with a byte less than it is said to have",
        _corrected(corrected(6, 32, 0, counted(b"\0behin")), _LONGER),
    ),
    "correction-is-a-bomb": (
        "32 MiB of zstd where six bytes are said to be",
        _corrected(corrected(6, 32, 0, counted(b"\2" + run_frame(1 << 25, 1 << 25)[4:])), _LONGER),
    ),
    "attachment-missing": (
        "an attachment that is not there",
        _corrected(corrected(6, 32, 100), _LONGER),
    ),
    "attachment-hostile": (
        "an attachment of 2^48 bytes",
        _corrected(corrected(6, 32, 1 << 48), _LONGER),
    ),
    "attachment-cut": (
        "an attachment whose frame ends early",
        _corrected(corrected(6, 32, 10), _LONGER, run_frame(6, 6)[:10]),
    ),
    "attachment-is-no-frame": (
        "an attachment that is not zstd",
        _corrected(corrected(6, 32, 6), _LONGER, b"behind"),
    ),
    "style-unknown": ("a header in style 64", _of(hea(65), dat())),
    "text-longer-than-file": (
        "a header with a byte more than its file",
        _of(hea()[: -len(HEADER) - 2] + counted(b"\0" + HEADER + b"\n"), dat()),
    ),
    "text-of-hostile-size": (
        "a header of 2^40 bytes",
        _of(b"\1" + varint(1 << 40) + bytes(8) + b"\0\1" + counted(b"\0x"), dat()),
    ),
    "text-is-a-bomb": (
        "a header of 32 MiB",
        _of(
            b"\1"
            + varint(1 << 16)
            + bytes(8)
            + b"\0\1"
            + counted(b"\2" + run_frame(1 << 25, 1 << 25)[4:]),
            dat(),
        ),
    ),
}
