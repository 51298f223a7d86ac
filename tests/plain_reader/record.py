"""What is known of a record when its samples are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from .header import Header


@dataclass
class Record:
    """A record; one of several segments has each member as a record of its own."""

    header: Header
    samples: list[list[int]]
    restoration: bytes
    version: int
    members: list[Record] = field(default_factory=list)
