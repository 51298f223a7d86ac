"""Models and primers shipped with the package: list, load, find by digest; and those of any file.

Importing this is cheap; reading a model opens ONNX Runtime.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from sancodec.errors import CorruptError, ModelError
from sancodec.formats.primers import MAGIC, Primer, PrimerKey, decode_primer
from sancodec.san.kernels import KernelBank

_FOLDER = Path(__file__).resolve().parent
_N_REMEMBERED = 16
_SAID_DIGITS = 12
_NOT_MODELS = {"placement", "transform"}
PRIMERS = _FOLDER / "primers.json"
_MAX_PRIMER_BYTES = 1 << 24
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class _Digested(Protocol):
    @property
    def digest(self) -> str: ...


_Found = TypeVar("_Found", bound=_Digested)


def find_named(find: Callable[[str], _Found], digest: str, what: str, name: str) -> _Found:
    """Give the model or primer that a file names.

    Parameters
    ----------
    find : callable
        Gives one for a digest, be it the right one or not.
    digest : str
        The begin of its digest, in hexadecimal.
    what, name : str
        ``"model"`` or ``"primer"``, and the file's name, for messages.

    Raises
    ------
    ModelError
        It is not there, or another one was given.
    """
    try:
        found = find(digest)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    if not found.digest.startswith(digest):
        said = digest[:_SAID_DIGITS]
        raise ModelError(
            f"{name}: was written with {what} {said}, the {what} given is "
            f"{found.digest[: len(said)]}; give the one with that digest"
        )
    return found


def list_models() -> tuple[str, ...]:
    """Give the names of the shipped models, in alphabetical order."""
    names = (path.stem for path in _FOLDER.glob("*.onnx"))
    return tuple(sorted(name for name in names if name not in _NOT_MODELS))


def load(name_or_path: str | Path) -> tuple[KernelBank, dict[str, str]]:
    """Give the kernels and the metadata of a shipped model, by name, or of a file, by path.

    Raises
    ------
    ModelError
        There is no such model, it is damaged, or its kernels differ from its digest.
    """
    text = str(name_or_path)
    if not _NAME.fullmatch(text):
        return _load_file(Path(name_or_path))
    if text in list_models():
        return _load_shipped(text)
    if Path(text).is_file():
        return _load_file(Path(text))
    raise ModelError(
        f"model {text}: not shipped (there is {', '.join(list_models()) or 'none'}); "
        "give one of these, or the path of an .onnx file"
    )


def find(digest: str) -> KernelBank:
    """Give the kernels of the shipped model whose digest begins with this one.

    Raises
    ------
    ModelError
        No shipped model has it.
    """
    for name in list_models():
        bank, _ = _load_shipped(name)
        if bank.digest.startswith(digest):
            return bank
    raise ModelError(
        f"model {digest}: no shipped model has this digest; "
        "name the file of the model with --model PATH"
    )


@functools.cache
def _load_shipped(name: str) -> tuple[KernelBank, dict[str, str]]:
    return _read(_FOLDER / f"{name}.onnx")


def _load_file(path: Path) -> tuple[KernelBank, dict[str, str]]:
    try:
        found = path.stat()
    except OSError:
        return _read(path)
    return _load_unchanged(path, found.st_mtime_ns, found.st_size)


# The records of an archive share a model that takes longer to open than they take.
@functools.lru_cache(_N_REMEMBERED)
def _load_unchanged(path: Path, stamp: int, n_bytes: int) -> tuple[KernelBank, dict[str, str]]:
    return _read(path)


def _read(path: Path) -> tuple[KernelBank, dict[str, str]]:
    # Imported here: listing models is cheap, and stays so.
    from sancodec.runtime import read_graph  # noqa: PLC0415

    rows, metadata = read_graph(path)
    try:
        fs, centre = float(metadata["fs"]), int(metadata["centre"])
        n_kernels, n_kernel_leads = int(metadata["n_kernels"]), int(metadata["n_kernel_leads"])
        digest = metadata["digest"]
    except KeyError as error:
        raise ModelError(f"{path}: no {error} in its metadata; not a model of sancodec") from error
    except ValueError as error:
        raise ModelError(f"{path}: its metadata has {error}, expected a number") from error
    if len(rows) != n_kernels * n_kernel_leads or min(n_kernels, n_kernel_leads) < 1:
        raise ModelError(
            f"{path}: {len(rows)} rows of kernels, its metadata says {n_kernels} kernels of "
            f"{n_kernel_leads} leads"
        )
    if rows.size and not (rows.min() >= -32_767 and rows.max() <= 32_767):
        raise ModelError(f"{path}: kernels leave the range of -32767 to 32767")
    kernels = rows.astype(np.int16).reshape(n_kernels, n_kernel_leads, -1)
    bank = KernelBank(kernels=kernels, centre=centre, fs=fs)
    if bank.digest != digest:
        raise ModelError(
            f"{path}: its kernels have the digest {bank.digest}, its metadata says {digest}; "
            "the file is damaged, get it again"
        )
    return bank, metadata


@dataclass(frozen=True)
class ShippedPrimer:
    """What is known of a shipped primer without opening it."""

    name: str
    digest: str
    keys: tuple[PrimerKey, ...]


@functools.cache
def shipped_primers() -> tuple[ShippedPrimer, ...]:
    """Give all shipped primers, in the order in which an encoder looks through them."""
    return tuple(
        ShippedPrimer(
            name=primer["name"],
            digest=primer["digest"],
            keys=tuple(PrimerKey(**key) for key in primer["keys"]),
        )
        for primer in json.loads(PRIMERS.read_text("utf-8"))
    )


def primers_beside() -> list[ShippedPrimer]:
    """Open all shipped primers and give what they are; errors as of ``load_primer``."""
    found = []
    for path in sorted(_FOLDER.glob("*.primer")):
        primer = _read_primer(path)
        keys = tuple(entry.key for entry in primer.entries)
        found.append(ShippedPrimer(path.stem, primer.digest, keys))
    return found


def load_primer(name_or_path: str | Path) -> Primer:
    """Give a shipped primer, by name, or that of a file, by path.

    Raises
    ------
    ModelError
        There is no such primer, or it is damaged.
    """
    text = str(name_or_path)
    if text in {primer.name for primer in shipped_primers()}:
        return _load_shipped_primer(text)
    return _read_primer(Path(name_or_path))


def find_primer(digest: str) -> Primer:
    """Give the shipped primer whose digest begins with this one.

    Raises
    ------
    ModelError
        No shipped primer has it.
    """
    for primer in shipped_primers():
        if primer.digest.startswith(digest):
            return _load_shipped_primer(primer.name)
    raise ModelError(
        f"primer {digest}: no shipped primer has this digest; "
        "name the file of the primer with --model PATH"
    )


def is_primer(path: Path) -> bool:
    """Tell whether a file is a primer, and no model."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


@functools.cache
def _load_shipped_primer(name: str) -> Primer:
    return _read_primer(_FOLDER / f"{name}.primer")


def _read_primer(path: Path) -> Primer:
    try:
        with path.open("rb") as stream:
            return decode_primer(stream.read(_MAX_PRIMER_BYTES), str(path))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error
    except CorruptError as error:
        raise ModelError(f"{error}; get it again") from error
