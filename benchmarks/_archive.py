"""An archive of many records of seconds, made from a few real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDERS = (
    "ptb-xl/records100",
    "ptb-xl/records500",
    "ptb-xl-challenge2021",
    "georgia",
    "chapman-shaoxing-ningbo",
    "cpsc2018",
    "cpsc2018-extra",
)
"""Those of ``extra`` that hold records of twelve leads."""

_FIELD_INITIAL = 5
_A_FOLDER = 500


def make_archive(extra: Path, target: Path, n_records: int, seed: int = 0) -> int:
    """Write records in folders of 500, and give the bytes of their signal files.

    Each is one of the real ones, begun at another sample and ended with what stood before it: all
    values, and all that leads have in common, are as they were, and no two files are the same.
    """
    headers = [path for name in FOLDERS for path in sorted((extra / name).glob("*.hea"))]
    if not headers:
        raise FileNotFoundError(f"{extra}: none of {', '.join(FOLDERS)}")
    rng = np.random.default_rng(seed)
    n_bytes = 0
    for i in range(n_records):
        folder = target / f"{i // _A_FOLDER:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        n_bytes += _write_turned(headers[i % len(headers)], folder, f"{i:05d}", rng)
    return n_bytes


def _write_turned(header: Path, folder: Path, name: str, rng: np.random.Generator) -> int:
    lines = header.read_text("utf-8").splitlines()
    n_leads = int(lines[0].split()[1])
    signal_file, fmt = lines[1].split()[:2]
    offset = int(fmt.partition("+")[2] or 0)
    content = header.with_name(signal_file).read_bytes()
    frames = np.frombuffer(content[offset:], "<i2").reshape(-1, n_leads)
    turned = np.roll(frames, rng.integers(1, len(frames)), axis=0)
    path = folder / f"{name}{Path(signal_file).suffix}"
    path.write_bytes(content[:offset] + turned.tobytes())
    text = [lines[0].replace(header.stem, name, 1)]
    for line, initial in zip(lines[1 : n_leads + 1], turned[0], strict=True):
        fields = line.split(" ")
        fields[0], fields[_FIELD_INITIAL] = path.name, str(initial)
        text.append(" ".join(fields))
    (folder / f"{name}.hea").write_text("\n".join([*text, *lines[n_leads + 1 :]]) + "\n", "utf-8")
    return path.stat().st_size
