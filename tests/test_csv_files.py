from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from sancodec.config import CodecConfig
from sancodec.errors import RecordError
from sancodec.files import decode_file, encode_file
from sancodec.formats.csv_files import read_csv, write_csv
from sancodec.recording import NO_SAMPLE, Channel, Recording, RecordSpans

FAST = CodecConfig(model="none", level="fast")


def write(folder: Path, text: str) -> Path:
    path = folder / "leads.csv"
    path.write_text(text, newline="")
    return path


def spelled(samples: list[list[int]], *channels: Channel) -> str:
    signals = tuple(np.array(column, np.int32) for column in samples)
    span = Recording(name="a", fs=1.0, channels=channels, signals=signals)
    stream = io.BytesIO()
    n_frames = span.n_frames
    record = RecordSpans(name="a", fs=1.0, channels=channels, n_frames=n_frames, spans=[span])
    write_csv(stream, record)
    return stream.getvalue().decode()


def test_decimals_become_the_integers_that_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "II [mV],pressure (mmHg),n\n0.1,80,-7\n-0.25,+81.50,.5\n1,-.001,3.\n")
    table = read_csv(path, 250)
    np.testing.assert_array_equal(
        table.samples, [[10, 80_000, -70], [-25, 81_500, 5], [100, -1, 30]]
    )
    assert [(c.name, c.units, c.adc_gain) for c in table.channels] == [
        ("II", "mV", 100.0),
        ("pressure", "mmHg", 1000.0),
        ("n", "NU", 10.0),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_tables_are_read_however_they_are_written(tmp_path, separator, end, mark) -> None:
    lines = [f'"a"{separator} "b"', f"1{separator} 2.5", f' "3"{separator}4.0 ', ""]
    table = read_csv(write(tmp_path, mark + end.join(lines)), 1)
    np.testing.assert_array_equal(table.samples, [[1, 25], [3, 40]])
    assert [channel.name for channel in table.channels] == ["a", "b"]


def test_a_table_comes_back_through_a_san_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    walk = np.cumsum(generator.integers(-9, 10, (700, 2)), axis=0)
    rows = "".join(f"{a / 1000:.3f},{b}\n" for a, b in walk.tolist())
    path = write(tmp_path, f"II [mV],count\n{rows}")
    encode_file(path, tmp_path / "leads.san", FAST, fs=250)
    (back,) = decode_file(tmp_path / "leads.san", tmp_path / "out", fmt="csv")
    assert back.read_text() == path.read_text()
    # Without a format there are no original files, but a new record of the same samples.
    names = {own.name for own in decode_file(tmp_path / "leads.san", tmp_path / "out")}
    assert names == {"leads.hea", "leads.dat"}


@pytest.mark.parametrize(("fs", "given"), [(125, None), (360, 360), (360, None), (1, None)])
def test_a_column_of_time_says_the_frequency(tmp_path: Path, fs: int, given: int | None) -> None:
    rows = "".join(f"{5 + i / fs:.3f},{i % 7}\n" for i in range(1000))
    path = write(tmp_path, f"Time [s],II\n{rows}")
    table = read_csv(path, given)
    assert table.fs == fs
    np.testing.assert_array_equal(table.samples[:, 0], np.arange(1000) % 7)
    kept = read_csv(path, fs, keep_time=True)
    assert kept.samples.shape == (1000, 2)
    assert kept.channels[0].units == "s"


@pytest.mark.parametrize(
    ("text", "fs", "message"),
    [
        ("", 1, "no numbers"),
        ("a,b\n", 1, "no numbers"),
        ("1,2\n3\n", 1, "line 2: 1 fields, the first line has 2"),
        ("1,2\n\n3,4,5\n", 1, "line 3: 3 fields"),
        ("a,b\n1,2\n3,nan\n", 1, "line 3: 'nan' is no decimal number"),
        ("a,b\n1,\n", 1, "line 2: '' is no decimal number"),
        ("1\ninf\n", 1, "line 2: 'inf'"),
        ("1\n1e3\n", 1, "line 2: '1e3'"),
        ("1\n.\n", 1, r"line 2: '\.'"),
        ("1\n4000000000\n", 1, "line 2: a number of more than 32 bits"),
        ("1\n300000.00001\n", 1, "line 2: a number of more than 32 bits"),
        ("1.0123456789\n", 1, "10 digits behind the point"),
        ("1\n2\n", None, "give it with --fs"),
        ("time,a\n1,1\n1,2\n", None, "no sampling frequency in its time"),
        ("time,a\n0,1\n1,2\n3,2\n4,2\n", None, "line 4: time 3 s, expected 2 s at 1 Hz"),
        ("time,a\n0,1\n1,2\n2,3\n", 250, "line 4: time 2 s, expected 0.008 s at 250 Hz"),
        ("time\n0\n1\n", None, "a column of time and no other"),
        ("1," * 300 + "1\n", 1, "301 columns, at most 256"),
        ("1" * 70_000, 1, "line 1: longer than 65536 bytes"),
    ],
)
def test_what_is_no_table_of_samples_is_refused(tmp_path, text, fs, message) -> None:
    with pytest.raises(RecordError, match=message):
        read_csv(write(tmp_path, text), fs)


def test_physical_values_are_exact_decimals_or_the_shortest_of_binary64() -> None:
    text = spelled(
        [[5, -1005, NO_SAMPLE], [0, 3, -3], [-7, 0, 120]],
        Channel(name="a,b", units="mV", adc_gain=1000.0),
        Channel(name="b", units="uV", adc_gain=409.6, baseline=1),
        Channel(name="", units="NU", adc_gain=1.0, baseline=-7),
    )
    assert text == (
        f"a b [mV],b [uV],\n0.005,{-1 / 409.6!r},0\n-1.005,{2 / 409.6!r},7\n,{-4 / 409.6!r},127\n"
    )


DATA = os.environ.get("SANCODEC_DATA")


@pytest.mark.skipif(DATA is None, reason="SANCODEC_DATA is not set")
def test_a_real_table_is_read_to_its_numbers(tmp_path: Path) -> None:
    with (Path(DATA or "") / "physionet" / "bidmc" / "bidmc_01_Signals.csv").open() as file:
        path = write(tmp_path, "".join(next(file) for _ in range(1000)))
    table = read_csv(path, None)
    assert table.fs == 125
    expected = np.genfromtxt(path, delimiter=",", skip_header=1)[:, 1:]
    gains = [channel.adc_gain for channel in table.channels]
    np.testing.assert_array_equal(table.samples / gains, expected)
