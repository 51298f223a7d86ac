"""Leads turned into one another by plane rotations, so that most of the energy is in few.

A rotation is orthonormal: errors of what is turned are errors of the leads, of the same energy. It
is a product of plane rotations, each by one of 256 angles whose sines are in a table of integers.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sancodec.entropy.compiled import compiled

N_ANGLES = 256
_TABLE_BITS = 30
# Taylor's series of sine and cosine up to an eighth of a turn, whose terms beyond are below 2**-60.
_N_TERMS = 10


@cache
def turns() -> NDArray[np.float64]:
    """Give (N_ANGLES, 2) cosines and sines of the angles, in whole 2**-30.

    Made by integers alone, so that they are the same on every machine.
    """
    # pi in units of 2**-64.
    pi = 57952155664616982739
    eighth = [_series(pi * 2 * i // N_ANGLES) for i in range(N_ANGLES // 8 + 1)]
    table = np.empty((N_ANGLES, 2))
    for i in range(N_ANGLES):
        quarter, rest = divmod(i, N_ANGLES // 4)
        mirrored = rest > N_ANGLES // 8
        cosine, sine = eighth[N_ANGLES // 4 - rest if mirrored else rest]
        if mirrored:
            cosine, sine = sine, cosine
        for _ in range(quarter):
            cosine, sine = -sine, cosine
        table[i] = cosine, sine
    return table / float(1 << _TABLE_BITS)


def _series(angle: int) -> tuple[int, int]:
    """Give cosine and sine in units of 2**-30 of an angle in units of 2**-64."""
    sums = [0, 0]
    term = 1 << 64
    for n in range(2 * _N_TERMS):
        sums[n & 1] += -term if n & 2 else term
        term = (term * angle >> 64) // (n + 1)
    half = 1 << (63 - _TABLE_BITS)
    cosine, sine = ((total + half) >> (64 - _TABLE_BITS) for total in sums)
    return cosine, sine


def n_angles_of(n_leads: int) -> int:
    """Give the number of plane rotations of so many leads: one for each pair."""
    return n_leads * (n_leads - 1) // 2


@compiled
def _turn(leads: NDArray[np.float64], i: int, j: int, cosine: float, sine: float) -> None:
    for t in range(leads.shape[1]):
        a, b = leads[i, t], leads[j, t]
        leads[i, t] = cosine * a + sine * b
        leads[j, t] = cosine * b - sine * a


def pairs_of(n_leads: int) -> list[tuple[int, int]]:
    """Give the pairs of leads in the order in which they are turned."""
    return [(i, j) for i in range(n_leads) for j in range(i + 1, n_leads)]


def rotate(leads: NDArray[np.float64], angles: NDArray[np.uint8]) -> None:
    """Turn (n_leads, n) leads in place by the angles of all pairs, in turn."""
    table = turns()
    for (i, j), angle in zip(pairs_of(len(leads)), angles, strict=True):
        _turn(leads, i, j, table[angle, 0], table[angle, 1])


def unrotate(leads: NDArray[np.float64], angles: NDArray[np.uint8]) -> None:
    """Undo ``rotate``, in place."""
    table = turns()
    for (i, j), angle in zip(pairs_of(len(leads))[::-1], angles[::-1], strict=True):
        _turn(leads, i, j, table[angle, 0], -table[angle, 1])


def find_angles(leads: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Give the angles that bring most of the energy of (n_leads, n) leads into the first ones.

    Parameters
    ----------
    leads : (n_leads, n) float64
        Where most of the bits will go: coefficients without the slowest bands.
    """
    n_leads = len(leads)
    # Not by @: threads of a linear algebra library would split the sum, each time elsewhere.
    energy = np.array([[(a * b).sum() for b in leads] for a in leads])
    angles = np.zeros(n_angles_of(n_leads), np.uint8)
    for at, (i, j) in enumerate(pairs_of(n_leads)):
        _diagonalise(energy, angles, at, (i, j))
    return angles


def _diagonalise(
    energy: NDArray[np.float64], angles: NDArray[np.uint8], at: int, pair: tuple[int, int]
) -> None:
    """Choose the angle of one pair, and turn the matrix of products by it."""
    i, j = pair
    angle = 0.5 * math.atan2(2.0 * energy[i, j], energy[i, i] - energy[j, j])
    angles[at] = round(angle / (2.0 * math.pi) * N_ANGLES) % N_ANGLES
    cosine, sine = turns()[angles[at]]
    turn = np.eye(len(energy))
    turn[i, i] = turn[j, j] = cosine
    turn[i, j], turn[j, i] = sine, -sine
    energy[:] = np.einsum("ia,ab,jb->ij", turn, energy, turn)
