"""Jobs done in processes of this machine, each of which can die without the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from sancodec.batch.job import Job, Outcome

MOST_TRIES = 2
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_LEAVING_SECONDS = 5.0


@dataclass
class _Worker:
    """A process, this end of the pipe to it, and the job that it is at."""

    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    n_tries: int = 0

    @classmethod
    def start(cls) -> _Worker:
        # A new interpreter: threads and sessions of this one do not survive a fork.
        context = multiprocessing.get_context("spawn")
        ours, its = context.Pipe()
        process = context.Process(target=_work, args=(its,), daemon=True)
        with _one_thread_each():
            process.start()
        its.close()
        return cls(process=process, pipe=ours)

    def give(self, job: Job, n_tries: int) -> None:
        self.job, self.n_tries = job, n_tries
        try:
            self.pipe.send(job)
        except OSError:
            # It died before it got it: that is seen when its answer is waited for.
            return

    def answer(self) -> Outcome | None:
        """Give the outcome of the job; None where the process died."""
        try:
            outcome = self.pipe.recv()
        except (EOFError, OSError):
            return None
        assert isinstance(outcome, Outcome)
        self.job = None
        return outcome

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.pipe.close()
        if self.job is not None:
            self.process.terminate()
        self.process.join(_LEAVING_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class LocalPool:
    """A number of worker processes.

    Parameters
    ----------
    n_workers : int
        At least one; they start when there are jobs for them.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._workers: list[_Worker] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Give what came of each job, in any order; see ``Scheduler``."""
        coming = iter(jobs)
        again: deque[Job] = deque()
        while True:
            self._fill(coming, again)
            busy = {worker.pipe: worker for worker in self._workers if worker.job is not None}
            if not busy:
                return
            for pipe in connection.wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                outcome = worker.answer()
                if outcome is None:
                    outcome = self._bury(worker, again)
                if outcome is not None:
                    yield outcome

    def start(self) -> None:
        """Start all workers, before there is anything to do."""
        while len(self._workers) < self._n_workers:
            self._workers.append(_Worker.start())

    def processes(self) -> list[int]:
        """Give the ids of the processes that there are."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _fill(self, coming: Iterator[Job], again: deque[Job]) -> None:
        """Give a job to every worker without one, those first whose worker died."""
        for place in range(self._n_workers):
            if place < len(self._workers) and self._workers[place].job is not None:
                continue
            n_tries = 2 if again else 1
            job = again.popleft() if again else next(coming, None)
            if job is None:
                return
            if place == len(self._workers):
                self._workers.append(_Worker.start())
            self._workers[place].give(job, n_tries)

    def _bury(self, worker: _Worker, again: deque[Job]) -> Outcome | None:
        """Put another worker in the place of one that died; its job fails the second time."""
        job, n_tries = worker.job, worker.n_tries
        assert job is not None
        worker.process.join(_LEAVING_SECONDS)
        how = _say_death(worker.process.exitcode)
        worker.end()
        self._workers.remove(worker)
        if n_tries < MOST_TRIES:
            again.append(job)
            return None
        return job.failed(f"{job.entry.name}: the process that worked on it {how}, twice")


def _say_death(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"was killed ({name}; for want of memory, perhaps)"
    return f"ended with exit code {code}"


def _work(pipe: Connection) -> None:
    """Do the jobs that come through a pipe, until it is closed or the batch is gone."""
    # An interrupt from the keyboard reaches all processes: the batch ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(job.run())


def _follow_parent() -> None:
    """End this process when the batch is killed: nobody would hear of what it does."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile compute on one thread: there is one for each processor."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
