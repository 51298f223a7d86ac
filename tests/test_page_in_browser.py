"""A headless browser opens the page of a record, looks at what it draws, and clicks through it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sancodec
from sancodec.activation_beats import beats_of
from sancodec.config import CodecConfig
from sancodec.files import encode_file
from sancodec.pages.record import record_page
from sancodec.record_file import RecordFile

PX_PER_MM = 96 / 25.4


@pytest.fixture(scope="module")
def file(minute_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RecordFile:
    path = tmp_path_factory.mktemp("browser") / "demo.san"
    encode_file(minute_folder / "demo.hea", path, CodecConfig(level="fast"))
    return sancodec.open(path.read_bytes())


@pytest.fixture
def page(browser: Any, file: RecordFile, tmp_path: Path) -> Iterator[Any]:
    """The page of the record, open; nothing was fetched and nothing went wrong at its end."""
    path = tmp_path / "demo.html"
    path.write_text(record_page(file, [("file", "<b>small</b>")]), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    # This test's own looks at the pixels are what it advises on.
    own = "Canvas2D: Multiple readback"
    page.on("console", lambda said: said.text.startswith(own) or problems.append(said.text))
    page.on("request", lambda asked: problems.append(asked.url))
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    _settle(page)
    yield page
    page.screenshot(path=tmp_path / "demo.png")
    page.close()
    assert problems == [path.as_uri()]


def _settle(page: Any) -> None:
    page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 30))")


def _view(page: Any) -> tuple[float, float]:
    """Give the start in seconds and the speed in mm/s."""
    start, speed = page.evaluate(
        "() => { const d = document.getElementById('trace').dataset; return [d.start, d.speed]; }"
    )
    return float(start), float(speed)


def _pixels(page: Any, canvas: str) -> np.ndarray:
    """Give the (height, width, 4) pixels of a canvas."""
    found = page.evaluate(
        """(id) => { const c = document.getElementById(id), d = c.getContext('2d')
        .getImageData(0, 0, c.width, c.height).data; let s = '';
        for (let i = 0; i < d.length; i += 8192)
          s += String.fromCharCode(...d.subarray(i, i + 8192));
        return [c.width, c.height, btoa(s)]; }""",
        canvas,
    )
    width, height, packed = found
    return np.frombuffer(base64.b64decode(packed), np.uint8).reshape(height, width, 4)


def _peaks(pixels: np.ndarray, seconds: np.ndarray, speed: float) -> list[float]:
    """Give by how many pixels the trace of the first lead peaks beside each of the beats."""
    dark = (pixels[..., :3].max(axis=2) < 90) & (np.arange(len(pixels)) > 42)[:, None]
    top = np.where(dark.any(axis=0), dark.argmax(axis=0), len(pixels))
    found = []
    for at in seconds * speed * PX_PER_MM:
        around = slice(int(at) - 25, int(at) + 26)
        found.append(float(np.mean(np.flatnonzero(top[around] == top[around].min()))) - 25)
    return found


def test_the_signal_is_drawn_to_the_scale_of_paper(page: Any, file: RecordFile) -> None:
    assert _view(page) == (0.0, 25.0)
    assert page.locator("#speed").inner_text() == "25 mm/s"
    beats = beats_of(file).frame / file.fs
    shown = beats[(beats > 1.0) & (beats < 12.0)]
    assert len(shown) > 8
    assert np.abs(_peaks(_pixels(page, "trace"), shown, 25.0)).max() < 4
    # A millivolt is 10 mm: the R wave of the first lead, and the pulse beside it.
    pixels = _pixels(page, "trace")
    dark = pixels[..., :3].max(axis=2) < 90
    lead = file.physical()[0]
    around = dark[42:, int(shown[0] * 25 * PX_PER_MM) - 3 : int(shown[0] * 25 * PX_PER_MM) + 4]
    rows = np.flatnonzero(around.any(axis=1))
    tall = rows[np.append(np.flatnonzero(np.diff(rows) > 3), -1)[0]] - rows[0]
    frame = round(shown[0] * file.fs)
    expected = np.ptp(lead[frame - 11 : frame + 12]) * 10 * PX_PER_MM
    assert abs(tall - expected) < 0.15 * expected + 4


def test_zoom_keeps_what_is_in_the_middle(page: Any) -> None:
    page.locator("#forward").click()
    _settle(page)
    start, speed = _view(page)
    width = page.locator("#trace").bounding_box()["width"]
    middle = start + width / 2 / (speed * PX_PER_MM)
    before = _pixels(page, "trace")
    page.locator("#in").click()
    _settle(page)
    start, speed = _view(page)
    assert speed == 50.0
    assert abs(start + width / 2 / (speed * PX_PER_MM) - middle) < 0.01
    assert (_pixels(page, "trace") != before).any()
    page.locator("#paper").click()
    page.mouse.move(400, 400)
    page.mouse.wheel(0, -300)
    _settle(page)
    assert _view(page)[1] > 40
    page.keyboard.press("End")
    _settle(page)
    assert "0:01:00.00" in page.locator("#place").inner_text()


def test_dragging_moves_the_paper(page: Any) -> None:
    page.locator("#forward").click()
    _settle(page)
    start, _ = _view(page)
    page.mouse.move(600, 330)
    page.mouse.down()
    page.mouse.move(505.5, 330, steps=5)
    page.mouse.up()
    _settle(page)
    assert abs(_view(page)[0] - start - 1.0) < 0.05


def test_a_beat_of_the_table_is_gone_to(page: Any, file: RecordFile) -> None:
    beats = beats_of(file).frame / file.fs
    rows = page.locator("tr.beat")
    assert page.locator("#count").inner_text() == f"{len(beats)} of {len(beats)}"
    page.locator("#beats .scroll").evaluate("(box) => { box.scrollTop = 24 * 30; }")
    _settle(page)
    row = page.locator("tr.beat[data-beat='35']")
    row.click()
    _settle(page)
    start, speed = _view(page)
    width = page.locator("#trace").bounding_box()["width"]
    assert abs(start + width / 2 / (speed * PX_PER_MM) - beats[35]) < 0.01
    assert "chosen" in page.locator("tr.beat[data-beat='35']").get_attribute("class")
    assert row.locator("td").nth(1).inner_text() == f"0:00:{beats[35]:05.2f}"
    assert rows.count() < 60, "rows that cannot be seen are not there"


def test_a_kernel_lists_its_own_beats(page: Any, file: RecordFile) -> None:
    beats = beats_of(file)
    shapes = page.locator(".shape")
    assert shapes.count() == len(file.kernels)
    number = int(np.bincount(beats.kernel).argmin())
    shapes.nth(number).click()
    _settle(page)
    n_own = int((beats.kernel == number).sum())
    assert page.locator("#count").inner_text() == f"{n_own} of {beats.frame.size}"
    assert page.locator("#class").input_value() == str(number)
    shapes.nth(number).click()
    _settle(page)
    assert page.locator("#count").inner_text() == f"{beats.frame.size} of {beats.frame.size}"
    drawn = (
        shapes.nth(0)
        .locator("canvas")
        .evaluate(
            "(c) => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        )
    )
    assert drawn > 20


def test_layers_and_leads_are_shown_as_asked(page: Any) -> None:
    before = _pixels(page, "trace")
    page.locator("#layer").check()
    _settle(page)
    with_layer = _pixels(page, "trace")
    blue = (with_layer[..., 2].astype(int) - with_layer[..., 0] > 60).sum()
    assert blue > (before[..., 2].astype(int) - before[..., 0] > 60).sum() + 2000
    page.locator("#leads input").nth(1).uncheck()
    _settle(page)
    assert _pixels(page, "trace").shape[0] < before.shape[0] - 50
    page.locator("#stems").uncheck()
    _settle(page)
    page.locator("#overview").click(position={"x": 600, "y": 30})
    _settle(page)
    assert _view(page)[0] > 10


def test_texts_of_the_report_are_text(page: Any) -> None:
    assert page.locator("#figures dd").first.inner_text() == "<b>small</b>"
