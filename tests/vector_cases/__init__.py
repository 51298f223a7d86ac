"""The test vectors: small files, each made for one reason, with the bytes that it is made of."""

from . import (
    chunks,
    container,
    good,
    header,
    kernels,
    packs,
    parameters,
    restoration,
    segments,
    unsupported,
)
from .parts import Cases

GOOD: Cases = {**good.CASES, **segments.GOOD}
UNSUPPORTED: Cases = {**unsupported.CASES, **segments.UNSUPPORTED}
BAD: Cases = {
    **container.CASES,
    **header.CASES,
    **parameters.CASES,
    **kernels.CASES,
    **chunks.CASES,
    **restoration.CASES,
    **segments.CASES,
}
GOOD_PACKS: Cases = packs.GOOD
BAD_PACKS: Cases = packs.BAD
