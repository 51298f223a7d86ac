"""Compilation of hot loops, kept on disk until any of their sources changes.

numba notices a change of the file that a function stands in, not of the functions that it calls
and the constants that it uses from other files. A codec must never run half-stale machine code:
here the whole package's sources stamp what was compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])

_FOLDERS = ("entropy", "residual", "san")


@cache
def _stamp() -> str:
    """Give the digest of all sources that compiled functions may come from."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((Path(__file__).parent / folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def compiled(function: _Function) -> _Function:
    """Compile a function of arrays and numbers when it is first called (a decorator).

    Without fast-math and without reordering: operations are done as they are written.
    """
    dispatcher = numba.njit(cache=True)(function)
    # Private to numba: a version that keeps its stamp elsewhere must not keep code at all.
    cache_file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if not hasattr(cache_file, "_source_stamp"):
        return numba.njit(function)  # type: ignore[no-any-return]
    cache_file._source_stamp = _stamp()
    return dispatcher  # type: ignore[no-any-return]
