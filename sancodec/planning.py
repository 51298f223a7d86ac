"""What the encoder chooses for a record: groups, kernels, leads, and whether any of it pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec import models
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, ModelError
from sancodec.layer_search import (
    LayerSearch,
    Part,
    Trial,
    fitted_layer,
    kind_of_model,
    model_layer,
)
from sancodec.layers import ChunkPlan, Group, groups_of
from sancodec.parameters import ModelName
from sancodec.recording import Recording, RecordSource
from sancodec.report import SignalReport, say_kernels
from sancodec.runtime import SynthesisSession
from sancodec.san.synthesis import Activations
from sancodec.san.whitening import Whitener
from sancodec.signal_types import UNKNOWN, Identity, clock_of, identify

DEFAULT_CHUNK_SECONDS = 60.0
MIN_CHUNK_FRAMES = 16_384
MAX_CHUNK_SAMPLES = 1 << 21

# In seconds of an ECG: of slower signals as much more, of faster ones as much less.
_FIT_SECONDS = 180.0
_MIN_FIT_SECONDS = 60.0
_N_FIT_SPANS = 4
_MAX_FIT_SAMPLES = 1 << 22
_MAX_TRIAL_SAMPLES = 1 << 15
# Where kinds of signals have to be parted as well, there is more to decide.
_MAX_TRIAL_SAMPLES_OF_KINDS = 1 << 16
# Models are tried on signals of an unknown kind when their kernels have as many samples there.
_MIN_GUESSED_TAPS, _MAX_GUESSED_TAPS = 32, 1024
_LEFT_OUT = "gains nothing from the kernels of its kind"
# What the second layout of parameters takes beyond the first, for a layer and its channels.
_LAYER_BYTES = 64


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
            found.append(search.find(_leads(span, group), lead_in * spf, n_frames * spf))
        return found


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
        self._kinds = [identity.kind for identity in _identities(source)]
        self._named = kind_of_model(config.model) if config.model not in {"auto", "none"} else ""
        groups = groups_of(source.channels, source.fs)
        self._groups = groups
        # By kind and channels: the same signals may stand in several partitions.
        self._fits: dict[tuple[str, tuple[int, ...]], LayerSearch | None] = {}
        # Whether a layer at the pace of an ECG leaves the first layout of parameters as it is.
        self._plain = len(groups) == 1 and len(set(self._kinds)) == 1

    def choose(self) -> EncodingPlan:
        """Give the best plan; the one without SAN layers where none pays."""
        trials = [trial for group in self._groups for trial in self._best_partition(group)]
        # The decoder numbers groups in the order of their first channels.
        trials.sort(key=lambda trial: min(trial.group.channels))
        searches = tuple(
            search.in_group(number)
            for number, trial in enumerate(trials)
            for search in trial.layers
        )
        chunks = ChunkPlan(
            groups=tuple(trial.group for trial in trials),
            layers=tuple(search.san for search in searches),
            level=self._config.level,
        )
        signals = _signals(self._source, trials)
        return EncodingPlan(chunks=chunks, searches=searches, signals=signals)

    def _best_partition(self, group: Group) -> list[Trial]:
        """Give the group as it is, or without those kinds of signal that pay better alone."""
        span = self._trial_span(group)
        whole = self._in_best_order(group, span)
        # Of each channel the number of its group; in every chunk a mode, a length of 4 bytes.
        n_chunks = -(-self._source.n_frames // self._chunk_frames)
        n_bytes = len(self._source.channels) + 5 * n_chunks
        cost = 8.0 * n_bytes * span.n_frames / self._source.n_frames
        parts = self._parted(whole, span, cost)
        layered = self._with_layers(whole)
        if len(parts) == 1:
            return [layered]
        parts = [self._with_layers(part) for part in parts]
        apart = sum(part.total for part in parts) + cost * (len(parts) - 1)
        return parts if apart < layered.total else [layered]

    def _parted(self, whole: Trial, span: Recording, cost: float) -> list[Trial]:
        """Take kinds of signal out of a group, one after the other, as long as that pays."""
        kinds = self._kinds_of(whole.group)
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
        trials = [Trial(own, _leads(span, own), self._session, share) for own in orders]
        return min(trials, key=lambda trial: trial.total)

    def _trial_span(self, group: Group) -> Recording:
        """Give a part in the middle of the record, at most a chunk."""
        several = len(self._kinds_of(group)) > 1
        n_samples = _MAX_TRIAL_SAMPLES_OF_KINDS if several else _MAX_TRIAL_SAMPLES
        frame_samples = group.samples_per_frame * len(group.channels)
        n_frames = min(self._chunk_frames, max(n_samples // frame_samples, 1))
        n_frames = min(n_frames, self._source.n_frames)
        start = (self._source.n_frames - n_frames) // 2
        return self._source.read(start, start + n_frames)

    def _kinds_of(self, group: Group) -> dict[str, list[int]]:
        """Give the leads of each kind, as numbers within the group."""
        kinds: dict[str, list[int]] = {}
        for lead, channel in enumerate(group.channels):
            kinds.setdefault(self._kinds[channel], []).append(lead)
        return kinds

    def _wanted(self, group: Group) -> dict[str, list[int]]:
        """Give the leads of a group that may have a layer, by kind.

        A model that was asked for by name is for the signals of its kind; where there are none,
        for the channels with most samples.
        """
        kinds = self._kinds_of(group)
        if self._config.model == "none":
            return {}
        if not self._named:
            return kinds
        if self._named in self._kinds:
            return {kind: leads for kind, leads in kinds.items() if kind == self._named}
        largest = max(self._groups, key=lambda own: len(own.channels) * own.samples_per_frame)
        if group.samples_per_frame != largest.samples_per_frame:
            return {}
        return {self._named: list(range(len(group.channels)))}

    def _with_layers(self, trial: Trial) -> Trial:
        """Give the trial with the layers that pay.

        Each kind of signal has its own; or all share one first, as pulse and pressure follow the
        beats of the ECG, and what gains nothing from that has its own.
        """
        wanted = self._wanted(trial.group)
        apart = trial.copy()
        for kind, leads in wanted.items():
            self._add_layer(apart, kind, leads)
        if len(wanted) < 2:
            return apart
        shared = trial.copy()
        most = max(wanted, key=lambda kind: len(wanted[kind]))
        taken = self._add_layer(shared, most, list(range(len(trial.group.channels))))
        for kind, leads in wanted.items():
            if not set(leads) & set(taken):
                self._add_layer(shared, kind, leads)
        return min(apart, shared, key=lambda own: own.total)

    def _add_layer(self, trial: Trial, kind: str, leads: list[int]) -> list[int]:
        """Give leads a layer where one pays, and note why, or why not; give the leads it has."""
        part = self._part_of(trial.group, kind, leads)
        n_layers = len(trial.layers)
        why = self._try_layers(trial, part) if part else "is flat"
        taken = [lead for layer in trial.layers[n_layers:] for lead in layer.san.leads]
        for lead in leads:
            left_out = taken and lead not in taken
            trial.why[trial.group.channels[lead]] = _LEFT_OUT if left_out else why
        return taken

    def _part_of(self, group: Group, kind: str, leads: list[int]) -> Part | None:
        """Give the leads of a kind that are not flat, with samples to fit on; None without any."""
        samples = np.concatenate(list(self._spans(group, kind, leads)), axis=1)
        varied = [i for i, lead in enumerate(samples) if lead.size and lead.min() < lead.max()]
        if not varied:
            return None
        return Part(
            group=group,
            kind=kind,
            leads=tuple(leads[i] for i in varied),
            samples=samples[varied],
            whitener=Whitener.fit(samples[varied]),
        )

    def _spans(self, group: Group, kind: str, leads: list[int]) -> Iterator[NDArray[np.int32]]:
        """Give the samples to fit on: the whole record, or spans spread over it."""
        n_frames = self._source.n_frames
        seconds = _FIT_SECONDS * (clock_of(kind, group.fs) / group.fs)
        n_wanted = int(min(seconds * self._source.fs, float(n_frames)))
        n_wanted = min(n_wanted, _MAX_FIT_SAMPLES // (group.samples_per_frame * len(leads)))
        if n_frames <= n_wanted:
            yield _leads(self._source.read(0, n_frames), group)[leads]
            return
        size = n_wanted // _N_FIT_SPANS
        for i in range(_N_FIT_SPANS):
            start = (n_frames - size) * i // (_N_FIT_SPANS - 1)
            yield _leads(self._source.read(start, start + size), group)[leads]

    def _try_layers(self, trial: Trial, part: Part) -> str:
        """Add the layer that pays, kernels fitted to the record first; say what decided.

        What was asked for by name is not put to the test.
        """
        forced = self._config.kernels != "auto" or self._config.model != "auto"
        tried = []
        for candidates in (self._fitted(part), self._of_models(part)):
            layers = [layer for layer in candidates if layer is not None]
            if forced and layers:
                trial.accept(layers[0], 0.0)
                return "asked for"
            worths = [trial.worth(layer, self._header_bytes(layer, part)) for layer in layers]
            gain, best = max(worths, key=lambda worth: worth[0], default=(0.0, None))
            if best is not None and gain > 0.0:
                share = gain / trial.total
                trial.accept(best, gain)
                return f"saves {share:.1%} in the trial"
            tried += [layer.model.name or "fitted ones" for layer in layers]
        return f"no gain in the trial from {', '.join(tried)}" if tried else "none fits"

    def _fitted(self, part: Part) -> Iterator[LayerSearch | None]:
        if self._config.kernels == "model" or (self._named and self._config.kernels == "auto"):
            return
        clock = clock_of(part.kind, part.group.fs)
        seconds = self._source.n_frames / self._source.fs / (clock / part.group.fs)
        if seconds < _MIN_FIT_SECONDS and self._config.kernels != "fit":
            return
        key = (part.kind, tuple(part.group.channels[lead] for lead in part.leads))
        if key not in self._fits:
            self._fits[key] = fitted_layer(part, seconds / 60.0)
        fitted = self._fits[key]
        yield fitted and fitted.on_leads(part.leads)

    def _of_models(self, part: Part) -> Iterator[LayerSearch | None]:
        if self._config.kernels == "fit":
            return
        if self._named:
            yield model_layer(part, self._config.model)
            return
        for name in _models_for(part.kind, part.group.fs):
            try:
                yield model_layer(part, name)
            except ModelError:
                # Its kernels cannot be had at this sampling frequency.
                continue

    def _header_bytes(self, layer: LayerSearch, part: Part) -> float:
        return 0.0 if self._plain and layer.san.clock == part.group.fs else _LAYER_BYTES


def _identities(source: RecordSource) -> list[Identity]:
    return [identify(channel, source.fs * channel.samples_per_frame) for channel in source.channels]


def _signals(source: RecordSource, trials: Sequence[Trial]) -> tuple[SignalReport, ...]:
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
        for i, (channel, identity) in enumerate(
            zip(source.channels, _identities(source), strict=True)
        )
    )


def _models_for(kind: str, fs: float) -> Iterator[str]:
    """Give the shipped models to try: that of the kind; of an unknown one all that may fit."""
    for name in models.list_models():
        if name == kind:
            yield name
        elif kind == UNKNOWN:
            bank, _ = models.load(name)
            if _MIN_GUESSED_TAPS <= bank.n_taps * fs / bank.fs <= _MAX_GUESSED_TAPS:
                yield name


def _some_of(group: Group, leads: Sequence[int]) -> Group:
    return replace(group, channels=tuple(group.channels[lead] for lead in leads))


def _leads(recording: Recording, group: Group) -> NDArray[np.int32]:
    return np.stack([recording.signals[channel] for channel in group.channels])
