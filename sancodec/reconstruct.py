"""Put together what ``sancodec export`` has taken out of a .san file: python reconstruct.py.

Takes NumPy and ONNX Runtime, and nothing of sancodec. Writes reconstructed.npz beside this script:
``san_0`` is the SAN layer of channel 0 in ADC units, as ``sancodec decode --layer san`` gives it;
``signal_0`` its samples, where coefficients were exported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def main(folder: Path) -> None:
    """Read what was exported to a folder, and write reconstructed.npz into it."""
    activations = _load(folder / "activations.npz")
    san = san_layers(folder, activations)
    fraction_bits = int(activations["fraction_bits"])
    found = {}
    for channel, (baseline, layer) in enumerate(zip(activations["baseline"], san, strict=True)):
        level = baseline + ((layer + (1 << fraction_bits >> 1)) >> fraction_bits)
        found[f"san_{channel}"] = np.clip(level, -(2**31), 2**31 - 1).astype(np.int32)
    if (folder / "coefficients.npz").is_file():
        for channel, samples in enumerate(signals(folder, activations, san)):
            found[f"signal_{channel}"] = samples
    np.savez_compressed(folder / "reconstructed.npz", **found)


def san_layers(folder: Path, activations: Arrays) -> list[NDArray[np.int64]]:
    """Give the SAN layer of every channel, in 2**-fraction_bits ADC units around 0."""
    frames = activations["chunk_frames"]
    san = [np.zeros(frames.sum() * own, np.int64) for own in activations["samples_per_frame"]]
    for number in range(int(activations["n_layers"])):
        layer = _part(activations, f"layer{number}_")
        for channel, sums in zip(layer["channels"], _place(folder, layer, frames), strict=True):
            san[channel] = sums
    return san


def _place(folder: Path, layer: Arrays, frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up the kernels of one layer, each chunk and lead in a row of its own."""
    bank, kernel, position = layer["bank"], layer["kernel"], layer["position"]
    _, n_kernel_leads, n_phases, n_taps = bank.shape
    n_samples = frames * layer["samples_per_frame"]
    lead = np.arange(layer["channels"].size)
    # Positions are in quarters of a sample: a kernel has a version for each of them.
    versions = kernel[:, None] * n_kernel_leads + (lead if n_kernel_leads > 1 else 0 * lead)
    feeds = {
        "bank": bank.reshape(-1, n_taps),
        "row": (versions * n_phases + (position % n_phases)[:, None]).ravel(),
        "amplitude": layer["amplitude"].ravel(),
        "position": np.repeat(position // n_phases - layer["centre"] + n_taps, lead.size),
        "record": (layer["chunk"][:, None] * lead.size + lead).ravel(),
        "n_records": np.array(frames.size * lead.size),
        "n_samples": np.array(n_samples.max() + n_taps),
    }
    (sums,) = _session(folder / "san.onnx").run(["sums"], feeds)
    rows = sums.astype(np.int64).reshape(frames.size, lead.size, -1)[:, :, n_taps:]
    right, left = np.maximum(layer["shift"], 0)[:, None], np.maximum(-layer["shift"], 0)[:, None]
    rows = ((rows + (1 << right >> 1)) >> right) << left
    return np.concatenate([row[:, :n] for row, n in zip(rows, n_samples, strict=True)], axis=1)


def signals(
    folder: Path, activations: Arrays, san: list[NDArray[np.int64]]
) -> list[NDArray[np.int32]]:
    """Give the samples of every channel, in ADC units."""
    session = _session(folder / "transform.onnx")
    coefficients = _load(folder / "coefficients.npz")
    ends = np.concatenate([[0], np.cumsum(activations["chunk_frames"])])
    found = [np.zeros(layer.size, np.int32) for layer in san]
    for number in range(int(coefficients["n_parts"])):
        part = _part(coefficients, f"part{number}_")
        per_frame = activations["samples_per_frame"][part["channels"][0]]
        begin, stop = per_frame * ends[part["chunk"] : part["chunk"] + 2]
        around = np.stack([san[channel][begin:stop] for channel in part["channels"]])
        samples = _bounded(_synthesised(session, part, around.astype(np.int32)), part)
        for channel, own in zip(part["channels"], samples, strict=True):
            found[channel][begin:stop] = own
    return found


def _synthesised(session: Any, part: Arrays, san: NDArray[np.int32]) -> NDArray[np.int64]:
    """Give the samples that coefficients stand for; flat leads have none."""
    samples = np.repeat(part["offset"].astype(np.int64)[:, None], san.shape[1], axis=1)
    moving = part["moving"]
    if moving.size:
        names = ("quantised", "centroids", "n_levels", "pairs", "turns")
        feeds = {name: part[name] for name in names} | {"san": san[moving]}
        feeds |= {name: part[name][moving] for name in ("step", "offset", "lowest", "highest")}
        (samples[moving],) = session.run(["samples"], feeds)
    for lead, begin, stop, value in part["gaps"]:
        samples[lead, begin:stop] = value
    return samples


def _bounded(samples: NDArray[np.int64], part: Arrays) -> NDArray[np.int64]:
    """Correct what is off by more than a bound: steps of twice the bound and one."""
    if "corrections" not in part:
        return samples
    bound, low, high = part["bounds"].T[:, :, None]
    corrected = np.clip(samples + part["corrections"] * (2 * bound + 1), low, high)
    return np.where(part["corrections"] != 0, corrected, samples)


def _session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def _load(path: Path) -> Arrays:
    with np.load(path) as found:
        return dict(found)


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): own for name, own in arrays.items() if name.startswith(prefix)
    }


if __name__ == "__main__":
    main(Path(__file__).resolve().parent)
