"""A part of a record on paper: what is drawn, to what scale, and what is refused."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from make_golden import write_several

import sancodec
from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError, RecordError
from sancodec.fidelity import TargetPrdn
from sancodec.files import encode_file
from sancodec.paper import draw_paper, paper_of
from sancodec.record_file import RecordFile

FAST = CodecConfig(level="fast", model="none")


@pytest.fixture(scope="module")
def encoded(minute_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute with loss; not to be written to."""
    path = tmp_path_factory.mktemp("paper") / "demo.san"
    encode_file(
        minute_folder / "demo.hea", path, CodecConfig(level="fast", fidelity=TargetPrdn(9.0))
    )
    return path


@pytest.fixture(scope="module")
def file(encoded: Path) -> RecordFile:
    return sancodec.open(encoded.read_bytes())


def _array(name: str = "", units: str = "mV", scale: int = 100) -> RecordFile:
    samples = (np.sin(np.arange(2000) / 20) * scale).round().astype(int)[:, None]
    channels = [sancodec.Channel(name=name, units=units)]
    content = sancodec.encode(samples, fs=100, name=name, channels=channels, config=FAST)
    return sancodec.open(content)


def test_layer_and_original_are_those_of_the_span(file: RecordFile, minute_folder: Path) -> None:
    picture = paper_of(file, 360, 1800, leads=["V5", 0], against=minute_folder / "demo.hea")
    assert [lead.name for lead in picture.leads] == ["V5", "II"]
    assert (picture.start, picture.seconds) == (1.0, 4.0)
    lead = picture.leads[0]
    np.testing.assert_array_equal(lead.decoded, file.physical(360, 1800)[2])
    layer = np.concatenate([span.signals[2] for span in file.spans(360, 1800, layer="san")])
    assert lead.layer is not None
    np.testing.assert_array_equal(lead.layer, (layer - file.channels[2].baseline) / 200)
    assert lead.against is not None
    error = lead.decoded - lead.against
    assert 0 < np.sqrt(np.mean(error**2)) < 0.15 * lead.against.std()
    assert picture.activations.seconds.min() >= 1.0
    assert picture.activations.seconds.max() < 5.0


def test_a_second_is_25_mm_of_the_picture(file: RecordFile, tmp_path: Path) -> None:
    widths = []
    for seconds in (4, 8):
        target = tmp_path / f"{seconds}.svg"
        draw_paper(paper_of(file, 0, seconds * 360, leads=["II"]), target)
        points = ET.parse(target).getroot().get("width", "").removesuffix("pt")
        widths.append(float(points) / 72 * 25.4)
    # Kernels stand side by side below, and may be wider than a short signal.
    assert widths[1] - widths[0] == pytest.approx(100.0, abs=0.1)


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_a_picture_is_of_the_format_of_its_name(
    suffix: str, magic: bytes, encoded: Path, tmp_path: Path
) -> None:
    target = tmp_path / f"demo{suffix}"
    assert main(["plot", str(encoded), "-o", str(target), "--stop", "2s", "--lead", "II"]) == 0
    assert target.read_bytes().startswith(magic)
    assert main(["plot", str(encoded), "-o", str(target), "--stop", "2s"]) == 1


def test_a_page_holds_its_picture(encoded: Path, tmp_path: Path) -> None:
    target = tmp_path / "demo.html"
    assert main(["plot", str(encoded), "-o", str(target), "--start", "20s", "--stop", "22s"]) == 0
    (held,) = re.findall(r"base64,([^\"]*)", target.read_text())
    assert b"<svg" in base64.b64decode(held)


def test_the_same_samples_give_the_same_picture(file: RecordFile, tmp_path: Path) -> None:
    picture = paper_of(file, 0, 360, leads=["V2"])
    for name in ("a.png", "b.png"):
        draw_paper(picture, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("name", ["$\\frac{", "<b>&", "a\nb\0c", "心"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_name_is_drawn_as_text(name: str, tmp_path: Path) -> None:
    draw_paper(paper_of(_array(name), 0, 500), tmp_path / "p.svg")
    ET.parse(tmp_path / "p.svg")


@pytest.mark.parametrize(("units", "scale"), [("mV", 100_000), ("mmHg", 20_000), ("mV", 0)])
def test_signals_of_any_size_fit_the_paper(units: str, scale: int, tmp_path: Path) -> None:
    draw_paper(paper_of(_array("x", units, scale), 0, 500), tmp_path / "p.svg")
    points = ET.parse(tmp_path / "p.svg").getroot().get("height", "").removesuffix("pt")
    assert 20 < float(points) / 72 * 25.4 < 120


def test_segments_with_gaps_are_drawn(tmp_path: Path) -> None:
    encode_file(write_several(tmp_path), tmp_path / "several.san", FAST)
    file = sancodec.open((tmp_path / "several.san").read_bytes())
    picture = paper_of(file, 0, min(file.n_frames, int(20 * file.fs)))
    assert all(lead.layer is None for lead in picture.leads)
    draw_paper(picture, tmp_path / "p.png")


def test_what_cannot_be_drawn_is_refused(
    file: RecordFile, encoded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="--start and --stop"):
        paper_of(file, 5, 5)
    with pytest.raises(ConfigError, match="lead 'X'"):
        paper_of(file, 0, 360, leads=["X"])
    (tmp_path / "o.dat").write_bytes(bytes(600))
    (tmp_path / "o.hea").write_text("o 3 360 100\n" + "o.dat 16 200 16 0 0 0 0 x\n" * 3)
    with pytest.raises(RecordError, match="100 frames of 3 channels"):
        paper_of(file, 0, 360, against=tmp_path / "o.hea")
    assert main(["plot", str(encoded), "-o", str(tmp_path / "p.bmp")]) == 2
    assert main(["plot", str(encoded), "-o", str(tmp_path / "p.png"), "--start", "99s"]) == 2
    assert not (tmp_path / "p.png").exists()
