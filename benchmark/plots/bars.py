"""Bars by class: recalls with their intervals, and what a model sees in one clip beside what annotators saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from benchmark.plots.frames import below_frames
from benchmark.plots.style import COLOURS, SMALL, finish, label_inches, new_figure, plain, styled
from benchmark.scoring.intervals import wilson_interval

HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")


@styled()
def recall_figure(
    confusion: ArrayLike,
    classes: Sequence[str],
    title: str,
    clips: Sequence[int] | None = None,
    intervals: Sequence[tuple[float, float] | None] | None = None,
) -> Figure:
    """Recall of each class with its 95 % interval, from confusion counts (K, K).

    clips: number of different clips of each class, where the counts hold clips several times (one for each seed); left
    out, every count is another clip. intervals: of each class that has clips, in 0..1; left out, Wilson's intervals of
    so many clips, with their number of right ones rounded.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    size = len(classes)
    if counts.shape != (size, size):
        raise ValueError(f"a confusion of shape {counts.shape} for {size} classes")
    right, total = counts.diagonal().tolist(), counts.sum(axis=1).tolist()
    different = total if clips is None else list(clips)
    names = [plain(name) for name in classes]
    figure = new_figure(label_inches(names) + 6.2, 0.27 * size + 0.7, title)
    axes = figure.add_subplot()
    margin = axes.get_yaxis_transform()
    for k in range(size):
        if not total[k]:
            axes.text(1, k, "no clips", va="center", fontsize=SMALL)
            continue
        value = right[k] / total[k]
        given = intervals[k] if intervals else None
        low, high = given or wilson_interval(round(right[k] * different[k] / total[k]), different[k])
        axes.barh(k, 100 * value, height=0.7, color=COLOURS[6])
        reach = [[100 * (value - low)], [100 * (high - value)]]
        axes.errorbar(100 * value, k, xerr=reach, color="black", elinewidth=1, capsize=2.5)
        collapsed = "" if right[k] else ", collapsed"
        words = f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]  n = {different[k]}{collapsed}"
        axes.text(1.02, k, words, transform=margin, va="center", fontsize=SMALL)
    _class_axis(axes, names)
    axes.set_xlim(0, 100)
    axes.set_xlabel("recall, % (95 % interval)")
    return finish(figure)


@styled()
def posterior_figure(
    distributions: Mapping[str, ArrayLike],
    classes: Sequence[str],
    title: str,
    frames: Sequence[tuple[int, np.ndarray]] = (),
) -> Figure:
    """Class distributions of one clip side by side (Figs. 7 and 8 of Kawamura et al., MIDAS), below its frames.

    distributions: name to probabilities (K,) in 0..1, mostly the annotators' soft label first, then the model's.
    frames: some of the clip's frames (H, W, 3), uint8 RGB, with their numbers.
    """
    names = [plain(name) for name in classes]
    height = 0.15
    high = (height * len(distributions) + 0.12) * len(classes) + 1.1
    figure = new_figure(label_inches(names) + 5.6, high, title)
    titles = [f"frame {number}" for number, _ in frames]
    axes = below_frames(figure, high, frames, titles).add_subplot()
    thick = height / (height * len(distributions) + 0.12)
    for index, (name, values) in enumerate(distributions.items()):
        shares = np.asarray(values, dtype=np.float64)
        places = np.arange(len(classes)) + thick * (index - (len(distributions) - 1) / 2)
        bars = axes.barh(
            places,
            shares,
            height=thick,
            color=COLOURS[index % len(COLOURS)],
            edgecolor="white",
            linewidth=0.5,
            hatch=HATCHES[index % len(HATCHES)],
            label=plain(name),
        )
        axes.bar_label(bars, [f"{share:.2f}" for share in shares], padding=2, fontsize=SMALL)
    _class_axis(axes, names)
    axes.set_xlim(0, 1.08)
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.set_xlabel("share of votes, or probability")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return finish(figure)


def _class_axis(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
