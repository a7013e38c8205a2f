"""The experiment's table and figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.cli.compare_text import SYNTHETIC
from benchmark.leaderboard.markdown import escape, render_table
from benchmark.plots.style import COLOURS, finish, label_inches, new_figure, styled
from experiments.ambiguity.measures import Interval, Measured, difference, over_seeds

KL, UAR = "KL(true mixture || prediction), nats", "UAR, percent"
TITLE = "Faces that blend two emotions: the smaller the KL and the larger the UAR, the better"


def results_text(rows: Sequence[Measured], known: Mapping[str, float], figure: str, command: str) -> str:
    """A markdown page: every row with intervals over seeds and its difference from the first row, and the figure.

    known: KL of predictions that need no model. figure: its file name. command: what made it all.
    """
    base = rows[0]
    header = ["Training", KL, "against hard labels", UAR, "against hard labels"]
    table = [
        [
            escape(row.label),
            _shown(over_seeds(list(row.kl.values())), 3),
            "-" if row is base else _shown(difference(row.kl, base.kl), 3, "+"),
            _shown(_percent(over_seeds(list(row.uar.values()))), 1),
            "-" if row is base else _shown(_percent(difference(row.uar, base.uar)), 1, "+"),
        ]
        for row in rows
    ]
    references = "; ".join(f"{name} {value:.3f}" for name, value in known.items())
    parts = [
        "# Results: hard labels, soft labels and MIDAS on blended emotions",
        SYNTHETIC,
        f"Made by `{command}`; [what was done, and what it means](README.md).",
        render_table(header, table),
        f"Means over {len(base.kl)} seeds of the training with their 95 % interval (Student's t); differences are "
        "taken seed by seed. All rows share clips and split; the intervals do not cover their choice.",
        f"The KL of predictions that need no model: {references}.",
        f"![KL and UAR of every seed]({figure})",
    ]
    return "\n\n".join(parts) + "\n"


@styled()
def results_figure(rows: Sequence[Measured]) -> Figure:
    """A point for every seed and the mean with its interval, for KL and for UAR."""
    names = [row.label for row in rows]
    figure = new_figure(label_inches(names) + 6.6, 0.45 * len(rows) + 0.8, TITLE)
    left, right = figure.subplots(1, 2, sharey=True)
    _points(left, [list(row.kl.values()) for row in rows], KL)
    _points(right, [[100 * value for value in row.uar.values()] for row in rows], UAR)
    left.set_yticks(range(len(rows)), names)
    left.invert_yaxis()
    return finish(figure)


def _points(axes: Axes, values: Sequence[Sequence[float]], title: str) -> None:
    for place, seeds in enumerate(values):
        found = over_seeds(seeds)
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(seeds, [place] * len(seeds), "|", color=colour, alpha=0.6, markersize=9)
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=2.5, alpha=0.5)
        axes.plot([found.mean], [place], "o", color=colour, markersize=5)
    axes.set_xlabel(title)
    axes.grid(axis="x", alpha=0.3)


def _percent(value: Interval) -> Interval:
    return Interval(100 * value.mean, 100 * value.low, 100 * value.high)


def _shown(value: Interval, digits: int, sign: str = "") -> str:
    return f"{value.mean:{sign}.{digits}f} [{value.low:{sign}.{digits}f}, {value.high:{sign}.{digits}f}]"
