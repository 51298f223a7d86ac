"""Small bytes, zstd-compressed where that helps: text, tables, lists of files."""

from __future__ import annotations

import zstandard

from sancodec.errors import CorruptError

AS_IT_IS = 0
ZSTD = 1
ZSTD_AFTER = 2
"""One zstd frame without its magic, that may refer to bytes which its reader knows already."""
MAX_WINDOW = 1 << 27
"""Largest zstd window that a reader provides, in bytes."""

_LEVEL = 19
_MAGIC = b"\x28\xb5\x2f\xfd"


def compress(raw: bytes, known: bytes) -> bytes:
    """Give ``raw`` behind one byte that says how it is stored.

    Parameters
    ----------
    raw : bytes
    known : bytes
        What a reader knows before it reads this; what ``raw`` repeats of it costs little. At
        least 8 bytes.
    """
    frame = zstandard.ZstdCompressor(
        level=_LEVEL,
        dict_data=_dictionary(known),
        write_checksum=False,
        write_content_size=True,
        write_dict_id=False,
    ).compress(raw)
    if len(frame) - len(_MAGIC) < len(raw):
        return bytes([ZSTD_AFTER]) + frame[len(_MAGIC) :]
    return bytes([AS_IT_IS]) + raw


def decompress(stored: bytes, limit: int, field: str, known: bytes | None = None) -> bytes:
    """Give back what ``compress`` was given, or what version 1 of the container holds.

    Parameters
    ----------
    stored : bytes
    limit : int
        Largest allowed result, in bytes; checked before anything is allocated.
    field : str
        What the bytes are, for messages.
    known : bytes or None
        As it was given to ``compress``; None for version 1, which has no such thing.

    Raises
    ------
    CorruptError
        The method is unknown, the frame is damaged, or the result would be larger than ``limit``.
    """
    method = stored[0] if stored else None
    if method == AS_IT_IS:
        _check_size(len(stored) - 1, limit, field)
        return stored[1:]
    expected = ZSTD if known is None else ZSTD_AFTER
    if method != expected:
        raise CorruptError(f"{field}: storage method {method}, expected {AS_IT_IS} or {expected}")
    frame = stored[1:] if known is None else _MAGIC + stored[1:]
    return _decompress_frame(frame, limit, field, known)


def _decompress_frame(frame: bytes, limit: int, field: str, known: bytes | None) -> bytes:
    try:
        # A frame without a content size would be decompressed into a buffer of unknown size.
        n_bytes = zstandard.get_frame_parameters(frame).content_size
        _check_size(n_bytes, limit, field)
        raw: bytes = zstandard.ZstdDecompressor(
            dict_data=None if known is None else _dictionary(known), max_window_size=MAX_WINDOW
        ).decompress(frame, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptError(f"{field}: damaged zstd frame ({error})") from error
    return raw


def _dictionary(known: bytes) -> zstandard.ZstdCompressionDict:
    # Raw content, whatever its first bytes are: a known text is no table of codes.
    return zstandard.ZstdCompressionDict(known, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _check_size(n_bytes: int, limit: int, field: str) -> None:
    if n_bytes > limit:
        raise CorruptError(f"{field}: {n_bytes} bytes when decompressed, expected at most {limit}")
