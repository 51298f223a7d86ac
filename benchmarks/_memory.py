"""Peak memory of a part of this process, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """A context that tells by how much the memory of this process grew at its peak.

    ``n_bytes`` is set at the end: what was held at the peak beyond what was held at the
    beginning; None where the system does not tell. Programs that are started are not counted.
    """

    n_bytes: int | None = None

    def __enter__(self) -> PeakMemory:
        self._before = _status("VmRSS") if _forget_peak() else None
        return self

    def __exit__(self, *_: object) -> None:
        peak = _status("VmHWM")
        if self._before is not None and peak is not None:
            self.n_bytes = max(peak - self._before, 0)


def _forget_peak() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _status(name: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")]
    return sizes[0] if sizes else None
