"""Reliability diagrams: their bins against scikit-learn's, and the ECE in them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.patches import Rectangle
from sklearn.calibration import calibration_curve
from test_plots import words

from benchmark.plots import reliability_figure
from benchmark.scoring.probabilities import ece


@pytest.fixture(scope="module")
def predicted() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 7, 400), random.dirichlet(np.full(7, 0.3), 400)


def heights(bars: Iterable[Artist]) -> list[float]:
    return [bar.get_height() for bar in bars if isinstance(bar, Rectangle)]


def test_bars_are_the_accuracy_and_gaps_reach_to_the_confidence(predicted):
    labels, probabilities = predicted
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, means = calibration_curve(right, confidence, n_bins=15)
    figure = reliability_figure(labels, probabilities, "T")
    bars, gaps = (heights(container.get_children()) for container in figure.axes[0].containers)
    assert bars == pytest.approx((100 * accuracy).tolist())
    assert np.add(bars, gaps) == pytest.approx(100 * means)
    assert heights(figure.axes[1].patches) == np.histogram(confidence, np.linspace(0, 1, 16))[0].tolist()


def test_the_error_is_said(predicted):
    labels, probabilities = predicted
    shown = words(reliability_figure(labels, probabilities, "T"))
    assert any(text.startswith(f"ECE {100 * ece(labels, probabilities):.1f} %") for text in shown)
