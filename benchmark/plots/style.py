"""What all figures share: type, colours, words that stay words, and files with the same bytes every time."""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.files import replacing, write_text

# Okabe and Ito, Color Universal Design, 2008; without yellow, which cannot be seen on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
SMALL, NORMAL, LARGE = 8, 9, 11
# Inches that a character takes, on average and at most about, in the small type.
CHARACTER = 0.074
LONGEST = 40
PNG_DPI = 200
_STYLE: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so it is the same everywhere
    "font.size": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "figure.titlesize": LARGE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # a name with dollar signs is no formula
    "text.usetex": False,
    "svg.fonttype": "none",  # words stay words: they can be searched, copied and read aloud
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw or save under this style alone: the user's own matplotlib settings change nothing, nor are they changed."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def plain(text: str, longest: int = LONGEST) -> str:
    """`text` on one line, without what cannot be printed; of one that is too long the middle is left out."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(words) <= longest:
        return words
    kept = longest - 1
    return f"{words[: kept - kept // 2]}…{words[len(words) - kept // 2 :]}"


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of this size in inches, with room made for its title, which may have several lines."""
    figure = Figure(figsize=(width, height), layout="constrained")
    # The title's characters are larger than the small ones by the ratio of their sizes.
    per_line = max(20, int((width - 0.3) / (CHARACTER * LARGE / SMALL)))
    lines = [line for part in title.split("\n") for line in textwrap.wrap(plain(part, 300), per_line)]
    figure.set_figheight(height + 0.2 * len(lines))
    figure.suptitle("\n".join(lines))
    return figure


def finish(figure: Figure) -> Figure:
    """Lay the figure out once and for all, so that every file of it is the same picture."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def draw_as_shapes(bar: Colorbar) -> None:
    """Otherwise the scale is an image inside the SVG, which a page that allows no images does not show."""
    assert bar.solids is not None
    bar.solids.set_rasterized(False)
    bar.solids.set_edgecolor("face")


def label_inches(names: list[str]) -> float:
    """The room that the longest of some names needs."""
    return CHARACTER * max(map(len, names))


def svg_text(figure: Figure) -> str:
    """The figure as one `<svg>` element, which is a file and can also stand inside an HTML page.

    Equal figures give equal text: no date, no random ids. Several figures of one page share no id.
    """
    title = " ".join(figure.get_suptitle().split())
    file = io.StringIO()
    with styled():
        # Matplotlib makes the ids that are referred to from this salt. Groups are numbered; nothing refers to them.
        salt = "\n".join(text.get_text() for text in figure.findobj(Text))
        with matplotlib.rc_context({"svg.hashsalt": salt}):
            figure.savefig(file, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    text = file.getvalue()
    return re.sub(r'<g id="[\w.]+"', "<g", text[text.index("<svg") :])


def write_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write `<stem>.png` (200 dots per inch) and `<stem>.svg`, each whole or not at all; returns their paths."""
    png, svg = (stem.parent / f"{stem.name}.{suffix}" for suffix in ("png", "svg"))
    with styled(), replacing(png) as temporary:
        figure.savefig(temporary, format="png", dpi=PNG_DPI)
    write_text(svg, svg_text(figure))
    return [png, svg]
