"""Packs: every .san file comes back byte for byte, alone, and damage stays where it is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import FOLDER
from vector_cases import GOOD
from vector_cases.parts import MAGIC, Draft, counted, section, varint

import sancodec
from sancodec import models
from sancodec.errors import ConfigError, CorruptError, ModelError, OutputError, RecordError
from sancodec.formats.damaged_pack import DamagedPack
from sancodec.formats.pack import PackReader
from sancodec.formats.pack_group import decode_group
from sancodec.formats.pack_parts import (
    MARK,
    SHARED_KERNELS,
    SHARED_MODEL,
    SHARED_PRIMER,
    payload_of,
)
from sancodec.formats.pack_writing import PackWriter
from sancodec.formats.squeezed import squeeze, unsqueeze
from sancodec.formats.wire import ByteReader
from sancodec.pack import PackFile, open_pack, select
from sancodec.packing import find_members, pack_files, shared_model
from sancodec.unpacking import compare_checksums, unpack_files, verify_members

GOLDEN = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.san"))}
SMALL = {name: GOOD[name][1] for name in ("restored", "segments", "two-chunks", "version-2")}
START = MAGIC + b"\xc1"


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    writer = PackWriter(target)
    for name, content in files:
        writer.add(name, io.BytesIO(content))
    writer.finish()
    return target.getvalue()


def contents(reader: PackReader) -> dict[str, bytes]:
    return {member.name: reader.open(member).read() for member in reader.members()}


def read_all(stream: BinaryIO) -> None:
    compare_checksums(stream, "member")
    sancodec.open(stream).read()


class Counted(io.BytesIO):
    """Counts what is read of it."""

    n_read = n_readings = 0

    def read(self, n_bytes: int | None = -1) -> bytes:
        taken = super().read(n_bytes)
        self.n_read, self.n_readings = self.n_read + len(taken), self.n_readings + 1
        return taken


def test_every_file_comes_back_byte_for_byte() -> None:
    files = GOLDEN | {f"good/{name}": content for name, (_, content) in GOOD.items()}
    encoded = packed(files.items())
    assert packed(files.items()) == encoded
    reader = PackReader(io.BytesIO(encoded))
    assert contents(reader) == files
    assert sum(reader.account().values()) == len(encoded)
    kinds = {member.name: member.head is not None for member in reader.members()}
    assert kinds["placed"]
    assert kinds["good/two-chunks"]
    # Older versions, several segments, and what has no chunk stand there as they are.
    assert not kinds["short"] | kinds["several"] | kinds["good/no-samples"]


def test_alike_files_pay_little_beside_their_chunks() -> None:
    files = {f"folder/{i:05}": GOLDEN["near"] for i in range(300)}
    reader = PackReader(io.BytesIO(packed(files.items())))
    account = reader.account()
    assert len(reader.groups) == 3
    assert account["heads"] + account["index and footer"] < 300 * 12
    assert account["hashes"] == 300 * 16


def test_a_single_record_of_many_is_found_with_few_readings() -> None:
    names = [f"records/{i // 100:03}/{i:05}_hr" for i in range(2000)]
    source = Counted(packed((name, GOLDEN["near"]) for name in names))
    with open_pack(source) as pack:
        source.n_read = source.n_readings = 0
        recording = pack["records/007/00777_hr"].read()
        assert source.n_readings <= 3
        assert source.n_read < 16_000
        assert np.array_equal(recording.samples, sancodec.decode(GOLDEN["near"]).samples)
        assert len(pack) == 2000
        assert list(pack) == names
        assert "records/007" not in pack
        with pytest.raises(KeyError):
            pack["records/007"]


def test_records_are_found_when_names_came_in_no_order() -> None:
    order = np.random.default_rng(3).permutation(400)
    encoded = packed((f"r{i:03}", GOLDEN["near"]) for i in order)
    reader = PackReader(io.BytesIO(encoded))
    assert len(reader.groups) > 1
    assert all(reader.find(f"r{i:03}") is not None for i in range(400))
    assert reader.find("r400") is None


def test_a_url_gives_records(tmp_path: Path) -> None:
    import fsspec

    encoded = packed([("a/near", GOLDEN["near"])])
    with fsspec.open("memory://many.sanpack", "wb") as target:
        target.write(encoded)
    with sancodec.open_pack("memory://many.sanpack") as pack:
        assert pack["a/near"][0:5].shape[0] == 5
    with pytest.raises(RecordError, match="cannot be read"):
        sancodec.open_pack(tmp_path / "none.sanpack")


def test_damage_is_noticed_and_stays_in_its_member() -> None:
    whole = packed(SMALL.items())
    spans = {own.name: (own.offset, own.n_body) for own in PackReader(io.BytesIO(whole)).members()}
    for offset in range(len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x41
        inside = next((n for n, (at, size) in spans.items() if at <= offset < at + size), None)
        try:
            reader = PackReader(io.BytesIO(damaged))
            members = list(reader.members())
        except (CorruptError, ConfigError):
            assert inside is None
            continue
        assert inside is not None, f"offset {offset}: damage of the pack went unseen"
        for member in members:
            stream = reader.open(member)
            if member.name != inside:
                assert stream.read() == SMALL[member.name]
                continue
            with pytest.raises(CorruptError):
                read_all(stream)


def test_every_prefix_is_refused() -> None:
    whole = packed(SMALL.items())
    for n_bytes in range(len(whole)):
        with pytest.raises(CorruptError):
            PackReader(io.BytesIO(whole[:n_bytes]))


def test_records_are_found_without_the_index() -> None:
    files = {f"r{i:03}": GOLDEN["near"] for i in range(300)}
    whole = packed(files.items())
    first, second, third = PackReader(io.BytesIO(whole)).groups
    cut = DamagedPack(io.BytesIO(whole[:-30]))
    assert "cut short" in cut.problem
    assert contents(cut) == files
    damaged = bytearray(whole[:-30])
    damaged[second.offset + second.n_bytes // 2] ^= 1
    left = contents(DamagedPack(io.BytesIO(damaged)))
    assert list(left) == [name for name in files if not second.first <= name <= second.last]
    assert len(left) == first.n_members + third.n_members
    assert DamagedPack(io.BytesIO(whole)).problem == ""


def test_a_damaged_group_is_named_and_the_others_come_out(tmp_path: Path) -> None:
    whole = bytearray(packed((f"r{i:03}", GOLDEN["near"]) for i in range(300)))
    (_, second, _) = PackReader(io.BytesIO(whole)).groups
    whole[second.offset + 9] ^= 1
    failed: list[str] = []
    with open_pack(bytes(whole)) as pack:
        members = select(pack, failed=lambda name, _: failed.append(name))
        assert sum(1 for _ in unpack_files(pack, tmp_path, members)) == 300 - second.n_members
        assert failed == ["r128 to r255"]
        assert pack.reader.find("r000") is not None
        with pytest.raises(CorruptError, match="group 1"):
            pack["r130"]
        with pytest.raises(CorruptError, match="group 1"):
            list(select(pack))


def test_kernels_of_many_records_are_there_once() -> None:
    kernels = np.random.default_rng(1).integers(0, 256, 900, np.uint8).tobytes()
    others = [Draft(kernels=bytes([i]) * 100).build() for i in range(3)]
    files = {f"r{i:03}": Draft(kernels=kernels).build() for i in range(400)}
    files |= {f"s{i}": own for i, own in enumerate(others)}
    whole = packed(files.items())
    assert len(whole) < 2 * 900 + 400 * 60
    reader = PackReader(io.BytesIO(whole))
    assert contents(reader) == files
    assert [own.kind for own in reader.shared.values()] == [SHARED_KERNELS]
    # Without the index shared things are found as well; without them, who needs them is known.
    assert contents(DamagedPack(io.BytesIO(whole[:-9]))) == files
    damaged = bytearray(whole)
    damaged[reader.shared[0].offset + 20] ^= 1
    for broken in (PackReader(io.BytesIO(damaged)), DamagedPack(io.BytesIO(damaged[:-9]))):
        first, *rest = broken.members()
        assert broken.open(first).read() == files["r000"]
        with pytest.raises(CorruptError, match="shared thing 0"):
            broken.open(rest[5])
        assert broken.open(rest[-1]).read() == files["s2"]


def test_a_model_travels_in_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, _ = models.load("ecg")
    target = io.BytesIO()
    writer = PackWriter(target)
    assert shared_model(Path("ecg")) == (SHARED_MODEL, bank.canonical())
    assert writer.add_shared(SHARED_MODEL, bank.canonical()) == 0
    assert writer.add_shared(SHARED_MODEL, bank.canonical()) == 0
    assert writer.add_shared(77, b"of a kind to come") == 1
    writer.add("named", io.BytesIO(GOLDEN["named"]))
    writer.finish()

    def nothing(digest: str) -> None:
        raise ModelError(f"{digest} is not shipped")

    monkeypatch.setattr(models, "find", nothing)
    with open_pack(target.getvalue()) as pack:
        assert pack.find_model(bank.digest[:16]).digest == bank.digest
        assert pack["named"].n_frames > 0
        to_come = hashlib.sha256(b"of a kind to come").digest()
        assert pack.find_shared(77, to_come) == b"of a kind to come"
        assert pack.find_shared(SHARED_MODEL, to_come) is None
        with pytest.raises(ModelError, match="not shipped"):
            pack.find_model("00" * 8)
    with pytest.raises(ModelError):
        bank.from_canonical(bank.canonical()[:-1])
    with pytest.raises(ModelError):
        bank.from_canonical(b"")


def test_a_primer_travels_in_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(models.__file__).parent / "ecg-12.primer"
    primer = models.load_primer(path)
    kind, content = shared_model(path)
    assert (kind, content) == (SHARED_PRIMER, path.read_bytes())
    target = io.BytesIO()
    writer = PackWriter(target)
    writer.add_shared(kind, content)
    writer.add("near", io.BytesIO(GOLDEN["near"]))
    writer.finish()
    assert len(target.getvalue()) < 1.01 * len(content) + len(GOLDEN["near"])

    def nothing(digest: str) -> None:
        raise ModelError(f"{digest} is not shipped")

    monkeypatch.setattr(models, "find_primer", nothing)
    with open_pack(target.getvalue()) as pack:
        found = pack.find_primer(primer.digest[:8])
        assert (found.digest, found.words) == (primer.digest, primer.words)
        assert pack.find_primer(primer.digest[:8]) is found
        with pytest.raises(ModelError, match="not shipped"):
            pack.find_primer("00" * 4)


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", "a\\b", "a/.b", "CON", "a\0", "x/" * 600]
)
def test_names_that_lead_elsewhere_are_neither_written_nor_read(name: str) -> None:
    with pytest.raises(ConfigError, match="member"):
        packed([(name, GOLDEN["near"])])
    raw = varint(1) + counted(name.encode()) + b"\0" + varint(3)
    with pytest.raises(CorruptError, match="name of a member"):
        decode_group(squeeze(raw), 100, 0, "pack")


def test_a_name_is_taken_once_and_no_pack_is_in_a_pack() -> None:
    with pytest.raises(ConfigError, match="there already"):
        packed([("a", GOLDEN["near"]), ("a", GOLDEN["near"])])
    with pytest.raises(ConfigError, match="pack of many"):
        packed([("a", packed(SMALL.items()))])
    with pytest.raises(CorruptError):
        packed([("a", b"no .san file")])


def _group(**fields: bytes) -> bytes:
    """Give the payload of a group of one member, taken apart; a test changes some field."""
    index = bytes([0, 0, 0, 9, 0, 0])
    parts = {
        "n_members": varint(1),
        "name": counted(b"a"),
        "kind": b"\1",
        "n_chunks": varint(1),
        "excess": varint(0),
        "kernels": varint(0),
        "cuts": varint(0) + varint(len(index)),
        "header": counted(b"fields"),
        "index": index,
    }
    return squeeze(b"".join((parts | fields).values()))


@pytest.mark.parametrize(
    "fields",
    [
        {"n_members": varint(0)},
        {"n_members": varint(1 << 12)},
        {"n_members": varint(1 << 60)},
        {"kind": b"\2"},
        {"n_chunks": varint(0)},
        {"n_chunks": varint(2)},
        {"n_chunks": varint(1 << 24)},
        {"n_chunks": varint(1 << 25)},
        {"excess": varint(2 * 10 + 1)},
        {"excess": varint(1 << 40)},
        {"kernels": varint(1)},
        {"kernels": varint(2)},
        {"kernels": varint((1 << 18) - 2)},
        {"cuts": varint(0) + varint(5)},
        {"cuts": varint(0) + varint(1 << 18)},
        {"cuts": varint(1) + varint(6) + varint(1 << 18) + varint(0)},
        {"cuts": varint(1 << 11)},
        {"header": counted(b"fields") + b"more"},
        {"index": bytes([0, 0, 255, 255, 3, 9])},
    ],
)
def test_hostile_groups_are_refused_without_memory(fields: dict[str, bytes]) -> None:
    (member,) = decode_group(_group(), 100, 0, "pack")
    assert (member.offset, member.n_body) == (100 - 16 - 9 - 4, 16 + 9 + 4)
    hostile = _group(**fields)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptError):
            decode_group(hostile, 100, 0, "pack")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_group_is_read_or_refused(data: st.DataObject) -> None:
    reader = PackReader(io.BytesIO(packed(SMALL.items())))
    entry = reader.groups[0]
    stored = reader.read(entry.offset, entry.n_bytes)[len(MARK) :]
    raw = bytearray(unsqueeze(ByteReader(payload_of(stored, 7, "group")), 1 << 20, "group"))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=9))
    with contextlib.suppress(CorruptError):
        for member in decode_group(squeeze(bytes(raw)), entry.offset, 0, "pack"):
            assert 0 <= member.offset <= entry.offset - member.n_body
            with contextlib.suppress(CorruptError):
                compare_checksums(reader.open(member), member.name)


def test_bodies_do_not_begin_before_the_pack() -> None:
    with pytest.raises(CorruptError, match="before the pack"):
        decode_group(_group(), 28, 0, "pack")


def _with_index(raw: bytes, parts: bytes = b"") -> bytes:
    index = section(8, squeeze(raw))
    return START + parts + index + varint(len(index))[::-1] + b"SAN\x1a"


@pytest.mark.parametrize(
    "raw",
    [
        varint(1 << 16) + varint(0),
        varint(0) + varint(1 << 24),
        varint(0) + varint(1),
        varint(0) + varint(1) + varint(9) + varint(1 << 40) + varint(1) + b"\1a\1a",
        varint(0) + varint(1) + varint(0) + varint(4) + varint(1) + b"\1a\1a",
        varint(0) + varint(1) + varint(9) + varint(4) + varint(1 << 13) + b"\1a\1a",
        varint(0) + varint(0) + b"more",
    ],
)
def test_hostile_indexes_are_refused(raw: bytes) -> None:
    assert PackReader(io.BytesIO(_with_index(varint(0) + varint(0)))).n_members == 0
    with pytest.raises(CorruptError):
        PackReader(io.BytesIO(_with_index(raw, bytes(40))))


def test_what_is_between_the_parts_is_refused() -> None:
    with pytest.raises(CorruptError, match="in its parts"):
        PackReader(io.BytesIO(_with_index(varint(0) + varint(0), b"hidden"))).account()


@pytest.mark.parametrize("n_more", [-1, 1, 1 << 30])
def test_a_stream_of_another_size_is_refused(n_more: int) -> None:
    squeezed = squeeze(bytes(1 << 20))
    size = len(varint(1 << 20))
    lying = varint((1 << 20) + n_more) + squeezed[size:]
    assert unsqueeze(ByteReader(squeezed), 1 << 20, "zeros") == bytes(1 << 20)
    for stored in (lying, squeezed + b"\0", squeezed[:-3]):
        with pytest.raises(CorruptError):
            unsqueeze(ByteReader(stored), (1 << 20) + 1, "zeros")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of .san files, two of them in a folder of their own."""
    for name in ("edf", "near", "records/several", "records/placed"):
        path = tmp_path / "tree" / f"{name}.san"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(GOLDEN[path.stem])
    return tmp_path / "tree"


def test_names_begin_where_the_paths_part(tree: Path) -> None:
    names = [name for name, _ in find_members([tree])]
    assert names == ["edf", "near", "records/placed", "records/several"]
    folder = tree / "records"
    assert [n for n, _ in find_members([folder, tree / "near.san"])][-1] == "records/several"
    assert [n for n, _ in find_members([folder])] == ["placed", "several"]
    with pytest.raises(RecordError, match="nor a folder"):
        find_members([tree / "none"])


def test_packs_give_back_files_and_originals(tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "many.sanpack"
    report = pack_files(find_members([tree]), target)
    assert (report.n_members, report.n_bytes) == (4, target.stat().st_size)
    with pytest.raises(OutputError, match="exists already"):
        pack_files(find_members([tree]), target)
    with open_pack(target) as pack:
        assert sorted(verify_members(pack, select(pack))) == sorted(pack)
        list(unpack_files(pack, tmp_path / "out", select(pack), jobs=2))
        found = {p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*.san")}
        assert found == {p.relative_to(tree) for p in tree.rglob("*.san")}
        assert all((tmp_path / "out" / p).read_bytes() == (tree / p).read_bytes() for p in found)
        chosen = select(pack, ["records"], ["e*"])
        list(unpack_files(pack, tmp_path / "originals", chosen, originals=True))
        files = {path.name: path.read_bytes() for path in (tmp_path / "originals").rglob("*.*")}
        with sancodec.open(tree / "edf.san") as alone, sancodec.open(GOLDEN["several"]) as several:
            names = {own.name for own in (*alone.originals.files, *several.originals.files)}
        assert names <= files.keys()
        with pytest.raises(ConfigError, match="no record or folder"):
            list(select(pack, ["rec"]))


def test_a_file_that_is_damaged_is_left_out_and_named(tree: Path, tmp_path: Path) -> None:
    damaged = bytearray(GOLDEN["near"])
    damaged[-40] ^= 1
    (tree / "near.san").write_bytes(damaged)
    target = tmp_path / "many.sanpack"
    with pytest.raises(CorruptError):
        pack_files(find_members([tree]), target)
    assert not target.exists()
    failed: list[str] = []
    report = pack_files(find_members([tree]), target, failed=lambda name, _: failed.append(name))
    assert failed == ["near"]
    assert (report.n_members, report.n_failed) == (3, 1)
    with open_pack(target) as pack:
        assert isinstance(pack, PackFile)
        assert len(pack) == 3


def test_marks_within_chunks_are_no_parts() -> None:
    # A raw chunk that looks like the beginning of a group.
    fake = Draft(behind=b"").build()
    whole = packed([("a", fake), ("b", GOLDEN["near"])])
    group = PackReader(io.BytesIO(whole)).groups[0]
    inside = whole[: group.offset - 8] + MARK + b"\7\x85" + whole[group.offset - 2 : -20]
    assert set(contents(DamagedPack(io.BytesIO(inside)))) == {"a", "b"}
