"""Small archives that tests of batches share."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np

from sancodec.batch.decoding import DecodeSettings, decode_archive
from sancodec.batch.encoding import ArchiveSettings, encode_archive
from sancodec.batch.encoding_job import EncodeSettings
from sancodec.batch.inline import Inline
from sancodec.batch.job import Scheduler
from sancodec.batch.manifest import Entry, Manifest
from sancodec.batch.summary import Summary
from sancodec.batch.trees import LocalTree
from sancodec.config import CodecConfig

FAST = EncodeSettings(config=CodecConfig(level="fast", model="none"), provider="cpu")


def write_record(header: Path, seed: int = 0, n_frames: int = 500) -> None:
    """Write a record of two leads whose signal file has the name of its header."""
    steps = np.random.default_rng(seed).integers(-9, 10, (n_frames, 2))
    samples = np.cumsum(steps, axis=0).astype("<i2")
    header.parent.mkdir(parents=True, exist_ok=True)
    header.with_suffix(".dat").write_bytes(samples.tobytes())
    lines = [f"{header.stem} 2 250 {n_frames}"]
    lines += [
        f"{header.stem}.dat 16 200/mV 16 0 {first} 0 0 {name}"
        for first, name in zip(samples[0], ("I", "II"), strict=True)
    ]
    header.write_text("\n".join(lines) + "\n")


def write_segments(folder: Path, *, n_missing: int = 0) -> None:
    """Write a record of a layout, two segments, a gap, and as many that are not there."""
    for i in range(2):
        write_record(folder / f"s{i}.hea", seed=i, n_frames=100)
    (folder / "layout.hea").write_text(
        "layout 2 250 0\n~ 0 200/mV 16 0 0 0 0 I\n~ 0 200 16 0 0 0 0 II\n"
    )
    lines = ["layout 0", "s0 100", "~ 50", "s1 100", *("gone 10" for _ in range(n_missing))]
    (folder / "whole.hea").write_text("\n".join([f"whole/{len(lines)} 2 250", *lines]) + "\n")


def make_archive(folder: Path, n_records: int = 3) -> Path:
    """Write records in nested folders, and files of other kinds between them."""
    for i in range(n_records):
        write_record(folder / f"group{i % 2}" / "deep" / f"r{i:02d}.hea", seed=i)
    (folder / "RECORDS").write_text(
        "".join(f"group{i % 2}/deep/r{i:02d}\n" for i in range(n_records))
    )
    (folder / "group0" / "notes.txt").write_text("mine\n")
    return folder


def encode_tree(
    source: Path, target: Path, scheduler: Scheduler | None = None, **settings: object
) -> Summary:
    """Encode an archive fast, in this process unless a scheduler is given."""
    return encode_archive(
        LocalTree(source),
        LocalTree(target),
        ArchiveSettings(**{"encode": FAST, **settings}),
        scheduler or Inline(),
    )[0]


def decode_tree(
    source: Path, target: Path, scheduler: Scheduler | None = None, **settings: object
) -> Summary:
    """Decode an archive, in this process unless a scheduler is given."""
    return decode_archive(
        LocalTree(source),
        LocalTree(target),
        DecodeSettings(provider="cpu", **settings),
        scheduler or Inline(),
    )


def hashes(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file of a tree, the manifest left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "sancodec-manifest.jsonl"
    }


def entries(target: Path) -> dict[tuple[str, str], Entry]:
    """Give the newest entries of the manifest of a target."""
    return Manifest.read(target / "sancodec-manifest.jsonl").entries


def copy_of(folder: Path, into: Path) -> Path:
    """Copy a tree, times and all."""
    return Path(shutil.copytree(folder, into))
