"""Files whose codec parameters contradict themselves or the header: groups, starts, structure."""

from __future__ import annotations

from dataclasses import replace

from .parts import RAW_RAMP, Cases, Draft, Script, counted, raw_chunk, same, varint, zigzag

PLAIN = Draft()
LAYOUT_1 = b"\1\0"


def _of(parameters: bytes, **fields: bytes) -> bytes:
    return replace(PLAIN, parameters=parameters, **fields).build()


def structured(
    structure: bytes, n_base: int = 2, base: bytes = LAYOUT_1, chunk: bytes | None = None
) -> Draft:
    """Give a file of layout 3, whose chunk holds the base leads raw."""
    parameters = b"\0\3" + varint(n_base) + counted(structure) + base
    payload = b"\1" + counted(varint(0)) + raw_chunk(RAW_RAMP) if chunk is None else chunk
    return replace(PLAIN, parameters=parameters, chunks=(payload,))


def _structured(structure: bytes, n_base: int = 2, base: bytes = LAYOUT_1) -> bytes:
    return structured(structure, n_base, base).build()


def ratio(a: int, b: int, d: int, rounding: bytes = b"") -> bytes:
    return varint(a) + zigzag(b) + varint(d) + rounding


# Both leads on one ratio, which stands ahead.
_BOTH = varint(1) + varint(1)
_RESAMPLED = b"\3\2\1\0\1" + ratio(1, 0, 1, b"\0\0")
# Lead 1 follows from lead 0, by one term.
_DERIVED = b"\1\1" + varint(1) + varint(1) + varint(0) + zigzag(1) + zigzag(0) + zigzag(-8)
_COEFFICIENT = Script().signed(0, 1).words()

CASES: Cases = {
    "layout-1-announced": ("layout 1 where another one is announced", _of(b"\0\1" + LAYOUT_1)),
    "primer-of-no-bytes": ("layout 6 without a primer", _of(b"\0\6" + counted(b"") + LAYOUT_1)),
    "primer-entry-beyond": (
        "an entry that the primer does not have",
        _of(b"\0\6" + counted(bytes.fromhex("35323f6e") + b"\x63") + LAYOUT_1),
    ),
    "primer-and-a-byte": (
        "a byte follows the entries of a primer",
        _of(b"\0\6" + counted(bytes.fromhex("35323f6e") + b"\0\0") + LAYOUT_1),
    ),
    "parameters-of-no-bytes": ("no codec parameters", _of(b"")),
    "groups-too-many": ("two groups, of channels that are one", _of(b"\2\0\0")),
    "groups-hostile": ("2^40 groups", _of(varint(1 << 40) + b"\0")),
    "group-of-two-frequencies": (
        "one group, of channels of two frequencies",
        _of(b"\0\2\1\0\0\0\0", per_frame=b"\0\1\2"),
    ),
    "groups-unsorted": (
        "groups that are not numbered in the order of channels",
        _of(b"\0\2\2\1\0\0\0\0"),
    ),
    "group-of-no-channels": ("a group without channels", _of(b"\0\2\2\0\0\0\0\0")),
    "order-unknown": ("a group in order 2", _of(b"\1\2")),
    "layer-cut": ("a layer that ends within its name", _of(b"\1\0\5ecg")),
    "parameters-and-a-byte": (
        "a byte follows the last field of layout 2",
        _of(b"\0\2\1\0\0\0\0\0"),
    ),
    "layers-hostile": ("2^40 layers", _of(b"\0\2\1\0\0\0" + varint(1 << 40))),
    "starts-hostile": (
        "2^40 coefficients of starts",
        _of(b"\0\4" + counted(varint(1 << 40) + b"\0") + LAYOUT_1),
    ),
    "starts-too-many": (
        "4,097 coefficients of one lead",
        _of(b"\0\4" + counted(varint(4097) + b"\0" + _COEFFICIENT) + LAYOUT_1),
    ),
    "starts-cut": (
        "the starts have two coefficients, and words for one",
        _of(b"\0\4" + counted(b"\2\0" + _COEFFICIENT) + LAYOUT_1),
    ),
    "starts-left-over": (
        "the starts have one coefficient, and words for more",
        _of(b"\0\4" + counted(b"\1\0" + _COEFFICIENT + b"\0\0\0\0") + LAYOUT_1),
    ),
    "starts-of-no-bytes": ("starts that do not say how many", _of(b"\0\4\0" + LAYOUT_1)),
    "structure-of-no-bytes": ("a structure that does not say how many stages", _structured(b"")),
    "structure-of-nine-stages": ("nine stages", _structured(b"\x09" + b"\1\0" * 9)),
    "structure-of-unknown-stage": ("a stage of kind 4", _structured(b"\1\4\0")),
    "structure-and-a-byte": ("a byte follows the last stage", _structured(b"\1\1\0\0")),
    "structure-of-a-sample-more": (
        "a structure of channels of two samples a frame",
        replace(structured(b"\1\1\0"), per_frame=same(varint(2))).build(),
    ),
    "base-leads-none": ("no base leads", _structured(b"\1" + _DERIVED + b"\1", 0)),
    "base-leads-too-many": (
        "two base leads, where the structure leaves one",
        _structured(b"\1" + _DERIVED + b"\1"),
    ),
    "rule-of-nothing": ("a rule of a lead that is not there", _structured(b"\1\1\1\2\0\0\1", 1)),
    "rule-of-itself": (
        "a rule that names the lead that it gives",
        _structured(b"\1\1\1\1\1\1" + zigzag(1) + zigzag(0) + zigzag(0) + b"\1", 1),
    ),
    "rule-of-nine-terms": (
        "a rule of nine terms",
        _structured(b"\1\1\1\1\x09" + b"\0\2\0" * 9 + b"\0\1", 1),
    ),
    "rule-divides-by-zero": (
        "a rule with a divisor of 0",
        _structured(b"\1" + _DERIVED + b"\0\0\0", 1),
    ),
    "rule-rounds-unknown": (
        "a rule that rounds in mode 4",
        _structured(b"\1" + _DERIVED + b"\2\4\0", 1),
    ),
    "ratio-of-zero": ("a grid whose a is 0", _structured(b"\1\2\1" + ratio(0, 0, 1) + _BOTH)),
    "ratio-divides-by-zero": (
        "a grid whose d is 0",
        _structured(b"\1\2\1" + ratio(1, 0, 0, b"\0\0") + _BOTH),
    ),
    "ratio-not-listed": (
        "a lead on ratio 2 of one",
        _structured(b"\1\2\1" + ratio(2, 0, 1) + b"\2\0"),
    ),
    "ratio-too-large": (
        "a grid whose a is above 2^44",
        _structured(b"\1\2\1" + ratio((1 << 44) + 1, 0, 1) + _BOTH),
    ),
    "grid-beyond-int32": (
        "a grid that takes samples beyond 32 bits",
        _structured(b"\1\2\1" + ratio(1 << 30, 0, 1) + _BOTH),
    ),
    "resampled-down": (
        "a resampling to a lower frequency",
        _structured(b"\1\3\2\2\0\1" + ratio(1, 0, 1, b"\0\0")),
    ),
    "resampled-by-unknown-degree": (
        "a spline of degree 2",
        _structured(b"\1\3\2\1\0\2" + ratio(1, 0, 1, b"\0\0")),
    ),
    "resampled-twice": ("two resamplings", _structured(b"\2" + _RESAMPLED * 2)),
    "resampled-in-chunks": (
        "a resampling of a record in two chunks",
        replace(structured(b"\1" + _RESAMPLED), chunk_frames=varint(4)).build(),
    ),
}
