"""A Sparsely Activated Network in torch: its kernels, and what it makes of signals."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sancodec.training.scaling import NO_SCALING, reach, stretched
from sancodec.training.territory import compete

N_REFITS = 2
# A full step diverges where three kernels overlap.
_REFIT_STEP = 0.8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of the kernels, in samples, and how their activations exclude each other.

    Attributes
    ----------
    n_kernels : int
        Kernels that are learned, each counted once whatever its scales.
    n_taps, centre : int
        Size of a kernel, and the tap that falls on the position of an activation.
    distance : int
        Minimum extrema distance: across the similarity maps of all kernels when they compete,
        and else in the map of each.
    scales : tuple of float
        Scales in time at which each kernel may be activated.
    compete : bool
        Whether kernels silence each other; the scales of one kernel always do.
    """

    n_kernels: int
    n_taps: int
    centre: int
    distance: int
    scales: tuple[float, ...] = NO_SCALING
    compete: bool = True

    @property
    def row_taps(self) -> int:
        """Taps of a row of the bank, which holds a kernel at its largest scale."""
        return reach(self.n_taps, self.centre, self.scales)[0]

    @property
    def row_centre(self) -> int:
        """The centre of a row of the bank."""
        return reach(self.n_taps, self.centre, self.scales)[1]


@dataclass(frozen=True, kw_only=True)
class Practice:
    """What differs from use while a network is trained.

    Attributes
    ----------
    distance : int
        Minimum extrema distance of this step, in samples.
    dropout : float
        Chance of each activation to be left out, before the amplitudes of the others are found.
    generator : torch.Generator
        Decides which are; of the CPU, so that it decides the same on every device.
    """

    distance: int
    dropout: float
    generator: torch.Generator


@dataclass(frozen=True, kw_only=True)
class Output:
    """What the network makes of a batch.

    Attributes
    ----------
    reconstruction : (n_windows, n_leads, n_samples) float32
    n_activations : (n_windows,) int64
        Activations of all kernels; each has an amplitude on every lead.
    row : (sum of n_activations,) int64
        The row of the bank of each activation, window by window.
    """

    reconstruction: Tensor
    n_activations: Tensor
    row: Tensor

    def used(self, n_rows: int) -> Tensor:
        """Give how many activations each of ``n_rows`` rows has, (n_windows, n_rows) int64."""
        n_windows = len(self.n_activations)
        numbers = torch.arange(n_windows, device=self.row.device)
        window = torch.repeat_interleave(numbers, self.n_activations)
        used = torch.bincount(window * n_rows + self.row, minlength=n_windows * n_rows)
        return used.reshape(n_windows, n_rows)


class SparselyActivatedNetwork(nn.Module):
    """q kernels shared by all leads; one position and kernel per activation for all of them.

    The similarity of each lead with each kernel is its cross-correlation; the strength of a
    kernel at a sample is the root of the sum of its squared similarities over the leads. The
    peaks of strength compete, the strongest first, each silencing all weaker ones within the
    minimum extrema distance, whatever their kernel. The amplitude of an activation is the
    similarity there, of every lead; what the sum of them leaves is projected again,
    ``N_REFITS`` times, so that kernels that overlap do not count the same thing twice.
    Kernels have norm 1, so that this is a projection; they end in zeros and have no mean.

    Parameters
    ----------
    shape : Shape
    kernels : (n_kernels, n_taps) float32
        To start from.
    frozen : (n_frozen, row_taps) float32, optional
        Rows that come before those of the kernels and are not trained: kernels learned before,
        at each scale of the shape.
    """

    def __init__(self, shape: Shape, kernels: Tensor, frozen: Tensor | None = None) -> None:
        super().__init__()
        self.shape = shape
        self._taper = taper(shape.n_taps).to(kernels.device)
        # So that the first kernels are those given, when they are tapered and have no mean.
        self.free = nn.Parameter(kernels / self._taper.clamp(min=1e-3))
        nothing = kernels.new_zeros(0, shape.row_taps)
        self._frozen = nothing if frozen is None else functional.normalize(frozen, dim=-1)

    @property
    def n_weights(self) -> int:
        """W of the paper: the taps of all kernels, each counted once whatever its scales."""
        n_frozen = len(self._frozen) // len(self.shape.scales)
        return (n_frozen + self.shape.n_kernels) * self.shape.n_taps

    @property
    def n_rows(self) -> int:
        """Rows of the bank: those that are frozen, and each kernel at each scale."""
        return len(self._frozen) + self.shape.n_kernels * len(self.shape.scales)

    def kernels(self) -> Tensor:
        """Give the kernels, (n_kernels, n_taps), tapered, without mean, of norm 1."""
        return tapered(self.free, self._taper)

    def rows(self) -> Tensor:
        """Give the bank, (n_rows, row_taps): what is frozen, then each kernel at each scale."""
        rows = stretched(self.kernels(), self.shape.centre, self.shape.scales)
        return torch.cat([self._frozen, rows])

    def forward(self, signals: Tensor, practice: Practice | None = None) -> Output:
        """Reconstruct (n_windows, n_leads, n_samples) signals."""
        rows = self.rows()
        with torch.no_grad():
            strength = joint_strength(signals, rows, self.shape.row_centre)
            window, position, row = self._activate(strength, practice)
        first = position - self.shape.row_centre
        placement = _Placement(signals, rows.index_select(0, row), window, first)
        fit = placement.fit_apart if self.shape.compete else placement.fit_together
        n_activations = torch.bincount(window, minlength=len(signals))
        return Output(reconstruction=fit(signals), n_activations=n_activations, row=row)

    def _activate(
        self, strength: Tensor, practice: Practice | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Give window, position and row of each activation, from (n_windows, n_rows, n_samples)."""
        distance = practice.distance if practice else self.shape.distance
        n_rows, n_samples = strength.shape[1:]
        n_rivals = n_rows if self.shape.compete else len(self.shape.scales)
        kept, rival = compete(strength.reshape(-1, n_rivals, n_samples), distance)
        territory, position = kept.nonzero(as_tuple=True)
        n_territories = n_rows // n_rivals
        window = territory.div(n_territories, rounding_mode="floor")
        row = territory % n_territories * n_rivals + rival[territory, position]
        if practice and practice.dropout:
            drawn = torch.rand(len(row), generator=practice.generator, device="cpu")
            stay = (drawn >= practice.dropout).to(row.device)
            window, position, row = window[stay], position[stay], row[stay]
        return window, position, row


class _Placement:
    """Where kernels stand on the signals of a batch, and the amplitudes that fit there."""

    def __init__(self, signals: Tensor, chosen: Tensor, window: Tensor, first: Tensor) -> None:
        self._margin = chosen.shape[-1]
        self._chosen = chosen[:, None, :]
        n_leads, n_samples = signals.shape[1:]
        self._width = n_samples + 2 * self._margin
        lead = torch.arange(n_leads, device=signals.device)[:, None]
        tap = torch.arange(self._margin, device=signals.device)
        start = (window[:, None, None] * n_leads + lead) * self._width
        index = start + (first + self._margin)[:, None, None] + tap
        self._shape = index.shape
        self._index = index.reshape(-1)

    def fit_apart(self, signals: Tensor) -> Tensor:
        """Fit kernels that overlap little: by short steps of a fixed length."""
        fitted = self._placed(self._similarity(signals), signals)
        for _ in range(N_REFITS):
            left = self._similarity(signals - fitted)
            fitted = fitted + _REFIT_STEP * self._placed(left, signals)
        return fitted

    def fit_together(self, signals: Tensor) -> Tensor:
        """Fit kernels that may lie on one another: by the steepest descent, to its lowest point.

        A step of a fixed length would diverge where several kernels answer to the same wave.
        """
        fitted = torch.zeros_like(signals)
        for _ in range(1 + N_REFITS):
            error = signals - fitted
            step = self._placed(self._similarity(error), signals)
            lowest = (error * step).sum(-1, keepdim=True)
            fitted = fitted + step * (lowest / step.square().sum(-1, keepdim=True).clamp(min=1e-12))
        return fitted

    def _similarity(self, signals: Tensor) -> Tensor:
        """Give (n_activations, n_leads, 1) similarities of the kernels where they stand."""
        padded = functional.pad(signals, (self._margin, self._margin))
        spans = padded.reshape(-1).index_select(0, self._index).reshape(self._shape)
        return (spans * self._chosen).sum(-1, keepdim=True)

    def _placed(self, amplitude: Tensor, like: Tensor) -> Tensor:
        """Give the sum of the kernels, each times its amplitude, in the shape of ``like``."""
        n_windows, n_leads, n_samples = like.shape
        parts = (amplitude * self._chosen).reshape(-1)
        nothing = like.new_zeros(n_windows * n_leads * self._width)
        placed = nothing.index_add(0, self._index, parts).reshape(n_windows, n_leads, -1)
        return placed[:, :, self._margin : self._margin + n_samples]


def taper(n_taps: int) -> Tensor:
    """Give a window that rises and falls as sin^2 over the first and last eighth."""
    n_ramp = max(1, n_taps // 8)
    ramp = torch.sin(torch.pi / 2 * torch.arange(n_ramp, device="cpu") / n_ramp) ** 2
    return torch.cat([ramp, torch.ones(n_taps - 2 * n_ramp, device="cpu"), ramp.flip(0)])


def tapered(free: Tensor, window: Tensor) -> Tensor:
    """Give kernels that end in zeros and have no mean, with norm 1."""
    centred = free - (free * window).sum(-1, keepdim=True) / window.sum()
    return functional.normalize(centred * window, dim=-1)


def joint_strength(signals: Tensor, kernels: Tensor, centre: int) -> Tensor:
    """Give the root of the sum over leads of squared similarities.

    Parameters
    ----------
    signals : (n_windows, n_leads, n_samples) float32
    kernels : (n_kernels, n_taps) float32

    Returns
    -------
    (n_windows, n_kernels, n_samples) float32
    """
    n_samples, n_taps = signals.shape[-1], kernels.shape[-1]
    n_fft = 1 << (n_samples + n_taps - 1).bit_length()
    spectrum = torch.fft.rfft(signals, n_fft)[:, :, None]
    filters = torch.fft.rfft(kernels, n_fft).conj()
    similarity: Tensor = torch.fft.irfft(spectrum * filters, n_fft)
    return similarity.square().sum(1).sqrt().roll(centre, -1)[..., :n_samples]
