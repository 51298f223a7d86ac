"""A SAN layer as the encoder sees it: kernels from a model or fitted, their places, their worth."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec import models
from sancodec.layers import Group, SanLayer, SanPlan, reconstruct, regressors
from sancodec.parameters import ModelName
from sancodec.principal import BeatsLeft, detail_amplitudes, fit_details, left_by
from sancodec.residual.discrete import WORTH_A_TRIAL, difference_bits, encode_discrete
from sancodec.residual.transform.coding import SLOPE
from sancodec.residual.wide import Span, wide_bits
from sancodec.runtime import SynthesisSession
from sancodec.san.amplitudes import (
    MAX_EXPONENT,
    MIN_EXPONENT,
    choose_exponents,
    fit_amplitudes,
    quantise,
)
from sancodec.san.analysis import BITS_PER_ACTIVATION, find
from sancodec.san.coding import encode_activations, encode_taps
from sancodec.san.fitting import fit_bank
from sancodec.san.kernels import UNIT
from sancodec.san.synthesis import MAX_SHIFT, MIN_SHIFT, Activations, expand, resample
from sancodec.san.whitening import Whitener
from sancodec.signal_types import PACED, UNKNOWN, clock_of

MEAN_SECONDS = 0.5
"""Of an ECG: what a mean over so long leaves is all but the baseline."""

_MAX_LABEL = 16
_STRICTER = (3.0, 6.0)
# Activations that save so many times their least on the mean are worth having all.
_AMPLE = 2.5
# A lead takes part where the trial says that it gains at least this share.
_WORTH = 0.001


@dataclass(frozen=True, kw_only=True)
class LayerSearch:
    """A SAN layer, and what only the encoder needs to find its activations.

    ``strictness`` multiplies what an activation has to save: a matched filter promises more
    than the residual, which adapts as well, then saves. A chunk goes without the activations of
    an ``optional`` layer where it is smaller without them. Amplitudes are fitted to what a mean of
    ``n_mean`` samples leaves, or to first differences. Where the layer has principal kernels, their
    amplitudes are as fine as coefficients in (n_leads,) ``steps``, in ADC units.
    """

    san: SanPlan
    whitener: Whitener
    model: ModelName
    strictness: float = 1.0
    optional: bool = False
    n_mean: int = 0
    steps: NDArray[np.float64] | None = None

    @property
    def minimum_bits(self) -> float:
        """What an activation has to save, over all leads."""
        return self.strictness * _minimum_bits(len(self.san.leads))

    def find(self, samples: NDArray[np.int32], first: int, n_samples: int) -> Activations:
        """Give the activations of ``n_samples`` from sample ``first`` on, counted from there.

        Parameters
        ----------
        samples : (n_leads of the group, n) int32
            In ADC units, with what stands before and behind.
        """
        san, own = self.san, samples[list(self.san.leads)]
        found = find(own, san.bank, self.whitener, self.minimum_bits, clock=san.clock)
        amplitudes = fit_amplitudes(own, found, san.expanded, min(self.n_mean, own.shape[1]))
        activations = quantise(found, amplitudes, np.array(san.exponents))
        if self.steps is not None:
            activations = _chosen(activations, self._worth_their_bits(activations, self.steps))
        if san.details is not None and self.steps is not None:
            left = left_by(own, activations, san, self.steps)
            details = detail_amplitudes(left, san.details, san, self.steps)
            activations = replace(activations, details=details)
        inside = _within(activations, san, first, n_samples)
        return inside if _fits_int32(inside, san) else _chosen(inside, slice(0, 0))

    def _worth_their_bits(
        self, activations: Activations, steps: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Tell which activations remove as much of the signal as their bits are worth in steps.

        A coefficient of the transform is given up where that is not so, too.
        """
        san = self.san
        energies = np.square(san.bank.kernels.astype(np.float64) / UNIT).sum(axis=2)
        amplitudes = activations.amplitude * np.exp2(np.array(san.exponents))
        removed = np.square(amplitudes / steps) * energies[activations.kernel]
        return np.asarray(removed.sum(axis=1) >= SLOPE * _minimum_bits(len(san.leads)))

    def for_steps(
        self, steps: NDArray[np.float64], *, level: bool, coarser: int = 0
    ) -> LayerSearch:
        """Give the layer with amplitudes as fine as those of coefficients in these steps.

        Parameters
        ----------
        steps : (n_leads,) float64
            Of the quantiser, in ADC units.
        level : bool
            Whether amplitudes are fitted to all but the baseline, or to first differences.
        coarser : int
            Amplitudes are coarser by so many powers of two.
        """
        san = self.san
        energy = np.square(san.bank.kernels.astype(np.float64) / UNIT).sum(axis=2).mean(axis=0)
        units = np.log2(steps / np.sqrt(np.maximum(energy, 1e-9))) + coarser
        exponents = np.clip(np.floor(units), MIN_EXPONENT, MAX_EXPONENT).astype(np.int64)
        finer = SanPlan.of(san.group, san.leads, exponents.tolist(), san.bank, san.clock)
        n_mean = max(round(MEAN_SECONDS * san.clock), 1) if level else 0
        return replace(self, san=finer, n_mean=n_mean, steps=steps)

    def left_by(self, samples: NDArray[np.int32], activations: Activations) -> BeatsLeft:
        """Give what the layer leaves of (n_leads of the group, n_samples) samples."""
        assert self.steps is not None
        return left_by(samples[list(self.san.leads)], activations, self.san, self.steps)

    def with_details(
        self, spans: Sequence[BeatsLeft], share: float, *, many: bool
    ) -> list[LayerSearch]:
        """Give the layer with sets of principal kernels fitted to what it leaves, to be tried.

        They are ``many``, or two at most; the record is ``share`` times as long as the spans.
        """
        assert self.steps is not None
        sets = fit_details(spans, self.san, self.steps, share, many=many)
        return [replace(self, san=replace(self.san, details=details)) for details in sets]

    def in_group(self, number: int) -> LayerSearch:
        """Give the layer for the group of this number: until then it is that of group 0."""
        return replace(self, san=replace(self.san, group=number))

    def on_leads(self, leads: tuple[int, ...]) -> LayerSearch:
        """Give the layer for the same channels where they have other numbers in their group."""
        return replace(self, san=replace(self.san, leads=leads))

    def narrowed(self, kept: Sequence[int]) -> LayerSearch:
        """Give the layer with some of its leads alone, by their place among them."""
        if len(kept) == len(self.san.leads):
            return self
        bank = self.san.bank
        if bank.n_kernel_leads > 1:
            bank = replace(bank, kernels=bank.kernels[:, kept])
        leads, exponents = self.san.leads, self.san.exponents
        san = SanPlan.of(
            self.san.group,
            [leads[i] for i in kept],
            [exponents[i] for i in kept],
            bank,
            self.san.clock,
        )
        whitener = Whitener(filters=self.whitener.filters[kept], scales=self.whitener.scales[kept])
        return replace(self, san=san, whitener=whitener)


class Part(NamedTuple):
    """The leads of one kind in a group, and samples of them to fit on.

    ``samples`` are (n_leads, n_samples) int32 of the ``leads`` alone, none of them flat.
    """

    group: Group
    kind: str
    leads: tuple[int, ...]
    samples: NDArray[np.int32]
    whitener: Whitener


def fitted_layer(part: Part, minutes_coded: float) -> LayerSearch | None:
    """Give a layer with kernels fitted to the record; None where none would pay.

    Parameters
    ----------
    minutes_coded : float
        Minutes of an ECG that would have as many events.
    """
    clock = clock_of(part.kind, part.group.fs)
    fitted = fit_bank(part.samples, clock, part.whitener, minutes_coded=minutes_coded)
    # Kernels fitted to events of nearly 32 bits: no header can hold their unit.
    if fitted is None or fitted.exponent > MAX_EXPONENT:
        return None
    bank = replace(fitted.bank, fs=part.group.fs)
    exponents = [fitted.exponent] * len(part.leads)
    san = SanPlan.of(0, part.leads, exponents, bank, clock)
    return LayerSearch(san=san, whitener=part.whitener, model=ModelName())


def model_layer(part: Part, name: str) -> LayerSearch | None:
    """Give a layer with the kernels of a model; None where they are found nowhere.

    Raises
    ------
    ModelError
        There is no such model, or its kernels cannot be had at this sampling frequency.
    """
    model, metadata = models.load(name)
    bank = resample(model, part.group.fs)
    own = metadata.get("signal_type", UNKNOWN)
    clock = clock_of(own if own in PACED else part.kind, part.group.fs)
    minimum_bits = _minimum_bits(len(part.leads))
    found = find(part.samples, bank, part.whitener, minimum_bits, clock=clock)
    if len(found.position) == 0:
        return None
    exponents = choose_exponents(fit_amplitudes(part.samples, found, expand(bank)))
    # Only a shipped model can be counted on when the file is decoded; others travel in it.
    shipped = name in models.list_models()
    label = name if shipped else Path(name).stem[:_MAX_LABEL]
    return LayerSearch(
        san=SanPlan.of(0, part.leads, exponents, bank, clock),
        whitener=part.whitener,
        model=ModelName(label, model.digest if shipped else ""),
    )


class _Worth(NamedTuple):
    """Bits that a layer saves in all, the layer, and the bits that each activation saves."""

    gain: float
    search: LayerSearch
    saved_each: float


class Trial:
    """A group's leads over a part of the record, coded with the layers that were accepted so far.

    Parameters
    ----------
    group : Group
    samples : (n_leads, n_samples) int32
        Of all leads of the group, in its order of coding.
    session : SynthesisSession
    share : float
        The part of the record that these samples are.
    """

    def __init__(
        self, group: Group, samples: NDArray[np.int32], session: SynthesisSession, share: float
    ) -> None:
        self.group = group
        self.layers: list[LayerSearch] = []
        self.why: dict[int, str] = {}
        """Of each channel, what decided about its kernels."""
        self._samples = samples
        self._session = session
        self._share = share
        self._placed: list[SanLayer] = []
        self._bits = self._code(self._placed)
        self.total = float(self._bits.sum())
        """Bits of the trial, with what the layers take."""

    def copy(self) -> Trial:
        """Give the same trial, to be given other layers."""
        twin = copy.copy(self)
        twin.layers, twin.why, twin._placed = [*self.layers], {**self.why}, [*self._placed]
        return twin

    def worth(self, search: LayerSearch, header_bytes: float) -> tuple[float, LayerSearch]:
        """Give the bits that a layer saves in the trial, and the layer with the leads that gain.

        Where its activations save little each, it is tried with fewer as well.

        Parameters
        ----------
        header_bytes : float
            What the layer takes in the header beside its kernels.
        """
        if len(self._placed) < len(self.layers):
            self._placed = [self._place(other) for other in self.layers]
            self._bits = self._code(self._placed)
        best = self._worth(search, header_bytes)
        for strictness in _STRICTER:
            if best.saved_each > _AMPLE * search.minimum_bits:
                break
            stricter = self._worth(replace(search, strictness=strictness), header_bytes)
            if stricter.gain <= best.gain:
                break
            best = stricter
        return best.gain, best.search

    def _worth(self, search: LayerSearch, header_bytes: float) -> _Worth:
        layer, leads = self._place(search), search.san.leads
        n_activations = layer.activations.n_activations
        if n_activations == 0:
            return _Worth(0.0, search, math.inf)
        gains = self._bits - self._code([*self._placed, layer])
        kept = [i for i, lead in enumerate(leads) if gains[lead] > _WORTH * self._bits[lead]]
        others = set(range(len(gains))) - set(leads) - set(_flat(self._samples))
        coded = len(encode_activations(layer.activations, search.san.bank.n_kernels))
        if not search.model.digest:
            header_bytes += len(encode_taps(search.san.bank.kernels))
        saved = float(sum(gains[leads[i]] for i in kept) + sum(gains[lead] for lead in others))
        gain = saved - 8.0 * (coded + header_bytes * self._share)
        if not kept:
            return _Worth(0.0, search, saved / n_activations)
        return _Worth(gain, search.narrowed(kept), saved / n_activations)

    def accept(self, search: LayerSearch, gain: float) -> None:
        """Let the layers that are tried from now on stand beside this one."""
        self.layers.append(search)
        self.total -= gain

    def span(self, samples: NDArray[np.int32]) -> Span:
        """Give what ``learn_starts`` takes of (n_leads, n_samples) int32 of the group's leads."""
        layers = [self._placed_in(samples, search) for search in self.layers]
        return samples, *regressors(samples.shape, self.group, layers)

    def changes_bits(self) -> float:
        """Give the bits of the trial told by changes alone, or infinity where that is far off."""
        if difference_bits(self._samples) > WORTH_A_TRIAL * self.total:
            return math.inf
        return 8.0 * len(encode_discrete(self._samples))

    def saved_by(self, starts: Sequence[Sequence[int]]) -> float:
        """Give the bits that the trial's residual saves where it begins with ``starts``."""
        span = self.span(self._samples)
        return float(wide_bits(*span).sum() - wide_bits(*span, starts).sum())

    def _place(self, search: LayerSearch) -> SanLayer:
        return self._placed_in(self._samples, search)

    def _placed_in(self, samples: NDArray[np.int32], search: LayerSearch) -> SanLayer:
        activations = search.find(samples, 0, samples.shape[1])
        return reconstruct(activations, search.san, samples.shape, self._session)

    def _code(self, layers: Sequence[SanLayer]) -> NDArray[np.float64]:
        samples = self._samples
        return wide_bits(samples, *regressors(samples.shape, self.group, layers))


def _flat(samples: NDArray[np.int32]) -> list[int]:
    return [i for i, lead in enumerate(samples) if lead.size == 0 or lead.min() == lead.max()]


def no_activations(n_leads: int) -> Activations:
    """Give no activation of ``n_leads`` leads."""
    nothing = np.zeros(0, np.int64)
    return Activations(position=nothing, kernel=nothing, amplitude=np.zeros((0, n_leads), np.int32))


def _minimum_bits(n_leads: int) -> float:
    # An amplitude takes about three bits of its own.
    return BITS_PER_ACTIVATION + 3.0 * max(n_leads - 2, 0)


def _within(activations: Activations, san: SanPlan, first: int, n_samples: int) -> Activations:
    """Keep what reaches into ``n_samples`` from sample ``first`` on, counted from there."""
    position = activations.position - 4 * first
    reach = (san.bank.n_taps - san.bank.centre) // 2
    inside = (position > -4 * reach) & (position < 4 * (n_samples + san.bank.centre // 2))
    return replace(_chosen(activations, inside), position=position[inside])


def _chosen(activations: Activations, which: slice | NDArray[np.bool_]) -> Activations:
    return Activations(
        position=activations.position[which],
        kernel=activations.kernel[which],
        amplitude=activations.amplitude[which],
        details=None if activations.details is None else activations.details[which],
    )


def _fits_int32(activations: Activations, san: SanPlan) -> bool:
    """Tell whether no sum can leave int32: only signals of nearly 32 bits may come close."""
    shifts = san.shifts()
    if shifts.min() < MIN_SHIFT or shifts.max() > MAX_SHIFT:
        return False
    taps = san.expanded.n_taps
    start = activations.position >> 2
    overlaps = np.arange(len(start)) - np.searchsorted(start, start - taps) + 1
    sums = np.abs(activations.amplitude.astype(np.int64)).max(axis=0, initial=0)
    sums *= int(np.abs(san.expanded.rows).max())
    if san.details is not None and activations.details is not None:
        total = np.abs(activations.details.astype(np.int64)).sum(axis=1).max(initial=0)
        sums += total * int(np.abs(san.details.expanded.rows).max())
    sums *= int(overlaps.max(initial=0))
    return bool((sums < (1 << (31 - np.maximum(-shifts, 0)))).all())
