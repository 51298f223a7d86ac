"""Plans and choices: what does not act is refused before anything is trained."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sancodec.errors import ConfigError
from sancodec.experiments.choices import CHOICES, choices_of, describe, resolve
from sancodec.experiments.paper import ACTIVATIONS, EXPERIMENTS
from sancodec.experiments.plan import Plan, scale_of


def _plan(experiment: str = "physionet", **settings: Any) -> Plan:
    return Plan(experiment=experiment, scale=scale_of(experiment, quick=False), **settings)


def test_the_scale_is_that_of_section_four() -> None:
    physionet = scale_of("physionet", quick=False)
    assert physionet.kernel_sizes == tuple(range(1, 251))
    assert (physionet.n_kernels, physionet.n_epochs, physionet.batch_size) == (1, 30, 2)
    assert physionet.border_tolerance == 3
    for experiment, sizes in (("uci-epilepsy", range(8, 16)), ("mnist", range(1, 7))):
        scale = scale_of(experiment, quick=False)
        assert scale.kernel_sizes == tuple(sizes)
        assert (scale.n_kernels, scale.n_epochs, scale.batch_size) == (2, 5, 64)
        assert scale.border_tolerance == 2


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_every_choice_has_defaults_among_its_values(choice: Any) -> None:
    assert choice.paper in choice.values
    assert choice.sancodec in (None, *choice.values)
    assert set(choice.experiments) <= set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_protocol_sancodec_chooses_nothing_on_test_data_and_keeps_the_best(experiment: str) -> None:
    chosen = resolve(experiment, "sancodec", {})
    assert not {"start", "synthesis", "keep", "choose-on"} & set(chosen)
    assert chosen.get("keep-classifier", "best") == "best"
    assert chosen.get("weights", "all") == "all"
    assert chosen.get("baseline", "test") == "test"


def test_a_choice_is_taken_and_described() -> None:
    chosen = resolve("physionet", "paper", {"keep": "best"})
    assert chosen["keep"] == "best"
    sentences = describe("paper", chosen)
    assert len(sentences) == len(choices_of("physionet"))
    assert any("[keep=best]" in sentence for sentence in sentences)


def test_protocol_sancodec_says_what_it_does_and_not_what_it_does_not() -> None:
    text = "\n".join(describe("sancodec", resolve("physionet", "sancodec", {})))
    assert "pursuit" in text
    assert "N(0, 0.1)" not in text


@pytest.mark.parametrize(
    ("experiment", "protocol", "given", "problem"),
    [
        ("physionet", "paper", {"scaling": "unit"}, "no choice of physionet"),
        ("physionet", "paper", {"keep": "first"}, "expected one of best, last"),
        ("physionet", "sancodec", {"keep": "last"}, "protocol sancodec fixes it"),
        ("physionet", "other", {}, "expected one of paper, sancodec"),
    ],
)
def test_a_choice_that_does_not_act_is_refused(
    experiment: str, protocol: str, given: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        resolve(experiment, protocol, given)


def test_choices_about_data_are_free_in_protocol_sancodec() -> None:
    assert resolve("uci-epilepsy", "sancodec", {"scaling": "unit"})["scaling"] == "unit"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"experiment": "mnist", "datasets": ("mitdb",)}, "no data sets"),
        ({"experiment": "mnist", "start_sample": 1}, "no data sets"),
        ({"datasets": ("mitbd",)}, "data set: 'mitbd'"),
        ({"records": {"mitbd": "100"}}, "data set: 'mitbd'"),
        ({"activations": ("tanh",)}, "activation: 'tanh'"),
        ({"protocol": "sancodec", "activations": ("relu",)}, "has none to choose"),
        ({"seed": -1}, "seed"),
        ({"start_sample": -1}, "start sample"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        _plan(**{"experiment": "physionet", **settings})


def test_rows_and_columns_keep_the_order_of_the_paper() -> None:
    plan = _plan(datasets=("mitdb", "bidmc"), activations=("extrema", "identity"))
    assert plan.rows == ("bidmc", "mitdb")
    assert plan.columns == ("identity", "extrema")
    assert _plan("mnist").rows == ("mnist",)
    assert _plan("mnist").columns == ACTIVATIONS


def test_settings_are_plain_values_and_leave_out_what_does_not_change_a_cell() -> None:
    plan = _plan(datasets=("mitdb",), activations=("relu",), device="cpu")
    assert plan.settings() == _plan().settings()
    assert json.loads(json.dumps(plan.settings())) == plan.settings()
    assert _plan(seed=1).settings() != plan.settings()
