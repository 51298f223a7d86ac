"""Make phrases.bin: ``python -m sancodec.formats.make_phrases`` writes it anew.

Fixed for ever once files refer to it; here to say where the bytes come from. All of it follows
from rules and from lists that anybody can look up: the names of leads, the ways in which tables of
channels and headers are written, the rules by which limb leads follow from two of them, and the
SNOMED CT codes of common findings in an ECG. What is likely stands last.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sancodec.formats.channels import put_channels
from sancodec.formats.wire import ByteWriter
from sancodec.recording import Channel

_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
_CHEST = tuple(f"V{i}" for i in range(1, 7))
_EEG = "Fp1 Fp2 F3 F4 F7 F8 T3 T4 C3 C4 T5 T6 P3 P4 O1 O2 Fz Cz Pz A1 A2"
_OTHERS = "ECG ECG1 ECG2 MLII V5 RESP PLETH ABP PAP CVP SpO2 HR EMG EOG GSR FHR UC"

# Of the 2020 and 2021 challenges of PhysioNet and Computing in Cardiology, which published them.
_CODES = """
    6374002 10370003 17338001 27885002 39732003 47665007 54329005 55930002 59118001 59931005
    63593006 67198005 67741000119109 75532003 89792004 111975006 164861001 164865005 164873001
    164884008 164889003 164890007 164896001 164909002 164912004 164917005 164930006 164931005
    164934002 164937009 164947007 164951009 195042002 195060002 195080001 195126007 233917008
    251120003 251139008 251146004 251164006 251166008 251173003 251180001 251182009 251187003
    251198002 251199005 251205003 251259000 251266004 251268003 253339007 266249003 266257000
    270492004 282825002 284470004 365413008 368009 370365005 413444003 413844008 418818005
    425419005 425623009 425856008 426177001 426183003 426434006 426627000 426648003 426664006
    426749004 426761007 426783006 426995002 427084000 427172004 427393009 428417006 428750005
    429622005 445118002 445211001 446358003 446813000 698247007 698252002 704997005 713422000
    713426002 713427006 733534002
"""
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_WORDS = "Height Weight Diagnosis age sex"


def _tables() -> Iterator[bytes]:
    """Give tables of channels as a container has them."""
    standard = Channel(adc_gain=1000.0, adc_res=16)
    for names in (
        _EEG.split(),
        _OTHERS.split(),
        ("i", "ii", "iii", "avr", "avl", "avf", *map(str.lower, _CHEST)),
    ):
        yield _table(names, standard)
    yield _table([name.upper() for name in (*_LIMB, *_CHEST)], standard)
    for bits, gain in itertools.product((12, 11, 0, 16), (200.0, 1000.0)):
        yield _table([*_LIMB, *_CHEST], replace(standard, adc_gain=gain, adc_res=bits))


def _table(names: Sequence[str], channel: Channel) -> bytes:
    writer = ByteWriter()
    put_channels(writer, [replace(channel, name=name) for name in names])
    return writer.getvalue()


def _structures() -> Iterator[bytes]:
    """Give resamplings, grids, and rules of limb leads, as a structure has them.

    Steps of 4.88 and 2.44 are 5 V and 2.5 V in 1,024 parts, by an amplifier of 1,000; 5 is 5 uV.
    """
    for up, down in ((2, 1), (5, 2), (25, 18), (5, 4)):
        stage = ByteWriter().u8(3).varint(up).varint(down).varint(0).u8(3)
        yield stage.raw(_ratio(1, 1, 2)).getvalue()
    for numerator, mode in itertools.product((61, 122), (1, 2)):
        yield b"\x02\x02\x01" + _ratio(numerator, 25, mode) + b"\x01" * 12
    yield b"\x02\x01\x05\x00\x01" + b"\x01" * 12
    for mode in (3, 0, 1, 2):
        yield b"".join(_rule(0, terms, 2, mode) for terms in _SPLIT)
    for mode in (3, 1, 2, 0):
        yield _III + b"".join(_rule(0, terms, 2, mode) for terms in _HALVES)
    yield _III + b"".join(_rule(0, terms, 1, 0) for terms in _HALVES)


def _ratio(numerator: int, divisor: int, mode: int) -> bytes:
    return ByteWriter().varint(numerator).zigzag(0).varint(divisor).u8(mode).zigzag(0).getvalue()


def _rule(skipped: int, terms: Sequence[tuple[int, int]], divisor: int, mode: int) -> bytes:
    """Give the rule of a lead; ``terms`` are the whole and the divided weight of I, and of II."""
    writer = ByteWriter().varint(skipped).varint(len(terms))
    for lead, (whole, part) in enumerate(terms):
        writer.varint(lead).zigzag(whole).zigzag(part)
    writer.zigzag(0).varint(divisor)
    if divisor > 1:
        writer.u8(mode).zigzag(0)
    return writer.getvalue()


# What aVR, aVL and aVF are halves of; and halves of what is left when one lead is taken whole.
_HALVES = (((0, -1), (0, -1)), ((0, 2), (0, -1)), ((0, -1), (0, 2)))
_SPLIT = (((-1, 1), (0, -1)), ((1, 0), (-1, 1)), ((-1, 1), (2, -2)))
_III = b"\x04" + _rule(2, ((0, -1), (0, 1)), 1, 0)


def _comments() -> Iterator[str]:
    """Give what stands before and below the lines of the signals."""
    yield ",".join(_CODES.split())
    yield "".join(f"-{month}-20" for month in _MONTHS.split())
    for mark in ("#", "# "):
        yield "".join(
            f"\n{mark}{word}: " for word in ("Height", "Weight", "Diagnosis", "age", "sex")
        )
        for sex in ("Female", "Male"):
            yield f"\n{mark}Age: 60\n{mark}Sex: {sex}\n{mark}Dx: "
            yield "".join(f"\n{mark}{word}: Unknown" for word in ("Rx", "Hx", "Sx")) + "\n"


def make_phrases() -> bytes:
    """Give the bytes of phrases.bin."""
    text = "".join(_comments()).encode("utf-8")
    return text + b"".join(_structures()) + b"".join(_tables())


if __name__ == "__main__":
    (Path(__file__).resolve().parent / "phrases.bin").write_bytes(make_phrases())
