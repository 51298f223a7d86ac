"""Activations and kernels as bytes: the readable layer of a chunk, entropy coded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.adaptive import (
    SYMBOLS_PER_NUMBER,
    new_contexts,
    put_number,
    put_signed,
    take_number,
    take_signed,
)
from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import at_end, encode_symbols, words_of
from sancodec.errors import CorruptError
from sancodec.san.synthesis import Activations

POSITION_ORIGIN = 1 << 20
"""Added to the first position of a chunk, in quarters of a sample, so that it is not negative."""

# Fields; one for the kernel after each kernel, then one for the amplitude of each lead.
_COUNT, _ORIGIN, _FIRST, _INTERVAL, _KERNEL = range(5)
_N_PAST = 8
_N_MAGNITUDES = 6
_MEAN_BITS = 4
_HALF_MEAN = 1 << (_MEAN_BITS - 1)
_MEAN_SPEED = 2


@compiled
def _median_of_past(past: NDArray[np.int64], n_seen: int) -> int:
    n = min(n_seen, _N_PAST)
    if n == 0:
        return 0
    return int(np.sort(past[:n])[n // 2])


@compiled
def _follow(means: NDArray[np.int64], kernel: int, lead: int, amplitude: int) -> None:
    """Move the running mean towards an amplitude; the first one sets it."""
    mean = means[kernel, lead]
    target = amplitude << _MEAN_BITS
    means[kernel, lead] = target if mean == 0 else mean + ((target - mean) >> _MEAN_SPEED)


@compiled
def _put_activations(  # noqa: PLR0917
    symbols: NDArray[np.int64],
    contexts: NDArray[np.int64],
    position: NDArray[np.int64],
    kernel: NDArray[np.int64],
    amplitude: NDArray[np.int32],
    n_kernels: int,
) -> int:
    n_leads = amplitude.shape[1]
    past = np.zeros(_N_PAST, np.int64)
    means = np.zeros((n_kernels, n_leads), np.int64)
    last_kernel = 0
    n = put_number(symbols, 0, contexts, _COUNT, position.size)
    for i in range(position.size):
        if i == 0:
            n = put_number(symbols, n, contexts, _ORIGIN, position[0] + POSITION_ORIGIN)
        else:
            interval = position[i] - position[i - 1]
            field = _FIRST if i == 1 else _INTERVAL
            n = put_signed(symbols, n, contexts, field, interval - _median_of_past(past, i - 1))
            past[(i - 1) % _N_PAST] = interval
        n = put_number(symbols, n, contexts, _KERNEL + last_kernel, kernel[i])
        last_kernel = kernel[i]
        for lead in range(n_leads):
            field = _KERNEL + n_kernels + lead
            mean = (means[last_kernel, lead] + _HALF_MEAN) >> _MEAN_BITS
            n = put_signed(symbols, n, contexts, field, amplitude[i, lead] - mean)
            _follow(means, last_kernel, lead, amplitude[i, lead])
    return n


@compiled
def _take_activations(  # noqa: PLR0917
    words: NDArray[np.uint32],
    cursor: NDArray[np.int64],
    contexts: NDArray[np.int64],
    position: NDArray[np.int64],
    kernel: NDArray[np.int64],
    amplitude: NDArray[np.int64],
    n_kernels: int,
) -> bool:
    """Fill the arrays; False where a kernel number or an overrun says that nothing is right."""
    n_leads = amplitude.shape[1]
    past = np.zeros(_N_PAST, np.int64)
    means = np.zeros((n_kernels, n_leads), np.int64)
    last_kernel = 0
    for i in range(position.size):
        if i == 0:
            position[0] = take_number(words, cursor, contexts, _ORIGIN) - POSITION_ORIGIN
        else:
            field = _FIRST if i == 1 else _INTERVAL
            interval = take_signed(words, cursor, contexts, field) + _median_of_past(past, i - 1)
            past[(i - 1) % _N_PAST] = interval
            position[i] = position[i - 1] + interval
        kernel[i] = take_number(words, cursor, contexts, _KERNEL + last_kernel)
        if kernel[i] >= n_kernels or cursor[2]:
            return False
        last_kernel = kernel[i]
        for lead in range(n_leads):
            field = _KERNEL + n_kernels + lead
            mean = (means[last_kernel, lead] + _HALF_MEAN) >> _MEAN_BITS
            amplitude[i, lead] = take_signed(words, cursor, contexts, field) + mean
            _follow(means, last_kernel, lead, amplitude[i, lead])
    return True


def _n_fields(n_kernels: int, n_leads: int) -> int:
    return _KERNEL + n_kernels + n_leads


def encode_activations(activations: Activations, n_kernels: int) -> bytes:
    """Code activations whose positions do not decrease."""
    n, n_leads = activations.amplitude.shape
    capacity = SYMBOLS_PER_NUMBER * (1 + n * (2 + n_leads))
    symbols = np.empty((3, capacity), np.int64)
    n_symbols = _put_activations(
        symbols,
        new_contexts(_n_fields(n_kernels, n_leads)),
        activations.position,
        activations.kernel,
        activations.amplitude,
        n_kernels,
    )
    return encode_symbols(symbols[0], symbols[1], symbols[2], n_symbols).astype("<u4").tobytes()


def decode_activations(
    payload: bytes, n_kernels: int, n_leads: int, max_activations: int
) -> Activations:
    """Give back the activations of ``encode_activations``.

    Raises
    ------
    CorruptError
        The payload announces more than ``max_activations``, a kernel that there is not, positions
        that decrease, an amplitude beyond int32, or does not end where it should.
    """
    words, cursor = words_of(payload, "activations")
    contexts = new_contexts(_n_fields(n_kernels, n_leads))
    n = int(take_number(words, cursor, contexts, _COUNT))
    if cursor[2] or n > max_activations:
        raise CorruptError(f"activations: {n} announced, expected at most {max_activations}")
    position, kernel = np.zeros(n, np.int64), np.zeros(n, np.int64)
    amplitude = np.zeros((n, n_leads), np.int64)
    sound = _take_activations(words, cursor, contexts, position, kernel, amplitude, n_kernels)
    if not sound or not at_end(words, cursor):
        raise CorruptError("activations: the payload does not decode to its activations")
    if np.any(np.diff(position) < 0) or np.any(np.abs(amplitude) > np.iinfo(np.int32).max):
        raise CorruptError("activations: positions decrease, or an amplitude is beyond int32")
    return Activations(position=position, kernel=kernel, amplitude=amplitude.astype(np.int32))


@compiled
def _magnitude_class(a: int, b: int) -> int:
    size = abs(a) + abs(b)
    level = 0
    while size > 0 and level < _N_MAGNITUDES - 1:
        size >>= 1
        level += 1
    return level


@compiled
def _put_taps(
    symbols: NDArray[np.int64], contexts: NDArray[np.int64], rows: NDArray[np.int64]
) -> int:
    n = 0
    for row in range(rows.shape[0]):
        last, slope, before = 0, 0, 0
        for j in range(rows.shape[1]):
            change = rows[row, j] - last
            n = put_signed(symbols, n, contexts, _magnitude_class(slope, before), change)
            last, slope, before = rows[row, j], change, slope
    return n


@compiled
def _take_taps(
    words: NDArray[np.uint32],
    cursor: NDArray[np.int64],
    contexts: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    for row in range(rows.shape[0]):
        last, slope, before = 0, 0, 0
        for j in range(rows.shape[1]):
            change = take_signed(words, cursor, contexts, _magnitude_class(slope, before))
            rows[row, j] = last + change
            last, slope, before = rows[row, j], change, slope


def encode_taps(kernels: NDArray[np.int16]) -> bytes:
    """Code (n_kernels, n_kernel_leads, n_taps) taps as differences, by how steep they are."""
    rows = kernels.reshape(-1, kernels.shape[2]).astype(np.int64)
    symbols = np.empty((3, SYMBOLS_PER_NUMBER * rows.size), np.int64)
    n_symbols = _put_taps(symbols, new_contexts(_N_MAGNITUDES), rows)
    return encode_symbols(symbols[0], symbols[1], symbols[2], n_symbols).astype("<u4").tobytes()


def decode_taps(payload: bytes, shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """Give back the taps of ``encode_taps``, of a ``shape`` that was checked before.

    Raises
    ------
    CorruptError
        A tap is beyond int16, or the payload does not end where it should.
    """
    words, cursor = words_of(payload, "kernels")
    rows = np.zeros((shape[0] * shape[1], shape[2]), np.int64)
    _take_taps(words, cursor, new_contexts(_N_MAGNITUDES), rows)
    if not at_end(words, cursor) or np.any(np.abs(rows) > np.iinfo(np.int16).max):
        raise CorruptError("kernels: the payload does not decode to its taps")
    return rows.reshape(shape).astype(np.int16)
