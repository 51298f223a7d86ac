"""Samples that signal files hold ("Chunk", empty payloads)."""

from __future__ import annotations

from .flac import read_flac
from .header import Header
from .restoration import corrected, list_files
from .wire import check

BITS = {508: 8, 516: 16, 524: 24}


def carried_samples(restoration: bytes, header: Header) -> list[list[int]]:
    """Give the samples of all channels, from the signal files of a record."""
    samples: list[list[int]] = []
    for file in list_files(restoration, header):
        if not file.channels:
            continue
        check(file.format in BITS and file.size <= 2**30, f"{file.name}: not FLAC, or too large")
        check(file.correction_size == file.size, f"{file.name}: not a whole correction")
        content = corrected(file, bytes(file.size))
        counts = {header.channels[i].samples_per_frame for i in file.channels}
        check(len(counts) == 1, f"{file.name}: channels of several samples per frame")
        n_samples = header.n_frames * counts.pop()
        for lead in read_flac(content, BITS[file.format], len(file.channels)):
            check(len(lead) >= n_samples, f"{file.name}: ends early")
            samples.append(lead[:n_samples])
    check(len(samples) == len(header.channels), "channels that no signal file has")
    return samples
