"""Learning curves: the loss and the watched score of every epoch, and the epoch that was selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmark.plots.style import COLOURS, finish, label_inches, new_figure, plain, styled

# Seven colours and four line styles: 28 curves before two look alike.
LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Curve:
    """One unit's training: `losses` and `scores` (in 0..1) of `epochs`, all of length E, and the selected epoch.

    scores: None where nothing was scored during training.
    """

    name: str
    epochs: Sequence[int]
    losses: Sequence[float]
    scores: Sequence[float] | None
    selected: int


@styled()
def curves_figure(curves: Sequence[Curve], score_name: str, title: str) -> Figure:
    """The curves of one or more units in two panels, loss and score; a ring marks each selected epoch.

    score_name: what the scores are, for example `UAR on val`.
    """
    names = [plain(curve.name) for curve in curves]
    scored = any(curve.scores is not None for curve in curves)
    panels = 2 if scored else 1
    columns = 1 + len(curves) // 29
    height = max(2.4 * panels, 0.18 * len(curves) / columns) + 0.6
    figure = new_figure(6.0 + columns * (label_inches(names) + 0.6), height, title)
    loss_axes: Axes = figure.add_subplot(panels, 1, 1)
    score_axes: Axes | None = figure.add_subplot(panels, 1, 2, sharex=loss_axes) if scored else None
    for index, curve in enumerate(curves):
        _draw(loss_axes, curve, curve.losses, index)
        if score_axes is not None and curve.scores is not None:
            _draw(score_axes, curve, [100 * score for score in curve.scores], index)
    loss_axes.set_ylabel("training loss")
    lowest = loss_axes
    if score_axes is not None:
        loss_axes.tick_params(labelbottom=False)
        score_axes.set_ylabel(f"{plain(score_name)}, %")
        lowest = score_axes
    lowest.set_xlabel("epoch")
    lowest.xaxis.set_major_locator(MaxNLocator(integer=True))
    ring = Line2D([], [], linestyle="", marker="o", markersize=8, color="black", fillstyle="none")
    lines = [Line2D([], [], **_look(index), linewidth=1.2) for index in range(len(curves))]
    figure.legend([*lines, ring], [*names, "selected epoch"], loc="outside right upper", ncols=columns, frameon=False)
    return finish(figure)


def _look(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": LINES[index % len(LINES)]}


def _draw(axes: Axes, curve: Curve, values: Sequence[float], index: int) -> None:
    look = _look(index)
    axes.plot(curve.epochs, values, **look, linewidth=1.2, marker=".", markersize=3)
    chosen = [value for epoch, value in zip(curve.epochs, values, strict=True) if epoch == curve.selected]
    axes.plot([curve.selected] * len(chosen), chosen, "o", color=look["color"], markersize=8, fillstyle="none")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
