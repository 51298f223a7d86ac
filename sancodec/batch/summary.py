"""What came of a batch, in numbers and names."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from sancodec.batch.job import Outcome
from sancodec.batch.manifest import DONE, DROPPED, EMPTY, FAILED, RECORD


class Progress(Protocol):
    """Called when something is done, with bytes read, bytes in all, and records done so far."""

    def __call__(self, n_bytes: int, total: int, said: str, /) -> None:
        """Tell how far it is."""


@dataclass(kw_only=True)
class Summary:
    """What came of a batch.

    Attributes
    ----------
    source, target : str
    n_records : int
        Records that were found.
    n_done, n_skipped, n_failed : int
        Of these: done now, done before and unchanged, and failed; ``n_failed`` counts files, too.
    n_copied, n_kept : int
        Files of no record that were carried along now, and those that are there unchanged.
    n_removed : int
        Records whose originals were deleted.
    n_read, n_written : int
        Bytes of the records that are done, now or before, and of what was written of them.
    seconds : float
    failures : dict of str to str
        By name, why.
    notes : list of str
        What else is to be said.
    stopped : str
        Why the batch ended before its end; empty where it did not.
    """

    source: str
    target: str
    n_records: int = 0
    n_done: int = 0
    n_skipped: int = 0
    n_copied: int = 0
    n_kept: int = 0
    n_removed: int = 0
    n_read: int = 0
    n_written: int = 0
    seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stopped: str = ""

    @property
    def n_failed(self) -> int:
        """Records and files that failed."""
        return len(self.failures)

    @property
    def ratio(self) -> float | None:
        """All files of the records against what was written of them; None where nothing was."""
        return self.n_read / self.n_written if self.n_written else None

    def to_json(self) -> dict[str, Any]:
        """Give all figures as plain JSON values."""
        return {**asdict(self), "n_failed": self.n_failed, "ratio": self.ratio}


class Tally:
    """Adds up what comes of jobs, and tells how far they are.

    Parameters
    ----------
    progress : Progress, optional
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.summary = Summary(source="", target="")
        self.total = 0
        self._n_bytes = 0
        self._progress = progress

    def count(self, outcome: Outcome) -> None:
        """Count what came of a job."""
        summary, entry = self.summary, outcome.entry
        if outcome.error or entry.state == FAILED:
            summary.failures[entry.name] = outcome.error or entry.error
        elif entry.removed:
            summary.n_removed += not outcome.skipped
        elif entry.kind == RECORD and entry.state == DONE:
            summary.n_done += not outcome.skipped
            summary.n_skipped += outcome.skipped
            summary.n_read += entry.n_read
            summary.n_written += entry.n_bytes
        elif entry.state == EMPTY:
            summary.notes.append(entry.note)
        elif entry.state != DROPPED:
            summary.n_copied += not outcome.skipped
            summary.n_kept += outcome.skipped
        self._n_bytes += outcome.n_bytes
        if self._progress is not None and self.total:
            n_done = summary.n_done + summary.n_skipped
            failed = f", {summary.n_failed} failed" if summary.n_failed else ""
            said = f"{n_done:,} of {summary.n_records:,} records{failed}"
            self._progress(min(self._n_bytes, self.total), self.total, said)
