"""A page that makes the SAN layer of a file in a browser, by ONNX Runtime Web, offline."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sancodec.pages.building import build_page, escape, packed, shipped

_RUNTIME = "vendor/ort.wasm.bundle.min.mjs"
_WASM = "vendor/ort-wasm-simd-threaded.wasm.gz"


def layer_page(
    name: str,
    graph: bytes,
    arrays: Mapping[str, NDArray[Any]],
    reconstructions: Mapping[tuple[int, int], NDArray[np.int32]],
) -> str:
    """Give the page, of 5 MB: most of it is the runtime.

    Parameters
    ----------
    name : str
        Of the record.
    graph : bytes
        ``san.onnx`` of an export.
    arrays : mapping
        ``activations.npz`` of the same.
    reconstructions : mapping
        By the number of a layer and of a chunk, the (n_leads, n_samples) int32 that the decoder
        made: the page compares.
    """
    frames = arrays["chunk_frames"].tolist()
    layers = [
        _layer(arrays, number, [reconstructions.get((number, i)) for i in range(len(frames))])
        for number in range(int(arrays["n_layers"]))
    ]
    n_activations = sum(len(arrays[f"layer{i}_position"]) for i in range(len(layers)))
    n_kernels = sum(len(arrays[f"layer{i}_bank"]) for i in range(len(layers)))
    counts = f"{n_activations:,} activations of {n_kernels} kernel{'s' * (n_kernels != 1)}"
    embedded = {
        "fs": float(arrays["fs"]),
        "frames": frames,
        "layers": layers,
        "graph": base64.b64encode(graph).decode(),
        "runtime": _vendored(_RUNTIME),
        "wasm": _vendored(_WASM),
    }
    return build_page(
        f"{name}: SAN layer",
        body=shipped("layer.html").format(name=escape(name), counts=escape(counts)),
        style=shipped("layer.css"),
        script=shipped("layer.js"),
        embedded=embedded,
        scripts=("blob:", "'wasm-unsafe-eval'"),
    )


def _layer(
    arrays: Mapping[str, NDArray[Any]], number: int, made: list[NDArray[np.int32] | None]
) -> dict[str, Any]:
    own = {
        name.removeprefix(f"layer{number}_"): array
        for name, array in arrays.items()
        if name.startswith(f"layer{number}_")
    }
    names = ("bank", "chunk", "position", "kernel", "amplitude", "shift")
    return {name: packed(own[name].astype(np.int32)) for name in names} | {
        "shape": own["bank"].shape,
        "centre": int(own["centre"]),
        "perFrame": int(own["samples_per_frame"]),
        "leads": [str(arrays["names"][channel]) for channel in own["channels"]],
        "checksums": [
            None if leads is None else [zlib.crc32(lead.astype("<i4").tobytes()) for lead in leads]
            for leads in made
        ],
    }


def _vendored(name: str) -> str:
    content = resources.files("sancodec.pages").joinpath(name).read_bytes()
    return base64.b64encode(content).decode()
