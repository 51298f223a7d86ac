"""Records that several test modules share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sancodec.simulate import Simulation, simulate_record, write_wfdb


@pytest.fixture(scope="session")
def simulated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve simulated seconds as a WFDB record named demo; not to be written to."""
    folder = tmp_path_factory.mktemp("simulated")
    write_wfdb(simulate_record(Simulation(duration_seconds=12.0), np.random.default_rng(5)), folder)
    return folder
