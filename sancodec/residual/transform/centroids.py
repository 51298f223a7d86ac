"""Where in its interval a quantised coefficient is put back: the mean of those that were there.

Magnitudes 1, 2, and all others have an offset each, one set for a chunk or one for each band.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.residual.transform.wavelet import Band

NONE, SHARED, BY_BAND = range(3)

_N_MAGNITUDES = 3
_UNIT = 256.0
_ZERO = 128
# Optimised quantisation rounds down more often than up.
_USUAL = 0.03125
# Sets of three bytes have to pay for themselves.
_ENOUGH_TO_SHARE, _ENOUGH_BY_BAND = 200, 3000


class Centroids(NamedTuple):
    """Offsets from the magnitude, (n_bands, 3) float64, and how they are written."""

    offsets: NDArray[np.float64]
    form: int


def fit_centroids(
    wanted: NDArray[np.float64], quantised: NDArray[np.int32], bands: list[Band]
) -> Centroids:
    """Give the mean offsets of (n_leads, n) coefficients, in steps, from what they became."""
    n_nonzero = int(np.count_nonzero(quantised))
    offsets = np.full((len(bands), _N_MAGNITUDES), _USUAL)
    if n_nonzero < _ENOUGH_TO_SHARE:
        return Centroids(offsets, NONE)
    if n_nonzero < _ENOUGH_BY_BAND:
        offsets[:] = _mean_offsets(wanted, quantised)
        return Centroids(offsets, SHARED)
    for i, band in enumerate(bands):
        part = slice(band.begin, band.stop)
        offsets[i] = _mean_offsets(wanted[:, part], quantised[:, part])
    return Centroids(offsets, BY_BAND)


def _mean_offsets(wanted: NDArray[np.float64], quantised: NDArray[np.int32]) -> NDArray[np.float64]:
    magnitude = np.abs(quantised)
    beyond = np.abs(wanted) - magnitude
    means = np.zeros(_N_MAGNITUDES)
    for i in range(_N_MAGNITUDES):
        own = beyond[np.minimum(magnitude, _N_MAGNITUDES) == i + 1]
        means[i] = own.mean() if own.size else 0.0
    units = np.clip(np.rint(means * _UNIT), -_ZERO, _ZERO - 1)
    return np.asarray(units / _UNIT)


def put_centroids(writer: ByteWriter, centroids: Centroids) -> None:
    """Write the form, and as many sets of offsets as it says."""
    writer.u8(centroids.form)
    rows = {NONE: 0, SHARED: 1, BY_BAND: len(centroids.offsets)}[centroids.form]
    for offset in centroids.offsets[:rows].ravel():
        writer.u8(int(offset * _UNIT) + _ZERO)


def take_centroids(reader: ByteReader, n_bands: int) -> NDArray[np.float64]:
    """Take the (n_bands, 3) offsets that ``put_centroids`` wrote; CorruptError for other forms."""
    form = reader.u8("form of the centroids")
    if form not in {NONE, SHARED, BY_BAND}:
        raise CorruptError(f"centroids: form {form}, expected 0 to 2")
    if form == NONE:
        return np.full((n_bands, _N_MAGNITUDES), _USUAL)
    n_rows = 1 if form == SHARED else n_bands
    octets = np.frombuffer(reader.take(n_rows * _N_MAGNITUDES, "centroids"), np.uint8)
    offsets = (octets.astype(np.float64) - _ZERO) / _UNIT
    rows = offsets.reshape(n_rows, _N_MAGNITUDES)
    return np.asarray(np.broadcast_to(rows, (n_bands, _N_MAGNITUDES)))


def put_back(
    quantised: NDArray[np.int32], offsets: NDArray[np.float64], bands: list[Band]
) -> NDArray[np.float64]:
    """Give (n_leads, n) coefficients, in steps."""
    coefficients = quantised.astype(np.float64)
    for band, own in zip(bands, offsets, strict=True):
        part = quantised[:, band.begin : band.stop]
        magnitude = np.minimum(np.abs(part), _N_MAGNITUDES)
        lookup = np.concatenate([[0.0], own])
        coefficients[:, band.begin : band.stop] += np.sign(part) * lookup[magnitude]
    return coefficients
