"""Files that travel along with a record: its annotations, and whatever else was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sancodec.errors import ChecksumError, CorruptError, RecordError
from sancodec.formats.corrections import CorrectionReader
from sancodec.formats.originals import (
    MAX_SIDE_FILE_BYTES,
    SIDE_FILE,
    OriginalFile,
    Originals,
)
from sancodec.formats.output import find_name_problem
from sancodec.formats.source_files import SourceFile

_PIECE_BYTES = 1 << 20
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_MAX_CODE = 49
_NOT_ANNOTATIONS = (".hea", ".dat", ".mat", ".edf", ".san")


def find_annotations(record: Sequence[SourceFile]) -> list[Path]:
    """Give the annotation files of a record: beside its header, of its name and another suffix.

    Parameters
    ----------
    record : sequence of SourceFile
        Its files, the header first.
    """
    header, own = record[0].path, {file.path.name for file in record}
    beside = sorted(
        path
        for path in header.parent.iterdir()
        if path.stem == header.stem and path.name not in own and path.is_file()
    )
    return [path for path in beside if may_annotate(path.suffix) and _annotates(path)]


def may_annotate(suffix: str) -> bool:
    """Tell whether files of this suffix may be annotations."""
    return bool(suffix) and suffix not in _NOT_ANNOTATIONS


def side_sources(paths: Iterable[Path], record: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Give files as those that travel along with a record; each once, however often it is named.

    Raises
    ------
    RecordError
        A file is missing or too large, or its name is none that can be given back beside the
        record's own.
    """
    taken = {file.path.name.casefold(): file.path for file in record}
    sources: list[SourceFile] = []
    for path in paths:
        same = taken.get(path.name.casefold())
        if same is not None and same.resolve() == path.resolve():
            continue
        if same is not None:
            raise RecordError(f"{path}: has the name of {same}; only one can be given back")
        _check(path)
        taken[path.name.casefold()] = path
        sources.append(SourceFile(path=path, format=SIDE_FILE))
    return tuple(sources)


def read_side_files(originals: Originals, name: str = "") -> dict[str, bytes]:
    """Give the names and contents of the files that travel along.

    Raises
    ------
    CorruptError
        A file is damaged.
    """
    return {file.name: read_whole(file, name) for file in originals.side_files}


def read_whole(file: OriginalFile, name: str) -> bytes:
    """Give the content of a file that no samples predict.

    Raises
    ------
    CorruptError
        It is damaged.
    """
    what = f"{name}: {file.name}" if name else file.name
    correction = file.correction
    if correction.start or correction.n_bytes != file.n_bytes:
        raise CorruptError(f"{what}: {correction.n_bytes} of its {file.n_bytes} bytes are there")
    reader = CorrectionReader(correction, what)
    content = bytearray()
    # In pieces: memory is taken for what is there, not for what is claimed.
    while len(content) < file.n_bytes:
        content += reader.take(min(_PIECE_BYTES, file.n_bytes - len(content))).data
    if not hashlib.sha256(content).digest().startswith(file.sha256):
        raise ChecksumError(f"{what}: SHA-256 differs from that of the original")
    return bytes(content)


def is_annotation(content: bytes) -> bool:
    """Tell whether bytes are annotations in WFDB's own format: annot(5), up to its end mark."""
    if len(content) < 2 or len(content) % 2:
        return False
    words = np.frombuffer(content, "<u2")
    i = 0
    while i < words.size:
        code, interval = int(words[i]) >> 10, int(words[i]) & 0x3FF
        if code == 0 and interval == 0:
            # Annotators may fill up their last block; nothing else stands behind the end.
            return not words[i:].any()
        if _MAX_CODE < code < _SKIP:
            return False
        i += 1
        if code == _SKIP:
            i += 2
        elif code == _AUX:
            i += (interval + 1) // 2
    return False


def _annotates(path: Path) -> bool:
    if path.stat().st_size > MAX_SIDE_FILE_BYTES:
        return False
    try:
        return is_annotation(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error


def _check(path: Path) -> None:
    problem = find_name_problem(path.name)
    if problem:
        raise RecordError(f"{path}: the file name {problem}; rename the file")
    if not path.is_file():
        raise RecordError(f"{path}: not found, or no file")
    n_bytes = path.stat().st_size
    if n_bytes > MAX_SIDE_FILE_BYTES:
        raise RecordError(
            f"{path}: {n_bytes} bytes, at most {MAX_SIDE_FILE_BYTES} can travel along with a record"
        )
