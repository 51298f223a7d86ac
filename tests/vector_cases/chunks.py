"""Files whose chunks do not decode to samples."""

from __future__ import annotations

import struct
from dataclasses import replace

from .parameters import structured
from .parts import (
    RAW_RAMP,
    Cases,
    Draft,
    Script,
    counted,
    raw_chunk,
    raw_lead,
    same,
    varint,
    zigzag,
)

PLAIN = Draft()
BLOCKWISE, DISCRETE, PREDICTIVE, WIDE, MIXING = 2, 8, 1, 4, 3
# One sample of one channel: as little as a mode can hold.
SINGLE = Draft(
    n_frames=varint(1),
    chunk_frames=varint(1),
    n_channels=varint(1),
    names=same(counted(b"one")),
    samples=((-12345,),),
)


def blockwise(exponent: int = 3, coefficient: int = 8, sample: int = -12345) -> Script:
    """Script a blockwise residual of one sample."""
    script = Script()
    for number in (16, 8, 8, 0, 0, 0, 0, 640):
        script.number(1, number)
    script.number(2, exponent)
    for _ in range(24):
        script.signed(3, coefficient)
    return script.signed(0, sample)


def of_single(residual: bytes, mode: int = BLOCKWISE) -> bytes:
    return replace(SINGLE, chunks=(raw_chunk(residual, mode),)).build()


def _raw(residual: bytes) -> bytes:
    return replace(PLAIN, chunks=(raw_chunk(residual),)).build()


def escaped(value: int) -> bytes:
    """Give words of mode 1 or 4 for a first sample, told by the escape."""
    script = Script()
    script.symbols.append(((1 << 24) - 1, 1, 24))
    number = value + (1 << 40)
    script.symbols += [(number >> 14 * i & 0x3FFF, 1, 14) for i in range(3)]
    return script.words()


def _misfits(content: bytes) -> bytes:
    chunk = b"\1" + counted(content) + raw_chunk(RAW_RAMP)
    return structured(b"\1\1\0", chunk=chunk).build()


_WORDS = blockwise().words()

CASES: Cases = {
    "raw-too-wide": ("samples of 33 bits", _raw(raw_lead(0, 33, bytes(33)) + RAW_RAMP[8:])),
    "raw-differences-too-wide": (
        "differences of 34 bits",
        _raw(raw_lead(0, 64 + 34, bytes(5 + 30)) + RAW_RAMP[8:]),
    ),
    "raw-cut": ("samples that end early", _raw(RAW_RAMP[:-1])),
    "raw-and-a-byte": ("a byte behind the last sample", _raw(RAW_RAMP + b"\0")),
    "raw-beyond-int32": (
        "a minimum of 2^31 - 1, and more above it",
        _raw(raw_lead(2**31 - 1, 3, RAW_RAMP[5:8]) + RAW_RAMP[8:]),
    ),
    "raw-climbs-beyond-int32": (
        "differences that climb beyond 32 bits",
        _raw(raw_lead(2**31 - 8, 64, struct.pack("<i", 2) + b"\0") + RAW_RAMP[8:]),
    ),
    "words-cut": ("a residual whose last word is missing", of_single(_WORDS[:-4])),
    "words-not-whole": ("a residual that is not whole words", of_single(_WORDS + b"\0")),
    "words-left-over": ("a word behind the last sample", of_single(_WORDS + bytes(4))),
    "state-left-over": (
        "a state that is not 2^31 behind the last sample",
        of_single(blockwise().words((1 << 31) + 1)),
    ),
    "state-too-low": ("a first state below 2^31", of_single(bytes(4) + _WORDS[4:])),
    "state-too-high": ("a first state of 2^63 or more", of_single(b"\xff" * 4 + _WORDS[4:])),
    "residual-of-no-bytes": ("a residual without any words", of_single(b"")),
    "blockwise-exponent-too-large": (
        "coefficients over 2^31",
        of_single(blockwise(exponent=31).words()),
    ),
    "blockwise-coefficient-too-large": (
        "a coefficient beyond 2^24",
        of_single(blockwise(coefficient=-(1 << 24) - 1).words()),
    ),
    "blockwise-beyond-int32": (
        "a first sample of 2^31",
        of_single(blockwise(sample=1 << 31).words()),
    ),
    "blockwise-hostile": (
        "a first sample of 2^40",
        of_single(blockwise(sample=1 << 40).words()),
    ),
    "predictive-beyond-int32": ("an escape to 2^31", of_single(escaped(1 << 31), PREDICTIVE)),
    "wide-beyond-int32": ("an escape to -2^31 - 1", of_single(escaped(-(2**31) - 1), WIDE)),
    "wide-cut": ("an escape that ends early", of_single(escaped(-(2**31))[:-4], WIDE)),
    "discrete-of-noise": (
        "words that are no decisions",
        of_single(bytes(range(100, 132)), DISCRETE),
    ),
    "mixing-of-noise": ("words that are no decisions", of_single(bytes(range(100, 132)), MIXING)),
    "form-unknown": (
        "a chunk of a structured record in form 2",
        structured(b"\1\1\0", chunk=b"\2" + counted(b"\0") + raw_chunk(RAW_RAMP)).build(),
    ),
    "form-raw-cut": (
        "the raw form of a structured chunk, cut",
        structured(b"\1\1\0", chunk=b"\0" + RAW_RAMP[:-1]).build(),
    ),
    "misfits-hostile": ("2^40 misfits", _misfits(varint(1 << 40))),
    "misfit-of-zero": ("a misfit of 0", _misfits(b"\1\0\0" + zigzag(0))),
    "misfit-too-large": ("a misfit of 2^33", _misfits(b"\1\0\0" + zigzag(1 << 33))),
    "misfit-beyond-int32": (
        "a misfit that takes a sample beyond 32 bits",
        _misfits(b"\1\0\7" + zigzag(2**31 - 4)),
    ),
    "misfit-of-no-lead": ("a misfit in a lead that is not there", _misfits(b"\1\2\0" + zigzag(1))),
    "misfit-behind-the-end": ("a misfit behind the last sample", _misfits(b"\1\0\x08" + zigzag(1))),
    "misfits-and-a-byte": ("a byte follows the last misfit", _misfits(b"\0\0")),
}
