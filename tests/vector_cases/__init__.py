"""The test vectors: small files, each made for one reason, with the bytes that it is made of."""

from . import chunks, container, good, header, kernels, parameters, restoration, unsupported
from .parts import Cases

GOOD: Cases = good.CASES
UNSUPPORTED: Cases = unsupported.CASES
BAD: Cases = {
    **container.CASES,
    **header.CASES,
    **parameters.CASES,
    **kernels.CASES,
    **chunks.CASES,
    **restoration.CASES,
}
