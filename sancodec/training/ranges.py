"""Largest values within a reach that differs from map to map, in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


class Reach:
    """For each map how far an entry of it reaches along the last axis, before and after.

    Largest values come from tables of windows of 1, 2, 4, ... entries: two of them, which may
    overlap, cover any window (a sparse table).

    Parameters
    ----------
    distance : (n_maps,) int64
        In entries, 0 or more.
    length : int
        Of the last axis.
    """

    def __init__(self, distance: Tensor, length: int) -> None:
        reach = distance.clamp(max=length)
        at = torch.arange(length, device=distance.device)
        powers = 2 ** torch.arange(1, 63, device=distance.device)
        level = torch.bucketize(reach, powers, right=True)
        level = torch.where(reach > 0, level, -1)
        self._levels: list[tuple[Tensor, Tensor]] = []
        for k in range(int(level.max()) + 1 if len(level) else 0):
            maps = (level == k).nonzero()[:, 0]
            # The window of 2**k that begins where the reach does ends here; -1: before the map.
            self._levels.append((maps, (at - reach[maps, None] - 1 + (1 << k)).clamp(min=-1)))
        self._first = (at - reach[:, None]).clamp(min=0)
        self._stop = (at + reach[:, None] + 1).clamp(max=length)

    def before(self, values: Tensor) -> Tensor:
        """Give the largest within the reach before each entry, -1 where there is none.

        Parameters
        ----------
        values : (n_maps, n_rows, length)
            -1 or more.
        """
        largest = torch.full_like(values, -1)
        # Column 0 stands before the map; so column i + 1 is that of entry i.
        table = functional.pad(values, (1, 0), value=-1)
        for k, (maps, end) in enumerate(self._levels):
            if k:
                half = 1 << (k - 1)
                earlier = functional.pad(table, (half, 0), value=-1)[..., : table.shape[-1]]
                table = torch.maximum(table, earlier)
            if len(maps):
                part = table[maps]
                index = (end + 1)[:, None].expand(-1, part.shape[1], -1)
                largest[maps] = torch.maximum(part[..., :-1], part.gather(2, index))
        return largest

    def after(self, values: Tensor) -> Tensor:
        """Give the largest within the reach after each entry, -1 where there is none."""
        return self.before(values.flip(-1)).flip(-1)

    def touches(self, marks: Tensor) -> Tensor:
        """Tell which of (n_maps, n_rows, length) entries have a mark within their reach."""
        count = functional.pad(marks.to(torch.int32).cumsum(-1, dtype=torch.int32), (1, 0))
        first = self._first[:, None].expand(marks.shape)
        stop = self._stop[:, None].expand(marks.shape)
        return count.gather(2, stop) > count.gather(2, first)
