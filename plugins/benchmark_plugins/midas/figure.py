"""Draws the README's figure: `python -m benchmark_plugins.midas.figure` in the project's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import softmax

from benchmark.files import write_text
from benchmark.plots.bars import posterior_figure
from benchmark.plots.style import svg_text

FILE = Path("plugins/benchmark_plugins/midas/softmax.svg")
CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
# The votes of the clip in the paper's figure 1.
VOTES = np.array([0, 0, 0.2, 0.1, 0, 0.6, 0.1])


def figure_text() -> str:
    """The figure: a clip's soft label, and what the softmax makes of it."""
    targets = {"soft label": VOTES, "after the softmax": softmax(VOTES)}
    return svg_text(posterior_figure(targets, CLASSES, "MIDAS: softmax of a target over seven classes"))


if __name__ == "__main__":
    write_text(FILE, figure_text())
