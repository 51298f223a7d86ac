"""What headers say again and again, known to every reader: the start of what may be referred to."""

from __future__ import annotations

import functools
from pathlib import Path

_FILE = Path(__file__).resolve().parent / "phrases.bin"
SHA256 = "9dada5fb1440cbb5bf59d42e6267105176e2a71af1c1d1acd2a828167d55345a"
"""Of the bytes, in hexadecimal. Files of container version 2 need them as they are, for ever."""


@functools.cache
def phrases() -> bytes:
    """Give the phrases of container version 2; ``make_phrases.py`` says what they are."""
    return _FILE.read_bytes()
