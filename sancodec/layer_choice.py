"""Which SAN layers the leads of a group get: by kind of signal, each put to the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sancodec import models
from sancodec.config import CodecConfig
from sancodec.errors import ModelError
from sancodec.fidelity import Lossless
from sancodec.layer_search import LayerSearch, Part, Trial, fitted_layer, model_layer
from sancodec.layers import Group, groups_of, leads_of
from sancodec.models.index import shipped_entries
from sancodec.recording import RecordSource
from sancodec.san.whitening import Whitener
from sancodec.signal_types import UNKNOWN, clock_of, identify

# In seconds of an ECG: of slower signals as much more, of faster ones as much less.
_FIT_SECONDS, _N_FIT_SPANS = 360.0, 24
# With loss, where rare beats have principal kernels, few long spans came to fewer bytes.
_LOSSY_FIT_SECONDS, _N_LOSSY_FIT_SPANS = 180.0, 4
_MIN_FIT_SECONDS = 60.0
_MAX_FIT_SAMPLES = 1 << 22
# Beats are alike, and so are the parts of a record of them; of other signals more has to be seen,
# and what was seen says less of the rest.
_BEATING = {"ecg", "ppg", "pressure", UNKNOWN}
_MIN_FIT_SAMPLES = 1 << 17
# Models are tried on signals of an unknown kind when their kernels have as many samples there.
_MIN_GUESSED_TAPS, _MAX_GUESSED_TAPS = 32, 1024
_TOLD = "its changes alone take fewer bits"
_LEFT_OUT = "gains nothing from the kernels of its kind"
# What the second layout of parameters takes beyond the first, for a layer and its channels.
_LAYER_BYTES = 64


class LayerChoice:
    """The choice of layers for the groups of one record.

    Parameters
    ----------
    source : RecordSource
    config : CodecConfig
        Which model and kernels were asked for.

    Raises
    ------
    ModelError
        The model that was asked for is not there.
    """

    def __init__(self, source: RecordSource, config: CodecConfig) -> None:
        self._source = source
        self._config = config
        self.identities = [
            identify(channel, source.fs * channel.samples_per_frame) for channel in source.channels
        ]
        """What each channel is, and what tells so."""
        self._kinds = [identity.kind for identity in self.identities]
        self._named = _kind_of_model(config.model) if config.model not in {"auto", "none"} else ""
        self._forced = config.kernels != "auto" or config.model != "auto"
        # What is asked for is not put to the test, and fast and lossy files tell no changes.
        self._lossless = isinstance(config.fidelity, Lossless)
        self._tells_changes = self._lossless and config.level != "fast" and not self._forced
        self._groups = groups_of(source.channels, source.fs)
        # By kind and channels: the same signals may stand in several partitions.
        self._fits: dict[tuple[str, tuple[int, ...]], LayerSearch | None] = {}
        # Whether a layer at the pace of an ECG leaves the first layout of parameters as it is.
        self._plain = len(self._groups) == 1 and len(set(self._kinds)) == 1

    def kinds_of(self, group: Group) -> dict[str, list[int]]:
        """Give the leads of each kind, as numbers within the group."""
        kinds: dict[str, list[int]] = {}
        for lead, channel in enumerate(group.channels):
            kinds.setdefault(self._kinds[channel], []).append(lead)
        return kinds

    def with_layers(self, trial: Trial) -> Trial:
        """Give the trial with the layers that pay: none where changes alone tell as much."""
        best = self._layered(trial)
        if not best.layers or not self._tells_changes or best.changes_bits() >= best.total:
            return best
        bare = trial.copy()
        bare.why = dict.fromkeys(trial.group.channels, _TOLD)
        return bare

    def _layered(self, trial: Trial) -> Trial:
        """Give the trial with layers that pay against coding around a prediction.

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
        taken = self._add_layer(shared, most, sorted(chain(*wanted.values())))
        for kind, leads in wanted.items():
            if not set(leads) & set(taken):
                self._add_layer(shared, kind, leads)
        return min(apart, shared, key=lambda own: own.total)

    def _wanted(self, group: Group) -> dict[str, list[int]]:
        """Give the leads of a group that may have a layer, by kind.

        A model that was asked for by name is for the signals of its kind; where there are none,
        for the channels with most samples.
        """
        kinds = self.kinds_of(group)
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
        seconds, n_spans = _FIT_SECONDS, _N_FIT_SPANS
        if not self._lossless:
            seconds, n_spans = _LOSSY_FIT_SECONDS, _N_LOSSY_FIT_SPANS
        seconds *= clock_of(kind, group.fs) / group.fs
        n_wanted = int(min(seconds * self._source.fs, float(n_frames)))
        if kind not in _BEATING:
            n_wanted = max(n_wanted, _MIN_FIT_SAMPLES // group.samples_per_frame)
        n_wanted = min(n_wanted, _MAX_FIT_SAMPLES // (group.samples_per_frame * len(leads)))
        if n_frames <= n_wanted:
            yield leads_of(self._source.read(0, n_frames), group)[leads]
            return
        size = n_wanted // n_spans
        for i in range(n_spans):
            start = (n_frames - size) * i // (n_spans - 1)
            yield leads_of(self._source.read(start, start + size), group)[leads]

    def _try_layers(self, trial: Trial, part: Part) -> str:
        """Add the layer that pays, kernels fitted to the record first; say what decided.

        What was asked for by name is not put to the test.
        """
        tried = []
        sources = [self._fitted(part), self._of_models(part)]
        # Kernels fitted to beats are better than any model: where they pay, none is tried.
        for candidates in sources if part.kind in _BEATING else [chain(*sources)]:
            layers = [layer for layer in candidates if layer is not None]
            if self._forced and layers:
                trial.accept(layers[0], 0.0)
                return "asked for"
            worths = [trial.worth(layer, self._header_bytes(layer, part)) for layer in layers]
            gain, best = max(worths, key=lambda worth: worth[0], default=(0.0, None))
            if best is not None and gain > 0.0:
                share = gain / trial.total
                trial.accept(replace(best, optional=part.kind not in _BEATING), gain)
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
        own = (name for name in self._config.candidates if _kind_of_model(name) == part.kind)
        for name in chain(_models_for(part.kind, part.group.fs), own):
            try:
                yield model_layer(part, name)
            except ModelError:
                # Its kernels cannot be had at this sampling frequency.
                continue

    def _header_bytes(self, layer: LayerSearch, part: Part) -> float:
        return 0.0 if self._plain and layer.san.clock == part.group.fs else _LAYER_BYTES


def _models_for(kind: str, fs: float) -> Iterator[str]:
    """Give the shipped models to try: that of the kind; of an unknown one all that may fit."""
    for entry in shipped_entries():
        fits = _MIN_GUESSED_TAPS <= entry.seconds * fs <= _MAX_GUESSED_TAPS
        if entry.signal_type == kind or (kind == UNKNOWN and fits):
            yield entry.name


def _kind_of_model(name: str) -> str:
    """Give the kind of signal that a model is for; errors as of ``models.load``."""
    _, metadata = models.load(name)
    return metadata.get("signal_type", UNKNOWN)
