"""How those who wait are told how far a record is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class Progress(Protocol):
    """Called with the frames done and the frames in all.

    A lossy encoder codes a record several times before it writes it: then ``step`` says in words
    which time this is, and frames are counted from 0 each time.
    """

    def __call__(self, n_done: int, n_frames: int, step: str = "", /) -> None:
        """Tell how far it is."""


def told(
    items: Iterable[_Item],
    frames_of: Callable[[_Item], int],
    n_frames: int,
    progress: Progress | None,
) -> Iterator[_Item]:
    """Pass items on, and tell after each how many of all frames have been."""
    done = 0
    for item in items:
        yield item
        done += frames_of(item)
        if progress is not None:
            progress(done, n_frames)
