"""The same batch on a Dask cluster: the same files, and a worker that dies loses nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from archives import decode_tree, encode_tree, entries, hashes, make_archive

from sancodec.batch.cluster import Cluster
from sancodec.batch.encoding_job import EncodeJob
from sancodec.batch.job import Outcome
from sancodec.errors import SancodecError

distributed = pytest.importorskip("distributed", reason="dask is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=True, host="127.0.0.1", **settings) as cluster:
        yield cluster.scheduler_address


@dataclass(frozen=True, kw_only=True)
class KilledOnce(EncodeJob):
    """A job whose worker is killed the first time."""

    mark: str

    def run(self) -> Outcome:
        mark = Path(self.mark)
        if self.record.name.endswith("r01.hea") and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run()


def test_a_cluster_of_which_a_worker_is_killed_writes_the_same_files(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make_archive(tmp_path / "source", 5), tmp_path / "target"
    (source / "bad.hea").write_text("bad 1 250 100\nbad.dat 16\n")
    encode_tree(source, tmp_path / "here")
    mark = tmp_path / "mark"
    monkeypatch.setattr("sancodec.batch.encoding.EncodeJob", partial(KilledOnce, mark=str(mark)))
    with closing(Cluster(address)) as cluster:
        summary = encode_tree(source, target, cluster)
        assert mark.exists()
        assert list(summary.failures) == ["bad.hea"]
        assert summary.n_done == 5
        assert hashes(target) == hashes(tmp_path / "here")
        # A batch that was begun on a cluster goes on anywhere, and the other way round.
        assert encode_tree(source, target).n_skipped == 5
        assert encode_tree(source, tmp_path / "here", cluster).n_skipped == 5
        assert not decode_tree(target, tmp_path / "back", cluster).failures
    assert hashes(tmp_path / "back") == hashes(source)
    assert entries(target).keys() == entries(tmp_path / "here").keys()


@dataclass(frozen=True, kw_only=True)
class Wrong(EncodeJob):
    """A job with a mistake in it."""

    def do(self) -> Outcome:
        raise ZeroDivisionError("a mistake")


def test_a_mistake_fails_its_record_alone(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_archive(tmp_path / "source", 2)
    monkeypatch.setattr("sancodec.batch.encoding.EncodeJob", Wrong)
    with closing(Cluster(address)) as cluster:
        summary = encode_tree(source, tmp_path / "target", cluster)
    assert len(summary.failures) == 2
    assert "ZeroDivisionError: a mistake" in summary.failures["group1/deep/r01.hea"]


def test_an_address_where_nobody_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sancodec.batch.cluster._PATIENCE_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "somewhere://else"):
        with pytest.raises(SancodecError, match="no Dask scheduler answers"):
            Cluster(address)
