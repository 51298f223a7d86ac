"""How those who wait are told how far a record is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the frames done and the frames in all.

    A lossy encoder codes a record several times before it writes it: then ``step`` says in words
    which time this is, and frames are counted from 0 each time.
    """

    def __call__(self, n_done: int, n_frames: int, step: str = "", /) -> None:
        """Tell how far it is."""
