"""What training runs on: processor or CUDA device, threads; the same kernels every time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from sancodec.errors import ConfigError, ProviderError, SancodecError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Where training runs and where it may be taken up again.

    Attributes
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"`` for CUDA where it works and else the processor.
        The kernels of one differ from those of the other.
    n_threads : int, optional
        Starts that are tried at once, each on a thread of its own; as many as PyTorch would use
        when it is not given. The kernels are the same for any number.
    checkpoint : Path, optional
        File that training is written to after every epoch, and taken up from.
    """

    device: str = "auto"
    n_threads: int | None = None
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ConfigError(f"device: {self.device!r}, expected one of {', '.join(DEVICES)}")
        if self.n_threads is not None and self.n_threads < 1:
            raise ConfigError(f"threads: {self.n_threads}, expected at least 1")

    def threads(self) -> int:
        """Give the number of threads."""
        return self.n_threads or torch.get_num_threads()


def choose_device(name: str) -> torch.device:
    """Give the device of a name; for ``"auto"`` CUDA where it computes, in silence.

    Raises
    ------
    ProviderError
        CUDA was asked for by name and does not work.
    """
    if name == "cpu":
        return torch.device("cpu")
    problem = _problem_of_cuda()
    if not problem:
        return torch.device("cuda")
    if name == "cuda":
        raise ProviderError(f"device cuda: {problem}; give --device cpu or auto")
    return torch.device("cpu")


@contextmanager
def repeatable(resources: Resources) -> Iterator[torch.device]:
    """Let the body compute on the device, with results that are the same every time.

    Every computation runs on one thread, and in an order that does not depend on which part of a
    CUDA device is done first: sums in another order are rounded differently.
    """
    device = choose_device(resources.device)
    n_threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    if device.type == "cuda":
        # cuBLAS reads it when it is first used: with other workspaces its sums are not repeatable.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield device
    except (MemoryError, RuntimeError) as error:
        if not _is_lack_of_memory(error):
            raise
        raise SancodecError(
            f"not enough memory on {device.type} to train; give shorter windows, a smaller batch, "
            "or fewer kernels"
        ) from error
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(n_threads)


def _problem_of_cuda() -> str:
    """Say why CUDA cannot be used; nothing when it can."""
    with warnings.catch_warnings():
        # A driver that is too old warns; what it comes to is said here, or is of no interest.
        warnings.simplefilter("ignore")
        if torch.version.cuda is None:
            return "this build of PyTorch has no CUDA"
        if not torch.cuda.is_available():
            return "PyTorch finds no CUDA device"
        try:
            # A device that is there may still be one that this build has no code for.
            _compute_on_cuda()
        except RuntimeError as error:
            return f"the device does not compute ({' '.join(str(error).split())[:200]})"
    return ""


def _compute_on_cuda() -> None:
    torch.fft.rfft(torch.ones(64, device="cuda")).abs().sum().item()


def _is_lack_of_memory(error: MemoryError | RuntimeError) -> bool:
    # PyTorch raises a plain RuntimeError where the memory of the processor ends.
    return isinstance(error, MemoryError) or "allocate" in str(error)
