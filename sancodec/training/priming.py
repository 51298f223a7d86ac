"""A primer of what records teach: entries, of which those stay that save bits of other records."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from sancodec.formats.primers import (
    MAX_STARTS,
    TRANSFORM,
    WIDE,
    LeadStart,
    PrimerEntry,
    PrimerKey,
    TransformStart,
    WideStart,
    encode_primer,
    encode_transform_start,
    encode_wide_start,
)
from sancodec.residual.transform.contexts import N_CONTEXTS, N_WEIGHTS
from sancodec.residual.transform.model import Model, begin_primed, new_model
from sancodec.residual.transform.walk import teach
from sancodec.residual.wide import Lesson, wide_bits
from sancodec.training.lessons import Lessons, TransformSample, WideSample

# An entry has to save so much of what the residuals of other records take.
_ENOUGH = {WIDE: 0.01, TRANSFORM: 0.0075}
_FEWEST_RECORDS = 4
# So many samples all lessons of a lead count as, beside units of the format.
_WEIGHT, _LOUD_WEIGHT = 100.0, 200.0
_UNIT, _LOUD_UNIT, _MOVING_UNIT = 4.0, 16.0, 16.0
_FORGETTING, _LOUD_FORGETTING = 0.9998, 0.98 ** (1 / 32)
# Decisions seen in a context count for so much, and for so many at most; fewer are dropped.
_SHARE_SEEN, _MOST_SEEN, _LEAST_SEEN = 0.2, 10.0, 3.0
_CHANCE_UNIT, _SEEN_UNIT, _WEIGHT_UNIT = 65536.0, 8.0, 4096.0


@dataclass(frozen=True)
class EntryReport:
    """An entry that was tried: how much it saves of records that it was not made of."""

    key: PrimerKey
    n_records: int
    saved: float

    @property
    def kept(self) -> bool:
        """Whether it is in the primer."""
        return self.saved > _ENOUGH[self.key.residual]


def make_primer(
    records: Sequence[Lessons], signal_type: str, licence: str = ""
) -> tuple[bytes, list[EntryReport]]:
    """Give a primer of what records teach, and what was found of each entry that was tried."""
    entries: list[PrimerEntry] = []
    reports: list[EntryReport] = []
    tried = chain(_wide_entries(records, signal_type), _transform_entries(records, signal_type))
    for report, entry in tried:
        reports.append(report)
        if report.kept:
            entries.append(entry)
    words = {
        "signal_type": signal_type,
        "records": [lessons.name for lessons in records],
        "saved": [round(report.saved, 4) for report in reports if report.kept],
        "n_records": [report.n_records for report in reports if report.kept],
        "licence": licence or "unknown",
    }
    return encode_primer(tuple(entries), json.dumps(words)), reports


def _wide_entries(
    records: Sequence[Lessons], signal_type: str
) -> Iterator[tuple[EntryReport, PrimerEntry]]:
    """Give an entry for each number of leads and frequency of which there are enough records."""
    groups: dict[tuple[int, float], list[WideSample]] = defaultdict(list)
    for sample in (sample for lessons in records for sample in lessons.wide):
        groups[len(sample.lessons), sample.fs].append(sample)
    for (n_leads, fs), samples in sorted(groups.items()):
        if len(samples) < _FEWEST_RECORDS:
            continue
        before = after = 0.0
        for i, half in enumerate((samples[::2], samples[1::2])):
            start = wide_start(samples[1 - i :: 2])
            before += sum(wide_bits(*sample.span).sum() for sample in half)
            after += sum(wide_bits(*sample.span, (), start).sum() for sample in half)
        key = _key(WIDE, signal_type, (n_leads, n_leads), fs)
        report = EntryReport(key, len(samples), float(1.0 - after / before))
        yield report, PrimerEntry(key, encode_wide_start(wide_start(samples)))


def _transform_entries(
    records: Sequence[Lessons], signal_type: str
) -> Iterator[tuple[EntryReport, PrimerEntry]]:
    """Give an entry for each number of levels and frequency with enough records."""
    groups: dict[tuple[int, float], list[TransformSample]] = defaultdict(list)
    for sample in (sample for lessons in records for sample in lessons.transform):
        groups[sample.n_levels, sample.fs].append(sample)
    for (_, fs), samples in sorted(groups.items()):
        if len(samples) < _FEWEST_RECORDS:
            continue
        before = after = 0.0
        for i, half in enumerate((samples[::2], samples[1::2])):
            start = transform_start(samples[1 - i :: 2])
            for sample in half:
                before += _teach(_new_model(), sample)
                model = _new_model()
                begin_primed(model, start)
                after += _teach(model, sample)
        leads = [len(sample.quantised) for sample in samples]
        key = _key(TRANSFORM, signal_type, (min(leads), max(leads)), fs)
        report = EntryReport(key, len(samples), float(1.0 - after / before))
        yield report, PrimerEntry(key, encode_transform_start(transform_start(samples)))


def _key(residual: int, signal_type: str, leads: tuple[int, int], fs: float) -> PrimerKey:
    return PrimerKey(
        residual=residual,
        signal_type=signal_type,
        fewest_leads=leads[0],
        most_leads=leads[1],
        lowest_fs=fs,
        highest_fs=fs,
    )


def wide_start(samples: Sequence[WideSample]) -> WideStart:
    """Give what leads begin with that groups of as many leads taught."""
    return tuple(
        _lead_starts([sample.lessons[lead] for sample in samples])
        for lead in range(len(samples[0].lessons))
    )


def _lead_starts(lessons: Sequence[Lesson]) -> tuple[LeadStart, ...]:
    """Give what a lead begins with, by its number of regressors: the most frequent ones."""
    by_size: dict[int, list[Lesson]] = defaultdict(list)
    for lesson in lessons:
        by_size[len(lesson.products)].append(lesson)
    frequent = sorted(by_size, key=lambda size: (-len(by_size[size]), size))[:MAX_STARTS]
    return tuple(_lead_start(by_size[size]) for size in frequent)


def _lead_start(lessons: Sequence[Lesson]) -> LeadStart:
    seen = sum(_memory(lesson.n_samples, _FORGETTING) for lesson in lessons)
    heard = sum(_memory(lesson.n_samples, _LOUD_FORGETTING) for lesson in lessons)
    products = sum(lesson.products for lesson in lessons) * (_WEIGHT * _UNIT / seen)
    loud = sum(lesson.loud for lesson in lessons) * (_LOUD_WEIGHT * _LOUD_UNIT / heard)
    magnitude = np.exp(np.mean([np.log(max(lesson.magnitude, 0.05)) for lesson in lessons]))
    return LeadStart(
        products=np.rint(products).astype(np.int64),
        loud=np.rint(loud).astype(np.int64),
        moving=round(float(magnitude) * _MOVING_UNIT),
    )


def _memory(n_samples: int, forgetting: float) -> float:
    """Give how many samples are left of so many that were forgotten step by step."""
    return float((1.0 - forgetting**n_samples) / (1.0 - forgetting))


def transform_start(samples: Sequence[TransformSample]) -> TransformStart:
    """Give what contexts begin with that coefficients of as many levels taught."""
    model = _new_model()
    for sample in samples:
        _teach(model, sample)
    fresh = _new_model()
    contexts = np.flatnonzero(model.seen >= _LEAST_SEEN)
    rows = np.flatnonzero((model.weights != fresh.weights).any(axis=1))
    seen = np.minimum(model.seen[contexts] * _SHARE_SEEN, _MOST_SEEN)
    weights = np.clip(np.rint(model.weights[rows] * _WEIGHT_UNIT), -32767, 32767)
    return TransformStart(
        levels=samples[0].n_levels,
        contexts=contexts,
        chances=np.rint(model.probability[contexts] * _CHANCE_UNIT).astype(np.int64),
        seen=np.rint(seen * _SEEN_UNIT).astype(np.int64),
        rows=rows,
        weights=weights.astype(np.int64),
    )


def _new_model() -> Model:
    return new_model(N_CONTEXTS, N_WEIGHTS)


def _teach(model: Model, sample: TransformSample) -> float:
    layer = sample.n_levels, sample.beats, sample.n_kernels, sample.clock
    return teach(model, sample.quantised, *layer)
