"""The original files of a record on disk, as an encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sancodec.errors import RecordError
from sancodec.formats.originals import SignalPlaces, make_mat_prolog


@dataclass(frozen=True, kw_only=True)
class SourceFile(SignalPlaces):
    """An original file on disk, as an encoder sees it."""

    path: Path


def known_prolog(source: SourceFile, n_frames: int) -> bytes:
    """Give what stands before the first frame of a file, where it follows from its shape."""
    mat = make_mat_prolog(len(source.samples_per_frame), n_frames)
    return mat if _begins_with(source, mat) else b""


def _begins_with(source: SourceFile, prolog: bytes) -> bool:
    """Tell whether what stands before the first frame of a file is ``prolog``."""
    if source.byte_offset != len(prolog):
        return False
    try:
        with source.path.open("rb") as file:
            return file.read(len(prolog)) == prolog
    except OSError as error:
        raise RecordError(f"{source.path}: cannot be read ({error.strerror})") from error
