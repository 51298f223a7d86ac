"""What a CUDA device computes is what the processor does; skipped where there is no device."""

from __future__ import annotations

import numpy as np
import pytest
from san_layers import many_layers

from sancodec.errors import ProviderError
from sancodec.placement import place_in_numpy
from sancodec.runtime import SynthesisSession, open_session

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cuda() -> SynthesisSession:
    """A session on the device; it has passed its self-test when it is open."""
    try:
        return open_session("cuda")
    except ProviderError as error:
        pytest.skip(f"did not run: {error}")


def test_the_device_is_what_runs(cuda: SynthesisSession) -> None:
    assert cuda.provider == "cuda"


@pytest.mark.parametrize("n_records", [1, 64])
def test_layers_are_the_same_on_the_device(cuda: SynthesisSession, n_records: int) -> None:
    cases = list(many_layers(n_records))
    together = list(cuda.place_all(cases))
    here = list(open_session("cpu").place_all(cases))
    for case, found, expected in zip(cases, together, here, strict=True):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(found, cuda.place(case))
    np.testing.assert_array_equal(together[0], place_in_numpy(cases[0]))


def test_layers_of_other_lengths_go_together(cuda: SynthesisSession) -> None:
    cases = [*many_layers(3, seconds=2.0), *many_layers(2, n_leads=1), *many_layers(1)]
    for case, found in zip(cases, cuda.place_all(cases), strict=True):
        np.testing.assert_array_equal(found, place_in_numpy(case))
