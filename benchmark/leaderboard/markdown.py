"""Markdown that strangers' names can't break out of."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 120
# A colon before a space is only a colon; elsewhere it can make an address or an emoji.
_SPECIAL = re.compile(r"([\\`*_\[\]|~$!#]|:(?! ))")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """`text` as plain words inside a table cell: no markup, HTML, link, line break or control character survives.

    Longer texts are cut off at 120 characters.
    """
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(words) > LONGEST:
        words = words[: LONGEST - 3] + "..."
    words = _SPECIAL.sub(r"\\\1", words)
    # GitHub turns bare addresses into links; `https:` is already broken up by the escaped colon.
    words = re.sub(r"(?i)www\.", lambda match: match.group()[:3] + "\\.", words)
    return "".join(_HTML.get(c, c) for c in words)


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A GitHub pipe table of cells that are markdown already.

    Columns are as wide as their longest cell, counted in characters on every machine alike.
    """
    import tabulate

    # With the package wcwidth installed, tabulate would pad wide characters otherwise; the bytes must not depend on it.
    tabulate.WIDE_CHARS_MODE = False
    return tabulate.tabulate(rows, headers=header, tablefmt="github", disable_numparse=True)


def percent(value: float | None) -> str:
    """A score in 0..1 as percent with two decimals, or a dash."""
    return "-" if value is None else f"{100 * value:.2f}"
