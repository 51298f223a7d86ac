"""One batch at a time on one target: a lock that vanishes with the process that holds it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sancodec.errors import OutputError

LOCK = ".sancodec-lock"


@contextmanager
def locked(path: Path, target: str) -> Iterator[None]:
    """Hold the lock that stands at a path; it goes when the process does, however that ends.

    Parameters
    ----------
    path : Path
        A file that is made for this, and deleted in the end.
    target : str
        What is locked, for messages.

    Raises
    ------
    OutputError
        Another process has it, or it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _take(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    if descriptor is None:
        raise OutputError(
            f"{target}: another batch is at work there{_holder(path)}; wait for its end, or choose "
            "another target"
        )
    try:
        yield
    finally:
        # Deleted while it is held: who opened it meanwhile sees that it is not the one in place.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _take(path: Path) -> int | None:
    """Give the open descriptor of the lock; None where another process holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(descriptor):
            os.close(descriptor)
            return None
        try:
            is_in_place = os.path.samestat(os.stat(path), os.fstat(descriptor))
        except FileNotFoundError:
            is_in_place = False
        if is_in_place:
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}".encode())
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        number = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" (process {number})" if number.isdigit() else ""
