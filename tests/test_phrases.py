from __future__ import annotations

import hashlib
from pathlib import Path

from sancodec.formats.make_phrases import make_phrases
from sancodec.formats.phrases import SHA256, phrases


def test_the_phrases_are_those_that_files_refer_to() -> None:
    assert hashlib.sha256(phrases()).hexdigest() == SHA256


def test_the_specification_names_the_same_phrases() -> None:
    text = (Path(__file__).resolve().parent.parent / "formats" / "SPEC.md").read_text()
    assert f"the {len(phrases()):,} bytes of `formats/phrases.bin`, SHA-256 {SHA256}" in text


def test_the_phrases_follow_from_their_rules() -> None:
    assert make_phrases() == phrases()
