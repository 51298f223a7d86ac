"""What looking for a structure costs in records that have none, of the time that encoding takes.

Example: python benchmarks/refusal.py data/mitdb/100.hea --excerpt data/s0010_re.hea 10
"""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from lossless import excerpt

from sancodec.base import find_structure
from sancodec.codec import encode_stream
from sancodec.config import CodecConfig
from sancodec.formats.wfdb import WfdbRecord
from sancodec.planning import chunk_frames_of
from sancodec.runtime import open_session

_N_TIMES = 5


@click.command()
@click.argument("records", nargs=-1, type=click.Path(path_type=Path), metavar="RECORD...")
@click.option("--excerpt", "parts", type=(Path, float), multiple=True, help="RECORD SECONDS.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each record.")
def main(records: tuple[Path, ...], parts: tuple[tuple[Path, float], ...], as_json: bool) -> None:
    """Measure the search for a structure, in processor time, beside encoding at each level."""
    for record in records:
        _measure(record, record.stem, as_json)
    for record, seconds in parts:
        with tempfile.TemporaryDirectory() as folder:
            short = excerpt(record.with_suffix(""), seconds, Path(folder))
            _measure(short.with_suffix(".hea"), f"{record.stem}, {seconds:g} s", as_json)


def _measure(path: Path, name: str, as_json: bool) -> None:
    source, session = WfdbRecord.open(path), open_session("cpu")
    config = CodecConfig()
    frames = chunk_frames_of(source, config)

    def encode() -> None:
        encode_stream(source, io.BytesIO(), config, session=session, restorer=source.restorer())

    # Once before: what is compiled or loaded is no part of it.
    encode()
    search = _best(lambda: find_structure(source, frames))
    whole = _best(encode, 2)
    found = find_structure(source, frames) is not None
    if as_json:
        print(json.dumps({"record": name, "search": search, "encode": whole, "found": found}))
        return
    print(
        f"{name}: search {1000 * search:.0f} ms of {1000 * whole:.0f} ms, "
        f"{search / whole:.1%}{', and there is one' if found else ''}"
    )


def _best(call: Callable[[], object], n_times: int = _N_TIMES) -> float:
    """Give the least processor time of several calls, in seconds."""
    best = float("inf")
    for _ in range(n_times):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return best


if __name__ == "__main__":
    main()
