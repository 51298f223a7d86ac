"""The least squares of the predictor, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.residual.regression import UNROLL, accumulate, solve


def products_of(
    rows: NDArray[np.float64], weights: NDArray[np.float64], decay: float = 1.0
) -> NDArray[np.float64]:
    """Accumulate block by block, as the coder does."""
    n = rows.shape[1]
    products = np.zeros((n, n))
    for start in range(0, len(rows), UNROLL):
        accumulate(products, rows[start:], weights[start:], UNROLL, decay)
    return products


def solution_of(products: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    coefficients = np.full(len(products) - 1, np.nan)
    solve(products, np.full_like(products, np.nan), coefficients, ridge)
    return coefficients


def problem(seed: int, n_rows: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    rows = generator.normal(0, 1, (n_rows, n + 1)) @ generator.normal(0, 1, (n + 1, n + 1))
    return np.ascontiguousarray(rows), generator.uniform(0.01, 2, n_rows)


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_products_are_the_weighted_outer_products_with_older_ones_decayed(
    seed: int, n_blocks: int, n: int
) -> None:
    rows, weights = problem(seed, n_blocks * UNROLL, n)
    age = np.arange(n_blocks)[::-1].repeat(UNROLL)
    expected = (rows * (weights * 0.9**age)[:, None]).T @ rows
    found = products_of(rows, weights, 0.9)
    upper = np.triu_indices(n + 1)
    np.testing.assert_allclose(found[upper], expected[upper], rtol=1e-9, atol=1e-9)


def test_rows_of_weight_nought_do_not_matter() -> None:
    rows, weights = problem(1, 2 * UNROLL, 5)
    weights[UNROLL + 3 :] = 0.0
    wild = rows.copy()
    wild[UNROLL + 3 :] = 1e9
    np.testing.assert_array_equal(products_of(rows, weights), products_of(wild, weights))


@given(st.integers(0, 1000), st.integers(1, 60), st.sampled_from([1e-6, 1.0, 10.0]))
@settings(max_examples=60, deadline=None)
def test_the_solution_is_that_of_numpy(seed: int, n: int, ridge: float) -> None:
    rows, weights = problem(seed, 160, n)
    matrix = (rows * weights[:, None]).T @ rows
    expected = np.linalg.solve(matrix[:n, :n] + ridge * np.eye(n), matrix[:n, n])
    found = solution_of(products_of(rows, weights), ridge)
    condition = np.linalg.cond(matrix[:n, :n] + ridge * np.eye(n))
    tolerance = 1e-13 * condition * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_an_exact_relation_is_found() -> None:
    generator = np.random.default_rng(5)
    regressors = generator.normal(0, 100, (400, 7))
    truth = np.array([1.5, -2.0, 0.25, 0.0, 3.0, -0.125, 1.0])
    rows = np.ascontiguousarray(np.column_stack([regressors, regressors @ truth]))
    found = solution_of(products_of(rows, np.ones(400)), 1e-9)
    np.testing.assert_allclose(found, truth, atol=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 1e-12, 10.0])
def test_regressors_that_others_determine_leave_the_prediction_sound(ridge: float) -> None:
    generator = np.random.default_rng(6)
    regressors = generator.integers(-900, 900, (400, 5)).astype(np.float64)
    copies = [regressors, regressors[:, :2], regressors[:, :1] - regressors[:, 1:2]]
    dependent = np.column_stack([*copies, np.zeros((400, 2))])
    target = regressors @ np.array([2.0, -1.0, 0.5, 0.0, 1.0])
    rows = np.ascontiguousarray(np.column_stack([dependent, target]))
    found = solution_of(products_of(rows, np.full(400, 0.5)), ridge)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(dependent @ found, target, atol=0.05)


def test_nothing_but_zeros_gives_zeros() -> None:
    np.testing.assert_array_equal(solution_of(np.zeros((6, 6)), 0.0), np.zeros(5))
    np.testing.assert_array_equal(solution_of(np.zeros((6, 6)), 10.0), np.zeros(5))


def test_the_solution_does_not_change_the_products() -> None:
    products = products_of(*problem(2, 64, 9))
    before = products.copy()
    solution_of(products, 1.0)
    np.testing.assert_array_equal(products, before)
