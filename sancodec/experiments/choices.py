"""What the paper leaves open, or its released code did otherwise: each a choice with a name.

The defaults of protocol ``paper`` are those that give the numbers of the paper's tables, found by
experiment (benchmarks/paper/README.md): where the text and the authors' released code disagree,
the tables follow the code. Protocol ``sancodec`` searches for activations and kernels, so that
some of the choices have no place in it; it chooses nothing on test data, counts all weights, and
fixes everything that is not about reading the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sancodec.errors import ConfigError
from sancodec.experiments.paper import EXPERIMENTS

PROTOCOLS = ("paper", "sancodec")

_SEARCH = (
    "activations: searched for the smallest flithos of each observation by pursuit, with matched "
    "synthesis, amplitudes refitted to the least sum of absolute errors",
    "kernels: refitted in turn with the activations, from many starts; the iteration, and on "
    "PhysioNet the number and the sizes of the kernels, are those of the lowest mean flithos over "
    "the training and the validation part together",
)

_PHYSIONET = ("physionet",)
_UCI = ("uci-epilepsy",)
_IMAGES = ("mnist", "fashion-mnist")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One choice.

    Attributes
    ----------
    name : str
        As an option of the command line has it.
    question : str
        What is chosen.
    values : dict of str
        What each value means, and where it comes from.
    paper, sancodec : str or None
        Default of each protocol; None where the protocol has no such choice.
    experiments : tuple of str
        Where it acts.
    of_data : bool
        It is about reading the data, and free in both protocols.
    """

    name: str
    question: str
    values: Mapping[str, str]
    paper: str
    sancodec: str | None
    experiments: tuple[str, ...] = EXPERIMENTS
    of_data: bool = False

    def default(self, protocol: str) -> str | None:
        """Give the value that a protocol takes."""
        return self.paper if protocol == "paper" else self.sancodec


CHOICES = (
    Choice(
        name="start",
        question="first kernels",
        values={
            "normal": "drawn from N(0, 0.1) (the text)",
            "constant": "0.1 everywhere (later versions of the released code)",
        },
        paper="normal",
        sancodec=None,
    ),
    Choice(
        name="synthesis",
        question="synthesis",
        values={
            "paper": "cross-correlation, as in the analysis: what is added is the kernel reversed "
            "(released code)",
            "matched": "the adjoint of the analysis: what is added is the kernel itself",
        },
        paper="paper",
        sancodec=None,
    ),
    Choice(
        name="keep",
        question="epoch of a SAN kept",
        values={
            "best": "the one of lowest mean flithos on the validation part (the text)",
            "last": "the last one (released code: it keeps a reference to the best model, not a "
            "copy)",
        },
        paper="last",
        sancodec=None,
    ),
    Choice(
        name="keep-classifier",
        question="epoch of a classifier kept",
        values={
            "best": "the one of highest accuracy on the validation part",
            "last": "the last one (released code)",
        },
        paper="last",
        sancodec="best",
        experiments=(*_UCI, *_IMAGES),
    ),
    Choice(
        name="choose-on",
        question="kernel size chosen on",
        values={
            "validation": "the validation part (the text)",
            "test": "the test part (released code)",
        },
        paper="test",
        sancodec=None,
        experiments=_PHYSIONET,
    ),
    Choice(
        name="deviation",
        question="windows divided by",
        values={
            "sample": "the standard deviation over n - 1 (released code)",
            "population": "the standard deviation over n",
        },
        paper="sample",
        sancodec="sample",
        experiments=_PHYSIONET,
        of_data=True,
    ),
    Choice(
        name="scaling",
        question="segments scaled to",
        values={
            "unit": "[0, 1] by the least and greatest value of all (the text)",
            "symmetric": "[-1, 1] by the least and greatest value of all (released code)",
        },
        paper="symmetric",
        sancodec="symmetric",
        experiments=_UCI,
        of_data=True,
    ),
    Choice(
        name="split",
        question="segments split",
        values={
            "auto": "in UCI's order where the rows are in it, else by recording",
            "order": "in UCI's order (the text)",
            "recording": "by recording",
        },
        paper="auto",
        sancodec="recording",
        experiments=_UCI,
        of_data=True,
    ),
    Choice(
        name="pixels",
        question="pixels",
        values={
            "unit": "0 to 1 (released code)",
            "raw": "0 to 255 (the text speaks of no preprocessing)",
        },
        paper="unit",
        sancodec="unit",
        experiments=_IMAGES,
        of_data=True,
    ),
    Choice(
        name="weights",
        question="weights of a kernel counted",
        values={
            "side": "m, one side of it (released code)",
            "all": "m x m, all of them (the text)",
        },
        paper="side",
        sancodec="all",
        experiments=_IMAGES,
    ),
    Choice(
        name="baseline",
        question="accuracy on the original data measured on",
        values={
            "test": "the test part (the text)",
            "pooled": "the test and the validation part together (released code)",
        },
        paper="pooled",
        sancodec="test",
        experiments=(*_UCI, *_IMAGES),
    ),
)
BY_NAME = {choice.name: choice for choice in CHOICES}


def choices_of(experiment: str) -> tuple[Choice, ...]:
    """Give the choices that act in an experiment."""
    return tuple(choice for choice in CHOICES if experiment in choice.experiments)


def resolve(experiment: str, protocol: str, given: Mapping[str, str]) -> dict[str, str]:
    """Give the value of every choice of an experiment: that given, else the protocol's.

    Raises
    ------
    ConfigError
        There is no such protocol, choice or value, or the protocol fixes it.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol: {protocol!r}, expected one of {', '.join(PROTOCOLS)}")
    acting = {choice.name: choice for choice in choices_of(experiment)}
    for name, value in given.items():
        if name not in acting:
            raise ConfigError(f"{name}: no choice of {experiment}; it has {', '.join(acting)}")
        if value not in acting[name].values:
            expected = ", ".join(acting[name].values)
            raise ConfigError(f"{name}: {value!r}, expected one of {expected}")
        if protocol != "paper" and not acting[name].of_data:
            raise ConfigError(f"{name}: protocol {protocol} fixes it; it is free in protocol paper")
    chosen = {name: given.get(name, choice.default(protocol)) for name, choice in acting.items()}
    return {name: value for name, value in chosen.items() if value is not None}


def describe(protocol: str, chosen: Mapping[str, str]) -> list[str]:
    """Say what a protocol does, and every choice, in a sentence each."""
    sentences = [
        f"{BY_NAME[name].question}: {BY_NAME[name].values[value]} [{name}={value}]"
        for name, value in chosen.items()
    ]
    return [*_SEARCH, *sentences] if protocol == "sancodec" else sentences
