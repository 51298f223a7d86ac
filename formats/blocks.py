"""Signal files in blocks, as the data records of EDF: in each, channel after channel.

Between the channels of a block there may be bytes that are no samples, as annotations of EDF+.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sancodec.errors import RecordError
from sancodec.formats.dat import read_octets
from sancodec.formats.dat_formats import FORMATS, Octets, Samples

MAX_BLOCK_BYTES = 1 << 26
MAX_HOLE_BYTES = 1 << 24
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """How a file is divided into blocks, whatever its channels.

    Attributes
    ----------
    format : int
        Number of the WFDB format of its samples: 16 or 24.
    n_frames : int
        Frames in a block.
    holes : tuple of (int, int)
        The number of channels before bytes that are no samples, and how many bytes they are.
    """

    format: int
    n_frames: int
    holes: tuple[tuple[int, int], ...] = ()

    @property
    def hole_bytes(self) -> int:
        """Bytes of a block that are no samples."""
        return sum(n_bytes for _, n_bytes in self.holes)


@dataclass(frozen=True, kw_only=True)
class BlockLayout:
    """How the channels of one signal file are stored, block after block."""

    blocks: Blocks
    samples_per_frame: tuple[int, ...]

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample."""
        return FORMATS[self.blocks.format].unit_bytes

    @property
    def block_bytes(self) -> int:
        """Bytes of a block."""
        n_samples = self.blocks.n_frames * sum(self.samples_per_frame)
        return n_samples * self.sample_bytes + self.blocks.hole_bytes

    @property
    def columns(self) -> list[slice]:
        """Of each channel, where its bytes stand in a block."""
        columns, offset, holes = [], 0, list(self.blocks.holes)
        for i, n in enumerate(self.samples_per_frame):
            while holes and holes[0][0] <= i:
                offset += holes.pop(0)[1]
            stop = offset + n * self.blocks.n_frames * self.sample_bytes
            columns.append(slice(offset, stop))
            offset = stop
        return columns


class BlockPacker:
    """Turns channels, span after span, into the blocks of their file; zeros in holes."""

    def __init__(self, layout: BlockLayout) -> None:
        self._layout = layout
        self._waiting: list[list[Samples]] = [[] for _ in layout.samples_per_frame]
        self._n_waiting = 0

    def feed(self, signals: Sequence[Samples]) -> Iterator[Octets]:
        """Give the bytes of all blocks that are complete, a few blocks at a time.

        Parameters
        ----------
        signals : sequence of (n_frames * samples_per_frame,) int32 arrays
            One for each channel, in ADC units.
        """
        for waiting, signal in zip(self._waiting, signals, strict=True):
            waiting.append(signal)
        self._n_waiting += signals[0].size // self._layout.samples_per_frame[0]
        n_blocks = self._n_waiting // self._layout.blocks.n_frames
        if n_blocks:
            yield from self._pack(n_blocks)

    def _pack(self, n_blocks: int) -> Iterator[Octets]:
        n_frames = self._layout.blocks.n_frames
        signals = [np.concatenate(waiting) for waiting in self._waiting]
        spf = self._layout.samples_per_frame
        done = n_blocks * n_frames
        self._waiting = [[s[done * n :]] for s, n in zip(signals, spf, strict=True)]
        self._n_waiting -= done
        step = max(1, _PIECE_BYTES // self._layout.block_bytes)
        for first in range(0, n_blocks, step):
            last = min(first + step, n_blocks)
            octets = np.zeros((last - first, self._layout.block_bytes), np.uint8)
            for signal, n, column in zip(signals, spf, self._layout.columns, strict=True):
                part = signal[first * n_frames * n : last * n_frames * n]
                packed = FORMATS[self._layout.blocks.format].pack(part)
                octets[:, column] = packed.reshape(last - first, -1)
            yield octets.reshape(-1)


class BlockReader:
    """Reads spans of frames of one file in blocks; the counterpart of BlockPacker.

    Parameters
    ----------
    path : Path
    layout : BlockLayout
    byte_offset : int
        Where the first block begins in the file.
    """

    def __init__(self, path: Path, layout: BlockLayout, byte_offset: int) -> None:
        self._path = path
        self._layout = layout
        self._byte_offset = byte_offset

    def read(self, start: int, stop: int) -> list[Samples]:
        """Give the frames ``start`` to ``stop`` as one array for each channel, in ADC units.

        Raises
        ------
        RecordError
            The file cannot be read, or ends before ``stop``.
        """
        n_frames = self._layout.blocks.n_frames
        first, last = start // n_frames, -(-stop // n_frames)
        octets = self.read_blocks(first, last)
        unpack = FORMATS[self._layout.blocks.format].unpack
        signals = []
        for n, column in zip(self._layout.samples_per_frame, self._layout.columns, strict=True):
            samples = unpack(np.ascontiguousarray(octets[:, column]).reshape(-1))
            signals.append(samples[(start - first * n_frames) * n : (stop - first * n_frames) * n])
        return signals

    def read_blocks(self, first: int, last: int) -> Octets:
        """Give the bytes of blocks ``first`` to ``last`` (exclusive), a row for each."""
        octets = np.zeros((last - first, self._layout.block_bytes), np.uint8)
        offset = self._byte_offset + first * self._layout.block_bytes
        n_read = read_octets(self._path, offset, octets.reshape(-1))
        if n_read != octets.size:
            raise RecordError(
                f"{self._path}: {n_read} of {octets.size} bytes at offset {offset}; the file "
                "became shorter while it was read"
            )
        return octets
