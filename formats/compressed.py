"""Small bytes, zstd-compressed where that helps: text, tables, lists of files."""

from __future__ import annotations

import zstandard

from sancodec.errors import CorruptError

AS_IT_IS = 0
ZSTD = 1
MAX_WINDOW = 1 << 27
"""Largest zstd window that a reader provides, in bytes."""

_LEVEL = 19


def compress(raw: bytes) -> bytes:
    """Give ``raw`` behind one byte that says how it is stored: as it is, or as one zstd frame."""
    frame = zstandard.ZstdCompressor(
        level=_LEVEL, write_checksum=False, write_content_size=True, write_dict_id=False
    ).compress(raw)
    if len(frame) < len(raw):
        return bytes([ZSTD]) + frame
    return bytes([AS_IT_IS]) + raw


def decompress(stored: bytes, limit: int, field: str) -> bytes:
    """Give back what ``compress`` was given.

    Parameters
    ----------
    stored : bytes
    limit : int
        Largest allowed result, in bytes; checked before anything is allocated.
    field : str
        What the bytes are, for messages.

    Raises
    ------
    CorruptError
        The method is unknown, the frame is damaged, or the result would be larger than ``limit``.
    """
    method = stored[0] if stored else None
    if method == AS_IT_IS:
        _check_size(len(stored) - 1, limit, field)
        return stored[1:]
    if method != ZSTD:
        raise CorruptError(f"{field}: storage method {method}, expected {AS_IT_IS} or {ZSTD}")
    return _decompress_frame(stored[1:], limit, field)


def _decompress_frame(frame: bytes, limit: int, field: str) -> bytes:
    try:
        # A frame without a content size would be decompressed into a buffer of unknown size.
        n_bytes = zstandard.get_frame_parameters(frame).content_size
        _check_size(n_bytes, limit, field)
        raw: bytes = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompress(
            frame, max_output_size=limit, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise CorruptError(f"{field}: damaged zstd frame ({error})") from error
    return raw


def _check_size(n_bytes: int, limit: int, field: str) -> None:
    if n_bytes > limit:
        raise CorruptError(f"{field}: {n_bytes} bytes when decompressed, expected at most {limit}")
