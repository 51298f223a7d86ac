"""Principal amplitudes come back, and what they add is what NumPy says that they add."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancodec.errors import CorruptError
from sancodec.layers import SanPlan, reconstruct
from sancodec.runtime import open_session
from sancodec.san.amplitudes import MAX_AMPLITUDE
from sancodec.san.details import Details, decode_details, encode_details
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import Activations

FS = 250.0
COUNTS = (2, 0, 3)


def bank_of(n_kernels: int, seed: int) -> KernelBank:
    taps = np.random.default_rng(seed).integers(-2000, 2000, (n_kernels, 2, 40))
    return KernelBank(kernels=taps.astype(np.int16), centre=12, fs=FS)


def plan() -> SanPlan:
    san = SanPlan.of(0, (0, 1), (9, 11), bank_of(3, 1))
    return replace(san, details=Details.of(COUNTS, bank_of(5, 2), b""))


def activations_of(seed: int, n: int, size: int = 6) -> Activations:
    generator = np.random.default_rng(seed)
    kernel = generator.integers(0, 3, n)
    details = generator.integers(-size, size + 1, (n, 3)).astype(np.int32)
    details[np.arange(3) >= np.array(COUNTS)[kernel][:, None]] = 0
    return Activations(
        position=np.sort(generator.integers(-60, 4 * 900, n)),
        kernel=kernel,
        amplitude=generator.integers(-9, 10, (n, 2)).astype(np.int32),
        details=details,
    )


def details_of(san: SanPlan) -> Details:
    assert san.details is not None
    return san.details


@given(st.integers(0, 10_000), st.integers(0, 60), st.sampled_from([1, 6, MAX_AMPLITUDE]))
@settings(max_examples=40, deadline=None)
def test_principal_amplitudes_come_back(seed: int, n: int, size: int) -> None:
    activations, details = activations_of(seed, n, size), details_of(plan())
    payload = encode_details(activations, details)
    decoded = decode_details(payload, activations.kernel, details)
    np.testing.assert_array_equal(decoded, activations.details)


def test_damaged_amplitudes_are_refused_or_in_range() -> None:
    activations, details = activations_of(3, 12), details_of(plan())
    payload = encode_details(activations, details)
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError, match="principal"):
            decode_details(payload[:n_bytes], activations.kernel, details)
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = decode_details(bytes(flipped), activations.kernel, details)
        except CorruptError:
            continue
        assert np.abs(found).max() <= MAX_AMPLITUDE


def test_amplitudes_beyond_their_range_are_refused() -> None:
    activations, details = activations_of(3, 12, 8 * MAX_AMPLITUDE), details_of(plan())
    payload = encode_details(activations, details)
    with pytest.raises(CorruptError, match="principal amplitudes"):
        decode_details(payload, activations.kernel, details)


def test_principal_kernels_are_added_to_those_of_their_class() -> None:
    """As SPEC.md has it: one sum of both, then one shift for each lead."""
    san, activations, n_samples = plan(), activations_of(7, 30), 950
    details = details_of(san)
    sums = np.zeros((2, n_samples + 400), np.int64)
    assert activations.details is not None
    for position, kernel, own, more in zip(
        activations.position,
        activations.kernel,
        activations.amplitude,
        activations.details,
        strict=True,
    ):
        first = 200 + (position >> 2) - san.expanded.centre
        for lead in range(2):
            row = (kernel * 2 + lead) * 4 + (position & 3)
            total = own[lead] * san.expanded.rows[row].astype(np.int64)
            for j in range(COUNTS[kernel]):
                which = int(details.firsts[kernel]) + j
                row = (which * 2 + lead) * 4 + (position & 3)
                total += more[j] * details.expanded.rows[row].astype(np.int64)
            sums[lead, first : first + total.size] += total
    # 2**14 is a kernel value of 1, and a reconstruction is in sixteenths of an ADC unit.
    shifts = np.array([14 - 4 - 9, 14 - 4 - 11])
    right, left = np.maximum(shifts, 0)[:, None], np.maximum(-shifts, 0)[:, None]
    expected = ((sums + ((1 << right) >> 1)) >> right) << left
    layer = reconstruct(activations, san, (2, n_samples), open_session("cpu"))
    np.testing.assert_array_equal(layer.reconstruction, expected[:, 200 : 200 + n_samples])
