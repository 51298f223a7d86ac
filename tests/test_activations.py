import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from sequential import (
    ecg_like,
    extrema_one_by_one,
    is_extremum_by_definition,
    pool_one_by_one,
    topk_one_by_one,
)

from sancodec.errors import ConfigError
from sancodec.san import activations
from sancodec.san.activations import (
    compete,
    extrema,
    extrema_pool_indices,
    identity,
    joint_strength,
    minimum_extrema_distance,
    n_kept_by_topk,
    relu,
    topk_absolutes,
)

# Few different values, so that ties and plateaus are the rule.
SHAPES = array_shapes(min_dims=1, max_dims=2, max_side=30)
MAPS = arrays(np.int64, SHAPES, elements=st.integers(-3, 3))
FLOATS = arrays(np.float64, SHAPES, elements=st.floats(-9, 9))


@settings(max_examples=150, deadline=None)
@given(st.one_of(MAPS, FLOATS), st.integers(0, 40))
def test_extrema_equals_the_sequential_algorithm(
    similarity: NDArray[np.float64], distance: int
) -> None:
    expected = extrema_one_by_one(similarity, distance)
    np.testing.assert_array_equal(extrema(similarity, distance), expected)


@pytest.mark.parametrize("distance", [0, 1, 2, 7, 30, 100, 599, 600, 10_000])
def test_extrema_equals_the_sequential_algorithm_on_ecg(distance: int) -> None:
    similarity = ecg_like(600, 3)
    expected = extrema_one_by_one(similarity, distance)
    np.testing.assert_array_equal(extrema(similarity, distance), expected)


def test_a_chain_that_only_falls_one_by_one_is_silenced_in_the_greedy_order() -> None:
    # Each peak silences the next weaker one, which would have silenced the one after it.
    similarity = np.zeros(400)
    similarity[::4] = np.arange(100, 0, -1)
    expected = extrema_one_by_one(similarity, 4)
    np.testing.assert_array_equal(extrema(similarity, 4), expected)
    assert np.count_nonzero(expected) == 50


@pytest.mark.parametrize(
    ("similarity", "distance", "expected"),
    [
        ([0, 5, 5, 5, 0], 1, [0, 5, 0, 0, 0]),
        ([0, -5, -5, 0, 3], 1, [0, -5, 0, 0, 3]),
        ([4, 4, 4], 1, [4, 0, 0]),
        ([7], 3, [7]),
        ([-7], 3, [-7]),
        ([0], 3, [0]),
        ([], 3, []),
        ([0, 2, 0, -2, 0, 2, 0], 1, [0, 2, 0, -2, 0, 2, 0]),
        ([0, 2, 0, -2, 0, 2, 0], 2, [0, 2, 0, 0, 0, 2, 0]),
        ([0, 1, 0, 3, 0, 2, 0], 2, [0, 0, 0, 3, 0, 0, 0]),
        ([-3, 5, -3], 0, [-3, 5, -3]),
    ],
)
def test_extrema_worked_out_by_hand(
    similarity: list[float], distance: int, expected: list[float]
) -> None:
    np.testing.assert_array_equal(extrema(np.array(similarity, float), distance), expected)


def test_a_ridge_is_no_extremum_in_two_dimensions_but_a_summit_is() -> None:
    ridge = np.zeros((5, 5))
    ridge[2] = [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(np.argwhere(extrema(ridge, 1)), [[2, 4]])


@settings(max_examples=100, deadline=None)
@given(MAPS, st.integers(0, 40))
def test_topk_keeps_the_strongest_and_of_equals_the_first(
    similarity: NDArray[np.int64], n_kept: int
) -> None:
    expected = topk_one_by_one(similarity, n_kept)
    np.testing.assert_array_equal(topk_absolutes(similarity, n_kept), expected)


@settings(max_examples=100, deadline=None)
@given(MAPS, st.integers(1, 40))
def test_the_pool_keeps_the_strongest_of_each_whole_cell(
    similarity: NDArray[np.int64], pool_size: int
) -> None:
    expected = pool_one_by_one(similarity, pool_size)
    np.testing.assert_array_equal(extrema_pool_indices(similarity, pool_size), expected)


def test_identity_keeps_all_and_relu_what_is_above_nought() -> None:
    similarity = np.array([[-1.5, 0.0], [2.5, -0.5]])
    np.testing.assert_array_equal(identity(similarity), similarity)
    np.testing.assert_array_equal(relu(similarity), [[0, 0], [2.5, 0]])


def test_the_result_is_never_the_input_itself() -> None:
    similarity = np.array([1.0, -2.0, 1.0])
    for activation in (
        identity(similarity),
        relu(similarity),
        topk_absolutes(similarity, 3),
        extrema_pool_indices(similarity, 1),
        extrema(similarity, 0),
    ):
        assert not np.shares_memory(activation, similarity)
        assert activation.dtype == similarity.dtype


def test_the_most_negative_integer_counts_as_the_strongest() -> None:
    similarity = np.array([5, -128, 3], np.int8)
    np.testing.assert_array_equal(topk_absolutes(similarity, 1), [0, -128, 0])
    np.testing.assert_array_equal(extrema(similarity, 2), [0, -128, 0])
    np.testing.assert_array_equal(extrema_pool_indices(similarity, 3), [0, -128, 0])


def test_parameters_of_the_paper() -> None:
    assert n_kept_by_topk((1000,), 7) == 142
    assert n_kept_by_topk((28, 28), 3) == 81
    assert minimum_extrema_distance(229, 3) == 226
    assert minimum_extrema_distance(2, 3) == 1


def compete_one_by_one(strength: NDArray[np.float64], distance: int) -> list[tuple[int, int]]:
    n_kernels, n_samples = strength.shape
    peaks = [
        (t, k)
        for t in range(n_samples)
        for k in range(n_kernels)
        if strength[k, t] > 0 and is_extremum_by_definition(strength[k], (t,))
    ]
    peaks.sort(key=lambda peak: (-float(strength[peak[1], peak[0]]), peak))
    kept: list[tuple[int, int]] = []
    for t, k in peaks:
        if all(abs(t - other) > distance for other, _ in kept):
            kept.append((t, k))
    return sorted(kept)


@settings(max_examples=150, deadline=None)
@given(
    arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(0, 60)), elements=st.integers(0, 4)),
    st.integers(0, 70),
)
def test_kernels_compete_as_in_the_sequential_algorithm(
    strength: NDArray[np.int64], distance: int
) -> None:
    position, kernel = compete(strength.astype(float), distance)
    expected = compete_one_by_one(strength.astype(float), distance)
    assert list(zip(position.tolist(), kernel.tolist(), strict=True)) == expected


def test_joint_strength_is_the_norm_over_the_leads() -> None:
    similarities = np.array([[[3.0, 0.0], [-4.0, 1.0]]])
    np.testing.assert_array_equal(joint_strength(similarities), [[5.0, 1.0]])


def test_extrema_equals_the_sequential_algorithm_on_a_real_record() -> None:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        pytest.skip("SANCODEC_DATA is not set")
    from sancodec.formats.wfdb import WfdbRecord

    record = WfdbRecord.open(Path(folder) / "mitdb" / "208")
    samples = record.read(0, 3600).signals[0].astype(np.float64)
    similarity = samples - samples.mean()
    for distance in (1, 10, 90, 250):
        expected = extrema_one_by_one(similarity, distance)
        np.testing.assert_array_equal(extrema(similarity, distance), expected)


@pytest.mark.parametrize("name", ["identity", "relu"])
@pytest.mark.parametrize("similarity", [np.zeros((1, 1, 1)), np.array(1.0), np.zeros(3, complex)])
def test_maps_of_another_kind_are_refused(name: str, similarity: NDArray[np.float64]) -> None:
    with pytest.raises(ConfigError, match="similarity"):
        getattr(activations, name)(similarity)


def test_parameters_out_of_range_are_refused() -> None:
    one = np.ones(3)
    with pytest.raises(ConfigError, match="-1"):
        extrema(one, -1)
    with pytest.raises(ConfigError, match="0"):
        extrema_pool_indices(one, 0)
    with pytest.raises(ConfigError, match="-1"):
        topk_absolutes(one, -1)
    with pytest.raises(ConfigError, match="strength"):
        compete(one, 1)
