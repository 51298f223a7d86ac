"""The stages that lead from the samples of a record to what is coded of them, and back.

Each stage knows both directions, ``enter`` and ``leave``, and how many leads and samples it has
outside and inside. Stages are listed from the outside inwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.grids import Grids, put_grids, take_grids
from sancodec.structure.resampling import Resampling, put_resampling, take_resampling
from sancodec.structure.rules import Derivation, put_derivation, take_derivation

DERIVATION = 1
GRIDS = 2
RESAMPLING = 3
MAX_STAGES = 8

Stage = Derivation | Grids | Resampling

_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


def outwards(
    stages: Sequence[Stage], leads: NDArray[np.int64], n_samples: int, *, clip: bool = False
) -> NDArray[np.int64]:
    """Give the (n_leads, n_samples) leads outside of all stages.

    Parameters
    ----------
    clip : bool
        Bring values back into their range, instead of refusing them.

    Raises
    ------
    CorruptError
        A value leaves the range of int32 on the way, or that of a resampling.
    """
    sizes = [n_samples]
    for stage in stages:
        sizes.append(stage.n_samples_inside(sizes[-1]))
    for stage, size in zip(reversed(stages), reversed(sizes[:-1]), strict=True):
        limit = _HIGHEST + 1 if isinstance(stage, Derivation) else stage.limit
        if clip:
            leads = np.clip(leads, -limit, np.minimum(limit, _HIGHEST))
        elif (np.abs(leads) > limit).any():
            beyond = np.abs(leads).max()
            raise CorruptError(f"structure: a sample of {beyond} is too large to go outwards")
        leads = stage.leave(leads, size)
        leads = np.clip(leads, _LOWEST, _HIGHEST) if clip else within_int32(leads)
    return leads


def within_int32(leads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the leads back; CorruptError where a sample does not fit int32."""
    if leads.size and (leads.min() < _LOWEST or leads.max() > _HIGHEST):
        raise CorruptError("structure: a sample leaves the range of int32")
    return leads


def put_stages(writer: ByteWriter, stages: Sequence[Stage]) -> None:
    """Write stages, each preceded by its kind."""
    writer.varint(len(stages))
    for stage in stages:
        match stage:
            case Derivation():
                put_derivation(writer.u8(DERIVATION), stage)
            case Grids():
                put_grids(writer.u8(GRIDS), stage)
            case Resampling():
                put_resampling(writer.u8(RESAMPLING), stage)


def take_stages(reader: ByteReader, n_leads: int) -> tuple[Stage, ...]:
    """Read what ``put_stages`` wrote of ``n_leads``.

    Raises
    ------
    CorruptError
        A stage is unknown, or says something that cannot be.
    """
    stages: list[Stage] = []
    for _ in range(reader.varint("number of stages", MAX_STAGES)):
        kind = reader.u8("kind of stage")
        if kind == DERIVATION:
            stages.append(take_derivation(reader, n_leads))
        elif kind == GRIDS:
            stages.append(take_grids(reader, n_leads))
        elif kind == RESAMPLING:
            stages.append(take_resampling(reader, n_leads))
        else:
            raise reader.corrupt("kind of stage", f"{kind}, expected 1 to 3")
        n_leads = stages[-1].n_inside
    if sum(isinstance(stage, Resampling) for stage in stages) > 1:
        raise reader.corrupt("stages", "two resamplings")
    return tuple(stages)
