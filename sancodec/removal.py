"""Originals that are deleted, once what was written of them has been read back and compared."""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sancodec.errors import OutputError, VerifyError


def remove_originals(
    written: Path, originals: Sequence[Path], decode: Callable[[Path, Path], object]
) -> None:
    """Delete the files of a record that a .san file gives back byte for byte.

    Parameters
    ----------
    written : Path
        The .san file, in its place.
    originals : sequence of Path
    decode : callable
        Writes the files of a .san file to a folder.

    Raises
    ------
    VerifyError
        A file comes back otherwise, or has changed; none was deleted.
    OutputError
        There is no room beside the file to decode it, or a file cannot be deleted.
    """
    _forget_cached(written)
    try:
        # A name as of all that is unfinished: what a killed process leaves is known by it.
        with tempfile.TemporaryDirectory(prefix=".sancodec-", dir=written.parent) as folder:
            decode(written, Path(folder))
            for path in originals:
                restored = Path(folder) / path.name
                if not restored.is_file() or not filecmp.cmp(path, restored, shallow=False):
                    raise VerifyError(
                        f"{path}: is not what {written} gives back; no original was deleted"
                    )
        for path in originals:
            path.unlink()
    except OSError as error:
        raise OutputError(
            f"{error.filename or written.parent}: originals cannot be compared and deleted "
            f"({error.strerror})"
        ) from error


def _forget_cached(path: Path) -> None:
    """Let what is read next come from the disk, where the system can be asked to."""
    if not hasattr(os, "posix_fadvise"):
        return
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
