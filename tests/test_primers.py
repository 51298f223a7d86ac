"""Primers: short records begin with what others taught, and no file is larger for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_golden import FOLDER, twelve
from numpy.typing import NDArray

import sancodec
from sancodec import CodecConfig, models
from sancodec.cli.main import main
from sancodec.errors import CorruptError, ModelError
from sancodec.fidelity import Fidelity, Lossless, MaxError, MeanPrdn
from sancodec.files import decode_file
from sancodec.formats.arrays import write_wfdb
from sancodec.formats.parameters import decode_parameters, encode_parameters
from sancodec.formats.primers import (
    N_CONTEXTS,
    N_LOUD,
    N_VECTORS,
    N_VOICES,
    TRANSFORM,
    WIDE,
    LeadStart,
    PrimerEntry,
    PrimerKey,
    TransformStart,
    decode_primer,
    encode_primer,
    encode_transform_start,
    encode_wide_start,
)
from sancodec.parameters import plan_of
from sancodec.primed import encode_primers
from sancodec.residual.loss import LeadLoss
from sancodec.residual.template import beats_of
from sancodec.residual.transform import contexts
from sancodec.residual.transform.coding import decode_transform, encode_transform
from sancodec.residual.wide import decode_wide, encode_wide, wide_bits

FS = 100.0
NO_BEATS = beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), FS)
LARGEST = 1 << 30


def known_of(samples: NDArray[np.int32]) -> tuple[Any, ...]:
    return FS, np.zeros_like(samples), [NO_BEATS] * len(samples), 1


def lead_start(seed: int, n_regressors: int, largest: int) -> LeadStart:
    generator = np.random.default_rng(seed)
    sizes = (n_regressors + 1, N_LOUD)
    products, loud = (
        np.triu(generator.integers(-largest, largest + 1, (size, size))) for size in sizes
    )
    for matrix in (products, loud):
        np.fill_diagonal(matrix, np.abs(matrix.diagonal()))
    return LeadStart(products, loud, int(generator.integers(0, 1 << 20)))


def transform_start(seed: int, levels: int = 7) -> TransformStart:
    generator = np.random.default_rng(seed)
    places = np.sort(generator.choice(N_CONTEXTS, 40_000, replace=False))
    rows = np.arange(N_VECTORS)
    return TransformStart(
        levels=levels,
        contexts=places,
        chances=generator.integers(1, 1 << 16, places.size),
        seen=generator.integers(0, 180 * 8 + 1, places.size),
        rows=rows,
        weights=generator.integers(-(1 << 15), 1 << 15, (rows.size, N_VOICES)),
    )


def entry(coded: bytes, residual: int) -> PrimerEntry:
    key = PrimerKey(
        residual=residual,
        signal_type="ecg",
        fewest_leads=12,
        most_leads=12,
        lowest_fs=FS,
        highest_fs=FS,
    )
    return PrimerEntry(key, coded)


def some_primer() -> bytes:
    wide = encode_wide_start(((lead_start(1, 3, 99),), (), (lead_start(2, 2, LARGEST),) * 2))
    small = replace_contexts(transform_start(3), 9)
    coded = entry(wide, WIDE), entry(encode_transform_start(small), TRANSFORM)
    return encode_primer(coded, "{}")


def replace_contexts(start: TransformStart, n: int) -> TransformStart:
    of_contexts = {name: getattr(start, name)[:n] for name in ("contexts", "chances", "seen")}
    return start._replace(**of_contexts, rows=start.rows[:n], weights=start.weights[:n])


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_is_written_of_a_primer_is_read() -> None:
    primer = decode_primer(some_primer(), "x.primer")
    wide, transform = primer.entries
    assert [len(starts) for starts in wide.wide] == [1, 0, 2]
    assert same(wide.wide[0][0], lead_start(1, 3, 99))
    assert same(wide.wide[2][1], lead_start(2, 2, LARGEST))
    assert transform.transform is not None
    assert same(transform.transform, replace_contexts(transform_start(3), 9))
    assert (wide.transform, transform.wide, primer.words) == (None, (), "{}")


def test_every_prefix_and_flipped_byte_of_a_primer_is_refused_or_another_primer() -> None:
    whole = some_primer()
    digest = decode_primer(whole, "x").digest
    for n_bytes in range(len(whole)):
        with pytest.raises(CorruptError):
            read_all(whole[:n_bytes])
    for offset in range(len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x55
        try:
            assert read_all(bytes(damaged)) != digest
        except CorruptError:
            continue


def read_all(stored: bytes) -> str:
    primer = decode_primer(stored, "x.primer")
    assert [(each.wide, each.transform) for each in primer.entries]
    return primer.digest


@pytest.mark.parametrize(
    "wrong",
    [
        {"contexts": np.array([5, 5])},
        {"contexts": np.array([5, N_CONTEXTS])},
        {"rows": np.array([3, 2])},
        {"rows": np.array([3, N_VECTORS])},
        {"chances": np.array([0, 1])},
        {"seen": np.array([180 * 8 + 1, 1])},
        {"levels": 21},
    ],
    ids=str,
)
def test_contexts_that_are_not_there_are_refused(wrong: dict[str, Any]) -> None:
    start = replace_contexts(transform_start(3), 2)._replace(**wrong)
    with pytest.raises(CorruptError):
        assert entry(encode_transform_start(start), TRANSFORM).transform


@pytest.mark.parametrize("wrong", [LARGEST + 1, -1])
def test_products_beyond_their_bounds_are_refused(wrong: int) -> None:
    start = lead_start(1, 2, 9)
    start.products[1, 1] = wrong
    with pytest.raises(CorruptError, match="products"):
        assert entry(encode_wide_start(((start,),)), WIDE).wide


def test_numbers_of_contexts_are_those_of_the_transform() -> None:
    assert (contexts.N_CONTEXTS, contexts.N_WEIGHTS) == (N_CONTEXTS, N_VECTORS)


@pytest.mark.parametrize("largest", [0, 1, 1000, LARGEST])
def test_a_primer_that_says_nothing_true_loses_no_sample(largest: int) -> None:
    samples = np.stack(twelve(200, 5).signals[:4])
    # As many regressors as the first four leads have without beats.
    starts = tuple((lead_start(i, n, largest),) for i, n in enumerate((47, 63, 79, 30)))
    payload = encode_wide(samples, *known_of(samples), (), starts)
    decoded = decode_wide(payload, 200, *known_of(samples), (), starts)
    np.testing.assert_array_equal(decoded, samples)
    assert payload != encode_wide(samples, *known_of(samples))


def test_contexts_that_say_nothing_true_lose_no_more_than_others() -> None:
    samples = np.stack(twelve(200, 5).signals[:4])
    loss = LeadLoss(np.full(4, 30.0), (None,) * 4)
    start = transform_start(8)
    coded = encode_transform(samples, *known_of(samples), loss, start)
    decoded = decode_transform(coded.payload, 200, *known_of(samples), start)
    np.testing.assert_array_equal(decoded, coded.samples)
    assert coded.payload != encode_transform(samples, *known_of(samples), loss).payload
    other_levels = encode_transform(samples, *known_of(samples), loss, transform_start(8, 6))
    assert other_levels.payload == encode_transform(samples, *known_of(samples), loss).payload


def test_a_shipped_primer_saves_bits_of_leads_like_those_it_was_made_of() -> None:
    samples = np.stack(twelve(300, 61).signals)
    primer = models.load_primer("ecg-12")
    before = wide_bits(samples, *known_of(samples)).sum()
    after = wide_bits(samples, *known_of(samples), (), primer.entries[0].wide).sum()
    assert after < 0.98 * before


@pytest.mark.parametrize("fidelity", [Lossless(), MeanPrdn(5.0), MaxError(("30",))], ids=str)
def test_no_file_is_larger_for_a_primer(fidelity: Fidelity) -> None:
    for seed, n_samples in ((61, 300), (62, 200)):
        record = twelve(n_samples, seed)
        sizes = [
            len(sancodec.encode(record, config=CodecConfig(fidelity=fidelity, primer=primer)))
            for primer in ("auto", "none")
        ]
        assert sizes[0] <= sizes[1]


def test_other_signals_have_no_primer() -> None:
    record = twelve(300, 61)
    for other in (
        replace(record, fs=101.0),
        replace(record, channels=record.channels[1:], signals=record.signals[1:]),
        replace(record, channels=tuple(replace(c, name="EMG") for c in record.channels)),
    ):
        encoded = sancodec.encode(other)
        assert encoded == sancodec.encode(other, config=CodecConfig(primer="none"))


def test_shipped_primers_are_listed_as_they_are() -> None:
    """A primer that was made anew is listed as it was: python -m sancodec.models.index."""
    assert models.shipped_primers() == tuple(models.primers_beside())
    for primer in models.shipped_primers():
        assert primer.digest in (Path(models.__file__).parent / f"{primer.name}.md").read_text()


def test_a_primer_that_is_not_there_is_named(tmp_path: Path) -> None:
    encoded = (FOLDER / "primed.san").read_bytes()
    with sancodec.open(encoded) as file:
        header, name = file.header, "x.san"
        groups = file.plan.groups
    parameters = decode_parameters(header.parameters, 12, name)
    missing = replace(parameters, primer=b"\1\2\3\4" + parameters.primer[4:])
    with pytest.raises(ModelError, match=r"x\.san: primer 01020304: no shipped primer .* --model"):
        plan_of(replace(header, parameters=encode_parameters(missing)), name)
    for wrong in (encode_primers(groups)[:-1] + b"\7", parameters.primer + b"\0", b"\1"):
        damaged = encode_parameters(replace(parameters, primer=wrong))
        with pytest.raises(CorruptError):
            plan_of(replace(header, parameters=damaged), name)
    other = tmp_path / "other.primer"
    other.write_bytes(some_primer())
    with pytest.raises(ModelError, match="was written with primer"):
        decode_file(FOLDER / "primed.san", tmp_path, model=str(other))


def test_a_primer_of_ones_own_is_made_taken_and_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("scipy")
    own, records = tmp_path / "own.primer", tmp_path / "records"
    records.mkdir()
    for seed in range(70, 74):
        record = replace(twelve(200, seed), name=f"r{seed}")
        write_wfdb(records, record.name, record.fs, record.channels, iter([record]), force=False)
    train = ["train", str(records), "--signal-type", "ecg", "--primer", "-o", str(own)]
    assert main(train) == 0
    said = capsys.readouterr().out
    assert "lossless, 12 leads at 100 Hz: saves" in said
    assert "kept" in said
    target = tmp_path / "r70.san"
    command = ["encode", str(records / "r70"), "-o", str(target), "--primer", str(own)]
    assert main(command) == 0
    assert main(["decode", str(target), "-o", str(tmp_path / "back")]) == 1
    assert "--model PATH" in capsys.readouterr().err
    restored = tmp_path / "back"
    assert main(["decode", str(target), "-o", str(restored), "--model", str(own)]) == 0
    for name in ("r70.hea", "r70.dat"):
        assert (restored / name).read_bytes() == (records / name).read_bytes()
