from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from maps import MAPS
from numpy.typing import NDArray
from sequential import ecg_like, extrema_one_by_one, pool_one_by_one, topk_one_by_one

from sancodec.errors import ConfigError, OutputError
from sancodec.san import activations as in_numpy
from sancodec.training.activation_graphs import write_activation, write_san
from sancodec.training.applied import apply_san
from sancodec.training.san import ACTIVATIONS, SYNTHESES, SanConfig

Map = NDArray[np.float32]
PARAMETRIC = {
    "topk_absolutes": topk_one_by_one,
    "extrema_pool_indices": pool_one_by_one,
    "extrema": extrema_one_by_one,
}


def opened(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@cache
def session(name: str, n_dimensions: int) -> onnxruntime.InferenceSession:
    with TemporaryDirectory() as folder:
        path = Path(folder, "activation.onnx")
        write_activation(path, name, n_dimensions)  # type: ignore[arg-type]
        return opened(path)


def in_onnx(name: str, maps: Map, parameter: int) -> Map:
    """Of a batch of maps."""
    feeds = {"similarity": maps}
    if name in PARAMETRIC:
        feeds["parameter"] = np.array(parameter)
    (result,) = session(name, maps.ndim - 1).run(["activation"], feeds)
    return np.asarray(result)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PARAMETRIC)), MAPS, st.integers(1, 40))
@example("extrema", np.full((3, 4), 0.5, np.float32), 1)
def test_onnx_keeps_what_the_sequential_algorithm_keeps(
    name: str, similarity: Map, parameter: int
) -> None:
    expected = PARAMETRIC[name](similarity, parameter)
    np.testing.assert_array_equal(getattr(in_numpy, name)(similarity, parameter), expected)
    np.testing.assert_array_equal(in_onnx(name, similarity[None], parameter)[0], expected)


@pytest.mark.parametrize("name", ["topk_absolutes", "extrema"])
@pytest.mark.parametrize("parameter", [0, 1, 599, 600, 10_000, 2**40])
def test_parameters_at_the_ends_of_their_range(name: str, parameter: int) -> None:
    similarity = ecg_like(600, 3).astype(np.float32)
    expected = PARAMETRIC[name](similarity, parameter)
    np.testing.assert_array_equal(in_onnx(name, similarity[None], parameter)[0], expected)


def test_extrema_silence_nothing_in_two_dimensions_at_a_distance_of_nought() -> None:
    similarity = np.random.default_rng(1).integers(-3, 4, (9, 14)).astype(np.float32)
    expected = extrema_one_by_one(similarity, 0)
    np.testing.assert_array_equal(in_onnx("extrema", similarity[None], 0)[0], expected)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["identity", "relu"]), MAPS)
def test_identity_and_relu_equal_those_of_numpy(name: str, similarity: Map) -> None:
    expected = getattr(in_numpy, name)(similarity)
    np.testing.assert_array_equal(in_onnx(name, similarity[None], 0)[0], expected)


def test_a_long_chain_of_falling_peaks_takes_as_many_rounds_as_it_needs() -> None:
    similarity = np.zeros(400, np.float32)
    similarity[::4] = np.arange(100, 0, -1)
    expected = extrema_one_by_one(similarity, 4)
    np.testing.assert_array_equal(in_onnx("extrema", similarity[None], 4)[0], expected)


@pytest.mark.parametrize("name", sorted(PARAMETRIC))
@pytest.mark.parametrize("shape", [(5, 90), (1, 200), (5, 9, 11), (1, 30, 2)])
def test_the_maps_of_a_batch_do_not_meet(name: str, shape: tuple[int, ...]) -> None:
    batch = np.random.default_rng(5).integers(-9, 10, shape).astype(np.float32)
    result = in_onnx(name, batch, 3)
    for one, expected in zip(result, batch, strict=True):
        np.testing.assert_array_equal(one, PARAMETRIC[name](expected, 3))


def _parts(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _parts(attribute.g)


@pytest.mark.parametrize("n_dimensions", [1, 2])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nothing_in_a_graph_is_left_unused(name: str, n_dimensions: int, tmp_path: Path) -> None:
    # ONNX Runtime would say so on the user's terminal.
    path = tmp_path / "activation.onnx"
    write_activation(path, name, n_dimensions)  # type: ignore[arg-type]
    graphs = list(_parts(onnx.load(path).graph))
    used = {value for graph in graphs for node in graph.node for value in node.input}
    used |= {output.name for graph in graphs for output in graph.output}
    assert {constant.name for graph in graphs for constant in graph.initializer} <= used
    assert {entry.name for entry in graphs[0].input} <= used


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 4, 4), (2, 0, 3), (2, 3, 0)])
def test_no_sample_and_no_map_are_no_error(name: str, shape: tuple[int, ...]) -> None:
    assert in_onnx(name, np.zeros(shape, np.float32), 2).shape == shape


@pytest.mark.parametrize("n_dimensions", [1, 2])
@pytest.mark.parametrize("synthesis", SYNTHESES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_san_in_onnx_gives_what_it_gives_in_torch(
    activation: str, synthesis: str, n_dimensions: int, tmp_path: Path
) -> None:
    # Whole numbers: sums are exact in any order, and so are ties.
    rng = np.random.default_rng(3)
    shape = (120,) if n_dimensions == 1 else (13, 16)
    kernels = [
        rng.integers(-3, 4, (size,) * n_dimensions).astype(np.float32) for size in (1, 2, 5, 8)
    ]
    config = SanConfig(activation=activation, border_tolerance=2, synthesis=synthesis)  # type: ignore[arg-type]
    path = tmp_path / "san.onnx"
    write_san(path, kernels, config)
    names = ["similarity", "activation", "reconstruction"]
    for n in (1, 4):
        signals = rng.integers(-5, 6, (n, *shape)).astype(np.float32)
        found = opened(path).run(names, {"signals": signals})
        expected = apply_san(signals, kernels, config, with_maps=True)
        np.testing.assert_array_equal(found[0], expected.similarity)
        np.testing.assert_array_equal(found[1], expected.activation)
        np.testing.assert_allclose(found[2], expected.reconstruction, atol=1e-2)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_activation(path, "extrema", 2),
        lambda path: write_san(path, np.ones((2, 5), np.float32), SanConfig()),
    ],
)
def test_released_versions_of_onnx_runtime_can_read_the_file(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "graph.onnx"
    write(path)
    model = onnx.load(path)
    assert model.ir_version == 8
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    first = path.read_bytes()
    write(path)
    assert path.read_bytes() == first


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    with pytest.raises(ConfigError, match="tanh"):
        write_activation(path, "tanh", 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="3-D"):
        write_activation(path, "relu", 3)
    with pytest.raises(ConfigError, match="kernels"):
        write_san(path, [], SanConfig())
    with pytest.raises(ConfigError, match="kernels"):
        write_san(path, [np.zeros((2, 3), np.float32)], SanConfig())
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match="cannot be written"):
        write_activation(tmp_path / "no" / "graph.onnx", "relu", 1)
