"""What training reads: the channels that were asked for, and of them what can be right."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("scipy")

from sancodec import models
from sancodec.cli.train import train as train_command
from sancodec.errors import ConfigError, RecordError
from sancodec.formats.arrays import write_wfdb
from sancodec.recording import Channel, Recording
from sancodec.training.sources import InputConfig, find_records, open_source
from sancodec.training.windows import WindowConfig, read_windows

N_FRAMES = 900


def breaths(n_samples: int, seed: int) -> NDArray[np.int32]:
    """Bumps of one shape, each a little later or earlier than the beat of the clock."""
    generator = np.random.default_rng(seed)
    t = np.arange(n_samples)
    signal = generator.normal(0, 3.0, n_samples)
    for place in np.arange(20, n_samples, 40) + generator.uniform(-6, 6, len(t[20::40])):
        signal += 200 * np.exp(-(((t - place) / 4.0) ** 2))
    return np.rint(signal).astype(np.int32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of three sampling frequencies: ECG and II at 40 Hz, RESP at 20 Hz, HR at 10 Hz."""
    place = tmp_path_factory.mktemp("mixed")
    channels = tuple(
        Channel(name=name, units="mV", adc_gain=100.0, baseline=10, samples_per_frame=spf)
        for name, spf in (("ECG", 4), ("RESP ", 2), ("HR", 1), ("II", 4))
    )
    signals = tuple(breaths(N_FRAMES * c.samples_per_frame, i) for i, c in enumerate(channels))
    record = Recording(name="mixed", fs=10.0, channels=channels, signals=signals)
    write_wfdb(place, "mixed", 10.0, channels, [record], force=False)
    return place


def signal_of(number: int, spf: int) -> NDArray[np.int32]:
    return breaths(N_FRAMES * spf, number)


@pytest.mark.parametrize(
    ("names", "fs", "numbers"),
    [(("RESP",), 20.0, [1]), (("II", "ECG"), 40.0, [0, 3]), (("V5", "HR"), 10.0, [2])],
)
def test_channels_are_read_at_their_own_frequency(
    folder: Path, names: tuple[str, ...], fs: float, numbers: list[int]
) -> None:
    source = open_source(folder / "mixed", InputConfig(channels=names))
    assert (source.fs, source.n_samples) == (fs, int(N_FRAMES * fs / 10))
    expected = np.stack([signal_of(number, int(fs / 10)) for number in numbers])
    np.testing.assert_array_equal(source.read(0, source.n_samples), expected)
    np.testing.assert_array_equal(source.read(7, 102), expected[:, 7:102])


def test_channels_of_several_frequencies_are_refused_with_the_remedy(folder: Path) -> None:
    for wanted in ((), ("ECG", "RESP")):
        with pytest.raises(RecordError, match=r"mixed: .*--channels \(ECG, RESP, HR, II\)"):
            open_source(folder / "mixed", InputConfig(channels=wanted))


def test_a_record_without_the_channels_says_which_it_has(folder: Path) -> None:
    with pytest.raises(RecordError, match="mixed: none of ABP; it has ECG, RESP, HR, II"):
        open_source(folder / "mixed", InputConfig(channels=("ABP",)))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    rows = "\n".join(f"{i * 0.05},{a},{b}" for i, (a, b) in enumerate(zip(*COLUMNS, strict=True)))
    path.write_text(f"Time [s], RESP, PLETH\n{rows}\n")
    return path


COLUMNS = np.stack([breaths(1200, 5), breaths(1200, 6)]) / 100.0


def test_columns_are_chosen_by_name_and_time_is_none_of_them(table: Path) -> None:
    for names, rows in (((), COLUMNS), (("PLETH",), COLUMNS[1:])):
        source = open_source(table, InputConfig(channels=names, text_fs=20.0))
        assert (source.name, source.fs, source.n_samples) == ("table", 20.0, 1200)
        np.testing.assert_array_equal(source.read(0, 1200), rows)
    with pytest.raises(RecordError, match=r"none of X; it has Time \[s\], RESP, PLETH"):
        open_source(table, InputConfig(channels=("X",), text_fs=20.0))


def test_a_text_file_without_a_frequency_is_refused_with_the_option(table: Path) -> None:
    with pytest.raises(ConfigError, match="--csv-fs"):
        open_source(table, InputConfig())


def test_a_column_without_names_cannot_be_chosen_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1\n2\n3\n")
    assert open_source(path, InputConfig(text_fs=1.0)).read(1, 3).tolist() == [[2.0, 3.0]]
    with pytest.raises(RecordError, match="columns without names"):
        open_source(path, InputConfig(channels=("EEG",), text_fs=1.0))


def test_an_archive_stands_for_its_text_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Z.zip", "w") as opened:
        opened.writestr("b.txt", "1\n")
        opened.writestr("a.txt", "2\n")
    found = find_records([tmp_path / "Z.zip", tmp_path / "x.csv"])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "Z.zip/a.txt",
        "Z.zip/b.txt",
        "x.csv",
    ]


def test_values_that_cannot_be_right_are_bridged_and_bad_windows_left_out(tmp_path: Path) -> None:
    """Lost contact reads as 0: a kernel of it would be one of the sensor, not of the heart."""
    values = 120.0 + breaths(2000, 3) / 40.0
    values[300:330] = 0.0
    values[1010:1400] = 0.0
    path = tmp_path / "fhr.txt"
    path.write_text("\n".join(map(str, values)))
    inputs = InputConfig(text_fs=4.0, valid_range=(50.0, 240.0))
    config = WindowConfig(fs=4.0, seconds=50.0, baseline_seconds=0.0, inputs=inputs)
    windows = read_windows(path, config).windows
    # Ten windows of 200 samples; those from 1,000 to 1,400 are lost, half of one and all of one.
    assert len(windows) == 8
    bridged = windows[1][0, 99:131]
    np.testing.assert_allclose(np.diff(bridged, 2), 0, atol=1e-4)
    whole = read_windows(path, WindowConfig(fs=4.0, seconds=50.0, baseline_seconds=0.0,
                                            inputs=InputConfig(text_fs=4.0)))  # fmt: skip
    assert len(whole.windows) > 8


def test_the_range_of_a_wfdb_record_is_in_physical_units(folder: Path) -> None:
    source = open_source(folder / "mixed", InputConfig(channels=("HR",), valid_range=(-0.2, 1.0)))
    physical = (signal_of(2, 1) - 10) / 100.0
    expected = (physical < -0.2) | (physical > 1.0)
    assert expected.any()
    np.testing.assert_array_equal(np.isnan(source.read(0, N_FRAMES)[0]), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": ("II", " ")},
        {"text_fs": 0.0},
        {"text_fs": float("nan")},
        {"valid_range": (3.0, 3.0)},
        {"valid_range": (float("nan"), 3.0)},
    ],
)
def test_inputs_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        InputConfig(**settings)  # type: ignore[arg-type]


QUICK = "--kernels 1 --epochs 2 --starts 1 --fs 20 --before 0.4 --after 0.6 --distance 0.6"
QUICK += " --baseline 0 --window 5"


def test_the_command_trains_on_chosen_channels_and_on_text(folder: Path, table: Path) -> None:
    output = table.with_name("resp.onnx")
    arguments = [str(folder), str(table), "--channels", "RESP", "--csv-fs", "20"]
    arguments += ["--signal-type", "respiration", "-o", str(output), "--json", *QUICK.split()]
    result = CliRunner().invoke(train_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    _, metadata = models.load(output)
    assert json.loads(metadata["records"]) == ["mixed", "table"]
    assert json.loads(metadata["channels"]) == ["RESP"]
    assert json.loads(result.stdout)["best"]["flithos"] < 0.7


@pytest.mark.parametrize(("option", "value"), [("--range", "5"), ("--range", "a,b")])
def test_a_range_that_is_none_is_a_usage_error(option: str, value: str, tmp_path: Path) -> None:
    arguments = ["x", "--signal-type", "a", "-o", str(tmp_path / "m.onnx"), option, value]
    result = CliRunner().invoke(train_command, arguments)
    assert result.exit_code == 2
    assert value in result.output
