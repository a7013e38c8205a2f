"""Reliability diagrams: how often a prediction is right, by the probability that it gives itself."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from benchmark.plots.style import COLOURS, SMALL, finish, new_figure, styled
from benchmark.scoring.probabilities import BINS, ece


@styled()
def reliability_figure(labels: ArrayLike, probabilities: ArrayLike, title: str) -> Figure:
    """Accuracy by confidence in the 15 bins of the ECE, and how many predictions each holds.

    labels: true class indices (N,). probabilities: (N, K). Source: Guo et al., On Calibration of Modern Neural
    Networks, ICML 2017, Fig. 1.
    """
    true, shares = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == true
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.digitize(confidence, edges[1:-1], right=True)
    counts = np.bincount(bins, minlength=BINS)
    used = counts > 0
    accuracy = np.bincount(bins, weights=right, minlength=BINS)[used] / counts[used]
    means = np.bincount(bins, weights=confidence, minlength=BINS)[used] / counts[used]
    places, width = 100 * (edges[:-1] + edges[1:])[used] / 2, 100 / BINS

    figure = new_figure(5.2, 5.2, title)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(places, 100 * accuracy, width=width, color=COLOURS[6], edgecolor="white", label="accuracy")
    upper.bar(
        places,
        100 * (means - accuracy),
        bottom=100 * accuracy,
        width=width * 0.7,
        facecolor="none",
        edgecolor=COLOURS[1],
        hatch="////",
        linewidth=0.8,
        label="gap to the confidence",
    )
    upper.plot([0, 100], [0, 100], color="black", linewidth=0.9, linestyle="--", label="perfectly calibrated")
    upper.set_ylim(0, 101)
    upper.set_ylabel("accuracy, %")
    error = 100 * ece(true, shares)
    words = f"ECE {error:.1f} %, accuracy {100 * right.mean():.1f} %,\nmean confidence {100 * confidence.mean():.1f} %"
    upper.text(0.03, 0.96, words, transform=upper.transAxes, va="top", fontsize=SMALL)
    lower.bar(100 * (edges[:-1] + edges[1:]) / 2, counts, width=width, color="0.6", edgecolor="white")
    lower.set_ylabel("predictions")
    lower.set_xlabel("confidence: the probability of the predicted class, %")
    lower.set_xlim(0, 100)
    for axes in (upper, lower):
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return finish(figure)
