"""From the bytes of a .san file to the samples, checked against their hash."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from .carried import carried_samples
from .chunk import read_chunk
from .container import MAGIC, Container, read_container
from .header import Header
from .parameters import read_plan
from .principal import read_principal
from .record import Record
from .segments import VERSION, read_segments
from .wire import check


def read(path: Path | str) -> Record:
    return read_bytes(Path(path).read_bytes())


def read_bytes(content: bytes) -> Record:
    """Decode a file; raise RefusedError where SPEC.md refuses it."""
    if content[:9] == MAGIC + bytes([VERSION]):
        return read_segments(content, read_bytes)
    container = read_container(content)
    samples = read_samples(container)
    digest = sample_hash(container.header, samples)[: len(container.sample_hash)]
    check(digest == container.sample_hash, "the samples do not have their hash")
    return Record(container.header, samples, container.restoration, container.version)


def read_samples(container: Container, n_chunks: int | None = None) -> list[list[int]]:
    """Give the samples of all chunks, or of the first ones, channel by channel."""
    header = container.header
    plan = read_plan(header)
    read_principal(plan)
    per_frame = [channel.samples_per_frame for channel in header.channels]
    samples: list[list[int]] = [[] for _ in per_frame]
    for number, payload in enumerate(container.chunks[:n_chunks]):
        if not payload:
            start = number * header.chunk_frames
            stop = start + header.frames_of(number)
            whole = carried_samples(container.restoration, header)
            for lead, own, n in zip(samples, whole, per_frame, strict=True):
                lead.extend(own[start * n : stop * n])
            continue
        chunk = read_chunk(payload, plan, header.frames_of(number), per_frame)
        for channel, part in zip(samples, chunk, strict=True):
            channel.extend(part)
    return samples


def sample_hash(header: Header, samples: list[list[int]]) -> bytes:
    """Give SHA-256 of all samples, frame after frame."""
    digest = hashlib.sha256()
    for frame in range(header.n_frames):
        for channel, lead in zip(header.channels, samples, strict=True):
            n = channel.samples_per_frame
            digest.update(struct.pack(f"<{n}i", *lead[frame * n : (frame + 1) * n]))
    return digest.digest()
