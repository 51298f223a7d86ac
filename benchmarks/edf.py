"""EDF files beside what archives use, and pcodec: python benchmarks/edf.py FILE..."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
from pathlib import Path

import numpy as np
import zstandard
from pcodec import ChunkConfig, DeltaSpec, standalone

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sancodec.config import CodecConfig  # noqa: E402
from sancodec.files import encode_file  # noqa: E402
from sancodec.formats.edf import EdfRecord  # noqa: E402

DELTAS = [DeltaSpec.try_consecutive(order) for order in range(1, 8)] + [DeltaSpec.try_lookback()]


def pcodec_bytes(record: EdfRecord) -> int:
    """Give the bytes of all signals, each with its best delta coding, without any header."""
    signals = record.read(0, record.n_frames).signals
    configs = [ChunkConfig(compression_level=12, delta_spec=delta) for delta in DELTAS]
    return sum(
        min(len(standalone.simple_compress(np.ascontiguousarray(s), own)) for own in configs)
        for s in signals
    )


def sizes(path: Path) -> dict[str, int]:
    """Give bytes by the name of what made them."""
    content, encoded = path.read_bytes(), io.BytesIO()
    encode_file(path, encoded, CodecConfig())
    return {
        "sancodec": len(encoded.getvalue()),
        "pcodec 12, samples alone": pcodec_bytes(EdfRecord.open(path)),
        "xz -9e": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)),
        "zstd -19": len(zstandard.ZstdCompressor(level=19).compress(content)),
        "gzip -9": len(gzip.compress(content, 9)),
    }


def main(paths: list[str]) -> None:
    print("| file | samples | made by | bytes | bits/sample |")
    print("|---|---:|---|---:|---:|")
    for path in map(Path, paths):
        record = EdfRecord.open(path)
        n_samples = record.n_frames * sum(c.samples_per_frame for c in record.channels)
        for name, n_bytes in sizes(path).items():
            bits = 8 * n_bytes / n_samples
            print(
                f"| {path.name} | {n_samples:,} | {name} | {n_bytes:,} | {bits:.3f} |", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
