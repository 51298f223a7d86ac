"""Records that several test modules share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sancodec.simulate import Simulation, simulate_record, write_wfdb


def _write_simulated(folder: Path, seconds: float) -> Path:
    simulation = Simulation(duration_seconds=seconds)
    write_wfdb(simulate_record(simulation, np.random.default_rng(5)), folder)
    return folder


@pytest.fixture(scope="session")
def simulated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve simulated seconds as a WFDB record named demo; not to be written to."""
    return _write_simulated(tmp_path_factory.mktemp("simulated"), 12.0)


@pytest.fixture(scope="session")
def minute_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated minute, long enough for a SAN layer to pay; not to be written to."""
    return _write_simulated(tmp_path_factory.mktemp("minute"), 60.0)


_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium: the system's, or the one that playwright has installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    with playwright.sync_playwright() as running:
        found = found or running.chromium.executable_path
        if not Path(found).exists():
            pytest.skip("no Chromium: apt-get install chromium-headless-shell")
        # As root, in a container, there is no sandbox to be had.
        opened = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the plain reader is asked for: it takes a minute or two for all golden files."""
    parser.addoption(
        "--plain-reader-all",
        action="store_true",
        help="read all golden files to their ends with the plain reader",
    )
