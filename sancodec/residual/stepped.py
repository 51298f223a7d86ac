"""Samples in steps of 2 e + 1, which are then coded without loss: none is off by more than e."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.residual.loss import LeadLoss
from sancodec.residual.template import Beats
from sancodec.residual.transform.gaps import (
    bounds_of,
    bridge,
    find_gaps,
    put_bounds,
    put_gaps,
    take_bounds,
    take_gaps,
)

Known = tuple[float, NDArray[np.int32], Sequence[Beats], int]
"""Clock, SAN reconstruction, beats and number of kernels, as the lossless modes take them."""
Encoder = Callable[
    [NDArray[np.int32], float, NDArray[np.int32], Sequence[Beats], int], tuple[int, bytes]
]
"""Gives the mode of a lossless residual, and the residual."""
Decoder = Callable[
    [int, bytes, int, float, NDArray[np.int32], Sequence[Beats], int], NDArray[np.int32]
]
"""Gives back the samples of a mode and its residual."""


def encode_stepped(
    samples: NDArray[np.int32],
    known: Known,
    loss: LeadLoss,
    encode: Encoder,
) -> bytes:
    """Code the leads of one chunk so that no sample is off by more than its lead's bound.

    Parameters
    ----------
    samples : (n_leads, n_samples) int32
        In ADC units.
    known : Known
    loss : LeadLoss
    encode : callable
        Codes the numbers of the steps.
    """
    assert loss.max_errors is not None
    clock, san, beats, n_kernels = known
    gaps = find_gaps(samples, loss.missing)
    leads = bridge(samples, gaps)
    writer = ByteWriter()
    put_bounds(writer, bounds_of(leads, loss.max_errors))
    put_gaps(writer, gaps, loss.missing)
    step = 2 * loss.max_errors[:, None] + 1
    numbers = (leads + loss.max_errors[:, None]) // step
    mode, residual = encode(numbers.astype(np.int32), clock, _in_steps(san, step), beats, n_kernels)
    return writer.u8(mode).raw(residual).getvalue()


def decode_stepped(
    payload: bytes,
    n_samples: int,
    known: Known,
    decode: Decoder,
) -> NDArray[np.int32]:
    """Give the (n_leads, n_samples) int32 samples that ``encode_stepped`` stands for.

    Raises
    ------
    CorruptError
        A field is out of range, or the residual does not decode.
    """
    clock, san, beats, n_kernels = known
    reader = ByteReader(payload, "stepped residual")
    bounds = np.array(take_bounds(reader, len(san)), np.int64).reshape(-1, 3, 1)
    filled, gaps = np.zeros((len(san), n_samples), np.int32), np.zeros((len(san), n_samples), bool)
    take_gaps(reader, filled, gaps)
    mode = reader.u8("mode of the steps")
    residual = bytes(reader.take(reader.remaining, "steps"))
    step = 2 * bounds[:, 0] + 1
    numbers = decode(mode, residual, n_samples, clock, _in_steps(san, step), beats, n_kernels)
    samples = np.clip(numbers * step, bounds[:, 1], bounds[:, 2]).astype(np.int32)
    return np.where(gaps, filled, samples)


def _in_steps(san: NDArray[np.int32], step: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give a reconstruction in units of steps, rounded half up."""
    return ((san + (step >> 1)) // step).astype(np.int32)
