import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sancodec[train]'")

from torch import Tensor  # noqa: E402

from sancodec.training.scaling import NO_SCALING, reach, stretched  # noqa: E402

SCALES = (0.5, 1.0, 1.25, 2.0)


def kernels_of(seed: int) -> Tensor:
    """Two smooth kernels of 40 taps that begin and end in nought, of norm 1."""
    rng = np.random.default_rng(seed)
    smooth = np.stack([np.convolve(rng.normal(0, 1, 32), np.hanning(9)) for _ in range(2)])
    return torch.nn.functional.normalize(torch.from_numpy(smooth).float(), dim=-1)


def test_without_scaling_the_kernels_are_the_rows() -> None:
    kernels = kernels_of(1)
    assert torch.equal(stretched(kernels, 15, NO_SCALING), kernels)
    assert reach(40, 15, NO_SCALING) == (40, 15)


def test_every_scale_has_its_row_around_one_centre() -> None:
    kernels = kernels_of(2)
    n_row_taps, centre = reach(40, 15, SCALES)
    assert (n_row_taps, centre) == (80, 30)
    rows = stretched(kernels, 15, SCALES).numpy()
    assert rows.shape == (8, n_row_taps)
    for k, kernel in enumerate(kernels.numpy()):
        for s, scale in enumerate(SCALES):
            places = 15 + (np.arange(n_row_taps) - centre) / scale
            expected = np.interp(places, np.arange(-1, 41), np.pad(kernel, 1))
            expected /= np.linalg.norm(expected)
            np.testing.assert_allclose(rows[4 * k + s], expected, atol=1e-6)


def test_at_scale_one_a_kernel_is_what_it_was() -> None:
    kernels = kernels_of(3)
    rows = stretched(kernels, 15, (1.0, 2.0))[::2].numpy()
    np.testing.assert_allclose(rows[:, 15:55], kernels, atol=1e-6)
    assert not rows[:, :15].any()
    assert not rows[:, 55:].any()


def test_kernels_learn_through_their_scaled_rows() -> None:
    kernels = kernels_of(4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda k: stretched(k, 15, (0.8, 1.0, 1.25)), kernels)
