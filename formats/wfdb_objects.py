"""Records as objects of the wfdb package; it is imported when one is made, and not before."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import RecordError
from sancodec.formats.hea import compose_header, safe_name
from sancodec.formats.output import staged
from sancodec.recording import Channel

_NEW_FORMAT = 32
_MAX_NUM = 127


def read_header_fields(header: bytes, name: str) -> Any:
    """Give what wfdb makes of the text of a header: a ``wfdb.Record`` or ``wfdb.MultiRecord``.

    Raises
    ------
    RecordError
        wfdb does not take it.
    """
    from wfdb import rdheader  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "record.hea").write_bytes(header)
        try:
            return rdheader(str(Path(folder, "record")))
        except (ValueError, IndexError, TypeError) as error:
            raise RecordError(f"{name}: wfdb does not take its header ({error})") from error


def base_time_of(header: bytes, name: str) -> datetime | None:
    """Give when a record with this header begins; None where that is not said to the day."""
    fields = read_header_fields(header, name)
    found: datetime | None = fields.base_datetime
    return found


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Signals of a record from its frame ``start`` on.

    Attributes
    ----------
    name, fs, channels
        Of the record, as of ``Recording``.
    start, n_frames : int
    digital : sequence of (n_frames * samples_per_frame,) arrays of integers, or None
        In ADC units, where it has some.
    physical : sequence of (n_frames * samples_per_frame,) arrays of float64
        NaN where there is no sample.
    """

    name: str
    fs: float
    channels: Sequence[Channel]
    start: int
    n_frames: int
    digital: Sequence[NDArray[Any]] | None
    physical: Sequence[NDArray[Any]]


def make_record(excerpt: Excerpt, header: bytes, *, physical: bool) -> Any:
    """Give a ``wfdb.Record`` as ``wfdb.rdrecord`` does.

    Parameters
    ----------
    excerpt : Excerpt
        Its signals become ``p_signal`` or ``d_signal``, of channels with several samples per frame
        ``e_p_signal`` or ``e_d_signal``.
    header : bytes
        The record's own; empty where there is none.
    physical : bool
    """
    record = _fields_of(excerpt, header)
    several = any(count > 1 for count in record.samps_per_frame)
    part = record.sig_len != excerpt.n_frames
    record.n_sig, record.sig_len = len(excerpt.physical), excerpt.n_frames
    if excerpt.digital is None:
        record.checksum = record.init_value = None
    else:
        signals = [np.asarray(signal, np.int64) for signal in excerpt.digital]
        _set_signals(record, "d_signal", signals, several)
        if (part or not header) and excerpt.n_frames:
            record.checksum = record.calc_checksum(several)
            record.init_value = [int(signal[0]) for signal in signals]
    if physical:
        _set_signals(record, "p_signal", list(excerpt.physical), several)
        _set_signals(record, "d_signal", None, several)
    if excerpt.start and record.base_datetime is not None:
        record.base_datetime += timedelta(seconds=excerpt.start / record.fs)
    return record


def _set_signals(record: Any, kind: str, signals: list[NDArray[Any]] | None, several: bool) -> None:
    if several:
        setattr(record, f"e_{kind}", signals)
    else:
        setattr(record, kind, None if signals is None else np.stack(signals, axis=1))


def _fields_of(excerpt: Excerpt, header: bytes) -> Any:
    """Give the fields of the record's header; of a new one where it is not that of one segment."""
    given = read_header_fields(header, excerpt.name) if header else None
    if given is not None and not hasattr(given, "n_seg"):
        return given
    made = read_header_fields(_new_header(excerpt), excerpt.name)
    if given is not None:
        made.base_time, made.base_date = given.base_time, given.base_date
        made.comments = given.comments
    return made


def _new_header(excerpt: Excerpt) -> bytes:
    safe = safe_name(excerpt.name)
    lines = [(f"{safe}.dat", _NEW_FORMAT, channel, 0, 0) for channel in excerpt.channels]
    return compose_header(safe, excerpt.fs, excerpt.n_frames, lines).encode("utf-8")


def write_annotation(
    target: Path, sample: NDArray[np.int64], kinds: NDArray[np.int64], *, force: bool
) -> None:
    """Write beats as a WFDB annotation file: label N, the kind of each in the field num.

    Parameters
    ----------
    target : Path
        RECORD.ANNOTATOR.
    sample : (n,) int64
        Ascending, not below 0.
    kinds : (n,) int64
        WFDB's num has room for 0 to 127; greater ones are written as 127.

    Raises
    ------
    OutputError
        The file exists and ``force`` is not set, or it cannot be written.
    RecordError
        WFDB does not take the name of the record or of the annotator, or there are no beats.
    """
    from wfdb import wrann  # noqa: PLC0415

    record, annotator = target.name.rpartition(".")[::2]
    if not sample.size:
        raise RecordError(f"{target}: no beats, and WFDB has no file of none")
    with staged([target], force=force) as folder:
        try:
            wrann(
                record,
                annotator,
                sample,
                symbol=["N"] * sample.size,
                num=np.minimum(kinds, _MAX_NUM),
                write_dir=str(folder),
            )
        except (ValueError, IndexError) as error:
            raise RecordError(f"{target}: wfdb cannot write it ({error})") from error
