"""The kernels of a SAN, as integers."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ModelError

UNIT = 1 << 14
"""The kernel value that stands for 1: an activation of amplitude A adds A * kernel / UNIT."""

MAX_KERNELS = 64
MAX_TAPS = 65_536
_N_HEAD = 5 * 8


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelBank:
    """Kernels with one common scale; two of them are equal when their digests are.

    Attributes
    ----------
    kernels : (n_kernels, n_kernel_leads, n_taps) int16
        In units of 1 / UNIT. ``n_kernel_leads`` is 1 when all leads share their kernels (models),
        or the number of leads when each has its own (kernels fitted to a record).
    centre : int
        The tap that falls on the position of an activation.
    fs : float
        Sampling frequency of the taps, in Hz.
    """

    kernels: NDArray[np.int16]
    centre: int
    fs: float
    digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kernels = self.kernels
        if kernels.dtype != np.int16 or kernels.ndim != 3:
            raise ModelError(
                "kernels: expected (n_kernels, n_kernel_leads, n_taps) int16, "
                f"found {kernels.shape} {kernels.dtype}"
            )
        if not (1 <= self.n_kernels <= MAX_KERNELS and 1 <= self.n_taps <= MAX_TAPS):
            raise ModelError(
                f"kernels: {self.n_kernels} kernels of {self.n_taps} taps, expected at most "
                f"{MAX_KERNELS} of {MAX_TAPS}"
            )
        if not 0 <= self.centre < self.n_taps:
            raise ModelError(f"kernels: centre {self.centre} is outside of {self.n_taps} taps")
        if not (np.isfinite(self.fs) and self.fs > 0):
            raise ModelError(f"kernels: sampling frequency {self.fs} Hz, expected above 0")
        if int(kernels.min()) == -(1 << 15):
            raise ModelError("kernels: -32768 has no opposite in int16; use -32767")
        object.__setattr__(self, "digest", hashlib.sha256(self.canonical()).hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelBank) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def n_kernels(self) -> int:
        """Number of kernels, q in the paper."""
        return int(self.kernels.shape[0])

    @property
    def n_kernel_leads(self) -> int:
        """Number of leads that have kernels of their own, or 1 when all leads share them."""
        return int(self.kernels.shape[1])

    @property
    def n_taps(self) -> int:
        """Kernel size, m in the paper."""
        return int(self.kernels.shape[2])

    def canonical(self) -> bytes:
        """Give the bytes whose SHA-256 is the digest; ``from_canonical`` reads them."""
        sizes = np.array([*self.kernels.shape, self.centre], "<i8").tobytes()
        return sizes + np.array([self.fs], "<f8").tobytes() + self.kernels.astype("<i2").tobytes()

    @classmethod
    def from_canonical(cls, canonical: bytes) -> KernelBank:
        """Give the bank of ``canonical``; ModelError where these are not such bytes."""
        n_values, odd = divmod(len(canonical) - _N_HEAD, 2)
        if n_values < 1 or odd:
            raise ModelError(f"kernels: {len(canonical)} bytes, expected more than {_N_HEAD}")
        *shape, centre = np.frombuffer(canonical[: 4 * 8], "<i8").tolist()
        if min(shape) < 1 or math.prod(shape) != n_values:
            raise ModelError(f"kernels: {shape} in {n_values} values")
        (fs,) = np.frombuffer(canonical[4 * 8 : _N_HEAD], "<f8").tolist()
        kernels = np.frombuffer(canonical[_N_HEAD:], "<i2").astype(np.int16).reshape(shape)
        return cls(kernels=kernels, centre=centre, fs=fs)
