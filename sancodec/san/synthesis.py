"""Kernels and activations to the integer reconstruction, the same on every machine.

A model's kernels are resampled to the record's sampling frequency, then expanded to four
versions a quarter of a sample apart, then placed by ONNX Runtime. All of it is integers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError, ModelError
from sancodec.placement import Placement
from sancodec.runtime import SynthesisSession
from sancodec.san.kernels import MAX_TAPS, UNIT, KernelBank

N_PHASES = 4
"""Positions are in quarters of a sample."""

MIN_RESAMPLED_TAPS = 8
"""Fewer taps than this are no kernel any more."""

UNIT_BITS = UNIT.bit_length() - 1
MIN_SHIFT, MAX_SHIFT = -17, 31
"""Shifts from sums to ADC units: amplitude units of 2**-17 to 2**31 ADC units."""

# Lagrange's polynomial of degree 5 through the six nearest taps, in units of 1 / 8192 (exactly):
# value at 0, 1/4, 1/2, 3/4 between the third tap and the fourth.
_FILTER_BITS = 13
_FILTERS = (
    (0, 0, 8192, 0, 0, 0),
    (77, -693, 6930, 2310, -495, 63),
    (96, -800, 4800, 4800, -800, 96),
    (63, -495, 2310, 6930, -693, 77),
)
# A shifted kernel reaches two taps further before it and three after it.
_LEAD_IN, _LEAD_OUT = 2, 3
_MARGIN = 6
# Fixed point of the cubic that resamples kernels.
_CUBIC_BITS = 14
# Resampled banks that are kept.
_N_REMEMBERED = 64


@dataclass(frozen=True, kw_only=True)
class Activations:
    """Sparse activations, shared by all leads of a signal group.

    Attributes
    ----------
    position : (n_activations,) int64
        Where the centre of the kernel falls, in quarters of a sample; before 0 and beyond the
        last sample too, as long as the kernel can touch a sample.
    kernel : (n_activations,) int64
    amplitude : (n_activations, n_leads) int32
        In units of ``2 ** exponent`` ADC units of each lead, for a kernel value of UNIT.
    details : (n_activations, n) int32 or None
        Amplitudes of the principal kernels of each one's class, where a layer has some, in the
        same units for all leads; 0 beyond their number.

    Raises
    ------
    CorruptError
        The arrays have other shapes or types.
    """

    position: NDArray[np.int64]
    kernel: NDArray[np.int64]
    amplitude: NDArray[np.int32]
    details: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        for name, array in (("position", self.position), ("kernel", self.kernel)):
            if array.dtype != np.int64 or array.ndim != 1:
                raise CorruptError(
                    f"activations: {name} is {array.shape} {array.dtype}, expected (n,) int64"
                )
        amplitude = self.amplitude
        lengths = {len(self.position), len(self.kernel)}
        if amplitude.dtype != np.int32 or amplitude.ndim != 2 or lengths != {len(amplitude)}:
            raise CorruptError(
                f"activations: amplitude is {amplitude.shape} {amplitude.dtype}, expected "
                f"({len(self.position)}, n_leads) int32, with {len(self.kernel)} kernels"
            )

    @property
    def n_activations(self) -> int:
        """Number of activations, A in the paper for one lead."""
        return len(self.position)


@dataclass(frozen=True, kw_only=True)
class ExpandedBank:
    """A bank with each kernel in four versions, a quarter of a sample apart.

    Attributes
    ----------
    rows : (n_kernels * n_kernel_leads * 4, n_taps) int32
        Row ``(kernel * n_kernel_leads + kernel_lead) * 4 + phase``, in units of 1 / UNIT.
    centre : int
        The tap that falls on the whole part of a position.
    """

    rows: NDArray[np.int32]
    centre: int
    n_kernels: int
    n_kernel_leads: int

    @property
    def n_taps(self) -> int:
        """Number of taps of each row."""
        return int(self.rows.shape[1])


# Short records of one archive all take the same kernels, and this would be half of decoding them.
@lru_cache(maxsize=8)
def resample(bank: KernelBank, fs: float) -> KernelBank:
    """Give the bank at another sampling frequency, by integers alone.

    Keys' cubic (a = -1/2) through the taps, widened by the ratio when the sampling frequency
    falls, so that it averages; the weights of each new tap are divided by their sum.

    Parameters
    ----------
    fs : float
        Sampling frequency of the taps wanted, in Hz.

    Raises
    ------
    ModelError
        The sampling frequency is not above 0, or leaves too few or too many taps.
    """
    if not (np.isfinite(fs) and fs > 0):
        raise ModelError(f"sampling frequency: {fs} Hz, expected above 0")
    return bank if fs == bank.fs else _resampled(_ByDigest(bank), fs)


class _ByDigest:
    """A bank that is known by its digest, which stands for all of it."""

    def __init__(self, bank: KernelBank) -> None:
        self.bank = bank

    def __hash__(self) -> int:
        return hash(self.bank.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and self.bank.digest == other.bank.digest


# The records of an archive have few frequencies, and short ones take hardly longer than this.
@functools.lru_cache(_N_REMEMBERED)
def _resampled(own: _ByDigest, fs: float) -> KernelBank:
    bank = own.bank
    step = Fraction(bank.fs) / Fraction(fs)
    before = _ceil(bank.centre / step)
    after = _ceil((bank.n_taps - 1 - bank.centre) / step)
    n_taps = before + 1 + after
    if not MIN_RESAMPLED_TAPS <= n_taps <= MAX_TAPS:
        raise ModelError(
            f"sampling frequency: at {fs} Hz the model's kernels have {n_taps} taps, "
            f"expected {MIN_RESAMPLED_TAPS} to {MAX_TAPS}; use no model, or another one"
        )
    positions = [bank.centre + k * step for k in range(-before, after + 1)]
    taps = [_tap(bank, position, max(step, Fraction(1))) for position in positions]
    kernels = np.clip(np.stack(taps, axis=-1), -32_767, 32_767).astype(np.int16)
    kernels.flags.writeable = False
    return KernelBank(kernels=kernels, centre=before, fs=float(fs))


@lru_cache(maxsize=8)
def expand(bank: KernelBank) -> ExpandedBank:
    """Give each kernel delayed by 0, 1, 2 and 3 quarters of a sample, rounded half up."""
    rows = bank.kernels.reshape(-1, bank.n_taps).astype(np.int64)
    n_taps = bank.n_taps + _LEAD_IN + _LEAD_OUT
    # A delay by f quarters reads the kernel 4 - f quarters after the tap before.
    padded = np.pad(rows, ((0, 0), (_MARGIN, _MARGIN)))
    expanded = np.zeros((len(rows), N_PHASES, n_taps), np.int64)
    for phase in range(N_PHASES):
        late = phase > 0
        coefficients = _FILTERS[(N_PHASES - phase) % N_PHASES]
        for j, coefficient in enumerate(coefficients):
            first = _MARGIN - _LEAD_IN - 2 - late + j
            expanded[:, phase] += coefficient * padded[:, first : first + n_taps]
    half = 1 << (_FILTER_BITS - 1)
    rounded = (expanded + half) >> _FILTER_BITS
    return ExpandedBank(
        rows=rounded.reshape(-1, n_taps).astype(np.int32),
        centre=bank.centre + _LEAD_IN,
        n_kernels=bank.n_kernels,
        n_kernel_leads=bank.n_kernel_leads,
    )


def synthesise(
    session: SynthesisSession,
    bank: ExpandedBank,
    activations: Activations,
    n_samples: int,
    shifts: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Give the reconstruction of every lead, in ADC units without baseline.

    Parameters
    ----------
    n_samples : int
        Samples of the span; activations outside of it count as far as they reach into it.
    shifts : (n_leads,) int64
        ``14 - exponent`` of each lead, where its amplitudes are in ``2 ** exponent`` ADC units.
        Sums are shifted right by it, rounded half up; shifted left where it is negative.

    Returns
    -------
    (n_leads, n_samples) int32

    Raises
    ------
    CorruptError
        An activation is out of range or cannot touch the span, or a sum leaves int32.
    """
    placement = placement_of(bank, activations, n_samples, shifts)
    sums = session.place(placement)[:, bank.n_taps : bank.n_taps + n_samples]
    return shift_sums(sums, shifts)


def placement_of(
    bank: ExpandedBank, activations: Activations, n_samples: int, shifts: NDArray[np.int64]
) -> Placement:
    """Give what ONNX Runtime adds up: each lead a record with a margin of n_taps before it."""
    n_leads = activations.amplitude.shape[1]
    _check_leads(bank, n_leads, shifts)
    kernel, position = activations.kernel, activations.position
    if kernel.size and not (kernel.min() >= 0 and kernel.max() < bank.n_kernels):
        raise CorruptError(
            f"activations: kernels {kernel.min()} to {kernel.max()}, expected 0 to "
            f"{bank.n_kernels - 1}"
        )
    start = (position >> 2) - bank.centre + bank.n_taps
    if position.size and not (start.min() >= 0 and start.max() <= n_samples + bank.n_taps):
        raise CorruptError(
            f"activations: positions {position.min()} to {position.max()} quarters of a sample "
            f"cannot all touch {n_samples} samples"
        )
    lead = np.arange(n_leads, dtype=np.int64)[:, None]
    kernel_lead = lead if bank.n_kernel_leads > 1 else np.zeros_like(lead)
    row = (kernel * bank.n_kernel_leads + kernel_lead) * N_PHASES + (position & 3)
    return Placement(
        bank=bank.rows,
        row=row.ravel(),
        amplitude=np.ascontiguousarray(activations.amplitude.T).ravel(),
        position=np.tile(start, n_leads),
        record=np.repeat(lead.ravel(), activations.n_activations),
        n_records=n_leads,
        n_samples=n_samples + bank.n_taps,
    )


def shift_sums(
    sums: NDArray[np.int32] | NDArray[np.int64], shifts: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Bring (n_leads, n_samples) sums to ADC units, by (n_leads,) shifts, rounded half up."""
    right = np.maximum(shifts, 0)[:, None]
    left = np.maximum(-shifts, 0)[:, None]
    half = (np.int64(1) << right) >> 1
    shifted = ((sums.astype(np.int64) + half) >> right) << left
    limits = np.iinfo(np.int32)
    if shifted.size and not (shifted.min() >= limits.min and shifted.max() <= limits.max):
        raise CorruptError("activations: the reconstruction leaves the range of int32")
    return shifted.astype(np.int32)


def _check_leads(bank: ExpandedBank, n_leads: int, shifts: NDArray[np.int64]) -> None:
    if bank.n_kernel_leads not in (1, n_leads):
        raise CorruptError(
            f"activations: amplitudes for {n_leads} leads, kernels for {bank.n_kernel_leads}"
        )
    if shifts.shape != (n_leads,) or shifts.dtype != np.int64:
        raise CorruptError(f"shifts: {shifts.shape} {shifts.dtype}, expected ({n_leads},) int64")
    if n_leads and not (shifts.min() >= MIN_SHIFT and shifts.max() <= MAX_SHIFT):
        raise CorruptError(f"shifts: {shifts.tolist()}, expected {MIN_SHIFT} to {MAX_SHIFT}")


def _tap(bank: KernelBank, at: Fraction, width: Fraction) -> NDArray[np.int64]:
    """Give the (n_kernels, n_kernel_leads) values of the kernels at a fraction of a tap."""
    at_taps = range(_ceil(at - 2 * width), (at + 2 * width).__floor__() + 1)
    weights = np.array([_cubic(abs(at - j) / width) for j in at_taps], np.int64)
    # Beyond its ends a kernel is 0: those weights count in the sum alone.
    first, last = max(at_taps.start, 0), min(at_taps.stop, bank.n_taps)
    taps = bank.kernels[:, :, first:last].astype(np.int64)
    inside = weights[first - at_taps.start : last - at_taps.start]
    total = int(weights.sum())
    # Weights below 2**15 and taps below 2**15: int64 has room for 2**32 of them.
    return np.asarray((2 * (taps * inside).sum(axis=-1) + total) // (2 * total), np.int64)


def _cubic(x: Fraction) -> int:
    """Give Keys' cubic at a distance of 0 to 2, rounded down to units of 2**-14."""
    n, d = x.as_integer_ratio()
    # In integers, which take a tenth of the time of fractions: twice d**3 times the value.
    near = 3 * n**3 - 5 * n**2 * d + 2 * d**3
    far = -(n**3) + 5 * n**2 * d - 8 * n * d**2 + 4 * d**3
    return ((near if n < d else far) << _CUBIC_BITS) // (2 * d**3)


def _ceil(x: Fraction) -> int:
    return -((-x).__floor__())
