"""Codec parameters in their six layouts: groups, layers, kernels, starts, structure, primers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .header import Header
from .kernels import Bank, named_bank, read_bank
from .primers import Entry, LeadStart, named_entries, read_entry
from .structure import Structure, read_structure
from .symbols import Words, read_taps
from .wire import Fields, check, check_known


@dataclass
class Layer:
    """A SAN layer: which leads of which group it has, by their place in the order of coding."""

    n_kernels: int
    group: int
    leads: list[int]
    exponents: list[int]
    clock: float = 0.0
    digest: bytes = b""
    bank: Bank | None = None
    # Of each kernel its principal ones, as rows of taps, one for each lead.
    principal: list[list[list[list[int]]]] = field(default_factory=list)


@dataclass
class Group:
    channels: list[int]
    samples_per_frame: int
    fs: float
    layers: list[Layer] = field(default_factory=list)
    starts: list[list[float]] = field(default_factory=list)
    entry: Entry | None = None

    def primed(self) -> list[list[LeadStart]]:
        """Give what each lead may begin with, as many as there are leads."""
        leads = self.entry.leads if self.entry else []
        more = len(self.channels) - len(leads)
        return [*leads[: len(self.channels)], *([] for _ in range(more))]

    @property
    def clock(self) -> float:
        return max((layer.clock for layer in self.layers), default=self.fs)


@dataclass
class Plan:
    structure: Structure | None
    groups: list[Group]
    # Still to be read, by principal.py: they are a transform residual.
    principal: bytes | None = None


def read_plan(header: Header) -> Plan:
    fields = Fields(header.parameters, "codec parameters")
    first, layout = _layout(fields)
    starts = principal = primer = None
    if layout == 6:
        primer = fields.counted(2**10)
        first, layout = _layout(fields)
        check_known(layout in (1, 2, 3, 5), "layouts within layout 6")
    if layout == 5:
        principal = fields.counted(2**15)
        first, layout = _layout(fields)
        check_known(layout in (1, 2, 3), "layouts within layout 5")
    if layout == 4:
        starts = fields.counted(2**15)
        first, layout = _layout(fields)
        check_known(layout in (1, 2, 3), "layouts within layout 4")
    structure, fs = None, header.fs[0]
    per_frame = [channel.samples_per_frame for channel in header.channels]
    if layout == 3:
        n_base = fields.varint(len(per_frame), 1)
        structure = read_structure(fields.counted(2**15), len(per_frame), header)
        check(structure.n_base == n_base, "the structure leaves another number of leads")
        check(set(per_frame) == {1}, "a structure of channels of several samples per frame")
        per_frame, fs = [1] * n_base, structure.fs_inside(fs)
        first, layout = _layout(fields)
        check_known(layout in (1, 2), "layouts within layouts")
    groups = (
        _layout_1(fields, first, per_frame, fs) if layout == 1 else _layout_2(fields, per_frame, fs)
    )
    fields.end()
    _attach_kernels(groups, layout, header)
    if starts is not None:
        _read_starts(starts, groups)
    if primer is not None:
        _read_primer(primer, groups)
    return Plan(structure, groups, principal)


def _layout(fields: Fields) -> tuple[int, int]:
    """Give the number of groups, where layout 1 begins with it, and the layout."""
    first = fields.varint()
    if first > 0:
        return first, 1
    layout = fields.varint()
    check(layout != 1, "layout 1 where another one is announced")
    check_known(layout in (2, 3, 4, 5, 6), f"layout {layout}")
    return 0, layout


def _layout_1(fields: Fields, n_groups: int, per_frame: list[int], fs: float) -> list[Group]:
    numbers: dict[int, int] = {}
    of_channel = [numbers.setdefault(count, len(numbers)) for count in per_frame]
    check(n_groups == len(numbers), f"{n_groups} groups instead of {len(numbers)}")
    groups = _groups(fields, of_channel, n_groups, per_frame, fs)
    if fields.n_left:
        layer = _read_layer(fields, groups)
        layer.clock = groups[layer.group].fs
        groups[layer.group].layers.append(layer)
    return groups


def _layout_2(fields: Fields, per_frame: list[int], fs: float) -> list[Group]:
    n_groups = fields.varint(len(per_frame), 1)
    of_channel = [fields.varint(n_groups - 1) for _ in per_frame]
    check(list(dict.fromkeys(of_channel)) == list(range(n_groups)), "the order of the groups")
    groups = _groups(fields, of_channel, n_groups, per_frame, fs)
    before = 0
    for _ in range(fields.varint(len(per_frame))):
        layer = _read_layer(fields, groups)
        check(layer.group >= before, "layers that are not in the order of their groups")
        before = layer.group
        layer.clock, layer.digest = fields.f64(), fields.counted()
        check(math.isfinite(layer.clock) and layer.clock > 0, "the clock of a layer")
        check(len(layer.digest) in (0, 8, 32), "the size of a model digest")
        groups[layer.group].layers.append(layer)
    for group in groups:
        leads = [lead for layer in group.layers for lead in layer.leads]
        check(len(set(leads)) == len(leads), "a lead in two layers")
    return groups


def _groups(
    fields: Fields, of_channel: list[int], n_groups: int, per_frame: list[int], fs: float
) -> list[Group]:
    groups = []
    for number in range(n_groups):
        channels = [i for i, group in enumerate(of_channel) if group == number]
        counts = {per_frame[i] for i in channels}
        check(len(counts) == 1, "a group of channels of several samples per frame")
        order = fields.u8()
        check(order in (0, 1), f"order {order}")
        count = counts.pop()
        groups.append(Group(channels[::-1] if order else channels, count, fs * count))
    return groups


def _read_layer(fields: Fields, groups: list[Group]) -> Layer:
    fields.text(64)
    n_kernels = fields.varint(64, 1)
    fields.varint(2**22)
    group = fields.varint(len(groups) - 1)
    n_leads_of_group = len(groups[group].channels)
    leads, exponents, lead = [], [], -1
    for _ in range(fields.varint(n_leads_of_group, 1)):
        lead += 1 + fields.varint(n_leads_of_group)
        check(lead < n_leads_of_group, "a lead that the group does not have")
        leads.append(lead)
        exponents.append(fields.zigzag())
        check(-21 <= exponents[-1] <= 27, f"exponent {exponents[-1]}")
    return Layer(n_kernels, group, leads, exponents)


def _attach_kernels(groups: list[Group], layout: int, header: Header) -> None:
    layers = [layer for group in groups for layer in group.layers]
    check(not (header.digest and header.kernels), "kernels both named and embedded")
    kernels = Fields(header.kernels, "kernels")
    if layout == 1 and layers:
        layers[0].digest = header.digest
    else:
        check(not header.digest, "a model digest for no layer")
    for layer in layers:
        if layer.digest:
            layer.bank = named_bank(layer.digest, groups[layer.group].fs)
        else:
            layer.bank = read_bank(kernels.rest() if layout == 1 else kernels.counted())
        check(layer.bank.n_kernels == layer.n_kernels, "another number of kernels")
        n_leads = layer.bank.n_leads
        check(n_leads in (1, len(layer.leads)), f"kernels of {n_leads} leads")
    kernels.end()


def _read_starts(payload: bytes, groups: list[Group]) -> None:
    fields = Fields(payload, "starts")
    sizes = [[fields.varint(2**12) for _ in group.channels] for group in groups]
    n_all = sum(map(sum, sizes))
    check(n_all <= 2**15, f"{n_all} coefficients of starts")
    numbers = []
    if n_all:
        words = Words(fields.rest())
        numbers = read_taps(words, 1, n_all)[0]
        words.end()
    fields.end()
    for group, of_group in zip(groups, sizes, strict=True):
        for size in of_group:
            group.starts.append([number / 128 for number in numbers[:size]])
            del numbers[:size]


def _read_primer(content: bytes, groups: list[Group]) -> None:
    fields = Fields(content, "primer")
    entries = named_entries(fields.take(4))
    for group in groups:
        number = fields.varint(len(entries))
        group.entry = read_entry(*entries[number - 1]) if number else None
    fields.end()
