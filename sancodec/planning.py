"""What the encoder chooses for a record: kernels, leads, and whether a SAN layer pays at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sancodec import models
from sancodec.chunk import (
    ChunkPlan,
    Group,
    SanLayer,
    SanPlan,
    groups_of,
    reconstruct,
    regressors,
)
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, ModelError
from sancodec.recording import Recording, RecordSource
from sancodec.residual.predictive import predictive_bits
from sancodec.runtime import SynthesisSession
from sancodec.san.amplitudes import MAX_EXPONENT, choose_exponents, fit_amplitudes, quantise
from sancodec.san.analysis import BITS_PER_ACTIVATION, find
from sancodec.san.coding import encode_activations, encode_taps
from sancodec.san.fitting import fit_bank
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import MAX_SHIFT, MIN_SHIFT, Activations, expand, resample
from sancodec.san.whitening import Whitener

DEFAULT_CHUNK_SECONDS = 60.0
MIN_CHUNK_FRAMES = 16_384
MAX_CHUNK_SAMPLES = 1 << 21

_FIT_SECONDS = 180.0
_N_FIT_SPANS = 4
_MIN_FIT_SECONDS = 60.0
_MIN_SAN_FS = 40.0
_MAX_LABEL = 16
_MAX_TRIAL_SAMPLES = 1 << 15
# A lead takes part where the trial says that it gains at least this share.
_WORTH = 0.001


@dataclass(frozen=True, kw_only=True)
class EncodingPlan:
    """A chunk plan, and what only the encoder needs to find activations for it.

    ``model_name`` is empty for kernels fitted to the record; ``model_digest`` is the digest of
    a shipped model in hexadecimal, or empty when the kernels are stored in the file.
    """

    chunks: ChunkPlan
    whitener: Whitener | None = None
    minimum_bits: float = 0.0
    model_name: str = ""
    model_digest: str = ""

    def activations(self, span: Recording, lead_in: int, n_frames: int) -> Activations | None:
        """Find the activations of the frames ``lead_in`` to ``lead_in + n_frames`` of a span."""
        san = self.chunks.san
        if san is None:
            return None
        assert self.whitener is not None
        group = self.chunks.groups[san.group]
        samples = _leads(span, group, san.leads)
        found = find(samples, san.bank, self.whitener, self.minimum_bits)
        amplitudes = fit_amplitudes(samples, found, san.expanded)
        activations = quantise(found, amplitudes, np.array(san.exponents))
        first = lead_in * group.samples_per_frame
        inside = _within(activations, san, first, n_frames * group.samples_per_frame)
        return inside if _fits_int32(inside, san) else _chosen(inside, slice(0, 0))


def chunk_frames_of(source: RecordSource, config: CodecConfig) -> int:
    """Give the number of frames of a chunk: at least 1, and no more than memory may take."""
    frame_samples = sum(channel.samples_per_frame for channel in source.channels)
    if config.chunk_seconds is None:
        frames = max(DEFAULT_CHUNK_SECONDS * source.fs, float(MIN_CHUNK_FRAMES))
    else:
        frames = config.chunk_seconds * source.fs
    # Bounded before it is rounded: it may be infinite.
    return max(round(min(frames, float(MAX_CHUNK_SAMPLES // frame_samples))), 1)


def context_frames(plan: ChunkPlan) -> int:
    """Give the frames on either side of a chunk that the search for activations looks at."""
    if plan.san is None:
        return 0
    taps = plan.san.bank.n_taps
    return -(-taps // plan.groups[plan.san.group].samples_per_frame)


def plan_record(
    source: RecordSource, config: CodecConfig, session: SynthesisSession, chunk_frames: int
) -> EncodingPlan:
    """Choose the SAN layer of a record by trial on a part of it.

    Raises
    ------
    ModelError
        The model that was asked for is not there.
    ConfigError
        The settings contradict one another.
    """
    if config.model == "none" and config.kernels != "auto":
        raise ConfigError(f"kernels: {config.kernels!r} needs a SAN layer; model is none")
    return _Planner(source, config, session, chunk_frames).choose()


class _Planner:
    """The choice for one record: its samples to fit on, and its samples to try on."""

    def __init__(
        self,
        source: RecordSource,
        config: CodecConfig,
        session: SynthesisSession,
        chunk_frames: int,
    ) -> None:
        self._source = source
        self._config = config
        self._session = session
        groups = groups_of(source.channels, source.fs)
        sizes = [len(group.channels) * group.samples_per_frame for group in groups]
        self._number = int(np.argmax(sizes))
        self._chunk_frames = chunk_frames
        self._span = self._trial_span(groups[self._number])
        self._group, self._bits_without = self._choose_order(groups[self._number])
        chosen = (*groups[: self._number], self._group, *groups[self._number + 1 :])
        self._nothing = EncodingPlan(chunks=ChunkPlan(groups=chosen, level=config.level))

    def choose(self) -> EncodingPlan:
        """Give the best plan; the one without a SAN layer where none pays."""
        if self._group.fs < _MIN_SAN_FS or self._config.model == "none":
            return self._nothing
        fitting = np.concatenate(list(self._spans()), axis=1)
        leads = [i for i, lead in enumerate(fitting) if lead.size and lead.min() < lead.max()]
        if not leads:
            return self._nothing
        whitener = Whitener.fit(fitting[leads])
        for plan in self._candidates(fitting[leads], leads, whitener):
            worthwhile = self._try(plan)
            if worthwhile is not None:
                return worthwhile
        return self._nothing

    def _choose_order(self, group: Group) -> tuple[Group, NDArray[np.float64]]:
        """Give the group in the order that pays, and the bits of its leads without a SAN layer."""
        candidates = [group] if len(group.channels) == 1 else [group, group.reversed()]
        bits = [self._bits(candidate, None, None) for candidate in candidates]
        best = int(np.argmin([b.sum() for b in bits]))
        return candidates[best], bits[best]

    def _bits(
        self, group: Group, san: SanPlan | None, layer: SanLayer | None
    ) -> NDArray[np.float64]:
        samples = _leads(self._span, group)
        return predictive_bits(samples, group.fs, *regressors(samples.shape, group, san, layer))

    def _spans(self) -> Iterator[NDArray[np.int32]]:
        """Give the samples to fit on: the whole record, or spans spread over it."""
        n_frames = self._source.n_frames
        n_wanted = int(min(_FIT_SECONDS * self._source.fs, float(n_frames)))
        if n_frames <= n_wanted:
            yield _leads(self._source.read(0, n_frames), self._group)
            return
        size = n_wanted // _N_FIT_SPANS
        for i in range(_N_FIT_SPANS):
            start = (n_frames - size) * i // (_N_FIT_SPANS - 1)
            yield _leads(self._source.read(start, start + size), self._group)

    def _candidates(
        self, fitting: NDArray[np.int32], leads: list[int], whitener: Whitener
    ) -> Iterator[EncodingPlan]:
        seconds = self._source.n_frames / self._source.fs
        fits = self._config.kernels in {"auto", "fit"} and seconds >= _MIN_FIT_SECONDS
        if fits or self._config.kernels == "fit":
            fitted = fit_bank(fitting, self._group.fs, whitener, minutes_coded=seconds / 60.0)
            if fitted is not None:
                exponents = [fitted.exponent] * len(leads)
                san = SanPlan.of(self._number, leads, exponents, fitted.bank)
                yield self._plan(san, whitener)
        if self._config.kernels in {"auto", "model"}:
            yield from self._of_model(fitting, leads, whitener)

    def _of_model(
        self, fitting: NDArray[np.int32], leads: list[int], whitener: Whitener
    ) -> Iterator[EncodingPlan]:
        name = "ecg" if self._config.model == "auto" else self._config.model
        model, _ = models.load(name)
        try:
            bank = resample(model, self._group.fs)
        except ModelError:
            if self._config.model == "auto":
                return
            raise
        found = find(fitting, bank, whitener, _minimum_bits(len(leads)))
        if len(found.position) == 0:
            return
        exponents = choose_exponents(fit_amplitudes(fitting, found, expand(bank)))
        san = SanPlan.of(self._number, leads, exponents, bank)
        # Only a shipped model can be counted on when the file is decoded; others travel in it.
        shipped = name in models.list_models()
        label = name if shipped else Path(name).stem[:_MAX_LABEL]
        yield self._plan(san, whitener, label, model.digest if shipped else "")

    def _plan(
        self, san: SanPlan, whitener: Whitener, name: str = "", digest: str = ""
    ) -> EncodingPlan:
        return EncodingPlan(
            chunks=replace(self._nothing.chunks, san=san),
            whitener=whitener,
            minimum_bits=_minimum_bits(len(san.leads)),
            model_name=name,
            model_digest=digest,
        )

    def _try(self, plan: EncodingPlan) -> EncodingPlan | None:
        """Code a part in the middle with and without; keep the leads that gain, if any.

        What was asked for by name is not put to the test.
        """
        san = plan.chunks.san
        assert san is not None
        if max(san.exponents) > MAX_EXPONENT:
            # Kernels fitted to beats of nearly 32 bits: no header can hold their unit.
            return None
        if self._config.kernels != "auto" or self._config.model != "auto":
            return plan
        span = self._span
        activations = plan.activations(span, 0, span.n_frames)
        assert activations is not None
        if activations.n_activations == 0:
            return None
        n_samples = span.n_frames * self._group.samples_per_frame
        layer = reconstruct(activations, san, len(self._group.channels), n_samples, self._session)
        without = self._bits_without
        gains = without - self._bits(self._group, san, layer)
        kept = [i for i, lead in enumerate(san.leads) if gains[lead] > _WORTH * without[lead]]
        bits = 8.0 * len(encode_activations(activations, san.bank.n_kernels))
        share = span.n_frames / self._source.n_frames
        if not plan.model_digest:
            bits += 8 * len(encode_taps(san.bank.kernels)) * share
        if sum(gains[san.leads[i]] for i in kept) <= bits:
            return None
        return _keep(plan, san, kept)

    def _trial_span(self, group: Group) -> Recording:
        """Give a part in the middle of the record, at most a chunk."""
        frame_samples = group.samples_per_frame * len(group.channels)
        n_frames = min(self._chunk_frames, max(_MAX_TRIAL_SAMPLES // frame_samples, 1))
        n_frames = min(n_frames, self._source.n_frames)
        start = (self._source.n_frames - n_frames) // 2
        return self._source.read(start, start + n_frames)


def _keep(plan: EncodingPlan, san: SanPlan, kept: list[int]) -> EncodingPlan:
    """Leave the leads out that gain nothing."""
    if len(kept) == len(san.leads):
        return plan
    assert plan.whitener is not None
    bank = san.bank
    if bank.n_kernel_leads > 1:
        bank = KernelBank(kernels=bank.kernels[:, kept], centre=bank.centre, fs=bank.fs)
    narrower = SanPlan.of(
        san.group, [san.leads[i] for i in kept], [san.exponents[i] for i in kept], bank
    )
    whitener = Whitener(filters=plan.whitener.filters[kept], scales=plan.whitener.scales[kept])
    return replace(
        plan,
        chunks=replace(plan.chunks, san=narrower),
        whitener=whitener,
        minimum_bits=_minimum_bits(len(kept)),
    )


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
    sums *= int(overlaps.max(initial=0)) * int(np.abs(san.expanded.rows).max())
    return bool((sums < (1 << (31 - np.maximum(-shifts, 0)))).all())


def _leads(
    recording: Recording, group: Group, leads: tuple[int, ...] | None = None
) -> NDArray[np.int32]:
    numbers = range(len(group.channels)) if leads is None else leads
    return np.stack([recording.signals[group.channels[lead]] for lead in numbers])
