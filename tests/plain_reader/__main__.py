"""Decode .san files, or take packs apart, and say what they hold; write their files where asked.

cd tests && python -m plain_reader golden/short.san /tmp/restored
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import RefusedError, read
from .packs import read_pack
from .restoration import restore


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: python -m plain_reader FILE.san|FILE.sanpack [FOLDER]", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    try:
        files = _unpack(path) if path.suffix == ".sanpack" else _decode(path)
    except RefusedError as error:
        print(f"{arguments[0]}: refused: {error}", file=sys.stderr)
        return 3
    for name, content in files.items():
        print(f"{name}: {len(content)} bytes")
        if len(arguments) == 2:
            place = Path(arguments[1], *name.split("/"))
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as target:
                target.write(content)
    return 0


def _unpack(path: Path) -> dict[str, bytes]:
    return {f"{name}.san": content for name, content in read_pack(path.read_bytes()).items()}


def _decode(path: Path) -> dict[str, bytes]:
    record = read(path)
    files = restore(record)
    for channel, lead in zip(record.header.channels, record.samples, strict=True):
        span = f", {min(lead)} to {max(lead)}" if lead else ""
        print(f"{channel.name or '-'}: {len(lead)} samples{span}")
    return files


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
