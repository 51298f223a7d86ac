import math

import numpy as np
import pytest

from sancodec import metrics
from sancodec.errors import ConfigError

SIGNAL = np.array([1, -2, 3, -2], np.int32)
RECONSTRUCTION = np.array([1, -1, 1, -2], np.int32)


def test_weights_and_activations_are_counted_as_in_the_paper() -> None:
    assert metrics.n_weights([(8,), (15,)]) == 23
    assert metrics.n_weights([(3, 3), (3, 3)]) == 18
    assert metrics.n_activations([[0, 2, 0], [-1, 0, 3]]) == 3


def test_identity_on_a_signal_has_the_ratio_of_the_paper() -> None:
    # Table 1 of the paper: one kernel of size 1 and every sample kept give 2.00.
    assert metrics.inverse_compression_ratio(1000, 1, 1000) == pytest.approx(2.001)


def test_extrema_pool_on_uci_epilepsy_has_the_ratio_of_the_paper() -> None:
    # Table 2 of the paper: two kernels of size 8, 178 // 8 activations each, give 0.58.
    assert metrics.inverse_compression_ratio(178, 16, 2 * 22) == pytest.approx(0.58, abs=0.005)


def test_an_activation_of_an_image_costs_three_numbers() -> None:
    inverse = metrics.inverse_compression_ratio(784, 2, 784, n_dimensions=2)
    assert inverse == pytest.approx(2354 / 784)


def test_the_ratio_is_samples_over_numbers() -> None:
    assert metrics.compression_ratio(1000, 100, 50) == pytest.approx(1000 / 200)
    assert metrics.compression_ratio(784, 72, 10, 2) == pytest.approx(784 / 102)
    assert metrics.compression_ratio(5, 0, 0) == math.inf
    with pytest.raises(ConfigError, match="0 samples"):
        metrics.compression_ratio(0, 1, 1)


def test_normalized_loss_is_worked_out_by_hand() -> None:
    assert metrics.normalized_loss(RECONSTRUCTION, SIGNAL) == 3 / 8
    assert metrics.normalized_loss(np.zeros(4), SIGNAL) == 1
    assert metrics.normalized_loss(SIGNAL, SIGNAL) == 0


def test_flithos_is_the_norm_and_its_mean_is_over_observations() -> None:
    assert metrics.flithos(0.3, 0.4) == pytest.approx(0.5)
    assert metrics.mean_flithos([0.3, 0.0], [0.4, 1.0]) == pytest.approx(0.75)
    assert metrics.mean_flithos([0.3, 0.0], [0.4, 1.0]) != metrics.flithos(0.15, 0.7)


def test_distortions_are_worked_out_by_hand() -> None:
    assert metrics.rmse(RECONSTRUCTION, SIGNAL) == pytest.approx(math.sqrt(5 / 4))
    assert metrics.max_error(RECONSTRUCTION, SIGNAL) == 2
    assert metrics.prdn(RECONSTRUCTION, SIGNAL) == pytest.approx(100 * math.sqrt(5 / 18))
    assert metrics.prd(RECONSTRUCTION, SIGNAL + 1000) > 99
    assert metrics.snr(RECONSTRUCTION, SIGNAL) == pytest.approx(10 * math.log10(18 / 5))


def test_prdn_does_not_depend_on_the_offset_and_prd_does() -> None:
    far, near = SIGNAL + 1024, RECONSTRUCTION + 1024
    assert metrics.prdn(near, far) == pytest.approx(metrics.prdn(RECONSTRUCTION, SIGNAL))
    assert metrics.prd(near, far) < 0.2


def test_differences_of_int32_do_not_wrap() -> None:
    low, high = np.array([-(2**31)], np.int32), np.array([2**31 - 1], np.int32)
    assert metrics.max_error(high, low) == 2**32 - 1
    assert metrics.normalized_loss(high, low) == pytest.approx(2)


def test_signals_without_level_have_no_distortion_or_an_infinite_one() -> None:
    flat = np.full(3, 7)
    assert metrics.prdn(flat, flat) == 0
    assert metrics.prdn(flat + 1, flat) == math.inf
    assert metrics.snr(flat, flat) == math.inf
    assert metrics.normalized_loss(np.ones(3), np.zeros(3)) == math.inf


def test_no_sample_is_no_error_but_no_ratio() -> None:
    nothing = np.zeros(0)
    assert (metrics.rmse(nothing, nothing), metrics.max_error(nothing, nothing)) == (0, 0)
    assert metrics.prdn(nothing, nothing) == 0
    with pytest.raises(ConfigError, match="0 samples"):
        metrics.inverse_compression_ratio(0, 1, 1)


def test_arrays_of_different_shapes_are_refused_not_broadcast() -> None:
    with pytest.raises(ConfigError, match="reconstruction"):
        metrics.rmse(np.zeros((3, 1)), np.zeros(3))
