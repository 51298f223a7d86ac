from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest
from edf_files import Signal, annotations, edf_bytes

import sancodec
from sancodec.config import CodecConfig
from sancodec.errors import CorruptError, RecordError
from sancodec.files import decode_file, encode_file
from sancodec.formats.blocks import Blocks
from sancodec.formats.edf import EdfRecord
from sancodec.formats.listing import encode_originals
from sancodec.formats.originals import IN_BLOCKS, OriginalFile
from sancodec.formats.restoration import RecordShape, check, describe, restore
from sancodec.formats.segmented import open_record

FAST = CodecConfig(model="none", level="fast")


def walk(n_records: int, n_samples: int, seed: int = 0, step: int = 9) -> np.ndarray:
    """Give (n_records, n_samples) of a random walk."""
    steps = np.random.default_rng(seed).integers(-step, step + 1, n_records * n_samples)
    return np.cumsum(steps).reshape(n_records, n_samples)


def write(folder: Path, content: bytes, name: str = "night.edf") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def times(n_records: int, step: float = 1.0) -> list[bytes]:
    return [b"+%g\x14\x14\0" % (i * step) for i in range(n_records)]


EEG, ECG = Signal(walk(9, 50)), Signal(walk(9, 50, 1), "ECG", "mV", ("-5", "5"), ("-2048", "2047"))
TEMPERATURE = Signal(walk(9, 1, 2), "Temp", "degC", ("34,4", "40,2"), ("-3000", "3000"))
NOTED = annotations(
    [time + (b"+1.5\x153\x14Apnea\x14\0" if i == 1 else b"") for i, time in enumerate(times(9))]
)
# Time passes between the data records.
APART = annotations(times(9, 7.5))
FILES = {
    "plain": edf_bytes([EEG, ECG]),
    "continuous": edf_bytes([EEG, ECG, NOTED], reserved="EDF+C"),
    "discontinuous": edf_bytes([APART, EEG, ECG], reserved="EDF+D"),
    "annotations in between": edf_bytes([EEG, NOTED, APART, ECG, NOTED], reserved="EDF+C"),
    "an eighth of a second": edf_bytes([EEG, ECG], duration="0.125"),
    "ten seconds": edf_bytes([EEG, ECG, NOTED], duration="10"),
    "mixed frequencies": edf_bytes([EEG, TEMPERATURE, ECG, Signal(walk(9, 25, 3))]),
    "records not counted": edf_bytes([EEG, NOTED], n_records=-1, reserved="EDF+C"),
    "fewer records than said": edf_bytes([EEG, NOTED], n_records=12),
    "more records than said": edf_bytes([EEG, NOTED], n_records=7),
    "ends within a record": edf_bytes([EEG, NOTED, ECG])[:-33],
    "bytes behind the end": edf_bytes([EEG, NOTED]) + b"\0more\0\0",
    "one long record": edf_bytes([Signal(walk(1, 2000)), Signal(walk(1, 1000, 4))], duration="20"),
    "24 bits": edf_bytes([Signal(walk(9, 50, 5, 90_000)), EEG], sample_bytes=3),
    "a signal without samples": edf_bytes([EEG, Signal(walk(9, 0)), ECG]),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_files_come_back_byte_for_byte(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "in", content)
    config = CodecConfig(model="none", level="fast", chunk_seconds=2)
    report = encode_file(path, tmp_path / "night.san", config)
    assert report.original_n_bytes == len(content)
    assert ("gaps" in report.note) == (b"EDF+D" in content)
    restored = decode_file(tmp_path / "night.san", tmp_path / "out")
    assert restored == [tmp_path / "out" / "night.edf"]
    assert restored[0].read_bytes() == content


@pytest.mark.parametrize("name", ["plain", "continuous", "ten seconds", "mixed frequencies"])
def test_samples_and_units_are_those_that_another_reader_finds(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, FILES[name])
    record, other = EdfRecord.open(path), edfio.read_edf(path)
    recording = record.read(0, record.n_frames)
    assert len(other.signals) == len(record.channels)
    for channel, signal, found in zip(
        record.channels, recording.signals, other.signals, strict=True
    ):
        np.testing.assert_array_equal(signal, found.digital)
        assert record.fs * channel.samples_per_frame == found.sampling_frequency
        assert (channel.name, channel.units) == (found.label, found.physical_dimension)
        if channel.name != "Temp":
            ours = (signal - float(channel.baseline)) / channel.adc_gain
            # The baseline is an integer: values are off by up to half a unit of the ADC.
            np.testing.assert_allclose(ours, found.data, atol=0.51 / abs(channel.adc_gain))


def test_signals_of_one_frequency_have_one_sample_in_a_frame(tmp_path: Path) -> None:
    record = EdfRecord.open(write(tmp_path, FILES["ten seconds"]))
    assert (record.fs, record.n_frames) == (5.0, 450)
    assert [channel.samples_per_frame for channel in record.channels] == [1, 1]
    mixed = EdfRecord.open(write(tmp_path, FILES["mixed frequencies"]))
    assert (mixed.fs, mixed.n_frames) == (1.0, 9)
    assert [channel.samples_per_frame for channel in mixed.channels] == [50, 1, 50, 25]


def test_spans_may_begin_and_end_within_data_records(tmp_path: Path) -> None:
    record = EdfRecord.open(write(tmp_path, FILES["annotations in between"]))
    whole = record.read(0, record.n_frames)
    np.testing.assert_array_equal(whole.signals[0], EEG.rows.reshape(-1))
    for start, stop in ((0, 0), (3, 4), (49, 51), (120, 333), (449, 450)):
        part = record.read(start, stop)
        np.testing.assert_array_equal(part.samples, whole.samples[start:stop])
    with pytest.raises(RecordError, match="frames 3 to 451"):
        record.read(3, 451)


def test_a_part_is_a_record_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, FILES["continuous"])
    encode_file(path, tmp_path / "night.san", FAST)
    with sancodec.open(tmp_path / "night.san") as file:
        part = file.read(60, 70)
    np.testing.assert_array_equal(part.signals[1], ECG.rows.reshape(-1)[60:70])
    assert part.channels[1].adc_gain == 409.5


def test_annotations_are_no_channels_and_cost_little(tmp_path: Path) -> None:
    n = 300
    signals = [Signal(walk(n, 50)), annotations(times(n), 1000)]
    path = write(tmp_path, edf_bytes(signals, reserved="EDF+C"))
    report = encode_file(path, tmp_path / "night.san", FAST)
    assert report.n_channels == 1
    assert report.layers["restoration"] < 12 * n


def test_after_loss_header_and_annotations_are_the_same(tmp_path: Path) -> None:
    # Annotations stand before EEG, between it and ECG, and behind ECG.
    content = edf_bytes([APART, EEG, NOTED, APART, ECG, NOTED], reserved="EDF+D") + b"behind"
    record = EdfRecord.open(write(tmp_path / "in", content))
    rough = [signal // 4 * 4 for signal in record.read(0, 450).signals]
    decoded = replace(record.read(0, 450), signals=tuple(rough))
    remaker = record.remaker()
    n_bytes = remaker.n_bytes
    for start in range(0, 450, 77):
        remaker.feed(decoded.frames(start, min(start + 77, 450)))
    restoration = remaker.finish()
    assert len(restoration) == n_bytes
    originals = describe(restoration, RecordShape.of(record))
    (restored,) = restore(originals, [decoded], tmp_path / "out", force=False)
    lost = [Signal(rows.reshape(9, 50)) for rows in rough]
    expected = edf_bytes([APART, lost[0], NOTED, APART, lost[1], NOTED])
    header = 256 * 7
    assert restored.read_bytes() == content[:header] + expected[header:] + b"behind"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends within its header"),
        (FILES["plain"][:255], "ends within its header"),
        (FILES["plain"][:700], "ends within its header"),
        (FILES["plain"][:800], "no whole data record"),
        (b"RIFF" + bytes(600), "neither EDF nor BDF"),
        (edf_bytes([NOTED]), "no signals but annotations.*--attach"),
        (edf_bytes([EEG], duration="0"), "0 seconds"),
        (edf_bytes([EEG], duration="-1"), "'-1' seconds"),
        (edf_bytes([EEG], duration="nan"), "'nan' seconds"),
        (edf_bytes([EEG]).replace(b"512     ", b"768     "), "header of 768 bytes, expected 512"),
        (edf_bytes([EEG] * 257), "257 signals, at most 256"),
        (edf_bytes([EEG], n_records=-2), "data records is '-2'"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        open_record(write(tmp_path, content))


@pytest.mark.parametrize("n_samples", ["99999999", "-5", "1e3", "", "16777217"])
@pytest.mark.parametrize("place", [0, 1])
def test_counts_that_cannot_be_are_refused_before_memory_is_taken(tmp_path, n_samples, place):
    content = bytearray(edf_bytes([EEG, ECG, NOTED]))
    at = 256 + 3 * 216 + 8 * place
    content[at : at + 8] = n_samples.ljust(8).encode()
    with pytest.raises(RecordError):
        open_record(write(tmp_path, bytes(content)))


@pytest.mark.parametrize("field", [4, 5, 6, 7])
@pytest.mark.parametrize("text", ["", "0", "none", "1e999", "nan", "-32768"])
def test_bounds_that_say_nothing_do_not_keep_a_file_from_being_kept(tmp_path, field, text):
    content = bytearray(FILES["continuous"])
    widths = [16, 80, 8, 8, 8, 8, 8]
    at = 256 + 3 * sum(widths[: field - 1])
    content[at : at + 8] = text.ljust(8).encode()
    path = write(tmp_path, bytes(content))
    encode_file(path, tmp_path / "night.san", FAST)
    (restored,) = decode_file(tmp_path / "night.san", tmp_path / "out")
    assert restored.read_bytes() == content


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (Blocks(format=16, n_frames=0), "blocks of 0 frames"),
        (Blocks(format=16, n_frames=7), "blocks of 7 frames"),
        (Blocks(format=212, n_frames=10), "format 212, expected 16 or 24"),
        (Blocks(format=16, n_frames=10, holes=((0, 1 << 24),)), "do not fit its size"),
        (Blocks(format=16, n_frames=10, holes=((0, 1 << 25),)), "bytes of a hole"),
        (Blocks(format=16, n_frames=10, holes=((0, 1 << 24),) * 4), "number of holes"),
        (Blocks(format=16, n_frames=10, holes=((3, 1),)), "channels before a hole"),
        (Blocks(format=24, n_frames=1 << 40), "frames in a block"),
    ],
)
def test_blocks_that_cannot_be_are_refused(blocks: Blocks, message: str) -> None:
    shape = RecordShape(name="x", samples_per_frame=(1, 1), n_frames=100)
    file = OriginalFile(
        name="x.edf",
        n_bytes=1000,
        sha256=bytes(8),
        format=IN_BLOCKS,
        samples_per_frame=(1, 1),
        byte_offset=0,
        blocks=blocks,
    )
    with pytest.raises(CorruptError, match=message):
        describe(encode_originals([file], shape), shape)


DATA = Path(os.environ.get("SANCODEC_DATA", ""))


@pytest.mark.skipif(not DATA.is_absolute(), reason="SANCODEC_DATA is not set")
def test_a_real_file_comes_back_byte_for_byte(tmp_path: Path) -> None:
    path = DATA / "wfdb-samples" / "sample-data" / "test_generator_2.edf"
    record = EdfRecord.open(path)
    restorer = record.restorer()
    spans = [record.read(i, min(i + 7001, 120_000)) for i in range(0, 120_000, 7001)]
    for span in spans:
        restorer.feed(span)
    shape = RecordShape.of(record)
    restoration = restorer.finish()
    assert len(restoration) < 6000
    check(describe(restoration, shape), spans)
    other = edfio.read_edf(path)
    np.testing.assert_array_equal(spans[0].signals[3], other.signals[3].digital[:7001])
