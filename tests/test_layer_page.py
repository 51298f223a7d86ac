"""The page of an export makes the SAN layer in a browser: the decoder's integers, or it says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sancodec.cli.main import main
from sancodec.config import CodecConfig
from sancodec.errors import ConfigError
from sancodec.export import export_file
from sancodec.files import encode_file, open_file


@pytest.fixture(scope="module")
def page(minute_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a minute in chunks of twenty seconds; not to be written to."""
    folder = tmp_path_factory.mktemp("layer")
    config = CodecConfig(model="ecg", level="fast", chunk_seconds=20.0)
    encode_file(minute_folder / "demo.hea", folder / "demo.san", config)
    assert main(["export", str(folder / "demo.san"), "-o", str(folder), "--page"]) == 0
    return folder / "san.html"


def _opened(browser: Any, path: Path, problems: list[str]) -> Any:
    page = browser.new_page(viewport={"width": 1200, "height": 700})
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda asked: problems.append(asked.url))
    page.goto(path.as_uri())
    page.wait_for_selector("#state.right, #state.wrong")
    return page


def test_a_browser_makes_the_integers_of_the_decoder_without_a_network(
    browser: Any, page: Path
) -> None:
    asked: list[str] = []
    opened = _opened(browser, page, asked)
    assert "21,600 values" in opened.inner_text("#state")
    assert "those of sancodec's decoder" in opened.inner_text("#state")
    opened.select_option("#chunk", "2")
    opened.wait_for_selector("#place:has-text('40 s')")
    assert opened.get_attribute("#state", "class") == "right"
    opened.fill("#from", "7")
    assert opened.inner_text("#place") == "47 s to 57 s"
    opened.close()
    # The page itself, and the runtime out of the page.
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []


def test_a_page_that_makes_other_integers_says_so(browser: Any, page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    (stored,) = re.findall(r'id="embedded">(.*?)</script>', text, re.DOTALL)
    embedded = json.loads(stored)
    embedded["layers"][0]["checksums"][0][0] ^= 1
    (tmp_path / "wrong.html").write_text(text.replace(stored, json.dumps(embedded)))
    opened = _opened(browser, tmp_path / "wrong.html", [])
    assert "NOT those" in opened.inner_text("#state")
    opened.close()


def test_a_file_without_a_layer_has_no_page(tmp_path: Path, minute_folder: Path) -> None:
    config = CodecConfig(model="none", level="fast")
    encode_file(minute_folder / "demo.hea", tmp_path / "demo.san", config)
    with open_file(tmp_path / "demo.san") as file, pytest.raises(ConfigError, match="no SAN layer"):
        export_file(file, tmp_path / "parts", page=True)
    assert not (tmp_path / "parts").exists()


def test_names_of_a_record_are_text_on_a_page(page: Path) -> None:
    assert "<title>demo: SAN layer</title>" in page.read_text()
