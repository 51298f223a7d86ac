"""What headers say again and again, known to every reader: the start of what may be referred to."""

from __future__ import annotations

import functools
from pathlib import Path

_FILE = Path(__file__).resolve().parent / "phrases.bin"
SHA256 = "a436c52edcf2ee8755c27e9bea0d1051f8a102252a503706098232e5d6d50e05"
"""Of the bytes, in hexadecimal. Files of container version 2 need them as they are, for ever."""


@functools.cache
def phrases() -> bytes:
    """Give the phrases of container version 2; ``make_phrases.py`` says what they are."""
    return _FILE.read_bytes()
