"""Primers: files of what other records taught ("Primers"), and contexts that begin with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .squares import Matrix
from .wire import Fields, RefusedError, check, expand

MODELS = Path(__file__).parents[2] / "models"
MAGIC = b"\x89PRM\r\n\x1a\n"


@dataclass
class LeadStart:
    """P, Q and m of a lead with so many regressors."""

    n: int
    P: Matrix
    Q: Matrix
    moving: float


@dataclass
class TransformStart:
    levels: int
    contexts: dict[int, tuple[float, float]]
    vectors: dict[int, list[float]]


@dataclass
class Entry:
    """What a group begins with: of each lead its starts, or contexts."""

    leads: list[list[LeadStart]]
    transform: TransformStart | None = None


def named_entries(digest: bytes) -> list[tuple[int, bytes]]:
    """Give the entries of the primer with this digest, each with the residual that it is for."""
    for path in sorted(MODELS.glob("*.primer")):
        content = path.read_bytes()
        if hashlib.sha256(content).digest().startswith(digest):
            return read_primer(content)
    raise RefusedError(f"no primer {digest.hex()}")


def read_primer(content: bytes) -> list[tuple[int, bytes]]:
    check(content[:8] == MAGIC and content[8:9] == b"\x01", "not a primer of version 1")
    fields = Fields(expand(content[9:], 2**24, 2, bytes(8), "primer"), "primer")
    fields.text(2**16)
    entries = []
    for _ in range(fields.varint(255)):
        residual = fields.u8()
        check(residual in (1, 2), f"an entry of residual {residual}")
        fields.text(64)
        fields.varint(256)
        fields.varint(256)
        fields.f64()
        fields.f64()
        entries.append((residual, fields.counted()))
    fields.end()
    return entries


def read_entry(residual: int, content: bytes) -> Entry:
    fields = Fields(content, "entry")
    entry = Entry(_read_leads(fields)) if residual == 1 else Entry([], _read_contexts(fields))
    fields.end()
    return entry


def _numbers(fields: Fields, n: int, n_bytes: int, signed: bool) -> list[int]:
    planes = np.frombuffer(fields.take(n * n_bytes), np.uint8).reshape(n_bytes, n)
    kind = f"<{'i' if signed else 'u'}{n_bytes}"
    numbers: list[int] = np.ascontiguousarray(planes.T).view(kind).ravel().tolist()
    return numbers


def _read_matrix(fields: Fields, n: int) -> Matrix:
    rows = np.zeros((n, n))
    numbers = iter(_numbers(fields, n * (n + 1) // 2, 4, True))
    for i in range(n):
        for j in range(i, n):
            before = rows[i - 1, j - 1] if i else 0.0
            rows[i, j] = before + next(numbers)
            check(abs(rows[i, j]) <= 2**30, "an element beyond its bounds")
        check(rows[i, i] >= 0, "a square below 0")
    return rows


def _read_leads(fields: Fields) -> list[list[LeadStart]]:
    leads: list[list[LeadStart]] = []
    for _ in range(fields.varint(256)):
        starts = []
        for _ in range(fields.varint(4)):
            n, moving = fields.varint(2**10), fields.varint(2**20) / 16
            Q = _read_matrix(fields, 11) / 16
            starts.append(LeadStart(n, _read_matrix(fields, n + 1) / 4, Q, moving))
        leads.append(starts)
    return leads


def _read_contexts(fields: Fields) -> TransformStart:
    levels, n = fields.u8(), fields.varint()
    check(levels <= 20, f"{levels} levels")
    contexts = _rising(_numbers(fields, n, 4, False), 298_108)
    chances, seen = _numbers(fields, n, 2, False), _numbers(fields, n, 2, False)
    check(all(chances), "a chance of 0")
    check(all(count <= 1440 for count in seen), "more seen than is counted")
    m = fields.varint()
    vectors = _rising(_numbers(fields, m, 4, False), 1650)
    weights = [number / 4096 for number in _numbers(fields, 8 * m, 2, True)]
    pairs = [(chance / 65536, count / 8) for chance, count in zip(chances, seen, strict=True)]
    return TransformStart(
        levels,
        dict(zip(contexts, pairs, strict=True)),
        {vector: weights[8 * i : 8 * i + 8] for i, vector in enumerate(vectors)},
    )


def _rising(numbers: list[int], limit: int) -> list[int]:
    check(numbers == sorted(set(numbers)), "numbers that do not rise")
    check(not numbers or numbers[-1] < limit, f"a number of {limit} or more")
    return numbers


def context_number(k: int, context: Sequence[Any]) -> int:
    """Give the number of context k of a decision, as coefficients.py names it."""
    kind, *parts = context
    if kind == "place":
        return int(297_968 + 20 * k + parts[0])
    if kind == "sign":
        return _sign_number(k, parts)
    if k == 5:
        q, phase, parent, other, near = parts
        return int(188_160 + (16 * q + phase) * 256 + (8 * parent + other) * 4 + near)
    b, q, first, *second = parts
    row = 20 * b + q
    if k < 4:
        return int(40_320 * k + (row * 16 + first) * 6 + second[0])
    return int(161_280 + row * 64 + first) if k == 4 else int(270_080 + row * 44 + first)


def _sign_number(k: int, parts: Sequence[int]) -> int:
    digits = list(parts) if k >= 5 else list(parts[1:])
    place = 0
    for digit in digits:
        place = 3 * place + digit
    return 288_560 + 1344 * k + (0 if k >= 5 else 64 * parts[0]) + place


def vector_number(vector: Sequence[Any]) -> int:
    """Give the number of a vector of weights, as coefficients.py names it."""
    kind, *parts = vector
    if kind == "A":
        return int(20 * parts[0] + parts[1])
    if kind == "B":
        return int(420 + 44 * parts[0] + parts[1])
    if kind == "G":
        return int(1300 + 16 * parts[0] + parts[1])
    return {"signA": 1620, "signB": 1641, "signG": 1642, "place": 1649}[kind] + sum(parts)
