"""What a kernel's beats were like in a lead, and what is expected of its next one ("Beats")."""

from __future__ import annotations

from .san import Lead
from .series import MARGIN, padded

# C of each quarter: how far between samples o lies from where a beat begins.
CUBICS = tuple(
    tuple(weight / 128 for weight in weights)
    for weights in ((0, 128, 0, 0), (-9, 111, 29, -3), (-8, 72, 72, -8), (-3, 29, 111, -9))
)


class Beats:
    """The beats of one lead; h and loud are what they are expected to be."""

    def __init__(self, lead: Lead, group_clock: float, n_samples: int) -> None:
        self.n_samples = n_samples
        self.h = padded(n_samples)
        self.loud = padded(n_samples)
        self.n_prepared = 0
        back = int(min(80 / 360 * lead.clock, 65536.0))
        self.length = max(int(min(480 / 360 * group_clock, 65536.0)), 8)
        self.starts = [a.position // 4 - back for a in lead.activations]
        self.quarters = [a.position % 4 for a in lead.activations]
        self.kernels = [a.kernel for a in lead.activations]
        n_kernels = max(self.kernels, default=-1) + 1
        self.shape = [[0.0] * self.length for _ in range(n_kernels)]
        self.loudness = [[0.0] * self.length for _ in range(n_kernels)]
        self.counts = [0] * n_kernels

    @property
    def next_start(self) -> int | None:
        """The start of the next beat that has not been prepared."""
        return self.starts[self.n_prepared] if self.n_prepared < len(self.starts) else None

    def prepare(self, b: int, d: list[float], y: list[float], k: list[float]) -> None:
        """Prepare the next beat, at sample b; the series are padded."""
        if self.n_prepared > 0:
            self._learn(self.n_prepared - 1, b, d, y, k)
        self._expect(self.n_prepared)
        self.n_prepared += 1

    def _learn(self, i: int, b: int, d: list[float], y: list[float], k: list[float]) -> None:
        start, kernel = self.starts[i], self.kernels[i]
        self.counts[kernel] += 1
        rate = max(1 / self.counts[kernel], 0.05)
        c = CUBICS[self.quarters[i]]
        shape, loudness = self.shape[kernel], self.loudness[kernel]
        for phase in range(max(0, 1 - start), min(self.length, b - start - 3)):
            t = start + phase + MARGIN
            o = [d[i] - y[i] for i in range(t - 1, t + 3)]
            found = ((c[0] * o[0] + c[1] * o[1]) + c[2] * o[2]) + c[3] * o[3]
            shape[phase] += rate * (found - shape[phase])
            found = (0.25 * k[t - 1] + 0.5 * k[t]) + 0.25 * k[t + 1]
            loudness[phase] += rate * (found - loudness[phase])

    def _expect(self, i: int) -> None:
        start, kernel, quarter = self.starts[i], self.kernels[i], self.quarters[i]
        if not self.counts[kernel]:
            return
        c = CUBICS[-quarter % 4]
        late = 2 if quarter else 1
        end = self.starts[i + 1] if i + 1 < len(self.starts) else self.n_samples
        shape, loudness = self.shape[kernel], self.loudness[kernel]
        for phase in range(
            max(late, -start), min(self.length - 2, min(end, self.n_samples) - start)
        ):
            j, t = phase - late, start + phase + MARGIN
            s = shape[j : j + 4]
            self.h[t] = ((c[0] * s[0] + c[1] * s[1]) + c[2] * s[2]) + c[3] * s[3]
            self.loud[t] = loudness[phase]
