"""Figures of a run: pure functions from arrays and names to a matplotlib Figure, and their files.

A figure's bytes depend on its arguments alone. Names are drawn as they are written, whatever they contain.
"""

from benchmark.plots.bars import posterior_figure, recall_figure
from benchmark.plots.curves import Curve, curves_figure
from benchmark.plots.matrices import coexistence_figure, confusion_figure
from benchmark.plots.style import svg_text, write_figure

__all__ = [
    "Curve",
    "coexistence_figure",
    "confusion_figure",
    "curves_figure",
    "posterior_figure",
    "recall_figure",
    "svg_text",
    "write_figure",
]
