from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sequential import ecg_like

from sancodec import metrics
from sancodec.errors import ConfigError
from sancodec.san import activations as in_numpy
from sancodec.training import applied, convolution
from sancodec.training.applied import apply_san
from sancodec.training.san import ACTIVATIONS, SYNTHESES, SanConfig, SparselyActivatedNetworks

Array = NDArray[np.float64]
Kernel = NDArray[np.float32]
SIZES = (1, 2, 3, 4, 7, 12)


def kernels_of(
    sizes: tuple[int, ...], n_dimensions: int, seed: int = 0
) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.3, (size,) * n_dimensions).astype(np.float32) for size in sizes]


def signals_of(n_dimensions: int, n: int = 3) -> NDArray[np.float32]:
    shape = (n, 90) if n_dimensions == 1 else (n, 12, 15)
    return np.random.default_rng(9).normal(0, 1, shape).astype(np.float32)


def correlated(signal: Array, kernel: Array) -> Array:
    """By definition: the kernel's tap (m - 1) // 2 lies on the sample; zeros around."""
    back = (len(kernel) - 1) // 2
    result = np.zeros(signal.shape)
    for index in np.ndindex(signal.shape):
        for tap in np.ndindex(kernel.shape):
            place = np.add(index, tap) - back
            if all(0 <= p < n for p, n in zip(place, signal.shape, strict=True)):
                result[index] += kernel[tap] * signal[tuple(place)]
    return result


def placed(activation: Array, kernel: Array) -> Array:
    """By definition: the kernel itself, times each activation, where it was found."""
    back = (len(kernel) - 1) // 2
    result = np.zeros(activation.shape)
    for index in np.argwhere(activation):
        for tap in np.ndindex(kernel.shape):
            place = tuple(index + tap - back)
            if all(0 <= p < n for p, n in zip(place, activation.shape, strict=True)):
                result[place] += kernel[tap] * activation[tuple(index)]
    return result


def activated(name: str, similarity: Array, size: int, border_tolerance: int) -> Array:
    parameters = {
        "topk_absolutes": [in_numpy.n_kept_by_topk(similarity.shape, size)],
        "extrema_pool_indices": [size],
        "extrema": [in_numpy.minimum_extrema_distance(size, border_tolerance)],
    }
    result: Array = getattr(in_numpy, name)(similarity, *parameters.get(name, []))
    return result


@pytest.mark.parametrize("n_dimensions", [1, 2])
@pytest.mark.parametrize("synthesis", SYNTHESES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_network_does_what_the_paper_says_step_by_step(
    activation: str, synthesis: str, n_dimensions: int
) -> None:
    signals, kernels = signals_of(n_dimensions), kernels_of(SIZES, n_dimensions)
    config = SanConfig(activation=activation, border_tolerance=2, synthesis=synthesis)  # type: ignore[arg-type]
    found = apply_san(signals, kernels, config, with_maps=True)
    assert found.similarity is not None
    assert found.activation is not None
    assert found.parts is not None
    back = {"paper": correlated, "matched": placed}[synthesis]
    for b, signal in enumerate(signals):
        for i, kernel in enumerate(kernels):
            similarity = correlated(signal, kernel)
            np.testing.assert_allclose(found.similarity[b, i], similarity, atol=1e-5)
            chosen = activated(activation, found.similarity[b, i], len(kernel), 2)
            np.testing.assert_array_equal(found.activation[b, i], chosen)
            np.testing.assert_allclose(found.parts[b, i], back(chosen, kernel), atol=2e-5)
    np.testing.assert_allclose(found.reconstruction, found.parts.sum(axis=1), atol=2e-5)


@pytest.mark.parametrize("n_dimensions", [1, 2])
def test_the_figures_are_those_of_the_metrics(n_dimensions: int) -> None:
    signals, kernels = signals_of(n_dimensions), kernels_of((3, 5), n_dimensions)
    found = apply_san(signals, kernels, SanConfig(), with_maps=True)
    assert found.activation is not None
    n_weights = metrics.n_weights([kernel.shape for kernel in kernels])
    for b, signal in enumerate(signals):
        n_activations = metrics.n_activations(found.activation[b])
        inverse_cr = metrics.inverse_compression_ratio(
            signal.size, n_weights, n_activations, n_dimensions
        )
        loss = metrics.normalized_loss(found.reconstruction[b], signal)
        assert found.n_activations[b] == n_activations > 0
        assert found.inverse_cr[b] == inverse_cr
        assert found.normalized_loss[b] == pytest.approx(loss, rel=1e-13)
        assert found.flithos[b] == pytest.approx(metrics.flithos(inverse_cr, loss), rel=1e-13)
    mean = metrics.mean_flithos(found.inverse_cr, found.normalized_loss)
    assert found.flithos.mean() == pytest.approx(mean, rel=1e-13)


def test_a_signal_of_zeros_has_no_loss_and_an_infinite_one_is_never_nan() -> None:
    found = apply_san(np.zeros((2, 20), np.float32), kernels_of((3,), 1), SanConfig())
    np.testing.assert_array_equal(found.normalized_loss, [0, 0])
    np.testing.assert_array_equal(found.n_activations, [0, 0])
    network = SparselyActivatedNetworks(SanConfig(), [kernels_of((3,), 1)])
    zeros = torch.zeros(1, 20)
    output = network(torch.ones(1, 20))
    assert network.figures(output, zeros).normalized_loss.item() == float("inf")


@pytest.mark.parametrize("size", [2, 9, 40])
def test_a_flat_stretch_has_no_extrema_made_of_rounding_errors(size: int) -> None:
    signals = np.full((1, 300), 0.7391, np.float32)
    found = apply_san(signals, kernels_of((size,), 1), SanConfig(), with_maps=True)
    assert found.activation is not None
    assert np.count_nonzero(found.activation[0, 0, size : 300 - size]) <= 1


def test_fourier_and_direct_synthesis_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    signals, kernels = signals_of(1), kernels_of((9, 14), 1)
    for synthesis in SYNTHESES:
        config = SanConfig(activation="identity", synthesis=synthesis)
        by_fourier = apply_san(signals, kernels, config)
        monkeypatch.setattr(convolution, "_FOURIER_TAPS", 100)
        direct = apply_san(signals, kernels, config)
        monkeypatch.undo()
        np.testing.assert_allclose(by_fourier.reconstruction, direct.reconstruction, atol=1e-5)


@pytest.mark.parametrize("n_samples", range(1, 40))
def test_nothing_comes_round_in_the_fourier_transform(n_samples: int) -> None:
    signals = np.random.default_rng(2).normal(0, 1, (1, n_samples)).astype(np.float32)
    kernel = kernels_of((12,), 1)[0]
    found = apply_san(signals, [kernel], SanConfig(activation="identity"), with_maps=True)
    assert found.activation is not None
    expected = correlated(found.activation[0, 0], kernel)
    np.testing.assert_allclose(found.reconstruction[0], expected, atol=1e-5)


@pytest.mark.parametrize("n_dimensions", [1, 2])
def test_networks_side_by_side_give_what_each_gives_alone(n_dimensions: int) -> None:
    signals = torch.from_numpy(signals_of(n_dimensions))
    networks = [kernels_of((size, size), n_dimensions, seed=size) for size in (1, 4, 9)]
    together = SparselyActivatedNetworks(SanConfig(), networks)
    output = together(signals)
    for i, kernels in enumerate(networks):
        alone = apply_san(signals.numpy(), kernels, SanConfig())
        np.testing.assert_allclose(
            output.reconstruction[:, i].detach().numpy(), alone.reconstruction, atol=1e-5
        )
        for ours, theirs in zip(together.kernels()[i], kernels, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_what_pads_a_kernel_learns_nothing() -> None:
    network = SparselyActivatedNetworks(SanConfig(), [kernels_of((2,), 1), kernels_of((7,), 1)])
    signals = torch.from_numpy(signals_of(1))
    error = network(signals).reconstruction - signals[:, None]
    error.abs().sum().backward()
    assert network.padded.grad is not None
    np.testing.assert_array_equal(network.padded.grad[0, 0, [0, 1, 2, 5, 6]], np.zeros(5))
    assert bool((network.padded.grad[0, 0, 3:5] != 0).all())
    assert bool((network.padded.grad[1, 0] != 0).all())


@pytest.mark.parametrize("n_dimensions", [1, 2])
@pytest.mark.parametrize("synthesis", SYNTHESES)
def test_gradients_are_those_of_small_differences(synthesis: str, n_dimensions: int) -> None:
    # With what is kept held fixed, the loss is smooth in the kernels.
    config = SanConfig(activation="identity", synthesis=synthesis)  # type: ignore[arg-type]
    networks = [kernels_of((3, 2), n_dimensions), kernels_of((9, 4), n_dimensions)]
    network = SparselyActivatedNetworks(config, networks).double()
    signals = torch.from_numpy(signals_of(n_dimensions)).double()

    def loss(padded: torch.Tensor) -> torch.Tensor:
        output = torch.func.functional_call(network, {"padded": padded}, (signals,))
        return (output.reconstruction - signals[:, None]).square().sum()

    padded = network.padded.detach().requires_grad_()
    assert torch.autograd.gradcheck(loss, (padded,))


def test_batches_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    signals, kernels = signals_of(1, n=7), kernels_of((5, 5), 1)
    whole = apply_san(signals, kernels, SanConfig(), with_maps=True)
    monkeypatch.setattr(applied, "_SAMPLES_AT_ONCE", 360)
    parts = apply_san(signals, kernels, SanConfig(), with_maps=True)
    np.testing.assert_array_equal(whole.n_activations, parts.n_activations)
    np.testing.assert_allclose(whole.reconstruction, parts.reconstruction, atol=1e-6)
    assert parts.activation is not None
    assert parts.activation.shape == (7, 2, 90)


def test_maps_are_given_on_request_alone() -> None:
    found = apply_san(signals_of(1), kernels_of((5,), 1), SanConfig())
    assert found.similarity is found.activation is found.parts is None


def test_ecg_is_described_by_far_fewer_numbers_than_samples() -> None:
    signals = np.stack([ecg_like(1000, seed) for seed in range(2)])
    signals = signals / signals.std(axis=1, keepdims=True)
    beat = (np.exp(-((np.arange(41) - 20) ** 2) / 8) / 10).astype(np.float32)
    found = apply_san(signals, [beat], SanConfig(synthesis="matched"))
    assert (found.inverse_cr < 0.15).all()
    assert (found.normalized_loss < 1).all()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    signals, kernels = signals_of(1), kernels_of((5,), 1)
    with pytest.raises(ConfigError, match="2 axes"):
        apply_san(signals_of(2), kernels, SanConfig())
    with pytest.raises(ConfigError, match="not all values are finite"):
        apply_san(np.full((1, 9), np.nan), kernels, SanConfig())
    with pytest.raises(ConfigError, match="expected"):
        apply_san(np.zeros((0, 9)), kernels, SanConfig())
    for wrong in ([], [np.zeros((2, 3))], [np.zeros(0)], [np.zeros(2), np.zeros((2, 2))]):
        with pytest.raises(ConfigError, match="kernels"):
            apply_san(signals, wrong, SanConfig())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="kernels"):
        SparselyActivatedNetworks(SanConfig(), [kernels, kernels_of((5, 5), 1)])
    with pytest.raises(ConfigError, match="'tanh'"):
        SanConfig(activation="tanh")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'both'"):
        SanConfig(synthesis="both")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="-1"):
        SanConfig(border_tolerance=-1)
