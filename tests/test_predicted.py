from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sancodec.errors import CorruptError
from sancodec.formats import predicted
from sancodec.formats.originals import OriginalFile
from sancodec.formats.predicted import SampleFacts, compress_header, decompress_header
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Channel, Recording

RECORD = Recording(
    name="rec",
    fs=360.0,
    channels=(
        Channel(name="MLII", adc_gain=200.0, baseline=1024, adc_res=11, adc_zero=1024),
        Channel(name="lead two", adc_gain=12.5, units="uV", samples_per_frame=2),
    ),
    signals=(np.array([995, 1000, -3000], np.int32), np.arange(6, dtype=np.int32) * 20_000),
)
HEADER = OriginalFile(name="rec.hea", n_bytes=0, sha256=b"")
FILES = (
    HEADER,
    OriginalFile(name="rec.dat", n_bytes=0, sha256=b"", format=212, samples_per_frame=(1,)),
    OriginalFile(
        name="b.dat", n_bytes=0, sha256=b"", format=16, samples_per_frame=(2,), byte_offset=24
    ),
)


def _facts(*spans: Recording) -> SampleFacts:
    facts = SampleFacts()
    for span in spans:
        facts.feed(span)
    return facts


@pytest.mark.parametrize(
    ("style", "lines"),
    [
        (
            0,
            [
                "rec.dat 212 200 11 1024 995 -1005 0 MLII",
                "b.dat 16x2+24 12.5 0 0 0 -27680 0 lead two",
            ],
        ),
        (
            predicted.PER_FRAME | predicted.POINT | predicted.BASELINE | predicted.UNITS,
            [
                "rec.dat 212x1 200.0(1024)/mV 11 1024 995 -1005 0 MLII",
                "b.dat 16x2+24 12.5(0)/uV 0 0 0 -27680 0 lead two",
            ],
        ),
        (
            predicted.UNSIGNED,
            [
                "rec.dat 212 200 11 1024 995 64531 0 MLII",
                "b.dat 16x2+24 12.5 0 0 0 37856 0 lead two",
            ],
        ),
    ],
)
def test_a_header_follows_from_channels_and_samples(style: int, lines: list[str]) -> None:
    text = "\n".join(["rec 2 360 3", *lines]) + "\n"
    spans = RECORD.frames(0, 1), RECORD.frames(1, 1), RECORD.frames(1, 3)
    assert _facts(*spans).predict(FILES, style).decode() == text
    crlf = _facts(RECORD).predict(FILES, style | predicted.CRLF).decode()
    assert crlf == text.replace("\n", "\r\n")


@pytest.mark.parametrize("style", range(predicted.N_STYLES))
def test_every_style_is_found_and_costs_the_same(style: int) -> None:
    facts = _facts(RECORD)
    content = facts.predict(FILES, style) + b"# 69 M 1085 1629 x1\n"
    _, text = compress_header(content, facts, FILES)
    assert len(text) < 40
    found, _ = compress_header(content, facts, FILES)
    file = replace(HEADER, n_bytes=len(content), style=found, text=text)
    assert decompress_header(file, facts, FILES) == content


def test_any_other_content_comes_back() -> None:
    facts = _facts(RECORD)
    for content in (b"", b"\xff\xfe", bytes(range(256)) * 20, b"rec 2 360 3\r\r\n"):
        style, text = compress_header(content, facts, FILES)
        file = replace(HEADER, n_bytes=len(content), style=style, text=text)
        assert decompress_header(file, facts, FILES) == content


def test_a_damaged_header_is_refused_or_another() -> None:
    facts = _facts(RECORD)
    content = facts.predict(FILES, 0) + b"# a comment that nothing predicts\n"
    style, text = compress_header(content, facts, FILES)
    for n_bytes in range(len(text)):
        file = replace(HEADER, n_bytes=len(content), style=style, text=text[:n_bytes])
        with pytest.raises(CorruptError, match=r"rec\.hea"):
            decompress_header(file, facts, FILES)
    file = replace(HEADER, n_bytes=len(content), style=style, text=text)
    try:
        other = decompress_header(file, SampleFacts(), FILES)
    except CorruptError:
        return
    assert other != content


def test_a_record_without_samples_predicts_nothing() -> None:
    assert _facts(RECORD.frames(0, 0)).predict(FILES, 0) == b""


def test_the_header_of_wfdb_is_predicted_to_the_last_byte(tmp_path: Path) -> None:
    import wfdb

    samples = np.cumsum(np.random.default_rng(4).integers(-9, 10, (400, 2)), axis=0)
    wfdb.wrsamp(
        "made",
        fs=250,
        units=["mV", "mV"],
        sig_name=["I", "II"],
        d_signal=samples,
        fmt=["16", "16"],
        adc_gain=[200.0, 100.0],
        baseline=[0, 7],
        write_dir=str(tmp_path),
    )
    record = WfdbRecord.open(tmp_path / "made.hea")
    facts = _facts(record.read(0, 400))
    signals = replace(FILES[1], name="made.dat", format=16, samples_per_frame=(1, 1))
    content = (tmp_path / "made.hea").read_bytes()
    style, _ = compress_header(content, facts, [HEADER, signals])
    assert facts.predict([HEADER, signals], style) == content
