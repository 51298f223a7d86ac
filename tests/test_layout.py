"""The layers point one way, heavy packages stay in their place, public names are those promised."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sancodec

# Lower layers first: a module imports only from rows above its own, or from its own layer.
LAYERS = (
    ("errors",),
    ("recording",),
    ("fidelity",),
    ("config", "metrics", "placement", "parallel", "progress", "signal_types"),
    ("report",),
    ("entropy",),
    ("runtime",),
    ("san",),
    ("formats",),
    ("residual",),
    ("structure", "spans"),
    ("models",),
    ("layers",),
    ("chunk",),
    ("base", "carried"),
    ("activation_table",),
    ("primed",),
    ("parameters",),
    ("principal",),
    ("layer_search",),
    ("layer_choice",),
    ("planning",),
    ("distortion", "sample_hash"),
    ("lossy",),
    ("lossy_steps",),
    ("lossy_search",),
    ("lossy_bounds",),
    ("lossy_file",),
    ("signal_view", "inspection"),
    ("record_file",),
    ("codec", "san_file"),
    ("segmented_file",),
    ("removal", "salvage", "throughput"),
    ("records",),
    ("files",),
    ("pack",),
    ("packing", "unpacking"),
    ("salvaged",),
    ("api",),
    ("array_codec",),
    ("numcodecs_codec", "zarr_codec"),
    ("simulate", "picture", "beats", "activation_beats"),
    ("beat_comparison", "pages"),
    ("paper",),
    ("outcomes",),
    ("evaluation", "export", "reconstruct"),
    ("training",),
    ("batch",),
    ("experiments",),
    ("cli",),
)
RANKS = {layer: rank for rank, layers in enumerate(LAYERS) for layer in layers}

# Where a heavy or particular package may be imported: layers or modules.
PLACES = {
    "torch": ("training",),
    "onnx": ("training",),
    "scipy": ("training",),
    # reconstruct is a script that sancodec export gives away.
    "onnxruntime": ("runtime", "reconstruct"),
    "wfdb": ("formats", "simulate", "beats", "experiments.fetch"),
    "pandas": ("formats.frames",),
    "soundfile": ("formats",),
    "matplotlib": ("picture", "paper", "experiments.figures"),
    "numba": ("entropy.compiled",),
    "zstandard": ("formats",),
    "click": ("cli",),
    "rich": ("cli",),
    "fsspec": ("formats.remote", "batch.remote"),
    "distributed": ("batch.cluster",),
    "numcodecs": ("numcodecs_codec",),
    "zarr": ("zarr_codec",),
}

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("sancodec", "cli", "formats", "models")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[1:] if folder == "sancodec" else parts)
            yield name.removesuffix("__init__").rstrip("."), ast.parse(path.read_text())


MODULES = dict(_modules())


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node.module or ""
            if node.module == "sancodec":
                yield from (f"sancodec.{alias.name}" for alias in node.names)


def _layer(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_the_modules_are_found() -> None:
    assert {"errors", "cli.main", "formats.wire", "san.kernels", "models"} <= set(MODULES)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_every_module_imports_only_from_lower_layers(module: str) -> None:
    assert _layer(module) in RANKS, f"{module}: give its layer a row in the table"
    for imported in _imports(MODULES[module]):
        if not imported.startswith("sancodec."):
            continue
        target = _layer(imported.removeprefix("sancodec."))
        assert target in RANKS, f"{module} imports {imported}, which has no layer"
        same = target == _layer(module)
        assert same or RANKS[target] < RANKS[_layer(module)], f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in MODULES if _layer(name) == "formats"])
def test_formats_import_only_errors_and_recording(module: str) -> None:
    ours = {name for name in _imports(MODULES[module]) if name.startswith("sancodec")}
    layers = {_layer(name.removeprefix("sancodec.")) for name in ours}
    assert layers <= {"errors", "recording", "formats"}


@pytest.mark.parametrize("module", MODULES)
def test_packages_are_imported_only_where_they_belong(module: str) -> None:
    for imported in _imports(MODULES[module]):
        package = _layer(imported)
        assert package not in FOLDERS[1:], f"{module}: write sancodec.{imported}"
        places = PLACES.get(package, (module,))
        inside = any(module == place or module.startswith(f"{place}.") for place in places)
        assert inside, f"{module} imports {imported}; only {', '.join(places)} may"


@pytest.mark.parametrize("module", MODULES)
def test_no_function_is_longer_than_sixty_lines(module: str) -> None:
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert n_lines <= 60, f"{module}.{node.name}: {n_lines} lines"


def test_every_package_is_listed_in_pyproject() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    packages = {
        ".".join(init.relative_to(ROOT).parent.parts)
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    installed = {name if name.startswith("sancodec") else f"sancodec.{name}" for name in packages}
    assert installed == set(listed)


def test_public_names_are_those_that_users_may_rely_on() -> None:
    assert set(sancodec.__all__) == {
        "Channel",
        "CodecConfig",
        "Recording",
        "SancodecError",
        "decode",
        "encode",
        "open",
        "open_pack",
    }
    for name in sancodec.__all__:
        assert getattr(sancodec, name).__doc__, name
