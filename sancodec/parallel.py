"""Work on chunks in threads, in order: compiled loops and ONNX Runtime let each other run."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sancodec.errors import ConfigError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_WAITING_PER_JOB = 2


def jobs_of(jobs: int | None) -> int:
    """Give the number of threads: all processors for None; ConfigError below 1."""
    if jobs is None:
        return os.cpu_count() or 1
    if jobs < 1:
        raise ConfigError(f"jobs: {jobs}, expected at least 1")
    return jobs


def map_in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], jobs: int
) -> Iterator[_Result]:
    """Give ``work`` of each item, in the order of the items, whatever the number of jobs.

    Items are taken in the caller's thread, a few ahead of the result that is waited for, so that
    memory does not grow with their number.
    """
    if jobs == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(jobs)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _WAITING_PER_JOB * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
