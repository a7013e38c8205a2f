"""The experiment's table and figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.leaderboard.markdown import render_table
from benchmark.plots.style import COLOURS, finish, label_inches, new_figure, styled
from benchmark.reports.comparison import SYNTHETIC
from experiments.ambiguity.measures import Interval, Measured, difference, over_seeds

KL, UAR = "KL from the true mixture, nats", "UAR, percent"
TITLE = "Faces that blend two emotions: a small KL and a large UAR are good"


def results_text(rows: Sequence[Measured], known: Mapping[str, float], figure: str, command: str) -> str:
    """A markdown page: every row with intervals over seeds, the differences from the first two rows, and the figure.

    known: KL of predictions that need no model. figure: its file name. command: what made it all.
    """
    scores = [
        [
            row.label,
            _shown(over_seeds(list(row.kl.values())), 3),
            _shown(_percent(over_seeds(list(row.uar.values()))), 1),
        ]
        for row in rows
    ]
    references = "; ".join(f"{name} {value:.3f}" for name, value in known.items())
    parts = [
        "# Results: hard labels, soft labels and MIDAS on blended emotions",
        SYNTHETIC,
        f"Made by `{command}`; [what was done, and what it means](README.md).",
        render_table(["Training", KL, UAR], scores),
        f"Means over {len(rows[0].kl)} seeds of the training with their 95 % interval (Student's t). All rows share "
        "the clips and the split; the intervals do not cover their choice.",
        f"KL of predictions that need no model: {references}.",
        f"![KL and UAR of every seed]({figure})",
        *(_differences(rows[place + 1 :], rows[place]) for place in (0, 1)),
    ]
    return "\n\n".join(parts) + "\n"


def _differences(rows: Sequence[Measured], base: Measured) -> str:
    header = [f"Minus {base.label}", KL, "UAR, points"]
    table = [
        [
            row.label,
            _shown(difference(row.kl, base.kl), 3, "+"),
            _shown(_percent(difference(row.uar, base.uar)), 1, "+"),
        ]
        for row in rows
    ]
    return render_table(header, table)


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
