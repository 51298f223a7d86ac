import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from maps import MAPS
from numpy.typing import NDArray
from sequential import ecg_like, extrema_one_by_one, pool_one_by_one, topk_one_by_one
from torch import Tensor

from sancodec.errors import ConfigError
from sancodec.san import activations as in_numpy
from sancodec.training import activations as in_torch

Map = NDArray[np.float32]
WIDE = np.full((3, 4), 0.5, np.float32)

PARAMETRIC = {
    "topk_absolutes": topk_one_by_one,
    "extrema_pool_indices": pool_one_by_one,
    "extrema": extrema_one_by_one,
}


def plain(name: str, similarity: Map, parameter: int) -> Map:
    """What the twin in plain torch gives, which the CPU does not take by itself."""
    maps = torch.from_numpy(np.atleast_2d(similarity)[None])
    value = torch.tensor([parameter])
    height = value if similarity.ndim == 2 else torch.ones_like(value)
    kept = {
        "topk_absolutes": lambda: in_torch.strongest(maps.abs(), value),
        "extrema_pool_indices": lambda: in_torch.strongest_of_cells(maps.abs(), height, value),
        "extrema": lambda: in_torch.strongest_extrema(maps, value),
    }[name]()
    return torch.where(kept, maps, 0).numpy().reshape(similarity.shape)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PARAMETRIC)), MAPS, st.integers(1, 40))
@example("extrema", WIDE, 1)
def test_sequential_numpy_torch_and_compiled_keep_the_same(
    name: str, similarity: Map, parameter: int
) -> None:
    expected = PARAMETRIC[name](similarity, parameter)
    np.testing.assert_array_equal(getattr(in_numpy, name)(similarity, parameter), expected)
    np.testing.assert_array_equal(plain(name, similarity, parameter), expected)
    function = getattr(in_torch, name)
    result = function(torch.from_numpy(similarity), parameter, similarity.ndim).numpy()
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == similarity.dtype


@pytest.mark.parametrize("name", sorted(PARAMETRIC))
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16])
def test_every_real_type_keeps_the_same(name: str, kind: torch.dtype) -> None:
    values = torch.from_numpy(ecg_like(300, 8)).to(kind)
    result = getattr(in_torch, name)(values, 7)
    assert result.dtype == kind
    expected = PARAMETRIC[name](values.double().numpy(), 7)
    np.testing.assert_array_equal(result.double().numpy(), expected)


@pytest.mark.parametrize("name", ["topk_absolutes", "extrema"])
@pytest.mark.parametrize("parameter", [0, 599, 600, 10_000, 2**40])
def test_parameters_at_the_ends_of_their_range(name: str, parameter: int) -> None:
    similarity = ecg_like(600, 3).astype(np.float32)
    expected = PARAMETRIC[name](similarity, parameter)
    np.testing.assert_array_equal(plain(name, similarity, parameter), expected)
    result = getattr(in_torch, name)(torch.from_numpy(similarity), parameter)
    np.testing.assert_array_equal(result.numpy(), expected)


@settings(max_examples=50, deadline=None)
@given(MAPS)
def test_identity_and_relu_equal_those_of_numpy(similarity: Map) -> None:
    values = torch.from_numpy(similarity)
    np.testing.assert_array_equal(in_torch.identity(values).numpy(), similarity)
    np.testing.assert_array_equal(in_torch.relu(values).numpy(), in_numpy.relu(similarity))


def test_a_long_chain_of_falling_peaks_takes_the_greedy_order() -> None:
    similarity = np.zeros(400, np.float32)
    similarity[::4] = np.arange(100, 0, -1)
    expected = extrema_one_by_one(similarity, 4)
    np.testing.assert_array_equal(plain("extrema", similarity, 4), expected)
    assert np.count_nonzero(expected) == 50


@pytest.mark.parametrize("name", sorted(PARAMETRIC))
@pytest.mark.parametrize("shape", [(4, 3, 90), (4, 3, 9, 11)])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_each_map_of_a_batch_has_a_parameter_of_its_own(
    name: str, shape: tuple[int, ...], n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_torch, "_SAMPLES_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    rng = np.random.default_rng(5)
    batch = rng.integers(-9, 10, shape).astype(np.float32)
    # One for each of the three, the same in all four of the batch.
    parameter = np.array([2, 5, 9])
    n_dimensions = len(shape) - 2
    given = torch.from_numpy(parameter)
    result = getattr(in_torch, name)(torch.from_numpy(batch), given, n_dimensions).numpy()
    maps = torch.from_numpy(batch.reshape(12, -1, shape[-1]))
    twins = {
        "topk_absolutes": lambda p, h: in_torch.strongest(maps.abs(), p),
        "extrema_pool_indices": lambda p, h: in_torch.strongest_of_cells(maps.abs(), h, p),
        "extrema": lambda p, h: in_torch.strongest_extrema(maps, p),
    }
    each = given.repeat(4)
    kept = twins[name](each, each if n_dimensions == 2 else torch.ones_like(each))
    np.testing.assert_array_equal(kept.numpy().reshape(shape) & (batch != 0), result != 0)
    for i, j in np.ndindex(4, 3):
        expected = PARAMETRIC[name](batch[i, j], int(parameter[j]))
        np.testing.assert_array_equal(result[i, j], expected)


def _activate(name: str, similarity: Tensor) -> Tensor:
    function = getattr(in_torch, name)
    return function(similarity, 3) if name in PARAMETRIC else function(similarity)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["identity", "relu", *PARAMETRIC])
def test_the_gradient_flows_through_what_is_kept_and_nothing_else(name: str) -> None:
    similarity = torch.tensor([1.0, -4, 2, 2, 0.5, -3, 7, 6], requires_grad=True)
    activation = _activate(name, similarity)
    weights = torch.arange(1.0, 9)
    (activation * weights).sum().backward()
    assert similarity.grad is not None
    torch.testing.assert_close(similarity.grad, torch.where(activation != 0, weights, 0))


@pytest.mark.parametrize("name", ["identity", "relu", *PARAMETRIC])
def test_the_result_is_never_the_input_itself(name: str) -> None:
    similarity = torch.ones(6)
    assert _activate(name, similarity).data_ptr() != similarity.data_ptr()


@pytest.mark.parametrize("name", sorted(PARAMETRIC))
@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (0, 4, 4), (2, 0, 3)])
def test_no_sample_and_no_map_are_no_error(name: str, shape: tuple[int, ...]) -> None:
    for n_dimensions in range(1, min(len(shape), 2) + 1):
        result = getattr(in_torch, name)(torch.zeros(shape), 2, n_dimensions)
        assert result.shape == shape
    if len(shape) == 1:
        assert plain(name, np.zeros(shape, np.float32), 2).shape == shape


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", sorted(PARAMETRIC))
@pytest.mark.parametrize("shape", [(50, 1000), (50, 28, 28)])
def test_cuda_keeps_what_the_cpu_keeps(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    batch = torch.from_numpy(rng.integers(-20, 21, shape).astype(np.float32))
    parameter = torch.arange(1, 51)
    function, n_dimensions = getattr(in_torch, name), len(shape) - 1
    expected = function(batch, parameter, n_dimensions)
    result = function(batch.cuda(), parameter.cuda(), n_dimensions)
    torch.testing.assert_close(result.cpu(), expected, rtol=0, atol=0)


def test_what_is_out_of_range_is_refused() -> None:
    one = torch.ones(3)
    with pytest.raises(ConfigError, match="-1"):
        in_torch.extrema(one, -1)
    with pytest.raises(ConfigError, match="0"):
        in_torch.extrema_pool_indices(one, torch.tensor(0))
    with pytest.raises(ConfigError, match="-1"):
        in_torch.topk_absolutes(torch.ones(2, 3), torch.tensor([1, -1]))
    with pytest.raises(ConfigError, match=r"1\.5"):
        in_torch.extrema(one, torch.tensor(1.5))
    with pytest.raises(ConfigError, match="2-D"):
        in_torch.extrema(one, 1, 2)
    with pytest.raises(ConfigError, match="3-D"):
        in_torch.extrema(torch.ones(2, 2, 2), 1, 3)
    with pytest.raises(ConfigError, match="int64"):
        in_torch.extrema(torch.ones(3, dtype=torch.int64), 1)
