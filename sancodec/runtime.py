"""ONNX Runtime: exact integer placement of kernels on any provider, and reading of model files.

This is the only module that imports onnxruntime, and it does so when a session is opened.
The graph is the same for every bank of kernels: the bank is one of its inputs.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.errors import ConfigError, ModelError, ProviderError
from sancodec.placement import Batch, Placement, place_in_numpy

Provider = Literal["auto", "cpu", "cuda"]
PROVIDERS: tuple[Provider, ...] = ("auto", "cpu", "cuda")

MAX_MODEL_BYTES = 64 << 20


class _Limits(NamedTuple):
    """What one run takes: activations; taps, for each of which the graph makes an index; sums."""

    activations: int
    taps: int
    sums: int


_LIMITS = {
    # Indices of 8 MiB, sums of 4 MiB: more does not stay in a cache, and takes longer.
    "cpu": _Limits(8_000, 1 << 20, 1 << 20),
    # A run costs as much as many sums do: indices and sums of 128 MiB each.
    "cuda": _Limits(1 << 20, 1 << 24, 1 << 25),
}
_FATAL_ONLY = 4
_WARNINGS = 2


class SynthesisSession:
    """An open ONNX Runtime session that places kernels of any bank, exactly.

    Attributes
    ----------
    provider : str
        ``"cpu"`` or ``"cuda"``: where it runs.
    """

    def __init__(self, provider: Literal["cpu", "cuda"]) -> None:
        self.provider = provider
        self._limits = _LIMITS[provider]
        graph = resources.files("sancodec.models").joinpath("placement.onnx")
        try:
            content = graph.read_bytes()
        except OSError as error:
            raise ModelError(f"{graph}: cannot be read ({error}); reinstall sancodec") from error
        self._session = _open(content, provider)
        _self_test(self)

    def place(self, placement: Placement) -> NDArray[np.int32]:
        """Add up the rows of the bank, each times its amplitude, each at its position.

        Returns
        -------
        (n_records, n_samples + n_taps) int32

        Raises
        ------
        ProviderError
            The provider fails, for instance for want of memory.
        """
        whole = placement.n_records, placement.n_samples
        step = self._step(placement.n_taps)
        sums = self._run(placement, slice(0, step), placement.record, *whole)
        for start in range(step, len(placement.row), step):
            sums += self._run(placement, slice(start, start + step), placement.record, *whole)
        return sums

    def place_all(self, placements: Iterable[Placement]) -> Iterator[NDArray[np.int32]]:
        """Do for many placements what ``place`` does for each, several of them in each run.

        Yields
        ------
        (n_records, n_samples + n_taps) int32

        Raises
        ------
        ProviderError
            The provider fails, for instance for want of memory.
        """
        for some in self._batches(placements):
            if len(some) == 1 or not any(own.n_records for own in some):
                yield from map(self.place, some)
                continue
            batch = Batch.of(some)
            none = np.zeros(len(batch.row), np.int64)
            sums = self._run(batch, slice(None), none, 1, batch.n_sums - batch.n_taps)
            yield from batch.split(sums[0], some)

    def _batches(self, placements: Iterable[Placement]) -> Iterator[list[Placement]]:
        """Give as many placements at a time as one run takes."""
        waiting: list[Placement] = []
        n_activations = n_sums = n_taps = 0
        for own in placements:
            n_taps = max(n_taps, own.n_taps)
            n_activations += len(own.row)
            n_sums += own.n_records * (own.n_samples + n_taps)
            too_many = n_activations > self._step(n_taps) or n_sums > self._limits.sums
            if too_many and waiting:
                yield waiting
                waiting, n_taps, n_activations = [], own.n_taps, len(own.row)
                n_sums = own.n_records * own.width
            waiting.append(own)
        if waiting:
            yield waiting

    def _step(self, n_taps: int) -> int:
        """Give how many activations one run takes."""
        return max(1, min(self._limits.activations, self._limits.taps // n_taps))

    def _run(
        self,
        placed: Placement | Batch,
        part: slice,
        record: NDArray[np.int64],
        n_records: int,
        n_samples: int,
    ) -> NDArray[np.int32]:
        feeds = {
            "bank": placed.bank,
            "row": placed.row[part],
            "amplitude": placed.amplitude[part],
            "position": placed.position[part],
            "record": record[part],
            "n_records": np.array(n_records, np.int64),
            "n_samples": np.array(n_samples, np.int64),
        }
        try:
            (sums,) = self._session.run(["sums"], feeds)
        except _runtime_errors() as error:
            raise ProviderError(f"{self.provider}: {_first_line(error)}") from error
        return np.asarray(sums, np.int32)


@functools.cache
def open_session(provider: str = "auto") -> SynthesisSession:
    """Open a session on the wanted provider; ``auto`` takes CUDA where it works, else the CPU.

    It is opened once for a process, and takes calls of several threads.

    Raises
    ------
    ConfigError
        There is no provider of that name.
    ProviderError
        The wanted provider is not there, or does not compute exactly.
    """
    if provider == "cpu":
        return SynthesisSession("cpu")
    if provider == "cuda":
        return _open_cuda()
    if provider != "auto":
        raise ConfigError(f"provider: {provider!r}, expected one of {', '.join(PROVIDERS)}")
    try:
        return _open_cuda()
    except ProviderError:
        return SynthesisSession("cpu")


# A child of a fork has none of the threads that a session may have begun.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=open_session.cache_clear)


def read_graph(path: Path) -> tuple[NDArray[np.int32], dict[str, str]]:
    """Give the kernels and the metadata of a model file, as they stand in it.

    Returns
    -------
    kernels : (n_rows, n_taps) int32
    metadata : dict of str to str

    Raises
    ------
    ModelError
        The file is missing, too large, or not an ONNX graph of sancodec.
    """
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_MODEL_BYTES:
            raise ModelError(f"{path}: {n_bytes} bytes, expected at most {MAX_MODEL_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read as a model ({error.strerror})") from error
    try:
        session = _open(content, "cpu")
        metadata = dict(session.get_modelmeta().custom_metadata_map)
        nothing = {name: np.zeros(0, np.int64) for name in ("row", "position", "record")}
        counts = {name: np.array(0, np.int64) for name in ("n_records", "n_samples")}
        feeds = {**nothing, **counts, "amplitude": np.zeros(0, np.int32)}
        (kernels,) = session.run(["kernels"], feeds)
    except _runtime_errors() as error:
        raise ModelError(f"{path}: not a model of sancodec ({_first_line(error)})") from error
    if kernels.dtype != np.int32 or kernels.ndim != 2:
        raise ModelError(
            f"{path}: kernels are {kernels.shape} {kernels.dtype}, expected (n_rows, n_taps) int32"
        )
    return kernels, metadata


def _self_test(session: SynthesisSession) -> None:
    """Compare with NumPy where providers have erred: negative, overlapping, beyond 2**24."""
    index = np.arange(64, dtype=np.int64)
    placement = Placement(
        bank=((np.arange(3 * 16) * 7919) % 32_749 - 16_374).astype(np.int32).reshape(3, 16),
        row=index % 3,
        amplitude=((index * 104_729) % 8_191 - 4_095).astype(np.int32),
        position=(index * 5) % 49,
        record=index % 2,
        n_records=2,
        n_samples=48,
    )
    if not np.array_equal(session.place(placement), place_in_numpy(placement)):
        raise ProviderError(
            f"{session.provider}: ONNX Runtime adds integers inexactly; "
            "install onnxruntime-gpu 1.30 or newer, or use --provider cpu"
        )


def _open(content: bytes, provider: Literal["cpu", "cuda"]) -> Any:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    name = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[provider]
    session = onnxruntime.InferenceSession(content, options, providers=[name], enable_fallback=0)
    # Even so a provider whose libraries cannot be loaded is replaced by the CPU, in silence.
    if session.get_providers()[0] != name:
        raise RuntimeError(f"the libraries of {name} could not be loaded")
    return session


def _open_cuda() -> SynthesisSession:
    remedy = "install NVIDIA's driver and 'sancodec[cuda]', or use --provider cpu"
    if not _has_cuda_driver():
        raise ProviderError(f"cuda: no NVIDIA driver on this machine; {remedy}")
    import onnxruntime  # noqa: PLC0415

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ProviderError(f"cuda: this onnxruntime was built without CUDA; {remedy}")
    try:
        with _quiet(onnxruntime):
            onnxruntime.preload_dlls()
            session = SynthesisSession("cuda")
    except _runtime_errors() as error:
        raise ProviderError(f"cuda: {_first_line(error)}; {remedy}") from error
    return session


def _has_cuda_driver() -> bool:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _quiet(onnxruntime: Any) -> Iterator[None]:
    """Keep what a failed attempt prints and logs off the terminal; the error says it."""
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Give what onnxruntime raises: classes of its own without a common base, and two others."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    own = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return (*(k for k in own if issubclass(k, Exception)), RuntimeError, ValueError)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
