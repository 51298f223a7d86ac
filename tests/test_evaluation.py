"""What `sancodec evaluate` says of rate, distortion and beats, by independent counting."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from sancodec.beats import Agreement, compare_beats, find_beats, reference_beats
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import RecordError
from sancodec.evaluation import Settings, evaluate_record
from sancodec.fidelity import MaxError, TargetPrdn
from sancodec.files import decode_file, encode_file
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Channel

DATA = os.environ.get("SANCODEC_DATA", "")
FAST = ["--model", "none", "--level", "fast", "--jobs", "1"]


@pytest.fixture
def record(tmp_path: Path, simulated_folder: Path) -> Path:
    """Header of a copy of the simulated record, of three ECG leads and no annotations."""
    folder = tmp_path / "records"
    shutil.copytree(simulated_folder, folder)
    return folder / "demo.hea"


def _peaks(header: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """R peaks of the simulated record: the highest sample wherever it is above half."""
    lead = wfdb.rdrecord(str(header.with_suffix(""))).p_signal[:, 0]
    above = lead > 0.5 * (lead.max() + np.median(lead))
    edges = np.flatnonzero(np.diff(above.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return np.array([begin + lead[begin:stop].argmax() for begin, stop in edges])


def _annotate(header: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Mark the beats of the simulated record, and what is no beat between them; give the beats."""
    beats = _peaks(header)
    samples = np.concatenate([[10], np.stack([beats, beats + 90], axis=1).ravel()])
    symbols = ["+", *["N", "~"] * beats.size]
    wfdb.wrann("demo", "atr", samples, symbol=symbols, write_dir=str(header.parent), fs=360)
    return beats


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["evaluate", *arguments, *FAST, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_beats_are_found_where_the_peaks_are(record: Path) -> None:
    samples = WfdbRecord.open(record).read(0, 12 * 360).signals[0]
    found = find_beats(samples, Channel(adc_gain=200.0, baseline=1024), 360.0)
    peaks = _peaks(record)
    # The detector needs a part of a second before its first beat.
    inside = peaks[peaks > 180]
    assert found.size in {inside.size, peaks.size}
    assert np.all(np.abs(found[-inside.size :] - inside) <= 0.05 * 360)


def test_beats_agree_within_150_ms_and_no_further() -> None:
    beats = np.arange(200, 20_000, 300, dtype=np.int64)
    assert compare_beats(beats, beats + 54, 360.0) == Agreement(beats.size, 0, 0)
    assert compare_beats(beats, beats + 56, 360.0) == Agreement(0, beats.size, beats.size)
    lost = compare_beats(beats, np.delete(beats, [3, 9]), 360.0)
    assert (lost.n_missed, lost.n_extra, lost.positive_predictivity) == (2, 0, 1.0)
    more = compare_beats(beats, np.sort(np.append(beats, 350)), 360.0)
    assert (more.n_missed, more.n_extra, more.sensitivity) == (0, 1, 1.0)
    nothing = np.zeros(0, np.int64)
    assert compare_beats(beats, nothing, 360.0) == Agreement(0, beats.size, 0)
    assert compare_beats(nothing, nothing, 360.0).sensitivity is None


def test_only_beats_of_the_part_that_is_evaluated_are_taken_from_annotations(record: Path) -> None:
    assert reference_beats(record, 10_000) is None
    beats = _annotate(record)
    found = reference_beats(record, 1_800)
    np.testing.assert_array_equal(found, beats[beats < 1_800])
    record.with_suffix(".atr").write_bytes(b"\xff")
    with pytest.raises(RecordError, match=r"demo\.atr"):
        reference_beats(record, 1_800)


def test_figures_are_those_of_the_file_that_encode_writes(record: Path, tmp_path: Path) -> None:
    fidelity = TargetPrdn(6.0)
    config = CodecConfig(model="none", level="fast")
    settings = Settings(config=config, jobs=1)
    (outcome,) = evaluate_record(record, [fidelity], settings)
    target = tmp_path / "x.san"
    encode_file(record, target, CodecConfig(model="none", level="fast", fidelity=fidelity))
    assert outcome.n_bytes == target.stat().st_size
    decode_file(target, tmp_path / "decoded")
    x, y = (
        wfdb.rdrecord(str(folder / "demo"), physical=False).d_signal.astype(float)
        for folder in (record.parent, tmp_path / "decoded")
    )
    error, deviation = np.square(y - x).sum(axis=0), np.square(x - x.mean(axis=0)).sum(axis=0)
    np.testing.assert_allclose(outcome.prdn, 100 * np.sqrt(error / deviation), rtol=1e-9)
    assert outcome.max_error == tuple(np.abs(y - x).max(axis=0).astype(int))
    assert outcome.bits_per_sample == pytest.approx(8 * target.stat().st_size / x.size)
    assert outcome.cr_source_bits == pytest.approx(0.75 * outcome.cr_int16)
    assert outcome.beats is not None
    assert outcome.beats.lead == "II"
    assert outcome.beats.decoded.n_matched >= 10


def test_the_command_line_gives_every_target_and_beats_against_annotations(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beats = _annotate(record)
    asked = ["--prdn", "3,9", "--prdn", "30", "--max-error", "2", "--lossless"]
    found = _run([str(record), *asked], capsys)
    assert [own["target"] for own in found] == [
        *["lossless", "error 2", "PRDN 3 %", "PRDN 9 %", "PRDN 30 %"]
    ]
    lossless, bounded, *others = found
    assert lossless["max_error"] == [0, 0, 0]
    assert lossless["beats"]["decoded"]["n_missed"] == lossless["beats"]["decoded"]["n_extra"] == 0
    assert max(bounded["max_error"]) == 2
    sizes = [own["n_bytes"] for own in (lossless, *others)]
    assert sizes == sorted(sizes, reverse=True)
    for own, percent in zip(others, (3, 9, 30), strict=True):
        assert 0.5 * percent < max(own["prdn"]) <= percent
        assert own["beats"]["original_to_reference"]["n_matched"] >= beats.size - 1


def test_beats_that_the_loss_takes_away_are_missed(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sancodec.beat_comparison as comparison

    def only_half(samples: Any, channel: Channel, fs: float) -> Any:
        beats = find_beats(samples, channel, fs)
        return beats[: beats.size // 2] if calls else calls.append(1) or beats

    calls: list[int] = []
    monkeypatch.setattr(comparison, "find_beats", only_half)
    settings = Settings(config=CodecConfig(model="none", level="fast"), jobs=1)
    (outcome,) = evaluate_record(record, [TargetPrdn(9.0)], settings)
    assert outcome.beats is not None
    sensitivity = outcome.beats.decoded.sensitivity
    assert sensitivity is not None
    assert sensitivity < 0.6
    assert outcome.beats.decoded.positive_predictivity == 1.0


def test_missing_samples_do_not_hide_beats(tmp_path: Path, record: Path) -> None:
    samples = WfdbRecord.open(record).read(0, 12 * 360).signals[0] - 1024
    samples[2_000:2_200] = -32_768
    (tmp_path / "gap.dat").write_bytes(samples.astype("<i2").tobytes())
    (tmp_path / "gap.hea").write_text("gap 1 360 4320\ngap.dat 16 200/mV 12 0 0 0 0 II\n")
    settings = Settings(config=CodecConfig(model="none", level="fast"), jobs=1)
    (outcome,) = evaluate_record(tmp_path / "gap", [MaxError(("3",))], settings)
    assert outcome.beats is not None
    assert outcome.beats.decoded.n_matched >= 9
    assert outcome.max_error == (3,)


@pytest.mark.parametrize(
    ("line", "fs", "said"),
    [
        ("few.dat 16 200/mmHg 12 0 0 0 0 ABP", 360, "no channel is an ECG"),
        ("few.dat 16 200/mV 12 0 0 0 0 II", 360, "finding beats takes"),
        ("few.dat 16 200/mV 12 0 0 0 0 II", 40, "finding beats takes"),
    ],
)
def test_where_beats_cannot_be_looked_for_it_says_so(
    line: str, fs: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = np.random.default_rng(1).integers(-300, 300, 600).cumsum() // 20
    (tmp_path / "few.dat").write_bytes(samples.astype("<i2").tobytes())
    (tmp_path / "few.hea").write_text(f"few 1 {fs} 600\n{line}\n")
    (outcome,) = _run([str(tmp_path / "few"), "--prdn", "9"], capsys)
    assert outcome["beats"] is None
    assert said in outcome["no_beats"]
    assert main(["evaluate", str(tmp_path / "few"), "--prdn", "9", *FAST]) == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_of_several_records_one_that_fails_leaves_the_others_and_their_files(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(record.parent, tmp_path / "others")
    records = [str(record), str(tmp_path / "nosuch"), str(tmp_path / "others" / "demo")]
    table, picture = tmp_path / "rates.csv", tmp_path / "rates.svg"
    written = ["--csv", str(table), "--plot", str(picture)]
    arguments = ["evaluate", *records, "--prdn", "5,9", "--seconds", "8", *FAST, *written]
    assert main(arguments) == 4
    output = capsys.readouterr()
    assert "nosuch" in output.err
    assert output.out.count("PRDN 5 %") == 3
    assert "all 2" in output.out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["target"] for row in rows] == ["PRDN 5 %", "PRDN 9 %"] * 2
    assert all(float(row["prdn_mean"]) <= float(row["target"].split()[1]) for row in rows)
    assert int(rows[0]["n_samples"]) == 3 * 8 * 360
    assert picture.read_text().lstrip().startswith("<?xml")
    assert main(arguments) == 1
    assert "rates.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--prdn", "5,x"], ["--prdn", "0"], ["--seconds", "0"], ["--plot", "rates.pdf"]]
)
def test_wrong_settings_are_refused_before_anything_is_coded(
    options: list[str], record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(record), *options]) in {1, 2}
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("sancodec: error: ")


@pytest.mark.skipif(not DATA, reason="SANCODEC_DATA is not set: no real recordings")
def test_the_first_minute_of_a_real_record_keeps_its_beats(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = [str(Path(DATA, "mitdb", "100")), "--seconds", "60", "--prdn", "5"]
    (outcome,) = _run(asked, capsys)
    assert outcome["beats"]["lead"] == "MLII"
    for name in ("decoded", "original_to_reference", "decoded_to_reference"):
        own = outcome["beats"][name]
        # Counted by hand in 100.atr: 74 beats before sample 21,600.
        assert own["n_matched"] + own["n_missed"] == 74
        assert own["n_missed"] + own["n_extra"] <= 1
