"""Selective prediction: how often a model errs among the clips of which it is surest."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from benchmark.plots.style import COLOURS, finish, new_figure, styled


@styled()
def coverage_figure(coverages: Sequence[float], risks: Sequence[float], title: str) -> Figure:
    """Wrong predictions among the surest clips, both shares in 0..1; confidence that says nothing leaves it flat."""
    figure = new_figure(4.6, 2.9, title)
    axes = figure.add_subplot()
    axes.plot(
        [100 * one for one in coverages], [100 * one for one in risks], color=COLOURS[0], marker="o", markersize=3
    )
    axes.axhline(100 * risks[-1], color="0.45", linewidth=1, linestyle="--", zorder=1)
    axes.set_xlabel("Clips that are answered, the surest first, %")
    axes.set_ylabel("Wrong among them, %")
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return finish(figure)
