"""Many records in few runs: the same bits as one by one, whatever they are."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import FOLDER
from numpy.typing import NDArray
from test_runtime import placement, placements

import sancodec
from sancodec import unpacking
from sancodec.formats.container import ContainerReader, ContainerWriter
from sancodec.formats.pack_writing import PackWriter
from sancodec.pack import open_pack, select
from sancodec.placement import Placement, place_in_numpy
from sancodec.recording import Recording
from sancodec.runtime import SynthesisSession
from sancodec.san_file import SanFile
from sancodec.throughput import in_batches, place_ahead
from sancodec.unpacking import unpack_files, verify_members

WITH_LAYERS = ("named", "started", "transformed", "bounded", "principal")


class Watched(SynthesisSession):
    """Counts runs and single placements."""

    n_runs = n_single = 0

    def __init__(self) -> None:
        super().__init__("cpu")
        self.n_runs = self.n_single = 0

    def place(self, placement: Placement) -> NDArray[np.int32]:
        self.n_single += 1
        return super().place(placement)

    def _run(self, *arguments: object) -> NDArray[np.int32]:
        self.n_runs += 1
        return super()._run(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def session() -> Watched:
    return Watched()


@settings(max_examples=60, deadline=None)
@given(st.lists(placements(), max_size=12), st.integers(1, 6000), st.integers(1, 6000))
def test_many_placements_are_those_of_each(
    cases: list[Placement], n_taps: int, n_sums: int
) -> None:
    session = Watched()
    session._limits = session._limits._replace(taps=n_taps, sums=n_sums)
    placed = list(session.place_all(cases))
    assert len(placed) == len(cases)
    for found, case in zip(placed, cases, strict=True):
        np.testing.assert_array_equal(found, place_in_numpy(case))


def test_many_small_placements_take_few_runs(session: Watched) -> None:
    cases = [placement(amplitude=np.array([i, -i, 7], np.int32)) for i in range(2000)]
    session.n_runs = 0
    placed = list(session.place_all(iter(cases)))
    assert session.n_runs <= 3
    for found, case in zip(placed, cases, strict=True):
        np.testing.assert_array_equal(found, place_in_numpy(case))
    assert list(session.place_all([])) == []
    nothing = np.zeros(0, np.int64)
    empty = placement(
        n_records=0,
        row=nothing,
        position=nothing,
        record=nothing,
        amplitude=np.zeros(0, np.int32),
    )
    for several in ([empty, empty], [empty, cases[5], empty]):
        assert [found.shape[0] for found in session.place_all(several)] == [
            own.n_records for own in several
        ]


def renewed(name: str) -> io.BytesIO:
    """Give a golden file as one of today's container, which packs take apart."""
    old = ContainerReader(io.BytesIO((FOLDER / f"{name}.san").read_bytes()))
    target = io.BytesIO()
    writer = ContainerWriter(target, old.header)
    for i in range(len(old.chunks)):
        writer.add_chunk(old.read_chunk(i))
    writer.finish(old.summary)
    return target


def same(first: Recording, second: Recording) -> bool:
    return all(map(np.array_equal, first.signals, second.signals))


def golden(name: str) -> SanFile:
    return SanFile(io.BytesIO((FOLDER / f"{name}.san").read_bytes()), name, provider="cpu")


def test_files_decode_with_what_was_placed_ahead(session: Watched) -> None:
    files = [golden(name) for name in (*WITH_LAYERS, "edf", "near", *WITH_LAYERS[:2])]
    n_layers = sum(len(file.plan.layers) * len(file.container.chunks) for file in files)
    session.n_runs = session.n_single = 0
    place_ahead(files, session)
    assert 0 < session.n_runs < n_layers / 2
    session.n_single = 0
    for file in files[:-2]:
        assert same(file.read(), golden(file.name).read())
    assert session.n_single == 0
    # What was decoded with is gone; more of it is placed anew, and is the same.
    first = files[0]
    assert same(first.chunk(0)[0], golden(first.name).chunk(0)[0])
    assert session.n_single > 0


def test_damage_is_left_to_whoever_decodes(session: Watched) -> None:
    content = bytearray((FOLDER / "transformed.san").read_bytes())
    content[len(content) // 2] ^= 1
    hurt = SanFile(io.BytesIO(content), "hurt", provider="cpu")
    whole = golden("bounded")
    place_ahead([hurt, whole], session)
    assert same(whole.read(), golden("bounded").read())
    with pytest.raises(sancodec.SancodecError, match="hurt"):
        hurt.read()


@pytest.fixture
def on_a_device(session: Watched, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Let what is unpacked be placed as on a device, by a session that runs here."""
    session.provider = "cuda"
    opened: Callable[[str], Watched] = lambda _: session  # noqa: E731
    monkeypatch.setattr(unpacking, "open_session", opened)
    return session


def test_packs_are_unpacked_the_same_on_a_device(tmp_path: Path, on_a_device: Watched) -> None:
    target = io.BytesIO()
    writer = PackWriter(target)
    for name in (*WITH_LAYERS, "near"):
        writer.add(name, renewed(name))
    writer.add("several", io.BytesIO((FOLDER / "several.san").read_bytes()))
    writer.finish()
    with open_pack(target.getvalue(), provider="cpu") as pack:
        assert all(own.head is not None for own in select(pack) if own.name != "several")
        on_a_device.n_runs = on_a_device.n_single = 0
        assert len(list(verify_members(pack, select(pack)))) == len(pack)
        assert on_a_device.n_runs > on_a_device.n_single == 0
        on_a_device.provider = "cpu"
        list(unpack_files(pack, tmp_path / "one", select(pack), originals=True))
        on_a_device.provider = "cuda"
        list(unpack_files(pack, tmp_path / "many", select(pack), originals=True, jobs=2))
    one, many = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "many")
    )
    assert one == many
    assert len(one) > 10


def test_items_come_in_batches() -> None:
    assert list(in_batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_batches([], 2)) == []
