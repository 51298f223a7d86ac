"""What a decoder knows of a lead before its first sample, and what each lead leaves to the next.

Of a lead that others were coded before, the decoder knows all of those; of every lead the SAN
reconstruction, its future included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.primers import LeadStart, WideStart
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.lead import differences, near_and_around
from sancodec.residual.taps import Taps
from sancodec.residual.template import Beats, TemplateState, new_template_state

PAD = 64
"""Zeros on either side of a series, so that look-back and look-ahead need no bounds."""
START_UNIT = 128
"""Coefficients that a record's chunks begin with are whole numbers of 1 / START_UNIT."""
MANY_LEADS = 3
"""From this number of leads coded before on, fewer samples of each source are regressors."""
MAX_LEADS_BEFORE = 12
LOOK_AHEAD = 2
FEW_OWN, MANY_OWN = 47, 15
"""Samples back: of the lead itself, of the SAN reconstruction, of leads coded before; and of what
is expected of a beat, and of the reconstructions of leads coded before."""
FEW_SAN_BACK, MANY_SAN_BACK = 29, 5
FEW_BACK, MANY_BACK = 13, 2
EXPECTED_BACK = 5


class WideContext(NamedTuple):
    """What the decoder knows of a lead before its first sample.

    ``taps`` has the lead's own differences last and, of leads with beats, what is expected at
    ``expected``; all series are first differences in ADC units, sample t at t + PAD. ``near``,
    ``around`` and ``loud`` are (n_samples,) float64 magnitudes; ``expected`` and ``loud`` fill
    up as beats are learned. ``start`` are the coefficients to begin with, or none.
    """

    taps: Taps
    san: NDArray[np.float64]
    expected: NDArray[np.float64]
    near: NDArray[np.float64]
    around: NDArray[np.float64]
    loud: NDArray[np.float64]
    beats: Beats
    template: TemplateState
    start: NDArray[np.float64]


class Contexts:
    """The contexts of the leads of one chunk, in the order of coding.

    ``starts`` are, of each lead or of none, coefficients to begin with in 1 / START_UNIT; a lead
    that has another number of regressors in this chunk begins without. So it is with what a
    primer has for each lead, or for none.
    """

    def __init__(  # noqa: PLR0917
        self,
        n_samples: int,
        fs: float,
        san: NDArray[np.int32],
        beats: Sequence[Beats],
        n_kernels: int,
        starts: Sequence[Sequence[int]] = (),
        primer: WideStart = (),
    ) -> None:
        self._n_samples = n_samples
        self._fs = fs
        self._san = san
        self._beats = beats
        self._n_kernels = n_kernels
        self._starts = starts
        self._primer = primer
        self._differences: list[NDArray[np.float64]] = []
        self._san_differences: list[NDArray[np.float64]] = []
        self._magnitudes: list[NDArray[np.float64]] = []

    def of(self, lead: int) -> WideContext:
        """Give the context of the next lead; ``add`` has been called for each one before."""
        before = self._differences[-MAX_LEADS_BEFORE:]
        few, has_beats = len(before) < MANY_LEADS, self._beats[lead].start.size > 0
        san = differences(self._san[lead].astype(np.int64), 1.0 / (1 << FRACTION_BITS), PAD)
        sources = [(other, FEW_BACK if few else MANY_BACK, LOOK_AHEAD) for other in before]
        expected = len(sources) + 1
        if has_beats:
            sources.append((san, FEW_SAN_BACK if few else MANY_SAN_BACK, LOOK_AHEAD))
            sources.append((np.zeros_like(san), EXPECTED_BACK, LOOK_AHEAD))
            others_san = self._san_differences if few else []
            sources += [(other, EXPECTED_BACK, LOOK_AHEAD) for other in others_san]
        sources.append((np.zeros_like(san), FEW_OWN if few else MANY_OWN, 0))
        series = np.stack([source for source, _, _ in sources])
        near, around = near_and_around(self._magnitudes, self._n_samples)
        return WideContext(
            taps=Taps(
                sources=series,
                first=np.array([-back for _, back, _ in sources]),
                n_taps=np.array([back + ahead + 1 for _, back, ahead in sources]),
            ),
            san=san,
            expected=series[expected] if has_beats else np.zeros_like(san),
            near=near,
            around=around,
            loud=np.zeros(self._n_samples),
            beats=self._beats[lead],
            template=new_template_state(max(self._n_kernels, 1), self._fs),
            start=self._start(lead, sum(back + ahead + 1 for _, back, ahead in sources) - 1),
        )

    def _start(self, lead: int, n_regressors: int) -> NDArray[np.float64]:
        if not self._starts or len(self._starts[lead]) != n_regressors:
            return np.zeros(0)
        return np.array(self._starts[lead], np.float64) / START_UNIT

    def primed(self, lead: int, context: WideContext) -> LeadStart | None:
        """Give what the primer has for a lead with the regressors of its context."""
        n_regressors = int(context.taps.n_taps.sum()) - 1
        found = self._primer[lead] if lead < len(self._primer) else ()
        return next((start for start in found if start.n_regressors == n_regressors), None)

    def add(self, context: WideContext, magnitude: NDArray[np.float64]) -> None:
        """Note that a lead is known, and by how much its samples were missed."""
        # A copy: the view would keep all regressors of the lead in memory.
        self._differences.append(context.taps.sources[-1].copy())
        self._magnitudes.append(magnitude)
        self._san_differences.append(context.san)
