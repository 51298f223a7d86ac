"""The payload of a chunk: groups, their layers, and a residual in one of the modes."""

from __future__ import annotations

from .blockwise import read_blockwise
from .bounded import read_bounded, read_coefficients, read_stepped
from .discrete import read_discrete
from .mixing import read_mixing
from .parameters import Group, Plan
from .predictive import read_predictive
from .raw import read_raw
from .san import Lead, leads_of
from .structure import Leads, check_int32
from .wide import read_wide
from .wire import Fields, check, check_known

MODES = {
    1: read_predictive,
    2: read_blockwise,
    3: read_mixing,
    4: read_wide,
    5: read_coefficients,
    6: read_bounded,
    8: read_discrete,
}
STEPPED = 7


def read_chunk(payload: bytes, plan: Plan, n_frames: int, per_frame: list[int]) -> Leads:
    """Give the samples of a chunk, channel by channel."""
    if plan.structure is None:
        return _read_groups(payload, plan.groups, n_frames, len(per_frame))
    fields = Fields(payload, "chunk")
    form = fields.u8()
    check(form in (0, 1), f"chunk of form {form}")
    if form == 0:
        return read_raw(fields.rest(), len(per_frame), n_frames)
    misfits = Fields(fields.counted(), "misfits")
    n_inside = plan.structure.n_samples_inside(n_frames)
    base = _read_groups(fields.rest(), plan.groups, n_inside, plan.structure.n_base)
    return _corrected(plan.structure.undo(base, n_frames), misfits)


def _corrected(leads: Leads, misfits: Fields) -> Leads:
    leads = [list(lead) for lead in leads]
    lead, t = 0, -1
    for _ in range(misfits.varint(sum(map(len, leads)))):
        skipped = misfits.varint(len(leads))
        lead, t = lead + skipped, -1 if skipped else t
        check(lead < len(leads), "a misfit in a lead that is not there")
        t += 1 + misfits.varint(len(leads[lead]))
        check(t < len(leads[lead]), "a misfit behind the end")
        difference = misfits.zigzag(2**33 - 1)
        check(difference != 0, "a misfit of 0")
        leads[lead][t] += difference
    misfits.end()
    check_int32(leads)
    return leads


def _read_groups(payload: bytes, groups: list[Group], n_frames: int, n_channels: int) -> Leads:
    fields = Fields(payload, "chunk")
    channels: Leads = [[] for _ in range(n_channels)]
    for group in groups:
        n_samples = n_frames * group.samples_per_frame
        leads = leads_of(group, fields, n_samples)
        mode = fields.u8()
        samples = read_residual(mode, fields.counted(), group, leads, n_samples)
        for channel, lead in zip(group.channels, samples, strict=True):
            channels[channel] = lead
    fields.end()
    return channels


def read_residual(
    mode: int, payload: bytes, group: Group, leads: list[Lead], n_samples: int
) -> Leads:
    if mode == 0:
        return read_raw(payload, len(leads), n_samples)
    if mode == STEPPED:
        return read_stepped(payload, group, leads, n_samples, read_residual)
    check_known(mode in MODES, f"mode {mode}")
    return MODES[mode](payload, group, leads, n_samples)
