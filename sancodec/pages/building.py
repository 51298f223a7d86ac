"""One self-contained page of HTML from its parts."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src '{style_hash}'; script-src '{script_hash}'{scripts}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="embedded">{embedded}</script>
<script>{script}</script>
</body>
</html>
"""


def shipped(name: str) -> str:
    """Give the text of a file that is shipped with this package."""
    return resources.files("sancodec.pages").joinpath(name).read_text(encoding="utf-8")


def build_page(
    title: str,
    *,
    body: str,
    style: str,
    script: str,
    embedded: Mapping[str, Any],
    scripts: Sequence[str] = (),
) -> str:
    """Give a page that needs no other file, and by its own policy may ask for none.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML, in which every text that comes from a file was put by ``escape``.
    style, script : str
        Of the page's author alone: nothing from a file belongs here.
    embedded : mapping
        What the script reads, as JSON, from the element ``embedded``; any text may be in it.
    scripts : sequence of str
        What else the page may run, as its policy names it.
    """
    return _PAGE.format(
        title=escape(title),
        body=body,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        scripts="".join(f" {source}" for source in scripts),
        embedded=escape_json(embedded),
    )


def escape(text: str) -> str:
    """Give plain text as HTML, in elements and in quoted attributes."""
    return html.escape(text, quote=True)


def escape_json(value: Any) -> str:
    """Give JSON that ends no element it stands in."""
    said = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def definitions(rows: Sequence[tuple[str, str]]) -> str:
    """Give names and values as a list of HTML; names that begin with a space are set in."""
    listed = [
        f"<dt{' class=sub' if name.startswith(' ') else ''}>{escape(name.strip())}</dt>"
        f"<dd>{escape(value)}</dd>"
        for name, value in rows
    ]
    return f"<dl>{''.join(listed)}</dl>"


def packed(values: NDArray[Any]) -> str:
    """Give an array's little-endian bytes in base64."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
