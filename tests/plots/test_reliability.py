"""Reliability diagrams: their bins against scikit-learn's, and the ECE in them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from test_plots import words

from benchmark.plots import reliability_figure
from benchmark.scoring.probabilities import ece


@pytest.fixture(scope="module")
def predicted() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 7, 400), random.dirichlet(np.full(7, 0.3), 400)


def test_bars_are_the_accuracy_and_gaps_reach_to_the_confidence(predicted):
    labels, probabilities = predicted
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, means = calibration_curve(right, confidence, n_bins=15)
    figure = reliability_figure(labels, probabilities, "T")
    bars, gaps = ([patch.get_height() for patch in container.patches] for container in figure.axes[0].containers)
    assert bars == pytest.approx((100 * accuracy).tolist())
    assert np.add(bars, gaps) == pytest.approx(100 * means)
    counts = [patch.get_height() for patch in figure.axes[1].patches]
    assert counts == np.histogram(confidence, np.linspace(0, 1, 16))[0].tolist()


def test_the_error_is_said(predicted):
    shown = words(reliability_figure(*predicted, "T"))
    assert any(text.startswith(f"ECE {100 * ece(*predicted):.1f} %") for text in shown)
