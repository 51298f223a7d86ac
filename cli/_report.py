"""The report of a file, as lines of JSON or as a table."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sancodec.cli._terminal import printable
from sancodec.report import Report


def print_report(report: Report, *, as_json: bool, to_stderr: bool = False) -> None:
    """Print a report: a table, or one line of JSON."""
    console = Console(stderr=to_stderr, highlight=False)
    if as_json:
        print_json(report.to_json(), to_stderr=to_stderr)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in rows_of(report):
        table.add_row(Text(name, "bold"), Text(printable(value)))
    console.print(Text(printable(report.record), "bold underline"))
    console.print(table)


def print_json(figures: dict[str, Any], *, to_stderr: bool = False) -> None:
    """Print figures as one line of JSON, never wrapped."""
    Console(stderr=to_stderr, highlight=False).out(json.dumps(figures))


def print_spans(spans: list[tuple[int, int, str]], n_bytes: int) -> None:
    """Print what every byte of a file is: offset, size, meaning; and how many are accounted for."""
    table = Table(box=None, header_style="bold", show_footer=True)
    accounted = sum(size for _, size, _ in spans)
    table.add_column("offset", justify="right")
    table.add_column("bytes", f"{accounted:,}", justify="right")
    table.add_column("what", f"of {n_bytes:,} accounted for")
    for offset, size, what in spans:
        table.add_row(f"{offset:,}", f"{size:,}", Text(printable(what)))
    Console(highlight=False).print(table)


def rows_of(report: Report) -> list[tuple[str, str]]:
    """Give what there is to say of a report, as names and values."""
    rows = [("signal", _signal(report)), ("file", _file(report))]
    if report.fidelity != "lossless":
        rows += _loss_rows(report)
    if report.n_segments or report.n_gaps:
        rows.append(("segments", f"{report.n_segments:,}, and {report.n_gaps:,} gaps"))
    if report.side_files:
        listed = (f"{name} ({size:,} bytes)" for name, size in report.side_files.items())
        rows.append(("with it", ", ".join(listed)))
    if report.note:
        rows.append(("note", report.note))
    if report.structure:
        rows.append(("found", report.structure))
    if report.primer:
        rows.append(("begins with", f"what primer {report.primer} has"))
    if report.cr_original is not None:
        base = f"the original signal files, {report.original_n_bytes:,} bytes"
        rows.append(("compression ratio", f"{report.cr_original:.3f} against {base}"))
    if report.cr_source_bits is not None:
        base = f"{report.source_bits_per_sample:g} bits/sample of its format"
        rows.append(("", f"{report.cr_source_bits:.3f} against {base}"))
    if report.cr_int16 is not None:
        rows.append(("", f"{report.cr_int16:.3f} against 16 bits/sample"))
    rows += _layer_rows(report) + _signal_rows(report) + _san_rows(report)
    if report.encode_seconds is not None:
        speed = report.samples_per_second or 0.0
        rows.append(("encoded", f"in {report.encode_seconds:.2f} s, {speed:,.0f} samples/s"))
    if report.verified is not None:
        said = "yes, decoded and compared" if report.verified else "no"
        rows.append(("verified", said))
    return rows


def _signal(report: Report) -> str:
    channels = "1 channel" if report.n_channels == 1 else f"{report.n_channels} channels"
    return (
        f"{channels}, {report.n_frames:,} frames at {report.fs:g} Hz "
        f"({report.duration_seconds:,.1f} s), {report.n_samples:,} samples"
    )


def _file(report: Report) -> str:
    size = f"{report.n_bytes:,} bytes"
    bits = report.bits_per_sample
    size = f"{size} at level {report.level}"
    return size if bits is None else f"{size}, {bits:.3f} bits/sample, everything counted"


def _loss_rows(report: Report) -> list[tuple[str, str]]:
    rows = [("promised", report.fidelity)]
    for signal in report.signals:
        name = signal.name.strip() or "no name"
        said = f"PRDN {signal.prdn:.4g} %, no sample off by more than {signal.max_error} ADC units"
        rows.append((f"  {name}", said))
    return rows


def _layer_rows(report: Report) -> list[tuple[str, str]]:
    rows = [
        (f"  {name}", f"{size / report.n_bytes:.1%}, {size:,} bytes")
        for name, size in report.layers.items()
    ]
    return [("bytes by layer", ""), *rows]


def _signal_rows(report: Report) -> list[tuple[str, str]]:
    """Say of each signal what it is and where its kernels come from; equal ones in one row."""
    names: dict[str, list[str]] = {}
    for signal in report.signals:
        told_by = "name" if signal.told_by.startswith("name ") else signal.told_by
        kind = f"{signal.kind} by its {told_by}" if told_by else f"{signal.kind} kind"
        said = f"{kind}: {signal.kernels or 'no kernels'}"
        said += f" ({signal.decided_by})" if signal.decided_by else ""
        names.setdefault(said, []).append(signal.name.strip() or "no name")
    rows = [(f"  {', '.join(own)}", said) for said, own in names.items()]
    return [("signals", ""), *rows] if rows else []


def _san_rows(report: Report) -> list[tuple[str, str]]:
    rows = [("SAN layer", report.model)]
    if report.activations_per_minute is not None:
        rows.append(
            (
                "  activations",
                f"{report.n_activations:,}, {report.activations_per_minute:.1f} a minute",
            )
        )
    metrics = {
        "CR^-1": report.inverse_cr,
        "normalized loss": report.normalized_loss,
        "flithos": report.flithos,
    }
    rows += [(f"  {name}", f"{value:.4f}") for name, value in metrics.items() if value is not None]
    return rows
