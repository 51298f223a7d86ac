"""Arrays of any shape to bytes and back, as stores of arrays want it: Zarr, numcodecs."""

from __future__ import annotations

import io
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.api import encode
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, CorruptError, RecordError
from sancodec.fidelity import Fidelity, Lossless, MaxError, TargetPrdn
from sancodec.formats.array_parts import ArrayForm, decode_array_parts, encode_array_parts
from sancodec.san_file import SanFile

_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, kw_only=True)
class ArrayCodec:
    """How arrays of integers are coded; all that is needed to decode them is in the bytes.

    Attributes
    ----------
    fs : float
        Sampling frequency along the time axis, in Hz.
    level : str
        ``"fast"``, ``"default"`` or ``"max"``.
    model : str
        ``"auto"``, ``"none"``, or a shipped model's name, as in ``CodecConfig``.
    max_error : int, optional
        Largest error of a sample, in units of the array.
    prdn : float, optional
        Largest PRDN of each lead of each array that is coded, in percent. Without either nothing
        is lost.
    time_axis : int, optional
        Along it samples follow one another; the longest one where it is left out. The last of the
        other axes is that of leads, which are coded together.

    Raises
    ------
    ConfigError
        A setting is out of range.
    """

    fs: float
    level: str = "default"
    model: str = "auto"
    max_error: int | None = None
    prdn: float | None = None
    time_axis: int | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.fs, int | float) and math.isfinite(self.fs) and self.fs > 0):
            raise ConfigError(f"fs: {self.fs!r}, expected a number above 0 Hz")
        if self.max_error is not None and self.prdn is not None:
            raise ConfigError("max_error and prdn: expected one of them at most")
        self._config()

    def to_json(self) -> dict[str, Any]:
        """Give the settings as plain JSON values, those that were left out not among them."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def encode(self, array: NDArray[Any]) -> bytes:
        """Give the bytes of an array; they are decoded and compared before.

        Parameters
        ----------
        array : array of integers or bool, of any shape

        Raises
        ------
        RecordError
            The array is of another type, or not to be coded with loss.
        VerifyError
            The bytes do not decode to the array.
        """
        array = np.asarray(array)
        form = self._form_of(array)
        cuts = np.cumsum(form.parts)[:-1]
        files = [
            encode(leads.T, fs=self.fs, config=self._config())
            for record in _to_records(array, form)
            for leads in np.split(record, cuts)
        ]
        return encode_array_parts(form, files)

    @staticmethod
    def check_type(dtype: np.dtype[Any]) -> None:
        """Raise RecordError for a type that is not coded."""
        if dtype.kind not in "iub":
            raise RecordError(
                f"array of {dtype}: sancodec codes integers; store the samples as the recorder "
                "gave them, with their gain beside them (scale_factor and add_offset)"
            )

    def _config(self) -> CodecConfig:
        fidelity: Fidelity = Lossless()
        if self.max_error is not None:
            fidelity = MaxError((str(self.max_error),))
        elif self.prdn is not None:
            fidelity = TargetPrdn(self.prdn)
        return CodecConfig(model=self.model, level=self.level, fidelity=fidelity)

    def _form_of(self, array: NDArray[Any]) -> ArrayForm:
        self.check_type(array.dtype)
        axis = self.time_axis
        if axis is None:
            axis = max(range(array.ndim), key=lambda i: array.shape[i], default=0)
        elif not -array.ndim <= axis < array.ndim:
            raise ConfigError(f"time_axis: {axis}, the array has {array.ndim} axes")
        in_words = _leaves_int32(array)
        if in_words and not isinstance(self._config().fidelity, Lossless):
            raise RecordError("array: with loss all values have to fit into 32 bits with a sign")
        return ArrayForm(
            dtype=array.dtype.newbyteorder("="),
            shape=array.shape,
            time_axis=axis % max(1, array.ndim),
            in_words=in_words,
            fortran=array.flags.f_contiguous and not array.flags.c_contiguous,
        )


def decode_array(encoded: bytes | memoryview, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Give back the array of ``ArrayCodec.encode``.

    Parameters
    ----------
    encoded : bytes
    shape : tuple of int, optional
        What it has to be.

    Raises
    ------
    CorruptError
        The bytes are damaged, or the array has another shape.
    """
    form, files = decode_array_parts(encoded)
    if shape is not None and form.shape != shape:
        raise CorruptError(f"array of shape {form.shape}, expected {shape}")
    parts = [_read(file, form, form.parts[i % len(form.parts)]) for i, file in enumerate(files)]
    return _from_records(parts, form)


def _read(encoded: bytes, form: ArrayForm, n_leads: int) -> NDArray[np.int32]:
    """Give the (n_leads, n_samples) samples of a file of an array."""
    file = SanFile(io.BytesIO(encoded), "array", provider="cpu")
    found = len(file.channels), file.n_frames
    if found != (n_leads, form.n_samples):
        raise CorruptError(
            f"array: a file of {found[0]} leads of {found[1]} samples, expected {n_leads} of "
            f"{form.n_samples}"
        )
    return file.read().samples.T


def _leaves_int32(array: NDArray[Any]) -> bool:
    if array.size == 0 or np.can_cast(array.dtype, np.int32):
        return False
    return int(array.max()) > _INT32.max or int(array.min()) < _INT32.min


def _to_records(array: NDArray[Any], form: ArrayForm) -> NDArray[np.int32]:
    """Give (n_records, n_leads, n_samples) int32."""
    if not form.n_files:
        return np.zeros((0, 0, 0), np.int32)
    last = np.moveaxis(np.atleast_1d(array), form.time_axis, -1)
    if not form.in_words:
        return last.astype(np.int32).reshape(form.n_records, form.n_leads, form.n_samples)
    little = np.ascontiguousarray(last, last.dtype.newbyteorder("<"))
    words = little.view("<i4").reshape(*last.shape, form.n_words)
    return np.moveaxis(words, -1, -2).reshape(form.n_records, form.n_leads, form.n_samples)


def _from_records(parts: list[NDArray[np.int32]], form: ArrayForm) -> NDArray[Any]:
    """Give the array back of the leads of all files."""
    if not parts:
        return np.zeros(form.shape, form.dtype, order="F" if form.fortran else "C")
    leads = np.concatenate(parts)
    others = form.others
    if form.in_words:
        words = np.moveaxis(leads.reshape(*others, form.n_words, form.n_samples), -2, -1)
        kind = form.dtype.newbyteorder("<")
        last = np.ascontiguousarray(words, "<i4").view(kind).reshape(*others, form.n_samples)
    else:
        # What loss lets leave the range of the type comes nearer to its original this way.
        least, most = (0, 1) if form.dtype.kind == "b" else _limits(form.dtype)
        last = np.clip(leads, max(least, _INT32.min), min(most, _INT32.max))
        last = last.reshape(*others, form.n_samples)
    array = np.moveaxis(last, -1, form.time_axis).reshape(form.shape)
    return np.array(array, form.dtype, order="F" if form.fortran else "C")


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
