"""Fetching from a server on this machine: what comes wrong or halfway is never kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from experiment_data import beats, pack_idx, write_epilepsy, write_record

from sancodec.errors import OutputError, RecordError
from sancodec.experiments import fetch, images
from sancodec.experiments.epilepsy import read_table
from sancodec.experiments.fetch import Servers, fetch_epilepsy, fetch_images, fetch_physionet
from sancodec.experiments.physionet import BY_NAME


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, ranges too, as PhysioNet does."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        wanted = self.headers.get("Range", "")
        if not (wanted.startswith("bytes=") and path.is_file()):
            super().do_GET()
            return
        content = path.read_bytes()
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), int(last) + 1 if last else len(content)
        self.send_response(206)
        self.send_header(
            "Content-Range", f"bytes {start}-{min(stop, len(content)) - 1}/{len(content)}"
        )
        self.send_header("Content-Length", str(len(content[start:stop])))
        self.end_headers()
        self.wfile.write(content[start:stop])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, Servers]]:
    """Give the folder that is served, and the addresses."""
    root = tmp_path / "site"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    servers = Servers(
        images={"mnist": (f"{address}gone/", f"{address}mnist/")},
        epilepsy=(f"{address}data.csv",),
        physionet_files=f"{address}files/",
        physionet_content=f"{address}content/",
    )
    yield root, servers
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def small_images(site: tuple[Path, Servers], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve four small files, and take their digests for those of MNIST."""
    import hashlib

    place = site[0] / "mnist"
    place.mkdir()
    digests = []
    for i, name in enumerate(images.FILES):
        (place / name).write_bytes(pack_idx(np.full((2, 3), i, np.uint8)))
        digests.append(hashlib.sha256(images.unpack(place / name)).hexdigest())
    monkeypatch.setitem(fetch.IMAGE_DIGESTS, "mnist", tuple(digests))
    return place


def _left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_images_come_from_the_first_server_that_has_them(
    site: tuple[Path, Servers], small_images: Path, tmp_path: Path
) -> None:
    fetched = fetch_images(tmp_path / "data", "mnist", site[1])
    assert [path.name for path in fetched] == list(images.FILES)
    for path in fetched:
        assert path.read_bytes() == (small_images / path.name).read_bytes()
    assert fetch_images(tmp_path / "data", "mnist", site[1]) == []


def test_a_file_of_another_digest_is_not_kept(
    site: tuple[Path, Servers], small_images: Path, tmp_path: Path
) -> None:
    (small_images / images.FILES[1]).write_bytes(pack_idx(np.full((2, 3), 9, np.uint8)))
    with pytest.raises(RecordError, match=r"SHA-256 of the content is .*, not"):
        fetch_images(tmp_path / "data", "mnist", site[1])
    assert _left_behind(tmp_path / "data") == [images.FILES[0]]


def test_a_file_that_is_cut_short_is_not_kept(
    site: tuple[Path, Servers], small_images: Path, tmp_path: Path
) -> None:
    path = small_images / images.FILES[0]
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(RecordError, match="damaged"):
        fetch_images(tmp_path / "data", "mnist", site[1])
    assert _left_behind(tmp_path / "data") == []


def test_a_server_that_gives_no_end_is_stopped(
    site: tuple[Path, Servers], small_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MAX_BYTES", 10)
    with pytest.raises(RecordError, match="more than 10 bytes came"):
        fetch_images(tmp_path / "data", "mnist", site[1])


def test_no_server_at_all_is_a_message_with_every_address(tmp_path: Path) -> None:
    nowhere = Servers(
        images={"mnist": ("http://127.0.0.1:9/", "http://127.0.0.1:19/")}, epilepsy=()
    )
    with pytest.raises(RecordError, match=r"127\.0\.0\.1:9/.*127\.0\.0\.1:19/"):
        fetch_images(tmp_path, "mnist", nowhere)


def test_a_folder_that_cannot_be_written_is_an_output_error(
    site: tuple[Path, Servers], small_images: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch_images(tmp_path / "data", "mnist", site[1])


def test_the_table_is_known_by_its_rows_in_whatever_order(
    site: tuple[Path, Servers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_epilepsy(tmp_path / "made", in_uci_order=True)
    table.rename(site[0] / "data.csv")
    data = tmp_path / "data"
    with pytest.raises(RecordError, match="SHA-256 of its sorted rows"):
        fetch_epilepsy(data, site[1])
    assert _left_behind(data) == []
    other_order = read_table(write_epilepsy(tmp_path / "rebuilt"))
    monkeypatch.setattr(fetch, "EPILEPSY_DIGEST", other_order.content_digest())
    assert fetch_epilepsy(data, site[1]) == [data / "uci-epilepsy" / "data.csv"]
    assert fetch_epilepsy(data, site[1]) == []


def _serve_record(root: Path, database: str, record: str) -> Path:
    (root / "content" / database).mkdir(parents=True)
    (root / "content" / database / "index.html").write_text("<p>Version: 1.0.0</p>\n")
    (root / "content" / database / "1.0.0").mkdir()
    place = root / "files" / database / "1.0.0"
    write_record(place, record, beats(12_500), "ECG")
    (place / "RECORDS").write_text(f"{record}\nother\n")
    return place


@pytest.mark.parametrize(("database", "record"), [("mitdb", "100"), ("bpssrat", "rat")])
def test_the_first_record_comes_by_wfdb(
    database: str,
    record: str,
    site: tuple[Path, Servers],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = _serve_record(site[0], database, record)
    source = BY_NAME[database]
    fetched = fetch_physionet(tmp_path / "data", source, site[1])
    assert [path.name for path in fetched] == [f"{record}.dat", f"{record}.hea"]
    assert fetched[0].read_bytes() == (place / f"{record}.dat").read_bytes()
    assert fetched[0].parent == tmp_path / "data" / "physionet" / database
    assert fetch_physionet(tmp_path / "data", source, site[1]) == []
    assert capsys.readouterr().out == ""


def test_a_record_whose_samples_are_not_those_of_its_header_is_not_kept(
    site: tuple[Path, Servers], tmp_path: Path
) -> None:
    place = _serve_record(site[0], "mitdb", "100")
    samples = bytearray((place / "100.dat").read_bytes())
    samples[700] ^= 1
    (place / "100.dat").write_bytes(samples)
    with pytest.raises(RecordError, match=r"100\.hea, ECG: fetched with checksum"):
        fetch_physionet(tmp_path / "data", BY_NAME["mitdb"], site[1])
    assert _left_behind(tmp_path / "data") == []


def test_a_database_that_is_not_there_is_a_message(
    site: tuple[Path, Servers], tmp_path: Path
) -> None:
    with pytest.raises(RecordError, match="not fetched from PhysioNet"):
        fetch_physionet(tmp_path / "data", BY_NAME["mitdb"], site[1])
    nowhere = replace(site[1], physionet_content="http://127.0.0.1:9/")
    with pytest.raises(RecordError, match="not fetched from PhysioNet"):
        fetch_physionet(tmp_path / "data", BY_NAME["mitdb"], nowhere)
