"""Principal kernels: how the beats of a class differ from its kernel."""

from __future__ import annotations

from .bounded import read_coefficients
from .parameters import Group, Layer, Plan
from .san import Lead
from .wire import Fields, check


def read_principal(plan: Plan) -> None:
    """Give the layers of a plan their principal kernels, where it has any."""
    if plan.principal is None:
        return
    fields = Fields(plan.principal, "principal kernels")
    for group in plan.groups:
        for layer in group.layers:
            _read_layer(fields, layer, group)
    fields.end()


def _read_layer(fields: Fields, layer: Layer, group: Group) -> None:
    counts = [fields.varint(64) for _ in range(layer.n_kernels)]
    n_all, n_taps, n_leads = sum(counts), layer.bank.n_taps, len(layer.leads)
    check(n_all <= 64, f"{n_all} principal kernels")
    check(n_all * n_taps * n_leads <= 2**20, "principal kernels of too many taps")
    if not n_all:
        return
    alone = Group(list(range(n_leads)), 1, group.fs)
    silence = [Lead([0] * (n_all * n_taps)) for _ in layer.leads]
    taps = read_coefficients(fields.counted(), alone, silence, n_all * n_taps)
    check(all(abs(tap) < 2**15 for lead in taps for tap in lead), "a tap of a principal kernel")
    rows = [[lead[i * n_taps : (i + 1) * n_taps] for lead in taps] for i in range(n_all)]
    for count in counts:
        layer.principal.append(rows[:count])
        del rows[:count]
