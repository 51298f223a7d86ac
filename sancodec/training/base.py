"""A model whose kernels are kept as they are while others are learned beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sancodec import models
from sancodec.errors import ConfigError, ModelError
from sancodec.san.kernels import MAX_KERNELS, KernelBank
from sancodec.training.network import Shape, SparselyActivatedNetwork


@dataclass(frozen=True, kw_only=True)
class Base:
    """The bank of a model, and what its rows are.

    Attributes
    ----------
    bank : KernelBank
    n_taps, centre : int
        Of a kernel at scale 1; the rows of the bank hold it at its largest scale.
    time_scales : tuple of float
        Rows ``k * n_scales`` and on are one kernel at each of them.
    row_types : tuple of (str, int)
        Signal types that the rows were learned from, in their order, with the number of rows.
    """

    bank: KernelBank
    n_taps: int
    centre: int
    time_scales: tuple[float, ...]
    row_types: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, name_or_path: str | Path) -> Base:
        """Give a shipped model, by name, or that of a file, by path.

        Raises
        ------
        ModelError
            There is no such model, or its kernels cannot stand beside others.
        """
        bank, metadata = models.load(name_or_path)
        if bank.n_kernel_leads > 1:
            raise ModelError(
                f"model {name_or_path}: each of {bank.n_kernel_leads} leads has kernels of its "
                "own; only kernels that all leads share can be extended"
            )
        if not bank.kernels.any(axis=2).all():
            raise ModelError(f"model {name_or_path}: one of its kernels is 0 everywhere")
        whole = json.dumps([[metadata.get("signal_type", "unknown"), bank.n_kernels]])
        try:
            scales = tuple(float(scale) for scale in json.loads(metadata.get("time_scales", "[1]")))
            types = json.loads(metadata.get("row_types", whole))
            base = cls(
                bank=bank,
                n_taps=int(metadata.get("n_taps", bank.n_taps)),
                centre=int(metadata.get("n_taps_before", bank.centre)),
                time_scales=scales,
                row_types=tuple((str(name), int(n_rows)) for name, n_rows in types),
            )
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"model {name_or_path}: its metadata say wrongly what its rows are ({error})"
            ) from error
        if sum(n_rows for _, n_rows in base.row_types) != bank.n_kernels:
            raise ModelError(
                f"model {name_or_path}: has {bank.n_kernels} rows, its metadata speak of others"
            )
        if not scales or bank.n_kernels % len(scales):
            raise ModelError(
                f"model {name_or_path}: {bank.n_kernels} rows, at {len(scales)} scales each"
            )
        return base

    def sizes(self) -> dict[str, Any]:
        """Give the fields of a TrainConfig that kernels beside those of the model must have."""
        fs = self.bank.fs
        return {
            "fs": fs,
            "before_seconds": self.centre / fs,
            "after_seconds": (self.n_taps - self.centre) / fs,
            "time_scales": self.time_scales,
        }

    def check(self, shape: Shape, fs: float) -> None:
        """Refuse kernels to be learned that cannot stand in one bank with those of the model.

        Raises
        ------
        ConfigError
            Their sampling frequency, sizes or scales differ, or there are too many.
        """
        pairs = {
            "fs in Hz": (self.bank.fs, fs),
            "time scales": (list(self.time_scales), list(shape.scales)),
            "taps of a kernel": (self.n_taps, shape.n_taps),
            "taps before its centre": (self.centre, shape.centre),
            "taps of a row": (self.bank.n_taps, shape.row_taps),
            "taps before the centre of a row": (self.bank.centre, shape.row_centre),
        }
        for name, (theirs, ours) in pairs.items():
            if theirs != ours:
                raise ConfigError(
                    f"extend: {name}: {theirs} in the model, {ours} in these settings"
                )
        n_rows = self.bank.n_kernels + shape.n_kernels * len(shape.scales)
        if n_rows > MAX_KERNELS:
            raise ConfigError(
                f"extend: {n_rows} rows with those of the model, expected at most {MAX_KERNELS}"
            )

    def parts(self) -> list[Base]:
        """Give the kernels learned first, those with the second ones, and so on to all.

        So a signal of the first type may be treated as if nothing had been learned after it:
        the first rows are bit for bit those of the model that was extended.
        """
        parts: list[Base] = []
        n_rows = 0
        for i, (_, n_more) in enumerate(self.row_types, start=1):
            n_rows += n_more
            kernels = self.bank.kernels[:n_rows]
            bank = KernelBank(kernels=kernels, centre=self.bank.centre, fs=self.bank.fs)
            parts.append(replace(self, bank=bank, row_types=self.row_types[:i]))
        return parts

    def network(self, distance: int, *, compete: bool = True) -> SparselyActivatedNetwork:
        """Give the network of the model's own kernels, none of them to be trained.

        Parameters
        ----------
        distance : int
            Minimum extrema distance, in samples.
        """
        shape = Shape(
            n_kernels=0,
            n_taps=self.n_taps,
            centre=self.centre,
            distance=distance,
            scales=self.time_scales,
            compete=compete,
        )
        return SparselyActivatedNetwork(shape, torch.zeros(0, self.n_taps), self.rows())

    def rows(self) -> Tensor:
        """Give the bank as a network takes it, (n_rows, n_row_taps) float32."""
        return torch.from_numpy(self.bank.kernels[:, 0].astype(np.float32))
