"""Mode 0, raw: a minimum and bits ("Raw residual")."""

from __future__ import annotations

from .structure import check_int32
from .wire import Fields, check


def read_raw(content: bytes, n_leads: int, n_samples: int) -> list[list[int]]:
    fields = Fields(content, "raw residual")
    leads = [_lead(fields, n_samples) for _ in range(n_leads)]
    fields.end()
    check_int32(leads)
    return leads


def _lead(fields: Fields, n_samples: int) -> list[int]:
    start, form = fields.signed(4), fields.u8()
    if form < 64:
        check(form <= 32, f"a width of {form} bits")
        return [start + n for n in _bits(fields, n_samples, form)]
    check(form <= 64 + 33, f"a width of {form} - 64 bits")
    smallest = fields.signed(5)
    lead = [start]
    for difference in _bits(fields, n_samples - 1, form - 64):
        lead.append(lead[-1] + smallest + difference)
    return lead


def _bits(fields: Fields, n_numbers: int, width: int) -> list[int]:
    """Read numbers of `width` bits, from the lowest bit of each byte on."""
    packed = int.from_bytes(fields.take(-(-n_numbers * width // 8)), "little")
    if not width or not n_numbers:
        return [0] * n_numbers
    packed &= (1 << n_numbers * width) - 1
    text = f"{packed:0{n_numbers * width}b}"
    ends = range(n_numbers * width, 0, -width)
    return [int(text[end - width : end], 2) for end in ends]
