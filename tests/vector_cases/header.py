"""Files whose header says what cannot be."""

from __future__ import annotations

import math
from dataclasses import replace

from .parts import Cases, Draft, binary, counted, decimal, run_frame, same, varint, zigzag

PLAIN = Draft()
FIELDS = b"\0" + PLAIN.fields()


def _of(**fields: bytes) -> bytes:
    return replace(PLAIN, **fields).build()


def _stored(content: bytes) -> bytes:
    return _of(header=counted(content))


def _frame(content: bytes) -> bytes:
    """Compress fields as version 2 has them: without the magic."""
    return _stored(b"\2" + content[4:])


CASES: Cases = {
    "no-channels": ("a record without channels", _of(n_channels=varint(0))),
    "too-many-channels": ("2^40 channels", _of(n_channels=varint(1 << 40))),
    "channels-cut": ("three channels, and columns of two", _of(n_channels=varint(3))),
    "chunks-of-no-frames": ("chunks of no frames", _of(chunk_frames=varint(0))),
    "too-many-frames": ("more than 2^40 frames", _of(n_frames=varint((1 << 40) + 1))),
    "chunk-too-large": (
        "a chunk of 2^41 samples",
        _of(n_frames=varint(1 << 40), chunk_frames=varint(1 << 40)),
    ),
    "too-many-chunks": ("2^40 chunks", _of(n_frames=varint(1 << 40), chunk_frames=varint(1))),
    "chunks-of-no-file": (
        "2^24 chunks, in a file of a hundred bytes",
        _of(n_frames=varint(1 << 24), chunk_frames=varint(1)),
    ),
    "frames-overlong": (
        "the number of frames is not its shortest spelling",
        _of(n_frames=b"\x88\0"),
    ),
    "frequency-zero": ("a sampling frequency of 0", _of(fs=decimal(0))),
    "frequency-negative": ("a sampling frequency below 0", _of(fs=decimal(-250))),
    "frequency-infinite": ("an infinite sampling frequency", _of(fs=binary(math.inf))),
    "frequency-of-many-places": ("a decimal of 24 places", _of(fs=decimal(250, 24))),
    "frequency-of-many-digits": ("a decimal beyond 2^53", _of(fs=decimal((1 << 53) + 1, 20))),
    "gain-zero": ("an ADC gain of 0", _of(gains=same(decimal(0)))),
    "gain-not-a-number": ("an ADC gain that is no number", _of(gains=same(binary(math.nan)))),
    "column-unknown": ("a column of form 2", _of(gains=b"\2" + decimal(200))),
    "name-too-long": ("a name of 1,025 bytes", _of(names=same(counted(b"x" * 1025)))),
    "name-beyond-file": (
        "a name said to have 1,000 bytes, where fewer are left",
        _of(names=same(varint(1000) + b"x")),
    ),
    "name-not-utf-8": ("a name that is not UTF-8", _of(names=same(counted(b"\xff")))),
    "record-not-utf-8": (
        "a record name with a lone surrogate",
        _of(record=counted(b"\xed\xa0\x80")),
    ),
    "resolution-too-high": ("an ADC resolution of 65 bits", _of(resolutions=same(varint(65)))),
    "baseline-too-large": ("a baseline beyond 2^62", _of(baselines=same(zigzag((1 << 62) + 1)))),
    "adc-zero-too-small": ("an ADC zero below -2^62", _of(zeros=same(zigzag(-(1 << 62) - 1)))),
    "no-samples-per-frame": ("channels of no samples a frame", _of(per_frame=same(varint(0)))),
    "too-many-samples-per-frame": (
        "a channel of 2^16 + 1 samples a frame",
        _of(per_frame=same(varint((1 << 16) + 1))),
    ),
    "frame-too-large": (
        "two channels of 2^16 samples a frame",
        _of(per_frame=same(varint(1 << 16)), n_frames=varint(1), chunk_frames=varint(1)),
    ),
    "digest-of-seven-bytes": ("a model digest of seven bytes", _of(digest=counted(b"1234567"))),
    "digest-of-nothing": ("the digest of a model, but no layer", _of(digest=counted(b"12345678"))),
    "kernels-of-nothing": ("embedded kernels, but no layer", _of(kernels=b"kernels")),
    "fields-and-a-byte": ("a byte follows the last field", _of(behind_fields=b"\0")),
    "fields-of-no-bytes": ("the fields are empty", _stored(b"")),
    "fields-beyond-section": (
        "the fields are said to be longer than their section",
        _of(header=varint(len(FIELDS) + 1) + FIELDS),
    ),
    "fields-of-version-1": (
        "fields compressed as version 1 has them, with the magic of zstd",
        _stored(b"\1" + run_frame(64, 64)),
    ),
    "fields-of-unknown-form": ("fields compressed in form 3", _stored(b"\3" + FIELDS[1:])),
    "bomb-that-says-so": (
        "a few hundred bytes of zstd for 32 MiB, as their frame says",
        _frame(run_frame(1 << 25, 1 << 25)),
    ),
    "bomb-that-lies": (
        "32 MiB in a frame that says it has 100 bytes",
        _frame(run_frame(1 << 25, 100)),
    ),
    "bomb-of-no-size": (
        "32 MiB in a frame that does not say its size",
        _frame(run_frame(1 << 25, None)),
    ),
    "frame-of-hostile-size": (
        "a frame that says it has 2^63 bytes",
        _frame(run_frame(64, 1 << 63)),
    ),
    "frame-twice": ("two frames of zstd", _frame(run_frame(64, 64) * 2)),
    "frame-cut": ("a frame of zstd that ends early", _frame(run_frame(64, 64)[:-1])),
    "frame-damaged": (
        "a frame of zstd with a block of a reserved type",
        _frame(run_frame(64, 64)[:-4] + b"\7\2\0\0"),
    ),
}
