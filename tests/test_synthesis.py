import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sancodec.errors import CorruptError, ModelError
from sancodec.placement import place_in_numpy
from sancodec.runtime import SynthesisSession, open_session
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.san.synthesis import (
    Activations,
    expand,
    placement_of,
    resample,
    shift_sums,
    synthesise,
)


@pytest.fixture(scope="module")
def session() -> SynthesisSession:
    return open_session("cpu")


def bank_of(kernels: NDArray[np.float64], centre: int, fs: float = 360.0) -> KernelBank:
    taps = np.rint(kernels * UNIT).astype(np.int16)
    return KernelBank(kernels=taps.reshape(len(taps), -1, taps.shape[-1]), centre=centre, fs=fs)


def bell(at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-(at**2) / 128) - 0.4 * np.exp(-((at - 12) ** 2) / 50)


BELL = bank_of(bell(np.arange(-60.0, 80.0))[None], 60)


def activations(position: list[int], kernel: list[int], amplitude: list[list[int]]) -> Activations:
    return Activations(
        position=np.array(position, np.int64),
        kernel=np.array(kernel, np.int64),
        amplitude=np.array(amplitude, np.int32).reshape(len(position), -1),
    )


@pytest.mark.parametrize("phase", range(4))
def test_each_phase_is_the_kernel_a_quarter_of_a_sample_later(phase: int) -> None:
    expanded = expand(BELL)
    at = np.arange(expanded.n_taps) - expanded.centre - phase / 4
    np.testing.assert_allclose(expanded.rows[phase], bell(at) * UNIT, atol=1.5)


def test_phase_nought_is_the_kernel_itself() -> None:
    np.testing.assert_array_equal(expand(BELL).rows[0, 2:-3], BELL.kernels[0, 0])


def test_a_single_tap_keeps_its_sum_at_every_phase() -> None:
    rows = expand(KernelBank(kernels=np.full((1, 1, 1), 8192, np.int16), centre=0, fs=1.0)).rows
    np.testing.assert_array_equal(rows.sum(axis=1), [8192] * 4)
    np.testing.assert_array_equal(rows[2], [96, -800, 4800, 4800, -800, 96])


@pytest.mark.parametrize("fs", [100.0, 125.0, 250.0, 257.3, 500.0, 1000.0])
def test_a_resampled_kernel_is_the_same_shape_at_another_sampling_frequency(fs: float) -> None:
    resampled = resample(BELL, fs)
    at = (np.arange(resampled.n_taps) - resampled.centre) * 360 / fs
    tolerance = 0.02 if fs > 200 else 0.11
    np.testing.assert_allclose(resampled.kernels[0, 0], bell(at) * UNIT, atol=tolerance * UNIT)
    assert resampled.fs == fs


def test_resampling_to_the_same_frequency_gives_the_bank_itself() -> None:
    assert resample(BELL, 360.0) is BELL


def test_resampled_integers_are_pinned() -> None:
    kernels = np.array([[[0, 100, -2000, 16384, 3000, -700, 30, 0, 0, 1, -1, 12]]], np.int16)
    bank = KernelBank(kernels=kernels, centre=3, fs=360.0)
    down, up = resample(bank, 250.0), resample(bank, 500.0)
    assert (down.centre, down.kernels[0, 0].tolist()) == (3, PINNED_DOWN)
    assert (up.centre, up.kernels[0, 0].tolist()) == (5, PINNED_UP)


PINNED_DOWN = [-3, 130, -1148, 11549, 1392, -330, 24, 0, 3, 5]
PINNED_UP = [-5, 21, 207, -2371, 2557, 16384, 6942, 463, -825, -50, 46, -2, 0, 1, -1, 1, 12, 4]


def test_averaging_removes_what_the_lower_frequency_cannot_hold() -> None:
    alternating = bank_of(np.where(np.arange(120) % 2, 1.0, -1.0)[None], 60)
    inside = resample(alternating, 90.0).kernels[0, 0, 3:-3]
    assert np.abs(inside).max() < 0.01 * UNIT


@pytest.mark.parametrize("fs", [0.0, -1.0, float("nan"), float("inf"), 0.01, 1e9])
def test_sampling_frequencies_that_leave_no_kernel_are_refused(fs: float) -> None:
    with pytest.raises(ModelError, match="sampling frequency"):
        resample(BELL, fs)


def test_the_centre_of_a_kernel_falls_on_the_position(session: SynthesisSession) -> None:
    case = activations([4 * 100, 4 * 300 + 2], [0, 0], [[1000], [-50]])
    reconstruction = synthesise(session, expand(BELL), case, 400, np.array([14]))
    at = np.arange(400)
    expected = 1000 * bell(at - 100.0) - 50 * bell(at - 300.5)
    expected[(at < 40) | (at > 380)] = 0
    np.testing.assert_allclose(reconstruction[0], expected, atol=1)


def test_activations_beyond_the_edges_reach_into_the_span(session: SynthesisSession) -> None:
    case = activations([-4 * 20, 4 * 120], [0, 0], [[1000], [1000]])
    reconstruction = synthesise(session, expand(BELL), case, 100, np.array([14]))[0]
    at = np.arange(100)
    expected = 1000 * bell(at + 20.0) + 1000 * bell(at - 120.0) * (at >= 60)
    np.testing.assert_allclose(reconstruction[:60], expected[:60], atol=1)
    np.testing.assert_allclose(reconstruction[60:], expected[60:], atol=1)


def test_each_lead_has_its_amplitude_and_its_kernel(session: SynthesisSession) -> None:
    own = KernelBank(kernels=np.array([[[UNIT // 2], [UNIT // 4]]], np.int16), centre=0, fs=1.0)
    case = activations([8], [0], [[16, -16]])
    reconstruction = synthesise(session, expand(own), case, 5, np.array([14, 13]))
    np.testing.assert_array_equal(reconstruction, [[0, 0, 8, 0, 0], [0, 0, -8, 0, 0]])


def test_nothing_is_synthesised_from_nothing(session: SynthesisSession) -> None:
    none = Activations(
        position=np.zeros(0, np.int64), kernel=np.zeros(0, np.int64),
        amplitude=np.zeros((0, 3), np.int32),
    )  # fmt: skip
    shifts = np.array([14, 14, 14])
    assert not synthesise(session, expand(BELL), none, 50, shifts).any()
    assert synthesise(session, expand(BELL), none, 0, shifts).shape == (3, 0)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 400), st.integers(1, 12), st.integers(0, 60))
def test_synthesis_equals_its_numpy_twin_bit_for_bit(
    session: SynthesisSession, seed: int, n_samples: int, n_leads: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    n_kernel_leads = int(rng.choice([1, n_leads]))
    shape = (int(rng.integers(1, 5)), n_kernel_leads, int(rng.integers(1, 50)))
    taps = rng.integers(-UNIT, UNIT + 1, shape, dtype=np.int16)
    bank = expand(KernelBank(kernels=taps, centre=int(rng.integers(shape[2])), fs=360.0))
    case = Activations(
        position=rng.integers(
            4 * (bank.centre - bank.n_taps), 4 * (n_samples + bank.centre) + 4, n
        ),
        kernel=rng.integers(0, shape[0], n),
        amplitude=rng.integers(-1000, 1001, (n, n_leads), dtype=np.int32),
    )
    shifts = rng.integers(0, 20, n_leads)
    placed = place_in_numpy(placement_of(bank, case, n_samples, shifts))
    expected = shift_sums(placed[:, bank.n_taps : bank.n_taps + n_samples], shifts)
    np.testing.assert_array_equal(synthesise(session, bank, case, n_samples, shifts), expected)


def test_sums_are_rounded_half_up_and_shifted_left_within_int32() -> None:
    sums = np.array([[-3, -2, -1, 0, 1, 2, 3]], np.int32)
    np.testing.assert_array_equal(shift_sums(sums, np.array([1])), [[-1, -1, 0, 0, 1, 1, 2]])
    np.testing.assert_array_equal(shift_sums(sums, np.array([-4])), sums * 16)
    with pytest.raises(CorruptError, match="int32"):
        shift_sums(np.array([[1 << 20]], np.int32), np.array([-12]))


@pytest.mark.parametrize(
    ("position", "kernel", "shift", "match"),
    [
        (0, 1, 14, "kernel"),
        (0, -1, 14, "kernel"),
        (-4 * 200, 0, 14, "position"),
        (4 * 400, 0, 14, "position"),
        (-(1 << 62), 0, 14, "position"),
        ((1 << 62), 0, 14, "position"),
        (0, 0, 40, "shift"),
        (0, 0, -40, "shift"),
    ],
)
def test_activations_out_of_range_are_refused_by_name(
    position: int, kernel: int, shift: int, match: str
) -> None:
    with pytest.raises(CorruptError, match=match):
        placement_of(expand(BELL), activations([position], [kernel], [[1]]), 100, np.array([shift]))


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(CorruptError, match="amplitude"):
        activations([0, 1], [0], [[1], [1]])
    own = KernelBank(kernels=np.ones((1, 2, 1), np.int16), centre=0, fs=1.0)
    with pytest.raises(CorruptError, match="leads"):
        placement_of(expand(own), activations([0], [0], [[1, 2, 3]]), 9, np.array([14] * 3))
    with pytest.raises(CorruptError, match="shifts"):
        placement_of(expand(BELL), activations([0], [0], [[1]]), 9, np.array([14, 14]))
