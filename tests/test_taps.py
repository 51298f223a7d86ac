"""Products of neighbouring taps: the quick road gives what the long one gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.residual.taps import Taps, add_products, new_products, new_span

PAD = 64
N_SAMPLES = 900


def taps_of(seed: int, reaches: list[tuple[int, int]]) -> Taps:
    """Series of noise, each seen from ``-back`` to ``ahead``."""
    generator = np.random.default_rng(seed)
    sources = np.zeros((len(reaches), N_SAMPLES + 2 * PAD))
    sources[:, PAD:-PAD] = generator.normal(0, 30, (len(reaches), N_SAMPLES))
    return Taps(
        sources=sources,
        first=np.array([-back for back, _ in reaches]),
        n_taps=np.array([back + ahead + 1 for back, ahead in reaches]),
    )


def rows_of(taps: Taps, begin: int, stop: int) -> NDArray[np.float64]:
    """What the taps see at each sample, one row each."""
    rows = []
    for t in range(begin + PAD, stop + PAD):
        seen = [
            source[t + first : t + first + n]
            for source, first, n in zip(taps.sources, taps.first, taps.n_taps, strict=True)
        ]
        rows.append(np.concatenate(seen))
    return np.array(rows)


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=1, max_size=9),
)
@settings(max_examples=80, deadline=None)
def test_products_of_a_span_are_the_weighted_sums_of_outer_products(
    seed: int, reaches: list[tuple[int, int]], sizes: list[int]
) -> None:
    taps, generator = taps_of(seed, reaches), np.random.default_rng(seed + 1)
    products, span = new_products(taps.n_taps, 400), new_span(400)
    before = generator.normal(0, 1, products.total.shape)
    products.total[:] = before
    bounds = 1 + np.concatenate([[0], np.cumsum(sizes)])
    weights = generator.uniform(0.1, 3.0, len(sizes))
    span.bounds[: len(bounds)], span.weights[: len(sizes)] = bounds, weights
    span.n_blocks[0] = len(sizes)
    add_products(products, taps, span, PAD, 0.75)
    rows = rows_of(taps, int(bounds[0]), int(bounds[-1]))
    n = rows.shape[1]
    expected = 0.75 * before[:, :n] + (rows * np.repeat(weights, sizes)[:, None]).T @ rows
    upper = np.triu_indices(n)
    tolerance = 1e-12 * np.abs(expected).max()
    np.testing.assert_allclose(products.total[upper], expected[upper], rtol=0, atol=tolerance)
    assert span.n_blocks[0] == 0


@pytest.mark.parametrize("loudest", [1.0, 1e9])
def test_what_was_loud_leaves_little_behind_in_quieter_products(loudest: float) -> None:
    taps = taps_of(3, [(6, 2), (5, 0)])
    taps.sources[:, PAD + 40] = loudest
    products, span = new_products(taps.n_taps, 400), new_span(400)
    span.bounds[:2], span.weights[0], span.n_blocks[0] = (30, 60), 1.0, 1
    add_products(products, taps, span, PAD, 1.0)
    rows = rows_of(taps, 30, 60)
    error = np.triu(products.total[:, : rows.shape[1]] - rows.T @ rows)
    # Rounding is that of the largest product that was in the sums, and no more.
    assert np.abs(error).max() <= 1e-14 * max(loudest, 100.0) ** 2
