"""One record of an archive to its .san file; and its originals deleted."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from sancodec import models
from sancodec.batch.job import Inputs, Job, Outcome, refuse_other
from sancodec.batch.manifest import EMPTY, RECORD, Entry
from sancodec.batch.places import open_tree
from sancodec.batch.trees import LocalTree, Tree, digest_of
from sancodec.batch.walk import SourceRecord
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, EmptyRecordError
from sancodec.files import decode_file, encode_file
from sancodec.removal import remove_originals
from sancodec.report import Report

_PIECE_BYTES = 1 << 20
_N_REMEMBERED = 64
_NO_FILES = ("auto", "none")


@dataclass(frozen=True, kw_only=True)
class EncodeSettings:
    """How a record is encoded.

    Attributes
    ----------
    config : CodecConfig
    models : tuple of (str, str)
        Names of models in the target that are tried as well, and their digests.
    verify : bool
        Whether the file is decoded and compared before it takes its place.
    provider : str
        Where ONNX Runtime computes.
    """

    config: CodecConfig
    models: tuple[tuple[str, str], ...] = ()
    verify: bool = True
    provider: str = "auto"

    def digest(self) -> str:
        """Give a digest of all that decides the bytes; ModelError where a model is not there."""
        return _digest_of(self.config, self.models)


# The records of an archive have the same settings, but for their models.
@functools.lru_cache(_N_REMEMBERED)
def _digest_of(config: CodecConfig, own: tuple[tuple[str, str], ...]) -> str:
    said = config.to_json() | {"candidates": [digest for _, digest in own]}
    # Wherever a file stands, and whatever stands there later.
    if config.model not in _NO_FILES:
        said["model"] = models.load(config.model)[0].digest
    if config.primer not in _NO_FILES and Path(config.primer).is_file():
        said["primer"] = digest_of(Path(config.primer))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class EncodeJob(Job):
    """Encode a record.

    Attributes
    ----------
    record : SourceRecord
    settings : EncodeSettings
    overwrite : bool
        Whether another file in its place is overwritten.
    """

    record: SourceRecord
    settings: EncodeSettings
    overwrite: bool

    @property
    def entry(self) -> Entry:
        """The entry of it, before anything is done."""
        return Entry(
            kind=RECORD,
            name=self.record.name,
            settings=self.settings.digest(),
            note=self.record.note,
        )

    def do(self) -> Outcome:
        """Encode the record; what was written is kept only if the files did not change."""
        started = time.perf_counter()
        source, target = open_tree(self.source), open_tree(self.target)
        inputs = Inputs(source, self.record.files)
        with inputs as folder:
            written = _Written(target, self.record.target, overwrite=self.overwrite)

            def approve(stream: BinaryIO) -> None:
                inputs.check()
                written.approve(stream)

            try:
                with target.staged(self.record.target) as place, self._models(target) as own:
                    config = replace(self.settings.config, candidates=own)
                    report = self._encode(folder, place, config, approve)
            except EmptyRecordError:
                note = f"{self.record.name}: no samples; carried along as it is"
                entry = replace(self.entry, state=EMPTY, files=inputs.files, note=note)
                return Outcome(entry=entry, n_bytes=self.n_bytes)
        entry = replace(
            self.entry,
            files=inputs.files,
            target=self.record.target,
            n_bytes=report.n_bytes,
            sha256=written.sha256,
            seconds=round(time.perf_counter() - started, 3),
            **_figures(report),
        )
        return Outcome(entry=entry, n_bytes=self.n_bytes)

    @contextmanager
    def _models(self, target: Tree) -> Iterator[tuple[str, ...]]:
        """Give the paths of the models to try as well."""
        names = [name for name, _ in self.settings.models]
        if not names:
            yield ()
            return
        with target.local(names) as folder:
            yield tuple(str(folder / name) for name in names)

    def _encode(
        self,
        folder: Path,
        place: Path,
        config: CodecConfig,
        approve: Callable[[BinaryIO], None],
    ) -> Report:
        return encode_file(
            folder / PurePosixPath(self.record.name).name,
            place,
            config,
            verify=self.settings.verify,
            force=True,
            provider=self.settings.provider,
            jobs=1,
            attach=[folder / PurePosixPath(name).name for name in self.record.annotations],
            approve=approve,
        )


class _Written:
    """What is about to take its place in the target."""

    def __init__(self, target: Tree, name: str, *, overwrite: bool) -> None:
        self._target = target
        self._name = name
        self._overwrite = overwrite
        self.sha256 = ""

    def approve(self, stream: BinaryIO) -> None:
        """Refuse to put it in the place of something else."""
        stream.seek(0)
        digest = hashlib.sha256()
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
        self.sha256 = digest.hexdigest()
        refuse_other(self._target, self._name, self.sha256, overwrite=self._overwrite)


def _figures(report: Report) -> dict[str, Any]:
    lost = [signal.prdn for signal in report.signals if signal.prdn is not None]
    return {
        "n_samples": report.n_samples,
        "kinds": tuple(dict.fromkeys(signal.kind for signal in report.signals)),
        "cr": report.cr_original,
        "flithos": report.flithos,
        "prdn": 0.0 if report.fidelity == "lossless" else max(lost, default=None),
        "verified": bool(report.verified),
    }


@dataclass(frozen=True, kw_only=True)
class RemoveJob(Job):
    """Delete the originals of a record that is done.

    Attributes
    ----------
    done : Entry
        Of the record.
    names : tuple of str
        Those of its files that are still there.
    provider : str
    """

    done: Entry
    names: tuple[str, ...]
    provider: str

    @property
    def entry(self) -> Entry:
        """The entry of the record, as it was."""
        return self.done

    def failed(self, error: str) -> Outcome:
        """Give the outcome of a failure: the record is done all the same."""
        return Outcome(entry=replace(self.done, error=error), n_bytes=0, error=error)

    def do(self) -> Outcome:
        """Delete the files, once the .san file was read again and gave all of them back."""
        source, target = open_tree(self.source), open_tree(self.target)
        if not isinstance(source, LocalTree) or not isinstance(target, LocalTree):
            raise ConfigError("originals are deleted of folders on this machine alone")
        remove_originals(
            target.path(self.done.target),
            [source.path(name) for name in self.names],
            partial(decode_file, provider=self.provider, jobs=1),
        )
        return Outcome(entry=replace(self.done, removed=True, error=""), n_bytes=0)
