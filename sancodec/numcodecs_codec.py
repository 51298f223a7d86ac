"""The codec for numcodecs, and with that for Zarr version 2."""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray_like, ensure_ndarray, ndarray_copy

from sancodec.array_codec import ArrayCodec, decode_array
from sancodec.errors import RecordError


class SanNumcodec(Codec):  # type: ignore[misc]
    """Codes arrays of integers; parameters are those of ``ArrayCodec``.

    Examples
    --------
    >>> import numcodecs, numpy as np
    >>> codec = numcodecs.get_codec({"id": "sancodec", "fs": 360})
    >>> samples = np.arange(720, dtype="i2").reshape(360, 2)
    >>> bool((codec.decode(codec.encode(samples)) == samples).all())
    True
    """

    codec_id = "sancodec"

    def __init__(self, **settings: Any) -> None:
        self._codec = ArrayCodec(**settings)

    def encode(self, buf: Any) -> bytes:
        """Give the bytes of an array, or of a buffer; errors as of ``ArrayCodec.encode``.

        Raises
        ------
        TypeError
            It is not of integers.
        """
        array = ensure_ndarray(buf)
        try:
            self._codec.check_type(array.dtype)
        except RecordError as error:
            raise TypeError(str(error)) from error
        return self._codec.encode(array)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Give the array back, in ``out`` where that is given; errors as of ``decode_array``."""
        if getattr(getattr(out, "dtype", None), "kind", "") == "O":
            raise TypeError("out: an array of objects, expected one of numbers")
        encoded = ensure_contiguous_ndarray_like(buf).view(np.uint8)
        return ndarray_copy(decode_array(memoryview(encoded)), out)

    def get_config(self) -> dict[str, Any]:
        """Give the settings as plain JSON values."""
        return {"id": self.codec_id, **self._codec.to_json()}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self._codec.to_json().items())
        return f"{type(self).__name__}({settings})"
