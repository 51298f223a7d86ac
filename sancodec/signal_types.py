"""What kind of signal a channel holds, told from its WFDB name and units.

The kind decides which shipped model is tried and how long the kernels are that are fitted to a
record. It is a guess that the encoder puts to the test, and nothing that a decoder needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sancodec.recording import Channel

UNKNOWN = "unknown"
TREND = "trend"
"""Numbers that a monitor gives about once a second: heart rate, saturation, temperature."""

# How long the events of a signal last, in beats of an ECG: the lengths and distances of kernels,
# in seconds, are those that suit an ECG times this.
_PACES = {
    "ecg": 1.0,
    "ppg": 1.0,
    "pressure": 1.0,
    "eeg": 0.5,
    "eog": 1.0,
    "emg": 1 / 40,
    "respiration": 5.0,
    "capnogram": 5.0,
    "voice": 1 / 60,
    "phonocardiogram": 1 / 4,
    "fetal-heart-rate": 12.0,
    "uterine-activity": 60.0,
    "gsr": 8.0,
}
PACED = frozenset(_PACES)
_PACELESS = ("acceleration", "marker", TREND, UNKNOWN)
TYPES = (*_PACES, *_PACELESS)

# Frequencies between which an unknown signal is taken for one of the pace of an ECG; beyond them
# the number of samples of an event, and not its duration, is taken for that of an ECG.
_LOWEST_CLOCK, _HIGHEST_CLOCK = 40.0, 1000.0
# Nothing that moves with a beat or a breath is sampled as seldom as this.
_TREND_FS = 1.5

_RATE_UNITS = r"bpm|pm|b min|beats min|1 min|min"
_TREND_WORDS = (
    r"hr|h r|heart rate|pulse( rate)?|spo2\w?|sao2|so2|osat|ox stat|temp\w*|position|light"
    r"|(abp|art|nbp|nibp|pap|cvp|fap|uap|bp)(sys|dias?|mean|s|d|m)|nbp|nibp|resp rate|rr|co|c o|sv"
)
_LEAD = r"i{1,3}|av[rlf]|m?v\d?r?|v\d v\d|v[xyz]|ml[i\d]{0,3}|mcl\d?|c[bcmrs]\d|d\d|e s|a [is]"
_ELECTRODE = r"(fp|af|f|ft|fc|t|tp|c|cp|p|po|o|a|m|i)(z|\d{1,2})"
# In this order, over names in lower case whose every other character became a space.
_RULES = (
    ("marker", r"\b(markers?|events?|annotations?|trigger|status|sync)\b"),
    ("fetal-heart-rate", r"\bfhr\d?\b|\bf(o?etal) heart rate\b"),
    ("uterine-activity", r"^uc\d?$|\btoco\b|\buter\w*|\behg\b"),
    ("ecg", r"\b(f|m)?ecg\w*|\bekg\w*|\belectrocardio\w*|^direct \d$"),
    ("eog", r"\beog\w*"),
    ("emg", r"\bs?emg\w*|\bsubmental\b|^(chin|leg|lat|rat)\d?( (chin|leg|lat|rat)\d?)?$"),
    ("eeg", r"\beeg\w*"),
    ("capnogram", r"\b(et)?co2\b|\bcapno\w*"),
    (TREND, r"^(" + _TREND_WORDS + r")( [lr])?$|^temp\b"),
    ("respiration", r"\bresp\w*|\bair ?flow\b|^new air$|\bflow\b|\bnasal\b|\bbreath\w*"),
    ("respiration", r"^(thor\w*|chest|abdo?|abdom\w*)( res\w*| belt| effort)?$"),
    ("ppg", r"\bpleth\w*|\bppg\w*|\bphotopleth\w*|\bbvp\b"),
    ("pressure", r"^(abp|art|ao|aobp|bap|uap|uvp|pap|cvp|icp|fap|rap|lap|bp|nbp)\d?$"),
    ("pressure", r"\bpressure\b|\bblood press\w*"),
    ("gsr", r"\bgsr\b|\beda\b|\bsc[rl]\b|\bskin cond\w*|\belectrodermal\b|\bgalvanic\b"),
    ("voice", r"\bvoice\b|\bspeech\b|\bphonation\b|\bvowel\b"),
    ("phonocardiogram", r"\bpcg\w*|\bphonocard\w*|\bheart sounds?\b"),
    ("acceleration", r"\bacc\w*|^a[xyz]$"),
)
# Names of one or two letters: only of a voltage, or where the units say nothing, are they these.
_SHORT_RULES = (
    ("ecg", r"(lead |mod )?(" + _LEAD + ")"),
    ("eog", r"loc|roc|e[12]( m[12]| a[12])?"),
    ("eeg", _ELECTRODE + "( " + _ELECTRODE + r"| ref| le| avg?)?"),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _RULES)
_SHORT = tuple((kind, re.compile(pattern)) for kind, pattern in _SHORT_RULES)
_VOLTS = re.compile(r"(n|u|µ|μ|m)?v|nu|adu|")
_UNIT_RULES = (
    (TREND, re.compile(_RATE_UNITS + r"|c|degc|deg c|celsius")),
    ("pressure", re.compile(r"mm ?hg|cm ?h2o|[hk]?pa")),
    ("acceleration", re.compile(r"m?g|m s ?2")),
    ("gsr", re.compile(r"(u|µ|μ|micro ?)(s|mhos?|siemens)")),
)


@dataclass(frozen=True)
class Identity:
    """The kind of a channel, one of TYPES, and in words what says so."""

    kind: str
    reason: str


def identify(channel: Channel, fs: float) -> Identity:
    """Tell the kind of a channel from its name and units.

    Parameters
    ----------
    channel : Channel
    fs : float
        Sampling frequency of the channel, in Hz; it only tells numbers that a monitor gives
        about once a second from the signal of the same name.
    """
    name, units = _plain(channel.name), _plain(channel.units)
    kind, reason = _of_name(name, units), f"name {channel.name.strip()}"
    if kind == UNKNOWN:
        kind = next((k for k, rule in _UNIT_RULES if rule.fullmatch(units)), UNKNOWN)
        reason = f"units {channel.units.strip()}" if kind != UNKNOWN else ""
    elif kind in {"respiration", "ppg"} and re.fullmatch(_RATE_UNITS, units):
        # A monitor gives a rate the name of its signal.
        kind, reason = TREND, f"units {channel.units.strip()}"
    if fs <= _TREND_FS and kind not in {TREND, UNKNOWN, "marker", "uterine-activity"}:
        return Identity(TREND, f"sampling frequency of {fs:g} Hz")
    return Identity(kind, reason)


def clock_of(kind: str, fs: float) -> float:
    """Give the frequency at which an ECG would have as many samples in a beat, in Hz.

    Everything that is measured in seconds of an ECG is measured in this clock: the kernels of a
    breath that lasts five beats, at 25 Hz, have the taps of those of an ECG at 125 Hz.
    """
    if kind in _PACES:
        return fs * _PACES[kind]
    return min(max(fs, _LOWEST_CLOCK), _HIGHEST_CLOCK)


def _plain(text: str) -> str:
    """Give text in lower case, every run of other characters than letters and digits a space."""
    return " ".join(re.sub(r"[\W_]+", " ", text.lower()).split())


def _of_name(name: str, units: str) -> str:
    # P1 in mmHg is a pressure, and no electrode.
    short = _SHORT if _VOLTS.fullmatch(units) else ()
    found = (kind for kind, rule in short if rule.fullmatch(name))
    return next(found, next((kind for kind, rule in _COMPILED if rule.search(name)), UNKNOWN))
