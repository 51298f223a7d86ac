"""What the encoder chooses for a record: groups, kernels, leads, and whether any of it pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.config import CodecConfig
from sancodec.errors import ConfigError
from sancodec.fidelity import Lossless
from sancodec.layer_choice import LayerChoice
from sancodec.layer_search import LayerSearch, Trial, no_activations
from sancodec.layers import ChunkPlan, Group, groups_of, leads_of
from sancodec.parameters import ModelName, encode_starts
from sancodec.primed import begun
from sancodec.recording import Channel, Recording, RecordSource
from sancodec.report import SignalReport, say_kernels
from sancodec.residual.wide import learn_starts
from sancodec.runtime import SynthesisSession
from sancodec.san.synthesis import Activations
from sancodec.signal_types import UNKNOWN, Identity

DEFAULT_CHUNK_SECONDS = 60.0
LOSSY_CHUNK_SECONDS = 1800.0
MIN_CHUNK_FRAMES = 16_384
MAX_CHUNK_SAMPLES = 1 << 21

# Beats of an ECG are alike, and so are its parts; of other signals more has to be seen.
_MAX_ECG_TRIAL_SAMPLES = 1 << 15
_MAX_TRIAL_SAMPLES = 1 << 17
_MIN_STARTED_CHUNKS = 4
_N_START_SPANS = 4


@dataclass(frozen=True, kw_only=True)
class EncodingPlan:
    """A chunk plan, what finds the activations of its layers, and what was chosen why."""

    chunks: ChunkPlan
    searches: tuple[LayerSearch, ...]
    signals: tuple[SignalReport, ...]

    @property
    def names(self) -> tuple[ModelName, ...]:
        """The model of each layer."""
        return tuple(search.model for search in self.searches)

    def activations(self, span: Recording, lead_in: int, n_frames: int) -> list[Activations]:
        """Find each layer's activations in the frames from ``lead_in`` on of a span."""
        found = []
        for search in self.searches:
            group = self.chunks.groups[search.san.group]
            spf = group.samples_per_frame
            found.append(search.find(leads_of(span, group), lead_in * spf, n_frames * spf))
        return found

    def for_steps(
        self, steps: NDArray[np.float64], *, level: bool = False, coarser: int = 0
    ) -> EncodingPlan:
        """Give the plan with amplitudes as fine as (n_channels,) steps of a quantiser ask for.

        With ``level`` they are fitted to all but the baseline; they are coarser by ``coarser``
        powers of two.
        """
        searches = []
        for search in self.searches:
            channels = self.chunks.groups[search.san.group].channels
            own = steps[[channels[lead] for lead in search.san.leads]]
            searches.append(search.for_steps(own, level=level, coarser=coarser))
        return self.with_searches(searches)

    def with_searches(self, searches: Sequence[LayerSearch]) -> EncodingPlan:
        """Give the plan with these layers in place of its own."""
        layers = tuple(search.san for search in searches)
        return replace(self, chunks=replace(self.chunks, layers=layers), searches=tuple(searches))

    def without_layers(self) -> EncodingPlan:
        """Give the plan without SAN layers."""
        signals = tuple(
            replace(signal, kernels="", decided_by="smaller without") if signal.kernels else signal
            for signal in self.signals
        )
        return replace(self, chunks=replace(self.chunks, layers=()), searches=(), signals=signals)

    def begun(
        self, channels: Sequence[Channel], primer: str, *, lossless: bool
    ) -> EncodingPlan | None:
        """Give the plan with what a primer has for its groups; parameters as of ``primed``."""
        groups = begun(self.chunks.groups, channels, primer, lossless=lossless)
        return self._with_groups(groups) if groups is not None else None

    def unprimed(self) -> EncodingPlan | None:
        """Give the plan without what a primer has for its groups; None where it has nothing."""
        groups = self.chunks.groups
        if all(group.primer is None for group in groups):
            return None
        return self._with_groups([replace(group, primer=None) for group in groups])

    def _with_groups(self, groups: Sequence[Group]) -> EncodingPlan:
        return replace(self, chunks=replace(self.chunks, groups=tuple(groups)))

    def without_optional(self, activations: Sequence[Activations]) -> list[Activations] | None:
        """Give activations without those of optional layers; None where these have none."""
        kept = [
            no_activations(len(search.san.leads)) if search.optional else own
            for search, own in zip(self.searches, activations, strict=True)
        ]
        n_kept = sum(own.n_activations for own in kept)
        return kept if n_kept < sum(own.n_activations for own in activations) else None


def chunk_frames_of(source: RecordSource, config: CodecConfig) -> int:
    """Give the number of frames of a chunk: at least 1, and no more than memory may take."""
    frame_samples = sum(channel.samples_per_frame for channel in source.channels)
    if config.chunk_seconds is None:
        # What is learned of a signal weighs more where few bits are left.
        lossless = isinstance(config.fidelity, Lossless)
        seconds = DEFAULT_CHUNK_SECONDS if lossless else LOSSY_CHUNK_SECONDS
        frames = max(seconds * source.fs, float(MIN_CHUNK_FRAMES))
    else:
        frames = config.chunk_seconds * source.fs
    # Bounded before it is rounded: it may be infinite.
    return max(round(min(frames, float(MAX_CHUNK_SAMPLES // frame_samples))), 1)


def context_frames(plan: ChunkPlan) -> int:
    """Give the frames on either side of a chunk that the search for activations looks at."""
    frames = (
        -(-san.bank.n_taps // plan.groups[san.group].samples_per_frame) for san in plan.layers
    )
    return max(frames, default=0)


def plan_record(
    source: RecordSource, config: CodecConfig, session: SynthesisSession, chunk_frames: int
) -> EncodingPlan:
    """Choose the groups of a record and their SAN layers by trial on a part of it.

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
        self._chunk_frames = chunk_frames
        self._choice = LayerChoice(source, config)
        # Only what predicts from sample to sample has anything to begin with.
        self._adapts = isinstance(config.fidelity, Lossless) and config.level != "fast"

    def choose(self) -> EncodingPlan:
        """Give the best plan; the one without SAN layers where none pays."""
        groups = groups_of(self._source.channels, self._source.fs)
        trials = [trial for group in groups for trial in self._best_partition(group)]
        # The decoder numbers groups in the order of their first channels.
        trials.sort(key=lambda trial: min(trial.group.channels))
        searches = tuple(
            search.in_group(number)
            for number, trial in enumerate(trials)
            for search in trial.layers
        )
        chunks = ChunkPlan(
            groups=tuple(self._started(trial) for trial in trials),
            layers=tuple(search.san for search in searches),
            level=self._config.level,
        )
        signals = _signals(self._source, self._choice.identities, trials)
        return EncodingPlan(chunks=chunks, searches=searches, signals=signals)

    def _started(self, trial: Trial) -> Group:
        """Give the group with coefficients that its chunks begin with, where these pay."""
        n_frames, size = self._source.n_frames, self._chunk_frames
        n_chunks = -(-n_frames // size)
        if n_chunks < _MIN_STARTED_CHUNKS or not self._adapts:
            return trial.group
        firsts = [(n_frames - size) * i // (_N_START_SPANS - 1) for i in range(_N_START_SPANS)]
        spans = (leads_of(self._source.read(i, i + size), trial.group) for i in firsts)
        started = replace(trial.group, starts=learn_starts(map(trial.span, spans)))
        saved = trial.saved_by(started.starts)
        return started if saved * n_chunks > 8 * len(encode_starts([started])) else trial.group

    def _best_partition(self, group: Group) -> list[Trial]:
        """Give the group as it is, or without those kinds of signal that pay better alone."""
        span = self._trial_span(group)
        whole = self._in_best_order(group, span)
        # Of each channel the number of its group; in every chunk a mode, a length of 4 bytes.
        n_chunks = -(-self._source.n_frames // self._chunk_frames)
        n_bytes = len(self._source.channels) + 5 * n_chunks
        cost = 8.0 * n_bytes * span.n_frames / self._source.n_frames
        parts = self._parted(whole, span, cost)
        layered = self._choice.with_layers(whole)
        if len(parts) == 1:
            return [layered]
        parts = [self._choice.with_layers(part) for part in parts]
        apart = sum(part.total for part in parts) + cost * (len(parts) - 1)
        return parts if apart < layered.total else [layered]

    def _parted(self, whole: Trial, span: Recording, cost: float) -> list[Trial]:
        """Take kinds of signal out of a group, one after the other, as long as that pays."""
        kinds = self._choice.kinds_of(whole.group)
        rest, alone = whole, []
        for kind in list(kinds):
            if len(kinds) == 1:
                break
            own = self._in_best_order(_some_of(whole.group, kinds[kind]), span)
            others = sorted(lead for other in kinds if other != kind for lead in kinds[other])
            left = self._in_best_order(_some_of(whole.group, others), span)
            if own.total + left.total + cost < rest.total:
                alone.append(own)
                rest = left
                del kinds[kind]
        return [rest, *alone]

    def _in_best_order(self, group: Group, span: Recording) -> Trial:
        orders = [group] if len(group.channels) == 1 else [group, group.reversed()]
        share = span.n_frames / self._source.n_frames
        trials = [Trial(own, leads_of(span, own), self._session, share) for own in orders]
        return min(trials, key=lambda trial: trial.total)

    def _trial_span(self, group: Group) -> Recording:
        """Give a part in the middle of the record, at most a chunk."""
        ecg = set(self._choice.kinds_of(group)) <= {"ecg", UNKNOWN}
        n_samples = _MAX_ECG_TRIAL_SAMPLES if ecg else _MAX_TRIAL_SAMPLES
        frame_samples = group.samples_per_frame * len(group.channels)
        n_frames = min(self._chunk_frames, max(n_samples // frame_samples, 1))
        n_frames = min(n_frames, self._source.n_frames)
        start = (self._source.n_frames - n_frames) // 2
        return self._source.read(start, start + n_frames)


def _signals(
    source: RecordSource, identities: Sequence[Identity], trials: Sequence[Trial]
) -> tuple[SignalReport, ...]:
    """Say of each channel what it is, what kernels it has, and why."""
    kernels: dict[int, str] = {}
    why: dict[int, str] = {}
    for trial in trials:
        why |= trial.why
        for search in trial.layers:
            said = say_kernels(search.san.bank.n_kernels, *search.model)
            kernels |= {trial.group.channels[lead]: said for lead in search.san.leads}
    return tuple(
        SignalReport(
            name=channel.name,
            kind=identity.kind,
            told_by=identity.reason,
            kernels=kernels.get(i, ""),
            decided_by=why.get(i, ""),
        )
        for i, (channel, identity) in enumerate(zip(source.channels, identities, strict=True))
    )


def _some_of(group: Group, leads: Sequence[int]) -> Group:
    return replace(group, channels=tuple(group.channels[lead] for lead in leads))
