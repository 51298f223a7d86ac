"""What groups begin with that other records taught: named in a header, and chosen by an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from sancodec import models
from sancodec.formats.primers import (
    DIGEST_BYTES,
    MAX_ENTRIES,
    TRANSFORM,
    WIDE,
    Primer,
    PrimerKey,
)
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.layers import Group, GroupPrimer
from sancodec.recording import Channel
from sancodec.signal_types import identify


def encode_primers(groups: Sequence[Group]) -> bytes:
    """Give what names the primer of the groups, and their entries; nothing where there is none."""
    named = [group.primer for group in groups]
    digests = {primer.digest for primer in named if primer is not None}
    if not digests:
        return b""
    assert len(digests) == 1
    writer = ByteWriter().raw(bytes.fromhex(digests.pop())[:DIGEST_BYTES])
    for primer in named:
        writer.varint(0 if primer is None else primer.number + 1)
    return writer.getvalue()


def with_primers(
    groups: Sequence[Group], coded: bytes, name: str, find_primer: Callable[[str], Primer]
) -> tuple[Group, ...]:
    """Give the groups with what ``encode_primers`` wrote.

    Raises
    ------
    CorruptError
        The primer has no such entry.
    ModelError
        The primer is not there.
    """
    if not coded:
        return tuple(groups)
    reader = ByteReader(coded, f"{name}: primer")
    digest = bytes(reader.take(DIGEST_BYTES, "digest")).hex()
    numbers = [reader.varint("entry", MAX_ENTRIES) for _ in groups]
    reader.expect_end("primer")
    primer = models.find_named(find_primer, digest, "primer", name)
    if max(numbers) > len(primer.entries):
        raise reader.corrupt("entry", f"{max(numbers)}, the primer has {len(primer.entries)}")
    chosen = [
        GroupPrimer(primer.digest, number - 1, primer.entries[number - 1]) if number else None
        for number in numbers
    ]
    return tuple(replace(group, primer=own) for group, own in zip(groups, chosen, strict=True))


def begun(
    groups: Sequence[Group], channels: Sequence[Channel], primer: str, *, lossless: bool
) -> tuple[Group, ...] | None:
    """Give the groups with entries that are for them; None where there is none.

    Parameters
    ----------
    groups : sequence of Group
    channels : sequence of Channel
        Of the record, or the base leads that the groups are of.
    primer : str
        ``"auto"`` for the shipped ones, ``"none"``, or the path of one.
    lossless : bool
        Whether it is a lossless residual that is to begin with them, or a lossy one.

    Raises
    ------
    ModelError
        There is no such primer.
    """
    residual = WIDE if lossless else TRANSFORM
    for keys, load in _candidates(primer):
        numbers = [_number_of(keys, residual, group, channels) for group in groups]
        if any(number is not None for number in numbers):
            found = load()
            return tuple(
                group
                if number is None
                else replace(group, primer=GroupPrimer(found.digest, number, found.entries[number]))
                for group, number in zip(groups, numbers, strict=True)
            )
    return None


def finder_of(primer: str) -> Callable[[str], Primer]:
    """Give what finds the primer that files name which were made with this setting of an encoder.

    Raises
    ------
    ModelError
        There is no such primer.
    """
    if primer in {"auto", "none"}:
        return models.find_primer
    found = models.load_primer(primer)
    return lambda _: found


def _candidates(primer: str) -> Iterator[tuple[Sequence[PrimerKey], Callable[[], Primer]]]:
    """Give the keys of each primer that may be taken, and what opens it."""
    if primer == "auto":
        for entry in models.shipped_primers():
            yield entry.keys, partial(models.load_primer, entry.name)
    elif primer != "none":
        found = models.load_primer(primer)
        yield [entry.key for entry in found.entries], lambda: found


def _number_of(
    keys: Sequence[PrimerKey], residual: int, group: Group, channels: Sequence[Channel]
) -> int | None:
    asked = residual, kind_of(group, channels), len(group.channels), group.fs
    return next((number for number, key in enumerate(keys) if key.fits(*asked)), None)


def kind_of(group: Group, channels: Sequence[Channel]) -> str:
    """Give the kind of signal that all leads of a group are, or nothing."""
    kinds = {identify(channels[i], group.fs).kind for i in group.channels}
    return kinds.pop() if len(kinds) == 1 else ""
