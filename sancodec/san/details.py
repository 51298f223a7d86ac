"""Principal kernels: how the beats of a class differ from their kernel, and by how much each does.

Each class of activations may have some, of the same size as its kernel. A beat has one amplitude
for each of those of its class, shared by all leads; the kernel says how much of it each lead has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.adaptive import (
    SYMBOLS_PER_NUMBER,
    new_contexts,
    put_signed,
    take_signed,
)
from sancodec.entropy.compiled import compiled
from sancodec.entropy.rans import at_end, encode_symbols, words_of
from sancodec.errors import CorruptError
from sancodec.runtime import SynthesisSession
from sancodec.san.amplitudes import MAX_AMPLITUDE
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import (
    Activations,
    ExpandedBank,
    expand,
    placement_of,
    shift_sums,
)


@dataclass(frozen=True, kw_only=True)
class Details:
    """The principal kernels of a layer.

    Attributes
    ----------
    counts : tuple of int
        How many each class has; kernels stand in the order of the classes.
    expanded : ExpandedBank
        Of the size and with the centre of the layer's own bank.
    coded : bytes
        The kernels as they stand in a file.
    """

    counts: tuple[int, ...]
    expanded: ExpandedBank
    coded: bytes

    @classmethod
    def of(cls, counts: tuple[int, ...], bank: KernelBank, coded: bytes) -> Details:
        """Expand the bank of ``sum(counts)`` kernels for all leads of the layer."""
        assert sum(counts) == bank.n_kernels
        return cls(counts=counts, expanded=expand(bank), coded=coded)

    @property
    def firsts(self) -> NDArray[np.int64]:
        """The number of the first kernel of each class."""
        return np.cumsum([0, *self.counts[:-1]]).astype(np.int64)

    def apart(self, activations: Activations) -> Activations:
        """Give activations of the principal kernels alone, one for each amplitude that is not 0."""
        assert activations.details is not None
        beat, which = np.nonzero(activations.details)
        amplitude = activations.details[beat, which]
        n_leads = activations.amplitude.shape[1]
        return Activations(
            position=activations.position[beat],
            kernel=self.firsts[activations.kernel[beat]] + which,
            amplitude=np.repeat(amplitude[:, None], n_leads, axis=1).astype(np.int32),
        )

    def beside(self, activations: Activations, n_kernels: int) -> Activations:
        """Give activations of a bank of ``n_kernels``, then those of the principal kernels."""
        apart = self.apart(activations)
        return Activations(
            position=np.concatenate([activations.position, apart.position]),
            kernel=np.concatenate([activations.kernel, apart.kernel + n_kernels]),
            amplitude=np.concatenate([activations.amplitude, apart.amplitude]),
        )


def synthesise_detailed(  # noqa: PLR0917
    session: SynthesisSession,
    bank: ExpandedBank,
    details: Details,
    activations: Activations,
    n_samples: int,
    shifts: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Give the reconstruction with principal kernels; arguments and errors as of ``synthesise``."""
    sums = np.zeros((activations.amplitude.shape[1], n_samples), np.int64)
    for own, some in ((bank, activations), (details.expanded, details.apart(activations))):
        placed = session.place(placement_of(own, some, n_samples, shifts))
        sums += placed[:, own.n_taps : own.n_taps + n_samples]
    return shift_sums(sums, shifts)


@compiled
def _put_details(  # noqa: PLR0917
    symbols: NDArray[np.int64],
    contexts: NDArray[np.int64],
    kernel: NDArray[np.int64],
    details: NDArray[np.int64],
    counts: NDArray[np.int64],
    firsts: NDArray[np.int64],
) -> int:
    n = 0
    for i in range(kernel.size):
        for j in range(counts[kernel[i]]):
            n = put_signed(symbols, n, contexts, firsts[kernel[i]] + j, details[i, j])
    return n


@compiled
def _take_details(  # noqa: PLR0917
    words: NDArray[np.uint32],
    cursor: NDArray[np.int64],
    contexts: NDArray[np.int64],
    kernel: NDArray[np.int64],
    details: NDArray[np.int64],
    counts: NDArray[np.int64],
    firsts: NDArray[np.int64],
) -> None:
    """Fill ``details``; an overrun, which the cursor tells, leaves the rest as it is."""
    for i in range(kernel.size):
        for j in range(counts[kernel[i]]):
            details[i, j] = take_signed(words, cursor, contexts, firsts[kernel[i]] + j)
            if cursor[2]:
                return


def encode_details(activations: Activations, details: Details) -> bytes:
    """Code the amplitudes of principal kernels, activation after activation."""
    assert activations.details is not None
    counts = np.array(details.counts, np.int64)
    n_amplitudes = int(counts[activations.kernel].sum())
    symbols = np.empty((3, SYMBOLS_PER_NUMBER * n_amplitudes), np.int64)
    contexts = new_contexts(int(counts.sum()))
    amplitudes = activations.details.astype(np.int64)
    layer = activations.kernel, amplitudes, counts, details.firsts
    n_symbols = _put_details(symbols, contexts, *layer)
    return encode_symbols(symbols[0], symbols[1], symbols[2], n_symbols).astype("<u4").tobytes()


def decode_details(
    payload: bytes, kernel: NDArray[np.int64], details: Details
) -> NDArray[np.int32]:
    """Give the (n_activations, largest count) amplitudes of ``encode_details``.

    Parameters
    ----------
    kernel : (n_activations,) int64
        The class of each activation.

    Raises
    ------
    CorruptError
        An amplitude is out of range, or the payload does not end where it should.
    """
    words, cursor = words_of(payload, "principal amplitudes")
    counts = np.array(details.counts, np.int64)
    amplitudes = np.zeros((kernel.size, int(counts.max())), np.int64)
    contexts = new_contexts(int(counts.sum()))
    _take_details(words, cursor, contexts, kernel, amplitudes, counts, details.firsts)
    if not at_end(words, cursor) or np.any(np.abs(amplitudes) > MAX_AMPLITUDE):
        raise CorruptError("principal amplitudes: the payload does not decode to them")
    return amplitudes.astype(np.int32)
