"""Files whose SAN layers, kernels or activations contradict themselves."""

from __future__ import annotations

import struct
from dataclasses import replace

from .parts import RAW_RAMP, Cases, Draft, Script, counted, raw_chunk, varint, zigzag

# Three taps, 0, 2^14 and 0: one sample, as high as the amplitude.
TAPS = (0, 1 << 14, 0)


def _coded(taps: tuple[int, ...]) -> bytes:
    script, tap, before, last = Script(), 0, 0, 0
    for number in taps:
        at = min(5, (abs(last) + abs(before)).bit_length())
        before, last, tap = last, number - tap, number
        script.signed(at, last)
    return script.words()


def bank(n_kernels: int = 1, n_leads: int = 1, n_taps: int = 3, centre: int = 1) -> bytes:
    sizes = varint(n_kernels) + varint(n_leads) + varint(n_taps) + varint(centre)
    return sizes + _coded(TAPS)


def layer(n_kernels: int = 1, group: int = 0, leads: bytes = b"\1\0" + zigzag(0)) -> bytes:
    """Give the fields of a layer; of one lead, in ADC units."""
    return counted(b"") + varint(n_kernels) + varint(3) + varint(group) + leads


def activations(positions: list[int], kernel: int = 0, amplitude: int = 100) -> Script:
    """Script one or two activations of one kernel and one lead."""
    script = Script().number(0, len(positions))
    for i, position in enumerate(positions):
        if i == 0:
            script.number(1, position + (1 << 20))
        else:
            script.signed(2, position - positions[0])
        # The second amplitude is that of the first: nothing is left to be told.
        script.number(4, kernel).signed(5, 0 if i else amplitude)
    return script


def layered(parameters: bytes, kernels: bytes, payload: bytes, **fields: bytes) -> Draft:
    """Give a file with one layer, whose residual is raw."""
    chunk = counted(payload) + raw_chunk(RAW_RAMP)
    draft = Draft(parameters=parameters, kernels=kernels, chunks=(chunk,))
    return replace(draft, **fields)


ONE = activations([8])


def _of(
    parameters: bytes = b"\1\0" + layer(),
    kernels: bytes | None = None,
    payload: bytes | None = None,
    **fields: bytes,
) -> bytes:
    own = bank() if kernels is None else kernels
    return layered(parameters, own, ONE.words() if payload is None else payload, **fields).build()


def _layout_2(*layers: bytes, groups: bytes = b"\1\0\0\0") -> bytes:
    return b"\0\2" + groups + varint(len(layers)) + b"".join(layers)


def _clocked(own: bytes, clock: float = 250.0, digest: bytes = b"") -> bytes:
    return own + struct.pack("<d", clock) + counted(digest)


_SPLIT = b"\2\0\1\0\0"

CASES: Cases = {
    "layer-of-no-kernels": ("a layer of no kernels", _of(b"\1\0" + layer(0))),
    "layer-of-65-kernels": ("a layer of 65 kernels", _of(b"\1\0" + layer(65))),
    "layer-of-no-leads": ("a layer of no leads", _of(b"\1\0" + layer(leads=b"\0"))),
    "layer-of-no-group": ("a layer of a group that is not there", _of(b"\1\0" + layer(group=1))),
    "layer-beyond-leads": (
        "a layer of a lead that its group does not have",
        _of(b"\1\0" + layer(leads=b"\1\2" + zigzag(0))),
    ),
    "layer-too-loud": ("an exponent of 28", _of(b"\1\0" + layer(leads=b"\1\0" + zigzag(28)))),
    "layer-too-soft": ("an exponent of -22", _of(b"\1\0" + layer(leads=b"\1\0" + zigzag(-22)))),
    "layers-share-a-lead": (
        "a lead in two layers",
        _of(_layout_2(_clocked(layer()), _clocked(layer())), counted(bank()) * 2),
    ),
    "layers-unsorted": (
        "layers that are not in the order of their groups",
        _of(
            _layout_2(_clocked(layer(group=1)), _clocked(layer(group=0)), groups=_SPLIT),
            counted(bank()) * 2,
        ),
    ),
    "clock-zero": ("a clock of 0 Hz", _of(_layout_2(_clocked(layer(), 0.0)), counted(bank()))),
    "clock-not-a-number": (
        "a clock that is no number",
        _of(_layout_2(_clocked(layer(), float("nan"))), counted(bank())),
    ),
    "layer-digest-of-seven-bytes": (
        "a model digest of seven bytes, of a layer",
        _of(_layout_2(_clocked(layer(), digest=b"1234567")), b""),
    ),
    "digest-in-header-of-layout-2": (
        "a digest in the header, where layers have their own",
        _of(_layout_2(_clocked(layer())), counted(bank()), digest=counted(b"12345678")),
    ),
    "kernels-missing": ("a layer without kernels or digest", _of(kernels=b"")),
    "kernels-twice": ("kernels both named and embedded", _of(digest=counted(b"12345678"))),
    "kernels-of-another-layer": (
        "a bank more than there are layers",
        _of(_layout_2(_clocked(layer())), counted(bank()) * 2),
    ),
    "bank-of-other-kernels": (
        "a bank of two kernels, of a layer of one",
        _of(kernels=bank(n_kernels=2)),
    ),
    "bank-of-other-leads": (
        "a bank for two leads, of a layer of one",
        _of(kernels=bank(n_leads=2)),
    ),
    "bank-of-no-taps": ("a bank of kernels without taps", _of(kernels=bank(n_taps=0, centre=0))),
    "bank-hostile": ("a bank of 64 x 256 x 65,536 taps", _of(kernels=bank(64, 256, 65536))),
    "bank-centre-outside": ("a centre behind the taps", _of(kernels=bank(centre=3))),
    "bank-cut": ("a bank whose words end early", _of(kernels=bank()[:-4])),
    "tap-too-large": (
        "a tap beyond 16 bits",
        _of(kernels=bank()[:4] + _coded((0, 1 << 15, 0))),
    ),
    "activations-hostile": (
        "2^40 activations in eight samples",
        _of(payload=Script().number(0, 1 << 40).words()),
    ),
    "activations-cut": (
        "an activation that is not there",
        _of(payload=Script().number(0, 1).words()),
    ),
    "activations-left-over": (
        "words behind the last activation",
        _of(payload=ONE.words() + bytes(4)),
    ),
    "activations-of-no-bytes": ("activations without their number", _of(payload=b"")),
    "activation-of-no-kernel": (
        "an activation of kernel 1, where there is kernel 0",
        _of(payload=activations([8], kernel=1).words()),
    ),
    "activation-ahead": (
        "an activation that ends ahead of the chunk",
        _of(payload=activations([-100]).words()),
    ),
    "activation-behind": (
        "an activation that begins behind the chunk",
        _of(payload=activations([1000]).words()),
    ),
    "activations-backwards": (
        "positions that decrease",
        _of(payload=activations([16, 12]).words()),
    ),
    "activation-beyond-int32": (
        "an activation whose sum is beyond 32 bits",
        _of(payload=activations([8], amplitude=1 << 20).words()),
    ),
}
