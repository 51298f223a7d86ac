"""What records teach that short ones cannot learn: each is encoded twice and taken apart again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.chunk import MODE_TRANSFORM, ChunkPart, decode_residual
from sancodec.config import CodecConfig
from sancodec.errors import RecordError, SancodecError
from sancodec.fidelity import Lossless, MeanPrdn
from sancodec.files import encode_file, open_file
from sancodec.layers import regressors
from sancodec.primed import kind_of
from sancodec.residual.template import Beats
from sancodec.residual.transform.coding import beats_of_all, take_transform
from sancodec.residual.wide import Lesson, Span, lessons_of
from sancodec.san_file import SanFile
from sancodec.structure.record import base_channels

PERCENT = 5.0
"""Mean PRDN of the lossy encoding that teaches."""

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""


class WideSample(NamedTuple):
    """The leads of a group, coded without loss, and what each teaches."""

    fs: float
    span: Span
    lessons: list[Lesson]


class TransformSample(NamedTuple):
    """The coefficients of a group's moving leads: arguments of ``walk.teach``, and more."""

    fs: float
    quantised: NDArray[np.int32]
    n_levels: int
    beats: Beats
    n_kernels: int
    clock: float


@dataclass(frozen=True)
class Lessons:
    """What one record teaches."""

    name: str
    wide: list[WideSample] = field(default_factory=list)
    transform: list[TransformSample] = field(default_factory=list)


def study_all(
    paths: Sequence[Path], signal_type: str, on_record: Progress | None = None
) -> tuple[list[Lessons], list[str]]:
    """Give what records teach of signals of a type, and of each that is left out why.

    Raises
    ------
    RecordError
        No record can be used.
    """
    found: list[Lessons] = []
    skipped: list[str] = []
    for n_done, path in enumerate(paths, start=1):
        try:
            found.append(study(path, signal_type))
        except SancodecError as error:
            skipped.append(f"{path}: {error}")
        if on_record:
            on_record(n_done, len(paths))
    if not any(lessons.wide or lessons.transform for lessons in found):
        raise RecordError(f"no record has groups of {signal_type} alone: nothing to learn from")
    return found, skipped


def study(path: Path, signal_type: str) -> Lessons:
    """Encode a record without loss and with, and give what its first chunk teaches.

    Raises
    ------
    SancodecError
        It cannot be encoded.
    """
    lessons = Lessons(path.stem)
    for fidelity in (Lossless(), MeanPrdn(PERCENT)):
        stream = io.BytesIO()
        config = CodecConfig(fidelity=fidelity, primer="none")
        encode_file(path, stream, config, verify=False, jobs=1)
        with open_file(stream, provider="cpu") as file:
            if not isinstance(file, SanFile):
                raise RecordError("several segments; each is to be a record of its own")
            for part in _parts_of(file, signal_type):
                if isinstance(fidelity, Lossless):
                    lessons.wide.append(_wide_sample(part))
                else:
                    lessons.transform.extend(_transform_samples(part))
    return lessons


def _parts_of(file: SanFile, signal_type: str) -> Iterator[ChunkPart]:
    channels, structure = file.channels, file.plan.structure
    if structure is not None:
        channels = base_channels(structure, channels)
    for part in file.parts(0):
        if kind_of(part.group, channels) == signal_type:
            yield part


def _wide_sample(part: ChunkPart) -> WideSample:
    span = decode_residual(part), *regressors(part.shape, part.group, part.layers)
    return WideSample(part.group.fs, span, lessons_of(span))


def _transform_samples(part: ChunkPart) -> Iterator[TransformSample]:
    """Give the coefficients of a part, where it has any."""
    if part.mode != MODE_TRANSFORM:
        return
    clock, _, beats, n_kernels = regressors(part.shape, part.group, part.layers)
    code = take_transform(part.residual, part.shape, clock, beats, n_kernels)
    coefficients = code.coefficients
    if coefficients is not None:
        yield TransformSample(
            fs=part.group.fs,
            quantised=coefficients.quantised,
            n_levels=coefficients.n_levels,
            beats=beats_of_all(beats),
            n_kernels=n_kernels,
            clock=clock,
        )
