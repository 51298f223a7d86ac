"""Where a .san file is read from: a path, a URL, or stdin."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from sancodec.formats.remote import is_url, open_url
from sancodec.pack import PACK_SUFFIX, SEPARATOR, open_pack

_Source = TypeVar("_Source", Path, BinaryIO, Path | BinaryIO)


@contextmanager
def opened(source: str) -> Iterator[Path | BinaryIO]:
    """Give the path that was named, what is at a URL, or for - all of stdin in a temporary file.

    PATH.sanpack::NAME is a record of a pack, wherever that is.

    The index of a .san file stands at its end: reading one takes a file that can be sought.
    """
    if is_in_pack(source):
        path, _, name = source.partition(PACK_SUFFIX + SEPARATOR)
        with open_pack(rooted(path + PACK_SUFFIX)) as pack:
            yield pack.stream(name)
        return
    if is_url(source):
        with open_url(source) as stream:
            yield stream
        return
    if source != "-":
        yield Path(source)
        return
    with tempfile.TemporaryFile() as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        spooled.seek(0)
        yield spooled


def rooted(source: str) -> str | Path:
    """Give a URL as it is, and anything else as a path."""
    return source if is_url(source) else Path(source)


def is_in_pack(source: str) -> bool:
    """Tell whether a name is that of a record in a pack."""
    return PACK_SUFFIX + SEPARATOR in source


def rewound(source: _Source) -> _Source:
    """Give the source at its beginning, for one more reading."""
    if not isinstance(source, Path):
        source.seek(0)
    return source
