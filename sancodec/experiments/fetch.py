"""Data sets fetched over the network, checked before anything of them is kept.

Only what the user asked for with ``--fetch`` is fetched, and only where it is not there yet. The
image sets must have the digests of the published files; the table of segments those of the
rows of UCI's, in whatever order; the records of PhysioNet the checksums of their headers.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import wfdb
from wfdb.io import download

from sancodec.errors import OutputError, RecordError
from sancodec.experiments import epilepsy, images
from sancodec.experiments.physionet import Source

_MAX_BYTES = 1 << 27
_PIECE_BYTES = 1 << 20
_NO_REPLY = (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError)
_TIMEOUT_SECONDS = 60

# SHA-256 of the unpacked files: how they are packed does not matter.
IMAGE_DIGESTS = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
# Of the rows in sorted order, cut anew from the 500 Bonn recordings that UCI's file was cut from.
EPILEPSY_DIGEST = "e31d1f2031b5751f78b8761a850db111c4fe1a0bfd80a592947c2accab4fdf94"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where the files are: the addresses of each set are tried in their order."""

    images: dict[str, tuple[str, ...]]
    epilepsy: tuple[str, ...]
    physionet_files: str = download.PN_INDEX_URL
    physionet_content: str = download.PN_CONTENT_URL


PUBLISHED = Servers(
    images={
        "mnist": (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        "fashion-mnist": (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
    },
    epilepsy=(
        "https://archive.ics.uci.edu/ml/machine-learning-databases/00388/data.csv",
        "https://web.archive.org/web/20200318000445/"
        "http://archive.ics.uci.edu/ml/machine-learning-databases/00388/data.csv",
    ),
)


def fetch_images(folder: Path, name: str, servers: Servers = PUBLISHED) -> list[Path]:
    """Fetch those of the four files of an image set that are not there; give them.

    Raises
    ------
    RecordError
        No server gives a file, or what it gives is not the published one.
    OutputError
        The folder cannot be written.
    """
    fetched = []
    for file_name, digest in zip(images.FILES, IMAGE_DIGESTS[name], strict=True):
        target = folder / name / file_name
        if target.is_file():
            continue

        def check(path: Path, wanted: str = digest) -> None:
            found = hashlib.sha256(images.unpack(path)).hexdigest()
            if found != wanted:
                raise RecordError(f"SHA-256 of the content is {found[:16]}, not {wanted[:16]}")

        _fetch([base + file_name for base in servers.images[name]], target, check)
        fetched.append(target)
    return fetched


def fetch_epilepsy(folder: Path, servers: Servers = PUBLISHED) -> list[Path]:
    """Fetch UCI's table, when there is none; raises as :func:`fetch_images` does."""
    with contextlib.suppress(RecordError):
        epilepsy.find_table(folder)
        return []

    def check(path: Path) -> None:
        found = epilepsy.read_table(path).content_digest()
        if found != EPILEPSY_DIGEST:
            raise RecordError(f"SHA-256 of its sorted rows is {found[:16]}, not UCI's")

    target = folder / epilepsy.NAME / "data.csv"
    _fetch(servers.epilepsy, target, check)
    return [target]


def fetch_physionet(folder: Path, source: Source, servers: Servers = PUBLISHED) -> list[Path]:
    """Fetch the record of a row of table I by wfdb, when there is none; give its files.

    Raises
    ------
    RecordError
        PhysioNet does not give the record, or its samples do not have the checksums of its header.
    OutputError
        The folder cannot be written.
    """
    target = folder / "physionet" / source.name
    if any((folder / place / source.name).is_dir() for place in ("physionet", "")):
        return []
    with _explained(target), _addressed(servers):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".sancodec-") as waiting:
            place = Path(waiting) / source.name
            _download_record(source, place)
            _check_sums(place)
            os.replace(place, target)
    return sorted(path for path in target.rglob("*") if path.is_file())


def _download_record(source: Source, place: Path) -> None:
    try:
        # wfdb talks on stdout, which is for results.
        with contextlib.redirect_stdout(io.StringIO()):
            record = source.record or wfdb.get_record_list(source.name)[0]
            wfdb.dl_database(source.name, str(place), records=[record], annotators=None)
    except (OSError, ValueError, IndexError) as error:
        raise RecordError(f"{source.name}: not fetched from PhysioNet ({error})") from error


def _check_sums(place: Path) -> None:
    for header in place.rglob("*.hea"):
        try:
            record = wfdb.rdrecord(str(header.with_suffix("")), physical=False, smooth_frames=False)
        except (OSError, ValueError) as error:
            raise RecordError(f"{header.name}: fetched, but not readable ({error})") from error
        for name, said, found in zip(
            record.sig_name, record.checksum, record.calc_checksum(expanded=True), strict=True
        ):
            if said is not None and (said - found) % (1 << 16):
                raise RecordError(
                    f"{header.name}, {name}: fetched with checksum {found}, its header says {said}"
                )


def _fetch(addresses: Sequence[str], target: Path, check: Callable[[Path], None]) -> None:
    """Fetch a file from the first address that gives it whole and right."""
    problems = []
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".sancodec-") as waiting:
            path = Path(waiting) / target.name
            for address in addresses:
                try:
                    _copy(address, path)
                    check(path)
                except (
                    RecordError,
                    urllib.error.URLError,
                    HTTPException,
                    ConnectionError,
                ) as error:
                    problems.append(f"{address}: {error}")
                else:
                    os.replace(path, target)
                    return
    raise RecordError(f"{target}: not fetched; {'; '.join(problems)}")


def _copy(address: str, path: Path) -> None:
    n_bytes = 0
    with (
        urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as reply,
        path.open("wb") as file,
    ):
        while part := reply.read(_PIECE_BYTES):
            n_bytes += file.write(part)
            if n_bytes > _MAX_BYTES:
                raise RecordError(f"more than {_MAX_BYTES:,} bytes came")
        wanted = reply.headers.get("Content-Length")
    if wanted is not None and n_bytes != int(wanted):
        raise RecordError(f"{n_bytes:,} bytes came, {wanted} were announced")


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error


@contextlib.contextmanager
def _addressed(servers: Servers) -> Iterator[None]:
    """Have wfdb ask the given servers."""
    before = download.PN_CONTENT_URL, download.config.db_index_url
    download.PN_CONTENT_URL = servers.physionet_content
    download.set_db_index_url(servers.physionet_files)
    try:
        yield
    finally:
        download.PN_CONTENT_URL = before[0]
        download.set_db_index_url(before[1])
