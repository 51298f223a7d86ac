"""How far training has come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

OnBatch = Callable[[int, int], None]
"""Called with the number of batches done and in all."""


class Progress:
    """Counts batches, from several threads, and tells of each."""

    def __init__(self, on_batch: OnBatch | None, n_batches: int) -> None:
        self._on_batch = on_batch
        self._n_batches = n_batches
        self._n_done = 0
        self._lock = threading.Lock()

    def counted(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Pass batches on; each is done when the next one is asked for."""
        for batch in batches:
            yield batch
            self.skip(1)

    def skip(self, n_batches: int) -> None:
        """Count batches as done."""
        with self._lock:
            self._n_done += n_batches
            if self._on_batch:
                self._on_batch(self._n_done, self._n_batches)

    def end(self) -> None:
        """Count as done what training has ended without."""
        if self._n_done < self._n_batches:
            self.skip(self._n_batches - self._n_done)
