"""Training of a SAN: from the windows of many records to the integer kernels of a model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor

from sancodec.errors import ConfigError, SancodecError
from sancodec.san.kernels import UNIT, KernelBank
from sancodec.training.base import Base
from sancodec.training.batches import Batches, Order
from sancodec.training.checkpoint import Checkpoint, digest_of
from sancodec.training.judging import EpochResult, evaluate, judge
from sancodec.training.network import SparselyActivatedNetwork
from sancodec.training.progress import OnBatch, Progress
from sancodec.training.resources import Resources, repeatable
from sancodec.training.results import Growth, TrainResult
from sancodec.training.runs import Plan, Run, comparable
from sancodec.training.settings import TrainConfig
from sancodec.training.start import kernel_from_residual, kernels_from_signals
from sancodec.training.windows import RecordWindows

__all__ = ["EpochResult", "TrainConfig", "TrainResult", "evaluate", "train"]


def train(
    records: Sequence[RecordWindows],
    config: TrainConfig,
    on_batch: OnBatch | None = None,
    base: Base | None = None,
    resources: Resources | None = None,
) -> TrainResult:
    """Train kernels and keep those of the epoch with the lowest mean flithos.

    Every fifth window of each record is held back: not trained on, only judged by. Of
    ``n_starts`` sets of kernels to start from, each trained for one epoch, the best goes on:
    training ends in one of a few places, and some are much worse than others.

    Parameters
    ----------
    on_batch : callable, optional
        Called with the number of batches done and in all, by one thread at a time.
    base : Base, optional
        A model whose kernels stay as they are; those that are learned stand beside them.
    resources : Resources, optional
        Device, threads, checkpoint.

    Raises
    ------
    ConfigError
        The records hold too few windows for the settings, the base or the checkpoint does not
        fit them, or no kernel lowers the flithos of the base.
    OutputError
        The checkpoint cannot be written.
    SancodecError
        The device or the memory that it takes is not there, or training diverged.
    """
    resources = resources or Resources()
    n_threads = resources.threads()
    if base is not None:
        base.check(config.shape, config.fs)
    with repeatable(resources) as device:
        settings = {name: str(value) for name, value in asdict(config).items()}
        settings |= {"windows": digest_of(records), "extend": base.bank.digest if base else "none"}
        settings |= {"device": device.type, "torch": str(torch.__version__)}
        checkpoint = Checkpoint(resources.checkpoint, settings)
        batches = Batches(records, config.batch_size, device)
        n_runs = config.n_kernels if config.grow else 1
        n_batches = batches.n_batches * n_runs * (config.n_starts + config.n_epochs)
        progress = Progress(on_batch, n_batches)
        trainer = _Trainer(config, base, batches, checkpoint, progress)
        result = trainer.train(n_threads)
        progress.end()
    return result


class _Trainer:
    """What all runs of one training share: the signals, the chance, the progress."""

    def __init__(
        self,
        config: TrainConfig,
        base: Base | None,
        batches: Batches,
        checkpoint: Checkpoint,
        progress: Progress,
    ) -> None:
        self._config = config
        self._base = base
        self._batches = batches
        self._checkpoint = checkpoint
        self._progress = progress
        self._generator = torch.Generator().manual_seed(config.seed)

    def train(self, n_threads: int) -> TrainResult:
        """Train all kernels at once, or one after the other as long as flithos falls."""
        base_flithos = None
        if self._base is not None:
            alone = self._network(self._batches.no_kernels(self._config.shape.n_taps))
            base_flithos = evaluate(alone, self._batches.held_back)[2]
        lowest, kept, growth = base_flithos, None, []
        n_first = 1 if self._config.grow else self._config.n_kernels
        for n_kernels in range(n_first, self._config.n_kernels + 1):
            run = self._train(n_kernels, kept, n_threads)
            is_better = lowest is None or run.lowest < lowest
            growth.append(Growth(n_kernels=n_kernels, flithos=run.lowest, kept=is_better))
            if self._config.grow and not is_better:
                break
            lowest, kept = run.lowest, run
        if kept is None:
            raise ConfigError(
                f"grow: flithos is {base_flithos:.4f} with the kernels of the model alone and "
                f"{growth[0].flithos:.4f} with one more: there is nothing to add"
            )
        return self._result(kept, growth, base_flithos)

    def _train(self, n_kernels: int, learned: Run | None, n_threads: int) -> Run:
        """Train the kernels that are best after one epoch, of ``n_starts``."""
        starts = self._draw_starts(n_kernels, learned)
        trials = [self._run(self._network(kernels), 1, i) for i, (kernels, _) in enumerate(starts)]

        def try_out(number: int) -> None:
            self._go_on(f"{n_kernels} kernels, start {number}", trials[number], starts[number][1])

        on_cpu = self._batches.device.type == "cpu"
        n_workers = min(n_threads, len(trials)) if on_cpu else 1
        with ThreadPoolExecutor(
            n_workers, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            futures = [pool.submit(try_out, number) for number in range(len(trials))]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        best = min(trials, key=lambda trial: trial.lowest)
        run = self._run(best.network, self._config.n_epochs, len(trials))
        self._go_on(f"{n_kernels} kernels", run)
        if not np.isfinite(run.lowest):
            raise SancodecError("training diverged: its flithos is no number in any epoch")
        return run

    def _draw_starts(self, n_kernels: int, learned: Run | None) -> list[tuple[Tensor, Order]]:
        """Draw kernels and the order of an epoch for each start, before any is tried.

        What is drawn does not depend on which thread comes first.
        """
        old = self._batches.no_kernels(self._config.shape.n_taps)
        if learned is not None:
            old = self._best_of(learned).kernels().detach()
        to_explain = self._left_by(old)
        shape = replace(self._config.shape, n_kernels=n_kernels - len(old))
        another = self._config.grow and (len(old) > 0 or self._base is not None)
        choose = kernel_from_residual if another else kernels_from_signals
        starts = []
        for _ in range(self._config.n_starts):
            new = choose(to_explain, shape, self._generator).to(old.device)
            starts.append((torch.cat([old, new]), self._batches.draw(self._generator)))
        return starts

    def _left_by(self, kernels: Tensor) -> list[Tensor]:
        """Give what the kernels so far leave of the windows to train on, on the CPU."""
        if not len(kernels) and self._base is None:
            return [windows.cpu() for windows in self._batches.training]
        network = self._network(kernels)
        with torch.no_grad():
            return [
                (part - network(part).reconstruction).cpu()
                for windows in self._batches.training
                for part in torch.split(windows, self._config.batch_size)
            ]

    def _network(self, kernels: Tensor) -> SparselyActivatedNetwork:
        """Give the network of kernels, (n_kernels, n_taps), beside those of the base."""
        frozen = None
        if self._base is not None:
            frozen = self._base.rows().to(kernels.device)
        shape = replace(self._config.shape, n_kernels=len(kernels))
        return SparselyActivatedNetwork(shape, kernels, frozen)

    def _best_of(self, run: Run) -> SparselyActivatedNetwork:
        """Give the network of the best epoch of a run."""
        network = self._network(run.best)
        with torch.no_grad():
            network.free.copy_(run.best)
        return network

    def _run(self, network: SparselyActivatedNetwork, n_epochs: int, number: int) -> Run:
        entropy = [self._config.seed, network.shape.n_kernels, number]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        plan = Plan(n_epochs=n_epochs, n_batches=self._batches.n_batches, seed=seed)
        return Run(network, self._config, plan)

    def _go_on(self, name: str, run: Run, drawn: Order | None = None) -> None:
        """Train to the end of a run, from where the checkpoint has left it.

        Parameters
        ----------
        drawn : Order, optional
            Of the only epoch; otherwise each epoch draws its own.
        """
        state = self._checkpoint.find(name)
        if state is not None:
            run.resume(state)
            self._progress.skip(len(run.epochs) * self._batches.n_batches)
            if drawn is None:
                self._generator.set_state(state["order"])
        while not run.is_done:
            order = self._batches.draw(self._generator) if drawn is None else drawn
            batches = self._progress.counted(self._batches.of(order))
            run.epoch(batches, self._batches.held_back)
            state = run.state() | {"order": self._generator.get_state()}
            self._checkpoint.keep(name, state)

    def _result(self, run: Run, growth: list[Growth], base_flithos: float | None) -> TrainResult:
        network = self._best_of(run)
        n_frozen = self._base.bank.n_kernels if self._base is not None else 0
        learned = network.rows().detach()[n_frozen:]
        taps = np.rint(learned.cpu().numpy().astype(np.float64) * UNIT).astype(np.int16)
        kernels = taps[:, None, :]
        if self._base is not None:
            kernels = np.concatenate([self._base.bank.kernels, kernels])
        bank = KernelBank(kernels=kernels, centre=network.shape.row_centre, fs=self._config.fs)
        return TrainResult(
            bank=bank,
            best=min(run.epochs, key=lambda epoch: comparable(epoch.flithos)),
            epochs=tuple(run.epochs),
            figures=judge(network, self._batches.held_back),
            n_learned=network.shape.n_kernels,
            growth=tuple(growth) if self._config.grow else (),
            base_flithos=base_flithos,
            device=self._batches.device.type,
        )
