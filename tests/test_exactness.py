"""The decoder's arithmetic is the one that is written: not fused, not reordered, no library's."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from sancodec.residual import blockwalk, discrete, mixing, predictive, wide
from sancodec.residual.blockwise import decode_blockwise, encode_blockwise
from sancodec.residual.discrete import decode_discrete, encode_discrete
from sancodec.residual.mixing import decode_mixing, encode_mixing
from sancodec.residual.predictive import decode_predictive, encode_predictive
from sancodec.residual.template import beats_of
from sancodec.residual.wide import decode_wide, encode_wide
from sancodec.san import coding, details
from sancodec.san.coding import decode_activations, decode_taps, encode_activations, encode_taps
from sancodec.san.details import Details, decode_details, encode_details
from sancodec.san.kernels import KernelBank
from sancodec.san.synthesis import Activations

ROOT = Path(__file__).resolve().parent.parent
FS = 250.0

# What x86, ARM and LLVM call a multiplication and an addition in one rounding.
FUSED = re.compile(r"\bv?fn?m(add|sub)[0-9]*[ps][sd]\b|\bfn?m(la|ls|add|sub)\b|fmuladd|llvm\.fma")
# Flags by which LLVM may reorder, contract or approximate.
FLAGS = "fast|reassoc|contract|arcp|afn|nsz|nnan|ninf"
FAST = re.compile(rf"\bf(?:add|sub|mul|div|neg|rem)\b(?: \w+)*? ({FLAGS})\b")
NAMES = "exp2?|expm1|log2?|log10|log1p|pow|powi|sin|cos|tan|tanh|erf|cbrt|hypot|fma"
LIBRARY = re.compile(rf"(?:llvm\.)?(?:{NAMES})f?(?:\.f64(?:\.i32)?)?")


def workload() -> tuple[NDArray[np.int32], NDArray[np.int32], list[Any], Activations]:
    """A short record with two leads, a SAN layer and its beats: every branch of the decoder."""
    generator = np.random.default_rng(1)
    samples = np.cumsum(generator.integers(-30, 31, (2, 400)), axis=1).astype(np.int32)
    samples[1, 200:204] = [(1 << 31) - 1, -(1 << 31), 0, 5]
    activations = Activations(
        position=np.array([-40, 130, 131, 900, 1500], np.int64),
        kernel=np.array([0, 1, 0, 0, 1], np.int64),
        amplitude=np.array([[9, -3], [0, 400], [8, 8], [7, -5], [1, 2]], np.int32),
    )
    beats = beats_of(activations.position, activations.kernel, FS)
    san = np.rint(samples * 3.0 + generator.normal(0, 9, samples.shape)).clip(-9e8, 9e8)
    return samples, san.astype(np.int32), [beats, beats], activations


def payloads() -> list[bytes]:
    samples, san, beats, activations = workload()
    kernels = np.rint(900 * np.hanning(50)).astype(np.int16)[None, None]
    return [
        encode_predictive(samples, FS, san, beats, 2),
        encode_predictive(samples[::-1].copy(), FS, np.zeros_like(san), [beats[0]] * 2, 2),
        encode_activations(activations, 2),
        encode_taps(kernels),
        encode_blockwise(samples, FS, san, beats, 2),
        encode_wide(samples, FS, san, beats, 2),
        encode_wide(many(samples), FS, many(san), beats * 4, 2),
        encode_mixing(samples, FS, san, beats, 2),
        encode_discrete(samples // 64),
    ]


def many(leads: NDArray[np.int32]) -> NDArray[np.int32]:
    """Eight leads of two: of later ones, fewer samples of each source are regressors.

    Some are copies and sums of others, and constant, so that the least squares are singular.
    """
    total = leads.sum(axis=0, dtype=leads.dtype, keepdims=True)
    return np.concatenate([leads, leads[:, ::-1], total, leads[:1], leads[:1] // 3, 0 * total + 7])


def principal(activations: Activations) -> tuple[Activations, Details]:
    """Some principal kernels of both classes, and their amplitudes."""
    bank = KernelBank(kernels=np.ones((3, 2, 50), np.int16), centre=9, fs=FS)
    amplitudes = np.array([[3, 0], [-1, 7], [0, 0], [900, 0], [2, -2]], np.int32)
    return replace(activations, details=amplitudes), Details.of((1, 2), bank, b"")


def use_everything() -> None:
    """Encode and decode, so that every function has been compiled for the types in use."""
    samples, san, beats, _ = workload()
    first, _, coded, taps, fast, *wide_ones, mixed, told = payloads()
    np.testing.assert_array_equal(decode_predictive(first, 400, FS, san, beats, 2), samples)
    np.testing.assert_array_equal(decode_blockwise(fast, 400, FS, san, beats, 2), samples)
    np.testing.assert_array_equal(decode_wide(wide_ones[0], 400, FS, san, beats, 2), samples)
    decoded = decode_wide(wide_ones[1], 400, FS, many(san), beats * 4, 2)
    np.testing.assert_array_equal(decoded, many(samples))
    np.testing.assert_array_equal(decode_mixing(mixed, 400, FS, san, beats, 2), samples)
    np.testing.assert_array_equal(decode_discrete(told, *samples.shape), samples // 64)
    decode_activations(coded, 2, 2, 5)
    decode_taps(taps, (1, 1, 50))
    detailed, own = principal(workload()[3])
    decoded = decode_details(encode_details(detailed, own), detailed.kernel, own)
    np.testing.assert_array_equal(decoded, detailed.details)


ROOTS = (
    (predictive, "_code_lead"),
    (wide, "_code_lead"),
    (mixing, "_code_stretch"),
    (discrete, "_code_lead"),
    (blockwalk, "code_lead"),
    (blockwalk, "take_model"),
    (blockwalk, "rehearse"),
    (coding, "_take_activations"),
    (coding, "_take_taps"),
    (details, "_take_details"),
)
"""What the decoder calls from Python: into these, all else of its arithmetic is compiled."""


@pytest.fixture(scope="module")
def listings() -> dict[str, str]:
    """LLVM and assembly of the roots with all they call, as they are compiled on this machine."""
    use_everything()
    found = {}
    for module, function in ROOTS:
        name, kept = f"{module.__name__}.{function}", getattr(module, function)
        # What comes from the disk cannot be inspected: compile the root once more.
        root = numba.njit(kept.py_func)
        for signature in kept.nopython_signatures:
            root.compile(signature.args)
        assert root.targetoptions.get("fastmath", False) is False
        found[f"llvm of {name}"] = "\n".join(root.inspect_llvm().values())
        found[f"asm of {name}"] = "\n".join(root.inspect_asm().values())
    return found


def test_what_is_inspected_holds_the_arithmetic_of_the_decoder(listings: dict[str, str]) -> None:
    for module in (predictive, wide):
        code = listings[f"llvm of {module.__name__}._code_lead"]
        assert len(re.findall(r"\bfmul\b", code)) > 100
        assert len(re.findall(r"\bfadd\b", code)) > 100
        assert len(re.findall(r"\bfdiv\b", code)) > 5
        # What is only declared in it stands elsewhere, and would not be seen.
        assert "define" in code
        assert "sancodec" in code
    for module, function in ROOTS:
        llvm = listings[f"llvm of {module.__name__}.{function}"]
        declared = re.findall(r"\bdeclare\b[^@\n]*@(\S+)", llvm)
        assert declared
        assert not [function for function in declared if "sancodec" in function]


def test_no_multiplication_is_fused_with_an_addition(listings: dict[str, str]) -> None:
    for name, code in listings.items():
        assert not FUSED.search(code), f"{name}: {FUSED.search(code)}"


def test_no_operation_may_be_reordered_or_approximated(listings: dict[str, str]) -> None:
    for name, code in listings.items():
        assert not FAST.search(code), f"{name}: {FAST.search(code)}"


def test_no_function_of_a_library_that_may_round_otherwise_is_called(
    listings: dict[str, str],
) -> None:
    for name, code in listings.items():
        declared = re.findall(r"\b(?:declare|call)\b[^@\n]*@\"?([\w.$]+)", code)
        called = re.findall(r"\b(?:callq?|bl|jmp|b)\s+\*?([\w.$@]+)", code)
        for function in (*declared, *(c.split("@")[0] for c in called)):
            assert not LIBRARY.fullmatch(function), f"{name}: calls {function}"


def test_the_patterns_find_what_they_look_for() -> None:
    for line in (
        "vfmadd213sd %xmm1",
        "vfnmadd231pd %ymm2",
        "fmla v0.2d",
        "fmadd d0, d1",
        "@llvm.fmuladd.f64(",
    ):
        assert FUSED.search(line), line
    for line in (
        "%3 = fmul fast double",
        "%3 = fadd reassoc nnan double",
        "fadd nnan contract double",
    ):
        assert FAST.search(line), line
    for name in ("exp", "log2", "llvm.exp.f64", "pow", "llvm.sin.f64"):
        assert LIBRARY.fullmatch(name), name
    for name in ("llvm.floor.f64", "floor", "NRT_incref", "llvm.fabs.f64"):
        assert not LIBRARY.fullmatch(name), name


_TWIN = """
import sys
sys.path[:0] = {paths!r}
import hashlib, warnings
warnings.simplefilter("error")
import numba
assert numba.config.DISABLE_JIT
import test_exactness as twin
assert not hasattr(twin.predictive._code_lead, "inspect_llvm")
twin.use_everything()
print(" ".join(hashlib.sha256(payload).hexdigest() for payload in twin.payloads()))
"""


def test_plain_python_gives_the_same_bytes_and_samples() -> None:
    paths = [str(ROOT), str(ROOT / "tests")]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", _TWIN.format(paths=paths)]
    twin = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert twin.returncode == 0, twin.stderr
    expected = [hashlib.sha256(payload).hexdigest() for payload in payloads()]
    assert twin.stdout.split() == expected
