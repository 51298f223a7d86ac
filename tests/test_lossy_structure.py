"""Records whose leads follow from fewer keep what was promised of all of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sancodec
from sancodec import CodecConfig
from sancodec.base import _beyond_width
from sancodec.fidelity import Fidelity, MaxError, MeanPrdn, TargetPrdn, TargetSize
from sancodec.structure.rules import Derivation, Rule, Term
from sancodec.structure.structure import Structure
from tests.structure_chains import CHAINS, make, smooth_leads


def prdn(original: NDArray[np.int32], decoded: NDArray[np.int32]) -> NDArray[np.float64]:
    x, y = original.astype(np.float64), decoded.astype(np.float64)
    deviation = np.square(x - x.mean(axis=0)).sum(axis=0)
    error = np.square(y - x).sum(axis=0)
    return 100 * np.sqrt(np.where(error > 0, error / np.maximum(deviation, 1e-300), 0.0))


def encode(samples: NDArray[np.int32], fidelity: Fidelity, **more: float) -> bytes:
    config = CodecConfig(fidelity=fidelity, model="none", **more)  # type: ignore[arg-type]
    return sancodec.encode(samples, fs=500.0, config=config)


def is_structured(encoded: bytes) -> bool:
    with sancodec.open(encoded) as file:
        return file.plan.structure is not None


@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    chain=st.sampled_from(CHAINS),
    percent=st.floats(0.3, 30.0),
    bound=st.integers(0, 60),
)
def test_all_leads_of_any_chain_keep_any_promise(
    seed: int, chain: tuple[str, ...], percent: float, bound: int
) -> None:
    samples = make(np.random.default_rng(seed), chain, 900).samples.T
    decoded = sancodec.decode(encode(samples, TargetPrdn(percent))).samples
    assert np.all(prdn(samples, decoded) <= percent * (1 + 1e-12))
    decoded = sancodec.decode(encode(samples, MeanPrdn(percent))).samples
    flat = np.ptp(samples, axis=0) == 0
    assert prdn(samples, decoded)[~flat].mean() <= percent * (1 + 1e-12)
    np.testing.assert_array_equal(decoded[:, flat], samples[:, flat])
    decoded = sancodec.decode(encode(samples, MaxError((str(bound),)))).samples
    assert np.abs(decoded.astype(np.int64) - samples).max() <= bound
    encoded = encode(samples, TargetSize(bits_per_sample=3.0))
    assert len(encoded) <= 3.0 * samples.size / 8


def derived(n_samples: int, step: int = 1) -> NDArray[np.int32]:
    """Give (n_samples, 6) limb leads of two, on a grid."""
    one, two = smooth_leads(np.random.default_rng(5), 2, n_samples)
    leads = [one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2]
    return (step * np.stack(leads).T).astype(np.int32)


def test_a_bound_below_a_coarse_grid_takes_no_more_than_no_loss() -> None:
    samples = derived(3000, step=10)
    encoded = encode(samples, MaxError(("4",)))
    assert is_structured(encoded)
    np.testing.assert_array_equal(sancodec.decode(encoded).samples, samples)
    assert len(encoded) < 1.1 * len(sancodec.encode(samples, fs=500.0))


def test_a_bound_on_derived_leads_holds_through_their_rounding_and_saves_leads() -> None:
    samples = derived(3000, step=3)
    encoded = encode(samples, MaxError(("12",)))
    assert is_structured(encoded)
    errors = np.abs(sancodec.decode(encoded).samples - samples).max(axis=0)
    assert 0 < errors.max() <= 12


def test_base_leads_are_coded_in_several_chunks() -> None:
    samples = derived(4000, step=10)
    for fidelity in (TargetPrdn(0.8), MaxError(("25",))):
        encoded = encode(samples, fidelity, chunk_seconds=3)
        with sancodec.open(encoded) as file:
            assert len(file.container.chunks) == 3
            part = file.read(1000, 3500).samples
        np.testing.assert_array_equal(part, sancodec.decode(encoded).samples[1000:3500])


def test_missing_samples_of_derived_leads_come_back_as_such() -> None:
    samples = derived(2500).astype(np.int16)
    samples[300:420] = -32768
    samples[2000:2010, 3] = -32768
    for fidelity in (TargetPrdn(3.0), MaxError(("5",))):
        decoded = sancodec.decode(encode(samples, fidelity)).samples
        np.testing.assert_array_equal(decoded == -32768, samples == -32768)


def test_a_derived_lead_stays_within_the_width_of_its_samples() -> None:
    rule = Rule(terms=(Term(lead=0, whole=1), Term(lead=1, whole=1)))
    structure = Structure(n_leads=3, stages=(Derivation(n_outside=3, rules={2: rule}),))
    base = np.array([[16_000, -16_000, -16_384, 5], [16_767, -16_767, -16_000, 4]], np.int32)
    samples = np.concatenate([base, base.sum(axis=0, keepdims=True)]).astype(np.int32)
    off = base + np.array([[7, -8, -384, 1]], np.int32)
    misfits = _beyond_width(structure, samples, off)
    assert misfits is not None
    found = structure.inverse(off, misfits, 4)
    assert found[2].tolist() == [32_767, -32_767, -32_767, 11]


def test_the_mean_over_leads_takes_fewer_bytes_than_each() -> None:
    percent = 9.0
    leads = smooth_leads(np.random.default_rng(7), 4, 2000).T
    noise = np.random.default_rng(8).normal(0, [1.0, 4.0, 12.0, 30.0], leads.shape)
    samples = np.rint(leads + noise).astype(np.int32)
    encoded = encode(samples, MeanPrdn(percent))
    found = prdn(samples, sancodec.decode(encoded).samples)
    assert 0.97 * percent <= found.mean() <= percent
    assert len(encoded) < 0.99 * len(encode(samples, TargetPrdn(percent)))
