"""The pictures of the page about statistics, drawn from made-up numbers by the functions that score real ones.

Each is drawn twice, for pages on white and on black.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.plots.style import COLOURS, finish, styled, svg_text
from benchmark.scoring.clipsets import ClipSet, spread_over_clips
from benchmark.scoring.comparison import Answers, Moved, difference, moved_by_clips, paired_spread
from benchmark.scoring.intervals import interval
from benchmark.scoring.metrics import per_class_recall, uar
from benchmark.scoring.permutation import better_permutation
from benchmark.scoring.ranking import rank_intervals

ORANGE, GREEN = COLOURS[1:3]
# A made-up test fold: clips of seven classes, about as uneven as DFEW's, and how many of each a model recognises.
CLIPS = np.array([490, 390, 530, 440, 300, 30, 160])
RECALLS = np.array([0.85, 0.62, 0.62, 0.66, 0.52, 0.1, 0.32])
NAMES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")


@dataclass(frozen=True)
class Scheme:
    """What a picture is drawn with: ink, paper, a blue that is seen on it, and the map of a confusion's shares."""

    ink: str
    paper: str
    blue: str
    shares: str


SCHEMES = {
    "light": Scheme("#222222", "#ffffff", COLOURS[0], "Blues"),
    "dark": Scheme("#d5d7e0", "#1e2129", COLOURS[6], "Blues_r"),
}


def all_pictures() -> dict[str, str]:
    """Every picture as SVG, by the file that it is on the site."""
    drawn = {}
    for name, draw in PICTURES.items():
        for title, scheme in SCHEMES.items():
            drawn[f"pictures/{name}-{title}.svg"] = _drawn(draw, scheme)
    return drawn


def _drawn(draw: Callable[[Scheme], Figure], scheme: Scheme) -> str:
    colours: Any = {
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), scheme.ink),
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), scheme.paper),
    }
    with styled(), matplotlib.rc_context(colours):
        figure = finish(draw(scheme))
        figure.set_facecolor(scheme.paper)
        return svg_text(figure)


def _panels(count: int, height: float, widths: list[float] | None = None) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.6, height), layout="constrained")
    axes = figure.subplots(1, count, width_ratios=widths, squeeze=False)[0]
    return figure, list(axes)


def intervals(scheme: Scheme) -> Figure:
    """Forty test sets of one model, each with its interval; those that miss the truth are marked."""
    rng = np.random.default_rng(3)
    truth = float(RECALLS.mean())
    figure, (axes,) = _panels(1, 3.0)
    for number in range(40):
        right = rng.binomial(CLIPS, RECALLS)
        confusion = np.diag(right)
        # Which class a wrong answer names does not matter to UAR.
        confusion[np.arange(7), (np.arange(7) + 1) % 7] += CLIPS - right
        value = float(uar(confusion))
        low, high = interval(value, spread_over_clips(uar, ClipSet(confusion[None], (1,))))
        holds = low <= truth <= high
        axes.plot([number, number], [100 * low, 100 * high], color=scheme.blue if holds else ORANGE, lw=2)
        axes.plot(number, 100 * value, "o", ms=3.5, color=scheme.blue if holds else ORANGE)
    axes.axhline(100 * truth, color=scheme.ink, lw=1, ls="--")
    axes.set(xlabel="forty test sets that could have been drawn, one model", ylabel="UAR (%)", xticks=[])
    axes.set_title("dashed: the true UAR of the made-up model; orange: intervals that miss it", fontsize=9)
    return figure


def pairing(scheme: Scheme) -> Figure:
    """Two runs over the same clips: scores with wide intervals, and a difference that is known far better."""
    moved = [moved_by_clips([answers], uar, len(CLIPS)) for answers in _two_runs()]
    found = difference(moved[1].value, moved[0].value, paired_spread(moved[1], moved[0]))
    figure, (scores, axes) = _panels(2, 2.4, [1.5, 1])
    for place, (name, one, colour) in enumerate(zip("AB", moved, (scheme.blue, GREEN), strict=True)):
        low, high = interval(one.value, paired_spread(one, _nothing(one)))
        scores.plot([100 * low, 100 * high], [place, place], color=colour, lw=3)
        scores.plot(100 * one.value, place, "o", color=colour)
        scores.annotate(f"run {name}", (100 * low, place), (0, 8), textcoords="offset points", fontsize=9)
    scores.set(yticks=[], ylim=(-0.5, 1.7), xlabel="UAR (%): the intervals overlap")
    axes.plot([100 * found.low, 100 * found.high], [0, 0], color=ORANGE, lw=3)
    axes.plot(100 * found.value, 0, "o", color=ORANGE)
    axes.axvline(0, color=scheme.ink, lw=1, ls="--")
    axes.set(yticks=[], xlabel=f"B minus A (points), p = {found.p:.3f}")
    return figure


def _nothing(one: Moved) -> Moved:
    """A run that always scores 0, to look at one run's spread alone."""
    return Moved((0.0,), (np.zeros_like(one.left_out[0]),), one.strata, one.weights, None)


def _two_runs() -> tuple[Answers, Answers]:
    """Most clips are easy or hard for both runs; the second one has a few more of each class right."""
    rng = np.random.default_rng(1)
    true = np.repeat(np.arange(7), CLIPS)
    ease = rng.uniform(size=len(true))
    answers = []
    for better in (0.0, 0.025):
        unsure = rng.normal(0, 0.03, len(true))
        right = ease + unsure < RECALLS[true] + better
        answers.append(Answers(true, np.where(right, true, (true + 1) % 7)[None], (1,)))
    return answers[0], answers[1]


def ranks(scheme: Scheme) -> Figure:
    """Six rows, and the places that each of them may have."""
    scores = np.array([0.634, 0.629, 0.612, 0.607, 0.604, 0.571])
    # Standard errors of paired differences, in the same unit.
    errors, freedoms = np.full((6, 6), 0.0045), np.full((6, 6), 2000.0)
    figure, (axes,) = _panels(1, 2.6)
    for number, (best, worst) in enumerate(rank_intervals(scores, errors, freedoms)):
        axes.plot([best, worst], [number, number], color=scheme.blue, lw=6, solid_capstyle="round")
        axes.text(6.35, number, f"{100 * scores[number]:.1f}", va="center", fontsize=9)
        place = f"{best}" if best == worst else f"{best} to {worst}"
        axes.text(0.5, number, f"row {'ABCDEF'[number]}: rank {place}", va="center", ha="right", fontsize=9)
    axes.text(6.35, -0.9, "UAR (%)", fontsize=9)
    axes.set(ylim=(5.6, -0.6), xlim=(0.6, 6.3), yticks=[], xticks=range(1, 7), xlabel="place")
    axes.spines["left"].set_visible(False)
    return figure


def swapped(scheme: Scheme) -> Figure:
    """A confusion in which two classes have changed places, and the same with the exchange undone."""
    confusion = np.rint(CLIPS[:, None] * (RECALLS[:, None] * np.eye(7) + (1 - RECALLS[:, None]) * (1 - np.eye(7)) / 6))
    order = np.array([0, 4, 2, 3, 1, 5, 6])
    wrong = confusion[:, order].astype(np.int64)
    found = better_permutation(wrong)
    assert found is not None
    names = [NAMES[k] for k in found.classes]
    figure, panels = _panels(2, 3.4)
    for axes, counts, title in (
        (panels[0], wrong, f"as the predictions are: recall {100 * per_class_recall(wrong).mean():.0f} %"),
        (panels[1], confusion, f"{' and '.join(names)} exchanged: {100 * per_class_recall(confusion).mean():.0f} %"),
    ):
        axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap=scheme.shares, vmin=0, vmax=1)
        axes.set_xticks(range(7), NAMES, rotation=45, ha="right")
        axes.set_yticks(range(7), NAMES)
        axes.set_title(title, fontsize=9)
        axes.spines[:].set_visible(False)
    panels[0].set(xlabel="predicted", ylabel="true")
    panels[1].set(xlabel="predicted")
    return figure


def best_epoch(scheme: Scheme) -> Figure:
    """What choosing the best of many equally good epochs on the test set adds to its score."""
    rng = np.random.default_rng(0)
    epochs = np.arange(1, 101)
    figure, (axes,) = _panels(1, 2.8)
    for alike, colour in ((0.5, ORANGE), (0.8, scheme.blue), (0.95, GREEN)):
        # UAR of one test set scatters around the truth; epochs of one training see the same clips, so they are alike.
        error = float(np.sqrt((RECALLS * (1 - RECALLS) / CLIPS).sum()) / 7)
        own = rng.normal(size=(4000, len(epochs)))
        added = error * np.sqrt(1 - alike) * np.maximum.accumulate(own, axis=1).mean(axis=0)
        axes.plot(epochs, 100 * added, color=colour, lw=2, label=f"{alike:g}")
    axes.set(xlabel="epochs to choose from, all equally good", ylabel="added to UAR (points)", ylim=(0, None))
    legend = axes.legend(title="correlation of two epochs' scores", frameon=False, ncols=3, loc="lower right")
    legend.get_title().set_fontsize(8)
    return figure


PICTURES: dict[str, Callable[[Scheme], Figure]] = {
    "intervals": intervals,
    "pairing": pairing,
    "ranks": ranks,
    "swapped": swapped,
    "best-epoch": best_epoch,
}
