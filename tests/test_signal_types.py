"""The kind of a channel: wrong, it would get the kernels of another signal, or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sancodec.formats.hea import parse_header
from sancodec.recording import Channel
from sancodec.signal_types import TREND, TYPES, UNKNOWN, clock_of, identify

MILLIVOLTS = {
    "ecg": "MLII MLIII ML5 MV2 I II III aVR AVL avf V V1 v6 V3R V1-V2 vx MCL MCL1 mod.V1 CC5 CM5 "
    "D3 E-S A-I ECG ECG_1 EKG FECG chest_ecg Direct_1",
    "eeg": "EEG C3 Cz Fp1 Fc5. Iz.. FP1-F7 F3-M2 T7-P7 A1 P1",
    "eog": "EOG EOG(L) E1-M2 LOC",
    "emg": "EMG Chin1-Chin2 LAT sEMG",
    "respiration": "RESP Resp CHEST ABD AIRFLOW",
    "capnogram": "CO2 etCO2",
    "ppg": "PLETH Pleth PPG wrist_ppg PLETHR BVP",
    "pressure": "ABP ART CVP PAP ICP BP UVP",
    "gsr": "GSR EDA",
    "voice": "VOICE voice",
    "phonocardiogram": "PCG",
    "fetal-heart-rate": "FHR FHR1",
    "uterine-activity": "UC toco",
    "marker": "marker",
    TREND: "HR H.R. PULSE SpO2 SaO2 NBPSys ABPMean ABPDias SV",
    UNKNOWN: "X signal ch1 noise ramp squarewave C Abdomen_1",
}
WITH_SPACES = [
    ("ECG lead II", "ecg"),
    ("EEG Fpz-Cz", "eeg"),
    ("EEG F8-REF", "eeg"),
    ("EEG(sec)", "eeg"),
    ("EEG (C4-A1)", "eeg"),
    ("EOG horizontal", "eog"),
    ("EMG submental", "emg"),
    ("Resp. Imp.", "respiration"),
    ("Resp oro-nasal", "respiration"),
    ("THOR RES", "respiration"),
    ("foot GSR", "gsr"),
    ("Temp rectal", TREND),
    ("Event marker", "marker"),
    ("EDF Annotations", "marker"),
    ("MCL1 ", "ecg"),
    ("col 0", UNKNOWN),
    ("sig 0, fmt 8", UNKNOWN),
    ("record 100, signal 0", UNKNOWN),
    ("", UNKNOWN),
]


def kind(name: str, units: str = "mV", fs: float = 250.0) -> str:
    return identify(Channel(name=name, units=units), fs).kind


@pytest.mark.parametrize(
    ("name", "expected"),
    [(name, kind) for kind, names in MILLIVOLTS.items() for name in names.split()] + WITH_SPACES,
)
def test_names_tell_the_kind(name: str, expected: str) -> None:
    assert kind(name) == expected
    assert expected in TYPES


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("P1", "mmHg", "pressure"),
        ("T1", "DegC", TREND),
        ("X", "g", "acceleration"),
        ("left", "uS", "gsr"),
        ("RESP", "pm", TREND),
        ("RESP", "NU", "respiration"),
        ("PLETH", "bpm", TREND),
        ("Flow", "L/min", "respiration"),
        ("FHR", "bpm", "fetal-heart-rate"),
        ("C3", "uV", "eeg"),
        ("C3", "µV", "eeg"),
        ("II", "", "ecg"),
        ("II", "mv", "ecg"),
        ("II", "NU", "ecg"),
        ("EMG", "NU", "emg"),
        ("what", "mmHg", "pressure"),
    ],
)
def test_units_decide_where_names_are_shared(name: str, units: str, expected: str) -> None:
    assert kind(name, units) == expected


def test_numbers_once_a_second_are_no_signal() -> None:
    assert kind("ABP", "mmHg", fs=1.0) == TREND
    assert kind("UC", "nd", fs=1.0) == "uterine-activity"
    assert identify(Channel(name="RESP"), 1.0).reason == "sampling frequency of 1 Hz"


def test_the_reason_says_what_told() -> None:
    assert identify(Channel(name="RESP "), 25.0).reason == "name RESP"
    assert identify(Channel(name="P1", units="mmHg"), 25.0).reason == "units mmHg"
    assert not identify(Channel(name="x"), 25.0).reason


def test_the_clock_of_an_ecg_is_its_frequency() -> None:
    """Anything else would change the bytes of every ECG."""
    for fs in (100.0, 250.0, 360.0, 1000.0, 173.61):
        assert clock_of("ecg", fs) == fs
        assert clock_of(UNKNOWN, fs) == fs


def test_slow_and_fast_signals_have_kernels_of_a_sensible_number_of_samples() -> None:
    """From 4 Hz to 10 kHz: kernels last 0.71 s of the clock, 8 to 65,536 samples of them."""
    for kind_, fs in (
        ("fetal-heart-rate", 4.0),
        ("uterine-activity", 4.0),
        ("respiration", 25.0),
        ("emg", 4000.0),
        ("voice", 44_100.0),
        (UNKNOWN, 4.0),
        (UNKNOWN, 10_000.0),
    ):
        assert 20 < 0.71 * clock_of(kind_, fs) < 1000


def _channels_on_disk(folder: Path) -> list[tuple[Channel, float]]:
    found = []
    for path in sorted(folder.rglob("*.hea")):
        text = path.read_bytes().decode("latin-1")
        if "/" in next(line for line in text.splitlines() if line[:1] not in {"#", ""}).split()[0]:
            continue
        header = parse_header(text, path)
        found += [(s.channel, header.fs * s.channel.samples_per_frame) for s in header.signals]
    return found


def test_no_real_recording_of_a_known_kind_is_taken_for_unknown() -> None:
    folder = os.environ.get("SANCODEC_DATA")
    if not folder:
        pytest.skip("SANCODEC_DATA is not set")
    kinds: dict[str, set[str]] = {}
    for channel, fs in _channels_on_disk(Path(folder)):
        kinds.setdefault(identify(channel, fs).kind, set()).add(channel.name.strip())
    synthetic = ("col", "sig", "sine", "ch1", "squarewave", "ramp", "noise")
    unknown = {n for n in kinds.pop(UNKNOWN, set()) if not n.startswith(synthetic)}
    assert not unknown
    assert {"ecg", "emg", "respiration", "ppg", "pressure", "voice", "fetal-heart-rate"} <= set(
        kinds
    )
