"""Matrices of classes by classes: confusions, and emotions that occur together."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from benchmark.plots.style import SMALL, draw_as_shapes, finish, label_inches, new_figure, plain, styled
from benchmark.scoring.metrics import FEW_CLIPS

# The row of a class with few clips has no colour, so that it does not catch the eye: these are its lightnesses.
GREYS = (0.25, 0.5)


@styled()
def confusion_figure(
    confusion: ArrayLike, classes: Sequence[str], title: str, clips: Sequence[int] | None = None
) -> Figure:
    """The confusion counts (K, K), rows true classes: each cell's share of its row in percent, and its count.

    A class without clips has no shares; its row says so. Rows of fewer than 30 clips are grey, unless
    all of them are. clips: number of
    different clips of each class, where the counts hold clips several times; left out, every count is another clip.
    """
    counts = _square(np.asarray(confusion, dtype=np.int64), classes)
    numbers = counts.sum(axis=1).tolist() if clips is None else list(clips)
    few = [0 < number < FEW_CLIPS for number in numbers]
    grey = few if max(numbers) >= FEW_CLIPS else []
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    texts = [
        [f"{100 * share:.1f}\n{count}" if count else "0" for share, count in zip(*row, strict=True)]
        for row in zip(shares, counts, strict=True)
    ]
    rows = [f"{plain(name)} (n = {number})" for name, number in zip(classes, numbers, strict=True)]
    columns_are = "predicted class: % of the row, number below"
    if any(grey):
        columns_are += f"; grey: fewer than {FEW_CLIPS} clips"
    return _matrix(shares, texts, classes, title, "true class (n clips)", columns_are, rows, grey)


@styled()
def coexistence_figure(
    shares: ArrayLike, clips: ArrayLike, classes: Sequence[str], title: str, votes: str = "annotators' votes"
) -> Figure:
    """Which emotions annotators see together (Fig. 5 of Kawamura et al., MIDAS).

    shares: (K, K), row k is the mean soft label (vote shares in 0..1) of the clips labelled k. clips: (K,) numbers of
    those clips; a row without any says so. votes: what the shares are of.
    """
    numbers = np.asarray(clips, dtype=np.int64)
    means = np.where(numbers[:, None] > 0, _square(np.asarray(shares, dtype=np.float64), classes), np.nan)
    texts = [[f"{100 * share:.1f}" for share in row] for row in means]
    rows = [f"{plain(name)} (n = {number})" for name, number in zip(classes, numbers, strict=True)]
    return _matrix(means, texts, classes, title, "label", f"mean share of the {votes}, %", rows)


def _square(matrix: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"a matrix of shape {matrix.shape} for {len(classes)} classes")
    return matrix


def _matrix(
    shares: np.ndarray,
    texts: Sequence[Sequence[str]],
    classes: Sequence[str],
    title: str,
    rows_are: str,
    columns_are: str,
    rows: Sequence[str],
    grey: Sequence[bool] = (),
) -> Figure:
    """Shares (K, K) in 0..1, with NaN in rows without clips, as coloured cells with text in them."""
    size = len(classes)
    columns = [plain(name) for name in classes]
    lines = [line for row in texts for cell in row for line in cell.split("\n")]
    wide = max(0.42, label_inches(lines) + 0.08)
    high = 0.42
    flat = label_inches(columns) + 0.1
    turned = flat * size > 8
    wide = wide if turned else max(wide, flat)
    below = label_inches(columns) if turned else 0.2
    figure = new_figure(max(5.2, wide * size + label_inches(list(rows)) + 1.3), high * size + below + 0.7, title)
    axes = figure.add_subplot()
    edges = np.arange(size + 1) - 0.5
    colours = _colours(shares, grey)
    axes.pcolormesh(edges, edges, colours, edgecolors="white", linewidth=0.4)
    _write_cells(axes, shares, texts, colours)
    axes.invert_yaxis()
    axes.set_xticks(range(size), columns, rotation=90 if turned else 0)
    axes.set_yticks(range(size), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(columns_are)
    axes.set_ylabel(rows_are)
    scale = ScalarMappable(Normalize(0, 100), "cividis")
    bar = figure.colorbar(scale, ax=axes, aspect=25, pad=0.02, shrink=min(1.0, 4.0 / (high * size)))
    bar.set_label("% of the row")
    draw_as_shapes(bar)
    return finish(figure)


def _colours(shares: np.ndarray, grey: Sequence[bool]) -> np.ndarray:
    """The cells' colours (K, K, 3), RGB in 0..1; rows that are grey have no colour, and none of them is bright."""
    known = np.nan_to_num(shares)
    colours = matplotlib.colormaps["cividis"](known)[:, :, :3]
    dark, light = GREYS
    for row, muted in enumerate(grey):
        if muted:
            colours[row] = (dark + (light - dark) * known[row])[:, None]
    return colours


def _write_cells(axes: Axes, shares: np.ndarray, texts: Sequence[Sequence[str]], colours: np.ndarray) -> None:
    size = len(shares)
    for row in range(size):
        if np.isnan(shares[row]).any():
            axes.add_patch(
                Rectangle((-0.5, row - 0.5), size, 1, facecolor="white", edgecolor="0.75", hatch="////", linewidth=0)
            )
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text((size - 1) / 2, row, "no clips", ha="center", va="center", fontsize=SMALL, bbox=box)
            continue
        for column in range(size):
            cell = axes.text(
                column,
                row,
                texts[row][column],
                ha="center",
                va="center",
                fontsize=SMALL,
                color=readable_on(colours[row, column]),
                linespacing=1.05,
            )
            cell.set_in_layout(False)


def readable_on(colour: ArrayLike) -> str:
    """`black` or `white`, whichever contrasts more with an RGB colour in 0..1; the ratio is at least 4.5.

    Source: Web Content Accessibility Guidelines 2.2, relative luminance and contrast ratio.
    """
    channels = np.asarray(colour, dtype=np.float64)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"
