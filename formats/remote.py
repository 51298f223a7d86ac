"""Files at a URL, read through fsspec: only the bytes that are asked for are fetched."""

from __future__ import annotations

from typing import BinaryIO, cast

from sancodec.errors import RecordError


def is_url(name: str) -> bool:
    """Tell whether a name is a URL (``s3://bucket/100.san``), and not a path."""
    return "://" in name


def open_url(url: str) -> BinaryIO:
    """Open what is at a URL for reading; whoever opened it closes it.

    Raises
    ------
    RecordError
        It is not there or cannot be read, or nothing that was installed reads such URLs.
    """
    # Imported here: most files are on a disk.
    import fsspec  # noqa: PLC0415

    try:
        # Whole blocks would be fetched ahead otherwise, of files that are read here and there.
        system, path = fsspec.core.url_to_fs(url)
        return cast(BinaryIO, system.open(path, "rb", cache_type="none"))
    except (OSError, ValueError, ImportError) as error:
        raise RecordError(f"{url}: cannot be read ({error})") from error


def name_of(stream: BinaryIO) -> str:
    """Give the name of an open stream, for messages: its URL or path, else that of stdin."""
    names = (getattr(stream, attribute, None) for attribute in ("full_name", "path", "name"))
    return next((name for name in names if isinstance(name, str)), "<stdin>")
