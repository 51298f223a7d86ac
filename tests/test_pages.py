"""The page of a record: what it holds, what it may not do, and how long records fit into it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_golden import write_several

import sancodec
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError
from sancodec.files import encode_file
from sancodec.pages.building import build_page, definitions
from sancodec.pages.record import record_page
from sancodec.record_file import RecordFile

HOSTILE = "</script><script>alert(1)</script>\"'&"
FAST = CodecConfig(level="fast", model="none")


def _embedded(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="embedded">(.*?)</script>', page)
    read: dict[str, Any] = json.loads(found)
    return read


def _samples(channel: dict[str, Any]) -> np.ndarray:
    kind = {"int16": "<i2", "int32": "<i4"}[channel["type"]]
    return np.frombuffer(base64.b64decode(channel["samples"]), kind)


def _encoded(samples: np.ndarray, name: str = "page", **channel: Any) -> RecordFile:
    channels = [sancodec.Channel(**channel)] * samples.shape[1]
    content = sancodec.encode(samples, fs=100, name=name, channels=channels, config=FAST)
    return sancodec.open(content)


def test_a_page_holds_the_samples_and_the_table(minute_folder: Path, tmp_path: Path) -> None:
    encode_file(minute_folder / "demo.hea", tmp_path / "demo.san", CodecConfig(level="fast"))
    file = sancodec.open((tmp_path / "demo.san").read_bytes())
    embedded = _embedded(record_page(file, [("file", "small")]))
    for channel, expected in zip(embedded["channels"], file.read().signals, strict=True):
        assert channel["type"] == "int16"
        np.testing.assert_array_equal(_samples(channel), expected)
    seconds = np.frombuffer(base64.b64decode(embedded["activations"]["seconds"]))
    np.testing.assert_array_equal(seconds, file.activations.seconds)
    assert embedded["areBeats"]
    assert len(embedded["kernels"]) == len(file.kernels)


def test_texts_of_a_file_end_no_element() -> None:
    file = _encoded(np.arange(40).reshape(20, 2), name=HOSTILE, units=HOSTILE)
    page = record_page(file, [(HOSTILE, HOSTILE)])
    assert "alert(1)</script>" not in page
    assert page.count("</script>") == 2
    embedded = _embedded(page)
    assert embedded["name"] == HOSTILE
    assert embedded["channels"][0]["units"] == HOSTILE
    assert "<script>alert" not in definitions([(HOSTILE, HOSTILE)])


def test_a_page_may_run_its_own_script_alone_and_fetch_nothing() -> None:
    page = build_page("t", body="<p></p>", style="p {}", script="f();", embedded={})
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    expected = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{expected}'" in policy
    whole = record_page(_encoded(np.zeros((9, 1), int)), [])
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:)[\w/.]", whole)


def test_missing_and_wide_samples_are_told_apart() -> None:
    values = np.array([[-(1 << 15), 1 << 20], [5, -(1 << 31)], [9, 7]])
    first, second = _embedded(record_page(_encoded(values), []))["channels"]
    # The least number of 16 bits stands for none in the page: here it is a sample.
    assert first["type"] == "int32"
    np.testing.assert_array_equal(_samples(first), [-(1 << 15), 5, 9])
    assert second["missing"] == -(1 << 31)
    np.testing.assert_array_equal(_samples(second), [1 << 20, -(1 << 31), 7])
    (narrow,) = _embedded(record_page(_encoded(np.array([[3], [-(1 << 31)]])), []))["channels"]
    assert (narrow["type"], narrow["missing"]) == ("int16", -(1 << 15))
    np.testing.assert_array_equal(_samples(narrow), [3, -(1 << 15)])


def test_a_long_record_has_the_extremes_of_its_samples(tmp_path: Path) -> None:
    samples = np.random.default_rng(8).integers(-500, 500, (1001, 2))
    samples[:20, 1] = -(1 << 31)
    content = sancodec.encode(
        samples, fs=100, config=CodecConfig(level="fast", model="none", chunk_seconds=1.3)
    )
    page = record_page(sancodec.open(content), [], max_samples=500)
    assert "too long" in page
    embedded = _embedded(page)
    step = embedded["channels"][0]["step"]
    assert sum(_samples(channel).size for channel in embedded["channels"]) <= 500 + 4
    pairs = _samples(embedded["channels"][0]).reshape(-1, 2)
    for i, (least, largest) in enumerate(pairs):
        block = samples[i * step : (i + 1) * step, 0]
        assert (least, largest) == (block.min(), block.max())
    assert len(pairs) == -(-1001 // step)
    missing = embedded["channels"][1]["missing"]
    np.testing.assert_array_equal(_samples(embedded["channels"][1])[:2], [missing, missing])
    with pytest.raises(ConfigError, match="max_samples"):
        record_page(sancodec.open(content), [], max_samples=3)


def test_a_record_of_segments_and_one_without_a_layer_have_a_page(tmp_path: Path) -> None:
    encode_file(write_several(tmp_path), tmp_path / "several.san", FAST)
    file = sancodec.open((tmp_path / "several.san").read_bytes())
    embedded = _embedded(record_page(file, []))
    assert [own["name"] for own in embedded["channels"]] == [own.name for own in file.channels]
    assert any((_samples(own) == own["missing"]).any() for own in embedded["channels"])
    assert not embedded["areBeats"]
    assert embedded["kernels"] == []


def test_inspect_writes_a_page_and_overwrites_none(
    simulated_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encode_file(simulated_folder / "demo.hea", tmp_path / "demo.san", FAST)
    arguments = ["inspect", str(tmp_path / "demo.san"), "--html", str(tmp_path / "demo.html")]
    assert main(arguments) == 0
    page = (tmp_path / "demo.html").read_text()
    assert "compression ratio" in page
    assert "compression ratio" in capsys.readouterr().out
    assert main(arguments) == 1
    assert main([*arguments, "--force"]) == 0
    assert main([*arguments, str(tmp_path / "demo.san"), "--force"]) == 2
