"""What the header of a record says: whose files it has, and of what kinds its signals are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sancodec.batch.trees import Tree
from sancodec.errors import RecordError
from sancodec.formats.edf_header import MAGIC_BYTES, is_edf, parse_edf_header
from sancodec.formats.hea import parse_header, parse_segments
from sancodec.formats.wfdb import decode_text
from sancodec.recording import Channel
from sancodec.signal_types import identify

HEADER = ".hea"
_EDF = (".edf", ".bdf")
_PERHAPS_EDF = ".rec"
_NOTHING = "~"


@dataclass(frozen=True, kw_only=True)
class HeaderFacts:
    """What a WFDB header says.

    Attributes
    ----------
    is_segmented : bool
        Whether it is of a record of several segments.
    names : tuple of str
        The headers of its segments, or its signal files; none where it is a layout.
    kinds : tuple of str
        Of its signals, each once; none of several segments.
    """

    is_segmented: bool
    names: tuple[str, ...]
    kinds: tuple[str, ...] = ()


def read_header(tree: Tree, name: str) -> HeaderFacts:
    """Read a WFDB header.

    Raises
    ------
    EmptyRecordError
        It has no signals.
    RecordError, OSError
        It says what cannot be, or cannot be read.
    """
    path = Path(name)
    text = decode_text(tree.read(name))
    segments = parse_segments(text, path)
    if segments is not None:
        names = [f"{own}{HEADER}" for own, _ in segments.segments if own != _NOTHING]
        return HeaderFacts(is_segmented=True, names=_beside(name, names))
    header = parse_header(text, path)
    files = [line.file_name for line in header.signals if line.file_name != _NOTHING]
    channels = [
        (line.channel, header.fs * line.channel.samples_per_frame) for line in header.signals
    ]
    return HeaderFacts(is_segmented=False, names=_beside(name, files), kinds=_kinds(channels))


def is_edf_file(tree: Tree, name: str) -> bool:
    """Tell whether a file is, or should be, in EDF or BDF; by its start where its name is vague."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix != _PERHAPS_EDF:
        return suffix in _EDF
    try:
        with tree.open(name) as file:
            return is_edf(file.read(MAGIC_BYTES))
    except OSError:
        return False


def kinds_of_edf(tree: Tree, name: str) -> tuple[str, ...]:
    """Give the kinds of the signals of an EDF file; none where it is not what it should be."""
    try:
        with tree.open(name) as file:
            header = parse_edf_header(file.read, name)
    except (RecordError, OSError):
        # Whoever encodes it says what is wrong.
        return ()
    seconds = float(header.duration) or 1.0
    signals = [own for own in header.signals if not own.is_annotations]
    return _kinds(
        (Channel(name=own.label, units=own.units), own.n_samples / seconds) for own in signals
    )


def _kinds(channels: Iterable[tuple[Channel, float]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(identify(channel, fs).kind for channel, fs in channels))


def _beside(name: str, names: Iterable[str]) -> tuple[str, ...]:
    folder = PurePosixPath(name).parent
    return tuple(str(folder / own) for own in dict.fromkeys(names))
