"""Checkpoints of a training: numbers and tensors, and nothing that runs when it is read."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from sancodec.errors import ConfigError, ModelError, OutputError

_MAGIC = b"sancodec checkpoint 1\n"
_DIGEST_BYTES = 32


def write_checkpoint(path: Path, label: str, state: dict[str, Any]) -> None:
    """Write a state beside the target and replace it, so that no half of one is ever read.

    Parameters
    ----------
    label : str
        Says which training it is of.
    state : dict
        Of tensors, numbers, strings, and lists and dicts of these.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    content = io.BytesIO()
    torch.save({"label": label, "state": state}, content)
    digest = hashlib.sha256(content.getbuffer()).digest()
    try:
        with beside.open("wb") as stream:
            stream.write(_MAGIC + digest)
            stream.write(content.getbuffer())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def read_checkpoint(path: Path, label: str) -> dict[str, Any]:
    """Give the state that :func:`write_checkpoint` wrote for the training of this label.

    Raises
    ------
    ConfigError
        It is of another training.
    ModelError
        It cannot be read.
    """
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read as a checkpoint ({error.strerror})") from error
    content = stored[len(_MAGIC) + _DIGEST_BYTES :]
    if stored[: -len(content) or None] != _MAGIC + hashlib.sha256(content).digest():
        raise ModelError(f"{path}: not a whole checkpoint; remove it to start anew")
    try:
        # What is no number or tensor is refused: nothing that it names is run.
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path}: a checkpoint of something else than numbers") from error
    found, state = loaded["label"], loaded["state"]
    if found != label:
        raise ConfigError(
            f"{path}: a checkpoint of another training, with other settings or signals; "
            "remove it, or name another file"
        )
    return dict(state)
