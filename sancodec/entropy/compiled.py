"""Compile the numeric core once, and again whenever any of its files changes.

numba keeps machine code on disk under the content of the file that a function stands in. But
what the function calls is compiled into it, from whatever file: without more, a changed callee
would leave the old arithmetic in place, in silence, and files written so decode nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from numba import njit

_CORE = ("entropy", "san", "residual")

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of the numeric core: no fast-math, kept on disk where that can be."""
    return _compile(function, "never")


def inlined(function: Function) -> Function:
    """Compile as ``compiled`` does, into each caller: for what is done once a sample."""
    return _compile(function, "always")


def _compile(function: Function, inline: Literal["never", "always"]) -> Function:
    # The name of the file of machine code follows from this name.
    digest = digest_for(Path(function.__code__.co_filename).resolve().parent)
    function.__qualname__ = f"{function.__qualname__}-{digest[:16]}"
    try:
        return cast("Function", njit(cache=True, nogil=True, inline=inline)(function))
    except RuntimeError:
        # No folder to keep it in can be written: it is compiled each time.
        return cast("Function", njit(nogil=True, inline=inline)(function))


@cache
def digest_for(folder: Path) -> str:
    """Give the SHA-256 of all sources that what stands in a folder may call, in hexadecimal.

    They are those of the numeric core, and of the folder itself when it is another one.
    """
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    folders = [package / name for name in _CORE]
    for source in folders if folder in folders else [*folders, folder]:
        for path in sorted(source.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
