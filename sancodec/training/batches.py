"""The windows of all records: which are trained on, which are held back, and in what order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sancodec.errors import ConfigError
from sancodec.training.windows import RecordWindows

_HELD_BACK_EVERY = 5

Order = list[tuple[int, Tensor]]
"""Batches of an epoch: the number of a tensor of windows, and which of its windows."""


class Batches:
    """Windows on the device that trains.

    Every fifth window of each record is held back: not trained on, only judged by. Records with
    fewer windows than that are counted on together, and those with fewer than a batch share
    batches with others of as many leads and samples.

    Attributes
    ----------
    training, held_back : list of (n_windows, n_leads, n_samples) float32
    n_batches : int
        Batches of an epoch.

    Raises
    ------
    ConfigError
        There are too few windows to hold one back.
    """

    def __init__(
        self, records: Sequence[RecordWindows], batch_size: int, device: torch.device
    ) -> None:
        self.device = device
        self._batch_size = batch_size
        training, held_back = _split(records)
        self.training = [windows.to(device) for windows in _shared(training, batch_size)]
        self.held_back = [windows.to(device) for windows in _shared(held_back, batch_size)]
        self.n_batches = sum(-(-len(windows) // batch_size) for windows in self.training)

    def draw(self, generator: torch.Generator) -> Order:
        """Draw the order of an epoch: all windows, each batch from one tensor."""
        order: Order = []
        for number, windows in enumerate(self.training):
            shuffled = torch.randperm(len(windows), generator=generator, device="cpu")
            order += [(number, part) for part in torch.split(shuffled, self._batch_size)]
        shuffled = torch.randperm(len(order), generator=generator, device="cpu")
        return [order[i] for i in shuffled.tolist()]

    def of(self, order: Order) -> Iterator[Tensor]:
        """Give the batches of an order."""
        for number, part in order:
            windows = self.training[number]
            yield windows[part.to(windows.device)]

    def no_kernels(self, n_taps: int) -> Tensor:
        """Give (0, n_taps) kernels, on the device."""
        return torch.zeros(0, n_taps, device=self.device)


def _split(records: Sequence[RecordWindows]) -> tuple[list[Tensor], list[Tensor]]:
    training: list[Tensor] = []
    held_back: list[Tensor] = []
    n_counted = 0
    for record in records:
        windows = torch.from_numpy(record.windows)
        first = 0 if len(windows) >= _HELD_BACK_EVERY else n_counted
        n_counted += len(windows) if len(windows) < _HELD_BACK_EVERY else 0
        number = first + torch.arange(len(windows), device="cpu")
        held = number % _HELD_BACK_EVERY == _HELD_BACK_EVERY - 1
        training.append(windows[~held])
        held_back.append(windows[held])
    if not any(len(windows) for windows in held_back):
        raise ConfigError(
            f"the records have fewer than {_HELD_BACK_EVERY} windows: nothing to judge the epochs "
            "by; give more or longer records, or shorter windows"
        )
    return training, held_back


def _shared(signals: list[Tensor], batch_size: int) -> list[Tensor]:
    """Put the windows of records that fill no batch together, where their sizes agree."""
    alone = [windows for windows in signals if len(windows) >= batch_size]
    few: dict[tuple[int, ...], list[Tensor]] = {}
    for windows in signals:
        if 0 < len(windows) < batch_size:
            few.setdefault(tuple(windows.shape[1:]), []).append(windows)
    return alone + [torch.cat(windows) for windows in few.values()]
