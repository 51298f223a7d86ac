"""Machine code on disk: never that of sources as they were before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sancodec.entropy import compiled

ROOT = Path(__file__).resolve().parent.parent

_ASK = """
import json
import numpy as np
from sancodec.entropy.adaptive import new_contexts, take_number
cursor = np.array([1 << 40, 2, 0])
take_number(np.zeros(2, np.uint32), cursor, new_contexts(1), 0)
print(json.dumps([int(cursor[0]), sum(take_number.stats.cache_hits.values())]))
"""


def _ask(root: Path) -> list[int]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", _ASK]
    asked = subprocess.run(command, env=environment, cwd=root, capture_output=True, check=True)
    answer: list[int] = json.loads(asked.stdout)
    return answer


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package whose sources may be changed."""
    without_cache = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for folder in ("sancodec", "formats", "models"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without_cache)
    return tmp_path


@pytest.mark.skipif(not (ROOT / "formats" / "SPEC.md").is_file(), reason="needs a checkout")
def test_what_was_compiled_before_a_callee_changed_is_not_used(copy: Path) -> None:
    (state, hits), (same_state, new_hits) = _ask(copy), _ask(copy)
    assert state == same_state != 42
    assert (hits, new_hits) == (0, 1)
    # take_number stands in another file than what it calls.
    rans = copy / "sancodec" / "entropy" / "rans.py"
    source = rans.read_text()
    assert source.count("    cursor[0] = state\n") == 1
    rans.write_text(source.replace("    cursor[0] = state\n", "    cursor[0] = 42\n"))
    assert _ask(copy) == [42, 0]


def test_code_outside_of_the_core_depends_on_its_own_folder_and_on_the_core(
    tmp_path: Path,
) -> None:
    folder, other = tmp_path / "one", tmp_path / "other"
    for path in (folder, other):
        path.mkdir()
        (path / "callee.py").write_text("A = 1\n")
    core = Path(compiled.__file__).parent
    before = compiled.digest_for(folder)
    assert before == compiled.digest_for(other) != compiled.digest_for(core)
    (folder / "callee.py").write_text("A = 2\n")
    compiled.digest_for.cache_clear()
    assert compiled.digest_for(folder) != before == compiled.digest_for(other)
    assert compiled.digest_for(core) == compiled.digest_for(core.parent / "san")
