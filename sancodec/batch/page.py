"""A page of HTML that shows all records of an archive; it is one file and needs no network."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from sancodec.batch.manifest import DONE, FAILED, Entry
from sancodec.batch.summary import Summary
from sancodec.formats.output import write_whole

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .8em .2em 0; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
th { vertical-align: bottom; }
#records th { cursor: pointer; }
td.text { overflow-wrap: anywhere; }
.failed { color: #b3261e; }
"""
# Rows are put in order by what their cells hold as data-value: a number, or else text.
_SCRIPT = """
for (const head of document.querySelectorAll("#records th")) {
  head.addEventListener("click", () => {
    const body = document.querySelector("#records tbody");
    const sign = head.dataset.sign = head.dataset.sign === "1" ? "-1" : "1";
    const valueOf = row => row.cells[head.cellIndex].dataset.value;
    const isNumber = head.dataset.kind === "number";
    const rows = [...body.rows].sort((one, other) => {
      const a = valueOf(one), b = valueOf(other);
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (isNumber ? a - b : a < b ? -1 : a > b ? 1 : 0);
    });
    body.append(...rows);
  });
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_HEADS = (
    ("record", "text"),
    ("state", "text"),
    ("signals", "text"),
    ("bytes of its files", "number"),
    ("bytes written", "number"),
    ("CR of the signal files", "number"),
    ("flithos", "number"),
    ("largest PRDN, %", "number"),
    ("seconds", "number"),
)


def write_page(path: Path, summary: Summary, entries: Sequence[Entry]) -> None:
    """Write the page of a batch.

    Parameters
    ----------
    path : Path
        Overwritten if it is there.
    summary : Summary
    entries : sequence of Entry
        Of all records of the archive.

    Raises
    ------
    OutputError
        The page cannot be written.
    """
    write_whole(path, make_page(summary, entries).encode("utf-8", "replace"))


def make_page(summary: Summary, entries: Sequence[Entry]) -> str:
    """Give the text of the page; whatever comes from files is escaped."""
    title = f"{_escaped(PurePosixPath(summary.source).name or summary.source)} in sancodec"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            _totals(summary),
            _failures(summary),
            _folders(entries),
            _records(entries),
            f"<script>{_SCRIPT}</script></body></html>\n",
        )
    )


def _totals(summary: Summary) -> str:
    ratio = "" if summary.ratio is None else f"{summary.ratio:.3f}"
    rows = [
        ("from", _escaped(summary.source)),
        ("to", _escaped(summary.target)),
        ("records", f"{summary.n_records:,}"),
        ("done now", f"{summary.n_done:,}"),
        ("done before and unchanged", f"{summary.n_skipped:,}"),
        ("failed", f"{summary.n_failed:,}"),
        ("other files carried along", f"{summary.n_copied + summary.n_kept:,}"),
        ("bytes of the records' files", f"{summary.n_read:,}"),
        ("bytes of their .san files", f"{summary.n_written:,}"),
        ("ratio of the two", ratio),
        ("seconds", f"{summary.seconds:,.1f}"),
    ]
    if summary.stopped:
        rows.append(("stopped", _escaped(summary.stopped)))
    cells = (f'<tr><td>{name}</td><td class="text">{value}</td></tr>' for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _failures(summary: Summary) -> str:
    if not summary.failures:
        return ""
    rows = (
        f'<tr><td class="failed">{_escaped(name)}</td><td class="text">{_escaped(why)}</td></tr>'
        for name, why in sorted(summary.failures.items())
    )
    return f"<h2>Failures</h2><table>{''.join(rows)}</table>"


def _folders(entries: Iterable[Entry]) -> str:
    """Give the table of what the records of each folder come to."""
    by_folder: dict[str, list[Entry]] = {}
    for entry in entries:
        by_folder.setdefault(str(PurePosixPath(entry.name).parent), []).append(entry)
    rows = []
    for folder, own in sorted(by_folder.items()):
        done = [entry for entry in own if entry.state == DONE]
        n_read, n_bytes = sum(e.n_read for e in done), sum(e.n_bytes for e in done)
        n_failed = sum(entry.state == FAILED for entry in own)
        ratio = f"{n_read / n_bytes:.3f}" if n_bytes else ""
        numbers = (f"{len(own):,}", f"{n_failed:,}", f"{n_read:,}", f"{n_bytes:,}", ratio)
        cells = "".join(f"<td>{number}</td>" for number in numbers)
        rows.append(f"<tr><td>{_escaped(folder)}</td>{cells}</tr>")
    heads = ("folder", "records", "failed", "bytes of their files", "bytes written", "ratio")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<h2>Folders</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _records(entries: Iterable[Entry]) -> str:
    """Give the table of records, which is put in order by what is clicked."""
    head = "".join(f'<th class="{kind}" data-kind="{kind}">{name}</th>' for name, kind in _HEADS)
    rows = "".join(map(_record, entries))
    return (
        f'<h2>Records</h2><table id="records"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _record(entry: Entry) -> str:
    state = _cell(entry.state, failed=entry.state == FAILED)
    numbers = (
        _number(entry.n_read, ",d"),
        _number(entry.n_bytes or None, ",d"),
        _number(entry.cr, ".3f"),
        _number(entry.flithos, ".4f"),
        _number(entry.prdn, ".4g"),
        _number(entry.seconds, ".2f"),
    )
    texts = f"{_cell(entry.name)}{state}{_cell(', '.join(entry.kinds))}"
    return f"<tr>{texts}{''.join(numbers)}</tr>"


def _cell(text: str, *, failed: bool = False) -> str:
    shown = _escaped(text)
    kind = "text failed" if failed else "text"
    return f'<td class="{kind}" data-value="{shown}">{shown}</td>'


def _number(value: float | None, spelling: str) -> str:
    if value is None:
        return '<td data-value=""></td>'
    return f'<td data-value="{value}">{value:{spelling}}</td>'


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
