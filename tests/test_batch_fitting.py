"""Kernels are trained on an archive that no shipped model serves: once, and used from then on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from archives import decode_tree, encode_tree, entries, hashes, write_record

from sancodec import models
from sancodec.batch import fitting
from sancodec.batch.encoding_job import EncodeSettings
from sancodec.batch.fitting import kinds_to_fit
from sancodec.batch.trees import LocalTree
from sancodec.batch.walk import Archive, Choice, find_records
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, SancodecError
from sancodec.files import encode_file
from sancodec.formats.arrays import write_wfdb
from sancodec.formats.wfdb import WfdbRecord

AUTO = EncodeSettings(config=CodecConfig(level="fast", kernels="model"), provider="cpu")
MODEL = "sancodec-model-gsr.onnx"


def make_source(folder: Path, n_records: int = 5) -> Path:
    """Write records of skin conductance, 50 s at 20 Hz, for which no model is shipped."""
    for i in range(n_records):
        header = folder / f"r{i}.hea"
        write_record(header, seed=i, n_frames=1000)
        header.write_text(header.read_text().replace("2 250", "2 20").replace(" I\n", " GSR\n"))
    return folder


def walk(folder: Path) -> Archive:
    return find_records(LocalTree(folder), Choice())


def test_types_without_a_model_are_found(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    write_record(source / "ecg.hea")
    archive = walk(source)
    assert archive.records[0].kinds == ("ecg",)
    assert archive.records[1].kinds == ("gsr", "ecg")
    assert kinds_to_fit(archive, None) == ["gsr"]
    assert kinds_to_fit(archive, 3) == ["ecg", "gsr"]
    assert kinds_to_fit(archive, 0) == []


def test_kernels_are_trained_once_and_used_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = pytest.importorskip("sancodec.training.trainer")
    quick = partial(trainer.TrainConfig, n_epochs=2, n_starts=1)
    monkeypatch.setattr(trainer, "TrainConfig", quick)
    source, target = make_source(tmp_path / "source"), tmp_path / "target"
    summary = encode_tree(source, target, encode=AUTO)
    assert f"{MODEL}: trained on 10 windows of 5 records" in summary.notes[0]
    assert summary.n_done == 5
    _, metadata = models.load(target / MODEL)
    assert metadata["signal_type"] == "gsr"
    # The same ones again, and what was done with them is done.
    written = (target / MODEL).stat().st_mtime_ns
    summary = encode_tree(source, target, encode=AUTO)
    assert (summary.n_skipped, summary.notes) == (5, [])
    assert (target / MODEL).stat().st_mtime_ns == written
    # The model is none of the archive's files.
    assert not decode_tree(target, tmp_path / "back").failures
    assert hashes(tmp_path / "back") == hashes(source)
    # Kernels that are not wanted are not used: that is another setting.
    before = {entry.settings for entry in entries(target).values()}
    assert encode_tree(source, target, encode=AUTO, fit=0).n_done == 5
    assert before != {entry.settings for entry in entries(target).values()}


def test_without_torch_it_is_said_and_only_refused_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "is_installed", lambda: False)
    source, target = make_source(tmp_path / "source"), tmp_path / "target"
    with pytest.raises(SancodecError, match=r"pip install 'sancodec\[train\]'"):
        encode_tree(source, target, encode=AUTO, fit=2)
    summary = encode_tree(source, target, encode=AUTO)
    assert "no model of gsr" in summary.notes[0]
    assert summary.n_done == 5


def test_a_model_by_name_leaves_nothing_to_train_for(tmp_path: Path) -> None:
    named = EncodeSettings(config=CodecConfig(model="ecg"))
    with pytest.raises(ConfigError, match="nothing to train for"):
        encode_tree(make_source(tmp_path / "source"), tmp_path / "target", encode=named, fit=2)
    with pytest.raises(ConfigError, match="nothing to try"):
        CodecConfig(model="ecg", candidates=("own.onnx",))


def test_a_candidate_is_used_where_it_pays_on_signals_of_its_type_alone(
    minute_folder: Path, tmp_path: Path
) -> None:
    export = pytest.importorskip("sancodec.training.export")
    bank, metadata = models.load("ecg")
    candidates = []
    for kind in ("phonocardiogram", "eog"):
        candidates.append(str(tmp_path / f"{kind}.onnx"))
        export.write_model(Path(candidates[-1]), bank, metadata | {"signal_type": kind})
    record = WfdbRecord.open(minute_folder / "demo")
    signals = record.read(0, record.n_frames)
    for name, kernels in (("EOG", "of model eog (embedded)"), ("GSR", "")):
        channels = [replace(channel, name=name) for channel in record.channels]
        write_wfdb(tmp_path, name, record.fs, tuple(channels), iter([signals]), force=False)
        config = CodecConfig(kernels="model", candidates=tuple(candidates), level="fast")
        report = encode_file(tmp_path / name, tmp_path / f"{name}.san", config, jobs=1)
        assert all(kernels in signal.kernels for signal in report.signals)
        assert all(bool(kernels) == bool(signal.kernels) for signal in report.signals)
