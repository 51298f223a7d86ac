"""What a fidelity asks for, searched for, and said in the header of the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sancodec.errors import ConfigError
from sancodec.fidelity import Fidelity, MaxError, MeanPrdn, SanOnly, TargetPrdn, TargetSize
from sancodec.formats.container import ContainerWriter, Header, Summary
from sancodec.formats.header import (
    FIDELITY_MAX_ERROR,
    FIDELITY_MEAN_PRDN,
    FIDELITY_PRDN,
    FIDELITY_SAN_ONLY,
    FIDELITY_SIZE,
)
from sancodec.formats.promise import encode_promise
from sancodec.lossy import Coded, LossyEncoder
from sancodec.lossy_bounds import BoundSearch
from sancodec.lossy_search import MeanSearch, PrdnSearch, SizeSearch, StepSearch
from sancodec.planning import EncodingPlan
from sancodec.recording import RecordSource

# Of what is counted over the chunks, more than nearly all files have: three bytes each.
_MOST_COUNTED = (1 << 21) - 1
# From so many bits for each sample on, base leads without loss may be as small.
_LOSSLESS_FROM = 0.5
# Records of so few samples are searched twice.
_FEW_SAMPLES = 1 << 17


@dataclass(frozen=True)
class LossyFile:
    """A record that is to be written with loss.

    Attributes
    ----------
    source : RecordSource
    fidelity : Fidelity
        Anything but lossless.
    encoder : LossyEncoder
    header_of : callable
        Gives the header of a plan, as of a lossless file.
    n_beside : int
        Bytes that the restoration will take.
    """

    source: RecordSource
    fidelity: Fidelity
    encoder: LossyEncoder
    header_of: Callable[[EncodingPlan], Header]
    n_beside: int

    def search(self, plan: EncodingPlan) -> Coded:
        """Give the best coding that keeps what the fidelity promises.

        Raises
        ------
        ConfigError
            There is no SAN layer to keep alone.
        """
        if not isinstance(self.fidelity, SanOnly):
            return self._also_bare(plan, self._search(plan).best())
        if not plan.searches:
            raise ConfigError(
                f"{self.source.name}: no kernels fit it, so nothing but a level would be left of "
                "the SAN layer alone; give a model, or a PRDN"
            )
        return self.encoder.run(plan, self.encoder.loss(np.zeros(len(self.source.channels))))

    def exact_beside(self, plan: EncodingPlan, rival: Coded) -> Coded:
        """Give a coding of another plan without loss, where that is as good as a rival."""
        exact = self.encoder.run(plan, None)
        return exact if self.size(exact) <= max(self.size(rival), self._most_bytes()) else rival

    def is_large(self, coded: Coded) -> bool:
        """Tell whether base leads without loss may be as small as a coding."""
        return 8 * self.size(coded) > _LOSSLESS_FROM * self.encoder.n_samples

    def search_beside(self, plan: EncodingPlan, rival: Coded) -> Coded:
        """Give the better of a coding and the best one of another plan."""
        return self._also_bare(plan, self._search(plan).better_than(rival))

    def _also_bare(self, plan: EncodingPlan, coded: Coded) -> Coded:
        """Give the better of a coding and one without SAN layers, searched for by itself.

        In records of seconds a layer saves less than a search misses by chance: no record is to
        be larger for having been tried with one.
        """
        if not plan.searches or self.encoder.n_samples > _FEW_SAMPLES:
            return coded
        return self._search(plan.without_layers()).better_than(coded)

    def also_unprimed(self, coded: Coded) -> Coded:
        """Give the better of a coding and one without a primer.

        That is searched for where it would be no larger with the same loss.
        """
        plan, loss = coded.plan.unprimed(), coded.plan.chunks.loss
        if plan is None:
            return coded
        plain = self.encoder.run(plan, loss)
        if [c.payload for c in plain.chunks] == [c.payload for c in coded.chunks]:
            return plain
        if self.size(plain) > self.size(coded):
            return coded
        return self._search(plan).better_than(coded)

    def check(self, coded: Coded) -> None:
        """Raise ConfigError where a coding is larger than it may be."""
        if isinstance(self.fidelity, TargetSize) and self.size(coded) > self._most_bytes():
            raise ConfigError(
                f"{self.source.name}: {self._most_bytes()} bytes are fewer than the least that was "
                f"reached, {self.size(coded)}; ask for more"
            )

    def _search(self, plan: EncodingPlan) -> StepSearch | BoundSearch:
        fidelity = self.fidelity
        if isinstance(fidelity, MeanPrdn):
            return MeanSearch(self.encoder, plan, fidelity.percent, self.size)
        if isinstance(fidelity, TargetPrdn):
            return PrdnSearch(self.encoder, plan, fidelity.percent, self.size)
        if isinstance(fidelity, MaxError):
            bounds = fidelity.in_adc_units(self.source.channels)
            return BoundSearch(self.encoder, plan, bounds, self.size)
        return SizeSearch(self.encoder, plan, self._most_bytes(), self.size)

    def _most_bytes(self) -> int:
        """Give the bytes that the file may take; 0 where there is no such number."""
        if not isinstance(self.fidelity, TargetSize):
            return 0
        bits = self.fidelity.bits(self.source.source_bits_per_sample)
        return int(bits * self.encoder.n_samples / 8)

    def header(self, coded: Coded) -> Header:
        """Give the header of a coding, with what it promises and what it has reached."""
        fidelity = self.fidelity
        number = FIDELITY_SAN_ONLY
        wanted: tuple[float, ...] = ()
        if isinstance(fidelity, TargetPrdn):
            number, wanted = FIDELITY_PRDN, (fidelity.percent,)
        elif isinstance(fidelity, MeanPrdn):
            number, wanted = FIDELITY_MEAN_PRDN, (fidelity.percent,)
        elif isinstance(fidelity, MaxError):
            bounds = fidelity.in_adc_units(self.source.channels)
            number, wanted = FIDELITY_MAX_ERROR, tuple(float(bound) for bound in bounds)
        elif isinstance(fidelity, TargetSize):
            bits = fidelity.bits(self.source.source_bits_per_sample)
            number, wanted = FIDELITY_SIZE, (bits,)
        promise = encode_promise(coded.promise(wanted))
        return replace(self.header_of(coded.plan), fidelity=number, promise=promise)

    def size(self, coded: Coded) -> int:
        """Give the bytes of the file that a coding becomes, or a few more."""
        with Path(os.devnull).open("wb") as nowhere:
            writer = ContainerWriter(nowhere, self.header(coded))
            for chunk in coded.chunks:
                writer.add_chunk(chunk.payload)
            summary = Summary(
                sample_hash=bytes(32),
                n_activations=_MOST_COUNTED,
                n_amplitudes=_MOST_COUNTED,
                san_bytes=_MOST_COUNTED,
                residual_bytes=_MOST_COUNTED,
                san_error=_MOST_COUNTED,
                san_reference=_MOST_COUNTED,
                restoration=bytes(self.n_beside),
            )
            writer.finish(summary)
            return writer.n_bytes
