from __future__ import annotations

import io
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sancodec.errors import (
    ChecksumError,
    ConfigError,
    CorruptError,
    RecordError,
    TruncatedError,
    UnsupportedError,
)
from sancodec.formats.compressed import compress, decompress
from sancodec.formats.container import ContainerReader, ContainerWriter, Header, Summary
from sancodec.formats.header import decode_header, encode_header, encode_summary
from sancodec.formats.phrases import phrases
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.recording import Channel

HEADER = Header(
    name="100",
    fs=360.0,
    channels=(
        Channel(name="MLII", adc_res=11, adc_zero=1024, baseline=1024),
        Channel(name="Atmung µ", units="Ω", adc_gain=-12.5, baseline=-7, samples_per_frame=4),
    ),
    n_frames=10,
    chunk_frames=4,
    fidelity=0,
    level=1,
    parameters=b"\x01\x02\x03",
    model_digest=bytes(range(32)),
    kernels=b"kernels",
)
SUMMARY = Summary(
    sample_hash=bytes(range(32, 48)),
    n_activations=300,
    n_amplitudes=600,
    san_bytes=12,
    residual_bytes=34,
    san_error=1 << 40,
    san_reference=1 << 41,
    restoration=b"how to restore",
)
PAYLOADS = (b"first", b"", b"third chunk")


def _write(header: Header = HEADER, summary: Summary = SUMMARY, payloads=PAYLOADS) -> bytes:
    target = io.BytesIO()
    writer = ContainerWriter(target, header)
    for payload in payloads:
        writer.add_chunk(payload)
    writer.finish(summary)
    assert writer.n_bytes == len(target.getvalue())
    return target.getvalue()


def _fields(header: Header) -> bytes:
    """Give the fields of a header as they are before they are compressed."""
    reader = ByteReader(encode_header(header))
    return decompress(reader.counted("fields", 1 << 20), 1 << 20, "fields", phrases())


def _header(fields: bytes) -> bytes:
    return ByteWriter().counted(compress(fields, phrases())).getvalue()


def _read_everything(encoded: bytes) -> None:
    reader = ContainerReader(io.BytesIO(encoded), "x.san")
    for i in range(len(reader.chunks)):
        reader.read_chunk(i)
    reader.account()


def test_a_container_comes_back() -> None:
    reader = ContainerReader(io.BytesIO(_write()))
    assert reader.header == HEADER
    assert reader.summary == SUMMARY
    assert [reader.read_chunk(i) for i in (2, 0, 1)] == [b"third chunk", b"first", b""]
    assert [(entry.start, entry.n_frames) for entry in reader.chunks] == [(0, 4), (4, 4), (8, 2)]


@pytest.mark.parametrize(
    ("n_frames", "n_chunks"), [(0, 0), (1, 1), (3, 1), (4, 1), (5, 2), (8, 2), (9, 3)]
)
def test_chunks_hold_every_frame_once(n_frames: int, n_chunks: int) -> None:
    header = replace(HEADER, n_frames=n_frames)
    reader = ContainerReader(io.BytesIO(_write(header, payloads=[b"x"] * n_chunks)))
    frames = [
        t for entry in reader.chunks for t in range(entry.start, entry.start + entry.n_frames)
    ]
    assert frames == list(range(n_frames))


@pytest.mark.parametrize("restoration", [b"", b"kept"])
def test_the_account_covers_every_byte_once(restoration: bytes) -> None:
    encoded = _write(summary=replace(SUMMARY, restoration=restoration))
    spans = ContainerReader(io.BytesIO(encoded)).account()
    offset = 0
    for span in spans:
        assert span.offset == offset
        assert span.n_bytes > 0
        offset += span.n_bytes
    assert offset == len(encoded)
    assert ("restoration" in spans[-2].what) == bool(restoration)


def test_chunk_entries_point_at_their_sections() -> None:
    encoded = _write()
    chunks = ContainerReader(io.BytesIO(encoded)).chunks
    header_checksum = int.from_bytes(encoded[chunks[0].offset - 4 : chunks[0].offset], "little")
    for i, (entry, payload) in enumerate(zip(chunks, PAYLOADS, strict=True)):
        section = encoded[entry.offset : entry.offset + entry.n_bytes]
        assert section[2:-4] == payload
        place = ((header_checksum + i) % 2**32).to_bytes(4, "little")
        assert section[-4:] == zlib.crc32(section[:-4] + place).to_bytes(4, "little")


def test_every_prefix_is_reported_as_truncated() -> None:
    encoded = _write()
    for n_bytes in range(len(encoded)):
        with pytest.raises(TruncatedError, match=r"x\.san"):
            _read_everything(encoded[:n_bytes])
    _read_everything(encoded)


def test_every_flipped_bit_is_noticed() -> None:
    encoded = _write()
    for offset in range(len(encoded)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 0x55, 0xFF):
            damaged = bytearray(encoded)
            damaged[offset] ^= mask
            with pytest.raises(CorruptError, match=r"x\.san"):
                _read_everything(bytes(damaged))


def test_every_missing_or_doubled_byte_is_noticed() -> None:
    encoded = _write()
    for offset in range(len(encoded)):
        with pytest.raises(CorruptError):
            _read_everything(encoded[:offset] + encoded[offset + 1 :])
        with pytest.raises(CorruptError):
            _read_everything(encoded[:offset] + encoded[offset : offset + 1] + encoded[offset:])


@settings(max_examples=300)
@given(st.binary(max_size=100))
def test_noise_is_never_accepted(noise: bytes) -> None:
    with pytest.raises(CorruptError):
        _read_everything(noise)
    with pytest.raises(CorruptError):
        _read_everything(_write()[:9] + noise + _write()[-5:])


def test_a_damaged_chunk_leaves_the_others_readable() -> None:
    encoded = bytearray(_write())
    encoded[ContainerReader(io.BytesIO(encoded)).chunks[0].offset + 3] ^= 1
    reader = ContainerReader(io.BytesIO(encoded), "x.san")
    with pytest.raises(ChecksumError, match=r"x\.san: chunk 0"):
        reader.read_chunk(0)
    assert reader.read_chunk(2) == b"third chunk"


def test_a_file_without_its_end_says_that_the_index_is_lost() -> None:
    encoded = _write()
    cut = ContainerReader(io.BytesIO(encoded)).chunks[2].offset
    with pytest.raises(TruncatedError, match="cut short, and the index at its end is lost"):
        ContainerReader(io.BytesIO(encoded[:cut]), "x.san")


def test_another_kind_of_file_is_told_from_a_damaged_one() -> None:
    with pytest.raises(CorruptError, match=r"x.san: not a .san file"):
        ContainerReader(io.BytesIO(b"PK\x03\x04" + bytes(100)), "x.san")
    with pytest.raises(CorruptError, match="text mode"):
        ContainerReader(io.BytesIO(_write().replace(b"\r\n", b"\n")), "x.san")


def test_a_newer_version_is_unsupported() -> None:
    encoded = bytearray(_write())
    encoded[8] = 4
    with pytest.raises(UnsupportedError, match=r"x\.san: container version 4"):
        ContainerReader(io.BytesIO(encoded), "x.san")


def test_overhead_of_a_short_record_is_small() -> None:
    header = replace(HEADER, kernels=b"", model_digest=bytes(8), n_frames=5000, chunk_frames=20_000)
    encoded = _write(header, replace(SUMMARY, restoration=b"r" * 30), [b"p" * 9000])
    assert len(encoded) - 9030 < 150


def test_twelve_leads_with_the_usual_names_cost_little() -> None:
    names = ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{i}" for i in range(1, 7)))
    channels = tuple(Channel(name=name, adc_gain=1000.0, adc_res=16) for name in names)
    assert len(encode_header(replace(HEADER, channels=channels, kernels=b""))) < 80


@pytest.mark.parametrize(
    ("field", "found", "message"),
    [
        ("fs", float("nan"), "sampling frequency"),
        ("fs", 0.0, "sampling frequency"),
        ("channels", (), "number of channels"),
        ("channels", (Channel(),) * 257, "number of channels"),
        ("channels", (Channel(adc_gain=float("inf")),), "channel 0: ADC gain"),
        ("channels", (Channel(adc_gain=0.0),), "channel 0: ADC gain"),
        ("channels", (Channel(samples_per_frame=0),), "samples of a frame"),
        ("channels", (Channel(samples_per_frame=1 << 16),) * 2, "samples of a frame"),
        ("channels", (Channel(name="x" * 1025),), "bytes of the name"),
        ("n_frames", (1 << 40) + 1, "number of frames"),
        ("n_frames", -1, "number of frames"),
        ("n_frames", 1 << 40, "number of chunks"),
        ("chunk_frames", 0, "frames in a chunk"),
        ("parameters", bytes((1 << 16) + 1), "codec parameters"),
        ("model_digest", b"short", "model digest"),
    ],
)
def test_what_no_container_holds_is_neither_written_nor_read(field, found, message) -> None:
    header = replace(HEADER, **{field: found})
    with pytest.raises(RecordError, match=message):
        ContainerWriter(io.BytesIO(), header)


def test_chunks_too_large_to_decode_are_refused() -> None:
    with pytest.raises(RecordError, match="samples of a chunk"):
        encode_header(replace(HEADER, n_frames=1 << 30, chunk_frames=1 << 26))


@pytest.mark.parametrize("field", ["fidelity", "level"])
def test_unknown_ids_are_unsupported(field: str) -> None:
    with pytest.raises(UnsupportedError, match=field):
        encode_header(replace(HEADER, **{field: 7}))
    fields = bytearray(_fields(HEADER))
    fields[5 if field == "fidelity" else 6] = 7
    with pytest.raises(UnsupportedError, match=f"x.san: {field} 7"):
        decode_header(_header(bytes(fields)), "x.san")


def test_header_fields_are_checked_when_read() -> None:
    fields = bytearray(_fields(HEADER))
    fields[3:5] = bytes(2)
    with pytest.raises(CorruptError, match=r"x\.san: header: sampling frequency is 0\.0"):
        decode_header(_header(bytes(fields[:4] + fields[5:])), "x.san")
    with pytest.raises(CorruptError, match="more than its fields"):
        decode_header(_header(_fields(HEADER) + b"x"), "x.san")
    with pytest.raises(CorruptError, match="kind 2, expected 0 or 1"):
        decode_header(_header(_fields(HEADER)[:12] + b"\2" + _fields(HEADER)[13:]), "x.san")


@pytest.mark.parametrize("n_bytes", range(len(_fields(HEADER))))
def test_every_prefix_of_the_fields_is_refused(n_bytes: int) -> None:
    with pytest.raises(TruncatedError, match=r"x\.san"):
        decode_header(_header(_fields(HEADER)[:n_bytes]), "x.san")


def test_a_huge_number_of_chunks_in_a_tiny_file_is_refused() -> None:
    header = replace(HEADER, n_frames=1 << 24, chunk_frames=1)
    with pytest.raises(CorruptError, match="2 bytes for 16777215 sizes"):
        _read_everything(_assemble(header, [], b"\x01\x01"))


def test_sections_that_contradict_one_another_are_refused() -> None:
    two = replace(HEADER, n_frames=8)
    long, short = _section(2, b"a" * 9), _section(2, b"b")
    _read_everything(_assemble(two, [long, short], b"\x0f"))
    for sections, sizes, message in (
        ([long, short], b"\x07", "chunk 0: section of 15 bytes"),
        ([short, long], b"\x0f", "chunk 0: section of 7 bytes .* the index says 15"),
        ([long, _section(3, b"b")], b"\x0f", "chunk 1: section type 3 .*, expected 2"),
        ([long, short], b"", "0 bytes for 1 sizes"),
        ([long, short, short], b"\x0f", "chunk 1: section of 7 bytes .* the index says 14"),
        ([long, short, b"gap"], b"\x0f", "chunk 1: section of 7 bytes .* the index says 10"),
        ([long, short], b"\x16", "0 bytes left for the last chunk"),
        ([long], b"\xff\xff\x7f", "size of chunk 0: 2097151"),
    ):
        with pytest.raises(CorruptError, match=message):
            _read_everything(_assemble(two, sections, sizes))
    with pytest.raises(CorruptError, match="7 bytes left for the last chunk"):
        _read_everything(_assemble(replace(HEADER, n_frames=0), [short], b""))


def _section(kind: int, payload: bytes) -> bytes:
    section = ByteWriter().u8(kind).counted(payload).getvalue()
    return section + zlib.crc32(section).to_bytes(4, "little")


def _assemble(header: Header, sections: list[bytes], sizes: bytes) -> bytes:
    """Give a file whose checksums are right, whatever else it says."""
    start = b"\x89SAN\r\n\x1a\n\x02" + _section(1, encode_header(header)) + b"".join(sections)
    index = _section(4, encode_summary(SUMMARY) + sizes)
    return start + index + ByteWriter().varint(len(index)).getvalue()[::-1] + b"SAN\x1a"


def test_too_few_or_too_many_chunks_are_refused_by_the_writer() -> None:
    writer = ContainerWriter(io.BytesIO(), replace(HEADER, n_frames=8))
    writer.add_chunk(b"a")
    with pytest.raises(ConfigError, match="1 chunks written, expected 2"):
        writer.finish(SUMMARY)
    writer.add_chunk(b"b")
    with pytest.raises(ConfigError, match="more than 2 chunks"):
        writer.add_chunk(b"c")
