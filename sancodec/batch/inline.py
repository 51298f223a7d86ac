"""Jobs done one after the other in this process: for trees that no other process sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sancodec.batch.job import Job, Outcome


class Inline:
    """No workers."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Give what came of each job, in order."""
        return (job.run() for job in jobs)

    def close(self) -> None:
        """Do nothing: there is nothing to end."""
