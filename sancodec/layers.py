"""Groups of channels and their SAN layers: what all chunks of a record share, and what each has.

A group is channels that share a number of samples per frame and predict one another. It may have
SAN layers, each with kernels of its own for some of its leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sancodec.formats.parameters import ORDER_FILE, ORDER_REVERSED, partition
from sancodec.formats.primers import PrimerEntry
from sancodec.recording import Channel, Recording
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.loss import Loss
from sancodec.residual.template import Beats, beats_of
from sancodec.runtime import SynthesisSession
from sancodec.san.details import Details, synthesise_detailed
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.san.synthesis import Activations, ExpandedBank, expand, synthesise
from sancodec.structure.structure import Structure

_UNIT_BITS = UNIT.bit_length() - 1


@dataclass(frozen=True, eq=False)
class GroupPrimer:
    """What a group begins with that other records taught.

    ``digest`` is that of the primer, in hexadecimal; ``number`` that of the entry in it.
    """

    digest: str
    number: int
    entry: PrimerEntry


@dataclass(frozen=True)
class Group:
    """Channels with the same number of samples per frame, coded with each other's help.

    ``channels`` are their numbers in the record, in the order of coding; ``fs`` is their
    sampling frequency in Hz; ``order`` says how that order was made. ``starts`` are, of each lead
    or of none, the coefficients that chunks begin with, as ``residual.context`` has them;
    ``primer`` is what they begin with instead, where that is not of the record.
    """

    channels: tuple[int, ...]
    samples_per_frame: int
    fs: float
    order: int = ORDER_FILE
    starts: tuple[tuple[int, ...], ...] = ()
    primer: GroupPrimer | None = None

    def reversed(self) -> Group:
        """Give the group with its channels coded from the last to the first."""
        order = ORDER_FILE if self.order == ORDER_REVERSED else ORDER_REVERSED
        return replace(self, channels=self.channels[::-1], order=order)


def groups_of(
    channels: Sequence[Channel], fs: float, members: Sequence[int] | None = None
) -> tuple[Group, ...]:
    """Give the groups in the order of their first channels.

    Parameters
    ----------
    channels : sequence of Channel
    fs : float
        Frames per second.
    members : sequence of int, optional
        The group of each channel, where not all that share a number of samples per frame are
        together; a group's channels have to share it all the same.
    """
    groups = []
    for own in partition(channels, members):
        spf = channels[own[0]].samples_per_frame
        groups.append(Group(tuple(own), spf, fs * spf))
    return tuple(groups)


def leads_of(recording: Recording, group: Group) -> NDArray[np.int32]:
    """Give the (n_leads, n_samples) samples of a group, in its order of coding."""
    return np.stack([recording.signals[channel] for channel in group.channels])


@dataclass(frozen=True, kw_only=True)
class SanPlan:
    """What a SAN layer has in common in every chunk.

    Attributes
    ----------
    group : int
        Number of the group that has the layer.
    leads : tuple of int
        Leads that have activations, as numbers within the group, in the order of coding.
    exponents : tuple of int
        Amplitudes of each of these leads are in ``2 ** exponent`` ADC units.
    bank : KernelBank
        At the group's sampling frequency.
    clock : float
        Frequency at which an ECG would have as many samples in a beat, in Hz: the residual's
        templates are measured in it.
    details : Details or None
        Principal kernels.
    """

    group: int
    leads: tuple[int, ...]
    exponents: tuple[int, ...]
    bank: KernelBank
    clock: float
    expanded: ExpandedBank
    details: Details | None = None

    @classmethod
    def of(
        cls,
        group: int,
        leads: Sequence[int],
        exponents: Sequence[int],
        bank: KernelBank,
        clock: float | None = None,
    ) -> SanPlan:
        """Make a plan, expanding the bank once for all chunks; the bank's frequency is its clock.

        Parameters
        ----------
        clock : float, optional
            Where the signal does not have the pace of an ECG.
        """
        return cls(
            group=group,
            leads=tuple(leads),
            exponents=tuple(exponents),
            bank=bank,
            clock=bank.fs if clock is None else clock,
            expanded=expand(bank),
        )

    def shifts(self) -> NDArray[np.int64]:
        """Give the (n_leads,) shifts from sums to 2**-FRACTION_BITS ADC units."""
        return _UNIT_BITS - FRACTION_BITS - np.array(self.exponents, np.int64)


@dataclass(frozen=True, kw_only=True)
class ChunkPlan:
    """How the chunks of one record are coded.

    ``layers`` stand in the order of their groups. ``level`` is one of config.LEVELS and steers an
    encoder only: each chunk says how it is coded. With a ``structure``, groups and layers are
    those of its base leads. ``loss`` says how much an encoder may lose.
    """

    groups: tuple[Group, ...]
    layers: tuple[SanPlan, ...] = ()
    level: str = "default"
    structure: Structure | None = None
    loss: Loss | None = None


@dataclass(frozen=True, kw_only=True)
class SanLayer:
    """One SAN layer of one chunk.

    ``reconstruction`` is (n_leads of the group, n_samples) int32, in 2**-FRACTION_BITS ADC
    units, zeros for leads without activations.
    """

    plan: SanPlan
    activations: Activations
    reconstruction: NDArray[np.int32]


def reconstruct(
    activations: Activations, plan: SanPlan, shape: tuple[int, int], session: SynthesisSession
) -> SanLayer:
    """Place the kernels of activations over a span of (n_leads of the group, n_samples)."""
    if plan.details is None:
        rows = synthesise(session, plan.expanded, activations, shape[1], plan.shifts())
    else:
        banks = plan.expanded, plan.details
        rows = synthesise_detailed(session, *banks, activations, shape[1], plan.shifts())
    reconstruction = np.zeros(shape, np.int32)
    reconstruction[list(plan.leads)] = rows
    return SanLayer(plan=plan, activations=activations, reconstruction=reconstruction)


def regressors(
    shape: tuple[int, int], group: Group, layers: Sequence[SanLayer]
) -> tuple[float, NDArray[np.int32], list[Beats], int]:
    """Give what the residual coder takes from a group's SAN layers: nothing without any.

    Returns
    -------
    clock : float
        Of the slowest layer, in Hz: it sets the length of what is learned of a beat.
    san : (n_leads, n_samples) int32
    beats : list of n_leads Beats
    n_kernels : int
        The largest number of kernels that a layer has.
    """
    beats = [beats_of(np.zeros(0, np.int64), np.zeros(0, np.int64), group.fs)] * shape[0]
    reconstruction = np.zeros(shape, np.int32)
    for layer in layers:
        activations, plan = layer.activations, layer.plan
        own = beats_of(activations.position, activations.kernel, plan.clock)
        for lead in plan.leads:
            beats[lead] = own
            reconstruction[lead] = layer.reconstruction[lead]
    clock = max((layer.plan.clock for layer in layers), default=group.fs)
    n_kernels = max((layer.plan.bank.n_kernels for layer in layers), default=1)
    return clock, reconstruction, beats, n_kernels


def to_adc_units(reconstruction: NDArray[np.int32]) -> NDArray[np.int64]:
    """Round a SAN reconstruction, in 2**-FRACTION_BITS ADC units, half up."""
    return (reconstruction.astype(np.int64) + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS
