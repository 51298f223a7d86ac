"""Many small alike things as one LZMA stream: heads of members, names, tables of a pack."""

from __future__ import annotations

import lzma

from sancodec.formats.wire import ByteReader, ByteWriter

_WINDOW = 1 << 20
# What a decoder has to know: nothing of it stands in a raw stream.
_PROPERTIES = {"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 0, "dict_size": _WINDOW}
_SEARCH = {"preset": 9 | lzma.PRESET_EXTREME, "nice_len": 273}


def squeeze(raw: bytes) -> bytes:
    """Give the size of ``raw`` and a raw LZMA stream of it."""
    stream = lzma.compress(raw, lzma.FORMAT_RAW, filters=[{**_PROPERTIES, **_SEARCH}])
    return ByteWriter().varint(len(raw)).raw(stream).getvalue()


def unsqueeze(reader: ByteReader, limit: int, field: str) -> bytes:
    """Give back what ``squeeze`` was given, of all bytes that a reader has left.

    Raises
    ------
    CorruptError
        The size is above ``limit``, which is checked before anything is decompressed; or the
        stream is damaged, or is of another size.
    """
    n_bytes = reader.varint(f"{field}, size", limit)
    stored = bytes(reader.take(reader.remaining, field))
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_PROPERTIES])
    try:
        # One byte more than there should be: what is too long is found without decoding all.
        raw = decompressor.decompress(stored, n_bytes + 1)
    except lzma.LZMAError as error:
        raise reader.corrupt(field, f"damaged LZMA stream ({error})") from error
    if len(raw) != n_bytes or not decompressor.eof or decompressor.unused_data:
        raise reader.corrupt(field, f"an LZMA stream of other than {n_bytes} bytes")
    return raw
