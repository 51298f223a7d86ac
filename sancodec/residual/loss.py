"""How much an encoder may lose of each channel; a decoder needs none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LeadLoss(NamedTuple):
    """The loss of the leads of one group, in its order of coding; fields as of ``Loss``.

    ``steps``, ``turning`` (n_leads,) float64 and ``max_errors`` (n_leads,) int64.
    """

    steps: NDArray[np.float64]
    missing: tuple[int | None, ...]
    turning: NDArray[np.float64] | None = None
    max_errors: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Loss:
    """What all chunks of a record lose, for each of its channels.

    Attributes
    ----------
    steps : tuple of float
        Of the quantiser of coefficients, in ADC units; 0 for all where there are none.
    missing : tuple of int or None
        The value that stands for no sample.
    turning : tuple of float or None
        Steps for which leads are turned into one another; None where they are not. They stay
        while steps move, or else errors would jump with the angles.
    max_errors : tuple of int or None
        What no sample may be off by, in ADC units; None where there is no such bound.
    """

    steps: tuple[float, ...]
    missing: tuple[int | None, ...]
    turning: tuple[float, ...] | None = None
    max_errors: tuple[int, ...] | None = None

    def of(self, channels: Sequence[int]) -> LeadLoss:
        """Give the loss of some channels, in their order."""
        which = list(channels)
        turning, max_errors = self.turning, self.max_errors
        return LeadLoss(
            steps=np.array(self.steps, np.float64)[which],
            missing=tuple(self.missing[channel] for channel in which),
            turning=None if turning is None else np.array(turning, np.float64)[which],
            max_errors=None if max_errors is None else np.array(max_errors, np.int64)[which],
        )
