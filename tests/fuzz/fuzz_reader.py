"""Fuzz the reader and the decoder, guided by coverage: all but our errors is a finding.

``python tests/fuzz/fuzz_reader.py CORPUS -max_total_time=1800`` (atheris; options of libFuzzer).
The golden files are put into CORPUS, whole and in parts. The first byte of an input says what the
rest is: a file as it is, or a part of a golden file that is put in its place with checksums that
are right: without those, a mutated byte would never come past a CRC.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import atheris

# Loops that are compiled cannot be watched.
PACKAGE = Path(__file__).resolve().parents[2] / "sancodec"
COMPILED = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for folder in ("entropy", "residual", "san")
    for path in (PACKAGE / folder).rglob("*.py")
]

with atheris.instrument_imports(include=["sancodec"], exclude=COMPILED):
    from sancodec.errors import SancodecError
    from sancodec.files import verify_file
    from sancodec.formats.bundle import is_bundle
    from sancodec.formats.compressed import compress, decompress
    from sancodec.formats.container import ContainerReader
    from sancodec.formats.phrases import phrases
    from sancodec.formats.sections import (
        CRC_BYTES,
        END_MAGIC,
        encode_section,
        place_of,
    )
    from sancodec.formats.wire import ByteReader, ByteWriter
    from sancodec.inspection import inspect_stream
    from sancodec.salvage import Salvage, SegmentedSalvage
    from sancodec.segmented_file import SegmentedFile, open_stream

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
AS_IT_IS, SECTION, FIELDS = 0, 1, 2
FIELDS_LIMIT = 1 << 20


class Template:
    """A golden file, of which one section can be another."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.start, self.version = encoded[:9], encoded[8]
        spans = ContainerReader(io.BytesIO(encoded)).account()[1:-1]
        self.sections = [encoded[span.offset : span.stop] for span in spans]

    def payload(self, i: int) -> bytes:
        """Give what section ``i`` holds."""
        reader = ByteReader(self.sections[i])
        reader.u8("type")
        return bytes(reader.take(reader.varint("length"), "payload"))

    def fields(self) -> bytes:
        """Give the fields of the header before they are compressed."""
        reader = ByteReader(self.payload(0))
        return decompress(reader.counted("fields", FIELDS_LIMIT), FIELDS_LIMIT, "", phrases())

    def with_fields(self, fields: bytes) -> bytes:
        """Give the file with other fields in its header, compressed as an encoder does."""
        reader = ByteReader(self.payload(0))
        reader.counted("fields", FIELDS_LIMIT)
        kernels = bytes(reader.take(reader.remaining, "kernels"))
        return self.with_payload(
            0, ByteWriter().counted(compress(fields, phrases())).raw(kernels).getvalue()
        )

    def with_payload(self, changed: int, payload: bytes) -> bytes:
        """Give the file with another section, and all checksums right."""
        parts = []
        header_checksum, number = 0, 0
        for i in range(len(self.sections)):
            kind, own = self.sections[i][0], payload if i == changed else self.payload(i)
            placed = kind == 2 and self.version > 2
            section = encode_section(
                kind, own, place_of(header_checksum, number) if placed else None
            )
            if i == 0:
                header_checksum = int.from_bytes(section[-CRC_BYTES:], "little")
            number += kind == 2
            parts.append(section)
        body = self.start + b"".join(parts)
        if self.version == 1:
            footer = (len(body) - len(parts[-1])).to_bytes(8, "little")
        else:
            footer = ByteWriter().varint(len(parts[-1])).getvalue()[::-1]
        return body + footer + END_MAGIC


FILES = [path.read_bytes() for path in sorted(GOLDEN.glob("*.san"))]
# Files of several segments hold others, which are among these.
TEMPLATES = [Template(encoded) for encoded in FILES if not is_bundle(io.BytesIO(encoded))]


def file_of(given: bytes) -> bytes:
    """Give the file that an input stands for."""
    if len(given) < 3 or given[0] % 3 == AS_IT_IS:
        return given[1:]
    template = TEMPLATES[given[1] % len(TEMPLATES)]
    if given[0] % 3 == FIELDS:
        return template.with_fields(given[2:])
    return template.with_payload(given[2] % len(template.sections), given[3:])


def check(given: bytes) -> None:
    """Read what an input stands for in every way there is."""
    try:
        encoded = file_of(given)
    except SancodecError:
        # Fields for a header of version 1, which has others.
        return
    for read in (_inspect, _verify, _salvage):
        try:
            read(io.BytesIO(encoded))
        except SancodecError as error:
            str(error)


def _inspect(stream: io.BytesIO) -> None:
    report, spans = inspect_stream(stream, "x.san")
    report.to_json()
    assert sum(span.n_bytes for span in spans) == len(stream.getvalue())


def _verify(stream: io.BytesIO) -> None:
    verify_file(stream, provider="cpu", jobs=1)


def _salvage(stream: io.BytesIO) -> None:
    file = open_stream(stream, "x.san", provider="cpu", damaged=True)
    salvage = SegmentedSalvage(file) if isinstance(file, SegmentedFile) else Salvage(file)
    for _ in salvage.spans(0, file.n_frames):
        pass


def write_seeds(folder: Path) -> None:
    """Write the golden files, whole and in parts, as inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, encoded in enumerate(FILES):
        (folder / f"whole-{number}").write_bytes(bytes([AS_IT_IS]) + encoded)
    for number, template in enumerate(TEMPLATES):
        seeds = []
        for i in range(len(template.sections)):
            seeds.append(bytes([SECTION, number, i]) + template.payload(i))
        if template.version > 1:
            seeds.append(bytes([FIELDS, number]) + template.fields())
        for i, seed in enumerate(seeds):
            (folder / f"seed-{number}-{i}").write_bytes(seed)


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    if folders:
        write_seeds(folders[0])
    for encoded in FILES:
        check(bytes([AS_IT_IS]) + encoded)
    # A decoded chunk takes memory for its samples, which a header bounds by 2**26.
    limits = ["-rss_limit_mb=4096", "-timeout=60", "-max_len=65536"]
    atheris.Setup([sys.argv[0], *limits, *sys.argv[1:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
