"""EDF and BDF files, byte by byte, for tests and golden files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ANNOTATIONS = "EDF Annotations"


@dataclass(frozen=True)
class Signal:
    """One signal: its samples, or its bytes, are a row for each data record."""

    rows: np.ndarray | Sequence[bytes]
    label: str = "EEG C3"
    units: str = "uV"
    physical: tuple[str, str] = ("-3276.8", "3276.7")
    digital: tuple[str, str] = ("-32768", "32767")


def annotations(texts: Sequence[bytes], n_bytes: int = 40, label: str = ANNOTATIONS) -> Signal:
    """Give an annotation signal of one list of texts for each data record."""
    return Signal([text.ljust(n_bytes, b"\0") for text in texts], label, "", ("-1", "1"))


def edf_bytes(
    signals: Sequence[Signal],
    *,
    duration: str = "1",
    n_records: int | None = None,
    reserved: str = "",
    sample_bytes: int = 2,
) -> bytes:
    """Give a file of these signals; ``n_records`` is what its header says."""
    rows = [[_row(row, sample_bytes) for row in signal.rows] for signal in signals]
    fields = [
        (16, [signal.label for signal in signals]),
        (80, ["AgAgCl electrode"] * len(signals)),
        (8, [signal.units for signal in signals]),
        (8, [signal.physical[0] for signal in signals]),
        (8, [signal.physical[1] for signal in signals]),
        (8, [signal.digital[0] for signal in signals]),
        (8, [signal.digital[1] for signal in signals]),
        (80, ["HP:0.1Hz"] * len(signals)),
        (8, [str(len(own[0]) // sample_bytes) for own in rows]),
        (32, [""] * len(signals)),
    ]
    version = b"0       " if sample_bytes == 2 else b"\xffBIOSEMI"
    fixed = "X F 01-JAN-1990 X".ljust(80) + "Startdate 01-JAN-2011 X X X".ljust(80)
    fixed += "01.01.1100.00.00" + str(256 * (1 + len(signals))).ljust(8) + reserved.ljust(44)
    fixed += str(len(rows[0]) if n_records is None else n_records).ljust(8)
    fixed += duration.ljust(8) + str(len(signals)).ljust(4)
    texts = "".join(text.ljust(width) for width, column in fields for text in column)
    records = map(b"".join, zip(*rows, strict=True))
    return version + (fixed + texts).encode("latin-1") + b"".join(records)


def _row(row: np.ndarray | bytes, sample_bytes: int) -> bytes:
    if isinstance(row, bytes):
        return row
    wide = np.ascontiguousarray(row, "<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, :sample_bytes].tobytes()
