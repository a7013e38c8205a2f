"""Figures of a run: pure functions from arrays and names to a matplotlib Figure, and their files.

A figure's bytes depend on its arguments alone. Names are drawn as they are written, whatever they contain.
"""

from benchmark.plots.bars import posterior_figure, recall_figure
from benchmark.plots.curves import Curve, curves_figure
from benchmark.plots.frames import evenly
from benchmark.plots.matrices import coexistence_figure, confusion_figure
from benchmark.plots.methods import ScoredRow, cost_figure, methods_figure
from benchmark.plots.reliability import reliability_figure
from benchmark.plots.style import svg_text, write_figure
from benchmark.plots.timeline import over_time, timeline_figure

__all__ = [
    "Curve",
    "ScoredRow",
    "coexistence_figure",
    "confusion_figure",
    "cost_figure",
    "curves_figure",
    "evenly",
    "methods_figure",
    "over_time",
    "posterior_figure",
    "recall_figure",
    "reliability_figure",
    "svg_text",
    "timeline_figure",
    "write_figure",
]
