"""Packs of short records: what they cost beside coded signal, and what one record of many takes.

Every record of each folder is encoded (or taken from --encoded, where a run before left it) and
packed. With --many, records are repeated under other names, each with other hashes and with noise
for the words of its header: nothing in a pack costs more than noise.
Example: python benchmarks/pack.py extra/georgia extra/cpsc2018 --many 20000
"""

from __future__ import annotations

import io
import resource
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from sancodec.config import CodecConfig
from sancodec.files import encode_file
from sancodec.formats.apart import Head
from sancodec.formats.container import ContainerReader
from sancodec.formats.header import HASH_BYTES, decode_header
from sancodec.formats.originals import RecordShape
from sancodec.formats.pack import PackReader
from sancodec.formats.pack_group import Member, encode_group
from sancodec.formats.pack_writing import PackWriter
from sancodec.formats.restoration import describe
from sancodec.formats.sections import SECTION_INDEX, encode_footer, encode_section
from sancodec.formats.wire import ByteReader
from sancodec.pack import open_pack

_BLOCK = 512


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes of a folder of records, in three ways, and what a pack of them is made of."""

    name: str
    n_records: int
    payload: int
    pack: int
    words: int
    files: int
    tar: int

    def over(self, n_bytes: int) -> str:
        """Say how much more than the coded signal something is."""
        return f"{100 * (n_bytes - self.payload) / self.payload:.2f} %"


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--encoded", type=click.Path(path_type=Path), help="Folder that keeps .san files.")
@click.option("--many", type=int, default=0, metavar="N", help="Look one up among N records.")
def main(folders: tuple[Path, ...], encoded: Path | None, many: int) -> None:
    """Print overhead by folder, and time and bytes of a look-up."""
    with tempfile.TemporaryDirectory() as scratch:
        root = encoded or Path(scratch)
        groups = [(folder, list(_encode(folder, root))) for folder in folders]
        costs = [_cost(folder.name, paths) for folder, paths in groups]
        everything = [path for _, paths in groups for path in paths]
        if len(groups) > 1:
            costs.append(_cost("all in one", everything))
        _print(costs)
        if many:
            _look_up(everything, many, Path(scratch) / "many.sanpack")


def _encode(folder: Path, root: Path) -> Iterator[Path]:
    for header in sorted(folder.rglob("*.hea")):
        target = root / folder.name / header.relative_to(folder).with_suffix(".san")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            encode_file(header, target, CodecConfig(), verify=False)
        yield target


def _pack(files: Iterator[tuple[str, bytes]], target: io.BufferedIOBase | io.BytesIO) -> None:
    writer = PackWriter(target)  # type: ignore[arg-type]
    for name, content in files:
        writer.add(name, io.BytesIO(content))
    writer.finish()


def _named(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        yield f"{path.parent.name}/{path.stem}", path.read_bytes()


def _cost(name: str, paths: list[Path]) -> Cost:
    stream = io.BytesIO()
    _pack(_named(paths), stream)
    reader = PackReader(stream)
    for (own, content), member in zip(_named(paths), reader.members(), strict=True):
        assert (own, content) == (member.name, reader.open(member).read())
    sizes = [path.stat().st_size for path in paths]
    tar = sum(_BLOCK + -(-size // _BLOCK) * _BLOCK for size in sizes) + 2 * _BLOCK
    return Cost(
        name=name,
        n_records=len(paths),
        payload=reader.account()["chunks"],
        pack=reader.n_bytes,
        words=_words(reader),
        files=sum(sizes),
        tar=-(-tar // tarfile.RECORDSIZE) * tarfile.RECORDSIZE,
    )


def _words(reader: PackReader) -> int:
    """Give how many bytes less the groups have without the words of the original headers."""
    more = 0
    for i, entry in enumerate(reader.groups):
        members = reader.group(i)
        with_words = len(encode_group(members))
        more += with_words - len(encode_group([_without_words(reader, own) for own in members]))
        assert with_words < entry.n_bytes
    return more


def _without_words(reader: PackReader, member: Member) -> Member:
    head = member.head
    assert head is not None
    container = ContainerReader(reader.open(member), member.name)
    shape = RecordShape.of(decode_header(head.header, member.name))
    index = head.index
    for file in describe(container.summary.restoration, shape).files:
        if file.style is not None:
            index = index.replace(file.text, b"")
    return replace(member, head=_shortened(head, index))


def _shortened(head: Head, index: bytes) -> Head:
    # The words stand before the last cut: it moves with what is behind them.
    *first, (gap, n_bytes) = head.cuts
    gap -= len(head.index) - len(index)
    return replace(head, index=index, cuts=(*first, (gap, n_bytes)))


def _print(costs: list[Cost]) -> None:
    table = Table(box=None, header_style="bold")
    for title in (
        "records",
        "number",
        "coded signal",
        "pack",
        "more",
        "a record",
        "without words",
        "files",
        "tar",
    ):
        table.add_column(title, justify="left" if title == "records" else "right")
    for cost in costs:
        table.add_row(
            cost.name,
            f"{cost.n_records:,}",
            f"{cost.payload:,}",
            f"{cost.pack:,}",
            cost.over(cost.pack),
            f"{(cost.pack - cost.payload) / cost.n_records:.0f}",
            cost.over(cost.pack - cost.words),
            cost.over(cost.files),
            cost.over(cost.tar),
        )
    Console(highlight=False, width=110).print(table)


class _Counted(io.FileIO):
    """A file that counts what is read of it."""

    n_read = n_readings = 0

    def read(self, n_bytes: int | None = -1) -> bytes:
        taken = super().read(-1 if n_bytes is None else n_bytes)
        self.n_read, self.n_readings = self.n_read + len(taken), self.n_readings + 1
        return taken


def _repeated(paths: list[Path], many: int) -> Iterator[tuple[str, bytes]]:
    generator = np.random.default_rng(2)
    contents = [path.read_bytes() for path in paths]
    for i in range(many):
        yield f"records/{i // 1000:05}/{i:08}", _perturbed(contents[i % len(contents)], generator)


def _perturbed(content: bytes, generator: np.random.Generator) -> bytes:
    """Give a file of the same chunks with other hashes and other words."""
    reader = ContainerReader(io.BytesIO(content))
    span = reader.account()[-2]
    section = content[span.offset : span.stop]
    fields = ByteReader(section)
    fields.u8("type")
    index = fields.counted("payload", len(section))
    files = describe(reader.summary.restoration, RecordShape.of(reader.header)).files
    for old in (index[:HASH_BYTES], *(f.sha256 for f in files), *(f.text[1:] for f in files)):
        index = index.replace(old, generator.bytes(len(old)), 1) if old else index
    section = encode_section(SECTION_INDEX, index)
    return content[: span.offset] + section + encode_footer(len(section))


def _look_up(paths: list[Path], many: int, target: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    with target.open("wb") as stream:
        _pack(_repeated(paths, many), stream)
    seconds = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    size = target.stat().st_size
    print(f"{many:,} records, {size:,} bytes, packed in {seconds:.1f} s, {grown:,} kB more memory")
    generator = np.random.default_rng(1)
    chosen = generator.integers(0, many, 50)
    read, readings, taken = [], [], []
    for i in chosen:
        name = f"records/{i // 1000:05}/{i:08}"
        started = time.perf_counter()
        source = _Counted(target)
        with open_pack(source) as pack:  # type: ignore[arg-type]
            content = pack.stream(name).read()
            taken.append(time.perf_counter() - started)
            read.append(source.n_read - len(content))
            readings.append(source.n_readings)
    print(
        f"one record: {np.mean(readings):.1f} readings, {np.mean(read):,.0f} bytes beside its own "
        f"(at most {max(read):,}), {1000 * np.mean(taken):.1f} ms from opening the pack on"
    )


if __name__ == "__main__":
    main()
