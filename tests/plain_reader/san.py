"""The SAN layer: activations, and the reconstruction that they give."""

from __future__ import annotations

from dataclasses import dataclass, field

from .parameters import Group, Layer
from .structure import check_int32
from .symbols import AdaptiveField, Words
from .wire import Fields, check

# Weights of "Quarter shifts", and l.
QUARTERS = (
    (0, (0, 0, 8192, 0, 0, 0)),
    (1, (63, -495, 2310, 6930, -693, 77)),
    (1, (96, -800, 4800, 4800, -800, 96)),
    (1, (77, -693, 6930, 2310, -495, 63)),
)


@dataclass
class Activation:
    position: int
    kernel: int
    amplitudes: list[int]
    principal: list[int] = field(default_factory=list)


@dataclass
class Lead:
    """What is known of a lead before its residual is read."""

    r: list[int]
    activations: list[Activation] = field(default_factory=list)
    clock: float = 0.0


def read_activations(payload: bytes, layer: Layer, n_samples: int) -> list[Activation]:
    words = Words(payload)
    fields = [AdaptiveField() for _ in range(4 + layer.n_kernels + len(layer.leads))]
    n_activations = fields[0].number(words)
    check(n_activations <= n_samples + layer.bank.n_taps, f"{n_activations} activations")
    activations: list[Activation] = []
    intervals: list[int] = []
    kernel = 0
    means = [[0] * len(layer.leads) for _ in range(layer.n_kernels)]
    for i in range(n_activations):
        if i == 0:
            position = fields[1].number(words) - 2**20
        else:
            recent = sorted(intervals[-8:])
            median = recent[len(recent) // 2] if recent else 0
            intervals.append(fields[2 if i == 1 else 3].signed(words) + median)
            check(intervals[-1] >= 0, "positions that decrease")
            position += intervals[-1]
        kernel = fields[4 + kernel].number(words)
        check(kernel < layer.n_kernels, f"kernel {kernel}")
        amplitudes = _amplitudes(words, fields[4 + layer.n_kernels :], means[kernel])
        activations.append(Activation(position, kernel, amplitudes))
    words.end()
    return activations


def _read_principal(payload: bytes, layer: Layer, activations: list[Activation]) -> None:
    words = Words(payload)
    first, n_all = [], 0
    for of_kernel in layer.principal:
        first.append(n_all)
        n_all += len(of_kernel)
    fields = [AdaptiveField() for _ in range(n_all)]
    for activation in activations:
        own = range(len(layer.principal[activation.kernel]))
        numbers = [fields[first[activation.kernel] + i] for i in own]
        activation.principal = [number.signed(words) for number in numbers]
        check(all(abs(a) <= 2**12 for a in activation.principal), "a principal amplitude")
    words.end()


def _amplitudes(words: Words, fields: list[AdaptiveField], means: list[int]) -> list[int]:
    amplitudes = []
    for lead, m in enumerate(means):
        amplitude = fields[lead].signed(words) + (m + 8) // 16
        means[lead] = m + (16 * amplitude - m) // 4 if m else 16 * amplitude
        amplitudes.append(amplitude)
    return amplitudes


def reconstruct(layer: Layer, activations: list[Activation], n_samples: int) -> list[list[int]]:
    """Give r of each lead of a layer, in 1/16 ADC units."""
    bank = layer.bank
    shifted: dict[tuple[int, int, int], list[int]] = {}
    sums = [[0] * n_samples for _ in layer.leads]
    for activation in activations:
        whole, quarter = divmod(activation.position, 4)
        first = whole - (bank.centre + 2)
        check(first < n_samples and first + bank.n_taps + 5 > 0, "an activation beside the chunk")
        for lead, amplitude in enumerate(activation.amplitudes):
            key = (activation.kernel, lead if bank.n_leads > 1 else 0, quarter)
            if key not in shifted:
                shifted[key] = shift_by_quarters(bank.of(*key[:2]), quarter)
            for t, tap in enumerate(shifted[key], first):
                if 0 <= t < n_samples:
                    sums[lead][t] += amplitude * tap
    check_int32(sums)
    if layer.principal:
        _add_principal(sums, layer, activations)
    return [
        [_rounded(total, 10 - exponent) for total in lead]
        for exponent, lead in zip(layer.exponents, sums, strict=True)
    ]


def _add_principal(sums: list[list[int]], layer: Layer, activations: list[Activation]) -> None:
    own = [[0] * len(lead) for lead in sums]
    for activation in activations:
        whole, quarter = divmod(activation.position, 4)
        first = whole - (layer.bank.centre + 2)
        of_kernel = layer.principal[activation.kernel]
        for amplitude, rows in zip(activation.principal, of_kernel, strict=True):
            for lead, row in zip(own, rows, strict=True):
                for t, tap in enumerate(shift_by_quarters(row, quarter), first):
                    if 0 <= t < len(lead):
                        lead[t] += amplitude * tap
    check_int32(own)
    for lead, more in zip(sums, own, strict=True):
        lead[:] = [a + b for a, b in zip(lead, more, strict=True)]


def shift_by_quarters(kernel: list[int], quarter: int) -> list[int]:
    late, weights = QUARTERS[quarter]
    around = [0] * 5 + kernel + [0] * 6
    # row[j] takes kernel[j - 4 - late + i], which is around[j + 1 - late + i].
    return [
        (sum(w * around[j + 1 - late + i] for i, w in enumerate(weights)) + 4096) // 8192
        for j in range(len(kernel) + 5)
    ]


def _rounded(total: int, s: int) -> int:
    return (total + (1 << (s - 1))) >> s if s > 0 else total << -s


def leads_of(group: Group, fields: Fields, n_samples: int) -> list[Lead]:
    """Read the activations of all layers of a group: what its leads are predicted from."""
    leads = [Lead([0] * n_samples) for _ in group.channels]
    for layer in group.layers:
        activations = read_activations(fields.counted(), layer, n_samples)
        if layer.principal:
            _read_principal(fields.counted(), layer, activations)
        for lead, r in zip(layer.leads, reconstruct(layer, activations, n_samples), strict=True):
            leads[lead] = Lead(r, activations, layer.clock)
    return leads
