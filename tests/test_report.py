"""The figures of a report are those that its docstring promises."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from sancodec.errors import ConfigError
from sancodec.report import Report

REPORT = Report(
    record="100",
    n_channels=2,
    n_samples=1_300_000,
    n_frames=650_000,
    fs=360.0,
    duration_seconds=650_000 / 360,
    n_bytes=500_000,
    original_n_bytes=1_950_000,
    source_bits_per_sample=12.0,
    layers={"container": 400, "header": 600, "activations": 9_000, "residual": 490_000},
    level="default",
    model="ecg (shipped)",
    n_kernels=4,
    n_activations=2_274,
    n_amplitudes=4_500,
    kernel_numbers=1_000,
    san_error=30,
    san_reference=100,
    encode_seconds=2.0,
    verified=True,
)


def test_every_ratio_is_against_the_base_of_its_name() -> None:
    assert REPORT.bits_per_sample == pytest.approx(500_000 * 8 / 1_300_000)
    assert REPORT.cr_original == pytest.approx(3.9)
    assert REPORT.cr_source_bits == pytest.approx(12 / (8 * 500_000 / 1_300_000))
    assert REPORT.cr_int16 == pytest.approx(5.2)


def test_the_metrics_of_the_san_layer_are_those_of_the_paper() -> None:
    assert REPORT.inverse_cr == pytest.approx((1_000 + 2 * 4_500) / 1_300_000)
    assert REPORT.normalized_loss == pytest.approx(0.3)
    assert REPORT.flithos == pytest.approx(math.sqrt((10_000 / 1_300_000) ** 2 + 0.3**2))
    assert REPORT.activations_per_minute == pytest.approx(2_274 / (650_000 / 360 / 60))


def test_a_file_without_a_san_layer_has_no_metrics_of_one() -> None:
    bare = replace(REPORT, n_kernels=0, n_activations=0, n_amplitudes=0, kernel_numbers=0)
    assert bare.inverse_cr is None
    assert bare.normalized_loss is None
    assert bare.flithos is None
    assert bare.activations_per_minute is None


def test_a_record_of_no_samples_has_no_ratios() -> None:
    empty = replace(REPORT, n_samples=0, n_frames=0, duration_seconds=0.0, original_n_bytes=0)
    figures = empty.to_json()
    assert figures["bits_per_sample"] is None
    assert figures["cr_original"] is None
    assert figures["cr_int16"] is None
    assert figures["inverse_cr"] is None


def test_a_file_encoded_from_an_array_has_no_original_to_compare_with() -> None:
    report = replace(REPORT, original_n_bytes=0, source_bits_per_sample=0.0)
    assert report.cr_original is None
    assert report.cr_source_bits is None
    assert report.cr_int16 is not None


def test_speed_counts_the_samples_of_all_channels() -> None:
    assert REPORT.samples_per_second == pytest.approx(650_000)
    assert replace(REPORT, encode_seconds=None).samples_per_second is None


def test_layers_that_do_not_sum_to_the_file_are_refused() -> None:
    with pytest.raises(ConfigError, match="layers sum to 400 bytes"):
        replace(REPORT, layers={"container": 400})


def test_json_holds_every_field_and_every_derived_figure() -> None:
    figures: dict[str, Any] = json.loads(json.dumps(REPORT.to_json()))
    derived = {name for name, value in vars(Report).items() if isinstance(value, property)}
    assert set(figures) == set(Report.__dataclass_fields__) | derived
    assert figures["cr_original"] == pytest.approx(3.9)
