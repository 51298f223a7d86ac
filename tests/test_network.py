import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sancodec[train]'")

from dataclasses import replace  # noqa: E402

from torch import Tensor  # noqa: E402
from training_signals import beats  # noqa: E402

from sancodec.training.judging import judge  # noqa: E402
from sancodec.training.network import (  # noqa: E402
    Practice,
    Shape,
    SparselyActivatedNetwork,
    taper,
    tapered,
)

SHAPE = Shape(n_kernels=2, n_taps=40, centre=15, distance=12)


def kernels_of(seed: int, n_kernels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return tapered(torch.randn(n_kernels, 40, generator=generator), taper(40))


def signals(n_windows: int = 3) -> Tensor:
    return torch.stack([beats(400, seed) for seed in range(n_windows)])


def practice(seed: int = 0, dropout: float = 0.0, distance: int = 12) -> Practice:
    generator = torch.Generator().manual_seed(seed)
    return Practice(distance=distance, dropout=dropout, generator=generator)


def test_without_competition_each_kernel_is_activated_as_if_it_were_alone() -> None:
    kernels = kernels_of(1)
    together = SparselyActivatedNetwork(replace(SHAPE, compete=False), kernels)(signals())
    one = replace(SHAPE, n_kernels=1)
    alone = [SparselyActivatedNetwork(one, kernel[None])(signals()) for kernel in kernels]
    expected = sum(output.n_activations for output in alone)
    assert together.n_activations.tolist() == expected.tolist()
    counts = torch.bincount(together.row).tolist()
    assert counts == [int(output.n_activations.sum()) for output in alone]
    competing = SparselyActivatedNetwork(SHAPE, kernels)(signals())
    assert int(competing.n_activations.sum()) < int(together.n_activations.sum())


def test_without_competition_kernels_on_one_another_do_not_add_up() -> None:
    """Eight copies of a kernel answer to the same wave: each may have an eighth of it alone."""
    kernel = kernels_of(2, 1)
    signal = torch.zeros(1, 1, 200)
    signal[0, 0, 60:100] = 3 * kernel[0]
    shape = Shape(n_kernels=8, n_taps=40, centre=15, distance=500, compete=False)
    output = SparselyActivatedNetwork(shape, kernel.repeat(8, 1))(signal)
    assert output.n_activations.tolist() == [8]
    np.testing.assert_allclose(output.reconstruction.detach(), signal, atol=1e-4)


def test_the_scales_of_a_kernel_compete_even_where_kernels_do_not() -> None:
    shape = replace(SHAPE, scales=(0.8, 1.0, 1.25), compete=False, distance=500)
    output = SparselyActivatedNetwork(shape, kernels_of(3))(signals())
    assert output.n_activations.tolist() == [2, 2, 2]


def test_a_wave_that_is_a_stretched_kernel_is_found_at_its_scale() -> None:
    shape = Shape(n_kernels=1, n_taps=40, centre=15, distance=500, scales=(0.5, 1.0, 2.0))
    t = torch.arange(40) - 15.0
    network = SparselyActivatedNetwork(shape, torch.exp(-(t**2) / 18)[None])
    rows = network.rows().detach()
    assert rows.shape == (3, shape.row_taps)
    for row in range(3):
        signal = torch.zeros(1, 1, 300)
        signal[0, 0, 100 : 100 + shape.row_taps] = -2 * rows[row]
        output = network(signal)
        assert output.row.tolist() == [row]
        np.testing.assert_allclose(output.reconstruction.detach(), signal, atol=1e-4)


def test_a_scale_is_one_more_number_of_each_activation_and_no_weight() -> None:
    """The figures would flatter scaled kernels if their scale were not counted."""
    shape = Shape(n_kernels=1, n_taps=40, centre=15, distance=50, scales=(1.0, 1.25))
    network = SparselyActivatedNetwork(shape, kernels_of(4, 1))
    windows = signals(1)
    n_activations = int(network(windows).n_activations[0])
    figures = judge(network, [windows])
    # Two leads: each activation has a position, an amplitude and a scale on each.
    assert figures.inverse_cr == pytest.approx((40 + 3 * 2 * n_activations) / (2 * 400))
    assert sum(figures.row_shares) == pytest.approx(1, abs=1e-3)


def test_dropout_leaves_out_its_share_and_only_in_practice() -> None:
    network = SparselyActivatedNetwork(replace(SHAPE, distance=1), kernels_of(5))
    windows = signals(20)
    n_all = int(network(windows).n_activations.sum())
    output = network(windows, practice(seed=1, dropout=0.25, distance=1))
    n_left = int(output.n_activations.sum())
    # Five standard deviations of so many draws.
    assert abs(n_left - 0.75 * n_all) < 5 * np.sqrt(n_all * 0.25 * 0.75)
    assert len(output.row) == n_left
    again = network(windows, practice(seed=1, dropout=0.25, distance=1))
    assert torch.equal(again.row, output.row)
    nothing_dropped = network(windows, practice(distance=1))
    assert torch.equal(nothing_dropped.row, network(windows).row)


def test_practice_has_an_extrema_distance_of_its_own() -> None:
    network = SparselyActivatedNetwork(SHAPE, kernels_of(6))
    wide = SparselyActivatedNetwork(replace(SHAPE, distance=60), kernels_of(6))
    practised = network(signals(), practice(distance=60))
    assert practised.n_activations.tolist() == wide(signals()).n_activations.tolist()


def test_frozen_rows_come_first_and_learn_nothing() -> None:
    frozen, kernels = kernels_of(7, 3), kernels_of(8)
    network = SparselyActivatedNetwork(SHAPE, kernels, 5 * frozen)
    assert (network.n_rows, network.n_weights) == (5, 5 * 40)
    np.testing.assert_allclose(network.rows().detach()[:3], frozen, atol=1e-6)
    network(signals()).reconstruction.abs().sum().backward()
    assert [name for name, _ in network.named_parameters()] == ["free"]


@pytest.mark.parametrize("compete", [True, False])
@pytest.mark.parametrize("scales", [(1.0,), (0.8, 1.0)])
def test_everything_is_made_where_the_signals_are(compete: bool, scales: tuple[float, ...]) -> None:
    """A tensor made on the default device would fail on CUDA: here that device has no values."""
    shape = replace(SHAPE, compete=compete, scales=scales)
    network = SparselyActivatedNetwork(shape, kernels_of(9), torch.ones(2, shape.row_taps))
    windows, how = signals(), practice(dropout=0.5)
    with torch.device("meta"):
        output = network(windows, how)
        output.reconstruction.abs().sum().backward()
        judge(network, [windows])
    assert output.reconstruction.device.type == "cpu"
    assert network.free.grad is not None
