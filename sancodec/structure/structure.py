"""The structure of a record: what its samples follow from, exactly, by integer arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import CorruptError
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.structure.grids import Grids
from sancodec.structure.misfits import Misfits
from sancodec.structure.resampling import Resampling
from sancodec.structure.rules import Derivation
from sancodec.structure.stages import Stage, outwards, put_stages, take_stages, within_int32
from sancodec.structure.unresampling import undo_resampling


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Stages that turn leads into fewer, coarser or shorter ones, and these back into samples.

    What is left to be coded are the base leads, and the misfits: the few samples that the stages
    do not give back.

    Attributes
    ----------
    n_leads : int
        Leads outside.
    stages : tuple of Stage
        From the outside inwards; without any, the leads stay as they are.
    """

    n_leads: int
    stages: tuple[Stage, ...] = ()

    @property
    def n_base(self) -> int:
        """Number of base leads."""
        return self.stages[-1].n_inside if self.stages else self.n_leads

    @property
    def kept(self) -> list[int]:
        """Numbers outside of the base leads, in their order."""
        kept = list(range(self.n_leads))
        for stage in self.stages:
            if isinstance(stage, Derivation):
                kept = [kept[i] for i in stage.kept]
        return kept

    @property
    def resampling(self) -> Resampling | None:
        """The stage that changes the number of samples, if there is one."""
        return next((stage for stage in self.stages if isinstance(stage, Resampling)), None)

    def n_samples_base(self, n_samples: int) -> int:
        """Give the samples of a base lead, for ``n_samples`` of a lead outside."""
        for stage in self.stages:
            n_samples = stage.n_samples_inside(n_samples)
        return n_samples

    def fs_base(self, fs: float) -> float:
        """Give the sampling frequency of the base leads, in Hz."""
        stage = self.resampling
        return fs if stage is None else fs * stage.down / stage.up

    def without_grids(self) -> Structure:
        """Give the structure without grids around zero, on which no loss need keep to.

        Rounding to them is worth nothing where leads are not exact anyway, and costs an error.
        """
        kept = tuple(
            stage
            for stage in self.stages
            if not isinstance(stage, Grids)
            or any(grid is not None and (grid.offset or grid.shift) for grid in stage.grids)
        )
        return replace(self, stages=kept)

    def gains(self) -> NDArray[np.float64]:
        """Give by how much each lead moves with each base lead, as (n_leads, n_base) float64."""
        gains = np.eye(self.n_leads)
        for stage in self.stages:
            # Element by element: no library decides in which order a product is summed.
            gains = (gains[:, :, None] * stage.gains()[None]).sum(axis=1)
        return gains

    def forward(self, samples: NDArray[np.int32]) -> tuple[NDArray[np.int32], Misfits] | None:
        """Give the base leads and the misfits of samples, checked on every one of them.

        Parameters
        ----------
        samples : (n_leads, n_samples) int32
            Of the record that the structure was found in, or of any other.

        Returns
        -------
        (n_base, n_samples_base) int32, Misfits
            None where a value on the way does not fit, so that a decoder would refuse it.
        """
        leads = samples.astype(np.int64)
        for i, stage in enumerate(self.stages):
            if isinstance(stage, Resampling):
                leads = undo_resampling(self.stages[i:], leads)
                break
            leads = stage.enter(leads)
        try:
            base = within_int32(leads).astype(np.int32)
            guess = outwards(self.stages, leads, samples.shape[1])
        except CorruptError:
            return None
        return base, Misfits.between(samples.astype(np.int64), guess)

    def inverse(
        self, base: NDArray[np.int32], misfits: Misfits, n_samples: int
    ) -> NDArray[np.int32]:
        """Give back the (n_leads, n_samples) int32 samples.

        Parameters
        ----------
        base : (n_base, n_samples_base) int32
        misfits : Misfits
            As decoded for this many leads and samples.

        Raises
        ------
        CorruptError
            A value on the way leaves its range.
        """
        leads = outwards(self.stages, base.astype(np.int64), n_samples)
        misfits.add_to(leads)
        return within_int32(leads).astype(np.int32)

    def preview(self, base: NDArray[np.int64], n_samples: int) -> NDArray[np.int32]:
        """Give what base leads that need not be exact stand for, as (n_leads, n_samples) int32.

        Values that leave their range on the way are brought back into it.
        """
        return outwards(self.stages, base, n_samples, clip=True).astype(np.int32)

    def to_bytes(self) -> bytes:
        """Give the bytes of ``structure_of``."""
        writer = ByteWriter()
        put_stages(writer, self.stages)
        return writer.getvalue()


def structure_of(source: bytes, n_leads: int) -> Structure:
    """Give the structure of ``Structure.to_bytes``.

    Raises
    ------
    CorruptError
        A stage is unknown, or says something that cannot be.
    """
    reader = ByteReader(source, "structure")
    stages = take_stages(reader, n_leads)
    reader.expect_end("stages")
    return Structure(n_leads=n_leads, stages=stages)
