"""Records that several test modules share."""

from __future__ import annotations

from pathlib import Path

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the plain reader is asked for: it takes a minute or two for all golden files."""
    parser.addoption(
        "--plain-reader-all",
        action="store_true",
        help="read all golden files to their ends with the plain reader",
    )
