"""Small files that are as they should be, at the edges of what there may be."""

from __future__ import annotations

from dataclasses import replace

from .chunks import PREDICTIVE, WIDE, blockwise, escaped, of_single
from .container import HALVES
from .kernels import ONE, bank, layer, layered
from .parameters import ratio, structured
from .parts import (
    RAMP,
    RAW_RAMP,
    Cases,
    Draft,
    binary,
    counted,
    decimal,
    raw_chunk,
    raw_lead,
    same,
    varint,
    zigzag,
)
from .restoration import SIGNALS, corrected, dat, hea, listed, spelled

PLAIN = Draft()
_EDGES = ((-(2**31), 2**31 - 1), (2**31 - 1, -(2**31)))
_MANY = tuple((i,) for i in range(256))


def _restored(*files: bytes, behind: bytes = b"") -> bytes:
    return replace(PLAIN, restoration=listed(*files, behind=behind)).build()


def _frame(content: bytes) -> bytes:
    """Give a zstd frame of a raw block, without the size of its content."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\0\x38" + block + content


CASES: Cases = {
    "plain": ("two leads of eight samples, as other vectors differ from them", PLAIN.build()),
    "no-samples": (
        "a record without samples: no chunk",
        replace(PLAIN, n_frames=varint(0), chunks=(), samples=((), ())).build(),
    ),
    "two-chunks": ("two chunks, and an index with the size of the first", HALVES.build()),
    "version-2": ("a file of version 2, of two chunks", replace(HALVES, version=2).build()),
    "columns-of-one": (
        "each column spelled channel by channel, though all values are the same",
        replace(PLAIN, gains=b"\0" + decimal(200) * 2, per_frame=b"\0\1\1").build(),
    ),
    "numbers-binary": (
        "numbers as binary64 that have a decimal, and one that has none",
        replace(PLAIN, fs=binary(250.0), gains=same(binary(200 / 3))).build(),
    ),
    "decimal-not-least": (
        "a decimal with more places than it needs, which readers take",
        replace(PLAIN, fs=decimal(25000, 2)).build(),
    ),
    "names-of-many-scripts": (
        "names of two, three and four bytes a letter",
        replace(PLAIN, names=b"\0" + counted("Ä導".encode()) + counted("🫀".encode())).build(),
    ),
    "channels-256": (
        "as many channels as there may be",
        Draft(
            n_frames=varint(1),
            chunk_frames=varint(1 << 40),
            n_channels=varint(256),
            names=same(counted(b"")),
            chunks=(raw_chunk(b"".join(raw_lead(i, 0, b"") for i in range(256))),),
            samples=_MANY,
        ).build(),
    ),
    "raw-edges": (
        "the smallest and the largest sample, of 32 bits",
        replace(
            PLAIN,
            n_frames=varint(2),
            samples=_EDGES,
            chunks=(
                raw_chunk(
                    raw_lead(-(2**31), 32, bytes(4) + b"\xff" * 4)
                    + raw_lead(2**31 - 1, 64, (1 - 2**32).to_bytes(5, "little", signed=True))
                ),
            ),
        ).build(),
    ),
    "raw-spare-bits": (
        "bits behind the last sample that are not 0, which readers do not look at",
        replace(
            PLAIN,
            n_frames=varint(1),
            samples=((1,), (2,)),
            chunks=(raw_chunk(raw_lead(0, 3, b"\xf9") + raw_lead(2, 0, b"")),),
        ).build(),
    ),
    "blockwise-single": ("one sample in mode 2", of_single(blockwise().words())),
    "predictive-escape": (
        "one sample in mode 1, told by the escape",
        of_single(escaped(-12345), PREDICTIVE),
    ),
    "wide-escape": ("one sample in mode 4, told by the escape", of_single(escaped(-12345), WIDE)),
    "order-reversed": (
        "leads coded from the last to the first",
        replace(
            PLAIN, parameters=b"\1\1", chunks=(raw_chunk(RAW_RAMP[8:] + RAW_RAMP[:8]),)
        ).build(),
    ),
    "groups-of-two": (
        "groups of layout 2, each with its residual",
        replace(
            PLAIN,
            parameters=b"\0\2\2\0\1\0\1\0",
            chunks=(raw_chunk(RAW_RAMP[:8]) + raw_chunk(RAW_RAMP[8:]),),
        ).build(),
    ),
    "layer-beside-raw": (
        "activations that no residual needs",
        layered(b"\1\0" + layer(), bank(), ONE.words()).build(),
    ),
    "structure-of-no-stage": ("a structure that changes nothing", structured(b"\0").build()),
    "structure-raw": (
        "a chunk whose structure is not made use of",
        structured(b"\1\1\0", chunk=b"\0" + RAW_RAMP).build(),
    ),
    "structure-misfit": (
        "a derived lead, and a sample that is not as derived",
        replace(
            structured(
                b"\1\1\1\1\1\0" + zigzag(1) + zigzag(0) + zigzag(-8) + b"\1",
                1,
                chunk=b"\1" + counted(b"\1\1\7" + zigzag(1)) + raw_chunk(RAW_RAMP[:8]),
            ),
            samples=(RAMP[0], (*RAMP[1][:7], 0)),
        ).build(),
    ),
    "grid-of-halves": (
        "values of a grid of 5/2, rounded to the even neighbour",
        replace(
            structured(b"\1\2\1" + ratio(5, 0, 2, b"\3" + zigzag(0)) + b"\1\0"),
            samples=((0, 2, 5, 8, 10, 12, 15, 18), RAMP[1]),
        ).build(),
    ),
    "restored": ("a header and a signal file, by rule", _restored(hea(), dat())),
    "restored-apart": (
        "a file without signals, and one longer than its samples",
        _restored(
            spelled(b"notes.txt"),
            dat(
                SIGNALS + b"behind",
                varint(2) + varint(0) + corrected(6, 32, 0, counted(b"\0behind")),
            ),
        ),
    ),
    "restored-attached": (
        "a correction in a frame that does not say its size",
        _restored(
            dat(
                SIGNALS + b"behind",
                varint(2) + varint(0) + corrected(6, 32, len(_frame(b"behind"))),
            ),
            behind=_frame(b"behind"),
        ),
    ),
}
