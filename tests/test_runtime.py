from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sancodec.runtime
from sancodec.errors import ConfigError, CorruptError, ModelError, ProviderError
from sancodec.placement import MAX_SUMS, Placement, place_in_numpy
from sancodec.runtime import SynthesisSession, open_session, read_graph


@pytest.fixture(autouse=True)
def no_session_is_open() -> None:
    open_session.cache_clear()


@pytest.fixture(scope="module")
def session() -> SynthesisSession:
    return open_session("cpu")


def placement(**changes: object) -> Placement:
    fields = {
        "bank": np.arange(12, dtype=np.int32).reshape(3, 4),
        "row": np.array([0, 2, 1]),
        "amplitude": np.array([5, -7, 9], np.int32),
        "position": np.array([0, 3, 10]),
        "record": np.array([0, 0, 1]),
        "n_records": 2,
        "n_samples": 10,
    }
    return Placement(**{**fields, **changes})  # type: ignore[arg-type]


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_rows, n_taps = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    n_records, n_samples = draw(st.integers(1, 5)), draw(st.integers(0, 200))
    n = draw(st.integers(0, 300))
    edges = draw(st.booleans())
    position = rng.choice([0, n_samples], n) if edges else rng.integers(0, n_samples + 1, n)
    loudest = draw(st.sampled_from([1, 100, 20_000]))
    return Placement(
        bank=rng.integers(-300, 301, (n_rows, n_taps), dtype=np.int32),
        row=rng.integers(0, n_rows, n),
        amplitude=rng.integers(-loudest, loudest + 1, n, dtype=np.int32),
        position=position,
        record=rng.integers(0, n_records, n),
        n_records=n_records,
        n_samples=n_samples,
    )


@settings(max_examples=200, deadline=None)
@given(placements())
def test_onnx_equals_numpy_bit_for_bit(session: SynthesisSession, case: Placement) -> None:
    np.testing.assert_array_equal(session.place(case), place_in_numpy(case))


def test_the_sums_are_those_worked_out_by_hand(session: SynthesisSession) -> None:
    expected = np.zeros((2, 14), np.int32)
    expected[0, 0:4] += 5 * np.array([0, 1, 2, 3], np.int32)
    expected[0, 3:7] += -7 * np.array([8, 9, 10, 11], np.int32)
    expected[1, 10:14] += 9 * np.array([4, 5, 6, 7], np.int32)
    np.testing.assert_array_equal(session.place(placement()), expected)


def test_more_activations_than_one_run_takes_are_added_up(session: SynthesisSession) -> None:
    rng = np.random.default_rng(5)
    case = placement(
        row=rng.integers(0, 3, 20_001),
        amplitude=rng.integers(-999, 999, 20_001, dtype=np.int32),
        position=rng.integers(0, 11, 20_001),
        record=rng.integers(0, 2, 20_001),
    )
    np.testing.assert_array_equal(session.place(case), place_in_numpy(case))


def test_no_activation_gives_zeros_and_no_record_gives_none(session: SynthesisSession) -> None:
    none = np.zeros(0, np.int64)
    empty = {"row": none, "position": none, "record": none, "amplitude": none.astype(np.int32)}
    np.testing.assert_array_equal(session.place(placement(**empty)), np.zeros((2, 14), np.int32))
    assert session.place(placement(**empty, n_records=0)).shape == (0, 14)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("row", [0, 3, 1]),
        ("row", [0, -1, 1]),
        ("position", [0, 11, 0]),
        ("position", [-1, 0, 0]),
        ("record", [0, 2, 0]),
        ("record", [-1, 0, 0]),
    ],
)
def test_indices_out_of_range_are_refused_by_name(field: str, values: list[int]) -> None:
    with pytest.raises(CorruptError, match=field):
        placement(**{field: np.array(values)})


@pytest.mark.parametrize("field", ["row", "position", "record", "amplitude"])
def test_arrays_of_another_type_or_length_are_refused(field: str) -> None:
    with pytest.raises(CorruptError, match=field):
        placement(**{field: np.zeros(3, np.int16)})
    with pytest.raises(CorruptError):
        placement(**{field: np.zeros(4, np.int32 if field == "amplitude" else np.int64)})


def test_more_sums_than_the_limit_are_refused_before_any_is_made() -> None:
    with pytest.raises(CorruptError, match="sums"):
        placement(n_samples=MAX_SUMS)


def test_a_bank_that_is_empty_or_of_another_type_is_refused() -> None:
    for bank in (np.zeros((0, 4), np.int32), np.zeros((3, 4), np.int64), np.zeros(4, np.int32)):
        with pytest.raises(ModelError, match="bank"):
            placement(bank=bank)


def loud(amplitudes: list[int], positions: list[int]) -> Placement:
    return placement(
        bank=np.full((1, 4), -(1 << 15), np.int32),
        row=np.zeros(len(amplitudes), np.int64),
        amplitude=np.array(amplitudes, np.int32),
        position=np.array(positions),
        record=np.zeros(len(amplitudes), np.int64),
    )


def test_sums_that_might_leave_int32_are_refused_and_the_largest_that_fit_are_not(
    session: SynthesisSession,
) -> None:
    half = 1 << 15
    with pytest.raises(CorruptError, match="amplitude"):
        loud([half, half], [0, 3])
    with pytest.raises(CorruptError, match="amplitude"):
        loud([-(1 << 31)], [0])
    fits = loud([half, -half, half - 1], [0, 4, 0 + 8])
    np.testing.assert_array_equal(session.place(fits), place_in_numpy(fits))


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigError, match="tensorrt"):
        open_session("tensorrt")


def test_cuda_without_a_driver_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sancodec.runtime, "_has_cuda_driver", lambda: False)
    with pytest.raises(ProviderError, match="--provider cpu"):
        open_session("cuda")
    assert open_session("auto").provider == "cpu"


@pytest.mark.skipif(sancodec.runtime._has_cuda_driver(), reason="this machine has CUDA")
def test_cuda_whose_libraries_do_not_load_is_refused_without_a_word_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sancodec.runtime, "_has_cuda_driver", lambda: True)
    with pytest.raises(ProviderError, match="cuda"):
        open_session("cuda")
    assert open_session("auto").provider == "cpu"
    assert capfd.readouterr() == ("", "")


@pytest.mark.gpu
@pytest.mark.skipif(not sancodec.runtime._has_cuda_driver(), reason="no CUDA driver here")
def test_cuda_equals_numpy_bit_for_bit() -> None:
    session = open_session("cuda")
    assert session.provider == "cuda"
    np.testing.assert_array_equal(session.place(placement()), place_in_numpy(placement()))


def test_a_provider_that_adds_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    place = SynthesisSession.place
    monkeypatch.setattr(SynthesisSession, "place", lambda self, case: place(self, case) + 1)
    with pytest.raises(ProviderError, match="inexactly"):
        open_session("cpu")


def test_the_shipped_graph_is_the_one_that_training_writes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from sancodec.training.export import write_placement

    write_placement(tmp_path / "placement.onnx")
    shipped = Path(sancodec.__file__).parent.parent / "models" / "placement.onnx"
    if not shipped.is_file():
        shipped = Path(sancodec.__file__).parent / "models" / "placement.onnx"
    assert onnx.load(tmp_path / "placement.onnx") == onnx.load(shipped)


def test_files_that_are_not_models_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    with pytest.raises(ModelError, match=r"other\.onnx"):
        read_graph(path)
    for content in (b"", b"not a model", b"\x08\x08"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"other\.onnx"):
            read_graph(path)
