"""Rows side by side: their scores with intervals, and what a score costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from benchmark.plots.style import COLOURS, SMALL, finish, label_inches, new_figure, plain, styled
from benchmark.scoring.pareto import pareto_front

# Rows' names are longer than those of classes.
LONGEST_ROW = 64
MOST_TICKS = 6
# How near two ticks may be, as a share of the axis.
CLOSEST = 0.1


@dataclass(frozen=True)
class ScoredRow:
    """A row with its scores: metric title to (low, value, high) in 0..1, the ends of its 95 % interval.

    gflops: operations for predicting one clip, in 10^9; None where they are not known.
    """

    name: str
    scores: Mapping[str, tuple[float, float, float]]
    gflops: float | None


@styled()
def methods_figure(rows: Sequence[ScoredRow], title: str) -> Figure:
    """One panel for each metric of the first row, one line for each row, in the order given."""
    metrics = list(rows[0].scores)
    names = [plain(row.name, LONGEST_ROW) for row in rows]
    figure = new_figure(label_inches(names) + 2.35 * len(metrics) + 0.3, 0.34 * len(rows) + 0.75, title)
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for place, row in enumerate(rows):
            low, value, high = (100 * score for score in row.scores[metric])
            axes.errorbar(
                value,
                place,
                xerr=[[value - low], [high - value]],
                fmt="o",
                color=COLOURS[0],
                markersize=4.5,
                elinewidth=1.4,
                capsize=3,
            )
            axes.annotate(
                f"{value:.1f} [{low:.1f}, {high:.1f}]",
                (value, place),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=SMALL,
            )
        axes.set_xlabel(f"{plain(metric)}, % (95 % interval)")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.margins(x=0.35)
        axes.set_xlim(axes.get_xlim())
        ticks = MaxNLocator(4).tick_values(*axes.get_xlim())
        axes.set_xticks([tick for tick in ticks if axes.get_xlim()[0] < tick < min(axes.get_xlim()[1], 100.5)])
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].set_ylim(len(rows) - 0.5, -0.75)
    return finish(figure)


@styled()
def cost_figure(rows: Sequence[ScoredRow], metric: str, title: str) -> Figure:
    """The score against the operations for one clip, with the Pareto front: rows that no cheaper one equals.

    Every row has its `gflops`, above 0.
    """
    costs = [row.gflops or 0.0 for row in rows]
    values = [100 * row.scores[metric][1] for row in rows]
    front = pareto_front(costs, values)
    short = letters(len(rows))
    names = [f"{letter}  {plain(row.name, LONGEST_ROW)}" for letter, row in zip(short, rows, strict=True)]
    figure = new_figure(5.0 + label_inches(names), max(3.0, 0.19 * len(rows) + 0.8), title)
    axes = figure.add_subplot()
    for index, (row, cost, value) in enumerate(zip(rows, costs, values, strict=True)):
        low, _, high = (100 * score for score in row.scores[metric])
        best = index in front
        colour = COLOURS[0] if best else "0.45"
        axes.errorbar(
            cost,
            value,
            yerr=[[value - low], [high - value]],
            fmt="o",
            color=colour,
            markersize=6,
            markerfacecolor=colour if best else "white",
            elinewidth=1,
            capsize=2.5,
        )
        axes.annotate(short[index], (cost, value), xytext=(5, 3), textcoords="offset points", fontsize=SMALL)
    ordered = sorted(front, key=lambda index: costs[index])
    axes.plot(
        [costs[index] for index in ordered],
        [values[index] for index in ordered],
        color=COLOURS[0],
        linewidth=1,
        drawstyle="steps-post",
        zorder=1,
    )
    axes.set_xscale("log")
    ticks = _apart(sorted({float(f"{cost:.2g}") for cost in costs}))
    if len(ticks) <= MOST_TICKS:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15)
    axes.set_xlabel("GFLOPs for one clip (filled: no cheaper row is as good)")
    axes.set_ylabel(f"{plain(metric)}, % (95 % interval)")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    # The letters beside the points are the keys.
    nothing = [Line2D([], [], linestyle="") for _ in names]
    figure.legend(nothing, names, loc="outside right upper", frameon=False, handlelength=0, handletextpad=0)
    return finish(figure)


def _apart(ticks: Sequence[float]) -> list[float]:
    """Those of ascending ticks whose labels do not touch on a logarithmic axis."""
    room = CLOSEST * np.log(ticks[-1] / ticks[0])
    kept: list[float] = []
    for tick in ticks:
        if not kept or np.log(tick / kept[-1]) > room:
            kept.append(tick)
    return kept


def letters(count: int) -> list[str]:
    """Short names of so many rows: A, B ... Z, A2, B2 ..."""
    return [chr(65 + k % 26) + (str(k // 26 + 1) if k >= 26 else "") for k in range(count)]
