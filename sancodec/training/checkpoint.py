"""Checkpoints: a training that was interrupted goes on, and ends as if it had not been.

A training is a row of runs, each a number of epochs with its own optimizer. A checkpoint has what
came of the runs that are done, and the state of the one that is not; so training is told again
from the beginning, and what is done is read instead of computed.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sancodec.errors import ConfigError
from sancodec.formats.output import write_whole
from sancodec.training.windows import RecordWindows

_KIND = b"sancodec checkpoint 1\n"
_HASH_SIZE = hashlib.sha256().digest_size

State = dict[str, Any]
"""Of numbers, text, lists, dictionaries and tensors alone."""


class Checkpoint:
    """The states of runs by name, in a file.

    Parameters
    ----------
    path : Path, optional
        Without it nothing is written, and nothing found.
    settings : mapping
        Everything that decides what comes out; a file with others is refused.

    Raises
    ------
    ConfigError
        The file is no checkpoint, or one of other settings.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, str]) -> None:
        self._path = path
        self._settings = dict(settings)
        self._lock = threading.Lock()
        self._runs: dict[str, State] = {}
        if path is not None and path.exists():
            self._runs = _read(path, self._settings)

    def find(self, run: str) -> State | None:
        """Give the state of a run, done or not; None when it has not begun."""
        return self._runs.get(run)

    def keep(self, run: str, state: State) -> None:
        """Write the state of a run, beside the file and then in its place.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        if self._path is None:
            return
        with self._lock:
            self._runs[run] = state
            self._write(self._path)

    def _write(self, path: Path) -> None:
        stream = io.BytesIO()
        torch.save({"settings": self._settings, "runs": self._runs}, stream)
        content = stream.getvalue()
        write_whole(path, _KIND + hashlib.sha256(content).digest() + content)


def digest_of(records: Sequence[RecordWindows]) -> str:
    """Give a hash of the windows of all records, in their order."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(str(record.windows.shape).encode())
        digest.update(record.windows.astype("<f4").tobytes())
    return digest.hexdigest()


def _read(path: Path, settings: Mapping[str, str]) -> dict[str, State]:
    """Read the runs of a checkpoint; nothing in it is executed, whoever wrote it."""
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"checkpoint {path}: cannot be read ({error.strerror})") from error
    start = len(_KIND) + _HASH_SIZE
    if not whole.startswith(_KIND):
        raise ConfigError(f"checkpoint {path}: is not a checkpoint of a training")
    content = whole[start:]
    if hashlib.sha256(content).digest() != whole[len(_KIND) : start]:
        raise ConfigError(f"checkpoint {path}: is damaged; remove it to train from the beginning")
    try:
        with warnings.catch_warnings():
            # It warns of what it then refuses.
            warnings.simplefilter("ignore")
            states = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        found, runs = dict(states["settings"]), dict(states["runs"])
    except (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"checkpoint {path}: holds something else than a training") from error
    for name in sorted(settings.keys() | found.keys()):
        if settings.get(name) != found.get(name):
            raise ConfigError(
                f"checkpoint {path}: is of other settings ({name}: {found.get(name)} there, "
                f"{settings.get(name)} here); train with those, or name another file"
            )
    return runs
