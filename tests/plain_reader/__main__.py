"""Decode .san files and say what they hold; write their original files where asked.

cd tests && python -m plain_reader golden/short.san /tmp/restored
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import RefusedError, read
from .restoration import restore


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: python -m plain_reader FILE.san [FOLDER]", file=sys.stderr)
        return 2
    try:
        record = read(arguments[0])
        files = restore(record)
    except RefusedError as error:
        print(f"{arguments[0]}: refused: {error}", file=sys.stderr)
        return 3
    channels = zip(record.header.channels, record.samples, strict=True)
    for channel, lead in channels:
        span = f", {min(lead)} to {max(lead)}" if lead else ""
        print(f"{channel.name or '-'}: {len(lead)} samples{span}")
    for name, content in files.items():
        print(f"{name}: {len(content)} bytes")
        if len(arguments) == 2:
            with (Path(arguments[1]) / name).open("xb") as target:
                target.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
