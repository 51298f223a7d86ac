"""The codec for Zarr version 3: arrays of integers to bytes, chunk by chunk."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer

from sancodec.array_codec import ArrayCodec, decode_array
from sancodec.errors import ConfigError

NAME = "sancodec"


@dataclass(frozen=True)
class SanZarrCodec(ArrayBytesCodec):
    """Codes chunks of arrays of integers; parameters are those of ``ArrayCodec``.

    Examples
    --------
    >>> import numpy as np, zarr
    >>> from sancodec.zarr_codec import SanZarrCodec
    >>> samples = np.arange(720, dtype="i2").reshape(360, 2)
    >>> codec = SanZarrCodec(fs=360)
    >>> array = zarr.create_array(
    ...     {}, data=samples, chunks=(180, 2), serializer=codec, compressors=None
    ... )
    >>> bool((array[90:270] == samples[90:270]).all())
    True
    """

    is_fixed_size = False
    codec: ArrayCodec = field(init=False)

    def __init__(self, **settings: Any) -> None:
        object.__setattr__(self, "codec", ArrayCodec(**settings))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make the codec of what stands in the store."""
        if data.get("name") != NAME:
            raise ConfigError(f"codec {data.get('name')!r}, expected {NAME!r}")
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """Give what stands in the store."""
        return {"name": NAME, "configuration": self.codec.to_json()}

    def validate(self, *, dtype: Any, **_: Any) -> None:
        """Refuse arrays of other types when they are made, and not when they are written."""
        self.codec.check_type(dtype.to_native_dtype())

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raise NotImplementedError: how many bytes there will be depends on the samples."""
        raise NotImplementedError

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        encoded = chunk_data.to_bytes()
        array = await asyncio.to_thread(decode_array, encoded, chunk_spec.shape)
        native = array.astype(chunk_spec.dtype.to_native_dtype(), copy=False)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(native)

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        encoded = await asyncio.to_thread(self.codec.encode, chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(encoded)
