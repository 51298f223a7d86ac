"""Similarity maps that tell activation functions apart: ties, plateaus, edges, ECG."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from sequential import ecg_like

SHAPES = array_shapes(min_dims=1, max_dims=2, max_side=30)

VALUES = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, 0.5])

TIED = arrays(np.float32, SHAPES, elements=st.integers(-3, 3).map(float))
FLOATS = arrays(np.float32, SHAPES, elements=st.floats(-9, 9, width=32))


@st.composite
def plateaued(draw: st.DrawFn) -> NDArray[np.float32]:
    """Every value stands several times in a row, along all axes."""
    steps = draw(
        arrays(np.float32, array_shapes(min_dims=1, max_dims=2, max_side=8), elements=VALUES)
    )
    for axis in range(steps.ndim):
        steps = np.repeat(steps, draw(st.integers(1, 4)), axis=axis)
    return steps


@st.composite
def constant(draw: st.DrawFn) -> NDArray[np.float32]:
    return np.full(draw(SHAPES), draw(VALUES), np.float32)


@st.composite
def of_ecg(draw: st.DrawFn) -> NDArray[np.float32]:
    return ecg_like(draw(st.integers(41, 300)), draw(st.integers(0, 99))).astype(np.float32)


ONE_SAMPLE = arrays(np.float32, st.sampled_from([(1,), (1, 1)]), elements=VALUES)
MAPS = st.one_of(TIED, FLOATS, plateaued(), constant(), ONE_SAMPLE, of_ecg())
