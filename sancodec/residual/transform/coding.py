"""The transform residual of a chunk as bytes: what each lead is scaled by, then coefficients.

A lead less its offset and the SAN reconstruction is divided by its step, leads are turned into one
another, and the wavelet of that is quantised with steps of 1. The steps alone decide how large
the error is; all else only decides how many bits it takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.mixer import decisions_of, payload_of
from sancodec.entropy.rans import at_end
from sancodec.errors import CorruptError
from sancodec.formats.primers import TransformStart
from sancodec.formats.wire import ByteReader, ByteWriter
from sancodec.residual.coder import FRACTION_BITS
from sancodec.residual.loss import LeadLoss
from sancodec.residual.template import Beats
from sancodec.residual.transform.centroids import (
    fit_centroids,
    put_back,
    put_centroids,
    take_centroids,
)
from sancodec.residual.transform.gaps import bridge, find_gaps, put_gaps, take_gaps
from sancodec.residual.transform.rotation import find_angles, n_angles_of, rotate, unrotate
from sancodec.residual.transform.walk import room_for_walk, walk_through
from sancodec.residual.transform.wavelet import (
    MAX_LEVELS,
    analyse,
    bands_of,
    most_levels,
    synthesise,
)

SLOPE = 0.1
"""Squared error, in squared steps, that a bit may save; about what it is at high rates."""

_ECG_FS = 360.0
_ECG_LEVELS = 9
_LEAST_LEVELS = 3
_UNIT = float(1 << FRACTION_BITS)
_STRAIGHT, _ROTATED, _SAN_ONLY = range(3)
_MAX_LEADS = 256
_MAX_SPAN = 1 << 33


@dataclass(frozen=True)
class LeadScale:
    """What a lead is scaled by: ``step`` ADC units for a coefficient of 1.

    ``lowest`` and ``highest`` bound its samples; where they are equal it is flat, has no step and
    takes no part in the transform.
    """

    offset: int
    lowest: int
    highest: int
    step: float

    @property
    def flat(self) -> bool:
        """Whether all samples are equal."""
        return self.lowest == self.highest


class _Known(NamedTuple):
    """What both sides know ahead of the coefficients."""

    clock: float
    beats: Beats
    n_kernels: int
    start: TransformStart | None


class CodedLeads(NamedTuple):
    """The bytes of some leads, and the (n_leads, n_samples) int32 samples that they decode to."""

    payload: bytes
    samples: NDArray[np.int32]


def levels_for(n_samples: int, clock: float) -> int:
    """Give how many levels a wavelet has, so that the slowest band is below 0.4 Hz of an ECG."""
    levels = _ECG_LEVELS + round(math.log2(min(max(clock, 1e-3), 1e6) / _ECG_FS))
    return min(max(levels, _LEAST_LEVELS), most_levels(n_samples), MAX_LEVELS)


def scale_leads(samples: NDArray[np.int32], steps: NDArray[np.float64]) -> list[LeadScale]:
    """Give the scale of each of (n_leads, n_samples) leads."""
    return [
        LeadScale(
            offset=int(np.median(lead)),
            lowest=int(lead.min()),
            highest=int(lead.max()),
            step=max(float(np.float32(step)), float(np.finfo(np.float32).tiny)),
        )
        for lead, step in zip(samples, steps, strict=True)
    ]


def encode_transform(  # noqa: PLR0917
    samples: NDArray[np.int32],
    clock: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    loss: LeadLoss,
    start: TransformStart | None = None,
) -> CodedLeads:
    """Code the leads of one chunk with an error that their steps decide.

    Parameters
    ----------
    samples : (n_leads, n_samples) int32
        In ADC units.
    clock : float
        Sampling frequency at which an ECG would have as many samples in a beat, in Hz.
    san : (n_leads, n_samples) int32
        SAN reconstruction, in 2**-FRACTION_BITS ADC units; zeros where there is none.
    beats : sequence of n_leads Beats
        The activations behind ``san``.
    n_kernels : int
        Number of classes that ``beats.kernel`` may name.
    loss : LeadLoss
        Steps of the quantiser; with steps of 0 there are no coefficients at all.
    start : TransformStart, optional
        What other records taught.
    """
    gaps = find_gaps(samples, loss.missing)
    leads = bridge(samples, gaps)
    scales = scale_leads(leads, loss.steps)
    san_only = not loss.steps.any()
    writer = ByteWriter().u8(_SAN_ONLY if san_only else _STRAIGHT)
    for scale in scales:
        _put_scale(writer, scale, san_only)
    put_gaps(writer, gaps, loss.missing)
    code = TransformCode(scales, samples, gaps, None)
    moving = code.moving
    if moving and not san_only:
        rows = np.stack([_scaled(leads[i], san[i], scales[i]) for i in moving])
        known = _Known(clock, beats_of_all(beats), n_kernels, start)
        relative = None
        if loss.turning is not None and len(moving) > 1:
            relative = (loss.steps / loss.turning)[moving]
        code = replace(code, coefficients=_put_leads(writer, rows, known, relative))
    return CodedLeads(writer.getvalue(), code.samples(san))


def _put_leads(
    writer: ByteWriter,
    rows: NDArray[np.float64],
    known: _Known,
    relative: NDArray[np.float64] | None,
) -> LeadCoefficients:
    """Code (n_leads, n_samples) leads in steps; give their coefficients as a decoder has them.

    ``relative`` are their steps over those for which they are turned, None not to turn them.
    """
    clock, beats, n_kernels, start = known
    n_samples = rows.shape[1]
    n_levels = levels_for(n_samples, clock)
    wanted = analyse(rows, n_levels)
    writer.u8(n_levels).u8(_STRAIGHT if relative is None else _ROTATED)
    bands = bands_of(n_samples, n_levels)
    angles = np.zeros(0, np.uint8)
    if relative is not None:
        slow = bands[min(1, n_levels)].stop
        angles = find_angles(wanted[:, slow:] * relative[:, None])
        rotate(wanted, angles)
        writer.raw(angles.tobytes())
    quantised = np.zeros(wanted.shape, np.int32)
    coder = room_for_walk(n_samples)
    layer = beats, n_kernels, clock
    decisions = walk_through(coder, quantised, wanted, n_levels, *layer, SLOPE, start)
    centroids = fit_centroids(wanted, quantised, bands)
    put_centroids(writer, centroids)
    writer.raw(payload_of(decisions))
    return LeadCoefficients(quantised, centroids.offsets, n_levels, angles)


def decode_transform(  # noqa: PLR0917
    payload: bytes,
    n_samples: int,
    clock: float,
    san: NDArray[np.int32],
    beats: Sequence[Beats],
    n_kernels: int,
    start: TransformStart | None = None,
) -> NDArray[np.int32]:
    """Give the (n_leads, n_samples) int32 samples that ``encode_transform`` stands for.

    Raises
    ------
    CorruptError
        A field is out of range, or the payload does not end where its coefficients do.
    """
    shape = len(san), n_samples
    return take_transform(payload, shape, clock, beats, n_kernels, start).samples(san)


@dataclass(frozen=True)
class LeadCoefficients:
    """The coefficients of the leads that are not flat, and what makes leads of them.

    ``quantised`` are (n_leads, n_samples) int32, ``offsets`` those of their bands and magnitudes;
    ``angles`` are those of all pairs of leads, or none where they are not turned.
    """

    quantised: NDArray[np.int32]
    offsets: NDArray[np.float64]
    n_levels: int
    angles: NDArray[np.uint8]

    def leads(self) -> NDArray[np.float64]:
        """Give the (n_leads, n_samples) leads in steps."""
        bands = bands_of(self.quantised.shape[1], self.n_levels)
        leads = put_back(self.quantised, self.offsets, bands)
        if self.angles.size:
            unrotate(leads, self.angles)
        return synthesise(leads, self.n_levels)


@dataclass(frozen=True)
class TransformCode:
    """What a transform residual says: of (n_leads, n_samples) ``gaps`` the samples that fill them.

    ``coefficients`` are None where the leads are flat or their SAN layer alone.
    """

    scales: list[LeadScale]
    filled: NDArray[np.int32]
    gaps: NDArray[np.bool_]
    coefficients: LeadCoefficients | None

    @property
    def moving(self) -> list[int]:
        """The leads that are not flat."""
        return [i for i, scale in enumerate(self.scales) if not scale.flat]

    def samples(self, san: NDArray[np.int32]) -> NDArray[np.int32]:
        """Give the (n_leads, n_samples) samples around a SAN reconstruction."""
        decoded = np.empty(san.shape, np.int32)
        for lead, scale in enumerate(self.scales):
            decoded[lead] = scale.offset
        moving = self.moving
        rows = np.zeros((len(moving), san.shape[1]))
        if self.coefficients is not None:
            rows = self.coefficients.leads()
        for row, i in zip(rows, moving, strict=True):
            decoded[i] = _unscaled(row, san[i], self.scales[i])
        return np.where(self.gaps, self.filled, decoded)


def take_transform(  # noqa: PLR0917
    payload: bytes,
    shape: tuple[int, int],
    clock: float,
    beats: Sequence[Beats],
    n_kernels: int,
    start: TransformStart | None = None,
) -> TransformCode:
    """Take apart what ``encode_transform`` wrote for (n_leads, n_samples) leads.

    Raises
    ------
    CorruptError
        A field is out of range, or the payload does not end where its coefficients do.
    """
    reader = ByteReader(payload, "transform residual")
    form = reader.u8("form")
    if form not in {_STRAIGHT, _SAN_ONLY}:
        raise CorruptError(f"transform residual: form {form}, expected 0 or 2")
    scales = [_take_scale(reader, form == _SAN_ONLY) for _ in range(shape[0])]
    gaps = np.zeros(shape, bool)
    filled = np.zeros(shape, np.int32)
    take_gaps(reader, filled, gaps)
    n_moving = sum(not scale.flat for scale in scales)
    coefficients = None
    if n_moving and form == _STRAIGHT:
        known = _Known(clock, beats_of_all(beats), n_kernels, start)
        coefficients = _take_leads(reader, n_moving, shape[1], known)
    reader.expect_end("transform residual")
    return TransformCode(scales, filled, gaps, coefficients)


def _scaled(
    lead: NDArray[np.int32], san: NDArray[np.int32], scale: LeadScale
) -> NDArray[np.float64]:
    return np.asarray(((lead - np.float64(scale.offset)) - san / _UNIT) / scale.step)


def _unscaled(
    row: NDArray[np.float64], san: NDArray[np.int32], scale: LeadScale
) -> NDArray[np.int32]:
    samples = np.floor(((row * scale.step + san / _UNIT) + scale.offset) + 0.5)
    # What a damaged file decodes to may be beyond all bounds, or no number.
    samples = np.nan_to_num(samples, nan=float(scale.offset))
    return np.clip(samples, scale.lowest, scale.highest).astype(np.int32)


def _put_scale(writer: ByteWriter, scale: LeadScale, san_only: bool) -> None:
    writer.zigzag(scale.offset).varint(scale.offset - scale.lowest)
    writer.varint(scale.highest - scale.offset)
    if not scale.flat and not san_only:
        writer.raw(np.array([scale.step], "<f4").tobytes())


def _take_scale(reader: ByteReader, san_only: bool) -> LeadScale:
    offset = reader.zigzag("offset")
    lowest = offset - reader.varint("reach below", _MAX_SPAN)
    highest = offset + reader.varint("reach above", _MAX_SPAN)
    limits = np.iinfo(np.int32)
    if lowest < limits.min or highest > limits.max:
        raise CorruptError(f"transform residual: a lead from {lowest} to {highest}")
    step = 1.0
    if lowest < highest and not san_only:
        step = float(np.frombuffer(reader.take(4, "step"), "<f4")[0])
        if not (math.isfinite(step) and step > 0.0):
            raise CorruptError(f"transform residual: a step of {step}, expected above 0")
    return LeadScale(offset=offset, lowest=lowest, highest=highest, step=step)


def beats_of_all(beats: Sequence[Beats]) -> Beats:
    """Give the beats that all leads are in: those of the layer with most of them."""
    return max(beats, key=lambda own: own.start.size)


def _take_leads(
    reader: ByteReader, n_leads: int, n_samples: int, known: _Known
) -> LeadCoefficients:
    """Take the coefficients of (n_leads, n_samples) leads that stand behind the scales."""
    clock, beats, n_kernels, start = known
    n_levels = reader.u8("levels")
    if n_levels > most_levels(n_samples):
        raise CorruptError(f"transform residual: {n_levels} levels of {n_samples} samples")
    form = reader.u8("form of the leads")
    if form not in {_STRAIGHT, _ROTATED}:
        raise CorruptError(f"transform residual: form {form} of the leads, expected 0 or 1")
    angles = np.zeros(0, np.uint8)
    if form == _ROTATED:
        angles = np.frombuffer(reader.take(n_angles_of(n_leads), "angles"), np.uint8)
    bands = bands_of(n_samples, n_levels)
    offsets = take_centroids(reader, len(bands))
    quantised = np.zeros((n_leads, n_samples), np.int32)
    coded = bytes(reader.take(reader.remaining, "coefficients"))
    coder = decisions_of(coded, "coefficients")
    walk_through(coder, quantised, None, n_levels, beats, n_kernels, clock, 0.0, start)
    if not at_end(coder.words, coder.cursor):
        raise CorruptError("coefficients: the payload does not end where they do")
    return LeadCoefficients(quantised, offsets, n_levels, angles)
