"""The transform residual: what is written decodes, errors follow the step, damage is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.residual.loss import LeadLoss
from sancodec.residual.template import beats_of
from sancodec.residual.transform.coding import decode_transform, encode_transform

FS = 250.0
NOTHING = np.zeros(0, np.int64)


def _leads(n_leads: int, n_samples: int, seed: int = 1) -> NDArray[np.int32]:
    generator = np.random.default_rng(seed)
    t = np.arange(n_samples)
    beats = 400 * np.exp(-np.square((t % 200 - 60) / 5.0))
    leads = [gain * beats + np.cumsum(generator.normal(0, 2, n_samples)) for gain in (1, -0.5, 2)]
    return np.rint(np.stack(leads * 4)[:n_leads]).astype(np.int32)


def _both_ways(
    leads: NDArray[np.int32],
    steps: NDArray[np.float64],
    *,
    missing: int | None = None,
    turned: bool = True,
    san: NDArray[np.int32] | None = None,
    position: NDArray[np.int64] = NOTHING,
) -> tuple[bytes, NDArray[np.int32]]:
    san = np.zeros(leads.shape, np.int32) if san is None else san
    beats = [beats_of(position, np.zeros(position.size, np.int64), FS)] * len(leads)
    turning = steps if turned and steps.all() else None
    loss = LeadLoss(steps, (missing,) * len(leads), turning)
    payload, known = encode_transform(leads, FS, san, beats, 1, loss)
    decoded = decode_transform(payload, leads.shape[1], FS, san, beats, 1)
    np.testing.assert_array_equal(known, decoded)
    return payload, decoded


@pytest.mark.parametrize("n_samples", [1, 2, 3, 17, 1000])
@pytest.mark.parametrize("n_leads", [1, 2, 12])
def test_the_error_is_a_fraction_of_the_step(n_leads: int, n_samples: int) -> None:
    leads = _leads(n_leads, n_samples)
    for step in (0.25, 1.0, 8.0):
        _, decoded = _both_ways(leads, np.full(n_leads, step))
        rms = np.sqrt(np.square(decoded - leads.astype(float)).mean())
        assert rms <= 0.6 * step + 0.3, f"step {step}"


def test_a_larger_step_takes_fewer_bytes() -> None:
    sizes = [len(_both_ways(_leads(2, 5000), np.full(2, step))[0]) for step in (1.0, 4.0, 16.0)]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


def test_each_lead_has_a_step_of_its_own() -> None:
    leads = _leads(2, 5000)
    _, decoded = _both_ways(leads, np.array([1.0, 40.0]))
    errors = np.square(decoded - leads.astype(float)).mean(axis=1)
    assert errors[0] < 0.02 * errors[1]


def test_leads_of_one_source_take_fewer_bytes_when_they_are_turned() -> None:
    leads = np.stack([_leads(1, 5000)[0], -2 * _leads(1, 5000)[0], _leads(1, 5000, 3)[0]])
    sizes = [len(_both_ways(leads, np.full(3, 4.0), turned=turned)[0]) for turned in (True, False)]
    assert sizes[0] < 0.8 * sizes[1]


def test_a_reconstruction_is_taken_off_before_and_put_back_after() -> None:
    leads = _leads(2, 5000)
    bare, _ = _both_ways(leads, np.full(2, 4.0))
    san = (leads * 16 - 160).astype(np.int32)
    known, decoded = _both_ways(leads, np.full(2, 4.0), san=san)
    assert len(known) < len(bare) // 10
    assert np.abs(decoded - leads).max() <= 4


def test_beats_tell_how_loud_the_next_one_is() -> None:
    leads = _leads(1, 40_000)
    bare, _ = _both_ways(leads, np.full(1, 4.0))
    position = 4 * np.arange(60, 40_000, 200, dtype=np.int64)
    known, _ = _both_ways(leads, np.full(1, 4.0), position=position)
    assert len(known) < 0.95 * len(bare)


def test_flat_leads_and_gaps_come_back_exactly() -> None:
    leads = _leads(3, 3000)
    leads[1] = -7
    leads[0, :5] = leads[0, 700:900] = leads[2, -1] = -2048
    _, decoded = _both_ways(leads, np.full(3, 30.0), missing=-2048)
    np.testing.assert_array_equal(decoded[1], leads[1])
    np.testing.assert_array_equal(decoded == -2048, leads == -2048)


def test_no_sample_leaves_the_range_of_its_lead() -> None:
    leads = np.clip(_leads(2, 3000), -20, 300).astype(np.int32)
    _, decoded = _both_ways(leads, np.full(2, 60.0))
    assert decoded.min() >= leads.min()
    assert decoded.max() <= leads.max()


def test_the_widest_samples_survive() -> None:
    leads = np.where(np.arange(400) % 7 < 3, -(1 << 31), (1 << 31) - 1).astype(np.int32)[None]
    _, decoded = _both_ways(leads, np.full(1, 1000.0))
    assert np.abs(decoded.astype(np.int64) - leads).max() < 3000


def test_steps_of_zero_leave_the_reconstruction_alone() -> None:
    leads = _leads(2, 2000)
    san = np.full(leads.shape, 32, np.int32)
    payload, decoded = _both_ways(leads, np.zeros(2), san=san)
    assert len(payload) < 20
    assert set(np.unique(decoded[0])) == {int(np.median(leads[0])) + 2}


def test_every_prefix_is_refused() -> None:
    leads = _leads(2, 300)
    payload, _ = _both_ways(leads, np.full(2, 20.0))
    beats = [beats_of(NOTHING, NOTHING, FS)] * 2
    for n_bytes in range(len(payload)):
        with pytest.raises(CorruptError):
            decode_transform(payload[:n_bytes], 300, FS, np.zeros((2, 300), np.int32), beats, 1)


def test_damage_is_refused_or_decodes_to_samples_in_range() -> None:
    leads = _leads(2, 300)
    payload, _ = _both_ways(leads, np.full(2, 20.0))
    beats = [beats_of(NOTHING, NOTHING, FS)] * 2
    generator = np.random.default_rng(5)
    for _ in range(300):
        damaged = bytearray(payload)
        damaged[generator.integers(len(payload))] ^= 1 << generator.integers(8)
        try:
            san = np.zeros((2, 300), np.int32)
            decoded = decode_transform(bytes(damaged), 300, FS, san, beats, 1)
        except CorruptError:
            continue
        assert decoded.shape == (2, 300)
