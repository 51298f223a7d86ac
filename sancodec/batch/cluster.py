"""Jobs done on a Dask cluster, whose workers see the same source and target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from sancodec.batch.job import Job, Outcome
from sancodec.errors import SancodecError

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE_SECONDS = 15
_WAITING_PER_THREAD = 2


class Cluster:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    address : str
        As ``tcp://host:8786``.

    Raises
    ------
    SancodecError
        Dask is not installed, or no scheduler answers at the address.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = _connect(address)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Give what came of each job, in any order; see ``Scheduler``.

        Dask itself does a job again when its worker dies: as often as its setting of
        ``distributed.scheduler.allowed-failures`` says.

        Raises
        ------
        SancodecError
            The cluster is gone.
        """
        from distributed import as_completed  # noqa: PLC0415

        coming = iter(jobs)
        running: dict[str, Job] = {}
        waiting = as_completed(loop=self._client.loop)
        n_threads = sum(self._client.nthreads().values())
        self._submit(islice(coming, max(1, n_threads) * _WAITING_PER_THREAD), running, waiting)
        for future in waiting:
            job = running.pop(future.key)
            outcome = self._outcome_of(job, future)
            self._submit(islice(coming, 1), running, waiting)
            yield outcome

    def close(self) -> None:
        """Leave the cluster; what is still at work there is called off."""
        self._client.close()

    def _submit(self, jobs: Iterable[Job], running: dict[str, Job], waiting: object) -> None:
        for job in jobs:
            # The same job may come again: what is on the disk may not be the same.
            future = self._client.submit(_run, job, pure=False)
            running[future.key] = job
            waiting.add(future)  # type: ignore[attr-defined]

    def _outcome_of(self, job: Job, future: Future) -> Outcome:
        if future.status == "finished":
            outcome = future.result()
            assert isinstance(outcome, Outcome)
            return outcome
        if future.status != "error":
            raise SancodecError(
                f"{self._address}: the cluster is gone ({future.status}); run again to go on"
            )
        error = future.exception()
        return job.failed(f"{job.entry.name}: {type(error).__name__}: {error}")


def _run(job: Job) -> Outcome:
    return job.run()


def _connect(address: str) -> Client:
    try:
        from distributed import Client  # noqa: PLC0415
    except ImportError as error:
        raise SancodecError(
            f"--scheduler {address} needs Dask; install with: pip install 'sancodec[dask]'"
        ) from error
    try:
        return Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SancodecError(f"{address}: no Dask scheduler answers ({error})") from error
