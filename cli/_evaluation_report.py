"""What ``sancodec evaluate`` says: a table or lines of JSON, a CSV file, a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sancodec.beats import Agreement
from sancodec.cli._report import print_json
from sancodec.cli._terminal import printable
from sancodec.errors import OutputError
from sancodec.formats.output import refuse_existing, write_whole
from sancodec.outcomes import Outcome, Total, total_of

_PICTURES = (".png", ".svg")
# Of more leads than this the table says the range of their PRDN.
_FEW_LEADS = 3
_WIDE = 170
_COLUMNS = (
    ("record", "left"),
    ("target", "left"),
    ("CR", "right"),
    ("CR of 16 bits", "right"),
    ("bits/ sample", "right"),
    ("PRDN % (of each lead)", "left"),
    ("max. error", "right"),
    ("encoded s", "right"),
    ("decoded s", "right"),
    ("beats: Se +P %", "left"),
    ("to reference, before", "left"),
    ("after", "left"),
)


class Outputs:
    """Takes outcomes as they are found; says and writes at the end, of those there are.

    A context manager: what was found before a failure or an interruption is not lost.

    Raises
    ------
    OutputError
        A file exists already or cannot be written, or has a suffix that names no picture.
    """

    def __init__(self, *, as_json: bool, csv: str | None, plot: str | None, force: bool) -> None:
        self._as_json = as_json
        self._csv = None if csv is None else Path(csv)
        self._plot = None if plot is None else Path(plot)
        self._found: list[Outcome] = []
        if self._plot is not None and self._plot.suffix.lower() not in _PICTURES:
            raise OutputError(f"{plot}: expected a name that ends in {' or '.join(_PICTURES)}")
        files = [path for path in (self._csv, self._plot) if path is not None]
        refuse_existing(files, force=force)

    def __enter__(self) -> Outputs:
        return self

    def add(self, outcome: Outcome) -> None:
        """Take one more outcome; as JSON it is said at once."""
        self._found.append(outcome)
        if self._as_json:
            print_json(outcome.to_json())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._found:
            return
        totals = self._totals()
        if self._as_json:
            for total in totals:
                print_json(total.to_json())
        else:
            _print_table(self._found, totals)
        if self._csv is not None:
            write_whole(self._csv, _csv_of(self._found).encode())
        if self._plot is not None:
            self._draw(self._plot)

    def _totals(self) -> list[Total]:
        """Give the totals of targets that several records have."""
        by_target: dict[str, list[Outcome]] = {}
        for outcome in self._found:
            by_target.setdefault(outcome.target, []).append(outcome)
        return [total_of(own) for own in by_target.values() if len(own) > 1]

    def _draw(self, target: Path) -> None:
        # Imported here: tables are given without it.
        from sancodec.picture import draw_rates  # noqa: PLC0415

        curves: dict[str, list[tuple[float, float]]] = {}
        for outcome in self._found:
            point = (outcome.bits_per_sample, outcome.prdn_mean)
            curves.setdefault(f"{outcome.record}, {outcome.kind}", []).append(point)
        draw_rates(curves, target)


def _print_table(outcomes: list[Outcome], totals: list[Total]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    table = Table(box=None, header_style="bold", padding=(0, 1), pad_edge=False)
    for title, justify in _COLUMNS:
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for outcome in outcomes:
        cells = [outcome.record, outcome.target, *_rates(outcome)]
        beats = {} if outcome.beats is None else outcome.beats.agreements
        cells += [_prdn(outcome), str(max(outcome.max_error)), *_seconds(outcome), *_agreed(beats)]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    for total in totals:
        cells = [f"all {total.n_records}", total.target, *_rates(total)]
        cells += [f"{total.prdn_mean:.3f}", str(total.max_error), *_seconds(total)]
        table.add_row(*(Text(cell, "bold") for cell in [*cells, *_agreed(total.beats)]))
    console.print(table)
    if totals:
        said = "all: geometric mean of CR, mean PRDN, largest error, and all beats together"
        console.print(Text(said))
    for record, reason in {own.record: own.no_beats for own in outcomes if own.no_beats}.items():
        console.print(Text(printable(f"{record}: no beats compared: {reason}")))


def _rates(figures: Outcome | Total) -> list[str]:
    ratios = (figures.cr_source_bits, figures.cr_int16)
    return [*(f"{ratio:.2f}" for ratio in ratios), f"{figures.bits_per_sample:.3f}"]


def _seconds(figures: Outcome | Total) -> list[str]:
    return [f"{seconds:.1f}" for seconds in (figures.encode_seconds, figures.decode_seconds)]


def _prdn(outcome: Outcome) -> str:
    each = [f"{percent:.3f}" for percent in outcome.prdn]
    if len(each) == 1:
        return each[0]
    said = " ".join(each)
    if len(each) > _FEW_LEADS:
        said = f"{min(outcome.prdn):.3f} to {max(outcome.prdn):.3f}"
    return f"{outcome.prdn_mean:.3f} ({said})"


def _agreed(beats: Any) -> list[str]:
    names = ("decoded", "original_to_reference", "decoded_to_reference")
    return [_say(beats.get(name)) for name in names]


def _say(agreement: Agreement | None) -> str:
    if agreement is None:
        return "-"
    ratios = (agreement.sensitivity, agreement.positive_predictivity)
    return " ".join("-" if ratio is None else f"{100 * ratio:.2f}" for ratio in ratios)


def _csv_of(outcomes: list[Outcome]) -> str:
    """Give a row for each outcome; of the channels, figures with a space between."""
    rows = [_flat(outcome) for outcome in outcomes]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(outcome: Outcome) -> dict[str, object]:
    row: dict[str, object] = {}
    for name, value in outcome.to_json().items():
        if name == "beats":
            row |= _flat_beats(value or {})
        elif isinstance(value, tuple):
            row[name] = " ".join(str(own).strip().replace(" ", "_") for own in value)
        else:
            row[name] = value
    return row


def _flat_beats(beats: dict[str, Any]) -> dict[str, object]:
    row: dict[str, object] = {"beats_lead": beats["lead"]} if beats else {}
    for name, agreement in beats.items():
        if isinstance(agreement, dict):
            row |= {f"beats_{name}_{key}": own for key, own in agreement.items()}
    return row
