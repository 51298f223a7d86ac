"""The SAN layers of many records in few runs: what a device needs to be faster than a processor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.placement import Placement
from sancodec.runtime import SynthesisSession
from sancodec.san_file import SanFile

RECORDS_AT_ONCE = 64
"""Of twelve leads and ten seconds: a quarter of a million sums each, 17 MB in all."""

_Item = TypeVar("_Item")
_Key = tuple[int, int, bytes]


def place_ahead(files: Sequence[SanFile], session: SynthesisSession) -> None:
    """Reconstruct the SAN layers of all chunks of files in few runs; then they decode with these.

    What the files decode to is the same: sums of integers have no order. A chunk that is damaged is
    left to whoever decodes it.

    Parameters
    ----------
    files : sequence of SanFile
        They keep what was placed for them until they have decoded it.
    session : SynthesisSession
        Where it is placed, and what is not known ahead.
    """
    noted = _Noting(session)
    for file in files:
        if not file.plan.layers:
            continue
        file.use(noted)
        for i in range(len(file.container.chunks)):
            try:
                file.layers(i)
            except CorruptError:
                continue
    placed = zip(noted.placements, session.place_all(noted.placements), strict=True)
    known = _Ahead(session, {_key(placement): sums for placement, sums in placed})
    for file in files:
        file.use(known)


def in_batches(items: Iterable[_Item], n_items: int) -> Iterator[list[_Item]]:
    """Give items so many at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, n_items)):
        yield batch


class _Noting(SynthesisSession):
    """Notes what is to be placed, and gives zeros for it."""

    def __init__(self, session: SynthesisSession) -> None:
        self.provider = session.provider
        self.placements: list[Placement] = []

    def place(self, placement: Placement) -> NDArray[np.int32]:
        self.placements.append(placement)
        return np.zeros((placement.n_records, placement.width), np.int32)


class _Ahead(SynthesisSession):
    """Gives what was placed before, once; anything else it has placed when it is asked for."""

    def __init__(self, session: SynthesisSession, known: dict[_Key, NDArray[np.int32]]) -> None:
        self.provider = session.provider
        self._session_behind = session
        self._known = known

    def place(self, placement: Placement) -> NDArray[np.int32]:
        sums = self._known.pop(_key(placement), None)
        return self._session_behind.place(placement) if sums is None else sums


def _key(placement: Placement) -> _Key:
    """Give what tells a placement from all others that differ from it."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (
        placement.bank,
        placement.row,
        placement.amplitude,
        placement.position,
        placement.record,
    ):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return placement.n_records, placement.n_samples, digest.digest()
