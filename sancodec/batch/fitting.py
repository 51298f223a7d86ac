"""Kernels trained on a sample of an archive, where no shipped model serves what is in it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sancodec.batch.encoding_job import EncodeSettings
from sancodec.batch.headers import HEADER
from sancodec.batch.trees import Tree
from sancodec.batch.walk import RESERVED, Archive, SourceRecord
from sancodec.errors import SancodecError
from sancodec.formats.wfdb import WfdbRecord
from sancodec.models.index import shipped_entries
from sancodec.recording import Channel
from sancodec.signal_types import PACED, clock_of, identify

if TYPE_CHECKING:
    # It imports torch, which takes seconds and may not be there.
    from sancodec.training.job import TrainJob

DEFAULT_RECORDS = 16
_NEEDED = ("torch", "onnx", "scipy")
# In seconds of an ECG, as ``sancodec train`` has them; of slower signals as much more.
_WINDOW_SECONDS, _BASELINE_SECONDS = 10.0, 1.0
_BEFORE_SECONDS, _AFTER_SECONDS, _DISTANCE_SECONDS = 96 / 360, 160 / 360, 0.3
_LEAST_WINDOWS, _MOST_WINDOWS = 10, 480
_NOT_INSTALLED = (
    f"training one needs {', '.join(_NEEDED)}; install with: pip install 'sancodec[train]'"
)

Said = Callable[[int, int, str], None]
"""Called with how much is done, how much there is, and what it is."""


def model_name(kind: str) -> str:
    """Give the name of the model of a signal type, in the topmost folder of the target."""
    return f"{RESERVED}model-{kind}.onnx"


def kinds_to_fit(archive: Archive, n_records: int | None) -> list[str]:
    """Give the signal types that are to have a model of their own.

    Parameters
    ----------
    archive : Archive
    n_records : int or None
        Records to train on: then all types that were found; None: those that no shipped model is
        for; 0: none.
    """
    found = {kind for record in archive.records for kind in record.kinds if can_train(record, kind)}
    if n_records is None:
        found -= {entry.signal_type for entry in shipped_entries()}
    return [] if n_records == 0 else sorted(found)


def can_train(record: SourceRecord, kind: str) -> bool:
    """Tell whether kernels of a type can be trained on a record."""
    # Training reads WFDB records of one segment: that is what names one of their files tells.
    one = record.name.endswith(HEADER) and not any(
        name.endswith(HEADER) for name in record.files[1:]
    )
    return one and kind in PACED and not record.problem


def is_installed() -> bool:
    """Tell whether what training takes is installed."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


@dataclass(frozen=True)
class Fitting:
    """A signal type that is to have a model, and the number of records to train it on."""

    kind: str
    n_records: int


class ArchiveModels:
    """The models of an archive, which stand in the topmost folder of its target.

    Parameters
    ----------
    source, target : Tree
    archive : Archive
    n_records : int or None
        As of ``kinds_to_fit``; with 0 models that are there are not used, either.
    """

    def __init__(self, source: Tree, target: Tree, archive: Archive, n_records: int | None) -> None:
        self._source = source
        self._target = target
        self._archive = archive
        self._n_records = n_records
        found = {kind for record in archive.records for kind in record.kinds}
        self._digests = {
            kind: target.digest(model_name(kind))
            for kind in sorted(found if n_records != 0 else ())
            if target.state(model_name(kind)) is not None
        }

    def fit(self, progress: Said | None = None) -> list[str]:
        """Train the models that are not there yet, and say in words what was done.

        Raises
        ------
        SancodecError
            They were asked for, and cannot be had; else that is only said.
        """
        wanted = kinds_to_fit(self._archive, self._n_records)
        lacking = [kind for kind in wanted if kind not in self._digests]
        if not lacking:
            return []
        if not is_installed():
            said = f"no model of {', '.join(lacking)}, and {_NOT_INSTALLED}"
            if self._n_records is not None:
                raise SancodecError(said)
            return [said]
        return [self._fit(kind, progress) for kind in lacking]

    def settings_of(self, settings: EncodeSettings, record: SourceRecord) -> EncodeSettings:
        """Give the settings for a record: with the models of its signals."""
        if settings.config.model != "auto":
            return settings
        own = [kind for kind in sorted(record.kinds) if kind in self._digests]
        return replace(
            settings, models=tuple((model_name(kind), self._digests[kind]) for kind in own)
        )

    def _fit(self, kind: str, progress: Said | None) -> str:
        fitting = Fitting(kind, self._n_records or DEFAULT_RECORDS)
        try:
            said = fit_model(self._source, self._target, self._archive.records, fitting, progress)
        except SancodecError as error:
            if self._n_records is not None:
                raise
            return f"no model of {kind}: {error}"
        self._digests[kind] = self._target.digest(model_name(kind))
        return said


@dataclass(frozen=True)
class _Sample:
    """Records with signals of a type, on this machine."""

    records: list[WfdbRecord]
    kind: str

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels of the type, each once."""
        names = (channel.name.strip() for _, channel in self._channels())
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def fs(self) -> float:
        """The sampling frequency that most of these channels have, in Hz."""
        found = Counter(
            record.fs * channel.samples_per_frame for record, channel in self._channels()
        )
        return min(found, key=lambda fs: (-found[fs], fs))

    def window_seconds(self, wanted: float) -> float:
        """Give the length of windows: shorter ones than are wanted, where there would be few."""
        lengths = [record.n_frames / record.fs for record in self.records]
        return min(wanted, *lengths, sum(lengths) / _LEAST_WINDOWS)

    def _channels(self) -> Iterator[tuple[WfdbRecord, Channel]]:
        for record in self.records:
            for channel in record.channels:
                if identify(channel, record.fs * channel.samples_per_frame).kind == self.kind:
                    yield record, channel


def fit_model(
    source: Tree,
    target: Tree,
    candidates: Sequence[SourceRecord],
    fitting: Fitting,
    progress: Said | None = None,
) -> str:
    """Train a model of a signal type on records of an archive, and say in words what was done.

    The same records give the same model, whatever else runs.

    Raises
    ------
    SancodecError
        The records hold too little to train on, or training failed.
    """
    from sancodec.training.job import fit, read_records  # noqa: PLC0415

    with ExitStack() as stack:
        records = []
        for chosen in _choose(candidates, fitting):
            folder = stack.enter_context(source.local(chosen.files))
            records.append(WfdbRecord.open(folder / PurePosixPath(chosen.name).name))
        sample = _Sample(records, fitting.kind)
        place = stack.enter_context(target.staged(model_name(fitting.kind)))
        place.parent.mkdir(parents=True, exist_ok=True)
        job = _job(sample, place)
        said = f"training kernels of {fitting.kind}"
        told = None if progress is None else partial(_tell, progress, said)
        windows, _ = read_records(job)
        result = fit(job, windows, told)
    n_windows = sum(len(own.windows) for own in windows)
    return (
        f"{model_name(fitting.kind)}: trained on {n_windows} windows of {len(windows)} records, "
        f"flithos {result.best.flithos:.3f}"
    )


def _tell(progress: Said, said: str, n_done: int, total: int) -> None:
    progress(n_done, total, said)


def _choose(candidates: Sequence[SourceRecord], fitting: Fitting) -> list[SourceRecord]:
    """Give as many records as are wanted: the same ones each time, from all parts of the tree."""
    own = [record for record in candidates if can_train(record, fitting.kind)]
    own.sort(key=lambda record: hashlib.sha256(record.name.encode("utf-8", "replace")).digest())
    return own[: fitting.n_records]


def _job(sample: _Sample, place: Path) -> TrainJob:
    from sancodec.training.job import TrainJob  # noqa: PLC0415
    from sancodec.training.resources import Resources  # noqa: PLC0415
    from sancodec.training.trainer import TrainConfig  # noqa: PLC0415
    from sancodec.training.windows import InputConfig, WindowConfig  # noqa: PLC0415

    pace = clock_of(sample.kind, sample.fs) / sample.fs
    return TrainJob(
        sources=tuple(record.files[0].path for record in sample.records),
        signal_type=sample.kind,
        output=place,
        licence="that of the archive",
        config=TrainConfig(
            fs=sample.fs,
            before_seconds=_BEFORE_SECONDS * pace,
            after_seconds=_AFTER_SECONDS * pace,
            distance_seconds=_DISTANCE_SECONDS * pace,
        ),
        windows=WindowConfig(
            fs=sample.fs,
            seconds=sample.window_seconds(_WINDOW_SECONDS * pace),
            baseline_seconds=_BASELINE_SECONDS * pace,
            n_per_record=max(1, _MOST_WINDOWS // len(sample.records)),
            inputs=InputConfig(channels=sample.channels),
        ),
        resources=Resources(device="cpu"),
    )
