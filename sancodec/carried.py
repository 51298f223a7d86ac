"""Records whose signal files are carried whole, since samples beside them would only add to them.

A FLAC stream can only be given back as it is: another version of its encoder may write other bytes.
So its samples are not coded once more; the chunks of such a record are empty.
"""

from __future__ import annotations

from sancodec.errors import CorruptError, RecordError
from sancodec.formats.flac import BITS, FlacReader
from sancodec.formats.originals import OriginalFile, Originals
from sancodec.formats.side_files import read_whole
from sancodec.recording import Channel, Recording

MAX_CARRIED_BYTES = 1 << 30
"""Of one signal file: a reader holds it in memory."""
CHUNK_SAMPLES = 1 << 22


class CarriedSignals:
    """The samples of a record, read from the signal files that its .san file holds.

    Parameters
    ----------
    originals : Originals
    name : str
        Of the .san file, for messages.

    Raises
    ------
    CorruptError
        A signal file is not carried whole, is damaged, or too large.
    """

    def __init__(self, originals: Originals, name: str) -> None:
        self._name = name
        files = [file for file in originals.record_files if file.samples_per_frame]
        self._readers = [self._open(file) for file in files]

    def read(self, record: str, fs: float, channels: tuple[Channel, ...], span: range) -> Recording:
        """Give the frames of a span of a record with these channels.

        Raises
        ------
        CorruptError
            The files end before the span does, or have other channels.
        """
        try:
            signals = [s for reader in self._readers for s in reader.read(span.start, span.stop)]
            return Recording(name=record, fs=fs, channels=channels, signals=tuple(signals))
        except RecordError as error:
            raise CorruptError(f"{self._name}: signal files: {error}") from error

    def _open(self, file: OriginalFile) -> FlacReader:
        what = f"{self._name}: {file.name}"
        per_frame = set(file.samples_per_frame)
        if file.format not in BITS or len(per_frame) != 1 or file.n_bytes > MAX_CARRIED_BYTES:
            raise CorruptError(
                f"{what}: format {file.format}, {file.n_bytes} bytes; samples are carried in FLAC "
                f"of at most {MAX_CARRIED_BYTES} bytes"
            )
        content = read_whole(file, self._name)
        try:
            return FlacReader(content, file.format, len(file.samples_per_frame), per_frame.pop(), 0)
        except RecordError as error:
            raise CorruptError(f"{what}: {error}") from error
