"""What is known of each shipped model and primer without opening it.

``python -m sancodec.models.index`` writes index.json and primers.json anew, from those beside them.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sancodec import models
from sancodec.errors import ModelError

_INDEX = Path(__file__).resolve().parent / "index.json"


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """What a model says of itself.

    Attributes
    ----------
    name : str
        Name of a shipped model, or path of another file.
    signal_type : str
    n_kernels, n_taps : int
    fs : float
        Sampling frequency of the taps, in Hz.
    flithos : float
        Mean over the windows that were held back from training.
    n_records, n_windows : int
        Records and windows that it was trained on.
    licence : str
        Of these records.
    digest : str
        SHA-256 of the kernels, in hexadecimal.
    """

    name: str
    signal_type: str
    n_kernels: int
    n_taps: int
    fs: float
    flithos: float
    n_records: int
    n_windows: int
    licence: str
    digest: str

    @property
    def seconds(self) -> float:
        """Length of the kernels, in seconds."""
        return self.n_taps / self.fs

    def to_json(self) -> dict[str, Any]:
        """Give all fields, and the seconds, as plain JSON values."""
        return {**asdict(self), "seconds": self.seconds}


@functools.cache
def shipped_entries() -> tuple[ModelEntry, ...]:
    """Give what is known of all shipped models, in alphabetical order."""
    return tuple(ModelEntry(**entry) for entry in json.loads(_INDEX.read_text("utf-8")))


def entry_of(name_or_path: str) -> ModelEntry:
    """Open a model and give what it says of itself.

    Raises
    ------
    ModelError
        There is no such model, or it does not say how it was trained.
    """
    bank, metadata = models.load(name_or_path)
    try:
        return ModelEntry(
            name=name_or_path,
            signal_type=metadata["signal_type"],
            n_kernels=bank.n_kernels,
            n_taps=bank.n_taps,
            fs=bank.fs,
            flithos=float(metadata["flithos"]),
            n_records=len(json.loads(metadata["records"])),
            n_windows=int(metadata["n_windows"]),
            licence=metadata["licence"],
            digest=bank.digest,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{name_or_path}: its metadata lacks or garbles {error}") from error


def main() -> None:
    """Write the indices of the models and primers beside them."""
    entries = [asdict(entry_of(name)) for name in models.list_models()]
    _INDEX.write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    primers = [asdict(primer) for primer in models.primers_beside()]
    models.PRIMERS.write_text(json.dumps(primers, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
