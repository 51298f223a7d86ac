"""The samples of an open .san file as an array that is decoded where it is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError
from sancodec.formats.originals import Originals
from sancodec.formats.side_files import read_side_files
from sancodec.recording import Channel, Recording


class Sliceable(ABC):
    """An open file that is read span by span, and sliced like an array: see ``SignalView``."""

    name: str
    _source: BinaryIO

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    @property
    @abstractmethod
    def channels(self) -> tuple[Channel, ...]:
        """The channels, in the order of the record."""

    @property
    @abstractmethod
    def n_frames(self) -> int:
        """Number of frames."""

    @abstractmethod
    def read(self, start: int = 0, stop: int | None = None) -> Recording:
        """Give the frames ``start`` to ``stop`` (exclusive)."""

    def read_channels(self, start: int, stop: int, channels: frozenset[int]) -> Recording:
        """Give frames as ``read`` does; other channels than these may be 0 everywhere."""
        return self.read(start, stop)

    @abstractmethod
    def spans(
        self, start: int = 0, stop: int | None = None, *, layer: str = "signal"
    ) -> Iterator[Recording]:
        """Give the frames ``start`` to ``stop`` span by span."""

    @property
    @abstractmethod
    def originals(self) -> Originals:
        """The original files, or those of them that belong to no single segment."""

    @property
    def attachments(self) -> dict[str, bytes]:
        """Names and contents of the files that travel along: annotations, and others."""
        return read_side_files(self.originals, self.name)

    @property
    def signal(self) -> SignalView:
        """The samples, to be sliced like an array."""
        return SignalView(self)

    def __getitem__(self, key: Any) -> NDArray[np.int32] | np.int32:
        return self.signal[key]

    def __len__(self) -> int:
        return self.n_frames

    def __iter__(self) -> Iterator[Recording]:
        return self.spans()

    def _check_span(self, start: int, stop: int | None) -> tuple[int, int]:
        """Give the first frame and the one behind the last; ConfigError where there are none."""
        stop = self.n_frames if stop is None else stop
        if not 0 <= start <= stop <= self.n_frames:
            raise ConfigError(
                f"{self.name}: frames {start} to {stop}, the record has {self.n_frames}"
            )
        return start, stop


class SignalView:
    """Samples in ADC units, sliced like an (n_samples, n_leads) array of int32.

    ``view[start:stop, leads]`` decodes the chunks that it touches. Leads are numbers, names, slices
    or lists of either; one alone gives one dimension, as one sample does.

    Parameters
    ----------
    source : Sliceable

    Raises
    ------
    RecordError
        When it is sliced: the channels have different sampling frequencies, and no common array.
    """

    dtype = np.dtype(np.int32)
    ndim = 2

    def __init__(self, source: Sliceable) -> None:
        self._source = source

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples, and of leads."""
        return self._source.n_frames, len(self._source.channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        names = ", ".join(channel.name for channel in self._source.channels)
        return f"<SignalView: {self.shape[0]} samples of {names}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, key: Any) -> NDArray[np.int32] | np.int32:
        rows, leads = key if isinstance(key, tuple) else (key, slice(None))
        columns = self._columns(leads)
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            wanted = range(start, stop, step)
            first, last = (min(wanted), max(wanted) + 1) if wanted else (0, 0)
            # It begins with the first sample that is wanted, or, backwards, ends with it.
            found = self._read(first, last, columns)[::step]
            return np.ascontiguousarray(found[:, columns])
        at = _index_of(rows, len(self), "sample")
        sample: NDArray[np.int32] | np.int32 = self._read(at, at + 1, columns)[0][columns]
        return sample

    def _read(self, start: int, stop: int, columns: Any) -> NDArray[np.int32]:
        """Give samples of all leads; those of leads that were not asked for may be 0."""
        numbers = np.atleast_1d(np.arange(self.shape[1])[columns])
        wanted = frozenset(int(number) for number in numbers)
        return self._source.read_channels(start, stop, wanted).samples

    def _columns(self, leads: Any) -> Any:
        """Give what NumPy takes for the leads that were named or counted."""
        if isinstance(leads, slice):
            return leads
        if isinstance(leads, Sequence | np.ndarray) and not isinstance(leads, str):
            return [self.column(lead) for lead in leads]
        return self.column(leads)

    def column(self, lead: Any) -> int:
        """Give the number of a lead that is named or counted.

        Raises
        ------
        ConfigError
            There is no lead of that name, or more than one.
        IndexError, TypeError
            There is no lead of that number; it is no number.
        """
        if not isinstance(lead, str):
            return _index_of(lead, self.shape[1], "lead")
        names = [channel.name for channel in self._source.channels]
        if names.count(lead) != 1:
            problem = "is there more than once" if lead in names else "is not there"
            raise ConfigError(f"lead {lead!r} {problem}; the leads are {', '.join(names)}")
        return names.index(lead)


def _index_of(number: Any, size: int, what: str) -> int:
    """Give the index that a number stands for, counted from the end where it is negative."""
    if not isinstance(number, int | np.integer) or isinstance(number, bool):
        raise TypeError(f"{what}: {number!r}, expected a number, a slice, or the name of a lead")
    if not -size <= number < size:
        raise IndexError(f"{what} {number} of {size}")
    return int(number) % size
