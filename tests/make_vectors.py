"""Write the test vectors and their list: python tests/make_vectors.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from make_golden import GOLDEN
from vector_cases import BAD, BAD_PACKS, GOOD, GOOD_PACKS, UNSUPPORTED

FOLDER = Path(__file__).parent / "vectors"
VECTORS = {"good": GOOD, "bad": BAD, "unsupported": UNSUPPORTED}
PACKS = {"good": GOOD_PACKS, "bad": BAD_PACKS, "unsupported": {}}
MEANINGS = {
    "good": "A reader gives the samples, and the files where the vector has any.",
    "bad": "Damaged: a reader refuses the file, and gives nothing of it.",
    "unsupported": "Whole, but of another version: a reader refuses the file, and says that.",
}
HEAD = """# Test vectors

Files that a reader of `.san` files, and of packs of them, is tested with, and why each of them
exists. They are made by `python tests/make_vectors.py`, field by field and with right checksums,
unless these are what a vector is about. `formats/SPEC.md` and `formats/SPEC-PACK.md` say what a
reader does with them; `tests/test_vectors.py` tests sancodec and a plain reader that shares no code
with it.
"""


def lines() -> Iterator[str]:
    """Give the list of all vectors, line by line."""
    yield from HEAD.splitlines()
    for folder, cases in VECTORS.items():
        yield from ("", f"## {folder}", "", MEANINGS[folder], "")
        yield from ("| file | why it exists |", "|---|---|")
        for name, (why, _) in sorted(cases.items()):
            yield f"| `{folder}/{name}.san` | {why} |"
        for name, (why, _) in sorted(PACKS[folder].items()):
            yield f"| `{folder}/{name}.sanpack` | {why} |"
        if folder == "good":
            for name, write in sorted(GOLDEN.items()):
                why = (write.__doc__ or "").splitlines()[0]
                yield f"| `../golden/{name}.san` | {why[0].lower()}{why[1:].rstrip('.')} |"


def files() -> Iterator[tuple[Path, bytes]]:
    """Give path and bytes of every vector."""
    for suffix, folders in ((".san", VECTORS), (".sanpack", PACKS)):
        for folder, cases in folders.items():
            for name, (_, content) in cases.items():
                yield FOLDER / folder / f"{name}{suffix}", content


def main() -> None:
    """Write every file anew, and take away what is no vector any more."""
    made = dict(files())
    for path in FOLDER.glob("*/*.san*"):
        if path not in made:
            path.unlink()
    for path, content in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (FOLDER / "README.md").write_text("\n".join(lines()) + "\n")


if __name__ == "__main__":
    main()
