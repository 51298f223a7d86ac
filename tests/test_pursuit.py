"""Pursuit encoding and learning: what is there is found, and flithos is never given away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec import metrics
from sancodec.errors import ConfigError, RecordError
from sancodec.san.activations import extrema
from sancodec.simulate import Simulation, simulate_record
from sancodec.training.pursuit import (
    Activations,
    EncodeConfig,
    Encoding,
    LearnConfig,
    Learned,
    activation_maps,
    encode,
    learn,
    reconstruct,
)
from sancodec.training.pursuit.amplitudes import refit_amplitudes
from sancodec.training.pursuit.encoding import bank_of
from sancodec.training.pursuit.kernels import Fit, refit_kernels, resize_kernels
from sancodec.training.pursuit.terms import Code, Scratch, best_amplitude, scan, weighted_median

Floats = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent

WAVE = np.array([0.2, 1.0, -0.6, -0.9, 0.3])
HILL = np.hanning(26)[1:-1]
CROSS = np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
CORNER = np.array([[1.0, 1.0, 1.0, 1.0], *[[1.0, 0.0, 0.0, 0.0]] * 3])


def _activations(rows: list[tuple[Any, ...]]) -> Activations:
    """Make activations of (signal, kernel, position or row and column, amplitude)."""
    return Activations(
        signal=np.array([row[0] for row in rows]),
        kernel=np.array([row[1] for row in rows]),
        position=np.array([row[2:-1] for row in rows]),
        amplitude=np.array([row[-1] for row in rows], float),
    )


def _rows(activations: Activations) -> list[tuple[int, ...]]:
    """Give (signal, kernel, position ...) of each, sorted."""
    fields = (activations.signal[:, None], activations.kernel[:, None], activations.position)
    return sorted(map(tuple, np.concatenate(fields, axis=1).tolist()))


def _phi_without(signals: Floats, kernels: list[Floats]) -> float:
    n_weights = metrics.n_weights([kernel.shape for kernel in kernels])
    inverse_cr = metrics.inverse_compression_ratio(signals[0].size, n_weights, 0, signals.ndim - 1)
    return metrics.flithos(inverse_cr, 1.0)


@pytest.fixture(scope="module")
def beats() -> Floats:
    """(8, 1000) windows of a simulated ECG, each without mean, of deviation 1."""
    simulation = Simulation(duration_seconds=23.0)
    record = simulate_record(simulation, np.random.default_rng(5))
    windows = record.samples[:8000, 0].astype(float).reshape(8, 1000)
    windows -= windows.mean(axis=1, keepdims=True)
    return windows / windows.std(axis=1, keepdims=True)


_CONFIG = LearnConfig(n_kernels=(1, 2), n_starts=4)


@pytest.fixture(scope="module")
def learned(beats: Floats) -> Learned:
    return learn(beats[:4], beats[4:6], _CONFIG)


def test_known_activations_of_known_kernels_are_recovered() -> None:
    rows = [(0, 0, 3, 1.5), (0, 1, 60, -2.0), (0, 0, 63, 1.0), (0, 0, 117, 0.7), (1, 1, 40, 3.0)]
    truth = _activations(rows)
    signals = reconstruct(truth, [WAVE, HILL], (2, 500))
    encoding = encode(signals, [WAVE, HILL])
    assert _rows(encoding.activations) == _rows(truth)
    np.testing.assert_allclose(encoding.reconstruction, signals, atol=1e-9)
    np.testing.assert_array_equal(encoding.n_activations, [4, 1])


def test_known_activations_are_recovered_in_images() -> None:
    rows = [(0, 0, 4, 5, 1.0), (0, 1, 0, 20, 0.8), (0, 0, 5, 6, -0.5), (1, 1, 15, 27, 2.0)]
    truth = _activations(rows)
    signals = reconstruct(truth, [CROSS, CORNER], (2, 28, 28))
    encoding = encode(signals, [CROSS, CORNER])
    assert _rows(encoding.activations) == _rows(truth)
    np.testing.assert_allclose(encoding.reconstruction, signals, atol=1e-9)


def test_outliers_do_not_move_amplitudes() -> None:
    # A refit by least squares would follow the spikes; by least absolute error it does not.
    truth = _activations([(0, 0, 50, 2.0), (0, 0, 60, 1.0), (0, 0, 130, 1.0)])
    signals = reconstruct(truth, [HILL], (1, 400))
    signals[0, [47, 55, 128, 133]] += [3.0, -2.0, 2.0, 2.0]
    encoding = encode(signals, [HILL], start=truth)
    at = {
        int(p): a
        for (p,), a in zip(
            encoding.activations.position, encoding.activations.amplitude, strict=True
        )
    }
    assert at[50] == pytest.approx(2.0, abs=0.01)
    assert at[130] == pytest.approx(1.0, abs=0.01)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1 << 20),
    n_samples=st.integers(1, 60),
    sizes=st.lists(st.integers(1, 80), min_size=1, max_size=3),
    scale=st.sampled_from([1e-150, 1e-9, 1.0, 1e9, 1e150]),
)
def test_flithos_is_never_above_that_without_activations(
    seed: int, n_samples: int, sizes: list[int], scale: float
) -> None:
    rng = np.random.default_rng(seed)
    signals = scale * rng.standard_normal((2, n_samples)) * rng.integers(0, 2, (2, n_samples))
    kernels = [rng.standard_normal(size) for size in sizes]
    encoding = encode(signals, kernels)
    bound = np.where(signals.any(axis=1), _phi_without(signals, kernels), np.inf)
    assert (encoding.flithos <= bound).all()
    assert (encoding.activations.amplitude != 0).all()


def test_what_is_reported_is_what_the_metrics_of_the_paper_give(beats: Floats) -> None:
    signals = beats[:2]
    encoding = encode(signals, [WAVE, HILL])
    maps = activation_maps(encoding.activations, 2, signals.shape)
    assert maps.shape == (2, 2, 1000)
    for i, signal in enumerate(signals):
        n = metrics.n_activations(maps[i])
        inverse_cr = metrics.inverse_compression_ratio(1000, WAVE.size + HILL.size, n)
        loss = metrics.normalized_loss(encoding.reconstruction[i], signal)
        assert encoding.n_activations[i] == n
        assert encoding.inverse_cr[i] == pytest.approx(inverse_cr)
        assert encoding.normalized_loss[i] == pytest.approx(loss)
        assert encoding.flithos[i] == pytest.approx(metrics.flithos(inverse_cr, loss))


def test_placing_is_the_adjoint_of_torch_padding_same() -> None:
    torch = pytest.importorskip("torch")
    for kernel in (WAVE, HILL, np.ones(1)):
        signal = np.random.default_rng(0).standard_normal(40)
        # What padding="same" does, and says with a warning for even sizes.
        before = (kernel.size - 1) // 2
        padded = torch.tensor(np.pad(signal, (before, kernel.size - 1 - before)))
        taps = torch.tensor(kernel.copy())
        similarity = torch.nn.functional.conv1d(padded[None, None], taps[None, None])[0, 0]
        rows = [(position, 0, position, 1.0) for position in range(40)]
        placed = reconstruct(_activations(rows), [kernel], (40, 40))
        np.testing.assert_allclose(placed @ signal, similarity.numpy(), atol=1e-12)


def _extrema_flithos(signal: Floats, kernel: Floats) -> float:
    """Encode as the paper does, with matched synthesis and a kernel of norm 1."""
    kernel = kernel / np.linalg.norm(kernel)
    before = (kernel.size - 1) // 2
    padded = np.pad(signal, (before, kernel.size - 1 - before))
    kept = extrema(np.correlate(padded, kernel, "valid"), max(1, kernel.size - 3))
    rows = [(0, 0, int(p), float(kept[p])) for p in np.nonzero(kept)[0]]
    reconstruction = reconstruct(_activations(rows), [kernel], (1, signal.size))[0]
    inverse_cr = metrics.inverse_compression_ratio(signal.size, kernel.size, len(rows))
    return metrics.flithos(inverse_cr, metrics.normalized_loss(reconstruction, signal))


def test_pursuit_beats_extrema_with_the_same_kernel(beats: Floats) -> None:
    for signal in beats[:3]:
        peak = int(np.argmax(signal[100:900])) + 100
        for half in (6, 20, 60):
            kernel = signal[peak - half : peak + half + 1]
            pursuit = encode(signal[None], [kernel]).mean_flithos
            assert pursuit < _extrema_flithos(signal, kernel) - 0.02


def test_more_sweeps_never_raise_flithos(beats: Floats) -> None:
    phi = [encode(beats[:3], [WAVE, HILL], EncodeConfig(n_sweeps=n)).flithos for n in (0, 1, 4)]
    assert (phi[1] <= phi[0]).all()
    assert (phi[2] <= phi[1]).all()
    assert phi[2].mean() < phi[0].mean() - 0.001


def test_encoding_again_from_its_own_activations_does_not_lose_them(beats: Floats) -> None:
    first = encode(beats[:2], [WAVE, HILL], EncodeConfig(n_sweeps=0))
    again = encode(beats[:2], [WAVE, HILL], EncodeConfig(n_sweeps=1), first.activations)
    assert (again.flithos <= first.flithos + 1e-12).all()


def test_scaling_signal_or_kernel_scales_the_amplitudes(beats: Floats) -> None:
    # Powers of two: every rounding is the same.
    one = encode(beats[:1], [WAVE, HILL])
    other = encode(beats[:1] * 1024, [WAVE / 8, HILL / 8])
    assert _rows(one.activations) == _rows(other.activations)
    np.testing.assert_allclose(other.activations.amplitude, one.activations.amplitude * 8192)


def test_a_signal_of_zeros_has_no_activation() -> None:
    encoding = encode(np.zeros((2, 50)), [WAVE])
    assert encoding.activations.signal.size == 0
    np.testing.assert_array_equal(encoding.normalized_loss, 0)
    np.testing.assert_allclose(encoding.flithos, WAVE.size / 50)
    assert activation_maps(encoding.activations, 1, (2, 50)).sum() == 0


def test_a_constant_signal_one_sample_and_long_kernels() -> None:
    assert encode(np.ones((1, 300)), [np.ones(30)]).normalized_loss[0] < 1e-9
    assert encode(np.ones((1, 1)), [np.ones(1)]).n_activations[0] == 0
    truth = _activations([(0, 0, 100, 1.0)])
    long = np.sin(np.arange(301) / 20.0)
    signals = reconstruct(truth, [long], (1, 200))
    encoding = encode(signals, [long])
    # Its 301 weights alone cost 1.5; what it codes is worth its one activation all the same.
    assert encoding.normalized_loss[0] < 1e-9
    assert encoding.n_activations[0] == 1


def test_a_kernel_of_zeros_is_not_activated() -> None:
    encoding = encode(
        reconstruct(_activations([(0, 0, 9, 1.0)]), [WAVE], (1, 90)), [np.zeros(4), WAVE]
    )
    assert _rows(encoding.activations) == [(0, 1, 9)]


@pytest.mark.parametrize(
    "signals",
    [
        np.array([[0.0, 1.0], [np.nan, 1.0]]),
        np.array([[np.inf, 1.0]]),
        np.zeros((0, 10)),
        np.zeros((3, 0)),
        np.zeros(10),
    ],
    ids=["nan", "infinite", "no signal", "no sample", "one dimension"],
)
def test_signals_that_cannot_be_encoded_are_refused(signals: Floats) -> None:
    with pytest.raises(RecordError, match="signals"):
        encode(signals, [WAVE])


def test_the_signal_with_nan_is_named() -> None:
    with pytest.raises(RecordError, match="number 1"):
        encode(np.array([[0.0, 1.0], [np.nan, 1.0]]), [WAVE])


@pytest.mark.parametrize(
    "kernels",
    [[], [np.zeros(0)], [np.array([1.0, np.nan])], [CROSS], [np.ones((2, 2, 2))]],
    ids=["none", "empty", "nan", "of an image", "of three dimensions"],
)
def test_kernels_that_cannot_be_placed_are_refused(kernels: list[Floats]) -> None:
    with pytest.raises(ConfigError, match="kernels"):
        encode(np.ones((1, 20)), kernels)


@pytest.mark.parametrize(
    "row",
    [(2, 0, 5, 1.0), (0, 1, 5, 1.0), (0, -1, 5, 1.0), (0, 0, 20, 1.0), (0, 0, 5, np.nan)],
    ids=["signal", "kernel", "kernel below 0", "position", "amplitude"],
)
def test_activations_that_stand_nowhere_are_refused(row: tuple[Any, ...]) -> None:
    # Compiled code would write outside of the signal.
    with pytest.raises(ConfigError, match="activations"):
        encode(np.ones((2, 20)), [WAVE], start=_activations([row]))
    with pytest.raises(ConfigError, match="activations"):
        reconstruct(_activations([row]), [WAVE], (2, 20))


def test_two_activations_at_one_place_are_refused() -> None:
    with pytest.raises(ConfigError, match="same position"):
        encode(np.ones((1, 20)), [WAVE], start=_activations([(0, 0, 5, 1.0), (0, 0, 5, 2.0)]))


@given(
    st.lists(st.tuples(st.integers(1, 8), st.integers(1, 4)), min_size=1, max_size=30),
    st.floats(0.01, 1.0),
)
@settings(deadline=None)
def test_the_weighted_median_is_that_of_a_sorted_list(
    pairs: list[tuple[int, int]], share: float
) -> None:
    ratios, weights = (np.array(values, float) for values in zip(*pairs, strict=True))
    wanted = share * weights.sum()
    ordered = np.argsort(ratios, kind="stable")
    expected = ratios[ordered][np.searchsorted(np.cumsum(weights[ordered]), wanted)]
    assert weighted_median(ratios.copy(), weights.copy(), 0, len(pairs), wanted) == expected


def _scratch(shape: tuple[int, int], n_kernels: int, n_taps: int) -> Scratch:
    maps = (n_kernels, *shape)
    corners = (shape[0] + 1, shape[1] + 1)
    return Scratch(
        np.empty(n_taps), np.empty(n_taps), np.zeros(maps), np.zeros(maps), np.zeros(corners)
    )


@given(st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=50)
def test_every_gain_is_that_of_the_best_amplitude(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 12)))
    kernels = [rng.integers(-3, 4, tuple(rng.integers(1, 5, 2))).astype(float) for _ in range(2)]
    residual = rng.integers(-4, 5, shape).astype(float)
    scratch = _scratch(shape, 2, 16)
    scan(bank_of(kernels), residual, scratch, (0, shape[0], 0, shape[1]), 0.0)
    for k, row, column in np.ndindex(2, *shape):
        placed = reconstruct(_activations([(0, k, row, column, 1.0)]), kernels, (1, *shape))[0]
        amplitudes = [0.0, *(residual[placed != 0] / placed[placed != 0])]
        gains = [np.abs(residual).sum() - np.abs(residual - a * placed).sum() for a in amplitudes]
        assert scratch.gains[k, row, column] == pytest.approx(max(gains), abs=1e-9)
        left = residual - scratch.amplitudes[k, row, column] * placed
        gain = np.abs(residual).sum() - np.abs(left).sum()
        assert gain == pytest.approx(max(gains), abs=1e-9)


def test_a_gain_that_is_not_needed_is_not_looked_for() -> None:
    bank, scratch = bank_of([WAVE]), _scratch((1, 20), 1, WAVE.size)
    residual = reconstruct(_activations([(0, 0, 9, 2.0)]), [WAVE], (1, 20))
    gain = 2.0 * np.abs(WAVE).sum()
    found = best_amplitude(bank, residual, scratch, (0, 0, 9), 0.99 * gain)
    assert found == pytest.approx((2.0, gain))
    assert best_amplitude(bank, residual, scratch, (0, 0, 9), 1.01 * gain) == (0.0, 0.0)


def test_the_refit_of_amplitudes_reaches_the_least_absolute_error() -> None:
    from scipy.optimize import linprog

    rng = np.random.default_rng(3)
    places = [(0, 0, p) for p in (5, 12, 17, 40, 44, 90, 97)]
    rows = [(0, k, p, float(rng.normal())) for k, _, p in places]
    signal = reconstruct(_activations(rows), [HILL], (1, 120)) + 0.3 * rng.laplace(size=(1, 120))
    count = len(places)
    code = Code(
        signal,
        signal.copy(),
        np.array(places, np.int64),
        np.zeros(count),
        np.array([count]),
    )
    refit_amplitudes(bank_of([HILL]), code)
    np.testing.assert_allclose(
        signal - code.residual,
        reconstruct(
            _activations(
                [(0, k, p, a) for (k, _, p), a in zip(places, code.amplitudes, strict=True)]
            ),
            [HILL],
            (1, 120),
        ),
        atol=1e-9,
    )
    unit = [(i, 0, p, 1.0) for i, (_, _, p) in enumerate(places)]
    design = reconstruct(_activations(unit), [HILL], (count, 120)).T
    cost = np.concatenate([np.zeros(count), np.ones(240)])
    equal = np.concatenate([design, np.eye(120), -np.eye(120)], axis=1)
    bounds = [(None, None)] * count + [(0, None)] * 240
    least = linprog(cost, A_eq=equal, b_eq=signal[0], bounds=bounds).fun
    assert np.abs(code.residual).sum() <= least * 1.001


def _encoding_of(signals: Floats, truth: Activations) -> Encoding:
    zeros = np.zeros(len(signals))
    return Encoding(
        activations=truth,
        reconstruction=signals,
        n_activations=np.bincount(truth.signal, minlength=len(signals)),
        inverse_cr=zeros,
        normalized_loss=zeros,
        flithos=zeros,
    )


@pytest.mark.parametrize("kernels", [[WAVE, HILL], [CROSS, CORNER]], ids=["signals", "images"])
def test_kernels_are_recovered_from_their_activations(kernels: list[Floats]) -> None:
    rng = np.random.default_rng(2)
    shape = (4, 200) if kernels[0].ndim == 1 else (4, 28, 28)
    rows = [
        (i, int(rng.integers(2)), *(int(rng.integers(n)) for n in shape[1:]), float(rng.normal()))
        for i in np.repeat(np.arange(4), 12)
    ]
    signals = reconstruct(_activations(rows), kernels, shape)
    signals.reshape(4, -1)[:, ::37] += 5.0
    fit = Fit.of(signals, _encoding_of(signals, _activations(rows)))
    disturbed = [kernel + 0.3 * rng.normal(size=kernel.shape) for kernel in kernels]
    for kernel, refitted in zip(kernels, refit_kernels(fit, disturbed), strict=True):
        np.testing.assert_allclose(refitted, kernel, atol=0.02)


def test_a_kernel_grows_and_shrinks_to_the_size_that_is_in_the_signals() -> None:
    rows = [(i, 0, 60 * j + 7 * i + 30, 1.0 + 0.1 * j) for i in range(4) for j in range(8)]
    for cut, padding in ((8, (0, 0)), (0, (6, 9))):
        truth = HILL + 0.5
        signals = reconstruct(_activations(rows), [truth], (4, 520))
        # Where the end that was cut off at the left was, the centre stands no more.
        begun = np.pad(truth[cut:], padding)
        shift = (cut - padding[0]) + (begun.size - 1) // 2 - (truth.size - 1) // 2
        moved = _activations([(i, k, p + shift, a) for i, k, p, a in rows])
        fit = Fit.of(signals, _encoding_of(signals, moved))
        kernels, activations = resize_kernels(fit, [begun], 60)
        fit = Fit.of(signals, _encoding_of(signals, activations))
        kernels, activations = resize_kernels(fit, kernels, 60)
        np.testing.assert_allclose(kernels[0], truth, atol=1e-6)
        assert _rows(activations) == _rows(_activations(rows))
        np.testing.assert_allclose(reconstruct(activations, kernels, (4, 520)), signals, atol=1e-6)


def test_learning_finds_the_kernel_that_made_the_signals() -> None:
    rng = np.random.default_rng(8)
    rows = [
        (i, 0, int(p), float(rng.uniform(0.5, 2.0)))
        for i in range(8)
        for p in rng.choice(np.arange(20, 480, 40), 7, replace=False) + rng.integers(8)
    ]
    signals = reconstruct(_activations(rows), [HILL], (8, 500))
    learned = learn(signals[:6], signals[6:], LearnConfig(n_kernels=(1,), n_starts=6))
    exact = encode(signals[6:], [HILL]).mean_flithos
    assert encode(signals[6:], learned.kernels).mean_flithos < exact + 0.02


def test_learning_lowers_flithos(beats: Floats, learned: Learned) -> None:
    peak = int(np.argmax(beats[0]))
    plain = encode(beats[6:], [beats[0, peak - 20 : peak + 21]]).mean_flithos
    assert encode(beats[6:], learned.kernels).mean_flithos < plain - 0.05


def test_learning_is_reproducible_by_its_seed(beats: Floats) -> None:
    config = LearnConfig(n_kernels=(1, 2), n_starts=1)
    first, again = (learn(beats[:2], beats[4:5], config) for _ in range(2))
    assert first.history == again.history
    for one, other in zip(first.kernels, again.kernels, strict=True):
        np.testing.assert_array_equal(one, other)
    other_seed = learn(beats[:2], beats[4:5], LearnConfig(n_kernels=(1, 2), n_starts=1, seed=1))
    assert other_seed.history != first.history


def test_what_is_kept_is_the_best_iteration_over_training_and_validation(
    beats: Floats, learned: Learned
) -> None:
    scores = [(4 * h.training_flithos + 2 * h.validation_flithos) / 6 for h in learned.history]
    assert np.argmin(scores) == learned.best
    best = learned.history[learned.best]
    assert best.sizes == tuple(kernel.size for kernel in learned.kernels)
    validation = encode(beats[4:6], learned.kernels, _CONFIG.encoding).mean_flithos
    assert validation == pytest.approx(best.validation_flithos)
    rivals = [(4 * r.training_flithos + 2 * r.validation_flithos) / 6 for r in learned.rivals]
    assert min(scores) <= min(rivals)


def test_sizes_that_are_given_are_kept() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (i, int(rng.integers(2)), *map(int, rng.integers(28, size=2)), float(rng.uniform(0.5, 1)))
        for i in np.repeat(np.arange(30), 8)
    ]
    images = reconstruct(_activations(rows), [CROSS, CORNER], (30, 28, 28))
    # The fewer the starts, the likelier all of them end in another minimum.
    config = LearnConfig(sizes=(3, 4), n_starts=20)
    learned = learn(images[:20], images[20:25], config)
    assert [kernel.shape for kernel in learned.kernels] == [(3, 3), (4, 4)]
    assert all(np.abs(kernel).max() == 1 for kernel in learned.kernels)
    exact = encode(images[25:], [CROSS, CORNER]).mean_flithos
    assert encode(images[25:], learned.kernels).mean_flithos < exact + 0.1


def test_of_many_signals_a_part_is_used() -> None:
    images = np.random.default_rng(0).uniform(size=(30, 8, 8))
    config = LearnConfig(sizes=(2,), n_starts=1, max_signals=5)
    kernels = learn(images, images, config).kernels
    np.testing.assert_array_equal(kernels[0], learn(images, images, config).kernels[0])


@pytest.mark.parametrize(
    ("training", "validation", "named"),
    [
        (np.full((2, 30), np.nan), np.ones((1, 30)), "finite"),
        (np.ones((2, 30)), np.ones((1, 31)), "size"),
        (np.zeros((2, 30)), np.ones((1, 30)), "all samples are 0"),
    ],
)
def test_signals_that_cannot_be_learned_from_are_refused(
    training: Floats, validation: Floats, named: str
) -> None:
    with pytest.raises(RecordError, match=named):
        learn(training, validation)


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"sizes": ()},
        {"sizes": (0, 3)},
        {"n_kernels": ()},
        {"n_kernels": (0,)},
        {"max_size": 0},
        {"n_starts": 0},
        {"max_signals": 0},
        {"seed": -1},
    ):
        with pytest.raises(ConfigError):
            LearnConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        EncodeConfig(n_sweeps=-1)
    with pytest.raises(ConfigError, match="images"):
        learn(np.ones((2, 5, 5)), np.ones((2, 5, 5)))


_PLAIN = """
import json, sys
import numba
import numpy as np
from sancodec.training.pursuit import encode
assert numba.config.DISABLE_JIT
rng = np.random.default_rng(1)
kernels = [rng.normal(size=4), np.hanning(9)]
found = encode(rng.laplace(size=(2, 40)), kernels).activations
images = encode(rng.laplace(size=(1, 7, 7)), [rng.normal(size=(2, 2))]).activations
print(json.dumps([part.tolist() for a in (found, images) for part in vars(a).values()]))
"""


def test_the_compiled_search_equals_the_plain_one() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answers = []
    for script, extra in (
        (_PLAIN, {"NUMBA_DISABLE_JIT": "1"}),
        (_PLAIN.replace("assert ", "assert not "), {}),
    ):
        command = [sys.executable, "-c", script]
        run = subprocess.run(command, env={**environment, **extra}, capture_output=True, check=True)
        answers.append(json.loads(run.stdout))
    assert answers[0] == answers[1]
    assert len(answers[0][0]) > 4
