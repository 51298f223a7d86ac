"""Files that are whole, but of another version than this one: not damaged, too new."""

from __future__ import annotations

from dataclasses import replace

from .parameters import LAYOUT_1, structured
from .parts import RAW_RAMP, Cases, Draft, counted, raw_chunk, varint
from .restoration import SIGNALS, dat, entry, listed

PLAIN = Draft()
# The begin of the digest of models/ecg-12.primer.
PRIMER = bytes.fromhex("35323f6e")


def _restored(restoration: bytes) -> bytes:
    return replace(PLAIN, restoration=restoration).build()


CASES: Cases = {
    "version-0": ("version 0 of the container, which never was", replace(PLAIN, version=0).build()),
    "version-255": ("version 255 of the container", replace(PLAIN, version=255).build()),
    "fidelity-99": ("fidelity 99", replace(PLAIN, fidelity=varint(99)).build()),
    "fidelity-hostile": ("fidelity 2^63", replace(PLAIN, fidelity=varint(1 << 63)).build()),
    "level-99": ("level 99", replace(PLAIN, level=varint(99)).build()),
    "layout-3-in-3": (
        "layout 3 of codec parameters within itself",
        structured(b"\1\1\0", 2, b"\0\3\2\2\1\0" + LAYOUT_1).build(),
    ),
    "layout-99": (
        "layout 99 of codec parameters",
        replace(PLAIN, parameters=b"\0\x63\1\0").build(),
    ),
    "layout-4-in-4": (
        "layout 4 of codec parameters within itself",
        replace(PLAIN, parameters=(b"\0\4" + counted(b"\0\0")) * 2 + b"\1\0").build(),
    ),
    "layout-6-in-6": (
        "layout 6 of codec parameters within itself",
        replace(PLAIN, parameters=(b"\0\6" + counted(PRIMER + b"\0")) * 2 + b"\1\0").build(),
    ),
    "mode-99": ("a residual in mode 99", replace(PLAIN, chunks=(raw_chunk(RAW_RAMP, 99),)).build()),
    "mode-255": ("a residual in mode 255", replace(PLAIN, chunks=(raw_chunk(b"", 255),)).build()),
    "restoration-99": ("version 99 of the restoration", _restored(b"\x63" + listed(dat())[1:])),
    "signal-format-17": (
        "a signal file in a format that WFDB does not have",
        _restored(listed(entry(b".dat", SIGNALS, varint(2) + b"\0\0", 17))),
    ),
}
