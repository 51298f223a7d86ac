"""The command line end to end: what it writes, what it says, and how it fails."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import sancodec
from sancodec.cli._terminal import printable, progress_bar
from sancodec.cli.main import VERBS, main
from sancodec.errors import RecordError
from sancodec.formats.wfdb import WfdbRecord

ROOT = Path(sancodec.__file__).resolve().parent.parent


@pytest.fixture
def record(tmp_path: Path, simulated_folder: Path) -> Path:
    """Header of a copy of the simulated record."""
    for path in simulated_folder.iterdir():
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / "demo.hea"


@pytest.fixture(scope="session")
def san_bytes(minute_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The simulated minute, encoded in chunks of twenty seconds."""
    target = tmp_path_factory.mktemp("encoded") / "demo.san"
    assert main(["encode", str(minute_folder / "demo"), "-o", str(target), "--chunk", "20"]) == 0
    return target.read_bytes()


@pytest.fixture
def san_file(tmp_path: Path, san_bytes: bytes) -> Path:
    """A .san file of its own for each test."""
    path = tmp_path / "sources" / "demo.san"
    path.parent.mkdir()
    path.write_bytes(san_bytes)
    return path


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _run_failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command that must fail with one line; give its exit code and that line."""
    capsys.readouterr()
    code = main(arguments)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1, output.err
    assert output.err.startswith("sancodec: error: ")
    return code, output.err


# --- the road there and back -------------------------------------------------------------------


def test_decode_gives_back_both_files_byte_for_byte(record: Path) -> None:
    before = _contents(record.parent)
    assert main(["encode", str(record)]) == 0
    assert main(["decode", str(record.with_suffix(".san")), "-o", str(record.parent / "out")]) == 0
    after = _contents(record.parent)
    assert after["out/demo.hea"] == before["demo.hea"] == after["demo.hea"]
    assert after["out/demo.dat"] == before["demo.dat"] == after["demo.dat"]
    assert set(after) == {*before, "demo.san", "out/demo.hea", "out/demo.dat"}


def _assert_comes_back(header: Path, folder: Path) -> None:
    encoded, out = folder / "x.san", folder / "out"
    assert main(["encode", str(header), "-o", str(encoded)]) == 0
    assert main(["decode", str(encoded), "-o", str(out)]) == 0
    written = sorted(out.iterdir())
    assert len(written) > 1
    for path in written:
        assert path.read_bytes() == header.with_name(path.name).read_bytes()


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 16, 40, 257])
def test_records_of_a_few_samples_come_back(n_frames: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(n_frames).integers(-300, 300, (n_frames, 2))
    (tmp_path / "few.dat").write_bytes(samples.astype("<i2").tobytes())
    (tmp_path / "few.hea").write_text(f"few 2 360 {n_frames}\nfew.dat 16\nfew.dat 16\n")
    _assert_comes_back(tmp_path / "few.hea", tmp_path)


@pytest.mark.parametrize("kind", ["constant", "alternating", "noise", "steps"])
def test_full_scale_samples_of_32_bits_come_back(kind: str, tmp_path: Path) -> None:
    low, high = -(2**31), 2**31 - 1
    samples = {
        "constant": np.full(3_000, low),
        "alternating": np.resize([low, high], 3_000),
        "noise": np.random.default_rng(0).integers(low, high, 3_000),
        "steps": np.repeat([low, high, 0], 1_000),
    }[kind]
    (tmp_path / "full.dat").write_bytes(samples.astype("<i4").tobytes())
    (tmp_path / "full.hea").write_text("full 1 250 3000\nfull.dat 32\n")
    _assert_comes_back(tmp_path / "full.hea", tmp_path)


def _sample_records() -> list[Path]:
    folder = os.environ.get("SANCODEC_DATA")
    return sorted(Path(folder, "wfdb-samples").rglob("*.hea")) if folder else []


@pytest.mark.skipif(not _sample_records(), reason="SANCODEC_DATA is not set")
@pytest.mark.parametrize("header", _sample_records(), ids=lambda path: path.stem)
def test_every_record_of_the_wfdb_samples_comes_back(header: Path, tmp_path: Path) -> None:
    try:
        source = WfdbRecord.open(header)
    except RecordError as error:
        # Several segments, a layout without samples, or a file that is not in the corpus.
        pytest.skip(str(error))
    if source.n_frames * len(source.channels) > 200_000:
        pytest.skip("large; the others cover its format")
    _assert_comes_back(header, tmp_path)


def test_a_record_may_be_named_in_three_ways(record: Path) -> None:
    written = []
    for name in ("demo", "demo.hea", "demo.dat"):
        assert main(["encode", str(record.parent / name), "--force", "--no-verify"]) == 0
        written.append(record.with_suffix(".san").read_bytes())
    assert written[0] == written[1] == written[2]


def test_the_report_is_json_of_the_file_that_was_written(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(record), "--json"]) == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert report["n_bytes"] == record.with_suffix(".san").stat().st_size
    assert report["original_n_bytes"] == record.with_suffix(".dat").stat().st_size
    assert report["source_bits_per_sample"] == 12
    assert report["n_samples"] == 3 * 12 * 360
    assert report["verified"] is True
    assert output.err == ""


def test_the_table_names_the_base_of_every_ratio(
    minute_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(minute_folder / "demo"), "-o", str(tmp_path / "x.san")]) == 0
    table = capsys.readouterr().out
    for words in ("bits/sample", "against the original", "against 12 bits", "against 16 bits"):
        assert words in table
    for words in ("CR^-1", "normalized loss", "flithos", "activations", "samples/s", "verified"):
        assert words in table
    said = " ".join(table.split())
    assert "ecg by its name: 1 kernel" in said
    assert "in the trial" in said


def test_no_verify_is_reported_as_not_verified(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(record), "--json", "--no-verify"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is False


def test_without_a_model_there_is_no_san_layer(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(record), "--json", "--model", "none"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n_kernels"] == 0
    assert report["flithos"] is None
    out = record.parent / "out"
    assert main(["decode", str(record.with_suffix(".san")), "-o", str(out)]) == 0
    assert (out / "demo.dat").read_bytes() == record.with_suffix(".dat").read_bytes()


def test_several_records_go_into_one_folder(record: Path, simulated_folder: Path) -> None:
    other = record.parent / "other"
    other.mkdir()
    text = (simulated_folder / "demo.hea").read_text().replace("demo ", "second ", 1)
    (other / "second.hea").write_text(text.replace("demo.dat", "second.dat"))
    shutil.copy(simulated_folder / "demo.dat", other / "second.dat")
    target = record.parent / "compressed"
    target.mkdir()
    assert main(["encode", str(record), str(other / "second.hea"), "-o", str(target)]) == 0
    assert set(_contents(target)) == {"demo.san", "second.san"}
    sources = [str(target / name) for name in ("demo.san", "second.san")]
    assert main(["decode", *sources, "-o", str(target)]) == 0
    assert (target / "second.hea").read_bytes() == (other / "second.hea").read_bytes()


def test_stdout_and_stdin_carry_a_file(
    record: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["encode", str(record), "-o", "-"]) == 0
    output = capfdbinary.readouterr()
    assert b"bits/sample" in output.err
    stdin = io.TextIOWrapper(io.BytesIO(output.out))
    monkeypatch.setattr(sys, "stdin", stdin)
    out = record.parent / "out"
    assert main(["decode", "-", "-o", str(out), "--stop", "2s", "--format", "npy"]) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(output.out)))
    assert main(["decode", "-", "-o", str(out)]) == 0
    assert (out / "demo.dat").read_bytes() == record.with_suffix(".dat").read_bytes()


@pytest.mark.parametrize(
    ("start", "stop", "frames"),
    [
        ("0", "1", (0, 1)),
        ("7199", "7201", (7199, 7201)),
        ("3.5s", "50s", (1260, 18_000)),
        ("21480", None, (21_480, 21_600)),
        (None, "0.5s", (0, 180)),
    ],
)
def test_a_range_holds_the_samples_that_were_asked_for(
    *,
    start: str | None,
    stop: str | None,
    frames: tuple[int, int],
    san_file: Path,
    minute_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = [*(["--start", start] if start else []), *(["--stop", stop] if stop else [])]
    capsys.readouterr()
    assert main(["decode", str(san_file), "--format", "npy", *places]) == 0
    written = capsys.readouterr().out.splitlines()
    assert len(written) == 1
    expected = WfdbRecord.open(minute_folder / "demo").read(*frames).samples
    assert_array_equal(np.load(written[0]), expected)


def test_a_range_as_wfdb_reads_back_through_wfdb(san_file: Path, minute_folder: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    out = san_file.parent / "out"
    assert main(["decode", str(san_file), "--start", "2s", "--stop", "6s", "-o", str(out)]) == 0
    (header,) = out.glob("*.hea")
    found = wfdb.rdrecord(str(header.with_suffix("")), physical=False).d_signal
    whole = wfdb.rdrecord(str(minute_folder / "demo"), physical=False).d_signal
    assert_array_equal(found, whole[720:2160])


def test_the_san_layer_alone_is_a_preview(san_file: Path, minute_folder: Path) -> None:
    out = san_file.parent / "preview"
    arguments = ["decode", str(san_file), "--layer", "san", "--format", "npy", "-o", str(out)]
    assert main(arguments) == 0
    (path,) = out.iterdir()
    preview = np.load(path)
    source = WfdbRecord.open(minute_folder / "demo")
    original = source.read(0, source.n_frames).samples
    assert preview.shape == original.shape
    left = np.abs(original - preview - np.median(original - preview, axis=0)).mean()
    assert left < 0.8 * np.abs(original - np.median(original, axis=0)).mean()


def test_inspect_accounts_for_every_byte(
    san_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["inspect", "--bytes", "--json", str(san_file)]) == 0
    report = json.loads(capsys.readouterr().out)
    offset = 0
    for span in report["spans"]:
        assert span["offset"] == offset
        assert span["n_bytes"] > 0
        assert span["what"]
        offset += span["n_bytes"]
    assert offset == report["n_bytes"] == sum(report["layers"].values()) == san_file.stat().st_size


def test_inspect_reports_what_encode_reported(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(record), "--json"]) == 0
    encoded = json.loads(capsys.readouterr().out)
    assert main(["inspect", "--json", str(record.with_suffix(".san"))]) == 0
    inspected = json.loads(capsys.readouterr().out)
    at_encoding = {"encode_seconds", "samples_per_second", "verified"}
    # Why it was chosen is not in the file.
    for signal in encoded["signals"]:
        assert signal["decided_by"]
        signal["decided_by"] = ""
    for name in set(encoded) - at_encoding:
        assert inspected[name] == encoded[name], name
    assert inspected["encode_seconds"] is None


def test_verify_says_that_a_file_is_whole(
    san_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["verify", str(san_file)]) == 0
    assert capsys.readouterr().out == f"{san_file}: whole\n"


def test_demo_gives_the_record_the_file_and_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "-o", str(tmp_path)]) == 0
    output = capsys.readouterr()
    assert "byte for byte" in output.out
    files = _contents(tmp_path)
    assert files["demo.png"].startswith(b"\x89PNG")
    assert files["decoded/demo.dat"] == files["demo.dat"]
    assert files["decoded/demo.hea"] == files["demo.hea"]


# --- bad records -------------------------------------------------------------------------------


def _edit(old: str, new: str) -> Callable[[Path], None]:
    def apply(header: Path) -> None:
        text = header.read_text()
        assert old in text
        header.write_text(text.replace(old, new))

    return apply


def _shorten(header: Path) -> None:
    signals = header.with_suffix(".dat")
    signals.write_bytes(signals.read_bytes()[:-100])


def _keep_first_line(header: Path) -> None:
    header.write_text("demo 0 360 4320\n")


def _empty(header: Path) -> None:
    _edit(" 4320", " 0")(header)
    header.with_suffix(".dat").write_bytes(b"")


BAD_RECORDS = {
    "no signal file": (lambda header: header.with_suffix(".dat").unlink(), "demo.dat"),
    "no header": (lambda header: header.unlink(), "demo.hea"),
    "empty header": (lambda header: header.write_text(""), "demo.hea"),
    "signal file cut": (_shorten, "demo.dat"),
    "unknown format": (_edit("demo.dat 212", "demo.dat 999"), "999"),
    "no lead": (_keep_first_line, "demo.hea"),
    "zero samples": (_empty, "demo"),
    "nan gain": (_edit(" 200.0(1024)/mV", " nan(1024)/mV"), "demo.hea"),
    "not a number": (_edit(" 360 ", " fast "), "demo.hea"),
    "signal file elsewhere": (_edit("demo.dat", "../demo.dat"), "demo.hea"),
}


@pytest.mark.parametrize("kind", BAD_RECORDS)
def test_a_bad_record_is_one_line_and_nothing_is_written(
    kind: str, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, named = BAD_RECORDS[kind]
    spoil(record)
    before = _contents(record.parent)
    code, line = _run_failing(["encode", str(record)], capsys)
    assert code == 1
    assert named in line
    assert _contents(record.parent) == before


def test_of_several_records_the_good_ones_are_encoded(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = record.with_name("missing.hea")
    assert main(["encode", str(missing), str(record)]) == 4
    assert record.with_suffix(".san").is_file()
    said = capsys.readouterr().err
    assert "missing.hea" in said
    assert "1 of 2 files failed" in said


# --- bad files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["decode", "inspect", "verify"])
@pytest.mark.parametrize("content", [b"", b"\n", b"PK\x03\x04 not ours", b"\x89PNG\r\n\x1a\n" * 9])
def test_a_file_of_another_kind_is_refused(
    verb: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.san"
    path.write_bytes(content)
    code, line = _run_failing([verb, str(path)], capsys)
    assert code == 3
    assert "other.san" in line
    assert set(_contents(tmp_path)) == {"other.san"}


@pytest.mark.parametrize("verb", ["decode", "inspect", "verify"])
def test_a_file_that_is_not_there_is_one_line(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = _run_failing([verb, str(tmp_path / "none.san")], capsys)
    assert code == 1
    assert "none.san" in line


@pytest.mark.parametrize("share", np.linspace(0, 1, 24, endpoint=False))
def test_a_file_cut_anywhere_is_refused_and_leaves_nothing(
    share: float, san_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = san_file.read_bytes()
    san_file.write_bytes(content[: round(share * len(content))])
    out = san_file.parent / "out"
    for arguments in (["verify", str(san_file)], ["decode", str(san_file), "-o", str(out)]):
        code, line = _run_failing(arguments, capsys)
        assert code == 3
        assert "demo.san" in line
    assert not out.exists() or not _contents(out)


@pytest.mark.parametrize("place", [0, 9, 20, 60, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, -9, -1])
def test_a_flipped_byte_is_refused_and_leaves_nothing(
    place: float, san_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(san_file.read_bytes())
    content[int(place * len(content)) if 0 < place < 1 else int(place)] ^= 0x40
    san_file.write_bytes(content)
    out = san_file.parent / "out"
    for arguments in (["verify", str(san_file)], ["decode", str(san_file), "-o", str(out)]):
        code, line = _run_failing(arguments, capsys)
        assert code == 3
        assert "demo.san" in line
    assert not out.exists() or not _contents(out)


def test_of_several_files_the_corrupt_one_is_named(
    san_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = san_file.with_name("bad.san")
    bad.write_bytes(san_file.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["verify", str(bad), str(san_file)]) == 4
    output = capsys.readouterr()
    assert "bad.san" in output.err
    assert "demo.san: whole" in output.out


# --- outputs -----------------------------------------------------------------------------------


def test_nothing_is_overwritten_without_force(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = record.with_suffix(".san")
    target.write_bytes(b"precious")
    code, line = _run_failing(["encode", str(record)], capsys)
    assert code == 1
    assert "--force" in line
    assert "demo.san" in line
    assert target.read_bytes() == b"precious"
    assert main(["encode", str(record), "--force"]) == 0
    assert target.read_bytes() != b"precious"


def test_decode_beside_the_originals_leaves_them_alone(
    record: Path, san_bytes: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    target = record.with_suffix(".san")
    target.write_bytes(san_bytes)
    record.with_suffix(".dat").write_bytes(b"changed meanwhile")
    before = _contents(record.parent)
    code, line = _run_failing(["decode", str(target)], capsys)
    assert code == 1
    assert "--force" in line
    assert _contents(record.parent) == before


def test_an_output_folder_that_is_a_file_is_one_line(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = record.parent / "demo.dat" / "x.san"
    before = _contents(record.parent)
    code, line = _run_failing(["encode", str(record), "-o", str(target)], capsys)
    assert code == 1
    assert "x.san" in line
    assert _contents(record.parent) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_one_line(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code, line = _run_failing(["encode", str(record), "-o", str(closed / "x.san")], capsys)
    assert code == 1
    assert "closed" in line


def test_two_records_of_one_name_are_not_written_over_each_other(
    record: Path, simulated_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [str(record), str(simulated_folder / "demo.hea")]
    target = record.parent / "compressed"
    target.mkdir()
    code, line = _run_failing(["encode", *both, "-o", str(target), "--force"], capsys)
    assert code == 2
    assert "demo.san" in line
    assert not _contents(target)


# --- usage, interruption, terminals ------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["encode"],
        ["encode", "x", "--nonsense"],
        ["encode", "x", "--chunk", "-1"],
        ["encode", "x", "--chunk", "nan"],
        ["encode", "x", "--kernels", "some"],
        ["decode", "x", "--start", "-1"],
        ["decode", "x", "--start", "nans"],
        ["decode", "x", "--stop", "12.5"],
        ["decode", "x", "--provider", "abacus"],
        ["encode", "x", "y", "-o", "-"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = _run_failing(arguments, capsys)
    assert code == 2


@pytest.mark.parametrize("places", [["--start", "21601"], ["--start", "9s", "--stop", "3s"]])
def test_a_range_outside_of_the_record_is_wrong_usage(
    places: list[str], san_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = _run_failing(["decode", str(san_file), *places], capsys)
    assert code == 2
    assert "21600" in line or "1080" in line


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert re.search(rf"Example.*sancodec {verb}", capsys.readouterr().out, re.DOTALL)


def test_cuda_without_a_device_is_one_line(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("there is a CUDA device")
    code, line = _run_failing(["encode", str(record), "--provider", "cuda"], capsys)
    assert code == 1
    assert "cuda" in line.lower()
    assert not record.with_suffix(".san").exists()


def test_a_model_that_is_not_there_is_one_line(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = _run_failing(["encode", str(record), "--model", "none.onnx"], capsys)
    assert code == 1
    assert "none.onnx" in line
    assert not record.with_suffix(".san").exists()


def test_an_interruption_ends_quietly_with_130(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sancodec.cli.encode.encode_file", interrupted)
    assert main(["encode", str(record)]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_verbose_shows_where_it_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-v", "inspect", str(tmp_path / "none.san")]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_control_characters_of_a_header_do_not_reach_the_terminal(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit("demo.dat 212", "\x1b[2Jdemo\u202e.dat 212")(record)
    _, line = _run_failing(["encode", str(record)], capsys)
    assert "\x1b" not in line
    assert "\u202e" not in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a [31mb"),
        ("a\nb\tc", "a b c"),
        ("\u202egnp.exe", " gnp.exe"),
        ("µV é 心", "µV é 心"),
    ],
)
def test_text_of_others_is_printed_without_control_characters(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_progress_is_shown_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar("x") as progress:
        assert progress is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("some [bold]record") as progress:
        assert progress is not None
        progress(50, 100)
        progress(100, 100, "pass 3")
    output = capsys.readouterr()
    assert output.out == ""
    assert "some [bold]record, pass 3" in output.err
    assert "100%" in output.err


def test_a_reader_that_has_gone_is_no_traceback(san_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sancodec.cli.main", "inspect", "--bytes", str(san_file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        run = subprocess.run(
            command,
            stdout=closed,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
    assert run.stderr == b""
    assert run.returncode == 1
