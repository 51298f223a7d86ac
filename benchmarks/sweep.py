"""Time of a sweep over kernel sizes, beside the same sweep with Extrema as a loop over examples.

Eight windows of a simulated ECG: 6 to train on, 2 to judge by. The sweep is measured whole for
every activation function. The loops are measured on some of the kernel sizes for one epoch, and
extrapolated from there; they keep what Extrema keeps, which is checked. With the loop in torch
the sizes are trained one after the other, as in the authors' released code, and in one batch too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import click
import numpy as np
import torch
from torch import Tensor

from sancodec.san.activations import extrema as extrema_of_one
from sancodec.simulate import Simulation, simulate_record
from sancodec.training import activations
from sancodec.training.san import ACTIVATIONS
from sancodec.training.sweep import SweepConfig, sweep

_N_WINDOWS, _N_SAMPLES, _FS = 8, 1000, 360.0


def _windows(seed: int) -> np.ndarray:
    simulation = Simulation(fs=_FS, duration_seconds=1.01 * _N_WINDOWS * _N_SAMPLES / _FS)
    recording = simulate_record(simulation, np.random.default_rng(seed))
    signal = np.asarray(recording.signals[0][: _N_WINDOWS * _N_SAMPLES], np.float64)
    windows = signal.reshape(_N_WINDOWS, _N_SAMPLES)
    centred = windows - windows.mean(axis=1, keepdims=True)
    return (centred / windows.std(axis=1, keepdims=True)).astype(np.float32)


def extrema_in_a_torch_loop(similarity: Tensor, distance: Tensor, n_dimensions: int = 1) -> Tensor:
    """Find the extrema of each example, the strongest first, each against all others."""
    assert n_dimensions == 1
    reach = distance.expand(similarity.shape[:-1]).reshape(-1).tolist()
    maps = similarity.detach().reshape(-1, similarity.shape[-1])
    kept = torch.zeros(maps.shape, dtype=torch.bool)
    for i, values in enumerate(maps):
        around = torch.nn.functional.pad(values, (1, 1))
        sign = torch.sign(values)
        rises = sign * (values - around[:-2]) > 0
        falls = sign * (around[2:] - values) <= 0
        place = (rises & falls & (values != 0)).nonzero()[:, 0]
        place = place[torch.sort(values[place].abs(), descending=True, stable=True).indices]
        silenced = torch.zeros(len(place), dtype=torch.bool)
        for j, t in enumerate(place):
            if not silenced[j]:
                kept[i, t] = True
                silenced |= (place - t).abs() <= reach[i]
    return torch.where(kept.view(similarity.shape), similarity, 0)


def extrema_in_a_numpy_loop(similarity: Tensor, distance: Tensor, n_dimensions: int = 1) -> Tensor:
    """Call the parallel form in NumPy once for each example."""
    assert n_dimensions == 1
    reach = distance.expand(similarity.shape[:-1]).reshape(-1).tolist()
    maps = similarity.detach().reshape(-1, similarity.shape[-1]).numpy()
    found = [extrema_of_one(one, med) for one, med in zip(maps, reach, strict=True)]
    kept = torch.from_numpy(np.stack(found) != 0).view(similarity.shape)
    return torch.where(kept, similarity, 0)


def _time(task: Callable[[], object]) -> tuple[float, float]:
    """Give the seconds on the clock, and those of processors."""
    clock, cpu = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - clock, time.process_time() - cpu


@contextmanager
def _extrema_as(loop: Callable[..., Tensor]) -> Iterator[None]:
    together, activations.extrema = activations.extrema, loop
    try:
        yield
    finally:
        activations.extrema = together


def _one_by_one(config: SweepConfig) -> list[SweepConfig]:
    return [replace(config, kernel_sizes=(size,)) for size in config.kernel_sizes]


def _flithos(windows: np.ndarray, configs: list[SweepConfig]) -> np.ndarray:
    results = [sweep(windows[:6], windows[6:], config) for config in configs]
    return np.concatenate([result.flithos for result in results], axis=1)


def _loops(
    windows: np.ndarray, some: SweepConfig, factor: float, base: tuple[float, float]
) -> None:
    """Print what the loops take for some sizes and one epoch, times the factor."""
    alone = _one_by_one(some)
    for label, loop, configs in (
        ("torch loop, one by one", extrema_in_a_torch_loop, alone),
        ("torch loop, one batch", extrema_in_a_torch_loop, [some]),
        ("NumPy loop, one batch", extrema_in_a_numpy_loop, [some]),
    ):
        expected = _flithos(windows, configs)
        found: list[np.ndarray] = []
        with _extrema_as(loop):
            times = _time(partial(lambda c, f: f.append(_flithos(windows, c)), configs, found))
        if not np.array_equal(found[0], expected):
            raise SystemExit(f"{label}: keeps something else than Extrema does")
        clock, cpu = (seconds * factor for seconds in times)
        print(f"{label:22} {clock:6.0f} s on the clock {cpu:6.0f} s of processor", end="")
        print(f": {clock / base[0]:.0f} and {cpu / base[1]:.0f} times the sweep")


@click.command()
@click.option("--largest", default=250, show_default=True, help="Largest kernel size, in samples.")
@click.option("--epochs", default=30, show_default=True)
@click.option("--threads", type=int, help="Threads; as many as torch takes by itself.")
@click.option("--every", default=10, show_default=True, help="Of so many sizes the loops take one.")
@click.option("--seed", default=0, show_default=True)
def main(largest: int, epochs: int, threads: int | None, every: int, seed: int) -> None:
    if threads:
        torch.set_num_threads(threads)
    windows = _windows(seed)
    sizes = tuple(range(1, largest + 1))
    config = SweepConfig(activation="extrema", kernel_sizes=sizes, n_epochs=epochs, device="cpu")
    for name in ACTIVATIONS:
        # Compile before anything is timed.
        _flithos(windows, [replace(config, activation=name, n_epochs=1)])
    print(f"kernels of 1 to {largest} samples, {epochs} epochs, {torch.get_num_threads()} threads")
    for name in ACTIVATIONS:
        settings = replace(config, activation=name)
        base = _time(partial(_flithos, windows, [settings]))
        print(f"{name:22} {base[0]:6.1f} s on the clock {base[1]:6.1f} s of processor")
    some = replace(config, kernel_sizes=sizes[every // 2 :: every], n_epochs=1)
    factor = len(sizes) / len(some.kernel_sizes) * epochs
    print(
        f"Extrema as a loop over examples, measured on {len(some.kernel_sizes)} kernel sizes for "
        f"one epoch, times {factor:.0f}:"
    )
    # The last one timed is Extrema.
    _loops(windows, some, factor, base)


if __name__ == "__main__":
    main()
