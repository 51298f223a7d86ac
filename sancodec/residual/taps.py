"""Regressors that are neighbours of a sample in a few series, and their weighted products.

Neighbouring taps of one series see the same values one sample apart. So only the products with
the first tap of each series are summed up; each further one follows from its neighbour, by what
comes in and goes out at the ends of the span. Within a block all samples weigh the same, and a
span is several blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

UNROLL = 8
"""Samples that ``correlate`` adds in one pass; it reads this far beyond its span."""


class Taps(NamedTuple):
    """Regressors: ``n_taps[i]`` neighbours of each sample in source ``i``, from ``first[i]`` on."""

    sources: NDArray[np.float64]
    """(n_sources, n_samples + 2 * pad); sample t stands at t + pad."""
    first: NDArray[np.int64]
    n_taps: NDArray[np.int64]


class Span(NamedTuple):
    """Consecutive blocks whose products are to be summed up together.

    Attributes
    ----------
    bounds : (capacity,) int64
        First samples of the blocks and, behind them, of what comes after.
    weights : (capacity,) float64
        What each sample of a block counts for.
    n_blocks : (1,) int64
    """

    bounds: NDArray[np.int64]
    weights: NDArray[np.float64]
    n_blocks: NDArray[np.int64]


class Products(NamedTuple):
    """Sums of products, and room to work out those of a span; all float64.

    Attributes
    ----------
    total : (n, padded width)
        As ``regression.accumulate`` leaves them; the last tap of the last source is the target.
    rows : (2, padded width)
        That of the tap at hand and, in turns, that of the one before.
    columns : (n_sources, most taps)
        Products of the first tap of a source with all taps of the source at hand.
    weighted : (samples of a span + UNROLL,)
    edges : (capacity, padded width)
        Values of all taps at the bounds of the blocks.
    steps : (capacity,)
        By how much the weights change at the bounds.
    """

    total: NDArray[np.float64]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    weighted: NDArray[np.float64]
    edges: NDArray[np.float64]
    steps: NDArray[np.float64]


def new_products(n_taps: NDArray[np.int64], span_samples: int) -> Products:
    """Give sums of nothing, with room for spans of at most ``span_samples``."""
    n = int(n_taps.sum())
    width = (n + 7) // 8 * 8
    capacity = span_samples + 1 + UNROLL
    return Products(
        total=np.zeros((n, width)),
        rows=np.zeros((2, width)),
        columns=np.zeros((n_taps.size, int(n_taps.max()))),
        weighted=np.zeros(span_samples + UNROLL),
        edges=np.zeros((capacity, width)),
        steps=np.zeros(capacity),
    )


def new_span(span_samples: int) -> Span:
    """Give an empty span that can have as many blocks as samples."""
    return Span(
        bounds=np.zeros(span_samples + 1, np.int64),
        weights=np.zeros(span_samples),
        n_blocks=np.zeros(1, np.int64),
    )


@compiled
def add_tap(  # noqa: PLR0917
    total: NDArray[np.float64],
    source: NDArray[np.float64],
    first: int,
    coefficients: NDArray[np.float64],
    begin: int,
    stop: int,
) -> None:
    """Add the weighted neighbours ``source[t + first ..]`` to ``total[begin:stop]``, in order."""
    n = coefficients.size
    out = total[begin:stop]
    m = out.size
    whole = n - n % 4
    for j in range(0, whole, 4):
        at = begin + first + j
        c0, c1, c2, c3 = (
            coefficients[j],
            coefficients[j + 1],
            coefficients[j + 2],
            coefficients[j + 3],
        )
        s0, s1 = source[at : at + m], source[at + 1 : at + 1 + m]
        s2, s3 = source[at + 2 : at + 2 + m], source[at + 3 : at + 3 + m]
        for t in range(m):
            out[t] = (((out[t] + c0 * s0[t]) + c1 * s1[t]) + c2 * s2[t]) + c3 * s3[t]
    for j in range(whole, n):
        at = begin + first + j
        c0 = coefficients[j]
        s0 = source[at : at + m]
        for t in range(m):
            out[t] = out[t] + c0 * s0[t]


@compiled
def correlate(
    out: NDArray[np.float64],
    weighted: NDArray[np.float64],
    series: NDArray[np.float64],
    n_samples: int,
) -> None:
    """Set ``out[j]`` to the sum over t of ``weighted[t] * series[t + j]``, t upwards.

    ``weighted`` has zeros from ``n_samples`` up to a multiple of UNROLL.
    """
    out[:] = 0.0
    n = out.size
    for t in range(0, n_samples, UNROLL):
        a = weighted[t : t + UNROLL]
        a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
        s = series[t : t + n + UNROLL]
        for j in range(n):
            half = (((out[j] + a0 * s[j]) + a1 * s[j + 1]) + a2 * s[j + 2]) + a3 * s[j + 3]
            out[j] = (((half + a4 * s[j + 4]) + a5 * s[j + 5]) + a6 * s[j + 6]) + a7 * s[j + 7]


@compiled
def _weigh(
    products: Products, span: Span, series: NDArray[np.float64], first: int
) -> NDArray[np.float64]:
    """Give ``series`` from ``first`` on, each sample of the span times its weight."""
    start = span.bounds[0]
    for g in range(span.n_blocks[0]):
        for t in range(span.bounds[g], span.bounds[g + 1]):
            products.weighted[t - start] = series[first + t] * span.weights[g]
    n_samples = span.bounds[span.n_blocks[0]] - start
    products.weighted[n_samples : n_samples + UNROLL] = 0.0
    return products.weighted


@compiled
def _find_edges(products: Products, taps: Taps, span: Span, pad: int) -> int:
    """Fill in what the taps see at the bounds, and the steps; give a multiple of UNROLL to read."""
    n_bounds = span.n_blocks[0] + 1
    for g in range(n_bounds):
        column = 0
        for i in range(taps.n_taps.size):
            at = pad + span.bounds[g] + taps.first[i]
            for j in range(taps.n_taps[i]):
                products.edges[g, column + j] = taps.sources[i, at + j]
            column += taps.n_taps[i]
        before = span.weights[g - 1] if g > 0 else 0.0
        after = span.weights[g] if g < n_bounds - 1 else 0.0
        products.steps[g] = before - after
    padded = (n_bounds + UNROLL - 1) // UNROLL * UNROLL
    for g in range(n_bounds, padded):
        products.edges[g, :] = 0.0
        products.steps[g] = 0.0
    return int(padded)


@compiled
def _follow(products: Products, r: int, at: int, n_edges: int) -> None:
    """Set the row of tap ``r`` + 1 to what follows from ``rows[at]``, that of tap ``r``."""
    n = products.total.shape[0]
    row, out = products.rows[at, r : n - 1], products.rows[1 - at, r + 1 : n]
    for g in range(0, n_edges, 8):
        steps, e = products.steps[g : g + 8], products.edges[g : g + 8]
        b0, b1 = steps[0] * e[0, r], steps[1] * e[1, r]
        b2, b3 = steps[2] * e[2, r], steps[3] * e[3, r]
        b4, b5 = steps[4] * e[4, r], steps[5] * e[5, r]
        b6, b7 = steps[6] * e[6, r], steps[7] * e[7, r]
        f0, f1, f2, f3 = e[0, r:], e[1, r:], e[2, r:], e[3, r:]
        f4, f5, f6, f7 = e[4, r:], e[5, r:], e[6, r:], e[7, r:]
        for c in range(out.size):
            half = (((row[c] + b0 * f0[c]) + b1 * f1[c]) + b2 * f2[c]) + b3 * f3[c]
            out[c] = (((half + b4 * f4[c]) + b5 * f5[c]) + b6 * f6[c]) + b7 * f7[c]
        row = out


@compiled
def _sum_first(  # noqa: PLR0917
    products: Products, taps: Taps, span: Span, pad: int, i: int, column: int
) -> None:
    """Sum up the products of the first tap of source ``i``, and of the others' with its taps."""
    start, n_samples = span.bounds[0], span.bounds[span.n_blocks[0]] - span.bounds[0]
    n_taps, own = taps.n_taps[i], taps.sources[i]
    weighted = _weigh(products, span, own, pad + taps.first[i])
    at = column
    for k in range(i, taps.n_taps.size):
        series = taps.sources[k, pad + start + taps.first[k] :]
        correlate(products.rows[0, at : at + taps.n_taps[k]], weighted, series, n_samples)
        at += taps.n_taps[k]
    series = own[pad + start + taps.first[i] :]
    for k in range(i + 1, taps.n_taps.size):
        weighted = _weigh(products, span, taps.sources[k], pad + taps.first[k])
        correlate(products.columns[k, :n_taps], weighted, series, n_samples)


@compiled
def add_products(products: Products, taps: Taps, span: Span, pad: int, decay: float) -> None:
    """Decay the sums of products and add those of a span; ``span`` is empty afterwards."""
    n_edges = _find_edges(products, taps, span, pad)
    n_sources, n = taps.n_taps.size, products.total.shape[0]
    column = 0
    for i in range(n_sources):
        _sum_first(products, taps, span, pad, i, column)
        for j in range(taps.n_taps[i]):
            row = products.rows[j % 2]
            if j > 0:
                _follow(products, column + j - 1, (j - 1) % 2, n_edges)
                at = column + taps.n_taps[i]
                for k in range(i + 1, n_sources):
                    row[at] = products.columns[k, j]
                    at += taps.n_taps[k]
            total, added = products.total[column + j, column + j : n], row[column + j : n]
            for c in range(total.size):
                total[c] = total[c] * decay + added[c]
        column += taps.n_taps[i]
    span.n_blocks[0] = 0
