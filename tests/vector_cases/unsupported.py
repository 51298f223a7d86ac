"""Files that are whole, but of another version than this one: not damaged, too new."""

from __future__ import annotations

from dataclasses import replace

from .parameters import LAYOUT_1, structured
from .parts import RAW_RAMP, Cases, Draft, counted, raw_chunk, varint
from .restoration import SIGNALS, dat, entry, listed

PLAIN = Draft()


def _restored(restoration: bytes) -> bytes:
    return replace(PLAIN, restoration=restoration).build()


CASES: Cases = {
    "version-0": ("version 0 of the container, which never was", replace(PLAIN, version=0).build()),
    "version-4": ("version 4 of the container", replace(PLAIN, version=4).build()),
    "version-255": ("version 255 of the container", replace(PLAIN, version=255).build()),
    "fidelity-5": ("fidelity 5", replace(PLAIN, fidelity=varint(5)).build()),
    "fidelity-hostile": ("fidelity 2^63", replace(PLAIN, fidelity=varint(1 << 63)).build()),
    "level-3": ("level 3", replace(PLAIN, level=varint(3)).build()),
    "layout-3-in-3": (
        "layout 3 of codec parameters within itself",
        structured(b"\1\1\0", 2, b"\0\3\2\2\1\0" + LAYOUT_1).build(),
    ),
    "layout-5": ("layout 5 of codec parameters", replace(PLAIN, parameters=b"\0\5\1\0").build()),
    "layout-4-in-4": (
        "layout 4 of codec parameters within itself",
        replace(PLAIN, parameters=(b"\0\4" + counted(b"\0\0")) * 2 + b"\1\0").build(),
    ),
    "mode-9": ("a residual in mode 9", replace(PLAIN, chunks=(raw_chunk(RAW_RAMP, 9),)).build()),
    "mode-255": ("a residual in mode 255", replace(PLAIN, chunks=(raw_chunk(b"", 255),)).build()),
    "restoration-3": ("version 3 of the restoration", _restored(b"\3" + listed(dat())[1:])),
    "signal-format-17": (
        "a signal file in a format that WFDB does not have",
        _restored(listed(entry(b".dat", SIGNALS, varint(2) + b"\0\0", 17))),
    ),
}
