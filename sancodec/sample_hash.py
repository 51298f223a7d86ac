"""The hash by which all samples of a record are told from any others."""

from __future__ import annotations

import hashlib

import numpy as np

from sancodec.recording import Recording


class SampleHash:
    """SHA-256 over interleaved samples as little-endian int32, span after span."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, span: Recording) -> None:
        """Add the next span."""
        self._hash.update(np.ascontiguousarray(span.interleaved(), "<i4").data)

    def digest(self) -> bytes:
        """Give the 32 bytes of the hash."""
        return self._hash.digest()
