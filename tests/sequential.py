"""The activation functions entry by entry, as their definitions read, to compare others with."""

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]


def at(similarity: Map, index: tuple[int, ...], axis: int, step: int) -> float:
    place = list(index)
    place[axis] += step
    if not 0 <= place[axis] < similarity.shape[axis]:
        return 0.0
    return float(similarity[tuple(place)])


def is_extremum_by_definition(similarity: Map, index: tuple[int, ...]) -> bool:
    value = float(similarity[index])
    sign = np.sign(value)
    for axis in range(similarity.ndim):
        rises = sign * (value - at(similarity, index, axis, -1)) > 0
        falls = sign * (at(similarity, index, axis, 1) - value) <= 0
        if not (sign and rises and falls):
            return False
    return True


def extrema_one_by_one(similarity: Map, distance: int) -> Map:
    """The plain sequential algorithm: strongest first, the lower index on a tie."""
    places = np.ndindex(similarity.shape)
    candidates = [index for index in places if is_extremum_by_definition(similarity, index)]
    candidates.sort(key=lambda index: (-abs(float(similarity[index])), index))
    kept: list[tuple[int, ...]] = []
    for index in candidates:
        if all(max(np.abs(np.subtract(index, other))) > distance for other in kept):
            kept.append(index)
    return _only(similarity, kept)


def topk_one_by_one(similarity: Map, n_kept: int) -> Map:
    order = sorted(np.ndindex(similarity.shape), key=lambda i: (-abs(float(similarity[i])), i))
    return _only(similarity, order[:n_kept])


def pool_one_by_one(similarity: Map, pool_size: int) -> Map:
    kept = []
    for cell in np.ndindex(tuple(size // pool_size for size in similarity.shape)):
        corner = np.multiply(cell, pool_size)
        places = np.ndindex((pool_size,) * similarity.ndim)
        members = [tuple(map(int, corner + place)) for place in places]
        kept.append(min(members, key=lambda i: (-abs(float(similarity[i])), i)))
    return _only(similarity, kept)


def ecg_like(n_samples: int, seed: int) -> Map:
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples)
    beats = np.arange(40, n_samples, 70) + rng.integers(-9, 10, len(range(40, n_samples, 70)))
    late = t - beats[:, None]
    beat = np.exp(-(late**2) / 8) - 0.3 * np.exp(-((late - 20) ** 2) / 90)
    return np.round(200 * beat.sum(axis=0) + rng.normal(0, 4, n_samples))


def _only(similarity: Map, places: list[tuple[int, ...]]) -> Map:
    result = np.zeros_like(similarity)
    for index in places:
        result[index] = similarity[index]
    return result
