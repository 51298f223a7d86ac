"""An EDF file as it is after loss: the same header and annotations, other samples."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from sancodec.formats.blocks import BlockLayout, BlockPacker, BlockReader
from sancodec.formats.corrections import Correction, CorrectionCollector
from sancodec.formats.dat import read_octets
from sancodec.formats.dat_formats import Octets
from sancodec.formats.listing import FILE_HASH_BYTES, encode_originals
from sancodec.formats.originals import OriginalFile, RecordShape
from sancodec.formats.source_files import SourceFile
from sancodec.recording import Recording

_PIECE_BYTES = 1 << 20


class EdfRemaker:
    """Collects what is needed to give back a file in blocks with the decoded samples.

    Parameters
    ----------
    source : SourceFile
    shape : RecordShape
    side_files : sequence of OriginalFile
        That travel along.
    """

    def __init__(
        self, source: SourceFile, shape: RecordShape, side_files: Sequence[OriginalFile]
    ) -> None:
        layout = source.layout
        assert isinstance(layout, BlockLayout)
        self._source = source
        self._shape = shape
        self._side_files = side_files
        self._layout = layout
        self._packer = BlockPacker(layout)
        self._reader = BlockReader(source.path, layout, source.byte_offset)
        self._n_blocks = shape.n_frames // layout.blocks.n_frames
        self._done = 0
        self._tail = source.byte_offset + self._n_blocks * layout.block_bytes
        self._n_bytes = self._tail
        self._correction = self._collect()
        self._hash = hashlib.sha256(self._piece(0, source.byte_offset).tobytes())

    @property
    def n_bytes(self) -> int:
        """Bytes that ``finish`` will give."""
        return len(self._encode(os.urandom(FILE_HASH_BYTES)))

    def feed(self, span: Recording) -> None:
        """Take the next span as it is decoded."""
        for octets in self._packer.feed(span.signals):
            made = octets.reshape(-1, self._layout.block_bytes)
            blocks = self._reader.read_blocks(self._done, self._done + len(made))
            for column in self._layout.columns:
                blocks[:, column] = made[:, column]
            self._hash.update(blocks.data)
            self._done += len(made)

    def finish(self) -> bytes:
        """Give the restoration, after the last span."""
        for offset in range(self._tail, self._n_bytes, _PIECE_BYTES):
            self._hash.update(self._piece(offset, _PIECE_BYTES).data)
        return self._encode(self._hash.digest()[:FILE_HASH_BYTES])

    def _collect(self) -> Correction:
        """Give all bytes that no samples predict; those that they do are as predicted."""
        collector = CorrectionCollector()
        collector.push(self._piece(0, self._source.byte_offset), solid=False)
        step = max(1, _PIECE_BYTES // self._layout.block_bytes)
        for first in range(0, self._n_blocks, step):
            blocks = self._reader.read_blocks(first, min(first + step, self._n_blocks))
            for column in self._layout.columns:
                blocks[:, column] = 0
            collector.push(blocks.reshape(-1), solid=False)
        while (piece := self._piece(self._n_bytes, _PIECE_BYTES)).size:
            collector.push(piece, solid=True)
            self._n_bytes += piece.size
        return collector.finish()

    def _piece(self, offset: int, n_bytes: int) -> Octets:
        octets = np.zeros(n_bytes, np.uint8)
        return octets[: read_octets(self._source.path, offset, octets)]

    def _encode(self, digest: bytes) -> bytes:
        file = OriginalFile(
            name=self._source.path.name,
            n_bytes=self._n_bytes,
            sha256=digest,
            format=self._source.format,
            samples_per_frame=self._source.samples_per_frame,
            byte_offset=self._source.byte_offset,
            correction=self._correction,
            blocks=self._source.blocks,
        )
        return encode_originals([file, *self._side_files], self._shape)
