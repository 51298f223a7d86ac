"""Beats of a record before and after coding: in which lead, against what, and how they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.beats import Agreement, compare_beats, find_beats, reference_beats
from sancodec.errors import RecordError
from sancodec.formats.edf import EdfRecord
from sancodec.formats.wfdb import WfdbRecord
from sancodec.recording import Recording
from sancodec.residual.transform.gaps import bridge, find_gaps
from sancodec.signal_types import identify


@dataclass(frozen=True, kw_only=True)
class BeatReport:
    """Beats that wfdb's xqrs finds in one lead, before and after coding.

    Attributes
    ----------
    lead : str
    decoded : Agreement
        Of the decoded lead with the original.
    original_to_reference, decoded_to_reference : Agreement or None
        Of both with the record's annotations; None where it has none.
    """

    lead: str
    decoded: Agreement
    original_to_reference: Agreement | None
    decoded_to_reference: Agreement | None

    @property
    def agreements(self) -> dict[str, Agreement | None]:
        """All three, by their names."""
        return {
            "decoded": self.decoded,
            "original_to_reference": self.original_to_reference,
            "decoded_to_reference": self.decoded_to_reference,
        }

    def to_json(self) -> dict[str, Any]:
        """Give all of it as plain JSON values."""
        said = {name: say_agreement(own) for name, own in self.agreements.items()}
        return {"lead": self.lead, **said}


def say_agreement(agreement: Agreement | None) -> dict[str, Any] | None:
    """Give counts and ratios as plain JSON values; None for None."""
    if agreement is None:
        return None
    return {
        **asdict(agreement),
        "sensitivity": agreement.sensitivity,
        "positive_predictivity": agreement.positive_predictivity,
    }


@dataclass(frozen=True, kw_only=True)
class BeatJudge:
    """The beats of one lead before coding, to compare with those after.

    Attributes
    ----------
    channel : int
    gaps : (n_samples,) bool
        Where samples are missing: a line leads across, before coding and after.
    original : (n_beats,) int64
    reference : (n_beats,) int64 or None
        In samples of the lead.
    """

    source: WfdbRecord | EdfRecord
    channel: int
    gaps: NDArray[np.bool_]
    original: NDArray[np.int64]
    reference: NDArray[np.int64] | None

    def report(self, decoded: NDArray[np.int32]) -> BeatReport:
        """Compare the beats of the decoded lead."""
        channel = self.source.channels[self.channel]
        fs = self.source.fs * channel.samples_per_frame
        found = find_beats(bridge(decoded[None], self.gaps[None])[0], channel, fs)
        reference = self.reference
        return BeatReport(
            lead=channel.name.strip(),
            decoded=compare_beats(self.original, found, fs),
            original_to_reference=(
                None if reference is None else compare_beats(reference, self.original, fs)
            ),
            decoded_to_reference=(
                None if reference is None else compare_beats(reference, found, fs)
            ),
        )


def judge_of(source: WfdbRecord | EdfRecord) -> tuple[BeatJudge | None, str]:
    """Give the judge of a record's first ECG lead that is not flat, or why there is none."""
    ecg = [
        number
        for number, channel in enumerate(source.channels)
        if identify(channel, source.fs * channel.samples_per_frame).kind == "ecg"
    ]
    if not ecg:
        return None, "no channel is an ECG by its name and units"
    for number in ecg:
        signal = _signal(source, number)
        gaps = find_gaps(signal[None], source.missing[number : number + 1])
        there = bridge(signal[None], gaps)[0]
        if there.min() < there.max():
            return _judge(source, number, gaps[0], there)
    return None, "its ECG leads are flat"


def _judge(
    source: WfdbRecord | EdfRecord, number: int, gaps: NDArray[np.bool_], samples: NDArray[np.int32]
) -> tuple[BeatJudge | None, str]:
    channel = source.channels[number]
    reference = reference_beats(source.files[0].path, source.n_frames)
    if reference is not None:
        reference = reference * channel.samples_per_frame
    try:
        original = find_beats(samples, channel, source.fs * channel.samples_per_frame)
    except RecordError as error:
        return None, str(error)
    judge = BeatJudge(
        source=source, channel=number, gaps=gaps, original=original, reference=reference
    )
    return judge, ""


def _signal(source: WfdbRecord | EdfRecord, channel: int) -> NDArray[np.int32]:
    """Give all samples of one channel, read in pieces."""
    step = max(1, round(60 * source.fs))
    spans: Iterator[Recording] = (
        source.read(start, min(start + step, source.n_frames))
        for start in range(0, source.n_frames, step)
    )
    return np.concatenate([span.signals[channel] for span in spans])
