"""How much an encoder may lose of each channel; a decoder needs none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LeadLoss(NamedTuple):
    """The loss of the leads of one group, in its order of coding.

    ``steps`` (n_leads,) float64 are those of the quantiser, in ADC units, 0 for the SAN layer
    alone; ``missing`` are the values that stand for no sample, or None; ``rotate`` lets leads be
    turned into one another.
    """

    steps: NDArray[np.float64]
    missing: tuple[int | None, ...]
    rotate: bool = True


@dataclass(frozen=True)
class Loss:
    """Steps of the quantiser of each channel of a record, in ADC units, and what is missing.

    ``rotate`` lets leads be turned into one another where that looks cheaper.
    """

    steps: tuple[float, ...]
    missing: tuple[int | None, ...]
    rotate: bool = True

    def of(self, channels: Sequence[int]) -> LeadLoss:
        """Give the loss of some channels, in their order."""
        steps = np.array([self.steps[channel] for channel in channels], np.float64)
        missing = tuple(self.missing[channel] for channel in channels)
        return LeadLoss(steps, missing, self.rotate)
