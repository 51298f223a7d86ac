"""Tables of pandas, which wfdb brings along; imported when one is made, and not before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray


def make_frame(
    columns: Sequence[tuple[str, NDArray[Any]]], index: Any, units: Mapping[str, str]
) -> Any:
    """Give a ``pandas.DataFrame`` of columns, which may share a name; ``attrs`` has the units."""
    import pandas as pd  # noqa: PLC0415

    own = {i: column for i, (_, column) in enumerate(columns)}
    frame = pd.DataFrame(own, index=index)
    frame.columns = [name for name, _ in columns]
    frame.attrs["units"] = dict(units)
    return frame


def make_times(sample: NDArray[np.int64], fs: float, begin: datetime | None) -> Any:
    """Give the index of samples: seconds, or, where it is known when sample 0 was, times."""
    import pandas as pd  # noqa: PLC0415

    if begin is None:
        return pd.Index(sample / fs, name="seconds")
    since = np.rint(sample * (1e9 / fs)).astype("timedelta64[ns]")
    return pd.DatetimeIndex(np.datetime64(begin, "ns") + since, name="time")
